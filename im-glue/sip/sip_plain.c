/* The short way through values as nearly all programs write them. libosip2 copies every part of a value to the heap to
 * find out whether it can be read; these look at each byte once. */
#include "sip_message_private.h"

#define PARAMETERS_MAX  16 /* more are not plain; how many there may be is judged elsewhere */
#define HOST_LENGTH_MIN 3  /* "<sip:x>" is too short to the library */

/* Sets of ASCII characters: a bit for each. */
struct set {
    uint64_t bits[2];
};

static const struct set letters = {{0x03ff000000000000, 0x07fffffe07fffffe}};  /* and digits */
static const struct set hosts = {{0x03ff600000000000, 0x07fffffe07fffffe}};    /* and "-." */
static const struct set words = {{0x03ff6c0200000000, 0x47fffffe87fffffe}};    /* and "!*+-._~" */
static const struct set displays = {{0x03ff600100000000, 0x07fffffe87fffffe}}; /* and " -._" */

static bool has(const struct set *set, char character)
{
    unsigned char byte = (unsigned char)character;
    return byte < 128 && (set->bits[byte >> 6] >> (byte & 63) & 1);
}

/* Takes what is of the set from the front; how much. */
static size_t take(struct text *rest, const struct set *set)
{
    size_t length = 0;
    while (length < rest->length && has(set, rest->bytes[length]))
        length++;
    *rest = text_slice(*rest, length, rest->length);
    return length;
}

static bool take_char(struct text *rest, char character)
{
    bool found = rest->length > 0 && rest->bytes[0] == character;
    *rest = text_slice(*rest, found, rest->length);
    return found;
}

/* ";name=value;flag" up to the end or to a character that is no part of it. */
static bool take_parameters(struct text *rest)
{
    for (size_t i = 0; take_char(rest, ';'); i++)
        if (i == PARAMETERS_MAX || take(rest, &words) == 0 || (take_char(rest, '=') && take(rest, &words) == 0))
            return false;
    return true;
}

/* "host:port"; port 0: not given. */
static bool take_host(struct text *rest, struct text *host_out, uint16_t *port_out)
{
    struct text all = *rest;
    uint64_t port = 0;
    *host_out = text_slice(all, 0, take(rest, &hosts));
    *port_out = 0;
    if (host_out->length == 0 || !take_char(rest, ':'))
        return host_out->length > 0;
    struct text digits = *rest;
    digits.length = take(rest, &letters);
    if (!text_to_u64(digits, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

static bool take_uri(struct text *rest)
{
    struct text host;
    uint16_t port;
    if (!text_starts_with(*rest, TEXT("sip")))
        return false;
    *rest = text_slice(*rest, 3, rest->length);
    take_char(rest, 's');
    if (!take_char(rest, ':'))
        return false;
    struct text user = *rest;
    if (take(&user, &words) > 0 && take_char(&user, '@'))
        *rest = user;
    return take_host(rest, &host, &port) && host.length >= HOST_LENGTH_MIN && take_parameters(rest);
}

bool sip_plain_uri(struct text uri)
{
    return take_uri(&uri) && uri.length == 0;
}

bool sip_plain_address(struct text value)
{
    if (take_char(&value, '"')) {
        take(&value, &displays);
        if (!take_char(&value, '"') || !take_char(&value, ' '))
            return false;
    }
    return take_char(&value, '<') && take_uri(&value) && take_char(&value, '>') && take_parameters(&value) &&
           value.length == 0;
}

bool sip_plain_call_id(struct text value)
{
    return take(&value, &words) > 0 && (!take_char(&value, '@') || take(&value, &words) > 0) && value.length == 0;
}

bool sip_plain_content_type(struct text value)
{
    return take(&value, &words) > 0 && take_char(&value, '/') && take(&value, &words) > 0 && take_parameters(&value) &&
           value.length == 0;
}

bool sip_plain_via(struct text value, struct sip_via *via_out)
{
    static const struct text version = TEXT_INIT("SIP/2.0/");
    struct text rest = value;
    if (!text_starts_with(value, version))
        return false;
    rest = text_slice(value, version.length, value.length);
    if (take(&rest, &letters) == 0 || !take_char(&rest, ' ') || !take_host(&rest, &via_out->host, &via_out->port))
        return false;
    via_out->parameters = rest.length > 0 ? text_slice(rest, 1, rest.length) : rest;
    return take_parameters(&rest) && rest.length == 0;
}
