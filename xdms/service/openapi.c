/* The description of the admin API and of the policy query, for programs that make clients of it. The build turns
 * openapi.json, beside this file, into bytes. */
#include "openapi_json.h"
#include "service_admin.h"

enum http_progress admin_openapi(struct admin_call *call)
{
    admin_document(call, TEXT("application/json"), (struct text){(const char *)openapi_json, sizeof(openapi_json)});
    return HTTP_DONE;
}
