/* Does it pay to compress documents? Writes COUNT documents of about BYTES bytes into an LMDB file as the store does,
 * SHARE in each durable transaction, and reads them at random. Prints one line of JSON. compression
 * none|lz4|zstd1|zstd3|dictionary FOLDER BYTES COUNT SHARE `dictionary`: zstd with a dictionary that was trained on
 * other documents of the kind. */
#include <lmdb.h>
#include <lz4.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zdict.h>
#include <zstd.h>

#define MAP_BYTES       ((size_t)16 << 30)
#define BYTES_MAX       (1u << 20)
#define READS           200000
#define SAMPLES         1000
#define DICTIONARY_SIZE 32768
#define FIRST_SAMPLE    100000000 /* documents that are not among those written */

enum codec { NONE, LZ4, ZSTD1, ZSTD3, DICTIONARY, CODECS };

static const char *const codec_names[CODECS] = {"none", "lz4", "zstd1", "zstd3", "dictionary"};

static struct {
    enum codec codec;
    size_t bytes;
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    ZSTD_CDict *compressing;
    ZSTD_DDict *decompressing;
    char document[BYTES_MAX], packed[2 * BYTES_MAX], unpacked[BYTES_MAX];
} bench;

static void die(const char *what)
{
    fprintf(stderr, "compression: %s\n", what);
    exit(EXIT_FAILURE);
}

static void check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "compression: %s: %s\n", what, mdb_strerror(error));
        exit(EXIT_FAILURE);
    }
}

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* As people are called: no two documents have the same, and a compressor cannot guess them. */
static const char *name_of(uint64_t *state, char buffer[32])
{
    static const char *const syllables[] = {"an", "bel", "ca", "do", "el", "fi", "gu", "ha", "is", "jo", "ka",
                                            "lu", "ma",  "ne", "ol", "pe", "ri", "sa", "to", "ul", "vi", "wa"};
    size_t used = 0;
    size_t count = 2 + next(state) % 3;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(buffer + used, 32 - used, "%s", syllables[next(state) % 22]);
    return buffer;
}

static size_t make_document(unsigned number)
{
    char first[32], last[32];
    uint64_t state = 0x9e3779b97f4a7c15u ^ ((uint64_t)number * 0xbf58476d1ce4e5b9u);
    char *out = bench.document;
    size_t used = (size_t)snprintf(out, BYTES_MAX,
                                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<resource-lists "
                                   "xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\n  <list name=\"friends\">\n");
    while (used + 128 < bench.bytes) {
        name_of(&state, first);
        name_of(&state, last);
        used += (size_t)snprintf(out + used, BYTES_MAX - used,
                                 "    <entry uri=\"sip:%s.%s%u@example.com\">\n"
                                 "      <display-name>%c%s %c%s</display-name>\n    </entry>\n",
                                 first, last, (unsigned)(next(&state) % 1000), first[0] - 32, first + 1, last[0] - 32,
                                 last + 1);
    }
    return used + (size_t)snprintf(out + used, BYTES_MAX - used, "  </list>\n</resource-lists>\n");
}

static void train(void)
{
    char *samples = malloc(SAMPLES * bench.bytes * 2), *dictionary = malloc(DICTIONARY_SIZE);
    size_t sizes[SAMPLES], used = 0;
    if (!samples || !dictionary)
        die("no memory");
    for (unsigned i = 0; i < SAMPLES; i++) {
        sizes[i] = make_document(FIRST_SAMPLE + i);
        memcpy(samples + used, bench.document, sizes[i]);
        used += sizes[i];
    }
    size_t size = ZDICT_trainFromBuffer(dictionary, DICTIONARY_SIZE, samples, sizes, SAMPLES);
    if (ZDICT_isError(size))
        die(ZDICT_getErrorName(size));
    bench.compressing = ZSTD_createCDict(dictionary, size, 3);
    bench.decompressing = ZSTD_createDDict(dictionary, size);
    free(samples);
    free(dictionary);
}

static size_t pack(size_t size)
{
    size_t packed = 0;
    switch (bench.codec) {
    case LZ4: return (size_t)LZ4_compress_default(bench.document, bench.packed, (int)size, sizeof(bench.packed));
    case ZSTD1:
    case ZSTD3:
        packed = ZSTD_compressCCtx(bench.compressor, bench.packed, sizeof(bench.packed), bench.document, size,
                                   bench.codec == ZSTD1 ? 1 : 3);
        break;
    case DICTIONARY:
        packed = ZSTD_compress_usingCDict(bench.compressor, bench.packed, sizeof(bench.packed), bench.document, size,
                                          bench.compressing);
        break;
    default: memcpy(bench.packed, bench.document, size); return size;
    }
    if (ZSTD_isError(packed))
        die(ZSTD_getErrorName(packed));
    return packed;
}

