/* What monitoring asks: numbers, and whether the process lives and may be sent work. */
#include "management.h"
#include "metrics.h"

static void answer(struct http_response *response, int status, struct text type, struct text body)
{
    response->status = status;
    response->body = body;
    http_response_header(response, "Content-Type", type);
    http_response_header(response, "X-Content-Type-Options", TEXT("nosniff"));
    http_response_header(response, "Cache-Control", TEXT("no-store"));
}

static void answer_line(struct http_response *response, int status, struct text line)
{
    answer(response, status, TEXT("text/plain; charset=utf-8"), line);
}

static void answer_ready(const struct management *management, struct arena *arena, struct http_response *response)
{
    const char *trouble = management->trouble(management->context, arena);
    if (trouble)
        answer_line(response, 503, text_format(arena, "not ready: %s\n", trouble));
    else
        answer_line(response, 200, TEXT("ok\n"));
}

enum http_progress management_answer(const struct management *management, struct http_request *request,
                                     struct http_response *response)
{
    struct text path, query;
    text_cut(request->target, '?', &path, &query);
    bool metrics = text_equal(path, TEXT("/metrics"));
    bool live = text_equal(path, TEXT("/livez"));
    if (!metrics && !live && !text_equal(path, TEXT("/readyz"))) {
        answer_line(response, 404, TEXT("There is /metrics, /livez and /readyz.\n"));
    } else if (!text_equal(request->method, TEXT("GET")) && !text_equal(request->method, TEXT("HEAD"))) {
        answer_line(response, 405, TEXT("This can be read only.\n"));
        http_response_header(response, "Allow", TEXT("GET, HEAD"));
    } else if (metrics) {
        answer(response, 200, TEXT("text/plain; version=0.0.4; charset=utf-8"), metrics_write(request->arena));
    } else if (live) {
        answer_line(response, 200, TEXT("ok\n"));
    } else {
        answer_ready(management, request->arena, response);
    }
    return HTTP_DONE;
}
