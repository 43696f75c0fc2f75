/* WebSocket: what is cut differently is told the same, messages stay within their limit, and an end is an end. The
 * first byte says how it is cut, its lowest bit whether there has been an upgrade. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 2000
#define SUM_PRIME   16777619u

static const char upgrade[] =
    "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";

static void add(uint32_t *sum, struct text bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        *sum = (*sum ^ (unsigned char)bytes.bytes[i]) * SUM_PRIME;
    *sum = (*sum ^ (uint32_t)bytes.length) * SUM_PRIME;
}

static uint32_t run(struct text bytes, size_t piece, bool upgraded)
{
    struct websocket *socket = websocket_new(MESSAGE_MAX);
    uint32_t messages = 1, answers = 1;
    struct text message, output;
    if (upgraded) {
        websocket_input(socket, text_of(upgrade));
        assert(websocket_is_open(socket));
    }
    for (size_t at = 0; at < bytes.length; at += piece) {
        bool was_ended = websocket_is_ended(socket);
        websocket_input(socket, text_slice(bytes, at, at + piece < bytes.length ? at + piece : bytes.length));
        while (websocket_message(socket, &message)) {
            assert(message.length <= MESSAGE_MAX && !was_ended);
            add(&messages, message);
        }
        while (websocket_output(socket, &output)) {
            assert(!was_ended);
            for (size_t i = 0; i < output.length; i++)
                answers = (answers ^ (unsigned char)output.bytes[i]) * SUM_PRIME;
        }
    }
    answers += websocket_is_ended(socket);
    websocket_free(socket);
    return messages ^ answers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct text bytes = {(const char *)data + 1, size - 1};
    bool upgraded = data[0] & 1;
    uint32_t whole = run(bytes, bytes.length, upgraded);
    uint32_t pieces = run(bytes, data[0] / 2 + 1u, upgraded);
    /* An upgrade that is too large is seen too late by nobody, but what came before its end may differ. */
    assert(whole == pieces || (!upgraded && bytes.length > WEBSOCKET_HEAD_BYTES_MAX));
    return 0;
}
