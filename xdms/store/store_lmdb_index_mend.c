/* Documents that changed while others were appended are read again, and put in. */
#include <stdlib.h>

#include "store_lmdb_index_build.h"

#define MENDED_MAX 256 /* documents mended in one transaction */

int touched_read(struct build *build, MDB_txn *txn, size_t most, uint32_t **list_out, size_t *count_out)
{
    struct entry_key key;
    MDB_cursor *cursor;
    size_t all = 0;
    bool more;
    struct text place = entry_key_write(&key, build->table, FIELD_TOUCHED, TEXT(""));
    MDB_val key_val = val_of(place), value;
    *count_out = 0;
    int error = mdb_cursor_open(txn, build->lmdb->entries, &cursor);
    if (error)
        return error;
    error = mdb_cursor_get(cursor, &key_val, &value, MDB_SET_KEY);
    if (!error)
        error = mdb_cursor_count(cursor, &all);
    if (!error) {
        most = all < most ? all : most;
        *list_out = memory_new((most + 1) * sizeof(uint32_t));
        error = lmdb_entry_numbers(cursor, place, most, *list_out, count_out, &more);
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

struct mended {
    uint32_t number;
    struct document_key key;
    uint64_t version;
    struct store_entries entries;
};

static int appended_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = job_index(job, txn, &indexes, &index);
    if (error || job->lost)
        return error;
    index->appending = false;
    lmdb_indexing_changed(job->build->lmdb);
    return 0;
}

static int head_of(struct build *build, MDB_txn *txn, const struct document_key *key, struct head *head_out)
{
    struct lmdb_key place;
    struct text record;
    lmdb_key_of_document(&place, key);
    int error = lmdb_value(txn, build->lmdb->heads, key_text(&place), &record);
    if (error)
        return error;
    if (!head_read(key_text(&place), record, head_out))
        return MDB_CORRUPTED;
    bool same = key_compare(&head_out->key, key) == 0; /* its texts may point into the place */
    head_out->key = *key;
    return same ? 0 : MDB_NOTFOUND;
}

/* A number that nobody has any more gets no entries. */
static int mended_read(struct build *build, MDB_txn *txn, struct mended *mended)
{
    struct document_key key;
    struct head head;
    unsigned char slot;
    int error = lmdb_number_row(build->lmdb, txn, mended->number, &slot, &key);
    key.usage = build->index.usage;
    if (!error)
        error = head_of(build, txn, &key, &head);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    mended->key = key_copy(&build->arena, &head.key);
    mended->version = head.version;
    return build_entries(build, txn, &head, &build->arena, &mended->entries);
}

static int mend_put(struct build *build, MDB_cursor *cursor, const struct mended *mended)
{
    struct entry_number number = entry_number_write(mended->number);
    int error = 0;
    for (size_t i = 0; !error && i < mended->entries.count; i++) {
        struct entry_key key;
        const struct store_entry *entry = &mended->entries.list[i];
        MDB_val place = val_of(entry_key_write(&key, build->table, entry->field, entry->value));
        MDB_val value = entry_number_val(&number);
        error = mdb_cursor_put(cursor, &place, &value, MDB_NODUPDATA);
        error = error == MDB_KEYEXIST ? 0 : error;
    }
    return error;
}

static int touched_forget(struct build *build, MDB_txn *txn, uint32_t number)
{
    struct entry_key key;
    struct entry_number written = entry_number_write(number);
    MDB_val place = val_of(entry_key_write(&key, build->table, FIELD_TOUCHED, TEXT("")));
    MDB_val value = entry_number_val(&written);
    int error = mdb_del(txn, build->lmdb->entries, &place, &value);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* One that changed since it was read was put in whole by that change. */
static int mend_one(struct build *build, MDB_txn *txn, const struct mended *mended)
{
    struct head head;
    MDB_cursor *cursor;
    int error = mended->version ? head_of(build, txn, &mended->key, &head) : MDB_NOTFOUND;
    if (!error && head.version == mended->version && head.number == mended->number) {
        error = mdb_cursor_open(txn, build->lmdb->entries, &cursor);
        if (error)
            return error;
        error = mend_put(build, cursor, mended);
        mdb_cursor_close(cursor);
    }
    return error && error != MDB_NOTFOUND ? error : touched_forget(build, txn, mended->number);
}

static int mend_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = job_index(job, txn, &indexes, &index);
    for (size_t i = 0; !error && !job->lost && i < job->count; i++)
        error = mend_one(job->build, txn, &job->mended[i]);
    return error;
}

static int touched_page(struct build *build, struct job *job)
{
    uint32_t *list = NULL;
    MDB_txn *txn;
    int error = lmdb_read_begin(build->lmdb, &txn);
    if (error)
        return error;
    error = touched_read(build, txn, MENDED_MAX, &list, &job->count);
    job->mended = arena_array(&build->arena, struct mended, MENDED_MAX);
    for (size_t i = 0; !error && i < job->count; i++) {
        job->mended[i].number = list[i];
        error = mended_read(build, txn, &job->mended[i]);
    }
    lmdb_read_end(build->lmdb, txn);
    free(list);
    return error;
}

enum status build_mend(struct build *build)
{
    struct job appended = {.build = build};
    enum status status = job_run(&appended, appended_run);
    for (bool more = true; status == OK && more;) {
        struct job job = {.build = build};
        status = build_status(build, touched_page(build, &job));
        more = status == OK && job.count;
        if (more)
            status = job_run(&job, mend_run);
        arena_reset(&build->arena);
    }
    return status;
}
