/* Drives libmicrohttpd: its callbacks become requests for the handler, the handler's responses become its replies. The
 * only file that knows that library; what is right or wrong in a request is decided in http_strict.c, who stays
 * connected in http_door.c, and who may touch a request in http_exchange.c. */
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "http_private.h"

#define HEADER_RECORD_BYTES 64   /* what the library keeps per header line beside its text */
#define RESPONSE_HEAD_BYTES 8192 /* room for the status line and headers of a response */
#define SEND_BYTES_PER_MS   8    /* a reader slower than 8 kB/s would hold memory at others' expense */
#define TICK_MS_MAX         1000 /* deadlines are seconds; a second late does no harm */
#define TICK_MS_MIN         10
#define DISCARD_BYTES_MAX   (8u << 20) /* of a body that is too large; beyond, it is cut off without a 413 */
#define LINE_END            (sizeof("\r\n") - 1)

/* For who took the address of an encrypted port for one that is not. */
#define PLAIN_ANSWER                                                                                                   \
    TEXT("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 48\r\nConnection: close\r\n\r\n"     \
         "This port speaks TLS: use https instead of http\n")

struct http_server {
    struct http_settings settings;
    char *server_token;
    http_preview_fn *preview;
    void *context;
    struct http_exchanges exchanges;
    struct MHD_Daemon *daemon;
    uint16_t port;
};

/* The way through the header lines in the library's buffer, where each line ends in two NULs instead of CR LF. */
struct header_walk {
    struct http_header *headers;
    size_t count;
    const char *expected; /* where the next line must begin */
    bool broken;
};

static bool start(struct http_server *server, int listener);
static struct MHD_Daemon *start_daemon(struct http_server *server);
static int refuse_certificate(void);
static void free_server(struct http_server *server);
static void wake(void *connection);
static bool admit(void *context, int fd, const struct sockaddr *peer, socklen_t peer_size);
static void on_connection(void *context, struct MHD_Connection *connection, void **visitor_inout,
                          enum MHD_ConnectionNotificationCode event);
static void encrypt(const struct http_server *server, struct http_visitor *visitor, struct MHD_Connection *connection);
static void linger(struct http_server *server, const struct http_visitor *visitor);
static void *on_target(void *context, const char *target, struct MHD_Connection *connection);
static size_t on_escapes(void *context, struct MHD_Connection *connection, char *escaped);
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size_inout,
                                  void **exchange_inout);
static void on_completed(void *context, struct MHD_Connection *connection, void **exchange_inout,
                         enum MHD_RequestTerminationCode reason);
static enum MHD_Result begin(struct http_server *server, struct http_exchange *exchange, const char *method,
                             const char *version);
static int read_head(const struct http_server *server, struct http_exchange *exchange, const char *method,
                     const char *version, const char **phrase_out);
static enum MHD_Result walk_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size);
static void keep_head(struct http_exchange *exchange, const struct header_walk *walk, const char *begin, size_t size);
static void answer(struct http_exchange *exchange, int status, const char *phrase);
static void answer_too_large(const struct http_server *server, struct http_exchange *exchange);
static enum MHD_Result answer_at_once(struct http_server *server, struct http_exchange *exchange);
static enum MHD_Result finish(struct http_server *server, struct http_exchange *exchange);
static enum MHD_Result send_response(struct http_server *server, struct http_exchange *exchange);
static struct MHD_Response *new_reply(const struct http_server *server, struct http_exchange *exchange);
static void set_deadline(struct http_exchange *exchange, int64_t from_now_ms);

/* --- opening and closing --- */

struct http_server *http_server_open(const struct http_settings *settings, http_handler_fn *handler,
                                     http_preview_fn *preview, void *context, struct arena *arena,
                                     struct text *error_out)
{
    int listener = http_listen(settings->host, settings->port, arena, error_out);
    if (listener < 0)
        return NULL;
    struct http_server *server = memory_new(sizeof(*server));
    server->settings = *settings;
    server->settings.host = NULL; /* the caller's strings may go */
    size_t token_size = strlen(settings->server_token) + 1;
    server->server_token = memcpy(memory_new(token_size), settings->server_token, token_size);
    server->settings.server_token = server->server_token;
    server->preview = preview;
    server->context = context;
    server->port = http_listen_port(listener);
    http_exchanges_init(&server->exchanges);
    server->exchanges.handler = handler;
    server->exchanges.context = context;
    server->exchanges.wake = wake;
    if (start(server, listener))
        return server;
    free_server(server);
    *error_out = TEXT("cannot start the threads of the HTTP server");
    return NULL;
}

