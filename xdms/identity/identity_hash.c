/* The hash functions of digest authentication, over parts with colons between them. Knows nettle, and nothing of
 * users or headers. */
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

#include <assert.h>

#include "digest_parts.h"

const char *const digest_algorithm_names[DIGEST_ALGORITHMS] = {"SHA-256", "SHA-512-256", "MD5"};

size_t identity_hash_length(enum digest_algorithm algorithm)
{
    return algorithm == DIGEST_MD5 ? MD5_TEXT : HASH_TEXT_MAX;
}

static void hashing_update(struct identity_hashing *hashing, struct text text)
{
    const uint8_t *bytes = (const uint8_t *)text.bytes;
    switch (hashing->algorithm) {
    case DIGEST_MD5: md5_update(&hashing->context.md5, text.length, bytes); break;
    case DIGEST_SHA512: sha512_256_update(&hashing->context.sha512, text.length, bytes); break;
    default: sha256_update(&hashing->context.sha256, text.length, bytes); break;
    }
}

void identity_hash_begin(struct identity_hashing *hashing, enum digest_algorithm algorithm)
{
    hashing->algorithm = algorithm;
    hashing->begun = false;
    switch (algorithm) {
    case DIGEST_MD5: md5_init(&hashing->context.md5); break;
    case DIGEST_SHA512: sha512_256_init(&hashing->context.sha512); break;
    default: sha256_init(&hashing->context.sha256); break;
    }
}

void identity_hash_add(struct identity_hashing *hashing, const struct text *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (hashing->begun)
            hashing_update(hashing, TEXT(":"));
        hashing->begun = true;
        hashing_update(hashing, parts[i]);
    }
}

struct text identity_hash_end(struct identity_hashing *hashing, struct arena *arena)
{
    uint8_t hash[SHA256_DIGEST_SIZE];
    size_t length = identity_hash_length(hashing->algorithm) / 2;
    switch (hashing->algorithm) {
    case DIGEST_MD5: md5_digest(&hashing->context.md5, length, hash); break;
    case DIGEST_SHA512: sha512_256_digest(&hashing->context.sha512, length, hash); break;
    default: sha256_digest(&hashing->context.sha256, length, hash); break;
    }
    return hex_encode(arena, hash, length);
}

struct text identity_hash(enum digest_algorithm algorithm, const struct text *parts, size_t count, struct arena *arena)
{
    struct identity_hashing hashing;
    identity_hash_begin(&hashing, algorithm);
    identity_hash_add(&hashing, parts, count);
    return identity_hash_end(&hashing, arena);
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

bool identity_is_hash(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char digit = text.bytes[i];
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
            return false;
    }
    return text.length == MD5_TEXT || text.length == HASH_TEXT_MAX;
}
