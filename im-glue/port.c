/* Metrics and readiness of im-glue. Its figures are gauges that the loop's thread sets; the threads of HTTP read those
 * and the store, and nothing of the conversation. */
#include "port.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "management.h"
#include "metrics.h"

#define THREADS       1     /* monitoring asks a few times a minute */
#define STUCK_MS      15000 /* the loop turns once a second: a disk or a list holds it, and what comes in waits */
#define NEVER_TURNED  0
#define FIGURES_COUNT 20

struct port {
    struct http_server *server;
    struct management management;
    const struct documents *documents;
    atomic_llong turned_ms; /* monotonic */
    atomic_bool stopping;
    struct metric *figures[FIGURES_COUNT], *connections[FLOW_KINDS];
};

static const char *trouble(void *context, struct arena *arena)
{
    struct port *port = context;
    int64_t turned_ms = atomic_load(&port->turned_ms);
    if (atomic_load(&port->stopping) || turned_ms == NEVER_TURNED)
        return "starting or stopping";
    if (clock_monotonic_ms() - turned_ms > STUCK_MS)
        return "the loop does not turn";
    return document_store_answers(port->documents, arena) ? NULL : "the store cannot be read";
}

static enum http_progress answer(void *context, struct http_request *request, struct http_response *response)
{
    const struct port *port = context;
    return management_answer(&port->management, request, response);
}

static void register_metrics(struct port *port)
{
    static const char *const figures[FIGURES_COUNT][2] = {
        {"im_glue_users", "Users who have or had contacts or messages since the start."},
        {"im_glue_bindings", "Contacts of users."},
        {"im_glue_watchers", "Subscriptions to events of our users."},
        {"im_glue_watched", "Subscriptions of ours with cores."},
        {"im_glue_requests_in_progress", "Requests that have not been answered yet."},
        {"im_glue_deliveries_in_progress", "Messages on their way to somebody."},
        {"im_glue_commits_in_progress", "Writes on their way to the disk."},
        {"im_glue_transactions", "Transactions of SIP, those that only absorb repetitions among them."},
        {"im_glue_held_bytes", "What requests in progress hold in memory."},
        {"im_glue_watching_bytes", "What subscriptions hold in memory."},
        {"im_glue_transaction_bytes", "What transactions and unfinished messages hold in memory."},
        {"im_glue_waiting_users", "Users whose stored messages wait for room in memory."},
        {"im_deferred_messages", "Messages on disk that wait for their recipients."},
        {"im_deferred_bytes", "Size of these."},
        {"im_deferred_oldest_seconds", "Age of the oldest of them."},
        {"im_glue_other_domains", "Other domains that are sent to, or wait to be."},
        {"im_glue_searches_in_progress", "Messages that wait for DNS."},
        {"im_glue_dns_answers", "Answers of DNS that are remembered."},
        {"im_glue_queued_bytes", "Bytes that peers have not read yet."},
        {"im_glue_datagrams_dropped",
         "Requests over UDP that the kernel dropped: more came than could even be refused."},
    };
    for (size_t i = 0; i < FIGURES_COUNT; i++)
        port->figures[i] = metric_gauge(figures[i][0], "", figures[i][1]);
    for (int kind = FLOW_TCP; kind < FLOW_KINDS; kind++) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof(labels), "transport=\"%s\"", flow_kind_name((enum flow_kind)kind));
        port->connections[kind] = metric_gauge("im_glue_connections", labels, "Open connections.");
    }
}

struct port *port_open(const struct port_settings *settings, struct arena *arena, struct text *error_out)
{
    struct port *port = memory_new(sizeof(*port));
    struct http_settings http = HTTP_SETTINGS_STANDARD;
    http.host = settings->host;
    http.port = settings->port;
    http.tls = settings->tls;
    http.threads = THREADS;
    http.server_token = "im-glue/" XDM_VERSION;
    port->documents = settings->documents;
    port->management = (struct management){trouble, port};
    register_metrics(port);
    port->server = http_server_open(&http, answer, NULL, port, arena, error_out);
    if (port->server)
        return port;
    free(port);
    return NULL;
}

uint16_t port_number(const struct port *port)
{
    return http_server_port(port->server);
}

void port_close(struct port *port)
{
    if (!port)
        return;
    http_server_close(port->server);
    free(port);
}

void port_tell(struct port *port, const struct conversation *conversation, const struct transport *transport,
               int64_t now_ms)
{
    struct conversation_figures figures;
    conversation_figures(conversation, &figures);
    const size_t values[FIGURES_COUNT] = {
        figures.users,
        figures.bindings,
        figures.watchers,
        figures.watched,
        figures.requests,
        figures.deliveries,
        figures.commits,
        figures.transactions,
        figures.held_bytes,
        figures.watching_bytes,
        figures.transaction_bytes,
        figures.waiting,
        (size_t)figures.deferred_count,
        (size_t)figures.deferred_bytes,
        (size_t)figures.deferred_oldest_s,
        figures.domains,
        figures.searches,
        figures.dns_answers,
        transport_queued_bytes(transport),
        transport_dropped(transport),
    };
    for (size_t i = 0; i < FIGURES_COUNT; i++)
        metric_set(port->figures[i], (int64_t)values[i]);
    for (int kind = FLOW_TCP; kind < FLOW_KINDS; kind++)
        metric_set(port->connections[kind], (int64_t)transport_connections(transport, (enum flow_kind)kind));
    atomic_store(&port->turned_ms, now_ms);
}

void port_stopping(struct port *port)
{
    atomic_store(&port->stopping, true);
}
