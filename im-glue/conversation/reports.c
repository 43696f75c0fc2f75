/* Reports about messages that went to many (RFC 5438 §8.3): collected for a while and sent on as one. A report goes to
 * the sender of the message that it speaks of and to nobody else, whatever address it was sent to, and nothing is ever
 * reported about it: else a group whose members report would never come to rest. */
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "record.h"
#include "reports_private.h"

#define COLLECTED_MAX 1000        /* reports that wait in one, some hundred bytes each; more go at once */
#define PART_BYTES    128         /* of a part beside its document */
#define ENVELOPE_MAX  49152       /* bytes of reports in one message: with its headers it must fit a datagram */
#define REPORT_MAX    16384       /* bytes of one that waits for others; real ones have one or two thousand */
#define WAITING_MAX   (64u << 20) /* bytes of all that wait; beyond, each goes on by itself */

static void send_on(struct conversation *conversation, struct collection *collection);

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
        collection_forget(collection, collecting->key);
        return request_answer_with(request, 500, "Message Not Stored", "Retry-After", TEXT("10"));
    }
    request_answer(request, 202, NULL);
    collection_add(conversation, collection, collecting->name, collecting->reporter, collecting->message);
    if (collection->arriving) /* the last of those that came together decides */
        return;
    if (collection_is_complete(collection, collecting->key) || collection->count >= COLLECTED_MAX)
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
        incoming->body.length > REPORT_MAX || conversation->report_bytes > WAITING_MAX ||
        !report_find_original(incoming, &imdn, &original) || original.group.length == 0 ||
        !text_equal(original.sender, text_of(sender->address)))
        return false;
    bool late = original.steps_count &&
                conversation->now.wall_ms - original.steps[0].when_ms > conversation->settings.report_life_ms;
    struct collection *collection = late ? NULL : collection_of(conversation, imdn.message_id, sender, original.group);
    struct text key = collection_key(request->user, imdn.kind, &request->arena);
    if (late || !collection_note(collection, key)) {
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
                 report_find(type, content, arena, document_out);
    if (found)
        *document_out = text_copy(arena, imdn_with_recipient(*document_out, text_of(waiting->reporter), arena));
    sip_message_free(message);
    return found;
}

/* Those that wait, as many as fit, from the group (RFC 5438 §8.3). */
static struct text aggregate(const struct conversation *conversation, const struct collection *collection,
                             struct text id, struct arena *arena, size_t *taken_out)
{
    size_t bytes = 0;
    struct text *reports = arena_array(arena, struct text, collection->count);
    struct report_message letter = {.from = text_of(collection->group),
                                    .to = text_of(collection->sender->address),
                                    .hop = text_of(collection->sender->address),
                                    .id = id,
                                    .reports = reports};
    *taken_out = 0;
    for (const struct waiting *waiting = collection->first; waiting; waiting = waiting->next) {
        bool found = report_of(waiting, arena, &reports[letter.count]);
        bytes += found ? reports[letter.count].length + PART_BYTES : 0;
        if (*taken_out && bytes > ENVELOPE_MAX)
            break;
        letter.count += found;
        ++*taken_out;
    }
    return report_message_write(conversation, &letter, arena);
}

struct sending {
    struct collection *collection;
    size_t record; /* place of the message in the work, behind its bytes */
    bool all;      /* else the rest has waited long enough, too */
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
        return collection_set_due(conversation, collection,
                                  conversation->now.monotonic_ms + conversation->settings.report_window_ms);
    }
    collection_drop(conversation, collection, leaving);
    if (!sending->all)
        send_on(conversation, collection);
    else if (collection->first) /* came meanwhile */
        collection_set_due(conversation, collection,
                           conversation->now.monotonic_ms + conversation->settings.report_window_ms);
    expiry_note(conversation, sending->deferred.expires_ms);
    queue_flush(conversation, collection->sender);
}

static void send_on(struct conversation *conversation, struct collection *collection)
{
    collection_set_due(conversation, collection, 0);
    if (collection->count == 0 || collection->leaving) /* sent_on looks after those that came later */
        return;
    struct work *work = work_new(conversation, collection->count + DEFERRAL_COMMITS + 1, sent_on);
    struct sending *sending = arena_new(&work->arena, struct sending);
    struct text id = random_hex(&work->arena, 32);
    size_t taken;
    struct text message = aggregate(conversation, collection, id, &work->arena, &taken);
    struct fate fate = {
        .message_id = id,
        .sender = text_of(collection->group),
        .recipient = text_of(collection->sender->address),
        .call_id = id,
    };
    fate = fate_with(&fate, FATE_RECEIVED, conversation->now.wall_ms, text_format(&work->arena, "reports: %zu", taken),
                     &work->arena);
    sending->collection = collection;
    sending->deferred = deferral_of_report(conversation, &fate, message.length);
    work->details = sending;
    sending->record = deferral_add(work, collection->sender, &sending->deferred, message, NULL);
    work_add_fate(work, &fate);
    const struct waiting *waiting = collection->first;
    for (size_t i = 0; i < taken; i++, waiting = waiting->next)
        work_add_deletion(work, DOCUMENT_REPORTS, text_of(collection->sender->address), text_of(waiting->name));
    collection->leaving = taken;
    sending->all = taken == collection->count;
    work_submit(work);
}

void reports_run_deadlines(struct conversation *conversation)
{
    struct collection *collection;
    int64_t now_ms = conversation->now.monotonic_ms;
    while ((collection = TAILQ_FIRST(&conversation->collections_due)) && collection->send_at_ms <= now_ms)
        send_on(conversation, collection);
    while ((collection = TAILQ_FIRST(&conversation->collections_all)) && collection->forget_at_ms <= now_ms &&
           collection_is_idle(collection))
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
    collection_note(collection,
                    collection_key(record_text(stored.bytes, "reporter"), record_text(stored.bytes, "kind"), arena));
    collection_add(conversation, collection, stored.key.name, record_text(stored.bytes, "reporter"),
                   record_text(stored.bytes, "message"));
}

void reports_load(struct conversation *conversation)
{
    served_load_records(conversation, DOCUMENT_REPORTS, load_one);
}
