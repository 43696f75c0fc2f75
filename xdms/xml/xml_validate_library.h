/* What the files around libxml2 share among themselves. Nobody else includes this. */
#ifndef XML_VALIDATE_LIBRARY_H
#define XML_VALIDATE_LIBRARY_H

#include <libxml/hash.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>

#include "xml_validate.h"

#define XML_PHRASE_MAX 400 /* a phrase is read by people and echoed to peers: longer messages are cut */

struct xml_document {
    xmlDocPtr tree;
};

struct xml_schema {
    xmlSchemaPtr compiled;
    xmlHashTablePtr elements;   /* (local, namespace) */
    xmlHashTablePtr attributes; /* the same, of namespaces only: unqualified ones are the schema's own affair */
    xmlHashTablePtr namespaces; /* with a declaration of either */
    xmlHashTablePtr ids;        /* local names of attributes of type xs:ID, whose values must differ in a document */
    bool ids_elsewhere;         /* other things may be of that type */
};

/* Looks at the tags alone, before the library pays for anything: bounds, DTD, and whatever would let the library see
 * other tags than these. `fragment`: no declaration is expected. */
enum status xml_screen(struct text bytes, const struct xml_limits *limits, bool fragment, struct arena *arena,
                       struct refusal *refusal);

/* First message of the library, as one plain line. */
struct xml_complaint {
    struct arena *arena;
    struct text message; /* empty: none so far */
    const char *file;    /* copied into the arena, or NULL */
    int line;
    int column;
    struct text namespace; /* of the element that a schema refuses, when its parent is in another one */
    bool stranger;         /* it is */
};

/* To be set as structured error function with a struct xml_complaint as its data. Warnings are passed over. */
void xml_complaint_take(void *complaint, xmlErrorPtr error);

/* Without "{namespace}", line ends and control characters; cut to XML_PHRASE_MAX. */
struct text xml_message_shape(struct arena *arena, struct text message);

/* "schemas/x.xsd, line 4: …" */
struct text xml_complaint_line(const struct xml_complaint *complaint, const char *path);

/* Between these two, this thread may open local files through the library (schemas and sheets of our own), and what a
 * sheet's compiler says goes to `complaint`. At all other times every file and network access is denied. */
void xml_loading_begin(struct xml_complaint *complaint);
void xml_loading_end(void);

/* xslt's compiler knows only one process-wide error function; it lands here. */
void xml_loading_complain(struct text message);

#endif
