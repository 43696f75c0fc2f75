/* What waits, what has expired, what has ended: pages of records, each in the order of an index. */
#include "deferred.h"

#include "deferred_own.h"
#include "log.h"

/* A record that goes between the page of keys and its own reading is as if it had gone before; a damaged one must not
 * stand before the others. */
static enum status page_read(const struct documents *documents, const struct document_key *key, bool ended,
                             struct arena *arena, struct deferred_page *page)
{
    struct stored stored;
    struct deferred *item = &page->items[page->count];
    enum status status = document_internal_read(documents, key, arena, &stored);
    if (status != OK)
        return status == NOT_FOUND ? OK : status;
    if (!deferred_read(&stored, item)) {
        log_error("record of a deferred message is damaged owner=%.*s reference=%.*s", TEXT_ARG(key->owner),
                  TEXT_ARG(key->name));
        return OK;
    }
    page->count += ended == (item->outcome != DEFERRED_WAITING);
    return OK;
}

enum status deferred_get(const struct documents *documents, struct text owner, struct text reference,
                         struct arena *arena, struct deferred *deferred_out)
{
    const struct document_key key = {TEXT(DOCUMENT_DEFERRED), owner, reference};
    struct stored stored;
    enum status status = document_internal_read(documents, &key, arena, &stored);
    if (status != OK)
        return status;
    return deferred_read(&stored, deferred_out) ? OK : FAILED;
}

enum status deferred_message_get(const struct documents *documents, const struct deferred *deferred,
                                 struct arena *arena, struct text *bytes_out)
{
    const struct document_key key = {TEXT(DOCUMENT_CONTENTS), TEXT(""), deferred->content};
    struct stored stored;
    *bytes_out = deferred->message;
    if (deferred->content.length == 0)
        return OK;
    enum status status = document_internal_read(documents, &key, arena, &stored);
    if (status == OK)
        *bytes_out = stored.bytes;
    return status;
}

/* Pages of keys until `limit` of them wait. */
static enum status list_keys(const struct documents *documents, const struct document_key *prefix,
                             const struct document_key *after, size_t limit, struct arena *arena,
                             struct deferred_page *page_out)
{
    struct key_page keys = {.more = true};
    enum status status = OK;
    *page_out = (struct deferred_page){.items = arena_array(arena, struct deferred, limit)};
    while (status == OK && keys.more && page_out->count < limit) {
        status = document_internal_list(documents, prefix, after, limit - page_out->count, arena, &keys);
        for (size_t i = 0; status == OK && i < keys.count; i++)
            status = page_read(documents, &keys.keys[i], false, arena, page_out);
        if (keys.count == 0)
            break;
        after = &keys.keys[keys.count - 1];
    }
    page_out->more = keys.more;
    return status;
}

enum status deferred_list(const struct documents *documents, struct text owner, struct text after, size_t limit,
                          struct arena *arena, struct deferred_page *page_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_DEFERRED), owner, {0}};
    const struct document_key last = {TEXT(DOCUMENT_DEFERRED), owner, after};
    return list_keys(documents, &prefix, after.length ? &last : NULL, limit, arena, page_out);
}

/* Puts those of one priority among the ones that are there, earliest first; `limit` of all stay. */
static void merge(struct deferred_page *page, const struct deferred_page *more, char priority, size_t limit)
{
    for (size_t i = 0; i < more->count && more->items[i].reference.bytes[0] == priority; i++) {
        size_t at = page->count;
        uint64_t order = deferred_order_of(more->items[i].reference);
        while (at > 0 && deferred_order_of(page->items[at - 1].reference) > order)
            at--;
        if (at == limit)
            return;
        page->count += page->count < limit;
        memmove(page->items + at + 1, page->items + at, (page->count - at - 1) * sizeof(*page->items));
        page->items[at] = more->items[i];
    }
}

enum status deferred_list_earliest(const struct documents *documents, struct text owner, uint64_t order, size_t limit,
                                   struct arena *arena, struct deferred_page *page_out)
{
    enum status status = OK;
    *page_out = (struct deferred_page){.items = arena_array(arena, struct deferred, limit)};
    for (unsigned priority = 0; status == OK && priority < DEFERRED_PRIORITIES; priority++) {
        struct deferred_page page = {0};
        /* behind all names of that order: what follows it is hexadecimal */
        struct text after = TEXT_CONCAT(arena, text_number(arena, priority), text_hex(arena, order), TEXT("g"));
        status = deferred_list(documents, owner, after, limit, arena, &page);
        if (status == OK)
            merge(page_out, &page, (char)('0' + priority), limit);
    }
    return status;
}

