/* The page of the admin port: files that hold nothing of anybody. What it shows, its script asks of the admin API, as
 * whoever opened it may. The build turns the files of page/ into bytes. */
#include "admin_css.h"
#include "admin_html.h"
#include "admin_js.h"
#include "parts_js.h"
#include "service_admin.h"

/* Script and style are ours alone and no text becomes markup, whatever documents hold (Trusted Types: `xml`
 * makes trees that are read and never shown); nothing is loaded from elsewhere, sent elsewhere or shown inside another
 * page. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "    \
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types xml"

struct file {
    const char *path, *type;
    const unsigned char *bytes;
    size_t length;
};

static const struct file files[] = {
    {"/", "text/html; charset=utf-8", admin_html, sizeof(admin_html)},
    {"/admin.css", "text/css; charset=utf-8", admin_css, sizeof(admin_css)},
    {"/admin.js", "text/javascript; charset=utf-8", admin_js, sizeof(admin_js)},
    {"/parts.js", "text/javascript; charset=utf-8", parts_js, sizeof(parts_js)},
};

static const struct file *find(struct text path)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (text_equal(path, text_of(files[i].path)))
            return &files[i];
    return NULL;
}

bool admin_page_has(struct text path)
{
    return find(path) != NULL;
}

enum http_progress admin_page(struct admin_call *call)
{
    struct text path, query;
    text_cut(call->request->target, '?', &path, &query);
    const struct file *file = find(path);
    respond_document(call->response, 200, text_of(file->type), (struct text){(const char *)file->bytes, file->length});
    http_response_header(call->response, "Content-Security-Policy", TEXT(PAGE_POLICY));
    http_response_header(call->response, "Referrer-Policy", TEXT("no-referrer"));
    http_response_header(call->response, "Cross-Origin-Opener-Policy", TEXT("same-origin"));
    http_response_header(call->response, "Cross-Origin-Resource-Policy", TEXT("same-origin"));
    http_response_header(call->response, "Cache-Control", TEXT("no-cache"));
    return HTTP_DONE;
}
