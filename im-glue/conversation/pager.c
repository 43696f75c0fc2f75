/* MESSAGE (RFC 3428): finds who is meant, and relays, stores, fans out or refuses. Nothing is accepted before it is on
 * disk; body bytes are never touched. */
#include "delivery_private.h"
#include "domains_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "own_report.h"
#include "reports_private.h"
#include "target_private.h"
#include "user.h"

static void to_group(struct incoming *incoming, const struct group *group);
static void to_user(struct incoming *incoming, struct text address);

void pager_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct incoming incoming;
    const struct group *group;
    if (!request_authenticate(request, true) || !device_resolve(request))
        return;
    struct text target = imdn_route_follow(request);
    if (services_are(conversation, target))
        return services_receive(request, target);
    bool with_list = exploder_is(conversation, target);
    if (!incoming_read(request, with_list ? target : (struct text){0}, &incoming))
        return;
    if (with_list && delivery_is_ours(request, NULL))
        return request_answer(request, 482, NULL);
    if (with_list) {
        message_count(target, incoming_content(&incoming), MESSAGE_RECEIVED);
        return exploder_receive(&incoming);
    }
    if (target.length == 0)
        return request_answer(request, 416, NULL);
    /* An address with parameters may be a list beside the user who has it without. */
    struct text uri = sip_request_uri(request->message, &request->arena), whole = target;
    if (text_find_char(uri, ';') < uri.length)
        whole = uri_canonical_whole(&request->arena, uri);
    if (!text_equal(whole, target) && shared_list_receive(&incoming, whole))
        return;
    switch (group_find(conversation->groups, target, &group)) {
    case OK:
        message_count(target, incoming_content(&incoming), MESSAGE_RECEIVED);
        to_group(&incoming, group);
        break;
    case NOT_FOUND:
        message_count((struct text){0}, incoming_content(&incoming), MESSAGE_RECEIVED);
        if (request->visit.originating && request->visit.route.length)
            isc_go_on(&incoming, target);
        else
            to_user(&incoming, target);
        break;
    default: request_answer_with(request, 500, "Group Not Readable", "Retry-After", TEXT("5"));
    }
}

/* --- groups --- */

static void fan_out(struct incoming *incoming, struct text address, const struct text *members, size_t count)
{
    struct fan_out fan_out;
    if (!fan_out_begin(&fan_out, incoming, address, count))
        return;
    for (size_t i = 0; i < count; i++)
        fan_out_add(&fan_out, address, members[i], (struct text){0});
    if (count == 0)
        fan_out_note(&fan_out, address, address, FATE_RECEIVED, TEXT("nobody else is in the group"));
    fan_out_end(&fan_out);
}

/* What many would get, many might answer: a report is for who sent the message, and only that. */
static void report_to_group(struct incoming *incoming, struct text group)
{
    struct text address;
    if (!reports_addressee(incoming, group, &address))
        return incoming_refuse(incoming, group, 403, WARNING_FORBIDDEN " Function not allowed due to policy",
                               TEXT("a report of no message from here"));
    to_user(incoming, address);
}

static void to_group(struct incoming *incoming, const struct group *group)
{
    struct request *request = incoming->request;
    struct groups *groups = request->conversation->groups;
    const struct group_sender sender = incoming_asks_group(incoming);
    const struct text *members, *missing;
    size_t count, missing_count;
    struct text rule, address = text_copy(&request->arena, group_uri(group));
    incoming->group_name = text_copy(&request->arena, group_display_name(group));
    if (delivery_is_ours(request, NULL))
        return request_answer(request, 482, NULL);
    if (incoming->report)
        return report_to_group(incoming, address);
    if (!group_may_send(groups, group, &sender, &rule))
        return incoming_refuse(incoming, address, incoming->anonymous ? 433 : 403,
                               WARNING_FORBIDDEN " Function not allowed due to group policy",
                               text_copy(&request->arena, rule));
    switch (group_fan_out(groups, group, &sender, &request->arena, &members, &count, &missing, &missing_count)) {
    case OK: break;
    case REFUSED:
        return incoming_refuse(incoming, address, 403, WARNING_MANY " Too many participants", TEXT("too many members"));
    default: return request_answer_with(request, 500, "Group Not Readable", "Retry-After", TEXT("5"));
    }
    for (size_t i = 0; i < missing_count; i++)
        log_warning("list of a group not found call-id=%.*s message-id=%.*s group=%.*s list=%.*s",
                    TEXT_ARG(incoming->call_id), TEXT_ARG(incoming->message_id), TEXT_ARG(address),
                    TEXT_ARG(missing[i]));
    fan_out(incoming, address, members, count);
}

/* --- one user --- */

static void store_one(struct incoming *incoming, struct served *served)
{
    struct work *work = acceptance_new(incoming, 1);
    acceptance_add_copy(work, incoming, served, incoming_fate(incoming, text_of(served->address), (struct text){0}),
                        true);
    acceptance_submit(work, incoming, (struct text){0});
}

/* Relayed when nothing waits before it; what may be kept goes behind what waits, to arrive in the order it was sent. So
 * does what rules say is to be deferred. */
