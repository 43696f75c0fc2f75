/* What a call that can go wrong returns, and what a refused peer is told. Refusals are data, failures are codes,
 * bugs are asserts (docs/style.md). */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "text.h"

enum status {
    OK = 0,
    REFUSED,   /* the peer asked for something impossible: struct refusal says what */
    NOT_FOUND, /* what was named does not exist */
    CONFLICT,  /* it changed since it was read (compare-and-set lost) */
    TAKEN,     /* a unique value is held by another document */
    FULL,      /* no room: disk, map or a named limit */
    FAILED,    /* our side broke: answered 500 and logged at the edge */
    UNCERTAIN  /* the answer was lost: it may or may not have happened */
};

/* Stable English name of a status, for logs ("conflict"). */
const char *status_name(enum status status);

/* Why a peer's request is refused. The edge (HTTP or SIP) turns the kind into its own code with one switch. */
enum refusal_kind {
    REFUSAL_NONE = 0,
    REFUSAL_SYNTAX,          /* HTTP and SIP 400 */
    REFUSAL_UNAUTHENTICATED, /* 401 */
    REFUSAL_FORBIDDEN,       /* 403 */
    REFUSAL_ABSENT,          /* 404 */
    REFUSAL_METHOD,          /* 405 */
    REFUSAL_CONFLICT,        /* HTTP 409, body application/xcap-error+xml */
    REFUSAL_PRECONDITION,    /* HTTP 412 */
    REFUSAL_TOO_LARGE,       /* 413 */
    REFUSAL_URI_TOO_LONG,    /* 414 */
    REFUSAL_MEDIA_TYPE,      /* 415 */
    REFUSAL_TOO_MANY         /* 429: has to wait before the next try */
};

struct refusal {
    enum refusal_kind kind;
    const char *element; /* REFUSAL_CONFLICT: name of the xcap-error child (RFC 4825 §11), else NULL */
    struct text phrase;  /* one sentence for people, plain text; lives in the arena of the call or is static */
    struct text content; /* REFUSAL_CONFLICT: ready XML inside that child (ancestor, exists…), may be empty */
    struct text allow;   /* REFUSAL_METHOD: value of the Allow header */
};

/* Fills `refusal` and returns REFUSED, so that a check is one line: return refuse(refusal, REFUSAL_ABSENT, "…");
 * `phrase` must be static. */
enum status refuse(struct refusal *refusal, enum refusal_kind kind, const char *phrase);

/* The same for a 409 with an xcap-error element. `phrase` lives at least as long as `refusal`. */
enum status refuse_conflict(struct refusal *refusal, const char *element, struct text phrase);

#endif
