/* Cuts the power: what a store wrote is written down in order, and for many moments the file is made anew as a disk
 * might hold it that had reported only the flushes of before: what was written since is there, missing, or torn at a
 * sector. Each is opened: all that was acknowledged by then must be in it, nothing else by halves, and it must go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xdms/store/store_lmdb.h"
#include "disk.h"
#include "scratch.h"
#include "store_stream.h"

#define BATCHES 400
#define SECTOR  512 /* what a disk writes as a whole */
#ifdef __SANITIZE_ADDRESS__
#define CUTS 60 /* each is a process, which the sanitizer looks through at its end */
#else
#define CUTS 600 /* XDM_POWERCUT_CUTS: more */
#endif
#define PENDING_MAX 4096

static const struct stream stream = {"s", 1};
static char scratch[SCRATCH_MAX], memory[SCRATCH_MAX];
static char folder[SCRATCH_MAX + 8], image[SCRATCH_MAX + 8], log_path[SCRATCH_MAX + 8];
static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    if (!scratch_make(scratch, "powercut"))
        return -1;
    snprintf(folder, sizeof(folder), "%s/data", scratch);
    /* In memory if there is such a place: what is tested is the bytes. */
    snprintf(memory, sizeof(memory), "/dev/shm/powercut_XXXXXX");
    const char *place = mkdtemp(memory) ? memory : scratch;
    snprintf(image, sizeof(image), "%s/image", place);
    snprintf(log_path, sizeof(log_path), "%s/log", scratch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    if (access(memory, F_OK) == 0)
        scratch_remove(memory);
    return scratch_remove(scratch);
}

/* Grows its map and drops change records on the way. */
static struct store *opened(const char *path)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    struct text error;
    options.settings.map_bytes = 128u << 10;
    options.settings.changes_max = 50;
    struct store *store = lmdb_open(path, &options, &arena, &error);
    if (!store)
        fail_msg("%.*s", TEXT_ARG(error));
    return store;
}

