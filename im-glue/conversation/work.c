/* Commits on their way to the disk: submitted here, answered on the committer's thread, carried on by the tick. */
#include "conversation_private.h"

struct work *work_new(struct conversation *conversation, size_t commits_max, work_fn *then)
{
    struct work *work = memory_new(sizeof(*work));
    arena_init(&work->arena, "work");
    work->conversation = conversation;
    work->commits = arena_array(&work->arena, struct commit, commits_max);
    work->then = then;
    return work;
}

/* On the committer's thread, or inside work_submit. */
static void work_completed(void *context)
{
    struct work *work = context;
    struct conversation *conversation = work->conversation;
    pthread_mutex_lock(&conversation->lock);
    work->next = NULL;
    *conversation->completed_end = work;
    conversation->completed_end = &work->next;
    pthread_mutex_unlock(&conversation->lock);
    conversation->wake(conversation->wake_context);
}

void work_submit(struct work *work)
{
    struct conversation *conversation = work->conversation;
    conversation->pending++;
    if (work->count == 0)
        work_completed(work);
    else
        document_internal_submit(conversation->documents, work->commits, work->count, work_completed, work);
}

void work_drop(struct work *work)
{
    arena_clear(&work->arena);
    free(work);
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
        work->then(conversation, work);
        recording_done(conversation, work);
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
    work->commits[work->count++] = fate_commit(fate, &work->arena);
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
