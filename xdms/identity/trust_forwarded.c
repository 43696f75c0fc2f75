/* For whom a proxy asks: X-Forwarded-For and Forwarded (RFC 7239), read from the right, where the nearest proxy wrote.
 * The left is whatever the client sent. */
#include "trust.h"

/* "192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]:4711", "2001:db8::1". */
static bool parse_node(struct text node, struct trust_address *address_out)
{
    struct text inside, after;
    node = text_trim(node);
    if (node.length > 1 && node.bytes[0] == '"' && node.bytes[node.length - 1] == '"')
        node = text_slice(node, 1, node.length - 1);
    if (text_starts_with(node, TEXT("[")))
        return text_cut(text_slice(node, 1, node.length), ']', &inside, &after) &&
               trust_address_parse(inside, address_out);
    text_cut(node, ':', &inside, &after);
    bool with_port = text_find_char(inside, '.') < inside.length;
    return trust_address_parse(with_port ? inside : node, address_out);
}

/* The for= of one element of Forwarded (RFC 7239 §4); no value holds a comma or semicolon that would matter, as only
 * addresses are taken. */
static bool parse_element(struct text element, struct trust_address *address_out)
{
    struct text pair, name, value;
    while (element.length) {
        text_cut(element, ';', &pair, &element);
        if (text_cut(pair, '=', &name, &value) && text_equal_nocase(text_trim(name), TEXT("for")))
            return parse_node(value, address_out);
    }
    return false;
}

/* Takes the last part of a comma list off it. */
static struct text take_last(struct text *list)
{
    size_t at = list->length;
    while (at > 0 && list->bytes[at - 1] != ',')
        at--;
    struct text last = text_slice(*list, at, list->length);
    list->length = at ? at - 1 : 0;
    return text_trim(last);
}

bool trust_client(const struct trust *trust, const struct sockaddr *peer, struct text header,
                  struct trust_address *address_out)
{
    struct trust_address next;
    if (!trust_address_of(peer, address_out) || !trust_ranges_have(&trust->proxies, address_out))
        return false;
    for (unsigned proxies = 0; header.length && proxies < TRUST_FORWARDED_MAX; proxies++) {
        struct text part = take_last(&header);
        if (!(trust->forwarded == TRUST_FORWARDED ? parse_element(part, &next) : parse_node(part, &next)))
            return false;
        *address_out = next;
        if (!trust_ranges_have(&trust->proxies, address_out))
            return true;
    }
    return false;
}
