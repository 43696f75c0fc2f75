/* What the files of the SIP load generator share: what is asked of it, users, messages, and endpoints, which are
 * sockets that many users may share. */
#ifndef SIP_LOAD_H
#define SIP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_LOAD_USERS_MAX     20000
#define SIP_LOAD_ENDPOINTS_MAX 1024
#define SIP_LOAD_MESSAGES_MAX  (1u << 21)
#define SIP_LOAD_PACKET_MAX    4096 /* of what is sent; what comes may have many header fields more */
#define SIP_LOAD_READ_MAX      65536
#define SIP_LOAD_NONCE_MAX     160
#define NS_PER_SECOND          1000000000LL

struct sip_load_options {
    unsigned port, endpoints;
    unsigned senders_first, senders;     /* numbers of users who send */
    unsigned receivers_first, receivers; /* …and of those they send to, or who are in the group */
    unsigned groups;                     /* then messages are to "{target}_{number of the sender}" */
    unsigned deliveries;                 /* of each message */
    unsigned window;                     /* messages that are not finished, at most */
    double rate, seconds;                /* rate 0: as the window allows */
    const char *domain, *target;
    bool tcp, asserted, away; /* away: receivers do not register */
    unsigned collect;         /* so many messages are waiting, and come when the receivers register */
    uint32_t run;             /* tells packets of this run from those of others */
};

struct sip_load_user {
    char name[16];
    char secret_hash[33]; /* hex of H(A1) */
    char nonce[SIP_LOAD_NONCE_MAX];
    unsigned count; /* requests with this nonce */
    unsigned cseq;
    int64_t sent_ns; /* of the REGISTER without answer; 0: none */
    bool registered;
};

struct sip_load_message {
    int64_t began_ns;
    uint32_t sender, receiver; /* numbers of users */
    uint32_t count;            /* of its nonce */
    uint32_t deliveries;
    int16_t status; /* final answer; 0: none yet */
    uint8_t turns;  /* how often it was challenged */
    uint8_t repeats;
    bool closed;
};

/* One socket, and what waits to be sent on it. */
struct sip_load_endpoint {
    int fd;
    uint16_t port;
    char *out;
    size_t out_length, out_capacity;
    size_t packets[64], packets_count; /* ends of datagrams in `out` */
    char *in;
    size_t in_length;
};

extern struct sip_load_options sip_load_options;
extern struct sip_load_user sip_load_users[SIP_LOAD_USERS_MAX];
extern struct sip_load_message *sip_load_messages;

void sip_load_die(const char *what);
int64_t sip_load_now_ns(void);

/* --- sip_load_wire.c --- */

void wire_open(void);
void wire_close(void);
struct sip_load_endpoint *wire_endpoint(uint32_t user);
void wire_send(struct sip_load_endpoint *endpoint, const char *bytes, size_t length);
void wire_flush(void);
/* Waits so long at most, and calls packet_take for each message that came. */
void wire_poll(int wait_ms);

/* --- sip_load_message.c --- */

void user_init(uint32_t number);
size_t make_message(uint32_t index, char out[SIP_LOAD_PACKET_MAX]);
size_t make_register(uint32_t user, unsigned expires, char out[SIP_LOAD_PACKET_MAX]);
size_t make_answer(const char *request, size_t length, char out[SIP_LOAD_PACKET_MAX]);
/* Value of a header line of the header section, NULL without one; ends at its line. */
const char *find_line(const char *bytes, size_t length, const char *name, size_t *length_out);
bool take_challenge(struct sip_load_user *user, const char *bytes, size_t length);

/* --- sip_load.c --- */

void packet_take(struct sip_load_endpoint *endpoint, const char *bytes, size_t length);

#endif
