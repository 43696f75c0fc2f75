/* Settings about other domains, as the conversation has them. */
#ifndef GLUE_PEERING_H
#define GLUE_PEERING_H

#include "conversation.h"
#include "glue_settings.h"

/* What of our own decides which transports and addresses can be used. */
struct glue_means {
    bool tls, ipv6;
};

/* False: `error_out` has one line, in the arena. Texts are those of the settings. */
bool glue_peering(const struct glue_settings *settings, struct glue_means means, struct arena *arena,
                  struct conversation_peering *peering_out, struct text *error_out);

#endif
