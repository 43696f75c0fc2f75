/* The caches of compiled groups and rules. An entry is used as it is while no XCAP document has changed anywhere; after
 * a change its documents' versions are compared, and only if one moved is it made again. */
#include "group_private.h"

void entry_init(struct entry *entry, struct text name)
{
    arena_init(&entry->arena, "group entry");
    entry->name = text_copy(&entry->arena, name);
    entry->missing = arena_array(&entry->arena, struct text, MISSING_MAX);
    entry->lists_left = LISTS_MAX;
    entry->list_bytes_left = LIST_BYTES_MAX;
}

void entry_free(struct entry *entry)
{
    arena_clear(&entry->arena);
    free(entry);
}

struct groups *groups_new(const struct documents *documents, const struct group_settings *settings)
{
    struct groups *groups = memory_new(sizeof(*groups));
    groups->documents = documents;
    groups->settings = *settings;
    groups->feed = feed_new(documents_store(documents));
    feed_set_behind_max(groups->feed, BEHIND_MAX);
    groups_begin(groups);
    return groups;
}

static void cache_clear(struct cache *cache)
{
    while (cache->entries)
        cache_remove(cache, cache->entries);
}

void groups_begin(struct groups *groups)
{
    const struct usage_set *usages = documents_usages(groups->documents);
    cache_clear(&groups->group_cache);
    cache_clear(&groups->rules_cache);
    absent_clear(groups);
    groups->group_usage = usage_find(usages, TEXT("org.openmobilealliance.groups"));
    groups->rules_usage = usage_find(usages, TEXT("org.openmobilealliance.im-rules"));
}

void groups_free(struct groups *groups)
{
    cache_clear(&groups->group_cache);
    cache_clear(&groups->rules_cache);
    absent_clear(groups);
    feed_free(groups->feed);
    free(groups);
}

bool group_kind_known(const struct groups *groups, struct text kind)
{
    return (groups->group_usage && policy_kind_known(&groups->group_usage->vocabulary, kind)) ||
           (groups->rules_usage && policy_kind_known(&groups->rules_usage->vocabulary, kind));
}

/* Internal documents change with every message; what is cached here depends on none of them. Groups that change in
 * masses empty the cache: looking for each of them in all that is cached would take longer than to make it anew. */
void groups_refresh(struct groups *groups)
{
    struct feed_change change;
    bool lost = false;
    unsigned groups_left = GROUP_CHANGES_MAX;
    while (feed_next(groups->feed, &change, &lost)) {
        if (text_equal(change.usage, TEXT(DOCUMENT_USERS))) {
            groups->users_changed_at = change.number;
            groups->users_epoch++;
        }
        if (text_starts_with(change.usage, TEXT("#")))
            continue;
        groups->changed_at = change.number;
        groups->documents_epoch++;
        if (change.deletion || !groups->group_usage || !text_equal(change.usage, groups->group_usage->auid))
            continue;
        const struct document_key key = {change.usage, change.owner, change.name};
        if (groups_left == 0 || !group_note_change(groups, &key))
            cache_clear(&groups->group_cache);
        groups_left -= groups_left > 0;
    }
    if (lost) {
        groups->users_epoch++;
        groups->documents_epoch++;
        cache_clear(&groups->group_cache);
        cache_clear(&groups->rules_cache);
    }
}

uint64_t group_users_epoch(struct groups *groups)
{
    groups_refresh(groups);
    return groups->users_epoch;
}

bool place_of(const struct groups *groups, const struct document_key *key, struct document_place *place_out)
{
    *place_out = (struct document_place){
        .usage = usage_find(documents_usages(groups->documents), key->usage),
        .tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL,
        .key = *key,
    };
    if (place_out->usage)
        place_out->row = usage_document(place_out->usage, place_out->tree, key->name);
    return place_out->row != NULL;
}

bool entry_holds(const struct groups *groups, const struct entry *entry)
{
    for (const struct group_source *source = entry->sources; source; source = source->next) {
        struct document_place place;
        struct stored stored = {0};
        uint64_t version = 0; /* no document */
        if (place_of(groups, &source->key, &place)) {
            enum status status = document_read_version(groups->documents, &place, &stored);
            if (status != OK && status != NOT_FOUND)
                return false; /* what cannot be read may be another by now */
            version = status == OK ? stored.version : 0;
        }
        if (version != source->version)
            return false;
    }
    return true;
}

/* Found entries go to the end, so that the first is the least recently used. */
struct entry *cache_find(struct cache *cache, struct text name)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, cache->entries, name.bytes, name.length, entry);
    if (entry) {
        HASH_DELETE(hh, cache->entries, entry);
        HASH_ADD_KEYPTR(hh, cache->entries, entry->name.bytes, entry->name.length, entry);
    }
    return entry;
}

void cache_add(struct cache *cache, struct entry *entry)
{
    entry->cached_bytes = entry->arena.total;
    while (cache->entries &&
           (HASH_COUNT(cache->entries) >= GROUP_CACHE_MAX || cache->bytes + entry->cached_bytes > CACHE_BYTES_MAX))
        cache_remove(cache, cache->entries);
    cache->bytes += entry->cached_bytes;
    HASH_ADD_KEYPTR(hh, cache->entries, entry->name.bytes, entry->name.length, entry);
}

void cache_remove(struct cache *cache, struct entry *entry)
{
    cache->bytes -= entry->cached_bytes;
    HASH_DELETE(hh, cache->entries, entry);
    entry_free(entry);
}
