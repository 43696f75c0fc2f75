/* The short way takes nothing that the long way would not: all examples of all document services, and thousands of
 * damaged ones. What it leaves to the long way by mistake are rare cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assert_text.h"
#include "test_xml.h"
#include "xml_tree.h"

#define DAMAGES   150 /* of each example */
#define BYTES_MAX 65536

/* What the document service asks of the document element is taken from the document itself. */
static bool long_way(const struct xml_schema *schema, struct text bytes, struct text *namespace_out,
                     struct text *root_out)
{
    const struct xml_limits limits = XML_LIMITS_STANDARD;
    struct xml_document *document = NULL;
    struct refusal refusal;
    if (xml_parse(bytes, &limits, &arena, &document, &refusal) != OK)
        return false;
    struct text namespace;
    *root_out = text_copy(&arena, xml_document_root(document, &namespace));
    *namespace_out = text_copy(&arena, namespace);
    bool good = xml_schema_check(schema, document, &arena, &refusal) == OK;
    xml_document_free(document);
    return good;
}

static unsigned left; /* whole examples that only the long way takes */

static bool both_ways(const struct xml_schema *schema, struct text bytes, const char *path, bool whole)
{
    const struct xml_suspects suspects = {0};
    const struct xml_limits limits = XML_LIMITS_STANDARD;
    struct text namespace = TEXT(""), root = TEXT("");
    bool suspect;
    bool good = long_way(schema, bytes, &namespace, &root);
    bool accepted = xml_schema_accepts(schema, bytes, &limits, namespace, root, &suspects, &arena, &suspect);
    assert_false(suspect);
    if (accepted && !good)
        fail_msg("%s: the long way refuses, the short one does not:\n%.*s", path, TEXT_ARG(bytes));
    left += whole && good && !accepted;
    if (accepted)
        assert_false(xml_schema_accepts(schema, bytes, &limits, namespace, TEXT("other"), &suspects, &arena, &suspect));
    return good;
}

static struct text read_file(const char *path)
{
    char *bytes = arena_alloc(&arena, BYTES_MAX);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, BYTES_MAX, file);
    fclose(file);
    return (struct text){bytes, size};
}

/* Takes pieces out, doubles them, and changes single bytes into such as matter in XML. */
static struct text damaged(struct text bytes, unsigned *seed)
{
    static const char marks[] = "<>/\"'=&; :a1\t\nxX?!-[]#";
    char *copy = arena_alloc(&arena, 2 * bytes.length + 1);
    size_t at = (size_t)rand_r(seed) % bytes.length;
    size_t length = (size_t)rand_r(seed) % 40;
    if (length > bytes.length - at)
        length = bytes.length - at;
    memcpy(copy, bytes.bytes, bytes.length);
    switch (rand_r(seed) % 3) {
    case 0: copy[at] = marks[(size_t)rand_r(seed) % (sizeof(marks) - 1)]; return (struct text){copy, bytes.length};
    case 1:
        memmove(copy + at, bytes.bytes + at + length, bytes.length - at - length);
        return (struct text){copy, bytes.length - length};
    default:
        memcpy(copy + at + length, bytes.bytes + at, bytes.length - at);
        return (struct text){copy, bytes.length + length};
    }
}

static void the_short_way_takes_nothing_that_the_long_way_would_not(void **state)
{
    (void)state;
    glob_t schemas, examples;
    unsigned seed = 1, good = 0, bad = 0;
    assert_int_equal(glob("schemas/*/document.xsd", 0, NULL, &schemas), 0);
    for (size_t i = 0; i < schemas.gl_pathc; i++) {
        struct xml_schema *schema;
        struct text error;
        char pattern[512];
        assert_int_equal(xml_schema_load(schemas.gl_pathv[i], &arena, &schema, &error), OK);
        int folder = (int)(strrchr(schemas.gl_pathv[i], '/') - schemas.gl_pathv[i]);
        snprintf(pattern, sizeof(pattern), "%.*s/examples/*/*.xml", folder, schemas.gl_pathv[i]);
        if (glob(pattern, 0, NULL, &examples) != 0)
            examples.gl_pathc = 0;
        for (size_t k = 0; k < examples.gl_pathc; k++) {
            struct text bytes = read_file(examples.gl_pathv[k]);
            both_ways(schema, bytes, examples.gl_pathv[k], true) ? good++ : bad++;
            for (int n = 0; n < DAMAGES && bytes.length; n++)
                both_ways(schema, damaged(bytes, &seed), examples.gl_pathv[k], false) ? good++ : bad++;
            arena_reset(&arena);
        }
        if (examples.gl_pathc)
            globfree(&examples);
        xml_schema_free(schema);
    }
    globfree(&schemas);
    assert_in_range(good, 100, 1000000); /* else one of the ways takes nothing */
    assert_in_range(bad, 100, 1000000);
    assert_in_range(left, 0, 5); /* such as one identity in two conditions, where a rule's id has the same name */
}

static bool is_suspect(struct text document)
{
    static const struct text repeated[] = {TEXT_INIT("uri")}, present[] = {TEXT_INIT("external")};
    const struct xml_suspects suspects = {repeated, 1, present, 1};
    const struct xml_limits limits = XML_LIMITS_STANDARD;
    struct xml_schema *schema;
    struct text error;
    bool suspect;
    assert_int_equal(xml_schema_load("schemas/resource-lists/document.xsd", &arena, &schema, &error), OK);
    assert_true(xml_schema_accepts(schema, document, &limits, TEXT("urn:ietf:params:xml:ns:resource-lists"),
                                   TEXT("resource-lists"), &suspects, &arena, &suspect));
    xml_schema_free(schema);
    return suspect;
}

#define LISTS(content)                                                                                                 \
    TEXT("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>" content "</resource-lists>")

static void suspects_are_seen_and_others_are_not(void **state)
{
    (void)state;
    assert_false(is_suspect(LISTS("<list><entry uri='sip:a'/><entry uri='sip:b'/></list>")));
    assert_true(is_suspect(LISTS("<list><entry uri='sip:a'/><entry uri='sip:a'/></list>")));
    assert_true(is_suspect(LISTS("<list><entry uri='sip:a'/><entry uri='sip:&#97;'/></list>")));
    assert_false(is_suspect(LISTS("<list><entry uri='sip:a'/></list><list><entry uri='sip:a'/></list>")));
    assert_false(is_suspect(LISTS("<list><entry uri='sip:a'/><list><entry uri='sip:a'/></list></list>")));
    assert_true(is_suspect(LISTS("<list><entry uri='sip:a'/><list/><entry uri='sip:a'/></list>")));
    assert_true(is_suspect(LISTS("<list><external anchor='http://x/'/></list>")));
    struct text_builder many;
    builder_init(&many, &arena);
    builder_add(&many, TEXT("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list>"));
    for (int i = 0; i < 1000; i++)
        builder_add_format(&many, "<entry uri='sip:%d'/>", i);
    struct text_builder twice = many;
    twice.capacity = twice.length; /* goes on in memory of its own */
    builder_add(&many, TEXT("</list></resource-lists>"));
    builder_add(&twice, TEXT("<entry uri='sip:0'/></list></resource-lists>"));
    assert_false(is_suspect(builder_text(&many)));
    assert_true(is_suspect(builder_text(&twice)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_takes_nothing_that_the_long_way_would_not),
        cmocka_unit_test(suspects_are_seen_and_others_are_not),
    };
    return cmocka_run_group_tests(tests, open_xml, close_xml);
}
