/* Content codings (RFC 9110 §8.4): does this client want gzip, and the gzip of a body. The only file that knows zlib.
 */
#include "service_own.h"

#include <limits.h>

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window, with the header and trailer of gzip */
#define GZIP_MEMORY 8
/* XML shrinks to a tenth even so; higher levels take several times the processor for a few per cent. */
#define GZIP_LEVEL 1

static bool is_gzip(struct text coding)
{
    return text_equal_nocase(coding, TEXT("gzip")) || text_equal_nocase(coding, TEXT("x-gzip"));
}

/* RFC 9110 §12.5.3: the coding itself, else "*"; "identity" counts where it is named. */
bool content_accepts_gzip(const struct http_request *request)
{
    struct text field = http_header_joined(request, "Accept-Encoding"), one, coding, parameters;
    bool named = false;
    unsigned gzip = 0, identity = 0;
    while (field.length) {
        text_cut(field, ',', &one, &field);
        text_cut(one, ';', &coding, &parameters);
        coding = text_trim(coding);
        unsigned quality = content_quality(parameters);
        if (is_gzip(coding)) {
            gzip = quality;
            named = true;
        } else if (text_equal(coding, TEXT("*")) && !named) {
            gzip = quality;
        } else if (text_equal_nocase(coding, TEXT("identity"))) {
            identity = quality;
        }
    }
    return gzip > 0 && gzip >= identity;
}

bool content_gzip(const struct http_request *request, size_t bytes_min, struct text *body_inout)
{
    struct text plain = *body_inout;
    if (plain.length < bytes_min || plain.length > UINT_MAX || !content_accepts_gzip(request))
        return false;
    z_stream stream = {0};
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    char *coded = arena_array(request->arena, char, plain.length);
    stream.next_in = (z_const Bytef *)plain.bytes;
    stream.avail_in = (uInt)plain.length;
    stream.next_out = (Bytef *)coded;
    stream.avail_out = (uInt)plain.length; /* what grows is sent as it is */
    bool smaller = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    if (smaller)
        *body_inout = (struct text){coded, stream.total_out};
    deflateEnd(&stream);
    return smaller;
}
