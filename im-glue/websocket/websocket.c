/* Frames in, messages out, and back (RFC 6455 §5). What comes is buffered until a frame is whole, which is bounded by
 * the largest message. */
#include <assert.h>
#include <stdlib.h>

#include "websocket_private.h"

#define CONTROL_BYTES_MAX 125 /* RFC 6455 §5.5 */
#define HEADER_BYTES_MIN  2
#define MASK_BYTES        4
#define BUFFER_MIN        1024

enum opcode { CONTINUATION = 0, WORDS = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

enum close_code { GOING_AWAY = 1001, BROKEN = 1002, NOT_UTF8 = 1007, TOO_LARGE = 1009 };

struct buffer {
    char *bytes;
    size_t length, capacity;
};

struct websocket {
    size_t message_bytes_max;
    bool open, ended;
    struct buffer input;
    struct buffer message;  /* fragments of one that is not whole */
    enum opcode kind;       /* of that message; CONTINUATION: there is none */
    struct buffer messages; /* whole ones: length, bytes, length, bytes… */
    size_t taken;           /* of these */
    struct buffer output, given;
};

struct frame {
    bool final;
    enum opcode opcode;
    struct text payload;
    char *mask;  /* NULL: the header is not whole */
    size_t size; /* with header; 0: not whole */
};

static void take_head(struct websocket *socket);
static bool take_frame(struct websocket *socket, size_t *at);
static bool read_frame(struct websocket *socket, char *bytes, size_t length, struct frame *frame_out);
static void take_control(struct websocket *socket, const struct frame *frame);
static void take_data(struct websocket *socket, const struct frame *frame);
static void end(struct websocket *socket, enum close_code code);
static void send_frame(struct websocket *socket, enum opcode opcode, struct text payload);
static void append(struct buffer *buffer, const void *bytes, size_t length);
static void drop(struct buffer *buffer, size_t length);

struct websocket *websocket_new(size_t message_bytes_max)
{
    struct websocket *socket = memory_new(sizeof(*socket));
    socket->message_bytes_max = message_bytes_max;
    return socket;
}

void websocket_free(struct websocket *socket)
{
    if (!socket)
        return;
    free(socket->input.bytes);
    free(socket->message.bytes);
    free(socket->messages.bytes);
    free(socket->output.bytes);
    free(socket->given.bytes);
    free(socket);
}

bool websocket_is_open(const struct websocket *socket)
{
    return socket->open && !socket->ended;
}

bool websocket_is_ended(const struct websocket *socket)
{
    return socket->ended;
}

/* --- incoming --- */

void websocket_input(struct websocket *socket, struct text bytes)
{
    size_t at = 0;
    drop(&socket->messages, socket->messages.length);
    socket->taken = 0;
    if (socket->ended || bytes.length == 0)
        return;
    append(&socket->input, bytes.bytes, bytes.length);
    if (!socket->open)
        take_head(socket);
    while (websocket_is_open(socket) && take_frame(socket, &at))
        continue;
    drop(&socket->input, socket->ended ? socket->input.length : at);
}

static void take_head(struct websocket *socket)
{
    struct text input = {socket->input.bytes, socket->input.length}, end_line = TEXT("\r\n\r\n");
    size_t size = text_find(input, end_line);
    struct arena arena;
    struct text_builder answer;
    if (size == input.length && size <= WEBSOCKET_HEAD_BYTES_MAX)
        return;
    arena_init(&arena, "upgrade");
    builder_init(&answer, &arena);
    if (size > WEBSOCKET_HEAD_BYTES_MAX)
        builder_add(&answer, TEXT("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n"));
    else
        socket->open = websocket_upgrade(text_slice(input, 0, size + end_line.length), &answer);
    socket->ended = !socket->open;
    append(&socket->output, answer.bytes, answer.length);
    arena_clear(&arena);
    if (socket->open)
        drop(&socket->input, size + end_line.length);
}

/* False: no whole one is left. */
static bool take_frame(struct websocket *socket, size_t *at)
{
    struct frame frame;
    if (*at == socket->input.length)
        return false;
    char *bytes = socket->input.bytes + *at;
    if (!read_frame(socket, bytes, socket->input.length - *at, &frame) || frame.size == 0)
        return false;
    char *payload = frame.mask + MASK_BYTES;
    for (size_t i = 0; i < frame.payload.length; i++)
        payload[i] = (char)(payload[i] ^ frame.mask[i % MASK_BYTES]);
    *at += frame.size;
    if (frame.opcode >= CLOSE)
        take_control(socket, &frame);
    else
        take_data(socket, &frame);
    return true;
}

static uint64_t number_of(const char *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

/* Judged as soon as the header is there: nothing is waited for that would be refused. False: the end. */
static bool read_frame(struct websocket *socket, char *bytes, size_t length, struct frame *frame_out)
{
    *frame_out = (struct frame){0};
    if (length < HEADER_BYTES_MIN)
        return true;
    unsigned char first = (unsigned char)bytes[0], second = (unsigned char)bytes[1];
    uint64_t payload = second & 0x7f;
    size_t more = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    frame_out->final = first & 0x80;
    frame_out->opcode = first & 0x0f;
    bool is_control = frame_out->opcode >= CLOSE;
    bool known = frame_out->opcode <= BINARY || (is_control && frame_out->opcode <= PONG);
    /* RFC 6455 §5.1, §5.2, §5.5: masked, no extension, control frames short and whole */
    if ((first & 0x70) || !(second & 0x80) || !known || (is_control && (!frame_out->final || more)))
        return end(socket, BROKEN), false;
    if (length < HEADER_BYTES_MIN + more)
        return true;
    if (more)
        payload = number_of(bytes + HEADER_BYTES_MIN, more);
    bool continues = frame_out->opcode == CONTINUATION;
    if (!is_control && continues != (socket->kind != CONTINUATION))
        return end(socket, BROKEN), false;
    if (!is_control && payload > socket->message_bytes_max - socket->message.length)
        return end(socket, TOO_LARGE), false;
    size_t header = HEADER_BYTES_MIN + more + MASK_BYTES;
    if (length < header || length - header < payload)
        return true;
    frame_out->mask = bytes + header - MASK_BYTES;
    frame_out->payload = (struct text){bytes + header, (size_t)payload};
    frame_out->size = header + (size_t)payload;
    return true;
}

static void take_control(struct websocket *socket, const struct frame *frame)
{
    if (frame->opcode == PING)
        send_frame(socket, PONG, frame->payload);
    if (frame->opcode != CLOSE)
        return;
    send_frame(socket, CLOSE, text_slice(frame->payload, 0, frame->payload.length < 2 ? 0 : 2));
    socket->ended = true;
}

static void take_data(struct websocket *socket, const struct frame *frame)
{
    if (frame->opcode != CONTINUATION)
        socket->kind = frame->opcode;
    append(&socket->message, frame->payload.bytes, frame->payload.length);
    if (!frame->final)
        return;
    struct text message = {socket->message.bytes, socket->message.length};
    if (socket->kind == WORDS && !utf8_valid(message))
        return end(socket, NOT_UTF8);
    append(&socket->messages, &message.length, sizeof(message.length));
    append(&socket->messages, message.bytes, message.length);
    drop(&socket->message, message.length);
    socket->kind = CONTINUATION;
}

bool websocket_message(struct websocket *socket, struct text *message_out)
{
    size_t length;
    if (socket->taken == socket->messages.length)
        return false;
    memcpy(&length, socket->messages.bytes + socket->taken, sizeof(length));
    *message_out = (struct text){socket->messages.bytes + socket->taken + sizeof(length), length};
    socket->taken += sizeof(length) + length;
    return true;
}

/* --- outgoing --- */

static void end(struct websocket *socket, enum close_code code)
{
    const char payload[] = {(char)((unsigned)code >> 8), (char)((unsigned)code & 0xff)};
    send_frame(socket, CLOSE, (struct text){payload, sizeof(payload)});
    socket->ended = true;
}

static void send_frame(struct websocket *socket, enum opcode opcode, struct text payload)
{
    char header[10] = {(char)(0x80 | opcode)};
    size_t more = payload.length <= CONTROL_BYTES_MAX ? 0 : payload.length <= UINT16_MAX ? 2 : 8;
    header[1] = (char)(more == 0 ? payload.length : more == 2 ? 126 : 127);
    for (size_t i = 0; i < more; i++)
        header[2 + i] = (char)((uint64_t)payload.length >> 8 * (more - 1 - i));
    append(&socket->output, header, HEADER_BYTES_MIN + more);
    append(&socket->output, payload.bytes, payload.length);
}

void websocket_send(struct websocket *socket, struct text message)
{
    if (websocket_is_open(socket))
        send_frame(socket, utf8_valid(message) ? WORDS : BINARY, message);
}

void websocket_close(struct websocket *socket)
{
    if (websocket_is_open(socket))
        end(socket, GOING_AWAY);
    socket->ended = true;
}

bool websocket_output(struct websocket *socket, struct text *bytes_out)
{
    drop(&socket->given, socket->given.length);
    struct buffer given = socket->output;
    socket->output = socket->given;
    socket->given = given;
    *bytes_out = (struct text){given.bytes, given.length};
    return given.length > 0;
}

/* --- buffers --- */

static void append(struct buffer *buffer, const void *bytes, size_t length)
{
    size_t wanted = buffer->length + length;
    if (length == 0)
        return;
    if (wanted > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_MIN;
        while (capacity < wanted)
            capacity *= 2;
        buffer->bytes = memory_resize(buffer->bytes, capacity);
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length = wanted;
}

/* From the front. An empty one is given back: most connections are quiet, and there may be many. */
static void drop(struct buffer *buffer, size_t length)
{
    assert(length <= buffer->length);
    buffer->length -= length;
    if (buffer->length) {
        memmove(buffer->bytes, buffer->bytes + length, buffer->length);
        return;
    }
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}
