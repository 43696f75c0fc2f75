/* Compares everything that a store holds with everything else it holds. Reads one state of the store, writes nothing,
 * and knows nothing of what is in a document. */
#include "log.h"
#include "store_lmdb_index.h"

struct walk {
    struct lmdb_store *store;
    MDB_txn *txn;
    store_problem_fn *problem;
    void *context;
    struct arena arena;         /* of one entry */
    uint64_t last;              /* newest change */
    uint64_t last_quiet, quiet; /* newest quiet write; how many documents are of one */
    struct tally_sum claimed, tallied;
    size_t problems;
};

typedef void entry_fn(struct walk *walk, struct text key, struct text value);

static int walk_all(struct walk *walk);
static int walk_changes(struct walk *walk);
static int walk_database(struct walk *walk, MDB_dbi database, entry_fn *entry);
static store_problem_fn say_for;
static entry_fn check_head, check_document, check_claim, check_shared, check_tally;

static void say(struct walk *walk, struct text line)
{
    walk->problems++;
    walk->problem(walk->context, line);
}

static void say_for(void *walk, struct text line)
{
    say(walk, line);
}

/* Keys hold NUL bytes, and a damaged one may hold anything. */
static struct text shown(struct walk *walk, struct text key)
{
    struct text_builder line;
    builder_init(&line, &walk->arena);
    for (size_t i = 0; i < key.length; i++)
        builder_add_char(&line, key.bytes[i] == 0 ? ' ' : (unsigned char)key.bytes[i] < 0x20 ? '?' : key.bytes[i]);
    return builder_text(&line);
}

static void say_key(struct walk *walk, const char *what, struct text key)
{
    say(walk, text_format(&walk->arena, "%s: %.*s", what, TEXT_ARG(shown(walk, key))));
}

static void say_number(struct walk *walk, const char *what, uint64_t number)
{
    say(walk, text_format(&walk->arena, "%s: %llu", what, (unsigned long long)number));
}

enum status lmdb_check(void *state, store_problem_fn *problem, void *context)
{
    struct walk walk = {.store = state, .problem = problem, .context = context};
    int error = lmdb_read_begin(walk.store, &walk.txn);
    if (error)
        return FAILED;
    arena_init(&walk.arena, "check");
    error = walk_all(&walk);
    arena_clear(&walk.arena);
    lmdb_read_end(walk.store, walk.txn);
    if (error)
        lmdb_log(walk.store, "check", error);
    return error ? FAILED : walk.problems ? CONFLICT : OK;
}

static int walk_all(struct walk *walk)
{
    struct lmdb_store *store = walk->store;
    int error = lmdb_last(store, walk->txn, &walk->last);
    if (error == MDB_CORRUPTED) {
        say(walk, TEXT("the number of the newest change is damaged"));
        error = 0;
    }
    if (!error)
        error = lmdb_last_quiet(store, walk->txn, &walk->last_quiet);
    if (!error)
        error = walk_database(walk, store->heads, check_head);
    if (!error)
        error = walk_database(walk, store->documents, check_document);
    if (!error)
        error = walk_database(walk, store->claims, check_claim);
    if (!error)
        error = walk_database(walk, store->shared, check_shared);
    if (!error)
        error = walk_database(walk, store->tallies, check_tally);
    if (!error && walk->claimed.sum != walk->tallied.sum)
        say(walk, TEXT("the tallies of counted claims are not what documents claim"));
    if (!error)
        error = lmdb_indexes_check(store, walk->txn, say_for, walk);
    return error ? error : walk_changes(walk);
}

