/* Temporary addresses: they lead to what they were made of, and to nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "gruu.h"
#include "test_arena.h"

static const uint8_t key[GRUU_KEY_BYTES] = {1, 2, 3}, other_key[GRUU_KEY_BYTES] = {1, 2, 4};

static struct text make(void)
{
    struct gruu gruu = {TEXT("sip:bob@example.com"), TEXT("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
                        gruu_registration(TEXT("call"), &arena)};
    return gruu_make(key, &gruu, &arena);
}

static void one_leads_to_what_it_was_made_of(void **state)
{
    struct gruu gruu;
    (void)state;
    assert_true(gruu_read(key, make(), &arena, &gruu));
    assert_text(gruu.address, "sip:bob@example.com");
    assert_text(gruu.instance, "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    assert_true(text_equal(gruu.registration, gruu_registration(TEXT("call"), &arena)));
    assert_false(text_equal(gruu.registration, gruu_registration(TEXT("another"), &arena)));
}

static void two_have_nothing_in_common(void **state)
{
    size_t same = 0;
    (void)state;
    struct text one = make(), other = make();
    assert_int_equal(one.length, other.length);
    for (size_t i = 0; i < one.length; i++)
        same += one.bytes[i] == other.bytes[i];
    assert_in_range(same, 0, 30); /* the prefix, the padding, and one in 64 by chance: 30 is once in 10^15 */
}

static void what_was_changed_or_made_up_leads_nowhere(void **state)
{
    struct gruu gruu;
    (void)state;
    struct text good = make();
    assert_false(gruu_read(other_key, good, &arena, &gruu));
    assert_false(gruu_read(key, TEXT("tgruu."), &arena, &gruu));
    assert_false(gruu_read(key, TEXT("bob"), &arena, &gruu));
    for (size_t i = 0; i < good.length; i++) {
        char *changed = text_cstring(&arena, good);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (i < good.length - 4) /* bits behind the end count for nothing */
            assert_false(gruu_read(key, text_of(changed), &arena, &gruu));
        assert_false(gruu_read(key, text_slice(good, 0, i), &arena, &gruu));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_leads_to_what_it_was_made_of, begin, end),
        cmocka_unit_test_setup_teardown(two_have_nothing_in_common, begin, end),
        cmocka_unit_test_setup_teardown(what_was_changed_or_made_up_leads_nowhere, begin, end),
    };
    return cmocka_run_group_tests_name("gruu", tests, NULL, NULL);
}
