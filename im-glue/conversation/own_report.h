/* Reports of the server's own (RFC 5438 §8.1, §8.3, §12.2): that it has passed a message on or keeps it, and that one
 * was not delivered though it had been accepted. */
#ifndef OWN_REPORT_H
#define OWN_REPORT_H

#include "conversation_private.h"

/* About one message, while it is put together. */
struct own_report_draft {
    struct work *work;  /* that what is said goes to the disk with */
    struct fate about;  /* message_id and sender */
    struct text from;   /* the recipient, or the group or list that the message was sent to */
    struct text route;  /* as struct wanted */
    struct text *parts; /* documents */
    size_t count, first;
};

/* One on its way to the disk. */
struct own_report {
    struct served *addressee; /* NULL: nothing is said */
    struct deferred deferred;
    size_t record;      /* its place in the work */
    size_t first, last; /* all that is added to the work */
};

#define OWN_REPORT_PARTS   100 /* in one message, some 500 bytes each: it must fit a datagram, whatever the client is */
#define OWN_REPORT_COMMITS (DEFERRAL_COMMITS + 1) /* beside one for each thing that is said */

struct own_report_draft own_report_draft(struct work *work, const struct fate *about, struct text from,
                                         struct text route, size_t parts_max);
/* Unless it was said before. `recipient`: whom it is about; `named`: the sender may know that. */
void own_report_say(struct own_report_draft *draft, struct text recipient, bool named, struct text kind,
                    struct text status);
struct own_report own_report_add(const struct own_report_draft *draft);
/* The work is done: it is on its way to the sender, or nothing of it stays. */
void own_report_done(const struct work *work, const struct own_report *report);
void own_report_failed(const struct own_report *report); /* the work is done, and all of it is to be taken back */
/* All of it is to go again, in another work: last - first commits. */
void own_report_take_back(struct work *work, const struct work *of, const struct own_report *report);

/* Answers and frees the request when the report about its message is on the disk: so its sender is told once. */
void own_report_answer(struct request *request, int status, const struct fate *about, struct text route,
                       struct text said);

/* May the sender know who is in a group? */
bool own_report_may_name(struct conversation *conversation, struct text group, struct text sender);

#endif
