/* xorshift64: numbers that look like chance, the same on every machine and in every run. */
#ifndef SUPPORT_XORSHIFT_H
#define SUPPORT_XORSHIFT_H

#include <stdint.h>

/* `state` is never 0. */
static inline uint64_t xorshift(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
