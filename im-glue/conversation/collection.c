/* Reports about one message that wait for others: who has reported what, and what waits. Oldest collections give way.
 */
#include <assert.h>

#include "handout_private.h"
#include "reports_private.h"

#define COLLECTIONS_MAX 20000 /* remembered at once: some hundred bytes each */
#define COUNTED_MAX     100   /* recipients of a message that are counted to know when all have reported */

void collection_drop(struct conversation *conversation, struct collection *collection, size_t count)
{
    for (; count > 0; count--) {
        struct waiting *waiting = collection->first;
        collection->first = waiting->next;
        collection->count--;
        conversation->report_bytes -= waiting->length;
        free(waiting->name);
        free(waiting->reporter);
        free(waiting->message);
        free(waiting);
    }
    if (!collection->first)
        collection->end = &collection->first;
}

bool collection_is_idle(const struct collection *collection)
{
    return !collection->first && !collection->arriving;
}

void collection_set_due(struct conversation *conversation, struct collection *collection, int64_t send_at_ms)
{
    if (collection->send_at_ms)
        TAILQ_REMOVE(&conversation->collections_due, collection, due);
    collection->send_at_ms = send_at_ms;
    if (send_at_ms)
        TAILQ_INSERT_TAIL(&conversation->collections_due, collection, due);
}

void collection_free(struct conversation *conversation, struct collection *collection)
{
    struct reported *reported, *next;
    HASH_ITER(hh, collection->reported, reported, next)
    {
        HASH_DEL(collection->reported, reported);
        free(reported->key);
        free(reported);
    }
    collection_set_due(conversation, collection, 0);
    TAILQ_REMOVE(&conversation->collections_all, collection, all);
    assert(conversation->collections); /* it is one of them */
    HASH_DEL(conversation->collections, collection);
    collection_drop(conversation, collection, collection->count);
    free(collection->key);
    free(collection->group);
    free(collection);
}

void reports_free_all(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->collections_all))
        collection_free(conversation, TAILQ_FIRST(&conversation->collections_all));
}

/* The oldest that waits for nothing gives way. */
static void make_room(struct conversation *conversation)
{
    struct collection *collection = TAILQ_FIRST(&conversation->collections_all), *next;
    for (; collection && HASH_COUNT(conversation->collections) >= COLLECTIONS_MAX; collection = next) {
        next = TAILQ_NEXT(collection, all);
        if (collection_is_idle(collection))
            collection_free(conversation, collection);
    }
}

static bool has_step(const struct fate *fate, enum fate_step_kind kind)
{
    for (size_t i = 0; i < fate->steps_count; i++)
        if (fate->steps[i].kind == kind)
            return true;
    return false;
}

/* Those who have got a copy, or will. */
static size_t count_recipients(struct conversation *conversation, struct text message_id)
{
    struct arena arena;
    struct fate *fates;
    size_t count;
    arena_init(&arena, "recipients");
    if (fate_of_message(conversation->documents, message_id, COUNTED_MAX, &arena, &fates, &count) != OK ||
        count == COUNTED_MAX)
        count = 0;
    size_t reached = handout_recipients(conversation, message_id, fates, &count);
    for (size_t i = 0; i < count; i++)
        reached += fates[i].group.length && has_step(&fates[i], FATE_RECEIVED) && !has_step(&fates[i], FATE_REFUSED);
    arena_clear(&arena);
    return reached < COUNTED_MAX ? reached : 0;
}

struct collection *collection_of(struct conversation *conversation, struct text message_id, struct served *sender,
                                 struct text group)
{
    struct collection *collection = NULL;
    struct arena arena;
    arena_init(&arena, "collection");
    struct text key = text_format(&arena, "%s %.*s", sender->address, TEXT_ARG(message_id));
    HASH_FIND(hh, conversation->collections, key.bytes, key.length, collection);
    if (!collection) {
        make_room(conversation);
        collection = memory_new(sizeof(*collection));
        collection->key = text_keep(key);
        collection->group = text_keep(group);
        collection->sender = sender;
        collection->end = &collection->first;
        collection->recipients = count_recipients(conversation, message_id);
        collection->forget_at_ms = conversation->now.monotonic_ms + conversation->settings.report_life_ms;
        HASH_ADD_KEYPTR(hh, conversation->collections, collection->key, key.length, collection);
        TAILQ_INSERT_TAIL(&conversation->collections_all, collection, all);
    }
    arena_clear(&arena);
    return collection;
}

struct text collection_key(struct text reporter, struct text kind, struct arena *arena)
{
    return text_format(arena, "%.*s %.*s", TEXT_ARG(kind), TEXT_ARG(reporter));
}

bool collection_note(struct collection *collection, struct text key)
{
    struct reported *reported = NULL;
    HASH_FIND(hh, collection->reported, key.bytes, key.length, reported);
    if (reported)
        return false;
    reported = memory_new(sizeof(*reported));
    reported->key = text_keep(key);
    HASH_ADD_KEYPTR(hh, collection->reported, reported->key, key.length, reported);
    return true;
}

void collection_forget(struct collection *collection, struct text key)
{
    struct reported *reported = NULL;
    HASH_FIND(hh, collection->reported, key.bytes, key.length, reported);
    if (!reported)
        return;
    HASH_DEL(collection->reported, reported);
    free(reported->key);
    free(reported);
}

void collection_add(struct conversation *conversation, struct collection *collection, struct text name,
                    struct text reporter, struct text message)
{
    struct waiting *waiting = memory_new(sizeof(*waiting));
    waiting->name = text_keep(name);
    waiting->reporter = text_keep(reporter);
    waiting->message = text_keep(message);
    waiting->length = message.length;
    *collection->end = waiting;
    collection->end = &waiting->next;
    collection->count++;
    conversation->report_bytes += message.length;
    if (!collection->send_at_ms)
        collection_set_due(conversation, collection,
                           conversation->now.monotonic_ms + conversation->settings.report_window_ms);
}

bool collection_is_complete(const struct collection *collection, struct text key)
{
    struct text kind, reporter;
    size_t count = 0;
    if (collection->recipients == 0)
        return false;
    text_cut(key, ' ', &kind, &reporter);
    for (const struct reported *reported = collection->reported; reported; reported = reported->hh.next)
        count += text_starts_with(text_of(reported->key), kind);
    return count >= collection->recipients;
}
