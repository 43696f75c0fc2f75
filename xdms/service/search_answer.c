/* What a search is answered with: what was found here and elsewhere, who is missing, and where it goes on. */
#include "service_search.h"

static bool is_admin(const struct requester *requester)
{
    return requester->roles &
           (USAGE_ROLE_BIT(USAGE_OPERATOR) | USAGE_ROLE_BIT(USAGE_ADMIN) | USAGE_ROLE_BIT(USAGE_AUDITOR));
}

static void respond_link(const struct xcap_call *call, const struct search_call *search, const char *parameter,
                         struct text value, struct http_response *response)
{
    struct arena *arena = call->request->arena;
    struct text target = percent_encode(arena, search->order.target, "/:@");
    http_response_header(
        response, "Link",
        text_format(arena, "<?target=%.*s&%s=%.*s>; rel=\"next\"", TEXT_ARG(target), parameter, TEXT_ARG(value)));
}

/* Of a home that met a limit before it found anything: it goes on from there, and the others where they were. */
static struct text places_at_limit(const struct xcap_call *call, const struct search_call *search, struct text next)
{
    struct text_builder places;
    builder_init(&places, call->request->arena);
    search_place_write(&places, &(struct search_place){TEXT("home"), 0, next});
    for (size_t i = 0; i < search->job.count; i++) {
        const struct domain_answer *answer = &search->job.answers[i];
        search_place_write(&places, &(struct search_place){search_domains_name(call->service->domains, answer->domain),
                                                           answer->skip, answer->after});
    }
    return builder_text(&places);
}

void search_answer_headers(const struct xcap_call *call, const struct search_call *search,
                           const struct search_outcome *outcome, struct http_response *response)
{
    struct arena *arena = call->request->arena;
    if (outcome->next.length && !search->merged)
        respond_link(call, search, "after", percent_encode(arena, outcome->next, "/:@"), response);
    else if (outcome->next.length && outcome->status != OK)
        respond_link(call, search, "places", places_at_limit(call, search, outcome->next), response);
    if (is_admin(&call->caller.requester))
        http_response_header(
            response, "X-XDM-Search",
            text_format(arena, "%s; documents=%zu", outcome->indexed ? "indexed" : "not-indexed", outcome->documents));
}

static void respond_found(const struct xcap_call *call, const struct search_call *search, const struct text *results,
                          size_t results_count, struct http_response *response)
{
    struct arena *arena = call->request->arena;
    struct text_builder body;
    builder_init(&body, arena);
    builder_add(&body, TEXT("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<search-set xmlns=\"" SEARCH_NAMESPACE
                            "\"><search id=\""));
    builder_add(&body, xml_escape(arena, search->id));
    builder_add(&body, TEXT("\"><response>"));
    for (size_t i = 0; i < results_count; i++)
        builder_add(&body, results[i]);
    builder_add(&body, TEXT("</response></search></search-set>\n"));
    respond_document(response, 200, text_copy(arena, call->place.usage->mime), builder_text(&body));
    http_response_header(response, "Cache-Control", TEXT("no-store"));
}

/* Whoever has not answered is named, and why; also who has more that nobody can ask for. */
static void respond_missing(const struct xcap_call *call, const struct search_call *search,
                            struct http_response *response)
{
    struct text_builder missing;
    builder_init(&missing, call->request->arena);
    for (size_t i = 0; i < search->job.count; i++) {
        const struct domain_answer *answer = &search->job.answers[i];
        struct text why = answer->missing.length ? answer->missing : answer->cut ? TEXT("has more") : TEXT("");
        if (why.length)
            builder_add_format(&missing, "%s%.*s (%.*s)", missing.length ? ", " : "",
                               TEXT_ARG(search_domains_name(call->service->domains, answer->domain)), TEXT_ARG(why));
    }
    for (size_t i = 0; i < missing.length; i++) /* what libraries say may hold anything */
        if ((unsigned char)missing.bytes[i] < 0x20 || (unsigned char)missing.bytes[i] > 0x7e)
            missing.bytes[i] = '?';
    if (missing.length)
        http_response_header(response, "X-XDM-Search-Missing", builder_text(&missing));
}

