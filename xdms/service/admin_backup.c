/* A copy of the store while it is in use, into a folder of this machine. */
#include "log.h"
#include "service_admin.h"

enum http_progress admin_backup(struct admin_call *call)
{
    struct arena *arena = call->request->arena;
    struct text folder, error = {0};
    bool broken = false;
    json_t *body;
    if (!admin_body(call, &body))
        return HTTP_DONE;
    bool given = admin_member(body, "folder", &folder, &broken);
    const char *path = text_cstring(arena, folder);
    bool usable = given && path[0] == '/' && strlen(path) == folder.length;
    json_decref(body);
    if (!usable)
        return admin_error(call, 400, TEXT("folder must be an absolute path."));
    enum status status = store_backup(documents_store(call->service->documents), path, arena, &error);
    if (status != OK && error.length == 0)
        error = text_of(respond_phrase(status));
    if (status == REFUSED || status == CONFLICT)
        return admin_error(call, 409, error);
    if (status != OK) {
        log_error("backup failed folder=%s reason=%.*s", path, TEXT_ARG(error));
        return admin_error(call, status == FULL ? 507 : 500, error);
    }
    log_info("backup made folder=%s", path);
    return admin_answer(call, 200, json_pack("{s:o}", "folder", admin_string(call, text_of(path))));
}
