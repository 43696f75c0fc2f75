/* Reads lists of asserted identities. Asks nobody who may assert them. */
#include "asserted.h"

#include "uri.h"

/* Position of the first comma that separates: in quotes and brackets it does not. text.length: none; false: a quote or
 * a bracket does not end. */
static bool find_comma(struct text text, size_t *at_out)
{
    char open = 0;
    size_t at;
    for (at = 0; at < text.length; at++) {
        char character = text.bytes[at];
        if (open == '"' && character == '\\')
            at++;
        else if (open)
            open = character == open ? 0 : open;
        else if (character == '"')
            open = '"';
        else if (character == '<')
            open = '>';
        else if (character == ',')
            break;
    }
    *at_out = at < text.length ? at : text.length;
    return !open;
}

static bool is_clean(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (((unsigned char)text.bytes[i] < 0x20 && text.bytes[i] != '\t') || text.bytes[i] == 0x7f)
            return false;
    return true;
}

static bool is_enclosed(struct text text, char open, char close)
{
    return text.length >= 2 && text.bytes[0] == open && text.bytes[text.length - 1] == close;
}

/* What stands inside "sip:a@x", <sip:a@x> or "<sip:a@x>"; otherwise a name-addr, or the address as it is. */
static struct text bare(struct text item)
{
    struct name_addr named;
    if (is_enclosed(item, '"', '"') && text_find_char(text_slice(item, 1, item.length - 1), '"') == item.length - 2)
        item = text_trim(text_slice(item, 1, item.length - 1));
    if (is_enclosed(item, '<', '>'))
        return text_trim(text_slice(item, 1, item.length - 1));
    if (text_ends_with(item, TEXT(">")) && name_addr_parse(item, &named, NULL))
        return named.uri;
    return item;
}

static struct text canonical(struct text item, struct arena *arena)
{
    struct text written = bare(item);
    struct text address = uri_canonical(arena, written);
    size_t at = text_find_char(written, '@');
    if (address.length == 0 && at > 0 && at < written.length && text_find_char(written, ':') > at)
        address = uri_canonical(arena, text_join(arena, TEXT("sip:"), written));
    /* "sip:example.com" is a server and nobody */
    bool nobody = text_starts_with(address, TEXT("sip:")) && text_find_char(address, '@') == address.length;
    return nobody ? TEXT("") : address;
}

enum status asserted_parse(struct text value, struct arena *arena, struct text identities_out[ASSERTED_MAX],
                           size_t *count_out)
{
    bool more = true;
    *count_out = 0;
    if (!is_clean(value))
        return REFUSED;
    while (more) {
        size_t comma;
        if (!find_comma(value, &comma))
            return REFUSED;
        more = comma < value.length;
        struct text address = canonical(text_trim(text_slice(value, 0, comma)), arena);
        value = text_slice(value, comma + more, value.length);
        if (address.length == 0)
            return REFUSED;
        bool known = false;
        for (size_t i = 0; i < *count_out && !known; i++)
            known = text_equal(identities_out[i], address);
        if (!known && *count_out == ASSERTED_MAX)
            return REFUSED;
        if (!known)
            identities_out[(*count_out)++] = address;
    }
    return OK;
}
