/* What became of messages, with those that are being handed out: there is no trace of them yet, and their fan-out
 * records say who is to get them. These are read first, since the trace is there when its record goes. */
#include "deferred.h"
#include "fate.h"

#define LOOKED_MAX 20000 /* fan-out records of one question: what a second brings, and more */

struct wanted {
    struct text message_id; /* or, if it is empty: */
    struct text address;    /* of a sender or of a recipient */
};

struct found {
    struct fate *fates;
    size_t count, limit;
};

static bool has_fate(const struct found *found, const struct fate *fate, size_t *index_out)
{
    for (size_t i = 0; i < found->count; i++) {
        *index_out = i;
        if (text_equal(found->fates[i].recipient, fate->recipient) &&
            text_equal(found->fates[i].message_id, fate->message_id))
            return true;
    }
    return false;
}

static void add_copies(const struct deferred_fan_out *fan_out, const struct wanted *wanted, struct arena *arena,
                       struct found *found)
{
    const struct deferred *shared = &fan_out->shared;
    bool by_id = wanted->message_id.length > 0;
    bool all = by_id || text_equal(shared->sender, wanted->address);
    if (fan_out->untraced || (by_id && !text_equal(shared->message_id, wanted->message_id)))
        return;
    for (size_t i = 0; i < fan_out->count && found->count < found->limit; i++) {
        const struct deferred_copy *copy = &fan_out->copies[i];
        struct fate fate = {.message_id = shared->message_id,
                            .sender = shared->sender,
                            .recipient = copy->owner,
                            .group = copy->group,
                            .call_id = shared->call_id};
        size_t index;
        if ((all || text_equal(copy->owner, wanted->address)) && !has_fate(found, &fate, &index))
            found->fates[found->count++] = fate_with(&fate, FATE_RECEIVED, shared->received_ms, TEXT(""), arena);
    }
}

/* The newest first: their names are in the order of time. */
static enum status read_handed_out(const struct documents *documents, const struct wanted *wanted, struct arena *arena,
                                   struct found *found)
{
    const struct document_key all = {.usage = TEXT(DOCUMENT_FAN_OUTS)};
    struct text *names = arena_alloc_raw(arena, LOOKED_MAX * sizeof(*names));
    struct key_page page = {.more = true};
    size_t count = 0;
    for (const struct document_key *after = NULL; page.more && count < LOOKED_MAX;) {
        enum status status = document_internal_list(documents, &all, after, STORE_PAGE_MAX, arena, &page);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.count && count < LOOKED_MAX; i++)
            names[count++] = page.keys[i].name;
        if (page.count == 0)
            break;
        after = &page.keys[page.count - 1];
    }
    while (count-- > 0 && found->count < found->limit) {
        struct deferred_fan_out fan_out;
        /* else it has ended, or is damaged, which a check tells */
        if (deferred_fan_out_get(documents, names[count], arena, &fan_out) == OK)
            add_copies(&fan_out, wanted, arena, found);
    }
    return OK;
}

/* The trace of what is being handed out knows more. One that is older is of another message with the same id: of one
 * message the newest counts, and to a user they are two. */
static void merge(struct found *found, const struct wanted *wanted, const struct fate *fates, size_t count)
{
    size_t limit = found->limit, index;
    for (size_t i = 0; i < count; i++) {
        bool same = has_fate(found, &fates[i], &index);
        if (same && fate_first_ms(&fates[i]) >= fate_first_ms(&found->fates[index]))
            found->fates[index] = fates[i];
        else if (!same || wanted->message_id.length == 0)
            found->fates[limit++] = fates[i];
    }
    for (size_t i = found->limit; i < limit; i++) /* behind those that were found */
        found->fates[found->count++] = found->fates[i];
}

static enum status add_reports(const struct documents *documents, struct arena *arena, struct found *found)
{
    enum status status = OK;
    for (size_t i = 0; status == OK && i < found->count; i++)
        status = fate_add_reports(documents, arena, &found->fates[i]);
    return status;
}

static enum status find(const struct documents *documents, const struct wanted *wanted, size_t limit,
                        struct arena *arena, struct found *found)
{
    struct fate *fates;
    size_t count;
    *found = (struct found){.fates = arena_array(arena, struct fate, 2 * limit), .limit = limit};
    enum status status = read_handed_out(documents, wanted, arena, found);
    if (status == OK)
        status = add_reports(documents, arena, found);
    if (status == OK && wanted->message_id.length)
        status = fate_of_message(documents, wanted->message_id, limit, arena, &fates, &count);
    else if (status == OK)
        status = fate_of_user(documents, wanted->address, limit, arena, &fates, &count);
    if (status != OK)
        return status;
    bool sorts = found->count > 0;
    merge(found, wanted, fates, count);
    if (sorts) /* else in the order in which they were found */
        fate_sort(found->fates, found->count);
    return OK;
}

enum status deferred_fates_of_message(const struct documents *documents, struct text message_id, size_t limit,
                                      struct arena *arena, struct fate **fates_out, size_t *count_out)
{
    struct found found;
    enum status status = find(documents, &(struct wanted){.message_id = message_id}, limit, arena, &found);
    *fates_out = found.fates;
    *count_out = found.count < limit ? found.count : limit;
    return status;
}

enum status deferred_fates_of_user(const struct documents *documents, struct text address, size_t limit,
                                   struct arena *arena, struct fate **fates_out, size_t *count_out)
{
    struct found found;
    enum status status = find(documents, &(struct wanted){.address = address}, limit, arena, &found);
    size_t surplus = found.count > limit ? found.count - limit : 0; /* the oldest */
    *fates_out = found.fates + surplus;
    *count_out = found.count - surplus;
    return status;
}
