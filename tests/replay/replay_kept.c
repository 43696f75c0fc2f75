/* Words about what is kept for users: their histories, and what xdms leaves for im-glue. */
#include "deferred.h"
#include "history.h"
#include "metrics.h"
#include "replay_script.h"

#define ENTRIES_MAX 100 /* of a history that is looked at */

/* "look bob retry|gone": as xdms leaves it for im-glue. */
void word_look(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line));
    struct text what = script_word(&line);
    enum deferred_look look = text_equal(what, TEXT("retry")) ? DEFERRED_LOOK_RETRY : DEFERRED_LOOK_GONE;
    struct commit commit = deferred_look(address, look, &world->arena);
    (void)block;
    if (document_internal_commit(world->documents, &commit, 1) != OK)
        world_fail(world, "nothing can be left to be looked at");
}

/* 0: there is no such series. */
static uint64_t value_of(struct text metrics, struct text series)
{
    struct text line;
    uint64_t value = 0;
    for (bool more = true; more;) {
        more = text_cut(metrics, '\n', &line, &metrics);
        if (text_starts_with(line, series) && line.length > series.length && line.bytes[series.length] == ' ')
            text_to_u64(text_slice(line, series.length + 1, line.length), &value);
    }
    return value;
}

/* "counted SERIES 2": so much has monitoring counted since the story began. */
void word_counted(struct world *world, struct text line, struct text block)
{
    struct text series = script_word(&line), number = script_word(&line);
    uint64_t wanted = 0;
    (void)block;
    uint64_t counted = value_of(metrics_write(&world->arena), series) - value_of(world->metrics, series);
    if (!text_to_u64(number, &wanted) || counted != wanted)
        world_fail(world, "%llu are counted", (unsigned long long)counted);
}

/* "listed bob": he has read what waits for him, as by XCAP. */
void word_listed(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line));
    (void)block;
    deferred_records.listed(world->documents, address, world->now.wall_ms, &world->arena);
}

/* "history bob 2 sent|got "TEXT"…": so many entries ("1-2": from one to two), of which the newest is so and holds these
 * in its line. */
void word_history(struct world *world, struct text line, struct text block)
{
    struct text address = script_address(world, script_word(&line)), number = script_word(&line),
                role = script_word(&line);
    struct history_entry *entries;
    struct text message;
    size_t count;
    uint64_t least = 0, most = 0;
    struct text low, high;
    bool more;
    (void)block;
    bool ranged = text_cut(number, '-', &low, &high);
    if (!text_to_u64(low, &least) || !text_to_u64(ranged ? high : low, &most) ||
        history_list(world->documents, address, (struct text){0}, ENTRIES_MAX, &world->arena, &entries, &count,
                     &more) != OK)
        return world_fail(world, "the history cannot be read");
    if (count < least || count > most)
        return world_fail(world, "there are %zu entries", count);
    if (role.length == 0)
        return;
    struct history_entry *last = &entries[count - 1];
    if (history_get(world->documents, address, last->reference, &world->arena, last, &message) != OK)
        return world_fail(world, "the message of the entry cannot be read");
    struct text seen =
        text_format(&world->arena, "from %.*s to %.*s group %.*s subject %.*s body %.*s", TEXT_ARG(last->from),
                    TEXT_ARG(last->to), TEXT_ARG(last->group), TEXT_ARG(last->subject), TEXT_ARG(message));
    if (text_equal(role, TEXT("sent")) != last->sent)
        return world_fail(world, "the newest entry is %s", last->sent ? "sent" : "got");
    for (struct text text = script_word(&line); text.length; text = script_word(&line))
        if (text_find(seen, text) == seen.length)
            return world_fail(world, "no '%.*s' in the newest entry: %.*s", TEXT_ARG(text), TEXT_ARG(seen));
}

static struct text waiting_reference(struct world *world, struct text owner, size_t nth)
{
    struct deferred_page page;
    bool found = deferred_list(world->documents, owner, TEXT(""), nth, &world->arena, &page) == OK && page.count == nth;
    return found ? page.items[nth - 1].reference : (struct text){0};
}

static struct text history_reference(struct world *world, struct text owner, size_t nth)
{
    struct history_entry *entries;
    size_t count;
    bool more,
        found = history_list(world->documents, owner, TEXT(""), nth, &world->arena, &entries, &count, &more) == OK &&
                count == nth;
    return found ? entries[nth - 1].reference : (struct text){0};
}

bool kept_reference(struct world *world, struct text owner, struct text what, struct text *reference_out)
{
    struct text kind, number;
    uint64_t nth = 0;
    if (!text_cut(what, ' ', &kind, &number) || !text_to_u64(number, &nth) || nth == 0 || nth > ENTRIES_MAX)
        return false;
    owner = script_address(world, owner);
    *reference_out = text_equal(kind, TEXT("waiting")) ? waiting_reference(world, owner, (size_t)nth)
                                                       : history_reference(world, owner, (size_t)nth);
    return reference_out->length > 0;
}
