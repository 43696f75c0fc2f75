/* Compares an index with its documents, as the indexer sees them. */
#include <stdlib.h>

#include "store_lmdb_index.h"

struct check {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct lmdb_index *index;
    MDB_cursor *cursor; /* of entries */
    store_problem_fn *problem;
    void *context;
    struct arena arena; /* of one document */
    uint64_t wanted;    /* entries */
    size_t problems;
};

static void say(struct check *check, const char *what, const struct document_key *key)
{
    check->problems++;
    check->problem(check->context, text_format(&check->arena, "%s: %.*s %.*s %.*s", what, TEXT_ARG(key->usage),
                                               TEXT_ARG(key->owner), TEXT_ARG(key->name)));
}

static int is_there(struct check *check, const struct store_entry *entry, uint32_t number, bool *there_out)
{
    struct entry_key key;
    struct entry_number written = entry_number_write(number);
    MDB_val place = val_of(entry_key_write(&key, check->index->serving, entry->field, entry->value));
    MDB_val value = entry_number_val(&written);
    int error = mdb_cursor_get(check->cursor, &place, &value, MDB_GET_BOTH);
    *there_out = !error;
    return error == MDB_NOTFOUND ? 0 : error;
}

static int check_document(struct check *check, const struct head *head)
{
    struct text stored, bytes;
    struct store_entries entries;
    bool there = head->number != 0;
    int error = lmdb_bytes(check->store, check->txn, head, &stored);
    if (error || !lmdb_unpack(stored, head->size, &check->arena, &bytes))
        return error == MDB_CORRUPTED ? 0 : error; /* said by store_check */
    if (!indexer_ask(&check->store->indexer, check->index->signature, &head->key, bytes, &check->arena, &entries))
        return MDB_INCOMPATIBLE;
    check->wanted += entries.count;
    for (size_t i = 0; !error && there && i < entries.count; i++)
        error = is_there(check, &entries.list[i], head->number, &there);
    if (!error && !there)
        say(check, "the index entries of a document are not what its manifest says", &head->key);
    return error;
}

