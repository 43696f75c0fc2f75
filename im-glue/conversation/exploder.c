/* A message with a list of its own (RFC 5365): takes the list out of the body, finds out who is meant, and puts in its
 * place what the recipients may see of each other (RFC 5364). */
#include "conversation_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "log.h"
#include "mime.h"
#include "user.h"

#define LIST_TYPE "application/resource-lists+xml"
#define HISTORY_HEADERS                                                                                                \
    "Content-Type: " LIST_TYPE "\r\nContent-Disposition: recipient-list-history;handling=optional\r\n\r\n"

bool exploder_is(const struct conversation *conversation, struct text target)
{
    return conversation->settings.exploder.length && text_equal(conversation->settings.exploder, target);
}

static bool bad(struct incoming *incoming, const char *reason)
{
    request_answer(incoming->request, 400, reason);
    return false;
}

static bool asks_for_explosion(struct request *request)
{
    struct text value, one;
    for (size_t i = 0; sip_header(request->message, "Require", i, &request->arena, &value); i++)
        while (text_next_item(&value, &one))
            if (text_equal_nocase(one, TEXT(EXPLODER_EXTENSION)))
                return true;
    return false;
}

static void refuse_many(struct incoming *incoming)
{
    incoming_refuse(incoming, incoming->exploder, 403, WARNING_MANY " Too many participants",
                    TEXT("too many recipients"));
}

static bool read_recipients(struct incoming *incoming, const struct mime_part *part)
{
    struct request *request = incoming->request;
    size_t count_max = request->conversation->settings.recipients_max;
    const char *reason;
    incoming->recipients = arena_new(&request->arena, struct recipients);
    if (!mime_is(part->type, TEXT(LIST_TYPE)))
        return request_answer_with(request, 415, NULL, "Accept", TEXT(LIST_TYPE)), false;
    switch (recipients_read(part->content, count_max, &request->arena, incoming->recipients, &reason)) {
    case OK: break;
    case FULL: return refuse_many(incoming), false;
    default: return bad(incoming, reason);
    }
    if (incoming->recipients->count + incoming->recipients->anchors_count == 0)
        return bad(incoming, "Empty Recipient List");
    return true;
}

bool exploder_read(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct mime_multipart *multipart = arena_new(&request->arena, struct mime_multipart);
    const struct mime_part *list;
    struct text type = request_header(request, "Content-Type");
    if (!asks_for_explosion(request))
        return bad(incoming, "Require: " EXPLODER_EXTENSION " Is Missing");
    if (!mime_is(type, TEXT("multipart/mixed")))
        return request_answer_with(request, 415, NULL, "Accept", TEXT("multipart/mixed")), false;
    if (!content_open(incoming))
        return false;
    struct text body = text_copy(&request->arena, incoming->body); /* another takes its place */
    sip_header_remove(request->message, "Content-Encoding");
    if (mime_parse(type, body, multipart) != OK)
        return bad(incoming, "Malformed Multipart");
    if (list_part_find(type, body, 0, &request->arena, &list) != 1)
        return bad(incoming, "There Must Be One Recipient List");
    if (!read_recipients(incoming, list))
        return false;
    struct text history = recipients_history(incoming->recipients, &request->arena);
    if (history.length)
        history = text_join(&request->arena, TEXT(HISTORY_HEADERS), history);
    if (!list_part_take_out(request->message, type, body, list, history, &request->arena))
        return bad(incoming, "Nothing But A List");
    sip_header_remove(request->message, "Require");
    return true;
}

/* --- who gets it --- */

/* One to get a copy, or a record of why not: then `detail` says it. */
struct target {
    struct text address, group, entry, detail;
    enum fate_step_kind kind;
    struct target *next;
};

struct explosion {
    struct incoming *incoming;
    struct target *first, **end;
    size_t count;
    bool too_many;
};

static void add_target(struct explosion *explosion, struct target target)
{
    struct target *added;
    if (explosion->count == explosion->incoming->request->conversation->settings.recipients_max) {
        explosion->too_many = true;
        return;
    }
    added = arena_new(&explosion->incoming->request->arena, struct target);
    *added = target;
    *explosion->end = added;
    explosion->end = &added->next;
    explosion->count++;
}

static void add_group(struct explosion *explosion, const struct group *group)
{
    struct incoming *incoming = explosion->incoming;
    struct arena *arena = &incoming->request->arena;
    struct groups *groups = incoming->request->conversation->groups;
    const struct group_sender sender = incoming_asks_group(incoming);
    struct target target = {.group = incoming->exploder, .address = text_copy(arena, group_uri(group))};
    const struct text *members, *missing;
    size_t count, missing_count;
    struct text rule;
    if (!group_may_send(groups, group, &sender, &rule)) {
        target.kind = FATE_REFUSED;
        target.detail = text_format(arena, "403 group rule '%.*s'", TEXT_ARG(rule));
        return add_target(explosion, target);
    }
    if (group_fan_out(groups, group, &sender, arena, &members, &count, &missing, &missing_count) != OK) {
        explosion->too_many = true;
        return;
    }
    struct text address = target.address;
    for (size_t i = 0; i < count; i++)
        add_target(explosion, (struct target){.address = members[i], .group = address});
}

