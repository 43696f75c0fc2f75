/* MESSAGE (RFC 3428): checks the sender, finds who is meant, and relays, stores, fans out or refuses. Nothing is
 * accepted before it is on disk; body bytes are never touched. */
#include "conversation_private.h"
#include "cpim.h"
#include "log.h"
#include "user.h"

#define MESSAGE_ID_MAX 256 /* of our records; a longer Call-ID is cut there */

struct incoming {
    struct request *request;
    struct text message; /* ready to be stored and sent on */
    struct text message_id;
    struct text call_id;
    bool anonymous;
    int64_t expires_ms;
    struct group_sender sender;
};

static bool read_incoming(struct request *request, struct incoming *incoming);
static void to_group(struct incoming *incoming, const struct group *group);
static void to_user(struct incoming *incoming, struct text address);

void pager_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct incoming incoming = {.request = request};
    const struct group *group;
    if (!request_authenticate(request, true) || !read_incoming(request, &incoming))
        return;
    struct text target = uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    if (target.length == 0)
        return request_answer(request, 416, NULL);
    switch (group_find(conversation->groups, target, &group)) {
    case OK: to_group(&incoming, group); break;
    case NOT_FOUND: to_user(&incoming, target); break;
    default: request_answer_with(request, 500, "Group Not Readable", "Retry-After", TEXT("5"));
    }
}

static struct fate new_fate(const struct incoming *incoming, struct text recipient, struct text group)
{
    return (struct fate){
        .message_id = incoming->message_id,
        .sender = incoming->request->user,
        .recipient = recipient,
        .group = group,
        .call_id = incoming->call_id,
    };
}

/* Answers, and keeps a record of why. `detail` is for whoever traces the message. */
static void refuse_message(struct incoming *incoming, struct text recipient, int status, const char *warning,
                           struct text detail)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct work *work = work_new(conversation, 1, work_ignore);
    struct fate fate = new_fate(incoming, recipient, (struct text){0});
    fate = fate_with(&fate, FATE_REFUSED, conversation->now.wall_ms,
                     text_format(&request->arena, "%d %.*s", status, TEXT_ARG(detail)), &request->arena);
    work_add_fate(work, &fate);
    work_submit(work);
    if (warning)
        request_answer_with(request, status, NULL, "Warning",
                            text_format(&request->arena, "399 %s \"%s\"", conversation->settings.agent.host, warning));
    else
        request_answer(request, status, NULL);
}

/* --- what came in --- */

static bool check_hops(struct request *request, struct text *max_forwards_out)
{
    struct text value = text_trim(request_header(request, "Max-Forwards")), require;
    uint64_t hops = 70;
    if (value.length && !text_to_u64(value, &hops))
        return request_answer(request, 400, "Bad Max-Forwards"), false;
    if (hops == 0)
        return request_answer(request, 483, NULL), false;
    require = request_header(request, "Require");
    if (require.length)
        return request_answer_with(request, 420, NULL, "Unsupported", require), false;
    *max_forwards_out = text_format(&request->arena, "%d", (int)(hops > 70 ? 69 : hops - 1));
    return true;
}

static bool is_anonymous(struct text canonical)
{
    return text_ends_with(uri_domain(canonical), TEXT("anonymous.invalid")); /* RFC 3323 §4.1.1.3 */
}

static bool check_sender(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct name_addr from;
    struct text privacy = request_header(request, "Privacy");
    if (!name_addr_parse(request_header(request, "From"), &from, NULL))
        return request_answer(request, 400, "Bad From"), false;
    struct text address = uri_canonical(&request->arena, from.uri);
    incoming->anonymous = is_anonymous(address) || text_find(privacy, TEXT("id")) < privacy.length;
    if (!is_anonymous(address) && !text_equal(address, request->user))
        return request_answer(request, 403, "Not Your Address"), false;
    return true;
}

static bool read_cpim(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct cpim_message *cpim = arena_new(&request->arena, struct cpim_message);
    struct name_addr from;
    incoming->message_id = incoming->call_id;
    if (!cpim_is(request_header(request, "Content-Type")))
        return true;
    if (cpim_parse(sip_body(request->message), cpim) != OK)
        return request_answer(request, 400, "Malformed CPIM"), false;
    if (cpim->message_id.length && cpim->message_id.length <= MESSAGE_ID_MAX)
        incoming->message_id = cpim->message_id;
    if (cpim->from.length == 0 || !name_addr_parse(cpim->from, &from, NULL))
        return true;
    struct text address = uri_canonical(&request->arena, from.uri);
    if (!is_anonymous(address) && !text_equal(address, request->user))
        return request_answer(request, 403, "CPIM From Is Not Your Address"), false;
    return true;
}

