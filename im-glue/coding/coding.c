/* Content codings of SIP bodies: gzip and deflate by zlib. The only file of im-glue that knows zlib. */
#include "coding.h"

#include <zlib.h>

#define ANY_WINDOW  (15 + 32) /* the largest window; the header says whether it is zlib or gzip */
#define BARE_WINDOW (-15)     /* without a header, as some senders understand "deflate" (RFC 9110 §8.4.1.2) */
#define PIECE_BYTES 4096      /* decoded at a time: bodies of SIP are small */

static bool is_known(struct text coding)
{
    static const struct text known[] = {TEXT_INIT("deflate"), TEXT_INIT("gzip"), TEXT_INIT("x-gzip")};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (text_equal_nocase(coding, known[i]))
            return true;
    return false;
}

bool coding_is_identity(struct text encoding)
{
    encoding = text_trim(encoding);
    return encoding.length == 0 || text_equal_nocase(encoding, TEXT("identity"));
}

static enum status inflate_with(int window, struct text body, size_t bytes_max, struct arena *arena,
                                struct text *body_out)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body.bytes, .avail_in = (uInt)body.length};
    struct text_builder decoded;
    Bytef piece[PIECE_BYTES];
    int result = Z_OK;
    builder_init(&decoded, arena);
    if (inflateInit2(&stream, window) != Z_OK)
        return FAILED;
    while (result == Z_OK && decoded.length <= bytes_max) {
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        result = inflate(&stream, Z_NO_FLUSH);
        if (result == Z_OK || result == Z_STREAM_END)
            builder_add(&decoded, (struct text){(const char *)piece, sizeof(piece) - stream.avail_out});
    }
    inflateEnd(&stream);
    if (decoded.length > bytes_max)
        return FULL;
    *body_out = builder_text(&decoded);
    return result == Z_STREAM_END ? OK : REFUSED;
}

static enum status take_off_one(struct text coding, struct text body, size_t bytes_max, struct arena *arena,
                                struct text *body_out)
{
    *body_out = body;
    if (coding_is_identity(coding))
        return OK;
    if (!is_known(coding) || body.length == 0 || body.length > UINT32_MAX)
        return REFUSED;
    enum status status = inflate_with(ANY_WINDOW, body, bytes_max, arena, body_out);
    if (status == REFUSED && text_equal_nocase(coding, TEXT("deflate")))
        status = inflate_with(BARE_WINDOW, body, bytes_max, arena, body_out);
    return status;
}

enum status coding_take_off(struct text encoding, struct text body, size_t bytes_max, struct arena *arena,
                            struct text *body_out)
{
    struct text codings[CODING_NESTED_MAX];
    size_t count = 0;
    *body_out = body;
    for (bool more = true; more;) {
        struct text one;
        more = text_cut(encoding, ',', &one, &encoding);
        one = text_trim(one);
        if (coding_is_identity(one))
            continue;
        if (count == CODING_NESTED_MAX)
            return REFUSED;
        codings[count++] = one;
    }
    enum status status = OK;
    while (status == OK && count > 0)
        status = take_off_one(codings[--count], *body_out, bytes_max, arena, body_out);
    return status;
}
