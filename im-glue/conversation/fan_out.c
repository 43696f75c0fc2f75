/* One message for many: a copy for each recipient whom his own rules and the house let have it, a record for the
 * others, and one answer when all of that is on disk. */
#include "conversation_private.h"
#include "domains_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "user.h"

/* Users that a message goes to already: a list may have two addresses of one. */
struct planned {
    UT_hash_handle hh;
    struct text address;
};

bool fan_out_begin(struct fan_out *fan_out, struct incoming *incoming, struct text address, size_t recipients)
{
    size_t length = incoming->message.length;
    if (recipients && length > CONVERSATION_FAN_OUT_BYTES_MAX / recipients) {
        incoming_refuse(incoming, address, 513, "Message too large, use large message mode",
                        TEXT("too large for so many recipients"));
        return false;
    }
    if (!sender_charge_copies(incoming->request, recipients, length))
        return false;
    *fan_out = (struct fan_out){.incoming = incoming, .address = address};
    fan_out->work = acceptance_new(incoming, recipients ? recipients : 1);
    return true;
}

static bool plan_once(struct fan_out *fan_out, struct text address)
{
    struct planned *found;
    HASH_FIND(hh, fan_out->planned, address.bytes, address.length, found);
    if (found)
        return false;
    found = arena_new(&fan_out->incoming->request->arena, struct planned);
    found->address = address;
    HASH_ADD_KEYPTR(hh, fan_out->planned, found->address.bytes, found->address.length, found);
    return true;
}

void fan_out_note(struct fan_out *fan_out, struct text group, struct text recipient, enum fate_step_kind kind,
                  struct text detail)
{
    acceptance_add_record(fan_out->work, incoming_fate(fan_out->incoming, recipient, group), kind, detail);
    if (kind != FATE_RECEIVED && !text_equal(recipient, fan_out->address)) /* a list of it that was not found */
        acceptance_note_failed(fan_out->work, recipient);
}

struct plan {
    struct text group, entry;
    bool may_store;
};

/* What cannot be counted counts as nothing: the write that follows tells. Nobody else keeps anything for him, so that
 * nothing need not be looked at again. */
static void read_figures(struct fan_out *fan_out, struct served *served, struct deferred_figures *his_out)
{
    const struct documents *documents = fan_out->work->conversation->documents;
    *his_out = (struct deferred_figures){0};
    if (!fan_out->all_known && deferred_figures(documents, TEXT(""), &fan_out->all) != OK)
        fan_out->all = (struct deferred_figures){0};
    fan_out->all_known = true;
    if (served->nothing_waits)
        return;
    if (deferred_figures(documents, text_of(served->address), his_out) != OK)
        *his_out = (struct deferred_figures){0};
    else
        served->nothing_waits = his_out->count == 0 && !served->arriving && !served->copies_count;
}

static void plan_copy(struct fan_out *fan_out, const struct plan *plan, struct served *served)
{
    const struct incoming *incoming = fan_out->incoming;
    struct incoming own;
    struct text group = plan->group;
    if (entry_adapt(incoming, plan->entry, &own))
        incoming = &own;
    struct conversation *conversation = incoming->request->conversation;
    struct text address = text_of(served->address);
    bool may_store = plan->may_store && incoming->deferrable;
    if (!may_store && !served_reachable(conversation, served))
        return fan_out_note(fan_out, group, address, FATE_FAILED, TEXT("480 away, and nothing may be kept"));
    if (!incoming->deferrable)
        return acceptance_add_passing(fan_out->work, incoming, served, incoming_fate(incoming, address, group));
    struct deferred_figures his = {0};
    struct deferral_excess excess;
    read_figures(fan_out, served, &his);
    if (deferral_excess_of(conversation, served, &his, &fan_out->all, incoming->message.length, &excess) &&
        !deferral_make_room(conversation, served, incoming->message.length))
        return fan_out_note(fan_out, group, address, FATE_FAILED, TEXT("480 too many messages are waiting"));
    if (handout_may_take(conversation, incoming, served, &his))
        return acceptance_hand_out(fan_out->work, incoming, served, group, may_store);
    acceptance_add_copy(fan_out->work, incoming, served, incoming_fate(incoming, address, group), may_store);
}

/* Where people are blocked politely, nobody is told. */
static void note_blocked(struct fan_out *fan_out, struct text group, struct text address,
                         const struct group_decision *decision)
{
    struct text detail =
        text_format(&fan_out->work->arena, "403 rule '%.*s' of the recipient", TEXT_ARG(decision->rule));
    if (fan_out->work->conversation->settings.block_politely)
        acceptance_add_record(fan_out->work, incoming_fate(fan_out->incoming, address, group), FATE_REFUSED, detail);
    else
        fan_out_note(fan_out, group, address, FATE_REFUSED, detail);
}

/* Whoever it is has an account here, and his rules let it through or say why not. */
static void plan_user(struct fan_out *fan_out, struct plan plan, const struct user *user)
{
    struct incoming *incoming = fan_out->incoming;
    struct conversation *conversation = incoming->request->conversation;
    struct group_decision decision;
    struct text address = user->address;
    if (user->no_messages)
        return fan_out_note(fan_out, plan.group, address, FATE_REFUSED, TEXT("403 he is without messages"));
    if (group_decide(conversation->groups, address, &incoming->sender, &incoming->request->arena, &decision) != OK)
        return fan_out_note(fan_out, plan.group, address, FATE_FAILED, TEXT("500 rules not readable"));
    if (decision.verdict == GROUP_BLOCK)
        return note_blocked(fan_out, plan.group, address, &decision);
    plan.may_store = decision.may_store;
    plan_copy(fan_out, &plan, served_of(conversation, user));
}

void fan_out_add(struct fan_out *fan_out, struct text group, struct text recipient, struct text entry)
{
    const struct plan plan = {.group = group, .entry = entry, .may_store = true};
    struct request *request = fan_out->incoming->request;
    struct conversation *conversation = request->conversation;
    struct user user;
    switch (person_find(conversation, recipient, &request->arena, &user)) {
    case OK:
        if (plan_once(fan_out, user.address))
            plan_user(fan_out, plan, &user);
        return;
    case NOT_FOUND:
        if (domain_is_ours(conversation, uri_domain(recipient)))
            return fan_out_note(fan_out, group, recipient, FATE_REFUSED, TEXT("404 no such user"));
        if (!outbound_allows(conversation, recipient))
            return fan_out_note(fan_out, group, recipient, FATE_REFUSED, TEXT("404 domain not served"));
        if (plan_once(fan_out, recipient))
            plan_copy(fan_out, &plan, domain_served(conversation, recipient));
        return;
    default: fan_out_note(fan_out, group, recipient, FATE_FAILED, TEXT("500 user not readable"));
    }
}

void fan_out_end(struct fan_out *fan_out)
{
    HASH_CLEAR(hh, fan_out->planned);
    acceptance_submit(fan_out->work, fan_out->incoming, fan_out->address);
}
