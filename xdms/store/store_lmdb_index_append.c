/* The bulk of a build: documents get numbers, and entries of all of them are gathered and appended. */
#include <stdlib.h>

#include "store_lmdb_index_build.h"

#define NUMBERED_MAX  4096       /* documents that get their numbers in one transaction */
#define SCANNED_MAX   512        /* documents of one read transaction: it keeps old pages from use… */
#define SCANNED_BYTES (4u << 20) /* …if they are small */
#define APPENDED_MAX  100000     /* numbers written in one transaction: a tenth of a second */

/* --- numbers for documents that have none ------------------------------------------------------------------------- */

static int head_number(struct build *build, MDB_txn *txn, struct lmdb_indexes *indexes, const struct document_key *key)
{
    struct lmdb_key place;
    struct text record;
    struct head head;
    lmdb_key_of_document(&place, key);
    int error = lmdb_value(txn, build->lmdb->heads, key_text(&place), &record);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!head_read(key_text(&place), text_copy(&build->lmdb->scratch, record), &head))
        return MDB_CORRUPTED;
    if (head.number)
        return 0;
    error = lmdb_number_give(build->lmdb, txn, indexes, build->slot, &head.key, &head.number);
    struct text numbered = head_write(&build->lmdb->scratch, &head, &place);
    return error ? error : lmdb_put(txn, build->lmdb->heads, key_text(&place), numbered, 0);
}

static int number_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = job_index(job, txn, &indexes, &index);
    for (size_t i = 0; !error && !job->lost && i < job->count; i++)
        error = head_number(job->build, txn, indexes, &job->keys[i]);
    lmdb_indexing_changed(job->build->lmdb);
    return error;
}

/* Keys of those without a number, behind `after`, which is set to the last that was looked at. MDB_NOTFOUND: no more.
 */
static int unnumbered(struct build *build, MDB_txn *txn, struct text *after, struct document_key *keys, size_t *count)
{
    struct lmdb_heads heads;
    int error = lmdb_heads_open(build->lmdb, txn, &build->index, *after, &heads);
    for (size_t i = 0; !error && i < NUMBERED_MAX; i++) {
        if (!heads.head.number)
            keys[(*count)++] = key_copy(&build->arena, &heads.head.key);
        *after = heads.key;
        error = lmdb_heads_next(&heads);
    }
    *after = text_copy(&build->arena, *after);
    mdb_cursor_close(heads.cursor);
    return error;
}

/* Where a walk over heads goes on, which outlives the page. */
struct place {
    char bytes[LMDB_KEY_MAX];
    size_t length;
};

static struct text place_text(const struct place *place)
{
    return (struct text){place->bytes, place->length};
}

static void place_set(struct place *place, struct text key)
{
    if (key.length)
        memcpy(place->bytes, key.bytes, key.length);
    place->length = key.length;
}

static enum status number_all(struct build *build)
{
    struct place place = {.length = 0};
    enum status status = OK;
    for (int error = 0; status == OK && !error;) {
        struct job job = {.build = build};
        struct text after = place_text(&place);
        MDB_txn *txn;
        job.keys = arena_array(&build->arena, struct document_key, NUMBERED_MAX);
        if (lmdb_read_begin(build->lmdb, &txn) != 0)
            return FAILED;
        error = unnumbered(build, txn, &after, job.keys, &job.count);
        lmdb_read_end(build->lmdb, txn);
        place_set(&place, after);
        if (error && error != MDB_NOTFOUND)
            status = FAILED;
        if (status == OK && job.count)
            status = job_run(&job, number_run);
        arena_reset(&build->arena);
    }
    return status;
}

/* --- what is gathered --------------------------------------------------------------------------------------------- */

