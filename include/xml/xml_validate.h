/* What libxml2 and libxslt are for: is this well-formed, is it valid against a schema, what does a sheet make of it.
 * No other module sees those libraries. Everything here may run on many threads at once; schemas and sheets are
 * compiled once and shared. */
#ifndef XML_XML_VALIDATE_H
#define XML_XML_VALIDATE_H

#include "arena.h"
#include "status.h"
#include "text.h"

/* Bounds checked before libxml2 sees a byte; each stops an attack that the library would pay for. */
struct xml_limits {
    size_t bytes_max;
    unsigned depth_max;      /* nesting of elements */
    unsigned elements_max;   /* in the whole document */
    unsigned attributes_max; /* on one element: libxml2 is quadratic in them */
};

#define XML_LIMITS_STANDARD ((struct xml_limits){1u << 20, 64, 50000, 64})

/* Call once in main before threads start. */
void xml_open(void);
void xml_close(void);

struct xml_document; /* parsed; owned by the caller */

/* UTF-8 (a declared other encoding is refused), no DTD, XML 1.0, namespaces bound, within limits.
 * REFUSED: xcap-error not-utf-8, not-well-formed or constraint-failure (DTD, limits), phrase with line and column. */
enum status xml_parse(struct text bytes, const struct xml_limits *limits, struct arena *arena,
                      struct xml_document **document_out, struct refusal *refusal);
void xml_document_free(struct xml_document *document);

/* Local name and namespace of the document element; they live as long as the document. */
struct text xml_document_root(const struct xml_document *document, struct text *namespace_out);

/* One well-balanced element as it would stand under `scope`: "xmlns=…" declarations in force, ready to be put into a
 * start tag. REFUSED: not-xml-frag or not-utf-8. */
enum status xml_check_fragment(struct text fragment, struct text scope, const struct xml_limits *limits,
                               struct arena *arena, struct refusal *refusal);

struct xml_schema;

/* Compiles an XSD and what it includes from the same folder tree. `error_out` gets one line (file, line, what). */
enum status xml_schema_load(const char *path, struct arena *arena, struct xml_schema **schema_out,
                            struct text *error_out);
void xml_schema_free(struct xml_schema *schema);

/* REFUSED: schema-validation-error, phrase "line 4: element 'entry': …". Beyond the schema: an element or attribute in
 * a namespace that this schema declares, but without a declaration, is refused too (RFC 4825 §8.2.5). */
enum status xml_schema_check(const struct xml_schema *schema, const struct xml_document *document, struct arena *arena,
                             struct refusal *refusal);

/* What may make a document suspicious to rules beyond its schema; local names, in whatever namespace. */
struct xml_suspects {
    const struct text *repeated; /* attributes that have one value twice among the children of an element */
    size_t repeated_count;
    const struct text *present; /* elements that occur */
    size_t present_count;
};

/* True: xml_parse and xml_schema_check would take it, and its document element is this one. False: ask them what is
 * wrong with it, if anything is. Reads the document once and builds no tree, so it is much faster than they are.
 * `suspect_out`: it has one of the suspects. */
bool xml_schema_accepts(const struct xml_schema *schema, struct text bytes, const struct xml_limits *limits,
                        struct text root_namespace, struct text root, const struct xml_suspects *suspects,
                        struct arena *arena, bool *suspect_out);

struct xml_sheet;
struct xml_parameter {
    const char *name;
    struct text value; /* passed as a string, whatever it holds */
};

enum status xml_sheet_load(const char *path, struct arena *arena, struct xml_sheet **sheet_out, struct text *error_out);
void xml_sheet_free(struct xml_sheet *sheet);

/* Output as serialised by the sheet's own xsl:output; empty when the sheet makes nothing. No file or network access,
 * operations limited. FULL when this document takes more of them, FAILED when the sheet breaks: `output_out` is then
 * one line that says how. */
enum status xml_sheet_apply(const struct xml_sheet *sheet, const struct xml_document *document,
                            const struct xml_parameter *parameters, size_t parameters_count, struct arena *arena,
                            struct text *output_out);

/* Pairs of (namespace uri) that the schema declares elements of: for xcap-caps. */
size_t xml_schema_namespaces(const struct xml_schema *schema, struct arena *arena, struct text **namespaces_out);

#endif
