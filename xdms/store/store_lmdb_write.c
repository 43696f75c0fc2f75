/* The committing half of the LMDB engine: turns a batch of commits into one durable transaction.
 *
 * Every commit is checked against the state inside the transaction before its first write, so that only lack of room
 * or damage can stop it half way. Then the whole transaction is given up and each commit of the batch gets one of
 * its own: those that fit succeed, and none sees half of another. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "log.h"
#include "metrics.h"
#include "store_lmdb_index.h"

#define READERS_CHECK_MS 60000 /* slots of killed processes keep old pages from reuse for so long at most */
#define PROBE_BYTES      4096  /* less may still fit into the last block */
#define QUIET_PACK_MIN   1700  /* what is shorter shares a page with its key as it is, and is read once or twice */
#define TRIM_MAX         4     /* old change records dropped per change: catches up without a long transaction */

/* One commit on its way into a transaction. */
struct step {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct commit *commit;
    struct lmdb_key place; /* of the document in heads */
    struct head old;       /* in the scratch arena: the map changes under writes. Without bytes */
    bool exists;
    uint64_t number, quiet; /* of the change, or the quiet write, that this makes */
    uint32_t index_number;  /* of the document, in its index */
    bool worked;            /* something was written that is neither */
    int64_t now_ms;
};

static int step_run(struct step *step);
static int value_put(struct step *step, MDB_dbi database, struct text key, struct text value, unsigned flags);
static int step_load(struct step *step);
static bool step_allowed(struct step *step, struct text claims, int *error);
static int is_held(struct step *step, bool *held_out);
static int document_write(struct step *step, struct text claims);
static int document_delete(struct step *step);

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
    return value_put(step, step->store->meta, name, number_text(&last), 0);
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
        error = lmdb_indexing_write(step->store, step->txn);
    if (!error && quiet)
        error = last_write(step, META_QUIET, step->quiet);
    if (error || changes == 0)
        return error;
    error = changes_trim(step, changes * TRIM_MAX);
    return error ? error : last_write(step, META_LAST, step->number);
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
    lmdb_indexing_forget(store);
    for (size_t i = 0; !error && i < count; i++) {
        step.commit = commits[i];
        error = step_run(&step);
        *whole_out = !error;
        arena_reset(&store->scratch);
    }
    uint64_t changes = error ? 0 : step.number - before - 1, quiet = error ? 0 : step.quiet - quiet_before - 1;
    if (!error) {
        error = transaction_end(&step, changes, quiet);
        *whole_out = !error; /* one alone may do without the page that is damaged, or full */
    }
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

/* It reads what the commits before it wrote. */
static int job_run(struct step *step)
{
    int error = lmdb_indexing_flush(step->store, step->txn);
    if (!error)
        error = step->commit->job->run(step->commit->job, step->txn);
    if (!error)
        step->commit->status = OK;
    step->worked = true;
    return error;
}

/* 0 with a status in the commit, whatever it is; else an LMDB error, and the transaction is lost. */
static int step_run(struct step *step)
{
    struct commit *commit = step->commit;
    struct text claims = {0};
    int error = 0;
    commits_refuse(commit, 1, FAILED);
    if (commit->job)
        return job_run(step);
    if (!commit_within_limits(commit))
        return 0;
    if (commit->only_with && commit->only_with->status != OK) {
        commit->status = commit->only_with->status;
        return 0;
    }
    error = step_load(step);
    if (error)
        return error;
    if (!commit->deletion)
        claims = claims_write(&step->store->scratch, commit->claims, commit->claims_count);
    if (!step_allowed(step, claims, &error))
        return error;

    commit->status = OK;
    bool kept = !step->exists;
    if (commit->deletion && !kept)
        error = is_held(step, &kept);
    if (error || (commit->deletion && kept))
        return error;
    error = lmdb_indexing_change(step->store, step->txn, commit, step->exists ? &step->old : NULL, &step->index_number);
    if (error)
        return error;
    commit->version = commit->quiet ? VERSION_QUIET | step->quiet++ : step->number++;
    return commit->deletion ? document_delete(step) : document_write(step, claims);
}

static int step_load(struct step *step)
{
    struct text record;
    step->old = (struct head){0};
    lmdb_key_of_document(&step->place, &step->commit->key);
    const struct text place = key_text(&step->place);
    int error = lmdb_value(step->txn, step->store->heads, place, &record);
    step->exists = !error;
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!head_read(place, record, &step->old))
        return MDB_CORRUPTED;
    if (!step->old.number) /* else its index wants to know them */
        record.length -= step->old.bytes.length;
    if (!head_read(place, text_copy(&step->store->scratch, record), &step->old))
        return MDB_CORRUPTED;
    /* Two keys with one SHA-256: neither may overwrite the other. */
    return key_compare(&step->old.key, &step->commit->key) == 0 ? 0 : MDB_KEYEXIST;
}

