/* A line of an import that makes or changes a user. What it does not say of a user that exists stays as it was. */
#include "admin_import.h"
#include "clock.h"
#include "user.h"

struct import_user {
    struct text name, password, display_name;
    bool has_password, has_hashes, has_display_name;
    struct user_hashes hashes;
};

static bool read_user(const json_t *json, struct import_user *user_out)
{
    bool broken = false;
    struct user_hashes *hashes = &user_out->hashes;
    const struct {
        const char *name;
        struct text *value;
    } members[] = {{"ha1", &hashes->md5},
                   {"ha1Sha256", &hashes->sha256},
                   {"ha1Full", &hashes->md5_full},
                   {"ha1Sha256Full", &hashes->sha256_full},
                   {"ha1Sha512-256", &hashes->sha512},
                   {"ha1Sha512-256Full", &hashes->sha512_full}};
    admin_member(json, "user", &user_out->name, &broken);
    user_out->has_password = admin_member(json, "password", &user_out->password, &broken);
    user_out->has_display_name = admin_member(json, "displayName", &user_out->display_name, &broken);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        user_out->has_hashes = admin_member(json, members[i].name, members[i].value, &broken) || user_out->has_hashes;
    return !broken;
}

/* What is not given stays as it was. */
static enum status make_user(struct import_line *line, const struct import_user *given, const struct user *old,
                             struct user *user_out, struct refusal *refusal)
{
    struct admin_call *call = line->import->call;
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    struct text name = old ? old->address : given->name; /* which may be an alias */
    struct text display_name = given->has_display_name || !old ? given->display_name : old->display_name;
    struct user_hashes hashes = given->hashes;
    if (!given->has_hashes && old)
        hashes = (struct user_hashes){old->ha1_md5,         old->ha1_sha256, old->ha1_md5_full,
                                      old->ha1_sha256_full, old->ha1_sha512, old->ha1_sha512_full};
    enum status status = given->has_password
                             ? user_make(name, given->password, display_name, settings->domain, settings->realm,
                                         clock_wall_ms(), arena, user_out, refusal)
                             : user_make_hashed(name, &hashes, display_name, settings->domain, settings->realm,
                                                clock_wall_ms(), arena, user_out, refusal);
    if (status != OK)
        return status;
    if (old) {
        struct user changed = *old;
        changed.display_name = user_out->display_name;
        user_set_password(&changed, user_out);
        *user_out = changed;
    }
    status = admin_account_apply(call, line->json, user_out, refusal);
    return status == OK ? user_check_addresses(call->service->documents, user_out, arena, refusal) : status;
}

void import_user_begin(struct import_line *line)
{
    struct import *import = line->import;
    const struct documents *documents = import->call->service->documents;
    struct arena *arena = import->call->request->arena;
    static const char *const members[] = {"user",        "password",      "ha1",           "ha1Sha256",
                                          "ha1Full",     "ha1Sha256Full", "ha1Sha512-256", "ha1Sha512-256Full",
                                          "displayName", "aliases",       "roles",         NULL};
    struct import_user given = {0};
    struct refusal refusal = {0};
    struct user user = {0}, old = {0};
    if (!import_members_known(line, members))
        return;
    if (!read_user(line->json, &given)) {
        import_line_refuse(line, 400, TEXT("The members of a user are strings, but for aliases and roles."), NULL);
        return;
    }
    struct text address = user_address(given.name, import->call->service->settings.domain, arena);
    enum status status = address.length ? user_find(documents, address, arena, &old) : NOT_FOUND;
    line->exists = status == OK;
    if (line->exists && import->existing != EXISTING_REPLACED) {
        import_line_exists(line);
        return;
    }
    if (status == OK || status == NOT_FOUND)
        status = make_user(line, &given, line->exists ? &old : NULL, &user, &refusal);
    if (status == OK)
        status = user_commit(documents, &user, line->exists ? old.version : VERSION_ABSENT, IMPORT_WHO, arena,
                             &line->commit);
    if (status != OK) {
        import_line_fail(line, status, &refusal);
        return;
    }
    import->outstanding++;
    document_internal_submit(documents, &line->commit, 1, import_line_ready, line);
}

void import_user_resume(struct import_line *line)
{
    if (line->commit.status == OK)
        import_line_end(line, line->exists ? REPLACED : ADDED);
    else if (line->commit.status == CONFLICT && !line->exists) /* made by somebody else since it was looked for */
        import_line_exists(line);
    else if (line->commit.status == CONFLICT)
        import_line_refuse(line, 409, TEXT("The user was changed meanwhile."), NULL);
    else if (line->commit.status == TAKEN)
        import_line_refuse(line, 409, TEXT("An address of this user was just given to another."), "uniqueness-failure");
    else
        import_line_fail(line, line->commit.status, &(const struct refusal){0});
}
