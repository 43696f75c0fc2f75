/* What the LMDB engine promises beyond the contract of all: folders, restarts, several processes, a full map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xdms/store/store_lmdb.h"
#include "noise.h"
#include "scratch.h"

#define LARGE (4u << 20) /* bytes that small maps do not hold */

static char scratch[SCRATCH_MAX]; /* folder of one test; the store is in it */
static char folder[160];
static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    if (!scratch_make(scratch, "store_lmdb"))
        return -1;
    snprintf(folder, sizeof(folder), "%s/data", scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return scratch_remove(scratch);
}

static struct store *opened(const char *path)
{
    struct text error;
    struct store *store = store_open_lmdb(path, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    return store;
}

static struct store *opened_as(const struct lmdb_options *options)
{
    struct text error;
    struct store *store = lmdb_open(folder, options, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    return store;
}

static struct store *with_map(uint64_t map_bytes, uint64_t bytes_max)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    options.settings.map_bytes = map_bytes;
    options.settings.bytes_max = bytes_max;
    return opened_as(&options);
}

static int64_t now_ms = 1000000; /* of tests that turn the clock */

static int64_t test_now_ms(void)
{
    return now_ms;
}

static struct store *keeping_changes(uint64_t changes_max, int64_t changes_ms_max)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    options.settings.changes_max = changes_max;
    options.settings.changes_ms_max = changes_ms_max;
    options.now_ms = test_now_ms;
    return opened_as(&options);
}

static void assert_refused(const char *path, const char *why)
{
    struct text error;
    struct text wanted = text_format(&arena, "%s: %s", path, why);
    assert_null(store_open_lmdb(path, &arena, &error));
    assert_string_equal(text_cstring(&arena, error), text_cstring(&arena, wanted));
}

static struct document_key key(const char *name)
{
    return (struct document_key){TEXT("u"), TEXT("o"), text_of(name)};
}

static struct commit change(const char *name, struct text bytes)
{
    return (struct commit){.key = key(name), .expected = VERSION_ANY, .bytes = bytes};
}

static enum status put(struct store *store, const char *name, struct text bytes)
{
    struct commit commit = change(name, bytes);
    return store_commit(store, &commit, 1);
}

static void assert_bytes(struct store *store, const char *name, const char *bytes)
{
    struct document_key where = key(name);
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_string_equal(text_cstring(&arena, found.bytes), bytes);
}

/* --- one folder ------------------------------------------------------------------------------------------------ */

