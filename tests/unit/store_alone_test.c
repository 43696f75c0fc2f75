/* Programs that want a folder for themselves: the second one is refused, whoever else uses the folder, and the first
 * one cannot leave it locked, however it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "store.h"

static char folder[SCRATCH_MAX];
static struct arena arena;
static struct text error;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    assert_true(scratch_make(folder, "alone"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return scratch_remove(folder);
}

static struct store *opened_as(const char *name)
{
    struct store_settings settings = STORE_SETTINGS_STANDARD;
    settings.alone_as = name;
    return store_open_lmdb_with(folder, &settings, &arena, &error);
}

/* A process that has the folder open until it is killed. No store is open in this one: none survives fork(). */
static pid_t other_process(const char *name)
{
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!opened_as(name) || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void killed(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void who_wants_to_be_alone_is_refused_while_another_is(void **state)
{
    (void)state;
    pid_t other = other_process("im-glue");
    assert_null(opened_as("im-glue"));
    assert_true(text_ends_with(error, TEXT("is in use by another im-glue")));
    struct store *shared = opened_as(NULL);
    assert_non_null(shared);
    store_close(shared);
    killed(other);
    struct store *alone = opened_as("im-glue");
    assert_non_null(alone);
    store_close(alone);
}

static void who_shares_keeps_nobody_off(void **state)
{
    (void)state;
    pid_t other = other_process(NULL);
    struct store *alone = opened_as("im-glue");
    assert_non_null(alone);
    store_close(alone);
    killed(other);
}

static void an_orderly_end_leaves_room(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct store *alone = opened_as("im-glue");
        assert_non_null(alone);
        store_close(alone);
    }
}

/* Without making anything. */
static void a_folder_is_looked_at_before_it_is_opened(void **state)
{
    (void)state;
    char *below = text_cstring(&arena, text_format(&arena, "%s/data/", folder));
    char *deep = text_cstring(&arena, text_format(&arena, "%s/none/data", folder));
    char *strange = text_cstring(&arena, text_format(&arena, "%s/letter.txt", folder));
    assert_true(store_folder_good(folder, &arena, &error));
    assert_true(store_folder_good(below, &arena, &error));
    assert_int_not_equal(access(below, F_OK), 0);
    assert_false(store_folder_good(deep, &arena, &error));
    assert_true(text_starts_with(error, text_of(deep)));
    FILE *file = fopen(strange, "w");
    assert_non_null(file);
    fclose(file);
    assert_false(store_folder_good(folder, &arena, &error));
    assert_true(text_ends_with(error, TEXT("holds files that are not of a store")));
    assert_false(store_folder_good(strange, &arena, &error));
    unlink(strange);
    if (geteuid() != 0) { /* root may do anything */
        assert_int_equal(chmod(folder, 0500), 0);
        assert_false(store_folder_good(folder, &arena, &error));
        assert_int_equal(chmod(folder, 0700), 0);
    }
    store_close(opened_as(NULL));
    assert_true(store_folder_good(folder, &arena, &error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_wants_to_be_alone_is_refused_while_another_is),
        TEST(who_shares_keeps_nobody_off),
        TEST(an_orderly_end_leaves_room),
        TEST(a_folder_is_looked_at_before_it_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
