/* What every store engine promises about documents, versions, changes and threads; store_contract_find.c has the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "clock.h"
#include "store.h"
#include "store_engines.h"

/* --- documents ------------------------------------------------------------------------------------------------ */

static void what_was_put_is_got(void **state)
{
    (void)state;
    struct document_key where = key("resource-lists", "sip:alice@x", "index");
    int64_t before_ms = clock_wall_ms();
    uint64_t version = put(where, "<resource-lists/>");
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, TEXT("<resource-lists/>"));
    assert_key(found.key, where);
    assert_int_equal(found.version, version);
    assert_true(found.modified_ms >= before_ms && found.modified_ms <= clock_wall_ms());
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    char bytes[512];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct document_key where = key("u", "o", "binary");
    struct stored found;
    done(change(where, VERSION_ANY, (struct text){bytes, sizeof(bytes)}));
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, (struct text){bytes, sizeof(bytes)});
}

static void an_empty_document_is_a_document(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "empty");
    done(change(where, VERSION_ABSENT, (struct text){0}));
    assert_bytes(where, "");
    assert_string_equal(names_in_pages(all, 10), "empty");
}

static void a_document_of_the_greatest_size_is_kept(void **state)
{
    (void)state;
    char *bytes = memory_new(STORE_DOCUMENT_MAX + 1);
    memset(bytes, 'x', STORE_DOCUMENT_MAX);
    struct document_key where = key("u", "o", "large");
    struct stored found;
    done(change(where, VERSION_ANY, (struct text){bytes, STORE_DOCUMENT_MAX}));
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_true(text_equal(found.bytes, (struct text){bytes, STORE_DOCUMENT_MAX}));

    struct commit larger = change(where, VERSION_ANY, (struct text){bytes, STORE_DOCUMENT_MAX + 1});
    assert_int_equal(store_commit(store, &larger, 1), FAILED);
    free(bytes);
}

static void what_was_never_put_is_not_found(void **state)
{
    (void)state;
    put(key("u", "o", "a"), "1");
    assert_absent(key("u", "o", "b"));
    assert_absent(key("u", "", "a"));
    assert_absent(key("u", "o", ""));
    assert_absent(key("", "", ""));
    assert_absent((struct document_key){TEXT("u"), TEXT("o\0a"), TEXT("")});
    assert_absent(key(repeated('u', 5000, ""), "o", "a"));
}

static void empty_parts_are_parts(void **state)
{
    (void)state;
    put(key("u", "", "a"), "global");
    put(key("u", "a", ""), "nameless");
    put(key("u", "", ""), "neither");
    assert_bytes(key("u", "", "a"), "global");
    assert_bytes(key("u", "a", ""), "nameless");
    assert_bytes(key("u", "", ""), "neither");
}

static void a_head_is_version_and_time_without_bytes(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = put(where, "bytes");
    struct stored head;
    struct stored whole;
    assert_int_equal(store_head(store, &where, &head), OK);
    assert_int_equal(store_get(store, &where, &arena, &whole), OK);
    assert_int_equal(head.version, version);
    assert_int_equal(head.modified_ms, whole.modified_ms);
    assert_int_equal(head.bytes.length, 0);
}

