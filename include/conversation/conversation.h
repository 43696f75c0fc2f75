/* The IM server's procedures: registrar, page-mode messages to users and groups, store and forward. Bytes in, bytes
 * out, next deadline; the store answers through conversation_wake. One thread; no socket, no clock. */
#ifndef CONVERSATION_CONVERSATION_H
#define CONVERSATION_CONVERSATION_H

#include "clock.h"
#include "deferred.h"
#include "digest.h"
#include "group.h"
#include "locator.h"
#include "requester.h"
#include "sip_agent.h"

#define CONVERSATION_BINDINGS_MAX       10                  /* contacts of one user */
#define CONVERSATION_BYTES_MAX          ((size_t)512 << 20) /* of requests in progress and of messages on their way */
#define CONVERSATION_DATAGRAM_BYTES_MAX 1300                /* RFC 3261 §18.1.1, where nobody knows the path's MTU */

/* A contact is silent: keep the message and tell the sender 202, long before his own transaction gives up at 32 s. */
#define CONVERSATION_ANSWER_MS 10000

#define CONVERSATION_RECORDS_MS 250 /* so little of the trace is lost with the machine, and thousands share a flush */

#define CONVERSATION_LIST_EVENTS_MAX 4 /* names of one package: more than clients in the field use */

/* Of bindings. Zeros: 60, 86400 and 3600 seconds, CONVERSATION_BINDINGS_MAX. */
struct registration_limits {
    uint32_t expires_s_min;            /* shorter: 423 with Min-Expires */
    uint32_t expires_s_max, expires_s; /* longer is shortened; when the client asks for nothing */
    size_t contacts_max;               /* of one user: at most CONVERSATION_BINDINGS_MAX */
};

/* What is kept for who is away. Zeros: as much as there is room for, and so long as senders say. */
struct deferral_settings {
    uint64_t count_max, bytes_max; /* for one user; past it 480 with Retry-After, or… */
    uint64_t all_bytes_max;        /* for all together */
    struct deferred_push push;     /* what is handed over to who comes, and what is left for him to fetch */
    int64_t lifetime_ms_max;       /* or the Expires of the message if that is sooner */
    bool full_is_413;              /* …413 */
    bool drop_oldest;              /* …the oldest that waits for him gives way, if that is enough */
    bool urgent_first;             /* as the Priority of a message says; else all in the order of arrival */
    bool silent_deletions;         /* nobody is told that a recipient or an admin deleted a message */
};

#define DEFERRAL_SETTINGS_STANDARD                                                                                     \
    {                                                                                                                  \
        .count_max = 1000, .bytes_max = 50u << 20, .lifetime_ms_max = 7 * 86400000ll, .urgent_first = true             \
    }

/* Of event subscriptions. Zeros: NOTIFIER_SUBSCRIPTIONS_MAX, NOTIFIER_OF_ONE_MAX, SUBSCRIBER_SUBSCRIPTIONS_MAX. */
struct watcher_limits {
    size_t all_max, of_one_max; /* subscriptions of others with us; of one who watches */
    size_t watched_max;         /* of ours with cores */
};

/* Domains that are not ours. Lists are separated by commas: a name, "*.name" for all below it, "*" for all. */
struct conversation_peering {
    struct text domains_out;      /* that our users may send to; empty: none */
    struct text domains_in;       /* whose users may send to ours, when somebody vouches for them */
    struct text domains_asserted; /* that are told who sends: the trust domain of RFC 3325 beside ours */
    struct text peers;            /* "example.net=192.0.2.0/28, …": who connects from there speaks for that domain */
    bool by_certificate;          /* a peer whose certificate names a domain vouches for it (RFC 5922) */
    /* "example.net=sip:192.0.2.1;transport=tcp, *=sip:sbc.example.com;lr": next hops, with "lr" as a Route; others by
     * DNS. */
    struct text routes;
    size_t in_flight_max;            /* messages on their way to one domain, more wait on the disk; 0: 200 */
    unsigned messages_per_domain;    /* from one domain a minute, as messages_per_user; 0: any number */
    struct locator_settings locator; /* all zero: LOCATOR_SETTINGS_STANDARD */
};

/* False: `bad_out` is the first part that is no route. */
bool conversation_routes_valid(struct text routes, struct text *bad_out);
bool conversation_peers_valid(struct text peers, struct text *bad_out);
bool conversation_core_routes_valid(struct text routes, struct text *bad_out); /* the same, each with "lr" */
bool conversation_domains_valid(struct text domains, struct text *bad_out);    /* of a list of domains, as above */

