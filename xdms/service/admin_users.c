/* Users by the admin API: made, changed, listed, and deleted with the contacts they have registered. */
#include "clock.h"
#include "deferred.h"
#include "history.h"
#include "service_admin.h"

#define USER_MEMBERS  "password displayName aliases addAliases removeAliases keepSeconds messages roles"
#define BINDINGS_PAGE 100 /* contacts deleted in one transaction; most users have under five */

struct wanted_user {
    struct text name;
    const json_t *body;
    bool has_password, has_display_name, if_absent;
    struct text password, display_name;
};

static json_t *user_json(struct admin_call *call, const struct user *user);
static bool read_wanted(struct admin_call *call, json_t *body, struct wanted_user *wanted_out);
static enum status make_user(struct admin_call *call, const struct wanted_user *wanted, const struct user *old,
                             struct user *user_out, struct refusal *refusal);
static enum status keep_user(struct admin_call *call, const struct user *user, uint64_t expected,
                             struct refusal *refusal);
static enum http_progress put_user(struct admin_call *call, const struct wanted_user *wanted);
static enum status delete_bindings(struct admin_call *call, struct text address);

static const struct text who = TEXT_INIT("admin"); /* in change records */

static struct text address_of(struct admin_call *call)
{
    return user_address(call->argument, call->service->settings.domain, call->request->arena);
}

enum http_progress admin_users_list(struct admin_call *call)
{
    struct arena *arena = call->request->arena;
    struct text after = {0};
    struct user *users;
    size_t limit, count;
    bool more;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    if (admin_parameter(call, "after", &after))
        after = user_address(after, call->service->settings.domain, arena);
    enum status status = user_list(call->service->documents, after, limit, arena, &users, &count, &more);
    if (status != OK)
        return admin_refused(call, status, NULL);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, user_json(call, &users[i]));
    json_t *body = json_pack("{s:o}", "users", list);
    if (more && count)
        json_object_set_new(body, "next", admin_string(call, users[count - 1].address));
    return admin_answer(call, 200, body);
}

enum http_progress admin_user_show(struct admin_call *call)
{
    struct user user = {0};
    enum status status = user_find(call->service->documents, address_of(call), call->request->arena, &user);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user."));
    if (status != OK)
        return admin_refused(call, status, NULL);
    return admin_answer(call, 200, user_json(call, &user));
}

/* Never the hashes: they are as good as the password. */
static json_t *user_json(struct admin_call *call, const struct user *user)
{
    json_t *shown =
        json_pack("{s:o, s:o, s:o, s:o}", "name", admin_string(call, user->name), "address",
                  admin_string(call, user->address), "displayName", admin_string(call, user->display_name), "created",
                  admin_string(call, clock_write_rfc3339(call->request->arena, user->created_ms)));
    admin_account_show(call, user, shown);
    return shown;
}

enum http_progress admin_users_create(struct admin_call *call)
{
    json_t *body;
    struct wanted_user wanted = {0};
    struct refusal refusal = {0};
    struct user user = {0};
    bool broken = false;
    if (!admin_body(call, "name " USER_MEMBERS, &body))
        return HTTP_DONE;
    if (!admin_member(body, "name", &wanted.name, &broken) || !read_wanted(call, body, &wanted)) {
        json_decref(body);
        return admin_error(call, 400, TEXT("name and password must be there, and strings."));
    }
    enum status status = make_user(call, &wanted, NULL, &user, &refusal);
    json_decref(body);
    if (status == OK)
        status = keep_user(call, &user, VERSION_ABSENT, &refusal);
    if (status == CONFLICT)
        return admin_error(call, 409, TEXT("There is a user of that name already."));
    if (status != OK)
        return admin_refused(call, status, &refusal);
    admin_answer(call, 201, user_json(call, &user));
    http_response_header(call->response, "Location",
                         text_format(call->request->arena, "/api/v1/users/%.*s",
                                     TEXT_ARG(percent_encode(call->request->arena, user.address, ":@"))));
    return HTTP_DONE;
}

enum http_progress admin_user_put(struct admin_call *call)
{
    json_t *body;
    struct wanted_user wanted = {.name = call->argument};
    if (!admin_body(call, "ifAbsent " USER_MEMBERS, &body))
        return HTTP_DONE;
    if (read_wanted(call, body, &wanted))
        put_user(call, &wanted);
    else
        admin_error(call, 400, TEXT("password and displayName must be strings, ifAbsent true or false."));
    json_decref(body);
    return HTTP_DONE;
}

static bool read_wanted(struct admin_call *call, json_t *body, struct wanted_user *wanted_out)
{
    bool broken = false;
    const json_t *if_absent = json_object_get(body, "ifAbsent");
    (void)call;
    wanted_out->body = body;
    wanted_out->has_password = admin_member(body, "password", &wanted_out->password, &broken);
    wanted_out->has_display_name = admin_member(body, "displayName", &wanted_out->display_name, &broken);
    wanted_out->if_absent = json_is_true(if_absent);
    return !broken && (!if_absent || json_is_boolean(if_absent));
}

