/* Edits of nodes beyond what tests/cases says: contracts of the functions, hostile sizes, damaged bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "test_arena.h"
#include "xcap_edit.h"

static struct xcap_selector selector_of(const char *node)
{
    struct xcap_selector selector;
    struct refusal refusal;
    assert_int_equal(xcap_selector_parse(text_of(node), TEXT(""), TEXT(""), &arena, &selector, &refusal), OK);
    return selector;
}

static enum status put(const char *document, const char *node, struct text body, struct text *result_out,
                       struct refusal *refusal)
{
    struct xcap_selector selector = selector_of(node);
    bool created;
    *refusal = (struct refusal){0};
    return xcap_put(text_of(document), &selector, body, &arena, result_out, &created, refusal);
}

static void an_element_is_read_as_a_slice_of_the_document(void **state)
{
    (void)state;
    struct text document = text_of("<a><b c='1'/></a>"), node;
    struct xcap_selector selector = selector_of("a/b");
    assert_int_equal(xcap_get(document, &selector, &arena, &node), OK);
    assert_ptr_equal(node.bytes, document.bytes + 3);
    selector = selector_of("a/b/@c");
    assert_int_equal(xcap_get(document, &selector, &arena, &node), OK);
    assert_text(node, "'1'");
}

static void created_tells_an_insertion_from_a_replacement(void **state)
{
    (void)state;
    struct text result;
    struct refusal refusal;
    bool created = false;
    struct xcap_selector selector = selector_of("a/b");
    assert_int_equal(xcap_put(text_of("<a/>"), &selector, TEXT("<b/>"), &arena, &result, &created, &refusal), OK);
    assert_true(created);
    assert_int_equal(xcap_put(result, &selector, TEXT("<b>x</b>"), &arena, &result, &created, &refusal), OK);
    assert_false(created);
    assert_text(result, "<a><b>x</b></a>");
}

static void a_body_in_another_encoding_is_not_utf_8(void **state)
{
    (void)state;
    struct text result;
    struct refusal refusal;
    assert_int_equal(put("<a/>", "a/b", TEXT("<b>\xe9</b>"), &result, &refusal), REFUSED);
    assert_string_equal(refusal.element, "not-utf-8");
    assert_int_equal(put("<a/>", "a/@b", TEXT("\"\xe9\""), &result, &refusal), REFUSED);
    assert_string_equal(refusal.element, "not-utf-8");
    assert_int_equal(put("<a/>", "a/b", ((struct text){"<b>\0</b>", 8}), &result, &refusal), REFUSED);
    assert_string_equal(refusal.element, "not-xml-frag");
}

static void assert_fragment_phrase(const char *selector, const char *body, const char *element, const char *part)
{
    struct text result;
    struct refusal refusal = {0};
    assert_int_equal(put("<a xmlns:p=\"urn:p\"><c/></a>", selector, text_of(body), &result, &refusal), REFUSED);
    assert_string_equal(refusal.element, element);
    if (text_find(refusal.phrase, text_of(part)) == refusal.phrase.length)
        fail_msg("%s: %.*s", body, TEXT_ARG(refusal.phrase));
}

static void a_refused_fragment_says_what_is_wrong_with_it(void **state)
{
    (void)state;
    assert_fragment_phrase("a/b", "", "not-xml-frag", "empty");
    assert_fragment_phrase("a/b", "\n<b>\n<c></d></b>", "not-xml-frag", "line 2: Opening and ending tag mismatch");
    assert_fragment_phrase("a/b", "<q:b/>", "not-xml-frag", "prefix q on b is not defined");
    assert_fragment_phrase("a/b", "<b/><b/>", "not-xml-frag", "exactly one element");
    assert_fragment_phrase("a/b", "<b>&</b>", "not-xml-frag", "'&' stands alone; it is written '&amp;'");
    assert_fragment_phrase("a/b", "<!DOCTYPE b><b/>", "not-xml-frag", "DTD");
    assert_fragment_phrase("a/b", "<?xml version=\"1.0\"?><b/>", "not-xml-frag", "without a declaration");
    assert_fragment_phrase("a/b", "<c/>", "cannot-insert", "names an element 'b', but the body is a 'c'");
    assert_fragment_phrase("a/b", "<b xmlns=\"urn:p\"/>", "cannot-insert",
                           "names a 'b' of no namespace, but the body is one of urn:p");
    assert_fragment_phrase("a/b[@i=\"1\"]", "<b i=\"2\"/>", "cannot-insert", "look at step 'b[@i=\"1\"]'");
}

static void a_byte_order_mark_is_no_part_of_a_node(void **state)
{
    (void)state;
    struct text result;
    struct refusal refusal;
    assert_int_equal(put("<a/>", "a/b", TEXT("\xEF\xBB\xBF<b/>"), &result, &refusal), OK);
    assert_text(result, "<a><b/></a>");
    assert_int_equal(put("<a/>", "a/@b", TEXT("\xEF\xBB\xBF\"x\""), &result, &refusal), OK);
    assert_text(result, "<a b=\"x\"/>");
}

static void reading_bindings_is_all_that_can_be_done_with_them(void **state)
{
    (void)state;
    struct text result;
    struct refusal refusal = {0};
    struct xcap_selector selector = selector_of("a/namespace::*");
    assert_int_equal(put("<a/>", "a/namespace::*", TEXT("<a/>"), &result, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_METHOD);
    assert_text(refusal.allow, "GET, HEAD, OPTIONS");
    assert_int_equal(xcap_delete(text_of("<a/>"), &selector, &arena, &result, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_METHOD);
}

static void the_phrase_of_no_parent_names_the_step(void **state)
{
    (void)state;
    struct refusal refusal = {0};
    struct xcap_selector selector = selector_of("a/b[@c='d']/e");
    assert_int_equal(xcap_check_parent(text_of("<a/>"), &selector, &arena, &refusal), REFUSED);
    assert_true(text_find(refusal.phrase, TEXT("b[@c='d']")) < refusal.phrase.length);
    assert_text(refusal.content, "<ancestor>a</ancestor>");
    selector = selector_of("a/b");
    assert_int_equal(xcap_check_parent(text_of("<a/>"), &selector, &arena, &refusal), OK);
}

static void an_ancestor_is_escaped_for_xml_as_well(void **state)
{
    (void)state;
    struct refusal refusal = {0};
    struct xcap_selector selector = selector_of("a[@i='&lt;/&amp;']/b/c");
    assert_int_equal(xcap_check_parent(text_of("<a i='&lt;/&amp;'/>"), &selector, &arena, &refusal), REFUSED);
    assert_text(refusal.content, "<ancestor>a%5B@i=&apos;&amp;lt;%2F&amp;amp;&apos;%5D</ancestor>");
}

static void many_siblings_are_no_burden(void **state)
{
    (void)state;
    struct text_builder document;
    struct text node, result;
    struct refusal refusal;
    builder_init(&document, &arena);
    builder_add(&document, TEXT("<l>"));
    for (int i = 0; i < 20000; i++)
        builder_add_format(&document, "<e i=\"%d\"/>", i);
    builder_add(&document, TEXT("</l>"));
    struct xcap_selector selector = selector_of("l/e[@i='19999']");
    assert_int_equal(xcap_get(builder_text(&document), &selector, &arena, &node), OK);
    assert_text(node, "<e i=\"19999\"/>");
    selector = selector_of("l/e[20001]");
    bool created;
    assert_int_equal(xcap_put(builder_text(&document), &selector, TEXT("<e/>"), &arena, &result, &created, &refusal),
                     OK);
    assert_true(text_ends_with(result, TEXT("<e i=\"19999\"/><e/></l>")));
    assert_int_equal(xcap_delete(result, &selector, &arena, &node, &refusal), OK);
    assert_true(text_equal(node, builder_text(&document)));
}

/* Stored bytes are good, but a bug elsewhere must not become a read outside them. */
static void a_document_cut_anywhere_is_survived(void **state)
{
    (void)state;
    static const char document[] = "<?xml version='1.0'?><a xmlns:p='u'><p:b i='1'>t<c/></p:b><b i='2'/></a>";
    static const char *const nodes[] = {"a", "a/b", "a/*[2]", "a/*[1]/c", "a/b/@i", "a/b/namespace::*", "a/x"};
    for (size_t length = 0; length < sizeof(document); length++) {
        struct text cut = text_copy(&arena, (struct text){document, length});
        for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
            struct xcap_selector selector = selector_of(nodes[i]);
            struct text result;
            struct refusal refusal;
            bool created;
            xcap_get(cut, &selector, &arena, &result);
            xcap_delete(cut, &selector, &arena, &result, &refusal);
            struct text body = selector.terminal == XCAP_ATTRIBUTE ? TEXT("'3'") : TEXT("<b/>");
            xcap_put(cut, &selector, body, &arena, &result, &created, &refusal);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_element_is_read_as_a_slice_of_the_document, begin, end),
        cmocka_unit_test_setup_teardown(created_tells_an_insertion_from_a_replacement, begin, end),
        cmocka_unit_test_setup_teardown(a_body_in_another_encoding_is_not_utf_8, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_fragment_says_what_is_wrong_with_it, begin, end),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_is_no_part_of_a_node, begin, end),
        cmocka_unit_test_setup_teardown(reading_bindings_is_all_that_can_be_done_with_them, begin, end),
        cmocka_unit_test_setup_teardown(the_phrase_of_no_parent_names_the_step, begin, end),
        cmocka_unit_test_setup_teardown(an_ancestor_is_escaped_for_xml_as_well, begin, end),
        cmocka_unit_test_setup_teardown(many_siblings_are_no_burden, begin, end),
        cmocka_unit_test_setup_teardown(a_document_cut_anywhere_is_survived, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
