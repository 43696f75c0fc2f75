/* The committing half of the LMDB engine: turns a batch of commits (store_lmdb_step.h) into one durable transaction.
 *
 * Where lack of room or damage stops one half way, the whole transaction is given up and each commit of the batch gets
 * one of its own: those that fit succeed, and none sees half of another. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "log.h"
#include "metrics.h"
#include "store_lmdb_step.h"

#define READERS_CHECK_MS 60000 /* slots of killed processes keep old pages from reuse for so long at most */
#define PROBE_BYTES      4096  /* less may still fit into the last block */
#define TRIM_MAX         4     /* old change records dropped per change: catches up without a long transaction */

static struct store_metrics {
    struct metric *full, *batch_seconds;
    struct metric *commits[UNCERTAIN + 1];
} store_metrics;

static void metrics_open(void)
{
    static const enum status results[] = {OK, CONFLICT, TAKEN, FULL, FAILED, UNCERTAIN};
    store_metrics.full = metric_gauge("xdms_store_full", "", "1 while the last write found no room.");
    store_metrics.batch_seconds =
        metric_histogram("xdms_store_batch_seconds", "", "Time to bring one batch of commits to the disk.");
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof(labels), "result=\"%s\"", status_name(results[i]));
        store_metrics.commits[results[i]] =
            metric_counter("xdms_store_commits_total", labels, "Commits by their result.");
    }
}

static struct store_metrics *metrics(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, metrics_open);
    return &store_metrics;
}

enum status lmdb_status_of(int error)
{
    switch (error) {
    case LMDB_UNCERTAIN: return UNCERTAIN;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return FULL;
    default: return FAILED;
    }
}

/* LMDB says EIO for a write that a full disk cut short: asking for one page more tells which it was. */
static int true_reason(struct lmdb_store *store, int error)
{
    mdb_filehandle_t file;
    struct stat about;
    int reason = 0;
    if (error != EIO || !lmdb_hold(store))
        return error;
    if (mdb_env_get_fd(store->env, &file) == 0 && fstat(file, &about) == 0)
        reason = posix_fallocate(file, about.st_size, PROBE_BYTES);
    lmdb_release(store);
    return lmdb_status_of(reason) == FULL ? reason : error;
}

static void report(struct lmdb_store *store, int error)
{
    if (lmdb_status_of(error) != FULL) {
        lmdb_log(store, "commit", error);
        return;
    }
    if (!store->full) /* once: every write until there is room again ends here */
        log_error("store is full folder=%s error=%s", store->folder, mdb_strerror(error));
    store->full = true;
}

static int last_write(struct step *step, struct text name, uint64_t next)
{
    struct number last = number_write(next - 1);
    return lmdb_put(step->txn, step->store->unnamed, name, number_text(&last), 0);
}

/* One record too many, or too old; never the newest. */
static int change_outlived(const struct step *step, MDB_val key, MDB_val value, bool *outlived_out)
{
    const struct store_settings *settings = &step->store->options.settings;
    uint64_t number, newest = step->number - 1;
    struct change change;
    if (!number_read(text_of_val(key), &number) || !change_read(text_of_val(value), &change))
        return MDB_CORRUPTED;
    *outlived_out = number < newest && (newest - number >= settings->changes_max ||
                                        step->now_ms - change.when_ms > settings->changes_ms_max);
    return 0;
}

static int changes_trim(const struct step *step, uint64_t most)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(step->txn, step->store->changes, &cursor);
    if (error)
        return error;
    for (uint64_t i = 0; !error && i < most; i++) {
        bool outlived = false;
        error = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        if (!error)
            error = change_outlived(step, key, value, &outlived);
        if (error || !outlived)
            break;
        error = mdb_cursor_del(cursor, 0);
    }
    mdb_cursor_close(cursor);
    return error;
}

