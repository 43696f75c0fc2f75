/* Calls of the admin API, one after another. With pipe.c the only file of xdmctl that knows the HTTP library. */
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>

#include "ctl.h"

#define ANSWER_BYTES_MAX   (64u << 20) /* a page of 1000 entries is far below; more is not our server */
#define FOREIGN_MAX        200         /* characters of what is shown of an answer that is not the API's: one line */
#define ANSWER_MS_MAX      30000
#define PAGE_ENTRIES       1000
#define PAGES_MAX          100000 /* a server that never ends its list must not keep us for ever */
#define SEGMENT_CHARACTERS ":@"

static size_t receive(char *bytes, size_t size, size_t count, void *context);

/* What a server does, in TLS 1.3 after the handshake seems good, to who shows no certificate. */
static bool is_hung_up_on(CURLcode code)
{
    return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
}

enum ctl_exit ctl_ask(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *answer_out)
{
    char reason[CURL_ERROR_SIZE] = "";
    struct text_builder body;
    builder_init(&body, &ctl->arena);
    CURL *curl = curl_easy_init();
    if (!curl)
        return ctl_error("the HTTP library does not start"), CTL_UNREACHABLE;
    struct curl_slist *headers = ctl_headers(ctl, request->content_type);
    ctl_address(ctl, curl, request->path);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    if (!request->may_take_long)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS_MAX);
    if (request->body.bytes) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    }
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer_out->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        return ctl_error("%s cannot be reached: %s%s", ctl->admin, reason[0] ? reason : curl_easy_strerror(code),
                         !ctl->cert && strncmp(ctl->admin, "https:", 6) == 0 && is_hung_up_on(code)
                             ? " (does it want a certificate of --cert?)"
                             : ""),
               CTL_UNREACHABLE;
    answer_out->body = builder_text(&body);
    json_decref(ctl->json);
    answer_out->json = ctl->json = json_loadb(body.length ? body.bytes : "", body.length, 0, NULL);
    return CTL_OK;
}

void ctl_address(struct ctl *ctl, void *curl, struct text path)
{
    const char *scheme = strstr(ctl->admin, "://") ? "" : "http://";
    struct text url = text_format(&ctl->arena, "%s%s/api/v1/%.*s", scheme, ctl->admin, TEXT_ARG(path));
    curl_easy_setopt(curl, CURLOPT_URL, text_cstring(&ctl->arena, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the admin port is here; a proxy is for elsewhere */
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ctl->cacert)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ctl->cacert);
    if (ctl->cert)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, ctl->cert);
    if (ctl->cert)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, ctl->key ? ctl->key : ctl->cert);
}

struct curl_slist *ctl_headers(struct ctl *ctl, const char *content_type)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (content_type)
        headers = curl_slist_append(
            headers, text_cstring(&ctl->arena, text_format(&ctl->arena, "Content-Type: %s", content_type)));
    if (ctl->token && ctl->token[0])
        headers = curl_slist_append(
            headers, text_cstring(&ctl->arena, text_format(&ctl->arena, "Authorization: Bearer %s", ctl->token)));
    return headers;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct text_builder *body = context;
    if (body->length + size * count > ANSWER_BYTES_MAX)
        return 0;
    builder_add(body, (struct text){bytes, size * count});
    return size * count;
}

enum ctl_exit ctl_call(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *answer_out)
{
    enum ctl_exit code = ctl_ask(ctl, request, answer_out);
    if (code == CTL_OK && answer_out->status / 100 != 2)
        return ctl_refused(answer_out);
    return code;
}

enum ctl_exit ctl_refused(const struct ctl_answer *answer)
{
    const char *sentence = ctl_string(answer->json, "error");
    if (sentence[0])
        return ctl_error("%s", sentence);
    /* Not the admin API as it should be: what else is there says so in its first line, if it is one for a terminal. */
    size_t length = 0;
    while (length < answer->body.length && length < FOREIGN_MAX && isprint((unsigned char)answer->body.bytes[length]))
        length++;
    return ctl_error("the server answers %ld%s%.*s", answer->status, length ? ": " : "", (int)length,
                     answer->body.bytes);
}

enum ctl_exit ctl_each(struct ctl *ctl, const char *path, const char *list, void (*print)(const json_t *entry))
{
    struct text next = text_format(&ctl->arena, "%s?limit=%d", path, PAGE_ENTRIES);
    char *kept = NULL; /* a million entries must not stay in memory */
    enum ctl_exit code = CTL_OK;
    for (int pages = 0; pages < PAGES_MAX && next.length && code == CTL_OK; pages++) {
        const struct ctl_request request = {.method = "GET", .path = next};
        struct ctl_answer answer;
        code = ctl_call(ctl, &request, &answer);
        if (code != CTL_OK)
            break;
        const json_t *entries = json_object_get(answer.json, list);
        for (size_t i = 0; i < json_array_size(entries); i++)
            print(json_array_get(entries, i));
        const char *last = ctl_string(answer.json, "next");
        arena_reset(&ctl->arena);
        free(kept);
        kept = strdup(last);
        next = TEXT("");
        if (kept && kept[0])
            next = text_format(&ctl->arena, "%s?limit=%d&after=%.*s", path, PAGE_ENTRIES,
                               TEXT_ARG(ctl_segment(ctl, kept)));
    }
    free(kept);
    return code;
}

struct text ctl_segment(struct ctl *ctl, const char *value)
{
    return percent_encode(&ctl->arena, text_of(value), SEGMENT_CHARACTERS);
}

const char *ctl_string(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}
