/* What a sender wants to be hidden. */
#ifndef PRIVACY_PRIVATE_H
#define PRIVACY_PRIVATE_H

#include "conversation_private.h"

bool privacy_hides_sender(const struct sip_message *message, struct arena *arena); /* who he is is nobody's business */
bool privacy_is_possible(const struct sip_message *message, struct arena *arena);  /* false: and it must be */
void privacy_take_done(struct sip_message *message, struct arena *arena);          /* out of a message that goes on */

#endif
