/* Documents by the admin API: what a user has, and one as it is stored. */
#include <assert.h>

#include "clock.h"
#include "service_admin.h"
#include "xcap_target.h"

static json_t *document_json(struct admin_call *call, const struct key_page *page, size_t at)
{
    struct arena *arena = call->request->arena;
    const struct document_key *key = &page->keys[at];
    struct text path =
        text_format(arena, "%.*s/users/%.*s/%.*s", TEXT_ARG(key->usage), TEXT_ARG(key->owner), TEXT_ARG(key->name));
    return json_pack("{s:o, s:I, s:o, s:o}", "document", admin_string(call, path), "bytes", (json_int_t)page->sizes[at],
                     "modified", admin_string(call, clock_write_rfc3339(arena, page->modified_ms[at])), "etag",
                     admin_string(call, document_etag(page->versions[at], arena)));
}

/* From `after` on, usage by usage, at most `limit` and one more. */
static enum status add_documents(struct admin_call *call, struct text owner, const struct document_key *after,
                                 size_t limit, json_t *list, struct text *next_out)
{
    const struct documents *documents = call->service->documents;
    const struct usage_set *usages = documents_usages(documents);
    bool begun = after->usage.length == 0;
    enum status status = OK;
    struct text last = {0};
    for (size_t i = 0; i < usage_count(usages) && status == OK && next_out->length == 0; i++) {
        const struct usage *usage = usage_at(usages, i);
        bool here = !begun && text_equal(usage->auid, after->usage);
        struct key_page page = {0};
        begun = begun || here;
        if (!begun)
            continue;
        status = document_list(documents, usage, owner, here ? after : NULL, limit, call->request->arena, &page);
        for (size_t k = 0; status == OK && k < page.count && next_out->length == 0; k++) {
            if (json_array_size(list) == limit)
                *next_out = last;
            else
                json_array_append_new(list, document_json(call, &page, k));
            last = text_format(call->request->arena, "%.*s/%.*s", TEXT_ARG(page.keys[k].usage),
                               TEXT_ARG(page.keys[k].name));
        }
        if (status == OK && page.more && next_out->length == 0)
            *next_out = last;
    }
    return begun ? status : NOT_FOUND;
}

/* Documents stay when an account goes: of whom there is neither is misspelt. */
enum http_progress admin_user_documents(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct text owner = user_address(call->argument, call->service->settings.domain, arena), written, next = {0};
    struct document_key after = {0};
    struct user user;
    size_t limit;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    if (owner.length == 0)
        return admin_error(call, 404, TEXT("There is no such user."));
    if (admin_parameter(call, "after", &written)) {
        text_cut(written, '/', &after.usage, &after.name);
        if (after.name.length == 0 || !usage_find(documents_usages(documents), after.usage))
            return admin_error(call, 400, TEXT("after is what 'next' of the page before said."));
    }
    json_t *list = json_array();
    enum status status = document_owner(documents, owner, arena, &owner);
    after.owner = owner;
    if (status == OK)
        status = add_documents(call, owner, &after, limit, list, &next);
    if (status == OK && json_array_size(list) == 0)
        status = user_get(documents, owner, arena, &user);
    json_t *body = json_pack("{s:o}", "documents", list);
    if (status == OK && next.length)
        json_object_set_new(body, "next", admin_string(call, next));
    if (status == OK)
        return admin_answer(call, 200, body);
    json_decref(body);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user, and no document of that address."));
    return admin_refused(call, status, NULL);
}

/* "AUID/users/OWNER/NAME" or "AUID/global/NAME", read as in the URI of a client. */
static enum status find_place(struct admin_call *call, struct document_place *place_out, struct refusal *refusal)
{
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    const struct xcap_selector *selector;
    struct xcap_target target = {0};
    struct text path = percent_encode(arena, call->argument, "/:@");
    struct text raw = text_join(arena, settings->roots[0], path);
    enum status status = xcap_target_parse(raw, settings->roots, settings->roots_count, arena, &target, refusal);
    if (status == OK && target.has_node)
        return refuse(refusal, REFUSAL_SYNTAX, "Whole documents alone can be read here.");
    if (status == OK)
        status = document_place(call->service->documents, &target, true, arena, place_out, &selector, refusal);
    if (status == OK && place_out->key.owner.length) /* by whichever address of the owner it is named */
        status = document_owner(call->service->documents, place_out->key.owner, arena, &place_out->key.owner);
    if (status == OK && place_out->row->kind != USAGE_STORED)
        return NOT_FOUND;
    return status;
}

enum http_progress admin_document_show(struct admin_call *call)
{
    struct document_place place = {0};
    struct refusal refusal = {0};
    struct stored found;
    enum status status = find_place(call, &place, &refusal);
    if (status == OK)
        status = document_read(call->service->documents, &place, call->request->arena, &found);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such document."));
    if (status != OK)
        return admin_refused(call, status, &refusal);
    assert(place.usage);
    admin_document(call, text_copy(call->request->arena, place.usage->mime), found.bytes);
    http_response_header(call->response, "ETag", document_etag(found.version, call->request->arena));
    return HTTP_DONE;
}
