/* A password as it was typed, against the hash that is kept for digest authentication. */
#include "basic.h"

#include "digest_parts.h"

/* The hash of what was typed and the one that is kept; of nobody one that no password gives. */
static bool fits(const struct digest *digest, const struct user *user, bool full, struct text name,
                 struct text password, struct arena *arena)
{
    const struct text hashes[DIGEST_ALGORITHMS] = {
        [DIGEST_SHA256] = full ? user->ha1_sha256_full : user->ha1_sha256,
        [DIGEST_SHA512] = full ? user->ha1_sha512_full : user->ha1_sha512,
        [DIGEST_MD5] = full ? user->ha1_md5_full : user->ha1_md5,
    };
    enum digest_algorithm algorithm = DIGEST_SHA256; /* some were imported with another alone */
    for (enum digest_algorithm one = DIGEST_SHA256; one < DIGEST_ALGORITHMS && !hashes[algorithm].length; one++)
        if (hashes[one].length)
            algorithm = one;
    struct text kept = hashes[algorithm];
    const struct text nobody[] = {TEXT("nobody"), name};
    const struct text parts[] = {name, digest->realm, password};
    bool known = kept.length && text_equal(user->realm, digest->realm);
    if (!known)
        kept = identity_mac(&digest->key, nobody, 2, identity_hash_length(algorithm), arena);
    bool equal = secret_equal(identity_hash(algorithm, parts, 3, arena), kept);
    return known && equal;
}

static bool read_credentials(struct text authorization, struct arena *arena, struct text *name_out,
                             struct text *password_out)
{
    struct text scheme, encoded, decoded;
    if (authorization.length > DIGEST_HEADER_MAX || !text_cut(text_trim(authorization), ' ', &scheme, &encoded) ||
        !base64_decode(arena, text_trim(encoded), &decoded))
        return false;
    return text_find_char(decoded, '\0') == decoded.length && text_cut(decoded, ':', name_out, password_out) &&
           name_out->length > 0;
}

enum digest_result basic_check(struct digest *digest, const struct documents *documents, struct text authorization,
                               const struct trust_address *address, int64_t now_ms, struct arena *arena,
                               struct digest_answer *answer_out)
{
    struct text name, password;
    struct user user = {0};
    bool full = false;
    *answer_out = (struct digest_answer){0};
    if (!text_starts_with_nocase(text_trim(authorization), TEXT("Basic ")))
        return DIGEST_MISSING;
    if (!read_credentials(authorization, arena, &name, &password))
        return DIGEST_BROKEN;
    enum status status = digest_named_user(digest, documents, name, arena, &user, &full);
    if (status != OK && status != NOT_FOUND)
        return DIGEST_FAILED;
    const struct guard_source source = {digest_claimed(digest, name, &user, arena), address};
    answer_out->wait_ms = digest->guard ? guard_wait_ms(digest->guard, &source, now_ms) : 0;
    if (answer_out->wait_ms == 0 && fits(digest, &user, full, name, password, arena)) {
        answer_out->user = user;
        if (digest->guard)
            guard_succeeded(digest->guard, &source, now_ms);
        return DIGEST_GOOD;
    }
    answer_out->claimed = source.user;
    if (answer_out->wait_ms)
        return DIGEST_WAITING;
    answer_out->begins_to_wait = digest->guard && guard_failed(digest->guard, &source, now_ms);
    return DIGEST_WRONG;
}

struct text basic_challenge(const struct digest *digest, struct arena *arena)
{
    struct text_builder value;
    builder_init(&value, arena);
    builder_add(&value, TEXT("Basic realm="));
    digest_add_quoted(&value, digest->realm);
    builder_add(&value, TEXT(", charset=\"UTF-8\""));
    return builder_text(&value);
}
