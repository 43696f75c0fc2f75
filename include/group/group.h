/* Who may do what with whom: reads group documents and the rules of users, and decides. Keeps what it compiled, and
 * looks at the feed before each use, so that a change by XCAP is in force for the next question. */
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "document.h"
#include "policy.h"

#define GROUP_MEMBERS_MAX 5000  /* that one message is handed to; more is refused when the group is used */
#define GROUP_DEPTH_MAX   3     /* external lists inside external lists, and groups inside groups */
#define GROUP_NESTED_MAX  64    /* groups inside one group, at all depths */
#define GROUP_CACHE_MAX   10000 /* compiled groups and rules kept; the least recently used goes first */

struct group_settings {
    const struct text *roots; /* XCAP root paths under which anchors are ours */
    size_t roots_count;
    bool members_may_send;  /* a group without a ruleset: may its members use it? (policy of the house) */
    bool store_by_default;  /* no rule says anything about offline storage */
    bool accept_by_default; /* no rule of the recipient matches */
    bool lists_of_others;   /* groups and rules may use lists that their owners cannot read */
    bool accept_anonymous;  /* accept_by_default holds for who is anonymous, too */
};

#define GROUP_SETTINGS_STANDARD(root_list, count)                                                                      \
    ((struct group_settings){root_list, count, true, true, true, false, false})

/* One at a time may use it: a thread for itself, or whoever has taken it from a pool. */
struct groups;

struct groups *groups_new(const struct documents *documents, const struct group_settings *settings);
void groups_free(struct groups *groups);

/* Lets go of all that is kept and takes the usages that are in force now: for programs that replace them. */
void groups_begin(struct groups *groups);

/* Another number whenever a user may have changed since the last call: what was read of users after that call is good
 * as long as it is the same. */
uint64_t group_users_epoch(struct groups *groups);

/* For threads that come and go: each takes one, decides without a lock, and gives it back. There are as many as were
 * ever taken at once. `generation` is what documents_enter said; the usages may change between two of them. */
struct group_pool;

struct group_pool *group_pool_new(const struct documents *documents, const struct group_settings *settings);
void group_pool_free(struct group_pool *pool); /* when all are back */
struct groups *group_pool_take(struct group_pool *pool, uint64_t generation);
void group_pool_give(struct group_pool *pool, struct groups *groups);

/* What is asked for, beside who asks. All zero: to send a page-mode message. Texts may be empty: unknown or any. */
struct group_question {
    struct text kind;  /* a kind of the manifests' verdicts; empty: "message" */
    struct text media; /* OMA media kind; empty: that of the kind */
    struct text service, sphere, profile, quality, country, region;
    const struct text *invited; /* canonical */
    size_t invited_count;
    bool deferred, expired; /* a message that was kept before, and whose time is over */
};

/* Who asks. Identities canonical; none: anonymous. */
struct group_sender {
    const struct text *identities;
    size_t identities_count;
    bool anonymous;
    int64_t wall_ms;
    const struct group_question *question; /* NULL: a page-mode message */
};

struct group; /* compiled; valid until the next group_find, group_fan_out or group_decide */

/* Any canonical address: is it a group? NOT_FOUND when no document claims it. FAILED when the document is broken or the
 * store is.
 */
enum status group_find(struct groups *groups, struct text address, const struct group **group_out);
struct text group_uri(const struct group *group);
struct text group_display_name(const struct group *group);

struct group_limits {
    uint64_t participants_max; /* UINT64_MAX: not said */
    uint64_t participants_min; /* of a session that goes on */
    struct text duration_max;  /* as written; empty: not said */
    bool invite_members;       /* a pre-arranged group: the server invites; else people join */
    size_t members;            /* of the list, external lists resolved; who is there by several addresses is one */
};

/* Texts live as long as the group. */
struct group_limits group_limits(const struct groups *groups, const struct group *group);

