/* Tables of uthash as all modules have them: out of memory ends the process, as everywhere, and keys are hashed with
 * the key of this process, since peers choose what is looked for. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdlib.h>

#include "text.h"

#define uthash_fatal(message) abort()
#define HASH_FUNCTION(key, size, hash)                                                                                 \
    ((hash) = (unsigned)text_hash((struct text){(const char *)(key), (size)}, text_hash_seed()))
#include <uthash.h>

#endif
