/* The transaction layer (RFC 3261 §17, RFC 6026; RFC 4320 for non-INVITE): bytes in, events and bytes out, next
 * deadline. No socket, no clock, no thread; a few hundred bytes per transaction beside the message it must repeat, and
 * under a hundred beside the answer when a request has been answered.
 *
 * Call pattern: input or tick or a request/response of yours; then take events until false, outputs until false;
 * sleep until the deadline. */
#ifndef SIP_SIP_AGENT_H
#define SIP_SIP_AGENT_H

#include "flow.h"
#include "sip_message.h"

#define SIP_BYTES_MAX ((size_t)512 << 20) /* more than a million requests over UDP that were answered */

struct sip_agent;

struct sip_agent_settings {
    const char *host;            /* for Via sent-by: name or address that peers reach us at */
    uint16_t port;               /* of UDP and TCP */
    uint16_t tls_port;           /* 0: as `port` */
    int64_t t1_ms, t2_ms, t4_ms; /* 500, 4000, 5000 (RFC 3261 table 4) */
    size_t body_max;             /* larger is answered 513; at most SIP_BODY_MAX */
    /* Of transactions and unfinished messages: beyond, new requests get 503 with Retry-After, and a stream whose
     * message needs more is closed. What is repeated is still absorbed, and what is ours to send is sent. */
    size_t bytes_max;
    /* Requests that wait for sip_agent_turn, each source having its turn after the others; of what is more, or would
     * wait long or, with what is in progress, hold more than bytes_max, 503 with Retry-After for who has most of them.
     * Once that was so, a quarter of them until none waits: a queue takes what comes at once, and of what goes on
     * coming a longer one serves no more. 0: none waits. */
    size_t queue_max;
    /* Do many users send through that peer? Then each of them is a source. NULL: no. */
    bool (*is_shared)(void *context, const struct flow *flow);
    void *is_shared_context;
};

#define SIP_QUEUE_MAX 2048 /* a fifth of a second when each costs 100 us: long before its sender repeats one (T1) */

#define SIP_AGENT_SETTINGS_STANDARD                                                                                    \
    ((struct sip_agent_settings){"127.0.0.1", 5060, 0, 500, 4000, 5000, SIP_BODY_MAX, SIP_BYTES_MAX})

struct sip_agent *sip_agent_new(const struct sip_agent_settings *settings);
void sip_agent_free(struct sip_agent *agent);

/* One datagram or WebSocket message, or any piece of a stream: framing by Content-Length and CRLF keep-alive (RFC
 * 5626 §3.5.1) are done here. Retransmissions are absorbed and answered; what is broken is answered or dropped. */
void sip_agent_input(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms);

/* A connection ended, or could not be made: its client transactions fail. */
void sip_agent_closed(struct sip_agent *agent, uint64_t connection, int64_t now_ms);
void sip_agent_unreachable(struct sip_agent *agent, const struct flow *flow, int64_t now_ms);

/* Works off one of the requests that wait; false: none does. Those that have waited longer than their sender waits for
 * an answer are let go. */
bool sip_agent_turn(struct sip_agent *agent, int64_t now_ms);
size_t sip_agent_waiting(const struct sip_agent *agent);
/* So many more can wait now. 0: if one comes that neither waits nor was answered already, one is refused. */
size_t sip_agent_room(const struct sip_agent *agent, int64_t now_ms);
/* So far: refused since the queue was full, or let go. */
uint64_t sip_agent_turned_away(const struct sip_agent *agent);

void sip_agent_tick(struct sip_agent *agent, int64_t now_ms); /* runs what is due */
int64_t sip_agent_deadline(const struct sip_agent *agent);    /* INT64_MAX: none */

enum sip_event_kind {
    SIP_EVENT_REQUEST,  /* new request (not ACK, not CANCEL of a known INVITE): answer with sip_agent_respond */
    SIP_EVENT_ACK,      /* ACK of a 2xx */
    SIP_EVENT_RESPONSE, /* to a request of ours, provisional or final */
    SIP_EVENT_FAILED    /* a request of ours got no answer: `failure` says why */
};

enum sip_failure { SIP_FAILURE_TIMEOUT, SIP_FAILURE_TRANSPORT };

struct sip_event {
    enum sip_event_kind kind;
    uint64_t transaction;        /* SIP_EVENT_REQUEST: give it to sip_agent_respond */
    struct sip_message *message; /* yours from here on: free it; NULL for SIP_EVENT_FAILED */
    struct flow flow;            /* where it came from; for SIP_EVENT_FAILED where it was sent */
    uint64_t cookie;             /* of sip_agent_request */
    enum sip_failure failure;
};

bool sip_agent_event(struct sip_agent *agent, struct sip_event *event_out);

struct sip_output {
    struct flow flow;
    struct text bytes; /* valid until the next call on the agent */
    bool close;        /* no bytes: close this connection (framing lost, limits) */
};

bool sip_agent_output(struct sip_agent *agent, struct sip_output *output_out);

/* Takes the message over. A final response ends the transaction for the caller, but a 2xx to an INVITE may be given
 * again until its ACK came; an unknown transaction is ignored. An INVITE that was cancelled has been answered 487, and
 * what the caller says then is ignored too. For other methods a 1xx is held back where RFC 4320 forbids it. */
void sip_agent_respond(struct sip_agent *agent, uint64_t transaction, struct sip_message *response, int64_t now_ms);

/* Takes the message over; adds the top Via (branch, rport). Exactly one final response or SIP_EVENT_FAILED follows;
 * none for an ACK, which is sent and forgotten. The ACK of a 3xx-6xx is made here, that of a 2xx by the caller. */
void sip_agent_request(struct sip_agent *agent, struct sip_message *request, const struct flow *flow, uint64_t cookie,
                       int64_t now_ms);

/* RFC 3261 §16.3 step 4: how often this very request (address, call, sender) has left here before it came back. */
size_t sip_agent_visits(const struct sip_agent *agent, const struct sip_message *request);

size_t sip_agent_transactions(const struct sip_agent *agent); /* live ones, for metrics */
size_t sip_agent_bytes(const struct sip_agent *agent);        /* what counts for bytes_max */

#endif
