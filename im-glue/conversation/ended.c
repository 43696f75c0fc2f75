/* Tells senders of kept messages that ended without being delivered (RFC 5438 §12.2), if they asked for it: those of
 * one message that end together in one report, each once, also after a restart. */
#include "kept_private.h"
#include "log.h"
#include "own_report.h"

struct telling {
    struct own_report reports[ENDED_PAGE];
    const struct deferred *about[ENDED_PAGE]; /* each of them */
    size_t count;
};

static bool is_same_message(const struct deferred *a, const struct deferred *b)
{
    return text_equal(a->message_id, b->message_id) && text_equal(a->sender, b->sender) &&
           text_equal(a->group, b->group);
}

static bool is_told_already(const struct deferred *items, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_same_message(&items[i], &items[index]))
            return true;
    return false;
}

static struct own_report tell(struct work *work, const struct deferred *items, size_t begin, size_t count)
{
    const struct deferred *first = &items[begin];
    const struct fate about = {.message_id = first->message_id, .sender = first->sender, .call_id = first->call_id};
    struct text from = first->group.length ? first->group : first->owner;
    struct own_report_draft draft = own_report_draft(work, &about, from, first->route, count - begin);
    bool named = own_report_may_name(work->conversation, first->group, first->sender);
    for (size_t i = begin; i < count; i++)
        if (is_same_message(first, &items[i]))
            own_report_say(&draft, items[i].owner, named, TEXT("delivery"), TEXT("failed"));
    return own_report_add(&draft);
}

void ended_tell(struct work *work, const struct deferred *items, size_t count)
{
    struct telling *telling = arena_new(&work->arena, struct telling);
    work->details = telling;
    for (size_t i = 0; i < count; i++) {
        log_info("deferred message ended call-id=%.*s message-id=%.*s to=%.*s outcome=%s why=%.*s",
                 TEXT_ARG(items[i].call_id), TEXT_ARG(items[i].message_id), TEXT_ARG(items[i].owner),
                 deferred_outcome_name(items[i].outcome), TEXT_ARG(items[i].error));
        if (is_told_already(items, i))
            continue;
        telling->about[telling->count] = &items[i];
        telling->reports[telling->count++] = tell(work, items, i, count);
    }
}

const struct commit *ended_report(const struct work *work, const struct deferred *item)
{
    const struct telling *telling = work->details;
    for (size_t i = 0; i < telling->count; i++)
        if (telling->reports[i].addressee && is_same_message(telling->about[i], item))
            return &work->commits[telling->reports[i].record];
    return NULL;
}

/* What did not get to the disk is said again: nothing may stand there that says that it was. */
void ended_told(const struct work *work)
{
    const struct telling *telling = work->details;
    struct work *back = work_new(work->conversation, work->count + 1, work_ignore);
    for (size_t i = 0; i < telling->count; i++) {
        const struct own_report *report = &telling->reports[i];
        own_report_done(work, report);
        if (report->addressee && work->commits[report->record].status != OK)
            own_report_take_back(back, work, report);
    }
    if (back->count)
        work_submit(back);
    else
        work_drop(back);
}
