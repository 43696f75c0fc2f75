/* Builds an index while documents are read and changed. Entries of all documents are gathered in memory and appended to
 * a new table in the order of keys, which takes a fraction of the time and of the pages that it takes to put them in
 * one document after another. What is changed meanwhile is remembered by the committer ("touched"): it is left out when
 * entries are appended, and mended when all are. Writes are jobs among the commits of others, each of them short. */
#include <stdlib.h>

#include "store_lmdb_index.h"

#define NUMBERED_MAX  4096       /* documents that get their numbers in one transaction */
#define SCANNED_MAX   512        /* documents of one read transaction: it keeps old pages from use… */
#define SCANNED_BYTES (4u << 20) /* …if they are small */
#define APPENDED_MAX  100000     /* numbers written in one transaction: a tenth of a second */
#define SWEPT_MAX     20000      /* keys taken away in one transaction */
#define MENDED_MAX    256        /* documents mended in one transaction */
#define JOB_BYTES     (4u << 20) /* about what one writes */

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

static enum status run(struct job *job, int (*work)(struct store_job *base, void *transaction))
{
    struct commit commit = {.job = &job->base, .bytes = {"", JOB_BYTES}};
    const struct build *build = job->build;
    if (build->stop && *build->stop)
        return CONFLICT;
    job->base.run = work;
    enum status status = store_commit(build->store, &commit, 1);
    return status == OK && job->lost ? CONFLICT : status == UNCERTAIN ? FAILED : status;
}

/* The index, as long as it is this build that builds it. */
static int own_index(struct job *job, MDB_txn *txn, struct lmdb_indexes **indexes_out, struct lmdb_index **index_out)
{
    const struct build *build = job->build;
    int error = lmdb_indexing_load(build->lmdb, txn, indexes_out);
    *index_out = error ? NULL : lmdb_index_of(*indexes_out, build->index.usage, build->index.owned);
    job->lost = !*index_out || (*index_out)->building != build->table || build->table == 0;
    return error;
}

/* --- begin: a table of its own, which answers at once if there are no documents -------------------------------------
 */

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
    return run(&job, begin_empty_run);
}

/* --- tables that are dead
 * --------------------------------------------------------------------------------------------- */

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

static enum status sweep(struct build *build)
{
    enum status status = OK;
    for (bool more = true; status == OK && more;) {
        struct job job = {.build = build};
        status = run(&job, sweep_run);
        more = job.more;
    }
    return status;
}

/* --- numbers for documents that have none ----------------------------------------------------------------------------
 */

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
    MDB_val key_val = val_of(key_text(&place)), value = val_of(head_write(&build->lmdb->scratch, &head, &place));
    return error ? error : mdb_put(txn, build->lmdb->heads, &key_val, &value, 0);
}

static int number_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = own_index(job, txn, &indexes, &index);
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
            status = run(&job, number_run);
        arena_reset(&build->arena);
    }
    return status;
}

/* --- what is gathered
 * -------------------------------------------------------------------------------------------------- */

/* Those that changed since the build began, as this transaction sees it, sorted. */
static int touched_read(struct build *build, MDB_txn *txn, size_t most, uint32_t **list_out, size_t *count_out)
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
    int error = own_index(job, txn, &indexes, &index);
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
        status = run(&job, append_run);
        job.key_at = job.key_next;
        job.number_at = job.number_next;
    }
    gather_reset(build->gather);
    return status;
}

/* The entries of a document, by the rules of the build; MDB_INCOMPATIBLE: there are other rules now. */
static int entries_of(struct build *build, MDB_txn *txn, const struct head *head, struct arena *arena,
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
            error = entries_of(build, txn, &heads.head, &build->arena, &entries);
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

static enum status status_of(struct build *build, int error)
{
    if (error == 0 || error == MDB_NOTFOUND)
        return OK;
    if (error == MDB_INCOMPATIBLE)
        return CONFLICT;
    lmdb_log(build->lmdb, "build", error);
    return FAILED;
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
        status = status_of(build, error);
        if (status == OK && (error || gather_bytes(build->gather) > build->lmdb->gather_max))
            status = append_all(build);
    }
    return status;
}

/* --- what was touched
 * ------------------------------------------------------------------------------------------------- */

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
    int error = own_index(job, txn, &indexes, &index);
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
    return entries_of(build, txn, &head, &build->arena, &mended->entries);
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
    int error = own_index(job, txn, &indexes, &index);
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

static enum status mend_all(struct build *build)
{
    struct job appended = {.build = build};
    enum status status = run(&appended, appended_run);
    for (bool more = true; status == OK && more;) {
        struct job job = {.build = build};
        status = status_of(build, touched_page(build, &job));
        more = status == OK && job.count;
        if (more)
            status = run(&job, mend_run);
        arena_reset(&build->arena);
    }
    return status;
}

/* --- from now on ----------------------------------------------------------------------------------------------------
 */

static int finish_run(struct store_job *base, void *txn)
{
    struct job *job = (struct job *)base;
    struct lmdb_indexes *indexes;
    struct lmdb_index *index;
    int error = own_index(job, txn, &indexes, &index);
    if (!error && !job->lost)
        error = lmdb_table_bury(indexes, &index->serving);
    if (error || job->lost)
        return error;
    index->serving = index->building;
    index->building = 0;
    lmdb_indexing_changed(job->build->lmdb);
    return 0;
}

static enum status build_all(struct build *build)
{
    struct job begin = {.build = build}, finish = {.build = build};
    enum status status = sweep(build);
    if (status == OK)
        status = run(&begin, begin_run);
    if (status == OK)
        status = number_all(build);
    if (status == OK)
        status = scan_all(build);
    if (status == OK)
        status = mend_all(build);
    if (status == OK)
        status = run(&finish, finish_run);
    return status == OK ? sweep(build) : status;
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
