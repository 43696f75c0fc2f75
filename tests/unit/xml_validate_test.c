/* What libxml2 would accept and we must not, schemas with lines, sheets without a world. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "xml_validate.h"

static struct arena arena;
static char folder[] = "/tmp/xml_validate_XXXXXX";

static const char *path_of(const char *name)
{
    return text_cstring(&arena, text_format(&arena, "%s/%s", folder, name));
}

static const char *file(const char *name, const char *content)
{
    const char *path = path_of(name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
    return path;
}

static enum status parse_bytes(struct text bytes, struct refusal *refusal)
{
    struct xml_document *document = NULL;
    *refusal = (struct refusal){0};
    enum status status = xml_parse(bytes, &XML_LIMITS_STANDARD, &arena, &document, refusal);
    xml_document_free(document);
    return status;
}

static void refused(struct text bytes, const char *element, const char *phrase)
{
    struct refusal refusal;
    assert_int_equal(parse_bytes(bytes, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_CONFLICT);
    assert_string_equal(refusal.element, element);
    if (!strstr(text_cstring(&arena, refusal.phrase), phrase))
        fail_msg("phrase: %.*s", TEXT_ARG(refusal.phrase));
}

static void accepted(struct text bytes)
{
    struct refusal refusal;
    if (parse_bytes(bytes, &refusal) != OK)
        fail_msg("refused: %s %.*s", refusal.element, TEXT_ARG(refusal.phrase));
}

static void a_plain_document_is_accepted(void **state)
{
    (void)state;
    accepted(TEXT("<a/>"));
    accepted(TEXT("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a x='1'><!-- <b> --><![CDATA[<c>]]><?p <d> ?></a>\n"));
    accepted(TEXT("<?xml version='1.0' encoding='UTF-8' standalone='yes'?><p:a xmlns:p='urn:p'>\xC3\xA4 &lt;</p:a>"));
}

static void a_byte_order_mark_is_accepted(void **state)
{
    (void)state;
    accepted(TEXT("\xEF\xBB\xBF<a/>"));
    accepted(TEXT("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>"));
}

static void a_second_byte_order_mark_is_refused(void **state)
{
    (void)state;
    refused(TEXT("\xEF\xBB\xBF\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>"), "not-well-formed",
            "mark");
}

static void an_external_entity_is_refused(void **state)
{
    (void)state;
    refused(TEXT("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"),
            "constraint-failure", "DTD");
}

static void an_entity_bomb_is_refused(void **state)
{
    (void)state;
    refused(
        TEXT(
            "<!DOCTYPE a [<!ENTITY l0 \"lol\"><!ENTITY l1 \"&l0;&l0;&l0;\"><!ENTITY l2 \"&l1;&l1;&l1;\">]><a>&l2;</a>"),
        "constraint-failure", "line 1");
}

static void a_dtd_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    refused(TEXT("<!-- c -->\n<!DOCTYPE a>\n<a/>"), "constraint-failure", "line 2, column 1");
    refused(TEXT("<a><!DOCTYPE a></a>"), "constraint-failure", "DTD");
    accepted(TEXT("<a><!-- <!DOCTYPE a> --></a>"));
}

static void other_encodings_are_not_utf8(void **state)
{
    (void)state;
    refused(TEXT("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xE4</a>"), "not-utf-8", "UTF-8");
    refused(TEXT("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>plain</a>"), "not-utf-8", "declared");
    refused(TEXT("<?xml version=\"1.0\" encoding = 'UTF-7' ?><a>+AGE-</a>"), "not-utf-8", "declared");
    refused(TEXT("<?xml version=\"1.0\" encoding='UTF-16'?><a/>"), "not-utf-8", "declared");
    refused(TEXT("\xFF\xFE<\0a\0/\0>\0"), "not-utf-8", "UTF-8");
    refused(TEXT("\xFE\xFF\0<\0a\0/\0>"), "not-utf-8", "UTF-8");
    refused(TEXT("<\0a\0/\0>\0"), "not-utf-8", "UTF-8");
    refused(TEXT("\0<\0a\0/\0>"), "not-utf-8", "UTF-8");
    refused(TEXT("<a>\xC0\x80</a>"), "not-utf-8", "UTF-8");
    refused(TEXT("<a>\xED\xA0\x80</a>"), "not-utf-8", "UTF-8");
    refused(TEXT("<a b='\xE4'/>"), "not-utf-8", "UTF-8");
}

static void characters_that_xml_forbids_are_refused(void **state)
{
    (void)state;
    refused(TEXT("<abcd>\0</abcd>"), "not-well-formed", "column 7");
    refused(TEXT("<a>\n\x01</a>"), "not-well-formed", "line 2");
    refused(TEXT("<a>\xEF\xBF\xBF</a>"), "not-well-formed", "XML");
    refused(TEXT("<a>&#0;</a>"), "not-well-formed", "line 1");
    refused(TEXT("<a/>\0"), "not-well-formed", "column 5");
}

static void an_unbound_prefix_is_refused(void **state)
{
    (void)state;
    refused(TEXT("<p:a/>"), "not-well-formed", "line 1, column");
    refused(TEXT("<a>\n<b p:c=''/></a>"), "not-well-formed", "line 2");
}

static void only_version_one_zero_is_understood(void **state)
{
    (void)state;
    refused(TEXT("<?xml version=\"1.1\"?><a/>"), "not-well-formed", "1.0");
    refused(TEXT("<?xml encoding=\"UTF-8\"?><a/>"), "not-well-formed", "1.0");
}

static void broken_markup_is_refused_with_line_and_column(void **state)
{
    (void)state;
    refused(TEXT(""), "not-well-formed", "empty");
    refused(TEXT("text"), "not-well-formed", "line 1");
    refused(TEXT("<a>\n<b>\n</a>"), "not-well-formed", "line 3, column");
    refused(TEXT("<a/><b/>"), "not-well-formed", "line 1");
    refused(TEXT("<a x='1' x='2'/>"), "not-well-formed", "line 1");
    refused(TEXT("<a>&nbsp;</a>"), "not-well-formed", "nbsp");
    refused(TEXT("</a>"), "not-well-formed", "start tag");
    refused(TEXT("<a"), "not-well-formed", "does not end");
    refused(TEXT("<a b='<c/>'/>"), "not-well-formed", "attribute value");
    refused(TEXT("<a><!-- </a>"), "not-well-formed", "does not end");
    refused(TEXT("<a><!FOO></a>"), "not-well-formed", "<!");
}

/* `piece` again and again, with its number at '@'. */
static struct text repeated(const char *before, const char *piece, unsigned times, const char *after)
{
    struct text_builder builder;
    builder_init(&builder, &arena);
    builder_add(&builder, text_of(before));
    for (unsigned i = 0; i < times; i++) {
        struct text left, right;
        bool numbered = text_cut(text_of(piece), '@', &left, &right);
        builder_add(&builder, left);
        if (numbered)
            builder_add_format(&builder, "%u", i);
        builder_add(&builder, right);
    }
    builder_add(&builder, text_of(after));
    return builder_text(&builder);
}

