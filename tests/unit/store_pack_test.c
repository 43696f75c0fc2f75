/* Packed documents: whatever a document holds, the same bytes come back, and what repeats itself takes less room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../xdms/store/store_lmdb.h"
#include "test_arena.h"
#include "xorshift.h"

/* `kinds` different bytes: 1 repeats itself, 256 does not. */
static struct text made(size_t length, unsigned kinds, uint64_t *seed)
{
    char *bytes = arena_alloc(&arena, length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(xorshift(seed) % kinds);
    return (struct text){bytes, length};
}

static void every_document_comes_back(void **state)
{
    (void)state;
    uint64_t seed = 4711;
    for (size_t length = 0; length < 40000; length = length < 600 ? length + 1 : length + length / 7) {
        for (unsigned kinds = 1; kinds <= 256; kinds *= 4) {
            struct text bytes = made(length, kinds, &seed), back;
            struct text packed = lmdb_pack(bytes, &arena);
            assert_true(packed.length <= bytes.length);
            assert_true(lmdb_unpack(packed, bytes.length, &arena, &back));
            assert_true(text_equal(bytes, back));
        }
        arena_reset(&arena);
    }
}

static void what_repeats_itself_gets_shorter(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct text bytes = made(4000, 1, &seed);
    assert_true(lmdb_pack(bytes, &arena).length < 100);
    bytes = made(4000, 256, &seed);
    assert_ptr_equal(lmdb_pack(bytes, &arena).bytes, bytes.bytes);
}

static void damage_is_refused(void **state)
{
    (void)state;
    uint64_t seed = 99;
    struct text back;
    for (int round = 0; round < 2000; round++) {
        struct text bytes = made(600 + xorshift(&seed) % 3000, 2, &seed);
        struct text packed = text_copy(&arena, lmdb_pack(bytes, &arena));
        assert_true(packed.length < bytes.length);
        char *spoilt = text_cstring(&arena, packed);
        spoilt[xorshift(&seed) % packed.length] ^= (char)(1 + xorshift(&seed) % 255);
        /* it may still be something; never more or less than was there */
        if (lmdb_unpack((struct text){spoilt, packed.length}, bytes.length, &arena, &back))
            assert_int_equal(back.length, bytes.length);
        assert_false(lmdb_unpack(packed, bytes.length + 1, &arena, &back));
        assert_false(lmdb_unpack(packed, packed.length - 1, &arena, &back));
        assert_false(lmdb_unpack(text_slice(packed, 0, packed.length - 1), bytes.length, &arena, &back));
        assert_false(lmdb_unpack(packed, UINT64_MAX, &arena, &back));
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_document_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(what_repeats_itself_gets_shorter, begin, end),
        cmocka_unit_test_setup_teardown(damage_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
