/* The description of the admin API and of the policy query, for programs that make clients of it. The build turns
 * openapi.json, beside this file, into bytes. */
#include "openapi_json.h"
#include "service_admin.h"

enum http_progress admin_openapi(struct admin_call *call)
{
    respond_document(call->response, 200, TEXT("application/json"),
                     (struct text){(const char *)openapi_json, sizeof(openapi_json)});
    http_response_header(call->response, "Cache-Control", TEXT("private, no-cache"));
    return HTTP_DONE;
}
