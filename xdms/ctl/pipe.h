/* Several requests to the admin API at once, over connections that are kept. */
#ifndef CTL_PIPE_H
#define CTL_PIPE_H

#include "ctl.h"

struct ctl_pipe;

/* status 0: the server was not reached, which has been said. `json` may be NULL and lives as long as the call. */
typedef void ctl_pipe_done_fn(void *context, long status, const json_t *json);

/* POSTs to `path` (below /api/v1/). `at_once` requests are under way at most. */
struct ctl_pipe *ctl_pipe_open(struct ctl *ctl, const char *path, const char *content_type, size_t at_once);

/* Waits until there is room. `body` stays until `done` is called, in a later call of one of these functions. */
void ctl_pipe_send(struct ctl_pipe *pipe, struct text body, ctl_pipe_done_fn *done, void *context);
void ctl_pipe_drain(struct ctl_pipe *pipe); /* until every answer is there */
void ctl_pipe_close(struct ctl_pipe *pipe); /* drained */

#endif
