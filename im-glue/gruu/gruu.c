/* AES-SIV (RFC 5297): who changes a byte, or makes one up, has none. A nonce makes each different. */
#include "gruu.h"

#include <nettle/sha2.h>
#include <nettle/siv-cmac.h>

#define PREFIX             "tgruu." /* as in the examples of RFC 5627, so that people know what they see */
#define NONCE_BYTES        8        /* two alike in 2^32 would only be one address twice */
#define REGISTRATION_BYTES 8

struct text gruu_registration(struct text call_id, struct arena *arena)
{
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, call_id.length, (const uint8_t *)call_id.bytes);
    sha256_digest(&hash, sizeof(digest), digest);
    return hex_encode(arena, digest, REGISTRATION_BYTES);
}

struct text gruu_make(const uint8_t key[GRUU_KEY_BYTES], const struct gruu *gruu, struct arena *arena)
{
    struct siv_cmac_aes128_ctx cipher;
    struct text plain = text_format(arena, "%.*s\n%.*s\n%.*s", TEXT_ARG(gruu->address), TEXT_ARG(gruu->instance),
                                    TEXT_ARG(gruu->registration));
    struct text nonce = random_hex(arena, NONCE_BYTES);
    size_t length = plain.length + SIV_DIGEST_SIZE;
    uint8_t *bytes = arena_alloc(arena, NONCE_BYTES + length);
    memcpy(bytes, nonce.bytes, NONCE_BYTES);
    siv_cmac_aes128_set_key(&cipher, key);
    siv_cmac_aes128_encrypt_message(&cipher, NONCE_BYTES, bytes, 0, NULL, length, bytes + NONCE_BYTES,
                                    (const uint8_t *)plain.bytes);
    struct text encoded = base64_encode(arena, (struct text){(const char *)bytes, NONCE_BYTES + length});
    return text_format(arena, PREFIX "%.*s", TEXT_ARG(encoded));
}

bool gruu_read(const uint8_t key[GRUU_KEY_BYTES], struct text user, struct arena *arena, struct gruu *gruu_out)
{
    struct siv_cmac_aes128_ctx cipher;
    struct text bytes, rest;
    if (!text_starts_with(user, TEXT(PREFIX)) ||
        !base64_decode(arena, text_slice(user, sizeof(PREFIX) - 1, user.length), &bytes) ||
        bytes.length <= NONCE_BYTES + SIV_DIGEST_SIZE)
        return false;
    size_t length = bytes.length - NONCE_BYTES - SIV_DIGEST_SIZE;
    const uint8_t *at = (const uint8_t *)bytes.bytes;
    uint8_t *plain = arena_alloc(arena, length);
    siv_cmac_aes128_set_key(&cipher, key);
    if (!siv_cmac_aes128_decrypt_message(&cipher, NONCE_BYTES, at, 0, NULL, length, plain, at + NONCE_BYTES))
        return false;
    return text_cut((struct text){(const char *)plain, length}, '\n', &gruu_out->address, &rest) &&
           text_cut(rest, '\n', &gruu_out->instance, &gruu_out->registration);
}
