/* Entries that go, because their owner or their time says so, and with the last of them the message itself. A message
 * is deleted only in the version that was there before its keepers were looked at: who keeps it anew writes it anew. */
#include "history_own.h"

#define EXPIRE_MAX 100                     /* of one transaction, beside the messages: the loop waits for the look */
#define LONGER_MS  (24 * 60 * 60 * 1000LL) /* for a message whose keepers stay longer than it was meant to */

struct removal {
    const struct documents *documents;
    struct arena *arena;
    struct text who;
    const struct document_key *keys; /* of the entries that go */
    size_t keys_count;
    struct commit *commits;
    size_t count;
};

static bool goes(const struct removal *removal, const struct document_key *key)
{
    for (size_t i = 0; i < removal->keys_count; i++)
        if (text_equal(removal->keys[i].name, key->name) && text_equal(removal->keys[i].owner, key->owner))
            return true;
    return false;
}

/* Somebody keeps the message who is not among those that go. Many who keep it are not all looked at. */
static enum status is_kept(const struct removal *removal, struct text id, bool *kept_out)
{
    struct key_page page = {.more = true};
    struct text *values = NULL;
    const struct text *after_value = NULL;
    const struct document_key *after = NULL;
    enum status status = OK;
    *kept_out = false;
    while (status == OK && !*kept_out && page.more) {
        status = document_internal_holders(removal->documents, TEXT(HISTORY_MESSAGE), id, after_value, after,
                                           STORE_PAGE_MAX, removal->arena, &page, &values);
        for (size_t i = 0; status == OK && i < page.count && !*kept_out; i++)
            *kept_out = !goes(removal, &page.keys[i]);
        if (page.count == 0)
            break;
        after_value = &values[page.count - 1];
        after = &page.keys[page.count - 1];
    }
    return status;
}

static void add_deletion(struct removal *removal, const struct document_key *key, uint64_t expected)
{
    removal->commits[removal->count++] = (struct commit){
        .key = *key,
        .expected = expected,
        .deletion = true,
        .who = removal->who,
    };
}

static bool is_planned(const struct removal *removal, struct text id)
{
    for (size_t i = 0; i < removal->count; i++)
        if (text_equal(removal->commits[i].key.owner, id))
            return true;
    return false;
}

/* `overdue`: found by its own time, so that it must go or get more. */
static enum status add_message(struct removal *removal, struct text id, bool overdue, int64_t now_ms)
{
    const struct document_key key = {TEXT(DOCUMENT_HISTORY_MESSAGES), id, TEXT("")};
    struct stored stored;
    bool kept;
    if (is_planned(removal, id))
        return OK;
    enum status status = document_internal_read(removal->documents, &key, removal->arena, &stored);
    if (status != OK)
        return status == NOT_FOUND ? OK : status;
    status = is_kept(removal, id, &kept);
    if (status == OK && !kept)
        add_deletion(removal, &key, stored.version);
    if (status == OK && kept && overdue) {
        struct commit *commit = &removal->commits[removal->count++];
        *commit = history_commit_message(stored.bytes, now_ms + LONGER_MS, removal->arena);
        commit->expected = stored.version;
    }
    return status;
}

static enum status add_all(struct removal *removal)
{
    enum status status = OK;
    for (size_t i = 0; i < removal->keys_count; i++)
        add_deletion(removal, &removal->keys[i], VERSION_ANY);
    for (size_t i = 0; i < removal->keys_count && status == OK; i++) {
        struct history_parts parts;
        if (history_parts_read(removal->keys[i].name, &parts))
            status = add_message(removal, parts.id, false, 0);
    }
    return status;
}

enum status history_remove(const struct documents *documents, struct text owner, const struct text *references,
                           size_t count, struct text who, struct arena *arena, struct commit **commits_out,
                           size_t *commits_count_out)
{
    struct document_key *keys = arena_array(arena, struct document_key, count + 1);
    struct removal removal = {documents, arena, who, keys, 0, arena_array(arena, struct commit, 2 * count + 1), 0};
    for (size_t i = 0; i < count && removal.keys_count < HISTORY_REMOVE_MAX; i++) {
        const struct document_key key = {TEXT(DOCUMENT_HISTORY), owner, references[i]};
        struct stored stored;
        bool is_name = references[i].length && references[i].length <= STORE_PART_MAX;
        enum status status = is_name ? document_internal_read(documents, &key, arena, &stored) : NOT_FOUND;
        if (status != OK && status != NOT_FOUND)
            return status;
        if (status == OK && !goes(&removal, &key))
            keys[removal.keys_count++] = key;
    }
    enum status status = add_all(&removal);
    *commits_out = removal.commits;
    *commits_count_out = removal.count;
    return status;
}

enum status history_expire(const struct documents *documents, int64_t now_ms, struct arena *arena,
                           struct commit **commits_out, size_t *commits_count_out, bool *more_out)
{
    struct document_key *keys = arena_array(arena, struct document_key, EXPIRE_MAX);
    struct removal removal = {.documents = documents, .arena = arena, .who = TEXT("im-glue"), .keys = keys};
    struct text *values = NULL, overdue[EXPIRE_MAX], now = history_time(now_ms, arena);
    struct key_page page = {0};
    size_t overdue_count = 0, found = 0;
    removal.commits = arena_array(arena, struct commit, 2 * EXPIRE_MAX);
    enum status status = document_internal_holders(documents, TEXT(HISTORY_UNTIL), TEXT(""), NULL, NULL, EXPIRE_MAX,
                                                   arena, &page, &values);
    for (; status == OK && found < page.count && text_compare(values[found], now) <= 0; found++) {
        if (text_equal(page.keys[found].usage, TEXT(DOCUMENT_HISTORY)))
            keys[removal.keys_count++] = page.keys[found];
        else
            overdue[overdue_count++] = page.keys[found].owner;
    }
    if (status == OK)
        status = add_all(&removal);
    for (size_t i = 0; i < overdue_count && status == OK; i++)
        status = add_message(&removal, overdue[i], true, now_ms);
    *commits_out = removal.commits;
    *commits_count_out = removal.count;
    *more_out = found == EXPIRE_MAX;
    return status;
}
