/* What waits as the document that its owner reads and may make shorter. */
#include "clock.h"
#include "deferred.h"
#include "deferred_own.h"
#include "record.h"

/* Who sent it stays out: the owner sees what the sender let him see. */
static void add_item(struct text_builder *listing, const struct deferred *item)
{
    const struct document_message message = {
        .reference = item->reference,
        .size = item->size,
        .when_ms = item->received_ms,
        .until_ms = item->expires_ms,
        .from = item->from,
        .to = item->to,
        .group = item->group,
        .group_name = item->group_name,
        .subject = item->subject,
    };
    document_add_message(listing, &message);
    builder_add(listing, TEXT("/>"));
}

static enum status list(const struct documents *documents, struct text owner, const struct document_part *part,
                        struct text_builder *listing, struct text *next_out)
{
    struct deferred_page page = {0};
    struct arena arena;
    arena_init(&arena, "deferred");
    enum status status = deferred_list(documents, owner, part ? part->after : TEXT(""),
                                       part ? part->limit : DOCUMENT_RECORDS_MAX, &arena, &page);
    for (size_t i = 0; status == OK && i < page.count; i++)
        add_item(listing, &page.items[i]);
    if (status == OK && page.more && page.count)
        *next_out = text_copy(listing->arena, page.items[page.count - 1].reference);
    arena_clear(&arena);
    return status;
}

static enum status find_named(const struct documents *documents, struct text owner, const struct text *names,
                              size_t count, struct arena *arena, struct deferred_page *page_out)
{
    *page_out = (struct deferred_page){.items = arena_array(arena, struct deferred, count)};
    for (size_t i = 0; i < count; i++) {
        struct deferred *item = &page_out->items[page_out->count];
        enum status status = deferred_get(documents, owner, names[i], arena, item);
        if (status != OK && status != NOT_FOUND)
            return status;
        page_out->count += status == OK && item->outcome == DEFERRED_WAITING;
    }
    return OK;
}

static enum status remove_some(const struct documents *documents, struct text owner, const struct text *names,
                               size_t count, struct text who, struct arena *arena, struct commit **commits_out,
                               size_t *commits_count_out)
{
    struct deferred_page page = {0};
    enum status status = names ? find_named(documents, owner, names, count, arena, &page)
                               : deferred_list(documents, owner, TEXT(""), ERASE_PAGE, arena, &page);
    *commits_out = arena_array(arena, struct commit, page.count * ERASE_COMMITS + 1);
    *commits_count_out = 0;
    for (size_t i = 0; status == OK && i < page.count; i++)
        *commits_count_out +=
            deferred_erasure(documents, &page.items[i], who, clock_wall_ms(), arena, *commits_out + *commits_count_out);
    return status;
}

static void removed(const struct commit *commits, size_t count)
{
    deferred_count_ends(DEFERRED_DELETED, commits, count);
}

enum status deferred_listed(const struct documents *documents, struct text owner, struct arena *arena,
                            int64_t *when_ms_out)
{
    const struct document_key key = {TEXT(DOCUMENT_LISTED), owner, TEXT("")};
    struct stored stored;
    enum status status = document_internal_read(documents, &key, arena, &stored);
    *when_ms_out = status == OK ? record_number(stored.bytes, "when-ms", 0) : 0;
    return status == NOT_FOUND ? OK : status;
}

static bool has_newer(const struct documents *documents, struct text owner, int64_t when_ms, struct arena *arena)
{
    struct deferred_page page = {0};
    bool newer = false;
    if (deferred_list(documents, owner, TEXT(""), DOCUMENT_RECORDS_MAX, arena, &page) != OK)
        return false;
    for (size_t i = 0; i < page.count && !newer; i++)
        newer = page.items[i].received_ms > when_ms;
    return newer;
}

/* Written only where there is something that he did not know of: reading again and again costs no write. */
static void listed(const struct documents *documents, struct text owner, int64_t when_ms, struct arena *arena)
{
    struct text_builder record;
    int64_t before_ms;
    if (deferred_listed(documents, owner, arena, &before_ms) != OK || !has_newer(documents, owner, before_ms, arena))
        return;
    builder_init(&record, arena);
    record_add_number(&record, "when-ms", when_ms);
    struct commit commits[] = {{.key = {TEXT(DOCUMENT_LISTED), owner, TEXT("")},
                                .expected = VERSION_ANY,
                                .bytes = builder_text(&record),
                                .who = owner},
                               deferred_look(owner, DEFERRED_LOOK_CHANGED, arena)};
    document_internal_commit(documents, commits, 2);
}

const struct document_records deferred_records = {list, remove_some, removed, listed};
