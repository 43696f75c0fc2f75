/* Node selectors (RFC 4825 §6.3): text to steps. Matching is in xcap_edit. */
#ifndef XCAP_XCAP_SELECTOR_H
#define XCAP_XCAP_SELECTOR_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define XCAP_STEPS_MAX 200 /* as deep as a document can be; bounds the work of one selector */

struct xcap_step {
    bool any_name; /* "*" */
    bool name_prefixed;
    struct text namespace;
    struct text also; /* a second namespace that fits, or empty */
    struct text local;
    uint32_t position; /* 0: none given; [0] and overflow become UINT32_MAX, which never matches */
    bool has_attribute;
    struct text attribute_namespace;
    struct text attribute_local;
    struct text attribute_value; /* references expanded */
    bool prefixed;               /* some name in it needs the query to be understood */
    struct text written;         /* the step as in the selector, for phrases and "ancestor" */
};

enum xcap_terminal { XCAP_ELEMENT, XCAP_ATTRIBUTE, XCAP_NAMESPACES };

struct xcap_selector {
    struct xcap_step *steps;
    size_t steps_count; /* at least 1 */
    enum xcap_terminal terminal;
    struct text attribute_namespace; /* XCAP_ATTRIBUTE */
    struct text attribute_local;
    struct text query; /* as given, to be appended to "ancestor" and "field" */
};

/* `node` and `query` are decoded. Unprefixed elements are in `standard_namespace`. REFUSED: 400 for broken steps and
 * unbound prefixes, 404 for an extension selector that is not understood, 414 for more than XCAP_STEPS_MAX steps. */
enum status xcap_selector_parse(struct text node, struct text query, struct text standard_namespace,
                                struct arena *arena, struct xcap_selector *selector_out, struct refusal *refusal);

#endif
