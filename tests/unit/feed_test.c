/* The cursor over changes: nothing is missed, nothing comes twice, and a reader that cannot know says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../xdms/store/store_engine.h"
#include "feed.h"
#include "scratch.h"
#include "store.h"

static struct store *store;
static struct feed *feed;

static int begin(void **state)
{
    (void)state;
    store = store_open_memory();
    return 0;
}

static int end(void **state)
{
    (void)state;
    feed_free(feed);
    feed = NULL;
    store_close(store);
    return 0;
}

static void write_document(struct text name, bool deletion)
{
    struct commit commit = {
        .key = {TEXT("resource-lists"), TEXT("sip:alice@example.com"), name},
        .expected = VERSION_ANY,
        .deletion = deletion,
        .bytes = TEXT("<a/>"),
    };
    assert_int_equal(store_commit(store, &commit, 1), OK);
}

static void a_new_feed_begins_after_what_was_there(void **state)
{
    (void)state;
    struct feed_change change;
    bool lost = true;
    write_document(TEXT("before"), false);
    feed = feed_new(store);
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
    write_document(TEXT("after"), false);
    assert_true(feed_next(feed, &change, &lost));
    assert_true(text_equal(change.usage, TEXT("resource-lists")));
    assert_true(text_equal(change.owner, TEXT("sip:alice@example.com")));
    assert_true(text_equal(change.name, TEXT("after")));
    assert_false(change.deletion);
    assert_false(feed_next(feed, &change, &lost));
}

static void a_deletion_is_told(void **state)
{
    (void)state;
    struct feed_change change;
    bool lost;
    write_document(TEXT("index"), false);
    feed = feed_new(store);
    write_document(TEXT("index"), true);
    assert_true(feed_next(feed, &change, &lost));
    assert_true(change.deletion);
}

static void more_changes_than_a_page_come_in_order_and_once(void **state)
{
    (void)state;
    enum { CHANGES = 700 };
    feed = feed_new(store);
    for (int i = 0; i < CHANGES; i++)
        write_document(TEXT("index"), false);
    struct feed_change change;
    bool lost;
    uint64_t last = 0;
    int count = 0;
    while (feed_next(feed, &change, &lost)) {
        assert_true(count == 0 || change.number == last + 1);
        last = change.number;
        count++;
    }
    assert_false(lost);
    assert_int_equal(count, CHANGES);
}

static void who_is_too_far_behind_goes_on_from_the_newest_change(void **state)
{
    (void)state;
    struct feed_change change;
    bool lost;
    feed = feed_new(store);
    feed_set_behind_max(feed, 3);
    for (int i = 0; i < 3; i++)
        write_document(TEXT("near"), false);
    for (int i = 0; i < 3; i++)
        assert_true(feed_next(feed, &change, &lost));
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
    for (int i = 0; i < 4; i++)
        write_document(TEXT("far"), false);
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
    write_document(TEXT("next"), false);
    assert_true(feed_next(feed, &change, &lost));
    assert_true(text_equal(change.name, TEXT("next")));
}

static void a_change_between_two_reads_of_a_page_is_seen(void **state)
{
    (void)state;
    struct feed_change change;
    bool lost;
    feed = feed_new(store);
    write_document(TEXT("one"), false);
    write_document(TEXT("two"), false);
    assert_true(feed_next(feed, &change, &lost));
    write_document(TEXT("three"), false);
    assert_true(feed_next(feed, &change, &lost));
    assert_true(text_equal(change.name, TEXT("two")));
    assert_true(feed_next(feed, &change, &lost));
    assert_true(text_equal(change.name, TEXT("three")));
    assert_false(feed_next(feed, &change, &lost));
}

/* A store whose records are gone, which no engine does within the time of a test. */
struct forgetful {
    uint64_t last;
    bool lost, fails;
};

static uint64_t forgetful_last(void *state)
{
    return ((struct forgetful *)state)->last;
}

static enum status forgetful_changes(void *state, uint64_t after, size_t limit, struct arena *pages,
                                     struct change_page *page_out)
{
    const struct forgetful *forgetful = state;
    (void)limit;
    (void)pages;
    if (forgetful->fails)
        return FAILED;
    page_out->lost = forgetful->lost;
    page_out->changes[0] = (struct change){.number = after + 1};
    page_out->count = forgetful->last > after;
    return OK;
}

static void forgetful_close(void *state)
{
    (void)state;
}

static struct store *forgetful_open(struct forgetful *forgetful)
{
    static const struct store_engine engine = {
        .close = forgetful_close, .changes = forgetful_changes, .last_change = forgetful_last};
    return store_new(&engine, forgetful);
}

