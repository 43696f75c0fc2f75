/* The side of event subscriptions that notifies (RFC 6665 §4.2): who watches what, until when, and which NOTIFY is due.
 * Bytes of states are the caller's: it is asked for them when a NOTIFY leaves. No socket, no clock, no users: who may
 * subscribe, and over which flow a NOTIFY goes, is decided outside.
 *
 * For a SUBSCRIBE: notifier_read, then who asks and may he, then notifier_accept and the 200. For a change:
 * notifier_changed. After either, and at the deadline: notifier_next until false, and notifier_answered with what each
 * NOTIFY was answered. */
#ifndef SUBSCRIPTION_NOTIFIER_H
#define SUBSCRIPTION_NOTIFIER_H

#include "clock.h"
#include "flow.h"
#include "sip_message.h"

#define NOTIFIER_SUBSCRIPTIONS_MAX 100000 /* some 1 KiB each */
#define NOTIFIER_OF_ONE_MAX        50     /* of one subscriber: ten devices with five packages */

/* What can be watched. Static. */
struct event_package {
    const char *name;                                 /* of Event: "reg" */
    const char *type;                                 /* of the bodies: "application/reginfo+xml" */
    uint32_t expires_s, expires_s_min, expires_s_max; /* asked for nothing; shorter is 423; longer is shortened */
    int64_t interval_ms;                              /* between two NOTIFYs of one subscription, as its RFC says */
};

struct notifier_settings {
    const struct event_package *const *packages; /* outlive the notifier, as do their texts */
    size_t packages_count;
    size_t subscriptions_max, of_one_max; /* 0: as above */
    size_t bytes_max;                     /* that all of them may hold; 0: their number alone bounds it */
};

struct notifier;
struct subscription;

struct notifier *notifier_new(const struct notifier_settings *settings);
void notifier_free(struct notifier *notifier);

/* Names of all packages, as Allow-Events has them; empty: none. */
struct text notifier_packages(const struct notifier *notifier, struct arena *arena);

/* What to answer instead of 200; `header` may be NULL. */
struct notifier_refusal {
    int status;
    const char *reason; /* NULL: the usual one */
    const char *header;
    struct text value;
};

/* What a SUBSCRIBE asks for. */
struct notifier_request {
    const struct event_package *package;
    struct subscription *known; /* it renews or ends that one; NULL: a new one */
    struct text resource;       /* of `known` */
    struct text id;             /* of its Event; empty: none */
    uint32_t seconds;           /* 0: it ends, or wants the state once */
};

/* REFUSED: 489 with Allow-Events, 481, 403 (another subscription in a dialog), 400, 406, 423 with Min-Expires. */
enum status notifier_read(struct notifier *notifier, const struct sip_message *request, struct arena *arena,
                          struct notifier_request *read_out, struct notifier_refusal *refusal_out);

struct notifier_watch {
    struct text resource;   /* what is watched: canonical address */
    struct text subscriber; /* who: counted for the limit, and nobody else renews it */
    struct flow flow;       /* that the SUBSCRIBE came over */
};

/* Of the same moment as notifier_read. Adds Expires to `response`, which is a 200 with a To tag from random_hex(16). A
 * NOTIFY is due at once. REFUSED: 403 (somebody else's), 500 (out of order), 400 (no Contact), 480 and 503 with
 * Retry-After (limits). */
enum status notifier_accept(struct notifier *notifier, const struct sip_message *request,
                            const struct notifier_request *read, const struct notifier_watch *watch,
                            struct sip_message *response, int64_t now_ms, struct notifier_refusal *refusal_out);

/* Something is new: each who watches gets a NOTIFY as soon as its package allows. */
void notifier_changed(struct notifier *notifier, const struct event_package *package, struct text resource);
bool notifier_watched(const struct notifier *notifier, const struct event_package *package, struct text resource);

/* All subscriptions to it end: "noresource", "deactivated", "rejected", "giveup"… (RFC 6665 §4.1.3). */
void notifier_end(struct notifier *notifier, const struct event_package *package, struct text resource,
                  const char *reason);

/* A NOTIFY that is due. The caller adds body, Contact and what else it wants, sends and frees it. Texts are good until
 * the next call. */
struct notice {
    uint64_t subscription;
    struct sip_message *message;
    const struct event_package *package;
    struct text resource, subscriber;
    uint32_t version;          /* 0 for the first of the subscription, one more for each */
    uint64_t *mark;            /* for the package: what this subscriber knows; 0: nothing, or he asked for all */
    struct text target, route; /* where it goes, and through whom; empty: nobody */
    struct flow flow;          /* that the last SUBSCRIBE came over */
};

bool notifier_next(struct notifier *notifier, int64_t now_ms, struct notice *notice_out);

/* What the NOTIFY was answered; 408: nothing, 503: it could not be sent. `retry_after_s`: of the answer, or 0. */
void notifier_answered(struct notifier *notifier, uint64_t subscription, int status, uint32_t retry_after_s,
                       int64_t now_ms);

/* What is to be written down so that subscriptions survive a restart: a record, or that there is none any more. */
struct notifier_change {
    struct text resource, name; /* what is watched; of the subscription */
    bool gone;
    struct text record;
};
bool notifier_change_next(struct notifier *notifier, struct instant now, struct arena *arena,
                          struct notifier_change *change_out); /* until false */

/* What was written down. A NOTIFY with the state as it is now is due at `at_ms`. False: it has expired, or is none. */
bool notifier_restore(struct notifier *notifier, struct text record, struct instant now, int64_t at_ms);

/* Its subscriber, if that is him, may not watch that any more: the next NOTIFY says so and is the last. */
void notifier_reject(struct notifier *notifier, struct subscription *subscription, struct text subscriber);

int64_t notifier_deadline(const struct notifier *notifier); /* INT64_MAX: none */
size_t notifier_count(const struct notifier *notifier);     /* of subscriptions */
size_t notifier_bytes(const struct notifier *notifier);     /* that they hold */

#endif