static void what_was_acknowledged_is_there_after_reopening(void **state)
{
    (void)state;
    const struct claim claims[] = {{TEXT("uri"), TEXT("sip:team@x"), false}, {TEXT("of"), TEXT("bob"), true}};
    struct store *store = opened(folder);
    struct commit commit = change("a", TEXT("1"));
    commit.claims = claims;
    commit.claims_count = 2;
    assert_int_equal(store_commit(store, &commit, 1), OK);
    store_close(store);

    store = opened(folder);
    struct document_key holder;
    struct key_page page;
    assert_bytes(store, "a", "1");
    assert_int_equal(store_find(store, TEXT("uri"), TEXT("sip:team@x"), &arena, &holder), OK);
    assert_int_equal(store_holders(store, TEXT("of"), TEXT("bob"), NULL, NULL, 9, &arena, &page, NULL), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(store_last_change(store), 1);
    assert_int_equal(put(store, "a", TEXT("2")), OK);
    assert_int_equal(store_last_change(store), 2);
    store_close(store);
}

static void a_new_folder_is_for_its_owner_alone(void **state)
{
    (void)state;
    struct stat about;
    store_close(opened(folder));
    assert_int_equal(stat(folder, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    char file[256];
    snprintf(file, sizeof(file), "%s/data.mdb", folder);
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_folder_without_parent_is_refused(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof(path), "%s/none/data", scratch);
    assert_refused(path, "No such file or directory");
}

static void a_folder_of_other_files_is_refused_and_left_alone(void **state)
{
    (void)state;
    char file[256];
    mkdir(folder, 0700);
    snprintf(file, sizeof(file), "%s/letter.txt", folder);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_refused(folder, "holds files that are not of a store");
    snprintf(file, sizeof(file), "%s/data.mdb", folder);
    assert_int_not_equal(access(file, F_OK), 0);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    char file[256];
    char junk[16384];
    memset(junk, 'x', sizeof(junk));
    mkdir(folder, 0700);
    snprintf(file, sizeof(file), "%s/data.mdb", folder);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    close(fd);
    assert_refused(folder, mdb_strerror(MDB_INVALID));
}

/* Puts one pair into a database of the folder; creates what is missing. */
static void plant(const char *database, const char *name, const char *content)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi planted;
    MDB_val name_val = val_of(text_of(name));
    MDB_val content_val = val_of(text_of(content));
    mkdir(folder, 0700);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, database, MDB_CREATE, &planted), 0);
    assert_int_equal(mdb_put(txn, planted, &name_val, &content_val, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_database_of_another_program_is_refused(void **state)
{
    (void)state;
    plant("mailboxes", "a", "b");
    assert_refused(folder, "holds a database that is not a store");
}

static void a_plain_database_of_another_program_is_refused(void **state)
{
    (void)state;
    plant(NULL, "meta", "b");
    assert_refused(folder, "holds a database that is not a store");
}

static void a_newer_format_is_refused(void **state)
{
    (void)state;
    store_close(opened(folder));
    unsigned long long newest = lmdb_formats.count + 1;
    plant("meta", "format", text_cstring(&arena, text_format(&arena, "xdms-store %llu", newest + 1)));
    assert_refused(folder, text_cstring(&arena, text_format(&arena,
                                                            "was written by a newer program (format %llu, known up to "
                                                            "%llu)",
                                                            newest + 1, newest)));
}

static void an_unknown_format_is_refused(void **state)
{
    (void)state;
    plant("meta", "format", "something else");
    assert_refused(folder, "holds a store of unknown format");
}

static void a_folder_is_open_once_in_a_process(void **state)
{
    (void)state;
    struct store *store = opened(folder);
    assert_refused(folder, "is open already in this process");
    assert_int_equal(put(store, "a", TEXT("1")), OK);
    store_close(store);
    store_close(opened(folder));
}

static void the_oldest_changes_are_dropped(void **state)
{
    (void)state;
    struct store *store = keeping_changes(5, INT64_MAX);
    struct change_page page;
    for (int i = 0; i < 8; i++)
        assert_int_equal(put(store, "a", TEXT("x")), OK);
    assert_int_equal(store_changes(store, 3, 9, &arena, &page), OK);
    assert_false(page.lost);
    assert_int_equal(page.count, 5);
    assert_int_equal(page.changes[0].number, 4);
    assert_int_equal(store_changes(store, 2, 9, &arena, &page), OK);
    assert_true(page.lost);
    store_close(store);

    /* Fewer are kept from now on: what is too much goes a little with each commit. */
    store = keeping_changes(1, INT64_MAX);
    for (int i = 0; i < 2; i++)
        assert_int_equal(put(store, "a", TEXT("x")), OK);
    assert_int_equal(store_changes(store, 9, 9, &arena, &page), OK);
    assert_int_equal(page.count, 1);
    assert_false(page.lost);
    assert_int_equal(store_changes(store, 8, 9, &arena, &page), OK);
    assert_true(page.lost);
    store_close(store);
}

/* --- full ------------------------------------------------------------------------------------------------------ */

static void a_full_map_refuses_what_does_not_fit_and_goes_on(void **state)
{
    (void)state;
    char *large = noise(&arena, LARGE);
    struct store *store = with_map(1u << 20, 4u << 20);
    struct document_key absent = key("large");
    struct stored found;
    assert_int_equal(put(store, "a", TEXT("1")), OK);

    struct commit commits[] = {
        change("b", TEXT("2")),
        change("large", (struct text){large, LARGE}),
        change("c", TEXT("3")),
    };
    assert_int_equal(store_commit(store, commits, 3), FULL);
    assert_int_equal(commits[0].status, OK);
    assert_int_equal(commits[1].status, FULL);
    assert_int_equal(commits[2].status, OK);
    assert_int_equal(commits[2].version, 3);
    assert_int_equal(store_head(store, &absent, &found), NOT_FOUND);
    assert_bytes(store, "c", "3");
    assert_int_equal(store_last_change(store), 3);
    store_close(store);
}

static uint64_t fill(struct store *store, size_t size)
{
    char name[16];
    char *bytes = noise(&arena, size);
    for (uint64_t kept = 0;; kept++) {
        snprintf(name, sizeof(name), "%d", (int)kept);
        enum status status = put(store, name, (struct text){bytes, size});
        if (status == FULL)
            return kept;
        assert_int_equal(status, OK);
    }
}

static enum status take_away(struct store *store, const char *name)
{
    struct commit commit = {.key = key(name), .expected = VERSION_ANY, .deletion = true};
    return store_commit(store, &commit, 1);
}

static void a_store_filled_to_the_brim_reads_and_deletes_and_has_room_again(void **state)
{
    (void)state;
    char name[16];
    struct key_page page;
    struct document_key all = {0};
    struct store *store = with_map(1u << 20, 4u << 20);
    uint64_t kept = fill(store, 20000);
    assert_in_range(kept, 60, 200);
    assert_int_equal(store_last_change(store), kept);
    assert_int_equal(store_list(store, &all, NULL, STORE_PAGE_MAX, &arena, &page), OK);
    assert_int_equal(page.count, kept);
    for (uint64_t i = 0; i < kept; i++) {
        snprintf(name, sizeof(name), "%d", (int)i);
        assert_int_equal(take_away(store, name), OK);
    }
    assert_in_range(fill(store, 20000), kept / 2, kept * 2);
    store_close(store);

    store = opened(folder); /* with a larger limit there is room too */
    assert_int_equal(put(store, "more", TEXT("x")), OK);
    store_close(store);
}

static void in_a_full_store_each_of_a_batch_gets_what_there_is(void **state)
{
    (void)state;
    char *bytes = noise(&arena, 20000);
    struct store *store = with_map(1u << 20, 4u << 20);
    fill(store, 20000);
    struct commit commits[] = {change("new", (struct text){bytes, 20000}),
                               {.key = key("1"), .expected = VERSION_ANY, .deletion = true},
                               change("newer", (struct text){bytes, 20000}),
                               {.key = key("2"), .expected = VERSION_ANY, .deletion = true}};
    assert_int_equal(store_commit(store, commits, 4), FULL);
    assert_int_equal(commits[0].status, FULL);
    assert_int_equal(commits[1].status, OK);
    assert_int_equal(commits[3].status, OK);
    store_close(store);
}

/* --- backup ---------------------------------------------------------------------------------------------------- */

static void a_backup_opens_as_a_store_with_the_same_documents(void **state)
{
    (void)state;
    char copy[160];
    char name[16];
    struct text error;
    snprintf(copy, sizeof(copy), "%s/copy", scratch);
    struct store *store = opened(folder);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(put(store, name, text_of(name)), OK);
    }
    assert_int_equal(store_backup(store, copy, &arena, &error), OK);
    assert_int_equal(put(store, "later", TEXT("x")), OK);
    assert_int_equal(store_backup(store, copy, &arena, &error), CONFLICT);
    assert_true(text_ends_with(error, TEXT("is not empty")));
    assert_int_equal(store_backup(store, folder, &arena, &error), CONFLICT);

    struct store *backup = opened(copy);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "%d", i);
        assert_bytes(backup, name, name);
    }
    assert_int_equal(store_last_change(backup), 50);
    assert_int_equal(put(backup, "own", TEXT("x")), OK);
    store_close(backup);
    store_close(store);
}

