/* An HTTP server under test and a client that says exactly what it is told, byte by byte. The server's handler does
 * what the target asks for and writes down what it was called with, so that a test can say what was never run. */
#ifndef TESTS_HTTP_PROBE_H
#define TESTS_HTTP_PROBE_H

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"

#define PROBE_WAITS_MAX 1024
#define PROBE_GIVE_UP_S 60 /* a server that hangs fails the test instead of hanging it */

struct probe {
    struct arena arena;
    struct http_settings settings;
    struct http_server *server;
    bool with_preview; /* refuses targets that begin with /refused */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char seen[65536]; /* "METHOD target|" of each call of the handler, in order */
    size_t seen_length;
    size_t finished; /* waits whose handler was called again */
    struct http_request *waiting[PROBE_WAITS_MAX];
    size_t waiting_count;
};

static inline void probe_note(struct probe *probe, const struct http_request *request)
{
    int written = snprintf(probe->seen + probe->seen_length, sizeof(probe->seen) - probe->seen_length, "%.*s %.*s|",
                           TEXT_ARG(request->method),
                           (int)(request->target.length > 200 ? 200 : request->target.length), request->target.bytes);
    if (probe->seen_length + (size_t)written < sizeof(probe->seen))
        probe->seen_length += (size_t)written;
}

/* /wait: waits until probe_resume_all; /wait-twice: two times; /early: is resumed before it returns. */
static inline enum http_progress probe_wait(struct probe *probe, struct http_request *request, size_t times)
{
    size_t *calls = request->state;
    if (!calls)
        request->state = calls = arena_new(request->arena, size_t);
    if ((*calls)++ == times) {
        probe->finished++;
        pthread_cond_broadcast(&probe->changed);
        return HTTP_DONE;
    }
    if (text_equal(request->target, TEXT("/early"))) {
        http_resume(request);
    } else {
        probe->waiting[probe->waiting_count++] = request;
        pthread_cond_broadcast(&probe->changed);
    }
    return HTTP_WAITING;
}

static inline struct text probe_who(const struct http_request *request)
{
    struct text_builder who;
    builder_init(&who, request->arena);
    builder_add(&who, request->is_tls ? TEXT("tls") : TEXT("plain"));
    for (size_t i = 0; i < request->client_names_count; i++)
        builder_add_format(&who, " <%.*s>", TEXT_ARG(request->client_names[i]));
    return builder_text(&who);
}

static inline enum http_progress probe_handle(void *context, struct http_request *request,
                                              struct http_response *response)
{
    struct probe *probe = context;
    enum http_progress progress = HTTP_DONE;
    pthread_mutex_lock(&probe->lock);
    probe_note(probe, request);
    if (text_starts_with(request->target, TEXT("/wait-twice")))
        progress = probe_wait(probe, request, 2);
    else if (text_starts_with(request->target, TEXT("/wait")) || text_equal(request->target, TEXT("/early")))
        progress = probe_wait(probe, request, 1);
    pthread_mutex_unlock(&probe->lock);
    if (progress == HTTP_WAITING)
        return progress;
    response->status = 200;
    response->body = text_format(request->arena, "%.*s %.*s %.*s", TEXT_ARG(request->method), TEXT_ARG(request->target),
                                 TEXT_ARG(request->body));
    if (text_equal(request->target, TEXT("/unchanged")))
        response->status = 304;
    if (text_equal(request->target, TEXT("/empty")))
        response->status = 204;
    if (text_equal(request->target, TEXT("/large")))
        response->body = (struct text){arena_alloc(request->arena, 8u << 20), 8u << 20};
    if (text_equal(request->target, TEXT("/who")))
        response->body = probe_who(request);
    if (text_equal(request->target, TEXT("/peer")))
        response->body = http_peer_text(request->peer, request->arena);
    struct text echo;
    if (http_header(request, "X-Echo", &echo))
        http_response_header(response, "X-Echoed", echo);
    return HTTP_DONE;
}

static inline bool probe_preview(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    if (!text_starts_with(request->target, TEXT("/refused")))
        return true;
    response->status = 401;
    response->body = TEXT("who are you?");
    http_response_header(response, "WWW-Authenticate", TEXT("Digest realm=\"x\""));
    return false;
}

/* Deadlines far away; a test that wants them near changes `settings` before probe_open. */
static inline struct probe *probe_new(void)
{
    struct probe *probe = memory_new(sizeof(*probe));
    arena_init(&probe->arena, "probe");
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->changed, NULL);
    probe->settings = HTTP_SETTINGS_STANDARD;
    probe->settings.header_ms_max = probe->settings.body_ms_max = probe->settings.idle_ms_max = 60000;
    probe->settings.body_bytes_max = 100000;
    probe->settings.threads = 2;
    return probe;
}

