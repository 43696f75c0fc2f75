/* Reports as clients write them, and those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "imdn.h"
#include "test_arena.h"

#define HEAD "<i:imdn xmlns:i=\"urn:ietf:params:xml:ns:imdn\"><i:message-id> 34jk </i:message-id>"
#define TAIL "<i:delivery-notification><i:status><i:delivered/></i:status></i:delivery-notification></i:imdn>"

static void a_report_says_what_became_of_which_message(void **state)
{
    struct imdn imdn;
    (void)state;
    assert_int_equal(imdn_read(TEXT(HEAD TAIL), &arena, &imdn), OK);
    assert_text(imdn.message_id, "34jk");
    assert_text(imdn.kind, "delivery-notification");
    assert_text(imdn.status, "delivered");
    assert_int_equal(imdn_read(TEXT(HEAD "</i:imdn>"), &arena, &imdn), REFUSED);
    assert_int_equal(imdn_read(TEXT("<imdn/>"), &arena, &imdn), REFUSED);
}

static void who_reports_is_added_where_it_is_not_said(void **state)
{
    struct imdn imdn;
    (void)state;
    struct text told = imdn_with_recipient(TEXT(HEAD "<i:datetime>x</i:datetime>" TAIL), TEXT("sip:a&b@c"), &arena);
    assert_text(told,
                HEAD "<i:datetime>x</i:datetime><recipient-uri xmlns=\"urn:ietf:params:xml:ns:imdn\">sip:a&amp;b@c"
                     "</recipient-uri><original-recipient-uri xmlns=\"urn:ietf:params:xml:ns:imdn\">sip:a&amp;b@c"
                     "</original-recipient-uri>" TAIL);
    assert_int_equal(imdn_read(told, &arena, &imdn), OK);
    assert_text(imdn_with_recipient(told, TEXT("sip:other@c"), &arena), told.bytes);
    assert_text(imdn_with_recipient(TEXT("no xml"), TEXT("sip:a@c"), &arena), "no xml");
    assert_true(text_find(imdn_with_recipient(TEXT(HEAD TAIL), TEXT("sip:a@c"), &arena), TEXT(">sip:a@c<")) <
                sizeof(HEAD TAIL) + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_says_what_became_of_which_message, begin, end),
        cmocka_unit_test_setup_teardown(who_reports_is_added_where_it_is_not_said, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
