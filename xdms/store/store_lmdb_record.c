/* The bytes of what the LMDB engine keeps about documents. Knows no database. Numbers are big-endian; a text is its
 * length in two bytes and its bytes. */
#include <assert.h>

#include "store_lmdb.h"

enum { CLAIM_UNIQUE = 'u', CLAIM_SHARED = 's', CLAIM_COUNTED = 'c', CHANGE_WRITE = 'w', CHANGE_DELETION = 'd' };

static_assert(STORE_PART_MAX <= UINT16_MAX && STORE_VALUE_MAX <= UINT16_MAX, "lengths have two bytes");

static void add_number(struct text_builder *record, uint64_t number)
{
    struct number written = number_write(number);
    builder_add(record, number_text(&written));
}

static void add_text(struct text_builder *record, struct text text)
{
    assert(text.length <= UINT16_MAX);
    builder_add_char(record, (char)(text.length >> 8));
    builder_add_char(record, (char)(text.length & 0xff));
    builder_add(record, text);
}

static void add_key(struct text_builder *record, const struct document_key *key)
{
    add_text(record, key->usage);
    add_text(record, key->owner);
    add_text(record, key->name);
}

static bool take(struct text *rest, size_t length, struct text *taken_out)
{
    if (length > rest->length)
        return false;
    *taken_out = text_slice(*rest, 0, length);
    *rest = text_slice(*rest, length, rest->length);
    return true;
}

static bool take_number(struct text *rest, uint64_t *number_out)
{
    struct text taken;
    return take(rest, sizeof(struct number), &taken) && number_read(taken, number_out);
}

static bool take_time(struct text *rest, int64_t *time_out)
{
    uint64_t number;
    if (!take_number(rest, &number))
        return false;
    *time_out = (int64_t)number;
    return true;
}

static bool take_text(struct text *rest, struct text *text_out)
{
    struct text length;
    if (!take(rest, 2, &length))
        return false;
    return take(rest, (size_t)(unsigned char)length.bytes[0] << 8 | (unsigned char)length.bytes[1], text_out);
}

static bool take_key(struct text *rest, struct document_key *key_out)
{
    return take_text(rest, &key_out->usage) && take_text(rest, &key_out->owner) && take_text(rest, &key_out->name);
}

struct number number_write(uint64_t number)
{
    struct number written;
    for (size_t i = 0; i < sizeof(written.bytes); i++)
        written.bytes[i] = (char)(number >> (56 - 8 * i));
    return written;
}

bool number_read(struct text record, uint64_t *number_out)
{
    if (record.length != sizeof(struct number))
        return false;
    *number_out = 0;
    for (size_t i = 0; i < record.length; i++)
        *number_out = *number_out << 8 | (unsigned char)record.bytes[i];
    return true;
}

/* No usage is empty: an empty key says that the place tells it. */
struct text head_write(struct arena *arena, const struct head *head, const struct lmdb_key *place)
{
    struct text_builder record;
    const struct document_key none = {{0}};
    builder_init(&record, arena);
    add_number(&record, head->version);
    add_number(&record, (uint64_t)head->modified_ms);
    add_number(&record, (uint64_t)head->number << 32 | head->size);
    add_key(&record, place->hashed ? &head->key : &none);
    if (head_is_quiet(head))
        add_number(&record, head->claims.length);
    builder_add(&record, head->claims);
    builder_add(&record, head->bytes);
    return builder_text(&record);
}

bool head_read(struct text place, struct text record, struct head *head_out)
{
    uint64_t size, claims_length;
    if (!take_number(&record, &head_out->version) || !take_time(&record, &head_out->modified_ms) ||
        !take_number(&record, &size) || !take_key(&record, &head_out->key))
        return false;
    head_out->number = (uint32_t)(size >> 32);
    head_out->size = (uint32_t)size;
    struct text parts[DOCUMENT_PARTS];
    if (head_out->key.usage.length == 0) {
        if (!parts_split(place, parts, DOCUMENT_PARTS))
            return false;
        head_out->key = (struct document_key){parts[0], parts[1], parts[2]};
    }
    if (!head_is_quiet(head_out))
        claims_length = record.length;
    else if (!take_number(&record, &claims_length))
        return false;
    if (!take(&record, claims_length, &head_out->claims))
        return false;
    head_out->bytes = record;
    return true;
}

struct text claims_write(struct arena *arena, const struct claim *claims, size_t count)
{
    struct text_builder record;
    builder_init(&record, arena);
    for (size_t i = 0; i < count; i++) {
        builder_add_char(&record, claims[i].counted ? CLAIM_COUNTED : claims[i].shared ? CLAIM_SHARED : CLAIM_UNIQUE);
        add_text(&record, claims[i].kind);
        add_text(&record, claims[i].value);
        if (claims[i].counted)
            add_number(&record, claims[i].weight);
    }
    return builder_text(&record);
}

bool claims_next(struct text *rest, struct claim *claim_out)
{
    struct text type;
    if (!take(rest, 1, &type))
        return false;
    *claim_out = (struct claim){.shared = type.bytes[0] == CLAIM_SHARED, .counted = type.bytes[0] == CLAIM_COUNTED};
    return take_text(rest, &claim_out->kind) && take_text(rest, &claim_out->value) &&
           (!claim_out->counted || take_number(rest, &claim_out->weight));
}

struct text tally_write(struct arena *arena, const struct tally *tally, const struct claim *claim)
{
    struct text_builder record;
    builder_init(&record, arena);
    add_number(&record, tally->count);
    add_number(&record, tally->weight);
    add_text(&record, claim->kind);
    add_text(&record, claim->value);
    return builder_text(&record);
}

bool tally_read(struct text record, struct tally *tally_out, struct claim *claim_out)
{
    *claim_out = (struct claim){.counted = true};
    return take_number(&record, &tally_out->count) && take_number(&record, &tally_out->weight) &&
           take_text(&record, &claim_out->kind) && take_text(&record, &claim_out->value);
}

struct text change_write(struct arena *arena, const struct change *change)
{
    struct text_builder record;
    builder_init(&record, arena);
    builder_add_char(&record, change->deletion ? CHANGE_DELETION : CHANGE_WRITE);
    add_number(&record, change->previous);
    add_number(&record, (uint64_t)change->when_ms);
    add_key(&record, &change->key);
    add_text(&record, change->who);
    return builder_text(&record);
}

bool change_read(struct text record, struct change *change_out)
{
    struct text type;
    if (!take(&record, 1, &type))
        return false;
    change_out->deletion = type.bytes[0] == CHANGE_DELETION;
    return take_number(&record, &change_out->previous) && take_time(&record, &change_out->when_ms) &&
           take_key(&record, &change_out->key) && take_text(&record, &change_out->who);
}

struct text parts_write(struct arena *arena, const struct text *parts, size_t count)
{
    struct text_builder record;
    builder_init(&record, arena);
    for (size_t i = 0; i < count; i++)
        add_text(&record, parts[i]);
    return builder_text(&record);
}

bool parts_read(struct text record, struct text *parts_out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!take_text(&record, &parts_out[i]))
            return false;
    return true;
}

bool parts_split(struct text key, struct text *parts_out, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (!text_cut(key, '\0', &parts_out[i], &key))
            return false;
    parts_out[count - 1] = key;
    return true;
}
