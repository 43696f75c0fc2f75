/* What a message is made of, for the files of this module alone. */
#ifndef SIP_MESSAGE_PRIVATE_H
#define SIP_MESSAGE_PRIVATE_H

#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

#include "sip_message.h"

/* `fields` holds the start line and, in `headers`, every field as it was written and in its order, so that what is sent
 * on is what came in. The library's structured form would unescape addresses and drop unknown parameters; it is kept
 * only for the fields that decide, as parsed views. */
struct sip_message {
    osip_message_t *fields; /* Content-Length is never among them: it follows from the body */
    osip_via_t *via;        /* top one; NULL if absent */
    osip_from_t *from;
    osip_to_t *to;
    struct text cseq_method; /* slice of the field */
    uint32_t cseq;
    int fields_max; /* more are refused; SIP_HEADERS_MAX, and room for ours when we read our own words */
    char *body;
    size_t body_length;
};

struct sip_message *sip_message_new(void);

/* What we wrote ourselves, whatever its size; NULL if that cannot be. */
struct sip_message *sip_message_read_own(struct text bytes);

/* --- fields (sip_field.c) --- */

struct sip_field_rule {
    const char *name;
    char compact; /* '\0': none */
    bool single;  /* at most one per message */
    bool list;    /* split at its commas */
    bool (*judge)(const char *value);
};

/* NULL for a name without rules; compact forms are known. */
const struct sip_field_rule *sip_field_rule(struct text name);

enum sip_field_result { SIP_FIELD_ADDED, SIP_FIELD_BAD, SIP_FIELD_REPEATED, SIP_FIELD_TOO_MANY };

/* Appends one field, split if it is a list; the views follow. */
enum sip_field_result sip_field_append(struct sip_message *message, struct text name, struct text value);

/* Appends all fields of that name as they are in `source`. */
void sip_field_copy(struct sip_message *target, const struct sip_message *source, const char *name);

/* Appends one field that is known to be good. */
void sip_field_put(struct sip_message *message, const char *name, struct text value);

/* The n-th value of that name, or NULL; borrowed until the message changes. */
const char *sip_field_value(const struct sip_message *message, struct text name, size_t index);

/* No control characters (a tab is white space) and nothing that is not UTF-8. */
bool sip_text_is_clean(struct text text);
bool sip_token_valid(struct text text);

/* "name=value;flag" without empty names or values, which the library takes at the end of a field but not before. */
bool sip_parameters_valid(struct text parameters);
size_t sip_parameter_end(struct text parameters); /* of the first: at a ';' outside quotes, or all */

/* Escapes are whole, and none hides NUL, CR or LF: the library would cut the address there. */
bool sip_uri_is_safe(struct text uri);

/* --- Via (sip_via.c) --- */

bool sip_via_judge(const char *value);
void sip_via_push(struct sip_message *message, struct text value);
void sip_via_replace_top(struct sip_message *message, struct text value);

struct text sip_via_host(const struct sip_message *message); /* sent-by of the top Via */
uint16_t sip_via_port(const struct sip_message *message);    /* 0: not given */
bool sip_via_parameter(const struct sip_message *message, const char *name, struct text *value_out);

/* Sets received, and rport where the peer asked for it (RFC 3581 §4); what the peer wrote there itself is dropped. */
void sip_via_stamp(struct sip_message *message, struct text address, uint16_t port);

/* --- start line (sip_message.c) --- */

bool sip_start_request(struct sip_message *message, struct text method, struct text request_uri);
bool sip_start_response(struct sip_message *message, int status, struct text reason);

#endif
