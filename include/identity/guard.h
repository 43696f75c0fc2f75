/* Slows down whoever guesses passwords: failures are counted per user at an address, per user and per address, in
 * tables of fixed size. An address from which a user has logged in stays open to that user whatever others do
 * elsewhere. The counts are of this process. Thread-safe. */
#ifndef IDENTITY_GUARD_H
#define IDENTITY_GUARD_H

#include "trust.h"

#define GUARD_WINDOW_MS    60000     /* failures are counted per minute */
#define GUARD_FAILURES_MAX 65536     /* counts kept; the one that ends first makes room */
#define GUARD_GOOD_MAX     65536     /* users at addresses that are remembered as good; the oldest is forgotten */
#define GUARD_GOOD_MS      604800000 /* 7 days: who has been away for longer is as good as new */

struct guard_settings {
    unsigned per_user;    /* failures a minute, from one address and from all together; 0: any number */
    unsigned per_address; /* the same from one address, whoever it claims to be */
};

#define GUARD_SETTINGS_STANDARD ((struct guard_settings){10, 60})

struct guard;

/* The settings are copied. */
struct guard *guard_new(const struct guard_settings *settings);
void guard_free(struct guard *guard); /* NULL: nothing */

/* Who is tried from where. IPv6 addresses count by their /64, which one customer has alone. */
struct guard_source {
    struct text user;                    /* canonical; what was typed if that is nobody */
    const struct trust_address *address; /* NULL: stands for many, so only the user counts */
};

/* Milliseconds until the next try is looked at; 0: now. A try that has to wait must be refused unseen, and does not
 * count. */
int64_t guard_wait_ms(struct guard *guard, const struct guard_source *source, int64_t now_ms);

/* True: with this failure the waiting begins. */
bool guard_failed(struct guard *guard, const struct guard_source *source, int64_t now_ms);

/* Clears the count of the user at this address, and makes the address a good one for him. The other counts stay: else
 * somebody with an account could clear those of his address, and a victim's own requests those of an attack on him. */
void guard_succeeded(struct guard *guard, const struct guard_source *source, int64_t now_ms);

#endif
