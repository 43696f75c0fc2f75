/* Reports about messages (message/imdn+xml, RFC 5438 §7.2.1): reads what one says, and writes some. It must not know
 * who gets them. */
#ifndef IMDN_IMDN_H
#define IMDN_IMDN_H

#include "arena.h"
#include "status.h"
#include "text.h"

struct imdn {
    struct text message_id; /* of the message that it speaks of */
    struct text kind;       /* "delivery-notification", "display-notification" or "processing-notification" */
    struct text status;     /* "delivered", "displayed", "failed"…; empty if it does not say */
};

/* Texts are slices of the document or in the arena. REFUSED: no such document. */
enum status imdn_read(struct text document, struct arena *arena, struct imdn *imdn_out);

/* `kind` as "delivery"; `recipient`: whom it is about, empty: it does not say; `when` as RFC 3339 writes it. */
struct text imdn_write(const struct imdn *imdn, struct text recipient, struct text when, struct arena *arena);

/* The document, with <recipient-uri> and <original-recipient-uri> if it has none: who reports is known, but not to who
 * gets the reports of many as one. What is no such document stays as it is. */
struct text imdn_with_recipient(struct text document, struct text recipient, struct arena *arena);

#endif
