/* Sockets of the SIP side: UDP and TCP on one port, TLS on another, on one loop. Knows bytes and flows, and nothing of
 * SIP. */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "flow.h"
#include "loop.h"
#include "status.h"
#include "tls.h"

#define TRANSPORT_CONNECTIONS_MAX 10000      /* file descriptors are raised to fit; more are refused at accept */
#define TRANSPORT_QUEUE_BYTES_MAX (4u << 20) /* unsent bytes of one connection: a peer that does not read is cut */
#define TRANSPORT_IDLE_MS_MAX     900000     /* a connection without a byte; above the 840 s of RFC 5626 keep-alives */

struct transport;

/* Called by the loop, never from inside a call to the transport. They may send and disconnect, but not close it. */
struct transport_handler {
    void (*input)(void *context, const struct flow *flow, struct text bytes);
    /* Once for each connection that was open, whoever ended it. */
    void (*closed)(void *context, uint64_t connection);
    /* Could not connect or send; also when a connection ends that was sent on without naming it. */
    void (*unreachable)(void *context, const struct flow *flow);
    void *context;
};

/* `host`:`port` for both protocols. `error_out` gets one line ("address already in use: udp 127.0.0.1:5060"). */
struct transport *transport_open(struct loop *loop, const char *host, uint16_t port,
                                 const struct transport_handler *handler, struct arena *arena, struct text *error_out);
uint16_t transport_port(const struct transport *transport);

/* From here on TLS can be connected out; `tls` outlives the transport. */
void transport_use_tls(struct transport *transport, struct tls *tls);

/* After transport_use_tls: TLS is taken at `host`:`port` too. False: `error_out` as above. */
bool transport_listen_tls(struct transport *transport, const char *host, uint16_t port, enum tls_clients clients,
                          struct arena *arena, struct text *error_out);
uint16_t transport_tls_port(const struct transport *transport); /* 0: none */

/* Of tls_session_names: who the peer of a connection has proved to be; 0 also for connections without TLS. */
size_t transport_peer_names(const struct transport *transport, uint64_t connection, struct arena *arena,
                            const struct text **names_out);
void transport_close(struct transport *transport);

/* Never blocks: what the kernel does not take is queued (streams) or dropped (UDP). The flow of a stream without
 * connection connects, or reuses an open connection to the same peer; for TLS only one that we have made ourselves,
 * since who connects to us has not proved that the address is his. */
void transport_send(struct transport *transport, const struct flow *flow, struct text bytes);

/* What was sent before is still delivered, if the peer reads it soon. */
void transport_disconnect(struct transport *transport, uint64_t connection);

#endif
