/* Looks documents up in the indexes of the LMDB engine: lists of numbers are read, joined, and turned into keys, all in
 * one read transaction. */
#include <stdlib.h>

#include "store_lmdb_index.h"

/* A list that is more times longer than another is asked for single numbers instead of read: a page of a thousand is
 * read in the time of one or two such questions. */
#define FILTER_MAX    128
#define PREFIX_FACTOR 2 /* times as many numbers are read as documents are wanted: some are there more than once */

const struct store_index_engine lmdb_index_engine; /* at the end */

struct find {
    struct lmdb_store *store;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of entries */
    unsigned table;
    size_t most; /* numbers that are wanted */
    struct arena *arena;
};

/* Sorted, none twice. */
struct numbers {
    uint32_t *list;
    size_t count;
    bool more; /* some are left out */
};

static int look_up(struct find *find, const struct store_look_up *wanted, struct numbers *numbers_out);

static bool is_serving(struct lmdb_indexes *indexes, const struct store_index *index, uint64_t signature,
                       unsigned *table_out)
{
    const struct lmdb_index *found = lmdb_index_of(indexes, index->usage, index->owned);
    *table_out = found && signature && found->signature == signature ? found->serving : 0;
    return *table_out;
}

static int number_order(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void sort(struct numbers *numbers)
{
    size_t kept = 0;
    if (numbers->count)
        qsort(numbers->list, numbers->count, sizeof(numbers->list[0]), number_order);
    for (size_t i = 0; i < numbers->count; i++)
        if (kept == 0 || numbers->list[kept - 1] != numbers->list[i])
            numbers->list[kept++] = numbers->list[i];
    numbers->count = kept;
}

/* --- one entry, or all that begin alike --------------------------------------------------------------------------- */

struct walk {
    struct entry_key first;
    struct text prefix, key;
};

/* To the first key with the prefix, or to the next. MDB_NOTFOUND: there is none. */
static int walk_step(struct find *find, struct walk *walk, const struct store_look_up *wanted, bool begin)
{
    if (begin)
        walk->prefix = entry_key_write(&walk->first, find->table, wanted->field, wanted->value);
    MDB_val key = val_of(walk->prefix), value;
    int error = mdb_cursor_get(find->cursor, &key, &value, begin ? MDB_SET_RANGE : MDB_NEXT_NODUP);
    walk->key = text_of_val(key);
    if (error)
        return error;
    bool fits = wanted->whole ? text_equal(walk->key, walk->prefix) : text_starts_with(walk->key, walk->prefix);
    return fits ? 0 : MDB_NOTFOUND;
}

/* About how many numbers it leads to, as far as `most` and one more. */
static int estimate(struct find *find, const struct store_look_up *wanted, size_t most, size_t *count_out)
{
    struct walk walk;
    size_t count, other = 0;
    *count_out = 0;
    if (wanted->kind != STORE_LOOK_UP_ENTRY) {
        int error = estimate(find, wanted->a, most, count_out);
        if (!error)
            error = estimate(find, wanted->b, most, &other);
        if (wanted->kind == STORE_LOOK_UP_ANY)
            *count_out += other;
        else if (other < *count_out)
            *count_out = other;
        return error;
    }
    int error = walk_step(find, &walk, wanted, true);
    while (!error && *count_out <= most) {
        error = mdb_cursor_count(find->cursor, &count);
        *count_out += error ? 0 : count;
        if (!error)
            error = wanted->whole ? MDB_NOTFOUND : walk_step(find, &walk, wanted, false);
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

/* A document is there once for each of its values that begin so. */
static int entry_list(struct find *find, const struct store_look_up *wanted, struct numbers *numbers_out)
{
    struct walk walk;
    size_t room, most = wanted->whole ? find->most : PREFIX_FACTOR * find->most;
    int error = estimate(find, wanted, most, &room);
    if (error || room == 0)
        return error;
    room = room < most ? room : most;
    numbers_out->list = arena_alloc_raw(find->arena, room * sizeof(uint32_t));
    error = walk_step(find, &walk, wanted, true);
    while (!error && !numbers_out->more) {
        error = lmdb_entry_numbers(find->cursor, walk.key, room, numbers_out->list, &numbers_out->count,
                                   &numbers_out->more);
        if (!error)
            error = wanted->whole ? MDB_NOTFOUND : walk_step(find, &walk, wanted, false);
    }
    if (!wanted->whole)
        sort(numbers_out);
    if (numbers_out->count > find->most) {
        numbers_out->count = find->most;
        numbers_out->more = true;
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

/* --- joined ------------------------------------------------------------------------------------------------------- */

static int any(struct find *find, const struct store_look_up *wanted, struct numbers *numbers_out)
{
    struct numbers a = {0}, b = {0};
    int error = look_up(find, wanted->a, &a);
    if (!error)
        error = look_up(find, wanted->b, &b);
    numbers_out->list = arena_alloc_raw(find->arena, (a.count + b.count + 1) * sizeof(uint32_t));
    if (a.count)
        memcpy(numbers_out->list, a.list, a.count * sizeof(uint32_t));
    if (b.count)
        memcpy(numbers_out->list + a.count, b.list, b.count * sizeof(uint32_t));
    numbers_out->count = a.count + b.count;
    sort(numbers_out);
    numbers_out->more = a.more || b.more || numbers_out->count > find->most;
    if (numbers_out->count > find->most)
        numbers_out->count = find->most;
    return error;
}

/* Steps through the longer list by the numbers of the shorter one, and over what lies between. */
static int gallop(struct find *find, const struct store_look_up *wanted, struct numbers *numbers)
{
    struct entry_key key;
    MDB_val key_val = val_of(entry_key_write(&key, find->table, wanted->field, wanted->value));
    size_t kept = 0;
    uint32_t there = 0;
    int error = 0;
    for (size_t i = 0; !error && i < numbers->count; i++) {
        if (there < numbers->list[i]) {
            struct entry_number number = entry_number_write(numbers->list[i]);
            MDB_val value = entry_number_val(&number);
            error = mdb_cursor_get(find->cursor, &key_val, &value, MDB_GET_BOTH_RANGE);
            if (!error && !entry_number_read(value, &there))
                error = MDB_CORRUPTED;
        }
        if (!error && there == numbers->list[i])
            numbers->list[kept++] = there;
    }
    numbers->count = kept;
    return error == MDB_NOTFOUND ? 0 : error;
}

static void intersect(struct numbers *numbers, const struct numbers *other)
{
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < numbers->count; i++) {
        while (at < other->count && other->list[at] < numbers->list[i])
            at++;
        if (at < other->count && other->list[at] == numbers->list[i])
            numbers->list[kept++] = numbers->list[i];
    }
    numbers->count = kept;
}

/* Takes out what `wanted` does not lead to, as far as that is sooner done than reading documents. */
static int filter(struct find *find, const struct store_look_up *wanted, struct numbers *numbers)
{
    size_t count, most = FILTER_MAX * (numbers->count + 1);
    if (numbers->count == 0)
        return 0;
    int error = estimate(find, wanted, most, &count);
    if (!error && count <= most && count <= find->most) {
        struct numbers other = {0};
        error = look_up(find, wanted, &other);
        if (!error && !other.more)
            intersect(numbers, &other);
    } else if (!error && wanted->kind == STORE_LOOK_UP_ENTRY && wanted->whole) {
        error = gallop(find, wanted, numbers);
    } else if (!error && wanted->kind == STORE_LOOK_UP_ALL) {
        error = filter(find, wanted->a, numbers);
        if (!error)
            error = filter(find, wanted->b, numbers);
    }
    return error;
}

static int all(struct find *find, const struct store_look_up *wanted, struct numbers *numbers_out)
{
    size_t a, b;
    int error = estimate(find, wanted->a, find->most, &a);
    if (!error)
        error = estimate(find, wanted->b, find->most, &b);
    if (!error)
        error = look_up(find, a <= b ? wanted->a : wanted->b, numbers_out);
    return error ? error : filter(find, a <= b ? wanted->b : wanted->a, numbers_out);
}

static int look_up(struct find *find, const struct store_look_up *wanted, struct numbers *numbers_out)
{
    if (wanted->kind == STORE_LOOK_UP_ANY)
        return any(find, wanted, numbers_out);
    return wanted->kind == STORE_LOOK_UP_ALL ? all(find, wanted, numbers_out) : entry_list(find, wanted, numbers_out);
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

static int keys_of(struct find *find, const struct store_index *index, const struct numbers *numbers,
                   struct document_key *keys, size_t *count)
{
    int error = 0;
    for (size_t i = 0; !error && i < numbers->count; i++) {
        struct document_key key;
        unsigned char slot;
        error = lmdb_number_row(find->store, find->txn, numbers->list[i], &slot, &key);
        if (error)
            return error == MDB_NOTFOUND ? MDB_CORRUPTED : error; /* an entry without its document */
        keys[(*count)++] =
            (struct document_key){index->usage, text_copy(find->arena, key.owner), text_copy(find->arena, key.name)};
    }
    return error;
}

static int find_keys(struct find *find, const struct store_index *index, const struct store_look_up *wanted,
                     struct document_key **keys_out, size_t *count_out, bool *more_out)
{
    const struct store_look_up always = {.kind = STORE_LOOK_UP_ENTRY, .field = FIELD_ALL, .whole = true};
    struct numbers numbers = {0}, others = {0};
    int error = look_up(find, wanted, &numbers);
    if (!error)
        error = entry_list(find, &always, &others);
    if (!error && others.count) {
        uint32_t *both = arena_alloc_raw(find->arena, (numbers.count + others.count) * sizeof(uint32_t));
        if (numbers.count)
            memcpy(both, numbers.list, numbers.count * sizeof(uint32_t));
        memcpy(both + numbers.count, others.list, others.count * sizeof(uint32_t));
        numbers = (struct numbers){both, numbers.count + others.count, numbers.more || others.more};
        sort(&numbers);
    }
    *more_out = numbers.more || numbers.count > find->most;
    if (numbers.count > find->most)
        numbers.count = find->most;
    *keys_out = arena_alloc_raw(find->arena, (numbers.count + 1) * sizeof((*keys_out)[0]));
    return error ? error : keys_of(find, index, &numbers, *keys_out, count_out);
}

enum status lmdb_index_find(void *state, const struct store_index *index, uint64_t signature,
                            const struct store_look_up *wanted, size_t most, struct arena *arena,
                            struct document_key **keys_out, size_t *count_out)
{
    struct find find = {.store = state, .most = most, .arena = arena};
    struct lmdb_indexes indexes;
    bool more = false;
    if (lmdb_read_begin(find.store, &find.txn) != 0)
        return FAILED;
    int error = lmdb_indexes_read(find.store, find.txn, &indexes);
    bool ready = !error && is_serving(&indexes, index, signature, &find.table);
    if (ready)
        error = mdb_cursor_open(find.txn, find.store->entries, &find.cursor);
    if (ready && !error) {
        error = find_keys(&find, index, wanted, keys_out, count_out, &more);
        mdb_cursor_close(find.cursor);
    }
    lmdb_read_end(find.store, find.txn);
    if (error) {
        *count_out = 0;
        lmdb_log(find.store, "index", error);
        return FAILED;
    }
    return !ready ? NOT_FOUND : more ? FULL : OK;
}

static enum status lmdb_index_ready(void *state, const struct store_index *index, uint64_t signature, bool *ready_out)
{
    struct lmdb_store *store = state;
    struct lmdb_indexes indexes;
    MDB_txn *txn;
    unsigned table;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    int error = lmdb_indexes_read(store, txn, &indexes);
    *ready_out = !error && is_serving(&indexes, index, signature, &table);
    lmdb_read_end(store, txn);
    if (error)
        lmdb_log(store, "index", error);
    return error ? FAILED : OK;
}

static void lmdb_indexer_set(void *state, store_indexer_fn *indexer, void *context)
{
    struct lmdb_store *store = state;
    indexer_set(&store->indexer, indexer, context);
}

const struct store_index_engine lmdb_index_engine = {
    .indexer_set = lmdb_indexer_set,
    .ready = lmdb_index_ready,
    .begin = lmdb_index_begin,
    .build = lmdb_index_build,
    .find = lmdb_index_find,
    .check = lmdb_index_check,
};

/* --- heads of an index: those without owner come before all others ------------------------------------------------ */

static int heads_take(struct lmdb_heads *heads, MDB_val key, MDB_val value, int error)
{
    if (error)
        return error;
    heads->key = text_of_val(key);
    if (!text_starts_with(heads->key, key_text(&heads->prefix)))
        return MDB_NOTFOUND;
    return head_read(heads->key, text_of_val(value), &heads->head) ? 0 : MDB_CORRUPTED;
}

int lmdb_heads_open(struct lmdb_store *store, MDB_txn *txn, const struct store_index *index, struct text after,
                    struct lmdb_heads *heads)
{
    const struct text parts[DOCUMENT_PARTS] = {index->usage, TEXT("")};
    struct lmdb_key first;
    heads->cursor = NULL;
    lmdb_key_write(&heads->prefix, parts, index->owned ? 1 : 2, DOCUMENT_PARTS);
    first = heads->prefix;
    if (index->owned)
        first.bytes[first.length++] = 1; /* behind those whose owner is nothing and a NUL */
    bool behind = after.length > 0;
    struct text from = behind ? after : key_text(&first);
    MDB_val key = val_of(from), value;
    int error = mdb_cursor_open(txn, store->heads, &heads->cursor);
    if (error)
        return error;
    error = mdb_cursor_get(heads->cursor, &key, &value, MDB_SET_RANGE);
    error = heads_take(heads, key, value, error);
    return !error && behind && text_equal(heads->key, from) ? lmdb_heads_next(heads) : error;
}

int lmdb_heads_next(struct lmdb_heads *heads)
{
    MDB_val key, value;
    int error = mdb_cursor_get(heads->cursor, &key, &value, MDB_NEXT);
    return heads_take(heads, key, value, error);
}
