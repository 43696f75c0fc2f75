/* Addresses and ranges of peers that are trusted. Knows no header; those of proxies are trust_forwarded.c. */
#include "trust.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_BITS 96 /* before the four bytes of an IPv4 address in its IPv6 form */

static bool is_v4(const struct trust_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

static struct trust_address from_v4(const void *bytes)
{
    struct trust_address address = {{[10] = 0xff, [11] = 0xff}};
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

bool trust_address_of(const struct sockaddr *peer, struct trust_address *address_out)
{
    *address_out = (struct trust_address){{0}};
    if (peer && peer->sa_family == AF_INET) {
        *address_out = from_v4(&((const struct sockaddr_in *)(const void *)peer)->sin_addr);
        return true;
    }
    if (!peer || peer->sa_family != AF_INET6)
        return false;
    memcpy(address_out->bytes, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
    return true;
}

bool trust_address_parse(struct text text, struct trust_address *address_out)
{
    char written[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.length == 0 || text.length >= sizeof(written) || text_find_char(text, '\0') < text.length)
        return false;
    memcpy(written, text.bytes, text.length);
    written[text.length] = '\0';
    if (inet_pton(AF_INET, written, bytes) == 1) {
        *address_out = from_v4(bytes);
        return true;
    }
    return inet_pton(AF_INET6, written, address_out->bytes) == 1;
}

struct text trust_address_text(const struct trust_address *address, struct arena *arena)
{
    char written[INET6_ADDRSTRLEN];
    bool v4 = is_v4(address);
    const char *good = inet_ntop(v4 ? AF_INET : AF_INET6, address->bytes + (v4 ? 12 : 0), written, sizeof(written));
    return text_copy(arena, text_of(good ? written : "unknown"));
}

/* Is everything behind the first `bits` zero? Else it is more likely a mistake than a range. */
static bool ends_clean(const struct trust_address *address, unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        if (address->bytes[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

static bool parse_range(struct text text, struct trust_range *range_out)
{
    struct text written, length_text;
    uint64_t length = 128;
    bool has_length = text_cut(text, '/', &written, &length_text);
    if (!trust_address_parse(text_trim(written), &range_out->address))
        return false;
    bool v4 = text_find_char(written, ':') == written.length;
    if (has_length && (!text_to_u64(text_trim(length_text), &length) || length > (v4 ? 32 : 128)))
        return false;
    range_out->bits = (unsigned)length + (has_length && v4 ? V4_BITS : 0);
    return ends_clean(&range_out->address, range_out->bits);
}

bool trust_ranges_parse(struct text list, struct trust_ranges *ranges_out, struct text *bad_out)
{
    struct text part;
    *ranges_out = (struct trust_ranges){.count = 0};
    for (list = text_trim(list); list.length; list = text_trim(list)) {
        text_cut(list, ',', &part, &list);
        *bad_out = text_trim(part);
        if (ranges_out->count == TRUST_RANGES_MAX || !parse_range(*bad_out, &ranges_out->ranges[ranges_out->count]))
            return false;
        ranges_out->count++;
    }
    return true;
}

static bool range_has(const struct trust_range *range, const struct trust_address *address)
{
    if (range->bits < V4_BITS && is_v4(address)) /* a range of IPv6 means IPv6 */
        return false;
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(range->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (range->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool trust_ranges_have(const struct trust_ranges *ranges, const struct trust_address *address)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (range_has(&ranges->ranges[i], address))
            return true;
    return false;
}

bool trust_believes(const struct trust *trust, const struct sockaddr *peer, const struct text *names,
                    size_t names_count)
{
    struct trust_address address;
    if (trust_address_of(peer, &address) && trust_ranges_have(&trust->peers, &address))
        return true;
    for (size_t i = 0; i < names_count; i++)
        for (size_t j = 0; j < trust->names_count; j++)
            if (text_equal(names[i], trust->names[j]))
                return true;
    return false;
}

bool trust_is_proxy(const struct trust *trust, const struct sockaddr *peer)
{
    struct trust_address address;
    return trust_address_of(peer, &address) && trust_ranges_have(&trust->proxies, &address);
}
