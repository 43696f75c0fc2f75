/* Addresses of ports as settings write them. */
#include "settings.h"

#include <string.h>

#include <arpa/inet.h>

#define HOST_MAX 253 /* RFC 1035 §3.1, without the final dot */

static bool is_host_name(struct text host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._", c))))
            return false;
    }
    return host.length > 0 && host.length <= HOST_MAX;
}

/* The part before the port, out of its brackets. */
static bool take_host(struct text text, struct text *host_out, bool *ipv6_out)
{
    *ipv6_out = text_starts_with(text, TEXT("[")) && text_ends_with(text, TEXT("]"));
    *host_out = *ipv6_out ? text_slice(text, 1, text.length - 1) : text;
    return *ipv6_out || is_host_name(text);
}

bool address_split(const char *address, char *host_out, size_t host_size, uint16_t *port_out)
{
    const char *colon = strrchr(address, ':');
    struct text host;
    bool ipv6;
    uint64_t port;
    struct in6_addr unused;
    if (!colon || !text_to_u64(text_of(colon + 1), &port) || port > UINT16_MAX)
        return false;
    if (!take_host((struct text){address, (size_t)(colon - address)}, &host, &ipv6) || host.length >= host_size)
        return false;
    memcpy(host_out, host.bytes, host.length);
    host_out[host.length] = '\0';
    if (ipv6 && inet_pton(AF_INET6, host_out, &unused) != 1)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

bool address_is_loopback(const char *address)
{
    char host[HOST_MAX + 1];
    uint16_t port;
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (!address_split(address, host, sizeof(host), &port))
        return false;
    if (inet_pton(AF_INET, host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &ipv6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&ipv6);
    return text_equal_nocase(text_of(host), TEXT("localhost"));
}
