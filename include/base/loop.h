/* One epoll loop per thread: descriptors, one deadline per watcher set, signals, and a way to call in from other
 * threads. Nothing is called from inside another call: the loop takes events one by one. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

#include "status.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fd_fn(void *context, int fd, unsigned events); /* LOOP_READ | LOOP_WRITE */
typedef void loop_fn(void *context);
typedef int64_t loop_deadline_fn(void *context, int64_t now_ms); /* next call in monotonic ms, INT64_MAX: none */

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* A descriptor is watched until loop_unwatch; calling again changes the events. */
void loop_watch(struct loop *loop, int fd, unsigned events, loop_fd_fn *call, void *context);
void loop_unwatch(struct loop *loop, int fd);

/* Called when `signal_number` arrives (blocked for the whole process by this call: call before threads start). */
void loop_signal(struct loop *loop, int signal_number, loop_fn *call, void *context);

/* Asked before each sleep and after each batch of events: runs what is due, says when it wants to run next. */
void loop_set_deadline(struct loop *loop, loop_deadline_fn *call, void *context);

/* From any thread: `call` runs on the loop's thread soon, in the order posted. */
void loop_post(struct loop *loop, loop_fn *call, void *context);

void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

#endif
