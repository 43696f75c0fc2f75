/* What all files of this module share: the server's state, users that are served, deliveries and work that waits for
 * the store. What fewer of them need is in the other headers of this folder. */
#ifndef CONVERSATION_PRIVATE_H
#define CONVERSATION_PRIVATE_H

#include <pthread.h>
#include <sys/queue.h>

#include <stdalign.h>
#include <stdlib.h>

#include "contact_private.h"
#include "conversation.h"
#include "deferred.h"
#include "fate.h"
#include "gruu.h"
#include "imsettings.h"
#include "known_users.h"
#include "request_private.h"
#include "table.h"

#define CONVERSATION_PENDING_MAX 20000 /* store operations in flight; past it requests get 503 before memory grows */
#define CONVERSATION_SWEEP_MS    60000 /* expired bindings leave the store this late at most */
#define CONVERSATION_FAN_OUT_BYTES_MAX                                                                                 \
    (64u << 20)                /* of all copies of one message to a group: they are in memory until they are on disk */
#define CONVERSATION_RETRIES 4 /* planned attempts to hand over what was kept; then the next registration counts */

/* A user whose bindings or stored messages matter. Lives as long as the conversation: there are no more than users. */
struct served {
    UT_hash_handle hh;
    char *address;
    struct contact *contacts; /* NULL: none so far, as with most who are away */
    size_t contacts_count, contacts_room;
    struct publication *publications;    /* settings that his clients asked for */
    bool publishing;                     /* one is on its way to the disk */
    unsigned registering;                /* REGISTERs on their way to the disk */
    bool flushing;                       /* a stored message is on its way; new ones queue behind it */
    bool flush_again;                    /* registered meanwhile: what could not be handed over is tried at once */
    char *flush_after;                   /* name of a message that was passed over; NULL: from the first */
    TAILQ_HEAD(taken_list, taken) taken; /* a contact has these; that they have ended is not on the disk yet */
    unsigned taken_count;
    size_t taken_bytes;
    char *taken_to;       /* reference up to which all are among these, or on their way; NULL: not known */
    bool taken_full;      /* the queue waits for some of them */
    unsigned kept_relays; /* stored after a silence, but perhaps still answered: the queue waits for them */
    unsigned retries;     /* since the last registration or success */
    int64_t retry_at_ms;  /* monotonic; 0: none planned */
    size_t retry_list;    /* while one is planned */
    TAILQ_ENTRY(served) retry;
    bool waits; /* in the list of those who wait for room */
    TAILQ_ENTRY(served) wait;
    TAILQ_HEAD(handout_copies, handout_copy) copies; /* handed out to him, in the order of their arrival */
    unsigned copies_count;
    bool nothing_waits; /* as was read, and nothing has been kept for him since; false: perhaps */
    bool behind;        /* something came while that was so, and is kept behind it */
    bool handout_kept;  /* some of these copies was not taken */
    unsigned arriving;  /* copies on their way to the disk */
    size_t arriving_bytes;
    unsigned leaving; /* those that give way to them, likewise; up to which of them */
    size_t leaving_bytes;
    uint64_t left_order;
    int64_t keep_ms_max;          /* as his account said last; 0: as the house says */
    bool fetching;                /* he asked for something that waits, also if nobody else is to see him */
    bool fetching_all;            /* also for what he leaves there else */
    uint64_t summary_told;        /* what he who watches how much waits was told last */
    int64_t summary_at_ms;        /* monotonic: then he is told anew; 0: nothing is new */
    TAILQ_ENTRY(served) summary;  /* while that is so */
    bool trimming;                /* some of his history is on its way out, since it was too much */
    uint64_t core_version;        /* of what a core has told of him; 0: nothing, else one more */
    struct ended_contacts *ended; /* that watchers have not been told of; NULL: none since the start */
    struct domain *domain;        /* of somebody who is not ours; NULL: a user */
    unsigned deliveries;          /* of messages to him, in memory */
};

TAILQ_HEAD(served_list, served);

/* Another domain, while something is known of somebody there. */
struct domain {
    UT_hash_handle hh;
    char *name;
    size_t users, in_flight;
    struct served_list waiting; /* for less to be on its way */
    bool ready;                 /* there may be room for some of these now */
    TAILQ_ENTRY(domain) entry;  /* while it is */
};

/* Whose REGISTERs came over a connection, so that its end costs no walk over all users. */
struct connection {
    UT_hash_handle hh;
    uint64_t number;
    struct served **users;
    size_t count, capacity;
};

