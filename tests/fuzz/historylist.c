/* Any bytes as a list of references: each is there once, none is empty, and there are no more than allowed. */
#include <assert.h>

#include "historylist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text *references;
    struct arena arena;
    size_t count;
    arena_init(&arena, "fuzz");
    enum status status = historylist_read((struct text){(const char *)data, size}, &arena, &references, &count);
    assert(status == OK || status == REFUSED || status == FULL);
    assert(count <= HISTORYLIST_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(references[i].length > 0);
        for (size_t k = 0; k < i; k++)
            assert(!text_equal(references[i], references[k]));
    }
    arena_clear(&arena);
    return 0;
}
