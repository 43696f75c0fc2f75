/* TLS for every listener of both programs: certificates that are exchanged under running connections, defaults of
 * today, and sessions over sockets that never block. The one module that knows GnuTLS. Credentials may be used from any
 * thread, a session from one at a time. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <sys/types.h>

#include "arena.h"
#include "status.h"

/* TLS 1.3 and 1.2, forward secrecy and authenticated encryption only (RFC 9325 §3.1.1, §4.2). */
#define TLS_PRIORITY_STANDARD                                                                                          \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:"          \
    "+CHACHA20-POLY1305:+AES-256-GCM:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"       \
    "-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

#define TLS_EXPIRY_WARNING_DAYS 30 /* certificates that end sooner are worth a line of the log */

enum tls_clients {
    TLS_CLIENTS_NONE,     /* clients are not asked for a certificate */
    TLS_CLIENTS_OPTIONAL, /* asked; one that is shown must be good, or the handshake fails */
    TLS_CLIENTS_REQUIRED  /* no handshake without a good one */
};

bool tls_clients_parse(struct text word, enum tls_clients *clients_out); /* "none", "optional", "required" */

/* Paths of PEM files. They are read again at each reload. */
struct tls_settings {
    const char *certificate; /* ours, and after it what leads to its CA */
    const char *key;         /* not encrypted */
    const char *client_ca;   /* CAs of clients' certificates; NULL or "": none, clients cannot be asked */
    const char *client_crl;  /* those that these CAs have revoked; NULL or "": none */
    const char *server_ca;   /* CAs of servers that we connect to; NULL or "": those of the system */
    const char *priority;    /* of GnuTLS; NULL or "": TLS_PRIORITY_STANDARD */
    bool servers_unverified; /* whoever answers where we connect to is believed */
};

/* One set of files, in force for all listeners that share it. */
struct tls;

/* NULL, and one line that says which file is missing, unreadable or does not fit ("tls.key does not belong to
 * tls.certificate: …"). An expired certificate is served, with a warning in the log: clients say the rest. */
struct tls *tls_open(const struct tls_settings *settings, struct arena *arena, struct text *error_out);

/* Reads the files again. OK: handshakes that begin from here on use them, connections that are open stay as they are.
 * FAILED: what was in force stays in force, `error_out` says why. */
enum status tls_reload(struct tls *tls, struct arena *arena, struct text *error_out);
void tls_free(struct tls *tls); /* when all sessions are freed */

int64_t tls_expires_ms(struct tls *tls); /* wall clock: when our certificate, or one that leads to its CA, ends */

/* --- sessions: one connection each --- */

struct tls_session;

/* As server on a connected, non-blocking socket; the socket stays the caller's. */
struct tls_session *tls_session_accept(struct tls *tls, int fd, enum tls_clients clients);

/* As client. `name` is the DNS name or numeric address that the server's certificate must hold. */
struct tls_session *tls_session_connect(struct tls *tls, int fd, const char *name);

/* Makes a fresh server session of the library, which somebody else runs and frees, one of ours: certificate, versions,
 * clients and counting as above. A peer whose first byte is no TLS gets `plain_answer` (static; may be empty), one that
 * knows old versions alone its alert, and the handshake fails. */
struct tls_session *tls_session_adopt(struct tls *tls, void *gnutls_session, int fd, enum tls_clients clients,
                                      struct text plain_answer);
void tls_session_free(struct tls_session *session);

enum tls_progress {
    TLS_DONE,
    TLS_READS,  /* call again when the socket can be read */
    TLS_WRITES, /* … written */
    TLS_FAILED  /* tls_session_error says why; the peer has been told */
};

/* Again until it is DONE or FAILED; a failed one is good for tls_session_error and tls_session_free alone. */
enum tls_progress tls_session_handshake(struct tls_session *session);

/* As recv and send on a non-blocking socket: bytes; 0 for the orderly end; -1 with errno EAGAIN, or another when the
 * session is broken. With room for TLS_RECORD_MAX bytes a read leaves nothing behind that the socket would not show as
 * readable. After a write that was EAGAIN the next one begins with the same bytes. */
#define TLS_RECORD_MAX 16384
ssize_t tls_session_read(struct tls_session *session, char *bytes, size_t size);
ssize_t tls_session_write(struct tls_session *session, struct text bytes);

/* Tells the peer that nothing follows. Does not wait. */
void tls_session_bye(struct tls_session *session);

bool tls_session_open(const struct tls_session *session);         /* the handshake is done */
bool tls_session_turned_away(const struct tls_session *session);  /* it has been answered before any handshake */
const char *tls_session_error(const struct tls_session *session); /* static text */

/* Names in the certificate that the peer has proved to hold, in the arena: each DNS name (lower case) and each URI (as
 * written) of its subjectAltName; its common name if it has neither (RFC 6125 §6.4.4). A name with characters that
 * could be read in two ways is left out. 0 if it showed none, or before the handshake is done. */
size_t tls_session_names(const struct tls_session *session, struct arena *arena, const struct text **names_out);

#endif
