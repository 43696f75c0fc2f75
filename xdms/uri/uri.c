/* Reads SIP, SIPS, TEL, IM and PRES URIs and makes the key they are compared by. It must not know what an address is
 * used for; names around a URI are name_addr.c. */
#include "uri.h"

#include <stdlib.h>

#include <arpa/inet.h>

#include "uri_characters.h"

#define HOST_MAX 255 /* RFC 1035 §2.3.4; no resolvable name is longer */

enum scheme { SCHEME_NONE, SCHEME_SIP, SCHEME_TEL };

static enum scheme scheme_of(struct text name)
{
    static const struct text like_sip[] = {TEXT_INIT("sip"), TEXT_INIT("sips"), TEXT_INIT("im"), TEXT_INIT("pres")};
    for (size_t i = 0; i < sizeof(like_sip) / sizeof(like_sip[0]); i++) {
        if (text_equal_nocase(name, like_sip[i]))
            return SCHEME_SIP;
    }
    return text_equal_nocase(name, TEXT("tel")) ? SCHEME_TEL : SCHEME_NONE;
}

static bool parse_sip(struct text rest, struct uri *uri_out);
static bool parse_tel(struct text rest, struct uri *uri_out);
static bool characters_allowed(struct text text);

bool uri_parse(struct text text, struct uri *uri_out)
{
    struct uri uri = {0};
    struct text rest;
    if (text.length > URI_LENGTH_MAX || !characters_allowed(text) || !text_cut(text, ':', &uri.scheme, &rest))
        return false;
    bool good = false;
    switch (scheme_of(uri.scheme)) {
    case SCHEME_SIP: good = parse_sip(rest, &uri); break;
    case SCHEME_TEL: good = parse_tel(rest, &uri); break;
    case SCHEME_NONE: break;
    }
    if (good)
        *uri_out = uri;
    return good;
}

