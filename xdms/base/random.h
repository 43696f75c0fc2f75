/* Random bytes from the kernel, for the module's own use. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

void random_fill(void *bytes, size_t length);

#endif
