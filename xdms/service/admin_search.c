/* Searches and memberships by the admin API: what nobody else may find is found, too. */
#include "membership.h"
#include "service_admin.h"
#include "service_search.h"

struct admin_search {
    struct search_task task;
    struct search_order order;
};

static bool read_order(struct admin_call *call, struct admin_search *search);
static enum http_progress answer(struct admin_call *call, const struct search_outcome *outcome);

enum http_progress admin_search(struct admin_call *call)
{
    struct admin_search *search = call->search;
    enum http_progress progress = HTTP_DONE;
    struct refusal refusal = {0};
    enum status status = OK;
    if (!search) {
        search = call->search = arena_new(call->request->arena, struct admin_search);
        search->task.request = call->request;
        if (!read_order(call, search))
            return HTTP_DONE;
        status =
            search_new(call->service->documents, &search->order, call->request->arena, &search->task.search, &refusal);
    }
    if (status == OK)
        status = search_task_run(call->service->searchers, &search->task, &progress, &refusal);
    if (status == OK && progress == HTTP_WAITING)
        return HTTP_WAITING;
    if (status == OK)
        answer(call, search_outcome(search->task.search));
    else
        admin_refused(call, status, &refusal);
    search_free(search->task.search);
    return HTTP_DONE;
}

static bool read_order(struct admin_call *call, struct admin_search *search)
{
    struct search_order *order = &search->order;
    struct arena *arena = call->request->arena;
    struct text target = {0}, query = {0}, after = {0};
    bool broken = false;
    json_t *body;
    if (!admin_body(call, "target query max after", &body))
        return false;
    bool given = admin_member(body, "target", &target, &broken);
    given = admin_member(body, "query", &query, &broken) && given;
    admin_member(body, "after", &after, &broken);
    const json_t *max = json_object_get(body, "max");
    broken = broken || (max && (!json_is_integer(max) || json_integer_value(max) < 1));
    order->target = text_copy(arena, target);
    order->query = text_copy(arena, query);
    order->after = text_copy(arena, after);
    order->results_max = max ? (size_t)json_integer_value(max) : ADMIN_LIMIT_STANDARD;
    order->asker.everything = true;
    order->limits = service_search_limits(call->service);
    json_decref(body);
    if (given && !broken)
        return true;
    admin_error(call, 400, TEXT("target and query are needed, as texts; after is a text, max a number above 0."));
    return false;
}

static enum http_progress answer(struct admin_call *call, const struct search_outcome *outcome)
{
    json_t *results = json_array();
    for (size_t i = 0; i < outcome->results_count; i++)
        json_array_append_new(results, admin_string(call, outcome->results[i]));
    json_t *body = json_pack("{s:o, s:b, s:I}", "results", results, "indexed", outcome->indexed, "documents",
                             (json_int_t)outcome->documents);
    if (outcome->status != OK && (outcome->status != REFUSED || outcome->next.length == 0)) {
        json_decref(body);
        return admin_refused(call, outcome->status, &outcome->refusal);
    }
    if (outcome->next.length)
        json_object_set_new(body, "next", admin_string(call, outcome->next));
    return admin_answer(call, 200, body);
}

/* A user is asked for by all of his addresses; anybody else by the one that is given. */
static enum status addresses_of(struct admin_call *call, struct requester *requester_out)
{
    struct arena *arena = call->request->arena;
    struct text address = user_address(call->argument, call->service->settings.domain, arena);
    if (address.length == 0)
        return NOT_FOUND;
    return requester_of_assertion(call->service->documents, &address, 1, arena, requester_out);
}

static json_t *membership_json(struct admin_call *call, const struct group_membership *membership)
{
    json_t *shown = json_pack("{s:o, s:o, s:o}", "uri", admin_string(call, membership->uri), "owner",
                              admin_string(call, membership->owner), "name", admin_string(call, membership->name));
    if (membership->through.length)
        json_object_set_new(shown, "through", admin_string(call, membership->through));
    return shown;
}

enum http_progress admin_user_groups(struct admin_call *call)
{
    const struct group_membership *memberships = NULL;
    struct requester requester;
    struct user user;
    size_t count = 0;
    bool complete;
    enum status status = addresses_of(call, &requester);
    if (status != OK)
        return admin_refused(call, status, NULL);
    struct groups *groups = group_pool_take(call->service->groups, call->generation);
    status = group_memberships(groups, requester.identities, requester.identities_count, call->request->arena,
                               &memberships, &count, &complete);
    group_pool_give(call->service->groups, groups);
    if (status == CONFLICT)
        return admin_error(call, 409, TEXT("The index of groups is not built: run xdmctl reindex."));
    if (status == OK && count == 0) /* groups may have members of anywhere; of whom there is nothing is misspelt */
        status = user_get(call->service->documents, requester.address, call->request->arena, &user);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user, and no group with that address in it."));
    if (status != OK)
        return admin_refused(call, status, NULL);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, membership_json(call, &memberships[i]));
    return admin_answer(call, 200, json_pack("{s:o, s:b}", "groups", list, "complete", complete));
}
