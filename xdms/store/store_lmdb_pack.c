/* Documents are packed in the database where that makes them shorter: text of a document repeats itself, and what is
 * not written needs no disk, no page of memory and no time of a backup. Whether a value is packed shows in its length.
 * The one file that knows LZ4. docs/decisions/documents-are-packed.md has the figures. */
#include <lz4.h>

#include "store_lmdb.h"

#define PACK_MIN  512 /* bytes; records of users and bindings are shorter, and repeat nothing */
#define PACK_GAIN 8   /* what is shorter by less than a part in so many is not worth the unpacking */

struct text lmdb_pack(struct text bytes, struct arena *arena)
{
    if (bytes.length < PACK_MIN || bytes.length > LZ4_MAX_INPUT_SIZE)
        return bytes;
    size_t room = bytes.length - bytes.length / PACK_GAIN;
    char *packed = arena_alloc(arena, room);
    int length = LZ4_compress_default(bytes.bytes, packed, (int)bytes.length, (int)room);
    return length > 0 ? (struct text){packed, (size_t)length} : bytes; /* 0: there was no room for it */
}

bool lmdb_unpack(struct text stored, uint64_t size, struct arena *arena, struct text *bytes_out)
{
    if (stored.length > size || size > STORE_DOCUMENT_MAX)
        return false;
    if (stored.length == size) {
        *bytes_out = text_copy(arena, stored);
        return true;
    }
    char *bytes = arena_alloc_raw(arena, size);
    int length = LZ4_decompress_safe(stored.bytes, bytes, (int)stored.length, (int)size);
    *bytes_out = (struct text){bytes, size};
    return length >= 0 && (uint64_t)length == size;
}
