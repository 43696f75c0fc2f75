/* Lists of recipients (RFC 5363, RFC 5364), and what the recipients see of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "recipients.h"

static struct arena arena;

#define LIST(entries)                                                                                                  \
    TEXT("<r:resource-lists xmlns:r=\"urn:ietf:params:xml:ns:resource-lists\" "                                        \
         "xmlns:c=\"urn:ietf:params:xml:ns:copycontrol\"><r:list>" entries "</r:list></r:resource-lists>")

static struct recipients read_list(struct text document)
{
    struct recipients recipients;
    const char *reason;
    assert_int_equal(recipients_read(document, 10, &arena, &recipients, &reason), OK);
    assert_null(reason);
    return recipients;
}

static void an_entry_that_does_not_say_is_a_blind_copy(void **state)
{
    (void)state;
    struct recipients recipients = read_list(LIST("<r:entry uri='sip:a@x'/>"));
    assert_int_equal(recipients.list[0].copy, RECIPIENT_BCC);
    assert_int_equal(recipients_history(&recipients, &arena).length, 0);
}

static void the_stronger_of_two_copies_counts(void **state)
{
    (void)state;
    struct recipients recipients =
        read_list(LIST("<r:entry uri='sip:a@x' c:copyControl='cc'/><r:entry uri='sip:b@x'/>"
                       "<r:list><r:entry uri='sip:a@X;lr' c:copyControl='to' c:anonymize='true'/></r:list>"
                       "<r:entry uri='sip:a@x' c:copyControl='bcc'/>"));
    assert_int_equal(recipients.count, 2);
    assert_int_equal(recipients.list[0].copy, RECIPIENT_TO);
    assert_true(recipients.list[0].anonymize);
}

static void anonymous_ones_are_a_number(void **state)
{
    (void)state;
    struct recipients recipients =
        read_list(LIST("<r:entry uri='sip:a@x' c:copyControl='to' c:anonymize='1'/>"
                       "<r:entry uri='sip:b@x' c:copyControl='to' c:anonymize='true' c:count='3'/>"
                       "<r:entry uri='sip:c@x' c:copyControl='cc' c:anonymize='true'/>"
                       "<r:entry uri='sip:d@x' c:anonymize='true'/>"
                       "<r:entry uri='sip:e%26f@x' c:copyControl='cc'/>"));
    struct text history = recipients_history(&recipients, &arena);
    struct recipients seen = read_list(history);
    assert_int_equal(seen.count, 2);
    assert_text(seen.list[0].address, "sip:anonymous@anonymous.invalid");
    assert_int_equal(seen.list[0].count, 4);
    assert_text(seen.list[1].uri, "sip:e%26f@x");
    assert_true(text_find(history, TEXT("cp:copyControl=\"cc\" cp:count=\"1\"")) < history.length);
    assert_true(text_find(history, TEXT("sip:d@x")) == history.length);
}

static void lists_elsewhere_are_named(void **state)
{
    (void)state;
    struct recipients recipients = read_list(LIST("<r:external anchor=' http://h/a '/><r:entry-ref ref='b'/>"));
    assert_int_equal(recipients.count, 0);
    assert_int_equal(recipients.anchors_count, 2);
    assert_text(recipients.anchors[0], "http://h/a");
    assert_text(recipients.anchors[1], "b");
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    struct recipients recipients;
    const char *reason;
    const struct text bad[] = {
        TEXT(""),
        TEXT("<resource-lists/>"),
        LIST("<r:entry uri='nobody'/>"),
        LIST("<r:entry/>"),
        LIST("<r:entry uri='sip:a@x' c:copyControl='both'/>"),
        LIST("<r:entry uri='sip:a@x' c:anonymize='maybe'/>"),
        LIST("<r:entry uri='sip:a@x' c:count='0'/>"),
        LIST("<r:external/>"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(recipients_read(bad[i], 10, &arena, &recipients, &reason), REFUSED);
        assert_non_null(reason);
    }
}

static void more_than_allowed_are_told(void **state)
{
    (void)state;
    struct recipients recipients;
    const char *reason;
    struct text two = LIST("<r:entry uri='sip:a@x'/><r:entry uri='sip:b@x'/><r:entry uri='sip:a@x'/>");
    assert_int_equal(recipients_read(two, 2, &arena, &recipients, &reason), OK);
    assert_int_equal(recipients_read(two, 1, &arena, &recipients, &reason), FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_that_does_not_say_is_a_blind_copy),
        cmocka_unit_test(the_stronger_of_two_copies_counts),
        cmocka_unit_test(anonymous_ones_are_a_number),
        cmocka_unit_test(lists_elsewhere_are_named),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(more_than_allowed_are_told),
    };
    arena_init(&arena, "test");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_clear(&arena);
    return failed;
}
