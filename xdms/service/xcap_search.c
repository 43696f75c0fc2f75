/* The search service (OMA XDM 2.0): POST to the AUID of the usage whose manifest has a <post handler="search">, with a
 * query in the body and what is searched in the request target. */
#include "service_search.h"
#include "xml_tree.h"

#define POST_ALLOW "POST, OPTIONS"
#define WAIT_MS    1000 /* until a client that met too many others comes again */
#define NAMESPACE  TEXT(SEARCH_NAMESPACE)

struct text service_raw_parameter(struct text query, const char *name)
{
    struct text pair, key, value;
    while (query.length) {
        text_cut(query, '&', &pair, &query);
        if (text_cut(pair, '=', &key, &value) && text_equal(key, text_of(name)))
            return value;
    }
    return (struct text){0};
}

bool service_parameter(struct arena *arena, struct text query, const char *name, struct text *value_out)
{
    struct text value = service_raw_parameter(query, name);
    return value.bytes && percent_decode(arena, value, value_out) && utf8_valid(*value_out) &&
           text_find_char(*value_out, '\0') == value_out->length;
}

bool xcap_post_find(struct xcap_call *call)
{
    const struct service_settings *settings = &call->service->settings;
    struct text path, query, name;
    text_cut(call->request->target, '?', &path, &query);
    for (size_t i = 0; i < settings->roots_count; i++) {
        if (!text_starts_with(path, settings->roots[i]))
            continue;
        struct text rest = text_slice(path, settings->roots[i].length, path.length);
        if (text_ends_with(rest, TEXT("/")))
            rest.length--;
        if (rest.length == 0 || rest.length > 3 * XCAP_AUID_MAX || text_find_char(rest, '/') < rest.length ||
            !percent_decode(call->request->arena, rest, &name))
            continue;
        const struct usage *usage = usage_find(documents_usages(call->service->documents), name);
        if (!usage || usage->posts_count == 0)
            continue;
        call->place = (struct document_place){.usage = usage, .tree = XCAP_GLOBAL};
        call->posted = true;
        return true;
    }
    return false;
}

static struct text posted_type(const struct xcap_call *call)
{
    struct text type, parameters;
    text_cut(http_header_joined(call->request, "Content-Type"), ';', &type, &parameters);
    return text_lower(call->request->arena, text_trim(type));
}

enum status xcap_post_admit(struct xcap_call *call, struct refusal *refusal)
{
    const struct usage *usage = call->place.usage;
    call->admitted = true;
    if (call->method == METHOD_OPTIONS)
        return OK;
    if (!call->authenticated) {
        requester_of_nobody(&call->caller.requester);
        enum status status = search_peer_identify(call->service, call->request, &call->caller.requester, refusal);
        if (status == NOT_FOUND)
            status = service_identify(call->service, call->request, &call->caller, refusal);
        if (status != OK)
            return status;
        call->authenticated = true;
    }
    if (call->method != METHOD_POST) {
        refuse(refusal, REFUSAL_METHOD, "This is not read or changed, but asked: POST alone is allowed here.");
        refusal->allow = TEXT(POST_ALLOW);
        return REFUSED;
    }
    const struct usage_post *post = usage_post_find(usage, XCAP_GLOBAL, posted_type(call));
    if (!post || content_fit(call->request, post->mime) != CONTENT_FITS) {
        refuse(refusal, REFUSAL_MEDIA_TYPE, "");
        refusal->phrase =
            text_format(call->request->arena, "The content type must be %.*s, in UTF-8.", TEXT_ARG(usage->mime));
        return REFUSED;
    }
    if (!(post->roles & call->caller.requester.roles))
        return refuse(refusal, REFUSAL_FORBIDDEN, "You may not do this here.");
    if (!text_equal(post->handler, TEXT("search")))
        return refuse(refusal, REFUSAL_ABSENT, "This server does not know what to do with this.");
    return OK;
}