/* What all commits of the transaction share is written once. */
static int transaction_end(struct step *step, uint64_t changes, uint64_t quiet)
{
    int error = lmdb_tallies_write(step->store, step->txn);
    if (!error)
        error = lmdb_shared_write(step->store, step->txn);
    if (!error)
        error = lmdb_indexing_write(step->store, step->txn);
    if (!error && quiet)
        error = last_write(step, LAST_QUIET, step->quiet);
    if (error || changes == 0)
        return error;
    error = changes_trim(step, changes * TRIM_MAX);
    return error ? error : last_write(step, LAST_CHANGE, step->number);
}

/* Sets the status of every commit and returns 0, or gives everything up and returns why; `whole` when it was none of
 * the commits that failed, but the store. */
static int transaction_run(struct lmdb_store *store, struct commit **commits, size_t count, bool *whole_out)
{
    struct step step = {.store = store, .now_ms = store->options.now_ms()};
    uint64_t before, quiet_before;
    *whole_out = true;
    int error = lmdb_write_begin(store, &step.txn);
    if (error)
        return error;
    error = lmdb_last(store, step.txn, &before);
    if (!error)
        error = lmdb_last_quiet(store, step.txn, &quiet_before);
    if (!error) {
        step.number = before + 1;
        step.quiet = quiet_before + 1;
    }
    lmdb_tallies_forget(store); /* of the transaction before, which may have been given up */
    lmdb_shared_forget(store);
    lmdb_indexing_forget(store);
    for (size_t i = 0; !error && i < count; i++) {
        step.commit = commits[i];
        error = lmdb_step_run(&step);
        *whole_out = !error;
        arena_reset(&store->scratch);
    }
    uint64_t changes = error ? 0 : step.number - before - 1, quiet = error ? 0 : step.quiet - quiet_before - 1;
    if (!error) {
        error = transaction_end(&step, changes, quiet);
        *whole_out = !error; /* one alone may do without the page that is damaged, or full */
    }
    if (step.heads)
        mdb_cursor_close(step.heads);
    if (error || !(changes || quiet || step.worked)) {
        lmdb_write_end(store, step.txn, false);
        return error;
    }
    return lmdb_write_end(store, step.txn, true);
}

/* The same, with as much room as the store may have. */
static int transaction_grow(struct lmdb_store *store, struct commit **commits, size_t count, bool *whole_out)
{
    int error = transaction_run(store, commits, count, whole_out);
    while (error == MDB_MAP_FULL && lmdb_map_grow(store))
        error = transaction_run(store, commits, count, whole_out);
    error = true_reason(store, error);
    if (lmdb_status_of(error) == FULL) {
        lmdb_readers_clean(store); /* for the next: a dead reader may hold old pages */
        *whole_out = false;        /* there may be room for some of them */
    }
    return error;
}

/* One by one, when all of them cannot be had at once. */
static void commit_each(struct lmdb_store *store, struct commit **commits, size_t count, int error, bool whole)
{
    int reported = 0;
    for (size_t i = 0; i < count; i++) {
        bool alone;
        if (count > 1 && !whole) {
            lmdb_room(store, &commits[i], 1);
            error = transaction_grow(store, &commits[i], 1, &alone);
        }
        if (!error)
            continue;
        commits_refuse(commits[i], 1, lmdb_status_of(error));
        if (error != reported)
            report(store, error);
        reported = error;
    }
}

void lmdb_commit(void *state, struct commit **commits, size_t count)
{
    struct lmdb_store *store = state;
    int64_t now_ms = clock_monotonic_ms();
    int64_t begin_us = clock_monotonic_us();
    bool whole;
    if (now_ms - store->readers_checked_ms >= READERS_CHECK_MS) {
        lmdb_readers_clean(store);
        store->readers_checked_ms = now_ms;
    }
    /* A tight store has room for some only: deletions first of all. */
    bool split = !lmdb_room(store, commits, count) && count > 1;
    int error = split ? MDB_MAP_FULL : transaction_grow(store, commits, count, &whole);
    if (error)
        commit_each(store, commits, count, error, split ? false : whole);
    if (!store->tight && !error)
        store->full = false;
    metric_set(metrics()->full, store->full);
    metric_observe(metrics()->batch_seconds, clock_monotonic_us() - begin_us);
    for (size_t i = 0; i < count; i++)
        metric_add(metrics()->commits[commits[i]->status], 1);
}
