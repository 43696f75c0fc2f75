/* What a status and a refusal say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "status.h"

static void every_status_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(status_name(OK), "ok");
    assert_string_equal(status_name(CONFLICT), "conflict");
    for (int status = OK; status <= UNCERTAIN; status++)
        assert_string_not_equal(status_name((enum status)status), "unknown");
}

static void refusing_leaves_nothing_of_an_earlier_refusal(void **state)
{
    (void)state;
    struct refusal refusal;
    assert_int_equal(refuse_conflict(&refusal, "uniqueness-failure", TEXT("the name is taken")), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_CONFLICT);
    assert_string_equal(refusal.element, "uniqueness-failure");
    assert_true(text_equal(refusal.phrase, TEXT("the name is taken")));
    assert_int_equal(refuse(&refusal, REFUSAL_ABSENT, "there is no such document"), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_ABSENT);
    assert_null(refusal.element);
    assert_true(text_equal(refusal.phrase, TEXT("there is no such document")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(refusing_leaves_nothing_of_an_earlier_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
