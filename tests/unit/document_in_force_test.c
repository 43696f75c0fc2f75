/* Usages that are replaced under running requests: nobody sees a set that was freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "document.h"
#include "xml_validate.h"

#define READERS      3
#define REPLACEMENTS 20

static struct store *store;
static struct documents *documents;
static struct usage_set *present;

static struct usage_set *load(void)
{
    struct arena arena;
    struct text error = {0};
    struct usage_set *set = NULL;
    arena_init(&arena, "load");
    if (usage_set_load("tests/support/schemas", &set, &arena, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    arena_clear(&arena);
    return set;
}

static int begin(void **state)
{
    (void)state;
    xml_open();
    store = store_open_memory();
    present = load();
    documents = documents_new(store, present);
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_close(store);
    documents_free(documents);
    usage_set_free(present);
    xml_close();
    return 0;
}

static void a_set_is_kept_until_its_last_reader_leaves(void **state)
{
    (void)state;
    assert_false(documents_retired(documents));
    uint64_t first = documents_enter(documents);
    uint64_t second = documents_enter(documents);
    assert_int_equal(first, second);
    struct usage_set *next = load();
    assert_true(documents_replace(documents, next));
    assert_ptr_equal(documents_usages(documents), next);
    uint64_t later = documents_enter(documents);
    assert_int_not_equal(later, first);
    documents_leave(documents, first);
    assert_false(documents_retired(documents));
    documents_leave(documents, second);
    assert_true(documents_retired(documents));
    assert_false(documents_retired(documents));
    documents_leave(documents, later);
    usage_set_free(present);
    present = next;
}

static void nothing_is_replaced_while_the_last_set_is_in_use(void **state)
{
    (void)state;
    uint64_t reader = documents_enter(documents);
    struct usage_set *next = load(), *after = load();
    assert_true(documents_replace(documents, next));
    assert_false(documents_replace(documents, after));
    assert_ptr_equal(documents_usages(documents), next);
    documents_leave(documents, reader);
    assert_false(documents_replace(documents, after)); /* until it was told that it may go */
    assert_true(documents_retired(documents));
    usage_set_free(present);
    assert_true(documents_replace(documents, after));
    assert_true(documents_retired(documents));
    usage_set_free(next);
    present = after;
}

static atomic_bool stopping;

static void *read_usages(void *unused)
{
    size_t rounds = 0;
    while (!atomic_load(&stopping)) {
        uint64_t reader = documents_enter(documents);
        const struct usage *usage = usage_find(documents_usages(documents), TEXT("team"));
        if (!usage || !usage_document(usage, XCAP_USERS, TEXT("index")))
            abort();
        documents_leave(documents, reader);
        rounds++;
    }
    return rounds ? NULL : unused;
}

static void readers_go_on_while_sets_are_replaced(void **state)
{
    (void)state;
    pthread_t readers[READERS];
    atomic_store(&stopping, false);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_usages, NULL), 0);
    for (unsigned i = 0; i < REPLACEMENTS; i++) {
        struct usage_set *next = load();
        assert_true(documents_replace(documents, next));
        while (!documents_retired(documents))
            sched_yield();
        usage_set_free(present);
        present = next;
    }
    atomic_store(&stopping, true);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_set_is_kept_until_its_last_reader_leaves, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_replaced_while_the_last_set_is_in_use, begin, end),
        cmocka_unit_test_setup_teardown(readers_go_on_while_sets_are_replaced, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
