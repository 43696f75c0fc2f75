/* Reads of the LMDB engine. Each call is one read transaction; what it returns is copied into the caller's arena. */
#include <assert.h>

#include "store_lmdb.h"

/* What ends a call: 0, MDB_NOTFOUND, or trouble, which is said in the log. */
static enum status finish(struct lmdb_store *store, MDB_txn *txn, const char *call, int error)
{
    lmdb_read_end(store, txn);
    if (error == 0)
        return OK;
    if (error == MDB_NOTFOUND)
        return NOT_FOUND;
    lmdb_log(store, call, error);
    return FAILED;
}

/* `head_out` points into the map, and to `key`. */
static int head_of(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key, struct head *head_out)
{
    struct lmdb_key place;
    struct text record;
    lmdb_key_of_document(&place, key);
    int error = lmdb_value(txn, store->heads, key_text(&place), &record);
    if (error)
        return error;
    if (!head_read(key_text(&place), record, head_out))
        return MDB_CORRUPTED;
    bool same = key_compare(&head_out->key, key) == 0;
    head_out->key = *key;
    return same ? 0 : MDB_NOTFOUND;
}

int lmdb_bytes(struct lmdb_store *store, MDB_txn *txn, const struct head *head, struct text *stored_out)
{
    struct number version = number_write(head->version);
    *stored_out = head->bytes;
    int error = head_is_quiet(head) ? 0 : lmdb_value(txn, store->documents, number_text(&version), stored_out);
    return error == MDB_NOTFOUND ? MDB_CORRUPTED : error;
}

static int read_document(struct lmdb_store *store, MDB_txn *txn, const struct document_key *key, struct arena *arena,
                         struct stored *found_out)
{
    struct head head;
    int error = head_of(store, txn, key, &head);
    if (error)
        return error;
    found_out->key = *key;
    found_out->version = head.version;
    found_out->modified_ms = head.modified_ms;
    if (!arena)
        return 0;

    struct text bytes;
    error = lmdb_bytes(store, txn, &head, &bytes);
    if (error)
        return error;
    found_out->key = key_copy(arena, key);
    return lmdb_unpack(bytes, head.size, arena, &found_out->bytes) ? 0 : MDB_CORRUPTED;
}

enum status lmdb_read(void *state, const struct document_key *key, struct arena *arena, struct stored *found_out)
{
    struct lmdb_store *store = state;
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    return finish(store, txn, arena ? "get" : "head", read_document(store, txn, key, arena, found_out));
}

enum status lmdb_find(void *state, struct text kind, struct text value, struct arena *arena,
                      struct document_key *key_out)
{
    struct lmdb_store *store = state;
    const struct text wanted[CLAIM_PARTS] = {kind, value};
    struct text parts[SHARED_PARTS];
    struct text record;
    struct lmdb_key place;
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    lmdb_key_write(&place, wanted, CLAIM_PARTS, CLAIM_PARTS);
    int error = lmdb_value(txn, store->claims, key_text(&place), &record);
    if (!error && !parts_read(record, parts, SHARED_PARTS))
        error = MDB_CORRUPTED;
    if (!error && (!text_equal(parts[0], kind) || !text_equal(parts[1], value)))
        error = MDB_NOTFOUND;
    if (!error)
        *key_out = key_copy(arena, &(struct document_key){parts[2], parts[3], parts[4]});
    return finish(store, txn, "find", error);
}

/* A walk over the keys that begin with `prefix`, from behind `after`, both as encoded. */
struct walk {
    MDB_cursor *cursor;
    struct text prefix;
    struct text key, value; /* where it stands: into the map */
};

static int walk_take(struct walk *walk, MDB_val key, MDB_val value, int error)
{
    if (error)
        return error;
    walk->key = text_of_val(key);
    walk->value = text_of_val(value);
    return text_starts_with(walk->key, walk->prefix) ? 0 : MDB_NOTFOUND;
}

static int walk_next(struct walk *walk)
{
    MDB_val key, value;
    int error = mdb_cursor_get(walk->cursor, &key, &value, MDB_NEXT);
    return walk_take(walk, key, value, error);
}