static size_t unpack(MDB_val value)
{
    size_t size = 0;
    switch (bench.codec) {
    case LZ4: return (size_t)LZ4_decompress_safe(value.mv_data, bench.unpacked, (int)value.mv_size, BYTES_MAX);
    case ZSTD1:
    case ZSTD3:
        size = ZSTD_decompressDCtx(bench.decompressor, bench.unpacked, BYTES_MAX, value.mv_data, value.mv_size);
        break;
    case DICTIONARY:
        size = ZSTD_decompress_usingDDict(bench.decompressor, bench.unpacked, BYTES_MAX, value.mv_data, value.mv_size,
                                          bench.decompressing);
        break;
    default: memcpy(bench.unpacked, value.mv_data, value.mv_size); return value.mv_size;
    }
    if (ZSTD_isError(size))
        die(ZSTD_getErrorName(size));
    return size;
}

static MDB_env *open_file(const char *folder, MDB_dbi *database_out)
{
    MDB_env *env;
    MDB_txn *txn;
    check(mdb_env_create(&env), "create");
    check(mdb_env_set_mapsize(env, MAP_BYTES), "map");
    check(mdb_env_open(env, folder, 0, 0600), "open");
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, database_out), "database");
    check(mdb_txn_commit(txn), "commit");
    return env;
}

static void key_of(unsigned number, unsigned char key[8])
{
    memset(key, 0, 8);
    for (int i = 0; i < 4; i++)
        key[7 - i] = (unsigned char)(number >> (8 * i));
}

/* Seconds of the disk and of the processor; making the documents is in neither. */
static void write_all(MDB_env *env, MDB_dbi database, unsigned count, unsigned share, double figures[3])
{
    unsigned char key[8];
    for (unsigned number = 0; number < count;) {
        MDB_txn *txn;
        check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
        for (unsigned i = 0; i < share && number < count; i++, number++) {
            size_t size = make_document(number);
            figures[2] += (double)size;
            double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
            size_t packed = pack(size);
            key_of(number, key);
            MDB_val key_val = {8, key}, value = {packed, bench.packed};
            check(mdb_put(txn, database, &key_val, &value, MDB_APPEND), "put");
            figures[0] += now(CLOCK_MONOTONIC) - wall;
            figures[1] += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
        }
        double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
        check(mdb_txn_commit(txn), "commit");
        figures[0] += now(CLOCK_MONOTONIC) - wall;
        figures[1] += now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    }
}

static double read_all(MDB_env *env, MDB_dbi database, unsigned count)
{
    MDB_txn *txn;
    unsigned char key[8];
    uint64_t state = 88172645463325252u;
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    double cpu = now(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < READS; i++) {
        key_of((unsigned)(next(&state) % count), key);
        MDB_val key_val = {8, key}, value;
        check(mdb_get(txn, database, &key_val, &value), "get");
        if (unpack(value) < bench.bytes / 2)
            die("a document came back short");
    }
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    mdb_txn_abort(txn);
    return cpu;
}

int main(int count, char **arguments)
{
    MDB_dbi database;
    struct stat about;
    char path[4096];
    double figures[3] = {0};
    if (count != 6)
        die("usage: compression CODEC FOLDER BYTES COUNT SHARE");
    while (bench.codec < CODECS && strcmp(arguments[1], codec_names[bench.codec]) != 0)
        bench.codec++;
    bench.bytes = strtoul(arguments[3], NULL, 10);
    unsigned documents = (unsigned)strtoul(arguments[4], NULL, 10), share = (unsigned)strtoul(arguments[5], NULL, 10);
    if (bench.codec == CODECS || bench.bytes < 256 || bench.bytes > BYTES_MAX / 2 || !documents || !share)
        die("what?");
    bench.compressor = ZSTD_createCCtx();
    bench.decompressor = ZSTD_createDCtx();
    if (bench.codec == DICTIONARY)
        train();
    MDB_env *env = open_file(arguments[2], &database);
    write_all(env, database, documents, share, figures);
    double read_s = read_all(env, database, documents);
    mdb_env_close(env);
    snprintf(path, sizeof(path), "%s/data.mdb", arguments[2]);
    if (stat(path, &about) != 0)
        die("no file");
    printf("{\"per_second\": %.1f, \"cpu_us\": %.3f, \"read_us\": %.3f, \"mb\": %.2f, \"file_to_text\": %.3f}\n",
           documents / figures[0], figures[1] * 1e6 / documents, read_s * 1e6 / READS, (double)about.st_size / 1e6,
           (double)about.st_size / figures[2]);
    return 0;
}
