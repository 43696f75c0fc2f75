/* An index answers as a look at the whole document does. Random documents are in xcap_model_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "test_arena.h"
#include "xcap_edit.h"
#include "xcap_index.h"

/* Both give `expected`; NULL: nothing. */
static void assert_found(struct text document, const char *selector, const char *expected)
{
    struct xcap_selector parsed;
    struct refusal refusal;
    struct text plain, indexed;
    assert_int_equal(
        xcap_selector_parse(text_of(selector), TEXT("xmlns(x=urn:x)"), TEXT("urn:d"), &arena, &parsed, &refusal), OK);
    struct xcap_index *index = xcap_index_new(document);
    assert_non_null(index);
    enum status status = expected ? OK : NOT_FOUND;
    assert_int_equal(xcap_get(document, &parsed, &arena, &plain), status);
    assert_int_equal(xcap_index_get(index, document, &parsed, &arena, &indexed), status);
    if (expected) {
        assert_text(plain, expected);
        assert_text(indexed, expected);
    }
    xcap_index_free(index);
}

static void elements_are_found_by_the_value_of_an_attribute(void **state)
{
    (void)state;
    struct text document = TEXT("<d xmlns='urn:d'><l n='1'><e u='a'>A</e><e u='b'/></l><l n='2'><e u='a'/></l></d>");
    assert_found(document, "d/l[@n=\"1\"]/e[@u=\"a\"]", "<e u='a'>A</e>");
    assert_found(document, "d/l[@n=\"2\"]/e[@u=\"a\"]", "<e u='a'/>");
    assert_found(document, "d/l[@n=\"2\"]/e[@u=\"b\"]", NULL);
    assert_found(document, "d/l[@n=\"1\"]/*[@u=\"b\"]", "<e u='b'/>");
    assert_found(document, "d/l[2]/e", "<e u='a'/>");
    assert_found(document, "d/l/e", NULL);
}

static void values_are_compared_as_a_parser_reports_them(void **state)
{
    (void)state;
    struct text document = TEXT("<d xmlns='urn:d'><e u='a&amp;b'/><e u='&#99;'/><e u='x\ty'/><e u='z'/></d>");
    assert_found(document, "d/e[@u=\"a&amp;b\"]", "<e u='a&amp;b'/>");
    assert_found(document, "d/e[@u=\"c\"]", "<e u='&#99;'/>");
    assert_found(document, "d/e[@u=\"x y\"]", "<e u='x\ty'/>");
    assert_found(document, "d/e[@u=\"z\"]", "<e u='z'/>");
}

static void one_value_twice_is_ambiguous_however_it_is_written(void **state)
{
    (void)state;
    assert_found(TEXT("<d xmlns='urn:d'><e u='c'/><e u='&#99;'/></d>"), "d/e[@u=\"c\"]", NULL);
    assert_found(TEXT("<d xmlns='urn:d'><e u='c'/><f u='c'/></d>"), "d/e[@u=\"c\"]", "<e u='c'/>");
    assert_found(TEXT("<d xmlns='urn:d'><e u='c'/><f u='c'/></d>"), "d/*[@u=\"c\"]", NULL);
}

static void namespaces_decide_and_prefixes_do_not(void **state)
{
    (void)state;
    struct text document = TEXT("<d xmlns='urn:d' xmlns:p='urn:x'><e u='1' xmlns='urn:x'/><p:e u='2'/><e u='3'/>"
                                "<e p:u='4'/></d>");
    assert_found(document, "d/x:e[@u=\"1\"]", "<e u='1' xmlns='urn:x'/>");
    assert_found(document, "d/x:e[@u=\"2\"]", "<p:e u='2'/>");
    assert_found(document, "d/e[@u=\"1\"]", NULL);
    assert_found(document, "d/e[@x:u=\"4\"]", "<e p:u='4'/>");
    assert_found(document, "d/e[@u=\"4\"]", NULL);
}

static void comments_and_sections_hide_what_looks_like_tags(void **state)
{
    (void)state;
    struct text document =
        TEXT("<?xml version='1.0'?><!-- <d> --><d xmlns='urn:d'><!--<e u='1'/>--><![CDATA[<e u='1'/>]]>"
             "<e u='1'/></d><!-- end -->");
    assert_found(document, "d/e[@u=\"1\"]", "<e u='1'/>");
    assert_found(document, "d/e", "<e u='1'/>");
}

static void damage_has_no_index(void **state)
{
    (void)state;
    assert_null(xcap_index_new(TEXT("<d><e></d>")));
    assert_null(xcap_index_new(TEXT("</d>")));
    assert_null(xcap_index_new(TEXT("<d><e u='1></d>")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_found_by_the_value_of_an_attribute),
        cmocka_unit_test(values_are_compared_as_a_parser_reports_them),
        cmocka_unit_test(one_value_twice_is_ambiguous_however_it_is_written),
        cmocka_unit_test(namespaces_decide_and_prefixes_do_not),
        cmocka_unit_test(comments_and_sections_hide_what_looks_like_tags),
        cmocka_unit_test(damage_has_no_index),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