/* The same of other values, which may be empty: tokens (RFC 3261 §25.1), media types ("text/plain", or a beginning and
 * a star), Service-Route (each in brackets, with "lr"), a host as a Via has it, in its brackets or without. */
bool conversation_tokens_valid(struct text list, struct text *bad_out);
bool conversation_types_valid(struct text list, struct text *bad_out);
bool conversation_service_route_valid(struct text list, struct text *bad_out);
bool conversation_host_valid(struct text host, struct text *bad_out);

/* Who may send to the address of a list (RFC 4826 §4), which says nothing about that itself. */
enum list_senders { LIST_SENDERS_OWNER, LIST_SENDERS_MEMBERS, LIST_SENDERS_NOBODY };

bool list_senders_parse(struct text word, enum list_senders *senders_out); /* "owner", "members" (and he), "nobody" */

#define CONVERSATION_REDIRECTS_MAX 3 /* of one answer; who has more devices registers them */

struct conversation_settings {
    struct text domain; /* served here; also the digest realm's users */
    /* Canonical: where users ask for what waits, for what they said before, and to be rid of either; empty: nowhere. */
    struct text deferred_address, history_address, delete_address;
    bool waiting_notice;  /* who comes and has nothing handed over gets a message that says how much waits */
    struct text exploder; /* canonical: takes messages with a list of recipients (RFC 5365); empty: nobody does */
    /* Event package and media type of IM service settings by PUBLISH; empty: nobody publishes. */
    struct text settings_event, settings_type;
    struct text list_events;  /* packages by which the list of what waits is told, separated by commas; empty: none */
    int64_t report_window_ms; /* reports about a message to many are collected so long; 0: each goes on by itself */
    /* Media types, separated by commas, a star for any subtype. What wraps (CPIM, multiparts) and what the server
     * itself acts on (reports, isComposing, lists of recipients) is not asked. */
    struct text types_allowed; /* empty: all */
    struct text types_refused; /* whatever is allowed */
    bool block_politely;       /* who is blocked by the rules of a recipient is told that his message has arrived */
    int block_status;          /* else that: 403 or 603; 0: 403 */
    /* Numbers of OMA warnings that something is not allowed, that there are too many; 0: none is said. */
    unsigned warning_forbidden, warning_many;
    struct text orig_parameter; /* of our Route: a core sends the request for its sender's turn; empty: "orig" */
    int64_t answer_ms;          /* contacts that are silent for longer are away; 0: CONVERSATION_ANSWER_MS */
    int64_t report_life_ms;     /* reports about a message are taken so long after it; 0: a day */
    struct registration_limits registrations;
    struct watcher_limits watchers;
    size_t message_bytes_max; /* of a whole request as it goes on; 0: SIP_BODY_MAX alone bounds it */
    enum list_senders list_senders;
    size_t recipients_max; /* of such a message: at most GROUP_MEMBERS_MAX */
    bool sha256_first;     /* order of the digest challenges; false: MD5 first */
    /* Beginnings of User-Agent, separated by commas: offered MD5 alone, unless sha256_first. Empty: nobody is. */
    struct text md5_clients;
    struct text
        registration_watchers; /* canonical addresses, separated by commas: may watch who is registered (RFC 3680) */
    /* Which of the trusted peers are cores: they register users here, and send requests on their way (ISC). Outlives
     * the conversation; NULL: none. */
    const struct trust_ranges *cores;
    /* Servers whose third-party REGISTER leads to a subscription to the registration of its user: hosts of their From,
     * in the form of lists of domains (above); empty: none. */
    struct text registrars_watched;
    /* "example.com=sip:scscf.example.com;lr, …": the core of users of that domain who have no contact here, for which
     * no core has registered them; in the form of the routes of other domains (above). Empty: they are away. */
    struct text core_routes;
    /* Redirections (3xx) are followed, once and to CONVERSATION_REDIRECTS_MAX places: of a contact to what it could
     * have registered, of another domain to places of that domain. False: they count as away. */
    bool follow_redirects;
    struct text service_route; /* of 200 to REGISTER (RFC 3608): "<sip:host;lr>" and more after commas; empty: none */
    size_t datagram_bytes_max; /* larger requests go by TCP, by UDP if that fails (RFC 3261 §18.1.1); 0: 1300 */
    struct sip_agent_settings agent;
    /* Each of: what requests in progress and subscriptions hold, what messages on their way hold. Requests beyond it
     * get 503 with Retry-After, and so do those of a sender who holds more than a quarter of what is still free; stored
     * messages wait on the disk. 0: CONVERSATION_BYTES_MAX. */
    size_t bytes_max;
    /* Of what was relayed or refused nobody waits for the record: it goes to the disk with others, so much later at
     * most when there are many, else at once. */
    int64_t records_ms;
    unsigned messages_per_user, registers_per_user; /* a minute; more get 480 with Retry-After; 0: any number */
    struct deferral_settings deferral;
    int64_t history_ms;       /* messages stay in the histories of those who ask for one so long; 0: nobody has one */
    size_t history_count_max; /* entries of one user; the oldest give way */
    uint64_t history_bytes_max;
    struct conversation_peering peering;
    const struct trust *trust; /* whose P-Asserted-Identity is believed; outlives the conversation; NULL: nobody's */
    /* Names in the certificate that the peer of a connection has proved to hold. NULL: none has any. */
    size_t (*peer_names)(void *context, uint64_t connection, struct arena *arena, const struct text **names_out);
    void *peer_names_context;
};

