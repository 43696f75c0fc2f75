/* What is kept for who cannot take it now: its record and its bytes as commits, and how much of it there may be. When
 * it leaves again is not known here. */
#include "conversation_private.h"
#include "incoming_private.h"
#include "kept_private.h"

#define DEFERRAL_TEXT_MAX 1024 /* of a subject or a type: what is shown of a message; more is in the message itself */

static struct text cut(struct text text)
{
    return text_slice(text, 0, text.length < DEFERRAL_TEXT_MAX ? text.length : DEFERRAL_TEXT_MAX);
}

struct deferred deferral_of(const struct incoming *incoming, const struct fate *fate)
{
    struct deferred deferred = deferral_unnamed(incoming, fate);
    deferral_name(&deferred, incoming->request, &incoming->request->arena);
    return deferred;
}

void deferral_name(struct deferred *deferred, struct request *request, struct arena *arena)
{
    deferred->from = cut(request_shown_address(request_header(request, "From"), arena));
    deferred->to = cut(request_shown_address(request_header(request, "To"), arena));
}

struct deferred deferral_unnamed(const struct incoming *incoming, const struct fate *fate)
{
    return (struct deferred){
        .owner = fate->recipient,
        .message_id = fate->message_id,
        .call_id = fate->call_id,
        .sender = fate->sender,
        .group = fate->group,
        .group_name = cut(incoming->group_name),
        .subject = cut(incoming->subject),
        .type = cut(incoming->type),
        .size = incoming->message.length,
        .kind = incoming->report ? DEFERRED_REPORT : DEFERRED_PAGER,
        .priority = incoming->priority,
        .received_ms = incoming->request->conversation->now.wall_ms,
        .expires_ms = incoming->expires_ms,
        .told = incoming->wanted.failures,
        .route = incoming->wanted.route,
    };
}

struct deferred deferral_of_report(const struct conversation *conversation, const struct fate *fate, size_t size)
{
    int64_t lifetime_ms = conversation->settings.deferral.lifetime_ms_max, now_ms = conversation->now.wall_ms;
    return (struct deferred){
        .owner = fate->recipient,
        .message_id = fate->message_id,
        .call_id = fate->call_id,
        .sender = fate->sender,
        .type = TEXT("message/imdn+xml"),
        .size = size,
        .kind = DEFERRED_REPORT,
        .priority = DEFERRED_NORMAL,
        .received_ms = now_ms,
        .expires_ms = lifetime_ms ? now_ms + lifetime_ms : INT64_MAX,
    };
}

struct deferred deferral_copy(const struct deferred *deferred, struct arena *arena)
{
    struct deferred copy = *deferred;
    struct text *texts[] = {&copy.owner,  &copy.reference, &copy.content,    &copy.message_id, &copy.call_id,
                            &copy.sender, &copy.group,     &copy.group_name, &copy.from,       &copy.to,
                            &copy.route,  &copy.subject,   &copy.type,       &copy.error,      &copy.message};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = text_copy(arena, *texts[i]);
    return copy;
}

uint64_t deferral_order(struct conversation *conversation)
{
    conversation->last_order = deferred_order(conversation->last_order, conversation->now.wall_ms);
    return conversation->last_order;
}

enum deferred_priority deferral_place(const struct conversation *conversation, enum deferred_priority priority)
{
    return conversation->settings.deferral.urgent_first ? priority : DEFERRED_NORMAL;
}

void deferral_cut_lifetime(const struct served *served, struct deferred *deferred)
{
    if (served->keep_ms_max && deferred->expires_ms - deferred->received_ms > served->keep_ms_max)
        deferred->expires_ms = deferred->received_ms + served->keep_ms_max;
}

