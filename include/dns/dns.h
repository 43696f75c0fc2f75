/* What the domain name system says: questions and answers as plain data, an answer read from the wire, and the client
 * that asks servers without ever blocking the loop. Knows nothing of SIP. */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include <sys/socket.h>

#include "arena.h"
#include "loop.h"
#include "status.h"
#include "text.h"

#define DNS_NAME_MAX    255   /* RFC 1035 §2.3.4 */
#define DNS_RECORDS_MAX 64    /* of one answer that are looked at: a domain with more servers has some to spare */
#define DNS_WAITING_MAX 10000 /* questions in flight: each has memory of its own; more are not answered */
#define DNS_NONE_TTL_S  60    /* of "there is none" where the answer does not say how long */

enum dns_type {
    DNS_ADDRESSES, /* A and AAAA, and what the hosts file of this machine says */
    DNS_SRV,       /* RFC 2782 */
    DNS_NAPTR      /* RFC 3403 */
};

const char *dns_type_name(enum dns_type type); /* "NAPTR" */

struct dns_question {
    uint64_t number; /* of whoever asks: comes back with the answer */
    enum dns_type type;
    struct text name; /* without a final dot */
};

struct dns_record {
    struct sockaddr_storage address;          /* DNS_ADDRESSES; the port is 0 */
    struct text target;                       /* SRV: host; NAPTR: replacement. Without the final dot */
    uint16_t priority, weight, port;          /* SRV */
    uint16_t order, preference;               /* NAPTR */
    struct text flags, service, substitution; /* NAPTR */
};

enum dns_outcome {
    DNS_FOUND,
    DNS_NONE,   /* there is no such record, or no such name */
    DNS_UNKNOWN /* no server has said: another time it may be known */
};

struct dns_answer {
    enum dns_outcome outcome;
    int64_t ttl_s; /* how long it is true; 0: for this one question */
    const struct dns_record *records;
    size_t count;
};

/* A message of RFC 1035 as the answer to a question of this type, in the arena. What cannot be read is DNS_UNKNOWN. */
void dns_answer_read(const void *bytes, size_t length, enum dns_type type, struct arena *arena,
                     struct dns_answer *answer_out);

/* --- the client --- */

struct dns_settings {
    const char *servers; /* "192.0.2.53, [2001:db8::53]:5353"; empty: those of the system. Outlives the client */
    int timeout_ms;      /* of one attempt at one server; later ones wait longer */
    int tries;           /* at each server */
};

/* The answer lives until this returns. It may ask again. */
typedef void dns_answered_fn(void *context, uint64_t number, const struct dns_answer *answer);

struct dns;

/* NULL: `error_out` has one line, in the arena. */
struct dns *dns_open(struct loop *loop, const struct dns_settings *settings, dns_answered_fn *answered, void *context,
                     struct arena *arena, struct text *error_out);
void dns_close(struct dns *dns); /* NULL: nothing. What is not answered is not answered any more */

/* The servers of the system may have changed. Questions on their way are answered as DNS_UNKNOWN. */
void dns_reload(struct dns *dns);

/* Each question gets one answer, perhaps before this returns. */
void dns_ask(struct dns *dns, const struct dns_question *question);

#endif
