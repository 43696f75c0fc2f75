/* One form for the addresses of peers: IPv4 as IPv4, also where a socket of both families shows it otherwise. */
#include <string.h>

#include "transport_private.h"

void peer_plain(struct sockaddr_storage *peer)
{
    struct sockaddr_in6 ipv6;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    if (peer->ss_family != AF_INET6)
        return;
    memcpy(&ipv6, peer, sizeof(ipv6));
    if (!IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr))
        return;
    ipv4.sin_port = ipv6.sin6_port;
    memcpy(&ipv4.sin_addr, &ipv6.sin6_addr.s6_addr[12], sizeof(ipv4.sin_addr));
    memset(peer, 0, sizeof(*peer));
    memcpy(peer, &ipv4, sizeof(ipv4));
}

socklen_t peer_for_family(const struct flow *flow, sa_family_t family, struct sockaddr_storage *peer_out)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
    *peer_out = flow->peer;
    if (family != AF_INET6 || flow->peer.ss_family != AF_INET)
        return flow_peer_length(flow);
    memcpy(&ipv4, &flow->peer, sizeof(ipv4));
    mapped.sin6_port = ipv4.sin_port;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12], &ipv4.sin_addr, sizeof(ipv4.sin_addr));
    memset(peer_out, 0, sizeof(*peer_out));
    memcpy(peer_out, &mapped, sizeof(mapped));
    return sizeof(mapped);
}
