/* The LMDB engine on a disk that fails, and beside processes that die or do not belong there: each call says what is
 * true, and the store goes on when the trouble is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xdms/store/store_lmdb.h"
#include "disk.h"
#include "scratch.h"

static char scratch[SCRATCH_MAX];
static char folder[SCRATCH_MAX + 8];
static struct arena arena;
static struct store *store;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    if (!scratch_make(scratch, "store_faults"))
        return -1;
    snprintf(folder, sizeof(folder), "%s/data", scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    disk_heal();
    store_close(store);
    store = NULL;
    arena_clear(&arena);
    return scratch_remove(scratch);
}

static void open_as(const struct lmdb_options *options)
{
    struct text error;
    store = lmdb_open(folder, options, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
}

static void open_it(void)
{
    const struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    open_as(&options);
}

static struct document_key key(const char *name)
{
    return (struct document_key){TEXT("u"), TEXT("o"), text_of(name)};
}

static enum status put(const char *name, const char *bytes)
{
    struct commit commit = {.key = key(name), .expected = VERSION_ANY, .bytes = text_of(bytes)};
    return store_commit(store, &commit, 1);
}

static enum status get(const char *name, struct text *bytes_out)
{
    struct document_key where = key(name);
    struct stored found;
    enum status status = store_get(store, &where, &arena, &found);
    *bytes_out = found.bytes;
    return status;
}

static void assert_bytes(const char *name, const char *bytes)
{
    struct text found;
    assert_int_equal(get(name, &found), OK);
    assert_true(text_equal(found, text_of(bytes)));
}

static void no_problem(void *context, struct text line)
{
    (void)context;
    fail_msg("%.*s", TEXT_ARG(line));
}

static void assert_sound(void)
{
    assert_int_equal(store_check(store, no_problem, NULL), OK);
}

/* --- a disk that fails -------------------------------------------------------------------------------------------- */

struct disk_case {
    enum disk_call call;
    int error;
    enum status status;
};

static const struct disk_case disk_cases[] = {
    {DISK_WRITE, EIO, FAILED},      {DISK_WRITE, ENOSPC, FULL},      {DISK_WRITE, EDQUOT, FULL},
    {DISK_WRITE, EFBIG, FULL},      {DISK_SYNC, EIO, FAILED},        {DISK_SYNC, ENOSPC, FULL},
    {DISK_WRITE_META, EIO, FAILED}, {DISK_WRITE_META, ENOSPC, FULL},
};

/* One call fails: the commit says so, what was there before is there and durable, and the next commit works. */
static void a_write_that_fails_changes_nothing_and_the_next_works(void **state)
{
    (void)state;
    open_it();
    assert_int_equal(put("a", "0"), OK);
    for (size_t i = 0; i < sizeof(disk_cases) / sizeof(disk_cases[0]); i++) {
        const struct disk_case *one = &disk_cases[i];
        struct text before = text_format(&arena, "%zu", i), after = text_format(&arena, "%zu", i + 1);
        disk_fail(one->call, 1, 1, one->error);
        enum status status = put("a", text_cstring(&arena, after));
        disk_heal();
        if (status == FAILED || status == FULL)
            assert_bytes("a", text_cstring(&arena, before));
        if (status != one->status)
            fail_msg("call %d error %d: %s", one->call, one->error, status_name(status));
        assert_int_equal(put("a", text_cstring(&arena, after)), OK);
        assert_bytes("a", text_cstring(&arena, after));
    }
    assert_sound();
    store_close(store);
    open_it();
    assert_sound();
}

/* The page that makes a commit valid fails, and then nothing can be flushed: nobody knows, and nobody may be told. */
static void what_may_be_gone_after_a_power_cut_is_told_to_nobody(void **state)
{
    (void)state;
    struct text found;
    open_it();
    assert_int_equal(put("a", "1"), OK);
    disk_fail(DISK_WRITE_META, 1, 1, EIO);
    disk_fail(DISK_SYNC, 2, 0, EIO); /* the first is that of the commit */
    assert_int_equal(put("a", "2"), UNCERTAIN);
    assert_int_equal(get("a", &found), FAILED);
    assert_int_equal(put("a", "3"), FAILED);
    assert_true(store_last_change(store) == STORE_CHANGE_UNKNOWN);
    disk_heal();
    for (int tries = 0; get("a", &found) != OK; tries++) { /* it asks the disk again once in a second */
        assert_in_range(tries, 0, 1000);
        usleep(100000);
    }
    assert_true(text_equal(found, TEXT("1")));
    assert_int_equal(put("a", "4"), OK);
    assert_sound();
}

