/* Conflict reports: each of the elements of RFC 4825 §11, written and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "xcap_error.h"
#include "xml_tree.h"
#include "xml_validate.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xcap-error xmlns=\"urn:ietf:params:xml:ns:xcap-error\">"
#define TAIL "</xcap-error>\n"

static struct arena arena;
static struct xml_schema *schema;

static int load_schema(void **state)
{
    (void)state;
    struct text error;
    arena_init(&arena, "test");
    xml_open();
    return xml_schema_load("schemas/common/xcap-error.xsd", &arena, &schema, &error) == OK ? 0 : -1;
}

static int unload_schema(void **state)
{
    (void)state;
    xml_schema_free(schema);
    arena_clear(&arena);
    xml_close();
    return 0;
}

static struct text written(const char *element, const char *phrase, const char *content)
{
    struct refusal refusal;
    refuse_conflict(&refusal, element, text_of(phrase));
    refusal.content = text_of(content);
    struct text document = xcap_error_write(&refusal, &arena);
    struct xml_document *parsed;
    struct xml_limits limits = XML_LIMITS_STANDARD;
    if (xml_parse(document, &limits, &arena, &parsed, &refusal) != OK)
        fail_msg("'%.*s' is not XML", TEXT_ARG(document));
    if (xml_schema_check(schema, parsed, &arena, &refusal) != OK)
        fail_msg("'%.*s' is not valid: %.*s", TEXT_ARG(document), TEXT_ARG(refusal.phrase));
    xml_document_free(parsed);
    return document;
}

static void each_element_is_written_as_the_schema_wants(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "not-well-formed",         "not-utf-8",          "not-xml-frag",
        "not-xml-att-value",       "cannot-insert",      "cannot-delete",
        "schema-validation-error", "constraint-failure",
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct text expected = text_format(&arena, HEAD "<%s phrase=\"line 1 &lt; 2\"></%s>" TAIL, plain[i], plain[i]);
        assert_text(written(plain[i], "line 1 < 2", ""), text_cstring(&arena, expected));
        assert_text(written(plain[i], "line 1 < 2", "<more/>"), text_cstring(&arena, expected));
    }
    assert_text(written("no-parent", "p", "<ancestor>a/b</ancestor>"),
                HEAD "<no-parent phrase=\"p\"><ancestor>a/b</ancestor></no-parent>" TAIL);
    assert_text(written("no-parent", "", ""), HEAD "<no-parent></no-parent>" TAIL);
    assert_text(written("uniqueness-failure", "p", "<exists field=\"a/@b\"><alt-value>c</alt-value></exists>"),
                HEAD "<uniqueness-failure phrase=\"p\"><exists field=\"a/@b\"><alt-value>c</alt-value></exists>"
                     "</uniqueness-failure>" TAIL);
    assert_text(written("extension", "ignored", "<x xmlns=\"urn:x\"/>"),
                HEAD "<extension><x xmlns=\"urn:x\"/></extension>" TAIL);
}

static void a_uniqueness_failure_is_valid_even_without_content(void **state)
{
    (void)state;
    written("uniqueness-failure", "taken", "");
}

static void phrases_may_hold_anything_a_peer_sent(void **state)
{
    (void)state;
    assert_text(written("cannot-insert", "a\"b'<&>\x01\n\xef\xbf\xbf\xc3\xa9", ""),
                HEAD "<cannot-insert phrase=\"a&quot;b&apos;&lt;&amp;&gt;?\?\?\?\?\xc3\xa9\"></cannot-insert>" TAIL);
    assert_text(written("cannot-insert", "a\xff\xc3", ""), HEAD "<cannot-insert phrase=\"a??\"></cannot-insert>" TAIL);
}

static void assert_read_as(const char *document, const char *element, const char *phrase, const char *content)
{
    struct refusal refusal = {0};
    assert_int_equal(xcap_error_read(text_of(document), &arena, &refusal), OK);
    assert_int_equal(refusal.kind, REFUSAL_CONFLICT);
    assert_string_equal(refusal.element, element);
    assert_text(refusal.phrase, phrase);
    assert_text(refusal.content, content);
    written(element, phrase, text_cstring(&arena, refusal.content));
}

static void what_a_sheet_emits_is_read_whatever_its_prefixes(void **state)
{
    (void)state;
    assert_read_as("<?xml version='1.0'?><e:xcap-error xmlns:e='urn:ietf:params:xml:ns:xcap-error'>\n"
                   " <e:constraint-failure phrase='a &amp; b'/>\n</e:xcap-error>",
                   "constraint-failure", "a & b", "");
    assert_read_as("<e:xcap-error xmlns:e='urn:ietf:params:xml:ns:xcap-error'><e:uniqueness-failure phrase='p'>"
                   "<e:exists field='a%5B1%5D/@b'> <e:alt-value>x &lt; y</e:alt-value><e:alt-value/> </e:exists>"
                   "<e:exists field='c'/></e:uniqueness-failure></e:xcap-error>",
                   "uniqueness-failure", "p",
                   "<exists field=\"a%5B1%5D/@b\"><alt-value>x &lt; y</alt-value><alt-value></alt-value></exists>"
                   "<exists field=\"c\"></exists>");
    assert_read_as("<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><extension>"
                   "<x:a xmlns:x='urn:x' x:i='1' j='2'><x:b>t</x:b><c xmlns=''/></x:a></extension></xcap-error>",
                   "extension", "",
                   "<a xmlns=\"urn:x\" xmlns:a0=\"urn:x\" a0:i=\"1\" j=\"2\"><b>t</b><c xmlns=\"\"></c></a>");
}

static void what_is_no_conflict_report_fails(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<xcap-error/>",
        "<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'/>",
        "<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><other/></xcap-error>",
        "<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><no-parent xmlns=''/></xcap-error>",
        "<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><no-parent/><no-parent/></xcap-error>",
        "<xcap-error xmlns='urn:ietf:params:xml:ns:xcap-error'><no-parent/>",
    };
    struct refusal refusal;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xcap_error_read(text_of(bad[i]), &arena, &refusal), FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_is_written_as_the_schema_wants),
        cmocka_unit_test(a_uniqueness_failure_is_valid_even_without_content),
        cmocka_unit_test(phrases_may_hold_anything_a_peer_sent),
        cmocka_unit_test(what_a_sheet_emits_is_read_whatever_its_prefixes),
        cmocka_unit_test(what_is_no_conflict_report_fails),
    };
    return cmocka_run_group_tests(tests, load_schema, unload_schema);
}