/* Commits on their way to the disk, and what follows. */
struct work;
struct incoming;
typedef void work_fn(struct conversation *conversation, struct work *work);
struct work {
    struct conversation *conversation;
    struct arena arena; /* commits and all they point to */
    struct commit *commits;
    size_t count;
    size_t room; /* bytes of the arena that are no more than room for commits */
    work_fn *then;
    bool has_fates;
    bool is_guarded; /* its first commit says that nobody was erased since it was begun: else it is revised */
    unsigned revised;
    struct request *request; /* owned, may be NULL */
    struct served *served;
    struct delivery *delivery;
    struct served *recorded[2]; /* in whose histories it writes: sender and recipient */
    struct handout *handouts;   /* that end in it */
    struct taken *taken;        /* likewise */
    int64_t at_ms;              /* monotonic: when it is submitted, of taken_again */
    void *details;              /* of `then`, in the arena */
    struct work *next;
};

/* One message on its way to one user: to all his contacts at once, the first 2xx wins. */
#define DELIVERY_BYTES_INSIDE 1344 /* for its arena: all of a copy out of a group; with the rest two kilobytes */

struct delivery {
    UT_hash_handle hh;
    struct conversation *conversation;
    struct arena arena;
    struct served *recipient;
    struct fate fate;
    struct text message;       /* as stored: a whole SIP message, to be addressed to each contact */
    struct text sent_as;       /* Call-ID and CSeq that contacts get, key of the hash; empty: not sent yet */
    struct text call_id, from; /* of a copy out of a group, the same for all contacts; made at the first */
    size_t held;               /* bytes counted for it */
    struct deferred deferred;  /* its record; without a reference while it is only relayed */
    struct handout_copy *copy; /* that it hands out; NULL: none */
    struct text route;         /* back to a core that has sent it here; empty: to the contacts */
    bool onward;               /* …for its sender: the core sends it again for its recipient */
    bool again;                /* …for its recipient, and was here for its sender */
    bool may_store;
    bool finished;           /* the outcome is known; late answers of other branches change nothing */
    bool storing;            /* a silent relay is being stored: it must outlive the commit */
    bool recording;          /* the histories that it goes into are on their way to the disk, as `storing` */
    bool is_first;           /* nothing of its recipient waits before it */
    bool late;               /* was stored after a silence, and may still be answered */
    bool wants_processing;   /* as struct wanted; the rest is in `deferred` */
    bool choosy;             /* its sender meant other contacts than are there */
    const struct text *said; /* beside `best`, by who answered that (outbound.c); NULL: nothing */
    bool nowhere;            /* the domain of the recipient does not exist */
    bool untold;             /* no record: it says only that somebody writes */
    bool store_failed;       /* it should have been kept, but the store did not take it */
    struct request *request; /* relayed: the sender waits; NULL once answered */
    int64_t answer_by_ms;    /* monotonic */
    unsigned branches;       /* requests without final answer */
    int best;                /* most telling refusal so far; 0: nobody answered */
    TAILQ_ENTRY(delivery) all;
    TAILQ_ENTRY(delivery) relays; /* while answer_by_ms is set */
    alignas(16) char bytes_inside[DELIVERY_BYTES_INSIDE];
};

TAILQ_HEAD(delivery_list, delivery);

/* A request of ours on its way to somebody. */
struct branch {
    struct delivery *delivery;
    struct query *query;        /* NULL: of a delivery, or… */
    struct event_branch *event; /* …of a subscription */
    struct text name;           /* of the contact's document */
    struct text contact, path;
    bool core;       /* the contact is with a core, which is told what servers tell each other */
    bool grown;      /* by TCP because it is large, instead of UDP */
    bool redirected; /* it is where another one has pointed */
    struct flow flow;
    struct outbound *outbound; /* to another domain; NULL: to a contact */
    const struct text *said;   /* beside the code of its answer */
    unsigned plainer;          /* wrappings taken off, because the contact did not read them */
};

/* What is looked for in the store from time to time: what has expired, what has ended, what nothing refers to. */
struct expiry {
    int64_t look_at_ms;  /* monotonic: the next look for what has expired; 0: at once */
    int64_t ended_at_ms; /* …for what has ended and somebody is to be told */
    bool busy, telling;  /* commits of the last look are on their way */
    char *swept;         /* content up to which was looked for orphans; NULL: from the first */
};

