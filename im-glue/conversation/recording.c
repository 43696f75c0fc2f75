/* Conversation histories: what users who ask for it (IM service settings) have sent and got, written in the same
 * transaction as what else becomes of the message. Here is what each of them saw of it, and who keeps too much. */
#include "conversation_private.h"
#include "cpim.h"
#include "history.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "mime.h"

bool recording_is_asked(const struct conversation *conversation, const struct served *served)
{
    return served && conversation->settings.history_ms > 0 && publication_settings(conversation, served).keep_large;
}

/* --- what he saw --- */

/* Notices about messages are no messages; neither is that somebody writes, or that there is a group. */
static bool is_talk(struct text type, struct text body, struct arena *arena)
{
    struct cpim_message *cpim;
    if (mime_is(type, TEXT("message/imdn+xml")) || mime_is(type, TEXT("application/im-iscomposing+xml")) ||
        mime_is(type, TEXT(CONTENT_ADVERTISEMENT)))
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

/* From is what its sender let others see, also where he is anonymous. False: nothing to be kept. */
static bool see(struct text bytes, struct arena *arena, struct history_entry *entry)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    bool talk = false;
    if (sip_message_parse(bytes, &message, &fault) == OK) {
        struct text type = header_of(message, "Content-Type", arena);
        talk = is_talk(type, sip_body(message), arena);
        entry->from = request_shown_address(header_of(message, "From", arena), arena);
        entry->to = request_shown_address(header_of(message, "To", arena), arena);
        entry->subject = header_of(message, "Subject", arena);
        entry->content_type = type;
    }
    sip_message_free(message);
    return talk;
}

static void add(struct work *work, struct served *served, struct history_entry *entry, struct text message)
{
    struct conversation *conversation = work->conversation;
    size_t nth = work->recorded[0] != NULL;
    entry->owner = text_of(served->address);
    entry->until_ms = conversation->now.wall_ms + conversation->settings.history_ms;
    history_name(entry, message, &work->arena);
    if (nth == 0) /* sender and recipient keep the same */
        work->commits[work->count++] = history_commit_message(text_copy(&work->arena, message), &work->arena);
    work->commits[work->count++] = history_commit(entry, &work->arena);
    work->recorded[nth] = served;
}

void recording_add_received(struct work *work, const struct delivery *delivery)
{
    const struct fate *fate = &delivery->fate;
    struct history_entry entry = {
        .group = fate->group,
        .group_name = delivery->deferred.group_name,
        .message_id = fate->message_id,
        .when_ms = fate->steps_count ? fate->steps[0].when_ms : work->conversation->now.wall_ms,
    };
    if (delivery->onward || delivery->deferred.again || !recording_is_asked(work->conversation, delivery->recipient) ||
        !see(delivery->message, &work->arena, &entry))
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
    if (fate->group.length || delivery->again || !recording_is_asked(work->conversation, sender) ||
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
        .group_name = incoming->group_name,
        .when_ms = conversation->now.wall_ms,
    };
    if (incoming->request->visit.again || !recording_is_asked(conversation, sender) ||
        !see(incoming->message, &work->arena, &entry))
        return;
    name_recipients(incoming, &work->arena, &entry);
    add(work, sender, &entry, incoming->message);
}

/* --- who keeps too much --- */

static void removed(struct conversation *conversation, struct work *work)
{
    work->served->trimming = false;
    if (work_status(work) == OK)
        recording_trim(conversation, work->served);
}

static uint64_t above(uint64_t value, uint64_t limit)
{
    return value > limit ? value - limit : 0;
}

void recording_trim(struct conversation *conversation, struct served *served)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct text owner = text_of(served->address), *references;
    struct history_figures figures = {0};
    size_t count = 0;
    if (served->trimming || history_figures(conversation->documents, owner, &figures) != OK)
        return; /* when something comes again */
    const struct history_figures excess = {above(figures.count, settings->history_count_max),
                                           above(figures.bytes, settings->history_bytes_max)};
    if (excess.count == 0 && excess.bytes == 0)
        return;
    struct work *work = work_new(conversation, HISTORY_REMOVE_COMMITS * HISTORY_REMOVE_MAX, removed);
    if (history_oldest(conversation->documents, owner, &excess, &work->arena, &references, &count) != OK)
        count = 0;
    work->count = history_remove(owner, references, count, TEXT("im-glue"), &work->arena, work->commits);
    work->served = served;
    served->trimming = count > 0;
    log_debug("history is full user=%s removed=%zu", served->address, count);
    work->then = count > 0 ? removed : work_ignore;
    work_submit(work);
}

void recording_done(struct conversation *conversation, const struct work *work)
{
    for (size_t i = 0; i < sizeof(work->recorded) / sizeof(work->recorded[0]); i++)
        if (work->recorded[i])
            recording_trim(conversation, work->recorded[i]);
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
