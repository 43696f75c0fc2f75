/* The kernel's random bytes: tags and seeds that a peer can guess would be an attack, so there is no weaker way. */
#include "random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "arena.h"
#include "text.h"

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

struct text random_hex(struct arena *arena, size_t length)
{
    size_t count = (length + 1) / 2;
    void *bytes = arena_alloc(arena, count);
    random_fill(bytes, count);
    return text_slice(hex_encode(arena, bytes, count), 0, length);
}
