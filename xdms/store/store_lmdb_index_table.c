/* Tables of indexes come and go: one begins to be built, answers from then on when it is whole, and is taken away bit
 * by bit when another does. */
#include "store_lmdb_index_build.h"

#define SWEPT_MAX 20000 /* keys taken away in one transaction */

static int index_make(struct build *build, struct lmdb_indexes *indexes, struct lmdb_index **index_out)
{
    *index_out = lmdb_index_of(indexes, build->index.usage, build->index.owned);
    if (*index_out)
        return 0;
    if (indexes->count == INDEXES_MAX)
        return MDB_TXN_FULL;
    *index_out = &indexes->list[indexes->count++];
    **index_out = (struct lmdb_index){.slot = (unsigned char)indexes->count, .owned = build->index.owned};
    (*index_out)->usage = text_copy(lmdb_indexing_arena(build->lmdb), build->index.usage);
    return 0;
}

static int begin_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct build *build = job->build;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = lmdb_indexing_load(build->lmdb, txn, &indexes);
    if (!error)
        error = index_make(build, indexes, &index);
    if (!error && index->signature != build->signature)
        error = lmdb_table_bury(indexes, &index->serving);
    if (!error)
        error = lmdb_table_bury(indexes, &index->building);
    if (error)
        return error;
    lmdb_indexing_changed(build->lmdb);
    index->signature = build->signature;
    index->building = lmdb_table_new(indexes);
    index->appending = true;
    build->table = index->building;
    build->slot = index->slot;
    return 0;
}

static int begin_empty_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct build *build = job->build;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    struct lmdb_heads heads;
    int error = lmdb_heads_open(build->lmdb, txn, &build->index, TEXT(""), &heads);
    mdb_cursor_close(heads.cursor);
    job->lost = !error;
    if (error != MDB_NOTFOUND)
        return error;
    error = lmdb_indexing_load(build->lmdb, txn, &indexes);
    if (!error)
        error = index_make(build, indexes, &index);
    if (!error)
        error = lmdb_table_bury(indexes, &index->building);
    if (!error && index->signature != build->signature)
        error = lmdb_table_bury(indexes, &index->serving);
    if (error)
        return error;
    lmdb_indexing_changed(build->lmdb);
    index->signature = build->signature;
    if (!index->serving)
        index->serving = lmdb_table_new(indexes);
    return 0;
}

enum status lmdb_index_begin(void *state, struct store *store, const struct store_index *index, uint64_t signature)
{
    struct build build = {.lmdb = state, .store = store, .index = *index, .signature = signature};
    struct job job = {.build = &build};
    return job_run(&job, begin_empty_run);
}

enum status build_begin(struct build *build)
{
    struct job job = {.build = build};
    return job_run(&job, begin_run);
}

static int sweep_table(struct lmdb_store *lmdb, MDB_txn *txn, unsigned table, size_t *left)
{
    MDB_cursor *cursor;
    struct entry_key written;
    struct text prefix = text_slice(entry_key_write(&written, table, 0, TEXT("")), 0, 2);
    int error = mdb_cursor_open(txn, lmdb->entries, &cursor);
    if (error)
        return error;
    for (; !error && *left; (*left)--) {
        MDB_val key = val_of(prefix), value;
        error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (!error && !text_starts_with(text_of_val(key), prefix))
            error = MDB_NOTFOUND;
        if (!error)
            error = mdb_cursor_del(cursor, MDB_NODUPDATA);
    }
    mdb_cursor_close(cursor);
    return error;
}

static int sweep_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    size_t left = SWEPT_MAX;
    int error = lmdb_indexing_load(job->build->lmdb, txn, &indexes);
    while (!error && left && indexes->dead_count) {
        error = sweep_table(job->build->lmdb, txn, indexes->dead[indexes->dead_count - 1], &left);
        if (error == MDB_NOTFOUND) {
            indexes->dead_count--;
            lmdb_indexing_changed(job->build->lmdb);
            error = 0;
        }
    }
    job->more = !error && indexes->dead_count;
    return error;
}

enum status build_sweep(struct build *build)
{
    enum status status = OK;
    for (bool more = true; status == OK && more;) {
        struct job job = {.build = build};
        status = job_run(&job, sweep_run);
        more = job.more;
    }
    return status;
}

static int finish_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = job_index(job, txn, &indexes, &index);
    if (!error && !job->lost)
        error = lmdb_table_bury(indexes, &index->serving);
    if (error || job->lost)
        return error;
    index->serving = index->building;
    index->building = 0;
    lmdb_indexing_changed(job->build->lmdb);
    return 0;
}

enum status build_finish(struct build *build)
{
    struct job job = {.build = build};
    return job_run(&job, finish_run);
}
