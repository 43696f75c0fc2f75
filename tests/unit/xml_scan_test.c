/* Tags and their offsets, on good bytes and on bytes that stop or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "assert_text.h"
#include "xml_scope.h"

/* "+name" for a start tag, "-name" for an end tag, "=name" for an empty element, "!" at damage. */
static void write_tags(struct text input, char *out, size_t size)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    size_t length = 0;
    xml_scan_init(&scanner, input);
    while (xml_scan_next(&scanner, &tag) && length + tag.name.length + 2 < size) {
        assert_true(tag.begin < tag.end && tag.end <= input.length);
        assert_true(input.bytes[tag.begin] == '<' && input.bytes[tag.end - 1] == '>');
        out[length++] = tag.kind == XML_START ? '+' : tag.kind == XML_END ? '-' : '=';
        memcpy(out + length, tag.name.bytes, tag.name.length);
        length += tag.name.length;
    }
    if (scanner.damaged)
        out[length++] = '!';
    out[length] = '\0';
}

static void assert_tags(const char *input, const char *expected)
{
    char tags[4096];
    write_tags(text_of(input), tags, sizeof(tags));
    if (strcmp(tags, expected) != 0)
        fail_msg("%s gave %s, not %s", input, tags, expected);
}

static void tags_are_found_past_everything_else(void **state)
{
    (void)state;
    assert_tags("<a><b/>text</a>", "+a=b-a");
    assert_tags("<?xml version='1.0'?><!-- <x> --><a ><![CDATA[<y>]]></a\n>\n", "+a-a");
    assert_tags("<a b='>' c=\"/>'\"><d e='\"<'/></a>", "+a=d-a");
    assert_tags("<a b='1'/>", "=a");
    assert_tags("<p:a-1.x_/>", "=p:a-1.x_");
    assert_tags("<\xc3\xa9t\xc3\xa9/>", "=\xc3\xa9t\xc3\xa9");
    assert_tags("<a><!-->--><?x ?a> ?><b/></a>", "+a=b-a");
    assert_tags("<a><![CDATA[]]]]><b/></a>", "+a=b-a");
    assert_tags("", "");
    assert_tags("text & more >", "");
}

static void damage_stops_the_scan(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<",   "<a",    "<a b='",  "<a b=\">",    "</",           "</a", "</a b>",  "< a>",  "<!",
        "<!-", "<!-- ", "<!-- --", "<![CDATA[ ]", "<!DOCTYPE a>", "<?x", "<?x ?",   "<a<b>", "<>",
        "</>", "<:a>",  "<a:>",    "<a:b:c>",     "<a\"b\">",     "<?",  "<![CDAT", "<!-->",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_tags(bad[i], "!");
}

static void a_document_may_end_at_any_byte(void **state)
{
    (void)state;
    static const char document[] = "<?xml version='1.0'?><!--c--><p:a x='1' y = \"2\"><![CDATA[<]]><b/>t</p:a >";
    for (size_t length = 0; length < sizeof(document); length++) {
        char tags[256];
        char *exact = malloc(length ? length : 1); /* a sanitizer sees a read behind the end */
        memcpy(exact, document, length);
        write_tags((struct text){exact, length}, tags, sizeof(tags));
        free(exact);
    }
}

static void offsets_and_names_point_into_the_document(void **state)
{
    (void)state;
    struct text document = text_of("<a><p:list  name=\"x\" p:k = 'y&amp;z' /></a>");
    struct xml_scanner scanner;
    struct xml_tag tag;
    struct xml_attribute_span span;
    size_t cursor = 0;
    xml_scan_init(&scanner, document);
    assert_true(xml_scan_next(&scanner, &tag));
    assert_true(xml_scan_next(&scanner, &tag));
    assert_int_equal(tag.begin, 3);
    assert_text(text_slice(document, tag.begin, tag.end), "<p:list  name=\"x\" p:k = 'y&amp;z' />");
    assert_text(tag.prefix, "p");
    assert_text(tag.local, "list");
    assert_true(xml_attribute_next(document, &tag, &cursor, &span));
    assert_text(text_slice(document, span.begin, span.end), "name=\"x\"");
    assert_text(span.raw, "x");
    assert_true(xml_attribute_next(document, &tag, &cursor, &span));
    assert_text(text_slice(document, span.begin, span.end), "p:k = 'y&amp;z'");
    assert_text(text_slice(document, span.value_begin, span.value_end), "y&amp;z");
    assert_int_equal(span.quote, '\'');
    assert_text(span.prefix, "p");
    assert_text(span.local, "k");
    assert_false(xml_attribute_next(document, &tag, &cursor, &span));
    assert_int_equal(cursor, tag.attributes.length);
}

static void malformed_attributes_are_told_from_the_end(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<a b>", "<a b=>", "<a b=c>", "<a b='1'c='2'>", "<a =''>", "<a / >", "<a b==''>", "<a \"x\">", "<a b:='1'>",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xml_scanner scanner;
        struct xml_tag tag;
        struct xml_attribute_span span;
        size_t cursor = 0;
        xml_scan_init(&scanner, text_of(bad[i]));
        if (!xml_scan_next(&scanner, &tag))
            continue;
        while (xml_attribute_next(scanner.input, &tag, &cursor, &span))
            ;
        if (cursor == tag.attributes.length)
            fail_msg("%s passed", bad[i]);
    }
}

