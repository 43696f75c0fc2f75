/* What the files about reports share: those that wait for others, and what a report says. */
#ifndef REPORTS_PRIVATE_H
#define REPORTS_PRIVATE_H

#include "conversation_private.h"
#include "imdn.h"

/* One report that waits: its document, and the message that came. */
struct waiting {
    char *name, *reporter, *message;
    size_t length;
    struct waiting *next;
};

/* Who has reported what: once is enough. */
struct reported {
    UT_hash_handle hh;
    char *key;
};

/* All reports about one message. */
struct collection {
    UT_hash_handle hh;
    char *key, *group;
    struct served *sender; /* of the message, who gets the reports */
    struct waiting *first, **end;
    size_t count;
    struct reported *reported;
    size_t recipients;                /* of the message, each of whom may report once of a kind; 0: too many to count */
    size_t leaving;                   /* of those that wait: on their way to the queue of the sender */
    unsigned arriving;                /* on their way to the disk */
    int64_t send_at_ms, forget_at_ms; /* monotonic; send_at_ms 0: nothing waits */
    TAILQ_ENTRY(collection) due, all;
};

/* collection.c */
struct collection *collection_of(struct conversation *conversation, struct text message_id, struct served *sender,
                                 struct text group);
void collection_free(struct conversation *conversation, struct collection *collection);
bool collection_is_idle(const struct collection *collection); /* nothing waits in it, and nothing is on its way */
void collection_set_due(struct conversation *conversation, struct collection *collection, int64_t send_at_ms);
/* Who said what: false when he said so before. */
struct text collection_key(struct text reporter, struct text kind, struct arena *arena);
bool collection_note(struct collection *collection, struct text key);
void collection_forget(struct collection *collection, struct text key);
void collection_add(struct conversation *conversation, struct collection *collection, struct text name,
                    struct text reporter, struct text message);
void collection_drop(struct conversation *conversation, struct collection *collection, size_t count); /* the first */
/* Nobody is missing who could say the same of the message. There are few, or nobody counted them. */
bool collection_is_complete(const struct collection *collection, struct text key);

/* report_message.c: a MESSAGE that carries reports about others */
struct report_message {
    struct text from, to;
    struct text hop;   /* who gets it: `to`, or who wants to see it before */
    struct text route; /* IMDN-Route, one a line, with that one; empty: none */
    struct text id;
    const struct text *reports; /* documents of message/imdn+xml */
    size_t count;
};
/* A MESSAGE without a body; NULL: `to` is no URI. */
struct sip_message *message_of_server(const struct conversation *conversation, struct text from, struct text to,
                                      struct text id, struct arena *arena);
struct text report_message_write(const struct conversation *conversation, const struct report_message *letter,
                                 struct arena *arena);

/* report_read.c */
/* The report in the content of a message: whole, or inside an envelope. */
bool report_find(struct text type, struct text body, struct arena *arena, struct text *document_out);
/* The record of the message that it speaks of, as the reporter got it. */
bool report_find_original(struct incoming *incoming, struct imdn *imdn_out, struct fate *fate_out);

/* imdn_route.c: whom a MESSAGE is for, canonical; of a report that was sent to us as the next of its route, whoever
 * stands behind us. */
struct text imdn_route_follow(struct request *request);

/* reports.c: what recipients say about messages to many */
/* It is a step of what it speaks of. */
void reports_note(const struct incoming *incoming, struct text sender);
/* Who gets a report that was sent to the address of a group: false when it speaks of nothing from there. In the arena
 * of the request. */
bool reports_addressee(struct incoming *incoming, struct text group, struct text *address_out);
bool reports_collect(struct incoming *incoming, struct served *sender); /* false: it goes on like any message */
void reports_load(struct conversation *conversation);
void reports_free_all(struct conversation *conversation);
void reports_run_deadlines(struct conversation *conversation);
int64_t reports_deadline(const struct conversation *conversation);

#endif