struct conversation;

/* `wake` is called from other threads when conversation_tick should run soon (store results are there); it may be
 * called inside any conversation function. Loads bindings and goes on with what was stored. */
struct conversation *conversation_new(const struct conversation_settings *settings, const struct documents *documents,
                                      struct digest *digest, struct groups *groups, void (*wake)(void *),
                                      void *wake_context, struct instant now);
void conversation_free(struct conversation *conversation); /* after the store has answered everything submitted */

/* A protocol machine (docs/style.md): after each of these, ask for output and for the deadline. Bytes are a datagram,
 * or a piece of a stream as it came; closed: the connection is gone; unreachable: nothing can be sent there. */
void conversation_input(struct conversation *conversation, const struct flow *flow, struct text bytes,
                        struct instant now);
void conversation_closed(struct conversation *conversation, uint64_t connection, struct instant now);
void conversation_unreachable(struct conversation *conversation, const struct flow *flow, struct instant now);
/* So many requests have been refused since the last tick that reading more would take the time of those that wait. */
bool conversation_is_flooded(const struct conversation *conversation);
size_t conversation_room(const struct conversation *conversation); /* sip_agent_room */
void conversation_tick(struct conversation *conversation, struct instant now);
int64_t conversation_deadline(const struct conversation *conversation); /* monotonic ms; INT64_MAX: none */
bool conversation_output(struct conversation *conversation, struct sip_output *output_out); /* until false */

/* What is to be asked of DNS, until false; the name is valid until the next call. Each answer may make output. */
bool conversation_question(struct conversation *conversation, struct dns_question *question_out);
void conversation_answered(struct conversation *conversation, uint64_t number, const struct dns_answer *answer,
                           struct instant now);

/* How much is in progress and remembered, for monitoring. */
struct conversation_figures {
    size_t users;      /* who have or had bindings or messages since the start */
    size_t bindings;   /* contacts, expired ones up to a minute later */
    size_t requests;   /* that have not been answered yet */
    size_t deliveries; /* messages on their way to somebody */
    size_t commits;    /* on their way to the disk */
    size_t transaction_bytes;
    size_t held_bytes;                       /* by requests, counted for bytes_max */
    size_t watching_bytes;                   /* by subscriptions, as well */
    size_t domains;                          /* other ones, of which somebody is known */
    size_t searches;                         /* messages that wait for DNS */
    size_t dns_answers;                      /* remembered */
    size_t waiting;                          /* users whose stored messages wait for room in memory */
    uint64_t deferred_count, deferred_bytes; /* messages that wait on the disk; as of a few seconds ago */
    int64_t deferred_oldest_s;               /* how long the oldest has */
    size_t watchers, watched;                /* subscriptions to events of our users; of ours, with cores */
    size_t transactions;                     /* of SIP, those that only absorb repetitions among them */
};

void conversation_figures(const struct conversation *conversation, struct conversation_figures *figures_out);

/* Before the end: who has taken his copy of what is handed out to many is written down, so that he gets it once. */
void conversation_stop(struct conversation *conversation, struct instant now);

/* Requests whose answer waits for the store; 0 means that a stop loses nothing. */
size_t conversation_pending(const struct conversation *conversation);

#endif
