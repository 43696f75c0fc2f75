/* What a message is made of, for the files of this module alone. */
#ifndef SIP_MESSAGE_PRIVATE_H
#define SIP_MESSAGE_PRIVATE_H

#include <stdalign.h>

#include "sip_message.h"

#define SIP_FIELDS_INSIDE 24   /* without a second allocation; phones send some 15 */
#define SIP_BYTES_INSIDE  3072 /* likewise: a request over UDP, and what a server adds to it */

enum sip_view { SIP_VIEW_NONE, SIP_VIEW_VIA, SIP_VIEW_FROM, SIP_VIEW_TO, SIP_VIEW_CALL_ID, SIP_VIEW_CSEQ };

struct sip_field_rule {
    struct text name;
    char compact; /* '\0': none */
    bool single;  /* at most one per message */
    bool list;    /* split at its commas */
    enum sip_view view;
    bool (*judge)(struct text value);
};

#define SIP_NAME_MARKS 128

/* The same for a name however it is written. The factors are such that no two names with rules have the same. */
static inline unsigned sip_name_mark(struct text name)
{
    if (name.length == 0)
        return 0;
    unsigned first = (unsigned char)name.bytes[0] | 0x20u, last = (unsigned char)name.bytes[name.length - 1] | 0x20u;
    return ((unsigned)name.length * 10 + first + last * 9) % SIP_NAME_MARKS;
}

/* A name without rules is compared by its letters. */
struct sip_name {
    const struct sip_field_rule *rule;
    struct text text; /* the long form */
};

struct sip_field {
    struct sip_name name;
    struct text value;
};

struct sip_via {
    struct text host; /* sent-by, without brackets; empty: there is no Via */
    uint16_t port;    /* 0: not given */
    struct text parameters, branch;
    bool wants_port; /* there is an rport (RFC 3581 §4) */
};

/* Every field as it was written and in its order, so that what is sent on is what came in. Fields that decide are kept
 * as parsed views, too, read when they are asked for. All bytes are in the arena. */
struct sip_message {
    struct arena arena;
    struct text method; /* empty: a response */
    struct text request_uri, reason;
    int status;
    struct sip_field *fields; /* Content-Length is never among them: it follows from the body */
    size_t fields_count, fields_capacity;
    size_t fields_max; /* more are refused; SIP_HEADERS_MAX, and room for ours when we read our own words */
    uint64_t marks[SIP_NAME_MARKS / 64]; /* of names that are or were there: most that are asked for never were */
    struct text body;
    unsigned stale; /* views that do not show their field: 1 << enum sip_view */
    struct sip_via via;
    struct text from_tag, to_tag;
    struct text call_id, cseq_method; /* slices of their fields */
    uint32_t cseq;
    struct sip_field fields_inside[SIP_FIELDS_INSIDE];
    alignas(16) char bytes_inside[SIP_BYTES_INSIDE];
};

struct sip_message *sip_message_new(void);

/* The 100 response to a request: what each transaction keeps to make its other answers of. */
struct text sip_trying_write(const struct sip_message *request, struct arena *arena);

/* What we wrote ourselves, whatever its size; NULL if that cannot be. */
struct sip_message *sip_message_read_own(struct text bytes);

/* --- fields (sip_field.c) --- */

/* The name of a field in its long form; compact ones are known. */
struct sip_name sip_name_of(struct text name);

enum sip_field_result { SIP_FIELD_ADDED, SIP_FIELD_BAD, SIP_FIELD_REPEATED, SIP_FIELD_TOO_MANY };

/* Appends one field, split if it is a list; the views follow. Name and value stay where they are: in the message's
 * arena, or in static memory. `clean`: the value has been looked at (sip_text_is_clean). */
enum sip_field_result sip_field_append(struct sip_message *message, const struct sip_name *name, struct text value,
                                       bool clean);

/* The views; this one is as its field. */
const struct sip_message *sip_view(const struct sip_message *message, enum sip_view view);

