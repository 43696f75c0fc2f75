/* The parts of the replay runner: a world without sockets and clocks, and the words of a script. */
#ifndef REPLAY_SCRIPT_H
#define REPLAY_SCRIPT_H

#include "arena.h"
#include "conversation.h"

#define REPLAY_ACTORS_MAX 32
#define REPLAY_INBOX_MAX  256

/* A SIP client of the script: an address, and what has arrived there. */
struct actor {
    struct text name; /* "bob", or "bob/desk" for one of several clients of a user */
    struct text user;
    struct flow flow;
    struct text password;     /* empty: the user's name */
    bool silent;              /* answers no challenge */
    bool listens;             /* FLOW_TCP: can be connected to */
    struct text last;         /* bytes sent */
    unsigned requests;        /* sent so far: makes Call-IDs and CSeqs */
    unsigned asked, answered; /* requests, without those that were challenged, and their final answers taken */
    struct sip_message *inbox[REPLAY_INBOX_MAX];
    size_t inbox_count;
    struct sip_message *answerable;  /* the last request taken from the inbox */
    struct sip_message *response;    /* the last response taken */
    const struct sip_message *taken; /* the later of the two */
};

struct world {
    struct arena arena;
    struct usage_set *usages;
    struct store *store, *faulty; /* the same, or below it */
    struct documents *documents;
    struct digest *digest;
    struct guard *guard;
    struct groups *groups;
    struct conversation *conversation;
    struct instant now;
    struct text root;
    struct trust trust;
    unsigned messages_per_user, registers_per_user; /* limits; 0: none */
    size_t bytes_max;
    struct actor actors[REPLAY_ACTORS_MAX];
    size_t actors_count;
    uint64_t connections; /* made so far */
    char problem[512];    /* why the script failed; empty while it is good */
};

void world_open(struct world *world);
void world_close(struct world *world);
void world_restart(struct world *world);                  /* im-glue ends and starts again on the same store */
void world_fail_write(struct world *world, unsigned nth); /* …whose n-th write from then on fails */
void world_fail_calls(struct world *world, const enum store_call *call); /* all of this kind from now on; NULL: none */
void world_connect(struct world *world, struct actor *actor, bool listens);
void world_disconnect(struct world *world, struct actor *actor);
struct actor *world_actor(struct world *world, struct text name);
void world_input(struct world *world, struct actor *actor, struct text bytes);
void world_wait(struct world *world, int64_t duration_ms);
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool world_failed(const struct world *world);

void world_put(struct world *world, struct text auid, struct text owner, struct text name, struct text body);
void world_delete(struct world *world, struct text auid, struct text owner, struct text name);

/* Takes the oldest message from the inbox; NULL and a failure when it is empty. */
struct sip_message *actor_take(struct world *world, struct actor *actor);

/* Headers are lines with their line ends; the standard ones may be among them, and are added else. */
struct client_message {
    struct text method, uri, headers, body;
};

/* Sends, answers a challenge, leaves the answer in the inbox. */
void client_send(struct world *world, struct actor *actor, const struct client_message *message);

/* One line of the script and the "| " lines after it. */
void script_run(struct world *world, struct text line, struct text block);

#endif
