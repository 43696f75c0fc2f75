/* What the files of this module share: where entries and messages stand and by which claims they are found. */
#ifndef HISTORY_OWN_H
#define HISTORY_OWN_H

#include "history.h"

#define HISTORY_UNTIL   "history-until"   /* kind of the claims by which what is over is found: hex of the time */
#define HISTORY_MESSAGE "history-message" /* counted: id of the message that an entry is of */
#define HISTORY_OWNED   "history-owned"   /* counted, by size: canonical address of the owner */

#define HISTORY_TIME_DIGITS 12 /* hex; enough for 8000 years */
#define HISTORY_ID_DIGITS   32 /* hex; 128 bits of a hash that nobody finds collisions of */

/* What a reference says by itself: "<time>-<size>-<id><s|r>". False: it is none. */
struct history_parts {
    struct text id;
    uint64_t size;
};
bool history_parts_read(struct text reference, struct history_parts *parts_out);

struct text history_message_id(struct text message, struct arena *arena);
struct text history_time(int64_t when_ms, struct arena *arena);

#endif
