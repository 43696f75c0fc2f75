/* One thread that talks to all servers of all requests at once. */
#include <curl/curl.h>
#include <stdlib.h>

#include "search_domains_own.h"
#include "service_search.h"

#define LOOK_MS 1000 /* between looks at nothing: it is woken for all that happens */

static void *run(void *context);

static char *file_name(struct arena *arena, struct text name)
{
    return name.length ? text_cstring(arena, name) : NULL;
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
    search_domains_register(domains);
    search_domains_read(domains, settings->domains, arena, error_out);
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

/* The job may be gone after this. */
static void settle(struct search_domains *domains, struct domain_answer *answer, enum domain_end end, long status)
{
    struct domain_job *job = answer->job;
    search_domains_tell(domains, answer, end, status);
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

static struct text url_of(const struct domain *domain, const struct domain_job *job, const struct domain_answer *answer)
{
    struct text after = percent_encode(job->arena, answer->after, "/:@");
    return text_format(job->arena, "%.*s/org.openmobilealliance.search?%.*s&domain=home%s%.*s", TEXT_ARG(domain->url),
                       TEXT_ARG(job->query), after.length ? "&after=" : "", TEXT_ARG(after));
}

static void begin(struct search_domains *domains, struct domain_job *job, struct domain_answer *answer)
{
    const struct domain *domain = &domains->list[answer->domain];
    CURL *curl = curl_easy_init();
    struct text url = url_of(domain, job, answer);
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
    settle(domains, answer, DOMAIN_UNREACHABLE, 0);
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

static enum domain_end end_of(const struct domain_answer *answer, CURLcode code, long status)
{
    if (answer->too_long)
        return DOMAIN_TOO_LONG;
    switch (code) {
    case CURLE_OK: return status == 200 ? DOMAIN_ANSWERED : DOMAIN_REFUSED;
    case CURLE_OPERATION_TIMEDOUT: return DOMAIN_LATE;
    case CURLE_PEER_FAILED_VERIFICATION: return DOMAIN_UNTRUSTED;
    default: return DOMAIN_UNREACHABLE;
    }
}

static bool is_next(struct text parameters)
{
    struct text one, name, value;
    while (parameters.length) {
        text_cut(parameters, ';', &one, &parameters);
        text_cut(one, '=', &name, &value);
        value = text_trim(value);
        if (value.length > 1 && text_starts_with(value, TEXT("\"")))
            value = text_slice(value, 1, value.length - 1);
        if (text_equal_nocase(text_trim(name), TEXT("rel")) && text_equal_nocase(value, TEXT("next")))
            return true;
    }
    return false;
}

/* Of its Link to the next page (RFC 8288) what we have to ask for, if it pages as we do. */
static void take_next(CURL *curl, struct domain_answer *answer)
{
    struct curl_header *link;
    for (size_t i = 0; curl_easy_header(curl, "Link", i, CURLH_HEADER, -1, &link) == CURLHE_OK; i++) {
        struct text target, rest, query;
        if (!text_cut(text_of(link->value), '>', &target, &rest) || !is_next(rest))
            continue;
        text_cut(target, '?', &target, &query);
        bool known = service_parameter(answer->job->arena, query, "after", &answer->next) &&
                     answer->next.length <= SEARCH_PLACE_BYTES_MAX && !text_equal(answer->next, answer->after);
        answer->cut = !known;
        if (!known)
            answer->next = TEXT("");
    }
}

static void end_one(struct search_domains *domains, CURL *curl, CURLcode code)
{
    struct domain_answer *answer = NULL;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&answer);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    take_next(curl, answer);
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