static void deep_wide_and_large_documents_are_refused(void **state)
{
    (void)state;
    refused(repeated("", "<d@>", 65, ""), "constraint-failure", "more than 64 elements inside one another");
    refused(repeated("<a>", "<e n='@'/>", 50000, "</a>"), "constraint-failure", "more than 50000 elements");
    refused(repeated("<a>", "@          ", 100000, "</a>"), "constraint-failure", "bytes");
}

/* The library needs seconds for these: they must not reach it. */
static void forty_thousand_attributes_are_refused_at_once(void **state)
{
    (void)state;
    refused(repeated("<a ", "a@='' ", 40000, "/>"), "constraint-failure", "more than 64 attributes on one element");
    refused(repeated("<r><? <a ", "a@='' ", 40000, "/> ?></r>"), "not-well-formed", "processing");
    refused(repeated("<r><x y=\"<a ", "a@='' ", 40000, "/></r>"), "not-well-formed", "attribute value");
    refused(repeated("<r><!-- \x01 <a ", "a@='' ", 40000, "/> --></r>"), "not-well-formed", "XML");
    refused(repeated("<r></x <a ", "a@='' ", 40000, "/></r>"), "not-well-formed", "does not end");
}

static enum status fragment(const char *bytes, const char *scope, struct refusal *refusal)
{
    *refusal = (struct refusal){0};
    return xml_check_fragment(text_of(bytes), text_of(scope), &XML_LIMITS_STANDARD, &arena, refusal);
}

