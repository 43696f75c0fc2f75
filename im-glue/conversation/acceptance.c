/* A message that is kept, for one user or many: its copies and records go to the disk together, then its sender hears
 * 202, then they are on their way. */
#include "delivery_private.h"
#include "handout_private.h"
#include "history.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "own_report.h"

/* Whose queue gets a copy: `commit` is the place of its record in the work, a trace that is not plain stands behind it.
 */
struct copy {
    struct served *served;
    size_t commit;
    bool is_own; /* its bytes are not those of the others */
    struct deferred deferred;
    struct fate fate;
    bool is_here; /* its user can be reached when it is on the disk */
};

struct acceptance {
    struct copy *copies;
    struct handout **handouts; /* the last takes what is handed out now */
    struct delivery **passing; /* never kept; each sends or frees itself */
    size_t count, handouts_count, passing_count;
    size_t handed_out_max; /* recipients who may still be among those */
    enum message_content message;
    bool alone;            /* one recipient at most, who shares its bytes with nobody */
    struct text content;   /* of all copies; empty before the first */
    size_t content_commit; /* its place in the work */
    struct text bytes;     /* of them; the request's */
    struct text *failed;   /* who does not get it: some are told as failures */
    size_t failed_count;
    bool kept; /* for somebody who is away */
    struct own_report *reports;
    size_t reports_count;
    size_t reporting; /* place of the first of them in the work */
    size_t recording; /* place of the sender's history entry in the work, behind all else; the count: none */
};

static void acceptance_done(struct conversation *conversation, struct work *work);

struct work *acceptance_new(struct incoming *incoming, size_t recipients)
{
    size_t each = incoming->recipients ? 3 : 2; /* entries of a list may have bytes of their own */
    size_t reports = recipients / OWN_REPORT_PARTS + 1, handouts = recipients / HANDOUT_COPIES_MAX + 1;
    struct work *work = work_new(incoming->request->conversation,
                                 recipients * each + DEFERRAL_COMMITS + handouts * HANDOUT_COMMITS +
                                     reports * OWN_REPORT_COMMITS + 1 + RECORDING_COMMITS,
                                 acceptance_done);
    struct acceptance *acceptance = arena_new(&work->arena, struct acceptance);
    acceptance->copies = arena_alloc_raw(&work->arena, recipients * sizeof(*acceptance->copies));
    acceptance->handed_out_max = recipients;
    acceptance->handouts = arena_array(&work->arena, struct handout *, handouts);
    acceptance->passing = arena_array(&work->arena, struct delivery *, recipients);
    acceptance->reports = arena_array(&work->arena, struct own_report, reports);
    acceptance->failed = arena_array(&work->arena, struct text, recipients);
    acceptance->message = incoming_content(incoming);
    acceptance->alone = recipients <= 1;
    work->details = acceptance;
    work->request = incoming->request;
    return work;
}

/* Absent users read "stored" in the trace; for the others it is on its way at once, and the trace waits for what
 * becomes of it. A plain trace says what the record says: it may come later than that. */
void acceptance_add_copy(struct work *work, const struct incoming *incoming, struct served *served, struct fate fate,
                         bool may_store)
{
    struct conversation *conversation = work->conversation;
    struct acceptance *acceptance = work->details;
    int64_t now_ms = conversation->now.wall_ms;
    fate = fate_with(&fate, FATE_RECEIVED, now_ms, TEXT(""), &work->arena);
    acceptance->kept = acceptance->kept || !served_reachable(conversation, served);
    if (!served_reachable(conversation, served))
        fate = fate_with(&fate, FATE_STORED, now_ms,
                         served->domain ? TEXT("much is on its way to its domain") : TEXT(DEFERRED_AWAY), &work->arena);
    struct deferred deferred = deferral_of(incoming, &fate);
    deferred.once = !may_store;
    deferred.plain_trace = fate.group.length == 0 && !served->domain;
    struct text *content = acceptance->alone || incoming->is_own ? NULL : &acceptance->content;
    if (acceptance->content.length == 0)
        acceptance->content_commit = work->count;
    size_t commit = deferral_add(work, served, &deferred, incoming->message, content);
    acceptance->copies[acceptance->count++] = (struct copy){served, commit, incoming->is_own, deferred, fate};
    if (!deferred.plain_trace)
        work_add_fate(work, &fate);
}