/* May the sender do what is asked with this group? `rule_out` gets the rule that decided, or a word why not
 * ("not-member", "no-rule", "anonymous", "supported-services", "must-understand", "schedule", "age-restrictions"), for
 * the record. Who asks for anonymity needs that permission beside. */
bool group_may_send(struct groups *groups, const struct group *group, const struct group_sender *sender,
                    struct text *rule_out);

/* Is one of the sender's identities in the list of this group, in an external list, or in a group inside it? */
bool group_is_member(const struct group *group, const struct group_sender *sender);

/* Members in document order, canonical, each once, external lists resolved, without the sender and the group itself.
 * A member that is a group is replaced by its own members if the sender may send to that group, too. REFUSED: more than
 * GROUP_MEMBERS_MAX. A list or group that cannot be followed counts as empty and is named in `missing_out`. */
enum status group_fan_out(struct groups *groups, const struct group *group, const struct group_sender *sender,
                          struct arena *arena, const struct text **members_out, size_t *count_out,
                          const struct text **missing_out, size_t *missing_count_out);

struct group_list {
    const struct text *members; /* canonical, each once, in the order in which they stand */
    size_t count;
    const struct text *missing; /* the first anchors that could not be followed; the rest is there all the same */
    size_t missing_count;
};

/* Who is in the lists behind the XCAP anchors of one message; lists inside them are followed like those of a group, but
 * only where `reader` (an address of record) may read the documents: a sender must not learn or use the lists of
 * others. All anchors together cost what one may. REFUSED: too many. All in the arena. */
enum status group_list_members(struct groups *groups, const struct text *anchors, size_t anchors_count,
                               struct text reader, struct arena *arena, struct group_list *list_out);

/* The same for the list that has this address (uri_canonical_whole) as a resource list service (RFC 4826 §4): lists
 * inside it are followed where its owner may read them. NOT_FOUND: no service has it. FAILED: its document cannot be
 * read. */
enum status group_service_members(struct groups *groups, struct text address, struct arena *arena,
                                  struct text *owner_out, struct group_list *list_out);

enum group_verdict {
    GROUP_DELIVER,
    GROUP_BLOCK,
    GROUP_ASK,  /* the recipient is to be asked */
    GROUP_DEFER /* kept, and handed over later */
};

struct group_decision {
    enum group_verdict verdict;
    bool may_store;         /* keep it when the recipient cannot be reached */
    struct text rule;       /* id of the rule that decided; empty: the default; in the arena */
    struct text store_rule; /* the same for may_store */
};

/* The recipient's own rules: every document of his im-rules home counts (union of their rules). FAILED when one cannot
 * be read, because it may hold the rule that blocks. */
enum status group_decide(struct groups *groups, struct text recipient, const struct group_sender *sender,
                         struct arena *arena, struct group_decision *decision_out);

/* Does any rule know of such a kind of question? */
bool group_kind_known(const struct groups *groups, struct text kind);

/* A document that a decision was made of. */
struct group_source {
    struct document_key key;
    uint64_t version; /* 0: it was not there */
    const struct group_source *next;
};

/* What stands behind a decision, for whoever wants to show all of it: to be used with policy_decide and policy_explain.
 * Valid as long as the group, or for rules until the next call. */
struct group_ruling {
    const struct policy *policy; /* NULL: no rules */
    const struct policy_vocabulary *vocabulary;
    struct policy_request request;
    const struct group_source *sources;
    int64_t until_ms; /* when the answer may change without a change of a document; INT64_MAX: never */
};

/* For a question to a group, and to a recipient. FAILED: his rules cannot be read. */
void group_ruling_of(struct groups *groups, const struct group *group, const struct group_sender *sender,
                     struct group_ruling *ruling_out);
enum status group_ruling_of_user(struct groups *groups, struct text recipient, const struct group_sender *sender,
                                 struct group_ruling *ruling_out);

#endif
