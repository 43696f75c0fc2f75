/* Node selectors: the four forms of steps, the terminals, prefixes, and the border between 400 and 404. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "test_arena.h"
#include "xcap_selector.h"

static enum refusal_kind refusal_of(const char *node, const char *query, struct xcap_selector *selector_out)
{
    struct refusal refusal = {0};
    enum status status =
        xcap_selector_parse(text_of(node), text_of(query), TEXT("urn:d"), &arena, selector_out, &refusal);
    assert_int_equal(status, refusal.kind == REFUSAL_NONE ? OK : REFUSED);
    return refusal.kind;
}

static struct xcap_selector parsed(const char *node, const char *query)
{
    struct xcap_selector selector;
    if (refusal_of(node, query, &selector) != REFUSAL_NONE)
        fail_msg("%s?%s was refused", node, query);
    return selector;
}

static void the_four_forms_of_steps_are_read(void **state)
{
    (void)state;
    struct xcap_selector selector = parsed("a/b[2]/*[@i=\"x\"]/c[03][@p:j='y z']", "xmlns(p=urn:p)");
    assert_int_equal(selector.steps_count, 4);
    assert_int_equal(selector.terminal, XCAP_ELEMENT);
    assert_text(selector.steps[0].namespace, "urn:d");
    assert_text(selector.steps[0].local, "a");
    assert_int_equal(selector.steps[0].position, 0);
    assert_int_equal(selector.steps[1].position, 2);
    assert_false(selector.steps[1].has_attribute);
    assert_true(selector.steps[2].any_name);
    assert_text(selector.steps[2].attribute_namespace, "");
    assert_text(selector.steps[2].attribute_local, "i");
    assert_text(selector.steps[2].attribute_value, "x");
    assert_int_equal(selector.steps[3].position, 3);
    assert_text(selector.steps[3].attribute_namespace, "urn:p");
    assert_text(selector.steps[3].attribute_value, "y z");
    assert_text(selector.steps[3].written, "c[03][@p:j='y z']");
    assert_true(selector.steps[3].prefixed);
    assert_false(selector.steps[2].prefixed);
}

static void attributes_and_namespaces_end_a_selector(void **state)
{
    (void)state;
    struct xcap_selector selector = parsed("a/@i", "");
    assert_int_equal(selector.terminal, XCAP_ATTRIBUTE);
    assert_text(selector.attribute_local, "i");
    assert_text(selector.attribute_namespace, "");
    assert_int_equal(selector.steps_count, 1);
    assert_text(parsed("a/@xml:lang", "").attribute_namespace, "http://www.w3.org/XML/1998/namespace");
    assert_int_equal(parsed("a/namespace::*", "").terminal, XCAP_NAMESPACES);
    assert_int_equal(parsed("a/@xmlns", "").terminal, XCAP_ATTRIBUTE);
    assert_int_equal(parsed("a/@xmlns:p", "").terminal, XCAP_ATTRIBUTE);
}

static void impossible_positions_are_legal_and_match_nothing(void **state)
{
    (void)state;
    assert_int_equal(parsed("a[0]", "").steps[0].position, UINT32_MAX);
    assert_int_equal(parsed("a[4294967296]", "").steps[0].position, UINT32_MAX);
    assert_int_equal(parsed("a[99999999999999999999999999]", "").steps[0].position, UINT32_MAX);
}

static void slashes_and_brackets_in_quotes_belong_to_the_value(void **state)
{
    (void)state;
    struct xcap_selector selector = parsed("a[@i=\"x/y]['\"]/b[@j='[\"/']/@k", "");
    assert_int_equal(selector.steps_count, 2);
    assert_text(selector.steps[0].attribute_value, "x/y]['");
    assert_text(selector.steps[1].attribute_value, "[\"/");
}

static void references_in_values_are_expanded_and_loose_ampersands_kept(void **state)
{
    (void)state;
    assert_text(parsed("a[@i=\"&lt;&amp;&quot;&apos;&gt;&#65;&#x42;\"]", "").steps[0].attribute_value, "<&\"'>AB");
    assert_text(parsed("a[@i=\"a&b=c&amp;;&nbsp;& &#0;\"]", "").steps[0].attribute_value, "a&b=c&;&nbsp;& &#0;");
    assert_text(parsed("a[@i='']", "").steps[0].attribute_value, "");
}

static void prefixes_are_bound_by_the_query(void **state)
{
    (void)state;
    struct xcap_selector selector = parsed("p:a/q:b", "xmlns(p=urn:p)xmlns(q=urn:q)");
    assert_text(selector.steps[0].namespace, "urn:p");
    assert_text(selector.steps[1].namespace, "urn:q");
    assert_text(parsed("p:a", "xmlns(p=urn:1)xmlns(p=urn:2)").steps[0].namespace, "urn:2");
    assert_text(parsed("p:a", "xmlns( p = urn:p )").steps[0].namespace, "urn:p");
    assert_text(parsed("p:a", "xmlns(p=u(1)^)^^)").steps[0].namespace, "u(1))^");
    assert_text(parsed("p:a", "x=1&foo(bar(x))xmlns(p=u)&y").steps[0].namespace, "u");
    assert_text(parsed("p:a", "xmlns(xml=u) xmlns(p=a=b)").steps[0].namespace, "a=b");
}

static void an_unbound_prefix_is_400(void **state)
{
    (void)state;
    static const char *const queries[] = {"",         "xmlns(q=u)",   "xmlns(p=)", "xmlns(p=u",
                                          "xmlns(p)", "myxmlns(p=u)", "p=u",       "xmlns(p=u)xmlns(p=)"};
    struct xcap_selector selector;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        if (refusal_of("p:a", queries[i], &selector) != REFUSAL_SYNTAX)
            fail_msg("%s bound p", queries[i]);
    }
    assert_int_equal(refusal_of("a[@p:i='1']", "", &selector), REFUSAL_SYNTAX);
    assert_int_equal(refusal_of("a/@p:i", "", &selector), REFUSAL_SYNTAX);
}

static void broken_standard_steps_are_400(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "a[",
        "a[1",
        "a]",
        "a[1]]",
        "a[]",
        "a[1]b",
        "a[@]",
        "a[@i]",
        "a[@i=]",
        "a[@i=x]",
        "a[@i=\"x]",
        "a[@i='x]",
        "a[@i=\"x']",
        "a[ @i='x']",
        "a[@i ='x']",
        "a[@i= 'x']",
        "a[@i='x' ]",
        "a[@i='x'][2]",
        "a[1][2]",
        "a[@i='x'][@j='y']",
        "a[1a]",
        "a[-1]x[",
        "a/@i/b",
        "a/@i/@j",
        "a/namespace::*/b",
        "@i",
        "namespace::*",
        "a/@",
        "a[@i='x'y]",
        "a[@i=\"l[@n=\"x\"]\"]",
        "*[@1='x']",
    };
    struct xcap_selector selector;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        if (refusal_of(broken[i], "", &selector) != REFUSAL_SYNTAX)
            fail_msg("'%s' was not answered 400", broken[i]);
    }
}

