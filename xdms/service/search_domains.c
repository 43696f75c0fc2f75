/* One thread that talks to all servers of all requests at once. */
#include "search_domains.h"

#include "log.h"
#include "metrics.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS 1000 /* between looks at nothing: it is woken for all that happens */

/* How a request ended: also what is counted. */
enum end { END_ANSWERED, END_LATE, END_UNREACHABLE, END_UNTRUSTED, END_REFUSED, END_TOO_LONG, ENDS };

struct domain {
    struct text name, url;
    bool fails; /* has been told in the log */
};

struct search_domains {
    struct arena arena;
    struct domain list[DOMAINS_MAX];
    size_t count;
    struct text own; /* our domain */
    int64_t ms_max;
    char *server_ca, *certificate, *key; /* NULL: none */
    bool unverified;
    struct metric *ends[ENDS];
    size_t bytes; /* of all answers that are kept */
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    struct domain_job *first;
    size_t requests;
    bool closing;
};

static void *run(void *context);

/* A root as search_domains.h has it: what a query, a fragment or a password would make of it is nothing to ask. */
static bool is_root(struct text url)
{
    bool scheme = text_starts_with(url, TEXT("http://")) || text_starts_with(url, TEXT("https://"));
    for (size_t i = 0; i < url.length; i++)
        if ((unsigned char)url.bytes[i] <= ' ' || strchr("?#@", url.bytes[i]))
            return false;
    return scheme;
}

static bool is_named(const struct search_domains *domains, struct text name)
{
    for (size_t i = 0; i < domains->count; i++)
        if (text_equal(domains->list[i].name, name))
            return true;
    return false;
}

static bool read_domain(struct search_domains *domains, struct text written)
{
    struct domain *domain = &domains->list[domains->count];
    if (domains->count == DOMAINS_MAX || !text_cut(written, '=', &domain->name, &domain->url))
        return false;
    domain->name = text_lower(&domains->arena, text_trim(domain->name));
    domain->url = text_copy(&domains->arena, text_trim(domain->url));
    while (text_ends_with(domain->url, TEXT("/")))
        domain->url.length--;
    bool good = domain->name.length && !is_named(domains, domain->name) && is_root(domain->url);
    domains->count++;
    return good;
}

static bool read_list(struct search_domains *domains, struct text list, struct arena *arena, struct text *error_out)
{
    struct text rest = text_trim(list), one;
    *error_out = (struct text){0};
    while (rest.length && error_out->length == 0) {
        text_cut(rest, ',', &one, &rest);
        rest = text_trim(rest);
        if (!read_domain(domains, text_trim(one)))
            *error_out =
                text_format(arena, "search.domains: '%.*s' is not DOMAIN=URL, named twice, or one of more than %d",
                            TEXT_ARG(text_trim(one)), DOMAINS_MAX);
    }
    return error_out->length == 0;
}

bool search_domains_good(struct text list, struct arena *arena, struct text *error_out)
{
    struct search_domains domains = {0};
    arena_init(&domains.arena, "domains");
    bool good = read_list(&domains, list, arena, error_out);
    arena_clear(&domains.arena);
    return good;
}

static char *file_name(struct arena *arena, struct text name)
{
    return name.length ? text_cstring(arena, name) : NULL;
}

static void register_metrics(struct search_domains *domains)
{
    static const char *const labels[ENDS] = {
        [END_ANSWERED] = "result=\"answered\"",       [END_LATE] = "result=\"late\"",
        [END_UNREACHABLE] = "result=\"unreachable\"", [END_UNTRUSTED] = "result=\"untrusted\"",
        [END_REFUSED] = "result=\"refused\"",         [END_TOO_LONG] = "result=\"too-long\""};
    for (int end = 0; end < ENDS; end++)
        domains->ends[end] = metric_counter("xdms_search_domain_requests_total", labels[end],
                                            "Searches that were passed on to other servers, one for each of them.");
}

