/* Which namespace a prefix means at one place of a document: declarations are pushed with each start tag that is
 * entered and popped when it is left. */
#ifndef XML_XML_SCOPE_H
#define XML_XML_SCOPE_H

#include "xml_scan.h"

#define XML_NAMESPACE   "http://www.w3.org/XML/1998/namespace"
#define XMLNS_NAMESPACE "http://www.w3.org/2000/xmlns/"

/* Declarations in force at one place. Look-ups walk them all, so a document of nothing but declarations must not make
 * each of its elements dear; real documents have some ten. */
#define XML_BINDINGS_MAX 512

struct xml_binding {
    struct text prefix; /* empty: default namespace */
    struct text uri;    /* empty: default namespace switched off */
    unsigned level;
};

struct xml_scope {
    struct arena *arena;
    struct xml_binding *bindings;
    size_t count, capacity;
    unsigned level;
};

void xml_scope_init(struct xml_scope *scope, struct arena *arena);

/* Enters an element. False when its attributes are malformed, a declaration is not allowed (Namespaces in XML 1.0 §3,
 * §5) or there are too many; the scope is of no use then. Each true is paired with a close. */
bool xml_scope_open(struct xml_scope *scope, struct text document, const struct xml_tag *tag);
void xml_scope_close(struct xml_scope *scope);

/* Namespace of a prefix; the empty prefix is always bound (to nothing, if not declared), "xml" too. */
bool xml_scope_find(const struct xml_scope *scope, struct text prefix, struct text *uri_out);

/* A prefix that means `uri` here; false when only the default namespace does, or none. */
bool xml_scope_prefix(const struct xml_scope *scope, struct text uri, struct text *prefix_out);

/* ` xmlns="…" xmlns:p="…"`: all that is in force but "xml", outermost first, ready to be put into a start tag. */
struct text xml_scope_declarations(const struct xml_scope *scope, struct arena *arena);

/* xmlns="…" or xmlns:p="…": not an attribute in the sense of selectors and schemas. */
bool xml_is_declaration(const struct xml_attribute_span *attribute);

#endif
