/* A request from its arrival to its answer: who sent it, and how an answer is made. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "conversation_private.h"
#include "domains_private.h"
#include "log.h"
#include "metrics.h"

#define STATUS_MAX 700 /* of SIP: 100 to 699 */

struct request *request_new(struct conversation *conversation, struct sip_event *event)
{
    struct request *request = memory_take(sizeof(*request));
    *request = (struct request){.conversation = conversation};
    arena_init(&request->arena, "request");
    conversation->requests++;
    request->message = event->message;
    request->transaction = event->transaction;
    request->flow = event->flow;
    return request;
}

void request_free(struct request *request)
{
    request->conversation->requests--;
    sender_release(request);
    sip_message_free(request->message);
    sip_message_free(request->onward);
    arena_clear(&request->arena);
    memory_give(request, sizeof(*request));
}

struct text request_header(struct request *request, const char *name)
{
    struct text value = {0};
    return sip_header(request->message, name, 0, &request->arena, &value) ? value : (struct text){0};
}

struct sip_message *request_response(struct request *request, int status, const char *reason)
{
    struct sip_message *response = sip_response_new(request->message, status, reason ? reason : sip_reason(status),
                                                    random_hex(&request->arena, 16));
    sip_header_set(response, "Server", TEXT(CONVERSATION_PRODUCT));
    return response;
}

enum counted_method { COUNT_MESSAGE, COUNT_REGISTER, COUNT_OTHER, COUNT_METHODS };

static void count_answer(struct text method, int status)
{
    static const char *const names[] = {"MESSAGE", "REGISTER", "other"};
    static struct metric *counters[COUNT_METHODS][STATUS_MAX]; /* of the one thread of this module */
    char labels[METRICS_LABELS_MAX];
    enum counted_method counted = COUNT_OTHER;
    if (text_equal(method, TEXT("MESSAGE")))
        counted = COUNT_MESSAGE;
    else if (text_equal(method, TEXT("REGISTER")))
        counted = COUNT_REGISTER;
    assert(status < STATUS_MAX);
    if (!counters[counted][status]) {
        snprintf(labels, sizeof(labels), "method=\"%s\",status=\"%d\"", names[counted], status);
        counters[counted][status] =
            metric_counter("im_glue_requests_total", labels, "Requests answered, by method and status.");
    }
    metric_add(counters[counted][status], 1);
}

static void log_answer(struct request *request, struct text method, int status)
{
    struct arena *arena = &request->arena;
    struct text call_id = sip_call_id(request->message, arena);
    if (log_wants(LOG_LEVEL_INFO))
        log_text(LOG_LEVEL_INFO, TEXT_CONCAT(arena, TEXT("request method="), method, TEXT(" status="),
                                             text_number(arena, (uint64_t)status), TEXT(" user="), request->user,
                                             TEXT(" call-id="), call_id, TEXT(" message-id="), request->message_id,
                                             TEXT(" peer="), flow_peer_text(&request->flow, arena)));
}

void request_send(struct request *request, struct sip_message *response)
{
    struct conversation *conversation = request->conversation;
    int status = sip_status(response);
    struct text method = sip_method(request->message);
    count_answer(method, status);
    log_answer(request, method, status);
    if (status < 300 && request->auth_info.length) /* RFC 3261 §20.6 */
        sip_header_set(response, "Authentication-Info", request->auth_info);
    sip_agent_respond(conversation->agent, request->transaction, response, conversation->now.monotonic_ms);
    request_free(request);
}

void request_answer(struct request *request, int status, const char *reason)
{
    request_send(request, request_response(request, status, reason));
}

void request_answer_with(struct request *request, int status, const char *reason, const char *name, struct text value)
{
    struct sip_message *response = request_response(request, status, reason);
    sip_header_add(response, name, value);
    request_send(request, response);
}

static bool is_listed(struct text list, struct text extension)
{
    struct text one;
    while (text_next_item(&list, &one))
        if (text_equal_nocase(one, extension))
            return true;
    return false;
}

/* RFC 3261 §8.2.2.3. */
bool request_refuse_extensions(struct request *request, const char *name, struct text known)
{
    struct sip_message *response = NULL;
    struct text value, one;
    for (size_t i = 0; sip_header(request->message, name, i, &request->arena, &value); i++) {
        while (text_next_item(&value, &one)) {
            if (is_listed(known, one))
                continue;
            response = response ? response : request_response(request, 420, NULL);
            sip_header_add(response, "Unsupported", one);
        }
    }
    if (response)
        request_send(request, response);
    return response != NULL;
}

/* Some clients give up at an answer in which any challenge, or the last, is not MD5. Those in browsers are known by
 * their transport, the others by the name that they give themselves. */
static bool knows_md5_alone(struct request *request)
{
    struct text list = request->conversation->settings.md5_clients, name;
    struct text agent = request_header(request, "User-Agent");
    if (request->flow.kind == FLOW_WS || request->flow.kind == FLOW_WSS)
        return true;
    while (text_next_item(&list, &name))
        if (text_starts_with_nocase(agent, name))
            return true;
    return false;
}