static void lost_changes_are_told_once_and_the_feed_goes_on(void **state)
{
    (void)state;
    struct forgetful forgetful = {.last = 5};
    struct feed_change change;
    bool lost;
    store = forgetful_open(&forgetful);
    feed = feed_new(store);
    forgetful = (struct forgetful){.last = 900, .lost = true};
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
    forgetful = (struct forgetful){.last = 901};
    assert_true(feed_next(feed, &change, &lost));
    assert_true(change.number == 901);
}

static void a_store_that_went_back_is_a_loss(void **state)
{
    (void)state;
    struct forgetful forgetful = {.last = 50};
    struct feed_change change;
    bool lost;
    store = forgetful_open(&forgetful);
    feed = feed_new(store);
    forgetful.last = 10;
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    forgetful.last = 11;
    assert_true(feed_next(feed, &change, &lost));
    assert_true(change.number == 11);
}

static void a_failed_read_empties_caches_and_loses_no_change(void **state)
{
    (void)state;
    struct forgetful forgetful = {.last = 1};
    struct feed_change change;
    bool lost;
    store = forgetful_open(&forgetful);
    feed = feed_new(store);
    forgetful = (struct forgetful){.last = 2, .fails = true};
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    forgetful = (struct forgetful){.last = STORE_CHANGE_UNKNOWN};
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    forgetful = (struct forgetful){.last = 2};
    forgetful.fails = false;
    assert_true(feed_next(feed, &change, &lost));
    assert_true(change.number == 2);
}

static void a_feed_that_began_while_nothing_could_be_read_empties_caches_once(void **state)
{
    (void)state;
    struct forgetful forgetful = {.last = STORE_CHANGE_UNKNOWN};
    struct feed_change change;
    bool lost;
    store = forgetful_open(&forgetful);
    feed = feed_new(store);
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    forgetful.last = 7;
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
}

/* The same with a store on disk that keeps three records. */
static void a_feed_that_fell_behind_a_store_on_disk_is_told(void **state)
{
    (void)state;
    struct store_settings settings = STORE_SETTINGS_STANDARD;
    struct arena arena;
    struct text error;
    struct feed_change change;
    bool lost;
    char folder[SCRATCH_MAX];
    settings.changes_max = 3;
    arena_init(&arena, "test");
    assert_true(scratch_make(folder, "feed"));
    store = store_open_lmdb_with(folder, &settings, &arena, &error);
    assert_non_null(store);
    feed = feed_new(store);
    for (int i = 1; i <= 10; i++) {
        struct commit commit = {.key = {TEXT("u"), TEXT("o"), TEXT("n")}, .expected = VERSION_ANY, .bytes = TEXT("x")};
        assert_int_equal(store_commit(store, &commit, 1), OK);
        if (i <= 2) { /* it keeps up */
            assert_true(feed_next(feed, &change, &lost));
            assert_int_equal(change.number, i);
        }
    }
    assert_false(feed_next(feed, &change, &lost));
    assert_true(lost);
    assert_false(feed_next(feed, &change, &lost));
    assert_false(lost);
    struct commit commit = {.key = {TEXT("u"), TEXT("o"), TEXT("n")}, .expected = VERSION_ANY, .deletion = true};
    assert_int_equal(store_commit(store, &commit, 1), OK);
    assert_true(feed_next(feed, &change, &lost));
    assert_int_equal(change.number, 11);
    arena_clear(&arena);
    assert_int_equal(scratch_remove(folder), 0); /* an open file stays until it is closed */
}

static int begin_without_store(void **state)
{
    (void)state;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_feed_begins_after_what_was_there, begin, end),
        cmocka_unit_test_setup_teardown(a_deletion_is_told, begin, end),
        cmocka_unit_test_setup_teardown(more_changes_than_a_page_come_in_order_and_once, begin, end),
        cmocka_unit_test_setup_teardown(who_is_too_far_behind_goes_on_from_the_newest_change, begin, end),
        cmocka_unit_test_setup_teardown(a_change_between_two_reads_of_a_page_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(lost_changes_are_told_once_and_the_feed_goes_on, begin_without_store, end),
        cmocka_unit_test_setup_teardown(a_store_that_went_back_is_a_loss, begin_without_store, end),
        cmocka_unit_test_setup_teardown(a_feed_that_fell_behind_a_store_on_disk_is_told, begin_without_store, end),
        cmocka_unit_test_setup_teardown(a_feed_that_began_while_nothing_could_be_read_empties_caches_once,
                                        begin_without_store, end),
        cmocka_unit_test_setup_teardown(a_failed_read_empties_caches_and_loses_no_change, begin_without_store, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
