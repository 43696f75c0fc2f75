/* Histories as the document that their owners read and may make shorter. */
#include "history_own.h"

#define RECIPIENTS_SHOWN_MAX 50 /* of one entry: all entries together stay a document that can be read */

static void add_entry(struct text_builder *listing, const struct history_entry *entry)
{
    const struct document_message message = {
        .reference = entry->reference,
        .size = entry->size,
        .when_ms = entry->when_ms,
        .until_ms = entry->until_ms,
        .sent = entry->sent,
        .from = entry->from,
        .to = entry->to,
        .group = entry->group,
        .group_name = entry->group_name,
        .subject = entry->subject,
    };
    document_add_message(listing, &message);
    builder_add_char(listing, '>');
    for (size_t i = 0; i < entry->recipients_count && i < RECIPIENTS_SHOWN_MAX; i++) {
        builder_add(listing, TEXT("<recipient"));
        document_add_attribute(listing, "uri", entry->recipients[i]);
        builder_add(listing, TEXT("/>"));
    }
    builder_add(listing, TEXT("</record>"));
}

static enum status list(const struct documents *documents, struct text owner, const struct document_part *part,
                        struct text_builder *listing, struct text *next_out)
{
    struct history_entry *entries;
    struct text after = part ? part->after : (struct text){0};
    struct arena arena;
    size_t count = 0;
    bool more = false;
    arena_init(&arena, "history");
    enum status status = part ? OK : history_newest(documents, owner, DOCUMENT_RECORDS_MAX, &arena, &after);
    if (status == OK)
        status = history_list(documents, owner, after, part ? part->limit : DOCUMENT_RECORDS_MAX, &arena, &entries,
                              &count, &more);
    for (size_t i = 0; status == OK && i < count; i++)
        add_entry(listing, &entries[i]);
    if (more && count)
        *next_out = text_copy(listing->arena, entries[count - 1].reference);
    arena_clear(&arena);
    return status;
}

static enum status remove_some(const struct documents *documents, struct text owner, const struct text *names,
                               size_t count, struct text who, struct arena *arena, struct commit **commits_out,
                               size_t *commits_count_out)
{
    const struct history_figures all = {.count = HISTORY_REMOVE_MAX};
    struct text *oldest = NULL;
    enum status status = names ? OK : history_oldest(documents, owner, &all, arena, &oldest, &count);
    *commits_out = arena_array(arena, struct commit, HISTORY_REMOVE_COMMITS * count + 1);
    *commits_count_out =
        status == OK ? history_remove(owner, names ? names : oldest, count, who, arena, *commits_out) : 0;
    return status;
}

const struct document_records history_records = {list, remove_some, NULL, NULL};
