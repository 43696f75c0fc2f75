/* HTTP/1.1 server: complete requests in, responses out, many cores. What a peer can do wrong on the wire (smuggling,
 * slowness, size) is answered here; handlers see only requests that are whole and within limits. One file
 * (http_server_mhd.c) knows libmicrohttpd. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <sys/socket.h>

#include "arena.h"
#include "status.h"
#include "text.h"
#include "tls.h"

#define HTTP_HEADERS_MAX 64 /* lines of one request; browsers send about 20 */

struct http_header {
    struct text name, value;
};

struct http_request {
    struct text method;
    struct text target; /* raw request target with query: not decoded, not normalised */
    const struct http_header *headers;
    size_t headers_count;
    struct text body;
    const struct sockaddr *peer;
    bool is_tls; /* the connection is encrypted from the peer to here: no proxy in between */
    /* Names in the certificate that the client has proved to hold, issued by a CA that the listener trusts for clients;
     * none if it showed none. Each DNS name (lower case) and each URI (as written) of its subjectAltName; the common
     * name if there is neither (RFC 6125 §6.4.4). Peers are trusted by these and by nothing that stands in a header. */
    const struct text *client_names;
    size_t client_names_count;
    struct arena *arena; /* lives until the response has been sent */
    void *state;         /* the handler's own, NULL at first; memory from `arena` */
};

/* First header of that name (case-insensitive), false if absent; http_header_joined joins repeated ones with ", ". */
bool http_header(const struct http_request *request, const char *name, struct text *value_out);
struct text http_header_joined(const struct http_request *request, const char *name);

struct http_response {
    int status;
    struct text body; /* in the request's arena, or static; 304: the body whose length is to be told, it is not sent */
    struct http_header headers[24];
    size_t headers_count;
};

/* `name` stays. A value with CR, LF or NUL is a bug of the caller (assert), so are Content-Length and
 * Transfer-Encoding, which are the server's. More than fit: assert. An empty value is not sent. */
void http_response_header(struct http_response *response, const char *name, struct text value);

enum http_progress {
    HTTP_DONE,   /* the response is filled in */
    HTTP_WAITING /* call http_resume later, from any thread, exactly once: the handler is then called again */
};

typedef enum http_progress http_handler_fn(void *context, struct http_request *request, struct http_response *response);

/* Called as soon as the header section is there and before a body is read (and before "100 Continue" is sent).
 * True: go on. False: `response` is filled in and sent: at once, and the connection closed, if the client waits for
 * "100 Continue", else after its body, which is read and dropped. May be NULL. */
typedef bool http_preview_fn(void *context, struct http_request *request, struct http_response *response);

void http_resume(struct http_request *request);

struct http_settings {
    const char *host; /* address to listen on */
    uint16_t port;    /* 0: any free one */
    unsigned threads; /* 0: as many as cores */
    unsigned connections_max;
    size_t body_bytes_max;   /* 413 */
    size_t header_bytes_max; /* 431, and 414 for the target */
    int64_t header_ms_max; /* from the connection, TLS handshake included, later from the end of a request line, to the
                              end of the headers */
    int64_t body_ms_max;   /* from there to the end of its body; also to send a response, more if it is large */
    int64_t idle_ms_max;   /* between a response and the next request line */
    const char *server_token;
    struct tls *tls; /* NULL: not encrypted; borrowed */
    enum tls_clients clients;
};

#define HTTP_SETTINGS_STANDARD                                                                                         \
    ((struct http_settings){"127.0.0.1", 0, 0, 4096, 1u << 20, 20480, 10000, 30000, 120000, "xdms"})

struct http_server;

/* `error_out` gets one line ("address already in use: 127.0.0.1:8080"). */
struct http_server *http_server_open(const struct http_settings *settings, http_handler_fn *handler,
                                     http_preview_fn *preview, void *context, struct arena *arena,
                                     struct text *error_out);
uint16_t http_server_port(const struct http_server *server);

/* Refuses new connections, waits for requests in progress (those waiting must be resumed by their owners) for
 * body_ms_max, then cuts them, frees. Who resumes a request that was cut, even after this, does no harm. */
void http_server_close(struct http_server *server);

/* True for an http: or https: peer address inside 127/8, ::1 or an IPv4-mapped form of it. */
bool http_peer_is_loopback(const struct sockaddr *peer);

/* "192.0.2.1:5000" or "[2001:db8::1]:5000". */
struct text http_peer_text(const struct sockaddr *peer, struct arena *arena);

#endif
