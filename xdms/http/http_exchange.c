/* A request from its first line to the end of its response, and who may touch it meanwhile: the connection's thread,
 * the owner of a wait (http_resume), or a server that closes. Knows neither the HTTP library nor the wire. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "http_private.h"

#define CLOSE_LOOK_MS    100  /* between looks at requests that outlast their time when the server closes */
#define BODY_BYTES_FIRST 4096 /* then doubled: what is announced but never sent takes no memory */

static bool change(struct http_exchange *exchange, int before, int after);
static void unlist(struct http_exchanges *owner, struct http_exchange *previous, struct http_exchange *next);
static void free_exchange(struct http_exchange *exchange);
static void detach(struct http_exchange *exchange);
static void run_detached(struct http_job *job);
static void wait_until_empty(struct http_exchanges *exchanges, int64_t wait_ms);
static void abandon(struct http_exchange *exchange);
static void orphan(struct http_exchange *exchange, int waiting);

void http_exchanges_init(struct http_exchanges *exchanges)
{
    pthread_mutex_init(&exchanges->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&exchanges->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void http_exchanges_clear(struct http_exchanges *exchanges)
{
    assert(!exchanges->first);
    for (size_t i = 0; i < HTTP_SPARES_MAX; i++)
        free(atomic_load(&exchanges->spares[i]));
    pthread_cond_destroy(&exchanges->changed);
    pthread_mutex_destroy(&exchanges->lock);
}

/* Each thread has its place, so that none waits for another. */
static _Atomic(struct http_exchange *) *spare_place(struct http_exchanges *owner)
{
    static atomic_uint threads;
    static _Thread_local unsigned number; /* from 1 on */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) % HTTP_SPARES_MAX + 1;
    return &owner->spares[number - 1];
}

struct http_exchange *http_exchange_new(struct http_exchanges *owner, struct http_visitor *visitor)
{
    struct http_exchange *exchange = atomic_exchange(spare_place(owner), NULL);
    if (!exchange)
        exchange = memory_new_raw(sizeof(*exchange));
    memset(exchange, 0, offsetof(struct http_exchange, storage));
    arena_init_in(&exchange->arena, "http request", exchange->storage, sizeof(exchange->storage));
    exchange->request.arena = &exchange->arena;
    exchange->request.peer = (const struct sockaddr *)&exchange->peer;
    exchange->owner = owner;
    exchange->visitor = visitor;
    return exchange;
}

/* The names are read once for each connection; the request may outlive it and has its own copy. */
void http_exchange_meet(struct http_exchange *exchange)
{
    const struct http_visitor *visitor = exchange->visitor;
    struct http_client *client = &exchange->visitor->client;
    struct http_request *request = &exchange->request;
    request->is_tls = visitor->tls != NULL;
    if (visitor->tls && !client->known)
        client->names_count = tls_session_names(visitor->tls, &client->arena, &client->names);
    client->known = true;
    if (client->names_count == 0)
        return;
    struct text *names = arena_array(&exchange->arena, struct text, client->names_count);
    for (size_t i = 0; i < client->names_count; i++)
        names[i] = text_copy(&exchange->arena, client->names[i]);
    request->client_names = names;
    request->client_names_count = client->names_count;
}

bool http_exchange_list(struct http_exchange *exchange)
{
    struct http_exchanges *owner = exchange->owner;
    pthread_mutex_lock(&owner->lock);
    exchange->listed = !atomic_load(&owner->closing);
    if (exchange->listed) {
        exchange->next = owner->first;
        if (exchange->next)
            exchange->next->previous = exchange;
        owner->first = exchange;
    }
    pthread_mutex_unlock(&owner->lock);
    return exchange->listed;
}

void http_exchange_receive(struct http_exchange *exchange, struct text bytes, size_t bytes_max)
{
    exchange->body_received += bytes.length;
    if (exchange->body_received > bytes_max) {
        free(exchange->body);
        exchange->body = NULL;
        exchange->request.body = (struct text){0};
        return;
    }
    size_t used = exchange->request.body.length;
    if (used + bytes.length > exchange->body_capacity) {
        size_t capacity = exchange->body_capacity ? exchange->body_capacity * 2 : BODY_BYTES_FIRST;
        exchange->body_capacity = capacity > used + bytes.length ? capacity : used + bytes.length;
        exchange->body = memory_resize(exchange->body, exchange->body_capacity);
    }
    memcpy(exchange->body + used, bytes.bytes, bytes.length);
    exchange->request.body = (struct text){exchange->body, used + bytes.length};
}

enum http_progress http_exchange_run(struct http_exchange *exchange)
{
    const struct http_exchanges *owner = exchange->owner;
    atomic_store(&exchange->waiting, HTTP_RUNNING);
    exchange->response.status = 0;
    exchange->response.body = (struct text){0};
    exchange->response.headers_count = 0;
    enum http_progress progress = owner->handler(owner->context, &exchange->request, &exchange->response);
    exchange->unresumed = progress == HTTP_WAITING;
    return progress;
}

bool http_exchange_suspended(struct http_exchange *exchange)
{
    return change(exchange, HTTP_RUNNING, HTTP_SUSPENDED);
}

bool http_exchange_abandoned(const struct http_exchange *exchange)
{
    int waiting = atomic_load(&exchange->waiting);
    return waiting == HTTP_ABANDONED || waiting == HTTP_RESUMED_LATE;
}

/* Whoever wins the change of state goes on; after that the exchange may be gone at any time. */
void http_resume(struct http_request *request)
{
    static_assert(offsetof(struct http_exchange, request) == 0, "a request is the beginning of its exchange");
    struct http_exchange *exchange = (struct http_exchange *)request;
    struct http_exchanges *owner = exchange->owner;
    for (;;) {
        if (change(exchange, HTTP_SUSPENDED, HTTP_RUNNING)) {
            pthread_mutex_lock(&owner->lock); /* the exchange cannot end, nor the server close, before we are done */
            owner->wake(exchange->connection);
            pthread_mutex_unlock(&owner->lock);
            return;
        }
        if (change(exchange, HTTP_DETACHED, HTTP_RUNNING)) {
            http_door_post(owner->door, &exchange->job);
            return;
        }
        if (change(exchange, HTTP_RUNNING, HTTP_RESUMED_EARLY) || change(exchange, HTTP_ABANDONED, HTTP_RESUMED_LATE))
            return;
        int waiting = atomic_load(&exchange->waiting);
        assert(waiting != HTTP_RESUMED_EARLY && waiting != HTTP_RESUMED_LATE); /* resumed twice */
        if (waiting == HTTP_ORPHANED) {
            free_exchange(exchange);
            return;
        }
    }
}

/* While the owner is sure to be there. */
static void put_by(struct http_exchange *exchange)
{
    arena_clear(&exchange->arena);
    free(exchange->body);
    free(atomic_exchange(spare_place(exchange->owner), exchange));
}

void http_exchange_end(struct http_exchange *exchange)
{
    struct http_exchanges *owner = exchange->owner;
    if (!exchange->listed) {
        put_by(exchange);
        return;
    }
    pthread_mutex_lock(&owner->lock);
    exchange->visitor = NULL;
    if (http_exchange_abandoned(exchange)) {
        orphan(exchange, HTTP_ABANDONED);
    } else if (exchange->unresumed) {
        detach(exchange);
    } else {
        unlist(owner, exchange->previous, exchange->next);
        put_by(exchange);
    }
    pthread_mutex_unlock(&owner->lock);
}

static bool change(struct http_exchange *exchange, int before, int after)
{
    return atomic_compare_exchange_strong(&exchange->waiting, &before, after);
}

static void unlist(struct http_exchanges *owner, struct http_exchange *previous, struct http_exchange *next)
{
    if (next)
        next->previous = previous;
    if (previous)
        previous->next = next;
    else
        owner->first = next;
    if (!owner->first)
        pthread_cond_broadcast(&owner->changed);
}

static void free_exchange(struct http_exchange *exchange)
{
    arena_clear(&exchange->arena);
    free(exchange->body);
    free(exchange);
}

/* The client left while the handler waited: the resume has come, but the library calls nobody for a dead connection.
 * The handler must still learn how its work went. */
static void detach(struct http_exchange *exchange)
{
    exchange->job.run = run_detached;
    http_door_post(exchange->owner->door, &exchange->job);
}

static void run_detached(struct http_job *job)
{
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)job - offsetof(struct http_exchange, job)); /* lies inside */
    struct http_exchanges *owner = exchange->owner;
    while (http_exchange_run(exchange) == HTTP_WAITING)
        if (change(exchange, HTTP_RUNNING, HTTP_DETACHED))
            return;
    pthread_mutex_lock(&owner->lock);
    unlist(owner, exchange->previous, exchange->next);
    pthread_mutex_unlock(&owner->lock);
    free_exchange(exchange);
}

