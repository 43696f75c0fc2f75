/* The short way through values as nearly all programs write them. libosip2 copies every part of a value to the heap to
 * find out whether it can be read; these look at each byte once. */
#include "sip_message_private.h"

#define PARAMETERS_MAX  16 /* more are not plain; how many there may be is judged elsewhere */
#define HOST_LENGTH_MIN 3  /* "<sip:x>" is too short to the library */

/* Sets of ASCII characters, one a bit. */
enum { LETTERS = 1, HOSTS = 2, WORDS = 4, DISPLAYS = 8, ALL = 15 };

/* clang-format off */
static const unsigned char sets[256] = {
    ['0' ... '9'] = ALL, ['A' ... 'Z'] = ALL, ['a' ... 'z'] = ALL, ['-'] = HOSTS | WORDS | DISPLAYS,
    ['.'] = HOSTS | WORDS | DISPLAYS, ['_'] = WORDS | DISPLAYS, ['!'] = WORDS, ['*'] = WORDS, ['+'] = WORDS, ['~'] = WORDS,
    [' '] = DISPLAYS};
/* clang-format on */

/* Takes what is of the set from the front; how much. */
static size_t take(struct text *rest, unsigned set)
{
    if (rest->length == 0)
        return 0;
    const char *at = rest->bytes, *end = at + rest->length;
    while (at < end && (sets[(unsigned char)*at] & set))
        at++;
    size_t length = (size_t)(at - rest->bytes);
    *rest = (struct text){at, rest->length - length};
    return length;
}

static bool take_char(struct text *rest, char character)
{
    bool found = rest->length > 0 && rest->bytes[0] == character;
    *rest = text_slice(*rest, found, rest->length);
    return found;
}

/* The first of that name; `found`: without, nobody has looked. */
struct wanted {
    struct text name, value;
    bool found;
};

static void look_at(struct wanted *wanted, struct text name, struct text value)
{
    if (wanted->found || !text_equal_nocase(name, wanted->name))
        return;
    wanted->found = true;
    wanted->value = value;
}

/* ";name=value;flag" up to the end or to a character that is no part of it. */
static bool take_parameters(struct text *rest, struct wanted *wanted, size_t wanted_count)
{
    for (size_t i = 0; take_char(rest, ';'); i++) {
        struct text name = *rest, value = {0};
        name.length = take(rest, WORDS);
        if (i == PARAMETERS_MAX || name.length == 0)
            return false;
        if (take_char(rest, '=')) {
            value = *rest;
            value.length = take(rest, WORDS);
            if (value.length == 0)
                return false;
        }
        for (size_t j = 0; j < wanted_count; j++)
            look_at(&wanted[j], name, value);
    }
    return true;
}

/* "host:port"; port 0: not given. */
static bool take_host(struct text *rest, struct text *host_out, uint16_t *port_out)
{
    struct text all = *rest;
    uint64_t port = 0;
    *host_out = text_slice(all, 0, take(rest, HOSTS));
    *port_out = 0;
    if (host_out->length == 0 || !take_char(rest, ':'))
        return host_out->length > 0;
    struct text digits = *rest;
    digits.length = take(rest, LETTERS);
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
    if (take(&user, WORDS) > 0 && take_char(&user, '@'))
        *rest = user;
    return take_host(rest, &host, &port) && host.length >= HOST_LENGTH_MIN && take_parameters(rest, NULL, 0);
}

bool sip_plain_uri(struct text uri)
{
    return take_uri(&uri) && uri.length == 0;
}

bool sip_plain_address(struct text value, struct text *tag_out)
{
    struct wanted tag = {.name = TEXT("tag")};
    if (take_char(&value, '"')) {
        take(&value, DISPLAYS);
        if (!take_char(&value, '"') || !take_char(&value, ' '))
            return false;
    }
    bool plain = take_char(&value, '<') && take_uri(&value) && take_char(&value, '>') &&
                 take_parameters(&value, &tag, 1) && value.length == 0;
    *tag_out = tag.value;
    return plain;
}

bool sip_plain_call_id(struct text value)
{
    return take(&value, WORDS) > 0 && (!take_char(&value, '@') || take(&value, WORDS) > 0) && value.length == 0;
}

bool sip_plain_content_type(struct text value)
{
    return take(&value, WORDS) > 0 && take_char(&value, '/') && take(&value, WORDS) > 0 &&
           take_parameters(&value, NULL, 0) && value.length == 0;
}

bool sip_plain_via(struct text value, struct sip_via *via_out)
{
    static const struct text version = TEXT_INIT("SIP/2.0/");
    struct wanted wanted[] = {{.name = TEXT("branch")}, {.name = TEXT("rport")}};
    struct text rest = value;
    if (!text_starts_with(value, version))
        return false;
    rest = text_slice(value, version.length, value.length);
    if (take(&rest, LETTERS) == 0 || !take_char(&rest, ' ') || !take_host(&rest, &via_out->host, &via_out->port))
        return false;
    via_out->parameters = rest.length > 0 ? text_slice(rest, 1, rest.length) : rest;
    if (!take_parameters(&rest, wanted, 2) || rest.length > 0)
        return false;
    via_out->branch = wanted[0].value;
    via_out->wants_port = wanted[1].found;
    return true;
}
