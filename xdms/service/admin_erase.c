/* Erasure of all about a user, and the records that prove it. */
#include "clock.h"
#include "erasure.h"
#include "service_admin.h"

static json_t *erasure_json(struct admin_call *call, const struct erasure *erasure)
{
    struct arena *arena = call->request->arena;
    json_t *counts = json_object();
    for (unsigned i = 0; i < ERASURE_KINDS; i++)
        json_object_set_new(counts, erasure_kind_name((enum erasure_kind)i),
                            json_integer((json_int_t)erasure->counts[i]));
    json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "id", admin_string(call, erasure->id), "address",
                             admin_string(call, erasure->address), "by", admin_string(call, erasure->who), "began",
                             admin_string(call, clock_write_rfc3339(arena, erasure->began_ms)));
    if (erasure->ended_ms)
        json_object_set_new(json, "ended", admin_string(call, clock_write_rfc3339(arena, erasure->ended_ms)));
    json_object_set_new(json, "erased", counts);
    return json;
}

/* The admin port knows no people: a certificate is the best it can tell, else where the call came from. */
static struct text caller_of(const struct admin_call *call)
{
    const struct http_request *request = call->request;
    struct text name = request->client_names_count ? request->client_names[0] : TEXT("admin");
    return text_format(request->arena, "%.*s at %.*s", TEXT_ARG(name),
                       TEXT_ARG(http_peer_text(request->peer, request->arena)));
}

/* Also of one who has no account any more. */
enum http_progress admin_user_erase(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct text address = user_address(call->argument, call->service->settings.domain, arena), everything;
    struct erasure erasure;
    if (!admin_parameter(call, "everything", &everything) || !text_equal(everything, TEXT("true")))
        return admin_error(call, 400, TEXT("everything is true, or not there."));
    if (address.length == 0)
        return admin_error(call, 404, TEXT("There is no such user."));
    enum status status = document_owner(documents, address, arena, &address);
    if (status == OK)
        status = erasure_begin(documents, address, caller_of(call), clock_wall_ms(), arena, &erasure);
    if (status == OK)
        status = erasure_run(documents, &erasure, clock_wall_ms());
    if (status != OK)
        return admin_refused(call, status, NULL);
    return admin_answer(call, 200, erasure_json(call, &erasure));
}

enum http_progress admin_erasures(struct admin_call *call)
{
    struct erasure *erasures;
    struct text after = {0};
    size_t limit, count;
    bool more;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    if (admin_parameter(call, "after", &after) && !erasure_id_valid(after))
        return admin_error(call, 400, TEXT("after is what 'next' of the page before said."));
    enum status status =
        erasure_list(call->service->documents, after, limit, call->request->arena, &erasures, &count, &more);
    if (status != OK)
        return admin_refused(call, status, NULL);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, erasure_json(call, &erasures[i]));
    json_t *body = json_pack("{s:o}", "erasures", list);
    if (more && count)
        json_object_set_new(body, "next", admin_string(call, erasures[count - 1].id));
    return admin_answer(call, 200, body);
}
