/* Commits on their way to the disk: submitted here, answered on the committer's thread, carried on by the tick. */
#include "conversation_private.h"
#include "handout_private.h"
#include "kept_private.h"

/* What goes to the disk together: of the fastest relay what comes in 250 ms, so that time ends it and not these. */
#define RECORDS_MAX       16384
#define RECORDS_BYTES_MAX (16u << 20) /* until it is on the disk; a trace of a large group has hundreds of KB */

struct work *work_new(struct conversation *conversation, size_t commits_max, work_fn *then)
{
    struct work *work = memory_take(sizeof(*work));
    *work = (struct work){.conversation = conversation};
    arena_init(&work->arena, "work");
    /* Each is written as a whole when it is added, and there may be thousands that are not. */
    work->commits = arena_alloc_raw(&work->arena, commits_max * sizeof(*work->commits));
    work->then = then;
    return work;
}

/* On the committer's thread, or inside work_submit. */
static void work_completed(void *context)
{
    struct work *work = context;
    struct conversation *conversation = work->conversation;
    pthread_mutex_lock(&conversation->lock);
    bool first = conversation->completed == NULL;
    work->next = NULL;
    *conversation->completed_end = work;
    conversation->completed_end = &work->next;
    pthread_mutex_unlock(&conversation->lock);
    if (first) /* all that wait are taken at once */
        conversation->wake(conversation->wake_context);
}

static void submit(struct work *work)
{
    struct conversation *conversation = work->conversation;
    conversation->pending++;
    if (work->count == 0)
        work_completed(work);
    else
        document_internal_submit(conversation->documents, work->commits, work->count, work_completed, work);
}

void work_submit(struct work *work)
{
    /* Of two records of one message the later one must stay. */
    if (work->has_fates)
        work_submit_records(work->conversation);
    submit(work);
}

/* --- records that nobody waits for ------------------------------------------------------------------------------ */

void work_submit_guarded(struct work *work)
{
    erased_hang_on_guard(work);
    submit(work);
}

void work_submit_records(struct conversation *conversation)
{
    struct work *records = conversation->records;
    conversation->records = NULL;
    if (!records)
        return;
    conversation->records_at_ms = conversation->now.monotonic_ms;
    work_submit_guarded(records);
}

int64_t work_deadline(const struct conversation *conversation)
{
    return conversation->records ? conversation->records_at_ms + conversation->settings.records_ms : INT64_MAX;
}

static void records_done(struct conversation *conversation, struct work *work)
{
    for (struct handout *handout = work->handouts, *next; handout; handout = next) {
        next = handout->next;
        handout_ended(handout, work);
    }
    queue_taken_ended(conversation, work);
}

struct work *work_records(struct conversation *conversation)
{
    if (!conversation->records) {
        conversation->records = work_new(conversation, 1 + RECORDS_MAX + HANDOUT_END_COMMITS, records_done);
        conversation->records->room = conversation->records->arena.total;
        erased_guard(conversation->records);
    }
    return conversation->records;
}

void work_records_added(struct conversation *conversation)
{
    const struct work *records = conversation->records;
    if (records->count >= RECORDS_MAX || records->arena.total - records->room >= RECORDS_BYTES_MAX ||
        work_deadline(conversation) <= conversation->now.monotonic_ms)
        work_submit_records(conversation);
}

void work_note_fate(struct conversation *conversation, const struct fate *fate)
{
    work_add_fate(work_records(conversation), fate);
    work_records_added(conversation);
}

void work_note_kept(struct conversation *conversation, const struct deferred *deferred, const struct fate *fate)
{
    struct work *records = work_records(conversation);
    records->commits[records->count++] = deferred_unchanged(deferred, &records->arena);
    work_add_fate(records, fate);
    records->commits[records->count - 1].only_with = &records->commits[records->count - 2];
    work_records_added(conversation);
}

void work_note_report(struct conversation *conversation, const struct fate *about, struct text kind, struct text status)
{
    struct work *records = work_records(conversation);
    if (erased_is_about(conversation, about, &records->arena))
        return;
    records->commits[records->count++] =
        fate_report_commit(about, kind, status, conversation->now.wall_ms, &records->arena);
    work_records_added(conversation);
}

void work_note_handout(struct handout *handout)
{
    struct conversation *conversation = handout->conversation;
    struct work *records = work_records(conversation);
    handout_add_end(records, handout, NULL);
    handout->next = records->handouts;
    records->handouts = handout;
    work_records_added(conversation);
}

void work_drop(struct work *work)
{
    arena_clear(&work->arena);
    memory_give(work, sizeof(*work));
}

static struct work *take_completed(struct conversation *conversation)
{
    pthread_mutex_lock(&conversation->lock);
    struct work *work = conversation->completed;
    if (work) {
        conversation->completed = work->next;
        if (!conversation->completed)
            conversation->completed_end = &conversation->completed;
    }
    pthread_mutex_unlock(&conversation->lock);
    return work;
}

void work_run_completed(struct conversation *conversation)
{
    for (struct work *work; (work = take_completed(conversation));) {
        conversation->pending--;
        if (erased_revise(work)) {
            submit(work);
            continue;
        }
        work->then(conversation, work);
        recording_done(conversation, work);
        summary_written(conversation, work);
        work_drop(work);
    }
}

enum status work_status(const struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        if (work->commits[i].status != OK)
            return work->commits[i].status;
    return OK;
}

void work_add_fate(struct work *work, const struct fate *fate)
{
    work->has_fates = true;
    bool erased = erased_is_about(work->conversation, fate, &work->arena);
    work->commits[work->count++] = erased ? fate_no_commit() : fate_commit(fate, &work->arena);
}

void work_add_deletion(struct work *work, const char *usage, struct text owner, struct text name)
{
    work->commits[work->count++] = (struct commit){
        .key = {text_of(usage), text_copy(&work->arena, owner), text_copy(&work->arena, name)},
        .expected = VERSION_ANY,
        .deletion = true,
        .who = TEXT("im-glue"),
    };
}

void work_ignore(struct conversation *conversation, struct work *work)
{
    (void)conversation;
    (void)work;
}
