/* Every folder of schemas/ runs its own examples: a new document service is tested by being there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "usage.h"
#include "xml_validate.h"

static struct arena arena;

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

/* The bytes of docs/new-usage.md between "```xml" and "```", one block after the other. */
static bool next_block(struct text *page, struct text *block_out)
{
    struct text opening = TEXT("```xml\n");
    size_t begin = text_find(*page, opening);
    if (begin == page->length)
        return false;
    *page = text_slice(*page, begin + opening.length, page->length);
    size_t end = text_find(*page, TEXT("```"));
    *block_out = text_slice(*page, 0, end);
    *page = text_slice(*page, end, page->length);
    return true;
}

static struct text read_page(const char *path)
{
    static char bytes[65536];
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    size_t length = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    return (struct text){bytes, length};
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static const char *below(const char *folder, const char *name)
{
    return text_cstring(&arena, text_format(&arena, "%s/%s", folder, name));
}

static void the_worked_example_of_the_docs_holds(void **state)
{
    (void)state;
    static const char *const files[] = {"manifest.xml", "document.xsd", "constraints.xsl", "examples/valid/a.xml",
                                        "examples/invalid/b.xml"};
    static const char *const folders[] = {"", "examples", "examples/valid", "examples/invalid"};
    char schemas[] = "/tmp/usages_XXXXXX";
    char *here = realpath("schemas", NULL);
    assert_non_null(here);
    assert_non_null(mkdtemp(schemas));
    assert_int_equal(symlink(below(here, "common"), below(schemas, "common")), 0);
    assert_int_equal(symlink(below(here, "manifest.xsd"), below(schemas, "manifest.xsd")), 0);
    free(here);
    const char *folder = below(schemas, "org.example.bookmarks");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        assert_int_equal(mkdir(below(folder, folders[i]), 0700), 0);
    struct text page = read_page("docs/new-usage.md");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct text block = {0};
        assert_true(next_block(&page, &block));
        FILE *stream = fopen(below(folder, files[i]), "w");
        assert_non_null(stream);
        fwrite(block.bytes, 1, block.length, stream);
        fclose(stream);
    }
    struct text report = {0};
    enum status status = usage_check_folder(folder, &arena, &report);
    nftw(schemas, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (status != OK)
        fail_msg("%.*s", TEXT_ARG(report));
}

static int open_all(void **state)
{
    (void)state;
    xml_open();
    arena_init(&arena, "test");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    arena_clear(&arena);
    xml_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_folder_keeps_what_its_examples_say),
        cmocka_unit_test(all_folders_load_together),
        cmocka_unit_test(the_worked_example_of_the_docs_holds),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
