/* Arenas: alignment, zeroes, big pieces, and what reset and clear leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"

static void every_piece_is_aligned_and_zeroed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 2000; size += 7) {
            char *piece = arena_alloc(&arena, size);
            assert_non_null(piece);
            assert_int_equal((uintptr_t)piece % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(piece[i], 0);
            memset(piece, 0xA5, size);
        }
        arena_reset(&arena);
    }
    arena_clear(&arena);
}

static void pieces_do_not_overlap_and_keep_their_bytes(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct arena arena;
    arena_init(&arena, "test");
    unsigned char *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 10 == 9 ? 100000 : i + 1;
        pieces[i] = arena_alloc(&arena, size);
        memset(pieces[i], (int)i, size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 10 == 9 ? 100000 : i + 1;
        assert_int_equal(pieces[i][0], i);
        assert_int_equal(pieces[i][size - 1], i);
    }
    arena_clear(&arena);
}

static void the_total_counts_what_was_asked_for(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    arena_array(&arena, int32_t, 10);
    arena_alloc(&arena, 100000);
    assert_int_equal(arena.total, 100040);
    arena_reset(&arena);
    assert_int_equal(arena.total, 0);
    arena_alloc(&arena, 1);
    assert_int_equal(arena.total, 1);
    arena_clear(&arena);
    assert_int_equal(arena.total, 0);
    assert_null(arena.blocks);
}

static void an_arena_may_be_used_after_clear(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    arena_clear(&arena);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 10));
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 10));
    arena_clear(&arena);
}

static void heap_memory_is_zeroed_and_keeps_its_bytes_when_resized(void **state)
{
    (void)state;
    char *memory = memory_new(8);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0\0", 8);
    memcpy(memory, "12345678", 8);
    memory = memory_resize(memory, 100000);
    assert_memory_equal(memory, "12345678", 8);
    free(memory);
}

static void what_is_given_back_is_taken_again(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static unsigned char *pieces[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = i * i; /* up to 89,401: more than is kept, too */
            pieces[i] = memory_take(size);
            assert_int_equal((uintptr_t)pieces[i] % 16, 0);
            memset(pieces[i], (int)i, size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            if (i > 0)
                assert_true(pieces[i][0] == (unsigned char)i && pieces[i][i * i - 1] == (unsigned char)i);
            memory_give(pieces[i], i * i);
        }
    }
    memory_give(NULL, 100);
}

static bool ends_well(void (*call)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        call();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void give_back_as_taken(void)
{
    memory_give(memory_take(100), 100);
    memory_give(memory_take(0), 0);
}

static void give_back_as_larger(void)
{
    memory_give(memory_take(100), 101);
}

static void give_back_as_smaller(void)
{
    memory_give(memory_take(100), 99);
}

/* It would be taken as what it is not. Only the sanitizer's builds know how large a piece is. */
static void what_is_given_back_with_another_size_is_seen(void **state)
{
    (void)state;
    const bool knows_sizes = memory_size(100) == 100;
    assert_true(ends_well(give_back_as_taken));
    assert_int_equal(ends_well(give_back_as_larger), !knows_sizes);
    assert_int_equal(ends_well(give_back_as_smaller), !knows_sizes);
}

static void every_size_has_room_for_itself(void **state)
{
    (void)state;
    for (size_t size = 1; size < 70000; size += size < 300 ? 1 : 37) {
        void *piece = memory_take(size);
        assert_true(malloc_usable_size(piece) >= memory_size(size));
        assert_true(memory_size(size) >= size && (size < 64 || memory_size(size) <= size * 5 / 4 + 16));
        memory_give(piece, size);
    }
}

/* Whatever was needed once at the same time, and of all sizes one after the other. */
static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static void *pieces[COUNT];
    memory_spare(0);
    size_t before = mallinfo2().uordblks;
    memory_spare(3u << 20);
    for (size_t size = 64; size <= 1u << 20; size *= 2) {
        size_t count = (8u << 20) / size < COUNT ? (8u << 20) / size : COUNT;
        for (size_t i = 0; i < count; i++)
            pieces[i] = memory_take(size);
        for (size_t i = 0; i < count; i++)
            memory_give(pieces[i], size);
    }
    assert_true(mallinfo2().uordblks < before + (4u << 20));
    memory_spare(0);
    assert_true(mallinfo2().uordblks < before + (64u << 10)); /* glibc keeps some, too */
    memory_spare(4u << 20);
}

static void *use_many(void *ignored)
{
    struct arena arenas[40];
    (void)ignored;
    for (size_t i = 0; i < 40; i++) {
        arena_init(&arenas[i], "test");
        arena_alloc(&arenas[i], 10);
    }
    for (size_t i = 0; i < 40; i++)
        arena_clear(&arenas[i]);
    return NULL;
}

static void run_threads(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, use_many, NULL), 0);
        pthread_join(thread, NULL);
    }
}

/* Blocks are kept for the next request of the same thread, and nobody else will ever take them. */
static void a_thread_that_ends_leaves_nothing(void **state)
{
    (void)state;
    mallopt(M_ARENA_MAX, 1); /* mallinfo2 counts the first one alone */
    run_threads(1);
    size_t before = mallinfo2().uordblks;
    run_threads(16);
    assert_true(mallinfo2().uordblks < before + (size_t)16 * 4096);
}

enum { PASSED_ON = 200 };

/* Gives back what another thread took, and leaves what it took itself. */
static void *pass_on(void *context)
{
    void **pieces = context;
    for (size_t i = 0; i < PASSED_ON; i++)
        memory_give(pieces[i], i * 50);
    for (size_t i = 0; i < PASSED_ON; i++)
        memset(pieces[i] = memory_take(i * 50), (int)i, i * 50);
    return NULL;
}

static void a_piece_may_be_given_back_by_another_thread(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static void *pieces[THREADS][PASSED_ON];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < (size_t)THREADS * PASSED_ON; i++)
        pieces[i % THREADS][i / THREADS] = memory_take(i / THREADS * 50);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_on, pieces[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < (size_t)THREADS * PASSED_ON; i++) {
        const unsigned char *piece = pieces[i % THREADS][i / THREADS];
        size_t size = i / THREADS * 50;
        for (size_t at = 0; at < size; at += 49)
            assert_int_equal(piece[at], (unsigned char)(i / THREADS));
        memory_give(pieces[i % THREADS][i / THREADS], size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_aligned_and_zeroed),
        cmocka_unit_test(pieces_do_not_overlap_and_keep_their_bytes),
        cmocka_unit_test(the_total_counts_what_was_asked_for),
        cmocka_unit_test(an_arena_may_be_used_after_clear),
        cmocka_unit_test(heap_memory_is_zeroed_and_keeps_its_bytes_when_resized),
        cmocka_unit_test(what_is_given_back_is_taken_again),
        cmocka_unit_test(what_is_given_back_with_another_size_is_seen),
        cmocka_unit_test(every_size_has_room_for_itself),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(a_thread_that_ends_leaves_nothing),
        cmocka_unit_test(a_piece_may_be_given_back_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
