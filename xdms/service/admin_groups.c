/* Groups by the admin API: named by their URI instead of by owner and document, changed by the same road as by any
 * client. */
#include "service_admin.h"
#include "uri.h"
#include "user.h"
#include "xml_scan.h"

#define GROUP_USAGE TEXT("org.openmobilealliance.groups")
#define GROUP_CLAIM TEXT("group-uri")

static enum status find_group(struct admin_call *call, struct stored *found_out);
static bool place_of(const struct usage *usage, const struct document_key *key, struct document_place *place_out);
static enum http_progress no_group(struct admin_call *call, enum status status);
static json_t *group_json(struct admin_call *call, const struct document_key *key, struct text bytes);
static bool begin_put(struct admin_call *call);
static bool owner_is_known(struct admin_call *call, struct text *address_inout);
static bool check_body(struct admin_call *call, const struct document_place *place);
static bool begin_delete(struct admin_call *call);
static enum http_progress run_change(struct admin_call *call);

enum http_progress admin_group_show(struct admin_call *call)
{
    struct stored found;
    enum status status = find_group(call, &found);
    if (status != OK)
        return no_group(call, status);
    const struct usage *usage = usage_find(documents_usages(call->service->documents), found.key.usage);
    /* the response outlives the usage */
    struct text type = usage ? text_copy(call->request->arena, usage->mime) : TEXT("application/xml");
    admin_document(call, type, found.bytes);
    http_response_header(call->response, "ETag", document_etag(found.version, call->request->arena));
    return HTTP_DONE;
}

static enum status find_group(struct admin_call *call, struct stored *found_out)
{
    struct arena *arena = call->request->arena;
    struct text uri = uri_canonical(arena, call->argument);
    if (uri.length == 0)
        return NOT_FOUND;
    return document_find(call->service->documents, GROUP_CLAIM, uri, arena, found_out);
}

/* False for what an older set of document services has left behind. */
static bool place_of(const struct usage *usage, const struct document_key *key, struct document_place *place_out)
{
    enum xcap_tree tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL;
    const struct usage_document *row = usage ? usage_document(usage, tree, key->name) : NULL;
    *place_out = (struct document_place){.usage = usage, .row = row, .tree = tree, .key = *key};
    return row != NULL;
}

static enum http_progress no_group(struct admin_call *call, enum status status)
{
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no group of that URI."));
    return admin_refused(call, status, NULL);
}

/* "after" is what "next" said: owner and name, which a key is made of. */
static bool read_after(const struct admin_call *call, const struct usage *usage, struct document_key *after_out)
{
    struct text after, owner, name;
    if (!admin_parameter(call, "after", &after) || !text_cut(after, '/', &owner, &name))
        return false;
    *after_out = (struct document_key){usage->auid, owner, name};
    return true;
}

/* With memory of its own: a page of large documents must not be in memory all at once. */
static void add_group(struct admin_call *call, const struct usage *usage, const struct document_key *key, json_t *list)
{
    struct document_place place;
    struct stored found;
    struct arena arena;
    arena_init(&arena, "group");
    if (place_of(usage, key, &place) &&
        document_read(call->service->documents, &place, &arena, &found) == OK) /* else deleted meanwhile */
        json_array_append_new(list, group_json(call, key, found.bytes));
    arena_clear(&arena);
}

enum http_progress admin_groups_list(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    const struct usage *usage = usage_find(documents_usages(documents), GROUP_USAGE);
    struct arena *arena = call->request->arena;
    struct document_key after;
    struct key_page page = {0};
    size_t limit;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    enum status status = OK;
    if (usage)
        status =
            document_list_all(documents, usage, read_after(call, usage, &after) ? &after : NULL, limit, arena, &page);
    if (status != OK)
        return admin_refused(call, status, NULL);
    json_t *list = json_array();
    for (size_t i = 0; i < page.count; i++)
        add_group(call, usage, &page.keys[i], list);
    json_t *body = json_pack("{s:o}", "groups", list);
    if (page.more && page.count) {
        const struct document_key *last = &page.keys[page.count - 1];
        struct text next = text_format(arena, "%.*s/%.*s", TEXT_ARG(last->owner), TEXT_ARG(last->name));
        json_object_set_new(body, "next", admin_string(call, next));
    }
    return admin_answer(call, 200, body);
}

/* The stored bytes are valid: the first list-service has the address that the claim was made of. */
static struct text address_in(struct text bytes, struct arena *arena)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    xml_scan_init(&scanner, bytes);
    while (xml_scan_next(&scanner, &tag)) {
        struct xml_attribute_span attribute;
        struct text value;
        size_t cursor = 0;
        if (tag.kind == XML_END || !text_equal(tag.local, TEXT("list-service")))
            continue;
        while (xml_attribute_next(bytes, &tag, &cursor, &attribute))
            if (text_equal(attribute.name, TEXT("uri")) && xml_unescape(arena, attribute.raw, true, &value))
                return value;
    }
    return TEXT("");
}

static json_t *group_json(struct admin_call *call, const struct document_key *key, struct text bytes)
{
    return json_pack("{s:o, s:o, s:o}", "uri", admin_string(call, address_in(bytes, call->request->arena)), "owner",
                     admin_string(call, key->owner), "name", admin_string(call, key->name));
}

enum http_progress admin_group_put(struct admin_call *call)
{
    if (!call->changing && !begin_put(call))
        return HTTP_DONE;
    return run_change(call);
}

enum http_progress admin_group_delete(struct admin_call *call)
{
    if (!call->changing && !begin_delete(call))
        return HTTP_DONE;
    return run_change(call);
}

