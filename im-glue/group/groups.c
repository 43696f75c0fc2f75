/* The caches of compiled groups and rules. An entry is used as it is while no XCAP document has changed anywhere; after
 * a change its documents' versions are compared, and only if one moved is it made again. */
#include "group_private.h"

static void entry_free(struct entry *entry)
{
    arena_clear(&entry->arena);
    free(entry);
}

static size_t permission(const struct usage *usage, struct text name)
{
    return usage ? policy_permission_index(&usage->vocabulary, name) : POLICY_PERMISSIONS_MAX;
}

struct groups *groups_new(const struct documents *documents, const struct group_settings *settings)
{
    struct groups *groups = memory_new(sizeof(*groups));
    const struct usage_set *usages = documents_usages(documents);
    groups->documents = documents;
    groups->settings = *settings;
    groups->feed = feed_new(documents_store(documents));
    groups->group_usage = usage_find(usages, TEXT("org.openmobilealliance.groups"));
    groups->rules_usage = usage_find(usages, TEXT("org.openmobilealliance.im-rules"));
    groups->join_handling = permission(groups->group_usage, TEXT("join-handling"));
    groups->reject_invite = permission(groups->rules_usage, TEXT("allow-reject-invite"));
    groups->invite = permission(groups->rules_usage, TEXT("allow-invite"));
    groups->offline_storage = permission(groups->rules_usage, TEXT("allow-offline-storage"));
    groups->defer = permission(groups->rules_usage, TEXT("allow-defer"));
    groups->store = permission(groups->rules_usage, TEXT("allow-store"));
    return groups;
}

static void cache_clear(struct entry **cache)
{
    while (*cache)
        cache_remove(cache, *cache);
}

void groups_free(struct groups *groups)
{
    cache_clear(&groups->group_cache);
    cache_clear(&groups->rules_cache);
    feed_free(groups->feed);
    free(groups);
}

/* Internal documents change with every message; what is cached here depends on none of them. */
void groups_refresh(struct groups *groups)
{
    struct feed_change change;
    bool lost = false;
    while (feed_next(groups->feed, &change, &lost))
        if (!text_starts_with(change.usage, TEXT("#")))
            groups->changed_at = change.number;
    if (lost) {
        cache_clear(&groups->group_cache);
        cache_clear(&groups->rules_cache);
    }
}

/* Found entries go to the end, so that the first is the least recently used. */
struct entry *cache_find(struct entry **cache, struct text name)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, *cache, name.bytes, name.length, entry);
    if (entry) {
        HASH_DELETE(hh, *cache, entry);
        HASH_ADD_KEYPTR(hh, *cache, entry->name.bytes, entry->name.length, entry);
    }
    return entry;
}

void cache_add(struct entry **cache, struct entry *entry)
{
    if (HASH_COUNT(*cache) >= GROUP_CACHE_MAX)
        cache_remove(cache, *cache);
    HASH_ADD_KEYPTR(hh, *cache, entry->name.bytes, entry->name.length, entry);
}

void cache_remove(struct entry **cache, struct entry *entry)
{
    HASH_DELETE(hh, *cache, entry);
    entry_free(entry);
}