static void unknown_extensions_are_404(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "text()", "a/text()",       "id(\"x\")", "a/id('x')[1]", "a[last()]",       "a[position()=1]", "a/..", "a/.",
        "1a",     "a/namespace::p", "a/@*",      "~~",           "attribute::i[1]", "a:b:c",           "**"};
    struct xcap_selector selector;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        if (refusal_of(unknown[i], "", &selector) != REFUSAL_ABSENT)
            fail_msg("'%s' was not answered 404", unknown[i]);
    }
}

static void the_number_of_steps_is_bounded(void **state)
{
    (void)state;
    struct text_builder node;
    struct xcap_selector selector;
    struct refusal refusal;
    builder_init(&node, &arena);
    builder_add_char(&node, 'a');
    for (int i = 1; i < XCAP_STEPS_MAX; i++)
        builder_add(&node, TEXT("/a"));
    assert_int_equal(xcap_selector_parse(builder_text(&node), TEXT(""), TEXT(""), &arena, &selector, &refusal), OK);
    builder_add(&node, TEXT("/a"));
    assert_int_equal(xcap_selector_parse(builder_text(&node), TEXT(""), TEXT(""), &arena, &selector, &refusal),
                     REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_URI_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_four_forms_of_steps_are_read, begin, end),
        cmocka_unit_test_setup_teardown(attributes_and_namespaces_end_a_selector, begin, end),
        cmocka_unit_test_setup_teardown(impossible_positions_are_legal_and_match_nothing, begin, end),
        cmocka_unit_test_setup_teardown(slashes_and_brackets_in_quotes_belong_to_the_value, begin, end),
        cmocka_unit_test_setup_teardown(references_in_values_are_expanded_and_loose_ampersands_kept, begin, end),
        cmocka_unit_test_setup_teardown(prefixes_are_bound_by_the_query, begin, end),
        cmocka_unit_test_setup_teardown(an_unbound_prefix_is_400, begin, end),
        cmocka_unit_test_setup_teardown(broken_standard_steps_are_400, begin, end),
        cmocka_unit_test_setup_teardown(unknown_extensions_are_404, begin, end),
        cmocka_unit_test_setup_teardown(the_number_of_steps_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