struct conversation {
    struct conversation_settings settings;
    const struct documents *documents;
    struct digest *digest;
    struct groups *groups;
    struct known_users *people;
    struct sip_agent *agent;
    struct locator *locator;
    uint8_t device_key[GRUU_KEY_BYTES];
    struct domain *domains; /* hash by name */
    TAILQ_HEAD(domain_list, domain) domains_ready;
    void (*wake)(void *);
    void *wake_context;
    struct instant now;
    struct served *served;                            /* hash by address */
    struct connection *connections;                   /* hash by number */
    struct served_list retries[CONVERSATION_RETRIES]; /* each in the order of retry_at_ms, as its delay is one */
    struct delivery_list deliveries;
    struct delivery *sent;                          /* hash by sent_as: what comes back to us is known */
    struct delivery_list relays;                    /* in the order of answer_by_ms, as the delay is the same for all */
    TAILQ_HEAD(handout_list, handout) handouts_due; /* in the order of settle_at_ms, as the delay is one */
    struct handout_list handouts_all;
    struct handed_id *handed_ids;          /* hash by message id: what is handed out has no trace yet */
    bool handouts_left;                    /* fan-out records that could not be taken up so far */
    TAILQ_HEAD(query_list, query) queries; /* in the order of answer_by_ms, as the delay is one */
    struct query_list queries_answered;    /* with contacts that have not answered */
    struct event_table *events;
    struct notifier *notifier;
    struct subscriber *subscriber;
    TAILQ_HEAD(event_branch_list, event_branch) event_branches;
    uint64_t contact_changes;                                /* counted from 1 */
    size_t report_bytes;                                     /* of reports that wait for others */
    struct collection *collections;                          /* hash by key: reports about one message */
    TAILQ_HEAD(collection_list, collection) collections_due; /* in the order of send_at_ms, as the delay is one */
    TAILQ_HEAD(collection_all, collection) collections_all;  /* oldest first */
    uint64_t last_order;                                     /* of what was stored: deferred_order */
    struct expiry expiry;
    struct served_list summaries;                /* in the order of summary_at_ms, as the delay is one */
    int64_t looks_at_ms;                         /* monotonic: the next look for what xdms left to be looked at */
    bool looking;                                /* the last is on its way to the disk */
    struct deferred_figures deferred;            /* at the last look, for monitoring */
    int64_t deferred_since_ms;                   /* wall clock: the oldest */
    int64_t sweep_at_ms;                         /* monotonic */
    struct work *records;                        /* that wait for others; NULL: none */
    int64_t records_at_ms;                       /* monotonic: when some went to the disk */
    struct work *taken_again, **taken_again_end; /* ends that the disk did not take, at most TAKEN_MAX of each user */
    struct fate_erasures erasures;               /* at the last look: nothing is written down of whom they erased */
    int64_t erasures_at_ms;                      /* monotonic */
    size_t pending;
    size_t bindings, requests, deliveries_count;
    struct sender *senders;     /* hash by address */
    uint64_t turned_away;       /* by the agent, as far as they are counted */
    size_t held_bytes;          /* by requests in progress */
    size_t delivery_bytes;      /* by messages that were read from the store to be delivered */
    struct served_list waiting; /* for room to read the next one */
    size_t waiting_count;
    pthread_mutex_t lock; /* guards `completed` alone: the committer's thread appends to it */
    struct work *completed, **completed_end;
};

#define CONVERSATION_PRODUCT "IM-serv/OMA1.0 im-glue/" XDM_VERSION /* of Server and User-Agent */

/* work.c */
struct work *work_new(struct conversation *conversation, size_t commits_max, work_fn *then);
void work_submit(struct work *work);
/* A record that nobody waits for goes to the disk with others, at most settings.records_ms later. */
void work_note_fate(struct conversation *conversation, const struct fate *fate);
/* The same for the trace of what waits, unless that changes or ends before. */
void work_note_kept(struct conversation *conversation, const struct deferred *deferred, const struct fate *fate);
void work_note_report(struct conversation *conversation, const struct fate *about, struct text kind,
                      struct text status);
void work_note_handout(struct handout *handout); /* its end, likewise */
/* Where others are added, up to HANDOUT_END_COMMITS at once; then work_records_added. */
struct work *work_records(struct conversation *conversation);
void work_records_added(struct conversation *conversation);
void work_submit_records(struct conversation *conversation);
void work_submit_guarded(struct work *work); /* with erased_guard */
int64_t work_deadline(const struct conversation *conversation);
void work_run_completed(struct conversation *conversation);
enum status work_status(const struct work *work); /* the first that is not OK */
void work_add_fate(struct work *work, const struct fate *fate);
void work_add_deletion(struct work *work, const char *usage, struct text owner, struct text name);
void work_drop(struct work *work);                                      /* instead of submitting it */
void work_ignore(struct conversation *conversation, struct work *work); /* `then` for what nobody waits for */

