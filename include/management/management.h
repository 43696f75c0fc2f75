/* The management port of a program: what monitoring asks of it, as numbers and as yes or no. A handler for
 * http_server_open; what makes a program ready is the program's own. */
#ifndef MANAGEMENT_MANAGEMENT_H
#define MANAGEMENT_MANAGEMENT_H

#include "http.h"

struct management {
    /* NULL when the program may be sent work, else one line that says why not; for as long as the request lives.
     * Called by many threads at once. */
    const char *(*trouble)(void *context, struct arena *arena);
    void *context;
};

/* GET and HEAD of /metrics (text format of Prometheus), /livez (200 while the process answers) and /readyz (200, or 503
 * with what `trouble` says). */
enum http_progress management_answer(const struct management *management, struct http_request *request,
                                     struct http_response *response);

#endif
