/* Builds the indexes of searches anew while documents are read and changed. It has a thread of its own, and the request
 * waits for it. */
#include <pthread.h>

#include "document_index.h"
#include "log.h"
#include "service_admin.h"

struct reindex {
    struct service *service;
    struct http_request *request;
    const struct usage *usage; /* NULL: all that can be searched */

    /* results */
    enum status status;
    struct store_index_work work;
};

static void *reindex_run(void *context);
static enum http_progress reindex_answer(struct admin_call *call);
static bool read_usage(struct admin_call *call, struct reindex *reindex);

enum http_progress admin_reindex(struct admin_call *call)
{
    if (call->reindex)
        return reindex_answer(call);
    struct reindex *reindex = arena_new(call->request->arena, struct reindex);
    pthread_attr_t detached;
    pthread_t thread;
    *reindex = (struct reindex){.service = call->service, .request = call->request};
    if (!read_usage(call, reindex))
        return HTTP_DONE;
    if (!service_job_begin(call->service))
        return admin_error(call, 409, TEXT("A backup or another building of indexes is under way."));
    call->reindex = reindex;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &detached, reindex_run, reindex);
    pthread_attr_destroy(&detached);
    if (!error)
        return HTTP_WAITING;
    service_job_end(call->service);
    return admin_error(call, 500, TEXT("There is no thread to be had."));
}

static bool is_searchable(const struct usage *usage)
{
    return usage && (usage_searchable(usage, XCAP_USERS) || usage_searchable(usage, XCAP_GLOBAL));
}

static bool read_usage(struct admin_call *call, struct reindex *reindex)
{
    struct text auid;
    bool broken = false;
    json_t *body;
    if (!admin_body(call, "usage", &body))
        return false;
    bool given = admin_member(body, "usage", &auid, &broken);
    reindex->usage = given ? usage_find(documents_usages(call->service->documents), auid) : NULL;
    json_decref(body);
    if (!broken && (!given || is_searchable(reindex->usage)))
        return true;
    admin_error(call, 400, TEXT("usage is the AUID of a document service that can be searched."));
    return false;
}

/* The request keeps the usages in force that it entered with. */
static void *reindex_run(void *context)
{
    struct reindex *reindex = context;
    struct service *service = reindex->service;
    const struct usage_set *set = documents_usages(service->documents);
    for (size_t i = 0; reindex->status == OK && i < usage_count(set); i++) {
        const struct usage *usage = usage_at(set, i);
        struct store_index_work work;
        if (!is_searchable(usage) || (reindex->usage && usage != reindex->usage))
            continue;
        reindex->status = document_index_rebuild(service->documents, usage, NULL, &work);
        reindex->work.documents += work.documents;
        reindex->work.entries += work.entries;
    }
    struct http_request *request = reindex->request;
    service_job_end(service); /* the store is not needed any more */
    http_resume(request);
    return NULL;
}

static enum http_progress reindex_answer(struct admin_call *call)
{
    const struct reindex *reindex = call->reindex;
    if (reindex->status != OK) {
        log_error("indexes were not built reason=%s", status_name(reindex->status));
        return admin_refused(call, reindex->status, NULL);
    }
    log_info("indexes built documents=%llu entries=%llu", (unsigned long long)reindex->work.documents,
             (unsigned long long)reindex->work.entries);
    return admin_answer(call, 200,
                        json_pack("{s:I, s:I}", "documents", (json_int_t)reindex->work.documents, "entries",
                                  (json_int_t)reindex->work.entries));
}