static int walk_database(struct walk *walk, MDB_dbi database, entry_fn *entry)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(walk->txn, database, &cursor);
    if (error)
        return error;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        entry(walk, text_of_val(key), text_of_val(value));
        arena_reset(&walk->arena);
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* Each claim of a document stands where it is looked for, and names that document. */
static void check_claim_of(struct walk *walk, const struct head *head, const struct claim *claim)
{
    const struct text parts[SHARED_PARTS] = {claim->kind, claim->value, head->key.usage, head->key.owner,
                                             head->key.name};
    if (claim->counted) {
        lmdb_tally_sum(&walk->claimed, claim, &(struct tally){1, claim->weight});
        return;
    }
    struct text holder[SHARED_PARTS];
    struct lmdb_key place;
    struct text record;
    size_t count = claim->shared ? SHARED_PARTS : CLAIM_PARTS;
    lmdb_key_write(&place, parts, count, count);
    if (lmdb_value(walk->txn, claim->shared ? walk->store->shared : walk->store->claims, key_text(&place), &record)) {
        say_key(walk, "a claim of a document is missing", key_text(&place));
        return;
    }
    if (claim->shared || !parts_read(record, holder, SHARED_PARTS))
        return; /* read again when its own entry is checked */
    const struct document_key key = {holder[2], holder[3], holder[4]};
    if (key_compare(&key, &head->key) != 0)
        say_key(walk, "a claim of a document is held by another", key_text(&place));
}

static bool is_given_out(const struct walk *walk, uint64_t version)
{
    uint64_t number = version & ~VERSION_QUIET;
    return number > 0 && number <= (version & VERSION_QUIET ? walk->last_quiet : walk->last);
}

static bool has_number(struct walk *walk, const struct head *head)
{
    struct document_key key;
    unsigned char slot;
    return lmdb_number_row(walk->store, walk->txn, head->number, &slot, &key) == 0 &&
           text_equal(key.owner, head->key.owner) && text_equal(key.name, head->key.name);
}

static void check_head(struct walk *walk, struct text key, struct text value)
{
    struct head head;
    struct lmdb_key place;
    struct text bytes;
    struct claim claim;
    if (!head_read(key, value, &head)) {
        say_key(walk, "the head of a document is damaged", key);
        return;
    }
    walk->quiet += head_is_quiet(&head);
    lmdb_key_of_document(&place, &head.key);
    if (!text_equal(key_text(&place), key))
        say_key(walk, "a document stands under a wrong key", key);
    if (!is_given_out(walk, head.version))
        say_key(walk, "the version of a document is no change number", key);
    if (lmdb_bytes(walk->store, walk->txn, &head, &bytes) != 0)
        say_key(walk, "the bytes of a document are missing", key);
    else if (bytes.length > head.size)
        say_key(walk, "a document has another size than its head says", key);
    else if (!lmdb_unpack(bytes, head.size, &walk->arena, &bytes))
        say_key(walk, "the bytes of a document are damaged", key);
    if (head.number && !has_number(walk, &head))
        say_key(walk, "the number of a document does not lead to it", key);
    while (claims_next(&head.claims, &claim))
        check_claim_of(walk, &head, &claim);
    if (head.claims.length)
        say_key(walk, "the claims of a document are damaged", key);
}

/* Heads were found to have their bytes: bytes are left over if they are more than the heads that lead to them. The
 * change that wrote them says which head that is; where it is dropped already, the count alone can tell. */
static void check_document(struct walk *walk, struct text key, struct text value)
{
    (void)value;
    uint64_t version;
    struct text record;
    struct change change;
    struct head head;
    struct lmdb_key place;
    if (!number_read(key, &version)) {
        say_key(walk, "bytes stand under a key that is no version", key);
        return;
    }
    if (lmdb_value(walk->txn, walk->store->changes, key, &record) || !change_read(record, &change))
        return;
    lmdb_key_of_document(&place, &change.key);
    if (lmdb_value(walk->txn, walk->store->heads, key_text(&place), &record) ||
        !head_read(key_text(&place), record, &head) || head.version != version)
        say_number(walk, "bytes are kept of a version that is no more", version);
}