/* RFC 3428 §7: Expires counts from now; the house keeps nothing longer than CONVERSATION_DEFERRED_MS_MAX. */
static int64_t expires_ms(struct request *request)
{
    uint64_t seconds;
    struct text value = text_trim(request_header(request, "Expires"));
    int64_t lifetime_ms = CONVERSATION_DEFERRED_MS_MAX;
    if (value.length && text_to_u64(value, &seconds) && seconds < CONVERSATION_DEFERRED_MS_MAX / 1000)
        lifetime_ms = (int64_t)seconds * 1000;
    return request->conversation->now.wall_ms + lifetime_ms;
}

/* What goes on from here: without what is meant for this hop, with who sent it (RFC 3325 §5). The Via fields stay until
 * it is sent, because a message without one does not parse. */
static struct text onward_message(struct incoming *incoming, struct text max_forwards)
{
    static const char *const hop_headers[] = {
        "Route",   "Record-Route",        "Authorization",        "Proxy-Authorization",
        "Contact", "P-Asserted-Identity", "P-Preferred-Identity", "Proxy-Require"};
    struct request *request = incoming->request;
    struct sip_message *message = sip_message_clone(request->message);
    struct text date;
    for (size_t i = 0; i < sizeof(hop_headers) / sizeof(hop_headers[0]); i++)
        sip_header_remove(message, hop_headers[i]);
    sip_header_set(message, "Max-Forwards", max_forwards);
    if (!incoming->anonymous)
        sip_header_set(message, "P-Asserted-Identity", text_format(&request->arena, "<%.*s>", TEXT_ARG(request->user)));
    if (!sip_header(message, "Date", 0, &request->arena, &date))
        sip_header_set(message, "Date", clock_write_http_date(&request->arena, request->conversation->now.wall_ms));
    struct text bytes = sip_message_write(message, &request->arena);
    sip_message_free(message);
    return bytes;
}

static bool read_incoming(struct request *request, struct incoming *incoming)
{
    struct text max_forwards, call_id = sip_call_id(request->message, &request->arena);
    incoming->call_id = text_slice(call_id, 0, call_id.length < MESSAGE_ID_MAX ? call_id.length : MESSAGE_ID_MAX);
    if (!check_hops(request, &max_forwards) || !check_sender(incoming) || !read_cpim(incoming))
        return false;
    if (sip_body(request->message).length && request_header(request, "Content-Type").length == 0)
        return request_answer(request, 400, "Missing Content-Type"), false;
    incoming->expires_ms = expires_ms(request);
    incoming->message = onward_message(incoming, max_forwards);
    incoming->sender = (struct group_sender){
        .identities = &request->user,
        .identities_count = 1,
        .anonymous = incoming->anonymous,
        .wall_ms = request->conversation->now.wall_ms,
    };
    return true;
}

/* --- storing, for one or many --- */

struct acceptance {
    struct served **stored; /* whose queue got a copy, in the order of the commits that hold them */
    struct text *names;
    size_t count;
};

static struct work *new_acceptance(struct incoming *incoming, size_t recipients, work_fn *then)
{
    struct work *work = work_new(incoming->request->conversation, recipients * 2, then);
    struct acceptance *acceptance = arena_new(&work->arena, struct acceptance);
    acceptance->stored = arena_array(&work->arena, struct served *, recipients);
    acceptance->names = arena_array(&work->arena, struct text, recipients);
    work->details = acceptance;
    work->request = incoming->request;
    return work;
}

/* One copy and its record. Absent users read "stored" in the trace; for the others it is on its way at once. */
static void add_copy(struct work *work, const struct incoming *incoming, struct served *served, struct fate fate,
                     bool may_store)
{
    struct conversation *conversation = work->conversation;
    struct acceptance *acceptance = work->details;
    int64_t now_ms = conversation->now.wall_ms;
    struct delivery copy = {
        .recipient = served,
        .message = incoming->message,
        .may_store = may_store,
        .expires_ms = incoming->expires_ms,
    };
    fate = fate_with(&fate, FATE_RECEIVED, now_ms, TEXT(""), &work->arena);
    if (!served_reachable(conversation, served))
        fate = fate_with(&fate, FATE_STORED, now_ms, TEXT("recipient is away"), &work->arena);
    copy.fate = fate;
    struct text name = queue_new_name(conversation, &work->arena);
    work->commits[work->count++] = queue_commit(&copy, name, &work->arena);
    work_add_fate(work, &fate);
    acceptance->stored[acceptance->count] = served;
    acceptance->names[acceptance->count++] = name;
    if (served->stored_count >= 0)
        served->stored_count++;
}