static enum http_progress put_user(struct admin_call *call, const struct wanted_user *wanted)
{
    const struct documents *documents = call->service->documents;
    struct refusal refusal = {0};
    struct text condition;
    struct user old = {0}, user = {0};
    enum status status = user_find(documents, address_of(call), call->request->arena, &old);
    if (status != OK && status != NOT_FOUND)
        return admin_refused(call, status, NULL);
    bool exists = status == OK;
    bool create_only = http_header(call->request, "If-None-Match", &condition) && text_equal(condition, TEXT("*"));
    if (exists && create_only)
        return admin_error(call, 412, TEXT("There is a user of that name already."));
    if (exists && wanted->if_absent)
        return admin_answer(call, 200, user_json(call, &old));
    status = make_user(call, wanted, exists ? &old : NULL, &user, &refusal);
    if (status == OK)
        status = keep_user(call, &user, exists ? old.version : VERSION_ABSENT, &refusal);
    if (status == CONFLICT && create_only)
        return admin_error(call, 412, TEXT("There is a user of that name already."));
    if (status != OK)
        return admin_refused(call, status, &refusal);
    return admin_answer(call, exists ? 200 : 201, user_json(call, &user));
}

/* CONFLICT: somebody else was quicker. */
static enum status keep_user(struct admin_call *call, const struct user *user, uint64_t expected,
                             struct refusal *refusal)
{
    const struct documents *documents = call->service->documents;
    enum status status = user_check_addresses(documents, user, call->request->arena, refusal);
    if (status == OK)
        status = user_put(documents, user, expected, who);
    if (status != TAKEN)
        return status;
    return refuse_conflict(refusal, "uniqueness-failure", TEXT("An address of this user was just given to another."));
}

/* What is not given stays as it was. */
static enum status make_user(struct admin_call *call, const struct wanted_user *wanted, const struct user *old,
                             struct user *user_out, struct refusal *refusal)
{
    const struct service_settings *settings = &call->service->settings;
    struct text display_name = wanted->has_display_name || !old ? wanted->display_name : old->display_name;
    if (!wanted->has_password && !old)
        return refuse(refusal, REFUSAL_SYNTAX, "A new user needs a password.");
    struct text password = wanted->has_password ? wanted->password : TEXT("-");
    struct text name = old ? old->address : wanted->name; /* `wanted` may be an alias */
    enum status status = user_make(name, password, display_name, settings->domain, settings->realm, clock_wall_ms(),
                                   call->request->arena, user_out, refusal);
    if (status != OK)
        return status;
    if (old) {
        struct user changed = *old;
        changed.display_name = user_out->display_name;
        if (wanted->has_password)
            user_set_password(&changed, user_out);
        *user_out = changed;
    }
    return admin_account_apply(call, wanted->body, user_out, refusal);
}

/* The bindings go even when the user is gone already: a deletion that was cut short is completed by the next. */
enum http_progress admin_user_delete(struct admin_call *call)
{
    struct text address = address_of(call), everything;
    if (admin_parameter(call, "everything", &everything))
        return admin_user_erase(call);
    if (address.length == 0)
        return admin_error(call, 404, TEXT("There is no such user."));
    if (document_owner(call->service->documents, address, call->request->arena, &address) != OK)
        return admin_refused(call, FAILED, NULL);
    enum status status = user_delete(call->service->documents, address, who);
    if (status == OK || status == NOT_FOUND) {
        enum status cleared = delete_bindings(call, address);
        if (cleared == OK) /* nobody of the same name later is to read what they wrote */
            cleared = history_erase(call->service->documents, address, who);
        struct commit gone = deferred_look(address, DEFERRED_LOOK_GONE, call->request->arena);
        if (cleared == OK)
            cleared = document_internal_commit(call->service->documents, &gone, 1);
        if (cleared != OK)
            status = cleared;
    }
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user."));
    if (status != OK)
        return admin_refused(call, status, NULL);
    call->response->status = 204;
    return HTTP_DONE;
}

static enum status delete_bindings(struct admin_call *call, struct text address)
{
    const struct documents *documents = call->service->documents;
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_BINDINGS), .owner = address};
    struct key_page page = {.more = true};
    enum status status = OK;
    while (status == OK && page.more) {
        status = document_internal_list(documents, &prefix, NULL, BINDINGS_PAGE, call->request->arena, &page);
        if (status != OK || page.count == 0)
            break;
        struct commit *commits = arena_array(call->request->arena, struct commit, page.count);
        for (size_t i = 0; i < page.count; i++)
            commits[i] = (struct commit){.key = page.keys[i], .expected = VERSION_ANY, .deletion = true, .who = who};
        status = document_internal_commit(documents, commits, page.count);
    }
    return status;
}