/* The schema has said yes: there is one search, with an id, and a request or an answer. */
static enum status read_body(struct xcap_call *call, struct search_call *search, struct refusal *refusal)
{
    struct arena *arena = call->request->arena;
    const struct usage_subject subject = {TEXT(""), TEXT("index"), call->service->settings.root_uri};
    const struct usage_claim *claims;
    const struct xml_element *root;
    struct text max;
    uint64_t results_max = 0;
    size_t count;
    enum status status = usage_check(call->place.usage, &subject, call->request->body, arena, &claims, &count, refusal);
    if (status != OK)
        return status;
    if (xml_tree_read(call->request->body, arena, &root) != OK)
        return FAILED;
    const struct xml_element *asked = xml_child(root, NAMESPACE, TEXT("search"));
    const struct xml_element *query = xml_child(xml_child(asked, NAMESPACE, TEXT("request")), NAMESPACE, TEXT("query"));
    if (!query)
        return refuse_conflict(refusal, "constraint-failure", TEXT("There is no query in it."));
    xml_attribute(asked, TEXT("id"), &search->id);
    if (xml_attribute(asked, TEXT("max-results"), &max) && !text_to_u64(text_trim(max), &results_max))
        results_max = UINT32_MAX; /* more digits than any number of ours */
    search->order.query = query->text;
    search->order.results_max = (size_t)results_max;
    return OK;
}

static bool add_domain(const struct service *service, struct search_call *search, struct text name)
{
    size_t count = search_domains_count(service->domains), at = 0;
    if (text_equal(name, TEXT("home")) || text_equal_nocase(name, service->settings.domain)) {
        search->home = true;
        return true;
    }
    while (at < count && !text_equal_nocase(search_domains_name(service->domains, at), name))
        at++;
    for (size_t i = 0; i < search->job.count; i++)
        if (search->job.answers[i].domain == at)
            return true;
    if (at < count)
        search->job.answers[search->job.count++].domain = at;
    return at < count;
}

static bool read_domains(const struct xcap_call *call, struct search_call *search, struct text domains)
{
    const struct service *service = call->service;
    struct text name;
    size_t count = search_domains_count(service->domains);
    if (text_equal(domains, TEXT("all"))) {
        search->home = true;
        for (size_t i = 0; i < count; i++)
            add_domain(service, search, search_domains_name(service->domains, i));
        return true;
    }
    do {
        text_cut(domains, ',', &name, &domains);
        if (!add_domain(service, search, text_trim(name)))
            return false;
    } while (domains.length);
    return true;
}