/* Sources are numbered: the home, then the others. */
static struct search_merge *merge_all(const struct xcap_call *call, struct search_call *search,
                                      const struct search_outcome *outcome)
{
    struct arena *arena = call->request->arena;
    struct search_query query;
    struct refusal ignored = {0};
    bool understood = search_query_parse(search->order.query, TEXT(""), arena, &query, &ignored) == OK;
    struct search_query *kept = arena_new(arena, struct search_query);
    *kept = query;
    struct search_merge *merge = search_merge_new(understood ? kept : NULL, search->job.count + 1, arena);
    for (size_t i = 0; outcome && i < outcome->results_count; i++)
        search_merge_add(merge, 0, outcome->results[i]);
    if (outcome)
        search_merge_place(merge, 0, search->home_skip, outcome->next.length > 0);
    for (size_t i = 0; i < search->job.count; i++) {
        struct domain_answer *answer = &search->job.answers[i];
        if (answer->missing.length == 0 && !search_merge_answer(merge, i + 1, answer->body))
            answer->missing = TEXT("answers no search-set");
        if (answer->missing.length == 0)
            search_merge_place(merge, i + 1, answer->skip, answer->next.length > 0);
    }
    return merge;
}

/* Where a source is gone on with. False: nothing of it is left. */
static bool move_on(const struct search_merge *merge, size_t source, struct text next, struct search_place *place)
{
    place->skip = search_merge_taken(merge, source);
    if (place->skip < search_merge_given(merge, source))
        return true;
    place->skip = 0;
    place->after = next;
    return next.length > 0;
}

/* As long as somebody who answered has more. Who did not is asked again where he was. A place for which there is no
 * room in a request target is given up, and said to be. */
static void respond_places(const struct xcap_call *call, struct search_call *search, const struct search_merge *merge,
                           const struct search_outcome *outcome, struct http_response *response)
{
    struct arena *arena = call->request->arena;
    struct text target = percent_encode(arena, search->order.target, "/:@");
    struct text path, query;
    struct text_builder places;
    text_cut(call->request->target, '?', &path, &query);
    size_t fixed = path.length + strlen("?target=&places=") + target.length;
    bool goes_on = false;
    builder_init(&places, arena);
    struct search_place place = {TEXT("home"), 0, search->order.after};
    if (outcome && move_on(merge, 0, outcome->next, &place)) {
        search_place_write(&places, &place);
        goes_on = true;
    }
    for (size_t i = 0; i < search->job.count; i++) {
        struct domain_answer *answer = &search->job.answers[i];
        size_t before = places.length;
        place = (struct search_place){search_domains_name(call->service->domains, answer->domain), answer->skip,
                                      answer->after};
        bool answered = answer->missing.length == 0;
        if (answered && !move_on(merge, i + 1, answer->next, &place))
            continue;
        search_place_write(&places, &place);
        bool fits = fixed + places.length <= call->service->settings.target_bytes_max;
        if (!fits)
            places.length = before;
        answer->cut = answered && !fits;
        goes_on = goes_on || (answered && fits);
    }
    if (goes_on)
        respond_link(call, search, "places", builder_text(&places), response);
}

static void respond_merged(const struct xcap_call *call, struct search_call *search,
                           const struct search_outcome *outcome, struct http_response *response)
{
    size_t most = search->order.limits.results_max;
    const struct text *results;
    if (search->order.results_max && search->order.results_max < most)
        most = search->order.results_max;
    struct search_merge *merge = merge_all(call, search, outcome);
    size_t count = search_merge_results(merge, most, &results);
    respond_found(call, search, results, count, response);
    respond_places(call, search, merge, outcome, response);
    respond_missing(call, search, response);
}

void search_answer(struct xcap_call *call, struct search_call *search, struct http_response *response)
{
    const struct search_outcome *outcome = search->home ? search_outcome(search->task.search) : NULL;
    if (outcome)
        search_answer_headers(call, search, outcome, response);
    if (search->merged)
        respond_merged(call, search, outcome, response);
    else if (outcome) /* nobody else: the home it is */
        respond_found(call, search, outcome->results, outcome->results_count, response);
}
