/* What an LMDB store keeps over time: its format and the steps from an older one, and its change records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xdms/store/store_lmdb.h"
#include "scratch.h"

#define DAY_MS 86400000ll

static char folder[SCRATCH_MAX];
static struct arena arena;
static struct store *store;
static int64_t now_ms;

static int64_t test_now_ms(void)
{
    return now_ms;
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    now_ms = 100 * DAY_MS;
    return scratch_make(folder, "store_format") ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    arena_clear(&arena);
    return scratch_remove(folder);
}

static void reopen(const struct lmdb_formats *formats, uint64_t changes_max, int64_t changes_ms_max)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    struct text error;
    options.formats = formats;
    options.now_ms = test_now_ms;
    options.settings.changes_max = changes_max;
    options.settings.changes_ms_max = changes_ms_max;
    store_close(store);
    store = lmdb_open(folder, &options, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
}

static void assert_refused(const struct lmdb_formats *formats, const char *why)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    struct text error, wanted = text_format(&arena, "%s: %s", folder, why);
    options.formats = formats;
    store_close(store);
    store = lmdb_open(folder, &options, &arena, &error);
    assert_null(store);
    assert_string_equal(text_cstring(&arena, error), text_cstring(&arena, wanted));
}

static struct document_key key(const char *name)
{
    return (struct document_key){TEXT("u"), TEXT("o"), text_of(name)};
}

static void put(const char *name, const char *bytes)
{
    struct commit commit = {.key = key(name), .expected = VERSION_ANY, .bytes = text_of(bytes)};
    assert_int_equal(store_commit(store, &commit, 1), OK);
}

static void assert_bytes(const char *name, const char *bytes)
{
    struct document_key where = key(name);
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_string_equal(text_cstring(&arena, found.bytes), bytes);
}

/* --- made-up formats: each step writes its name behind what the steps before wrote -------------------------------- */

static int step(struct lmdb_store *lmdb, MDB_txn *txn, const char *name)
{
    struct text steps = {0};
    int error = lmdb_value(txn, lmdb->meta, TEXT("steps"), &steps);
    struct text all = text_join(&arena, error ? TEXT("") : steps, text_of(name));
    MDB_val place = val_of(TEXT("steps")), value = val_of(all);
    return mdb_put(txn, lmdb->meta, &place, &value, 0);
}

static int step_to_two(struct lmdb_store *lmdb, MDB_txn *txn)
{
    return step(lmdb, txn, "two ");
}

static int step_to_three(struct lmdb_store *lmdb, MDB_txn *txn)
{
    return step(lmdb, txn, "three ");
}

static int step_that_fails(struct lmdb_store *lmdb, MDB_txn *txn)
{
    int error = step(lmdb, txn, "half ");
    return error ? error : MDB_CORRUPTED;
}

static lmdb_migration_fn *const steps[] = {step_to_two, step_to_three};
static lmdb_migration_fn *const failing_steps[] = {step_to_two, step_that_fails};
static const struct lmdb_formats one = {NULL, 0}, two = {steps, 1}, three = {steps, 2}, failing = {failing_steps, 2};

static void assert_steps(const char *wanted)
{
    MDB_txn *txn;
    struct text found = {0};
    struct lmdb_store *lmdb = lmdb_store_of(store);
    assert_int_equal(lmdb_read_begin(lmdb, &txn), 0);
    lmdb_value(txn, lmdb->meta, TEXT("steps"), &found);
    assert_string_equal(text_cstring(&arena, found), wanted);
    lmdb_read_end(lmdb, txn);
}

static void an_older_format_is_brought_to_the_newest_once_and_in_order(void **state)
{
    (void)state;
    reopen(&one, 100, DAY_MS);
    put("a", "1");
    reopen(&three, 100, DAY_MS);
    assert_steps("two three ");
    assert_bytes("a", "1");
    put("a", "2");
    reopen(&three, 100, DAY_MS);
    assert_steps("two three ");
    assert_bytes("a", "2");
}

static void each_format_begins_where_it_is(void **state)
{
    (void)state;
    reopen(&two, 100, DAY_MS); /* a new folder needs no step */
    assert_steps("");
    reopen(&three, 100, DAY_MS);
    assert_steps("three ");
    assert_refused(&two, "was written by a newer program (format 3, known up to 2)");
}

