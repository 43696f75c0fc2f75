/* Claims of a document that changes. Most keep most of theirs, and a group may have thousands, so that only the
 * difference is written. */
#include <stdlib.h>

#include "store_lmdb.h"

struct listed {
    struct text record; /* as written: two that are equal are one claim */
    struct claim claim;
};

struct list {
    struct listed *items;
    size_t count;
};

static int claim_apply(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key,
                       const struct claim *claim, bool take)
{
    if (claim->counted)
        return lmdb_tally_apply(store, txn, claim, take);
    const struct text parts[SHARED_PARTS] = {claim->kind, claim->value, key->usage, key->owner, key->name};
    struct lmdb_key place;
    size_t count = claim->shared ? SHARED_PARTS : CLAIM_PARTS;
    lmdb_key_write(&place, parts, count, count);
    struct text record = {0};
    if (take && (!claim->shared || place.hashed))
        record = parts_write(&store->scratch, parts, SHARED_PARTS);
    if (claim->shared)
        return lmdb_shared_note(store, txn, key_text(&place), record, take);
    if (take)
        return lmdb_put(txn, store->claims, key_text(&place), record, 0);
    MDB_val key_val = val_of(key_text(&place));
    int error = mdb_del(txn, store->claims, &key_val, NULL);
    return error == MDB_NOTFOUND ? 0 : error; /* a document may name one claim twice */
}

static int listed_order(const void *a, const void *b)
{
    const struct listed *left = a, *right = b;
    return text_compare(left->record, right->record);
}

static struct list list_of(struct text claims, struct arena *arena)
{
    struct list list = {0};
    struct claim claim;
    for (struct text rest = claims; claims_next(&rest, &claim);)
        list.count++;
    list.items = arena_array(arena, struct listed, list.count);
    struct text rest = claims;
    for (size_t i = 0; i < list.count; i++) {
        size_t begin = claims.length - rest.length;
        claims_next(&rest, &list.items[i].claim);
        list.items[i].record = text_slice(claims, begin, claims.length - rest.length);
    }
    if (list.count)
        qsort(list.items, list.count, sizeof(list.items[0]), listed_order);
    return list;
}

/* Those of `list` that `other` lacks. One that is named more often here than there is there all the same, unless it is
 * counted. */
static int apply_difference(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key,
                            const struct list *list, const struct list *other, bool take)
{
    const struct listed *common = NULL;
    size_t at = 0;
    int error = 0;
    for (size_t i = 0; !error && i < list->count; i++) {
        const struct listed *item = &list->items[i];
        while (at < other->count && listed_order(&other->items[at], item) < 0)
            at++;
        if (at < other->count && listed_order(&other->items[at], item) == 0) {
            common = &other->items[at++];
            continue;
        }
        if (common && !item->claim.counted && listed_order(common, item) == 0)
            continue;
        error = claim_apply(store, txn, key, &item->claim, take);
    }
    return error;
}

/* Those of a document that comes or goes: nothing to compare. */
static int apply_all(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key, struct text claims,
                     bool take)
{
    struct claim claim;
    int error = 0;
    while (!error && claims_next(&claims, &claim))
        error = claim_apply(store, txn, key, &claim, take);
    return error;
}

int lmdb_claims_replace(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key, struct text old,
                        struct text now)
{
    if (text_equal(old, now))
        return 0;
    if (old.length == 0 || now.length == 0)
        return apply_all(store, txn, key, old.length ? old : now, now.length > 0);
    const struct list before = list_of(old, &store->scratch), after = list_of(now, &store->scratch);
    int error = apply_difference(store, txn, key, &before, &after, false);
    return error ? error : apply_difference(store, txn, key, &after, &before, true);
}