static enum http_progress run_change(struct admin_call *call)
{
    struct document_change *change = &call->change;
    if (document_change_run(change, change_done, call->request) == DOCUMENT_WAITING)
        return HTTP_WAITING;
    change_count(call->service, change);
    if (change->status != OK && change->deletion)
        return change->status == NOT_FOUND ? no_group(call, NOT_FOUND)
                                           : admin_refused(call, change->status, &change->refusal);
    if (change->status != OK)
        return admin_refused(call, change->status, &change->refusal);
    if (change->deletion) {
        call->response->status = 204;
        return HTTP_DONE;
    }
    admin_answer(call, change->created ? 201 : 200, group_json(call, &change->place.key, call->request->body));
    http_response_header(call->response, "ETag", document_etag(change->version, call->request->arena));
    return HTTP_DONE;
}

static bool begin_delete(struct admin_call *call)
{
    struct stored found;
    struct document_place place;
    enum status status = find_group(call, &found);
    if (status == OK &&
        !place_of(usage_find(documents_usages(call->service->documents), found.key.usage), &found.key, &place))
        status = NOT_FOUND;
    if (status != OK) {
        no_group(call, status);
        return false;
    }
    change_begin(&call->change, call->service, call->request, &place);
    call->change.who = TEXT("admin");
    call->changing = true;
    return true;
}

/* Owner and name as asked; else where the group is now; else, for a new one, a document named like it. */
static bool choose_key(struct admin_call *call, struct document_key *key_out)
{
    struct arena *arena = call->request->arena;
    struct stored found = {0};
    struct text typed, rest;
    enum status status = find_group(call, &found);
    if (status != OK && status != NOT_FOUND) {
        no_group(call, status);
        return false;
    }
    bool exists = status == OK;
    bool asked = admin_parameter(call, "owner", &typed);
    *key_out = (struct document_key){GROUP_USAGE, found.key.owner, found.key.name};
    if (asked) {
        key_out->owner = user_address(typed, call->service->settings.domain, arena);
    } else if (!exists) {
        admin_error(call, 400, TEXT("A new group needs an owner."));
        return false;
    }
    if (!admin_parameter(call, "name", &key_out->name) && !exists) {
        text_cut(uri_canonical(arena, call->argument), ':', &typed, &rest);
        text_cut(rest, '@', &key_out->name, &rest);
    }
    bool global = !asked && key_out->owner.length == 0;
    return global || owner_is_known(call, &key_out->owner);
}

static bool owner_is_known(struct admin_call *call, struct text *address_inout)
{
    struct user owner;
    enum status status = user_find(call->service->documents, *address_inout, call->request->arena, &owner);
    if (status == OK)
        *address_inout = owner.address;
    if (status == NOT_FOUND)
        admin_error(call, 400, TEXT("The owner is no user of this server."));
    else if (status != OK)
        admin_refused(call, status, NULL);
    return status == OK;
}

/* By way of the URI that a client would use, so that no document is made that no client could name. */
static enum status place_to_put(struct admin_call *call, const struct document_key *key,
                                struct document_place *place_out, struct refusal *refusal)
{
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    const struct xcap_selector *selector;
    struct xcap_target target;
    struct text tree = TEXT("global");
    if (key->owner.length)
        tree = text_format(arena, "users/%.*s", TEXT_ARG(percent_encode(arena, key->owner, ":@")));
    struct text raw = text_format(arena, "%.*s%.*s/%.*s/%.*s", TEXT_ARG(settings->roots[0]), TEXT_ARG(key->usage),
                                  TEXT_ARG(tree), TEXT_ARG(percent_encode(arena, key->name, "/")));
    enum status status = xcap_target_parse(raw, settings->roots, settings->roots_count, arena, &target, refusal);
    if (status == OK && (target.has_node || !text_equal(target.name, key->name)))
        status = refuse(refusal, REFUSAL_SYNTAX, "No document can have that name.");
    if (status == OK)
        status = document_place(call->service->documents, &target, true, arena, place_out, &selector, refusal);
    if (status == REFUSED && refusal->kind == REFUSAL_ABSENT) /* here the path names the group, and that may well be */
        refusal->kind = REFUSAL_SYNTAX;
    return status;
}

static bool begin_put(struct admin_call *call)
{
    struct document_key key;
    struct document_place place;
    struct refusal refusal = {0};
    if (!choose_key(call, &key))
        return false;
    enum status status = place_to_put(call, &key, &place, &refusal);
    if (status != OK) {
        admin_refused(call, status, &refusal);
        return false;
    }
    if (content_fit(call->request, place.usage->mime) != CONTENT_FITS) {
        admin_error(
            call, 415,
            text_format(call->request->arena, "The content type must be %.*s, in UTF-8.", TEXT_ARG(place.usage->mime)));
        return false;
    }
    if (!check_body(call, &place))
        return false;
    change_begin(&call->change, call->service, call->request, &place);
    call->change.who = TEXT("admin");
    call->changing = true;
    return true;
}

/* The claims of the document say which groups it makes: the one of the path must be among them. */
static bool check_body(struct admin_call *call, const struct document_place *place)
{
    struct arena *arena = call->request->arena;
    const struct usage_subject subject = {place->key.owner, place->key.name, call->service->settings.root_uri};
    const struct usage_claim *claims;
    struct refusal refusal = {0};
    size_t count;
    enum status status = usage_check(place->usage, &subject, call->request->body, arena, &claims, &count, &refusal);
    if (status != OK) {
        admin_refused(call, status, &refusal);
        return false;
    }
    struct text uri = uri_canonical(arena, call->argument);
    for (size_t i = 0; i < count; i++)
        if (text_equal(claims[i].kind, GROUP_CLAIM) && text_equal(claims[i].value, uri))
            return true;
    admin_error(call, 400, TEXT("The group in the body is not the one of the path."));
    return false;
}