static void write_stream(void)
{
    struct arena round;
    arena_init(&round, "round");
    disk_log = open(log_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct store *store = opened(folder);
    disk_mark(0);
    for (uint64_t batch = 1; batch <= BATCHES; batch++) {
        struct commit commits[STREAM_BATCH_MAX];
        size_t count = stream_commits(&stream, batch, &round, commits);
        assert_int_equal(store_commit(store, commits, count), OK);
        disk_mark(batch);
        arena_reset(&round);
    }
    store_close(store);
    close(disk_log);
    disk_log = -1;
    arena_clear(&round);
}

/* --- the log, and the disk that it tells of ---------------------------------------------------------------------- */

struct event {
    struct disk_record record;
    const char *bytes;
};

static struct event *events;
static size_t events_count;

static void read_log(void)
{
    struct stat about;
    assert_int_equal(stat(log_path, &about), 0);
    char *bytes = arena_alloc(&arena, (size_t)about.st_size);
    FILE *file = fopen(log_path, "rb");
    assert_int_equal(fread(bytes, 1, (size_t)about.st_size, file), about.st_size);
    fclose(file);
    events = arena_array(&arena, struct event, (size_t)about.st_size / sizeof(struct disk_record));
    events_count = 0;
    for (size_t at = 0; at < (size_t)about.st_size;) {
        struct event *event = &events[events_count++];
        memcpy(&event->record, bytes + at, sizeof(event->record));
        event->bytes = bytes + at + sizeof(event->record);
        at += sizeof(event->record) + event->record.length;
    }
}

struct disk {
    char *bytes; /* what is on the disk for sure */
    size_t length, capacity;
    const struct event *pending[PENDING_MAX]; /* written, and not flushed */
    size_t pending_count;
    uint64_t acknowledged;
    bool begun;      /* the store was open: the first mark */
    bool lies;       /* says that it flushed, and did not: what the test must find */
    uint64_t random; /* state */
};

static uint64_t disk_random(struct disk *disk, uint64_t below)
{
    disk->random += 0x9E3779B97F4A7C15ull;
    uint64_t number = disk->random;
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9ull;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EBull;
    return (number ^ (number >> 31)) % below;
}

static void disk_store(struct disk *disk, uint64_t offset, const char *bytes, size_t length)
{
    if (offset + length > disk->capacity) {
        size_t capacity = (offset + length) * 2;
        disk->bytes = memory_resize(disk->bytes, capacity);
        memset(disk->bytes + disk->capacity, 0, capacity - disk->capacity);
        disk->capacity = capacity;
    }
    memcpy(disk->bytes + offset, bytes, length);
    if (offset + length > disk->length)
        disk->length = offset + length;
}

static void disk_write_whole(struct disk *disk, const struct event *event)
{
    disk_store(disk, event->record.offset, event->bytes, event->record.length);
}

static void disk_take(struct disk *disk, const struct event *event)
{
    switch ((enum disk_kind)event->record.kind) {
    case DISK_LOG_WRITE_SYNCED:
        if (!disk->lies) {
            disk_write_whole(disk, event);
            break;
        } /* fall through */
    case DISK_LOG_WRITE:
        assert_true(disk->pending_count < PENDING_MAX);
        disk->pending[disk->pending_count++] = event;
        break;
    case DISK_LOG_SYNC:
        for (size_t i = 0; !disk->lies && i < disk->pending_count; i++)
            disk_write_whole(disk, disk->pending[i]);
        if (!disk->lies)
            disk->pending_count = 0;
        break;
    case DISK_LOG_MARK:
        disk->acknowledged = event->record.offset;
        disk->begun = true;
        break;
    }
}

/* Some of its sectors. */
static void disk_write_torn(struct disk *disk, const struct event *event)
{
    const struct disk_record *record = &event->record;
    for (uint64_t at = record->offset; at < record->offset + record->length;) {
        uint64_t next = (at / SECTOR + 1) * SECTOR;
        if (next > record->offset + record->length)
            next = record->offset + record->length;
        if (disk_random(disk, 2))
            disk_store(disk, at, event->bytes + (at - record->offset), next - at);
        at = next;
    }
}

enum fate { FATE_MISSING, FATE_WHOLE, FATE_TORN, FATE_ANY };

/* The power is gone: what was not flushed meets its fate. */
static void disk_cut(struct disk *disk, const struct event *in_flight)
{
    enum fate all = (enum fate)disk_random(disk, FATE_ANY + 1);
    if (in_flight && in_flight->record.length)
        disk->pending[disk->pending_count++] = in_flight;
    for (size_t i = 0; i < disk->pending_count; i++) {
        enum fate fate = all == FATE_ANY ? (enum fate)disk_random(disk, FATE_ANY) : all;
        if (fate == FATE_WHOLE)
            disk_write_whole(disk, disk->pending[i]);
        if (fate == FATE_TORN)
            disk_write_torn(disk, disk->pending[i]);
    }
}

static void disk_save(const struct disk *disk)
{
    char path[SCRATCH_MAX + 32];
    if (access(image, F_OK) == 0)
        assert_int_equal(scratch_remove(image), 0);
    assert_int_equal(mkdir(image, 0700), 0);
    snprintf(path, sizeof(path), "%s/data.mdb", image);
    FILE *file = fopen(path, "wb");
    if (disk->length)
        assert_int_equal(fwrite(disk->bytes, 1, disk->length, file), disk->length);
    assert_int_equal(fclose(file), 0);
}

/* --- what the store makes of it ---------------------------------------------------------------------------------- */

static void count_problem(void *context, struct text line)
{
    unsigned *problems = context;
    if (++*problems < 3)
        fprintf(stderr, "%.*s\n", TEXT_ARG(line));
}

/* False when something was lost or is there by halves. Runs in a process of its own: a lying disk may crash it. */
static bool survives(uint64_t acknowledged)
{
    unsigned problems = 0;
    uint64_t batches = 0;
    struct stream_state wanted = {0};
    struct text error;
    struct store *store = store_open_lmdb(image, &arena, &error);
    if (!store)
        return false;
    bool good = store_check(store, count_problem, &problems) == OK && stream_serial(&stream, store, &arena, &batches);
    /* One call at a time was made: at most that one may be there without having been acknowledged. */
    good = good && batches >= acknowledged && batches <= acknowledged + 1;
    while (good && wanted.batches < batches)
        stream_apply(&stream, &wanted);
    good = good && stream_compare(&stream, &wanted, store, &arena).length == 0;
    struct commit commits[STREAM_BATCH_MAX];
    size_t count = good ? stream_commits(&stream, batches + 1, &arena, commits) : 0;
    good = good && store_commit(store, commits, count) == OK && store_check(store, count_problem, &problems) == OK;
    if (good) {
        stream_apply(&stream, &wanted);
        good = stream_compare(&stream, &wanted, store, &arena).length == 0;
    }
    store_close(store);
    return good;
}

static bool survives_apart(uint64_t acknowledged)
{
    int result;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        _exit(survives(acknowledged) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

/* Cuts after event `cut`; true when the store survives it. */
static bool cut_at(size_t cut, bool lies, uint64_t seed)
{
    struct disk disk = {.lies = lies, .random = seed};
    for (size_t i = 0; i < cut; i++)
        disk_take(&disk, &events[i]);
    disk_cut(&disk, cut < events_count ? &events[cut] : NULL);
    disk_save(&disk);
    free(disk.bytes);
    return survives_apart(disk.acknowledged);
}

static size_t first_mark(void)
{
    size_t at = 0;
    while (at < events_count && events[at].record.kind != DISK_LOG_MARK)
        at++;
    return at + 1;
}

static void nothing_acknowledged_is_lost_when_the_power_is_cut(void **state)
{
    (void)state;
    write_stream();
    read_log();
    size_t first = first_mark();
    unsigned cuts = stream_rounds("XDM_POWERCUT_CUTS", CUTS);
    struct disk random = {.random = stream_rounds("XDM_POWERCUT_SEED", 1)};
    assert_true(events_count > BATCHES * 3); /* each batch: its pages, a flush, the page that makes it valid */
    for (unsigned i = 0; i < cuts; i++) {
        size_t cut = first + (size_t)disk_random(&random, events_count - first + 1);
        uint64_t seed = disk_random(&random, UINT64_MAX);
        if (!cut_at(cut, false, seed))
            fail_msg("cut after event %zu with seed %llu", cut, (unsigned long long)seed);
    }
}

/* Else the test above would prove nothing. */
static void a_disk_that_lies_about_flushes_is_found_out(void **state)
{
    (void)state;
    write_stream();
    read_log();
    size_t first = first_mark();
    struct disk random = {.random = 2};
    unsigned lost = 0;
    for (unsigned i = 0; i < 20; i++)
        lost += !cut_at(first + (size_t)disk_random(&random, events_count - first), true, i);
    assert_in_range(lost, 10, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost_when_the_power_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_lies_about_flushes_is_found_out, begin, end),
    };
    return cmocka_run_group_tests_name("powercut", tests, NULL, NULL);
}
