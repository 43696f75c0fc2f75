/* Changes that wait for a disk: `done` comes from the committer's thread, and many who share one batch all get in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "document.h"
#include "scratch.h"
#include "team.h"

static struct team team;
static char folder[SCRATCH_MAX];

static int begin(void **state)
{
    (void)state;
    struct arena arena;
    struct text error = {0};
    assert_true(scratch_make(folder, "document"));
    arena_init(&arena, "test");
    struct store *store = store_open_lmdb(folder, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    arena_clear(&arena);
    team_open(&team, store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    team_close(&team);
    return scratch_remove(folder);
}

/* Changes that were told to go on, as a server's connections are. */
enum { CHANGES = 40 };

struct waiting {
    struct document_change change;
    struct arena arena;
    struct ready *ready;
    bool finished;
};

struct ready {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    struct waiting *queue[CHANGES];
    int count;
};

static void go_on(void *context)
{
    struct waiting *waiting = context;
    struct ready *ready = waiting->ready;
    pthread_mutex_lock(&ready->lock);
    assert_true(ready->count < CHANGES); /* called once for each wait */
    ready->queue[ready->count++] = waiting;
    pthread_cond_signal(&ready->woken);
    pthread_mutex_unlock(&ready->lock);
}

static struct waiting *next_ready(struct ready *ready)
{
    pthread_mutex_lock(&ready->lock);
    while (ready->count == 0)
        pthread_cond_wait(&ready->woken, &ready->lock);
    struct waiting *waiting = ready->queue[--ready->count];
    pthread_mutex_unlock(&ready->lock);
    return waiting;
}

static void changes_of_one_batch_all_get_in(void **state)
{
    (void)state;
    static struct waiting waiting[CHANGES];
    struct ready ready = {.count = 0};
    pthread_mutex_init(&ready.lock, NULL);
    pthread_cond_init(&ready.woken, NULL);
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, TEAM_OPEN "</team>"), OK);
    int unfinished = CHANGES;
    for (int i = 0; i < CHANGES; i++) {
        struct waiting *one = &waiting[i];
        arena_init(&one->arena, "change");
        one->ready = &ready;
        struct text uri = text_format(&one->arena, "%s/~~/team/m%%5B@id=%%22%d%%22%%5D", TEAM_DOCUMENT, i);
        struct text body = text_format(&one->arena, "<m id=\"%d\"/>", i);
        one->change = team_change(&team, text_cstring(&one->arena, uri), text_cstring(&one->arena, body), &one->arena);
        assert_int_equal(document_change_run(&one->change, go_on, one), DOCUMENT_WAITING);
    }
    while (unfinished > 0) {
        struct waiting *one = next_ready(&ready);
        if (document_change_run(&one->change, go_on, one) == DOCUMENT_WAITING)
            continue;
        assert_int_equal(one->change.status, OK);
        assert_true(one->change.created);
        assert_false(one->finished);
        one->finished = true;
        unfinished--;
    }
    struct text bytes = team_read(&team, TEAM_DOCUMENT).bytes;
    for (int i = 0; i < CHANGES; i++) {
        struct text element = text_format(&team.arena, "<m id=\"%d\"/>", i);
        assert_true(text_find(bytes, element) < bytes.length);
        arena_clear(&waiting[i].arena);
    }
    assert_true(store_last_change(team.store) == 1 + CHANGES);
    pthread_cond_destroy(&ready.woken);
    pthread_mutex_destroy(&ready.lock);
}

static void a_version_is_the_same_after_a_restart(void **state)
{
    (void)state;
    struct arena arena;
    struct text error = {0};
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, TEAM_OPEN "</team>"), OK);
    uint64_t version = team_read(&team, TEAM_DOCUMENT).version;
    team_close(&team);
    arena_init(&arena, "test");
    team_open(&team, store_open_lmdb(folder, &arena, &error));
    arena_clear(&arena);
    assert_true(team_read(&team, TEAM_DOCUMENT).version == version);
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, NULL), OK);
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, TEAM_OPEN "</team>"), OK);
    assert_true(team_read(&team, TEAM_DOCUMENT).version != version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_of_one_batch_all_get_in, begin, end),
        cmocka_unit_test_setup_teardown(a_version_is_the_same_after_a_restart, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