void http_exchanges_close(struct http_exchanges *exchanges, int64_t wait_ms)
{
    pthread_mutex_lock(&exchanges->lock);
    atomic_store(&exchanges->closing, true);
    wait_until_empty(exchanges, wait_ms);
    while (exchanges->first) {
        struct http_exchange *next;
        for (struct http_exchange *exchange = exchanges->first; exchange; exchange = next) {
            next = exchange->next;
            abandon(exchange);
        }
        wait_until_empty(exchanges, CLOSE_LOOK_MS);
    }
    pthread_mutex_unlock(&exchanges->lock);
}

static void wait_until_empty(struct http_exchanges *exchanges, int64_t wait_ms)
{
    int64_t end_ms = clock_monotonic_ms() + wait_ms;
    struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = (end_ms % 1000) * 1000000};
    while (exchanges->first && pthread_cond_timedwait(&exchanges->changed, &exchanges->lock, &end) == 0)
        ;
}

/* A handler that runs is waited for, whatever it takes: there is no safe way to stop it. */
static void abandon(struct http_exchange *exchange)
{
    if (change(exchange, HTTP_SUSPENDED, HTTP_ABANDONED))
        exchange->owner->wake(exchange->connection);
    else if (atomic_load(&exchange->waiting) == HTTP_DETACHED)
        orphan(exchange, HTTP_DETACHED);
    else if (exchange->visitor)
        atomic_store(&exchange->visitor->deadline_ms, 0);
}

/* The server lets go of it. The neighbours are read before, as the owner of the wait may free it at once. */
static void orphan(struct http_exchange *exchange, int waiting)
{
    struct http_exchanges *owner = exchange->owner;
    struct http_exchange *previous = exchange->previous, *next = exchange->next;
    if (change(exchange, waiting, HTTP_ORPHANED)) {
        unlist(owner, previous, next);
    } else if (waiting == HTTP_ABANDONED) { /* resumed in between */
        unlist(owner, previous, next);
        free_exchange(exchange);
    }
}
