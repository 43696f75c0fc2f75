/* What the files of this module share: the checks of a request's head, the listening socket, the door (the one thread
 * that admits connections and shows slow ones out) and the exchanges (requests on their way to their responses).
 * Nothing here knows the HTTP library. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "http.h"

/* Values as they came, with white space at their ends: what the library compared is what must be judged. */
struct http_head {
    struct text method, target;
    bool is_1_0; /* HTTP/1.0, else 1.1 or a later 1.x */
    const struct http_header *headers;
    size_t headers_count;
};

struct http_framing {
    bool chunked;
    uint64_t length; /* Content-Length, 0 without one */
    bool expects_continue;
};

/* NULL if the head has one meaning only (RFC 9112 §11.2), else what is wrong, as the text of a 400. */
const char *http_head_refusal(const struct http_head *head, struct http_framing *framing_out);

/* Listens on HOST:PORT: the descriptor, non-blocking, or -1 and one line in `error_out`. */
int http_listen(const char *host, uint16_t port, struct arena *arena, struct text *error_out);
uint16_t http_listen_port(int listener);

/* Who stands at the other end of an encrypted connection. */
struct http_client {
    bool known; /* the rest has been read */
    struct arena arena;
    const struct text *names;
    size_t names_count;
};

/* A connection as the door sees it. The deadline is a time of clock_monotonic_ms; any thread may move it. */
struct http_visitor {
    struct http_visitor *previous, *next;
    int fd;
    _Atomic int64_t deadline_ms;
    atomic_bool answered;      /* since the door looked last */
    struct tls_session *tls;   /* NULL: not encrypted */
    struct http_client client; /* once the first request has come */
};

/* Work for the door's thread; lies in what it works on. */
struct http_job {
    struct http_job *next;
    void (*run)(struct http_job *job);
};

struct http_door;

/* `admit` takes over the descriptor, also when it fails (false); it leads to http_door_enter. */
struct http_door_settings {
    int listener;
    unsigned visitors_max;
    int64_t tick_ms; /* how late a deadline may be noticed */
    bool (*admit)(void *context, int fd, const struct sockaddr *peer, socklen_t peer_size);
    void *context;
};

#define HTTP_NEVER INT64_MAX /* deadline of a visitor who may stay */

/* Takes over the listener. False if no thread can be had. The thread may call `admit` before this returns. */
bool http_door_open(const struct http_door_settings *settings, struct http_door **door_out);
void http_door_enter(struct http_door *door, struct http_visitor *visitor);
void http_door_leave(struct http_door *door, struct http_visitor *visitor);

/* Reads and forgets what the peer still sends, for a short time, then closes `fd`: closing with bytes unread would
 * reset the connection, and the answer could be lost with it (RFC 9112 §9.6). Takes over `fd`. */
void http_door_linger(struct http_door *door, int fd);

void http_door_post(struct http_door *door, struct http_job *job);
void http_door_shut(struct http_door *door);  /* on return the listener is closed; visitors stay */
void http_door_close(struct http_door *door); /* no visitors, no jobs are left */

/* Who owns a request while its handler waits. In the last three the server has stopped waiting. */
enum http_waiting {
    HTTP_RUNNING,       /* the handler runs, or will */
    HTTP_RESUMED_EARLY, /* http_resume came before the handler had returned HTTP_WAITING */
    HTTP_SUSPENDED,     /* http_resume wakes the connection */
    HTTP_DETACHED,      /* the client is gone: http_resume has the door's thread call the handler */
    HTTP_ABANDONED,     /* the server closes and waits no longer; the connection is about to end */
    HTTP_RESUMED_LATE,  /* after that came http_resume: the end of the connection frees */
    HTTP_ORPHANED       /* after that came the end of the connection: http_resume frees */
};

#define HTTP_SPARES_MAX 16 /* exchanges kept for the next request: a thread needs one at a time, while none waits */

/* All requests in progress of one server. */
struct http_exchanges {
    http_handler_fn *handler;
    void *context;
    void (*wake)(void *connection); /* has a suspended connection go on; from any thread */
    struct http_door *door;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_exchange *first; /* under the lock: from the end of the headers to the end of the response */
    atomic_bool closing;         /* set under the lock */
    _Atomic(struct http_exchange *) spares[HTTP_SPARES_MAX];
};

#define EXCHANGE_STORAGE 10240 /* a request with its digest credentials, and its answer with a document of 2 KB */

struct http_exchange {
    struct http_request request; /* first: http_resume gets its address */
    struct http_response response;
    struct http_exchanges *owner;
    struct http_exchange *previous, *next;
    struct arena arena;
    struct http_job job;
    struct sockaddr_storage peer;
    struct http_visitor *visitor; /* under the owner's lock; NULL once the connection has ended */
    void *connection;             /* the library's */
    const char *raw_target;       /* where it lies in the library's buffer */
    struct http_framing framing;
    char *body;
    size_t body_capacity;
    uint64_t body_received;                     /* also what was not kept */
    _Atomic int waiting;                        /* enum http_waiting */
    bool begun;                                 /* the header section has been seen */
    bool listed;                                /* in the owner's list */
    bool answered;                              /* `response` is decided and waits for the end of the body */
    bool unresumed;                             /* the handler returned HTTP_WAITING and has not been called again */
    bool last;                                  /* the connection ends with this response */
    alignas(16) char storage[EXCHANGE_STORAGE]; /* first block of the arena */
};

void http_exchanges_init(struct http_exchanges *exchanges);
void http_exchanges_clear(struct http_exchanges *exchanges);

/* No further exchange can be listed. Returns when all have ended, those that have not after `wait_ms` by force. */
void http_exchanges_close(struct http_exchanges *exchanges, int64_t wait_ms);

struct http_exchange *http_exchange_new(struct http_exchanges *owner, struct http_visitor *visitor);

/* Tells the request what is known of the visitor's encryption. */
void http_exchange_meet(struct http_exchange *exchange);
bool http_exchange_list(struct http_exchange *exchange); /* false: the server closes */

/* Keeps the bytes as part of the body unless there are more than `bytes_max`, from which on none is kept. */
void http_exchange_receive(struct http_exchange *exchange, struct text bytes, size_t bytes_max);

enum http_progress http_exchange_run(struct http_exchange *exchange);

/* After HTTP_WAITING, with the connection suspended; false if http_resume came in between: wake it again. */
bool http_exchange_suspended(struct http_exchange *exchange);
bool http_exchange_abandoned(const struct http_exchange *exchange);

/* The connection is done with it: frees it, or leaves that to whoever still waits. */
void http_exchange_end(struct http_exchange *exchange);

#endif
