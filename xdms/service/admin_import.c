/* Many users and documents in one request, one JSON object per line. Each takes the way that it would take alone, and
 * all that wait for the disk wait together; a line that is refused harms no other. */
#include <pthread.h>

#include "clock.h"
#include "service_admin.h"
#include "user.h"
#include "xcap_target.h"

#define LINES_MAX 10000 /* of one request: bounds what one request keeps in memory beside its body */
#define TURN_MAX  16    /* lines begun before other requests of the worker get their turn: a millisecond or two */

static const struct text who = TEXT_INIT("admin"); /* in change records */

enum existing { EXISTING_REFUSED, EXISTING_KEPT, EXISTING_REPLACED };
enum phase { PHASE_USERS, PHASE_DOCUMENTS }; /* a document needs its owner */
enum outcome { ADDED, REPLACED, UNCHANGED, OUTCOMES };

struct import_line {
    struct import *import;
    size_t number; /* 1… */
    struct text text;
    json_t *json; /* while it is worked on */
    enum phase phase;
    bool exists;
    struct commit commit;          /* of a user */
    struct document_change change; /* of a document */
    struct import_line *next_ready;
};

struct import {
    struct admin_call *call;
    enum existing existing;
    struct import_line *lines;
    size_t count;
    enum phase phase;
    size_t next;        /* line to begin with */
    size_t outstanding; /* lines that wait for the store */
    struct text owner;  /* who was found to be a user last */
    size_t outcomes[OUTCOMES];
    json_t *refused;

    pthread_mutex_t lock;      /* for what follows: the store's thread is there too */
    struct import_line *ready; /* whose wait has ended */
    bool sleeping;             /* the request waits to be resumed */
};

static bool begin_import(struct admin_call *call);
static bool import_step(struct import *import);
static bool import_waits(struct import *import, bool more);
static enum http_progress import_answer(struct import *import);
static void line_begin(struct import_line *line);
static void line_resume(struct import_line *line);

enum http_progress admin_import(struct admin_call *call)
{
    if (!call->import && !begin_import(call))
        return HTTP_DONE;
    bool more = true;
    for (size_t i = 0; i < TURN_MAX && more; i++)
        more = import_step(call->import);
    return import_waits(call->import, more) ? HTTP_WAITING : import_answer(call->import);
}

static bool read_existing(struct admin_call *call, enum existing *existing_out)
{
    static const char *const names[] = {"refuse", "keep", "replace"};
    struct text value;
    *existing_out = EXISTING_REFUSED;
    if (!admin_parameter(call, "existing", &value))
        return true;
    for (int i = EXISTING_REFUSED; i <= EXISTING_REPLACED; i++)
        if (text_equal(value, text_of(names[i]))) {
            *existing_out = (enum existing)i;
            return true;
        }
    admin_error(call, 400, TEXT("existing is refuse, keep or replace."));
    return false;
}

static bool begin_import(struct admin_call *call)
{
    struct arena *arena = call->request->arena;
    struct text rest = call->request->body, line;
    struct import *import = arena_new(arena, struct import);
    size_t lines = 1;
    if (!read_existing(call, &import->existing))
        return false;
    for (size_t i = 0; i < rest.length; i++)
        lines += rest.bytes[i] == '\n';
    if (lines > LINES_MAX + 1) {
        admin_error(call, 413, TEXT("One request has at most 10000 lines."));
        return false;
    }
    import->lines = arena_array(arena, struct import_line, lines);
    for (size_t number = 1; rest.length; number++) {
        text_cut(rest, '\n', &line, &rest);
        if (text_trim(line).length)
            import->lines[import->count++] = (struct import_line){.import = import, .number = number, .text = line};
    }
    import->call = call;
    import->refused = json_array();
    pthread_mutex_init(&import->lock, NULL);
    call->import = import;
    return true;
}

/* One line further, begun or ended. False: nothing to do now. */
static bool import_step(struct import *import)
{
    pthread_mutex_lock(&import->lock);
    struct import_line *line = import->ready;
    if (line)
        import->ready = line->next_ready;
    pthread_mutex_unlock(&import->lock);
    if (line) {
        import->outstanding--;
        line_resume(line);
        return true;
    }
    if (import->next < import->count) {
        line = &import->lines[import->next++];
        if (import->phase == PHASE_USERS || line->phase == PHASE_DOCUMENTS)
            line_begin(line);
        return true;
    }
    if (import->phase == PHASE_USERS && import->outstanding == 0) {
        import->phase = PHASE_DOCUMENTS;
        import->next = 0;
        return true;
    }
    return false;
}

/* With more to do the worker serves its other connections first; with nothing to do the store wakes the request. */
static bool import_waits(struct import *import, bool more)
{
    if (!more && import->outstanding == 0)
        return false;
    pthread_mutex_lock(&import->lock);
    more = more || import->ready;
    import->sleeping = !more;
    pthread_mutex_unlock(&import->lock);
    if (more)
        http_resume(import->call->request);
    return true;
}