static void a_backup_into_a_folder_of_other_files_is_refused(void **state)
{
    (void)state;
    char copy[160];
    char file[256];
    struct text error;
    snprintf(copy, sizeof(copy), "%s/copy", scratch);
    snprintf(file, sizeof(file), "%s/letter.txt", copy);
    mkdir(copy, 0700);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    struct store *store = opened(folder);
    assert_int_equal(store_backup(store, copy, &arena, &error), CONFLICT);
    store_close(store);
}

/* --- several processes ------------------------------------------------------------------------------------------ */

#define PER_PROCESS 100

/* What another process does: this program, started again. Each gives its exit status. */

static int child_add(const char *prefix)
{
    char name[32];
    bool good = true;
    struct store *store = opened(folder);
    for (int i = 0; good && i < PER_PROCESS; i++) {
        snprintf(name, sizeof(name), "%s%d", prefix, i);
        good = put(store, name, text_of(name)) == OK;
    }
    store_close(store);
    return good ? 0 : 1;
}

/* Writes to standard output the number of each document once it is acknowledged, until it is killed. */
static int child_acknowledge(const char *unused)
{
    (void)unused;
    struct store *store = opened(folder);
    for (int i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%d", i);
        if (put(store, name, text_of(name)) != OK || write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i))
            return 1;
    }
}

