/* Where bytes came from and where an answer goes: a UDP peer, or one connection of a stream transport. */
#ifndef BASE_FLOW_H
#define BASE_FLOW_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "text.h"

enum flow_kind { FLOW_UDP, FLOW_TCP, FLOW_TLS, FLOW_WS, FLOW_WSS };

#define FLOW_KINDS (FLOW_WSS + 1)

struct flow {
    enum flow_kind kind;
    uint64_t connection; /* not for UDP: number of an open connection, never used twice; 0: connect to `peer` */
    struct sockaddr_storage peer;
    const char *name; /* FLOW_TLS to be connected: what the certificate of the peer must hold; NULL: its address */
};

/* There is a connection, on which nothing gets lost; else there are datagrams. */
bool flow_is_connected(const struct flow *flow);

/* Messages must be found in a stream of bytes; else each datagram or WebSocket message is one. */
bool flow_is_stream(const struct flow *flow);

/* Nobody between the peer and us can read it. */
bool flow_is_secure(const struct flow *flow);

/* As in a Via: "UDP", "TCP", "TLS", "WS", "WSS"; and back, in any case. False: none of them. */
const char *flow_kind_name(enum flow_kind kind);
bool flow_kind_parse(struct text name, enum flow_kind *kind_out);

/* "192.0.2.1:5060", "[2001:db8::1]:5060"; the address alone, for Via received. */
struct text flow_peer_text(const struct flow *flow, struct arena *arena);
struct text flow_address_text(const struct flow *flow, struct arena *arena);
uint16_t flow_port(const struct flow *flow);

/* From a numeric address; false if it is none. */
bool flow_set_peer(struct flow *flow, const char *address, uint16_t port);
socklen_t flow_peer_length(const struct flow *flow);

#endif