/* On the store's thread, or inside the call that submits. After the unlock the request may be gone. */
static void line_ready(void *context)
{
    struct import_line *line = context;
    struct import *import = line->import;
    struct http_request *request = import->call->request;
    pthread_mutex_lock(&import->lock);
    line->next_ready = import->ready;
    import->ready = line;
    bool resume = import->sleeping;
    import->sleeping = false;
    pthread_mutex_unlock(&import->lock);
    if (resume)
        http_resume(request);
}

static enum http_progress import_answer(struct import *import)
{
    struct admin_call *call = import->call;
    pthread_mutex_destroy(&import->lock);
    return admin_answer(call, 200,
                        json_pack("{s:I, s:I, s:I, s:o}", "added", (json_int_t)import->outcomes[ADDED], "replaced",
                                  (json_int_t)import->outcomes[REPLACED], "unchanged",
                                  (json_int_t)import->outcomes[UNCHANGED], "refused", import->refused));
}

/* --- how a line ends ------------------------------------------------------------------------------------------ */

static void line_end(struct import_line *line, enum outcome outcome)
{
    json_decref(line->json);
    line->json = NULL;
    line->import->outcomes[outcome]++;
}

static void line_refuse(struct import_line *line, int status, struct text sentence, const char *conflict)
{
    struct import *import = line->import;
    json_t *entry = json_pack("{s:I, s:i, s:o}", "line", (json_int_t)line->number, "status", status, "error",
                              admin_string(import->call, sentence));
    if (conflict)
        json_object_set_new(entry, "conflict", json_string(conflict));
    json_array_append_new(import->refused, entry);
    json_decref(line->json);
    line->json = NULL;
}

static void line_exists(struct import_line *line)
{
    if (line->import->existing == EXISTING_KEPT)
        line_end(line, UNCHANGED);
    else
        line_refuse(line, 412, TEXT("It exists already."), NULL);
}

static void line_fail(struct import_line *line, enum status status, const struct refusal *refusal)
{
    bool refused = status == REFUSED;
    line_refuse(line, respond_code(status, refusal), refused ? refusal->phrase : text_of(respond_phrase(status)),
                refused ? refusal->element : NULL);
}

/* A misspelt member must not be lost without a word. What a report of refused lines adds is known. */
static bool members_known(struct import_line *line, const char *const *names)
{
    static const char *const reported[] = {"error", "source", NULL};
    const char *member;
    json_t *value;
    json_object_foreach(line->json, member, value)
    {
        bool known = false;
        for (const char *const *name = reported; *name; name++)
            known = known || strcmp(member, *name) == 0;
        for (const char *const *name = names; *name; name++)
            known = known || strcmp(member, *name) == 0;
        if (!known) {
            line_refuse(line, 400, text_format(line->import->call->request->arena, "There is no member %s.", member),
                        NULL);
            return false;
        }
    }
    return true;
}

/* --- users ---------------------------------------------------------------------------------------------------- */

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
                   {"ha1Sha256Full", &hashes->sha256_full}};
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
        hashes = (struct user_hashes){old->ha1_md5, old->ha1_sha256, old->ha1_md5_full, old->ha1_sha256_full};
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

static void begin_user(struct import_line *line)
{
    struct import *import = line->import;
    const struct documents *documents = import->call->service->documents;
    struct arena *arena = import->call->request->arena;
    static const char *const members[] = {"user",          "password",    "ha1",     "ha1Sha256", "ha1Full",
                                          "ha1Sha256Full", "displayName", "aliases", "roles",     NULL};
    struct import_user given = {0};
    struct refusal refusal = {0};
    struct user user = {0}, old = {0};
    if (!members_known(line, members))
        return;
    if (!read_user(line->json, &given)) {
        line_refuse(line, 400, TEXT("The members of a user are strings, but for aliases and roles."), NULL);
        return;
    }
    struct text address = user_address(given.name, import->call->service->settings.domain, arena);
    enum status status = address.length ? user_find(documents, address, arena, &old) : NOT_FOUND;
    line->exists = status == OK;
    if (line->exists && import->existing != EXISTING_REPLACED) {
        line_exists(line);
        return;
    }
    if (status == OK || status == NOT_FOUND)
        status = make_user(line, &given, line->exists ? &old : NULL, &user, &refusal);
    if (status == OK)
        status = user_commit(documents, &user, line->exists ? old.version : VERSION_ABSENT, who, arena, &line->commit);
    if (status != OK) {
        line_fail(line, status, &refusal);
        return;
    }
    import->outstanding++;
    document_internal_submit(documents, &line->commit, 1, line_ready, line);
}

