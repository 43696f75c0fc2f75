/* Reports about messages that went to many (RFC 5438 §8.3): collected for a while and sent on as one. A report goes to
 * the sender of the message that it speaks of and to nobody else, whatever address it was sent to, and nothing is ever
 * reported about it: else a group whose members report would never come to rest. */
#include <assert.h>

#include "conversation_private.h"
#include "cpim.h"
#include "imdn.h"
#include "log.h"
#include "mime.h"
#include "record.h"

#define COLLECTIONS_MAX 20000       /* remembered at once: some hundred bytes each */
#define COLLECTED_MAX   1000        /* reports that wait in one, some hundred bytes each; more go at once */
#define FORGET_MS       86400000    /* who reports later than a day after is not waited for */
#define COUNTED_MAX     100         /* recipients of a message that are counted to know when all have reported */
#define REPORT_MAX      16384       /* bytes of one that waits for others; real ones have one or two thousand */
#define WAITING_MAX     (64u << 20) /* bytes of all that wait; beyond, each goes on by itself */

/* One report that waits: its document, and the message that came. */
struct waiting {
    char *name, *reporter, *message;
    size_t length;
    struct waiting *next;
};

/* Who has reported what: once is enough. */
struct reported {
    UT_hash_handle hh;
    char *key;
};

/* All reports about one message. */
struct collection {
    UT_hash_handle hh;
    char *key, *group;
    struct served *sender; /* of the message, who gets the reports */
    struct waiting *first, **end;
    size_t count;
    struct reported *reported;
    size_t recipients;                /* of the message, each of whom may report once of a kind; 0: too many to count */
    size_t leaving;                   /* of those that wait: on their way to the queue of the sender */
    unsigned arriving;                /* on their way to the disk */
    int64_t send_at_ms, forget_at_ms; /* monotonic; send_at_ms 0: nothing waits */
    TAILQ_ENTRY(collection) due, all;
};

static void send_on(struct conversation *conversation, struct collection *collection);

/* --- remembering --- */

static void free_waiting(struct conversation *conversation, struct collection *collection, size_t count)
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

/* Nothing waits in it, and nothing is on its way. */
static bool is_idle(const struct collection *collection)
{
    return !collection->first && !collection->arriving;
}

static void set_due(struct conversation *conversation, struct collection *collection, int64_t send_at_ms)
{
    if (collection->send_at_ms)
        TAILQ_REMOVE(&conversation->collections_due, collection, due);
    collection->send_at_ms = send_at_ms;
    if (send_at_ms)
        TAILQ_INSERT_TAIL(&conversation->collections_due, collection, due);
}

static void collection_free(struct conversation *conversation, struct collection *collection)
{
    struct reported *reported, *next;
    HASH_ITER(hh, collection->reported, reported, next)
    {
        HASH_DEL(collection->reported, reported);
        free(reported->key);
        free(reported);
    }
    set_due(conversation, collection, 0);
    TAILQ_REMOVE(&conversation->collections_all, collection, all);
    assert(conversation->collections); /* it is one of them */
    HASH_DEL(conversation->collections, collection);
    free_waiting(conversation, collection, collection->count);
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
        if (is_idle(collection))
            collection_free(conversation, collection);
    }
}

static size_t count_recipients(struct conversation *conversation, struct text message_id)
{
    struct arena arena;
    struct fate *fates;
    size_t count;
    arena_init(&arena, "recipients");
    if (fate_of_message(conversation->documents, message_id, COUNTED_MAX, &arena, &fates, &count) != OK ||
        count == COUNTED_MAX)
        count = 0;
    size_t reached = 0;
    for (size_t i = 0; i < count; i++)
        reached += fates[i].group.length && fates[i].steps_count &&
                   fates[i].steps[fates[i].steps_count - 1].kind != FATE_REFUSED;
    arena_clear(&arena);
    return reached;
}