static int step_of_later(struct lmdb_store *lmdb, MDB_txn *txn)
{
    return step(lmdb, txn, "later ");
}

static void a_format_later_than_the_newest_is_refused(void **state)
{
    (void)state;
    enum { LATER_MAX = 16 };
    lmdb_migration_fn *later_steps[LATER_MAX];
    const struct lmdb_formats later = {later_steps, lmdb_formats.count + 1};
    int known = (int)lmdb_formats.count + 1;
    assert_in_range(later.count, 1, LATER_MAX);
    for (size_t i = 0; i < LATER_MAX; i++)
        later_steps[i] = step_of_later;
    reopen(&later, 100, DAY_MS);
    assert_refused(&lmdb_formats, text_cstring(&arena, text_format(&arena,
                                                                   "was written by a newer program (format %d, known "
                                                                   "up to %d)",
                                                                   known + 1, known)));
}

static void a_step_that_fails_changes_nothing(void **state)
{
    (void)state;
    reopen(&one, 100, DAY_MS);
    put("a", "1");
    assert_refused(&failing, mdb_strerror(MDB_CORRUPTED));
    reopen(&one, 100, DAY_MS); /* the older program can still read it */
    assert_steps("");
    assert_bytes("a", "1");
    reopen(&three, 100, DAY_MS);
    assert_steps("two three ");
}

