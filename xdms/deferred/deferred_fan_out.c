/* Fan-out records: the copies of one message for many who are there, in one document until each has been taken. */
#include "deferred.h"
#include "deferred_own.h"
#include "record.h"

#define SHARED "shared"
#define COPIES "copies"
#define TO     "to"
#define ONCE   "to-once"
#define GROUP  "group"
#define SILENT "untraced"

static struct document_key key_of(struct text name, struct arena *arena)
{
    return (struct document_key){TEXT(DOCUMENT_FAN_OUTS), TEXT(""), text_copy(arena, name)};
}

static struct text copies_write(const struct deferred_fan_out *fan_out, struct arena *arena)
{
    struct text_builder copies;
    builder_init(&copies, arena);
    for (size_t i = 0; i < fan_out->count; i++) {
        const struct deferred_copy *copy = &fan_out->copies[i];
        record_add(&copies, copy->once ? ONCE : TO, copy->owner);
        if (!text_equal(copy->group, fan_out->shared.group))
            record_add(&copies, GROUP, copy->group);
    }
    return builder_text(&copies);
}

static struct deferred_copy *copies_read(struct text record, struct text group, struct arena *arena, size_t *count_out)
{
    struct text name, value;
    size_t cursor = 0, most = 0;
    while (record_next(record, &cursor, &name, &value))
        most++;
    struct deferred_copy *copies = arena_array(arena, struct deferred_copy, most + 1);
    *count_out = 0;
    for (cursor = 0; record_next(record, &cursor, &name, &value);) {
        bool once = text_equal(name, TEXT(ONCE));
        if (once || text_equal(name, TEXT(TO)))
            copies[(*count_out)++] = (struct deferred_copy){value, group, once};
        else if (*count_out && text_equal(name, TEXT(GROUP)))
            copies[*count_out - 1].group = value;
    }
    return copies;
}

struct commit deferred_fan_out_commit(const struct deferred_fan_out *fan_out, struct arena *arena)
{
    struct text_builder record;
    struct text content = fan_out->shared.content;
    struct claim *claim = arena_new(arena, struct claim);
    builder_init(&record, arena);
    record_add(&record, SHARED, deferred_commit(&fan_out->shared, arena).bytes);
    record_add(&record, COPIES, copies_write(fan_out, arena));
    if (fan_out->untraced)
        record_add_number(&record, SILENT, 1);
    *claim = (struct claim){.kind = TEXT(CLAIM_CONTENT), .value = text_copy(arena, content), .counted = true};
    return (struct commit){
        .key = key_of(fan_out->name, arena),
        .expected = fan_out->version,
        .bytes = builder_text(&record),
        .claims = claim,
        .claims_count = content.length > 0,
        .who = TEXT("im-glue"),
    };
}

size_t deferred_fan_out_end(const struct deferred_fan_out *fan_out, struct arena *arena,
                            struct commit commits[DEFERRED_END_COMMITS])
{
    commits[0] = (struct commit){.key = key_of(fan_out->name, arena),
                                 .expected = fan_out->version ? fan_out->version : VERSION_ANY,
                                 .deletion = true,
                                 .who = TEXT("im-glue")};
    if (fan_out->shared.content.length == 0)
        return 1;
    commits[1] = deferred_content_removal(fan_out->shared.content, arena);
    return 2;
}

enum status deferred_fan_out_get(const struct documents *documents, struct text name, struct arena *arena,
                                 struct deferred_fan_out *found_out)
{
    const struct document_key key = key_of(name, arena);
    struct stored stored;
    enum status status = document_internal_read(documents, &key, arena, &stored);
    if (status != OK)
        return status;
    const struct stored shared = {.key = stored.key, .bytes = record_text(stored.bytes, SHARED)};
    *found_out = (struct deferred_fan_out){.name = stored.key.name, .version = stored.version};
    if (!record_valid(stored.bytes) || !deferred_read(&shared, &found_out->shared))
        return FAILED;
    found_out->shared.owner = found_out->shared.reference = (struct text){0};
    found_out->untraced = record_number(stored.bytes, SILENT, 0) != 0;
    found_out->copies =
        copies_read(record_text(stored.bytes, COPIES), found_out->shared.group, arena, &found_out->count);
    return OK;
}

/* --- copies that get a record of their own ------------------------------------------------------------------------ */

struct deferred deferred_of_copy(const struct deferred_fan_out *fan_out, const struct deferred_copy *copy,
                                 enum deferred_priority place, struct arena *arena)
{
    struct deferred deferred = fan_out->shared;
    uint64_t order = 0;
    text_hex_to_u64(text_slice(fan_out->name, 0, ORDER_LENGTH), &order);
    deferred.owner = copy->owner;
    if (!text_equal(copy->group, deferred.group))
        deferred.group_name = (struct text){0};
    deferred.group = copy->group;
    deferred.once = copy->once;
    deferred.reference = deferred_reference(order, place, arena);
    return deferred;
}

bool deferred_copy_is_there(const struct documents *documents, const struct deferred *deferred, struct arena *arena)
{
    struct text place = text_slice(deferred->reference, 0, 1 + ORDER_LENGTH);
    struct deferred_page page;
    return deferred_list(documents, deferred->owner, place, 1, arena, &page) == OK && page.count &&
           text_starts_with(page.items[0].reference, place) &&
           text_equal(page.items[0].message_id, deferred->message_id);
}

/* --- erasure ------------------------------------------------------------------------------------------------------ */

/* False: there is nothing about him in it. What he sent goes on to the others, without a trace. */
static bool leave_out(struct deferred_fan_out *fan_out, struct text owner, struct arena *arena)
{
    struct deferred_copy *rest = arena_array(arena, struct deferred_copy, fan_out->count);
    size_t count = 0;
    for (size_t i = 0; i < fan_out->count; i++)
        if (!text_equal(fan_out->copies[i].owner, owner))
            rest[count++] = fan_out->copies[i];
    bool silenced = !fan_out->untraced && text_equal(fan_out->shared.sender, owner);
    if (count == fan_out->count && !silenced)
        return false;
    fan_out->untraced = fan_out->untraced || silenced;
    fan_out->copies = rest;
    fan_out->count = count;
    return true;
}

/* There are as many as are on their way at this moment. */
enum status deferred_fan_out_removals(const struct documents *documents, struct text owner, size_t limit,
                                      struct text who, struct arena *arena, struct commit **commits_out,
                                      size_t *count_out)
{
    const struct document_key all = {.usage = TEXT(DOCUMENT_FAN_OUTS)};
    struct key_page page = {.more = true};
    enum status status = OK;
    *commits_out = arena_array(arena, struct commit, limit + 1);
    *count_out = 0;
    for (const struct document_key *after = NULL; status == OK && page.more && *count_out < limit;) {
        status = document_internal_list(documents, &all, after, STORE_PAGE_MAX, arena, &page);
        for (size_t i = 0; status == OK && i < page.count && *count_out < limit; i++) {
            struct deferred_fan_out fan_out;
            if (deferred_fan_out_get(documents, page.keys[i].name, arena, &fan_out) != OK ||
                !leave_out(&fan_out, owner, arena))
                continue;
            struct commit commit = deferred_fan_out_commit(&fan_out, arena);
            commit.who = who;
            (*commits_out)[(*count_out)++] = commit;
        }
        if (page.count == 0)
            break;
        after = &page.keys[page.count - 1];
    }
    return status;
}
