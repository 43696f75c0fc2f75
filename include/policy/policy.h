/* Common policy (RFC 4745) with the OMA conditions: rules are compiled once, a decision allocates nothing.
 * No permission is known by name here: a vocabulary, read from a manifest, says how each combines. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "arena.h"
#include "status.h"
#include "text.h"
#include "xml_tree.h"

#define POLICY_PERMISSIONS_MAX 32   /* of one vocabulary; the largest known usage has 16 */
#define POLICY_RULES_MAX       4096 /* of one document; more is refused at compile */
#define POLICY_IDENTITIES_MAX  8    /* that one requester has: sip, tel, further aliases and what a core adds */

enum policy_combine {
    POLICY_OR, /* boolean: true if any rule says so */
    POLICY_MAX /* number or ordered enumeration: the highest rank */
};

struct policy_value {
    struct text name; /* of an enumeration: "accept" */
    int64_t rank;
};

struct policy_permission {
    struct text name;      /* how the program asks for it: "join-handling" */
    struct text namespace; /* of the action or transformation element */
    struct text local;
    struct text attribute; /* value stands in this attribute (any namespace) if present, else in the content */
    enum policy_combine combine;
    /* POLICY_MAX: names and their ranks; none: a number. POLICY_OR: words besides true, false, 1 and 0, where rank 0
     * is false. An empty element of a POLICY_OR permission says true. */
    const struct policy_value *values;
    size_t values_count;
};

enum policy_layering {
    POLICY_UNION, /* RFC 4745 §10: all matching rules combine */
    POLICY_LAYERS /* OMA: rules that name the requester, else external lists, else other-identity, else the rest */
};

struct policy_vocabulary {
    const struct policy_permission *permissions;
    size_t permissions_count;
    enum policy_layering layering;
};

/* Index of a permission, or POLICY_PERMISSIONS_MAX. */
size_t policy_permission_index(const struct policy_vocabulary *vocabulary, struct text name);

struct policy; /* compiled; immutable; shared by threads */

/* `ruleset` is a cp:ruleset element; its tree and `vocabulary` must outlive the policy (use one arena).
 * REFUSED past POLICY_RULES_MAX. Unknown conditions compile to "never", unknown actions to nothing. */
enum status policy_compile(const struct xml_element *ruleset, const struct policy_vocabulary *vocabulary,
                           struct arena *arena, const struct policy **policy_out);

/* Anchors of all external-list conditions, so that the caller can fetch and resolve those lists beforehand. */
size_t policy_anchors(const struct policy *policy, const struct text **anchors_out);

/* Is one of the requester's identities in the list behind `anchor`? Must be quick: it asks a resolved set. */
typedef bool policy_in_list_fn(void *context, struct text anchor, struct text identity);

struct policy_request {
    /* Canonical (uri_canonical); none: unauthenticated, which counts as anonymous. Only the first
     * POLICY_IDENTITIES_MAX are looked at. */
    const struct text *identities;
    size_t identities_count;
    bool anonymous;      /* asked for privacy: only rules for anonymous requests, or without identity, can match */
    int64_t wall_ms;     /* for validity */
    struct text sphere;  /* of the owner; empty: unknown */
    struct text media;   /* OMA media kind asked for: "pager-mode-message", "message-session"; empty: any */
    struct text service; /* enabler, for service-list; empty: any */
    bool is_member;      /* ls:is-list-member */
    policy_in_list_fn *in_list; /* NULL: no list matches */
    void *in_list_context;
};

struct policy_decision {
    struct {
        bool present;     /* some matching rule holds the permission at all */
        int64_t rank;     /* POLICY_OR: 0 or 1 */
        struct text rule; /* id of the first rule that gave this rank; empty if none did */
    } permissions[POLICY_PERMISSIONS_MAX];
    unsigned rules_matched; /* and were combined: with POLICY_LAYERS those of the deciding layer */
};

void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out);

#endif
