/* Any bytes as an envelope: slices stay inside, the content is the end of the body, and From is found by its name. */
#include <assert.h>

#include "cpim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct text part, struct text whole)
{
    assert(part.length == 0 || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body = {(const char *)data, size};
    struct text found;
    struct cpim_message message;
    cpim_is(body);
    if (cpim_parse(body, &message) != OK)
        return 0;
    assert(message.headers_count > 0 && message.headers_count <= CPIM_HEADERS_MAX);
    for (size_t i = 0; i < message.headers_count; i++) {
        const struct cpim_header *header = &message.headers[i];
        assert(header->name.length > 0);
        check_inside(header->name, body);
        check_inside(header->parameters, body);
        check_inside(header->value, body);
        assert(cpim_header(&message, header->prefix_uri, header->name, &found));
    }
    check_inside(message.content_type, body);
    assert(text_ends_with(body, message.content));
    assert(!message.from.length || cpim_header(&message, TEXT(""), TEXT("From"), &found));
    return 0;
}
