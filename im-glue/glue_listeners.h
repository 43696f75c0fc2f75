/* Where im-glue listens beside listen.sip: over TLS and WebSocket. */
#ifndef GLUE_LISTENERS_H
#define GLUE_LISTENERS_H

#include "glue_settings.h"
#include "transport.h"

/* Looks at all addresses to listen at, listen.sip and listen.management among them, and listens at none. The node has
 * been read. False: `error_out` has one line that names the setting, in the arena of the node. */
bool glue_listeners_good(const struct glue_settings *settings, struct node *node, struct text *error_out);

/* Lets `transport` listen where the settings, which are good, say so. False: as above. */
bool glue_listeners_open(const struct glue_settings *settings, struct node *node, struct transport *transport,
                         struct text *error_out);

/* Each as " NAME=HOST:PORT" on standard output, with the port it got. */
void glue_listeners_print(const struct glue_settings *settings, const struct transport *transport);

#endif
