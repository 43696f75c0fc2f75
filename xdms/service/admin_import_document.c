/* A line of an import that brings a document: it takes the way of a PUT, checks and all. */
#include "admin_import.h"
#include "user.h"
#include "xcap_target.h"

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

void import_document_resume(struct import_line *line)
{
    struct document_change *change = &line->change;
    line->import->outstanding++; /* before: the wait may be over at once */
    if (document_change_run(change, import_line_ready, line) == DOCUMENT_WAITING)
        return;
    line->import->outstanding--;
    change_count(line->import->call->service, change);
    if (change->status == REFUSED && change->refusal.kind == REFUSAL_PRECONDITION)
        import_line_exists(line);
    else if (change->status != OK)
        import_line_fail(line, change->status, &change->refusal);
    else
        import_line_end(line, change->created ? ADDED : REPLACED);
}

void import_document_begin(struct import_line *line)
{
    static const struct text any = TEXT_INIT("*");
    static const char *const members[] = {"document", "body", NULL};
    struct import *import = line->import;
    struct refusal refusal = {0};
    struct document_place place = {0};
    struct text path, body;
    bool broken = false;
    if (!admin_member(line->json, "document", &path, &broken) || !admin_member(line->json, "body", &body, &broken)) {
        import_line_refuse(line, 400, TEXT("A line is a user with a password or hashes, or a document with a body."),
                           NULL);
        return;
    }
    if (!import_members_known(line, members))
        return;
    enum status status = find_place(line, path, &place, &refusal);
    if (status == OK)
        status = check_owner(import, place.key.owner, &refusal);
    if (status != OK) {
        import_line_fail(line, status, &refusal);
        return;
    }
    change_begin(&line->change, import->call->service, import->call->request, &place);
    line->change.body = body;
    line->change.who = IMPORT_WHO;
    if (change_name_owner(&line->change) != OK) {
        import_line_fail(line, FAILED, &refusal);
        return;
    }
    line->change.if_match = NULL;
    line->change.if_none_match = import->existing == EXISTING_REPLACED ? NULL : &any;
    if (import->existing == EXISTING_REPLACED && is_there(line, body))
        import_line_end(line, UNCHANGED);
    else
        import_document_resume(line);
}