/* Value of the escape at `at`, or -1 if it is broken. */
static int escape_value(struct text text, size_t at)
{
    if (text.length - at < 3)
        return -1;
    int high = text_hex_digit(text.bytes[at + 1]);
    int low = text_hex_digit(text.bytes[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* What no URI may hold anywhere (RFC 3986 §2): controls, white space, delimiters of the text around it. */
static bool characters_allowed(struct text text)
{
    static const bool allowed[256] = {['!'] = true, ['#' ... ';'] = true, ['='] = true,         ['?' ... '['] = true,
                                      [']'] = true, ['_'] = true,         ['a' ... 'z'] = true, ['~'] = true};
    for (size_t i = 0; i < text.length; i++) {
        char character = text.bytes[i];
        if (!allowed[(unsigned char)character] || (character == '%' && escape_value(text, i) <= 0))
            return false;
    }
    return true;
}

static bool host_valid(struct text host)
{
    static const bool in_label[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['_'] = true};
    bool label_empty = true;
    for (size_t i = 0; i < host.length; i++) {
        char character = host.bytes[i];
        if (character == '.' ? label_empty : !in_label[(unsigned char)character])
            return false;
        label_empty = character == '.';
    }
    return host.length > 0 && host.length <= HOST_MAX;
}

static bool parse_address_v6(struct text text, struct in6_addr *address_out)
{
    char host[INET6_ADDRSTRLEN];
    if (text.length >= sizeof(host))
        return false;
    if (text.length)
        memcpy(host, text.bytes, text.length);
    host[text.length] = '\0';
    return inet_pton(AF_INET6, host, address_out) == 1;
}

static bool parse_port(struct text text, uint16_t *port_out)
{
    uint64_t port;
    if (!text_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

static bool parse_host_port(struct text text, struct uri *uri_out)
{
    struct text host, after;
    if (text_starts_with(text, TEXT("["))) {
        struct in6_addr address;
        if (!text_cut(text_slice(text, 1, text.length), ']', &host, &after) || !parse_address_v6(host, &address))
            return false;
        uri_out->host = host;
        if (after.length == 0)
            return true;
        return after.bytes[0] == ':' && parse_port(text_slice(after, 1, after.length), &uri_out->port);
    }
    bool has_port = text_cut(text, ':', &uri_out->host, &after);
    return host_valid(uri_out->host) && (!has_port || parse_port(after, &uri_out->port));
}

/* RFC 3261 §25.1: user may hold ';' and '?', so the '@' comes first. */
static bool parse_sip(struct text rest, struct uri *uri_out)
{
    struct text before, address, password;
    if (text_cut(rest, '@', &before, &address)) {
        text_cut(before, ':', &uri_out->user, &password);
        if (uri_out->user.length == 0 || text_find_char(before, '[') < before.length ||
            text_find_char(before, ']') < before.length)
            return false;
    } else {
        address = rest;
    }
    text_cut(address, '?', &address, &uri_out->headers);
    struct text host_port;
    text_cut(address, ';', &host_port, &uri_out->parameters);
    /* A second '@' is where two readers would disagree about the host. */
    return text_find_char(address, '@') == address.length && parse_host_port(host_port, uri_out);
}

static bool is_phone_character(char character)
{
    return text_hex_digit(character) >= 0 || uri_is_visual_separator(character) || character == '*' || character == '#';
}

/* RFC 3966 §3. A local number without phone-context is accepted: short codes are sent so. */
static bool parse_tel(struct text rest, struct uri *uri_out)
{
    text_cut(rest, ';', &uri_out->user, &uri_out->parameters);
    size_t digits = 0;
    for (size_t i = text_starts_with(uri_out->user, TEXT("+")); i < uri_out->user.length; i++) {
        if (!is_phone_character(uri_out->user.bytes[i]))
            return false;
        digits += !uri_is_visual_separator(uri_out->user.bytes[i]);
    }
    return digits > 0;
}

/* RFC 3261 §19.1.4: an escaped unreserved character is the character itself; other escapes stay, in one spelling. */
static void add_user(struct text_builder *canonical, struct text user)
{
    for (size_t i = 0; i < user.length; i++) {
        if (user.bytes[i] != '%') {
            builder_add_char(canonical, user.bytes[i]);
            continue;
        }
        int value = escape_value(user, i);
        if (uri_is_unreserved((char)value))
            builder_add_char(canonical, (char)value);
        else
            builder_add_format(canonical, "%%%02X", (unsigned)value);
        i += 2;
    }
}

static void add_host(struct text_builder *canonical, struct text host)
{
    struct in6_addr address;
    char name[INET6_ADDRSTRLEN];
    if (text_find_char(host, ':') < host.length && parse_address_v6(host, &address) &&
        inet_ntop(AF_INET6, &address, name, sizeof(name))) {
        builder_add_format(canonical, "[%s]", name);
        return;
    }
    if (text_ends_with(host, TEXT(".")) && host_valid(host))
        host.length--;
    builder_add(canonical, text_lower(canonical->arena, host));
}

static void add_number(struct text_builder *canonical, struct text number)
{
    number = text_lower(canonical->arena, number);
    for (size_t i = 0; i < number.length; i++) {
        if (!uri_is_visual_separator(number.bytes[i]))
            builder_add_char(canonical, number.bytes[i]);
    }
}

/* The same local number in two contexts is two subscribers (RFC 3966 §5.1.5), so the context is part of the key. */
static void add_tel(struct text_builder *canonical, const struct uri *uri)
{
    struct text context;
    add_number(canonical, uri->user);
    if (text_starts_with(uri->user, TEXT("+")) || !uri_parameter(uri->parameters, TEXT("phone-context"), &context))
        return;
    builder_add(canonical, TEXT(";phone-context="));
    if (text_starts_with(context, TEXT("+")))
        add_number(canonical, context);
    else
        add_host(canonical, context);
}

/* "sip:name@host" of letters, digits and dots that stand as the canonical form has them: nearly all that is compared.
 * What is canonical but holds more is found so by the long way. */
static bool is_plainly_canonical(struct text text, struct text *host_out)
{
    static const bool in_name[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['.'] = true, ['_'] = true};
    static const bool in_host[256] = {['0' ... '9'] = true, ['a' ... 'z'] = true, ['-'] = true};
    size_t at = strlen("sip:");
    if (text.length > HOST_MAX || !text_starts_with(text, TEXT("sip:")))
        return false;
    while (at < text.length && in_name[(unsigned char)text.bytes[at]])
        at++;
    if (at == strlen("sip:") || at == text.length || text.bytes[at] != '@')
        return false;
    bool label = false; /* has begun */
    *host_out = text_slice(text, at + 1, text.length);
    for (at++; at < text.length; at++) {
        bool dot = text.bytes[at] == '.';
        if (dot ? !label : !in_host[(unsigned char)text.bytes[at]])
            return false;
        label = !dot;
    }
    return label;
}

struct text uri_canonical(struct arena *arena, struct text text)
{
    struct uri uri;
    struct text host;
    if (is_plainly_canonical(text, &host))
        return text_copy(arena, text);
    if (!uri_parse(text, &uri))
        return (struct text){0};
    struct text_builder canonical;
    builder_init(&canonical, arena);
    if (scheme_of(uri.scheme) == SCHEME_TEL) {
        builder_add(&canonical, TEXT("tel:"));
        add_tel(&canonical, &uri);
    } else {
        builder_add(&canonical, TEXT("sip:"));
        add_user(&canonical, uri.user);
        if (uri.user.length)
            builder_add_char(&canonical, '@');
        add_host(&canonical, uri.host);
    }
    /* "im:" grows by a byte: the key must be readable as an address again */
    if (canonical.length > URI_LENGTH_MAX)
        return (struct text){0};
    return builder_text(&canonical);
}

static int text_order(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

struct text uri_canonical_whole(struct arena *arena, struct text text)
{
    struct uri uri;
    struct text host, address = uri_canonical(arena, text);
    if (address.length == 0 || is_plainly_canonical(text, &host) || !uri_parse(text, &uri) ||
        uri.parameters.length == 0 || text_starts_with(address, TEXT("tel:")))
        return address;
    struct text parameters[URI_LENGTH_MAX];
    size_t count = 0;
    for (struct text rest = uri.parameters; rest.length && count < URI_LENGTH_MAX;) {
        struct text one, name, content;
        text_cut(rest, ';', &one, &rest);
        bool valued = text_cut(one, '=', &name, &content);
        parameters[count++] =
            valued ? text_format(arena, ";%.*s=%.*s", TEXT_ARG(text_lower(arena, name)), TEXT_ARG(content))
                   : text_format(arena, ";%.*s", TEXT_ARG(text_lower(arena, one)));
    }
    qsort(parameters, count, sizeof(parameters[0]), text_order);
    struct text_builder canonical;
    builder_init(&canonical, arena);
    builder_add(&canonical, address);
    for (size_t i = 0; i < count; i++)
        builder_add(&canonical, parameters[i]);
    return builder_text(&canonical);
}

struct text uri_domain(struct text canonical)
{
    struct uri uri;
    struct text host;
    if (is_plainly_canonical(canonical, &host))
        return host;
    return uri_parse(canonical, &uri) ? uri.host : (struct text){0};
}