static void challenge(struct request *request, bool proxy, bool stale)
{
    struct conversation *conversation = request->conversation;
    const char *header = proxy ? "Proxy-Authenticate" : "WWW-Authenticate";
    struct sip_message *response = request_response(request, proxy ? 407 : 401, NULL);
    /* RFC 8760 §2.3 puts the preferred one first; clients that know only MD5 and read only the first need it there. */
    bool sha256_first = conversation->settings.sha256_first;
    static const enum digest_algorithm strong_first[] = {DIGEST_SHA256, DIGEST_SHA512, DIGEST_MD5};
    static const enum digest_algorithm md5_first[] = {DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};
    const enum digest_algorithm *order = sha256_first ? strong_first : md5_first;
    size_t count = !sha256_first && knows_md5_alone(request) ? 1 : DIGEST_ALGORITHMS;
    for (size_t i = 0; i < count; i++)
        if (digest_offers(conversation->digest, order[i]))
            sip_header_add(
                response, header,
                digest_challenge(conversation->digest, order[i], stale, conversation->now.wall_ms, &request->arena));
    request_send(request, response);
}

/* Clients answer the challenge they got, and some put credentials of several realms: the first that is meant for us
 * decides. */
static enum digest_result check_credentials(struct request *request, const char *header,
                                            struct digest_answer *answer_out)
{
    struct conversation *conversation = request->conversation;
    enum digest_result result = DIGEST_MISSING;
    struct trust_address address;
    /* A trusted peer stands for many: nobody's failures are those of all. */
    bool alone =
        trust_address_of((const struct sockaddr *)&request->flow.peer, &address) && !request_peer_is_trusted(request);
    struct digest_request check = {
        .method = sip_method(request->message),
        .uri = sip_request_uri(request->message, &request->arena),
        .body = sip_body(request->message),
        .sip = true,
        .without_info = strcmp(header, "Authorization") != 0, /* SIP has no such field for proxies */
        .address = alone ? &address : NULL,
    };
    for (size_t i = 0; sip_header(request->message, header, i, &request->arena, &check.authorization); i++) {
        enum digest_result one = digest_check(conversation->digest, conversation->documents, &check,
                                              conversation->now.wall_ms, &request->arena, answer_out);
        if (one != DIGEST_BROKEN && one != DIGEST_MISSING)
            return one;
        result = one;
    }
    return result;
}

static void count_failure(const char *result)
{
    char labels[METRICS_LABELS_MAX];
    snprintf(labels, sizeof(labels), "result=\"%s\"", result);
    metric_add(metric_counter("im_glue_authentication_failures_total", labels,
                              "Wrong passwords, and requests that had to wait after too many."),
               1);
}

static bool check_password(struct request *request, bool proxy)
{
    struct digest_answer answer = {0};
    enum digest_result result = check_credentials(request, proxy ? "Proxy-Authorization" : "Authorization", &answer);
    if (result == DIGEST_MISSING)
        result = check_credentials(request, proxy ? "Authorization" : "Proxy-Authorization", &answer);
    switch (result) {
    case DIGEST_GOOD:
        requester_of_user(&answer.user, REQUESTER_DIGEST, &request->who);
        request->user = request->who.address;
        request->auth_info = answer.info;
        return true;
    case DIGEST_BROKEN: request_answer(request, 400, "Bad Credentials"); return false;
    case DIGEST_FAILED: request_answer(request, 500, "Users Not Readable"); return false;
    case DIGEST_WAITING:
        count_failure("waiting");
        request_answer(request, 403, "Too Many Wrong Passwords");
        return false;
    case DIGEST_WRONG:
        log_warning("authentication failed user=%.*s peer=%.*s%s", TEXT_ARG(answer.claimed),
                    TEXT_ARG(flow_peer_text(&request->flow, &request->arena)),
                    answer.begins_to_wait ? " and has to wait" : "");
        count_failure("wrong");
        break;
    case DIGEST_MISSING:
    case DIGEST_STALE: break;
    }
    challenge(request, proxy, result == DIGEST_STALE);
    return false;
}

bool request_authenticate(struct request *request, bool proxy)
{
    switch (request_take_assertion(request)) {
    case OK: break;
    case REFUSED: return request_answer(request, 400, "Bad P-Asserted-Identity"), false;
    default: return request_answer(request, 500, "Users Not Readable"), false;
    }
    if (!inbound_take(request))
        return false;
    bool is_known = request->who.proof == REQUESTER_ASSERTED;
    return (is_known || check_password(request, proxy)) && sender_admit(request);
}

struct text request_shown_address(struct text field, struct arena *arena)
{
    struct name_addr address;
    if (!name_addr_parse(field, &address, NULL))
        return (struct text){0};
    return address.display.length
               ? TEXT_CONCAT(arena, TEXT("\""), address.display, TEXT("\" <"), address.uri, TEXT(">"))
               : text_copy(arena, address.uri);
}
