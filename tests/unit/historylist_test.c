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

static void too_many_references_are_refused(void **state)
{
    (void)state;
    struct text_builder list;
    struct text *references;
    size_t count;
    builder_init(&list, &arena);
    builder_add(&list, TEXT("<history-list>"));
    for (int i = 0; i < HISTORYLIST_MAX; i++)
        builder_add_format(&list, "<history history-reference='d-%d'/>", i);
    struct text most = text_join(&arena, builder_text(&list), TEXT("</history-list>"));
    builder_add(&list, TEXT("<history history-reference='one-more'/></history-list>"));
    assert_int_equal(historylist_read(most, &arena, &references, &count), OK);
    assert_int_equal(count, HISTORYLIST_MAX);
    assert_int_equal(historylist_read(builder_text(&list), &arena, &references, &count), FULL);
}

/* Each is work also where it names what was named before. */
static void too_many_equal_references_are_refused(void **state)
{
    (void)state;
    struct text_builder list;
    struct text *references;
    size_t count;
    builder_init(&list, &arena);
    builder_add(&list, TEXT("<history-list>"));
    for (int i = 0; i < HISTORYLIST_MAX; i++)
        builder_add(&list, TEXT("<history history-reference='d-1'/>"));
    struct text most = text_join(&arena, builder_text(&list), TEXT("</history-list>"));
    builder_add(&list, TEXT("<history history-reference='d-1'/></history-list>"));
    assert_int_equal(historylist_read(most, &arena, &references, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(historylist_read(builder_text(&list), &arena, &references, &count), FULL);
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