static void pass_on(struct incoming *incoming, struct served *served, bool may_store, bool defer)
{
    struct conversation *conversation = incoming->request->conversation;
    struct text address = text_of(served->address);
    const struct visit *visit = &incoming->request->visit;
    bool is_second = visit->is && !visit->originating; /* what is on its way may be the same, for its sender */
    if (!is_second && delivery_is_ours(incoming->request, served))
        return request_answer(incoming->request, 482, NULL);
    bool behind = may_store && (defer || served_is_behind(conversation, served));
    bool is_there = visit->route.length ? isc_goes_back(conversation, incoming->request, served)
                                        : served_reachable(conversation, served);
    if (is_there && !behind)
        return relay_begin(incoming, served, may_store);
    if (!may_store && served->domain)
        return request_answer_with(incoming->request, 503, NULL, "Retry-After", TEXT("5"));
    if (!may_store)
        return incoming_refuse(incoming, address, 480, NULL, TEXT("away, and nothing may be kept"));
    if (!deferral_make_room(conversation, served, incoming->message.length))
        return deferral_refuse(incoming, address);
    store_one(incoming, served);
}

/* Its server decides; here it is only seen to that it gets there. */
static void to_foreigner(struct incoming *incoming, struct text address)
{
    struct conversation *conversation = incoming->request->conversation;
    if (!outbound_may(incoming, address))
        return;
    pass_on(incoming, domain_served(conversation, text_copy(&incoming->request->arena, address)), incoming->deferrable,
            false);
}

/* The sender hears what he would hear if he were not blocked. */
static void refuse_politely(struct incoming *incoming, const struct user *user, const struct group_decision *decision,
                            struct text detail)
{
    struct request *request = incoming->request;
    const struct fate fate = incoming_fate(incoming, user->address, (struct text){0});
    int kept = decision->may_store && incoming->deferrable ? 202 : 480;
    bool is_there = served_reachable(request->conversation, served_of(request->conversation, user));
    if (!incoming->wanted.processing || (!is_there && kept != 202))
        return incoming_refuse(incoming, user->address, is_there ? 200 : kept, NULL, detail);
    incoming_note_refused(incoming, user->address, is_there ? 200 : kept, detail);
    own_report_answer(request, is_there ? 200 : kept, &fate, incoming->wanted.route,
                      is_there ? TEXT("processed") : TEXT("stored"));
}

static void refuse_blocked(struct incoming *incoming, const struct user *user, const struct group_decision *decision)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct text detail = text_format(&request->arena, "rule '%.*s' of the recipient", TEXT_ARG(decision->rule));
    if (conversation->settings.block_politely && !incoming->anonymous)
        return refuse_politely(incoming, user, decision, detail);
    incoming_refuse(incoming, user->address, incoming->anonymous ? 433 : conversation->settings.block_status,
                    WARNING_FORBIDDEN " Function not allowed due to user authorisation", detail);
}

/* RFC 3261 §19.1.6: "sip:+1-555-0100@example.com;user=phone" is the number; empty: it is none. */
static struct text number_in(struct request *request)
{
    struct arena *arena = &request->arena;
    struct text kind;
    struct uri uri;
    if (!uri_parse(sip_request_uri(request->message, arena), &uri) ||
        !uri_parameter(uri.parameters, TEXT("user"), &kind) || !text_equal_nocase(kind, TEXT("phone")) ||
        !text_starts_with(uri.user, TEXT("+")) || !domain_is_ours(request->conversation, uri.host))
        return (struct text){0};
    return uri_canonical(arena, text_join(arena, TEXT("tel:"), uri.user));
}

static void to_user(struct incoming *incoming, struct text address)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct group_decision decision;
    struct text number;
    struct user user;
    switch (person_find(conversation, address, &request->arena, &user)) {
    case OK: address = user.address; break; /* whichever of his it was */
    case NOT_FOUND:
        if (shared_list_receive(incoming, address))
            return;
        number = number_in(request);
        if (number.length && !text_equal(number, address))
            return to_user(incoming, number);
        if (!domain_is_ours(conversation, uri_domain(address)))
            return to_foreigner(incoming, address);
        return incoming_refuse(incoming, address, 404, NULL, TEXT("no such user"));
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    if (user.no_messages)
        return incoming_refuse(incoming, address, 403, WARNING_NO_MESSAGES, TEXT("he is without messages"));
    if (isc_take_own(incoming, served_get(conversation, address)))
        return;
    if (group_decide(conversation->groups, address, &incoming->sender, &request->arena, &decision) != OK)
        return request_answer_with(request, 500, "Rules Not Readable", "Retry-After", TEXT("5"));
    if (decision.verdict == GROUP_BLOCK)
        return refuse_blocked(incoming, &user, &decision);
    struct served *served = served_of(conversation, &user);
    if (incoming->report)
        reports_note(incoming, address);
    if (incoming->report && reports_collect(incoming, served))
        return;
    pass_on(incoming, served, decision.may_store && incoming->deferrable, decision.verdict == GROUP_DEFER);
}
