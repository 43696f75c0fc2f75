/* What the two halves share: the upgrade (websocket_upgrade.c) and the frames (websocket.c). */
#ifndef WEBSOCKET_PRIVATE_H
#define WEBSOCKET_PRIVATE_H

#include "arena.h"
#include "websocket.h"

/* Reads a whole request head, with its empty line, and appends the answer to `answer`. True: 101. */
bool websocket_upgrade(struct text head, struct text_builder *answer);

#endif
