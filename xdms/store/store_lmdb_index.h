/* Indexes in the LMDB engine, seen by its own files alone.
 *
 * An index has a table of entries that answers, or none, and perhaps one that is being built. Keys of "entries" begin
 * with the number of the table in two bytes and the field in one; behind them is the value. What a key leads to are the
 * numbers of documents, four bytes each, sorted: LMDB keeps many of them in pages of nothing else. Tables that are not
 * used any more are dead until a build takes them away. */
#ifndef STORE_LMDB_INDEX_H
#define STORE_LMDB_INDEX_H

#include "store_lmdb.h"

#define GATHER_MAX    (256u << 20) /* bytes: entries of a million profiles; more are appended in several rounds */
#define INDEXES_MAX   128          /* of usages that can be searched: two each, and some dozens are many */
#define DEAD_MAX      (3 * INDEXES_MAX)
#define TABLE_MAX     UINT16_MAX
#define FIELD_ALL     0   /* of documents that are found whatever is looked for */
#define FIELD_TOUCHED 255 /* in a table that is being built: documents that changed meanwhile */

struct lmdb_index {
    unsigned char slot; /* in rows of "numbers" */
    bool owned;
    struct text usage;
    uint64_t signature;
    unsigned serving, building; /* tables; 0: none */
    bool appending;             /* building: what is gathered is written; else what was touched is mended */
};

/* All that meta says of indexes. */
struct lmdb_indexes {
    struct lmdb_index list[INDEXES_MAX];
    size_t count;
    unsigned dead[DEAD_MAX];
    size_t dead_count;
    uint32_t last_number;
};

/* Texts point into the map. 0 or an LMDB error. */
int lmdb_indexes_read(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes *indexes_out);
struct text lmdb_indexes_write(const struct lmdb_indexes *indexes, struct arena *arena);
struct lmdb_index *lmdb_index_of(struct lmdb_indexes *indexes, struct text usage, bool owned); /* or NULL */
unsigned lmdb_table_new(const struct lmdb_indexes *indexes); /* behind all others, if it can be; 0: none is left */
int lmdb_table_bury(struct lmdb_indexes *indexes, unsigned *table); /* no table then */

/* A key of "entries". */
#define ENTRY_KEY_MAX (3 + STORE_ENTRY_VALUE_MAX)
struct entry_key {
    unsigned char bytes[ENTRY_KEY_MAX];
    size_t length;
};
struct text entry_key_write(struct entry_key *key, unsigned table, unsigned field, struct text value);

struct entry_number {
    unsigned char bytes[4];
};
struct entry_number entry_number_write(uint32_t number);
bool entry_number_read(MDB_val value, uint32_t *number_out);
MDB_val entry_number_val(const struct entry_number *number);

/* Numbers behind a key, sorted, as far as `most`; `list` has room for these. More: `more_out`. 0 also for none. */
int lmdb_entry_numbers(MDB_cursor *cursor, struct text key, size_t most, uint32_t *list, size_t *count, bool *more_out);

/* The row of a number: its index and the document. MDB_NOTFOUND: there is none. Texts point into the map; the usage is
 * not set. */
int lmdb_number_row(struct lmdb_store *store, MDB_txn *txn, uint32_t number, unsigned char *slot_out,
                    struct document_key *key_out);
/* Gives the document the next number that is free. */
int lmdb_number_give(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes *indexes, unsigned char slot,
                     const struct document_key *key, uint32_t *number_out);

/* --- the committer's: store_lmdb_index.c ------------------------------------------------------------------------- */

struct lmdb_indexing *lmdb_indexing_new(void);
void lmdb_indexing_free(struct lmdb_store *store);

/* Before a document is written or deleted: works out the entries that come and go. `old` NULL: there is none.
 * `number_out`: what its head is to have. */
int lmdb_indexing_change(struct lmdb_store *store, MDB_txn *txn, const struct commit *commit, const struct head *old,
                         uint32_t *number_out);
/* What is known in this transaction. Texts that are added live in the arena. */
int lmdb_indexing_load(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes **indexes_out);
struct arena *lmdb_indexing_arena(struct lmdb_store *store);
void lmdb_indexing_changed(struct lmdb_store *store);            /* it is written at the end of the transaction */
int lmdb_indexing_flush(struct lmdb_store *store, MDB_txn *txn); /* entries alone */
int lmdb_indexing_write(struct lmdb_store *store, MDB_txn *txn); /* everything, before the end */
void lmdb_indexing_forget(struct lmdb_store *store);             /* before the next transaction */

/* --- memory of a build: store_lmdb_index_gather.c ----------------------------------------------------------------- */

struct gather;

struct gathered {
    struct text key; /* field and value */
    uint32_t *numbers;
    size_t count;
};

struct gather *gather_new(void);
void gather_free(struct gather *gather);
void gather_add(struct gather *gather, const struct store_entry *entry, uint32_t number);
size_t gather_bytes(const struct gather *gather);
void gather_reset(struct gather *gather);
size_t gather_sort(struct gather *gather); /* how many keys there are */
/* The n-th in order; until the next is asked for. */
void gather_get(struct gather *gather, size_t nth, struct gathered *gathered_out);

/* --- calls of the engine ------------------------------------------------------------------------------------------ */

extern const struct store_index_engine lmdb_index_engine; /* store_lmdb_index_find.c */

enum status lmdb_index_begin(void *state, struct store *store, const struct store_index *index, uint64_t signature);
enum status lmdb_index_build(void *state, struct store *store, const struct store_index *index, uint64_t signature,
                             const volatile bool *stop, struct store_index_work *work_out);
enum status lmdb_index_find(void *state, const struct store_index *index, uint64_t signature,
                            const struct store_look_up *look_up, size_t most, struct arena *arena,
                            struct document_key **keys_out, size_t *count_out);
enum status lmdb_index_check(void *state, const struct store_index *index, uint64_t signature,
                             store_problem_fn *problem, void *context);

/* Are numbers those of documents, and entries those of numbers? For store_check. */
int lmdb_indexes_check(struct lmdb_store *store, MDB_txn *txn, store_problem_fn *problem, void *context);

/* A walk over the heads of the documents of an index. */
struct lmdb_heads {
    MDB_cursor *cursor;
    struct lmdb_key prefix;
    struct head head; /* into the map */
    struct text key;
};
/* From the first, or behind the key of a head. MDB_NOTFOUND: no more. */
int lmdb_heads_open(struct lmdb_store *store, MDB_txn *txn, const struct store_index *index, struct text after,
                    struct lmdb_heads *heads);
int lmdb_heads_next(struct lmdb_heads *heads);

#endif
