/* The parts of an agent, for the files of this module alone: transactions and their tables, flows with what hangs on
 * them, and the queues of events and outputs. */
#ifndef SIP_AGENT_PRIVATE_H
#define SIP_AGENT_PRIVATE_H

#include <sys/queue.h>

#include "sip_agent.h"
#include "sip_message_private.h"

#define NEVER INT64_MAX

enum transaction_role { CLIENT_NON_INVITE, CLIENT_INVITE, SERVER_NON_INVITE, SERVER_INVITE };

/* The states of RFC 3261 §17 and RFC 6026 §7; which ones occur depends on the role. */
enum transaction_state {
    TRYING, /* also Calling: nothing heard, nothing said */
    PROCEEDING,
    ACCEPTED,  /* INVITE after a 2xx */
    COMPLETED, /* final response there; repeats are absorbed */
    CONFIRMED  /* INVITE server: ACK received */
};

/* An address in a quarter of sockaddr_storage: there are many transactions. */
struct small_flow {
    enum flow_kind kind;
    uint64_t connection;
    struct sockaddr_in6 peer; /* or sockaddr_in */
};

/* Nothing is to be done but to end in a time that is the same for all of the list: so it is in the order of ends, and
 * neither entering nor leaving takes a walk through memory. Most transactions are there most of their life. */
enum calm { CALM_END, CALM_T4, CALM_LISTS };

#define NOT_IN_HEAP SIZE_MAX

#define ENDED_SPARES_MAX 16 /* segments of 256 KiB kept for what comes next: traffic comes in waves */

struct transaction {
    enum transaction_role role;
    enum transaction_state state;
    uint64_t number; /* slot and generation */
    uint64_t cookie;
    struct small_flow flow;
    char *bytes; /* what is sent again: request, last response, ACK */
    size_t bytes_length;
    char *template; /* server: a ready 100 response, source of answers made here; NULL after the final one */
    size_t template_length;
    int64_t born_ms, repeat_ms; /* repeat_ms: present interval */
    int64_t repeat_at, end_at;
    size_t heap_index; /* NOT_IN_HEAP: in the list `calm` */
    enum calm calm;
    TAILQ_ENTRY(transaction) calm_entry;
    struct transaction *key_next, *merge_next;
    struct text_fingerprint key;
    uint64_t merge_hash;
    bool in_merge_table;
    struct link *link; /* client only */
    struct transaction *link_previous, *link_next;
};

/* What an answered request over UDP leaves for those who repeat it. */
struct ended_entry {
    struct text_fingerprint key;
    uint64_t merge_hash;      /* 0: none */
    struct sockaddr_in6 peer; /* or sockaddr_in */
    uint32_t length;          /* 0: repetitions are absorbed without an answer */
    char bytes[];
};

struct ended {
    uint64_t oldest; /* place of the first that has not ended */
    size_t count;
    struct ended_segment **segments; /* a ring, by number */
    size_t segments_capacity;        /* power of two */
    uint64_t first_segment, end_segment;
    struct ended_segment *spares[ENDED_SPARES_MAX];
    size_t spares_count;
    struct ended_table *tables; /* the one that is filled, and those that were */
    struct ended_moment *moments;
    size_t first_moment, moments_count, moments_capacity; /* power of two */
};

/* What hangs on one connection, or on one peer: client transactions that fail with it, and the bytes of an unfinished
 * message. Lives while it has something to remember. */
struct link {
    uint64_t hash;
    struct small_flow flow;
    struct link *next;
    struct transaction *transactions;
    char *buffer;
    size_t length, capacity;
    size_t scanned;  /* no end of header section before here */
    size_t whole;    /* length of the message being received; 0: not known yet */
    int blank_lines; /* CRLFs since the last message */
    bool busy;       /* its bytes are being looked at: it stays whatever its transactions do */
    bool dead;       /* framing lost; what still comes is ignored until the connection is closed */
};

struct table {
    void **buckets; /* power of two */
    size_t bucket_count, count;
    void **old; /* while it grows: what has not moved from here is here */
    size_t old_count, moved;
};

#define INTAKE_LINES 1024 /* sources share one by chance: few beside so many, and who they are cannot be chosen */

#define INTAKE_RANKS 256 /* lines by their length; whichever is longer than that is one of the longest */

struct intake_line {
    TAILQ_HEAD(waiting_list, waiting) requests;
    TAILQ_ENTRY(intake_line) turn, rank; /* while there are some */
    size_t count;
};