static bool start(struct http_server *server, int listener)
{
    const struct http_settings *settings = &server->settings;
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        close(listener);
        return false;
    }
    int64_t tick_ms = settings->header_ms_max;
    if (tick_ms > settings->body_ms_max)
        tick_ms = settings->body_ms_max;
    if (tick_ms > settings->idle_ms_max)
        tick_ms = settings->idle_ms_max;
    tick_ms /= 4;
    struct http_door_settings door = {
        .listener = listener,
        .visitors_max = settings->connections_max,
        .tick_ms = tick_ms < TICK_MS_MIN   ? TICK_MS_MIN
                   : tick_ms > TICK_MS_MAX ? TICK_MS_MAX
                                           : tick_ms,
        .admit = admit,
        .context = server,
    };
    if (http_door_open(&door, &server->exchanges.door))
        return true;
    MHD_stop_daemon(server->daemon);
    return false;
}

/* Connections are handed over one by one (MHD_add_connection). A listening socket of the library's own cannot be taken
 * back safely while its threads run (it may abort the process), and its connection limit can leave a thread locked. */
static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_settings *settings = &server->settings;
    unsigned threads = settings->threads ? settings->threads : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    size_t memory = settings->header_bytes_max + HTTP_HEADERS_MAX * HEADER_RECORD_BYTES + RESPONSE_HEAD_BYTES;
    struct MHD_OptionItem pool[] = {
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem encryption[] = {
        {settings->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0, refuse_certificate},
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's loop's affair */
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags | (settings->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, on_request, server, MHD_OPTION_ARRAY, pool,
        MHD_OPTION_ARRAY, encryption, MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_UNESCAPE_CALLBACK,
        on_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_CONNECTION_LIMIT, UINT_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

/* The library wants to have a certificate when it starts. The sessions get theirs in on_connection. */
static int refuse_certificate(void)
{
    return -1;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

/* The library aborts when it is stopped with a suspended connection: first all requests come to their end. */
void http_server_close(struct http_server *server)
{
    http_door_shut(server->exchanges.door);
    http_exchanges_close(&server->exchanges, server->settings.body_ms_max);
    MHD_stop_daemon(server->daemon);
    http_door_close(server->exchanges.door);
    free_server(server);
}

static void free_server(struct http_server *server)
{
    http_exchanges_clear(&server->exchanges);
    free(server->server_token);
    free(server);
}

static void wake(void *connection)
{
    MHD_resume_connection(connection);
}

/* --- connections --- */

static bool admit(void *context, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct http_server *server = context;
    return MHD_add_connection(server->daemon, fd, peer, peer_size) == MHD_YES;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **visitor_inout,
                          enum MHD_ConnectionNotificationCode event)
{
    struct http_server *server = context;
    if (event == MHD_CONNECTION_NOTIFY_STARTED) {
        struct http_visitor *visitor = memory_new(sizeof(*visitor));
        visitor->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        atomic_store(&visitor->deadline_ms, clock_monotonic_ms() + server->settings.header_ms_max);
        if (server->settings.tls)
            encrypt(server, visitor, connection);
        arena_init(&visitor->client.arena, "client");
        *visitor_inout = visitor;
        http_door_enter(server->exchanges.door, visitor);
    } else {
        struct http_visitor *visitor = *visitor_inout;
        if (visitor->tls && tls_session_turned_away(visitor->tls))
            linger(server, visitor);
        http_door_leave(server->exchanges.door, visitor);
        tls_session_free(visitor->tls);
        arena_clear(&visitor->client.arena);
        free(visitor);
        *visitor_inout = NULL;
    }
}

/* The library runs the session; what it is made of is ours, and may change while connections are open. */
static void encrypt(const struct http_server *server, struct http_visitor *visitor, struct MHD_Connection *connection)
{
    void *session = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    visitor->tls =
        tls_session_adopt(server->settings.tls, session, visitor->fd, server->settings.clients, PLAIN_ANSWER);
}

/* The library is about to close the connection. A second descriptor holds the socket open until the peer, who may
 * still be sending, has seen the answer. */
static void linger(struct http_server *server, const struct http_visitor *visitor)
{
    int fd = fcntl(visitor->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        http_door_linger(server->exchanges.door, fd);
}

static void set_deadline(struct http_exchange *exchange, int64_t from_now_ms)
{
    int64_t deadline_ms = from_now_ms == HTTP_NEVER ? HTTP_NEVER : clock_monotonic_coarse_ms() + from_now_ms;
    atomic_store(&exchange->visitor->deadline_ms, deadline_ms);
}

/* --- the head of a request --- */

/* Called with the request target as it came, once the request line is complete. What is returned becomes the library's
 * context of the request; on_completed is sure to come, on_request is not. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct http_visitor *visitor =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct http_exchange *exchange = http_exchange_new(&server->exchanges, visitor);
    const struct sockaddr *peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    memcpy(&exchange->peer, peer,
           peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    exchange->connection = connection;
    exchange->raw_target = target;
    exchange->request.target = text_copy(&exchange->arena, text_of(target));
    http_exchange_meet(exchange);
    set_deadline(exchange, server->settings.header_ms_max);
    /* The library would split the query at each '&' into records, which takes its memory and quadratic time for a query
     * of a form that is not ours: show it an empty one. The buffer is its own and not constant. */
    char *query = strchr((char *)target, '?');
    if (query && query[1])
        query[1] = '\0';
    return exchange;
}

static size_t on_escapes(void *context, struct MHD_Connection *connection, char *escaped)
{
    (void)context;
    (void)connection;
    return strlen(escaped);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size_inout,
                                  void **exchange_inout)
{
    struct http_server *server = context;
    struct http_exchange *exchange = *exchange_inout;
    (void)connection;
    (void)url;
    if (!exchange->begun)
        return begin(server, exchange, method, version);
    if (*upload_size_inout == 0)
        return finish(server, exchange);
    size_t bytes_max = exchange->answered ? 0 : server->settings.body_bytes_max;
    http_exchange_receive(exchange, (struct text){upload, *upload_size_inout}, bytes_max);
    *upload_size_inout = 0;
    bool endless = exchange->body_received > server->settings.body_bytes_max + DISCARD_BYTES_MAX;
    return endless ? MHD_NO : MHD_YES;
}

/* The header section is there, the body not yet, and "100 Continue" has not been sent. A response queued here ends the
 * connection, so other answers wait for the end of the body. */
static enum MHD_Result begin(struct http_server *server, struct http_exchange *exchange, const char *method,
                             const char *version)
{
    const char *phrase = NULL;
    exchange->begun = true;
    set_deadline(exchange, server->settings.body_ms_max);
    int status = read_head(server, exchange, method, version, &phrase);
    if (status) {
        answer(exchange, status, phrase);
        return answer_at_once(server, exchange);
    }
    if (!http_exchange_list(exchange)) {
        answer(exchange, 503, "The server is closing.");
        return answer_at_once(server, exchange);
    }
    const struct http_framing *framing = &exchange->framing;
    if (framing->length > server->settings.body_bytes_max) {
        answer_too_large(server, exchange);
        return answer_at_once(server, exchange);
    }
    /* The library takes a bare LF in the framing of chunks, so where such a body ends is open to doubt: nothing that
     * follows on the connection is read as a request. */
    exchange->last = framing->chunked;
    exchange->answered = server->preview && !server->preview(server->context, &exchange->request, &exchange->response);
    bool body_follows = framing->chunked || framing->length > 0;
    if (exchange->answered && body_follows && framing->expects_continue)
        return answer_at_once(server, exchange);
    return MHD_YES;
}

/* 0, or the status of a refusal. The library hides some anomalies (bare LF, folded lines, NUL), but its buffer does
 * not: line must follow upon line with nothing between. A NUL before a bare LF is the one that cannot be told from
 * CR LF; it ends a line here as there. */
static int read_head(const struct http_server *server, struct http_exchange *exchange, const char *method,
                     const char *version, const char **phrase_out)
{
    struct text target = exchange->request.target;
    size_t head_size =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct header_walk walk = {.headers = headers, .expected = version + strlen(version) + LINE_END};
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, walk_header, &walk);
    if (target.length > server->settings.header_bytes_max)
        return *phrase_out = "The request target is too long.", 414;
    if (walk.count > HTTP_HEADERS_MAX || head_size > server->settings.header_bytes_max)
        return *phrase_out = "The header section is too large.", 431;
    bool whole = method + strlen(method) + 1 == exchange->raw_target &&
                 exchange->raw_target + target.length + 1 == version && !walk.broken &&
                 walk.expected + LINE_END == method + head_size;
    if (!whole)
        return *phrase_out = "The header section is malformed.", 400;
    const struct http_head head = {
        .method = text_of(method),
        .target = target,
        .is_1_0 = strcmp(version, "HTTP/1.0") == 0,
        .headers = headers,
        .headers_count = walk.count,
    };
    *phrase_out = http_head_refusal(&head, &exchange->framing);
    if (*phrase_out)
        return 400;
    keep_head(exchange, &walk, method, head_size);
    return 0;
}

static enum MHD_Result walk_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
    struct header_walk *walk = context;
    (void)kind;
    if (walk->count == HTTP_HEADERS_MAX) {
        walk->count++;
        return MHD_NO;
    }
    walk->headers[walk->count++] = (struct http_header){{name, name_size}, {value, value_size}};
    walk->broken = walk->broken || name != walk->expected || value <= name;
    walk->expected = value + value_size + LINE_END;
    return MHD_YES;
}

/* One copy of the whole, which outlives the connection; names and values keep their places in it. */
static void keep_head(struct http_exchange *exchange, const struct header_walk *walk, const char *begin, size_t size)
{
    struct http_request *request = &exchange->request;
    const char *copy = text_copy(&exchange->arena, (struct text){begin, size}).bytes;
    struct http_header *headers = arena_array(&exchange->arena, struct http_header, walk->count);
    for (size_t i = 0; i < walk->count; i++) {
        struct text name = walk->headers[i].name, value = walk->headers[i].value;
        headers[i].name = (struct text){copy + (name.bytes - begin), name.length};
        headers[i].value = text_trim((struct text){copy + (value.bytes - begin), value.length});
    }
    request->method = (struct text){copy, strlen(copy)};
    request->headers = headers;
    request->headers_count = walk->count;
}

/* --- answers --- */

static void answer(struct http_exchange *exchange, int status, const char *phrase)
{
    exchange->response = (struct http_response){.status = status, .body = text_of(phrase)};
    http_response_header(&exchange->response, "Content-Type", TEXT("text/plain"));
    exchange->answered = true;
}

static void answer_too_large(const struct http_server *server, struct http_exchange *exchange)
{
    struct text phrase =
        text_format(&exchange->arena, "The body has more than %zu bytes.", server->settings.body_bytes_max);
    answer(exchange, 413, text_cstring(&exchange->arena, phrase));
}

/* The library closes the connection after it. */
static enum MHD_Result answer_at_once(struct http_server *server, struct http_exchange *exchange)
{
    exchange->last = true;
    linger(server, exchange->visitor);
    return send_response(server, exchange);
}

/* The request is complete, or its handler has been resumed. */
static enum MHD_Result finish(struct http_server *server, struct http_exchange *exchange)
{
    if (http_exchange_abandoned(exchange))
        return MHD_NO;
    set_deadline(exchange, HTTP_NEVER);
    if (!exchange->answered && exchange->body_received > server->settings.body_bytes_max)
        answer_too_large(server, exchange);
    if (exchange->answered || http_exchange_run(exchange) == HTTP_DONE)
        return send_response(server, exchange);
    MHD_suspend_connection(exchange->connection);
    struct MHD_Connection *connection = exchange->connection;
    if (!http_exchange_suspended(exchange))
        MHD_resume_connection(connection);
    return MHD_YES;
}

static enum MHD_Result send_response(struct http_server *server, struct http_exchange *exchange)
{
    assert(exchange->response.status >= 200 && exchange->response.status <= 599);
    struct MHD_Response *reply = new_reply(server, exchange);
    if (!reply)
        return MHD_NO;
    int64_t reading_ms = (int64_t)(exchange->response.body.length / SEND_BYTES_PER_MS);
    set_deadline(exchange, server->settings.body_ms_max + reading_ms);
    enum MHD_Result queued = MHD_queue_response(exchange->connection, (unsigned)exchange->response.status, reply);
    MHD_destroy_response(reply);
    return queued;
}

static struct MHD_Response *new_reply(const struct http_server *server, struct http_exchange *exchange)
{
    const struct http_response *response = &exchange->response;
    bool bodiless = response->status == 204;
    const char *body = response->body.length ? response->body.bytes : "";
    struct MHD_Response *reply =
        MHD_create_response_from_buffer(bodiless ? 0 : response->body.length, (void *)body, MHD_RESPMEM_PERSISTENT);
    if (!reply)
        return NULL;
    bool added = MHD_add_response_header(reply, "Server", server->server_token) == MHD_YES;
    if (exchange->last || atomic_load(&server->exchanges.closing))
        added = added && MHD_add_response_header(reply, "Connection", "close") == MHD_YES;
    for (size_t i = 0; i < response->headers_count; i++) {
        const struct http_header *header = &response->headers[i];
        if (header->value.length == 0) /* the library has no empty ones */
            continue;
        const char *name = header->name.bytes; /* as http_response_header got it */
        added = added && MHD_add_response_header(reply, name, text_cstring(&exchange->arena, header->value)) == MHD_YES;
    }
    if (added)
        return reply;
    MHD_destroy_response(reply);
    return NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **exchange_inout,
                         enum MHD_RequestTerminationCode reason)
{
    struct http_server *server = context;
    struct http_exchange *exchange = *exchange_inout;
    (void)connection;
    (void)reason;
    if (!exchange)
        return;
    *exchange_inout = NULL;
    set_deadline(exchange, server->settings.idle_ms_max);
    atomic_store(&exchange->visitor->answered, true);
    http_exchange_end(exchange);
}
