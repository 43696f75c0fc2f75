/* The client's side of digest authentication, worked out apart from the server's: for tests. */
#ifndef TESTS_DIGEST_CLIENT_H
#define TESTS_DIGEST_CLIENT_H

#include <nettle/md5.h>
#include <nettle/sha2.h>

#include <assert.h>
#include <stdio.h>

#include "arena.h"
#include "text.h"

struct digest_client {
    struct text username, password, realm, nonce, method, uri, cnonce, qop, body; /* empty qop: RFC 2069 */
    struct text opaque;                                                           /* left out when empty */
    unsigned count;
    bool sha256, sha512; /* neither: MD5 */
    bool user_hashed;
};

static inline struct text client_hash(const struct digest_client *client, struct text text, struct arena *arena)
{
    uint8_t hash[SHA256_DIGEST_SIZE];
    if (client->sha512) {
        struct sha512_256_ctx context;
        sha512_256_init(&context);
        sha512_256_update(&context, text.length, (const uint8_t *)text.bytes);
        sha512_256_digest(&context, SHA256_DIGEST_SIZE, hash);
        return hex_encode(arena, hash, SHA256_DIGEST_SIZE);
    }
    if (client->sha256) {
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, text.length, (const uint8_t *)text.bytes);
        sha256_digest(&context, SHA256_DIGEST_SIZE, hash);
        return hex_encode(arena, hash, SHA256_DIGEST_SIZE);
    }
    struct md5_ctx context;
    md5_init(&context);
    md5_update(&context, text.length, (const uint8_t *)text.bytes);
    md5_digest(&context, MD5_DIGEST_SIZE, hash);
    return hex_encode(arena, hash, MD5_DIGEST_SIZE);
}

/* The response, or with no method the rspauth that the server has to answer. */
static inline struct text client_response(const struct digest_client *client, struct text method, struct arena *arena)
{
    struct text ha1 = client_hash(client,
                                  text_format(arena, "%.*s:%.*s:%.*s", TEXT_ARG(client->username),
                                              TEXT_ARG(client->realm), TEXT_ARG(client->password)),
                                  arena);
    struct text a2 = text_format(arena, "%.*s:%.*s", TEXT_ARG(method), TEXT_ARG(client->uri));
    if (text_equal(client->qop, TEXT("auth-int")))
        a2 = text_format(arena, "%.*s:%.*s", TEXT_ARG(a2), TEXT_ARG(client_hash(client, client->body, arena)));
    struct text ha2 = client_hash(client, a2, arena);
    if (client->qop.length == 0)
        return client_hash(
            client, text_format(arena, "%.*s:%.*s:%.*s", TEXT_ARG(ha1), TEXT_ARG(client->nonce), TEXT_ARG(ha2)), arena);
    return client_hash(client,
                       text_format(arena, "%.*s:%.*s:%08x:%.*s:%.*s:%.*s", TEXT_ARG(ha1), TEXT_ARG(client->nonce),
                                   client->count, TEXT_ARG(client->cnonce), TEXT_ARG(client->qop), TEXT_ARG(ha2)),
                       arena);
}

static inline struct text client_authorization(const struct digest_client *client, struct arena *arena)
{
    struct text name = client->username;
    if (client->user_hashed)
        name = client_hash(client, text_format(arena, "%.*s:%.*s", TEXT_ARG(name), TEXT_ARG(client->realm)), arena);
    struct text_builder value;
    builder_init(&value, arena);
    builder_add_format(&value,
                       "Digest username=\"%.*s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%.*s\", response=\"%.*s\"",
                       TEXT_ARG(name), TEXT_ARG(client->realm), TEXT_ARG(client->nonce), TEXT_ARG(client->uri),
                       TEXT_ARG(client_response(client, client->method, arena)));
    builder_add_format(&value, ", algorithm=%s", client->sha512 ? "SHA-512-256" : client->sha256 ? "SHA-256" : "MD5");
    if (client->qop.length)
        builder_add_format(&value, ", qop=%.*s, nc=%08x, cnonce=\"%.*s\"", TEXT_ARG(client->qop), client->count,
                           TEXT_ARG(client->cnonce));
    if (client->opaque.length)
        builder_add_format(&value, ", opaque=\"%.*s\"", TEXT_ARG(client->opaque));
    if (client->user_hashed)
        builder_add(&value, TEXT(", userhash=true"));
    return builder_text(&value);
}

/* Value of a quoted parameter of a challenge. */
static inline struct text challenge_value(struct text challenge, const char *name, struct arena *arena)
{
    struct text label = text_format(arena, "%s=\"", name);
    size_t at = text_find(challenge, label);
    if (at == challenge.length)
        return TEXT("");
    struct text rest = text_slice(challenge, at + label.length, challenge.length);
    return text_slice(rest, 0, text_find_char(rest, '"'));
}

#endif
