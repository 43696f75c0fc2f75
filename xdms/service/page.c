/* Documents as pages for people: does this client want one, and with which headers it is sent. What the page looks like
 * is said in page.xsl. */
#include "service_own.h"

/* No page of ours runs a script, loads anything or is shown inside another one, whatever a document says. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'; sandbox"

#define QUALITY_MAX 1000 /* thousandths: three digits are all that may be sent */

static unsigned quality_of(struct text accept, struct text type);
static unsigned range_fit(struct text range, struct text type);

bool content_prefers_page(const struct http_request *request, struct text type)
{
    struct text accept = http_header_joined(request, "Accept");
    return accept.length && quality_of(accept, TEXT("text/html")) > quality_of(accept, type);
}

/* RFC 9110 §12.5.1: of the ranges that fit, the one that says most counts. */
static unsigned quality_of(struct text accept, struct text type)
{
    unsigned best_fit = 0, quality = 0;
    while (accept.length) {
        struct text one, range, parameters;
        text_cut(accept, ',', &one, &accept);
        text_cut(one, ';', &range, &parameters);
        unsigned fit = range_fit(text_trim(range), type);
        if (fit <= best_fit)
            continue;
        best_fit = fit;
        quality = content_quality(parameters);
    }
    return quality;
}

/* 0: does not fit; the larger, the more exactly. */
static unsigned range_fit(struct text range, struct text type)
{
    struct text family, kind;
    if (text_equal_nocase(range, type))
        return 3;
    if (text_equal(range, TEXT("*/*")))
        return 1;
    text_cut(type, '/', &family, &kind);
    bool same_family = range.length == family.length + 2 && text_ends_with(range, TEXT("/*")) &&
                       text_equal_nocase(text_slice(range, 0, family.length), family);
    return same_family ? 2 : 0;
}

/* "q=0.8" anywhere in the parameters; what cannot be read counts as absent. */
unsigned content_quality(struct text parameters)
{
    struct text parameter, name, value;
    while (parameters.length) {
        text_cut(parameters, ';', &parameter, &parameters);
        if (!text_cut(parameter, '=', &name, &value) || !text_equal_nocase(text_trim(name), TEXT("q")))
            continue;
        struct text whole, fraction;
        text_cut(text_trim(value), '.', &whole, &fraction);
        unsigned quality = 0;
        for (size_t i = 0; i < 3; i++) {
            bool digit = i < fraction.length && fraction.bytes[i] >= '0' && fraction.bytes[i] <= '9';
            quality = quality * 10 + (digit ? (unsigned)(fraction.bytes[i] - '0') : 0);
        }
        return text_equal(whole, TEXT("0")) ? quality : QUALITY_MAX;
    }
    return QUALITY_MAX;
}

bool respond_page(const struct xcap_call *call, struct text bytes, struct http_response *response)
{
    const struct document_place *place = &call->place;
    const struct documents *documents = call->service->documents;
    const struct usage_subject subject = {place->key.owner, place->key.name, place->root_uri};
    struct text page;
    if (usage_page(documents_usages(documents), place->usage, &subject, bytes, call->request->arena, &page) != OK)
        return false;
    bool coded = content_gzip(call->request, call->service->settings.gzip_bytes_min, &page);
    respond_document(response, 200, TEXT("text/html; charset=utf-8"), page);
    if (coded)
        http_response_header(response, "Content-Encoding", TEXT("gzip"));
    http_response_header(response, "Content-Security-Policy", TEXT(PAGE_POLICY));
    http_response_header(response, "Referrer-Policy", TEXT("no-referrer"));
    http_response_header(response, "Vary", TEXT("Accept, Accept-Encoding"));
    /* no entity tag: that of the document would say that both are the same bytes */
    http_response_header(response, "Cache-Control", TEXT("private, no-store"));
    return true;
}
