/* What the files of the load generator share: what is asked of it, and one connection with its requests. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_CONNECTIONS_MAX 1024
#define LOAD_DOCUMENTS_MAX   64      /* per user */
#define LOAD_TAG_MAX         64      /* bytes of an entity tag with its quotes */
#define LOAD_REQUEST_MAX     4194304 /* bytes of one request */
#define LOAD_RESPONSE_MAX    4194304
#define LOAD_NONCE_MAX       256

struct load_options {
    unsigned port, connections, users, documents;
    double seconds, warmup;
    const char *method;
    const char *target; /* "{user}" and "{document}" stand for their numbers */
    const char *content_type;
    const char *headers; /* further header lines, each with CR LF */
    const char *realm;
    bool md5;         /* digest algorithm, else SHA-256 */
    bool conditional; /* asks for every document once, then with If-None-Match */
    char *body;       /* its first "00000000" becomes a running number, so that each PUT changes something */
    size_t body_size;
    char *serial; /* that place, or NULL */
};

/* One document of one connection: what a request for it begins with, and what digest authentication needs. */
struct load_document {
    char target[1024];
    char path_hash[65]; /* hex of H(A2) */
    char tag[LOAD_TAG_MAX];
};

struct load_connection {
    const struct load_options *options;
    int fd;
    unsigned number;
    unsigned next; /* document of the request that waits for its answer */
    char user[64];
    char user_hash[65]; /* hex of H(A1) */
    char nonce[LOAD_NONCE_MAX];
    char opaque[LOAD_NONCE_MAX];
    unsigned count; /* requests with this nonce */
    struct load_document *documents;
    char *request;
    size_t request_size, request_sent;
    char *response;
    size_t response_size;
    int64_t began_ns;
};

struct load_answer {
    int status;
    size_t head_size, size; /* of the head, and of all; of what lies in `response` */
    bool closes;
};

void load_connection_init(struct load_connection *connection, const struct load_options *options, unsigned number);
void load_connection_clear(struct load_connection *connection);

/* Writes the next request into `request`. `conditional`: with the entity tag of the document. */
void load_request_make(struct load_connection *connection, bool conditional);

/* True when `response` holds a whole answer. */
bool load_answer_read(const struct load_connection *connection, struct load_answer *answer_out);

/* Keeps the challenge of a 401; false without one that fits. */
bool load_challenge_take(struct load_connection *connection, const struct load_answer *answer);
void load_tag_take(struct load_connection *connection, const struct load_answer *answer);

#endif
