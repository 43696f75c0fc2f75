/* Any bytes as a Content-Encoding line and a body: what comes out keeps to its limit, whatever went in. */
#include <assert.h>

#include "coding.h"

#define DECODED_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text encoding, body, decoded;
    struct arena arena;
    text_cut((struct text){(const char *)data, size}, '\n', &encoding, &body);
    arena_init(&arena, "fuzz");
    enum status status = coding_take_off(encoding, body, DECODED_MAX, &arena, &decoded);
    assert(status == OK || status == REFUSED || status == FULL);
    if (status == OK)
        assert(decoded.bytes == body.bytes || decoded.length <= DECODED_MAX);
    arena_clear(&arena);
    return 0;
}
