/* What the files of the notifier share. */
#ifndef SUBSCRIPTION_NOTIFIER_PRIVATE_H
#define SUBSCRIPTION_NOTIFIER_PRIVATE_H

#include <sys/queue.h>

#include <stdlib.h>

#include "due.h"
#include "notifier.h"
#include "sip_dialog.h"
#include "table.h"

struct subscription {
    struct due due; /* first: the heap leads back to it */
    UT_hash_handle hh;
    uint64_t number; /* what our tag says in hexadecimal */
    struct sip_dialog dialog;
    const struct event_package *package;
    char *id; /* of its Event; empty: none */
    struct watched *watched;
    struct subscriber_count *subscriber;
    struct flow flow;
    size_t bytes;        /* that it holds */
    int64_t expires_ms;  /* monotonic */
    int64_t earliest_ms; /* of the next NOTIFY */
    bool changed;        /* one is due */
    bool in_flight;      /* one waits for its answer: the next comes behind it */
    const char *reason;  /* static, why it ends with the next NOTIFY; NULL: it goes on */
    uint32_t version;
    uint64_t mark;
    LIST_ENTRY(subscription) of_watched;
    bool written, unwritten; /* there is a record of it; there has to be another */
    TAILQ_ENTRY(subscription) to_write;
};

/* One whose record is to go. */
struct unsubscribed {
    uint64_t number;
    char *resource;
    STAILQ_ENTRY(unsubscribed) entry;
};

LIST_HEAD(subscription_list, subscription);

/* All who watch one thing. */
struct watched {
    UT_hash_handle hh;
    char *key; /* package and resource */
    const char *resource;
    struct subscription_list subscriptions;
};

struct subscriber_count {
    UT_hash_handle hh;
    char *address;
    size_t count;
};

struct notifier {
    struct notifier_settings settings;
    struct subscription *subscriptions; /* hash by number */
    struct watched *watched;            /* hash by key */
    struct subscriber_count *subscribers;
    struct due_heap due;
    size_t bytes; /* of all subscriptions */
    TAILQ_HEAD(unwritten_list, subscription) to_write;
    STAILQ_HEAD(unsubscribed_list, unsubscribed) to_remove;
    struct subscription *ended; /* its last NOTIFY was given out: its texts are good until the next call */
};

struct subscription *subscription_find(const struct notifier *notifier, uint64_t number);
size_t subscriber_holds(const struct notifier *notifier, struct text address);
struct subscription *subscription_add(struct notifier *notifier, const struct notifier_request *read,
                                      const struct notifier_watch *watch, const struct sip_dialog *dialog);
void subscription_weigh(struct notifier *notifier, struct subscription *subscription); /* its dialog changed */
void notifier_records_free(struct notifier *notifier);
void subscription_write_later(struct notifier *notifier, struct subscription *subscription);
void subscription_never_written(struct notifier *notifier, struct subscription *subscription); /* it ends */
const struct event_package *package_of(const struct notifier *notifier, struct text name);
void subscription_plan(struct notifier *notifier, struct subscription *subscription);

#endif