static struct collection *collection_of(struct conversation *conversation, struct text message_id,
                                        struct served *sender, struct text group)
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
        collection->forget_at_ms = conversation->now.monotonic_ms + FORGET_MS;
        HASH_ADD_KEYPTR(hh, conversation->collections, collection->key, key.length, collection);
        TAILQ_INSERT_TAIL(&conversation->collections_all, collection, all);
    }
    arena_clear(&arena);
    return collection;
}

static struct text reported_key(struct text reporter, struct text kind, struct arena *arena)
{
    return text_format(arena, "%.*s %.*s", TEXT_ARG(kind), TEXT_ARG(reporter));
}

/* False: he said so before. */
static bool note_reported(struct collection *collection, struct text key)
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

static void forget_reported(struct collection *collection, struct text key)
{
    struct reported *reported = NULL;
    HASH_FIND(hh, collection->reported, key.bytes, key.length, reported);
    if (!reported)
        return;
    HASH_DEL(collection->reported, reported);
    free(reported->key);
    free(reported);
}

static void add_waiting(struct conversation *conversation, struct collection *collection, struct text name,
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
        set_due(conversation, collection, conversation->now.monotonic_ms + conversation->settings.report_window_ms);
}

/* --- taking one --- */

/* The report in a message as it goes on: whole, or inside an envelope. */
static bool find_report(struct text type, struct text body, struct arena *arena, struct text *document_out)
{
    *document_out = body;
    if (cpim_is(type)) {
        struct cpim_message *cpim = arena_new(arena, struct cpim_message);
        if (cpim_parse(body, cpim) != OK)
            return false;
        type = cpim->content_type;
        *document_out = cpim->content;
    }
    return mime_is(type, TEXT("message/imdn+xml"));
}

/* The record of the message that it speaks of, as the reporter got it. */
static bool find_original(struct incoming *incoming, struct imdn *imdn_out, struct fate *fate_out)
{
    struct request *request = incoming->request;
    struct text document;
    return find_report(request_header(request, "Content-Type"), incoming->body, &request->arena, &document) &&
           imdn_read(document, &request->arena, imdn_out) == OK && imdn_out->message_id.length <= INCOMING_ID_MAX &&
           fate_get(request->conversation->documents, imdn_out->message_id, request->user, &request->arena, fate_out) ==
               OK;
}

void reports_note(const struct incoming *incoming, struct text sender)
{
    struct request *request = incoming->request;
    struct text document, kind, rest;
    struct imdn imdn;
    if (!find_report(request_header(request, "Content-Type"), incoming->body, &request->arena, &document) ||
        imdn_read(document, &request->arena, &imdn) != OK || imdn.message_id.length > INCOMING_ID_MAX ||
        imdn.status.length == 0)
        return;
    text_cut(imdn.kind, '-', &kind, &rest);
    const struct fate about = {.message_id = imdn.message_id, .sender = sender, .recipient = request->user};
    work_note_report(request->conversation, &about, kind, imdn.status);
}

bool reports_addressee(struct incoming *incoming, struct text group, struct text *address_out)
{
    struct imdn imdn;
    struct fate fate;
    if (!find_original(incoming, &imdn, &fate) || !text_equal(fate.group, group))
        return false;
    *address_out = fate.sender;
    return true;
}

/* Nobody is missing who could say the same of the message. There are few, or nobody counted them. */
static bool all_reported(const struct collection *collection, struct text key)
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

struct collecting {
    struct collection *collection;
    struct text name, reporter, message, key;
};

static void collected(struct conversation *conversation, struct work *work)
{
    const struct collecting *collecting = work->details;
    struct collection *collection = collecting->collection;
    struct request *request = work->request;
    work->request = NULL;
    collection->arriving--;
    if (work_status(work) != OK) { /* what is there of it may come twice, but not be lost */
        forget_reported(collection, collecting->key);
        return request_answer_with(request, 500, "Message Not Stored", "Retry-After", TEXT("10"));
    }
    request_answer(request, 202, NULL);
    add_waiting(conversation, collection, collecting->name, collecting->reporter, collecting->message);
    if (collection->arriving) /* the last of those that came together decides */
        return;
    if (all_reported(collection, collecting->key) || collection->count >= COLLECTED_MAX)
        send_on(conversation, collection);
}

