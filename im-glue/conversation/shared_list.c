/* A message to a list that has an address of its own (RFC 4826 §4): who may send to it, and who is in it now. */
#include "delivery_private.h"
#include "incoming_private.h"
#include "log.h"
#include "reports_private.h"

bool list_senders_parse(struct text word, enum list_senders *senders_out)
{
    static const char *const words[] = {"owner", "members", "nobody"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!text_equal(word, text_of(words[i])))
            continue;
        *senders_out = (enum list_senders)i;
        return true;
    }
    return false;
}

static bool may_send(const struct incoming *incoming, struct text owner, const struct group_list *list)
{
    const struct requester *who = &incoming->request->who;
    enum list_senders senders = incoming->request->conversation->settings.list_senders;
    if (senders == LIST_SENDERS_NOBODY || incoming->anonymous)
        return false;
    bool may = requester_is(who, owner);
    for (size_t i = 0; !may && senders == LIST_SENDERS_MEMBERS && i < list->count; i++)
        may = requester_is(who, list->members[i]);
    return may;
}

static void send_to(struct incoming *incoming, struct text address, struct text owner, const struct group_list *list)
{
    struct request *request = incoming->request;
    struct text reporter;
    if (delivery_is_ours(request, NULL))
        return request_answer(request, 482, NULL);
    if (!may_send(incoming, owner, list)) /* what is in it is nobody else's business, nor whether it is one */
        return incoming_refuse(incoming, address, 404, NULL, TEXT("a list that is not the sender's"));
    if (incoming->report && !reports_addressee(incoming, address, &reporter))
        return incoming_refuse(incoming, address, 403, WARNING_FORBIDDEN " Function not allowed due to policy",
                               TEXT("a report of no message from here"));
    if (list->missing_count)
        log_info("lists of a list not followed call-id=%.*s message-id=%.*s list=%.*s missing=%zu",
                 TEXT_ARG(incoming->call_id), TEXT_ARG(incoming->message_id), TEXT_ARG(address), list->missing_count);
    exploder_send(incoming, address, list);
}

bool shared_list_receive(struct incoming *incoming, struct text address)
{
    struct request *request = incoming->request;
    struct group_list list;
    struct text owner;
    switch (group_service_members(request->conversation->groups, address, &request->arena, &owner, &list)) {
    case OK: send_to(incoming, address, owner, &list); return true;
    case NOT_FOUND: return false;
    case REFUSED:
        incoming_refuse(incoming, address, 403, WARNING_MANY " Too many participants", TEXT("too many in the list"));
        return true;
    default: request_answer_with(request, 500, "List Not Readable", "Retry-After", TEXT("5")); return true;
    }
}
