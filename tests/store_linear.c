/* Single documents are linearizable in every engine: writers that compare and set, and readers, at once; in threads,
 * and for a store on disk in processes too. What happened is written down, and the checker of linear.h proves it; the
 * checker itself is held against the definition. */
#include "store_engines.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "linear.h"

#define WORKERS    8
#define OPS        800 /* of one worker */
#define SHORT_OPS  7
#define HISTORIES  20000
#define RETURN_GAP 3

/* --- the checker -------------------------------------------------------------------------------------------------- */

static void known_histories_are_told_apart(void **state)
{
    (void)state;
    struct linear_op good[] = {
        {LINEAR_WRITE, 1, 4, 0, 5, 50}, {LINEAR_READ, 2, 3, 0, 5, 50},   {LINEAR_WRITE, 5, 9, 5, 7, 70},
        {LINEAR_READ, 6, 7, 0, 5, 50},  {LINEAR_REFUSED, 6, 8, 5, 7, 0}, {LINEAR_READ, 10, 11, 0, 7, 70},
    };
    assert_true(linear_check(good, COUNT(good)));
    struct linear_op stale[] = {
        {LINEAR_WRITE, 1, 2, 0, 5, 50}, {LINEAR_WRITE, 3, 4, 5, 6, 60}, {LINEAR_READ, 5, 6, 0, 5, 50}};
    assert_false(linear_check(stale, COUNT(stale)));
    struct linear_op future[] = {{LINEAR_READ, 1, 2, 0, 5, 50}, {LINEAR_WRITE, 3, 4, 0, 5, 50}};
    assert_false(linear_check(future, COUNT(future)));
    struct linear_op back[] = {
        {LINEAR_WRITE, 1, 9, 0, 5, 50}, {LINEAR_READ, 2, 3, 0, 5, 50}, {LINEAR_READ, 4, 5, 0, 0, 0}};
    assert_false(linear_check(back, COUNT(back)));
    struct linear_op lost[] = {
        {LINEAR_WRITE, 1, 2, 0, 5, 50}, {LINEAR_WRITE, 3, 4, 5, 6, 60}, {LINEAR_WRITE, 3, 4, 5, 7, 70}};
    assert_false(linear_check(lost, COUNT(lost)));
    struct linear_op torn[] = {{LINEAR_WRITE, 1, 2, 0, 5, 50}, {LINEAR_READ, 3, 4, 0, 5, 51}};
    assert_false(linear_check(torn, COUNT(torn)));
    struct linear_op refused[] = {{LINEAR_WRITE, 1, 2, 0, 5, 50}, {LINEAR_REFUSED, 3, 4, 5, 5, 0}};
    assert_false(linear_check(refused, COUNT(refused)));
    struct linear_op unwritten[] = {{LINEAR_READ, 3, 4, 0, 9, 9}};
    assert_false(linear_check(unwritten, COUNT(unwritten)));
}

static uint64_t random_state = 1;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(random_state >> 33) % limit;
}

/* What one register would have done, with some of it bent. */
static size_t random_history(struct linear_op *ops)
{
    size_t count = 1 + below(SHORT_OPS);
    uint64_t version = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t moment = (int64_t)(i + 1) * 4;
        struct linear_op *op = &ops[i];
        *op = (struct linear_op){.kind = (enum linear_kind)below(3), .version = version, .value = version * 10};
        op->called = moment - below(10);
        op->returned = moment + below(10);
        if (op->kind != LINEAR_READ)
            op->expected = below(4) || op->kind == LINEAR_WRITE ? version : below(9);
        if (op->kind == LINEAR_WRITE)
            version = op->version = version + 1 + below(2);
        op->value = op->version * 10;
    }
    for (unsigned bends = below(3); bends > 0; bends--) {
        struct linear_op *op = &ops[below((unsigned)count)];
        switch (below(4)) {
        case 0: op->version = below(6); break;
        case 1: op->value += below(2); break;
        case 2: op->expected = below(6); break;
        default: op->called += below(8); op->returned = op->called + RETURN_GAP;
        }
    }
    return count;
}

static void the_checker_agrees_with_the_definition(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct linear_op ops[SHORT_OPS];
        size_t count = random_history(ops);
        bool defined = linear_search(ops, count, 0, 0, 0);
        if (linear_check(ops, count) != defined)
            fail_msg("history %u: the definition says %d", i, defined);
        accepted += defined;
    }
    assert_in_range(accepted, HISTORIES / 10, HISTORIES * 9 / 10); /* both kinds were there */
}

/* --- the engines -------------------------------------------------------------------------------------------------- */

