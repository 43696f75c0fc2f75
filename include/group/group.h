/* Who gets this message: reads group documents and the IM rules of users, and decides. Keeps what it compiled, and
 * looks at the feed before each use, so that a change by XCAP is in force for the next message. One thread. */
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "document.h"
#include "policy.h"

#define GROUP_MEMBERS_MAX 5000  /* after resolving external lists; more is refused when the group is used */
#define GROUP_DEPTH_MAX   3     /* external lists inside external lists */
#define GROUP_CACHE_MAX   10000 /* compiled groups and rules kept; the least recently used goes first */

struct group_settings {
    const struct text *roots; /* XCAP root paths under which anchors are ours */
    size_t roots_count;
    bool members_may_send;  /* a group without a ruleset: may its members send? (policy of the house) */
    bool store_by_default;  /* no rule says anything about offline storage */
    bool accept_by_default; /* no rule of the recipient matches */
};

#define GROUP_SETTINGS_STANDARD(root_list, count) ((struct group_settings){root_list, count, true, true, true})

struct groups;

struct groups *groups_new(const struct documents *documents, const struct group_settings *settings);
void groups_free(struct groups *groups);

/* Who asks. Identities canonical; none: anonymous. */
struct group_sender {
    const struct text *identities;
    size_t identities_count;
    bool anonymous;
    int64_t wall_ms;
};

struct group; /* compiled; valid until the next call on `groups` */

/* Any canonical address: is it a group? NOT_FOUND when no document claims it. FAILED when the document is broken or the
 * store is.
 */
enum status group_find(struct groups *groups, struct text address, const struct group **group_out);
struct text group_uri(const struct group *group);
struct text group_display_name(const struct group *group);

/* May the sender send a page-mode message to this group? `rule_out` gets the rule that decided, or a word why not
 * ("not-member", "no-rule", "anonymous", "supported-services"), for the record. Who asks for anonymity needs
 * allow-anonymity beside join-handling. */
bool group_may_send(struct groups *groups, const struct group *group, const struct group_sender *sender,
                    struct text *rule_out);

/* Members in document order, canonical, each once, external lists resolved, without the sender and the group itself.
 * REFUSED: more than GROUP_MEMBERS_MAX. A list that cannot be followed counts as empty and is named in `missing_out`.
 */
enum status group_fan_out(struct groups *groups, const struct group *group, const struct group_sender *sender,
                          struct arena *arena, const struct text **members_out, size_t *count_out,
                          const struct text **missing_out, size_t *missing_count_out);

enum group_verdict { GROUP_DELIVER, GROUP_BLOCK };

struct group_decision {
    enum group_verdict verdict;
    bool may_store;   /* keep it when the recipient cannot be reached */
    struct text rule; /* id of the rule that decided; empty: the default; in the arena */
};

/* The recipient's own rules: every document of its im-rules home counts (union of their rules). FAILED when one cannot
 * be read, because it may hold the rule that blocks. */
enum status group_decide(struct groups *groups, struct text recipient, const struct group_sender *sender,
                         struct arena *arena, struct group_decision *decision_out);

#endif
