/* Arenas are lists of blocks; the first block is the one being filled. */
#include "arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT      16             /* of malloc and of every type we store */
#define BLOCK_SIZE_MIN 4096           /* with its head one page: most requests need no second block */
#define BLOCK_SIZE_MAX 65536          /* doubling stops here, so that little is left unused */
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

static size_t whole(const struct arena_block *block)
{
    return sizeof(*block) + block->size;
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = memory_take(sizeof(*block) + size);
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
    if (!block->borrowed)
        memory_give(block, whole(block));
}

/* A block with room for `size` bytes. A big piece goes behind the block being filled, whose rest stays in use. */
static struct arena_block *block_with_room(struct arena *arena, size_t size)
{
    struct arena_block *first = arena->blocks;
    if (first && first->size - first->used >= size)
        return first;
    size_t regular = BLOCK_SIZE_MIN;
    if (first && whole(first) >= BLOCK_SIZE_MIN)
        regular = whole(first) < BLOCK_SIZE_MAX / 2 ? whole(first) * 2 : BLOCK_SIZE_MAX;
    bool own = BLOCK_PER_PIECE || size > regular / 4;
    struct arena_block *block = block_new(own ? size : regular - sizeof(*block));
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
        bool regular = whole(block) >= BLOCK_SIZE_MIN && whole(block) <= BLOCK_SIZE_MAX;
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
