/* Any bytes as a Content-Type line and a body: parts are slices of the body in their order, and a body made of them is
 * split into the same parts again. */
#include <assert.h>

#include "mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct text part, struct text whole)
{
    assert(part.length == 0 || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mime_multipart multipart, again;
    struct text type, body;
    struct text_builder joined;
    struct arena arena;
    text_cut((struct text){(const char *)data, size}, '\n', &type, &body);
    if (mime_parse(type, body, &multipart) != OK)
        return 0;
    assert(multipart.count > 0 && multipart.count <= MIME_PARTS_MAX);
    arena_init(&arena, "fuzz");
    builder_init(&joined, &arena);
    for (size_t i = 0; i < multipart.count; i++) {
        check_inside(multipart.parts[i].bytes, body);
        check_inside(multipart.parts[i].headers, multipart.parts[i].bytes);
        check_inside(multipart.parts[i].type, multipart.parts[i].headers);
        assert(text_ends_with(multipart.parts[i].bytes, multipart.parts[i].content));
        mime_add_part(&joined, multipart.boundary, multipart.parts[i].bytes);
    }
    mime_end(&joined, multipart.boundary);
    assert(mime_parse(type, builder_text(&joined), &again) == OK && again.count == multipart.count);
    for (size_t i = 0; i < again.count; i++)
        assert(text_equal(again.parts[i].bytes, multipart.parts[i].bytes));
    arena_clear(&arena);
    return 0;
}
