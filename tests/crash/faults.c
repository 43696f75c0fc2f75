/* A disk that fails at random for a while, again and again: each commit that was answered OK is there, each that was
 * refused is not, each whose outcome is not known is there as a whole or not at all, and the store is sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crash_store.h"
#include "disk.h"

#define BATCHES 1500 /* XDM_FAULTS_BATCHES: more */

static const struct stream stream = {"s", 5};

static int begin(void **state)
{
    (void)state;
    return begin_in_folder("faults");
}

static struct store *opened(void)
{
    struct store *store = open_store(256u << 10, 50);
    assert_non_null(store);
    return store;
}

/* One of the calls fails once or a few times, one of these days. */
static void plan_fault(uint64_t random)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS};
    disk_heal();
    if (random % 400 == 0) { /* the page that makes the commit valid, and then every flush: nobody can know */
        disk_fail(DISK_WRITE_META, 1, 1, EIO);
        disk_fail(DISK_SYNC, 2, 0, EIO);
        return;
    }
    if (random % 3 == 0)
        return;
    enum disk_call call = (enum disk_call)(random / 3 % DISK_CALLS);
    disk_fail(call, 1 + (unsigned)(random / 9 % 6), 1 + (unsigned)(random / 54 % 3), errors[random / 162 % 4]);
}

/* Reads what nobody was told: the commit happened, or the state of before is there. */
static void resolve(struct store *store, struct stream_state *state, unsigned key, uint64_t after)
{
    struct document_key where = stream_key(&stream, key, &arena);
    struct stored found;
    enum status status = store_get(store, &where, &arena, &found);
    assert_true(status == OK || status == NOT_FOUND);
    bool happened =
        status == NOT_FOUND ? after == 0 : after && text_equal(found.bytes, stream_bytes(&stream, after, key, &arena));
    if (happened)
        state->written[key] = after;
}

/* The disk is well again; a store that could not be sure asks it once in a second. */
static void wait_until_readable(struct store *store)
{
    for (int tries = 0; store_last_change(store) == STORE_CHANGE_UNKNOWN; tries++) {
        assert_in_range(tries, 0, 1000);
        usleep(50000);
    }
}

static void run_batch(struct store *store, struct stream_state *state, uint64_t batch, unsigned results[])
{
    struct commit commits[STREAM_BATCH_MAX];
    unsigned keys[STREAM_BATCH_MAX];
    bool deletions[STREAM_BATCH_MAX];
    size_t count = stream_commits(&stream, batch, &arena, commits);
    stream_plan(&stream, batch, keys, deletions);
    plan_fault(stream_number(&stream, batch, 1000));
    store_commit(store, commits, count);
    disk_heal();
    for (size_t i = 0; i < count; i++)
        results[commits[i].status]++;
    for (size_t i = 1; i < count; i++) {
        uint64_t after = deletions[i - 1] ? 0 : batch;
        if (commits[i].status == OK)
            state->written[keys[i - 1]] = after;
        if (commits[i].status != UNCERTAIN)
            continue;
        wait_until_readable(store);
        resolve(store, state, keys[i - 1], after);
    }
}

static void what_was_answered_is_what_is_there_whatever_fails(void **state)
{
    (void)state;
    struct stream_state wanted = {0};
    unsigned results[UNCERTAIN + 1] = {0};
    uint64_t batches = stream_rounds("XDM_FAULTS_BATCHES", BATCHES);
    struct store *store = opened();
    for (uint64_t batch = 1; batch <= batches; batch++) {
        run_batch(store, &wanted, batch, results);
        if (batch % 10 == 0) {
            wait_until_readable(store);
            struct text difference = stream_compare(&stream, &wanted, store, &arena);
            if (difference.length)
                fail_msg("after batch %llu: %.*s", (unsigned long long)batch, TEXT_ARG(difference));
        }
        if (batch % 100 == 0) {
            assert_int_equal(store_check(store, print_problem, NULL), OK);
            store_close(store);
            store = opened();
            arena_reset(&arena);
        }
    }
    assert_int_equal(store_check(store, print_problem, NULL), OK);
    assert_int_equal(stream_compare(&stream, &wanted, store, &arena).length, 0);
    store_close(store);
    printf("ok %u, full %u, failed %u, uncertain %u\n", results[OK], results[FULL], results[FAILED],
           results[UNCERTAIN]);
    assert_true(results[OK] > batches && results[FULL] > batches / 20 && results[FAILED] > batches / 20);
    assert_true(results[UNCERTAIN] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_answered_is_what_is_there_whatever_fails, begin, end),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
