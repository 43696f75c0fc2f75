/* A canonical address reads as an address, is its own canonical form and keeps its domain; slices stay in the input. */
#include <assert.h>

#include "uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct text part, struct text whole)
{
    assert(part.length == 0 || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

static void check_names(struct text input)
{
    struct name_addr address;
    struct text rest = input, value;
    while (rest.length && name_addr_parse(rest, &address, &rest)) {
        check_inside(address.display, input);
        check_inside(address.uri, input);
        check_inside(address.parameters, input);
        check_inside(rest, input);
        if (uri_parameter(address.parameters, TEXT("tag"), &value))
            check_inside(value, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    struct arena arena;
    arena_init(&arena, "fuzz");
    struct text canonical = uri_canonical(&arena, input);
    if (canonical.length) {
        struct uri uri;
        assert(uri_parse(input, &uri) && uri_parse(canonical, &uri));
        assert(text_equal(uri.host, uri_domain(canonical)));
        assert(text_equal(uri_canonical(&arena, canonical), canonical));
    }
    check_names(input);
    arena_clear(&arena);
    return 0;
}