struct search_domains *search_domains_new(const struct service_search_settings *settings, struct text domain,
                                          struct arena *arena, struct text *error_out)
{
    *error_out = (struct text){0};
    if (text_trim(settings->domains).length == 0)
        return NULL;
    struct search_domains *domains = memory_new(sizeof(*domains));
    arena_init(&domains->arena, "domains");
    domains->own = text_copy(&domains->arena, domain);
    domains->ms_max = settings->domain_ms_max;
    domains->server_ca = file_name(&domains->arena, settings->server_ca);
    domains->certificate = file_name(&domains->arena, settings->certificate);
    domains->key = file_name(&domains->arena, settings->key);
    domains->unverified = settings->servers_unverified;
    register_metrics(domains);
    read_list(domains, settings->domains, arena, error_out);
    pthread_mutex_init(&domains->lock, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    domains->multi = curl_multi_init();
    if (error_out->length == 0 && domains->multi && pthread_create(&domains->thread, NULL, run, domains) == 0)
        return domains;
    if (error_out->length == 0)
        *error_out = TEXT("search.domains: there is no thread to be had");
    curl_multi_cleanup(domains->multi);
    pthread_mutex_destroy(&domains->lock);
    arena_clear(&domains->arena);
    free(domains);
    return NULL;
}

void search_domains_free(struct search_domains *domains)
{
    if (!domains)
        return;
    pthread_mutex_lock(&domains->lock);
    domains->closing = true;
    pthread_mutex_unlock(&domains->lock);
    curl_multi_wakeup(domains->multi);
    pthread_join(domains->thread, NULL);
    curl_multi_cleanup(domains->multi);
    pthread_mutex_destroy(&domains->lock);
    arena_clear(&domains->arena);
    free(domains);
}

size_t search_domains_count(const struct search_domains *domains)
{
    return domains ? domains->count : 0;
}

struct text search_domains_name(const struct search_domains *domains, size_t index)
{
    return domains->list[index].name;
}

bool search_domains_ask(struct search_domains *domains, struct domain_job *job)
{
    pthread_mutex_lock(&domains->lock);
    bool fits = domains->requests + job->count <= DOMAIN_REQUESTS_MAX;
    if (fits) {
        job->next = domains->first;
        domains->first = job;
        domains->requests += job->count;
    }
    pthread_mutex_unlock(&domains->lock);
    if (fits)
        curl_multi_wakeup(domains->multi);
    return fits;
}

/* On the thread of the domains alone, as all that follows. */
static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct domain_answer *answer = context;
    struct search_domains *domains = answer->job->domains;
    size_t length = size * count;
    answer->too_long =
        answer->received.length + length > DOMAIN_ANSWER_BYTES_MAX || domains->bytes + length > DOMAINS_BYTES_MAX;
    if (answer->too_long)
        return 0;
    builder_add(&answer->received, (struct text){bytes, length});
    domains->bytes += length;
    answer->job->bytes += length;
    return length;
}

/* What the asker hears. Addresses of other servers and what a library says are for the log. */
static void tell(const struct search_domains *domains, struct domain_answer *answer, enum end end, long status)
{
    switch (end) {
    case END_LATE: answer->missing = TEXT("no answer in time"); break;
    case END_UNREACHABLE: answer->missing = TEXT("cannot be reached"); break;
    case END_UNTRUSTED: answer->missing = TEXT("shows no good certificate"); break;
    case END_REFUSED: answer->missing = text_format(answer->job->arena, "answers %ld", status); break;
    case END_TOO_LONG: answer->missing = TEXT("answers too much"); break;
    default: answer->body = builder_text(&answer->received);
    }
    metric_add(domains->ends[end], 1);
}

/* Once for each time that a server begins to fail: every search meets it. What it refuses may be this search alone. */
static void note(struct domain *domain, const struct domain_answer *answer, enum end end, long status)
{
    bool fails = end != END_ANSWERED;
    if (end == END_REFUSED && status != 401 && status < 500)
        return;
    if (fails && !domain->fails)
        log_warning("search of %.*s at %.*s fails: %.*s %s", TEXT_ARG(domain->name), TEXT_ARG(domain->url),
                    TEXT_ARG(answer->missing), answer->reason);
    else if (!fails && domain->fails)
        log_info("search of %.*s works again", TEXT_ARG(domain->name));
    domain->fails = fails;
}

