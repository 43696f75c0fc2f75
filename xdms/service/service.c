/* The service as the worker threads share it: what it was told at start, its metrics, and whether it is ready. */
#include <stddef.h>
#include <stdlib.h>

#include <jansson.h>

#include "clock.h"
#include "erasure.h"
#include "log.h"
#include "service_search.h"

static const char *const method_names[METHODS] = {"GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "other"};

static const struct text *texts_copy(struct arena *arena, const struct text *texts, size_t count)
{
    struct text *copies = arena_array(arena, struct text, count);
    for (size_t i = 0; i < count; i++)
        copies[i] = text_copy(arena, texts[i]);
    return copies;
}

static const struct requester_grant *grants_copy(struct arena *arena, const struct requester_grant *grants,
                                                 size_t count)
{
    struct requester_grant *copies = arena_array(arena, struct requester_grant, count);
    for (size_t i = 0; i < count; i++)
        copies[i] = (struct requester_grant){grants[i].role, texts_copy(arena, grants[i].addresses, grants[i].count),
                                             grants[i].count};
    return copies;
}

static const struct trust nobody_trusted;

/* Erasures that a stop or a crash cut short. */
static void resume(struct clerk_task *task)
{
    struct service *service = (struct service *)((char *)task - offsetof(struct service, resume));
    uint64_t generation = documents_enter(service->documents);
    enum status status = erasure_resume(service->documents, clock_wall_ms());
    documents_leave(service->documents, generation);
    if (status != OK)
        log_error("erasures could not go on reason=%s", status_name(status));
}

struct service *service_new(const struct service_settings *settings, const struct documents *documents,
                            struct digest *digest)
{
    struct service *service = memory_new(sizeof(*service));
    struct arena *arena = &service->arena;
    arena_init(arena, "service");
    service->settings = (struct service_settings){
        .roots = texts_copy(arena, settings->roots, settings->roots_count),
        .roots_count = settings->roots_count,
        .root_uri = text_copy(arena, settings->root_uri),
        .domain = text_copy(arena, settings->domain),
        .realm = text_copy(arena, settings->realm),
        .admin_token = text_copy(arena, settings->admin_token),
        .groups = settings->groups,
        .policy_token = text_copy(arena, settings->policy_token),
        .policy_peers = settings->policy_peers,
        .policy_max_age_s = settings->policy_max_age_s,
        .push = settings->push,
        .grants = grants_copy(arena, settings->grants, settings->grants_count),
        .grants_count = settings->grants_count,
        .trust = settings->trust ? settings->trust : &nobody_trusted,
        .guard = settings->guard,
        .basic = settings->basic,
        .target_bytes_max = settings->target_bytes_max ? settings->target_bytes_max : XCAP_TARGET_MAX,
        .selector_steps_max = settings->selector_steps_max ? settings->selector_steps_max : XCAP_STEPS_MAX,
        .search_documents_max = settings->search_documents_max,
        .search_results_max = settings->search_results_max,
        .search_us_max = settings->search_us_max ? settings->search_us_max : SEARCH_US_MAX,
        .gzip_bytes_min = settings->gzip_bytes_min ? settings->gzip_bytes_min : SIZE_MAX,
        .trailing_slash = settings->trailing_slash,
        .raw_attributes = settings->raw_attributes,
        .element_declarations = settings->element_declarations,
        .absent_first = settings->absent_first,
    };
    pthread_mutex_init(&service->job_lock, NULL);
    pthread_cond_init(&service->job_ended, NULL);
    service->documents = documents;
    service->digest = digest;
    service->settings.groups.roots = service->settings.roots;
    service->settings.groups.roots_count = service->settings.roots_count;
    service->groups = group_pool_new(documents, &service->settings.groups);
    service_metrics_register(&service->metrics);
    json_object_seed(0); /* before several threads could want to */
    json_set_alloc_funcs(memory_new, free);
    service->clerk = clerk_new();
    service->resume.run = resume;
    if (service->clerk)
        clerk_take(service->clerk, &service->resume);
    service->searchers = searchers_new(service->settings.search_us_max);
    struct text error;
    service->domains = search_domains_new(&settings->search, settings->domain, arena, &error);
    if (error.length)
        log_error("%.*s", TEXT_ARG(error));
    service->peers = search_peers_new(settings->search.peers, service->settings.domain, arena, &error);
    if (error.length)
        log_error("%.*s", TEXT_ARG(error));
    return service;
}

bool service_search_good(const struct service_search_settings *settings, struct text domain, struct arena *arena,
                         struct text *error_out)
{
    if (!search_domains_good(settings->domains, arena, error_out))
        return false;
    search_peers_new(settings->peers, domain, arena, error_out);
    return error_out->length == 0;
}

bool service_job_begin(struct service *service)
{
    pthread_mutex_lock(&service->job_lock);
    bool free = !service->job_runs;
    service->job_runs = true;
    pthread_mutex_unlock(&service->job_lock);
    return free;
}

void service_job_end(struct service *service)
{
    pthread_mutex_lock(&service->job_lock);
    service->job_runs = false;
    pthread_cond_broadcast(&service->job_ended); /* under the lock: whoever waits frees both */
    pthread_mutex_unlock(&service->job_lock);
}

void service_free(struct service *service)
{
    clerk_free(service->clerk);
    searchers_free(service->searchers);
    search_domains_free(service->domains);
    pthread_mutex_lock(&service->job_lock);
    while (service->job_runs)
        pthread_cond_wait(&service->job_ended, &service->job_lock);
    pthread_mutex_unlock(&service->job_lock);
    pthread_cond_destroy(&service->job_ended);
    pthread_mutex_destroy(&service->job_lock);
    group_pool_free(service->groups);
    arena_clear(&service->arena);
    free(service);
}

void service_set_ready(struct service *service, bool ready)
{
    atomic_store(&service->ready, ready);
}

static void register_port(struct service_metrics *metrics, enum service_port port, const char *name,
                          struct arena *arena)
{
    for (int method = 0; method < METHODS; method++)
        for (int class = 0; class < SERVICE_STATUS_CLASSES; class ++) {
            struct text labels =
                text_format(arena, "port=\"%s\",method=\"%s\",status=\"%dxx\"", name, method_names[method], class + 2);
            metrics->requests[port][method][class] =
                metric_counter("xdms_http_requests_total", text_cstring(arena, labels), "Requests answered.");
        }
    metrics->latency[port] =
        metric_histogram("xdms_http_request_seconds", text_cstring(arena, text_format(arena, "port=\"%s\"", name)),
                         "Time from the header section of a request to its answer.");
}

void service_metrics_register(struct service_metrics *metrics)
{
    static const char *const auth_labels[SERVICE_AUTH_RESULTS] = {
        [DIGEST_MISSING] = "result=\"missing\"", [DIGEST_STALE] = "result=\"stale\"",
        [DIGEST_WRONG] = "result=\"wrong\"",     [DIGEST_BROKEN] = "result=\"broken\"",
        [DIGEST_WAITING] = "result=\"waiting\"", [DIGEST_FAILED] = "result=\"failed\"",
    };
    struct arena arena;
    arena_init(&arena, "metrics");
    register_port(metrics, SERVICE_XCAP, "xcap", &arena);
    register_port(metrics, SERVICE_ADMIN, "admin", &arena);
    register_port(metrics, SERVICE_POLICY, "policy", &arena);
    for (int result = DIGEST_MISSING; result <= DIGEST_FAILED; result++)
        metrics->auth_failures[result] =
            metric_counter("xdms_auth_failures_total", auth_labels[result], "Requests without good credentials.");
    static const char changes[] = "xdms_documents_changed_total", help[] = "Changes of documents, by kind.";
    metrics->created = metric_counter(changes, "change=\"created\"", help);
    metrics->replaced = metric_counter(changes, "change=\"replaced\"", help);
    metrics->deleted = metric_counter(changes, "change=\"deleted\"", help);
    arena_clear(&arena);
}

enum service_method service_method_of(struct text method)
{
    for (int i = 0; i < METHOD_OTHER; i++)
        if (text_equal(method, text_of(method_names[i])))
            return (enum service_method)i;
    return METHOD_OTHER;
}

static void add_field(struct text_builder *line, const char *name, struct text value)
{
    builder_add(line, text_of(name));
    builder_add(line, value);
}

void service_account(const struct service *service, enum service_port port, const struct http_request *request,
                     const struct http_response *response, struct text user, struct text auid, int64_t began_us)
{
    int64_t took_us = clock_monotonic_us() - began_us;
    int class = response->status / 100 - 2;
    bool known = class >= 0 && class < SERVICE_STATUS_CLASSES;
    if (known)
        metric_add(service->metrics.requests[port][service_method_of(request->method)][class], 1);
    metric_observe(service->metrics.latency[port], took_us);
    if (!log_wants(LOG_LEVEL_INFO))
        return;
    /* The target comes last: it is the one part that may be cut, or hold what looks like the others. */
    struct text_builder line;
    builder_init(&line, request->arena);
    add_field(&line, "request method=", request->method);
    builder_add(&line, TEXT(" status="));
    builder_add_number(&line, (uint64_t)response->status);
    add_field(&line, " user=", user.length ? user : TEXT("-"));
    add_field(&line, " auid=", auid.length ? auid : TEXT("-"));
    builder_add(&line, TEXT(" bytes="));
    builder_add_number(&line, response->body.length);
    builder_add(&line, TEXT(" us="));
    builder_add_number(&line, (uint64_t)took_us);
    add_field(&line, " peer=", http_peer_text(request->peer, request->arena));
    struct trust_address client;
    if (trust_is_proxy(service->settings.trust, request->peer) && service_client(service, request, &client))
        add_field(&line, " client=", trust_address_text(&client, request->arena));
    add_field(&line, " target=", request->target);
    log_text(LOG_LEVEL_INFO, builder_text(&line));
}
