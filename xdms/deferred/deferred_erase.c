/* What is deleted before it is delivered: by its owner, by an admin, and bytes that nothing refers to any more. */
#include "deferred.h"

#include "deferred_own.h"
#include "fate.h"

#define TRIES_MAX 16 /* rounds that may be lost to im-glue, which writes a record only after it tried to deliver it */

void deferred_plain_trace(const struct deferred *deferred, struct arena *arena, struct fate *trace_out)
{
    *trace_out = (struct fate){
        .message_id = deferred->message_id,
        .sender = deferred->sender,
        .recipient = deferred->owner,
        .group = deferred->group,
        .call_id = deferred->call_id,
    };
    *trace_out = fate_with(trace_out, FATE_RECEIVED, deferred->received_ms, TEXT(""), arena);
    if (deferred->plain_trace && deferred->away)
        *trace_out = fate_with(trace_out, FATE_STORED, deferred->received_ms, TEXT(DEFERRED_AWAY), arena);
}

/* The trace of the same message to the same user; another sender may have chosen the same id. */
static bool add_fate(const struct documents *documents, const struct deferred *deferred, struct text who,
                     int64_t now_ms, struct arena *arena, struct commit *commit_out)
{
    struct fate_erasures erasures;
    struct fate fate;
    if (deferred->plain_trace)
        deferred_plain_trace(deferred, arena, &fate);
    else if (fate_get_own(documents, deferred->message_id, deferred->owner, arena, &fate) != OK ||
             !text_equal(fate.sender, deferred->sender))
        return false;
    fate_erasures(documents, arena, &erasures);
    if (fate_is_erased(documents, &erasures, &fate, arena)) /* its sender; it waits all the same */
        return false;
    fate = fate_with(&fate, FATE_DELETED, now_ms, text_format(arena, "by %.*s", TEXT_ARG(who)), arena);
    *commit_out = fate_commit(&fate, arena);
    return true;
}

size_t deferred_erasure(const struct documents *documents, const struct deferred *deferred, struct text who,
                        int64_t now_ms, struct arena *arena, struct commit *commits)
{
    size_t count = deferred_end(deferred, DEFERRED_DELETED, who, now_ms, arena, commits), fate = count;
    count += add_fate(documents, deferred, who, now_ms, arena, &commits[count]);
    if (count > fate) /* whoever ended it otherwise has said so */
        commits[fate].only_with = &commits[0];
    commits[count++] = deferred_look(deferred->owner, DEFERRED_LOOK_CHANGED, arena);
    for (size_t i = 0; i < count; i++)
        commits[i].who = who;
    return count;
}

static enum status erase(const struct documents *documents, const struct deferred *deferred, struct text who,
                         int64_t now_ms, struct arena *arena)
{
    struct commit commits[ERASE_COMMITS];
    size_t count = deferred_erasure(documents, deferred, who, now_ms, arena, commits);
    document_internal_commit(documents, commits, count);
    deferred_count_ends(DEFERRED_DELETED, commits, count);
    return commits[0].status;
}

enum status deferred_erase(const struct documents *documents, struct text owner, struct text reference, struct text who,
                           int64_t now_ms, struct arena *arena)
{
    enum status status = CONFLICT;
    for (int tries = 0; status == CONFLICT && tries < TRIES_MAX; tries++) {
        struct deferred deferred;
        status = deferred_get(documents, owner, reference, arena, &deferred);
        if (status != OK)
            return status;
        if (deferred.outcome != DEFERRED_WAITING)
            return NOT_FOUND;
        status = erase(documents, &deferred, who, now_ms, arena);
    }
    return status;
}

enum status deferred_erase_all(const struct documents *documents, struct text owner, struct text who, int64_t now_ms,
                               size_t *count_out)
{
    struct deferred_page page = {.more = true};
    enum status status = OK;
    struct arena arena;
    *count_out = 0;
    arena_init(&arena, "erase");
    while (status == OK && page.more) {
        arena_reset(&arena);
        status = deferred_list(documents, owner, TEXT(""), ERASE_PAGE, &arena, &page);
        for (size_t i = 0; status == OK && i < page.count; i++) {
            status = deferred_erase(documents, owner, page.items[i].reference, who, now_ms, &arena);
            *count_out += status == OK;
            status = status == NOT_FOUND ? OK : status; /* it has just been delivered */
        }
    }
    arena_clear(&arena);
    return status;
}

enum status deferred_orphans(const struct documents *documents, int64_t before_ms, struct text after, size_t limit,
                             struct arena *arena, struct commit **commits_out, size_t *count_out, struct text *next_out)
{
    const struct document_key all = {TEXT(DOCUMENT_CONTENTS), TEXT(""), {0}};
    const struct document_key last = {TEXT(DOCUMENT_CONTENTS), TEXT(""), after};
    struct key_page keys;
    *next_out = (struct text){0};
    *count_out = 0;
    enum status status = document_internal_list(documents, &all, after.length ? &last : NULL, limit, arena, &keys);
    if (status != OK || keys.count == 0)
        return status;
    *commits_out = arena_array(arena, struct commit, keys.count);
    for (size_t i = 0; status == OK && i < keys.count; i++) {
        struct tally tally = {0};
        if (deferred_arrival(keys.keys[i].name) >= before_ms) /* the record may not have been written yet */
            continue;
        status = document_internal_tally(documents, TEXT(CLAIM_CONTENT), keys.keys[i].name, &tally);
        if (status == OK && tally.count == 0)
            (*commits_out)[(*count_out)++] = deferred_content_removal(keys.keys[i].name, arena);
    }
    if (keys.more)
        *next_out = keys.keys[keys.count - 1].name;
    return status;
}
