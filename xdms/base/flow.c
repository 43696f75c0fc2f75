/* Numeric addresses of peers, as text and back. Knows no names: resolving is the affair of who connects. */
#include "flow.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "arena.h"

#define ADDRESS_MAX (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE) /* "fe80::1%eth0" */

static const char *const kind_names[] = {
    [FLOW_UDP] = "UDP", [FLOW_TCP] = "TCP", [FLOW_TLS] = "TLS", [FLOW_WS] = "WS", [FLOW_WSS] = "WSS"};

bool flow_is_connected(const struct flow *flow)
{
    return flow->kind != FLOW_UDP;
}

bool flow_is_stream(const struct flow *flow)
{
    return flow->kind == FLOW_TCP || flow->kind == FLOW_TLS;
}

bool flow_is_secure(const struct flow *flow)
{
    return flow->kind == FLOW_TLS || flow->kind == FLOW_WSS;
}

const char *flow_kind_name(enum flow_kind kind)
{
    return kind_names[kind];
}

bool flow_kind_parse(struct text name, enum flow_kind *kind_out)
{
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (!text_equal_nocase(name, text_of(kind_names[i])))
            continue;
        *kind_out = (enum flow_kind)i;
        return true;
    }
    return false;
}

static bool read_ipv4(struct flow *flow, const char *address, uint16_t port)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &ipv4.sin_addr) != 1)
        return false;
    memset(&flow->peer, 0, sizeof(flow->peer));
    memcpy(&flow->peer, &ipv4, sizeof(ipv4));
    return true;
}

/* A link-local address needs its interface: "fe80::1%eth0" (RFC 4007 §11). */
static bool read_ipv6(struct flow *flow, const char *address, uint16_t port)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    char bare[INET6_ADDRSTRLEN];
    size_t length = strcspn(address, "%");
    if (length >= sizeof(bare))
        return false;
    memcpy(bare, address, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET6, bare, &ipv6.sin6_addr) != 1)
        return false;
    if (address[length] == '%') {
        ipv6.sin6_scope_id = if_nametoindex(address + length + 1);
        if (ipv6.sin6_scope_id == 0)
            return false;
    }
    memset(&flow->peer, 0, sizeof(flow->peer));
    memcpy(&flow->peer, &ipv6, sizeof(ipv6));
    return true;
}

bool flow_set_peer(struct flow *flow, const char *address, uint16_t port)
{
    return read_ipv4(flow, address, port) || read_ipv6(flow, address, port);
}

/* Each request shows one or two: inet_ntop takes ten times as long. */
static void write_ipv4(const uint8_t bytes[4], char address[ADDRESS_MAX])
{
    char digits[TEXT_DIGITS_MAX];
    for (size_t i = 0; i < 4; i++) {
        size_t count = text_write_number(bytes[i], digits);
        memcpy(address, digits + TEXT_DIGITS_MAX - count, count);
        address += count;
        *address++ = i < 3 ? '.' : '\0';
    }
}

/* A dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1; they are written as what they are. */
static void write_address(const struct flow *flow, char address[ADDRESS_MAX], bool *is_ipv6_out)
{
    *is_ipv6_out = false;
    address[0] = '\0';
    if (flow->peer.ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, &flow->peer, sizeof(ipv4));
        uint8_t bytes[4];
        memcpy(bytes, &ipv4.sin_addr, sizeof(bytes));
        write_ipv4(bytes, address);
    } else if (flow->peer.ss_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, &flow->peer, sizeof(ipv6));
        if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
            write_ipv4(&ipv6.sin6_addr.s6_addr[12], address);
            return;
        }
        *is_ipv6_out = true;
        inet_ntop(AF_INET6, &ipv6.sin6_addr, address, ADDRESS_MAX);
    }
}

struct text flow_address_text(const struct flow *flow, struct arena *arena)
{
    char address[ADDRESS_MAX];
    bool is_ipv6;
    write_address(flow, address, &is_ipv6);
    return text_copy(arena, text_of(address));
}

struct text flow_peer_text(const struct flow *flow, struct arena *arena)
{
    char address[ADDRESS_MAX];
    bool is_ipv6;
    write_address(flow, address, &is_ipv6);
    return TEXT_CONCAT(arena, is_ipv6 ? TEXT("[") : TEXT(""), text_of(address), is_ipv6 ? TEXT("]:") : TEXT(":"),
                       text_number(arena, flow_port(flow)));
}

uint16_t flow_port(const struct flow *flow)
{
    if (flow->peer.ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, &flow->peer, sizeof(ipv4));
        return ntohs(ipv4.sin_port);
    }
    if (flow->peer.ss_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, &flow->peer, sizeof(ipv6));
        return ntohs(ipv6.sin6_port);
    }
    return 0;
}

socklen_t flow_peer_length(const struct flow *flow)
{
    if (flow->peer.ss_family == AF_INET)
        return sizeof(struct sockaddr_in);
    return flow->peer.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}