/* Is there somebody for whom the document must stay? */
static int is_held(struct step *step, bool *held_out)
{
    struct tally tally = {0};
    const struct claim *claim = step->commit->unless_held;
    int error = claim ? lmdb_tally_get(step->store, step->txn, claim, &tally) : 0;
    *held_out = tally.count > 0;
    return error;
}

/* Free, or held by this very document. */
static int claim_is_free(struct step *step, const struct claim *claim, bool *free_out)
{
    const struct text wanted[CLAIM_PARTS] = {claim->kind, claim->value};
    struct text parts[SHARED_PARTS];
    struct lmdb_key place;
    struct text record;
    lmdb_key_write(&place, wanted, CLAIM_PARTS, CLAIM_PARTS);
    int error = lmdb_value(step->txn, step->store->claims, key_text(&place), &record);
    *free_out = error == MDB_NOTFOUND;
    if (error)
        return *free_out ? 0 : error;
    if (!parts_read(record, parts, SHARED_PARTS))
        return MDB_CORRUPTED;
    const struct document_key holder = {parts[2], parts[3], parts[4]};
    *free_out = key_compare(&holder, &step->commit->key) == 0;
    return 0;
}

/* The state that was expected is there, and no claim is another document's. */
static bool step_allowed(struct step *step, struct text claims, int *error)
{
    struct commit *commit = step->commit;
    if (commit->expected != VERSION_ANY && commit->expected != step->old.version) {
        commit->status = CONFLICT;
        commit->version = step->old.version;
        return false;
    }
    if (commit->deletion || text_equal(claims, step->old.claims))
        return true;
    for (size_t i = 0; i < commit->claims_count; i++) {
        bool is_free = true;
        if (!commit->claims[i].shared && !commit->claims[i].counted)
            *error = claim_is_free(step, &commit->claims[i], &is_free);
        if (*error)
            return false;
        if (!is_free) {
            commit->status = TAKEN;
            commit->taken_value = commit->claims[i].value;
            return false;
        }
    }
    return true;
}

static int value_put(struct step *step, MDB_dbi database, struct text key, struct text value, unsigned flags)
{
    MDB_val key_val = val_of(key);
    MDB_val value_val = val_of(value);
    return mdb_put(step->txn, database, &key_val, &value_val, flags);
}

/* What is not there need not be deleted: a document may name one claim twice. */
static int value_delete(struct step *step, MDB_dbi database, struct text key)
{
    MDB_val key_val = val_of(key);
    int error = mdb_del(step->txn, database, &key_val, NULL);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int change_record(struct step *step)
{
    const struct change change = {
        .key = step->commit->key,
        .previous = step->old.version,
        .deletion = step->commit->deletion,
        .when_ms = step->now_ms,
        .who = step->commit->who,
    };
    struct number number = number_write(step->commit->version);
    if (step->commit->quiet)
        return 0;
    return value_put(step, step->store->changes, number_text(&number), change_write(&step->store->scratch, &change),
                     MDB_APPEND);
}

static int old_bytes_delete(struct step *step)
{
    if (!step->exists || head_is_quiet(&step->old))
        return 0;
    struct number version = number_write(step->old.version);
    return value_delete(step, step->store->documents, number_text(&version));
}

static int head_put(struct step *step, const struct head *head)
{
    return value_put(step, step->store->heads, key_text(&step->place),
                     head_write(&step->store->scratch, head, &step->place), 0);
}

static int document_write(struct step *step, struct text claims)
{
    const struct commit *commit = step->commit;
    struct head head = {
        .version = commit->version,
        .modified_ms = step->now_ms,
        .size = (uint32_t)commit->bytes.length,
        .number = step->index_number,
        .key = commit->key,
        .claims = claims,
    };
    bool packs = !commit->quiet || commit->bytes.length >= QUIET_PACK_MIN;
    struct text bytes = packs ? lmdb_pack(commit->bytes, &step->store->scratch) : commit->bytes;
    struct number version = number_write(head.version);
    int error = old_bytes_delete(step);
    if (commit->quiet)
        head.bytes = bytes;
    else if (!error)
        error = value_put(step, step->store->documents, number_text(&version), bytes, MDB_APPEND);
    if (!error)
        error = head_put(step, &head);
    if (!error)
        error = lmdb_claims_replace(step->store, step->txn, &commit->key, step->old.claims, claims);
    return error ? error : change_record(step);
}

static int document_delete(struct step *step)
{
    int error = old_bytes_delete(step);
    if (!error)
        error = value_delete(step, step->store->heads, key_text(&step->place));
    if (!error)
        error = lmdb_claims_replace(step->store, step->txn, &step->commit->key, step->old.claims, (struct text){0});
    return error ? error : change_record(step);
}
