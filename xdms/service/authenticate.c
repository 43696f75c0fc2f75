/* Who asks: digest credentials of an XCAP request to a canonical address. Knows nothing of documents. */
#include "clock.h"
#include "log.h"
#include "service_own.h"

enum status xcap_authenticate(struct xcap_call *call, struct refusal *refusal)
{
    const struct http_request *request = call->request;
    const struct digest_request asked = {
        .authorization = http_header_joined(request, "Authorization"),
        .method = request->method,
        .uri = request->target,
        .body = request->body,
    };
    struct service *service = call->service;
    struct digest_answer answer;
    enum digest_result result =
        digest_check(service->digest, service->documents, &asked, clock_wall_ms(), request->arena, &answer);
    call->user = answer.user.address;
    call->auth_info = answer.info;
    if (result == DIGEST_GOOD)
        return OK;
    metric_add(service->metrics.auth_failures[result], 1);
    call->user = TEXT("");
    call->stale = result == DIGEST_STALE;
    switch (result) {
    case DIGEST_BROKEN: return refuse(refusal, REFUSAL_SYNTAX, "The Authorization header is malformed.");
    case DIGEST_FAILED: return FAILED;
    case DIGEST_WRONG: return refuse(refusal, REFUSAL_UNAUTHENTICATED, "The user name or the password is wrong.");
    default: return refuse(refusal, REFUSAL_UNAUTHENTICATED, "Authentication is required.");
    }
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
