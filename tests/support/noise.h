/* Bytes that cannot be packed: documents that need the room of their length. */
#ifndef SUPPORT_NOISE_H
#define SUPPORT_NOISE_H

#include <stdint.h>

#include "arena.h"
#include "xorshift.h"

static inline char *noise(struct arena *arena, size_t length)
{
    char *bytes = arena_alloc(arena, length);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(xorshift(&state) >> 32);
    return bytes;
}

#endif
