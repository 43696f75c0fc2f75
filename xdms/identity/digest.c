/* Challenges, and what the other parts cannot say alone: who a digest user name is in this domain. Knows no header
 * syntax. */
#include "digest.h"

#include <stdlib.h>

#include "digest_parts.h"

#define OPAQUE_LENGTH 16 /* hex digits; it only says that credentials answer a challenge of ours */

/* Made of the realm alone: a client may keep it over restarts and between nodes. */
static struct text opaque_of(struct text realm, struct arena *arena)
{
    const struct text parts[] = {TEXT("opaque"), realm};
    return text_slice(identity_hash(DIGEST_SHA256, parts, 2, arena), 0, OPAQUE_LENGTH);
}

struct digest *digest_new(struct text realm, struct text domain, const uint8_t key[32])
{
    struct digest *digest = memory_new(sizeof(*digest));
    arena_init(&digest->arena, "digest");
    digest->realm = text_copy(&digest->arena, realm);
    digest->domain = text_copy(&digest->arena, domain);
    digest->opaque = opaque_of(realm, &digest->arena);
    identity_key_init(&digest->key, key);
    digest->offered[DIGEST_SHA256] = digest->offered[DIGEST_MD5] = true;
    digest->nonces = nonce_table_new();
    digest->logins = logins_new();
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    nonce_table_free(digest->nonces);
    logins_free(digest->logins);
    arena_clear(&digest->arena);
    explicit_bzero(&digest->key, sizeof(digest->key));
    free(digest);
}

void digest_set_guard(struct digest *digest, struct guard *guard)
{
    digest->guard = guard;
}

void digest_add_quoted(struct text_builder *builder, struct text text)
{
    builder_add_char(builder, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '"' || text.bytes[i] == '\\')
            builder_add_char(builder, '\\');
        builder_add_char(builder, text.bytes[i]);
    }
    builder_add_char(builder, '"');
}

void digest_offer(struct digest *digest, enum digest_algorithm algorithm, bool offered)
{
    digest->offered[algorithm] = offered || algorithm == DIGEST_MD5;
}

bool digest_offers(const struct digest *digest, enum digest_algorithm algorithm)
{
    return digest->offered[algorithm];
}

struct text digest_challenge(const struct digest *digest, enum digest_algorithm algorithm, bool stale, int64_t now_ms,
                             struct arena *arena)
{
    struct text_builder value;
    builder_init(&value, arena);
    builder_add(&value, TEXT("Digest realm="));
    digest_add_quoted(&value, digest->realm);
    /* qop=auth alone: clients of the old kind stumble over a list; auth-int is taken from those who send it. */
    builder_add_format(&value, ", nonce=\"%.*s\", opaque=\"%.*s\", algorithm=%s, qop=\"auth\"",
                       TEXT_ARG(nonce_make(&digest->key, digest->realm, now_ms, arena)), TEXT_ARG(digest->opaque),
                       digest_algorithm_names[algorithm]);
    if (stale)
        builder_add(&value, TEXT(", stale=true"));
    /* Only clients of RFC 7616 know it, and those take the better algorithm. */
    if (algorithm != DIGEST_MD5)
        builder_add(&value, TEXT(", userhash=true"));
    return builder_text(&value);
}
