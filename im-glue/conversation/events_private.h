/* Event subscriptions of this server (RFC 6665): what can be watched here, and what we watch elsewhere. */
#ifndef CONVERSATION_EVENTS_PRIVATE_H
#define CONVERSATION_EVENTS_PRIVATE_H

#include "conversation_private.h"
#include "notifier.h"
#include "subscriber.h"

/* Something about a user that can be watched. A further one is a file with such a table, and its name in events.c. */
struct event_kind {
    struct event_package package; /* first: what the notifier gives back leads to the table */
    /* Is it asked for what this package tells? NULL: always. */
    bool (*is_meant)(struct request *request);
    /* May the requester watch this user? */
    bool (*may_watch)(struct request *request, const struct user *user);
    /* The body of a NOTIFY, in the arena: `notice->resource` is the user's address. */
    struct text (*write)(struct conversation *conversation, const struct notice *notice, struct arena *arena);
};

/* What can be watched here; what is named by settings stands in it. */
struct event_table {
    struct arena arena;
    const struct event_package *packages[3 + CONVERSATION_LIST_EVENTS_MAX];
    size_t count;
    struct event_kind settings;
    struct event_kind lists[CONVERSATION_LIST_EVENTS_MAX];
    size_t lists_count;
};

/* events.c */
bool events_is_owner(struct request *request, const struct user *user); /* for what is nobody else's business */
void events_open(struct conversation *conversation);
void events_load(struct conversation *conversation); /* those of before the start */
void events_close(struct conversation *conversation);
void events_subscribe(struct request *request); /* SUBSCRIBE */
void events_notify(struct request *request);    /* NOTIFY */
/* The state of that user is another one: who watches it is told. */
void events_changed(struct conversation *conversation, const struct event_kind *kind, struct text address);
void events_end(struct conversation *conversation, struct text address); /* there is no such user any more */
bool events_watched(const struct conversation *conversation, const struct event_kind *kind, struct text address);
struct text events_allowed(const struct conversation *conversation, struct arena *arena); /* of Allow-Events */
void events_run(struct conversation *conversation);                                       /* sends what is due */
int64_t events_deadline(const struct conversation *conversation);

/* event_sending.c: a NOTIFY or SUBSCRIBE of ours on its way, by one way after another */
struct event_way {
    struct text target, route; /* remote target; Route of the dialog, empty: none */
    struct flow source;        /* over which we heard of the peer */
};
/* Takes the message over. */
void event_send(struct conversation *conversation, bool notice, uint64_t subscription, struct sip_message *message,
                const struct event_way *way);
void event_located(struct branch *branch, const struct locator_result *result);
void event_take_response(struct branch *branch, const struct sip_message *answer);
void event_take_failure(struct branch *branch, enum sip_failure failure);
void event_sending_free_all(struct conversation *conversation);

extern const struct event_kind summary_event; /* "message-summary" (RFC 3842) */

/* settings_event.c: IM service settings */
void settings_event_open(const struct conversation_settings *settings, struct arena *arena,
                         struct event_kind *kind_out);
void settings_changed(struct conversation *conversation, const struct served *served);

/* list_event.c: the list of what waits, by a package of that name. False: there is no such list. */
bool list_event_open(const struct conversation *conversation, struct text package, struct arena *arena,
                     struct event_kind *kind_out);
void list_changed(struct conversation *conversation, struct text address);
bool list_is_watched(const struct conversation *conversation, struct text address);

/* registration_event.c: "reg" (RFC 3680) */
extern const struct event_kind registration_event;
/* This contact is about to go; `event` is why, as the document says it. */
void registration_ends(struct conversation *conversation, struct served *served, struct text name, const char *event);
void registration_changed(struct conversation *conversation, const struct served *served);
void registration_forget(struct served *served);

/* core.c: users who are registered with a core, which tells us so (3GPP TS 24.229 §5.4.1.7, RFC 3680) */
/* Does this REGISTER of a trusted server lead to a subscription? */
bool core_is_watched(struct request *request);
/* A REGISTER of a trusted server is on disk: `present` says whether for somebody who is there. */
void core_registered(struct conversation *conversation, const struct served *served, bool present);
void core_load(struct conversation *conversation);                 /* watches again what was watched before the start */
void core_learn(struct request *request, const struct news *news); /* what a NOTIFY says; answers it */

#endif
