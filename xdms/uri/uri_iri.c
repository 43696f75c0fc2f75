/* Addresses with letters beyond ASCII, as people write them into rules, and the spelling that the network uses for them
 * (RFC 3987, IDNA). It must not know what they are compared with. */
#include <idn2.h>

#include "uri.h"

static bool is_ascii(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.bytes[i] >= 0x80)
            return false;
    }
    return true;
}

static struct text to_ascii(struct arena *arena, struct text domain)
{
    char *ascii = NULL;
    struct text result = {0};
    if (!utf8_valid(domain) || text_find_char(domain, '\0') < domain.length)
        return result;
    int error = idn2_to_ascii_8z(text_cstring(arena, domain), &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (error == IDN2_OK)
        result = text_copy(arena, text_of(ascii));
    idn2_free(ascii);
    return result;
}

struct text uri_host_ascii(struct arena *arena, struct text domain)
{
    struct text decoded;
    struct uri uri;
    if (domain.length > URI_LENGTH_MAX || !percent_decode(arena, domain, &decoded))
        return (struct text){0};
    if (!is_ascii(decoded))
        decoded = to_ascii(arena, decoded);
    struct text address = text_join(arena, TEXT("sip:"), decoded);
    if (!uri_parse(address, &uri) || uri.user.length || uri.port || uri.parameters.length || uri.headers.length)
        return (struct text){0};
    return uri_domain(uri_canonical(arena, address));
}

/* Every byte beyond ASCII as an escape; what is written as an escape stays one. */
static void add_encoded(struct text_builder *out, struct text part)
{
    for (size_t i = 0; i < part.length; i++) {
        unsigned char byte = (unsigned char)part.bytes[i];
        if (byte >= 0x80)
            builder_add_format(out, "%%%02X", byte);
        else
            builder_add_char(out, (char)byte);
    }
}

struct text uri_from_iri(struct arena *arena, struct text iri)
{
    struct text scheme, rest, user, address;
    struct text_builder out;
    if (is_ascii(iri))
        return iri;
    if (iri.length > URI_LENGTH_MAX || !utf8_valid(iri) || !text_cut(iri, ':', &scheme, &rest))
        return (struct text){0};
    builder_init(&out, arena);
    builder_add(&out, scheme);
    builder_add_char(&out, ':');
    if (text_cut(rest, '@', &user, &address)) {
        add_encoded(&out, user);
        builder_add_char(&out, '@');
    } else {
        address = rest;
    }
    size_t end = 0;
    while (end < address.length && !strchr(":;?", address.bytes[end]))
        end++;
    struct text host = text_slice(address, 0, end);
    builder_add(&out, is_ascii(host) ? host : uri_host_ascii(arena, host));
    add_encoded(&out, text_slice(address, end, address.length));
    return builder_text(&out);
}