/* Appends all fields of that name as they are in `source`; borrowed: `source` lives longer than `target`. */
void sip_field_copy(struct sip_message *target, const struct sip_message *source, const char *name);
void sip_field_borrow(struct sip_message *target, const struct sip_message *source, const char *name);

/* Appends one field that is known to be good; copies the value, or leaves it where it is. */
void sip_field_add(struct sip_message *message, struct sip_name name, struct text value);

/* The n-th value of that name; borrowed until the message changes. */
bool sip_field_value(const struct sip_message *message, const char *name, size_t index, struct text *value_out);

/* --- judging (sip_judge.c) --- */

void sip_judge_open(void); /* by sip_open */

/* NULL for a name without rules; compact forms are known. */
const struct sip_field_rule *sip_field_rule(struct text name);

/* No control characters (a tab is white space) and nothing that is not UTF-8. */
bool sip_text_is_clean(struct text text);
bool sip_text_is_printable(struct text text); /* ASCII */

/* "name=value;flag" without empty names or values, which the library takes at the end of a field but not before. */
bool sip_parameters_valid(struct text parameters);
size_t sip_parameter_end(struct text parameters); /* of the first: at a ';' outside quotes, or all */
/* The value of a parameter, with its quotes if it has them; a flag has an empty one. */
bool sip_parameter(struct text parameters, const char *name, struct text *value_out);

bool sip_cseq_read(struct text value, uint32_t *number_out, struct text *method_out);

/* Can the address stand in a start line? */
bool sip_request_uri_valid(struct text uri);

/* --- lines (sip_section.c) --- */

/* Where the blank line begins that ends a header section, or bytes.length. */
size_t sip_section_end(struct text bytes);

#define SIP_LINES_MAX (2 * SIP_HEADERS_MAX + 2) /* the longest that we read: our own words */

/* The lines of a section, beginning with its start line. */
struct sip_lines {
    size_t count;
    uint16_t ends[SIP_LINES_MAX]; /* of each, before its CRLF */
};

/* Looks at the section at the beginning of `bytes` once. False: it does not end, or has something else in it than
 * SIP_LINES_MAX printable lines that end with CRLF, none of them folded; then it is to be read with care. */
bool sip_section_lines(struct text bytes, struct sip_lines *lines_out);

static inline size_t sip_lines_end(const struct sip_lines *lines)
{
    return lines->ends[lines->count - 1];
}

/* --- the short way (sip_plain.c) --- */

/* Values as nearly all programs write them. What these take, libosip2 takes too, so that it need not be asked; they
 * know less than the RFC and say no to whatever they do not know. */
bool sip_plain_uri(struct text uri);
bool sip_plain_address(struct text value, struct text *tag_out); /* "name" <plain address>;tag=value */
bool sip_plain_call_id(struct text value);
bool sip_plain_content_type(struct text value);
bool sip_plain_via(struct text value, struct sip_via *via_out);

/* --- Via (sip_via.c) --- */

bool sip_via_judge(struct text value);
/* Reads what has been judged. */
struct sip_via sip_via_read(struct text value, struct arena *arena);
void sip_via_push(struct sip_message *message, struct text value);
/* `value` is in the message's arena; `read`: what it says, NULL: to be read when it is asked for. */
void sip_via_replace_top(struct sip_message *message, struct text value, const struct sip_via *read);

struct text sip_via_host(const struct sip_message *message); /* sent-by of the top Via */
uint16_t sip_via_port(const struct sip_message *message);    /* 0: not given */
bool sip_via_wants_port(const struct sip_message *message);

/* Sets received, and rport where the peer asked for it (RFC 3581 §4); what the peer wrote there itself is dropped. */
void sip_via_stamp(struct sip_message *message, struct text address, uint16_t port);

/* --- start line (sip_message.c) --- */

bool sip_start_request(struct sip_message *message, struct text method, struct text request_uri);
bool sip_start_response(struct sip_message *message, int status, struct text reason);

#endif
