/* The library allocates some ten small pieces for each element that it reads, validates and forgets: a fifth of all the
 * work. Here each thread has a block for them, whose pieces are taken one after another. */
#include "xml_scratch.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xmlerror.h>
#include <libxml/xmlmemory.h>

#include "arena.h"

#define ALIGNMENT   16
#define BLOCK_BYTES (128u << 10) /* all that a document of 2 KB takes; a thread's first block stays */
#define BLOCKS_MAX  64           /* 8 MB; what a large document takes beyond comes from the heap */

/* AddressSanitizer shall see each piece. */
#if defined(__SANITIZE_ADDRESS__)
#define SCRATCH false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCRATCH false
#endif
#endif
#ifndef SCRATCH
#define SCRATCH true
#endif

struct piece { /* before its bytes */
    size_t size;
    size_t unused; /* keeps the bytes aligned */
};

static_assert(sizeof(struct piece) == ALIGNMENT, "bytes after it are aligned");

struct scratch {
    bool active;
    char *blocks[BLOCKS_MAX];
    size_t count; /* of blocks */
    size_t used;  /* of the last one */
};

static _Thread_local struct scratch scratch;
static pthread_key_t at_thread_end;

static void *scratch_new(size_t size)
{
    size_t room = (size + sizeof(struct piece) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > BLOCK_BYTES / 4)
        return NULL;
    if (room > BLOCK_BYTES - scratch.used) {
        if (scratch.count == BLOCKS_MAX)
            return NULL;
        scratch.blocks[scratch.count++] = memory_new_raw(BLOCK_BYTES);
        scratch.used = 0;
    }
    struct piece *piece = (struct piece *)(void *)(scratch.blocks[scratch.count - 1] + scratch.used);
    scratch.used += room;
    piece->size = size;
    return piece + 1;
}

static bool is_scratch(const void *memory)
{
    for (size_t i = scratch.count; i > 0; i--)
        if ((uintptr_t)memory - (uintptr_t)scratch.blocks[i - 1] < BLOCK_BYTES)
            return true;
    return false;
}

static void *library_new(size_t size)
{
    void *memory = scratch.active ? scratch_new(size) : NULL;
    return memory ? memory : malloc(size);
}

/* The piece taken last can be taken again at once: names and values come and go like that. */
static void library_free(void *memory)
{
    if (!memory)
        return;
    if (!scratch.active || !is_scratch(memory)) {
        free(memory);
        return;
    }
    struct piece *piece = (struct piece *)memory - 1;
    size_t room = (piece->size + sizeof(*piece) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    char *last = scratch.blocks[scratch.count - 1] + scratch.used - room;
    if ((char *)piece == last)
        scratch.used -= room;
}

static void *library_resize(void *memory, size_t size)
{
    if (!memory)
        return library_new(size);
    if (!scratch.active || !is_scratch(memory))
        return realloc(memory, size);
    size_t before = ((struct piece *)memory - 1)->size;
    if (size <= before)
        return memory;
    void *resized = library_new(size);
    if (resized)
        memcpy(resized, memory, before);
    return resized;
}

static char *library_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = library_new(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void free_blocks(size_t kept)
{
    while (scratch.count > kept)
        free(scratch.blocks[--scratch.count]);
}

static void on_thread_end(void *unused)
{
    (void)unused;
    free_blocks(0);
}

static void make_key(void)
{
    int error = pthread_key_create(&at_thread_end, on_thread_end);
    assert(error == 0);
}

void xml_scratch_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    xmlMemSetup(library_free, library_new, library_resize, library_copy);
}

void xml_scratch_begin(void)
{
    assert(!scratch.active);
    if (!SCRATCH)
        return;
    xmlResetLastError(); /* it belongs to the heap: the library would replace it */
    if (scratch.count == 0) {
        scratch.blocks[scratch.count++] = memory_new_raw(BLOCK_BYTES);
        pthread_setspecific(at_thread_end, &scratch); /* any value: it is the call that is wanted */
    }
    scratch.used = 0;
    scratch.active = true;
}

void xml_scratch_end(void)
{
    if (!SCRATCH)
        return;
    xmlResetLastError();
    scratch.active = false;
    free_blocks(1);
}