enum status deferred_list_all(const struct documents *documents, const struct deferred *after, size_t limit,
                              struct arena *arena, struct deferred_page *page_out)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_DEFERRED)};
    struct document_key last = prefix;
    if (after) {
        last.owner = after->owner;
        last.name = after->reference;
    }
    return list_keys(documents, &prefix, after ? &last : NULL, limit, arena, page_out);
}

/* Holders of a time, from behind that of `after`, up to `until_ms`. */
static enum status list_times(const struct documents *documents, const char *claim, int64_t until_ms,
                              const struct deferred *after, size_t limit, struct arena *arena,
                              struct deferred_page *page_out)
{
    bool ended = text_equal(text_of(claim), TEXT(CLAIM_ENDED));
    struct text until = deferred_time_text(until_ms, arena), *values, after_value;
    struct document_key last;
    struct key_page keys;
    *page_out = (struct deferred_page){.items = arena_array(arena, struct deferred, limit)};
    if (after) {
        last = (struct document_key){TEXT(DOCUMENT_DEFERRED), after->owner, after->reference};
        after_value = deferred_time_text(ended ? after->ended_ms : after->expires_ms, arena);
    }
    enum status status = document_internal_holders(documents, text_of(claim), TEXT(""), after ? &after_value : NULL,
                                                   after ? &last : NULL, limit, arena, &keys, &values);
    size_t i = 0;
    for (; status == OK && i < keys.count && text_compare(values[i], until) <= 0; i++)
        status = page_read(documents, &keys.keys[i], ended, arena, page_out);
    page_out->more = keys.more && i == keys.count && page_out->count > 0;
    return status;
}

enum status deferred_due(const struct documents *documents, int64_t now_ms, const struct deferred *after, size_t limit,
                         struct arena *arena, struct deferred_page *page_out)
{
    return list_times(documents, CLAIM_EXPIRY, now_ms, after, limit, arena, page_out);
}

enum status deferred_ended(const struct documents *documents, const struct deferred *after, size_t limit,
                           struct arena *arena, struct deferred_page *page_out)
{
    return list_times(documents, CLAIM_ENDED, INT64_MAX, after, limit, arena, page_out);
}

enum status deferred_next_expiry(const struct documents *documents, struct arena *arena, int64_t *when_ms_out)
{
    struct key_page keys;
    struct text *values;
    uint64_t when_ms;
    *when_ms_out = INT64_MAX;
    enum status status =
        document_internal_holders(documents, TEXT(CLAIM_EXPIRY), TEXT(""), NULL, NULL, 1, arena, &keys, &values);
    if (status != OK || keys.count == 0)
        return status;
    if (!text_hex_to_u64(values[0], &when_ms))
        return FAILED;
    *when_ms_out = (int64_t)when_ms;
    return OK;
}

enum status deferred_figures(const struct documents *documents, struct text owner, struct deferred_figures *figures_out)
{
    struct tally tally = {0};
    enum status status = document_internal_tally(documents, TEXT(CLAIM_OWNED), owner, &tally);
    *figures_out = (struct deferred_figures){tally.count, tally.weight};
    return status;
}

/* The first of each priority; which of them is the oldest, their references tell. */
static enum status oldest_of(const struct documents *documents, struct text owner, struct arena *arena,
                             int64_t *since_ms_out)
{
    for (int priority = 0; priority < DEFERRED_PRIORITIES; priority++) {
        struct deferred_page page;
        enum status status = deferred_list(documents, owner, text_format(arena, "%d", priority), 1, arena, &page);
        if (status != OK)
            return status;
        if (page.count && (*since_ms_out == 0 || page.items[0].received_ms < *since_ms_out))
            *since_ms_out = page.items[0].received_ms;
    }
    return OK;
}

enum status deferred_oldest(const struct documents *documents, struct text owner, struct arena *arena,
                            int64_t *since_ms_out)
{
    struct text first;
    uint64_t since_s;
    *since_ms_out = 0;
    if (owner.length)
        return oldest_of(documents, owner, arena, since_ms_out);
    enum status status = document_internal_first_tally(documents, TEXT(CLAIM_SINCE), arena, &first);
    if (status == OK && text_hex_to_u64(first, &since_s))
        *since_ms_out = (int64_t)since_s * 1000;
    return status == NOT_FOUND ? OK : status;
}
