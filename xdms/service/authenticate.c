/* Who asks: the headers of a request to a requester. What the headers are worth is decided in identity; which of them
 * are looked at is decided here. Knows nothing of documents. */
#include "basic.h"
#include "clock.h"
#include "log.h"
#include "service_own.h"

#define ASSERTED_3GPP "X-3GPP-Asserted-Identity"
#define ASSERTED_XCAP "X-XCAP-Asserted-Identity"
#define INTENDED      "X-3GPP-Intended-Identity"

static enum status take_assertion(struct service *service, const struct http_request *request,
                                  struct requester *requester, struct refusal *refusal);
static enum status take_credentials(struct service *service, const struct http_request *request,
                                    struct service_caller *caller, struct refusal *refusal);
static enum status take_intention(struct service *service, const struct http_request *request,
                                  struct requester *requester, struct refusal *refusal);

enum status service_identify(struct service *service, const struct http_request *request,
                             struct service_caller *caller_out, struct refusal *refusal)
{
    const struct service_settings *settings = &service->settings;
    *caller_out = (struct service_caller){0};
    requester_of_nobody(&caller_out->requester);
    enum status status = OK;
    /* From anybody else these headers are no more than noise. */
    if (trust_believes(settings->trust, request->peer, request->client_names, request->client_names_count))
        status = take_assertion(service, request, &caller_out->requester, refusal);
    if (status == OK && caller_out->requester.proof == REQUESTER_NOBODY)
        status = take_credentials(service, request, caller_out, refusal);
    if (status == OK)
        status = take_intention(service, request, &caller_out->requester, refusal);
    if (status == OK)
        requester_grant(&caller_out->requester, settings->grants, settings->grants_count);
    else
        requester_of_nobody(&caller_out->requester);
    return status;
}

bool service_client(const struct service *service, const struct http_request *request,
                    struct trust_address *address_out)
{
    const struct trust *trust = service->settings.trust;
    if (!trust_is_proxy(trust, request->peer))
        return trust_address_of(request->peer, address_out);
    const char *name = trust->forwarded == TRUST_FORWARDED ? "Forwarded" : "X-Forwarded-For";
    return trust_client(trust, request->peer, http_header_joined(request, name), address_out);
}

/* --- what a trusted peer says --- */

enum presence { ABSENT, PRESENT, BROKEN };

/* A header that stands there twice may come from two hands, one of them not the peer's. */
static enum presence read_identities(const struct http_request *request, const char *name,
                                     struct text identities_out[ASSERTED_MAX], size_t *count_out)
{
    struct text value = {0};
    size_t found = 0;
    *count_out = 0;
    for (size_t i = 0; i < request->headers_count; i++)
        if (text_equal_nocase(request->headers[i].name, text_of(name))) {
            value = request->headers[i].value;
            found++;
        }
    if (found == 0)
        return ABSENT;
    return found == 1 && asserted_parse(value, request->arena, identities_out, count_out) == OK ? PRESENT : BROKEN;
}

static bool is_among(const struct text *identities, size_t count, struct text identity)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(identities[i], identity))
            return true;
    return false;
}

/* Two headers of one peer must not name two people. */
static bool agree(const struct text *some, size_t some_count, const struct text *all, size_t all_count)
{
    for (size_t i = 0; i < some_count; i++)
        if (!is_among(all, all_count, some[i]))
            return false;
    return true;
}

static enum status take_assertion(struct service *service, const struct http_request *request,
                                  struct requester *requester, struct refusal *refusal)
{
    struct text all[ASSERTED_MAX], one[ASSERTED_MAX];
    size_t all_count, one_count;
    enum presence by_3gpp = read_identities(request, ASSERTED_3GPP, all, &all_count);
    enum presence by_xcap = read_identities(request, ASSERTED_XCAP, one, &one_count);
    bool broken = by_3gpp == BROKEN || by_xcap == BROKEN;
    if (broken || (by_3gpp == PRESENT && by_xcap == PRESENT && !agree(one, one_count, all, all_count)))
        return refuse(refusal, REFUSAL_SYNTAX, "The asserted identity is malformed, or there are several.");
    if (by_xcap == PRESENT) /* the XUI */
        return requester_of_assertion(service->documents, one, one_count, request->arena, requester);
    if (by_3gpp == PRESENT)
        return requester_of_assertion(service->documents, all, all_count, request->arena, requester);
    return OK;
}

/* --- what the requester himself says --- */

static void tell_failure(const struct http_request *request, const struct digest_answer *answer,
                         const struct trust_address *address)
{
    struct text from = address ? trust_address_text(address, request->arena) : TEXT("unknown");
    log_warning("authentication failed user=%.*s address=%.*s peer=%.*s%s", TEXT_ARG(answer->claimed), TEXT_ARG(from),
                TEXT_ARG(http_peer_text(request->peer, request->arena)),
                answer->begins_to_wait ? " and has to wait" : "");
}