static struct commit report_commit(const struct collecting *collecting, const struct imdn *imdn, struct text group,
                                   struct text reporter, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "message-id", imdn->message_id);
    record_add(&record, "group", group);
    record_add(&record, "reporter", reporter);
    record_add(&record, "kind", imdn->kind);
    record_add(&record, "message", collecting->message);
    return (struct commit){
        .key = {TEXT(DOCUMENT_REPORTS), text_copy(arena, text_of(collecting->collection->sender->address)),
                collecting->name},
        .expected = VERSION_ABSENT,
        .bytes = builder_text(&record),
        .who = TEXT("im-glue"),
    };
}

bool reports_collect(struct incoming *incoming, struct served *sender)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct imdn imdn;
    struct fate original, fate;
    if (conversation->settings.report_window_ms == 0 || incoming->message.length > REPORT_MAX ||
        conversation->report_bytes > WAITING_MAX || !find_original(incoming, &imdn, &original) ||
        original.group.length == 0 || !text_equal(original.sender, text_of(sender->address)))
        return false;
    bool late = original.steps_count && conversation->now.wall_ms - original.steps[0].when_ms > FORGET_MS;
    struct collection *collection = late ? NULL : collection_of(conversation, imdn.message_id, sender, original.group);
    struct text key = reported_key(request->user, imdn.kind, &request->arena);
    if (late || !note_reported(collection, key)) {
        log_info("report dropped call-id=%.*s message-id=%.*s from=%.*s about=%.*s late=%d",
                 TEXT_ARG(incoming->call_id), TEXT_ARG(incoming->message_id), TEXT_ARG(request->user),
                 TEXT_ARG(imdn.message_id), late);
        request_answer(request, 202, NULL);
        return true;
    }
    struct work *work = work_new(conversation, 2, collected);
    struct collecting *collecting = arena_new(&work->arena, struct collecting);
    *collecting = (struct collecting){collection, deferred_content_name(deferral_order(conversation), &work->arena),
                                      text_copy(&work->arena, request->user),
                                      text_copy(&work->arena, incoming->message), text_copy(&work->arena, key)};
    work->details = collecting;
    work->request = request;
    work->commits[work->count++] = report_commit(collecting, &imdn, original.group, request->user, &work->arena);
    fate = incoming_fate(incoming, text_of(sender->address), original.group);
    fate = fate_with(&fate, FATE_STORED, conversation->now.wall_ms, TEXT("goes on with the reports of others"),
                     &work->arena);
    work_add_fate(work, &fate);
    collection->arriving++;
    work_submit(work);
    return true;
}

/* --- sending them on --- */

/* The document of one that waits, telling who it is of. False: it cannot be read, which was found out before. */
static bool report_of(const struct waiting *waiting, struct arena *arena, struct text *document_out)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    struct text type = {0}, content;
    struct text bytes = {waiting->message, waiting->length};
    bool found = sip_message_parse(bytes, &message, &fault) == OK &&
                 sip_header(message, "Content-Type", 0, arena, &type) && content_body(message, arena, &content) == OK &&
                 find_report(type, content, arena, document_out);
    if (found)
        *document_out = text_copy(arena, imdn_with_recipient(*document_out, text_of(waiting->reporter), arena));
    sip_message_free(message);
    return found;
}

/* All that wait, from the group (RFC 5438 §8.3). */
static struct text aggregate(const struct conversation *conversation, const struct collection *collection,
                             struct text id, struct arena *arena)
{
    struct text *reports = arena_array(arena, struct text, collection->count);
    struct report_message letter = {.from = text_of(collection->group),
                                    .to = text_of(collection->sender->address),
                                    .hop = text_of(collection->sender->address),
                                    .id = id,
                                    .reports = reports};
    for (const struct waiting *waiting = collection->first; waiting; waiting = waiting->next)
        letter.count += report_of(waiting, arena, &reports[letter.count]);
    return report_message_write(conversation, &letter, arena);
}