static int child_grow(const char *unused)
{
    (void)unused;
    char *large = noise(&arena, LARGE);
    struct store *store = opened(folder);
    bool good = put(store, "large", (struct text){large, LARGE}) == OK;
    store_close(store);
    return good ? 0 : 1;
}

/* A file that may not grow stands for a disk that is full. */
static int child_fill(const char *unused)
{
    (void)unused;
    const struct rlimit limit = {300000, 300000};
    char *large = noise(&arena, LARGE);
    struct document_key where = key("large");
    struct stored found;
    struct store *store = opened(folder);
    bool good = put(store, "small", TEXT("1")) == OK;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    struct commit commits[] = {change("a", TEXT("1")), change("large", (struct text){large, LARGE})};
    good = good && store_commit(store, commits, 2) == FULL && commits[0].status == OK && commits[1].status == FULL;
    good = good && put(store, "large", (struct text){large, LARGE}) == FULL;
    good = good && store_head(store, &where, &found) == NOT_FOUND;
    good = good && put(store, "small", TEXT("2")) == OK && store_last_change(store) == 3;
    store_close(store);
    return good ? 0 : 1;
}

static const struct {
    const char *name;
    int (*run)(const char *argument);
} children[] = {{"add", child_add}, {"acknowledge", child_acknowledge}, {"grow", child_grow}, {"fill", child_fill}};

static int child_main(const char *name, const char *argument)
{
    int result = 2;
    arena_init(&arena, "child");
    for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++)
        if (strcmp(name, children[i].name) == 0)
            result = children[i].run(argument);
    arena_clear(&arena);
    return result;
}

static pid_t started(const char *name, const char *argument, int output)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(output, STDOUT_FILENO) >= 0)
            execl("/proc/self/exe", "store_lmdb_test", name, folder, argument, (char *)NULL);
        _exit(3);
    }
    return child;
}

static void assert_ended_well(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void two_processes_write_at_once_without_loss(void **state)
{
    (void)state;
    pid_t first = started("add", "a", STDERR_FILENO);
    pid_t second = started("add", "b", STDERR_FILENO);
    assert_ended_well(first);
    assert_ended_well(second);
    char name[32];
    struct store *store = opened(folder);
    for (int i = 0; i < PER_PROCESS; i++) {
        snprintf(name, sizeof(name), "a%d", i);
        assert_bytes(store, name, name);
        snprintf(name, sizeof(name), "b%d", i);
        assert_bytes(store, name, name);
    }
    assert_int_equal(store_last_change(store), 2 * PER_PROCESS);
    store_close(store);
}

static void the_newest_change_is_known_whoever_made_it(void **state)
{
    (void)state;
    struct store *store = opened(folder);
    for (uint64_t round = 1; round <= 3; round++) {
        assert_ended_well(started("add", "a", STDERR_FILENO));
        for (int again = 0; again < 2; again++)
            assert_int_equal(store_last_change(store), round * (PER_PROCESS + 1) - 1);
        assert_int_equal(put(store, "own", TEXT("x")), OK);
        assert_int_equal(store_last_change(store), round * (PER_PROCESS + 1));
    }
    store_close(store);
}

/* Kills a writer after it acknowledged `count`; gives the number of the last that it acknowledged. */
static int number_when_killed(int count)
{
    int ends[2];
    int number = -1;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = started("acknowledge", "", ends[1]);
    close(ends[1]);
    for (int i = 0; i < count; i++)
        assert_int_equal(read(ends[0], &number, sizeof(number)), sizeof(number));
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number))
        continue;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return number;
}

