/* Are these values of settings what they have to be? Told before anything starts. Knows no conversation. */
#include <arpa/inet.h>

#include "conversation.h"
#include "sip_message.h"
#include "uri.h"

bool conversation_tokens_valid(struct text list, struct text *bad_out)
{
    while (text_next_item(&list, bad_out))
        if (!sip_token_valid(*bad_out))
            return false;
    return true;
}

/* A star stands for whatever follows. */
static bool is_type(struct text type)
{
    struct text main, sub;
    size_t star = text_find_char(type, '*');
    if (star + 1 < type.length)
        return text_equal(type, TEXT("*/*"));
    return text_cut(type, '/', &main, &sub) ? sip_token_valid(main) && sip_token_valid(sub)
                                            : text_equal(type, TEXT("*"));
}

bool conversation_types_valid(struct text list, struct text *bad_out)
{
    while (text_next_item(&list, bad_out))
        if (!is_type(*bad_out))
            return false;
    return true;
}

/* RFC 3608 §5; a strict router would take the Request-URI away, and nobody speaks to one any more (RFC 3261 §16.12). */
bool conversation_service_route_valid(struct text list, struct text *bad_out)
{
    struct name_addr address;
    struct text ignored;
    struct uri uri;
    for (struct text rest = text_trim(list); rest.length > 0; rest = text_trim(rest)) {
        *bad_out = rest;
        if (!text_starts_with(rest, TEXT("<")) || !name_addr_parse(rest, &address, &rest) ||
            !uri_parse(address.uri, &uri) || uri.host.length == 0 ||
            !text_starts_with_nocase(uri.scheme, TEXT("sip")) || !uri_parameter(uri.parameters, TEXT("lr"), &ignored))
            return false;
    }
    return true;
}

/* RFC 1123 §2.1: labels of letters, digits and hyphens. */
static bool is_host_name(struct text host)
{
    struct text label;
    for (bool more = true; more;) {
        more = text_cut(host, '.', &label, &host);
        for (size_t i = 0; i < label.length; i++) {
            char c = label.bytes[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'))
                return false;
        }
        if (label.length == 0)
            return false;
    }
    return true;
}

bool conversation_host_valid(struct text host, struct text *bad_out)
{
    char buffer[INET6_ADDRSTRLEN];
    struct in6_addr ipv6;
    *bad_out = host;
    bool bracketed = text_starts_with(host, TEXT("[")) && text_ends_with(host, TEXT("]"));
    struct text bare = bracketed ? text_slice(host, 1, host.length - 1) : host;
    if (host.length == 0)
        return true;
    if (text_find_char(bare, ':') < bare.length) {
        if (bare.length >= sizeof(buffer))
            return false;
        memcpy(buffer, bare.bytes, bare.length);
        buffer[bare.length] = '\0';
        return inet_pton(AF_INET6, buffer, &ipv6) == 1;
    }
    return !bracketed && is_host_name(host);
}
