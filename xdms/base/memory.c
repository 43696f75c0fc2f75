/* The heap, and what is kept of it for the next request. Limits on every input keep memory small, so running out of it
 * is the machine's trouble: the process ends and its supervisor starts it again. */
#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"

#define SIZE_CLASSES    57 /* 64, 80, 96, 112, 128, 160, … 1,048,576: a fifth is left unused at most */
#define SIZE_SMALLEST   ((size_t)64)
#define SIZE_LARGEST    ((size_t)1 << 20) /* a thousand commits at once */
#define SPARE_BYTES_MAX ((size_t)4 << 20) /* of a thread that does not say otherwise: some requests at once */

/* AddressSanitizer shall see who uses what was given back, or goes beyond the end; and it knows the size of each piece,
 * where a wrong one would put it among the pieces of another. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_SPARE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_SPARE false
#endif
#endif
#ifndef KEEPS_SPARE
#define KEEPS_SPARE true
#endif

struct piece {
    struct piece *next;
};

struct spare_class {
    struct piece *first;
    size_t bytes;
};

/* What was given back last is taken next: it is still in the cache of the processor. */
static _Thread_local struct {
    struct spare_class classes[SIZE_CLASSES];
    size_t bytes, bytes_max;
    bool known; /* goes with its thread */
} spare = {.bytes_max = SPARE_BYTES_MAX};

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

/* --- the heap --------------------------------------------------------------------------------------------------- */

void *memory_new(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

void *memory_new_raw(size_t size)
{
    return memory_resize(NULL, size);
}

void *memory_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size ? size : 1);
    if (!resized)
        out_of_memory(size);
    return resized;
}

/* --- what is kept ----------------------------------------------------------------------------------------------- */

static unsigned class_of(size_t size)
{
    if (size <= SIZE_SMALLEST)
        return 0;
    unsigned bits = 63u - (unsigned)__builtin_clzll(size - 1); /* 2^bits < size <= 2^(bits+1) */
    return 1 + 4 * (bits - 6) + (unsigned)((size - 1) >> (bits - 2)) - 4;
}

static size_t size_of(unsigned number)
{
    if (number == 0)
        return SIZE_SMALLEST;
    return (size_t)(5 + (number - 1) % 4) << (4 + (number - 1) / 4);
}

size_t memory_size(size_t size)
{
    return KEEPS_SPARE && size <= SIZE_LARGEST ? size_of(class_of(size)) : size;
}

static void drop(struct spare_class *class, size_t size)
{
    struct piece *piece = class->first;
    class->first = piece->next;
    class->bytes -= size;
    spare.bytes -= size;
    free(piece);
}

static void spare_clear(void *ignored)
{
    (void)ignored;
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        while (spare.classes[i].first)
            drop(&spare.classes[i], size_of(i));
    spare.known = false;
}

static pthread_key_t spare_key;

static void spare_open(void)
{
    if (pthread_key_create(&spare_key, spare_clear) != 0)
        abort();
}

/* Threads that end, as those of a backup, leave nothing behind. */
static void spare_know(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, spare_open);
    pthread_setspecific(spare_key, &spare);
    spare.known = true;
}

/* Sizes that were needed once make room for those that are needed now. */
static __attribute__((noinline)) void drop_some(void)
{
    unsigned most = 0;
    for (unsigned i = 1; i < SIZE_CLASSES; i++)
        if (spare.classes[i].bytes > spare.classes[most].bytes)
            most = i;
    drop(&spare.classes[most], size_of(most));
}

void *memory_take(size_t size)
{
    if (!KEEPS_SPARE || size > SIZE_LARGEST)
        return memory_new_raw(size);
    unsigned number = class_of(size);
    struct spare_class *class = &spare.classes[number];
    struct piece *piece = class->first;
    if (!piece)
        return memory_new_raw(size_of(number));
    class->first = piece->next;
    __builtin_prefetch(class->first, 1); /* of many that were under way at once the next one is far off */
    class->bytes -= size_of(number);
    spare.bytes -= size_of(number);
    return piece;
}

void memory_give(void *memory, size_t size)
{
    unsigned number = size <= SIZE_LARGEST ? class_of(size) : 0;
    struct spare_class *class = &spare.classes[number];
    if (!KEEPS_SPARE || size > SIZE_LARGEST || !memory) {
        assert(KEEPS_SPARE || !memory || malloc_usable_size(memory) == (size ? size : 1));
        free(memory);
        return;
    }
    if (!spare.known)
        spare_know();
    struct piece *piece = memory;
    piece->next = class->first;
    class->first = piece;
    class->bytes += size_of(number);
    spare.bytes += size_of(number);
    while (spare.bytes > spare.bytes_max)
        drop_some();
}

void memory_spare(size_t bytes_max)
{
    spare.bytes_max = bytes_max;
    while (spare.bytes > spare.bytes_max)
        drop_some();
}