/* erased.c */
void erased_look(struct conversation *conversation);
bool erased_is_about(struct conversation *conversation, const struct fate *fate, struct arena *arena);
void erased_guard(struct work *work);         /* before all its commits */
void erased_hang_on_guard(struct work *work); /* all that hangs on nothing else */
bool erased_revise(struct work *work);        /* true: to be submitted once more */

/* served.c */
struct served *served_get(struct conversation *conversation, struct text address);
struct served *served_of(struct conversation *conversation, const struct user *user); /* with what his account says */
struct served *served_find(const struct conversation *conversation, struct text address); /* NULL: nothing is known */
void served_free(struct conversation *conversation, struct served *served);
void served_free_all(struct conversation *conversation);
bool served_reachable(const struct conversation *conversation, const struct served *served);
bool served_is_here(const struct conversation *conversation, const struct served *served); /* whoever may see him */
/* The way to his core, as the settings say, of a user of ours who has no contact here; empty: none. */
struct text core_way(const struct conversation *conversation, const struct served *served);
bool core_knows_all(const struct conversation *conversation, struct text address); /* there may be such a way */
/* copies it */
void served_set_contact(struct conversation *conversation, struct served *served, const struct contact *contact);
void served_remove_contact(struct conversation *conversation, struct served *served, struct text name);
typedef void load_record_fn(struct conversation *conversation, const struct document_key *key, struct arena *arena);
/* Each record of an internal usage, in the order of keys, when the server starts. Says in the log if it had to end
 * early; gives how many there were. */
size_t served_load_records(struct conversation *conversation, const char *usage, load_record_fn *load);
void served_load(struct conversation *conversation); /* bindings, and what waits for delivery */
void served_sweep(struct conversation *conversation);
/* Something of his waits or is on its way, so that what comes now must queue behind it. */
bool served_is_behind(struct conversation *conversation, struct served *served);

/* person.c: user_find without passwords, and requester_of_assertion, by what is kept. */
enum status person_find(struct conversation *conversation, struct text address, struct arena *arena,
                        struct user *user_out);
enum status person_asserted(struct conversation *conversation, const struct text *identities, size_t count,
                            struct arena *arena, struct requester *requester_out);

/* figures.c */
enum message_content { CONTENT_TEXT, CONTENT_REPORT, CONTENT_COMPOSING, CONTENT_OTHER };

enum message_outcome {
    MESSAGE_RECEIVED,
    MESSAGE_RELAYED,   /* taken by a contact while the sender waited */
    MESSAGE_STORED,    /* one copy for one recipient */
    MESSAGE_DELIVERED, /* a stored copy was taken by a contact */
    MESSAGE_REFUSED,   /* for one recipient, by rules or by his contacts */
    MESSAGE_EXPIRED,
    MESSAGE_DROPPED, /* a stored copy that no contact will ever take */
};
/* `group`: which it came out of; empty: it is to one user. */
void message_count(struct text group, enum message_content content, enum message_outcome outcome);
enum message_content message_content_of(const struct deferred *deferred);
enum message_content message_content_of_type(struct text type); /* of what is no notice */

/* options.c */
#define CONVERSATION_METHODS "REGISTER, MESSAGE, OPTIONS, PUBLISH, SUBSCRIBE, NOTIFY"
void options_receive(struct request *request);
void query_take_response(struct branch *branch, const struct sip_message *answer);
void query_take_failure(struct branch *branch);
void query_located(struct branch *branch, const struct locator_result *result);
void query_free_all(struct conversation *conversation);
void query_run_deadlines(struct conversation *conversation);
int64_t query_deadline(const struct conversation *conversation);

/* publication.c */
#define PUBLICATIONS_MAX CONVERSATION_BINDINGS_MAX /* of one user: each client has one */
void publication_receive(struct request *request);
/* What his clients ask for, all together; from the next request on. */
struct imsettings publication_settings(const struct conversation *conversation, const struct served *served);
void publication_load(struct conversation *conversation);
void publication_sweep(struct conversation *conversation, struct served *served);
void publication_free_all(struct served *served);

/* registrar.c, pager.c */
#define REGISTRAR_EXTENSIONS "path, outbound, gruu"
void registrar_receive(struct request *request);
void pager_receive(struct request *request);

#endif
