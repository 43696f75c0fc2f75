/* Records from damaged disks: no read outside, and whatever is valid can be written again byte by byte. */
#include "record.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text record = {(const char *)data, size};
    struct arena arena;
    arena_init(&arena, "fuzz");
    struct text_builder copy;
    builder_init(&copy, &arena);
    record_copy(&copy, record, NULL, 0);
    struct text copied = builder_text(&copy);
    assert(text_starts_with(record, copied));
    assert(!record_valid(record) || text_equal(copied, record));

    struct text name, value, found;
    size_t cursor = 0;
    for (int i = 0; i < RECORD_FIELDS_MAX && record_next(record, &cursor, &name, &value); i++) {
        assert(cursor <= size && name.length > 0);
        /* A name with a zero byte in it cannot be asked for. */
        const char *wanted = text_cstring(&arena, name);
        if (strlen(wanted) == name.length)
            assert(record_get(record, wanted, &found));
        record_number(record, wanted, 0);
    }
    arena_clear(&arena);
    return 0;
}