static void a_fragment_is_one_element_in_its_scope(void **state)
{
    (void)state;
    struct refusal refusal;
    assert_int_equal(fragment("<p:e a='1'><p:f/></p:e>", "xmlns:p=\"urn:p\"", &refusal), OK);
    assert_int_equal(fragment(" <e/>\n", "", &refusal), OK);
    static const char *const broken[] = {
        "<p:e/>", "<e/><f/>",       "</scope><scope>",           "text",    "<e/>text",        "",
        "<e>",    "<!-- c --><e/>", "<?xml version='1.0'?><e/>", "<e></f>", "<e/></scope><e/>"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(fragment(broken[i], "", &refusal), REFUSED);
        assert_string_equal(refusal.element, "not-xml-frag");
    }
    assert_int_equal(fragment("<e>\xE4</e>", "", &refusal), REFUSED);
    assert_string_equal(refusal.element, "not-utf-8");
    assert_int_equal(fragment("<!DOCTYPE e><e/>", "", &refusal), REFUSED);
    assert_string_equal(refusal.element, "not-xml-frag");
}

#define XSD_HEAD "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' "

static const char *list_schema(void)
{
    file("other.xsd", XSD_HEAD "targetNamespace='urn:other'><xs:element name='known' type='xs:string'/>"
                               "<xs:attribute name='flag' type='xs:boolean'/></xs:schema>");
    return file("list.xsd",
                XSD_HEAD "targetNamespace='urn:list' xmlns='urn:list' elementFormDefault='qualified'>"
                         "<xs:import namespace='urn:other' schemaLocation='other.xsd'/>"
                         "<xs:element name='list'><xs:complexType><xs:sequence>"
                         "<xs:element name='entry' minOccurs='0' maxOccurs='unbounded'><xs:complexType><xs:sequence>"
                         "<xs:any namespace='##other' processContents='lax' minOccurs='0' maxOccurs='unbounded'/>"
                         "</xs:sequence><xs:attribute name='uri' use='required'/><xs:attribute name='id' type='xs:ID'/>"
                         "<xs:anyAttribute namespace='##other' processContents='lax'/></xs:complexType></xs:element>"
                         "</xs:sequence></xs:complexType></xs:element></xs:schema>");
}

static enum status check(const struct xml_schema *schema, const char *bytes, struct arena *memory,
                         struct refusal *refusal)
{
    struct xml_document *document = NULL;
    *refusal = (struct refusal){0};
    enum status status = xml_parse(text_of(bytes), &XML_LIMITS_STANDARD, memory, &document, refusal);
    if (status == OK)
        status = xml_schema_check(schema, document, memory, refusal);
    xml_document_free(document);
    return status;
}