static int number_order(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* Behind everything, if it can be. */
static int append(MDB_cursor *cursor, struct text key, uint32_t number, bool first)
{
    struct entry_number written = entry_number_write(number);
    MDB_val key_val = val_of(key), value = entry_number_val(&written);
    int error = mdb_cursor_put(cursor, &key_val, &value, first ? MDB_APPEND : MDB_APPENDDUP);
    if (error != MDB_KEYEXIST)
        return error;
    error = mdb_cursor_put(cursor, &key_val, &value, MDB_NODUPDATA);
    return error == MDB_KEYEXIST ? 0 : error;
}

static int append_some(struct job *job, MDB_cursor *cursor, const uint32_t *touched, size_t touched_count)
{
    struct build *build = job->build;
    int error = 0;
    job->key_next = job->key_at;
    job->number_next = job->number_at;
    for (size_t written = 0; !error && written < APPENDED_MAX && job->key_next < job->count;) {
        struct gathered gathered;
        struct entry_key key;
        gather_get(build->gather, job->key_next, &gathered);
        struct text place = entry_key_write(&key, build->table, (unsigned char)gathered.key.bytes[0],
                                            text_slice(gathered.key, 1, gathered.key.length));
        bool first = job->number_next == 0;
        for (; !error && job->number_next < gathered.count && written < APPENDED_MAX; job->number_next++, written++) {
            uint32_t number = gathered.numbers[job->number_next];
            if (touched_count && bsearch(&number, touched, touched_count, sizeof(number), number_order))
                continue;
            error = append(cursor, place, number, first);
            first = false;
        }
        if (job->number_next == gathered.count) {
            job->key_next++;
            job->number_next = 0;
        }
    }
    return error;
}

static int append_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    MDB_cursor *cursor;
    uint32_t *touched = NULL;
    size_t touched_count = 0;
    int error = job_index(job, txn, &indexes, &index);
    if (error || job->lost)
        return error;
    error = touched_read(job->build, txn, SIZE_MAX - 1, &touched, &touched_count);
    if (!error)
        error = mdb_cursor_open(txn, job->build->lmdb->entries, &cursor);
    if (!error) {
        error = append_some(job, cursor, touched, touched_count);
        mdb_cursor_close(cursor);
    }
    free(touched);
    return error;
}

static enum status append_all(struct build *build)
{
    struct job job = {.build = build, .count = gather_sort(build->gather)};
    enum status status = OK;
    while (status == OK && job.key_at < job.count) {
        status = job_run(&job, append_run);
        job.key_at = job.key_next;
        job.number_at = job.number_next;
    }
    gather_reset(build->gather);
    return status;
}

int build_entries(struct build *build, MDB_txn *txn, const struct head *head, struct arena *arena,
                  struct store_entries *entries_out)
{
    struct text stored, bytes;
    int error = lmdb_bytes(build->lmdb, txn, head, &stored);
    if (error)
        return error;
    if (!lmdb_unpack(stored, head->size, arena, &bytes))
        return MDB_CORRUPTED;
    return indexer_ask(&build->lmdb->indexer, build->signature, &head->key, bytes, arena, entries_out)
               ? 0
               : MDB_INCOMPATIBLE;
}

/* A document without a number came after all had theirs: it has been touched. */
static int scan_page(struct build *build, MDB_txn *txn, struct place *place)
{
    struct lmdb_heads heads;
    size_t bytes = 0;
    int error = lmdb_heads_open(build->lmdb, txn, &build->index, place_text(place), &heads);
    for (size_t i = 0; !error && i < SCANNED_MAX && bytes < SCANNED_BYTES; i++) {
        struct store_entries entries = {0};
        bytes += heads.head.size;
        if (heads.head.number)
            error = build_entries(build, txn, &heads.head, &build->arena, &entries);
        for (size_t k = 0; k < entries.count; k++)
            gather_add(build->gather, &entries.list[k], heads.head.number);
        arena_reset(&build->arena);
        build->work->documents++;
        build->work->entries += entries.count;
        place_set(place, heads.key);
        if (!error)
            error = lmdb_heads_next(&heads);
    }
    mdb_cursor_close(heads.cursor);
    return error;
}

static enum status scan_all(struct build *build)
{
    struct place place = {.length = 0};
    enum status status = OK;
    for (int error = 0; status == OK && !error;) {
        MDB_txn *txn;
        if (build->stop && *build->stop)
            return CONFLICT;
        if (lmdb_read_begin(build->lmdb, &txn) != 0)
            return FAILED;
        error = scan_page(build, txn, &place);
        lmdb_read_end(build->lmdb, txn);
        status = build_status(build, error);
        if (status == OK && (error || gather_bytes(build->gather) > build->lmdb->gather_max))
            status = append_all(build);
    }
    return status;
}

enum status build_append(struct build *build)
{
    enum status status = number_all(build);
    return status == OK ? scan_all(build) : status;
}
