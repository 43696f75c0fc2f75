/* The HTTP request that becomes a WebSocket connection (RFC 6455 §4.2), with the subprotocol "sip" (RFC 7118 §4). */
#include <nettle/sha1.h>

#include "websocket_private.h"

#define KEY_BYTES 16 /* RFC 6455 §4.1: what the key is made of */

static struct text header(struct text head, struct text name);
static bool has_word(struct text list, struct text word);
static struct text accept_of(struct text key, struct arena *arena);
static bool refuse_upgrade(struct text_builder *answer, const char *status, const char *more, const char *words);

bool websocket_upgrade(struct text head, struct text_builder *answer)
{
    struct text line, rest, method, target, version, decoded;
    struct arena *arena = answer->arena;
    text_cut(head, '\r', &line, &rest);
    text_cut(line, ' ', &method, &target);
    text_cut(target, ' ', &target, &version);
    struct text key = header(head, TEXT("Sec-WebSocket-Key"));
    if (!text_equal(method, TEXT("GET")) || !text_equal(version, TEXT("HTTP/1.1")) || target.length == 0)
        return refuse_upgrade(answer, "400 Bad Request", "", "This port speaks SIP over WebSocket.");
    if (!has_word(header(head, TEXT("Upgrade")), TEXT("websocket")) ||
        !has_word(header(head, TEXT("Connection")), TEXT("upgrade")))
        return refuse_upgrade(answer, "426 Upgrade Required", "Upgrade: websocket\r\n",
                              "This port speaks SIP over WebSocket.");
    if (!text_equal(header(head, TEXT("Sec-WebSocket-Version")), TEXT("13")))
        return refuse_upgrade(answer, "426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n",
                              "The WebSocket version is 13.");
    if (!base64_decode(arena, key, &decoded) || decoded.length != KEY_BYTES)
        return refuse_upgrade(answer, "400 Bad Request", "", "The Sec-WebSocket-Key is malformed.");
    if (!has_word(header(head, TEXT("Sec-WebSocket-Protocol")), TEXT("sip")))
        return refuse_upgrade(answer, "400 Bad Request", "", "The WebSocket subprotocol must be sip.");
    builder_add_format(answer,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                       TEXT_ARG(accept_of(key, arena)));
    return true;
}

/* Empty when absent; of several the first, as lists may be spread over lines but these never are. */
static struct text header(struct text head, struct text name)
{
    struct text line, rest = head, field, value;
    for (bool more = true; more;) {
        more = text_cut(rest, '\n', &line, &rest);
        if (text_cut(line, ':', &field, &value) && text_equal_nocase(field, name))
            return text_trim(value);
    }
    return (struct text){0};
}

static bool has_word(struct text list, struct text word)
{
    struct text one;
    while (text_next_item(&list, &one))
        if (text_equal_nocase(one, word))
            return true;
    return false;
}

static struct text accept_of(struct text key, struct arena *arena)
{
    static const struct text known = TEXT_INIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455 §1.3 */
    struct sha1_ctx hash;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&hash);
    sha1_update(&hash, key.length, (const uint8_t *)key.bytes);
    sha1_update(&hash, known.length, (const uint8_t *)known.bytes);
    sha1_digest(&hash, sizeof(digest), digest);
    return base64_encode(arena, (struct text){(const char *)digest, sizeof(digest)});
}

static bool refuse_upgrade(struct text_builder *answer, const char *status, const char *more, const char *words)
{
    builder_add_format(
        answer, "HTTP/1.1 %s\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        status, more, strlen(words), words);
    return false;
}
