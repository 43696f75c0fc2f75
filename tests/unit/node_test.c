/* What the programs share opens as a whole or says in one line why not, and is replaced under running requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node.h"
#include "scratch.h"

static char folder[SCRATCH_MAX];
static struct node_settings settings;
static struct node node;
static struct text error;

static void set(const char *name, const char *value)
{
    char why[SETTINGS_ERROR_MAX];
    assert_int_equal(settings_set(&node_settings_table, &settings, name, value, why), OK);
}

static int begin(void **state)
{
    (void)state;
    assert_true(scratch_make(folder, "node"));
    settings_init(&node_settings_table, &settings);
    set("store.folder", folder);
    set("xcap.schemas", "schemas");
    return 0;
}

static int end(void **state)
{
    (void)state;
    settings_clear(&node_settings_table, &settings);
    return scratch_remove(folder);
}

static bool opens(void)
{
    return node_read(&node, "test", &settings, &error) && node_open_store(&node, false, &error);
}

static void everything_is_there(void **state)
{
    (void)state;
    assert_true(opens());
    assert_int_equal(node.roots_count, 1);
    assert_true(text_equal(node.roots[0], TEXT("/xcap-root/")));
    assert_ptr_equal(documents_store(node.documents), node.store);
    assert_ptr_equal(documents_usages(node.documents), node.usages);
    assert_non_null(node.digest);
    node_close_store(&node);
    node_close_store(&node);
    node_close(&node);
}

static void refused(const char *setting, const char *value, const char *line)
{
    set(setting, value);
    assert_false(opens());
    assert_true(text_starts_with(error, text_of(line)));
    assert_int_equal(text_find_char(error, '\n'), error.length);
    node_close(&node);
}

static void roots_have_slashes_at_both_ends_and_are_few(void **state)
{
    (void)state;
    const char *line = "xcap.roots: each root is a path that begins and ends with '/', and there are at most 8";
    refused("xcap.roots", "", line);
    refused("xcap.roots", "/xcap-root", line);
    refused("xcap.roots", "xcap-root/", line);
    refused("xcap.roots", "/a/,,/b/", line);
    refused("xcap.roots", "/1/,/2/,/3/,/4/,/5/,/6/,/7/,/8/,/9/", line);
    set("xcap.roots", "/1/, /2/,/3/,/4/,/5/,/6/,/7/,/");
    assert_true(opens());
    assert_int_equal(node.roots_count, 8);
    assert_true(text_equal(node.roots[1], TEXT("/2/")));
    node_close(&node);
}

static void what_does_not_open_is_said_in_one_line(void **state)
{
    (void)state;
    refused("xcap.schemas", "/nowhere", "xcap.schemas: /nowhere");
    set("xcap.schemas", "schemas");
    refused("store.folder", "/nowhere/at/all", "store.folder: /nowhere/at/all: ");
}

static void services_are_replaced_when_nobody_uses_those_before(void **state)
{
    (void)state;
    assert_true(opens());
    const struct usage_set *first = node.usages;
    uint64_t request = documents_enter(node.documents);
    assert_true(node_reload(&node));
    assert_ptr_not_equal(documents_usages(node.documents), first);
    assert_false(node_retire(&node)); /* a request of before is still there */
    assert_false(node_reload(&node));
    documents_leave(node.documents, request);
    assert_true(node_retire(&node));

    const struct usage_set *second = node.usages;
    set("xcap.schemas", "/nowhere");
    assert_false(node_reload(&node));
    assert_ptr_equal(documents_usages(node.documents), second);
    node_close(&node);
}

#define NODE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(everything_is_there),
        NODE_TEST(roots_have_slashes_at_both_ends_and_are_few),
        NODE_TEST(what_does_not_open_is_said_in_one_line),
        NODE_TEST(services_are_replaced_when_nobody_uses_those_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
