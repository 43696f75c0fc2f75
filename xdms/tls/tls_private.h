/* What the files of this module share: generations of credentials, each of them what one reading of the files gave. */
#ifndef TLS_PRIVATE_H
#define TLS_PRIVATE_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "tls.h"

struct tls_generation {
    gnutls_certificate_credentials_t server; /* verifies clients */
    gnutls_certificate_credentials_t client; /* verifies servers; has our certificate too */
    gnutls_priority_t priority;
    bool speaks_old_versions;  /* older than TLS 1.2 */
    gnutls_datum_t ticket_key; /* one per generation: no session outlives the certificate it began with */
    int64_t expires_ms;
    atomic_uint users; /* the credentials in force, and sessions */
};

/* The generation in force, which stays until it is released. */
struct tls_generation *tls_generation_take(struct tls *tls);
void tls_generation_release(struct tls_generation *generation);

bool tls_servers_unverified(const struct tls *tls);

/* tls_load.c: NULL, and one line in `error_out`. */
struct tls_generation *tls_generation_load(const struct tls_settings *settings, struct arena *arena,
                                           struct text *error_out);
void tls_generation_free(struct tls_generation *generation);

/* tls_names.c. NULL: the chain that the peer showed is good, and has `name` in it (NULL: any). Else what is wrong, and
 * the alert that says so. */
const char *tls_peer_problem(gnutls_session_t session, const char *name, gnutls_alert_description_t *alert_out);
size_t tls_certificate_names(const gnutls_datum_t *der, struct arena *arena, const struct text **names_out);

/* tls_session.c: the library calls it in the handshake. */
int tls_session_verify(gnutls_session_t session);

#endif
