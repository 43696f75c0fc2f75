/* Every folder of schemas/ runs its own examples: a new document service is tested by being there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "test_xml.h"
#include "usage.h"
#include "xml_tree.h"

static void every_folder_keeps_what_its_examples_say(void **state)
{
    (void)state;
    DIR *schemas = opendir("schemas");
    assert_non_null(schemas);
    unsigned folders = 0, wrong = 0;
    for (struct dirent *entry = readdir(schemas); entry; entry = readdir(schemas)) {
        const char *manifest = text_cstring(&arena, text_format(&arena, "schemas/%s/manifest.xml", entry->d_name));
        if (access(manifest, R_OK) != 0)
            continue;
        const char *folder = text_cstring(&arena, text_format(&arena, "schemas/%s", entry->d_name));
        struct text report = {0};
        folders++;
        if (usage_check_folder(folder, &arena, &report) != OK) {
            wrong++;
            print_error("%.*s", TEXT_ARG(report));
        }
    }
    closedir(schemas);
    assert_true(folders >= 18); /* two of them aliases */
    assert_int_equal(wrong, 0);
}

static void all_folders_load_together(void **state)
{
    (void)state;
    struct usage_set *set = NULL;
    struct text error = {0};
    if (usage_set_load("schemas", &set, &arena, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    assert_true(usage_count(set) >= 16);
    usage_set_free(set);
}

static struct text read_file(const char *path)
{
    static char bytes[262144];
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    size_t length = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    assert_true(length < sizeof(bytes));
    return text_copy(&arena, (struct text){bytes, length});
}

/* The words of a value, since pages write white space as they like. */
static void shows(const char *file, struct text page, struct text value)
{
    struct text word;
    for (struct text rest = text_trim(value); rest.length; rest = text_trim(rest)) {
        size_t end = 0;
        while (end < rest.length && !strchr(" \t\r\n", rest.bytes[end]))
            end++;
        word = xml_escape(&arena, text_slice(rest, 0, end));
        rest = text_slice(rest, end, rest.length);
        bool known = text_equal(word, TEXT("true")) || text_equal(word, TEXT("false")) || text_equal(word, TEXT("1")) ||
                     text_equal(word, TEXT("0"));
        /* the page writes a quotation mark in text as it is */
        bool quoted = text_find(word, TEXT("&quot;")) < word.length || text_find(word, TEXT("&apos;")) < word.length;
        if (!known && !quoted && text_find(page, word) == page.length)
            fail_msg("%s: the page lacks '%.*s'", file, TEXT_ARG(word));
    }
}

static void shows_all(const char *file, struct text page, const struct xml_element *element)
{
    for (const struct xml_attribute *attribute = element->attributes; attribute; attribute = attribute->next)
        shows(file, page, attribute->value);
    shows(file, page, element->text);
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        shows_all(file, page, child);
}

static void every_page_shows_all_that_its_document_says(void **state)
{
    (void)state;
    struct usage_set *set = NULL;
    struct text error = {0};
    if (usage_set_load("schemas", &set, &arena, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    glob_t files;
    assert_int_equal(glob("schemas/*/examples/valid/*.xml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct text auid, rest, page = {0}, bytes = read_file(files.gl_pathv[i]);
        text_cut(text_of(files.gl_pathv[i] + strlen("schemas/")), '/', &auid, &rest);
        if (text_ends_with(auid, TEXT("pres-content")) || text_ends_with(auid, TEXT("xcap-directory")))
            continue; /* pictures are shown, and times are written otherwise */
        struct usage_subject subject = {TEXT("sip:ann@example.com"), TEXT("index"), TEXT("")};
        const struct xml_element *root;
        assert_int_equal(usage_page(set, usage_find(set, auid), &subject, bytes, &arena, &page), OK);
        assert_int_equal(xml_tree_read(bytes, &arena, &root), OK);
        shows_all(files.gl_pathv[i], page, root);
    }
    globfree(&files);
    usage_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_folder_keeps_what_its_examples_say),
        cmocka_unit_test(all_folders_load_together),
        cmocka_unit_test(every_page_shows_all_that_its_document_says),
    };
    return cmocka_run_group_tests(tests, open_xml, close_xml);
}
