/* The library allocates some ten small pieces for each element that it reads, validates and forgets: a fifth of all the
 * work. Here each thread has a block for them, whose pieces are taken one after another. What the library forgets to
 * free (it does for some invalid documents when it validates without a tree) goes with the rest. */
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

#define ALIGNMENT       16
#define BLOCK_BYTES     (128u << 10) /* all that a document of 2 KB takes; a thread's first block stays */
#define BLOCK_BYTES_MAX (4u << 20)   /* each further block is twice as large, up to this */

struct piece { /* before its bytes */
    size_t size;
    size_t unused; /* keeps the bytes aligned */
};

static_assert(sizeof(struct piece) == ALIGNMENT, "bytes after it are aligned");

struct block {
    char *bytes;
    size_t size;
};

struct scratch {
    bool active;
    struct block *blocks;
    size_t count, room; /* of blocks */
    size_t used;        /* of the last one */
};

static _Thread_local struct scratch scratch;
static pthread_key_t at_thread_end;

static void add_block(size_t size)
{
    if (scratch.count == scratch.room) {
        scratch.room = scratch.room ? 2 * scratch.room : 8;
        scratch.blocks = memory_resize(scratch.blocks, scratch.room * sizeof(*scratch.blocks));
    }
    scratch.blocks[scratch.count++] = (struct block){memory_new_raw(size), size};
    scratch.used = 0;
}

static size_t room_of(size_t size)
{
    return (size + sizeof(struct piece) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void *scratch_new(size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    const struct block *last = &scratch.blocks[scratch.count - 1];
    if (room_of(size) > last->size - scratch.used) {
        size_t twice = last->size < BLOCK_BYTES_MAX / 2 ? 2 * last->size : BLOCK_BYTES_MAX;
        add_block(room_of(size) > twice ? room_of(size) : twice);
    }
    struct piece *piece = (struct piece *)(void *)(scratch.blocks[scratch.count - 1].bytes + scratch.used);
    scratch.used += room_of(size);
    piece->size = size;
    return piece + 1;
}

static bool is_scratch(const void *memory)
{
    for (size_t i = scratch.count; i > 0; i--)
        if ((uintptr_t)memory - (uintptr_t)scratch.blocks[i - 1].bytes < scratch.blocks[i - 1].size)
            return true;
    return false;
}

static void *library_new(size_t size)
{
    return scratch.active ? scratch_new(size) : malloc(size);
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
    size_t room = room_of(piece->size);
    if (room <= scratch.used && (char *)piece == scratch.blocks[scratch.count - 1].bytes + scratch.used - room)
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
        free(scratch.blocks[--scratch.count].bytes);
}

static void on_thread_end(void *unused)
{
    (void)unused;
    xml_scratch_close();
}

void xml_scratch_close(void)
{
    free_blocks(0);
    free(scratch.blocks);
    scratch.blocks = NULL;
    scratch.room = 0;
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
    xmlResetLastError(); /* it belongs to the heap: the library would replace it */
    if (scratch.count == 0) {
        add_block(BLOCK_BYTES);
        pthread_setspecific(at_thread_end, &scratch); /* any value: it is the call that is wanted */
    }
    scratch.used = 0;
    scratch.active = true;
}

void xml_scratch_end(void)
{
    xmlResetLastError();
    scratch.active = false;
    free_blocks(1);
}
