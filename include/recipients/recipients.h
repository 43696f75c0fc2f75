/* Whom a message with a list of its own goes to (RFC 5363, RFC 5364, RFC 5365): reads the list that the sender wrote,
 * and writes what its recipients may see of it. It must not know who these people are. */
#ifndef RECIPIENTS_RECIPIENTS_H
#define RECIPIENTS_RECIPIENTS_H

#include "arena.h"
#include "status.h"
#include "text.h"

/* RFC 5364 §4.1, the weakest first. An entry that does not say is a blind copy. */
enum recipient_copy { RECIPIENT_BCC, RECIPIENT_CC, RECIPIENT_TO };

struct recipient {
    struct text address; /* canonical */
    struct text uri;     /* as written, without what stands behind '?' */
    struct text headers; /* that: of the first entry that has some */
    enum recipient_copy copy;
    bool anonymize; /* others see that there is somebody, not who */
    uint64_t count; /* how many people an anonymous entry stands for */
};

struct recipients {
    struct recipient *list; /* in document order, each address once */
    size_t count;
    struct text *anchors; /* XCAP URIs of lists and entries elsewhere, as written */
    size_t anchors_count;
};

/* Entries of nested lists count like others. One address in two entries gets the stronger copy of both, and is
 * anonymous if either says so (RFC 5364 §4). REFUSED: no such document, an address that is none, or a value that RFC
 * 5364 does not know; `reason_out` says what. FULL: more than `count_max` entries and anchors. All in the arena, which
 * holds slices of the document, too. */
enum status recipients_read(struct text document, size_t count_max, struct arena *arena,
                            struct recipients *recipients_out, const char **reason_out);

/* The list for everybody's eyes (RFC 5364 §7): those in "to" and "cc", anonymous ones as a number. Empty: nobody. */
struct text recipients_history(const struct recipients *recipients, struct arena *arena);

#endif
