/* Conversation histories: what users who ask for it (IM service settings) have sent and got, written in the same
 * transaction as what else becomes of the message. Here is what each of them saw of it, and who keeps too much. */
#include "conversation_private.h"
#include "cpim.h"
#include "history.h"
#include "log.h"
#include "mime.h"

/* How much one user keeps. What the other program deletes is found when he is counted again. */
struct recorded {
    struct served *served;
    struct history_totals totals;
    char *counted; /* up to this entry, while he is counted page by page; else NULL */
    bool known;    /* `totals` hold, beside what was deleted */
    bool due;      /* in the list of those who are to be counted */
    bool removing;
    TAILQ_ENTRY(recorded) entry;
};

static void note_written(struct conversation *conversation, struct served *served, size_t bytes);

void recorded_free(struct conversation *conversation, struct served *served)
{
    struct recorded *recorded = served->recorded;
    if (!recorded)
        return;
    if (recorded->due)
        TAILQ_REMOVE(&conversation->recorded_due, recorded, entry);
    free(recorded->counted);
    free(recorded);
    served->recorded = NULL;
}

bool recording_is_asked(const struct conversation *conversation, const struct served *served)
{
    return served && conversation->settings.history_ms > 0 && publication_settings(conversation, served).keep_large;
}

/* --- what he saw --- */

/* Notices about messages are no messages; neither is that somebody writes. */
static bool is_talk(struct text type, struct text body, struct arena *arena)
{
    struct cpim_message *cpim;
    if (mime_is(type, TEXT("message/imdn+xml")) || mime_is(type, TEXT("application/im-iscomposing+xml")))
        return false;
    if (!cpim_is(type))
        return true;
    cpim = arena_new(arena, struct cpim_message);
    return cpim_parse(body, cpim) != OK || is_talk(cpim->content_type, (struct text){0}, arena);
}

static struct text header_of(const struct sip_message *message, const char *name, struct arena *arena)
{
    struct text value = {0};
    return sip_header(message, name, 0, arena, &value) ? text_trim(value) : (struct text){0};
}

/* Without the parameters of the header: tags are nothing to read. */
static struct text address_of(struct text field, struct arena *arena)
{
    struct name_addr address;
    if (!name_addr_parse(field, &address, NULL))
        return (struct text){0};
    return address.display.length
               ? text_format(arena, "\"%.*s\" <%.*s>", TEXT_ARG(address.display), TEXT_ARG(address.uri))
               : text_copy(arena, address.uri);
}

/* From is what its sender let others see, also where he is anonymous. False: nothing to be kept. */
static bool see(struct text bytes, struct arena *arena, struct history_entry *entry)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    bool talk = false;
    if (sip_message_parse(bytes, &message, &fault) == OK) {
        struct text type = header_of(message, "Content-Type", arena);
        talk = is_talk(type, sip_body(message), arena);
        entry->from = address_of(header_of(message, "From", arena), arena);
        entry->to = address_of(header_of(message, "To", arena), arena);
        entry->subject = header_of(message, "Subject", arena);
        entry->content_type = type;
    }
    sip_message_free(message);
    return talk;
}

static void add(struct work *work, struct served *served, struct history_entry *entry, struct text message)
{
    struct conversation *conversation = work->conversation;
    entry->owner = text_of(served->address);
    entry->until_ms = conversation->now.wall_ms + conversation->settings.history_ms;
    history_name(entry, message, &work->arena);
    work->commits[work->count++] =
        history_commit_message(text_copy(&work->arena, message), entry->until_ms, &work->arena);
    work->commits[work->count++] = history_commit(entry, &work->arena);
    note_written(conversation, served, entry->size);
}

void recording_add_received(struct work *work, const struct delivery *delivery)
{
    const struct fate *fate = &delivery->fate;
    struct history_entry entry = {
        .group = fate->group,
        .message_id = fate->message_id,
        .when_ms = fate->steps_count ? fate->steps[0].when_ms : work->conversation->now.wall_ms,
    };
    if (!recording_is_asked(work->conversation, delivery->recipient) || !see(delivery->message, &work->arena, &entry))
        return;
    add(work, delivery->recipient, &entry, delivery->message);
}

void recording_add_relayed(struct work *work, const struct delivery *delivery)
{
    const struct fate *fate = &delivery->fate;
    struct served *sender = served_find(work->conversation, fate->sender);
    struct history_entry entry = {
        .sent = true,
        .message_id = fate->message_id,
        .when_ms = fate->steps_count ? fate->steps[0].when_ms : work->conversation->now.wall_ms,
    };
    if (fate->group.length || !recording_is_asked(work->conversation, sender) ||
        !see(delivery->message, &work->arena, &entry))
        return;
    add(work, sender, &entry, delivery->message);
}

static void name_recipients(const struct incoming *incoming, struct arena *arena, struct history_entry *entry)
{
    size_t count = incoming->recipients ? incoming->recipients->count : 0;
    struct text *recipients = arena_array(arena, struct text, count + 1);
    for (size_t i = 0; i < count; i++)
        recipients[i] = text_copy(arena, incoming->recipients->list[i].uri);
    entry->recipients = recipients;
    entry->recipients_count = count;
}

