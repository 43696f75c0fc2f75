/* Contacts of users, the way to them, and the connections over which they came. A part of conversation_private.h. */
#ifndef CONVERSATION_CONTACT_PRIVATE_H
#define CONVERSATION_CONTACT_PRIVATE_H

#include "document.h"
#include "flow.h"
#include "uri.h"

struct conversation;
struct served;

/* One contact of a user, as its document in "#bindings" says. */
struct contact {
    char *name; /* of the document; of contacts of somebody served, all texts are in one piece with it */
    char *uri;
    char *call_id;
    char *features; /* parameters of its Contact (RFC 3840); NULL: none */
    uint32_t cseq;
    uint32_t first_cseq; /* of the first REGISTER with this Call-ID */
    uint64_t changed;    /* its last change, counted over all contacts */
    int64_t expires_ms;  /* wall clock */
    int64_t since_ms;    /* wall clock: of its first REGISTER */
    bool renewed;        /* by a later one */
    struct flow source;  /* where the REGISTER came from; its connection is 0 once that is closed */
    /* Where `path`, or else `uri`, leads by itself: worked out by contact_find_way, once and not for each message. */
    enum { WAY_NONE, WAY_NAME, WAY_NUMERIC } way; /* it cannot be read; it is a name; it is known */
    enum flow_kind way_kind;
    struct sockaddr_in6 way_peer; /* or sockaddr_in */
    bool wants_tls;               /* it is a sips address */
    bool by_source;               /* send to `source`, not to the address in `uri` (NAT, RFC 5626 flows) */
    bool udp_alone;               /* does not take connections, as was found out */
    bool lost;                    /* its flow: the edge proxy that kept it has said so (RFC 5626 §5.3) */
    char *path;                   /* RFC 3327: the Route of what is sent to it; empty: none */
    char *instance;               /* of the device, without brackets; empty: it has not said */
    uint32_t reg_id;              /* RFC 5626: which of the flows of the device; 0: it has no flows */
    bool core;    /* reached through a core, which forks: `path` is it; its name is the user's own address… */
    bool watched; /* …or it is one of the devices that the core tells of, as it is watched */
};

struct commit contact_commit(const struct contact *contact, struct text owner, struct arena *arena);
bool contact_read(const struct stored *stored, struct arena *arena, struct contact *contact_out); /* in the arena */
void contact_find_way(struct contact *contact); /* before contact_flow */
struct flow contact_flow(const struct contact *contact);
/* Its next hop, if that is a name and no connection leads there; empty: contact_flow knows the way. */
struct text contact_unknown_hop(const struct contact *contact);
/* Must what is for this address go where it came from? `parameters`: of its Contact. */
bool contact_is_elsewhere(const struct flow *source, const struct uri *uri, struct text parameters,
                          struct arena *arena);
void connection_used(struct conversation *conversation, const struct flow *flow, struct served *served);
bool connection_open(const struct conversation *conversation, const struct flow *flow);
void connection_closed(struct conversation *conversation, uint64_t number);
void connection_forget_all(struct conversation *conversation);

#endif
