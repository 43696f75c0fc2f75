/* Counted claims: how many documents hold one, and the sum of their weights, kept with each write of a document and
 * read without a walk over the holders. Many commits of one transaction hold the same claims (a message to a group has
 * one content), so that the transaction keeps what it has counted and writes each tally once, at its end. */
#include "store_lmdb.h"
#include "table.h"

struct lmdb_counted {
    UT_hash_handle hh; /* by the key */
    struct text key;
    struct claim claim;
    struct tally tally;
    bool there, changed; /* there: in the database, as it was before */
};

static void key_of(struct lmdb_key *key, const struct claim *claim)
{
    const struct text parts[CLAIM_PARTS] = {claim->kind, claim->value};
    lmdb_key_write(key, parts, CLAIM_PARTS, CLAIM_PARTS);
}

/* What the database says. */
static int tally_load(struct lmdb_store *store, MDB_txn *txn, const struct lmdb_key *key, const struct claim *claim,
                      struct tally *tally_out)
{
    struct claim there;
    struct text record;
    *tally_out = (struct tally){0};
    int error = lmdb_value(txn, store->tallies, key_text(key), &record);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!tally_read(record, tally_out, &there))
        return MDB_CORRUPTED;
    /* Two claims with one SHA-256: neither may count for the other. */
    return text_equal(there.kind, claim->kind) && text_equal(there.value, claim->value) ? 0 : MDB_KEYEXIST;
}

static bool is_same(const struct lmdb_counted *counted, const struct claim *claim)
{
    return text_equal(counted->claim.kind, claim->kind) && text_equal(counted->claim.value, claim->value);
}

static int counted_get(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim,
                       struct lmdb_counted **counted_out)
{
    struct lmdb_counted *counted;
    struct lmdb_key key;
    struct tally tally;
    key_of(&key, claim);
    HASH_FIND(hh, store->counted, key.bytes, key.length, counted);
    *counted_out = counted;
    if (counted)
        return is_same(counted, claim) ? 0 : MDB_KEYEXIST;
    int error = tally_load(store, txn, &key, claim, &tally);
    if (error)
        return error;
    counted = arena_new(&store->counting, struct lmdb_counted);
    counted->key = text_copy(&store->counting, key_text(&key));
    counted->claim.kind = text_copy(&store->counting, claim->kind);
    counted->claim.value = text_copy(&store->counting, claim->value);
    counted->tally = tally;
    counted->there = tally.count > 0;
    HASH_ADD_KEYPTR(hh, store->counted, counted->key.bytes, counted->key.length, counted);
    *counted_out = counted;
    return 0;
}

int lmdb_tally_get(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, struct tally *tally_out)
{
    struct lmdb_counted *counted;
    int error = counted_get(store, txn, claim, &counted);
    *tally_out = (struct tally){0};
    if (!error)
        *tally_out = counted->tally;
    return error;
}

int lmdb_tally_apply(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, bool take)
{
    struct lmdb_counted *counted;
    int error = counted_get(store, txn, claim, &counted);
    if (error)
        return error;
    if (!take && (counted->tally.count == 0 || counted->tally.weight < claim->weight))
        return MDB_CORRUPTED;
    counted->tally.count += take ? 1 : -1ull;
    counted->tally.weight += take ? claim->weight : -claim->weight;
    counted->changed = true;
    return 0;
}

static int counted_write(struct lmdb_store *store, MDB_txn *txn, const struct lmdb_counted *counted)
{
    MDB_val place = val_of(counted->key);
    if (counted->tally.count == 0)
        return counted->there ? mdb_del(txn, store->tallies, &place, NULL) : 0;
    struct text record = tally_write(&store->counting, &counted->tally, &counted->claim);
    return lmdb_put(txn, store->tallies, counted->key, record, 0);
}

int lmdb_tallies_write(struct lmdb_store *store, MDB_txn *txn)
{
    int error = 0;
    for (struct lmdb_counted *counted = store->counted; !error && counted; counted = counted->hh.next)
        if (counted->changed)
            error = counted_write(store, txn, counted);
    return error;
}

void lmdb_tallies_forget(struct lmdb_store *store)
{
    HASH_CLEAR(hh, store->counted);
    arena_reset(&store->counting);
}

void lmdb_tally_sum(struct tally_sum *sum, const struct claim *claim, const struct tally *tally)
{
    uint64_t name = text_hash(claim->value, text_hash(claim->kind, 1));
    /* Odd factors, so that nothing vanishes; a mistake that changes neither sum is one in 2^64. */
    sum->sum += (name | 1) * tally->count + (text_hash(claim->value, name) | 1) * tally->weight;
}

enum status lmdb_tally(void *state, struct text kind, struct text value, struct tally *tally_out)
{
    struct lmdb_store *store = state;
    const struct claim claim = {.kind = kind, .value = value, .counted = true};
    struct lmdb_key key;
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    key_of(&key, &claim);
    int error = tally_load(store, txn, &key, &claim, tally_out);
    lmdb_read_end(store, txn);
    if (error)
        lmdb_log(store, "tally", error);
    return error ? FAILED : OK;
}

static int first_of(struct lmdb_store *store, MDB_txn *txn, const struct lmdb_key *from, struct claim *claim_out)
{
    MDB_cursor *cursor;
    MDB_val key = val_of(key_text(from)), value;
    struct tally tally;
    int error = mdb_cursor_open(txn, store->tallies, &cursor);
    if (error)
        return error;
    error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (error)
        return error;
    if (!text_starts_with(text_of_val(key), key_text(from)))
        return MDB_NOTFOUND;
    return tally_read(text_of_val(value), &tally, claim_out) ? 0 : MDB_CORRUPTED;
}

enum status lmdb_first_tally(void *state, struct text kind, struct arena *arena, struct text *value_out)
{
    struct lmdb_store *store = state;
    struct claim claim;
    struct lmdb_key from;
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    lmdb_key_write(&from, &kind, 1, CLAIM_PARTS);
    int error = first_of(store, txn, &from, &claim);
    if (!error)
        *value_out = text_copy(arena, claim.value);
    lmdb_read_end(store, txn);
    if (error && error != MDB_NOTFOUND)
        lmdb_log(store, "first tally", error);
    return error == MDB_NOTFOUND ? NOT_FOUND : error ? FAILED : OK;
}