/* Nothing was accepted, so nothing may stay: what the disk took of a failed acceptance is taken back. */
static void undo_acceptance(struct conversation *conversation, const struct work *failed)
{
    const struct acceptance *acceptance = failed->details;
    struct work *undo = work_new(conversation, acceptance->count, work_ignore);
    for (size_t i = 0; i < acceptance->count; i++) {
        work_add_deletion(undo, DOCUMENT_DEFERRED, text_of(acceptance->stored[i]->address), acceptance->names[i]);
        acceptance->stored[i]->stored_count = -1; /* counted again when it matters */
    }
    work_submit(undo);
}

static void acceptance_done(struct conversation *conversation, struct work *work)
{
    const struct acceptance *acceptance = work->details;
    struct request *request = work->request;
    work->request = NULL;
    if (work_status(work) != OK) {
        log_error("message not stored status=%s", status_name(work_status(work)));
        undo_acceptance(conversation, work);
        return request_answer_with(request, 500, "Message Not Stored", "Retry-After", TEXT("10"));
    }
    request_answer(request, 202, NULL);
    for (size_t i = 0; i < acceptance->count; i++)
        queue_flush(conversation, acceptance->stored[i]);
}

/* --- groups --- */

static void add_refusal(struct work *work, struct fate fate, enum fate_step_kind kind, struct text detail)
{
    fate = fate_with(&fate, kind, work->conversation->now.wall_ms, detail, &work->arena);
    work_add_fate(work, &fate);
}

static void plan_member(struct work *work, struct incoming *incoming, struct text group_address, struct text member)
{
    struct conversation *conversation = work->conversation;
    struct arena *arena = &incoming->request->arena;
    struct fate fate = new_fate(incoming, member, group_address);
    struct group_decision decision;
    struct user user;
    if (!text_equal(uri_domain(member), conversation->settings.domain))
        return add_refusal(work, fate, FATE_REFUSED, TEXT("404 domain not served"));
    switch (user_get(conversation->documents, member, arena, &user)) {
    case OK: break;
    case NOT_FOUND: return add_refusal(work, fate, FATE_REFUSED, TEXT("404 no such user"));
    default: return add_refusal(work, fate, FATE_FAILED, TEXT("500 user not readable"));
    }
    if (group_decide(conversation->groups, member, &incoming->sender, arena, &decision) != OK)
        return add_refusal(work, fate, FATE_FAILED, TEXT("500 rules not readable"));
    if (decision.verdict == GROUP_BLOCK)
        return add_refusal(work, fate, FATE_REFUSED,
                           text_format(&work->arena, "403 rule '%.*s' of the recipient", TEXT_ARG(decision.rule)));
    struct served *served = served_get(conversation, member);
    if (!decision.may_store && !served_reachable(conversation, served))
        return add_refusal(work, fate, FATE_FAILED, TEXT("480 away, and nothing may be kept"));
    if (!served_has_room(conversation, served))
        return add_refusal(work, fate, FATE_FAILED, TEXT("480 too many messages are waiting"));
    add_copy(work, incoming, served, fate, decision.may_store);
}

static void to_group(struct incoming *incoming, const struct group *group)
{
    struct request *request = incoming->request;
    struct groups *groups = request->conversation->groups;
    const struct text *members, *missing;
    size_t members_count, missing_count;
    struct text rule, address = text_copy(&request->arena, group_uri(group));
    if (!group_may_send(groups, group, &incoming->sender, &rule))
        return refuse_message(incoming, address, incoming->anonymous ? 433 : 403,
                              "100 Function not allowed due to group policy", text_copy(&request->arena, rule));
    switch (group_fan_out(groups, group, &incoming->sender, &request->arena, &members, &members_count, &missing,
                          &missing_count)) {
    case OK: break;
    case REFUSED: return refuse_message(incoming, address, 403, "102 Too many participants", TEXT("too many members"));
    default: return request_answer_with(request, 500, "Group Not Readable", "Retry-After", TEXT("5"));
    }
    for (size_t i = 0; i < missing_count; i++)
        log_warning("list of a group not found group=%.*s list=%.*s", TEXT_ARG(address), TEXT_ARG(missing[i]));
    struct work *work = new_acceptance(incoming, members_count, acceptance_done);
    for (size_t i = 0; i < members_count; i++)
        plan_member(work, incoming, address, members[i]);
    work_submit(work);
}

/* --- one user --- */

static void store_one(struct incoming *incoming, struct served *served)
{
    struct work *work = new_acceptance(incoming, 1, acceptance_done);
    add_copy(work, incoming, served, new_fate(incoming, text_of(served->address), (struct text){0}), true);
    work_submit(work);
}

