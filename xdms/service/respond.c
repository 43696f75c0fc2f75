/* Refusals and failures as HTTP: one switch for all ports, and the headers that go with each code. */
#include "clock.h"
#include "log.h"
#include "service_own.h"
#include "xcap_error.h"

#define RETRY_AFTER_S "1" /* a lost race is over at once; a second keeps a crowd from coming back together */

static int refusal_code(enum refusal_kind kind);

void respond_document(struct http_response *response, int status, struct text type, struct text bytes)
{
    response->status = status;
    response->body = bytes;
    http_response_header(response, "Content-Type", type);
    http_response_header(response, "X-Content-Type-Options", TEXT("nosniff"));
}

void respond_text(struct http_response *response, int status, struct text line)
{
    respond_document(response, status, TEXT("text/plain; charset=utf-8"), line);
    http_response_header(response, "Cache-Control", TEXT("no-store"));
}

int respond_code(enum status status, const struct refusal *refusal)
{
    switch (status) {
    case OK: return 200;
    case REFUSED: return refusal_code(refusal->kind);
    case NOT_FOUND: return 404;
    case CONFLICT:
    case UNCERTAIN: return 503;
    case FULL: return 507;
    case TAKEN:
    case FAILED: return 500;
    }
    return 500;
}

static int refusal_code(enum refusal_kind kind)
{
    switch (kind) {
    case REFUSAL_SYNTAX: return 400;
    case REFUSAL_UNAUTHENTICATED: return 401;
    case REFUSAL_FORBIDDEN: return 403;
    case REFUSAL_ABSENT: return 404;
    case REFUSAL_METHOD: return 405;
    case REFUSAL_CONFLICT: return 409;
    case REFUSAL_PRECONDITION: return 412;
    case REFUSAL_TOO_LARGE: return 413;
    case REFUSAL_URI_TOO_LONG: return 414;
    case REFUSAL_MEDIA_TYPE: return 415;
    case REFUSAL_TOO_MANY: return 429;
    case REFUSAL_NONE: break;
    }
    return 500;
}

const char *respond_phrase(enum status status)
{
    switch (status) {
    case NOT_FOUND: return "There is nothing of that name.";
    case CONFLICT: return "Too many others change this at once; try again.";
    case UNCERTAIN: return "It is not known whether this happened; read it before you try again.";
    case FULL: return "The server has no room left.";
    default: return "The server failed; its log says why.";
    }
}

static struct text phrase_of(const struct xcap_call *call, enum status status, const struct refusal *refusal)
{
    if (status == REFUSED)
        return refusal->phrase;
    if (status == FULL && call->place.row && call->place.row->kind == USAGE_COMPUTED)
        return TEXT(
            "What is made of all documents is too large; read it in parts, the first with ?limit=100 behind the "
            "path.");
    return text_of(respond_phrase(status));
}

void respond_xcap_refusal(const struct xcap_call *call, enum status status, const struct refusal *refusal,
                          struct http_response *response)
{
    int code = respond_code(status, refusal);
    if (status == REFUSED && refusal->kind == REFUSAL_CONFLICT) {
        respond_document(response, code, TEXT("application/xcap-error+xml"),
                         xcap_error_write(refusal, call->request->arena));
        return;
    }
    respond_text(response, code, text_join(call->request->arena, phrase_of(call, status, refusal), TEXT("\n")));
    if (code == 405)
        http_response_header(response, "Allow", refusal->allow);
    if (code == 415) /* RFC 9110 §15.5.16: which codings would do */
        http_response_header(response, "Accept-Encoding", TEXT("identity"));
    if (code == 503)
        http_response_header(response, "Retry-After", TEXT(RETRY_AFTER_S));
    if (code >= 500 && status != CONFLICT) /* a lost race is nobody's failure */
        log_error("request failed status=%d reason=%s usage=%.*s owner=%.*s name=%.*s%s%.*s", code, status_name(status),
                  TEXT_ARG(call->place.key.usage), TEXT_ARG(call->place.key.owner), TEXT_ARG(call->place.key.name),
                  refusal->phrase.length ? " why=" : "", TEXT_ARG(refusal->phrase));
}
