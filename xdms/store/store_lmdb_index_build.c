/* Builds an index while documents are read and changed. Entries of all documents are gathered in memory and appended to
 * a new table in the order of keys, which takes a fraction of the time and of the pages that it takes to put them in
 * one document after another. What is changed meanwhile is remembered by the committer ("touched"): it is left out when
 * entries are appended, and mended when all are. Writes are jobs among the commits of others, each of them short. */
#include "store_lmdb_index_build.h"

#define JOB_BYTES (4u << 20) /* about what one writes */

enum status job_run(struct job *job, job_fn *work)
{
    struct commit commit = {.job = &job->base, .bytes = {"", JOB_BYTES}};
    const struct build *build = job->build;
    if (build->stop && *build->stop)
        return CONFLICT;
    job->base.run = work;
    enum status status = store_commit(build->store, &commit, 1);
    return status == OK && job->lost ? CONFLICT : status == UNCERTAIN ? FAILED : status;
}

int job_index(struct job *job, MDB_txn *txn, struct lmdb_indexes **indexes_out, struct lmdb_index **index_out)
{
    const struct build *build = job->build;
    int error = lmdb_indexing_load(build->lmdb, txn, indexes_out);
    *index_out = error ? NULL : lmdb_index_of(*indexes_out, build->index.usage, build->index.owned);
    job->lost = !*index_out || (*index_out)->building != build->table || build->table == 0;
    return error;
}

enum status build_status(struct build *build, int error)
{
    if (error == 0 || error == MDB_NOTFOUND)
        return OK;
    if (error == MDB_INCOMPATIBLE)
        return CONFLICT;
    lmdb_log(build->lmdb, "build", error);
    return FAILED;
}

static enum status build_all(struct build *build)
{
    enum status status = build_sweep(build);
    if (status == OK)
        status = build_begin(build);
    if (status == OK)
        status = build_append(build);
    if (status == OK)
        status = build_mend(build);
    if (status == OK)
        status = build_finish(build);
    return status == OK ? build_sweep(build) : status;
}

enum status lmdb_index_build(void *state, struct store *store, const struct store_index *index, uint64_t signature,
                             const volatile bool *stop, struct store_index_work *work_out)
{
    struct build build = {.lmdb = state,
                          .store = store,
                          .index = *index,
                          .signature = signature,
                          .stop = stop,
                          .work = work_out,
                          .gather = gather_new()};
    arena_init(&build.arena, "build");
    enum status status = build_all(&build);
    arena_clear(&build.arena);
    gather_free(build.gather);
    return status;
}
