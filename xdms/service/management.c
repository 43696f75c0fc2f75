/* What monitoring asks: numbers, and whether the process lives and may be sent work. */
#include "service_own.h"

static const char *not_ready(const struct service *service, struct arena *arena);
static bool store_answers(const struct service *service, struct arena *arena);

enum http_progress service_management(void *context, struct http_request *request, struct http_response *response)
{
    struct service *service = context;
    enum service_method method = service_method_of(request->method);
    struct text path, query;
    text_cut(request->target, '?', &path, &query);
    bool metrics = text_equal(path, TEXT("/metrics"));
    bool live = text_equal(path, TEXT("/livez"));
    if (!metrics && !live && !text_equal(path, TEXT("/readyz"))) {
        respond_text(response, 404, TEXT("There is /metrics, /livez and /readyz.\n"));
    } else if (method != METHOD_GET && method != METHOD_HEAD) {
        respond_text(response, 405, TEXT("This can be read only.\n"));
        http_response_header(response, "Allow", TEXT("GET, HEAD"));
    } else if (metrics) {
        respond_document(response, 200, TEXT("text/plain; version=0.0.4; charset=utf-8"),
                         metrics_write(request->arena));
        http_response_header(response, "Cache-Control", TEXT("no-store"));
    } else {
        const char *trouble = live ? NULL : not_ready(service, request->arena);
        respond_text(response, trouble ? 503 : 200, trouble ? text_of(trouble) : TEXT("ok\n"));
    }
    return HTTP_DONE;
}

static const char *not_ready(const struct service *service, struct arena *arena)
{
    if (!atomic_load(&service->ready))
        return "not ready: starting or stopping\n";
    return store_answers(service, arena) ? NULL : "not ready: the store cannot be read\n";
}

static bool store_answers(const struct service *service, struct arena *arena)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_USERS)};
    struct key_page page;
    return document_internal_list(service->documents, &prefix, NULL, 1, arena, &page) == OK;
}