/* Those that are gone on with, each where it was. */
static bool read_places(const struct xcap_call *call, struct search_call *search, struct text written)
{
    struct search_place places[SEARCH_SOURCES_MAX];
    size_t count;
    if (!search_places_read(written, call->request->arena, places, SEARCH_SOURCES_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t others = search->job.count;
        if (!add_domain(call->service, search, places[i].name))
            return false;
        if (search->job.count == others) {
            search->order.after = places[i].after;
            search->home_skip = places[i].skip;
            continue;
        }
        search->job.answers[others].after = places[i].after;
        search->job.answers[others].skip = places[i].skip;
    }
    return true;
}

static enum status read_sources(struct xcap_call *call, struct search_call *search, struct text query,
                                struct refusal *refusal)
{
    struct arena *arena = call->request->arena;
    struct text domain, after, hop;
    struct text places = service_raw_parameter(query, "places");
    size_t count = search_domains_count(call->service->domains) + 1;
    bool has_domain = service_parameter(arena, query, "domain", &domain);
    bool has_after = service_parameter(arena, query, "after", &after);
    search->job.answers = arena_array(arena, struct domain_answer, count);
    memset(search->job.answers, 0, count * sizeof(search->job.answers[0]));
    if (places.bytes) {
        search->merged = true;
        if (has_domain || has_after || !read_places(call, search, places))
            return refuse(refusal, REFUSAL_SYNTAX,
                          "places is what the Link of the page before says, without domain or after.");
    } else if (!read_domains(call, search, has_domain ? domain : TEXT("home"))) {
        return refuse(refusal, REFUSAL_SYNTAX, "domain is home, all, or a list of domains that are searched here.");
    }
    search->merged = search->merged || search->job.count > 0;
    if (search->job.count && http_header(call->request, SEARCH_HOP, &hop))
        return refuse(refusal, REFUSAL_SYNTAX, "A search that a server passes on is not passed on again: domain=home.");
    if (search->job.count && has_after)
        return refuse(refusal, REFUSAL_SYNTAX, "after goes on at home alone; in several domains it is places.");
    if (has_after)
        search->order.after = after;
    return OK;
}

static enum status read_order(struct xcap_call *call, struct search_call *search, struct refusal *refusal)
{
    struct arena *arena = call->request->arena;
    const struct requester *requester = &call->caller.requester;
    struct text path, query;
    text_cut(call->request->target, '?', &path, &query);
    search->order.asker = (struct search_asker){.identities = requester->identities,
                                                .identities_count = requester->identities_count,
                                                .roles = requester->roles};
    search->order.limits = service_search_limits(call->service);
    if (!service_parameter(arena, query, "target", &search->order.target))
        return refuse(refusal, REFUSAL_SYNTAX, "The query of the request names no target=AUID/users/ to search.");
    enum status status = read_sources(call, search, query, refusal);
    return status == OK ? read_body(call, search, refusal) : status;
}

/* After the home: what is wrong with a query is told without asking anybody. */
static enum status ask_others(struct xcap_call *call, struct search_call *search, enum http_progress *progress_out,
                              struct refusal *refusal)
{
    struct domain_job *job = &search->job;
    struct arena *arena = call->request->arena;
    if (job->count == 0 || search->asked)
        return OK;
    job->query = text_format(arena, "target=%.*s", TEXT_ARG(percent_encode(arena, search->order.target, "/:@")));
    job->body = call->request->body;
    job->type = text_copy(arena, call->place.usage->mime);
    job->asker = call->caller.requester.address;
    job->arena = arena;
    job->done = change_done;
    job->context = call->request;
    search->asked = true;
    if (!search_domains_ask(call->service->domains, job))
        return refuse(refusal, REFUSAL_TOO_MANY, "Too many searches wait; try again in a moment.");
    *progress_out = HTTP_WAITING;
    return OK;
}

static enum status search_home(struct xcap_call *call, struct search_call *search, struct http_response *response,
                               enum http_progress *progress_out, struct refusal *refusal)
{
    enum status status = search_task_run(call->service->searchers, &search->task, progress_out, refusal);
    if (status != OK || *progress_out == HTTP_WAITING)
        return status;
    const struct search_outcome *outcome = search_outcome(search->task.search);
    *refusal = outcome->refusal;
    if (outcome->status != OK)
        search_answer_headers(call, search, outcome, response);
    return outcome->status;
}

static enum status begin(struct xcap_call *call, struct refusal *refusal)
{
    struct search_call *search = call->search = arena_new(call->request->arena, struct search_call);
    search->task.request = call->request;
    enum status status = read_order(call, search, refusal);
    if (status == OK && search->home)
        status =
            search_new(call->service->documents, &search->order, call->request->arena, &search->task.search, refusal);
    return status;
}

enum status xcap_post(struct xcap_call *call, struct http_response *response, enum http_progress *progress_out,
                      struct refusal *refusal)
{
    enum status status = call->search ? OK : begin(call, refusal);
    struct search_call *search = call->search;
    *progress_out = HTTP_DONE;
    if (status == OK && search->home)
        status = search_home(call, search, response, progress_out, refusal);
    if (status == OK && *progress_out == HTTP_DONE)
        status = ask_others(call, search, progress_out, refusal);
    if (status == OK && *progress_out == HTTP_WAITING)
        return OK;
    if (status == REFUSED && refusal->kind == REFUSAL_TOO_MANY)
        call->caller.wait_ms = WAIT_MS;
    if (status == OK)
        search_answer(call, search, response);
    search_free(search->task.search);
    return status;
}
