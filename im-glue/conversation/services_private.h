/* What the files about requests for what is kept share. */
#ifndef CONVERSATION_SERVICES_PRIVATE_H
#define CONVERSATION_SERVICES_PRIVATE_H

#include "conversation_private.h"

struct wish {
    struct request *request;
    struct served *served;
    struct text *references; /* what his list names */
    size_t count;
    bool has_list, of_history;
};

/* services.c */
void wish_answer_nothing(struct request *request);
void wish_granted(struct conversation *conversation, struct work *work); /* is on disk: answers, and hands over */

/* services_history.c: what he said before; answered */
void wish_fetch_history(struct wish *wish);

#endif
