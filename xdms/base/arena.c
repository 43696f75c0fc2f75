/* Arenas are lists of blocks; the first block is the one being filled. Limits on every input keep memory small, so
 * running out of it is the machine's trouble: the process ends and its supervisor starts it again. */
#include "arena.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT      16             /* of malloc and of every type we store */
#define BLOCK_SIZE_MIN 4096           /* one page: most requests need no second block */
#define BLOCK_SIZE_MAX 65536          /* doubling stops here, so that little is left unused */
#define SPARE_MAX      32             /* blocks kept by each thread */
#define REQUEST_MAX    (SIZE_MAX / 4) /* anything above is an overflowed calculation */

static_assert(ALIGNMENT >= alignof(max_align_t), "any type must fit");

/* AddressSanitizer sees an overflow only at the end of an allocation, so there each piece gets a block of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_PER_PIECE true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_PER_PIECE true
#endif
#endif
#ifndef BLOCK_PER_PIECE
#define BLOCK_PER_PIECE false
#endif

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes */
    size_t used;
    bool borrowed; /* the caller's storage */
    alignas(ALIGNMENT) char bytes[];
};

static _Noreturn void out_of_memory(size_t size, const char *where)
{
    fprintf(stderr, "out of memory: %zu bytes for %s\n", size, where);
    abort();
}

void arena_init(struct arena *arena, const char *name)
{
    *arena = (struct arena){.name = name};
}

/* Blocks of the smallest size come and go with each request: a few are kept for the next, still in the cache of the
 * processor. */
static _Thread_local struct {
    struct arena_block *first;
    size_t count;
    bool known; /* goes with its thread */
} spare;

static pthread_key_t spare_key;

static void spare_clear(void *ignored)
{
    (void)ignored;
    while (spare.first) {
        struct arena_block *block = spare.first;
        spare.first = block->next;
        free(block);
    }
    spare.count = 0;
    spare.known = false;
}

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

static struct arena_block *take_spare(void)
{
    struct arena_block *block = spare.first;
    spare.first = block->next;
    spare.count--;
    block->next = NULL;
    block->used = 0;
    return block;
}

static struct arena_block *block_new(const struct arena *arena, size_t size)
{
    if (size == BLOCK_SIZE_MIN && spare.first)
        return take_spare();
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (!block)
        out_of_memory(size, arena->name);
    *block = (struct arena_block){.size = size};
    return block;
}

void arena_init_in(struct arena *arena, const char *name, void *storage, size_t size)
{
    arena_init(arena, name);
    if (BLOCK_PER_PIECE || size <= sizeof(struct arena_block))
        return;
    assert((uintptr_t)storage % ALIGNMENT == 0);
    arena->blocks = storage;
    *arena->blocks = (struct arena_block){.size = size - sizeof(struct arena_block), .borrowed = true};
}

static void block_free(struct arena_block *block)
{
    if (block->borrowed)
        return;
    if (BLOCK_PER_PIECE || block->size != BLOCK_SIZE_MIN || spare.count == SPARE_MAX) {
        free(block);
        return;
    }
    if (!spare.known)
        spare_know();
    block->next = spare.first;
    spare.first = block;
    spare.count++;
}

/* A block with room for `size` bytes. A big piece goes behind the block being filled, whose rest stays in use. */
static struct arena_block *block_with_room(struct arena *arena, size_t size)
{
    struct arena_block *first = arena->blocks;
    if (first && first->size - first->used >= size)
        return first;
    size_t regular = BLOCK_SIZE_MIN;
    if (first && first->size >= BLOCK_SIZE_MIN)
        regular = first->size < BLOCK_SIZE_MAX / 2 ? first->size * 2 : BLOCK_SIZE_MAX;
    bool own = BLOCK_PER_PIECE || size > regular / 4;
    struct arena_block *block = block_new(arena, own ? size : regular);
    struct arena_block **place = own && first ? &first->next : &arena->blocks;
    block->next = *place;
    *place = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc_raw(arena, size), 0, size);
}

static size_t rounded(size_t size)
{
    return BLOCK_PER_PIECE ? size : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void *take_piece(struct arena_block *block, size_t size)
{
    void *piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

static __attribute__((noinline)) void *alloc_elsewhere(struct arena *arena, size_t size)
{
    if (size > REQUEST_MAX)
        out_of_memory(size, arena->name);
    arena->total += size;
    return take_piece(block_with_room(arena, rounded(size)), rounded(size));
}

/* A hundred for each message, nearly all of them here. */
void *arena_alloc_raw(struct arena *arena, size_t size)
{
    struct arena_block *first = arena->blocks;
    if (BLOCK_PER_PIECE || !first || size > REQUEST_MAX || first->size - first->used < rounded(size))
        return alloc_elsewhere(arena, size);
    arena->total += size;
    return take_piece(first, rounded(size));
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;
    struct arena_block *next;
    for (struct arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        bool regular = block->size >= BLOCK_SIZE_MIN && block->size <= BLOCK_SIZE_MAX;
        if (regular && !kept && !BLOCK_PER_PIECE)
            kept = block;
        else
            block_free(block);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
    arena->total = 0;
}

void arena_clear(struct arena *arena)
{
    struct arena_block *next;
    for (struct arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        block_free(block);
    }
    arena->blocks = NULL;
    arena->total = 0;
}

void *memory_new(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        out_of_memory(size, "the heap");
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
        out_of_memory(size, "the heap");
    return resized;
}
