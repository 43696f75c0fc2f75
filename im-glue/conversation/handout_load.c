/* Fan-out records that a server which died has left: nobody knows who has taken his copy, so that each who still stands
 * there gets a record of his own, and one copy more at most. */
#include "handout_private.h"
#include "kept_private.h"
#include "log.h"

static bool is_at_work(const struct conversation *conversation, struct text name)
{
    const struct handout *handout;
    TAILQ_FOREACH(handout, &conversation->handouts_all, all)
    {
        if (text_equal(handout->record.name, name))
            return true;
    }
    return false;
}

static struct served *served_there(struct conversation *conversation, struct text address, struct arena *arena)
{
    struct user user;
    bool is_ours = user_find(conversation->documents, address, arena, &user) == OK;
    return is_ours ? served_of(conversation, &user) : served_get(conversation, address);
}

/* Fate and record of one of them; a transaction that went only half way may have written them. */
static size_t add_own(struct conversation *conversation, const struct deferred_fan_out *fan_out,
                      const struct deferred_copy *copy, struct arena *arena, struct commit *commits)
{
    enum deferred_priority place = deferral_place(conversation, fan_out->shared.priority);
    struct deferred own = deferred_of_copy(fan_out, copy, place, arena);
    struct fate fate = {.message_id = own.message_id,
                        .sender = own.sender,
                        .recipient = own.owner,
                        .group = own.group,
                        .call_id = own.call_id};
    if (deferred_copy_is_there(conversation->documents, &own, arena))
        return 0;
    struct served *served = served_there(conversation, own.owner, arena);
    served->nothing_waits = false;
    deferral_cut_lifetime(served, &own);
    fate = fate_with(&fate, FATE_RECEIVED, own.received_ms, TEXT(""), arena);
    commits[0] = deferred_commit(&own, arena);
    if (fan_out->untraced)
        return 1;
    commits[1] = fate_commit(&fate, arena);
    return 2;
}

/* All of it or nothing: what is not there yet is taken up again. */
static void load_one(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct deferred_fan_out fan_out;
    if (is_at_work(conversation, key->name))
        return;
    enum status status = deferred_fan_out_get(conversation->documents, key->name, arena, &fan_out);
    if (status == NOT_FOUND)
        return;
    if (status != OK) {
        log_error("fan-out record is damaged name=%.*s", TEXT_ARG(key->name));
        return;
    }
    struct commit *commits = arena_array(arena, struct commit, fan_out.count * 2 + 2 + DEFERRED_END_COMMITS);
    const struct fate_fan_out trace = {
        .name = fan_out.name, .message_id = fan_out.shared.message_id, .sender = fan_out.shared.sender};
    const struct commit *last = commits; /* only if nobody was erased out of it meanwhile */
    size_t count = 0;
    commits[count++] = deferred_fan_out_commit(&fan_out, arena);
    for (size_t i = 0; i < fan_out.count; i++) {
        size_t added = add_own(conversation, &fan_out, &fan_out.copies[i], arena, &commits[count]);
        for (size_t j = 0; j < added; j++, last = &commits[count - 1])
            commits[count++].only_with = last;
    }
    size_t rest = count;
    fan_out.version = 0; /* it is written anew above */
    commits[count++] = fate_fan_out_removal(&trace, arena);
    count += deferred_fan_out_end(&fan_out, arena, &commits[count]);
    for (size_t i = rest; i < count; i++)
        commits[i].only_with = last;
    status = document_internal_commit(conversation->documents, commits, count);
    if (status != OK)
        log_error("fan-out record not taken up name=%.*s status=%s", TEXT_ARG(key->name), status_name(status));
    else
        log_info("fan-out record taken up message-id=%.*s copies=%zu", TEXT_ARG(fan_out.shared.message_id),
                 fan_out.count);
    conversation->handouts_left = conversation->handouts_left || status != OK;
}

void handout_load(struct conversation *conversation)
{
    conversation->handouts_left = false;
    served_load_records(conversation, DOCUMENT_FAN_OUTS, load_one);
}
