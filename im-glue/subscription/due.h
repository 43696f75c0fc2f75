/* What is due when: the earliest of many moments, each of which may change. */
#ifndef SUBSCRIPTION_DUE_H
#define SUBSCRIPTION_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due {
    int64_t at_ms; /* monotonic */
    size_t place;  /* in the heap, from 1; 0: not in it */
};

struct due_heap {
    struct due **entries; /* [0] is not used */
    size_t count, capacity;
};

void due_set(struct due_heap *heap, struct due *due, int64_t at_ms); /* INT64_MAX: never */
void due_remove(struct due_heap *heap, struct due *due);
struct due *due_first(const struct due_heap *heap); /* NULL: nothing */
int64_t due_deadline(const struct due_heap *heap);  /* INT64_MAX: none */
void due_clear(struct due_heap *heap);

#endif
