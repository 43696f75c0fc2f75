/* What the files of this module share: a usage as loaded, with all that callers need not see. */
#ifndef USAGE_OWN_H
#define USAGE_OWN_H

#include "usage_search.h"
#include "xml_tree.h"
#include "xml_validate.h"

#define USAGE_CLAIMS_MAX    256       /* of one document: all are written in its transaction */
#define USAGE_FILE_MAX      (4 << 20) /* bytes of a file in schemas/; more is not ours */
#define USAGE_BYTES_MAX     262144    /* of a document, when the manifest sets no limit */
#define USAGE_DEPTH_MAX     32        /* the same for nesting */
#define USAGE_TREES         2
#define USAGE_OPERATIONS    3
#define USAGE_FOLDER_COMMON "common" /* shared schema parts: no usage */
#define USAGE_PAGE          "page.xsl"

/* For what the server itself puts together: any document that was stored must fit with what stands around it. */
#define USAGE_LIMITS_LISTING ((struct xml_limits){USAGE_LISTING_MAX, 204, 500000, 64})

enum usage_form {
    USAGE_AS_WRITTEN,
    USAGE_ADDRESS, /* compared in the canonical form, which is an address of record */
    USAGE_URI      /* the same with the parameters, sorted by name (RFC 4826 §5) */
};

struct usage_claim_row {
    struct text kind;
    struct usage_path path;
    bool shared;
    enum usage_form form;
    const struct text *apart; /* other kinds that share its values */
    size_t apart_count;
};

struct usage_computed {
    struct text file; /* name of the row's sheet; empty for stored documents */
    struct text by;   /* kind of the unique values that its elements are found by; empty: none */
    const struct usage_claim_row *by_row;
    struct xml_sheet *sheet;
    struct text bytes; /* of what is made once, from the list of usages */
};

struct usage_loaded {
    struct usage usage; /* first: callers hold a pointer to it */
    struct text folder; /* path */
    struct text root_namespace;
    struct text alias_of; /* AUID, when the folder is but another name; the rest is empty then */
    struct text *aliases; /* names of such folders */
    size_t aliases_count;
    unsigned roles[USAGE_TREES][USAGE_OPERATIONS]; /* bit 1 << role */
    const struct usage_claim_row *claims;
    size_t claims_count;
    const struct usage_searchable *searchable[USAGE_TREES]; /* NULL: nothing */
    struct usage_computed *computed;                        /* one for each of usage.documents */
    bool has_suspects;                                      /* else the sheet looks at every document */
    struct xml_suspects suspects;
    struct xml_schema *schema;
    struct xml_sheet *constraints; /* NULL: none */
    struct xml_sheet *page;        /* NULL: the common one */
};

struct usage_name { /* an AUID or an alias */
    struct text name;
    struct usage_loaded *loaded;
};

struct usage_set {
    struct arena memory;
    struct usage_loaded **usages; /* in byte order of the AUID */
    size_t count;
    struct usage_name *names; /* in byte order */
    size_t names_count;
    struct xml_sheet *page; /* common/page.xsl, or NULL */
};

static inline const struct usage_loaded *usage_loaded(const struct usage *usage)
{
    return (const struct usage_loaded *)(const void *)usage;
}

/* Reads manifest.xml of `folder` and compiles what it names; of an alias there is nothing to compile. `error_out` is
 * one line that starts with the folder. */
enum status usage_folder_load(struct text folder, const struct xml_schema *manifest_schema, struct arena *memory,
                              struct usage_loaded **loaded_out, struct text *error_out);
void usage_folder_free(struct usage_loaded *loaded);

/* From a manifest that its schema has accepted. `loaded_out` has no schema and no sheets yet. */
/* One row of a manifest: an attribute without white space around it, whether it has this name, a number or what stands
 * for it, the words of a list; how many children of a parent have a name. */
struct text usage_row_value(const struct xml_element *row, const char *attribute);
bool usage_row_is(const struct xml_element *row, const char *name);
uint64_t usage_row_number(const struct xml_element *row, const char *attribute, uint64_t if_absent);
size_t usage_row_words(struct text list, struct arena *memory, const struct text **words_out);
size_t usage_rows_count(const struct xml_element *parent, const char *name);

/* The <policy> of a manifest: permissions and what they answer. */
enum status usage_policy_read(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                              struct text *error_out);

/* The <searchable> rows of a manifest. */
enum status usage_search_read(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                              struct text *error_out);

/* The attribute names one role, which stands for itself and those after it, or several, for just these. */
unsigned usage_row_roles(const struct xml_element *row, const char *attribute, unsigned if_absent);
enum xcap_tree usage_row_tree(const struct xml_element *row);

enum status usage_manifest_read(const struct xml_element *manifest, struct arena *memory,
                                struct usage_loaded *loaded_out, struct text *error_out);

/* Makes what follows from the set alone. */
enum status usage_set_compute(struct usage_set *set, struct text *error_out);

/* The row's sheet over this listing. FULL, FAILED. */
enum status usage_sheet_run(const struct xml_sheet *sheet, struct text listing, struct arena *arena,
                            struct text *bytes_out);

/* REFUSED: of this listing the row's sheet makes nothing, or what its usage refuses; `error_out` begins with `where`.
 */
enum status usage_computed_check(const struct usage_loaded *loaded, struct text listing, const char *where, size_t row,
                                 struct arena *arena, struct text *error_out);

/* Made with this sheet. FAILED, FULL. */
enum status usage_page_make(const struct xml_sheet *sheet, const struct usage *usage,
                            const struct usage_subject *subject, struct text bytes, struct arena *arena,
                            struct text *page_out);

/* What a path of a manifest finds at an element that is its last step; `within`: the path begins below that one. */
bool usage_path_finds(const struct usage_path *path, const struct xml_element *element,
                      const struct xml_element *within, struct text *value_out);

bool usage_path_parse(const struct usage_loaded *loaded, struct text written, struct usage_path *path_out);

/* "prefix:local" by the prefixes of the manifest; without prefix the default namespace, or none for an attribute. */
bool usage_name_resolve(const struct usage_loaded *loaded, struct text written, bool attribute,
                        struct text *namespace_out, struct text *local_out);

/* All claims of the document in document order. `unreadable_out` is the field of an address that is none, or empty.
 * REFUSED: two of the same value (uniqueness-failure), too many. */
enum status usage_claims_read(const struct usage_loaded *loaded, struct text bytes, struct arena *arena,
                              const struct usage_claim **claims_out, size_t *claims_count_out,
                              struct text *unreadable_out, struct refusal *refusal);

/* Finds the rows that the `by` of computed documents name. False: one is not there, or not the attribute of elements at
 * one place; `kind_out` says which. */
bool usage_claims_resolve(struct usage_loaded *loaded, struct text *kind_out);

bool usage_file_exists(const char *path);
enum status usage_file_read(const char *path, struct arena *arena, struct text *bytes_out);

/* Names in a folder without those that start with a dot, in byte order. NOT_FOUND when it cannot be read. */
enum status usage_folder_list(const char *path, struct arena *arena, struct text **names_out, size_t *count_out);
const char *usage_path_join(struct arena *arena, struct text folder, const char *name);

#endif