TAILQ_HEAD(line_list, intake_line);

struct intake {
    struct intake_line lines[INTAKE_LINES];
    struct line_list turns;               /* whose turn is next */
    struct line_list ranks[INTAKE_RANKS]; /* by count */
    size_t longest;                       /* the last of the ranks that is not empty; 0: all are */
    struct table known;                   /* what waits, by its bytes */
    size_t count;
    bool crowded; /* it was full, and has not been empty since */
};

struct output {
    struct flow flow;
    char *bytes;
    size_t length;
    bool close;
};

struct output_queue {
    struct output *items;
    size_t first, count, capacity;
};

struct event_queue {
    struct sip_event *items;
    size_t first, count, capacity;
};

struct slot {
    struct transaction *transaction;
    uint32_t generation;
    uint32_t next_free; /* index + 1; 0: none */
};

struct sip_agent {
    struct sip_agent_settings settings;
    char *host;     /* as compared with a Via: no brackets */
    int64_t end_ms; /* 64*T1 */
    uint64_t seed;
    uint64_t tag_seed; /* of the tags of answers that nothing is remembered of */
    struct table keys, merges, links;
    struct slot *slots;
    size_t slot_count, slot_capacity, transaction_count;
    uint32_t free_slot; /* index + 1 */
    struct transaction **heap;
    size_t heap_count, heap_capacity;
    TAILQ_HEAD(calm_list, transaction) calm[CALM_LISTS];
    struct ended ended;
    size_t bytes; /* of transactions, of unfinished messages and of requests that wait */
    uint64_t turned_away;
    struct intake *intake; /* NULL: requests are worked off as they come */
    struct event_queue events;
    struct output_queue outputs;
    char *given; /* bytes of the output handed out last */
    size_t given_length;
    struct arena scratch;
};

/* --- sip_agent.c --- */

void agent_event(struct sip_agent *agent, const struct sip_event *event);
void agent_output(struct sip_agent *agent, const struct flow *flow, struct text bytes);
void agent_output_parts(struct sip_agent *agent, const struct flow *flow, const struct text *parts, size_t count);
void agent_close(struct sip_agent *agent, const struct flow *flow);

/* RFC 3261 §8.2.2.2, §16.3: the same for one request by two ways, or when it comes back. Under another Request-URI it
 * is for somebody else: not merged, and no loop but a spiral. */
uint64_t agent_mark(const struct sip_agent *agent, const struct sip_message *request);

/* A request whose turn it is; or that gets none: 503, unless it is one that is repeated. */
void agent_request(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);
void agent_refuse(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);

/* Seconds, from 5 to 14: not all come back at once, and who repeats a request hears the same again. */
struct text agent_retry_after(const struct sip_agent *agent, struct text call_id);

/* To tag of an answer without a transaction; in the scratch. */
struct text agent_stateless_tag(struct sip_agent *agent, struct text call_id);

/* One whole message from that flow. */
void agent_message(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);

/* --- sip_transaction.c --- */

struct flow flow_unpack(const struct small_flow *flow);

/* Of identifiers: branches have some 60 bytes, and longer ones than this are refused. */
#define TRANSACTION_KEY_MAX 1024

/* Of its parts, which contain no line end; all zero, which belongs to none, if they are too long. */
struct text_fingerprint transaction_key(const struct text *parts, size_t count);
bool fingerprint_equal(const struct text_fingerprint *a, const struct text_fingerprint *b);

/* A copy that counts for bytes_max; NULL of nothing. */
char *agent_keep_bytes(struct sip_agent *agent, struct text bytes);
void agent_drop_bytes(struct sip_agent *agent, char *bytes, size_t length);

struct transaction *transaction_new(struct sip_agent *agent, enum transaction_role role,
                                    const struct text_fingerprint *key, const struct flow *flow, int64_t now_ms);
void transaction_free(struct sip_agent *agent, struct transaction *transaction);
struct transaction *transaction_find(const struct sip_agent *agent, const struct text_fingerprint *key);
struct transaction *transaction_numbered(const struct sip_agent *agent, uint64_t number);
void transaction_keep(struct sip_agent *agent, struct transaction *transaction, struct text bytes); /* empty: forgets */
/* The one that is due first, and when; NULL: none is. */
struct transaction *transaction_next(const struct sip_agent *agent, int64_t *due_out);
void transaction_send(struct sip_agent *agent, const struct transaction *transaction);

