/* One thread that talks to all servers of all requests at once. */
#include "search_domains.h"

#include "service.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS 1000 /* between looks at nothing: it is woken for all that happens */

struct domain {
    struct text name, url;
};

struct search_domains {
    struct arena arena;
    struct domain list[DOMAINS_MAX];
    size_t count;
    int64_t ms_max;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    struct domain_job *first;
    size_t jobs;
    bool closing;
};

static void *run(void *context);

static bool read_domain(struct search_domains *domains, struct text written)
{
    struct domain *domain = &domains->list[domains->count];
    if (domains->count == DOMAINS_MAX || !text_cut(written, '=', &domain->name, &domain->url))
        return false;
    domain->name = text_lower(&domains->arena, text_trim(domain->name));
    domain->url = text_copy(&domains->arena, text_trim(domain->url));
    while (text_ends_with(domain->url, TEXT("/")))
        domain->url.length--;
    domains->count++;
    return domain->name.length &&
           (text_starts_with(domain->url, TEXT("http://")) || text_starts_with(domain->url, TEXT("https://")));
}

static bool read_list(struct search_domains *domains, struct text list, struct arena *arena, struct text *error_out)
{
    struct text rest = text_trim(list), one;
    *error_out = (struct text){0};
    while (rest.length && error_out->length == 0) {
        text_cut(rest, ',', &one, &rest);
        rest = text_trim(rest);
        if (!read_domain(domains, text_trim(one)))
            *error_out = text_format(arena, "search.domains: '%.*s' is not DOMAIN=URL, or there are more than %d",
                                     TEXT_ARG(text_trim(one)), DOMAINS_MAX);
    }
    return error_out->length == 0;
}

bool service_search_domains_good(struct text list, struct arena *arena, struct text *error_out)
{
    struct search_domains domains = {0};
    arena_init(&domains.arena, "domains");
    bool good = read_list(&domains, list, arena, error_out);
    arena_clear(&domains.arena);
    return good;
}

struct search_domains *search_domains_new(struct text list, int64_t ms_max, struct arena *arena, struct text *error_out)
{
    *error_out = (struct text){0};
    if (text_trim(list).length == 0)
        return NULL;
    struct search_domains *domains = memory_new(sizeof(*domains));
    arena_init(&domains->arena, "domains");
    domains->ms_max = ms_max;
    read_list(domains, list, arena, error_out);
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
    bool fits = domains->jobs < DOMAIN_JOBS_MAX;
    if (fits) {
        job->next = domains->first;
        domains->first = job;
        domains->jobs++;
    }
    pthread_mutex_unlock(&domains->lock);
    if (fits)
        curl_multi_wakeup(domains->multi);
    return fits;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct domain_answer *answer = context;
    if (answer->received.length + size * count > DOMAIN_ANSWER_BYTES_MAX)
        return 0;
    builder_add(&answer->received, (struct text){bytes, size * count});
    return size * count;
}

static struct curl_slist *header(struct domain_job *job, struct curl_slist *headers, const char *name,
                                 struct text value)
{
    return curl_slist_append(headers,
                             text_cstring(job->arena, text_format(job->arena, "%s: %.*s", name, TEXT_ARG(value))));
}

static void begin(struct search_domains *domains, struct domain_job *job, struct domain_answer *answer)
{
    const struct domain *domain = &domains->list[answer->domain];
    CURL *curl = curl_easy_init();
    struct text url = text_format(job->arena, "%.*s/org.openmobilealliance.search?%.*s&domain=home",
                                  TEXT_ARG(domain->url), TEXT_ARG(job->query));
    struct curl_slist *headers = header(job, curl_slist_append(NULL, "Expect:"), "Content-Type", job->type);
    headers =
        header(job, headers, "X-XCAP-Asserted-Identity", text_format(job->arena, "\"%.*s\"", TEXT_ARG(job->asker)));
    builder_init(&answer->received, job->arena);
    answer->job = job;
    answer->handle = curl;
    answer->headers = headers;
    curl_easy_setopt(curl, CURLOPT_URL, text_cstring(job->arena, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)domains->ms_max);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body.bytes);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.length);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, answer);
    curl_multi_add_handle(domains->multi, curl);
}

static void begin_all(struct search_domains *domains, struct domain_job *jobs)
{
    for (struct domain_job *job = jobs, *next; job; job = next) {
        next = job->next;
        job->waiting = job->count;
        for (size_t i = 0; i < job->count; i++)
            begin(domains, job, &job->answers[i]);
    }
}

static void end_one(struct search_domains *domains, CURL *curl, CURLcode code)
{
    struct domain_answer *answer = NULL;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&answer);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    struct domain_job *job = answer->job;
    if (code != CURLE_OK)
        answer->missing = text_copy(job->arena, text_of(code == CURLE_OPERATION_TIMEDOUT ? "no answer in time"
                                                        : answer->reason[0]              ? answer->reason
                                                                                         : curl_easy_strerror(code)));
    else if (status != 200)
        answer->missing = text_format(job->arena, "answers %ld", status);
    else
        answer->body = builder_text(&answer->received);
    curl_multi_remove_handle(domains->multi, curl);
    curl_easy_cleanup(curl);
    curl_slist_free_all(answer->headers);
    if (--job->waiting)
        return;
    pthread_mutex_lock(&domains->lock);
    domains->jobs--;
    pthread_mutex_unlock(&domains->lock);
    job->done(job->context);
}

static void *run(void *context)
{
    struct search_domains *domains = context;
    int running = 0, left;
    for (;;) {
        pthread_mutex_lock(&domains->lock);
        struct domain_job *jobs = domains->first;
        bool ends = domains->closing && domains->jobs == 0;
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
