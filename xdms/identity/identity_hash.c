/* The three hash functions of digest authentication, over parts with colons between them. Knows nettle, and nothing of
 * users or headers. */
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

#include <assert.h>

#include "digest_parts.h"

static struct text hash_md5(const struct text *parts, size_t count, struct arena *arena)
{
    struct md5_ctx context;
    uint8_t hash[MD5_DIGEST_SIZE];
    md5_init(&context);
    for (size_t i = 0; i < count; i++) {
        if (i)
            md5_update(&context, 1, (const uint8_t *)":");
        md5_update(&context, parts[i].length, (const uint8_t *)parts[i].bytes);
    }
    md5_digest(&context, sizeof(hash), hash);
    return hex_encode(arena, hash, sizeof(hash));
}

static struct text hash_sha256(const struct text *parts, size_t count, struct arena *arena)
{
    struct sha256_ctx context;
    uint8_t hash[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (size_t i = 0; i < count; i++) {
        if (i)
            sha256_update(&context, 1, (const uint8_t *)":");
        sha256_update(&context, parts[i].length, (const uint8_t *)parts[i].bytes);
    }
    sha256_digest(&context, sizeof(hash), hash);
    return hex_encode(arena, hash, sizeof(hash));
}

struct text identity_hash(enum digest_algorithm algorithm, const struct text *parts, size_t count, struct arena *arena)
{
    return algorithm == DIGEST_MD5 ? hash_md5(parts, count, arena) : hash_sha256(parts, count, arena);
}

void identity_key_init(struct identity_key *key, const uint8_t bytes[32])
{
    hmac_sha256_set_key(&key->ready, 32, bytes);
}

struct text identity_mac(const struct identity_key *key, const struct text *parts, size_t count, size_t length,
                         struct arena *arena)
{
    struct hmac_sha256_ctx context = key->ready;
    uint8_t mac[SHA256_DIGEST_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (i)
            hmac_sha256_update(&context, 1, (const uint8_t *)":");
        hmac_sha256_update(&context, parts[i].length, (const uint8_t *)parts[i].bytes);
    }
    hmac_sha256_digest(&context, sizeof(mac), mac);
    assert(length <= 2 * sizeof(mac));
    return text_slice(hex_encode(arena, mac, sizeof(mac)), 0, length);
}

bool secret_equal(struct text given, struct text secret)
{
    return given.length == secret.length && (given.length == 0 || memeql_sec(given.bytes, secret.bytes, given.length));
}