static inline void probe_open(struct probe *probe)
{
    struct text error = {0};
    probe->server = http_server_open(&probe->settings, probe_handle, probe->with_preview ? probe_preview : NULL, probe,
                                     &probe->arena, &error);
    if (!probe->server) {
        fprintf(stderr, "%.*s\n", TEXT_ARG(error));
        abort();
    }
}

static inline struct probe *probe_start(void)
{
    struct probe *probe = probe_new();
    probe->with_preview = true;
    probe_open(probe);
    return probe;
}

static inline void probe_stop(struct probe *probe)
{
    if (probe->server)
        http_server_close(probe->server);
    arena_clear(&probe->arena);
    pthread_cond_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

/* Returns once `count` requests wait. */
static inline void probe_await(struct probe *probe, size_t count)
{
    pthread_mutex_lock(&probe->lock);
    while (probe->waiting_count < count)
        pthread_cond_wait(&probe->changed, &probe->lock);
    pthread_mutex_unlock(&probe->lock);
}

static inline void probe_await_finished(struct probe *probe, size_t count)
{
    pthread_mutex_lock(&probe->lock);
    while (probe->finished < count)
        pthread_cond_wait(&probe->changed, &probe->lock);
    pthread_mutex_unlock(&probe->lock);
}

/* Resumes one waiting request, the latest; false if none waits. */
static inline bool probe_resume_one(struct probe *probe)
{
    pthread_mutex_lock(&probe->lock);
    struct http_request *request = probe->waiting_count ? probe->waiting[--probe->waiting_count] : NULL;
    pthread_mutex_unlock(&probe->lock);
    if (request)
        http_resume(request);
    return request != NULL;
}

static inline bool probe_saw(struct probe *probe, const char *expected)
{
    pthread_mutex_lock(&probe->lock);
    bool same = strcmp(probe->seen, expected) == 0;
    if (!same)
        fprintf(stderr, "handler saw: %s\n", probe->seen);
    pthread_mutex_unlock(&probe->lock);
    return same;
}

static inline int probe_connect(const struct probe *probe)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(probe->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval give_up = {.tv_sec = PROBE_GIVE_UP_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &give_up, sizeof(give_up));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &give_up, sizeof(give_up));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        abort();
    return fd;
}

/* False once the server has closed the connection. */
static inline bool probe_send(int fd, struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = text_slice(bytes, (size_t)sent, bytes.length);
    }
    return true;
}

#define PROBE_SAY(fd, string) ((void)probe_send((fd), text_of(string)))

static inline bool probe_get_char(int fd, char *character_out)
{
    return recv(fd, character_out, 1, 0) == 1;
}

/* All until the server closes. */
static inline struct text probe_read_to_end(struct probe *probe, int fd)
{
    struct text_builder all;
    builder_init(&all, &probe->arena);
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        builder_add(&all, (struct text){bytes, (size_t)got});
    if (got < 0 && errno == EAGAIN)
        fprintf(stderr, "the server neither answers nor closes\n"), abort();
    return builder_text(&all);
}

static inline struct text probe_read_head(struct probe *probe, int fd)
{
    struct text_builder head;
    char character;
    builder_init(&head, &probe->arena);
    while (!text_ends_with(builder_text(&head), TEXT("\r\n\r\n")) && probe_get_char(fd, &character))
        builder_add_char(&head, character);
    return builder_text(&head);
}

/* One response with the body that its Content-Length announces; head and body in one text. */
static inline struct text probe_read_response(struct probe *probe, int fd)
{
    struct text head = probe_read_head(probe, fd);
    struct text length, rest = text_slice(head, text_find(head, TEXT("Content-Length: ")), head.length);
    uint64_t body_length = 0;
    if (rest.length && text_cut(text_slice(rest, 16, rest.length), '\r', &length, &rest))
        (void)text_to_u64(length, &body_length);
    struct text_builder whole;
    builder_init(&whole, &probe->arena);
    builder_add(&whole, head);
    char character;
    for (uint64_t i = 0; i < body_length && probe_get_char(fd, &character); i++)
        builder_add_char(&whole, character);
    return builder_text(&whole);
}

/* Sends and reads until the server closes: for requests that end the connection. */
static inline struct text probe_ask(struct probe *probe, struct text bytes)
{
    int fd = probe_connect(probe);
    (void)probe_send(fd, bytes);
    struct text all = probe_read_to_end(probe, fd);
    close(fd);
    return all;
}

static inline bool probe_has(struct text text, const char *part)
{
    return text_find(text, text_of(part)) < text.length;
}

static inline bool probe_status_is(struct text response, const char *status)
{
    return response.length > 12 && text_equal(text_slice(response, 9, 12), text_of(status));
}

#endif
