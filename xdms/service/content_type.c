/* Media types: which one a resource has, and what a request says of its body (RFC 4825 §15.2, §8.2.2). */
#include "service_own.h"

static bool charset_fits(struct text parameters);

struct text content_type_of(const struct document_place *place, const struct xcap_selector *selector,
                            struct arena *arena)
{
    if (!selector)
        return text_copy(arena, place->usage->mime); /* the response outlives the usage */
    switch (selector->terminal) {
    case XCAP_ELEMENT: return TEXT("application/xcap-el+xml");
    case XCAP_ATTRIBUTE: return TEXT("application/xcap-att+xml");
    case XCAP_NAMESPACES: break;
    }
    return TEXT("application/xcap-ns+xml");
}

enum content_fit content_fit(const struct http_request *request, struct text type_wanted)
{
    struct text coding = text_trim(http_header_joined(request, "Content-Encoding"));
    struct text type, parameters;
    if (coding.length && !text_equal_nocase(coding, TEXT("identity")))
        return CONTENT_CODED;
    text_cut(http_header_joined(request, "Content-Type"), ';', &type, &parameters);
    if (!text_equal_nocase(text_trim(type), type_wanted))
        return CONTENT_OTHER_TYPE;
    return charset_fits(parameters) ? CONTENT_FITS : CONTENT_OTHER_CHARSET;
}

static bool charset_fits(struct text parameters)
{
    struct text parameter, name, value;
    while (parameters.length) {
        text_cut(parameters, ';', &parameter, &parameters);
        if (!text_cut(parameter, '=', &name, &value) || !text_equal_nocase(text_trim(name), TEXT("charset")))
            continue;
        value = text_trim(value);
        if (value.length >= 2 && text_starts_with(value, TEXT("\"")) && text_ends_with(value, TEXT("\"")))
            value = text_slice(value, 1, value.length - 1);
        if (!text_equal_nocase(value, TEXT("utf-8")))
            return false;
    }
    return true;
}
