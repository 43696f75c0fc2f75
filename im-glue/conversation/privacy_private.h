/* What a sender wants to be hidden. */
#ifndef PRIVACY_PRIVATE_H
#define PRIVACY_PRIVATE_H

#include "conversation_private.h"

bool privacy_is_asked(const struct sip_message *message, struct arena *arena);
/* It is asked, or From says that it is nobody. */
bool privacy_hides_sender(const struct sip_message *message, struct arena *arena);
bool privacy_is_possible(const struct sip_message *message, struct arena *arena); /* false: and it must be */
void privacy_take_done(struct sip_message *message, struct arena *arena);         /* out of a message that goes on */

#endif
