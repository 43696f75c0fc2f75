/* The parts of the replay runner: a world without sockets and clocks, and the words of a script. */
#ifndef REPLAY_SCRIPT_H
#define REPLAY_SCRIPT_H

#include "arena.h"
#include "conversation.h"

#define REPLAY_ACTORS_MAX 32
#define REPLAY_INBOX_MAX  256
#define REPLAY_SEEN_MAX   256

/* A request that a client has answered. */
struct seen {
    struct text branch, bytes;
};

/* A SIP client of the script: an address, and what has arrived there. */
struct actor {
    struct text name; /* "bob", or "bob/desk" for one of several clients of a user */
    struct text user;
    struct flow flow;
    struct text password;     /* empty: the user's name */
    bool silent;              /* answers no challenge */
    bool present;             /* has come: answers all that it gets while others insist */
    bool listens;             /* FLOW_TCP: can be connected to */
    struct text last;         /* bytes sent */
    unsigned requests;        /* sent so far: makes Call-IDs and CSeqs */
    unsigned asked, answered; /* requests, without those that were challenged, and their final answers taken */
    struct sip_message *inbox[REPLAY_INBOX_MAX];
    size_t inbox_count;
    struct sip_message *answerable;  /* the last request taken from the inbox */
    struct sip_message *response;    /* the last response taken */
    const struct sip_message *taken; /* the later of the two */
    struct seen seen[REPLAY_SEEN_MAX];
    size_t seen_count;
};

/* Where im-glue is killed: just before it writes or sends something, or just after it wrote. */
enum crash_kind { CRASH_NEVER, CRASH_BEFORE_WRITE, CRASH_AFTER_WRITE, CRASH_BEFORE_SENDING, CRASH_KINDS };

struct crash {
    enum crash_kind kind;
    unsigned at;   /* the first of its kind is 1, from the word `crash` on */
    bool armed;    /* that word was reached, and nothing crashed yet */
    bool asked;    /* it was reached */
    bool dead;     /* what im-glue does from here on, nobody sees */
    unsigned sent; /* since then */
};

/* A part of an answer, by the name that the script gives it. */
struct remembered {
    struct text name, value;
};

#define REPLAY_REMEMBERED_MAX 8

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
    struct trust_ranges cores;                      /* those of the trusted peers that are */
    unsigned messages_per_user, registers_per_user; /* limits; 0: none */
    bool waiting_notice;
    size_t bytes_max;
    struct deferral_settings deferral;
    enum list_senders list_senders;
    struct conversation_peering peering;
    struct text core_routes;
    struct remembered remembered[REPLAY_REMEMBERED_MAX];
    size_t remembered_count;
    struct text zone;      /* lines: what DNS says */
    struct text peer_name; /* in the certificate that TLS peers show */
    struct actor actors[REPLAY_ACTORS_MAX];
    size_t actors_count;
    uint64_t connections; /* made so far */
    bool block_politely;
    bool accept_anonymous, no_watchers, sha512, strong_first, follow_redirects;
    int64_t t1_ms, t2_ms; /* 0: as the standard says */
    int block_status;
    unsigned warning_forbidden;
    struct registration_limits registrations;
    struct watcher_limits watchers;
    int64_t answer_ms, records_ms, report_life_ms;
    struct text metrics; /* as they were when the story began */
    bool held;           /* what comes in has no consequences yet */
    struct crash crash;
    char problem[512]; /* why the script failed; empty while it is good */
};

void world_open(struct world *world);
void world_close(struct world *world);
void world_restart(struct world *world);                  /* im-glue ends and starts again on the same store */
void world_fail_write(struct world *world, unsigned nth); /* …whose n-th write from then on fails */
void world_fail_calls(struct world *world, const enum store_call *call); /* all of this kind from now on; NULL: none */
void world_fill_store(struct world *world); /* what is written fails from now on, what is deleted does not */
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

/* Answers what im-glue asks of DNS, as the script says (replay_dns.c). True: something was asked. */
bool world_answer(struct world *world);

/* replay_crash.c: the word `crash`, and those of stories that hold wherever im-glue is killed. */
typedef void word_fn(struct world *world, struct text line, struct text block);
word_fn word_crash, word_insist, word_come, word_live, word_copies, word_waiting, word_erase;
word_fn word_history, word_look, word_listed, word_counted; /* replay_kept.c */

/* "waiting 1", "history 2": the reference of what is kept for the owner as the n-th. False: there is none. */
bool kept_reference(struct world *world, struct text owner, struct text what, struct text *reference_out);
bool crash_happens(struct world *world); /* before something is sent: true when nobody gets it */
void crash_recover(struct world *world); /* after all that a dead process still does */

/* replay_remember.c */
word_fn word_remember, word_differ;
struct text script_remembered(struct world *world, struct text name);

/* replay_dns.c */
word_fn word_dns, word_peering, word_peer, word_back;

/* Parts of a line: the next word, what it names, a request out of a block. */
struct text script_word(struct text *line);
struct text script_address(struct world *world, struct text name);
struct text script_fill_in(struct world *world, const struct actor *actor, struct text block); /* "{…}" */
struct client_message script_message(struct text method, struct text uri, struct text block);

/* One line of the script and the "| " lines after it. */
void script_run(struct world *world, struct text line, struct text block);

#endif