/* The sender has it, and the exploder must not get it again. */
static void add_address(struct explosion *explosion, struct text address, struct text entry)
{
    struct incoming *incoming = explosion->incoming;
    const struct group *group;
    if (requester_is(&incoming->request->who, address) || text_equal(address, incoming->exploder))
        return;
    switch (group_find(incoming->request->conversation->groups, address, &group)) {
    case OK: return add_group(explosion, group);
    case NOT_FOUND:
        return add_target(explosion, (struct target){.address = address, .group = incoming->exploder, .entry = entry});
    default:
        add_target(explosion, (struct target){.address = address,
                                              .group = incoming->exploder,
                                              .kind = FATE_FAILED,
                                              .detail = TEXT("500 group not readable")});
    }
}

static void add_missing(struct explosion *explosion, struct text anchor)
{
    struct incoming *incoming = explosion->incoming;
    struct arena *arena = &incoming->request->arena;
    log_info("list of a message not followed call-id=%.*s message-id=%.*s user=%.*s list=%.*s",
             TEXT_ARG(incoming->call_id), TEXT_ARG(incoming->message_id), TEXT_ARG(incoming->request->user),
             TEXT_ARG(anchor));
    add_target(explosion,
               (struct target){.address = incoming->exploder,
                               .group = incoming->exploder,
                               .kind = FATE_FAILED,
                               .detail = text_format(arena, "404 no list of the sender: %.*s", TEXT_ARG(anchor))});
}

static void add_lists(struct explosion *explosion, const struct recipients *recipients)
{
    struct request *request = explosion->incoming->request;
    struct group_list list;
    if (group_list_members(request->conversation->groups, recipients->anchors, recipients->anchors_count, request->user,
                           &request->arena, &list) == REFUSED)
        explosion->too_many = true;
    for (size_t i = 0; i < list.count && !explosion->too_many; i++)
        add_address(explosion, list.members[i], (struct text){0});
    for (size_t i = 0; i < list.missing_count; i++)
        add_missing(explosion, list.missing[i]);
}

static void hand_out(struct explosion *explosion)
{
    struct incoming *incoming = explosion->incoming;
    struct fan_out fan_out;
    if (!fan_out_begin(&fan_out, incoming, incoming->exploder, explosion->count))
        return;
    for (const struct target *target = explosion->first; target; target = target->next) {
        if (target->detail.length)
            fan_out_note(&fan_out, target->group, target->address, target->kind, target->detail);
        else
            fan_out_add(&fan_out, target->group, target->address, target->entry);
    }
    if (explosion->count == 0)
        fan_out_note(&fan_out, incoming->exploder, incoming->exploder, FATE_RECEIVED,
                     TEXT("nobody else is in the list"));
    fan_out_end(&fan_out);
}

void exploder_send(struct incoming *incoming, struct text address, const struct group_list *list)
{
    struct explosion explosion = {.incoming = incoming, .end = &explosion.first};
    struct arena *arena = &incoming->request->arena;
    incoming->exploder = address;
    for (size_t i = 0; i < list->count && !explosion.too_many; i++)
        add_address(&explosion, list->members[i], (struct text){0});
    if (list->missing_count)
        add_target(&explosion,
                   (struct target){.address = address,
                                   .group = address,
                                   .kind = FATE_FAILED,
                                   .detail = text_format(arena, "502 lists not followed: %zu", list->missing_count)});
    if (explosion.too_many)
        return refuse_many(incoming);
    hand_out(&explosion);
}

/* RFC 5363 §5.2: who may make one message many is known here, and so is how many. */
static bool is_our_user(struct request *request)
{
    struct user user;
    return user_find(request->conversation->documents, request->user, &request->arena, &user) == OK;
}

/* Empty where it says no more than the address. */
static struct text entry_of(const struct recipient *recipient, struct arena *arena)
{
    return entry_says_more(recipient->uri, recipient->headers)
               ? TEXT_CONCAT(arena, recipient->uri, TEXT("?"), recipient->headers)
               : (struct text){0};
}

void exploder_receive(struct incoming *incoming)
{
    struct explosion explosion = {.incoming = incoming, .end = &explosion.first};
    const struct recipients *recipients = incoming->recipients;
    if (!is_our_user(incoming->request))
        return incoming_refuse(incoming, incoming->exploder, 403,
                               WARNING_FORBIDDEN " Function not allowed due to user authorisation",
                               TEXT("not a user of ours"));
    if (incoming->report)
        return incoming_refuse(incoming, incoming->exploder, 403,
                               WARNING_FORBIDDEN " Function not allowed due to policy", TEXT("reports go to one"));
    for (size_t i = 0; i < recipients->count; i++)
        add_address(&explosion, recipients->list[i].address, entry_of(&recipients->list[i], &incoming->request->arena));
    if (recipients->anchors_count)
        add_lists(&explosion, recipients);
    if (explosion.too_many)
        return refuse_many(incoming);
    hand_out(&explosion);
}
