/* What the settings say, as the conversation has it: all but what listeners know. */
#ifndef GLUE_CONVERSATION_H
#define GLUE_CONVERSATION_H

#include "conversation.h"
#include "glue_settings.h"

/* False: `error_out` has one line that begins with the name of the setting. Texts are those of the settings, or in the
 * arena of the node, which has been read; `cores_out` outlives the conversation. Left to the caller: host, ports, names
 * of peers, whether IPv6 is spoken. */
bool glue_conversation(const struct glue_settings *settings, struct node *node, struct trust_ranges *cores_out,
                       struct conversation_settings *conversation_out, struct text *error_out);

#endif
