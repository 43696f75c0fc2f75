/* The management port of xdms: what makes it ready. */
#include "management.h"
#include "service_own.h"

static const char *trouble(void *context, struct arena *arena)
{
    const struct service *service = context;
    if (!atomic_load(&service->ready))
        return "starting or stopping";
    return document_store_answers(service->documents, arena) ? NULL : "the store cannot be read";
}

enum http_progress service_management(void *service, struct http_request *request, struct http_response *response)
{
    const struct management management = {trouble, service};
    return management_answer(&management, request, response);
}