/* Reads, lists and the rest go on from what is there while nothing can be written. */
static void every_read_goes_on_while_writes_fail(void **state)
{
    (void)state;
    struct key_page page;
    struct change_page changes;
    struct document_key holder;
    struct text error;
    char copy[SCRATCH_MAX + 8];
    const struct claim claims[] = {{TEXT("uri"), TEXT("sip:a@x"), false}, {TEXT("of"), TEXT("b"), true}};
    struct commit commit = {
        .key = key("a"), .expected = VERSION_ANY, .bytes = TEXT("1"), .claims = claims, .claims_count = 2};
    const struct document_key all = {0};
    snprintf(copy, sizeof(copy), "%s/copy", scratch);
    open_it();
    assert_int_equal(store_commit(store, &commit, 1), OK);
    disk_fail(DISK_SYNC, 1, 0, EIO);
    for (int i = 0; i < 3; i++)
        assert_int_equal(put("b", "2"), FAILED);
    assert_bytes("a", "1");
    assert_int_equal(store_find(store, TEXT("uri"), TEXT("sip:a@x"), &arena, &holder), OK);
    assert_int_equal(store_list(store, &all, NULL, 9, &arena, &page), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(store_holders(store, TEXT("of"), TEXT("b"), NULL, NULL, 9, &arena, &page, NULL), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(store_changes(store, 0, 9, &arena, &changes), OK);
    assert_int_equal(changes.count, 1);
    assert_int_equal(store_last_change(store), 1);
    assert_sound();
    assert_int_equal(store_backup(store, copy, &arena, &error), FAILED); /* it must be on the disk to be one */
    disk_heal();
    assert_int_equal(put("b", "2"), OK);
    assert_int_equal(store_last_change(store), 2);
}

static void count_down(void *context)
{
    atomic_fetch_sub((atomic_int *)context, 1);
}

static void a_slow_flush_takes_along_all_who_wait(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    struct commit commits[COUNT];
    atomic_int left = COUNT;
    open_it();
    atomic_store(&disk_faults[DISK_SYNC].wait_us, 50000);
    atomic_store(&disk_calls[DISK_SYNC], 0);
    for (int i = 0; i < COUNT; i++) {
        commits[i] = (struct commit){.key = key("a"), .expected = VERSION_ANY, .bytes = TEXT("x")};
        commits[i].key.name = text_format(&arena, "%d", i);
        store_submit(store, &commits[i], 1, count_down, &left);
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(commits[i].status, OK);
    assert_in_range(atomic_load(&disk_calls[DISK_SYNC]), 1, COUNT / 5);
}

/* --- one batch, each its own result ------------------------------------------------------------------------------- */

static void one_damaged_document_harms_no_other_of_its_batch(void **state)
{
    (void)state;
    enum { COUNT = 20, DAMAGED = 7 };
    struct commit commits[COUNT];
    struct lmdb_key place;
    open_it();
    for (int i = 0; i < COUNT; i++) {
        commits[i] = (struct commit){.key = key("a"), .expected = VERSION_ANY, .bytes = TEXT("x")};
        commits[i].key.name = text_format(&arena, "%d", i);
    }
    assert_int_equal(store_commit(store, commits, COUNT), OK);
    store_close(store);

    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi heads;
    lmdb_key_of_document(&place, &commits[DAMAGED].key);
    MDB_val damaged = val_of(key_text(&place)), junk = val_of(TEXT("junk"));
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "heads", 0, &heads), 0);
    assert_int_equal(mdb_put(txn, heads, &damaged, &junk, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);

    open_it();
    assert_int_equal(store_commit(store, commits, COUNT), FAILED);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(commits[i].status, i == DAMAGED ? FAILED : OK);
}

/* --- readers ------------------------------------------------------------------------------------------------------ */

static int take_line(const char *line, void *context)
{
    builder_add(context, text_of(line));
    return 0;
}

static struct text readers(void)
{
    struct text_builder lines;
    struct lmdb_store *lmdb = lmdb_store_of(store);
    builder_init(&lines, &arena);
    mdb_reader_list(lmdb->env, take_line, &lines);
    return builder_text(&lines);
}

/* LMDB prints "pid thread txnid", and "-" for the last when the slot holds no snapshot. */
static size_t snapshots_held(void)
{
    struct text rest = readers(), line;
    size_t held = 0;
    text_cut(rest, '\n', &line, &rest); /* the title */
    while (rest.length) {
        text_cut(rest, '\n', &line, &rest);
        held += line.length && !text_ends_with(text_trim(line), TEXT("-"));
    }
    return held;
}

static void no_read_outlives_its_call(void **state)
{
    (void)state;
    struct key_page page;
    struct change_page changes;
    struct document_key holder, where = key("a"), all = {0};
    struct stored found;
    open_it();
    assert_int_equal(put("a", "1"), OK);
    assert_int_equal(store_head(store, &where, &found), OK);
    assert_int_equal(store_find(store, TEXT("uri"), TEXT("none"), &arena, &holder), NOT_FOUND);
    assert_int_equal(store_list(store, &all, NULL, 1, &arena, &page), OK);
    assert_int_equal(store_holders(store, TEXT("of"), TEXT(""), NULL, NULL, 1, &arena, &page, NULL), OK);
    assert_int_equal(store_changes(store, 0, 1, &arena, &changes), OK);
    assert_sound();
    assert_bytes("a", "1");
    assert_int_equal(snapshots_held(), 0);
    /* and the test can tell */
    MDB_txn *txn;
    assert_int_equal(lmdb_read_begin(lmdb_store_of(store), &txn), 0);
    assert_int_equal(snapshots_held(), 1);
    lmdb_read_end(lmdb_store_of(store), txn);
    assert_int_equal(snapshots_held(), 0);
}

/* Readers in another process that is killed while they hold snapshots. */
static void kill_readers(unsigned readers_max, int count)
{
    int ends[2];
    char ready = 0;
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    options.readers_max = readers_max;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        MDB_txn *txn;
        open_as(&options);
        for (int i = 0; i < count; i++)
            if (lmdb_read_begin(lmdb_store_of(store), &txn) != 0)
                _exit(1);
        if (write(ends[1], &ready, 1) != 1)
            _exit(2);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void slots_of_killed_readers_are_used_again(void **state)
{
    (void)state;
    enum { SLOTS = 8 };
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    options.readers_max = SLOTS;
    open_as(&options); /* it stays open: only the first to open makes the slots anew */
    assert_int_equal(put("a", "1"), OK);
    store_close(store);
    store = NULL;
    /* Somebody else keeps the folder open meanwhile. */
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t keeper = fork();
    if (keeper == 0) {
        close(ends[1]);
        open_as(&options);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    for (int round = 0; round < 3; round++)
        kill_readers(SLOTS, SLOTS - 2);
    open_as(&options);
    assert_bytes("a", "1");
    assert_int_equal(snapshots_held(), 0);
    close(ends[1]);
    waitpid(keeper, NULL, 0);
}

static void without_a_free_slot_a_read_fails_and_later_works(void **state)
{
    (void)state;
    enum { SLOTS = 3 };
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    MDB_txn *held[SLOTS];
    struct text found;
    options.readers_max = SLOTS;
    open_as(&options);
    assert_int_equal(put("a", "1"), OK);
    for (int i = 0; i < SLOTS; i++)
        assert_int_equal(lmdb_read_begin(lmdb_store_of(store), &held[i]), 0);
    assert_int_equal(get("a", &found), FAILED);
    assert_true(store_last_change(store) == STORE_CHANGE_UNKNOWN);
    assert_int_equal(put("a", "2"), OK); /* a writer needs none */
    for (int i = 0; i < SLOTS; i++)
        lmdb_read_end(lmdb_store_of(store), held[i]);
    assert_bytes("a", "2");
}

static void *read_in_turn(void *unused)
{
    struct stored found;
    struct document_key where = key("a");
    struct arena own;
    arena_init(&own, "reader");
    enum status status = store_get(store, &where, &own, &found);
    arena_clear(&own);
    return status == OK ? unused : NULL;
}

/* More readers than the process may have transactions wait for each other, and so does whoever lets the map grow. */
static void readers_wait_for_their_turn(void **state)
{
    (void)state;
    enum { WAITING = 8 };
    MDB_txn *held[READ_TXNS_MAX];
    pthread_t readers[WAITING];
    void *good;
    open_it();
    assert_int_equal(put("a", "1"), OK);
    for (int i = 0; i < READ_TXNS_MAX; i++)
        assert_int_equal(lmdb_read_begin(lmdb_store_of(store), &held[i]), 0);
    for (int i = 0; i < WAITING; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_in_turn, &good), 0);
    assert_int_equal(put("a", "2"), OK); /* a writer waits for none of them */
    for (int i = 0; i < READ_TXNS_MAX; i++)
        lmdb_read_end(lmdb_store_of(store), held[i]);
    for (int i = 0; i < WAITING; i++) {
        assert_int_equal(pthread_join(readers[i], &good), 0);
        assert_non_null(good);
    }
    assert_bytes("a", "2");
}

/* --- strangers ---------------------------------------------------------------------------------------------------- */

static long fs_type; /* what fstatfs says, when it is not 0 */

int fstatfs(int fd, struct statfs *about)
{
    int result = (int)syscall(SYS_fstatfs, fd, about);
    if (fs_type)
        about->f_type = fs_type;
    return result;
}

static void assert_refused(const char *why)
{
    struct text error;
    const struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    assert_null(lmdb_open(folder, &options, &arena, &error));
    struct text wanted = text_format(&arena, "%s: %s", folder, why);
    assert_string_equal(text_cstring(&arena, error), text_cstring(&arena, wanted));
}

static void a_network_file_system_is_refused(void **state)
{
    (void)state;
    fs_type = 0x6969; /* NFS */
    assert_refused("is on a network file system, where programs cannot share it safely");
    fs_type = 0;
    open_it();
}

static int lock_as_another(int operation, const char *content)
{
    char path[SCRATCH_MAX + 32];
    snprintf(path, sizeof(path), "%s/store.lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(syscall(SYS_write, fd, content, strlen(content)), strlen(content));
    assert_int_equal(flock(fd, operation), 0); /* as a process of its own would: the file was opened apart */
    return fd;
}

static void a_folder_that_another_machine_uses_is_refused(void **state)
{
    (void)state;
    open_it();
    assert_int_equal(put("a", "1"), OK);
    store_close(store);
    store = NULL;
    int other = lock_as_another(LOCK_SH, "00000000-1111-2222-3333-444444444444");
    assert_refused("is in use by another machine");
    close(other);
    open_it(); /* it is gone: whatever stands in the file is of the past */
    assert_bytes("a", "1");
}

static void a_folder_that_is_being_restored_is_refused(void **state)
{
    (void)state;
    struct text error;
    mkdir(folder, 0700);
    int restore = folder_lock(folder, true, &arena, &error);
    assert_true(restore >= 0);
    assert_refused("is being restored or brought to a new format by another program");
    close(restore);
    open_it();
    assert_int_equal(folder_lock(folder, true, &arena, &error), -1);
    assert_true(text_ends_with(error, TEXT("is in use by another program")));
}

/* Else the programs that own the folder could not open what an admin's look at it has made. */
static void what_root_makes_belongs_to_the_owner_of_the_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"data.mdb", "lock.mdb", "store.lock"};
    enum { OWNER = 12345 };
    struct stat about;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chown(folder, OWNER, OWNER), 0);
    open_it();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = text_cstring(&arena, text_format(&arena, "%s/%s", folder, names[i]));
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_uid, OWNER);
        assert_int_equal(about.st_gid, OWNER);
    }
}

