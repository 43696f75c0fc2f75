/* Memory of one request, transaction or configuration: taken piece by piece, given back at once. Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    const char *name; /* static; for debugging */
    struct arena_block *blocks;
    size_t total; /* bytes handed out since init or reset */
};

void arena_init(struct arena *arena, const char *name);

/* The same with a first block in the caller's storage, which outlives the arena's use: what fits needs no heap. */
void arena_init_in(struct arena *arena, const char *name, void *storage, size_t size);

/* Zeroed and aligned for any type. Never NULL: out of memory ends the process. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_alloc_raw(struct arena *arena, size_t size); /* not zeroed: for what is filled at once */

/* Frees everything but one block, which is used again: for loops. */
void arena_reset(struct arena *arena);
void arena_clear(struct arena *arena); /* frees everything; the arena may be used again */

#define arena_new(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

/* Heap memory outside arenas, zeroed; out of memory ends the process. Freed with free(). */
void *memory_new(size_t size);
void *memory_new_raw(size_t size); /* not zeroed */
void *memory_resize(void *memory, size_t size);

/* The same for what comes and goes with each message: pieces that are given back are kept for the next of about their
 * size, by each thread for itself, in bounds. Not zeroed. Never for free() or memory_resize: given back with the size
 * it was taken with, by whatever thread. */
void *memory_take(size_t size);
void memory_give(void *memory, size_t size); /* NULL: nothing */
size_t memory_size(size_t size);             /* what is really taken for it */
void memory_spare(size_t bytes_max);         /* how much this thread may keep so; 4 MiB unless it says otherwise */

#endif
