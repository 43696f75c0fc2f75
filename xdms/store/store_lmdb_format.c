/* The format of an LMDB store: its name and number, how a new folder begins, and how an older one is brought to the
 * newest. Everything that depends on a format's number is here. */
#include <stdio.h>

#include "log.h"
#include "store_lmdb.h"

#define FORMAT_NAME "xdms-store "

/* A change of format appends a step: what it takes to make the new one of the one before. Programs of before refuse
 * the folder from then on. Steps are never changed once released. */
static lmdb_migration_fn begin_tallies, begin_quiet_writes, begin_entries, begin_fan_outs, move_numbers;
static lmdb_migration_fn *const steps[] = {begin_tallies, begin_quiet_writes, begin_entries, begin_fan_outs,
                                           move_numbers};
const struct lmdb_formats lmdb_formats = {.steps = steps, .count = sizeof(steps) / sizeof(steps[0])};

/* 1 to 2: counted claims. Nobody made any before, and who knows none must not write on. */
static int begin_tallies(struct lmdb_store *store, MDB_txn *txn)
{
    return mdb_drop(txn, store->tallies, 0);
}

/* 2 to 3: heads without their keys, and with the bytes of quiet writes. What was written before reads as it did; who
 * knows only that would take the new ones for damage. */
static int begin_quiet_writes(struct lmdb_store *store, MDB_txn *txn)
{
    (void)store;
    (void)txn;
    return 0;
}

/* 3 to 4: entries of indexes were shared claims, whose kinds have a '/', and what indexes were complete for stood in
 * documents. Indexes are built anew; nothing else is lost. */
static bool is_entry(struct text kind)
{
    return text_find_char(kind, '/') < kind.length;
}