static struct xml_schema *loaded_schema(const char *path)
{
    struct xml_schema *schema = NULL;
    struct text error = {0};
    if (xml_schema_load(path, &arena, &schema, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    return schema;
}

static void invalid(const struct xml_schema *schema, const char *bytes, const char *phrase)
{
    struct refusal refusal;
    assert_int_equal(check(schema, bytes, &arena, &refusal), REFUSED);
    assert_string_equal(refusal.element, "schema-validation-error");
    if (!strstr(text_cstring(&arena, refusal.phrase), phrase))
        fail_msg("phrase: %.*s", TEXT_ARG(refusal.phrase));
}

static void schema_errors_say_line_and_name(void **state)
{
    (void)state;
    struct xml_schema *schema = loaded_schema(list_schema());
    struct refusal refusal;
    assert_int_equal(check(schema, "<list xmlns='urn:list'><entry uri='a'/></list>", &arena, &refusal), OK);
    invalid(schema, "<list xmlns='urn:list'>\n\n\n<entry/>\n</list>",
            "line 4: element 'entry': The attribute 'uri' is required");
    invalid(schema, "<list xmlns='urn:list'>\n<item/></list>", "line 2: element 'item': This element is not expected");
    invalid(schema, "<list/>", "line 1: element 'list'");
    invalid(schema, "<list xmlns='urn:list'><entry xmlns='' uri='a'/></list>", "It is in no namespace.");
    invalid(schema, "<list xmlns='urn:list'><entry xmlns='urn:x' uri='a'/></list>", "It is in the namespace urn:x.");
    invalid(schema, "<list xmlns='urn:list'><entry uri='a'><entry/></entry></list>",
            "Expected is ( an element of another namespace ).");
    invalid(schema, "<list xmlns='urn:list'><entry uri='a' id='x'/><entry uri='b' id='x'/></list>", "xs:ID");
    xml_schema_free(schema);
}

/* RFC 4825 §8.2.5: lax wildcards let pass what the schema has no declaration of. */
static void undeclared_names_in_known_namespaces_are_refused(void **state)
{
    (void)state;
    struct xml_schema *schema = loaded_schema(list_schema());
    struct refusal refusal;
    assert_int_equal(check(schema,
                           "<list xmlns='urn:list' xmlns:o='urn:other' xmlns:f='urn:foreign'><entry uri='a' "
                           "o:flag='true' f:any=''><o:known>x</o:known><f:anything/></entry></list>",
                           &arena, &refusal),
                     OK);
    invalid(schema, "<list xmlns='urn:list' xmlns:o='urn:other'>\n<entry uri='a'><o:unknown/></entry></list>",
            "line 2: element 'unknown' is not declared");
    invalid(schema, "<list xmlns='urn:list' xmlns:o='urn:other'><entry uri='a' o:colour='red'/></list>", "'colour'");
    invalid(schema, "<list xmlns='urn:list' xmlns:o='urn:other'><entry uri='a' o:flag='perhaps'/></list>", "'flag'");
    invalid(schema,
            "<list xmlns='urn:list' xmlns:o='urn:other'><entry uri='a'><f:x xmlns:f='urn:f'><f:y><o:deep/></f:y></f:x>"
            "</entry></list>",
            "'deep'");
    xml_schema_free(schema);
}

static void the_namespaces_of_a_schema_are_listed(void **state)
{
    (void)state;
    struct xml_schema *schema = loaded_schema(list_schema());
    struct text *namespaces;
    assert_int_equal(xml_schema_namespaces(schema, &arena, &namespaces), 2);
    assert_true(text_equal(namespaces[0], TEXT("urn:list")));
    assert_true(text_equal(namespaces[1], TEXT("urn:other")));
    xml_schema_free(schema);
}

static void bad_schema(const char *path, const char *message)
{
    struct xml_schema *schema = NULL;
    struct text error = {0};
    assert_int_equal(xml_schema_load(path, &arena, &schema, &error), FAILED);
    assert_int_equal(text_find_char(error, '\n'), error.length);
    if (!strstr(text_cstring(&arena, error), message))
        fail_msg("error: %.*s", TEXT_ARG(error));
}

static void a_broken_schema_is_one_line_with_its_file(void **state)
{
    (void)state;
    bad_schema("/nonexistent/none.xsd", "none.xsd");
    bad_schema(file("broken.xsd", "<xs:schema"), "broken.xsd");
    bad_schema(file("typo.xsd", XSD_HEAD ">\n<xs:element name='a' type='xs:strng'/></xs:schema>"), "typo.xsd, line 2");
    bad_schema(file("lost.xsd", XSD_HEAD "><xs:import namespace='urn:x' schemaLocation='absent.xsd'/></xs:schema>"),
               "absent.xsd");
    bad_schema(file("net.xsd", XSD_HEAD "><xs:import namespace='urn:x' schemaLocation='http://127.0.0.1:9/x.xsd'/>"
                                        "</xs:schema>"),
               "127.0.0.1");
}

#define XSL_HEAD                                                                                                       \
    "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' "                                  \
    "xmlns:exsl='http://exslt.org/common' extension-element-prefixes='exsl'>"

static struct xml_sheet *loaded_sheet(const char *content)
{
    struct xml_sheet *sheet = NULL;
    struct text error = {0};
    if (xml_sheet_load(file("sheet.xsl", content), &arena, &sheet, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    return sheet;
}

static enum status apply(const struct xml_sheet *sheet, const char *bytes, struct text parameter, struct arena *memory,
                         struct text *output_out)
{
    struct xml_document *document = NULL;
    struct refusal refusal;
    assert_int_equal(xml_parse(text_of(bytes), &XML_LIMITS_STANDARD, memory, &document, &refusal), OK);
    struct xml_parameter given = {"who", parameter};
    *output_out = (struct text){0};
    enum status status = xml_sheet_apply(sheet, document, &given, 1, memory, output_out);
    xml_document_free(document);
    return status;
}

static void a_sheet_gets_its_parameters_as_strings(void **state)
{
    (void)state;
    struct xml_sheet *sheet =
        loaded_sheet(XSL_HEAD "<xsl:output omit-xml-declaration='yes'/><xsl:param name='who'/><xsl:template match='/'>"
                              "<o><xsl:value-of select='$who'/>:<xsl:value-of select='count(//b)'/></o></xsl:template>"
                              "</xsl:stylesheet>");
    struct text output;
    assert_int_equal(apply(sheet, "<a><b/><b/></a>", TEXT("it's \"quoted\" <&>"), &arena, &output), OK);
    assert_string_equal(text_cstring(&arena, text_trim(output)), "<o>it's \"quoted\" &lt;&amp;&gt;:2</o>");
    assert_int_equal(apply(sheet, "<a/>", (struct text){0}, &arena, &output), OK);
    assert_string_equal(text_cstring(&arena, text_trim(output)), "<o>:0</o>");
    xml_sheet_free(sheet);
}

static void a_sheet_that_makes_nothing_gives_nothing(void **state)
{
    (void)state;
    struct xml_sheet *sheet = loaded_sheet(XSL_HEAD "<xsl:template match='/'/></xsl:stylesheet>");
    struct text output;
    assert_int_equal(apply(sheet, "<a>text</a>", TEXT(""), &arena, &output), OK);
    assert_int_equal(output.length, 0);
    xml_sheet_free(sheet);
}

static void a_sheet_reads_and_writes_no_file(void **state)
{
    (void)state;
    const char *secret = file("secret.xml", "<s>secret</s>");
    const char *target = path_of("written.xml");
    struct text output;
    struct xml_sheet *reader = loaded_sheet(
        XSL_HEAD "<xsl:param name='who'/><xsl:template match='/'><o><xsl:copy-of select='document($who)'/></o>"
                 "</xsl:template></xsl:stylesheet>");
    assert_int_not_equal(apply(reader, "<a/>", text_of(secret), &arena, &output), OK);
    assert_int_not_equal(apply(reader, "<a/>", TEXT("http://127.0.0.1:9/x"), &arena, &output), OK);
    xml_sheet_free(reader);
    struct xml_sheet *writer = loaded_sheet(
        XSL_HEAD "<xsl:param name='who'/><xsl:template match='/'><exsl:document href='{$who}'><o/></exsl:document>"
                 "</xsl:template></xsl:stylesheet>");
    assert_int_not_equal(apply(writer, "<a/>", text_of(target), &arena, &output), OK);
    assert_int_not_equal(access(target, F_OK), 0);
    xml_sheet_free(writer);
}

static void a_sheet_bomb_stops(void **state)
{
    (void)state;
    struct text document = repeated("<a>", "<e n='@'/>", 400, "</a>");
    struct text output;
    struct xml_sheet *loops =
        loaded_sheet(XSL_HEAD "<xsl:template match='/'><o><xsl:for-each select='//e'><xsl:for-each select='//e'>"
                              "<xsl:for-each select='//e'><xsl:for-each select='//e'><x/></xsl:for-each></xsl:for-each>"
                              "</xsl:for-each></xsl:for-each></o></xsl:template></xsl:stylesheet>");
    assert_int_equal(apply(loops, text_cstring(&arena, document), TEXT(""), &arena, &output), FULL);
    xml_sheet_free(loops);
    struct xml_sheet *expression = loaded_sheet(
        XSL_HEAD "<xsl:template match='/'><o><xsl:value-of select='count(//e[//e[//e[//e]/@n > 500]])'/></o>"
                 "</xsl:template></xsl:stylesheet>");
    assert_int_equal(apply(expression, text_cstring(&arena, document), TEXT(""), &arena, &output), FULL);
    xml_sheet_free(expression);
    struct xml_sheet *recursion =
        loaded_sheet(XSL_HEAD "<xsl:template match='/' name='again'><xsl:call-template name='again'/></xsl:template>"
                              "</xsl:stylesheet>");
    assert_int_equal(apply(recursion, "<a/>", TEXT(""), &arena, &output), FAILED);
    xml_sheet_free(recursion);
}

static void bad_sheet(const char *path, const char *message)
{
    struct xml_sheet *sheet = NULL;
    struct text error = {0};
    assert_int_equal(xml_sheet_load(path, &arena, &sheet, &error), FAILED);
    assert_int_equal(text_find_char(error, '\n'), error.length);
    if (!strstr(text_cstring(&arena, error), message))
        fail_msg("error: %.*s", TEXT_ARG(error));
}

static void a_broken_sheet_is_one_line_with_its_file(void **state)
{
    (void)state;
    bad_sheet("/nonexistent/none.xsl", "none.xsl");
    bad_sheet(file("bad.xsl", "<x"), "bad.xsl");
    bad_sheet(file("path.xsl", XSL_HEAD "<xsl:template match='/'><xsl:value-of select='a['/></xsl:template>"
                                        "</xsl:stylesheet>"),
              "path.xsl");
    bad_sheet(file("strip.xsl", XSL_HEAD "<xsl:strip-space elements='*'/></xsl:stylesheet>"), "strip-space");
}

struct shared {
    const struct xml_schema *schema;
    const struct xml_sheet *sheet;
    unsigned good;
};

static void *validate_again_and_again(void *data)
{
    struct shared *shared = data;
    struct arena memory;
    arena_init(&memory, "thread");
    for (unsigned i = 0; i < 50; i++) {
        struct refusal refusal;
        struct text output;
        bool valid =
            check(shared->schema, "<list xmlns='urn:list'><entry uri='a' id='i'/></list>", &memory, &refusal) == OK;
        bool caught = check(shared->schema, "<list xmlns='urn:list'><entry/></list>", &memory, &refusal) == REFUSED;
        bool broken = check(shared->schema, "<list", &memory, &refusal) == REFUSED;
        bool made = apply(shared->sheet, "<a><b k='1'/></a>", TEXT("x"), &memory, &output) == OK && output.length;
        shared->good += valid && caught && broken && made;
        arena_reset(&memory);
    }
    arena_clear(&memory);
    return NULL;
}

static void threads_share_schema_and_sheet(void **state)
{
    (void)state;
    struct xml_schema *schema = loaded_schema(list_schema());
    struct xml_sheet *sheet =
        loaded_sheet(XSL_HEAD "<xsl:key name='k' match='b' use='@k'/><xsl:template match='/'><o><xsl:value-of "
                              "select=\"count(key('k','1'))\"/></o></xsl:template></xsl:stylesheet>");
    struct shared shared[3];
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        shared[i] = (struct shared){.schema = schema, .sheet = sheet};
        assert_int_equal(pthread_create(&threads[i], NULL, validate_again_and_again, &shared[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shared[i].good, 50);
    }
    xml_sheet_free(sheet);
    xml_schema_free(schema);
}

static int open_all(void **state)
{
    (void)state;
    xml_open();
    arena_init(&arena, "test");
    return mkdtemp(folder) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    static const char *const files[] = {"other.xsd", "list.xsd",   "broken.xsd", "typo.xsd", "lost.xsd", "net.xsd",
                                        "sheet.xsl", "secret.xml", "bad.xsl",    "path.xsl", "strip.xsl"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(path_of(files[i]));
    int removed = rmdir(folder);
    arena_clear(&arena);
    xml_close();
    return removed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_document_is_accepted),
        cmocka_unit_test(a_byte_order_mark_is_accepted),
        cmocka_unit_test(a_second_byte_order_mark_is_refused),
        cmocka_unit_test(an_external_entity_is_refused),
        cmocka_unit_test(an_entity_bomb_is_refused),
        cmocka_unit_test(a_dtd_is_refused_wherever_it_stands),
        cmocka_unit_test(other_encodings_are_not_utf8),
        cmocka_unit_test(characters_that_xml_forbids_are_refused),
        cmocka_unit_test(an_unbound_prefix_is_refused),
        cmocka_unit_test(only_version_one_zero_is_understood),
        cmocka_unit_test(broken_markup_is_refused_with_line_and_column),
        cmocka_unit_test(deep_wide_and_large_documents_are_refused),
        cmocka_unit_test(forty_thousand_attributes_are_refused_at_once),
        cmocka_unit_test(a_fragment_is_one_element_in_its_scope),
        cmocka_unit_test(schema_errors_say_line_and_name),
        cmocka_unit_test(undeclared_names_in_known_namespaces_are_refused),
        cmocka_unit_test(the_namespaces_of_a_schema_are_listed),
        cmocka_unit_test(a_broken_schema_is_one_line_with_its_file),
        cmocka_unit_test(a_sheet_gets_its_parameters_as_strings),
        cmocka_unit_test(a_sheet_that_makes_nothing_gives_nothing),
        cmocka_unit_test(a_sheet_reads_and_writes_no_file),
        cmocka_unit_test(a_sheet_bomb_stops),
        cmocka_unit_test(a_broken_sheet_is_one_line_with_its_file),
        cmocka_unit_test(threads_share_schema_and_sheet),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
