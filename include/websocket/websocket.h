/* Server side of a WebSocket connection (RFC 6455) that carries SIP (RFC 7118): bytes in, whole messages and bytes out.
 * No socket and no clock. */
#ifndef WEBSOCKET_WEBSOCKET_H
#define WEBSOCKET_WEBSOCKET_H

#include "text.h"

#define WEBSOCKET_HEAD_BYTES_MAX 8192 /* of the upgrade request; browsers send less than 1000, cookies apart */

struct websocket;

/* A message of more than `message_bytes_max` ends the connection with 1009. */
struct websocket *websocket_new(size_t message_bytes_max);
void websocket_free(struct websocket *socket);

/* Bytes as they came. First the upgrade request, which is answered 101, or with an error status and the end; from there
 * on frames. Pings are answered, a close is answered and ends it; what breaks the rules ends it with 1002, 1007 or
 * 1009. */
void websocket_input(struct websocket *socket, struct text bytes);

/* The next whole message, of any fragments. Valid until the next call of websocket_input. False: none. */
bool websocket_message(struct websocket *socket, struct text *message_out);

/* What is to be sent, all at once. Valid until the next call that takes the socket, then forgotten. False: nothing. */
bool websocket_output(struct websocket *socket, struct text *bytes_out);

/* As one text message, or a binary one where it is no UTF-8. Nothing is sent before the upgrade and after the end. */
void websocket_send(struct websocket *socket, struct text message);
void websocket_close(struct websocket *socket); /* 1001: going away */

bool websocket_is_open(const struct websocket *socket);  /* upgraded, and not ended */
bool websocket_is_ended(const struct websocket *socket); /* after its output the connection is to be closed */

#endif
