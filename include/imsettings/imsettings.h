/* What a user's client asks of the IM server (IM service settings, "urn:oma:xml:im:service-settings"): reads and writes
 * the document. It must not know how it came or how long it holds. */
#ifndef IMSETTINGS_IMSETTINGS_H
#define IMSETTINGS_IMSETTINGS_H

#include "arena.h"
#include "status.h"
#include "text.h"

struct imsettings {
    bool active;       /* he takes messages at all */
    bool visible;      /* vis-status: he is there for others */
    bool push;         /* offline-delivery: what was kept is handed over when he is there; else he fetches it */
    bool keep_session; /* hist-activation of sessions and of large messages */
    bool keep_large;
};

/* Where nothing is said: there, handed over, no history. */
#define IMSETTINGS_STANDARD ((struct imsettings){true, true, true, false, false})

struct text imsettings_write(const struct imsettings *settings, struct arena *arena);

/* Published texts of the standard leave open what the root is called and whether values are attributes or elements:
 * any root of the namespace, and both. REFUSED: malformed, another namespace, a value that is no truth value. */
enum status imsettings_read(struct text document, struct arena *arena, struct imsettings *settings_out);

#endif
