/* Digest authentication (RFC 7616, RFC 8760) for HTTP and SIP alike. Nonces are stateless: time and HMAC, good for many
 * requests on any URL; the nonce count is checked against replay in a bounded window. Thread-safe. */
#ifndef IDENTITY_DIGEST_H
#define IDENTITY_DIGEST_H

#include "guard.h"
#include "user.h"

#define DIGEST_NONCE_MS_MAX 300000 /* 5 min, then stale=true: the client tries again without asking its user */
#define DIGEST_NONCES_MAX   65536  /* nonces whose counts are kept; the oldest is forgotten, and its nonce then stale */
#define DIGEST_HEADER_MAX   12288  /* a longer Authorization is refused; it repeats a request target of up to 8192 */

struct digest;

/* `key` (32 bytes) makes the nonces; give the same to every node that shares them. */
struct digest *digest_new(struct text realm, struct text domain, const uint8_t key[32]);
void digest_free(struct digest *digest);

/* Failures are counted, and those who make too many have to wait. Before the first check; outlives the digest. */
void digest_set_guard(struct digest *digest, struct guard *guard);

/* Offered in this order. SHA-512-256 is no first choice: clients that take the first, and compute it wrongly, are
 * about. */
enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512, DIGEST_MD5, DIGEST_ALGORITHMS };

/* MD5 always is, SHA-256 until this is told otherwise, SHA-512-256 (DIGEST_SHA512) once it is told so, before the first
 * challenge; what is not offered is taken all the same. */
void digest_offer(struct digest *digest, enum digest_algorithm algorithm, bool offered);
bool digest_offers(const struct digest *digest, enum digest_algorithm algorithm);

/* Value of WWW-Authenticate or Proxy-Authenticate, one header per algorithm. */
struct text digest_challenge(const struct digest *digest, enum digest_algorithm algorithm, bool stale, int64_t now_ms,
                             struct arena *arena);

struct digest_request {
    struct text authorization; /* value of the header; empty when absent */
    struct text method;
    struct text uri;   /* as on the request line; compared leniently with uri="…" (both decoded once) */
    struct text body;  /* for auth-int */
    bool sip;          /* uri="…" may be any SIP URI: on the way the Request-URI changes */
    bool without_info; /* nobody wants digest_answer.info */
    const struct trust_address *address; /* where it comes from, for the guard; NULL: it stands for many */
};

enum digest_result {
    DIGEST_GOOD,
    DIGEST_MISSING, /* no Digest credentials, or those of another realm or opaque: challenge */
    DIGEST_STALE,   /* right, but the nonce is old, not ours, or its count is used up: challenge with stale=true */
    DIGEST_WRONG,   /* unknown user, wrong password: challenge again */
    DIGEST_BROKEN,  /* header does not parse, is of another request, algorithm or qop not offered: 400 */
    DIGEST_WAITING, /* too many failures: not looked at, right or wrong */
    DIGEST_FAILED   /* the users cannot be read: 500 */
};

struct digest_answer {
    struct user user;    /* DIGEST_GOOD: who it is */
    struct text info;    /* DIGEST_GOOD: value for Authentication-Info (rspauth, nextnonce when due), or empty */
    struct text claimed; /* WRONG and WAITING: who it says it is, canonical or as written, for the log */
    int64_t wait_ms;     /* WAITING: until then */
    bool begins_to_wait; /* WRONG: with this one too many */
};

/* Same work for unknown users as for wrong passwords, but that the record of who logged in lately is kept: to measure
 * such a difference takes more tries than the guard lets pass. Everything in the answer is zero unless said above. */
enum digest_result digest_check(struct digest *digest, const struct documents *documents,
                                const struct digest_request *request, int64_t now_ms, struct arena *arena,
                                struct digest_answer *answer_out);

/* Equal, in a time that tells nothing but the lengths. */
bool secret_equal(struct text given, struct text secret);

#endif
