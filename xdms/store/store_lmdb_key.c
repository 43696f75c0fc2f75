/* Turns parts into LMDB keys of at most 511 bytes that sort as the parts do. Knows nothing of what the parts mean.
 *
 * Parts are joined by NUL, which no part holds and which sorts before every other byte. A part that has no room keeps
 * its first bytes and ends in the SHA-256 of the whole in hex. Such a part has exactly as many bytes as its room, a
 * plain one always fewer, so that no part can be made to look like another. The room of a part follows from the parts
 * before it alone: all keys with the same first parts share one prefix, and are listed together whatever their length.
 * Among parts that share their first bytes up to the hash the order is that of the hashes. */
#include <assert.h>
#include <nettle/sha2.h>

#include "store_lmdb.h"

#define HASH_LENGTH   (2 * SHA256_DIGEST_SIZE)
#define PART_ROOM_MIN (HASH_LENGTH + 16) /* kept for each later part: its hash, and some bytes for order */

static_assert(SHARED_PARTS * (PART_ROOM_MIN + 1) < LMDB_KEY_MAX, "every part has its least room");

static void key_add(struct lmdb_key *key, const void *bytes, size_t length)
{
    assert(length <= sizeof(key->bytes) - key->length);
    if (length)
        memcpy(key->bytes + key->length, bytes, length);
    key->length += length;
}

static void key_add_hash(struct lmdb_key *key, struct text part)
{
    static const char digits[] = "0123456789abcdef";
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, part.length, (const uint8_t *)part.bytes);
    sha256_digest(&context, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        char pair[] = {digits[digest[i] >> 4], digits[digest[i] & 15]};
        key_add(key, pair, sizeof(pair));
    }
    key->hashed = true;
}

/* Room of the next part when `later` more follow it. */
static size_t part_room(const struct lmdb_key *key, size_t later)
{
    return LMDB_KEY_MAX - key->length - later * (PART_ROOM_MIN + 1);
}

void lmdb_key_write(struct lmdb_key *key, const struct text *parts, size_t given, size_t count)
{
    key->length = 0;
    key->hashed = false;
    for (size_t i = 0; i < given; i++) {
        size_t later = count - 1 - i;
        size_t room = part_room(key, later);
        if (parts[i].length < room) {
            key_add(key, parts[i].bytes, parts[i].length);
        } else {
            key_add(key, parts[i].bytes, room - HASH_LENGTH);
            key_add_hash(key, parts[i]);
        }
        if (later)
            key_add(key, "", 1);
    }
}

void lmdb_key_write_value_prefix(struct lmdb_key *key, struct text kind, struct text value_prefix)
{
    lmdb_key_write(key, &kind, 1, SHARED_PARTS);
    size_t plain = part_room(key, SHARED_PARTS - 2) - HASH_LENGTH; /* no hash can begin before that */
    key_add(key, value_prefix.bytes, value_prefix.length < plain ? value_prefix.length : plain);
}

void lmdb_key_of_document(struct lmdb_key *key, const struct document_key *document)
{
    const struct text parts[DOCUMENT_PARTS] = {document->usage, document->owner, document->name};
    lmdb_key_write(key, parts, DOCUMENT_PARTS, DOCUMENT_PARTS);
}