/* First repetition after `repeat_ms` (NEVER: none), end after `end_ms`. */
void transaction_arm(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms, int64_t repeat_ms,
                     int64_t end_ms);
/* Sets the interval to the next repetition. */
void transaction_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms, int64_t repeat_ms);

void merge_add(struct sip_agent *agent, struct transaction *transaction, uint64_t merge_hash);
bool merge_known(const struct sip_agent *agent, uint64_t merge_hash);

/* --- sip_ended.c --- */

void ended_init(struct ended *ended);
void ended_add(struct sip_agent *agent, const struct transaction *transaction, struct text answer, int64_t now_ms);
/* That hash, of a key or a mark, will be asked for soon: what is not in the processor's cache is fetched meanwhile. */
void ended_expect(const struct sip_agent *agent, uint64_t hash);
const struct ended_entry *ended_find(const struct sip_agent *agent, const struct text_fingerprint *key);
bool ended_merge_known(const struct sip_agent *agent, uint64_t merge_hash);
int64_t ended_deadline(const struct sip_agent *agent); /* NEVER: none is left */
void ended_tick(struct sip_agent *agent, int64_t now_ms);
void ended_free(struct sip_agent *agent);

/* --- sip_table.c --- */

/* Before an entry is added: grows when there are as many as buckets. Entries are chained through the pointer at
 * `next_offset`. */
void table_prepare(struct table *table, size_t next_offset, size_t hash_offset);
void **table_place(const struct table *table, uint64_t hash); /* where a chain begins; NULL: the table is empty */
void table_put(struct table *table, uint64_t hash, void *entry, size_t next_offset);
void table_take_out(struct table *table, uint64_t hash, const void *entry, size_t next_offset);
void table_clear(struct table *table);

/* --- sip_link.c --- */

struct link *link_find(const struct sip_agent *agent, const struct flow *flow);
struct link *link_take(struct sip_agent *agent, const struct flow *flow); /* made if absent */
void link_release(struct sip_agent *agent, struct link *link);            /* freed if it has nothing to remember */
void link_free_all(struct sip_agent *agent);
void link_attach(struct sip_agent *agent, struct transaction *transaction, const struct flow *flow);
void link_detach(struct sip_agent *agent, struct transaction *transaction);

uint64_t link_hash(const struct sip_agent *agent, const struct flow *flow); /* the same for all from that flow */

/* --- sip_intake.c --- */

struct intake *intake_new(const struct sip_agent *agent);
void intake_add(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);
void intake_free(struct sip_agent *agent);

/* --- sip_refusal.c --- */

/* 503 for a request that is written plainly, or what was answered to it before; false: it is not. */
bool refusal_send(struct sip_agent *agent, struct text bytes, const struct flow *flow);

/* --- sip_stream.c --- */

void stream_input(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);

/* --- sip_stun.c --- */

/* A datagram that is no SIP. */
void stun_input(struct sip_agent *agent, struct text bytes, const struct flow *flow);

/* --- sip_respond.c --- */

int64_t server_silence_ms(const struct sip_agent *agent);
void server_forget_template(struct sip_agent *agent, struct transaction *transaction);
void server_respond_to_invite(struct sip_agent *agent, struct transaction *transaction, int status, struct text bytes,
                              int64_t now_ms);

/* --- sip_server.c, sip_respond.c and sip_client.c --- */

/* Take the message over. */
void server_request(struct sip_agent *agent, struct sip_message *message, const struct flow *flow, int64_t now_ms);
void client_response(struct sip_agent *agent, struct sip_message *message, const struct flow *flow, int64_t now_ms);

/* True: it is known, and was answered again if it was answered before. */
bool server_absorb(struct sip_agent *agent, struct text method, const struct sip_via *via);

/* Of an overload: what is known already is absorbed, the rest refused. Takes the message over. */
void server_turn_away(struct sip_agent *agent, struct sip_message *message, const struct flow *flow);

/* Answers without a transaction; nothing for an ACK. */
void server_refuse(struct sip_agent *agent, const struct sip_message *request, int status, const char *reason,
                   const struct flow *flow);

void server_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms);
void client_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms);
void client_end(struct sip_agent *agent, struct transaction *transaction);
void client_fail(struct sip_agent *agent, struct transaction *transaction, enum sip_failure failure);

#endif