static int check_documents(struct check *check, const struct store_index *index)
{
    struct lmdb_heads heads;
    int error = lmdb_heads_open(check->store, check->txn, index, TEXT(""), &heads);
    while (!error) {
        error = check_document(check, &heads.head);
        arena_reset(&check->arena);
        if (!error)
            error = lmdb_heads_next(&heads);
    }
    mdb_cursor_close(heads.cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* All that should be there are: what is there beyond them is of no document. */
static int check_count(struct check *check, const struct store_index *index)
{
    struct entry_key first;
    struct text prefix = text_slice(entry_key_write(&first, check->index->serving, 0, TEXT("")), 0, 2);
    MDB_val key = val_of(prefix), value;
    uint64_t found = 0;
    size_t count;
    int error = mdb_cursor_get(check->cursor, &key, &value, MDB_SET_RANGE);
    while (!error && text_starts_with(text_of_val(key), prefix)) {
        error = mdb_cursor_count(check->cursor, &count);
        found += count;
        if (!error)
            error = mdb_cursor_get(check->cursor, &key, &value, MDB_NEXT_NODUP);
    }
    if (error && error != MDB_NOTFOUND)
        return error;
    if (found > check->wanted) {
        check->problems++;
        check->problem(check->context,
                       text_format(&check->arena, "%llu index entries are of no document that has them: %.*s",
                                   (unsigned long long)(found - check->wanted), TEXT_ARG(index->usage)));
    }
    return 0;
}

enum status lmdb_index_check(void *state, const struct store_index *index, uint64_t signature,
                             store_problem_fn *problem, void *context)
{
    struct check check = {.store = state, .problem = problem, .context = context};
    struct lmdb_indexes indexes;
    if (lmdb_read_begin(check.store, &check.txn) != 0)
        return FAILED;
    arena_init(&check.arena, "check");
    int error = lmdb_indexes_read(check.store, check.txn, &indexes);
    check.index = error ? NULL : lmdb_index_of(&indexes, index->usage, index->owned);
    if (check.index && check.index->serving && check.index->signature == signature) {
        error = mdb_cursor_open(check.txn, check.store->entries, &check.cursor);
        if (!error)
            error = check_documents(&check, index);
        if (!error)
            error = check_count(&check, index);
        mdb_cursor_close(check.cursor);
    }
    arena_clear(&check.arena);
    lmdb_read_end(check.store, check.txn);
    if (error)
        lmdb_log(check.store, "check", error);
    return error ? FAILED : check.problems ? CONFLICT : OK;
}

/* --- without an indexer ------------------------------------------------------------------------------------------- */

struct sound {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct lmdb_indexes indexes;
    unsigned char *known; /* a bit for each number that leads to its document */
    store_problem_fn *problem;
    void *context;
};

static bool number_leads(struct sound *sound, uint32_t number)
{
    struct document_key key;
    struct lmdb_key place;
    struct text record;
    struct head head;
    unsigned char slot;
    if (number == 0 || number > sound->indexes.last_number ||
        lmdb_number_row(sound->store, sound->txn, number, &slot, &key) != 0)
        return false;
    for (size_t i = 0; i < sound->indexes.count; i++)
        if (sound->indexes.list[i].slot == slot)
            key.usage = sound->indexes.list[i].usage;
    lmdb_key_of_document(&place, &key);
    return lmdb_value(sound->txn, sound->store->heads, key_text(&place), &record) == 0 &&
           head_read(key_text(&place), record, &head) && head.number == number && key_compare(&head.key, &key) == 0;
}

static bool is_known(const struct sound *sound, uint32_t number)
{
    return number <= sound->indexes.last_number && sound->known[number / 8] & (1 << number % 8);
}

static void check_number(struct sound *sound, MDB_val key, MDB_val value)
{
    uint32_t number;
    (void)value;
    if (entry_number_read(key, &number) && number_leads(sound, number))
        sound->known[number / 8] |= (unsigned char)(1 << number % 8);
    else
        sound->problem(sound->context, TEXT("a number leads to no document that has it"));
}

static void check_entry(struct sound *sound, MDB_val key, MDB_val value)
{
    const unsigned char *bytes = key.mv_data;
    unsigned table = key.mv_size < 3 ? 0 : (unsigned)bytes[0] << 8 | bytes[1];
    uint32_t number;
    bool live = false, dead = false;
    for (size_t i = 0; i < sound->indexes.count; i++)
        live = live || sound->indexes.list[i].serving == table || sound->indexes.list[i].building == table;
    for (size_t i = 0; i < sound->indexes.dead_count; i++)
        dead = dead || sound->indexes.dead[i] == table;
    if (table == 0 || !(live || dead))
        sound->problem(sound->context, TEXT("an index entry is of no index"));
    else if (!entry_number_read(value, &number) || (live && bytes[2] != FIELD_TOUCHED && !is_known(sound, number)))
        sound->problem(sound->context, TEXT("an index entry leads to no document"));
}

static int each(struct sound *sound, MDB_dbi database, void (*check)(struct sound *sound, MDB_val key, MDB_val value))
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(sound->txn, database, &cursor);
    if (error)
        return error;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
        check(sound, key, value);
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

int lmdb_indexes_check(struct lmdb_store *store, MDB_txn *txn, store_problem_fn *problem, void *context)
{
    struct sound sound = {.store = store, .txn = txn, .problem = problem, .context = context};
    int error = lmdb_indexes_read(store, txn, &sound.indexes);
    if (error == MDB_CORRUPTED) {
        problem(context, TEXT("what is known of indexes is damaged"));
        return 0;
    }
    sound.known = memory_new(sound.indexes.last_number / 8 + 1);
    if (!error)
        error = each(&sound, store->numbers, check_number);
    if (!error)
        error = each(&sound, store->entries, check_entry);
    free(sound.known);
    return error;
}