static int drop_shared_entries(struct lmdb_store *store, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(txn, store->shared, &cursor);
    if (error)
        return error;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        struct text kind, rest;
        text_cut(text_of_val(key), '\0', &kind, &rest);
        if (is_entry(kind))
            error = mdb_cursor_del(cursor, 0);
        if (error)
            break;
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* The claims that stay. */
static struct text claims_kept(struct text claims, struct arena *arena)
{
    struct text_builder kept;
    struct claim claim;
    builder_init(&kept, arena);
    for (struct text rest = claims, before = claims; claims_next(&rest, &claim); before = rest)
        if (!claim.shared || !is_entry(claim.kind))
            builder_add(&kept, text_slice(before, 0, before.length - rest.length));
    return builder_text(&kept);
}

static int shorten_head(struct lmdb_store *store, MDB_txn *txn, MDB_cursor *cursor, struct text record,
                        struct text place)
{
    static const struct text states = TEXT_INIT("#indexes");
    struct head head;
    place = text_copy(&store->scratch, place);
    if (!head_read(place, text_copy(&store->scratch, record), &head))
        return MDB_CORRUPTED;
    if (text_equal(head.key.usage, states)) {
        struct number version = number_write(head.version);
        MDB_val bytes = val_of(number_text(&version));
        int error = mdb_del(txn, store->documents, &bytes, NULL);
        return error && error != MDB_NOTFOUND ? error : mdb_cursor_del(cursor, 0);
    }
    struct text kept = claims_kept(head.claims, &store->scratch);
    if (kept.length == head.claims.length)
        return 0;
    head.claims = kept;
    struct lmdb_key written;
    lmdb_key_of_document(&written, &head.key);
    MDB_val key = val_of(place), value = val_of(head_write(&store->scratch, &head, &written));
    return mdb_cursor_put(cursor, &key, &value, MDB_CURRENT);
}

static int begin_entries(struct lmdb_store *store, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = drop_shared_entries(store, txn);
    if (!error)
        error = mdb_cursor_open(txn, store->heads, &cursor);
    if (error)
        return error;
    while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        error = shorten_head(store, txn, cursor, text_of_val(value), text_of_val(key));
        arena_reset(&store->scratch);
        if (error)
            break;
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* 4 to 5: copies that are handed out at once stand in fan-out records. Nobody made any before, and who knows none would
 * never deliver them. */
static int begin_fan_outs(struct lmdb_store *store, MDB_txn *txn)
{
    (void)store;
    (void)txn;
    return 0;
}

/* 5 to 6: the numbers of the newest change and quiet write stood in meta, for which each transaction wrote a page. */
static int move_number(struct lmdb_store *store, MDB_txn *txn, struct text name)
{
    MDB_val key = val_of(name), value;
    struct number number;
    int error = mdb_get(txn, store->meta, &key, &value);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (value.mv_size != sizeof(number))
        return MDB_CORRUPTED;
    memcpy(number.bytes, value.mv_data, sizeof(number));
    error = mdb_del(txn, store->meta, &key, NULL);
    return error ? error : lmdb_put(txn, store->unnamed, name, number_text(&number), 0);
}

static int move_numbers(struct lmdb_store *store, MDB_txn *txn)
{
    int error = move_number(store, txn, LAST_CHANGE);
    return error ? error : move_number(store, txn, LAST_QUIET);
}

static uint64_t newest(const struct lmdb_store *store)
{
    return store->options.formats->count + 1;
}

static int format_write(struct lmdb_store *store, MDB_txn *txn)
{
    char format[32];
    snprintf(format, sizeof(format), FORMAT_NAME "%llu", (unsigned long long)newest(store));
    return lmdb_put(txn, store->meta, META_FORMAT, text_of(format), 0);
}

/* Nothing is written into a file that is not ours, or that a newer program writes. */
static bool format_read(struct lmdb_store *store, MDB_txn *txn, uint64_t *number_out, struct arena *arena,
                        struct text *error_out)
{
    struct text format;
    int error = lmdb_value(txn, store->meta, META_FORMAT, &format);
    const struct text name = TEXT(FORMAT_NAME);
    *number_out = 0;
    if (error)
        return folder_say(arena, error_out, store->folder, "holds a database that is not a store");
    if (!text_starts_with(format, name) || !text_to_u64(text_slice(format, name.length, format.length), number_out) ||
        *number_out == 0)
        return folder_say(arena, error_out, store->folder, "holds a store of unknown format");
    if (*number_out <= newest(store))
        return true;
    *error_out = text_format(arena, "%s: was written by a newer program (format %llu, known up to %llu)", store->folder,
                             (unsigned long long)*number_out, (unsigned long long)newest(store));
    return false;
}

static int migrate(struct lmdb_store *store, MDB_txn *txn, uint64_t number)
{
    int error = 0;
    for (uint64_t from = number; !error && from < newest(store); from++)
        error = store->options.formats->steps[from - 1](store, txn);
    return error ? error : format_write(store, txn);
}

/* Programs of the older format must not write on while, or after, theirs becomes another. */
static bool format_raise(struct lmdb_store *store, MDB_txn *txn, uint64_t number, struct arena *arena,
                         struct text *error_out)
{
    if (number == newest(store))
        return true;
    if (!folder_lock_alone(store->folder_fd))
        return folder_say(arena, error_out, store->folder,
                          "has an older format and is in use: stop all programs on it, then start this one");
    int error = migrate(store, txn, number);
    if (error)
        return folder_say(arena, error_out, store->folder, mdb_strerror(error));
    log_info("store brought to a new format folder=%s from=%llu to=%llu", store->folder, (unsigned long long)number,
             (unsigned long long)newest(store));
    return true;
}

static bool meta_open(struct lmdb_store *store, MDB_txn *txn, uint64_t *number_out, struct arena *arena,
                      struct text *error_out)
{
    MDB_stat about;
    int error = mdb_dbi_open(txn, NULL, 0, &store->unnamed);
    if (!error)
        error = mdb_stat(txn, store->unnamed, &about);
    bool fresh = !error && about.ms_entries == 0;
    if (!error)
        error = mdb_dbi_open(txn, "meta", fresh ? MDB_CREATE : 0, &store->meta);
    if (error == MDB_NOTFOUND || error == MDB_INCOMPATIBLE)
        return folder_say(arena, error_out, store->folder, "holds a database that is not a store");
    if (!error && fresh)
        error = format_write(store, txn);
    if (error)
        return folder_say(arena, error_out, store->folder, mdb_strerror(error));
    return format_read(store, txn, number_out, arena, error_out);
}

static int databases_open(struct lmdb_store *store, MDB_txn *txn, unsigned flags)
{
    const struct {
        const char *name;
        MDB_dbi *database;
        unsigned flags;
    } databases[] = {
        {"heads", &store->heads, 0},     {"documents", &store->documents, 0},
        {"claims", &store->claims, 0},   {"shared", &store->shared, 0},
        {"tallies", &store->tallies, 0}, {"changes", &store->changes, 0},
        {"numbers", &store->numbers, 0}, {"entries", &store->entries, MDB_DUPSORT | MDB_DUPFIXED},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof(databases) / sizeof(databases[0]); i++)
        error = mdb_dbi_open(txn, databases[i].name, flags | databases[i].flags, databases[i].database);
    return error;
}

bool format_open(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    MDB_txn *txn;
    uint64_t number = 0;
    int error = lmdb_write_begin(store, &txn);
    if (error)
        return folder_say(arena, error_out, store->folder, mdb_strerror(error));
    bool good = meta_open(store, txn, &number, arena, error_out);
    if (good) {
        error = databases_open(store, txn, MDB_CREATE);
        good = error ? folder_say(arena, error_out, store->folder, mdb_strerror(error))
                     : format_raise(store, txn, number, arena, error_out);
    }
    /* databases opened in a transaction that ends otherwise are lost */
    error = lmdb_write_end(store, txn, good);
    if (good && error)
        return folder_say(arena, error_out, store->folder, mdb_strerror(error));
    return good;
}

int format_reopen(struct lmdb_store *store)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    error = mdb_dbi_open(txn, NULL, 0, &store->unnamed);
    if (!error)
        error = mdb_dbi_open(txn, "meta", 0, &store->meta);
    if (!error)
        error = databases_open(store, txn, 0);
    if (!error)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}
