/* What waits for users: for whom, since when and why; dropped, and tried again. */
#include "clock.h"
#include "deferred.h"
#include "service_admin.h"

/* How many wait for the owner of an item: listed one after another, most have that of the one before. */
struct waiting {
    struct text owner;
    uint64_t count;
};

static enum deferred_way way_of(const struct admin_call *call, const struct deferred *item, struct waiting *waiting)
{
    struct deferred_figures figures = {0};
    if (!text_equal(waiting->owner, item->owner) &&
        deferred_figures(call->service->documents, item->owner, &figures) == OK)
        *waiting = (struct waiting){item->owner, figures.count};
    return deferred_way(&call->service->settings.push, item, waiting->count);
}

static struct text why_of(const struct deferred *item, enum deferred_way way)
{
    if (item->error.length)
        return item->error;
    if (way == DEFERRED_LEFT_FOR_MANY)
        return TEXT("so many wait that they are left to be fetched");
    if (way == DEFERRED_LEFT_FOR_SIZE)
        return TEXT("so large that it is left to be fetched");
    return item->away ? TEXT("recipient was away") : TEXT("not tried yet");
}

static json_t *item_json(struct admin_call *call, const struct deferred *item, struct waiting *waiting)
{
    enum deferred_way way = way_of(call, item, waiting);
    struct arena *arena = call->request->arena;
    json_t *json = json_object();
    const struct {
        const char *name;
        struct text value;
    } texts[] = {
        {"reference", item->reference},
        {"recipient", item->owner},
        {"sender", item->sender},
        {"group", item->group},
        {"messageId", item->message_id},
        {"callId", item->call_id},
        {"subject", item->subject},
        {"type", item->type},
        {"kind", text_of(deferred_kind_name(item->kind))},
        {"priority", text_of(deferred_priority_name(item->priority))},
        {"since", clock_write_rfc3339(arena, item->received_ms)},
        {"expires", item->expires_ms == INT64_MAX ? TEXT("") : clock_write_rfc3339(arena, item->expires_ms)},
        {"tried", item->tried_ms ? clock_write_rfc3339(arena, item->tried_ms) : TEXT("")},
        {"way", way == DEFERRED_BY_MESSAGE ? TEXT("message") : TEXT("fetch")},
        {"why", why_of(item, way)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].value.length)
            json_object_set_new(json, texts[i].name, admin_string(call, texts[i].value));
    json_object_set_new(json, "size", json_integer((json_int_t)item->size));
    json_object_set_new(json, "tries", json_integer((json_int_t)item->tries));
    return json;
}

/* One page, and how much there is in all. */
static enum http_progress answer_page(struct admin_call *call, struct text owner, const struct deferred_page *page)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct deferred_figures figures = {0};
    int64_t since_ms = 0;
    enum status status = deferred_figures(documents, owner, &figures);
    if (status == OK)
        status = deferred_oldest(documents, owner, arena, &since_ms);
    if (status != OK)
        return admin_refused(call, status, NULL);
    json_t *list = json_array();
    struct waiting waiting = {0};
    for (size_t i = 0; i < page->count; i++)
        json_array_append_new(list, item_json(call, &page->items[i], &waiting));
    json_t *body = json_pack("{s:o, s:I, s:I}", "waiting", list, "count", (json_int_t)figures.count, "bytes",
                             (json_int_t)figures.bytes);
    if (since_ms)
        json_object_set_new(body, "oldest", admin_string(call, clock_write_rfc3339(arena, since_ms)));
    if (page->more && page->count) {
        const struct deferred *last = &page->items[page->count - 1];
        struct text next = owner.length
                               ? last->reference
                               : text_format(arena, "%.*s:%.*s", TEXT_ARG(last->reference), TEXT_ARG(last->owner));
        json_object_set_new(body, "next", admin_string(call, next));
    }
    return admin_answer(call, 200, body);
}

enum http_progress admin_queue(struct admin_call *call)
{
    struct deferred_page page;
    struct deferred last = {0};
    struct text after;
    size_t limit;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    bool goes_on = admin_parameter(call, "after", &after);
    if (goes_on && !text_cut(after, ':', &last.reference, &last.owner))
        return admin_error(call, 400, TEXT("after is what 'next' of the page before said."));
    enum status status =
        deferred_list_all(call->service->documents, goes_on ? &last : NULL, limit, call->request->arena, &page);
    return status == OK ? answer_page(call, TEXT(""), &page) : admin_refused(call, status, NULL);
}

/* False: answered. Messages may wait for one whose account has gone; of whom there is nothing is misspelt. */
static bool find_owner(struct admin_call *call, struct text *owner_out)
{
    struct arena *arena = call->request->arena;
    *owner_out = user_address(call->argument, call->service->settings.domain, arena);
    if (owner_out->length == 0)
        return admin_error(call, 404, TEXT("There is no such user.")), false;
    struct deferred_figures figures = {0};
    struct user user;
    enum status status = document_owner(call->service->documents, *owner_out, arena, owner_out);
    if (status == OK)
        status = deferred_figures(call->service->documents, *owner_out, &figures);
    if (status == OK && figures.count == 0)
        status = user_get(call->service->documents, *owner_out, arena, &user);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user, and nothing waits for that address.")), false;
    if (status != OK)
        return admin_refused(call, status, NULL), false;
    return true;
}

enum http_progress admin_user_queue(struct admin_call *call)
{
    struct deferred_page page;
    struct text owner, after = TEXT("");
    size_t limit;
    if (!admin_limit(call, &limit) || !find_owner(call, &owner))
        return HTTP_DONE;
    admin_parameter(call, "after", &after);
    enum status status = deferred_list(call->service->documents, owner, after, limit, call->request->arena, &page);
    return status == OK ? answer_page(call, owner, &page) : admin_refused(call, status, NULL);
}

enum http_progress admin_queue_drop(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct text owner, reference;
    size_t count = 1;
    if (!find_owner(call, &owner))
        return HTTP_DONE;
    enum status status = admin_parameter(call, "reference", &reference)
                             ? deferred_erase(documents, owner, reference, TEXT("admin"), clock_wall_ms(), arena)
                             : deferred_erase_all(documents, owner, TEXT("admin"), clock_wall_ms(), &count);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("No such message waits for this user."));
    if (status != OK)
        return admin_refused(call, status, NULL);
    return admin_answer(call, 200, json_pack("{s:I}", "dropped", (json_int_t)count));
}

enum http_progress admin_queue_retry(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    struct deferred_figures figures;
    struct text owner;
    if (!find_owner(call, &owner))
        return HTTP_DONE;
    struct commit look = deferred_look(owner, DEFERRED_LOOK_RETRY, call->request->arena);
    enum status status = deferred_figures(documents, owner, &figures);
    if (status == OK && figures.count)
        status = document_internal_commit(documents, &look, 1);
    if (status != OK)
        return admin_refused(call, status, NULL);
    return admin_answer(call, 202, json_pack("{s:I}", "waiting", (json_int_t)figures.count));
}
