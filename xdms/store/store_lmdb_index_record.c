/* The bytes of what the LMDB engine keeps about indexes: which there are, keys of entries, numbers of documents. */
#include <assert.h>

#include "store_lmdb_index.h"

#define FLAG_OWNED     1
#define FLAG_APPENDING 2

/* --- which indexes there are: numbers big-endian, a usage is its length in two bytes and its bytes ---------------- */

static void add_bytes(struct text_builder *record, uint64_t number, unsigned bytes)
{
    while (bytes-- > 0)
        builder_add_char(record, (char)(number >> (8 * bytes)));
}

static bool take_bytes(struct text *rest, unsigned bytes, uint64_t *number_out)
{
    if (rest->length < bytes)
        return false;
    *number_out = 0;
    for (unsigned i = 0; i < bytes; i++)
        *number_out = *number_out << 8 | (unsigned char)rest->bytes[i];
    *rest = text_slice(*rest, bytes, rest->length);
    return true;
}

struct text lmdb_indexes_write(const struct lmdb_indexes *indexes, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    add_bytes(&record, indexes->last_number, 4);
    add_bytes(&record, indexes->count, 2);
    for (size_t i = 0; i < indexes->count; i++) {
        const struct lmdb_index *index = &indexes->list[i];
        add_bytes(&record, index->slot, 1);
        add_bytes(&record, (index->owned ? FLAG_OWNED : 0) | (index->appending ? FLAG_APPENDING : 0), 1);
        add_bytes(&record, index->signature, 8);
        add_bytes(&record, index->serving, 2);
        add_bytes(&record, index->building, 2);
        add_bytes(&record, index->usage.length, 2);
        builder_add(&record, index->usage);
    }
    for (size_t i = 0; i < indexes->dead_count; i++)
        add_bytes(&record, indexes->dead[i], 2);
    return builder_text(&record);
}

static bool index_read(struct text *rest, struct lmdb_index *index_out)
{
    uint64_t slot, flags, serving, building, length;
    if (!take_bytes(rest, 1, &slot) || !take_bytes(rest, 1, &flags) || !take_bytes(rest, 8, &index_out->signature) ||
        !take_bytes(rest, 2, &serving) || !take_bytes(rest, 2, &building) || !take_bytes(rest, 2, &length) ||
        rest->length < length)
        return false;
    index_out->slot = (unsigned char)slot;
    index_out->owned = flags & FLAG_OWNED;
    index_out->appending = flags & FLAG_APPENDING;
    index_out->serving = (unsigned)serving;
    index_out->building = (unsigned)building;
    index_out->usage = text_slice(*rest, 0, length);
    *rest = text_slice(*rest, length, rest->length);
    return true;
}

int lmdb_indexes_read(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes *indexes_out)
{
    struct text record;
    uint64_t number = 0, count = 0;
    indexes_out->count = indexes_out->dead_count = indexes_out->last_number = 0;
    int error = lmdb_value(txn, store->meta, META_INDEXES, &record);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (!take_bytes(&record, 4, &number) || !take_bytes(&record, 2, &count) || count > INDEXES_MAX)
        return MDB_CORRUPTED;
    indexes_out->last_number = (uint32_t)number;
    for (; indexes_out->count < count; indexes_out->count++)
        if (!index_read(&record, &indexes_out->list[indexes_out->count]))
            return MDB_CORRUPTED;
    while (indexes_out->dead_count < DEAD_MAX && take_bytes(&record, 2, &number))
        indexes_out->dead[indexes_out->dead_count++] = (unsigned)number;
    return record.length ? MDB_CORRUPTED : 0;
}

