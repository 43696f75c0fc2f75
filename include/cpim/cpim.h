/* message/cpim (RFC 3862): reads the envelope, never rewrites it. Liberal in reading, strict in writing. */
#ifndef CPIM_CPIM_H
#define CPIM_CPIM_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define CPIM_HEADERS_MAX 64 /* of one envelope; real ones have about ten */

struct cpim_header {
    struct text prefix_uri; /* namespace its prefix was bound to by NS; empty: the CPIM core headers */
    struct text name;       /* without prefix; with it when nobody bound the prefix */
    struct text parameters; /* without the leading ';' */
    struct text value;      /* raw: escapes stand as written; free of control characters but tab */
};

struct cpim_message {
    struct cpim_header headers[CPIM_HEADERS_MAX];
    size_t headers_count;
    struct text from;         /* raw value of From, empty if absent */
    struct text to;           /* first To */
    struct text message_id;   /* imdn.Message-ID (RFC 5438 §6.3), empty if absent */
    struct text disposition;  /* imdn.Disposition-Notification, empty if absent */
    struct text content_type; /* of the enclosed content, empty if absent; may hold folded lines (CRLF and a space) */
    struct text content_headers; /* lines of the enclosed content with their ends, and the empty line after them */
    struct text content;         /* octets, untouched */
};

/* All slices point into `body`. REFUSED when it is no CPIM object (400 or 415 is the caller's choice). */
enum status cpim_parse(struct text body, struct cpim_message *message_out);

/* Value of a header of the CPIM namespace, or of `prefix_uri`. */
bool cpim_header(const struct cpim_message *message, struct text prefix_uri, struct text name, struct text *value_out);

/* True when Content-Type says message/cpim, whatever its parameters and case. */
bool cpim_is(struct text content_type);

#endif
