/* A MESSAGE that has come: what is read of it, and what is looked for in its content. */
#ifndef INCOMING_PRIVATE_H
#define INCOMING_PRIVATE_H

#include "conversation_private.h"
#include "recipients.h"

/* incoming.c: a MESSAGE, read and checked */
#define INCOMING_ID_MAX 256 /* of our records; a longer Call-ID is cut there, a longer Message-ID not used */

/* What its sender wants to hear from the server (RFC 5438 §6.4): nothing, if nobody can be told. */
struct wanted {
    bool processing;   /* that it was passed on, or is kept */
    bool failures;     /* that it was not delivered after all */
    struct text route; /* IMDN-Record-Route, one a line: the way that reports take; empty: none */
};

struct incoming {
    struct request *request;
    struct text message; /* ready to be stored and sent on */
    struct text body;    /* without its codings */
    struct text message_id;
    struct text call_id;
    struct text exploder;          /* that it is for, with `recipients`; empty: it has no list */
    struct recipients *recipients; /* as its sender wrote them */
    bool anonymous;
    bool composing;            /* tells that somebody writes, and nothing else (RFC 3994) */
    bool report;               /* an IMDN: what became of another message */
    bool advertisement;        /* of a group */
    bool deferrable;           /* worth keeping for later */
    struct text subject, type; /* type: of what is in the envelopes */
    struct text group_name;    /* of the group that it came to; may be empty */
    enum deferred_priority priority;
    bool is_own; /* for one recipient alone: shares its bytes with no other copy */
    struct wanted wanted;
    int64_t expires_ms;
    struct group_sender sender;
};

/* False: answered and freed. `exploder`: its address when it is meant for that. */
bool incoming_read(struct request *request, struct text exploder, struct incoming *incoming_out);
enum message_content incoming_content(const struct incoming *incoming);
struct fate incoming_fate(const struct incoming *incoming, struct text recipient, struct text group);
bool incoming_is_nobody(struct text canonical);                               /* RFC 3323 §4.1.1.3 */
bool incoming_is_own(const struct incoming *incoming, struct text canonical); /* the sender, or nobody */
struct group_sender incoming_asks_group(const struct incoming *incoming);     /* may he send this to a group? */
void incoming_note_refused(struct incoming *incoming, struct text recipient, int status, struct text detail);
/* Answers, and keeps a record of why: `detail` is for whoever traces the message. */
#define WARNING_FORBIDDEN   "100" /* beginnings of OMA warnings, which settings change */
#define WARNING_MANY        "102"
#define WARNING_NO_MESSAGES WARNING_FORBIDDEN " Function not allowed due to user authorisation"
void incoming_refuse(struct incoming *incoming, struct text recipient, int status, const char *warning,
                     struct text detail);

/* content.c */
#define CONTENT_ENCODINGS     "gzip, deflate, identity" /* that can be looked into */
#define CONTENT_ADVERTISEMENT "application/vnd.poc.group-advertisement+xml"
bool content_check(struct incoming *incoming); /* false: answered and freed */
/* incoming->body: without its codings, where this server has to look into it. False: answered and freed. */
bool content_open(struct incoming *incoming);
/* The body of a message without its codings, as coding_take_off. */
enum status content_body(const struct sip_message *message, struct arena *arena, struct text *body_out);
/* Puts a part in the place of the whole content. False: it cannot stand alone in SIP; the message is good for nothing.
 */
bool content_put(struct sip_message *message, struct text headers, struct text content, struct arena *arena);
/* The same content with one wrapping less, for who does not read that. False: there is none to take off. */
bool content_make_plainer(struct sip_message *message, struct arena *arena);

/* list_part.c: the list of recipients among the parts of a body */
struct mime_part;
/* How many there are; the last. */
size_t list_part_find(struct text type, struct text body, unsigned depth, struct arena *arena,
                      const struct mime_part **list_out);
/* The message is left with the other parts, one alone without the multipart, and `history` (a whole part, or empty) in
 * the place of the list. False: nothing else is there. */
bool list_part_take_out(struct sip_message *message, struct text type, struct text body, const struct mime_part *list,
                        struct text history, struct arena *arena);

/* exploder.c: messages with a list of their recipients (RFC 5365) */
#define EXPLODER_EXTENSION "recipient-list-message"
bool exploder_is(const struct conversation *conversation, struct text target);
bool exploder_read(struct incoming *incoming); /* takes the list out of the message; false: answered and freed */
void exploder_receive(struct incoming *incoming);

/* shared_list.c: messages to lists that have an address. False: none has this one. Else answered and freed. */
bool shared_list_receive(struct incoming *incoming, struct text address);
/* The same to these, whoever they are; `address` is that of the list. */
void exploder_send(struct incoming *incoming, struct text address, const struct group_list *list);

#endif