struct worker {
    struct store *store;
    unsigned number;
    struct linear_op ops[OPS];
    pthread_t thread;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t value_of(struct text bytes)
{
    uint64_t value = 0;
    return text_to_u64(bytes, &value) ? value : UINT64_MAX;
}

static void read_one(struct worker *worker, struct linear_op *op, struct arena *scratch)
{
    struct stored found;
    const struct document_key one = key("u", "o", "one");
    op->kind = LINEAR_READ;
    op->called = now_ns();
    enum status status = store_get(worker->store, &one, scratch, &found);
    op->returned = now_ns();
    assert_true(status == OK || status == NOT_FOUND);
    op->version = status == OK ? found.version : 0;
    op->value = status == OK ? value_of(found.bytes) : 0;
}

static void write_one(struct worker *worker, struct linear_op *op, uint64_t value, struct arena *scratch)
{
    struct commit commit =
        change(key("u", "o", "one"), op[-1].version, text_format(scratch, "%llu", (unsigned long long)value));
    op->expected = op[-1].version;
    op->value = value;
    op->called = now_ns();
    enum status status = store_commit(worker->store, &commit, 1);
    op->returned = now_ns();
    assert_true(status == OK || status == CONFLICT);
    op->kind = status == OK ? LINEAR_WRITE : LINEAR_REFUSED;
    op->version = commit.version;
}

/* Reads and then writes what it read, if nobody else did meanwhile. */
static void *work(void *context)
{
    struct worker *worker = context;
    struct arena scratch;
    arena_init(&scratch, "worker");
    for (unsigned i = 0; i < OPS; i++) {
        bool writes = i % 2 == 1 && worker->number % 4 != 3; /* a quarter reads alone */
        if (writes && i % 16 == 1)                           /* what was read grows old */
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        if (writes)
            write_one(worker, &worker->ops[i], (uint64_t)worker->number * OPS + i + 1, &scratch);
        else
            read_one(worker, &worker->ops[i], &scratch);
        arena_reset(&scratch);
    }
    arena_clear(&scratch);
    return NULL;
}

static void assert_linear(const struct worker *workers, size_t count)
{
    struct linear_op *history = arena_array(&arena, struct linear_op, count * OPS);
    unsigned kinds[3] = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < OPS; k++) {
            history[i * OPS + k] = workers[i].ops[k];
            kinds[workers[i].ops[k].kind]++;
        }
    assert_true(linear_check(history, count * OPS));
    assert_true(kinds[LINEAR_READ] > 0 && kinds[LINEAR_WRITE] > 0 && kinds[LINEAR_REFUSED] > 0); /* they met */
    /* Had one read been told the version of before, it would have been found out. */
    for (size_t i = count * OPS; i-- > 0;)
        if (history[i].kind == LINEAR_READ && history[i].version) {
            history[i].version = 0;
            break;
        }
    assert_false(linear_check(history, count * OPS));
}

static void threads_see_one_document_after_another(void **state)
{
    (void)state;
    struct worker *workers = arena_array(&arena, struct worker, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].store = store;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_linear(workers, WORKERS);
}

/* --- several processes -------------------------------------------------------------------------------------------- */

static bool transfer(int fd, void *bytes, size_t length, bool out)
{
    for (size_t done = 0; done < length;) {
        ssize_t moved =
            out ? write(fd, (char *)bytes + done, length - done) : read(fd, (char *)bytes + done, length - done);
        if (moved <= 0)
            return false;
        done += (size_t)moved;
    }
    return true;
}

static _Noreturn void work_apart(struct worker *workers, int output)
{
    struct text error;
    struct store *own = store_open_lmdb(folder, &arena, &error);
    if (!own)
        _exit(1);
    for (unsigned i = 0; i < WORKERS / 2; i++) {
        workers[i].store = own;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            _exit(2);
    }
    for (unsigned i = 0; i < WORKERS / 2; i++)
        pthread_join(workers[i].thread, NULL);
    store_close(own);
    bool told = true;
    for (unsigned i = 0; i < WORKERS / 2; i++)
        told = told && transfer(output, workers[i].ops, sizeof(workers[i].ops), true);
    _exit(told ? 0 : 3);
}

static void processes_see_one_document_after_another(void **state)
{
    (void)state;
    struct worker *workers = arena_array(&arena, struct worker, WORKERS);
    pid_t processes[2];
    int ends[2][2], result;
    assert_true(scratch_make(folder, "store_linear"));
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i].number = i;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        fflush(NULL);
        processes[i] = fork();
        assert_true(processes[i] >= 0);
        if (processes[i] == 0)
            work_apart(workers + i * WORKERS / 2, ends[i][1]);
        close(ends[i][1]);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_true(transfer(ends[i / (WORKERS / 2)][0], workers[i].ops, sizeof(workers[i].ops), false));
    for (int i = 0; i < 2; i++) {
        close(ends[i][0]);
        assert_int_equal(waitpid(processes[i], &result, 0), processes[i]);
        assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    }
    assert_linear(workers, WORKERS);
    assert_int_equal(scratch_remove(folder), 0);
}

static int begin_arena(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    return 0;
}

static int end_arena(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest checker[] = {
        cmocka_unit_test(known_histories_are_told_apart),
        cmocka_unit_test(the_checker_agrees_with_the_definition),
        cmocka_unit_test_setup_teardown(processes_see_one_document_after_another, begin_arena, end_arena),
    };
    const struct CMUnitTest promises[] = {PROMISE(threads_see_one_document_after_another)};
    int failed = cmocka_run_group_tests_name("linear", checker, NULL, NULL);
    for (size_t i = 0; i < COUNT(engines); i++) {
        engine = &engines[i];
        failed += cmocka_run_group_tests_name(engine->name, promises, NULL, NULL);
    }
    return failed;
}