static void a_key_beyond_its_limits_fails_and_changes_nothing(void **state)
{
    (void)state;
    struct commit bad[] = {
        change(key("", "o", "a"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", repeated('n', STORE_PART_MAX + 1, "")), VERSION_ANY, TEXT("x")),
        change((struct document_key){TEXT("u"), TEXT("o\0"), TEXT("a")}, VERSION_ANY, TEXT("x")),
        change(key("u", "o", "a"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", "b"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", "fine"), VERSION_ANY, TEXT("x")),
    };
    const struct claim claim = {TEXT("kind"), TEXT("a\0b"), false};
    struct claim *many = arena_array(&arena, struct claim, STORE_CLAIMS_MAX + 1);
    bad[3].claims = &claim;
    bad[3].claims_count = 1;
    bad[4].claims = many;
    bad[4].claims_count = STORE_CLAIMS_MAX + 1;
    assert_int_equal(store_commit(store, bad, COUNT(bad)), FAILED);
    for (size_t i = 0; i + 1 < COUNT(bad); i++)
        assert_int_equal(bad[i].status, FAILED);
    assert_int_equal(bad[COUNT(bad) - 1].status, OK);
    assert_string_equal(names_in_pages(all, 10), "fine");
    assert_int_equal(store_last_change(store), 1);
}

/* --- compare and set ------------------------------------------------------------------------------------------ */

static void a_write_needs_the_expected_version(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t first = put(where, "1");
    uint64_t second = done(change(where, first, TEXT("2")));
    assert_true(second > first);

    struct commit late = change(where, first, TEXT("3"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    assert_int_equal(late.version, second);
    assert_bytes(where, "2");
}

static void absent_means_only_if_there_is_none(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = done(change(where, VERSION_ABSENT, TEXT("1")));
    struct commit again = change(where, VERSION_ABSENT, TEXT("2"));
    assert_int_equal(store_commit(store, &again, 1), CONFLICT);
    assert_int_equal(again.version, version);
    assert_bytes(where, "1");
}

static void a_version_of_a_missing_document_conflicts(void **state)
{
    (void)state;
    struct commit commits[] = {
        change(key("u", "o", "a"), 7, TEXT("1")),
        removal(key("u", "o", "a"), 7),
    };
    assert_int_equal(store_commit(store, commits, 2), CONFLICT);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(commits[i].status, CONFLICT);
        assert_int_equal(commits[i].version, 0);
    }
    assert_int_equal(store_last_change(store), 0);
}

static void any_writes_whatever_is_there(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    put(where, "1");
    put(where, "2");
    assert_bytes(where, "2");
}

static void a_deletion_needs_the_expected_version(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = put(where, "1");
    struct commit wrong = removal(where, version + 1);
    struct commit none = removal(where, VERSION_ABSENT);
    assert_int_equal(store_commit(store, &wrong, 1), CONFLICT);
    assert_int_equal(wrong.version, version);
    assert_int_equal(store_commit(store, &none, 1), CONFLICT);
    assert_bytes(where, "1");
    assert_true(done(removal(where, version)) > version);
    assert_absent(where);
}

static void deleting_nothing_is_fine_and_no_change(void **state)
{
    (void)state;
    done(removal(key("u", "o", "a"), VERSION_ANY));
    done(removal(key("u", "o", "a"), VERSION_ABSENT));
    assert_int_equal(store_last_change(store), 0);
}

static void versions_never_repeat_after_deletion(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t first = put(where, "1");
    done(removal(where, first));
    uint64_t second = done(change(where, VERSION_ABSENT, TEXT("1")));
    assert_true(second > first);
    struct commit late = change(where, first, TEXT("2"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
}

static void later_commits_of_a_call_see_earlier_ones(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    struct commit commits[] = {
        change(where, VERSION_ABSENT, TEXT("1")), change(where, 1, TEXT("2")),
        change(where, VERSION_ABSENT, TEXT("3")), removal(where, 2),
        change(where, VERSION_ABSENT, TEXT("4")),
    };
    assert_int_equal(store_commit(store, commits, COUNT(commits)), CONFLICT);
    const enum status wanted[] = {OK, OK, CONFLICT, OK, OK};
    for (size_t i = 0; i < COUNT(commits); i++)
        assert_int_equal(commits[i].status, wanted[i]);
    assert_int_equal(commits[2].version, 2);
    assert_int_equal(commits[4].version, 4);
    assert_bytes(where, "4");
}

static void one_that_fails_never_harms_the_others(void **state)
{
    (void)state;
    const struct claim taken[] = {unique("sip:team@x")};
    const struct claim both[] = {unique("sip:new@x"), unique("sip:team@x"), shared("x")};
    done(claiming(key("u", "o", "holder"), taken, 1));
    struct commit commits[] = {
        change(key("u", "o", "a"), VERSION_ABSENT, TEXT("a")),
        change(key("u", "o", "holder"), 99, TEXT("late")),
        claiming(key("u", "o", "thief"), both, 3),
        change(key("u", "o", "b"), VERSION_ABSENT, TEXT("b")),
    };
    assert_int_equal(store_commit(store, commits, COUNT(commits)), CONFLICT);
    const enum status wanted[] = {OK, CONFLICT, TAKEN, OK};
    for (size_t i = 0; i < COUNT(commits); i++)
        assert_int_equal(commits[i].status, wanted[i]);
    assert_string_equal(names_in_pages(all, 10), "a b holder");
    assert_bytes(key("u", "o", "holder"), "<x/>");
    assert_free("sip:new@x");
    assert_string_equal(holders_in_pages("of", "", 10), "");
    assert_int_equal(store_last_change(store), 3);
}

/* --- changes -------------------------------------------------------------------------------------------------- */

static void changes_are_numbered_in_order_without_gaps(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    put(where, "1");
    put(key("u", "o", "b"), "1");
    put(where, "2");
    struct commit late = change(where, 1, TEXT("x"));
    store_commit(store, &late, 1);
    done(removal(where, VERSION_ANY));
    put(where, "3");
    assert_int_equal(store_last_change(store), 5);

    struct change_page page;
    assert_int_equal(store_changes(store, 0, 100, &arena, &page), OK);
    assert_int_equal(page.count, 5);
    assert_false(page.lost);
    const uint64_t previous[] = {0, 0, 1, 3, 0};
    for (size_t i = 0; i < 5; i++) {
        const struct change *record = &page.changes[i];
        assert_int_equal(record->number, i + 1);
        assert_int_equal(record->previous, previous[i]);
        assert_int_equal(record->deletion, i == 3);
        assert_key(record->key, i == 1 ? key("u", "o", "b") : where);
        assert_text(record->who, i == 3 ? TEXT("") : TEXT("sip:admin@x"));
        assert_true(record->when_ms > 0);
    }
}

static void changes_are_read_from_where_one_stopped(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        put(key("u", "o", "a"), "x");
    struct change_page page;
    uint64_t after = 0;
    do {
        assert_int_equal(store_changes(store, after, 3, &arena, &page), OK);
        assert_false(page.lost);
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.changes[i].number, ++after);
    } while (page.count > 0);
    assert_int_equal(after, 10);
}

static void a_reader_ahead_of_the_store_is_told(void **state)
{
    (void)state;
    struct change_page page;
    assert_int_equal(store_changes(store, 0, 3, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_false(page.lost);
    put(key("u", "o", "a"), "x");
    assert_int_equal(store_changes(store, 2, 3, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_true(page.lost);
    assert_int_equal(store_changes(store, UINT64_MAX, 3, &arena, &page), OK);
    assert_true(page.lost);
}

static void the_version_is_the_number_of_the_change(void **state)
{
    (void)state;
    put(key("u", "o", "a"), "x");
    uint64_t version = put(key("u", "o", "b"), "x");
    struct change_page page;
    assert_int_equal(store_changes(store, version - 1, 1, &arena, &page), OK);
    assert_key(page.changes[0].key, key("u", "o", "b"));
    assert_int_equal(store_last_change(store), version);
}

/* --- threads -------------------------------------------------------------------------------------------------- */

#define THREADS    8
#define PER_THREAD 40

struct answers {
    pthread_mutex_t lock;
    pthread_cond_t counted;
    size_t answered;
};

static void count_answer(void *context)
{
    struct answers *answers = context;
    pthread_mutex_lock(&answers->lock);
    answers->answered++;
    pthread_cond_signal(&answers->counted);
    pthread_mutex_unlock(&answers->lock);
}

static struct answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER, .counted = PTHREAD_COND_INITIALIZER};

struct writer {
    pthread_t thread;
    char names[PER_THREAD][16];
    struct commit commits[PER_THREAD];
    size_t seen; /* own documents found while others write */
};

static void *writer_submit(void *context)
{
    struct writer *writer = context;
    struct stored found;
    for (size_t i = 0; i < PER_THREAD; i++)
        store_submit(store, &writer->commits[i], 1, count_answer, &answers);
    struct document_key where = key("t", "first", "");
    for (size_t i = 0; i < PER_THREAD; i++)
        writer->seen += store_head(store, &where, &found) == OK;
    return NULL;
}

static void all_that_was_submitted_is_answered_and_present(void **state)
{
    (void)state;
    struct writer *writers = arena_array(&arena, struct writer, THREADS);
    answers.answered = 0;
    put(key("t", "first", ""), "x");
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t i = 0; i < PER_THREAD; i++) {
            snprintf(writers[t].names[i], sizeof(writers[t].names[i]), "%zu-%zu", t, i);
            writers[t].commits[i] = change(key("t", "o", writers[t].names[i]), VERSION_ABSENT, TEXT("x"));
        }
        assert_int_equal(pthread_create(&writers[t].thread, NULL, writer_submit, &writers[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(writers[t].thread, NULL);
    pthread_mutex_lock(&answers.lock);
    while (answers.answered < THREADS * PER_THREAD)
        pthread_cond_wait(&answers.counted, &answers.lock);
    pthread_mutex_unlock(&answers.lock);

    for (size_t t = 0; t < THREADS; t++) {
        assert_int_equal(writers[t].seen, PER_THREAD);
        for (size_t i = 0; i < PER_THREAD; i++) {
            assert_int_equal(writers[t].commits[i].status, OK);
            assert_bytes(writers[t].commits[i].key, "x");
            assert_true(i == 0 || writers[t].commits[i].version > writers[t].commits[i - 1].version);
        }
    }
    assert_int_equal(store_last_change(store), THREADS * PER_THREAD + 1);
}

struct counter {
    pthread_t thread;
    size_t failures;
};

/* Adds one to a document by compare-and-set, as often as it takes. */
static void *counter_run(void *context)
{
    struct counter *counter = context;
    struct document_key where = key("t", "", "counter");
    for (size_t i = 0; i < PER_THREAD; i++) {
        enum status status = CONFLICT;
        while (status == CONFLICT) {
            struct arena own;
            struct stored found;
            uint64_t value = 0;
            arena_init(&own, "counter");
            status = store_get(store, &where, &own, &found);
            if (status == OK && text_to_u64(found.bytes, &value)) {
                struct text next = text_format(&own, "%llu", (unsigned long long)value + 1);
                struct commit commit = change(where, found.version, next);
                status = store_commit(store, &commit, 1);
            }
            arena_clear(&own);
        }
        counter->failures += status != OK;
    }
    return NULL;
}

static void compare_and_set_loses_no_update(void **state)
{
    (void)state;
    struct counter counters[4] = {0};
    put(key("t", "", "counter"), "0");
    for (size_t i = 0; i < COUNT(counters); i++)
        assert_int_equal(pthread_create(&counters[i].thread, NULL, counter_run, &counters[i]), 0);
    for (size_t i = 0; i < COUNT(counters); i++) {
        pthread_join(counters[i].thread, NULL);
        assert_int_equal(counters[i].failures, 0);
    }
    assert_bytes(key("t", "", "counter"), "160");
}

static void of_many_who_claim_one_gets_it(void **state)
{
    (void)state;
    const struct claim team[] = {unique("sip:team@x")};
    struct commit commits[THREADS];
    answers.answered = 0;
    for (size_t i = 0; i < THREADS; i++) {
        commits[i] = claiming(key("u", "o", repeated('n', i, "")), team, 1);
        store_submit(store, &commits[i], 1, count_answer, &answers);
    }
    pthread_mutex_lock(&answers.lock);
    while (answers.answered < THREADS)
        pthread_cond_wait(&answers.counted, &answers.lock);
    pthread_mutex_unlock(&answers.lock);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(commits[i].status, i == 0 ? OK : TAKEN);
}

static void closing_waits_for_what_was_submitted(void **state)
{
    (void)state;
    struct commit *commits = arena_array(&arena, struct commit, PER_THREAD);
    answers.answered = 0;
    for (size_t i = 0; i < PER_THREAD; i++) {
        commits[i] = change(key("u", "o", repeated('n', i, "")), VERSION_ABSENT, TEXT("x"));
        store_submit(store, &commits[i], 1, count_answer, &answers);
    }
    store_close(store);
    assert_int_equal(answers.answered, PER_THREAD);
    store = NULL; /* closing nothing is fine */
}

static void more_than_the_queue_holds_is_refused(void **state)
{
    (void)state;
    struct commit *commits = memory_new((STORE_QUEUE_MAX + 1) * sizeof(*commits));
    for (size_t i = 0; i <= STORE_QUEUE_MAX; i++)
        commits[i] = change(key("u", "o", "a"), VERSION_ANY, TEXT("x"));
    assert_int_equal(store_commit(store, commits, STORE_QUEUE_MAX + 1), FULL);
    assert_int_equal(commits[0].status, FULL);
    assert_int_equal(store_commit(store, commits, 0), OK);
    free(commits);
    assert_absent(key("u", "o", "a"));
}

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(what_was_put_is_got),
        PROMISE(any_bytes_come_back),
        PROMISE(an_empty_document_is_a_document),
        PROMISE(a_document_of_the_greatest_size_is_kept),
        PROMISE(what_was_never_put_is_not_found),
        PROMISE(empty_parts_are_parts),
        PROMISE(a_head_is_version_and_time_without_bytes),
        PROMISE(a_key_beyond_its_limits_fails_and_changes_nothing),
        PROMISE(a_write_needs_the_expected_version),
        PROMISE(absent_means_only_if_there_is_none),
        PROMISE(a_version_of_a_missing_document_conflicts),
        PROMISE(any_writes_whatever_is_there),
        PROMISE(a_deletion_needs_the_expected_version),
        PROMISE(deleting_nothing_is_fine_and_no_change),
        PROMISE(versions_never_repeat_after_deletion),
        PROMISE(later_commits_of_a_call_see_earlier_ones),
        PROMISE(one_that_fails_never_harms_the_others),
        PROMISE(changes_are_numbered_in_order_without_gaps),
        PROMISE(changes_are_read_from_where_one_stopped),
        PROMISE(a_reader_ahead_of_the_store_is_told),
        PROMISE(the_version_is_the_number_of_the_change),
        PROMISE(all_that_was_submitted_is_answered_and_present),
        PROMISE(compare_and_set_loses_no_update),
        PROMISE(of_many_who_claim_one_gets_it),
        PROMISE(closing_waits_for_what_was_submitted),
        PROMISE(more_than_the_queue_holds_is_refused),
    };
    return RUN_WITH_EACH_ENGINE(promises);
}
