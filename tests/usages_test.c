/* Every folder of schemas/ runs its own examples: a new document service is tested by being there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
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
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
