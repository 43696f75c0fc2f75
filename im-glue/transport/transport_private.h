/* What the files of this module share: connections, listeners, and what goes on between them. */
#ifndef TRANSPORT_PRIVATE_H
#define TRANSPORT_PRIVATE_H

#include <stdlib.h>
#include <sys/queue.h>

#include "arena.h"
#include "table.h"
#include "transport.h"
#include "websocket.h"

#define TRANSPORT_PEER_TEXT_MAX 336 /* kind, "[IPv6%interface]:port", a domain name */

struct connection {
    UT_hash_handle by_number;
    UT_hash_handle by_peer;
    TAILQ_ENTRY(connection) idle;     /* least recently active first */
    TAILQ_ENTRY(connection) gathered; /* while it is_gathered */
    struct transport *transport;
    struct flow flow;
    char peer[TRANSPORT_PEER_TEXT_MAX]; /* "TLS 192.0.2.1:5061" */
    int fd;
    unsigned watched;            /* events that the loop waits for; 0: not told yet */
    char *name;                  /* that the certificate must hold, where we connect; NULL: the address */
    struct tls_session *tls;     /* NULL: not encrypted, or not connected yet */
    struct websocket *websocket; /* NULL: none */
    bool connecting;
    bool upgrading; /* to WebSocket */
    bool shaking;   /* the handshake of TLS is not done */
    bool shaking_writes;
    bool named_by_peer; /* somebody sent to the peer without naming a connection, and hears of its end */
    bool held;          /* as while its bytes are being handled: it may be closed, but not freed */
    bool lingers;       /* told as closed: what is queued is sent, what comes is thrown away */
    bool closed;
    bool is_gathered; /* what is in the queue goes out at the next flush */
    int64_t active_ms;
    char *queue; /* bytes that the kernel did not take, or was not yet asked to */
    size_t queue_length, queue_capacity;
};

TAILQ_HEAD(connection_list, connection);

/* Told by the loop and never from inside a call, so that who sends need not expect to be called. */
struct notice {
    bool is_closed; /* else unreachable */
    struct flow flow;
};

struct listener {
    struct transport *transport;
    enum flow_kind kind; /* of what is accepted */
    enum tls_clients clients;
    int fd;
    bool paused; /* no descriptor was left; the timer tries again */
};

struct transport {
    struct loop *loop;
    struct transport_handler handler;
    struct tls *tls;                       /* NULL: no TLS */
    struct listener listeners[FLOW_KINDS]; /* by kind */
    uint16_t port;
    int udp_fd, timer_fd, wake_fd;
    int answers_fd;      /* answers over UDP; -1: they come by udp_fd, too */
    int64_t requests_us; /* clock_thread_us, when requests were fetched last */
    int64_t earned_us;   /* by other work, for fetching requests that find no room */
    int64_t behind_ms;   /* since when there are always more of them; coarse; 0: there are not */
    bool crowded;        /* more come than are fetched */
    sa_family_t family;  /* of the sockets */
    uint64_t last_connection;
    struct connection *by_number, *by_peer;
    struct connection_list idle;
    struct connection_list gathered;
    bool gathers;                   /* until the next flush */
    size_t connections[FLOW_KINDS]; /* by kind */
    size_t queued_bytes;            /* room of the queues of all connections */
    size_t queued_bytes_max;
    struct udp_batch *batch;
    struct udp_outbox *outbox;
    struct notice *notices;
    size_t notice_count, notice_capacity;
    char *buffer; /* of one read; handlers are done with it when they return */
};

#define TRANSPORT_READ_BYTES 65536 /* of one turn of one connection: the others want their turn too */

/* transport.c */
void notice_add(struct transport *transport, const struct flow *flow, bool is_closed);

/* peer.c: "::ffff:192.0.2.1" and "192.0.2.1" are one peer, whichever a socket of both families shows or wants. */
void peer_plain(struct sockaddr_storage *peer);
socklen_t peer_for_family(const struct flow *flow, sa_family_t family, struct sockaddr_storage *peer_out);

/* udp.c */
bool udp_open(struct transport *transport, const struct flow *address);
void udp_close(struct transport *transport);
void udp_send(struct transport *transport, const struct flow *flow, struct text bytes); /* at udp_flush at the latest */
void udp_flush(struct transport *transport);
size_t udp_dropped(const struct transport *transport);

/* channel.c: the bytes of a connection, through TLS or not, as recv and send have them. */
ssize_t channel_read(struct connection *connection, char *bytes, size_t size);
ssize_t channel_write(struct connection *connection, struct text bytes);

/* Nothing more is sent on it. */
void channel_end(struct connection *connection);

/* connection.c. A new one is known by its number; offered, it is also used for whatever is sent to its peer. Who sends
 * on it or ends it must not look at it afterwards. */
struct connection *connection_new(struct transport *transport, int fd, const struct flow *peer);
void connection_offer(struct connection *connection);
void connection_watch(struct connection *connection); /* for the events that it waits for now */
void connection_send(struct connection *connection, struct text bytes);
void connection_close(struct connection *connection); /* what was sent before is still delivered */
void connection_end(struct connection *connection, bool tell);
void connection_name_peer(const struct flow *peer, char name[TRANSPORT_PEER_TEXT_MAX]);
void connections_run_timer(struct transport *transport);
void connections_flush(struct transport *transport);             /* what was gathered */
bool connection_is_opening(const struct connection *connection); /* nobody has been told of it yet */
void connection_touch(struct connection *connection);            /* it was active */
/* Until it is released it may end, but is there to be looked at. `held`: what connection_hold gave. */
bool connection_hold(struct connection *connection);
void connection_release(struct connection *connection, bool held);
void connection_send_queue(struct connection *connection);
void connection_send_frames(struct connection *connection); /* what they have to say, and their end, if it has come */

/* connection_input.c */
void connection_turn(void *context, int fd, unsigned events); /* as the loop calls it */

/* listener.c */
bool listener_open(struct transport *transport, struct listener *listener, const struct flow *address);
void listener_resume(struct listener *listener); /* if it was paused */
void listener_close(struct listener *listener);

/* tcp.c */
void tcp_close(struct transport *transport);
void tcp_send(struct transport *transport, const struct flow *flow, struct text bytes);
void tcp_disconnect(struct transport *transport, uint64_t connection);
size_t tcp_peer_names(const struct transport *transport, uint64_t connection, struct arena *arena,
                      const struct text **names_out);

#endif
