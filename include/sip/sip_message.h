/* One SIP message (RFC 3261 §7). libosip2 reads and writes the header section; the body is cut off first and keeps
 * every byte. What the library lets through although the RFC forbids it is refused here. */
#ifndef SIP_SIP_MESSAGE_H
#define SIP_SIP_MESSAGE_H

#include "arena.h"
#include "status.h"
#include "text.h"
#include "uri.h"

#define SIP_HEADER_BYTES_MAX 16384 /* start line and headers: libosip2 is quadratic beyond */
#define SIP_HEADERS_MAX      64    /* header fields, after splitting known lists */
#define SIP_BODY_MAX         (1u << 20)

struct sip_message; /* owned by whoever parsed or made it */

/* Once per process, before threads. */
void sip_open(void);

/* What is wrong with a message, as an answer: 400 "Missing CSeq", 505, 513… code 0: not even answerable, drop it. */
struct sip_fault {
    int code;
    const char *reason;
};

/* A whole message: header section and exactly its body. On REFUSED a message may still be given (for the Via, From, To,
 * Call-ID and CSeq of a 4xx); it is NULL when there is nothing to answer. */
enum status sip_message_parse(struct text bytes, struct sip_message **message_out, struct sip_fault *fault_out);
void sip_message_free(struct sip_message *message);

bool sip_is_request(const struct sip_message *message);
struct text sip_method(const struct sip_message *message); /* of the CSeq, for a response */
struct text sip_request_uri(const struct sip_message *message, struct arena *arena);
int sip_status(const struct sip_message *message);
struct text sip_body(const struct sip_message *message);
struct text sip_call_id(const struct sip_message *message, struct arena *arena);
uint32_t sip_cseq(const struct sip_message *message);
struct text sip_branch(const struct sip_message *message); /* of the top Via; empty if absent */
struct text sip_from_tag(const struct sip_message *message);
struct text sip_to_tag(const struct sip_message *message);

/* The n-th field (0 = first) of that name, long or compact form, case-insensitive; fields of known list headers (Via,
 * Route, Contact, Record-Route) are already split at their commas. False when there is none. */
bool sip_header(const struct sip_message *message, const char *name, size_t index, struct arena *arena,
                struct text *value_out);

/* Makes. Values are refused (REFUSED, nothing added) when they hold CR, LF or NUL or do not parse as that header. */
struct sip_message *sip_request_new(struct text method, struct text request_uri); /* NULL: refused */

/* Via, From, To, Call-ID, CSeq (and Record-Route for 1xx/2xx of dialog makers) of `request`; a To tag is added when
 * there is none and status > 100. What it takes over stays where it is: the request must live longer. */
struct sip_message *sip_response_new(const struct sip_message *request, int status, const char *reason,
                                     struct text to_tag);
enum status sip_request_uri_set(struct sip_message *message, struct text request_uri);
enum status sip_header_add(struct sip_message *message, const char *name, struct text value);
enum status sip_header_set(struct sip_message *message, const char *name, struct text value); /* replaces all */
void sip_header_remove(struct sip_message *message, const char *name);
void sip_body_set(struct sip_message *message, struct text content_type, struct text body); /* copies the body */
bool sip_token_valid(struct text text);                                                     /* RFC 3261 §25.1: token */
/* No more fields and bytes than sip_message_parse takes. */
bool sip_message_fits(const struct sip_message *message);
struct sip_message *sip_message_clone(const struct sip_message *message);
/* The same, but what is not changed stays where it is: `message` must live longer, and not change. */
struct sip_message *sip_message_borrow(const struct sip_message *message);

/* The wire form, Content-Length right. */
struct text sip_message_write(const struct sip_message *message, struct arena *arena);

/* "Unauthorized" for 401; "Unknown" if there is none. */
const char *sip_reason(int status);

#endif