static void relay(struct incoming *incoming, struct served *served, bool may_store)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct delivery *delivery = delivery_new(conversation, served);
    struct fate fate = new_fate(incoming, text_of(served->address), (struct text){0});
    delivery->request = request; /* its arena holds the message, and it must not outlive the delivery's need of it */
    delivery->message = text_copy(&delivery->arena, incoming->message);
    fate.message_id = text_copy(&delivery->arena, fate.message_id);
    fate.sender = text_copy(&delivery->arena, fate.sender);
    fate.call_id = text_copy(&delivery->arena, fate.call_id);
    delivery->fate = fate_with(&fate, FATE_RECEIVED, conversation->now.wall_ms, TEXT(""), &delivery->arena);
    delivery->may_store = may_store;
    delivery->expires_ms = incoming->expires_ms;
    delivery_expect_answer(delivery);
    delivery_send(delivery);
}

static void to_user(struct incoming *incoming, struct text address)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct group_decision decision;
    struct user user;
    if (!text_equal(uri_domain(address), conversation->settings.domain))
        return refuse_message(incoming, address, 404, "Domain not served here", TEXT("domain not served"));
    switch (user_get(conversation->documents, address, &request->arena, &user)) {
    case OK: break;
    case NOT_FOUND: return refuse_message(incoming, address, 404, NULL, TEXT("no such user"));
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    if (group_decide(conversation->groups, address, &incoming->sender, &request->arena, &decision) != OK)
        return request_answer_with(request, 500, "Rules Not Readable", "Retry-After", TEXT("5"));
    if (decision.verdict == GROUP_BLOCK)
        return refuse_message(incoming, address, incoming->anonymous ? 433 : 403,
                              "100 Function not allowed due to user authorisation",
                              text_format(&request->arena, "rule '%.*s' of the recipient", TEXT_ARG(decision.rule)));
    struct served *served = served_get(conversation, address);
    bool waiting_ahead = served->flushing || served->late_relays;
    if (served_reachable(conversation, served) && !(waiting_ahead && decision.may_store))
        return relay(incoming, served, decision.may_store);
    if (!decision.may_store)
        return refuse_message(incoming, address, 480, NULL, TEXT("away, and nothing may be kept"));
    if (!served_has_room(conversation, served))
        return refuse_message(incoming, address, 480, "Deferred message quota exceeded",
                              TEXT("too many messages are waiting"));
    store_one(incoming, served);
}

/* The outcome of a relayed message goes to its sender; one that can be tried again later is kept instead. */
void pager_relay_finished(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    struct request *request = delivery->request;
    if (status >= 300 && queue_may_try_again(status) && delivery->may_store &&
        served_has_room(conversation, delivery->recipient)) {
        delivery->finished = false;
        return pager_store_silent(delivery);
    }
    struct work *work = work_new(conversation, 1, work_ignore);
    work_add_fate(work, &delivery->fate);
    work_submit(work);
    delivery->request = NULL;
    if (status == 401 || status == 407) /* a challenge between us and a contact says nothing to the sender */
        status = 403;
    request_answer(request, queue_may_try_again(status) ? 480 : status, NULL);
}

/* --- a relayed message that had to be kept after all --- */

static void silent_stored(struct conversation *conversation, struct work *work)
{
    struct delivery *delivery = work->delivery;
    struct served *served = delivery->recipient;
    struct request *request = delivery->request;
    bool stored = work_status(work) == OK;
    const struct text *name = work->details;
    delivery->storing = false;
    if (delivery->finished) { /* the contact answered meanwhile, and so was the sender */
        struct work *undo = work_new(conversation, 1, work_ignore);
        work_add_deletion(undo, DOCUMENT_DEFERRED, text_of(served->address), *name);
        work_submit(undo);
    } else if (stored) {
        delivery->request = NULL;
        delivery->queue_name = text_copy(&delivery->arena, *name);
        delivery->late = true;
        served->late_relays++;
        if (served->stored_count >= 0)
            served->stored_count++;
        request_answer(request, 202, NULL);
    } else {
        delivery->may_store = false; /* the store does not take it: whatever the contacts say is the answer */
    }
    delivery_settle(delivery);
}

void pager_store_silent(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct work *work = work_new(conversation, 2, silent_stored);
    struct text *name = arena_new(&work->arena, struct text);
    delivery->fate = fate_with(&delivery->fate, FATE_STORED, conversation->now.wall_ms,
                               TEXT("no answer from a contact"), &delivery->arena);
    delivery->storing = true;
    *name = queue_new_name(conversation, &work->arena);
    work->details = name;
    work->delivery = delivery;
    work->commits[work->count++] = queue_commit(delivery, *name, &work->arena);
    work_add_fate(work, &delivery->fate);
    work_submit(work);
}
