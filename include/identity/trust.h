/* Whose word is taken: peers by the address they connect from or by the certificate they hold, and proxies that say for
 * whom they connect. Nothing that stands in a message makes a peer trusted. Immutable after it was read: threads share
 * it. */
#ifndef IDENTITY_TRUST_H
#define IDENTITY_TRUST_H

#include <sys/socket.h>

#include "arena.h"
#include "text.h"

#define TRUST_RANGES_MAX    64 /* of one list: each is compared for each request */
#define TRUST_NAMES_MAX     64 /* of certificates */
#define TRUST_FORWARDED_MAX 32 /* proxies in a row that are looked through */

/* An address of either family in one form: IPv4 is kept as its IPv4-mapped IPv6 address, so that the two spellings of
 * one host are one. */
struct trust_address {
    uint8_t bytes[16];
};

struct trust_range {
    struct trust_address address;
    unsigned bits; /* 0 to 128 */
};

struct trust_ranges {
    struct trust_range ranges[TRUST_RANGES_MAX];
    size_t count;
};

/* "192.0.2.0/24, 2001:db8::/32, 198.51.100.7"; may be empty. False: `bad_out` is the part that is no address or range,
 * has bits beyond its length, or is one too many. */
bool trust_ranges_parse(struct text list, struct trust_ranges *ranges_out, struct text *bad_out);

/* Is the address in one of them? A range of IPv6 that is no range of IPv4-mapped addresses holds no IPv4 address:
 * "::/0" is all of IPv6 and nothing else. */
bool trust_ranges_have(const struct trust_ranges *ranges, const struct trust_address *address);

bool trust_address_of(const struct sockaddr *peer, struct trust_address *address_out); /* false: another family */
bool trust_address_parse(struct text text, struct trust_address *address_out);         /* "192.0.2.1", "2001:db8::1" */
struct text trust_address_text(const struct trust_address *address, struct arena *arena); /* without a port */

enum trust_forwarded { TRUST_X_FORWARDED_FOR, TRUST_FORWARDED };

struct trust {
    struct trust_ranges peers;          /* may say who asks */
    struct text names[TRUST_NAMES_MAX]; /* of client certificates whose holders may, too */
    size_t names_count;
    struct trust_ranges proxies;    /* may say for which address they ask: for logs and throttling, for nothing else */
    enum trust_forwarded forwarded; /* which header they write: the other one may be anybody's */
};

/* May whoever is connected from here say who asks? `names` are those of the certificate that it has proved to hold. */
bool trust_believes(const struct trust *trust, const struct sockaddr *peer, const struct text *names,
                    size_t names_count);

/* The address on whose behalf a listed proxy asks, from the values of its header joined by commas; the rightmost that
 * is no listed proxy itself. False when the peer is no listed proxy (`address_out`: the peer), or names nobody
 * (`address_out`: the last proxy, which stands for many). */
bool trust_client(const struct trust *trust, const struct sockaddr *peer, struct text header,
                  struct trust_address *address_out);
bool trust_is_proxy(const struct trust *trust, const struct sockaddr *peer);

#endif