static enum digest_result check(struct service *service, const struct http_request *request,
                                struct digest_answer *answer, enum requester_proof *proof_out)
{
    struct trust_address address;
    bool known = service_client(service, request, &address);
    const struct digest_request asked = {
        .authorization = http_header_joined(request, "Authorization"),
        .method = request->method,
        .uri = request->target,
        .body = request->body,
        .address = known ? &address : NULL,
    };
    enum digest_result result = DIGEST_MISSING;
    *proof_out = REQUESTER_BASIC;
    /* A password that was told where others could hear it is worth nothing. */
    if (service->settings.basic && request->is_tls)
        result = basic_check(service->digest, service->documents, asked.authorization, asked.address, clock_wall_ms(),
                             request->arena, answer);
    if (result == DIGEST_MISSING) {
        *proof_out = REQUESTER_DIGEST;
        result = digest_check(service->digest, service->documents, &asked, clock_wall_ms(), request->arena, answer);
    }
    if (result == DIGEST_WRONG)
        tell_failure(request, answer, asked.address);
    return result;
}

static enum status take_credentials(struct service *service, const struct http_request *request,
                                    struct service_caller *caller, struct refusal *refusal)
{
    struct digest_answer answer;
    enum requester_proof proof;
    enum digest_result result = check(service, request, &answer, &proof);
    if (result == DIGEST_GOOD) {
        requester_of_user(&answer.user, proof, &caller->requester);
        caller->auth_info = answer.info;
        return OK;
    }
    metric_add(service->metrics.auth_failures[result], 1);
    caller->stale = result == DIGEST_STALE;
    caller->wait_ms = answer.wait_ms;
    switch (result) {
    case DIGEST_BROKEN: return refuse(refusal, REFUSAL_SYNTAX, "The Authorization header is malformed.");
    case DIGEST_FAILED: return FAILED;
    case DIGEST_WRONG: return refuse(refusal, REFUSAL_UNAUTHENTICATED, "The user name or the password is wrong.");
    case DIGEST_WAITING:
        return refuse(refusal, REFUSAL_TOO_MANY, "Too many wrong passwords; wait before the next try.");
    default: return refuse(refusal, REFUSAL_UNAUTHENTICATED, "Authentication is required.");
    }
}

/* Which of his identities he wants to be; it proves nothing. */
static enum status take_intention(struct service *service, const struct http_request *request,
                                  struct requester *requester, struct refusal *refusal)
{
    struct text intended[ASSERTED_MAX];
    size_t count;
    enum presence presence = read_identities(request, INTENDED, intended, &count);
    if (presence == ABSENT)
        return OK;
    if (presence == BROKEN || count != 1)
        return refuse(refusal, REFUSAL_SYNTAX, "The intended identity is malformed, or there are several.");
    enum status status = requester_act_as(service->documents, intended[0], request->arena, requester);
    return status == NOT_FOUND ? refuse(refusal, REFUSAL_FORBIDDEN, "The intended identity is not yours.") : status;
}

/* --- what the answer says --- */

static void add_challenges(const struct service *service, const struct http_request *request, bool stale,
                           struct http_response *response)
{
    const struct digest *digest = service->digest;
    struct arena *arena = request->arena;
    int64_t now_ms = clock_wall_ms();
    /* In the order of preference (RFC 7616 §3.7). */
    for (enum digest_algorithm algorithm = DIGEST_SHA256; algorithm < DIGEST_ALGORITHMS; algorithm++)
        if (digest_offers(digest, algorithm))
            http_response_header(response, "WWW-Authenticate",
                                 digest_challenge(digest, algorithm, stale, now_ms, arena));
    if (service->settings.basic && request->is_tls)
        http_response_header(response, "WWW-Authenticate", basic_challenge(digest, arena));
}

void service_answer_caller(const struct service *service, const struct http_request *request,
                           const struct service_caller *caller, struct http_response *response)
{
    if (response->status == 401)
        add_challenges(service, request, caller->stale, response);
    if (response->status == 429)
        http_response_header(response, "Retry-After",
                             text_format(request->arena, "%lld", (long long)((caller->wait_ms + 999) / 1000)));
    if (caller->auth_info.length)
        http_response_header(response, "Authentication-Info", caller->auth_info);
}

/* qop=auth-int. To find the word where it means something else costs no more than the wait for the body. */
bool xcap_protects_body(const struct http_request *request)
{
    struct text rest = http_header_joined(request, "Authorization");
    const struct text word = TEXT("-int");
    for (size_t at; (at = text_find_char(rest, '-')) < rest.length; rest = text_slice(rest, at + 1, rest.length))
        if (text_starts_with_nocase(text_slice(rest, at, rest.length), word))
            return true;
    return false;
}
