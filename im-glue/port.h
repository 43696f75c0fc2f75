/* The management port of im-glue: what its one thread tells, and threads of HTTP hand on. */
#ifndef GLUE_PORT_H
#define GLUE_PORT_H

#include "conversation.h"
#include "document.h"
#include "transport.h"

struct port;

struct port_settings {
    const char *host;
    uint16_t port;
    struct tls *tls; /* NULL: not encrypted */
    const struct documents *documents;
};

/* Not ready until port_tell has been called. `error_out` gets one line, in the arena. */
struct port *port_open(const struct port_settings *settings, struct arena *arena, struct text *error_out);
uint16_t port_number(const struct port *port);
void port_close(struct port *port); /* NULL: nothing */

/* By the loop's thread, at each of its turns and at least once a second: it is alive, and these are its numbers. */
void port_tell(struct port *port, const struct conversation *conversation, const struct transport *transport,
               int64_t now_ms);
void port_stopping(struct port *port); /* not ready from here on */

#endif
