/* The query of an XCAP URI: xmlns() parts of an XPointer (RFC 4825 §6.4). */
#ifndef XCAP_XCAP_BINDINGS_H
#define XCAP_XCAP_BINDINGS_H

#include "arena.h"
#include "text.h"

struct xcap_binding {
    struct text prefix;
    struct text uri;
    struct xcap_binding *earlier; /* later ones win */
};

/* Whatever is no xmlns() part is ignored. */
struct xcap_binding *xcap_bindings_parse(struct text query, struct arena *arena);

/* False when it is not bound, or bound to nothing. "xml" always is; "xmlns" is for attributes that never match. */
bool xcap_bindings_find(const struct xcap_binding *bindings, struct text prefix, struct text *uri_out);

#endif
