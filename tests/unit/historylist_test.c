/* Lists of references: whatever form clients give them, each once, and no more than is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "historylist.h"
#include "test_arena.h"

static enum status read_list(const char *document, struct text **references_out, size_t *count_out)
{
    return historylist_read(text_of(document), &arena, references_out, count_out);
}

static void references_are_attributes_or_elements(void **state)
{
    (void)state;
    struct text *references;
    size_t count;
    assert_int_equal(read_list("<history-list xmlns='urn:oma:xml:im:history-list'>"
                               "<history history-reference=' d-1 '><size>1</size></history>"
                               "<history><history-reference> d-2 </history-reference></history></history-list>",
                               &references, &count),
                     OK);
    assert_int_equal(count, 2);
    assert_true(text_equal(references[0], TEXT("d-1")));
    assert_true(text_equal(references[1], TEXT("d-2")));
}

static void a_reference_counts_once_and_other_elements_do_not(void **state)
{
    (void)state;
    struct text *references;
    size_t count;
    assert_int_equal(read_list("<list><history history-reference='d-1'/><other history-reference='d-2'/>"
                               "<history history-reference='d-1'/><history/></list>",
                               &references, &count),
                     OK);
    assert_int_equal(count, 1);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    struct text *references;
    size_t count;
    assert_int_equal(read_list("", &references, &count), REFUSED);
    assert_int_equal(read_list("<history-list>", &references, &count), REFUSED);
    assert_int_equal(read_list("d-1", &references, &count), REFUSED);
}

/* As many entries as may be, `entries`, are read; one more is too much, whatever it names. */
static void assert_limit(struct text entries, const char *one_more, size_t wanted)
{
    struct text *references;
    size_t count;
    struct text most = TEXT_CONCAT(&arena, TEXT("<history-list>"), entries, TEXT("</history-list>"));
    struct text more = TEXT_CONCAT(&arena, TEXT("<history-list>"), entries, text_of(one_more), TEXT("</history-list>"));
    assert_int_equal(historylist_read(most, &arena, &references, &count), OK);
    assert_int_equal(count, wanted);
    assert_int_equal(historylist_read(more, &arena, &references, &count), FULL);
}

static void too_many_references_are_refused(void **state)
{
    (void)state;
    struct text_builder entries;
    builder_init(&entries, &arena);
    for (int i = 0; i < HISTORYLIST_MAX; i++)
        builder_add_format(&entries, "<history history-reference='d-%d'/>", i);
    assert_limit(builder_text(&entries), "<history history-reference='one-more'/>", HISTORYLIST_MAX);
}

/* Each is work also where it names what was named before. */
static void too_many_equal_references_are_refused(void **state)
{
    (void)state;
    struct text_builder entries;
    builder_init(&entries, &arena);
    for (int i = 0; i < HISTORYLIST_MAX; i++)
        builder_add(&entries, TEXT("<history history-reference='d-1'/>"));
    assert_limit(builder_text(&entries), "<history history-reference='d-1'/>", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(references_are_attributes_or_elements, begin, end),
        cmocka_unit_test_setup_teardown(a_reference_counts_once_and_other_elements_do_not, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_list_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(too_many_references_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(too_many_equal_references_are_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