static void a_killed_writer_loses_nothing_acknowledged(void **state)
{
    (void)state;
    int last = -1;
    for (int round = 0; round < 5; round++) {
        int number = number_when_killed(20 + round * 7);
        last = number > last ? number : last;
        char name[32];
        struct store *store = opened(folder);
        for (int i = 0; i <= last; i++) {
            snprintf(name, sizeof(name), "%d", i);
            assert_bytes(store, name, name);
        }
        assert_int_equal(put(store, "after", TEXT("x")), OK);
        store_close(store);
    }
}

static void a_map_grown_by_another_process_is_followed(void **state)
{
    (void)state;
    struct store *store = with_map(1u << 20, 64u << 20);
    assert_non_null(store);
    assert_int_equal(put(store, "small", TEXT("1")), OK);
    assert_bytes(store, "small", "1");
    assert_ended_well(started("grow", "", STDERR_FILENO));

    struct document_key where = key("large");
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_int_equal(found.bytes.length, LARGE);
    assert_int_equal(put(store, "small", TEXT("2")), OK);
    assert_ended_well(started("add", "a", STDERR_FILENO));
    assert_int_equal(put(store, "small", TEXT("3")), OK);
    store_close(store);
}

static void a_full_disk_refuses_what_does_not_fit_and_goes_on(void **state)
{
    (void)state;
    assert_ended_well(started("fill", "", STDERR_FILENO));
    struct store *store = opened(folder);
    assert_bytes(store, "small", "2");
    assert_bytes(store, "a", "1");
    assert_int_equal(store_last_change(store), 3);
    store_close(store);
}

/* --- batches and faults ----------------------------------------------------------------------------------------- */

static void a_batch_larger_than_one_transaction_is_committed(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct store *store = opened(folder);
    struct commit *commits = arena_array(&arena, struct commit, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        commits[i] = change(text_format(&arena, "%zu%c", i, 0).bytes, TEXT("x"));
    assert_int_equal(store_commit(store, commits, COUNT), OK);
    assert_int_equal(store_last_change(store), COUNT);
    store_close(store);
}

static void a_failing_store_fails_the_nth_write(void **state)
{
    (void)state;
    struct store *store = store_open_failing(opened(folder), 2, UNCERTAIN);
    struct document_key where = key("b");
    struct stored found;
    assert_int_equal(put(store, "a", TEXT("1")), OK);
    assert_int_equal(store_head(store, &where, &found), NOT_FOUND);
    assert_int_equal(put(store, "b", TEXT("2")), UNCERTAIN);
    assert_int_equal(store_head(store, &where, &found), NOT_FOUND);
    assert_int_equal(put(store, "b", TEXT("2")), OK);
    assert_bytes(store, "b", "2");
    assert_int_equal(store_last_change(store), 2);
    store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int count, char **arguments)
{
    if (count == 4) {
        snprintf(folder, sizeof(folder), "%s", arguments[2]);
        return child_main(arguments[1], arguments[3]);
    }
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_is_there_after_reopening),
        TEST(a_new_folder_is_for_its_owner_alone),
        TEST(a_folder_without_parent_is_refused),
        TEST(a_folder_of_other_files_is_refused_and_left_alone),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_database_of_another_program_is_refused),
        TEST(a_plain_database_of_another_program_is_refused),
        TEST(a_newer_format_is_refused),
        TEST(an_unknown_format_is_refused),
        TEST(a_folder_is_open_once_in_a_process),
        TEST(the_oldest_changes_are_dropped),
        TEST(a_full_map_refuses_what_does_not_fit_and_goes_on),
        TEST(a_store_filled_to_the_brim_reads_and_deletes_and_has_room_again),
        TEST(in_a_full_store_each_of_a_batch_gets_what_there_is),
        TEST(a_backup_opens_as_a_store_with_the_same_documents),
        TEST(a_backup_into_a_folder_of_other_files_is_refused),
        TEST(two_processes_write_at_once_without_loss),
        TEST(the_newest_change_is_known_whoever_made_it),
        TEST(a_killed_writer_loses_nothing_acknowledged),
        TEST(a_map_grown_by_another_process_is_followed),
        TEST(a_full_disk_refuses_what_does_not_fit_and_goes_on),
        TEST(a_batch_larger_than_one_transaction_is_committed),
        TEST(a_failing_store_fails_the_nth_write),
    };
    return cmocka_run_group_tests_name("store_lmdb", tests, NULL, NULL);
}
