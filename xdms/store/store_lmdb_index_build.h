/* What the files of a build share: each step of it is a job of the committer. */
#ifndef STORE_LMDB_INDEX_BUILD_H
#define STORE_LMDB_INDEX_BUILD_H

#include "store_lmdb_index.h"

struct build {
    struct lmdb_store *lmdb;
    struct store *store;
    struct store_index index;
    uint64_t signature;
    const volatile bool *stop;
    struct store_index_work *work;
    unsigned table;
    unsigned char slot;
    struct gather *gather;
    struct arena arena; /* of one page */
};

struct job {
    struct store_job base;
    struct build *build;
    bool lost; /* the table is not ours any more: CONFLICT */
    bool more; /* to be run again */
    /* what it works on */
    struct document_key *keys;
    struct mended *mended;
    size_t count;
    size_t key_at, number_at;     /* of what is gathered: from here… */
    size_t key_next, number_next; /* …to here */
};

typedef int job_fn(struct store_job *base, void *transaction);

enum status job_run(struct job *job, job_fn *work);
/* The index, as long as it is this build that builds it: else the job is lost. */
int job_index(struct job *job, MDB_txn *txn, struct lmdb_indexes **indexes_out, struct lmdb_index **index_out);
enum status build_status(struct build *build, int error); /* of a read */

/* store_lmdb_index_table.c: a table of its own; it answers from now on; those that are dead go. */
enum status build_begin(struct build *build);
enum status build_finish(struct build *build);
enum status build_sweep(struct build *build);

/* store_lmdb_index_append.c: entries of all documents, in order. */
enum status build_append(struct build *build);
/* The entries of a document, by the rules of the build; MDB_INCOMPATIBLE: there are other rules now. */
int build_entries(struct build *build, MDB_txn *txn, const struct head *head, struct arena *arena,
                  struct store_entries *entries_out);

/* store_lmdb_index_mend.c: those that changed since the build began. */
enum status build_mend(struct build *build);
/* As this transaction sees them, sorted; the caller frees them. */
int touched_read(struct build *build, MDB_txn *txn, size_t most, uint32_t **list_out, size_t *count_out);

#endif
