/* The one place that hears of each kept message that ended without being delivered and whose sender asked to be told of
 * that: once, also after a restart. */
#include "conversation_private.h"
#include "log.h"

/* What is added to the work is committed together with the record's removal. */
void ended_tell(struct work *work, const struct deferred *ended)
{
    (void)work;
    log_info("deferred message ended call-id=%.*s message-id=%.*s to=%.*s outcome=%s why=%.*s",
             TEXT_ARG(ended->call_id), TEXT_ARG(ended->message_id), TEXT_ARG(ended->owner),
             deferred_outcome_name(ended->outcome), TEXT_ARG(ended->error));
}
