/* JSON in and out of the admin API, its errors and its query parameters. */
#include <stdlib.h>

#include "log.h"
#include "service_admin.h"

enum http_progress admin_answer(struct admin_call *call, int status, json_t *body)
{
    char *written = json_dumps(body, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(body);
    struct text bytes = text_join(call->request->arena, text_of(written), TEXT("\n"));
    free(written);
    respond_document(call->response, status, TEXT("application/json"), bytes);
    http_response_header(call->response, "Cache-Control", TEXT("no-store"));
    return HTTP_DONE;
}

void admin_document(struct admin_call *call, struct text type, struct text bytes)
{
    respond_document(call->response, 200, type, bytes);
    http_response_header(call->response, "Content-Security-Policy",
                         TEXT("default-src 'none'; frame-ancestors 'none'; sandbox"));
    http_response_header(call->response, "Cache-Control", TEXT("private, no-cache"));
}

enum http_progress admin_error(struct admin_call *call, int status, struct text sentence)
{
    return admin_answer(call, status, json_pack("{s:o}", "error", admin_string(call, sentence)));
}

enum http_progress admin_refused(struct admin_call *call, enum status status, const struct refusal *refusal)
{
    int code = respond_code(status, refusal);
    struct text why = status == FAILED && refusal ? refusal->phrase : TEXT(""); /* of a sheet */
    if (code >= 500)
        log_error("admin request failed status=%d reason=%s target=%.*s%s%.*s", code, status_name(status),
                  TEXT_ARG(call->request->target), why.length ? " why=" : "", TEXT_ARG(why));
    if (status != REFUSED)
        return admin_error(call, code, text_of(respond_phrase(status)));
    json_t *body = json_pack("{s:o}", "error", admin_string(call, refusal->phrase));
    if (refusal->element) /* which of the conflicts of RFC 4825 §11 */
        json_object_set_new(body, "conflict", json_string(refusal->element));
    return admin_answer(call, code, body);
}

json_t *admin_string(struct admin_call *call, struct text text)
{
    if (!utf8_valid(text)) {
        char *clean = text_cstring(call->request->arena, text);
        for (size_t i = 0; i < text.length; i++)
            if ((unsigned char)clean[i] >= 0x80)
                clean[i] = '?';
        text.bytes = clean;
    }
    return json_stringn(text.length ? text.bytes : "", text.length);
}

bool admin_body(struct admin_call *call, const char *members, json_t **body_out)
{
    json_error_t error;
    struct text body = call->request->body;
    *body_out = json_loadb(body.length ? body.bytes : "", body.length, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*body_out)) {
        bool known = !members || admin_members_known(call, *body_out, members);
        if (!known)
            json_decref(*body_out);
        return known;
    }
    struct text sentence = TEXT("The body is no JSON object.");
    if (!*body_out)
        sentence = text_format(call->request->arena, "The body is no JSON: line %d: %s.", error.line, error.text);
    json_decref(*body_out);
    admin_error(call, 400, sentence);
    return false;
}

bool admin_member(const json_t *body, const char *name, struct text *value_out, bool *broken_out)
{
    const json_t *member = json_object_get(body, name);
    *value_out = TEXT("");
    if (!member)
        return false;
    if (!json_is_string(member)) {
        *broken_out = true;
        return false;
    }
    *value_out = (struct text){json_string_value(member), json_string_length(member)};
    return true;
}

bool admin_parameter(const struct admin_call *call, const char *name, struct text *value_out)
{
    struct text rest = call->query, pair, key, value;
    while (rest.length) {
        text_cut(rest, '&', &pair, &rest);
        text_cut(pair, '=', &key, &value);
        if (text_equal(key, text_of(name)))
            return percent_decode(call->request->arena, value, value_out);
    }
    return false;
}

bool admin_limit(struct admin_call *call, size_t *limit_out)
{
    struct text value;
    uint64_t number = ADMIN_LIMIT_STANDARD;
    bool fits = true;
    if (admin_parameter(call, "limit", &value))
        fits = text_to_u64(value, &number) && number >= 1 && number <= ADMIN_LIMIT_MAX;
    *limit_out = (size_t)number;
    if (!fits)
        admin_error(call, 400, TEXT("limit is a number from 1 to 1000."));
    return fits;
}
