/* Basic authentication (RFC 7617): the password itself. Whoever asks for it must know that nobody listens: the caller
 * allows it over TLS alone. */
#ifndef IDENTITY_BASIC_H
#define IDENTITY_BASIC_H

#include "digest.h"

/* As digest_check, with the same users, guard and work for unknown ones; of the answer `info` stays empty. MISSING: not
 * the Basic scheme. BROKEN: not base64 of "name:password". */
enum digest_result basic_check(struct digest *digest, const struct documents *documents, struct text authorization,
                               const struct trust_address *address, int64_t now_ms, struct arena *arena,
                               struct digest_answer *answer_out);

/* Value of WWW-Authenticate. */
struct text basic_challenge(const struct digest *digest, struct arena *arena);

#endif
