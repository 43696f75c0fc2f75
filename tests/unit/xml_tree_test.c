/* The read-only tree: what it holds, and what it refuses to be built from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "xml_tree.h"

static enum status read_status(struct text document)
{
    struct arena arena;
    const struct xml_element *root;
    arena_init(&arena, "test");
    enum status status = xml_tree_read(document, &arena, &root);
    arena_clear(&arena);
    return status;
}

static void elements_attributes_and_text_are_where_the_document_has_them(void **state)
{
    (void)state;
    struct arena arena;
    const struct xml_element *root;
    struct text value;
    struct text document = text_of("\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- c -->"
                                   "<l xmlns='urn:l' xmlns:p='urn:p' n='a\n&lt;' p:n='b' xml:lang='en'>"
                                   " x&amp;<e i='1'/><!-- - --><p:e/>y<![CDATA[<&]]><e i='2'>t</e><?pi?>z</l>\n");
    arena_init(&arena, "test");
    assert_int_equal(xml_tree_read(document, &arena, &root), OK);
    assert_true(xml_is(root, text_of("urn:l"), text_of("l")));
    assert_text(root->text, " x&y<&z");
    assert_true(xml_attribute(root, text_of("n"), &value));
    assert_text(value, "a <");
    assert_true(xml_attribute_ns(root, text_of("urn:p"), text_of("n"), &value));
    assert_text(value, "b");
    assert_true(xml_attribute_ns(root, text_of(XML_NAMESPACE), text_of("lang"), &value));
    assert_false(xml_attribute(root, text_of("xmlns"), &value));
    assert_false(xml_attribute(root, text_of("lang"), &value));
    const struct xml_element *entry = xml_child(root, text_of("urn:l"), text_of("e"));
    assert_text(text_slice(document, entry->begin, entry->end), "<e i='1'/>");
    assert_true(xml_is(entry->next, text_of("urn:p"), text_of("e")));
    entry = xml_next_same(entry);
    assert_text(text_slice(document, entry->begin, entry->end), "<e i='2'>t</e>");
    assert_text(entry->text, "t");
    assert_ptr_equal(entry->parent, root);
    assert_null(xml_next_same(entry));
    assert_null(xml_child(entry, text_of("urn:l"), text_of("e")));
    arena_clear(&arena);
}

static void what_is_not_namespace_well_formed_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "text",
        "<a>",
        "</a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<![CDATA[ ]]><a/>",
        "<a/>&#32;x",
        "<!DOCTYPE a><a/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a b='1' b='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<a xmlns='u' xmlns='u'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xmlns='u'/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<xmlns:a/>",
        "<a b=1/>",
        "<a b='<'/>",
        "<a b='&x;'/>",
        "<a>&nbsp;</a>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<1a/>",
        "<a 1b='x'/>",
        "<a><p:b xmlns:p='u'/><p:b/></a>",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (read_status(text_of(bad[i])) != REFUSED)
            fail_msg("'%s' was read", bad[i]);
    }
    assert_int_equal(read_status(text_of("<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:b='1'/>")), OK);
    assert_int_equal(read_status(text_of("<p:a xmlns:p='u' b='1' p:b='2'/>")), OK);
}

/* `middle` with its '%' replaced by the number, `count` times. */
static struct text repeated(struct arena *arena, const char *head, const char *middle, size_t count, const char *tail)
{
    struct text_builder builder;
    builder_init(&builder, arena);
    builder_add(&builder, text_of(head));
    for (size_t i = 0; i < count; i++) {
        struct text before, after;
        if (text_cut(text_of(middle), '%', &before, &after))
            builder_add_format(&builder, "%.*s%zu%.*s", TEXT_ARG(before), i, TEXT_ARG(after));
        else
            builder_add(&builder, before);
    }
    builder_add(&builder, text_of(tail));
    return builder_text(&builder);
}

static void depth_attributes_and_declarations_are_bounded(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    struct text deep = repeated(&arena, "", "<a>", XML_TREE_DEPTH_MAX, "");
    struct text shut = repeated(&arena, "", "</a>", XML_TREE_DEPTH_MAX, "");
    assert_int_equal(read_status(text_join(&arena, deep, shut)), OK);
    deep = text_join(&arena, TEXT("<a>"), text_join(&arena, text_join(&arena, deep, shut), TEXT("</a>")));
    assert_int_equal(read_status(deep), REFUSED);
    assert_int_equal(read_status(repeated(&arena, "<a", " b%=''", XML_TREE_ATTRIBUTES_MAX, "/>")), OK);
    assert_int_equal(read_status(repeated(&arena, "<a", " b%=''", XML_TREE_ATTRIBUTES_MAX + 1, "/>")), REFUSED);
    struct text half = repeated(&arena, "<a", " xmlns:b%='u'", XML_TREE_ATTRIBUTES_MAX, ">");
    struct text whole = text_join(&arena, half, text_join(&arena, half, TEXT("</a></a>")));
    assert_int_equal(read_status(whole), OK);
    whole = text_join(&arena, half, text_join(&arena, half, TEXT("<a xmlns='u'/></a></a>")));
    assert_int_equal(read_status(whole), REFUSED);
    arena_clear(&arena);
}

static void a_fragment_uses_the_prefixes_of_its_place(void **state)
{
    (void)state;
    struct arena arena;
    struct xml_scope scope;
    struct xml_scanner scanner;
    struct xml_tag tag;
    const struct xml_element *root;
    arena_init(&arena, "test");
    xml_scope_init(&scope, &arena);
    xml_scan_init(&scanner, text_of("<a xmlns='urn:a' xmlns:p='urn:p'>"));
    assert_true(xml_scan_next(&scanner, &tag) && xml_scope_open(&scope, scanner.input, &tag));
    assert_int_equal(xml_tree_read_in(text_of("<b p:c='1'/>"), &scope, &arena, &root), OK);
    assert_true(xml_is(root, text_of("urn:a"), text_of("b")));
    assert_int_equal(scope.count, 2);
    assert_int_equal(xml_tree_read_in(text_of("<q:b/>"), &scope, &arena, &root), REFUSED);
    arena_clear(&arena);
}

static void a_walk_meets_all_in_document_order_and_stays_inside(void **state)
{
    (void)state;
    struct arena arena;
    const struct xml_element *root;
    struct text_builder met;
    arena_init(&arena, "test");
    builder_init(&met, &arena);
    assert_int_equal(xml_tree_read(text_of("<a><b><c/><d><e/></d></b><f/></a>"), &arena, &root), OK);
    for (const struct xml_element *element = root; element; element = xml_next(element, NULL))
        builder_add(&met, element->local);
    builder_add_char(&met, ' ');
    for (const struct xml_element *element = root->first_child; element; element = xml_next(element, root->first_child))
        builder_add(&met, element->local);
    assert_text(builder_text(&met), "abcdef bcde");
    const struct xml_element *leaf = root->first_child->next;
    assert_null(xml_next(leaf, leaf));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_attributes_and_text_are_where_the_document_has_them),
        cmocka_unit_test(what_is_not_namespace_well_formed_is_refused),
        cmocka_unit_test(depth_attributes_and_declarations_are_bounded),
        cmocka_unit_test(a_fragment_uses_the_prefixes_of_its_place),
        cmocka_unit_test(a_walk_meets_all_in_document_order_and_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
