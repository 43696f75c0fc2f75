/* MIME bodies of several parts (RFC 2046 §5.1): finds the parts and their headers, and joins parts again without a
 * change of a byte in them. It must not know what a part is for. */
#ifndef MIME_MIME_H
#define MIME_MIME_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define MIME_PARTS_MAX    32 /* of one body; messages have two or three */
#define MIME_BOUNDARY_MAX 70 /* RFC 2046 §5.1.1 */

/* All slices point into the body. */
struct mime_part {
    struct text bytes;       /* headers, empty line and content, as they stand between the boundaries */
    struct text headers;     /* lines with their ends, without the empty line */
    struct text content;     /* octets, untouched */
    struct text type;        /* value of Content-Type; empty if absent, which means text/plain */
    struct text disposition; /* value of Content-Disposition; empty if absent */
};

struct mime_multipart {
    struct text boundary; /* without the leading "--" */
    struct mime_part parts[MIME_PARTS_MAX];
    size_t count;
};

/* Does a Content-Type or Content-Disposition say this, whatever its parameters and case? */
bool mime_is(struct text value, struct text name);

/* REFUSED: no boundary in the type, no parts, more than MIME_PARTS_MAX, or no end. */
enum status mime_parse(struct text content_type, struct text body, struct mime_multipart *multipart_out);

/* Next of the header lines, folded ones joined as they stand (the value may hold line ends); false at the end and at a
 * line that is no header. */
bool mime_next_header(struct text *headers, struct text *name_out, struct text *value_out);

/* First header of that name; false if there is none. */
bool mime_header(struct text headers, struct text name, struct text *value_out);

/* One more part of a body under construction; mime_end closes it. */
void mime_add_part(struct text_builder *body, struct text boundary, struct text part);
void mime_end(struct text_builder *body, struct text boundary);

#endif