static void a_format_is_not_changed_under_a_running_program(void **state)
{
    (void)state;
    int ends[2], told[2];
    char byte = 0;
    reopen(&one, 100, DAY_MS);
    store_close(store);
    store = NULL;
    assert_true(pipe(ends) == 0 && pipe(told) == 0);
    fflush(NULL);
    pid_t older = fork();
    if (older == 0) {
        close(ends[1]);
        reopen(&one, 100, DAY_MS);
        bool good = write(told[1], &byte, 1) == 1;
        _exit(good && read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_refused(&three, "has an older format and is in use: stop all programs on it, then start this one");
    close(ends[1]);
    assert_int_equal(waitpid(older, NULL, 0), older);
    reopen(&three, 100, DAY_MS);
    assert_steps("two three ");
}

/* --- formats that were released ----------------------------------------------------------------------------------- */

/* Heads had their keys in them, as those of hashed keys have still. */
static void make_head_old(const char *name)
{
    struct lmdb_store *lmdb = lmdb_store_of(store);
    struct document_key where = key(name);
    struct lmdb_key place, wordy;
    struct head head;
    struct text record;
    MDB_txn *txn;
    lmdb_key_of_document(&place, &where);
    wordy = place;
    wordy.hashed = true;
    assert_int_equal(lmdb_write_begin(lmdb, &txn), 0);
    assert_int_equal(lmdb_value(txn, lmdb->heads, key_text(&place), &record), 0);
    assert_true(head_read(key_text(&place), text_copy(&arena, record), &head));
    MDB_val key_val = val_of(key_text(&place)), value = val_of(head_write(&arena, &head, &wordy));
    assert_int_equal(mdb_put(txn, lmdb->heads, &key_val, &value, 0), 0);
    assert_int_equal(lmdb_write_end(lmdb, txn, true), 0);
}

static void what_was_written_before_quiet_writes_reads_as_it_did(void **state)
{
    (void)state;
    const struct lmdb_formats second = {.steps = lmdb_formats.steps, .count = 1};
    const struct lmdb_formats third = {.steps = lmdb_formats.steps, .count = 2};
    reopen(&second, 100, DAY_MS);
    put("a", "of before");
    put("b", "of before, too");
    make_head_old("a");
    make_head_old("b");
    reopen(&third, 100, DAY_MS);
    assert_bytes("a", "of before");
    assert_int_equal(store_check(store, NULL, NULL), OK);
    struct commit quiet = {.key = key("a"), .expected = 1, .bytes = TEXT("quiet"), .quiet = true};
    assert_int_equal(store_commit(store, &quiet, 1), OK);
    put("b", "of now");
    assert_bytes("a", "quiet");
    assert_bytes("b", "of now");
    assert_int_equal(store_check(store, NULL, NULL), OK);
    assert_refused(&second, "was written by a newer program (format 3, known up to 2)");
}

/* A program of before would not deliver what stands in fan-out records. */
static void what_was_written_before_fan_out_records_reads_as_it_did(void **state)
{
    (void)state;
    const struct lmdb_formats fourth = {.steps = lmdb_formats.steps, .count = 3};
    const struct lmdb_formats fifth = {.steps = lmdb_formats.steps, .count = 4};
    reopen(&fourth, 100, DAY_MS);
    put("a", "of before");
    reopen(&fifth, 100, DAY_MS);
    assert_bytes("a", "of before");
    assert_int_equal(store_check(store, NULL, NULL), OK);
    assert_refused(&fourth, "was written by a newer program (format 5, known up to 4)");
}

static void move_into_meta(const char *name)
{
    struct lmdb_store *lmdb = lmdb_store_of(store);
    MDB_val key = val_of(text_of(name)), value;
    MDB_txn *txn;
    assert_int_equal(lmdb_write_begin(lmdb, &txn), 0);
    assert_int_equal(mdb_get(txn, lmdb->unnamed, &key, &value), 0);
    struct text number = text_copy(&arena, text_of_val(value));
    assert_int_equal(lmdb_put(txn, lmdb->meta, text_of(name), number, 0), 0);
    assert_int_equal(mdb_del(txn, lmdb->unnamed, &key, NULL), 0);
    assert_int_equal(lmdb_write_end(lmdb, txn, true), 0);
}

/* The numbers of the newest writes stood in meta before format 6: they go on, so that no version comes twice. */
static void numbers_of_writes_go_on_where_they_were(void **state)
{
    (void)state;
    const struct lmdb_formats fifth = {.steps = lmdb_formats.steps, .count = 4};
    struct stored found;
    reopen(&fifth, 100, DAY_MS);
    put("a", "1");
    put("a", "2");
    struct commit quiet = {.key = key("q"), .expected = VERSION_ANY, .bytes = TEXT("q"), .quiet = true};
    assert_int_equal(store_commit(store, &quiet, 1), OK);
    uint64_t last = store_last_change(store), last_quiet = quiet.version;
    move_into_meta("last-change");
    move_into_meta("last-quiet");

    reopen(&lmdb_formats, 100, DAY_MS);
    assert_int_equal(store_check(store, NULL, NULL), OK);
    assert_int_equal(store_last_change(store), last);
    put("a", "3");
    struct document_key a = key("a");
    assert_int_equal(store_head(store, &a, &found), OK);
    assert_int_equal(found.version, last + 1);
    assert_int_equal(store_commit(store, &quiet, 1), OK);
    assert_int_equal(quiet.version, last_quiet + 1);
    assert_int_equal(store_check(store, NULL, NULL), OK);
    assert_refused(&fifth, "was written by a newer program (format 6, known up to 5)");
}

static void print_problem(void *context, struct text line)
{
    (void)context;
    print_message("%.*s\n", TEXT_ARG(line));
}

static size_t holders_of(const char *kind)
{
    struct key_page page;
    assert_int_equal(store_holders(store, text_of(kind), TEXT(""), NULL, NULL, 10, &arena, &page, NULL), OK);
    return page.count;
}

/* Entries of indexes were shared claims before format 4. */
static void old_index_entries_go_and_all_else_stays(void **state)
{
    (void)state;
    const struct lmdb_formats third = {.steps = lmdb_formats.steps, .count = 2};
    const struct claim claims[] = {{TEXT("uri"), TEXT("sip:a@x"), false},
                                   {TEXT("up/dn/v"), TEXT("anna"), true},
                                   {TEXT("of"), TEXT("anna"), true},
                                   {TEXT("up/all"), TEXT(""), true},
                                   {TEXT("n"), TEXT("x"), false, true, 7}};
    struct document_key holder;
    struct stored found;
    struct tally tally;
    reopen(&third, 100, DAY_MS);
    put("plain", "1");
    struct commit commits[] = {{.key = key("a"), .expected = VERSION_ANY, .bytes = TEXT("<a/>"), .claims = claims},
                               {.key = key("b"), .expected = VERSION_ANY, .bytes = TEXT("<b/>"), .claims = claims + 1},
                               {.key = {TEXT("#indexes"), TEXT("u"), TEXT("users")}, .expected = VERSION_ANY}};
    commits[0].claims_count = 5;
    commits[1].claims_count = 1;
    assert_int_equal(store_commit(store, commits, 3), OK);
    assert_int_equal(holders_of("up/dn/v"), 2);

    reopen(&lmdb_formats, 100, DAY_MS);
    assert_int_equal(holders_of("up/dn/v") + holders_of("up/all"), 0);
    assert_int_equal(holders_of("of"), 1);
    assert_int_equal(store_find(store, TEXT("uri"), TEXT("sip:a@x"), &arena, &holder), OK);
    assert_int_equal(store_tally(store, TEXT("n"), TEXT("x"), &tally), OK);
    assert_int_equal(tally.weight, 7);
    assert_bytes("plain", "1");
    assert_bytes("a", "<a/>");
    assert_bytes("b", "<b/>");
    assert_int_equal(store_get(store, &commits[2].key, &arena, &found), NOT_FOUND);
    assert_int_equal(store_check(store, print_problem, NULL), OK);
    commits[0].claims_count = 1;
    assert_int_equal(store_commit(store, commits, 1), OK);
    assert_int_equal(store_check(store, print_problem, NULL), OK);
}

/* --- change records ----------------------------------------------------------------------------------------------- */

/* How many are kept, up to the newest; readers before the oldest of them are told. */
static size_t changes_kept(void)
{
    struct change_page page, behind;
    uint64_t last = store_last_change(store);
    assert_int_equal(store_changes(store, 0, STORE_PAGE_MAX, &arena, &page), OK);
    assert_true(page.count > 0 && page.changes[page.count - 1].number == last);
    uint64_t oldest = page.changes[0].number;
    assert_int_equal(page.lost, oldest != 1);
    assert_int_equal(store_changes(store, oldest - 1, 1, &arena, &behind), OK);
    assert_false(behind.lost);
    if (oldest > 1) {
        assert_int_equal(store_changes(store, oldest - 2, 1, &arena, &behind), OK);
        assert_true(behind.lost);
    }
    return page.count;
}

static void changes_go_with_age(void **state)
{
    (void)state;
    reopen(&one, 1000, 7 * DAY_MS);
    for (int day = 0; day < 20; day++) {
        put("a", "x");
        assert_in_range(changes_kept(), day < 7 ? day + 1 : 8, 8);
        now_ms += DAY_MS;
    }
    now_ms += 100 * DAY_MS; /* nobody wrote for long: the old ones go little by little */
    for (int i = 0; i < 5; i++)
        put("a", "x");
    assert_int_equal(changes_kept(), 5);
    assert_int_equal(store_check(store, NULL, NULL), OK);
}

static void changes_go_with_number_whatever_their_age(void **state)
{
    (void)state;
    reopen(&one, 3, 7 * DAY_MS);
    for (int i = 0; i < 10; i++)
        put("a", "x");
    assert_int_equal(changes_kept(), 3);
    now_ms += 8 * DAY_MS;
    put("a", "x");
    assert_int_equal(changes_kept(), 1);
}

static void a_clock_that_goes_back_keeps_what_there_is(void **state)
{
    (void)state;
    reopen(&one, 1000, 7 * DAY_MS);
    for (int i = 0; i < 5; i++)
        put("a", "x");
    now_ms -= 50 * DAY_MS;
    put("a", "x");
    assert_int_equal(changes_kept(), 6);
    reopen(&one, 1000, 7 * DAY_MS);
    assert_int_equal(changes_kept(), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_format_is_brought_to_the_newest_once_and_in_order),
        TEST(each_format_begins_where_it_is),
        TEST(a_format_later_than_the_newest_is_refused),
        TEST(a_step_that_fails_changes_nothing),
        TEST(a_format_is_not_changed_under_a_running_program),
        TEST(numbers_of_writes_go_on_where_they_were),
        TEST(what_was_written_before_quiet_writes_reads_as_it_did),
        TEST(old_index_entries_go_and_all_else_stays),
        TEST(what_was_written_before_fan_out_records_reads_as_it_did),
        TEST(changes_go_with_age),
        TEST(changes_go_with_number_whatever_their_age),
        TEST(a_clock_that_goes_back_keeps_what_there_is),
    };
    return cmocka_run_group_tests_name("store_lmdb_format", tests, NULL, NULL);
}
