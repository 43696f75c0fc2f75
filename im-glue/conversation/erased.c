/* Who was erased must not come back with what is written down later: with records that wait for others, with the end of
 * what waited for somebody else, with what a contact answers in the end. */
#include "conversation_private.h"

#define LOOK_MS     250 /* a record that is not among those that wait looks at what is known from so long ago */
#define REVISED_MAX 8   /* each erasure is two reasons for one more; where many are erased in a row, they must end */

void erased_look(struct conversation *conversation)
{
    struct arena arena;
    arena_init(&arena, "erased");
    fate_erasures(conversation->documents, &arena, &conversation->erasures);
    conversation->erasures_at_ms = conversation->now.monotonic_ms;
    arena_clear(&arena);
}

bool erased_is_about(struct conversation *conversation, const struct fate *fate, struct arena *arena)
{
    if (conversation->now.monotonic_ms - conversation->erasures_at_ms >= LOOK_MS)
        erased_look(conversation);
    return fate_is_erased(conversation->documents, &conversation->erasures, fate, arena);
}

void erased_guard(struct work *work)
{
    struct conversation *conversation = work->conversation;
    erased_look(conversation);
    work->is_guarded = true;
    work->commits[work->count++] = fate_no_erasure_since(&conversation->erasures, &work->arena);
}

void erased_hang_on_guard(struct work *work)
{
    for (size_t i = 1; i < work->count; i++)
        if (!work->commits[i].only_with)
            work->commits[i].only_with = &work->commits[0];
}

/* None of it was written. */
bool erased_revise(struct work *work)
{
    struct conversation *conversation = work->conversation;
    if (!work->is_guarded || work->commits[0].status != CONFLICT)
        return false;
    erased_look(conversation);
    work->commits[0] = fate_no_erasure_since(&conversation->erasures, &work->arena);
    if (++work->revised >= REVISED_MAX)
        work->commits[0].expected = VERSION_ANY; /* who was not erased a moment ago */
    for (size_t i = 1; i < work->count; i++) {
        const struct commit *with = work->commits[i].only_with;
        fate_revise(conversation->documents, &conversation->erasures, &work->arena, &work->commits[i]);
        work->commits[i].only_with = with;
    }
    return true;
}