/* Two containers with a process number 1 each would take each other's reader slots for their own. */
static void a_process_of_the_same_number_in_another_container_is_refused(void **state)
{
    (void)state;
    int result;
    fflush(NULL);
    pid_t outer = fork();
    if (outer == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(77);
        pid_t first = fork(); /* is number 1 */
        if (first == 0) {
            open_it();
            pid_t second = 0;
            if (unshare(CLONE_NEWPID) == 0)
                second = fork(); /* as well, in a space of its own; the store of its parent stays with the parent */
            if (second == 0)
                execl("/proc/self/exe", "store_lmdb_faults_test", folder, (char *)NULL);
            _exit(waitpid(second, &result, 0) == second && WIFEXITED(result) ? WEXITSTATUS(result) : 3);
        }
        _exit(waitpid(first, &result, 0) == first && WIFEXITED(result) ? WEXITSTATUS(result) : 4);
    }
    assert_int_equal(waitpid(outer, &result, 0), outer);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77)
        skip(); /* only root may make such spaces */
    assert_int_equal(WEXITSTATUS(result), 0);
}

/* Of the test above: true when it was refused as it should be. */
static int open_as_second(const char *path)
{
    struct text error;
    const struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    arena_init(&arena, "second");
    store = lmdb_open(path, &options, &arena, &error);
    bool good = !store && text_find(error, TEXT("another process of the same number")) < error.length;
    if (!good)
        fprintf(stderr, "%.*s\n", TEXT_ARG(error));
    arena_clear(&arena);
    return good ? 0 : 5;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int count, char **arguments)
{
    if (count == 2)
        return open_as_second(arguments[1]);
    const struct CMUnitTest tests[] = {
        TEST(a_write_that_fails_changes_nothing_and_the_next_works),
        TEST(what_may_be_gone_after_a_power_cut_is_told_to_nobody),
        TEST(every_read_goes_on_while_writes_fail),
        TEST(a_slow_flush_takes_along_all_who_wait),
        TEST(one_damaged_document_harms_no_other_of_its_batch),
        TEST(no_read_outlives_its_call),
        TEST(slots_of_killed_readers_are_used_again),
        TEST(without_a_free_slot_a_read_fails_and_later_works),
        TEST(readers_wait_for_their_turn),
        TEST(a_network_file_system_is_refused),
        TEST(a_folder_that_another_machine_uses_is_refused),
        TEST(a_folder_that_is_being_restored_is_refused),
        TEST(what_root_makes_belongs_to_the_owner_of_the_folder),
        TEST(a_process_of_the_same_number_in_another_container_is_refused),
    };
    return cmocka_run_group_tests_name("store_lmdb_faults", tests, NULL, NULL);
}