void recording_add_sent(struct work *work, const struct incoming *incoming, struct text group)
{
    struct conversation *conversation = work->conversation;
    struct served *sender = served_find(conversation, incoming->request->user);
    struct history_entry entry = {
        .sent = true,
        .message_id = incoming->message_id,
        .group = group,
        .when_ms = conversation->now.wall_ms,
    };
    if (!recording_is_asked(conversation, sender) || !see(incoming->message, &work->arena, &entry))
        return;
    name_recipients(incoming, &work->arena, &entry);
    add(work, sender, &entry, incoming->message);
}

/* --- who keeps too much --- */

static bool is_over(const struct conversation *conversation, const struct recorded *recorded)
{
    const struct conversation_settings *settings = &conversation->settings;
    return recorded->totals.count > settings->history_count_max || recorded->totals.bytes > settings->history_bytes_max;
}

static void make_due(struct conversation *conversation, struct recorded *recorded)
{
    if (recorded->due || recorded->removing)
        return;
    recorded->due = true;
    recorded->totals = (struct history_totals){0};
    TAILQ_INSERT_TAIL(&conversation->recorded_due, recorded, entry);
}

static void note_written(struct conversation *conversation, struct served *served, size_t bytes)
{
    struct recorded *recorded = served->recorded;
    if (!recorded) {
        recorded = served->recorded = memory_new(sizeof(*recorded));
        recorded->served = served;
    }
    if (recorded->known) {
        recorded->totals.count++;
        recorded->totals.bytes += bytes;
    }
    if (!recorded->known || is_over(conversation, recorded))
        make_due(conversation, recorded);
}

static void removed(struct conversation *conversation, struct work *work)
{
    struct recorded *recorded = work->served->recorded;
    recorded->removing = false;
    recorded->known = work_status(work) == OK || work_status(work) == CONFLICT; /* a message that others keep stays */
    if (is_over(conversation, recorded) && recorded->known)
        make_due(conversation, recorded);
}

/* The oldest give way. */
static void remove_oldest(struct conversation *conversation, struct recorded *recorded)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct history_totals *totals = &recorded->totals;
    struct work *work = work_new(conversation, 0, removed);
    struct text *references;
    size_t count, commits_count = 0;
    struct history_totals excess = {
        .count = totals->count > settings->history_count_max ? totals->count - settings->history_count_max : 0,
        .bytes = totals->bytes > settings->history_bytes_max ? totals->bytes - settings->history_bytes_max : 0,
    };
    struct text owner = text_of(recorded->served->address);
    enum status status = history_oldest(conversation->documents, owner, &excess, &work->arena, &references, &count);
    if (status == OK)
        status = history_remove(conversation->documents, owner, references, count, TEXT("im-glue"), &work->arena,
                                &work->commits, &commits_count);
    work->count = status == OK ? commits_count : 0;
    work->served = recorded->served;
    totals->count -= excess.count < totals->count ? excess.count : totals->count;
    totals->bytes -= excess.bytes < totals->bytes ? excess.bytes : totals->bytes;
    recorded->removing = true;
    log_info("history is full user=%s removed=%zu", recorded->served->address, count);
    work_submit(work);
}

/* One page of one user: what else there is to do need not wait for more. */
void recording_run(struct conversation *conversation)
{
    struct recorded *recorded = TAILQ_FIRST(&conversation->recorded_due);
    struct arena arena;
    if (!recorded)
        return;
    arena_init(&arena, "count");
    recorded->totals.after = text_of(recorded->counted);
    enum status status =
        history_count(conversation->documents, text_of(recorded->served->address), &arena, &recorded->totals);
    char *counted = recorded->totals.more ? text_keep(recorded->totals.after) : NULL;
    free(recorded->counted);
    recorded->counted = counted;
    recorded->totals.after = (struct text){0};
    arena_clear(&arena);
    if (counted)
        return;
    TAILQ_REMOVE(&conversation->recorded_due, recorded, entry);
    recorded->due = false;
    recorded->known = status == OK;
    if (recorded->known && is_over(conversation, recorded))
        remove_oldest(conversation, recorded);
}

int64_t recording_deadline(const struct conversation *conversation)
{
    return TAILQ_EMPTY(&conversation->recorded_due) ? INT64_MAX : conversation->now.monotonic_ms;
}

/* --- what is over --- */

static void expired(struct conversation *conversation, struct work *work)
{
    const bool *more = work->details;
    if (*more && work_status(work) != FAILED)
        recording_sweep(conversation);
}

void recording_sweep(struct conversation *conversation)
{
    struct work *work = work_new(conversation, 0, expired);
    bool *more = arena_new(&work->arena, bool);
    work->details = more;
    if (history_expire(conversation->documents, conversation->now.wall_ms, &work->arena, &work->commits, &work->count,
                       more) != OK) {
        log_error("histories that are over cannot be read");
        work->count = 0;
        *more = false;
    }
    work_submit(work);
}
