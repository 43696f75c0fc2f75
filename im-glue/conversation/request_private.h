/* A request that is being answered: who asks, what it holds in memory, its answer. */
#ifndef CONVERSATION_REQUEST_PRIVATE_H
#define CONVERSATION_REQUEST_PRIVATE_H

#include "conversation.h"
#include "known_users.h"
#include "table.h"

enum sender_rate { SENDER_MESSAGES, SENDER_REGISTERS, SENDER_OF_DOMAIN, SENDER_RATES };

/* Who has requests in progress, or used up some of what he may send in a minute. */
struct sender {
    UT_hash_handle hh;
    size_t held;                   /* bytes */
    int64_t used_up[SENDER_RATES]; /* thousandths of requests */
    int64_t used_up_at_ms;         /* monotonic: when used_up was right */
    size_t address_length;
    char address[];
};

/* What the Route of a request from a core says (ISC). */
struct visit {
    bool is;           /* a trusted peer has sent it, with our Route on top */
    bool originating;  /* for its sender; else for its recipient */
    bool again;        /* for its recipient, after it was here for its sender */
    bool returns;      /* it is what we sent for its recipient, and wants to go on */
    bool unregistered; /* the core knows that its recipient is away */
    struct text route; /* that leads back; empty: none */
};

/* A request from its arrival to its answer. */
struct request {
    struct conversation *conversation;
    struct arena arena;
    struct sip_message *message;
    struct sip_message *onward; /* what goes on of a MESSAGE, made of `message`; NULL before that is known */
    uint64_t transaction;
    struct flow flow;
    struct text user; /* authenticated, canonical; empty before: `who.address` */
    struct requester who;
    struct visit visit;
    struct text auth_info;  /* for Authentication-Info of a 2xx; empty: none */
    struct text domain;     /* of a sender who is not ours; empty: ours, or not known */
    bool vouched;           /* his domain speaks for him, and for nobody else */
    struct sender *sender;  /* NULL until he is known */
    size_t held;            /* bytes counted for it */
    struct text message_id; /* of a MESSAGE that could be read; for the log */
};

/* request.c */
struct request *request_new(struct conversation *conversation, struct sip_event *event);
void request_free(struct request *request);
/* Answers and frees the request. `name`/`value` is one more header, or NULL. */
void request_answer(struct request *request, int status, const char *reason);
void request_answer_with(struct request *request, int status, const char *reason, const char *name, struct text value);
struct sip_message *request_response(struct request *request, int status, const char *reason);
void request_send(struct request *request, struct sip_message *response); /* frees the request too */
/* True: extensions that the field asks for were refused with 420, and the request freed; `known` is none of them. */
bool request_refuse_extensions(struct request *request, const char *name, struct text known);
struct text request_header(struct request *request, const char *name); /* first field, or empty */
/* Without the parameters of the header: tags are nothing to read. Empty: it is none. */
struct text request_shown_address(struct text field, struct arena *arena);
/* True: request->user and request->who are set. False: the request has been answered and freed. */
bool request_authenticate(struct request *request, bool proxy);

/* asserted.c */
/* May the peer say who asks (RFC 3325 §5)? */
bool request_peer_is_trusted(struct request *request);
/* Is it a core, which may also say who is registered, and where a request goes on? */
bool request_is_of_core(struct request *request);
/* OK: who.proof says whether a trusted peer has said who asks. REFUSED: what it says is malformed. FAILED. */
enum status request_take_assertion(struct request *request);
/* The P-Asserted-Identity fields of what goes on: a SIP address, and a number if there is one. */
void request_add_assertion(struct request *request, struct sip_message *message);
/* What servers tell each other (RFC 7315, RFC 5502, RFC 6050): clients neither say it… */
void request_remove_core_headers(struct sip_message *message);
void request_hide_core_headers(struct sip_message *message); /* …nor hear it, nor what others tell servers */

/* sender.c: what requests hold in memory, and whose they are */
/* Before anybody knows who sent it. False: answered 503 and freed. */
bool sender_has_room(struct request *request);
/* The sender is request->user from here on. False: he sends too much; answered and freed. */
bool sender_admit(struct request *request);
/* The request holds so many copies of so many bytes, until it is freed. False: as above. */
bool sender_charge_copies(struct request *request, size_t count, size_t bytes);
void sender_release(struct request *request);
void sender_count_turned_away(struct conversation *conversation); /* those that got no turn */
void sender_sweep(struct conversation *conversation);
void sender_free_all(struct conversation *conversation);

#endif
