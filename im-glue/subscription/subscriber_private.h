/* What the files of the subscriber share. */
#ifndef SUBSCRIPTION_SUBSCRIBER_PRIVATE_H
#define SUBSCRIPTION_SUBSCRIBER_PRIVATE_H

#include <stdlib.h>

#include "due.h"
#include "sip_dialog.h"
#include "subscriber.h"
#include "table.h"

/* One thing that we watch, through as many dialogs as it takes. */
struct watch {
    struct due due; /* first: the heap leads back to it */
    UT_hash_handle by_number, by_key;
    uint64_t number; /* what our tag says in hexadecimal; another with each dialog */
    char *key;       /* package and resource */
    char *package, *resource, *type, *route;
    struct flow flow;
    uint32_t expires_s, asked_s; /* that the caller wants; that the notifier wants at least, or has been asked for */
    struct sip_dialog dialog;
    bool begun;           /* there is a dialog, or a SUBSCRIBE that may lead to one */
    bool confirmed;       /* a NOTIFY came */
    bool in_flight;       /* a SUBSCRIBE waits for its answer */
    bool again;           /* refresh at once when it has come */
    bool ending;          /* we do not want it any more */
    int64_t expires_ms;   /* monotonic, of what the notifier granted */
    int64_t notify_by_ms; /* Timer N; INT64_MAX: none is waited for */
    unsigned failures;    /* since the last NOTIFY */
    size_t bytes;         /* that it holds */
};

struct subscriber {
    struct subscriber_settings settings;
    char *from, *host;
    struct watch *numbers; /* hash by number: those with a dialog */
    struct watch *keys;    /* hash by key: all */
    struct due_heap due;
    size_t bytes;       /* of all */
    struct watch *gone; /* its texts are good until the next call */
};

struct watch *watch_of_number(const struct subscriber *subscriber, uint64_t number);
void watch_forget(struct subscriber *subscriber, struct watch *watch);
void watch_release_gone(struct subscriber *subscriber);
/* The dialog is no more; another is begun at that moment. */
void watch_begin_anew(struct subscriber *subscriber, struct watch *watch, int64_t at_ms);
/* …after a while that grows with each failure, or as the peer says. */
void watch_begin_later(struct subscriber *subscriber, struct watch *watch, uint64_t retry_after_s, int64_t now_ms);

#endif