struct lmdb_index *lmdb_index_of(struct lmdb_indexes *indexes, struct text usage, bool owned)
{
    for (size_t i = 0; i < indexes->count; i++)
        if (indexes->list[i].owned == owned && text_equal(indexes->list[i].usage, usage))
            return &indexes->list[i];
    return NULL;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static bool is_used(const struct lmdb_indexes *indexes, unsigned table)
{
    for (size_t i = 0; i < indexes->count; i++)
        if (indexes->list[i].serving == table || indexes->list[i].building == table)
            return true;
    for (size_t i = 0; i < indexes->dead_count; i++)
        if (indexes->dead[i] == table)
            return true;
    return false;
}

unsigned lmdb_table_new(const struct lmdb_indexes *indexes)
{
    unsigned table = 0;
    for (size_t i = 0; i < indexes->count; i++) {
        const struct lmdb_index *index = &indexes->list[i];
        table = index->serving > table ? index->serving : table;
        table = index->building > table ? index->building : table;
    }
    for (size_t i = 0; i < indexes->dead_count; i++)
        table = indexes->dead[i] > table ? indexes->dead[i] : table;
    if (table < TABLE_MAX)
        return table + 1;
    for (table = 1; is_used(indexes, table); table++)
        ;
    return table; /* there are far fewer than TABLE_MAX */
}

int lmdb_table_bury(struct lmdb_indexes *indexes, unsigned *table)
{
    if (!*table)
        return 0;
    if (indexes->dead_count == DEAD_MAX)
        return MDB_TXN_FULL; /* builds take them away before they make new ones */
    indexes->dead[indexes->dead_count++] = *table;
    *table = 0;
    return 0;
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

struct text entry_key_write(struct entry_key *key, unsigned table, unsigned field, struct text value)
{
    assert(value.length <= STORE_ENTRY_VALUE_MAX);
    key->bytes[0] = (unsigned char)(table >> 8);
    key->bytes[1] = (unsigned char)table;
    key->bytes[2] = (unsigned char)field;
    if (value.length)
        memcpy(key->bytes + 3, value.bytes, value.length);
    key->length = 3 + value.length;
    return (struct text){(const char *)key->bytes, key->length};
}

struct entry_number entry_number_write(uint32_t number)
{
    return (struct entry_number){{(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                  (unsigned char)(number >> 8), (unsigned char)number}};
}

static uint32_t number_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool entry_number_read(MDB_val value, uint32_t *number_out)
{
    if (value.mv_size != sizeof(struct entry_number))
        return false;
    *number_out = number_at(value.mv_data);
    return true;
}

MDB_val entry_number_val(const struct entry_number *number)
{
    return (MDB_val){sizeof(number->bytes), (void *)number->bytes};
}

/* LMDB gives a page of them at once, but not where there is one alone. */
int lmdb_entry_numbers(MDB_cursor *cursor, struct text key, size_t most, uint32_t *list, size_t *count, bool *more_out)
{
    MDB_val key_val = val_of(key), value;
    size_t all = 0;
    *more_out = false;
    int error = mdb_cursor_get(cursor, &key_val, &value, MDB_SET_KEY);
    if (!error)
        error = mdb_cursor_count(cursor, &all);
    if (error)
        return error == MDB_NOTFOUND ? 0 : error;
    if (all > 1)
        error = mdb_cursor_get(cursor, &key_val, &value, MDB_GET_MULTIPLE);
    while (!error) {
        if (value.mv_size == 0 || value.mv_size % sizeof(struct entry_number))
            return MDB_CORRUPTED;
        for (size_t i = 0; i < value.mv_size; i += sizeof(struct entry_number)) {
            *more_out = *count == most;
            if (*more_out)
                return 0;
            list[(*count)++] = number_at((const unsigned char *)value.mv_data + i);
        }
        error = all > 1 ? mdb_cursor_get(cursor, &key_val, &value, MDB_NEXT_MULTIPLE) : MDB_NOTFOUND;
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

/* --- numbers: the slot of the index, the owner, NUL, the name ----------------------------------------------------- */

int lmdb_number_row(struct lmdb_store *store, MDB_txn *txn, uint32_t number, unsigned char *slot_out,
                    struct document_key *key_out)
{
    struct entry_number written = entry_number_write(number);
    MDB_val key = entry_number_val(&written), value;
    int error = mdb_get(txn, store->numbers, &key, &value);
    if (error)
        return error;
    struct text row = text_of_val(value);
    *key_out = (struct document_key){0};
    if (row.length == 0)
        return MDB_CORRUPTED;
    *slot_out = (unsigned char)row.bytes[0];
    return text_cut(text_slice(row, 1, row.length), '\0', &key_out->owner, &key_out->name) ? 0 : MDB_CORRUPTED;
}

/* Numbers go on behind the last one, so that its page is appended to. Past the largest they begin again, where
 * documents have gone. */
int lmdb_number_give(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes *indexes, unsigned char slot,
                     const struct document_key *key, uint32_t *number_out)
{
    struct text_builder row;
    uint32_t number = indexes->last_number;
    int error = MDB_KEYEXIST;
    builder_init(&row, &store->scratch);
    builder_add_char(&row, (char)slot);
    builder_add(&row, key->owner);
    builder_add_char(&row, '\0');
    builder_add(&row, key->name);
    for (unsigned flags = MDB_APPEND; error == MDB_KEYEXIST; flags = MDB_NOOVERWRITE) {
        if (flags == MDB_APPEND || number != indexes->last_number)
            number++;
        number += number == 0;
        struct entry_number written = entry_number_write(number);
        MDB_val place = entry_number_val(&written), value = val_of(builder_text(&row));
        error = mdb_put(txn, store->numbers, &place, &value, flags);
    }
    indexes->last_number = *number_out = number;
    return error;
}
