/* Keep-alives of phones over UDP (RFC 5626 §3.5.2, §4.4.2): a STUN binding request is answered with the address that it
 * came from, so that the phone sees when its NAT has chosen another one. Nothing else of STUN is spoken. */
#include "sip_agent_private.h"

#define HEADER_BYTES    20
#define COOKIE          0x2112a442u /* RFC 8489 §5 */
#define BINDING_REQUEST 0x0001u
#define BINDING_SUCCESS 0x0101u
#define XOR_ADDRESS     0x0020u
#define OPTIONAL_FROM   0x8000u /* attributes that may be passed over */
#define FAMILY_IPV4     1u
#define FAMILY_IPV6     2u

static uint32_t read_number(const char *bytes, size_t count)
{
    uint32_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

static void write_number(char *bytes, uint32_t number, size_t count)
{
    for (size_t i = count; i-- > 0; number >>= 8)
        bytes[i] = (char)(number & 0xff);
}

/* Attributes that must be understood are not: then it is no keep-alive. */
static bool is_keep_alive(struct text bytes)
{
    if (bytes.length < HEADER_BYTES || read_number(bytes.bytes, 2) != BINDING_REQUEST ||
        read_number(bytes.bytes + 4, 4) != COOKIE || read_number(bytes.bytes + 2, 2) != bytes.length - HEADER_BYTES)
        return false;
    for (size_t at = HEADER_BYTES; at < bytes.length;) {
        if (at + 4 > bytes.length || read_number(bytes.bytes + at, 2) < OPTIONAL_FROM)
            return false;
        at += 4 + ((read_number(bytes.bytes + at + 2, 2) + 3u) & ~3u);
        if (at > bytes.length)
            return false;
    }
    return true;
}

/* The address, each byte of it against one of cookie and transaction, so that no NAT rewrites it. */
static size_t write_address(char *out, const struct flow *flow, const char *pattern)
{
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&flow->peer;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&flow->peer;
    bool is_ipv4 = flow->peer.ss_family == AF_INET;
    const char *address = is_ipv4 ? (const char *)&ipv4->sin_addr : (const char *)&ipv6->sin6_addr;
    size_t length = is_ipv4 ? sizeof(ipv4->sin_addr) : sizeof(ipv6->sin6_addr);
    write_number(out, XOR_ADDRESS, 2);
    write_number(out + 2, (uint32_t)length + 4, 2);
    write_number(out + 4, is_ipv4 ? FAMILY_IPV4 : FAMILY_IPV6, 2);
    write_number(out + 6, flow_port(flow) ^ (COOKIE >> 16), 2);
    for (size_t i = 0; i < length; i++)
        out[8 + i] = (char)(address[i] ^ pattern[i]);
    return 8 + length;
}

void stun_input(struct sip_agent *agent, struct text bytes, const struct flow *flow)
{
    char answer[HEADER_BYTES + 8 + sizeof(struct in6_addr)];
    if (!is_keep_alive(bytes))
        return;
    memcpy(answer, bytes.bytes, HEADER_BYTES); /* cookie and transaction stay */
    size_t length = write_address(answer + HEADER_BYTES, flow, bytes.bytes + 4);
    write_number(answer, BINDING_SUCCESS, 2);
    write_number(answer + 2, (uint32_t)length, 2);
    agent_output(agent, flow, (struct text){answer, HEADER_BYTES + length});
}