/* The job may be gone after this. */
static void settle(struct search_domains *domains, struct domain_answer *answer, enum end end, long status)
{
    struct domain_job *job = answer->job;
    tell(domains, answer, end, status);
    note(&domains->list[answer->domain], answer, end, status);
    curl_slist_free_all(answer->headers);
    if (--job->waiting)
        return;
    domains->bytes -= job->bytes;
    pthread_mutex_lock(&domains->lock);
    domains->requests -= job->count;
    pthread_mutex_unlock(&domains->lock);
    job->done(job->context);
}

static struct curl_slist *header(struct domain_job *job, struct curl_slist *headers, const char *name,
                                 struct text value)
{
    return curl_slist_append(headers,
                             text_cstring(job->arena, text_format(job->arena, "%s: %.*s", name, TEXT_ARG(value))));
}

static struct curl_slist *headers_of(const struct search_domains *domains, struct domain_job *job)
{
    struct curl_slist *headers = header(job, curl_slist_append(NULL, "Expect:"), "Content-Type", job->type);
    headers = header(job, headers, SEARCH_HOP, domains->own);
    return header(job, headers, "X-XCAP-Asserted-Identity", text_format(job->arena, "\"%.*s\"", TEXT_ARG(job->asker)));
}

static void set_tls(const struct search_domains *domains, CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, domains->unverified ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, domains->unverified ? 0L : 2L);
    if (domains->server_ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, domains->server_ca);
    if (domains->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, domains->certificate);
    if (domains->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, domains->key ? domains->key : domains->certificate);
}

static void begin(struct search_domains *domains, struct domain_job *job, struct domain_answer *answer)
{
    const struct domain *domain = &domains->list[answer->domain];
    CURL *curl = curl_easy_init();
    struct text url = text_format(job->arena, "%.*s/org.openmobilealliance.search?%.*s&domain=home",
                                  TEXT_ARG(domain->url), TEXT_ARG(job->query));
    struct curl_slist *headers = headers_of(domains, job);
    builder_init(&answer->received, job->arena);
    answer->job = job;
    answer->headers = headers;
    curl_easy_setopt(curl, CURLOPT_URL, text_cstring(job->arena, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says: who asks is told to nobody else */
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a question to DNS that hangs must not hold all others */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)domains->ms_max);
    set_tls(domains, curl);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body.bytes);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.length);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, answer);
    if (curl_multi_add_handle(domains->multi, curl) == CURLM_OK)
        return;
    curl_easy_cleanup(curl);
    settle(domains, answer, END_UNREACHABLE, 0);
}

static void begin_all(struct search_domains *domains, struct domain_job *jobs)
{
    for (struct domain_job *job = jobs, *next; job; job = next) {
        size_t count = job->waiting = job->count;
        next = job->next;
        job->domains = domains;
        for (size_t i = 0; i < count; i++) /* after the last it may be gone */
            begin(domains, job, &job->answers[i]);
    }
}

static enum end end_of(const struct domain_answer *answer, CURLcode code, long status)
{
    if (answer->too_long)
        return END_TOO_LONG;
    switch (code) {
    case CURLE_OK: return status == 200 ? END_ANSWERED : END_REFUSED;
    case CURLE_OPERATION_TIMEDOUT: return END_LATE;
    case CURLE_PEER_FAILED_VERIFICATION: return END_UNTRUSTED;
    default: return END_UNREACHABLE;
    }
}

static void end_one(struct search_domains *domains, CURL *curl, CURLcode code)
{
    struct domain_answer *answer = NULL;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&answer);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(domains->multi, curl);
    curl_easy_cleanup(curl);
    settle(domains, answer, end_of(answer, code, status), status);
}

static void *run(void *context)
{
    struct search_domains *domains = context;
    int running = 0, left;
    for (;;) {
        pthread_mutex_lock(&domains->lock);
        struct domain_job *jobs = domains->first;
        bool ends = domains->closing && domains->requests == 0;
        domains->first = NULL;
        pthread_mutex_unlock(&domains->lock);
        if (ends)
            return NULL;
        begin_all(domains, jobs);
        curl_multi_perform(domains->multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(domains->multi, &left));)
            if (message->msg == CURLMSG_DONE)
                end_one(domains, message->easy_handle, message->data.result);
        curl_multi_poll(domains->multi, NULL, 0, LOOK_MS, NULL);
    }
}