static bool is_claimed(struct walk *walk, const struct text *parts, bool shared)
{
    const struct document_key key = {parts[2], parts[3], parts[4]};
    struct lmdb_key place;
    struct text record;
    struct head head;
    struct claim claim;
    lmdb_key_of_document(&place, &key);
    if (lmdb_value(walk->txn, walk->store->heads, key_text(&place), &record) ||
        !head_read(key_text(&place), record, &head))
        return false;
    while (claims_next(&head.claims, &claim))
        if (claim.shared == shared && text_equal(claim.kind, parts[0]) && text_equal(claim.value, parts[1]))
            return true;
    return false;
}

static void check_held(struct walk *walk, struct text key, const struct text *parts, bool shared)
{
    struct lmdb_key place;
    size_t count = shared ? SHARED_PARTS : CLAIM_PARTS;
    lmdb_key_write(&place, parts, count, count);
    if (!text_equal(key_text(&place), key))
        say_key(walk, "a claim stands under a wrong key", key);
    else if (!is_claimed(walk, parts, shared))
        say_key(walk, "a claim is held by no document that makes it", key);
}

static void check_claim(struct walk *walk, struct text key, struct text value)
{
    struct text parts[SHARED_PARTS];
    if (parts_read(value, parts, SHARED_PARTS))
        check_held(walk, key, parts, false);
    else
        say_key(walk, "a claim is damaged", key);
}

static void check_shared(struct walk *walk, struct text key, struct text value)
{
    struct text parts[SHARED_PARTS];
    bool readable = value.length ? parts_read(value, parts, SHARED_PARTS) : parts_split(key, parts, SHARED_PARTS);
    if (readable)
        check_held(walk, key, parts, true);
    else
        say_key(walk, "a shared claim is damaged", key);
}

static void check_tally(struct walk *walk, struct text key, struct text value)
{
    struct claim claim;
    struct tally tally;
    struct lmdb_key place;
    if (!tally_read(value, &tally, &claim)) {
        say_key(walk, "a tally is damaged", key);
        return;
    }
    const struct text parts[CLAIM_PARTS] = {claim.kind, claim.value};
    lmdb_key_write(&place, parts, CLAIM_PARTS, CLAIM_PARTS);
    if (!text_equal(key_text(&place), key))
        say_key(walk, "a tally stands under a wrong key", key);
    lmdb_tally_sum(&walk->tallied, &claim, &tally);
}

/* A restore leaves no records. */
static bool is_restored(struct walk *walk)
{
    struct text value;
    uint64_t restored;
    return lmdb_value(walk->txn, walk->store->meta, META_RESTORED, &value) == 0 && number_read(value, &restored) &&
           restored == walk->last;
}

static bool is_earlier(const struct walk *walk, uint64_t previous, uint64_t number)
{
    return previous & VERSION_QUIET ? is_given_out(walk, previous) : previous < number;
}

/* As many bytes as heads; and the records that are kept are the newest, without a gap. */
static int walk_changes(struct walk *walk)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_stat heads, documents;
    uint64_t number = 0, before = 0;
    struct change change;
    int error = mdb_stat(walk->txn, walk->store->heads, &heads);
    if (!error)
        error = mdb_stat(walk->txn, walk->store->documents, &documents);
    if (!error && heads.ms_entries != documents.ms_entries + walk->quiet)
        say(walk, text_format(&walk->arena, "there are %zu documents, but bytes of %zu", heads.ms_entries,
                              documents.ms_entries + (size_t)walk->quiet));
    if (!error)
        error = mdb_cursor_open(walk->txn, walk->store->changes, &cursor);
    if (error)
        return error;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (!number_read(text_of_val(key), &number))
            say_key(walk, "a change has no number", text_of_val(key));
        else if (before && number != before + 1)
            say_number(walk, "changes are missing before", number);
        if (!change_read(text_of_val(value), &change) || !is_earlier(walk, change.previous, number))
            say_number(walk, "the record of a change is damaged", number);
        before = number;
        arena_reset(&walk->arena);
    }
    mdb_cursor_close(cursor);
    if (before != walk->last && !(before == 0 && is_restored(walk)))
        say_number(walk, "the newest change has no record", walk->last);
    return error == MDB_NOTFOUND ? 0 : error;
}
