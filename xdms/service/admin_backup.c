/* A copy of the store while it is in use, into a folder of this machine. A large one takes minutes: it has a thread of
 * its own, and the request waits for it. */
#include <pthread.h>
#include <sys/stat.h>

#include "log.h"
#include "service_admin.h"

struct backup {
    struct service *service;
    struct http_request *request;
    const char *folder;
    bool check;

    /* results */
    enum status status;
    struct text error;
    struct text_builder problems; /* of the copy, one a line */
    struct arena arena;           /* of the thread's own */
};

static bool begin_backup(struct admin_call *call);
static bool read_backup(struct admin_call *call, struct backup *backup);
static void *backup_run(void *context);
static enum http_progress backup_answer(struct admin_call *call);

enum http_progress admin_backup(struct admin_call *call)
{
    if (call->backup)
        return backup_answer(call);
    return begin_backup(call) ? HTTP_WAITING : HTTP_DONE;
}

static bool begin_backup(struct admin_call *call)
{
    struct service *service = call->service;
    struct backup *backup = arena_new(call->request->arena, struct backup);
    pthread_attr_t detached;
    pthread_t thread;
    *backup = (struct backup){.service = service, .request = call->request};
    if (!read_backup(call, backup))
        return false;
    if (!service_job_begin(service)) {
        admin_error(call, 409, TEXT("Another backup is being made."));
        return false;
    }
    arena_init(&backup->arena, "backup");
    builder_init(&backup->problems, &backup->arena);
    call->backup = backup;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &detached, backup_run, backup);
    pthread_attr_destroy(&detached);
    if (error) {
        service_job_end(service);
        admin_error(call, 500, TEXT("There is no thread to be had."));
    }
    return !error;
}

static bool read_backup(struct admin_call *call, struct backup *backup)
{
    struct text folder;
    bool broken = false;
    json_t *body;
    if (!admin_body(call, "folder check", &body))
        return false;
    const json_t *check = json_object_get(body, "check");
    bool given = admin_member(body, "folder", &folder, &broken);
    backup->folder = text_cstring(call->request->arena, folder);
    backup->check = json_is_true(check);
    bool usable = given && backup->folder[0] == '/' && strlen(backup->folder) == folder.length;
    bool checkable = !check || json_is_boolean(check);
    json_decref(body);
    if (!usable)
        admin_error(call, 400, TEXT("folder must be an absolute path."));
    else if (!checkable)
        admin_error(call, 400, TEXT("check is true or false."));
    return usable && checkable;
}

static void keep_problem(void *context, struct text line)
{
    struct text_builder *problems = context;
    log_error("backup is damaged: %.*s", TEXT_ARG(line));
    if (problems->length == 0)
        builder_add(problems, line);
}

static void *backup_run(void *context)
{
    struct backup *backup = context;
    struct service *service = backup->service;
    struct arena *arena = &backup->arena;
    backup->status = store_backup(documents_store(service->documents), backup->folder, arena, &backup->error);
    if (backup->status == OK && backup->check) {
        struct store *copy = store_open_lmdb(backup->folder, arena, &backup->error);
        backup->status = copy ? store_check(copy, keep_problem, &backup->problems) : FAILED;
        store_close(copy);
        if (backup->status != OK && backup->error.length == 0)
            backup->error = text_format(arena, "%s: the copy is damaged: %.*s", backup->folder,
                                        TEXT_ARG(builder_text(&backup->problems)));
        if (backup->status != OK)
            backup->status = FAILED;
    }
    struct http_request *request = backup->request;
    service_job_end(service); /* the store is not needed any more */
    http_resume(request);
    return NULL;
}

static json_int_t size_of(const char *folder, struct arena *arena)
{
    struct stat about;
    char *path = text_cstring(arena, text_format(arena, "%s/data.mdb", folder));
    return stat(path, &about) == 0 ? (json_int_t)about.st_size : 0;
}

static enum http_progress backup_answer(struct admin_call *call)
{
    struct backup *backup = call->backup;
    struct arena *arena = call->request->arena;
    struct text error = text_copy(arena, backup->error);
    enum status status = backup->status;
    arena_clear(&backup->arena);
    if (status != OK && error.length == 0)
        error = text_of(respond_phrase(status));
    if (status == REFUSED || status == CONFLICT)
        return admin_error(call, 409, error);
    if (status != OK) {
        log_error("backup failed folder=%s reason=%.*s", backup->folder, TEXT_ARG(error));
        return admin_error(call, status == FULL ? 507 : 500, error);
    }
    log_info("backup made folder=%s checked=%d", backup->folder, backup->check);
    return admin_answer(call, 200,
                        json_pack("{s:o, s:I, s:b}", "folder", admin_string(call, text_of(backup->folder)), "bytes",
                                  size_of(backup->folder, arena), "checked", backup->check));
}