struct sending {
    struct collection *collection;
    size_t record; /* place of the message in the work, behind its bytes */
    struct deferred deferred;
};

static void sent_on(struct conversation *conversation, struct work *work)
{
    const struct sending *sending = work->details;
    struct collection *collection = sending->collection;
    size_t leaving = collection->leaving;
    enum status status = work->commits[sending->record].status;
    collection->leaving = 0;
    deferral_arrived(collection->sender, sending->deferred.size);
    if (status != OK) { /* they are still there, and tried again */
        log_error("reports not sent on about=%s status=%s", collection->key, status_name(status));
        return set_due(conversation, collection,
                       conversation->now.monotonic_ms + conversation->settings.report_window_ms);
    }
    free_waiting(conversation, collection, leaving);
    if (collection->first) /* came meanwhile */
        set_due(conversation, collection, conversation->now.monotonic_ms + conversation->settings.report_window_ms);
    expiry_note(conversation, sending->deferred.expires_ms);
    queue_flush(conversation, collection->sender);
}

static void send_on(struct conversation *conversation, struct collection *collection)
{
    set_due(conversation, collection, 0);
    if (collection->count == 0 || collection->leaving) /* sent_on looks after those that came later */
        return;
    struct work *work = work_new(conversation, collection->count + DEFERRAL_COMMITS + 1, sent_on);
    struct sending *sending = arena_new(&work->arena, struct sending);
    struct text id = random_hex(&work->arena, 32), content = {0};
    struct text message = aggregate(conversation, collection, id, &work->arena);
    struct fate fate = {
        .message_id = id,
        .sender = text_of(collection->group),
        .recipient = text_of(collection->sender->address),
        .call_id = id,
    };
    fate = fate_with(&fate, FATE_RECEIVED, conversation->now.wall_ms,
                     text_format(&work->arena, "reports: %zu", collection->count), &work->arena);
    sending->collection = collection;
    sending->deferred = deferral_of_report(conversation, &fate, message.length);
    work->details = sending;
    sending->record = deferral_add(work, collection->sender, &sending->deferred, message, &content);
    work_add_fate(work, &fate);
    for (const struct waiting *waiting = collection->first; waiting; waiting = waiting->next)
        work_add_deletion(work, DOCUMENT_REPORTS, text_of(collection->sender->address), text_of(waiting->name));
    collection->leaving = collection->count;
    work_submit(work);
}

void reports_run_deadlines(struct conversation *conversation)
{
    struct collection *collection;
    int64_t now_ms = conversation->now.monotonic_ms;
    while ((collection = TAILQ_FIRST(&conversation->collections_due)) && collection->send_at_ms <= now_ms)
        send_on(conversation, collection);
    while ((collection = TAILQ_FIRST(&conversation->collections_all)) && collection->forget_at_ms <= now_ms &&
           is_idle(collection))
        collection_free(conversation, collection);
}

int64_t reports_deadline(const struct conversation *conversation)
{
    const struct collection *first = TAILQ_FIRST(&conversation->collections_due);
    return first ? first->send_at_ms : INT64_MAX;
}

/* --- after a restart --- */

static void load_one(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct stored stored;
    if (document_internal_read(conversation->documents, key, arena, &stored) != OK)
        return;
    struct collection *collection =
        collection_of(conversation, record_text(stored.bytes, "message-id"), served_get(conversation, stored.key.owner),
                      record_text(stored.bytes, "group"));
    note_reported(collection,
                  reported_key(record_text(stored.bytes, "reporter"), record_text(stored.bytes, "kind"), arena));
    add_waiting(conversation, collection, stored.key.name, record_text(stored.bytes, "reporter"),
                record_text(stored.bytes, "message"));
}

void reports_load(struct conversation *conversation)
{
    served_load_records(conversation, DOCUMENT_REPORTS, load_one);
}
