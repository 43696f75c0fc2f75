/* Registration information of anybody: what is read can be written, and what was written is read again. */
#include <assert.h>

#include "reginfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reginfo reginfo, again;
    struct arena arena;
    arena_init(&arena, "fuzz");
    if (reginfo_read((struct text){(const char *)data, size}, &arena, &reginfo) == OK) {
        enum status status = reginfo_read(reginfo_write(&reginfo, &arena), &arena, &again);
        assert(status == OK && again.registrations_count == reginfo.registrations_count);
    }
    arena_clear(&arena);
    return 0;
}
