/* What the parts of digest authentication are to each other. Seen by the identity module alone. */
#ifndef IDENTITY_DIGEST_PARTS_H
#define IDENTITY_DIGEST_PARTS_H

#include <pthread.h>

#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "arena.h"
#include "digest.h"
#include "user.h"

/* --- identity_hash.c --- */

#define HASH_TEXT_MAX 64 /* hex digits of the longest hash */
#define MD5_TEXT      32 /* and of the shorter one */

extern const char *const digest_algorithm_names[DIGEST_ALGORITHMS]; /* as in headers */
size_t identity_hash_length(enum digest_algorithm algorithm);       /* in hex digits */
bool identity_is_hash(struct text text);                            /* in lower case, of any of these algorithms */

/* Lower-case hex of the hash over `parts` with ':' between them. */
struct text identity_hash(enum digest_algorithm algorithm, const struct text *parts, size_t count, struct arena *arena);

/* The same piece by piece: what has been added may be copied, and each copy be ended in its own way. */
struct identity_hashing {
    enum digest_algorithm algorithm;
    bool begun;
    union {
        struct md5_ctx md5;
        struct sha256_ctx sha256;
        struct sha512_256_ctx sha512;
    } context;
};
void identity_hash_begin(struct identity_hashing *hashing, enum digest_algorithm algorithm);
void identity_hash_add(struct identity_hashing *hashing, const struct text *parts, size_t count);
struct text identity_hash_end(struct identity_hashing *hashing, struct arena *arena);

/* A key of HMAC-SHA-256, with the half of the work done that is the same for all messages. */
struct identity_key {
    struct hmac_sha256_ctx ready;
};
void identity_key_init(struct identity_key *key, const uint8_t bytes[32]);

/* First `length` hex digits of the HMAC over `parts` with ':' between them. */
struct text identity_mac(const struct identity_key *key, const struct text *parts, size_t count, size_t length,
                         struct arena *arena);

/* --- digest_header.c --- */

enum digest_protection { PROTECT_NOTHING, PROTECT_REQUEST, PROTECT_BODY }; /* no qop (RFC 2069), auth, auth-int */

struct digest_header {
    struct text username, realm, nonce, uri, response, opaque;
    struct text cnonce, count, qop; /* as sent, which is how they are hashed */
    uint32_t count_value;
    bool has_opaque, user_hashed;
    enum digest_algorithm algorithm;
    enum digest_protection protection;
};

/* DIGEST_GOOD when it is one, DIGEST_MISSING for another scheme, DIGEST_BROKEN. */
enum digest_result digest_header_parse(struct text value, struct arena *arena, struct digest_header *header_out);

/* --- digest_nonce.c --- */

#define NONCE_ID_LENGTH  32 /* time and random part, in hex */
#define NONCE_MAC_LENGTH 32 /* 128 bits: not to be guessed within the life of a nonce */

struct nonce {
    char id[NONCE_ID_LENGTH];
    char mac[NONCE_MAC_LENGTH];
    int64_t made_ms;
};

/* Nonces whose counts were seen. */
struct nonce_table;

struct nonce_table *nonce_table_new(void);
void nonce_table_free(struct nonce_table *table);

struct text nonce_make(const struct identity_key *key, struct text realm, int64_t now_ms, struct arena *arena);

/* False when it was not made with this key for this realm. */
bool nonce_read(const struct identity_key *key, struct text realm, struct text written, struct arena *arena,
                struct nonce *nonce_out);
bool nonce_fresh(const struct nonce *nonce, int64_t now_ms);

/* nonce_read of one whose counts are kept. False: it is none, or was not written so. */
bool nonce_table_find(struct nonce_table *table, struct text written, struct nonce *nonce_out);

/* Takes a count once: false for one seen before, too far behind the highest, or of a nonce that was forgotten. */
bool nonce_table_take(struct nonce_table *table, const struct nonce *nonce, uint32_t count);

/* --- logins.c --- */

struct logins;
struct logins *logins_new(void);
void logins_free(struct logins *logins);

/* user_get of the address that a login name stands for in `domain`. NOT_FOUND, FAILED. */
enum status logins_get(struct logins *logins, const struct documents *documents, struct text username,
                       struct text domain, struct arena *arena, struct user *user_out);

/* --- digest.c --- */

struct digest {
    struct text realm, domain, opaque;
    struct identity_key key;
    bool offered[DIGEST_ALGORITHMS];
    struct arena arena; /* of the texts above */
    struct nonce_table *nonces;
    struct logins *logins;
    struct guard *guard; /* NULL: nobody waits */
};

void digest_add_quoted(struct text_builder *builder, struct text text);

/* --- digest_check.c --- */

/* The user who logs in by this name, and whether it is the one with a domain. NOT_FOUND: no hash is kept of it. */
enum status digest_named_user(const struct digest *digest, const struct documents *documents, struct text username,
                              struct arena *arena, struct user *user_out, bool *full_out);

/* Known users by their address of record, so that no two spellings of a name give two chances. */
struct text digest_claimed(const struct digest *digest, struct text username, const struct user *user,
                           struct arena *arena);

/* --- user.c --- */

#define USER_HASH_CLAIM "user-hash" /* kind of the shared claims that userhash=true is looked up by */

#define USER_ROLES                                                                                                     \
    (USAGE_ROLE_BIT(USAGE_SERVER) | USAGE_ROLE_BIT(USAGE_OPERATOR) | USAGE_ROLE_BIT(USAGE_ADMIN) |                     \
     USAGE_ROLE_BIT(USAGE_AUDITOR)) /* that an account can have; the others follow from what is asked for */

/* Both forms of a user's digest name: "alice" and "alice@example.com". */
struct text user_full_name(const struct user *user, struct arena *arena);

/* user_get, with the record that the texts of the user lie in; its version alone. */
enum status user_get_record(const struct documents *documents, struct text address, struct arena *arena,
                            struct user *user_out, struct text *record_out);
enum status user_get_head(const struct documents *documents, struct text address, struct stored *found_out);

/* The user who holds `hash` (RFC 7616 §3.4.4), of `domain` if there are several. NOT_FOUND, FAILED. */
enum status user_find_hash(const struct documents *documents, struct text hash, struct text domain, struct arena *arena,
                           struct user *user_out);

/* --- user_address.c --- */

/* One for each address of the user: nobody else can have it. */
size_t user_address_claims(const struct user *user, struct claim claims_out[1 + USER_ALIASES_MAX]);

#endif
