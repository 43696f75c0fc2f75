/* The side of event subscriptions that watches (RFC 6665 §4.1): begins them, keeps them alive, tells what NOTIFYs say,
 * begins anew when the notifier forgot. What a body means is the caller's. No socket, no clock.
 *
 * After each call, and at the deadline: subscriber_next until false, and subscriber_answered for what each SUBSCRIBE
 * was answered. */
#ifndef SUBSCRIPTION_SUBSCRIBER_H
#define SUBSCRIPTION_SUBSCRIBER_H

#include "flow.h"
#include "sip_message.h"

#define SUBSCRIBER_SUBSCRIPTIONS_MAX 200000 /* one for each user that a core registers here; some 1 KiB each */

struct subscriber_settings {
    struct text from;         /* our address, which the notifier must let in: "sip:im.example.com" */
    struct text host;         /* of Call-IDs */
    int64_t t1_ms;            /* a notifier has 64 of it for its first NOTIFY (RFC 6665 §4.1.2.4) */
    size_t subscriptions_max; /* 0: as above */
    size_t bytes_max;         /* that all of them may hold; 0: their number alone bounds it */
};

struct subscriber;

struct subscriber *subscriber_new(const struct subscriber_settings *settings);
void subscriber_free(struct subscriber *subscriber);

/* What to watch, and through whom. Texts are copied. */
struct subscriber_order {
    struct text package, type; /* "reg", "application/reginfo+xml" */
    struct text resource;      /* its address: Request-URI and To */
    struct text route;         /* Route fields of the first SUBSCRIBE; empty: none */
    struct flow flow;          /* over which we heard of it; given back with each SUBSCRIBE */
    uint32_t expires_s;
};

/* What is watched already is asked for anew, over the new route if that is another. False: too many. */
bool subscriber_begin(struct subscriber *subscriber, const struct subscriber_order *order, int64_t now_ms);
void subscriber_refresh(struct subscriber *subscriber, struct text package, struct text resource, int64_t now_ms);
void subscriber_end(struct subscriber *subscriber, struct text package, struct text resource, int64_t now_ms);

/* A SUBSCRIBE that is due. The caller adds Contact and what else it wants, sends and frees it. Texts are good until the
 * next call. */
struct errand {
    uint64_t subscription;
    struct sip_message *message;
    struct text resource;
    struct text target, route; /* where it goes, and through whom; empty: nobody */
    struct flow flow;          /* of the order */
};

bool subscriber_next(struct subscriber *subscriber, int64_t now_ms, struct errand *errand_out);

/* What the SUBSCRIBE was answered; NULL: nothing, or it could not be sent. */
void subscriber_answered(struct subscriber *subscriber, uint64_t subscription, const struct sip_message *answer,
                         int64_t now_ms);

/* What a NOTIFY says. Texts are good until the next call. */
struct news {
    struct text package, resource;
    struct text type, body; /* empty: nothing about the state */
    bool first;             /* in its dialog: numbers of versions begin anew */
    bool ended;             /* and is not begun anew, for `reason` */
    struct text reason;
};

/* What to answer: 200 with `news_out`; 481, 489, 400, 500: nobody asked for that. */
int subscriber_notified(struct subscriber *subscriber, const struct sip_message *request, struct arena *arena,
                        int64_t now_ms, struct news *news_out);

int64_t subscriber_deadline(const struct subscriber *subscriber); /* INT64_MAX: none */
size_t subscriber_count(const struct subscriber *subscriber);
size_t subscriber_bytes(const struct subscriber *subscriber); /* that they hold */

#endif