static void assert_unescaped(const char *raw, bool attribute, const char *expected)
{
    struct arena arena;
    struct text value;
    arena_init(&arena, "test");
    bool good = xml_unescape(&arena, text_of(raw), attribute, &value);
    if (good != (expected != NULL))
        fail_msg("'%s' was %s", raw, good ? "taken" : "refused");
    if (good)
        assert_text(value, expected);
    arena_clear(&arena);
}

static void references_are_expanded_as_a_parser_does(void **state)
{
    (void)state;
    assert_unescaped("a&lt;b&gt;&amp;&quot;&apos;", false, "a<b>&\"'");
    assert_unescaped("&#65;&#x42;&#xe9;&#x20AC;&#x1F600;", false, "AB\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_unescaped("a\r\nb\rc\td\n", false, "a\nb\nc\td\n");
    assert_unescaped("a\r\nb\rc\td\n", true, "a b c d ");
    assert_unescaped("a&#10;b&#9;", true, "a\nb\t");
    static const char *const bad[] = {"&",
                                      "&;",
                                      "&x;",
                                      "&nbsp;",
                                      "&#;",
                                      "&#x;",
                                      "&#0;",
                                      "&#xD800;",
                                      "&#xFFFF;",
                                      "&#x110000;",
                                      "&#-1;",
                                      "&#99999999999999999999;",
                                      "&amp",
                                      "a<b",
                                      "a\x01"
                                      "b",
                                      "& lt;"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_unescaped(bad[i], true, NULL);
        assert_unescaped(bad[i], false, NULL);
    }
}

static void a_byte_means_the_same_wherever_it_stands(void **state)
{
    (void)state;
    enum { LENGTH = 20 };
    for (int byte = 1; byte < 256; byte++)
        for (int at = 0; at < LENGTH; at++)
            for (int attribute = 0; attribute < 2; attribute++) {
                char raw[LENGTH + 1] = "xxxxxxxxxxxxxxxxxxxx", expected[LENGTH + 1] = "xxxxxxxxxxxxxxxxxxxx";
                bool blank = byte == '\t' || byte == '\n' || byte == '\r';
                raw[at] = (char)byte;
                expected[at] = !blank ? (char)byte : attribute ? ' ' : byte == '\r' ? '\n' : (char)byte;
                bool legal = blank || (byte >= 0x20 && byte != '&' && byte != '<');
                assert_unescaped(raw, attribute, legal ? expected : NULL);
            }
}

static void names_follow_the_fifth_edition(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "_", "a-b.c1", "\xc3\xa9", "a\xc2\xb7", "\xf0\x90\x80\x80"};
    static const char *const bad[] = {"", "1a", "-a", ".a", "a b", "a:b", "a*", "\xc2\xb7", "a\xc3", "\xc3\x97", "a("};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(xml_name_valid(text_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(xml_name_valid(text_of(bad[i])));
    assert_true(xml_qname_valid(text_of("a:b")));
    assert_false(xml_qname_valid(text_of("a:b:c")));
    assert_false(xml_qname_valid(text_of(":b")));
    assert_false(xml_qname_valid(text_of("a:")));
}

static void prefixes_mean_what_the_innermost_declaration_says(void **state)
{
    (void)state;
    struct arena arena;
    struct xml_scope scope;
    struct xml_scanner scanner;
    struct xml_tag tag;
    struct text uri, prefix;
    arena_init(&arena, "test");
    xml_scope_init(&scope, &arena);
    xml_scan_init(&scanner, text_of("<a xmlns='urn:a' xmlns:p='urn:p&amp;q'><b xmlns='' xmlns:p='urn:x'>"));
    assert_true(xml_scan_next(&scanner, &tag) && xml_scope_open(&scope, scanner.input, &tag));
    assert_true(xml_scan_next(&scanner, &tag) && xml_scope_open(&scope, scanner.input, &tag));
    assert_true(xml_scope_find(&scope, text_of("p"), &uri));
    assert_text(uri, "urn:x");
    assert_true(xml_scope_find(&scope, text_of(""), &uri));
    assert_text(uri, "");
    assert_false(xml_scope_prefix(&scope, text_of("urn:p&q"), &prefix));
    assert_text(xml_scope_declarations(&scope, &arena), " xmlns:p=\"urn:x\"");
    xml_scope_close(&scope);
    assert_true(xml_scope_prefix(&scope, text_of("urn:p&q"), &prefix));
    assert_text(prefix, "p");
    assert_text(xml_scope_declarations(&scope, &arena), " xmlns=\"urn:a\" xmlns:p=\"urn:p&amp;q\"");
    assert_true(xml_scope_find(&scope, text_of("xml"), &uri));
    assert_text(uri, XML_NAMESPACE);
    assert_false(xml_scope_find(&scope, text_of("q"), &uri));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_found_past_everything_else),
        cmocka_unit_test(damage_stops_the_scan),
        cmocka_unit_test(a_document_may_end_at_any_byte),
        cmocka_unit_test(offsets_and_names_point_into_the_document),
        cmocka_unit_test(malformed_attributes_are_told_from_the_end),
        cmocka_unit_test(references_are_expanded_as_a_parser_does),
        cmocka_unit_test(a_byte_means_the_same_wherever_it_stands),
        cmocka_unit_test(names_follow_the_fifth_edition),
        cmocka_unit_test(prefixes_mean_what_the_innermost_declaration_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
