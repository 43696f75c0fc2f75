/* Counted claims: how many documents hold one, and the sum of their weights, kept with each write of a document and
 * read without a walk over the holders. */
#include "store_lmdb.h"

static void key_of(struct lmdb_key *key, const struct claim *claim)
{
    const struct text parts[CLAIM_PARTS] = {claim->kind, claim->value};
    lmdb_key_write(key, parts, CLAIM_PARTS, CLAIM_PARTS);
}

int lmdb_tally_get(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, struct tally *tally_out)
{
    struct claim there;
    struct lmdb_key key;
    struct text record;
    *tally_out = (struct tally){0};
    key_of(&key, claim);
    int error = lmdb_value(txn, store->tallies, key_text(&key), &record);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!tally_read(record, tally_out, &there))
        return MDB_CORRUPTED;
    /* Two claims with one SHA-256: neither may count for the other. */
    return text_equal(there.kind, claim->kind) && text_equal(there.value, claim->value) ? 0 : MDB_KEYEXIST;
}

int lmdb_tally_apply(struct lmdb_store *store, MDB_txn *txn, const struct claim *claim, bool take)
{
    struct tally tally;
    struct lmdb_key key;
    int error = lmdb_tally_get(store, txn, claim, &tally);
    if (error)
        return error;
    if (!take && (tally.count == 0 || tally.weight < claim->weight))
        return MDB_CORRUPTED;
    tally.count += take ? 1 : -1ull;
    tally.weight += take ? claim->weight : -claim->weight;
    key_of(&key, claim);
    MDB_val place = val_of(key_text(&key));
    if (tally.count == 0)
        return mdb_del(txn, store->tallies, &place, NULL);
    MDB_val value = val_of(tally_write(&store->scratch, &tally, claim));
    return mdb_put(txn, store->tallies, &place, &value, 0);
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
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    int error = lmdb_tally_get(store, txn, &claim, tally_out);
    lmdb_read_end(store, txn);
    if (error)
        lmdb_log(store, "tally", error);
    return error ? FAILED : OK;
}
