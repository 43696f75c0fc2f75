/* The kernel's random bytes: tags and seeds that a peer can guess would be an attack, so there is no weaker way. */
#include "random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arena.h"
#include "text.h"

#define POOL_BYTES 4096 /* of each thread */

void random_fill(void *bytes, size_t length)
{
    char *position = bytes;
    while (length) {
        ssize_t got = getrandom(position, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            perror("getrandom");
            abort();
        }
        position += got;
        length -= (size_t)got;
    }
}

/* Tags and branches are short and many: one call of the kernel serves some hundred. What was given out is wiped. */
static void take(void *bytes, size_t length)
{
    static _Thread_local struct {
        unsigned char bytes[POOL_BYTES];
        size_t left;
    } pool;
    if (length > POOL_BYTES / 4)
        return random_fill(bytes, length);
    if (length > pool.left) {
        random_fill(pool.bytes, POOL_BYTES);
        pool.left = POOL_BYTES;
    }
    pool.left -= length;
    memcpy(bytes, pool.bytes + pool.left, length);
    explicit_bzero(pool.bytes + pool.left, length);
}

struct text random_hex(struct arena *arena, size_t length)
{
    size_t count = (length + 1) / 2;
    void *bytes = arena_alloc_raw(arena, count);
    take(bytes, count);
    return text_slice(hex_encode(arena, bytes, count), 0, length);
}
