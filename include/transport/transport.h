/* Sockets of the SIP side: UDP and TCP on one port; TLS and WebSocket on others; on one loop. Knows bytes and flows,
 * and nothing of SIP. */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "flow.h"
#include "loop.h"
#include "status.h"
#include "tls.h"

#define TRANSPORT_CONNECTIONS_MAX  10000        /* file descriptors are raised to fit; more are refused at accept */
#define TRANSPORT_QUEUE_BYTES_MAX  (4u << 20)   /* unsent bytes of one connection: a peer that does not read is cut */
#define TRANSPORT_QUEUED_BYTES_MAX (256u << 20) /* of all connections together, unless told otherwise */
#define TRANSPORT_MESSAGE_MAX      ((1u << 20) + 65536) /* of WebSocket: more than any SIP message that is taken */
#define TRANSPORT_IDLE_MS_MAX      900000 /* a connection without a byte; above the 840 s of RFC 5626 keep-alives */

struct transport;

/* Called by the loop, never from inside a call to the transport. They may send and disconnect, but not close it. */
struct transport_handler {
    void (*input)(void *context, const struct flow *flow, struct text bytes);
    /* Once for each connection that was open, whoever ended it. */
    void (*closed)(void *context, uint64_t connection);
    /* Could not connect or send; also when a connection ends that was sent on without naming it. */
    void (*unreachable)(void *context, const struct flow *flow);
    void *context;
    /* Nothing more is read from connections in this turn of the loop: their peers wait, as TCP lets them. NULL: never.
     */
    bool (*is_flooded)(void *context);
    /* So many requests more can wait; what comes beyond them is turned away, which must not take long. NULL: any
     * number. */
    size_t (*room)(void *context);
};

/* `host`:`port` for both protocols. `error_out` gets one line ("address already in use: udp 127.0.0.1:5060"). */
struct transport *transport_open(struct loop *loop, const char *host, uint16_t port,
                                 const struct transport_handler *handler, struct arena *arena, struct text *error_out);
uint16_t transport_port(const struct transport *transport);

/* Unsent bytes of all connections together; a connection that needs more than there is left is cut. */
void transport_limit_queues(struct transport *transport, size_t bytes_max);

/* From here on TLS can be connected out; `tls` outlives the transport. */
void transport_use_tls(struct transport *transport, struct tls *tls);

/* Further listeners, one for each of FLOW_TLS, FLOW_WS and FLOW_WSS; after transport_use_tls where `clients` means
 * anything. False: `error_out` as above. */
struct transport_listener {
    enum flow_kind kind;
    const char *host;
    uint16_t port;
    enum tls_clients clients;
};

/* One more address, at most one of a kind. False: `error_out` has one line, in the arena. */
bool transport_listen(struct transport *transport, const struct transport_listener *listener, struct arena *arena,
                      struct text *error_out);
uint16_t transport_port_of(const struct transport *transport, enum flow_kind kind); /* 0: none */

/* Of tls_session_names: who the peer of a connection has proved to be; 0 also for connections without TLS. */
size_t transport_peer_names(const struct transport *transport, uint64_t connection, struct arena *arena,
                            const struct text **names_out);
void transport_close(struct transport *transport);

/* Never blocks: what the kernel does not take is queued (connections) or dropped (UDP). A TCP or TLS flow without
 * connection connects, or reuses an open connection to the same peer; for TLS only one that we have made ourselves,
 * since who connects to us has not proved that the address is his. */
void transport_send(struct transport *transport, const struct flow *flow, struct text bytes);
/* From here on what is sent to one connection goes out together at the next flush, which ends that; datagrams always
 * do. */
void transport_gather(struct transport *transport);
void transport_flush(struct transport *transport);

/* For monitoring: open connections of that kind, lingering ones among them; bytes that peers have not read yet. */
size_t transport_connections(const struct transport *transport, enum flow_kind kind);
bool transport_speaks_ipv6(const struct transport *transport); /* datagrams, too */
size_t transport_queued_bytes(const struct transport *transport);
/* Requests over UDP that the kernel has dropped, since more came than could even be refused. */
size_t transport_dropped(const struct transport *transport);

/* What was sent before is still delivered, if the peer reads it soon. */
void transport_disconnect(struct transport *transport, uint64_t connection);

#endif
