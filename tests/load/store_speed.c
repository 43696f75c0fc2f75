/* The store without HTTP beside LMDB alone: N commits of one document each are always under way, each begins again as
 * soon as it is durable. Prints one line of JSON.  store_speed store|lmdb FOLDER N SECONDS BYTES
 * `lmdb`: one thread, transactions of N puts; the same number of puts share one flush to the disk. */
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "store.h"

#define WRITERS_MAX   1024
#define DOCUMENTS     8 /* of each writer, one after another */
#define LATENCIES_MAX 2000000
#define MAP_BYTES     ((size_t)8 << 30)

struct writer {
    struct commit commit;
    char owner[32], name[16];
    char *bytes;
    unsigned serial;
    int64_t began_us;
};

static struct {
    struct store *store;
    size_t bytes;
    int64_t end_us;
    uint64_t commits; /* counted by the committer's thread alone */
    uint32_t latencies[LATENCIES_MAX];
    atomic_uint running;
    pthread_mutex_t lock;
    pthread_cond_t idle;
} bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

static void begin(struct writer *writer);

static void count(int64_t began_us)
{
    int64_t us = clock_monotonic_us() - began_us;
    bench.latencies[us < LATENCIES_MAX ? us : LATENCIES_MAX - 1]++;
    bench.commits++;
}

static void on_done(void *context)
{
    struct writer *writer = context;
    if (writer->commit.status != OK) {
        fprintf(stderr, "store_speed: commit: %s\n", status_name(writer->commit.status));
        exit(EXIT_FAILURE);
    }
    count(writer->began_us);
    if (clock_monotonic_us() < bench.end_us) {
        begin(writer);
        return;
    }
    pthread_mutex_lock(&bench.lock);
    if (atomic_fetch_sub(&bench.running, 1) == 1)
        pthread_cond_signal(&bench.idle);
    pthread_mutex_unlock(&bench.lock);
}

static void next_document(struct writer *writer)
{
    writer->serial++;
    snprintf(writer->name, sizeof(writer->name), "doc%u", writer->serial % DOCUMENTS);
    snprintf(writer->bytes, 16, "%015u", writer->serial);
}

static void begin(struct writer *writer)
{
    next_document(writer);
    writer->commit = (struct commit){
        .key = {TEXT("resource-lists"), text_of(writer->owner), text_of(writer->name)},
        .expected = VERSION_ANY,
        .bytes = {writer->bytes, bench.bytes},
        .who = text_of(writer->owner),
    };
    writer->began_us = clock_monotonic_us();
    store_submit(bench.store, &writer->commit, 1, on_done, writer);
}

static struct writer *new_writers(unsigned count)
{
    struct writer *writers = calloc(count, sizeof(*writers));
    for (unsigned i = 0; i < count; i++) {
        snprintf(writers[i].owner, sizeof(writers[i].owner), "sip:u%u@example.com", i);
        writers[i].bytes = memset(malloc(bench.bytes + 16), 'x', bench.bytes + 16);
    }
    return writers;
}

static void run_store(const char *folder, struct writer *writers, unsigned count)
{
    struct arena arena;
    struct text error;
    arena_init(&arena, "bench");
    bench.store = store_open_lmdb(folder, &arena, &error);
    if (!bench.store) {
        fprintf(stderr, "store_speed: %.*s\n", TEXT_ARG(error));
        exit(EXIT_FAILURE);
    }
    atomic_store(&bench.running, count);
    for (unsigned i = 0; i < count; i++)
        begin(&writers[i]);
    pthread_mutex_lock(&bench.lock);
    while (atomic_load(&bench.running))
        pthread_cond_wait(&bench.idle, &bench.lock);
    pthread_mutex_unlock(&bench.lock);
    store_close(bench.store);
    arena_clear(&arena);
}

static void check(int error)
{
    if (error) {
        fprintf(stderr, "store_speed: %s\n", mdb_strerror(error));
        exit(EXIT_FAILURE);
    }
}

static void put(MDB_txn *txn, MDB_dbi documents, struct writer *writer)
{
    char key[64];
    next_document(writer);
    MDB_val key_val = {(size_t)snprintf(key, sizeof(key), "resource-lists/%s/%s", writer->owner, writer->name), key};
    MDB_val value = {bench.bytes, writer->bytes};
    check(mdb_put(txn, documents, &key_val, &value, 0));
}

static void run_lmdb(const char *folder, struct writer *writers, unsigned number)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi documents = 0;
    check(mdb_env_create(&env));
    check(mdb_env_set_mapsize(env, MAP_BYTES));
    check(mdb_env_open(env, folder, MDB_NOTLS, 0600));
    for (bool opened = false; clock_monotonic_us() < bench.end_us; opened = true) {
        int64_t began_us = clock_monotonic_us();
        check(mdb_txn_begin(env, NULL, 0, &txn));
        if (!opened)
            check(mdb_dbi_open(txn, NULL, 0, &documents));
        for (unsigned i = 0; i < number; i++)
            put(txn, documents, &writers[i]);
        check(mdb_txn_commit(txn));
        for (unsigned i = 0; i < number; i++)
            count(began_us);
    }
    mdb_env_close(env);
}

static unsigned percentile(double part)
{
    uint64_t wanted = (uint64_t)((double)bench.commits * part);
    uint64_t seen = 0;
    for (unsigned us = 0; us < LATENCIES_MAX; us++)
        if ((seen += bench.latencies[us]) > wanted)
            return us;
    return LATENCIES_MAX;
}

/* Transactions so far, from the file itself: how many commits shared a flush is measured, not assumed. */
static size_t transactions(const char *folder)
{
    MDB_env *env;
    MDB_envinfo about;
    check(mdb_env_create(&env));
    check(mdb_env_set_maxdbs(env, 8));
    check(mdb_env_open(env, folder, 0, 0600));
    check(mdb_env_info(env, &about));
    mdb_env_close(env);
    return about.me_last_txnid;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return EXIT_FAILURE;
    const char *folder = argv[2];
    unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    if (count < 1 || count > WRITERS_MAX)
        return EXIT_FAILURE;
    double seconds = atof(argv[4]);
    bench.bytes = strtoul(argv[5], NULL, 10);
    struct writer *writers = new_writers(count);
    size_t before = transactions(folder);
    bench.end_us = clock_monotonic_us() + (int64_t)(seconds * 1e6);
    if (strcmp(argv[1], "store") == 0)
        run_store(folder, writers, count);
    else
        run_lmdb(folder, writers, count);
    printf("{\"per_second\": %.1f, \"p50_us\": %u, \"p99_us\": %u, \"batch\": %.1f}\n", (double)bench.commits / seconds,
           percentile(0.5), percentile(0.99), (double)bench.commits / (double)(transactions(folder) - before));
    for (unsigned i = 0; i < count; i++)
        free(writers[i].bytes);
    free(writers);
    return EXIT_SUCCESS;
}