static int walk_first(struct walk *walk, const struct lmdb_key *after)
{
    struct text from = walk->prefix;
    bool behind = after && text_compare(key_text(after), from) >= 0;
    if (behind)
        from = key_text(after);
    MDB_val key = val_of(from);
    MDB_val value;
    int error = mdb_cursor_get(walk->cursor, &key, &value, from.length ? MDB_SET_RANGE : MDB_FIRST);
    error = walk_take(walk, key, value, error);
    return !error && behind && text_equal(walk->key, from) ? walk_next(walk) : error;
}

static size_t parts_given(const struct document_key *prefix)
{
    if (!prefix->usage.bytes)
        return 0;
    if (!prefix->owner.bytes)
        return 1;
    return prefix->name.bytes ? 3 : 2;
}

static int list_walk(struct walk *walk, const struct lmdb_key *after, const struct document_key *wanted, size_t limit,
                     struct arena *arena, struct key_page *page)
{
    bool whole = parts_given(wanted) == DOCUMENT_PARTS;
    int error = walk_first(walk, after);
    for (; !error; error = walk_next(walk)) {
        struct head head;
        if (!head_read(walk->key, walk->value, &head))
            return MDB_CORRUPTED;
        if (!key_matches(&head.key, wanted)) {
            if (whole)
                return 0; /* a whole key is the first of those that it is a prefix of */
            continue;
        }
        page->more = page->count == limit;
        if (page->more)
            return 0;
        page_add(page, key_copy(arena, &head.key), head.version, head.modified_ms, head.size);
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

enum status lmdb_list(void *state, const struct document_key *prefix, const struct document_key *after, size_t limit,
                      struct arena *arena, struct key_page *page_out)
{
    struct lmdb_store *store = state;
    const struct text parts[DOCUMENT_PARTS] = {prefix->usage, prefix->owner, prefix->name};
    struct lmdb_key first;
    struct lmdb_key last;
    struct walk walk = {0};
    MDB_txn *txn;
    lmdb_key_write(&first, parts, parts_given(prefix), DOCUMENT_PARTS);
    walk.prefix = key_text(&first);
    if (after)
        lmdb_key_of_document(&last, after);

    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    int error = mdb_cursor_open(txn, store->heads, &walk.cursor);
    if (!error) {
        error = list_walk(&walk, after ? &last : NULL, prefix, limit, arena, page_out);
        mdb_cursor_close(walk.cursor);
    }
    return finish(store, txn, "list", error);
}

static int holders_walk(struct lmdb_store *store, MDB_txn *txn, struct walk *walk, const struct lmdb_key *after,
                        struct text kind, struct text value_prefix, size_t limit, struct arena *arena,
                        struct key_page *page, struct text *values)
{
    int error = walk_first(walk, after);
    for (; !error; error = walk_next(walk)) {
        struct text parts[SHARED_PARTS];
        struct head head;
        bool known = walk->value.length ? parts_read(walk->value, parts, SHARED_PARTS)
                                        : parts_split(walk->key, parts, SHARED_PARTS);
        if (!known)
            return MDB_CORRUPTED;
        if (!text_equal(parts[0], kind) || !text_starts_with(parts[1], value_prefix))
            continue;
        page->more = page->count == limit;
        if (page->more)
            return 0;
        const struct document_key key = {parts[2], parts[3], parts[4]};
        if (head_of(store, txn, &key, &head) != 0)
            return MDB_CORRUPTED; /* a claim without its document */
        if (values)
            values[page->count] = text_copy(arena, parts[1]);
        page_add(page, key_copy(arena, &key), head.version, head.modified_ms, head.size);
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

enum status lmdb_holders(void *state, struct text kind, struct text value_prefix, const struct text *after_value,
                         const struct document_key *after, size_t limit, struct arena *arena, struct key_page *page_out,
                         struct text **values_out)
{
    struct lmdb_store *store = state;
    struct lmdb_key first;
    struct lmdb_key last;
    struct walk walk = {0};
    MDB_txn *txn;
    lmdb_key_write_value_prefix(&first, kind, value_prefix);
    walk.prefix = key_text(&first);
    if (after) {
        const struct text parts[SHARED_PARTS] = {kind, *after_value, after->usage, after->owner, after->name};
        lmdb_key_write(&last, parts, SHARED_PARTS, SHARED_PARTS);
    }

    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    int error = mdb_cursor_open(txn, store->shared, &walk.cursor);
    if (!error) {
        error = holders_walk(store, txn, &walk, after ? &last : NULL, kind, value_prefix, limit, arena, page_out,
                             values_out ? *values_out : NULL);
        mdb_cursor_close(walk.cursor);
    }
    return finish(store, txn, "holders", error);
}

static int changes_walk(struct walk *walk, uint64_t after, uint64_t last, size_t limit, struct arena *arena,
                        struct change_page *page)
{
    struct number number = number_write(after);
    struct lmdb_key behind = {.length = sizeof(number.bytes)};
    memcpy(behind.bytes, number.bytes, sizeof(number.bytes));
    int error = walk_first(walk, &behind);
    if (error == MDB_NOTFOUND) {
        page->lost = after != last;
        return 0;
    }
    for (; !error && page->count < limit; error = walk_next(walk)) {
        struct change *change = &page->changes[page->count];
        if (!number_read(walk->key, &change->number) || !change_read(walk->value, change))
            return MDB_CORRUPTED;
        change->key = key_copy(arena, &change->key);
        change->who = text_copy(arena, change->who);
        page->count++;
    }
    page->lost = page->count > 0 && page->changes[0].number != after + 1;
    return error == MDB_NOTFOUND ? 0 : error;
}

enum status lmdb_changes(void *state, uint64_t after, size_t limit, struct arena *arena, struct change_page *page_out)
{
    struct lmdb_store *store = state;
    struct walk walk = {0};
    uint64_t last;
    MDB_txn *txn;
    if (lmdb_read_begin(store, &txn) != 0)
        return FAILED;
    int error = lmdb_last(store, txn, &last);
    if (!error)
        error = mdb_cursor_open(txn, store->changes, &walk.cursor);
    if (!error) {
        error = changes_walk(&walk, after, last, limit, arena, page_out);
        mdb_cursor_close(walk.cursor);
    }
    return finish(store, txn, "changes", error);
}

/* Another process may commit at any time: what tells is the number of the newest transaction in the map itself. One
 * that is being committed has its number there before readers get to see it, so numbers are kept as the transactions
 * that read them had them; until then this is no use, and no harm. */
static bool glance(struct lmdb_store *store, uint64_t *last_out)
{
    MDB_envinfo about;
    struct lmdb_place *place = lmdb_gate_enter(&store->gate);
    uint64_t seen = atomic_load(&store->seen_txn);
    *last_out = atomic_load(&store->seen_change);
    bool holds = seen && store->env && !atomic_load(&store->unsynced) && mdb_env_info(store->env, &about) == 0 &&
                 about.me_last_txnid == seen;
    lmdb_gate_leave(&store->gate, place);
    return holds;
}

/* The change goes first: who reads the number of a transaction gets its change or a later one, which is as true. */
static void note(struct lmdb_store *store, uint64_t seen, uint64_t last)
{
    pthread_mutex_lock(&store->seen_lock);
    if (seen > atomic_load(&store->seen_txn)) {
        atomic_store(&store->seen_change, last);
        atomic_store(&store->seen_txn, seen);
    }
    pthread_mutex_unlock(&store->seen_lock);
}

uint64_t lmdb_last_change(void *state)
{
    struct lmdb_store *store = state;
    uint64_t last;
    MDB_txn *txn;
    if (glance(store, &last))
        return last;
    if (lmdb_read_begin(store, &txn) != 0)
        return STORE_CHANGE_UNKNOWN;
    int error = lmdb_last(store, txn, &last);
    if (!error)
        note(store, mdb_txn_id(txn), last); /* before the end: the environment stays the same until then */
    finish(store, txn, "last_change", error);
    return error ? STORE_CHANGE_UNKNOWN : last;
}
