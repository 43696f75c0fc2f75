/* What the files of this module share: compiled entries, what they were made of, sets of addresses. */
#ifndef GROUP_PRIVATE_H
#define GROUP_PRIVATE_H

#include <stdlib.h>

#include "feed.h"
#include "group.h"
#include "table.h"

/* Canonical addresses in the order in which they came, and quick to ask. In an arena. */
struct address_set {
    struct arena *arena;
    struct text *addresses;
    size_t count, capacity;
    uint32_t *slots; /* index + 1; 0: free */
    size_t slots_count;
    bool too_many; /* more than ADDRESSES_MAX */
};

/* What groups and rules have in common. */
struct entry {
    UT_hash_handle hh;
    struct arena arena;
    struct text name;    /* group URI or recipient */
    uint64_t checked_at; /* newest change when it was last found true */
    bool stale;          /* to be made again, whatever its documents are */
    size_t cached_bytes; /* what the cache counts for it */
    unsigned lists_left; /* that may still be followed for it, and how many bytes of them read */
    size_t list_bytes_left;
    struct group_source *sources; /* when one of them moves, the entry is made again */
    struct policy_lists *lists;   /* behind the anchors in its policy */
    struct text *missing;         /* anchors that could not be followed */
    size_t missing_count;
    const struct policy *policy; /* NULL: no rules */
};

#define ADDRESSES_MAX     200000      /* of one set; LIST_BYTES_MAX lets no more through that are spelled out */
#define MISSING_MAX       64          /* named per entry; an operator needs the first few */
#define LISTS_MAX         256         /* followed for one entry: lists that refer to lists multiply */
#define LIST_BYTES_MAX    (16u << 20) /* read for one entry: the loop stands still meanwhile, some 0.1 s */
#define GROUP_CHANGES_MAX 16 /* looked at one by one between two questions: each costs a look at all cached groups */
#define BEHIND_MAX        8192 /* changes between two questions that are walked, some 10 ms; after more all is made anew */
#define CACHE_BYTES_MAX   (256u << 20) /* of one cache: GROUP_CACHE_MAX of the largest documents would be many GB */

/* Entries by name, the least recently used first. */
struct cache {
    struct entry *entries;
    size_t bytes;
};

/* A member that is a group itself. */
struct nested {
    struct text address;
    struct nested *next;
};

/* When the rules let a session be (oxe:session-active-policy); no range: always. */
struct time_range {
    int64_t from_ms, until_ms;
    struct time_range *next;
};

/* Years of life (oxe:age-restrictions); no range: any. */
struct age_range {
    uint64_t from, until;
    struct age_range *next;
};

/* How many people the members are. Counted when it is asked for, and again when a user has changed. */
struct people {
    bool counted;
    size_t count;
    uint64_t users_changed_at; /* as it was then */
};

struct group {
    struct entry entry;
    struct text uri, display_name;
    struct address_set members;        /* of its list, external lists resolved */
    struct nested *nested;             /* those among them that are groups, in order */
    struct address_set nested_members; /* who is in those, at all depths */
    unsigned nested_left;
    struct group_limits limits; /* but for the number of members */
    struct people *people;
    const struct xml_element *supported; /* oxe:supported-services; NULL: all are */
    struct time_range *schedule;
    struct age_range *ages;
    bool scheduled, not_understood;
};

struct rules {
    struct entry entry;
    uint64_t *versions; /* of the owner's rule documents, in the order of their names */
    size_t versions_count;
};

struct groups {
    const struct documents *documents;
    struct group_settings settings;
    struct feed *feed;
    uint64_t changed_at;                           /* newest change of a document that XCAP serves */
    uint64_t users_changed_at;                     /* newest change of a user */
    uint64_t users_epoch, documents_epoch;         /* counted up with each such change, and when some were lost */
    struct absent *absent;                         /* NULL: none so far */
    const struct usage *group_usage, *rules_usage; /* NULL: not loaded */
    uint64_t generation;                           /* of the usages, when it is from a pool */
    struct groups *next;                           /* that wait in the pool */
    struct cache group_cache, rules_cache;
};

#define LIST_SERVICE   TEXT("urn:oma:xml:poc:list-service")
#define COMMON_POLICY  TEXT("urn:ietf:params:xml:ns:common-policy")
#define XDM_EXTENSIONS TEXT("urn:oma:xml:xdm:extensions")

/* address_set.c */
void address_set_init(struct address_set *set, struct arena *arena);
void address_set_add(struct address_set *set, struct text canonical);
bool address_set_has(const struct address_set *set, struct text canonical);

/* group.c */
const struct xml_element *group_service_of(const struct xml_element *root, struct text address, struct arena *arena);
void group_take_members(const struct groups *groups, struct entry *entry, struct text owner,
                        const struct xml_element *service, struct address_set *members);

/* absent.c: as of what groups_refresh has seen. */
bool absent_has(const struct groups *groups, struct text address);
void absent_note(struct groups *groups, struct text address);
void absent_clear(struct groups *groups);

/* group_limits.c */
void group_read_limits(struct group *group, const struct xml_element *service);
bool group_supports(const struct group *group, struct text media, struct text service);
bool group_is_scheduled(const struct group *group, struct text kind, int64_t wall_ms);
int64_t group_next_schedule(const struct group *group, int64_t wall_ms);

/* group_age.c */
void group_read_ages(struct group *group, const struct xml_element *service);
bool group_lets_age(const struct groups *groups, const struct group *group, const struct group_sender *sender);
int64_t group_next_birthday(const struct group *group, int64_t wall_ms); /* somebody's: the next day */

/* group_nested.c */
void group_resolve_nested(const struct groups *groups, struct group *group);
/* A group document was written. False: it holds more groups than could be looked at. */
bool group_note_change(struct groups *groups, const struct document_key *key);

/* question.c */
struct text question_kind(const struct group_sender *sender);
void question_request(const struct group_sender *sender, struct policy_request *request_out);

/* group_list.c */
void entry_depends(struct entry *entry, const struct document_key *key, uint64_t version);
struct text member_address(struct arena *arena, struct text uri); /* as written in a list; canonical or empty */
/* `owner` of the document that refers to lists; empty in the global tree. */
void entry_resolve_policy_lists(const struct groups *groups, struct entry *entry, struct text owner);
void list_resolve(const struct groups *groups, struct entry *entry, struct text owner, struct text anchor,
                  struct address_set *set);

/* groups.c */
void entry_init(struct entry *entry, struct text name);
void entry_free(struct entry *entry);                                     /* the group or the rules that it begins */
bool entry_holds(const struct groups *groups, const struct entry *entry); /* no dependency has moved */
bool place_of(const struct groups *groups, const struct document_key *key, struct document_place *place_out);
void groups_refresh(struct groups *groups);
struct entry *cache_find(struct cache *cache, struct text name);
void cache_add(struct cache *cache, struct entry *entry);
void cache_remove(struct cache *cache, struct entry *entry);

#endif
