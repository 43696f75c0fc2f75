/* Common policy (RFC 4745) with the OMA conditions: rules are compiled once, a decision allocates nothing.
 * No permission is known by name here: a vocabulary, read from a manifest, says how each combines. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "arena.h"
#include "status.h"
#include "text.h"
#include "xml_tree.h"

#define POLICY_PERMISSIONS_MAX 40   /* of one vocabulary; the largest known usage has 28 */
#define POLICY_RULES_MAX       4096 /* of one document; more is refused at compile */
#define POLICY_IDENTITIES_MAX  8    /* that one requester has: sip, tel, further aliases and what a core adds */

enum policy_combine {
    POLICY_OR,  /* boolean: true if any rule says so */
    POLICY_MAX, /* number or ordered enumeration: the highest rank */
    POLICY_SET  /* items: all that any rule names */
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
     * is false. An empty element of a POLICY_OR permission says true. POLICY_SET: none. */
    const struct policy_value *values;
    size_t values_count;
};

enum policy_layering {
    POLICY_UNION, /* RFC 4745 §10: all matching rules combine */
    POLICY_LAYERS /* OMA: rules that name the requester, else external lists, else other-identity, else the rest */
};

enum policy_answer { POLICY_NO_ANSWER, POLICY_REJECT, POLICY_ALLOW, POLICY_ASK, POLICY_DEFER };

/* What a permission answers to those who ask for a kind of thing: the first row that fits decides. */
struct policy_verdict {
    const struct text *kinds; /* "message", "session"; words that programs and manifests agree on */
    size_t kinds_count;
    size_t permission;
    bool any_rank; /* above 0 */
    int64_t rank;
    enum policy_answer answer;
};

struct policy_vocabulary {
    const struct policy_permission *permissions;
    size_t permissions_count;
    enum policy_layering layering;
    const struct policy_verdict *verdicts;
    size_t verdicts_count;
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

/* Who is in the lists behind the anchors, filled by whoever can follow them. Lives in the arena, and changes no more
 * once a decision has used it. */
struct policy_lists;

struct policy_lists *policy_lists_new(struct arena *arena);

/* `anchor`: index in policy_anchors; of one identity they come in ascending order. `identity` (canonical) must outlive
 * the lists. */
void policy_lists_add(struct policy_lists *lists, size_t anchor, struct text identity);

/* One item that some rule has in a POLICY_SET permission: a child of its element, or a word of its content. */
struct policy_item {
    size_t permission;
    struct text namespace, local; /* of a child; empty for a word */
    struct text value;            /* content of the child, or the word */
};

/* All items that rules of this policy name, each once. A decision tells with bits which of them are granted. */
size_t policy_items(const struct policy *policy, const struct policy_item **items_out);

#define POLICY_ITEM_WORDS(count) (((count) + 63) / 64)

/* The next moment after `wall_ms` at which a validity begins or ends, so that a decision may change without any change
 * of a document; INT64_MAX: never. */
int64_t policy_next_border(const struct policy *policy, int64_t wall_ms);

struct policy_request {
    /* Canonical (uri_canonical); none: unauthenticated, which counts as anonymous. Only the first
     * POLICY_IDENTITIES_MAX are looked at. */
    const struct text *identities;
    size_t identities_count;
    bool anonymous;      /* asked for privacy: only rules for anonymous requests, or without identity, can match */
    int64_t wall_ms;     /* for validity */
    struct text sphere;  /* of the owner; empty: unknown */
    struct text media;   /* OMA media kind asked for: "pager-mode-message", "audio", "audio/full-duplex"; empty: any */
    struct text service; /* enabler, for service-list; empty: any */
    bool is_member;      /* ls:is-list-member */
    const struct text *invited; /* canonical: who else is invited, for x21:invited-identities */
    size_t invited_count;
    struct text profile;              /* active user preference profile, for x21:upp-list; empty: unknown */
    struct text quality;              /* of experience asked for, for x21:qoe-list; empty: unknown */
    struct text country, region;      /* where the requester is, for x21:country-region-list; empty: unknown */
    bool deferred;                    /* the message was kept before: x21:deferred-messages */
    bool expired;                     /* and its time is over: x21:expired */
    const struct policy_lists *lists; /* NULL: no list matches */
};

struct policy_decision {
    struct {
        bool present;     /* some matching rule holds the permission at all */
        int64_t rank;     /* POLICY_OR: 0 or 1; POLICY_SET: 1 if there is an item */
        struct text rule; /* id of the first rule that gave this rank; empty if none did */
    } permissions[POLICY_PERMISSIONS_MAX];
    unsigned rules_matched; /* and were combined: with POLICY_LAYERS those of the deciding layer */
};

/* Does any row speak of this kind? */
bool policy_kind_known(const struct policy_vocabulary *vocabulary, struct text kind);

/* Answer to who asks for `kind`; POLICY_NO_ANSWER when no row fits. `permission_out`: whose row it was. */
enum policy_answer policy_answer(const struct policy_vocabulary *vocabulary, const struct policy_decision *decision,
                                 struct text kind, size_t *permission_out);

/* `items`: NULL, or POLICY_ITEM_WORDS(policy_items) words in which the bit of each granted item is set and each other
 * one cleared. Costs what the rules cost that may concern the requester; others are not looked at. */
void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out, uint64_t *items);

/* For people: what policy_decide did. */
struct policy_condition_report {
    struct text name; /* local name of the condition */
    bool held;
    struct text why; /* a few words */
};

enum policy_rule_fate {
    POLICY_RULE_APPLIED,
    POLICY_RULE_FAILED,   /* a condition does not hold */
    POLICY_RULE_OUTRANKED /* its conditions hold, but rules of a stronger layer decide */
};

struct policy_rule_report {
    struct text id;
    enum policy_rule_fate fate;
    struct text why; /* of the rule as a whole, beside its conditions; may be empty */
    const struct policy_condition_report *conditions;
    size_t conditions_count;
};

/* One report for each rule, in their order; all in the arena. The fate is the one that policy_decide gave it. */
size_t policy_explain(const struct policy *policy, const struct policy_request *request, struct arena *arena,
                      const struct policy_rule_report **reports_out);

#endif