void acceptance_hand_out(struct work *work, const struct incoming *incoming, struct served *served, struct text group,
                         bool may_store)
{
    struct acceptance *acceptance = work->details;
    size_t count = acceptance->handouts_count, left = acceptance->handed_out_max;
    if (count == 0 || acceptance->handouts[count - 1]->count == HANDOUT_COPIES_MAX)
        acceptance->handouts[acceptance->handouts_count++] =
            handout_new(incoming, group, left < HANDOUT_COPIES_MAX ? left : HANDOUT_COPIES_MAX);
    acceptance->handed_out_max--;
    handout_add(acceptance->handouts[acceptance->handouts_count - 1], served, group, !may_store);
}

static bool has_its_bytes(const struct acceptance *acceptance, const struct incoming *incoming)
{
    return acceptance->content.length == 0 && acceptance->handouts_count == 1 &&
           acceptance->handouts[0]->count <= HANDOUT_INLINE_MAX && incoming->message.length <= DEFERRED_INLINE_MAX;
}

/* Their bytes before them, unless they are in the work for others, or in the only record. */
static void add_handouts(struct work *work, const struct incoming *incoming)
{
    struct acceptance *acceptance = work->details;
    const struct commit *with = NULL;
    if (acceptance->handouts_count && acceptance->content.length == 0 && !has_its_bytes(acceptance, incoming)) {
        acceptance->content = deferred_content_name(deferral_order(work->conversation), &work->arena);
        acceptance->content_commit = work->count;
        work->commits[work->count++] = deferred_content_commit(acceptance->content, incoming->message, &work->arena);
    }
    if (acceptance->content.length)
        with = &work->commits[acceptance->content_commit];
    for (size_t i = 0; i < acceptance->handouts_count; i++)
        handout_add_commits(work, acceptance->handouts[i], acceptance->content, incoming->message, with);
}

void acceptance_add_passing(struct work *work, const struct incoming *incoming, struct served *served, struct fate fate)
{
    struct acceptance *acceptance = work->details;
    acceptance->passing[acceptance->passing_count++] = relay_new_passing(incoming, served, fate);
}

void acceptance_add_record(struct work *work, struct fate fate, enum fate_step_kind kind, struct text detail)
{
    const struct acceptance *acceptance = work->details;
    fate = fate_with(&fate, kind, work->conversation->now.wall_ms, detail, &work->arena);
    if (kind == FATE_REFUSED)
        message_count(fate.group, acceptance->message, MESSAGE_REFUSED);
    work_add_fate(work, &fate);
}

void acceptance_note_failed(struct work *work, struct text recipient)
{
    struct acceptance *acceptance = work->details;
    acceptance->failed[acceptance->failed_count++] = text_copy(&work->arena, recipient);
}

/* One for the whole list that it was handed out or is kept, and one for each who does not get it (RFC 5438 §8.3). */
static void add_reports(struct work *work, const struct incoming *incoming, struct text group)
{
    struct acceptance *acceptance = work->details;
    const struct wanted *wanted = &incoming->wanted;
    const struct copy *copy = acceptance->count ? &acceptance->copies[0] : NULL;
    struct text about = group.length || !copy ? group : copy->fate.recipient;
    struct fate fate = incoming_fate(incoming, about, group);
    size_t failed = 0, failed_count = wanted->failures ? acceptance->failed_count : 0;
    bool named = failed_count && own_report_may_name(work->conversation, group, fate.sender);
    bool tell = wanted->processing && (group.length || (copy && !copy->served->domain));
    while (tell || failed < failed_count) {
        struct own_report_draft draft = own_report_draft(work, &fate, about, wanted->route, OWN_REPORT_PARTS);
        if (tell)
            own_report_say(&draft, about, true, TEXT("processing"),
                           acceptance->kept ? TEXT("stored") : TEXT("processed"));
        for (tell = false; failed < failed_count && draft.count < OWN_REPORT_PARTS; failed++)
            own_report_say(&draft, acceptance->failed[failed], named, TEXT("delivery"), TEXT("failed"));
        acceptance->reports[acceptance->reports_count++] = own_report_add(&draft);
    }
}

void acceptance_submit(struct work *work, const struct incoming *incoming, struct text group)
{
    struct acceptance *acceptance = work->details;
    add_handouts(work, incoming);
    acceptance->reporting = work->count;
    add_reports(work, incoming, group);
    acceptance->recording = work->count;
    acceptance->bytes = incoming->message;
    recording_add_sent(work, incoming, group);
    work_submit(work);
}

static bool may_be_there(const struct commit *commit)
{
    return commit->status == OK || commit->status == UNCERTAIN;
}

