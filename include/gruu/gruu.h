/* Temporary addresses of devices (RFC 5627 §3.1.2): whose they are is inside them, encrypted, so that nothing has to be
 * remembered and two of them have nothing in common. Pure but for random numbers. */
#ifndef GRUU_GRUU_H
#define GRUU_GRUU_H

#include <stdint.h>

#include "arena.h"
#include "text.h"

#define GRUU_KEY_BYTES 32

/* What one leads to. */
struct gruu {
    struct text address;      /* of record */
    struct text instance;     /* of the device */
    struct text registration; /* gruu_registration of the Call-ID that it registered with: another one, another life */
};

struct text gruu_registration(struct text call_id, struct arena *arena);

/* The user part of one, a new one each time. No part of what it leads to may hold a line feed. */
struct text gruu_make(const uint8_t key[GRUU_KEY_BYTES], const struct gruu *gruu, struct arena *arena);

/* Is it the user part of one? False also for one that was made up, or with another key. */
bool gruu_read(const uint8_t key[GRUU_KEY_BYTES], struct text user, struct arena *arena, struct gruu *gruu_out);

#endif