size_t deferral_add(struct work *work, struct served *served, struct deferred *deferred, struct text message,
                    struct text *content)
{
    struct conversation *conversation = work->conversation;
    uint64_t order = deferral_order(conversation);
    struct text own = {0};
    bool is_inline = !content && message.length <= DEFERRED_INLINE_MAX;
    content = content ? content : &own;
    bool has_bytes = !is_inline && content->length == 0;
    if (has_bytes) {
        *content = deferred_content_name(order, &work->arena);
        work->commits[work->count++] = deferred_content_commit(*content, message, &work->arena);
    }
    deferred->message = is_inline ? message : (struct text){0};
    deferred->content = *content;
    deferred->reference = deferred_reference(order, deferral_place(conversation, deferred->priority), &work->arena);
    deferral_cut_lifetime(served, deferred);
    queue_note_arrival(served, deferred->reference);
    served->nothing_waits = false;
    deferred->away = !deferred->again && (deferred->away || !served_reachable(conversation, served));
    served->arriving++;
    served->arriving_bytes += deferred->size;
    work->commits[work->count++] = deferred_commit(deferred, &work->arena);
    if (has_bytes) /* no record without them, on a disk that has room for one and not for both */
        work->commits[work->count - 1].only_with = &work->commits[work->count - 2];
    return work->count - 1;
}

void deferral_arrived(struct served *served, size_t bytes)
{
    served->arriving--;
    served->arriving_bytes -= bytes;
}

void deferral_remove(struct work *work, const struct deferred *deferred)
{
    work_add_deletion(work, DOCUMENT_DEFERRED, deferred->owner, deferred->reference);
    if (deferred->content.length)
        work->commits[work->count++] = deferred_content_removal(deferred->content, &work->arena);
}

/* --- how much -------------------------------------------------------------------------------------------------- */

static uint64_t above(uint64_t there, uint64_t most)
{
    return most && there > most ? there - most : 0;
}

static uint64_t less(uint64_t there, uint64_t leaving)
{
    return there > leaving ? there - leaving : 0;
}

bool deferral_excess_of(const struct conversation *conversation, const struct served *served,
                        const struct deferred_figures *his, const struct deferred_figures *all, size_t bytes,
                        struct deferral_excess *excess_out)
{
    const struct deferral_settings *settings = &conversation->settings.deferral;
    uint64_t leaving = served->leaving + (uint64_t)served->taken_count;
    uint64_t leaving_bytes = served->leaving_bytes + served->taken_bytes;
    uint64_t count = less(his->count + served->arriving, leaving) + served->copies_count + 1;
    uint64_t own = above(less(his->bytes + served->arriving_bytes, leaving_bytes) + bytes, settings->bytes_max);
    uint64_t others = above(less(all->bytes, leaving_bytes) + bytes, settings->all_bytes_max);
    *excess_out = (struct deferral_excess){
        .count = above(count, settings->count_max),
        .bytes = own > others ? own : others,
        .ever = above(bytes, settings->bytes_max) || above(bytes, settings->all_bytes_max),
    };
    return excess_out->count || excess_out->bytes;
}

/* What cannot be counted is not refused: the write that follows tells. */
bool deferral_exceeds(struct conversation *conversation, const struct served *served, size_t bytes,
                      struct deferral_excess *excess_out)
{
    struct deferred_figures his, all;
    *excess_out = (struct deferral_excess){0};
    if (deferred_figures(conversation->documents, text_of(served->address), &his) != OK ||
        deferred_figures(conversation->documents, TEXT(""), &all) != OK)
        return false;
    return deferral_excess_of(conversation, served, &his, &all, bytes, excess_out);
}

bool deferral_has_room(struct conversation *conversation, const struct served *served, size_t bytes)
{
    struct deferral_excess excess;
    return !deferral_exceeds(conversation, served, bytes, &excess);
}

bool deferral_holds(struct conversation *conversation, const struct served *served, uint64_t count)
{
    struct deferred_figures his;
    return deferred_figures(conversation->documents, text_of(served->address), &his) == OK && his.count == count;
}

bool deferral_is_empty(struct conversation *conversation, const struct served *served)
{
    struct deferred_figures his;
    return deferred_figures(conversation->documents, text_of(served->address), &his) == OK &&
           !queue_has_others(conversation, served, his.count);
}

void deferral_refuse(struct incoming *incoming, struct text recipient)
{
    bool is_413 = incoming->request->conversation->settings.deferral.full_is_413;
    incoming_refuse(incoming, recipient, is_413 ? 413 : 480, "Deferred message quota exceeded",
                    TEXT("too many messages are waiting"));
}