/* Nothing was accepted, so nothing may stay: what the disk took of a failed acceptance is taken back. */
static void undo(struct conversation *conversation, const struct work *failed)
{
    const struct acceptance *acceptance = failed->details;
    struct work *work = work_new(conversation,
                                 acceptance->count * 3 + acceptance->handouts_count * HANDOUT_END_COMMITS +
                                     RECORDING_COMMITS + acceptance->recording - acceptance->reporting,
                                 work_ignore);
    for (size_t i = 0; i < acceptance->count; i++) {
        const struct copy *copy = &acceptance->copies[i];
        const struct commit *commit = &failed->commits[copy->commit];
        if (may_be_there(commit))
            deferral_remove(work, &copy->deferred);
        if (!copy->deferred.plain_trace && may_be_there(commit + 1))
            acceptance_add_record(work, copy->fate, FATE_FAILED, TEXT("500 not stored"));
    }
    for (size_t i = 0; i < acceptance->handouts_count; i++)
        handout_take_back(work, acceptance->handouts[i]);
    for (size_t i = 0; i < acceptance->reports_count; i++)
        own_report_take_back(work, failed, &acceptance->reports[i]);
    for (size_t i = acceptance->recording; i < failed->count; i++) {
        const struct document_key *key = &failed->commits[i].key;
        struct text name = text_copy(&work->arena, key->name);
        if (text_equal(key->usage, TEXT(DOCUMENT_HISTORY)))
            work->count += history_remove(text_copy(&work->arena, key->owner), &name, 1, TEXT("im-glue"), &work->arena,
                                          work->commits + work->count);
    }
    work_submit(work);
}

/* What is on its way at once outlives the request. */
static void note_stored(struct work *work, struct copy *copy)
{
    struct conversation *conversation = work->conversation;
    const struct acceptance *acceptance = work->details;
    copy->deferred.version = work->commits[copy->commit].version;
    copy->is_here = served_reachable(conversation, copy->served);
    if (copy->deferred.plain_trace)
        work_note_kept(conversation, &copy->deferred, &copy->fate);
    message_count(copy->deferred.group, acceptance->message, MESSAGE_STORED);
    expiry_note(conversation, copy->deferred.expires_ms);
    if (copy->is_here)
        copy->deferred = deferral_copy(&copy->deferred, &work->arena);
}

static bool any_is_here(const struct acceptance *acceptance)
{
    for (size_t i = 0; i < acceptance->count; i++)
        if (acceptance->copies[i].is_here)
            return true;
    return false;
}

static void acceptance_done(struct conversation *conversation, struct work *work)
{
    const struct acceptance *acceptance = work->details;
    struct request *request = work->request;
    work->request = NULL;
    for (size_t i = 0; i < acceptance->count; i++)
        deferral_arrived(acceptance->copies[i].served, acceptance->copies[i].deferred.size);
    if (work_status(work) != OK) {
        for (size_t i = 0; i < acceptance->reports_count; i++)
            own_report_failed(&acceptance->reports[i]);
        for (size_t i = 0; i < acceptance->passing_count; i++)
            delivery_free(acceptance->passing[i]);
        log_error("message not stored call-id=%.*s message-id=%.*s status=%s",
                  TEXT_ARG(sip_call_id(request->message, &request->arena)), TEXT_ARG(request->message_id),
                  status_name(work_status(work)));
        undo(conversation, work); /* before the request goes: the fates refer to it */
        return request_answer_with(request, 500, "Message Not Stored", "Retry-After", TEXT("10"));
    }
    for (size_t i = 0; i < acceptance->count; i++)
        note_stored(work, &acceptance->copies[i]);
    bool any_here = any_is_here(acceptance);
    struct text bytes = any_here ? text_copy(&work->arena, acceptance->bytes) : (struct text){0};
    struct sip_message *read = any_here || acceptance->handouts_count ? sip_message_clone(request->onward) : NULL;
    request_answer(request, 202, NULL);
    for (size_t i = 0; i < acceptance->count; i++) {
        const struct copy *copy = &acceptance->copies[i];
        const struct fresh fresh = {copy->deferred, bytes, read};
        if (copy->is_own || !copy->is_here)
            queue_flush(conversation, copy->served);
        else
            queue_flush_fresh(conversation, copy->served, &fresh);
    }
    for (size_t i = 1; i < acceptance->handouts_count; i++)
        handout_begin(acceptance->handouts[i - 1], work, sip_message_clone(read));
    if (acceptance->handouts_count)
        handout_begin(acceptance->handouts[acceptance->handouts_count - 1], work, read);
    else
        sip_message_free(read);
    for (size_t i = 0; i < acceptance->passing_count; i++)
        delivery_send(acceptance->passing[i]);
    for (size_t i = 0; i < acceptance->reports_count; i++)
        own_report_done(work, &acceptance->reports[i]);
}