static void end_user(struct import_line *line)
{
    if (line->commit.status == OK)
        line_end(line, line->exists ? REPLACED : ADDED);
    else if (line->commit.status == CONFLICT && !line->exists) /* made by somebody else since it was looked for */
        line_exists(line);
    else if (line->commit.status == CONFLICT)
        line_refuse(line, 409, TEXT("The user was changed meanwhile."), NULL);
    else if (line->commit.status == TAKEN)
        line_refuse(line, 409, TEXT("An address of this user was just given to another."), "uniqueness-failure");
    else
        line_fail(line, line->commit.status, &(const struct refusal){0});
}

/* --- documents ------------------------------------------------------------------------------------------------ */

/* By way of the URI that a client would use, so that no document is made that no client could name. */
static enum status find_place(struct import_line *line, struct text path, struct document_place *place_out,
                              struct refusal *refusal)
{
    struct admin_call *call = line->import->call;
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    const struct xcap_selector *selector;
    struct xcap_target target = {0};
    struct text raw = text_join(arena, settings->roots[0], path);
    enum status status = xcap_target_parse(raw, settings->roots, settings->roots_count, arena, &target, refusal);
    if (status == OK && target.has_node)
        return refuse(refusal, REFUSAL_SYNTAX, "Whole documents alone can be imported.");
    if (status == OK)
        status = document_place(call->service->documents, &target, true, arena, place_out, &selector, refusal);
    if (status == OK) /* by whichever address of the owner it is named */
        status = document_owner(call->service->documents, place_out->key.owner, arena, &place_out->key.owner);
    return status;
}

/* Documents of one owner mostly come together. */
static enum status check_owner(struct import *import, struct text owner, struct refusal *refusal)
{
    struct user user;
    if (owner.length == 0 || text_equal(owner, import->owner))
        return OK;
    enum status status = user_get(import->call->service->documents, owner, import->call->request->arena, &user);
    if (status == OK)
        import->owner = owner;
    return status == NOT_FOUND ? refuse(refusal, REFUSAL_ABSENT, "The owner is no user of this server.") : status;
}

static bool is_there(struct import_line *line, struct text body)
{
    struct stored found;
    struct arena arena;
    arena_init(&arena, "import");
    const struct document_change *change = &line->change;
    bool equal =
        document_read(change->documents, &change->place, &arena, &found) == OK && text_equal(found.bytes, body);
    arena_clear(&arena);
    return equal;
}

static void run_document(struct import_line *line)
{
    struct document_change *change = &line->change;
    line->import->outstanding++; /* before: the wait may be over at once */
    if (document_change_run(change, line_ready, line) == DOCUMENT_WAITING)
        return;
    line->import->outstanding--;
    change_count(line->import->call->service, change);
    if (change->status == REFUSED && change->refusal.kind == REFUSAL_PRECONDITION)
        line_exists(line);
    else if (change->status != OK)
        line_fail(line, change->status, &change->refusal);
    else
        line_end(line, change->created ? ADDED : REPLACED);
}

static void begin_document(struct import_line *line)
{
    static const struct text any = TEXT_INIT("*");
    static const char *const members[] = {"document", "body", NULL};
    struct import *import = line->import;
    struct refusal refusal = {0};
    struct document_place place = {0};
    struct text path, body;
    bool broken = false;
    if (!admin_member(line->json, "document", &path, &broken) || !admin_member(line->json, "body", &body, &broken)) {
        line_refuse(line, 400, TEXT("A line is a user with a password or hashes, or a document with a body."), NULL);
        return;
    }
    if (!members_known(line, members))
        return;
    enum status status = find_place(line, path, &place, &refusal);
    if (status == OK)
        status = check_owner(import, place.key.owner, &refusal);
    if (status != OK) {
        line_fail(line, status, &refusal);
        return;
    }
    change_begin(&line->change, import->call->service, import->call->request, &place);
    line->change.body = body;
    line->change.who = who;
    line->change.if_match = NULL;
    line->change.if_none_match = import->existing == EXISTING_REPLACED ? NULL : &any;
    if (import->existing == EXISTING_REPLACED && is_there(line, body))
        line_end(line, UNCHANGED);
    else
        run_document(line);
}

/* --- a line --------------------------------------------------------------------------------------------------- */

static void line_begin(struct import_line *line)
{
    json_error_t error;
    if (line->phase == PHASE_DOCUMENTS) {
        begin_document(line);
        return;
    }
    line->json = json_loadb(line->text.bytes, line->text.length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(line->json)) {
        line_refuse(line, 400, TEXT("The line is no JSON object in UTF-8."), NULL);
        return;
    }
    if (json_object_get(line->json, "user"))
        begin_user(line);
    else
        line->phase = PHASE_DOCUMENTS; /* kept, read as it is, until all users are there */
}

static void line_resume(struct import_line *line)
{
    if (line->import->phase == PHASE_USERS)
        end_user(line);
    else
        run_document(line);
}
