/* Entries of many documents, in memory until they are written in order: a table of keys, and behind each the numbers of
 * its documents. Most keys have one number, some have hundreds of thousands. */
#include <assert.h>
#include <stdlib.h>

#include "store_lmdb_index.h"

#define SLOTS_START (1u << 12)
#define RUN_MIN     2    /* numbers of the second piece of a list: doubled from piece to piece… */
#define RUN_MAX     1024 /* …so that little is left over, and little time is spent on the way from one to the next */
#define NONE        UINT32_MAX

/* Numbers of a key beyond the first: pieces in `numbers`, each with the place of the next before its numbers. */
struct list {
    uint32_t key; /* place in `keys`: a length of one byte and the bytes */
    uint32_t count;
    uint32_t first;      /* number */
    uint32_t head, tail; /* pieces */
    uint16_t used, room; /* of the last piece */
};

struct order {
    uint64_t begin; /* the first eight bytes of a key: most pairs differ there */
    uint32_t list;
};

struct gather {
    unsigned char *keys;
    size_t keys_length, keys_capacity;
    uint32_t *numbers;
    size_t numbers_length, numbers_capacity;
    struct list *lists;
    size_t lists_count, lists_capacity;
    uint32_t *slots; /* of a hash table: lists */
    size_t slots_count;
    struct order *order;
    uint32_t *whole; /* numbers of one list */
    size_t whole_capacity;
};

static_assert(STORE_ENTRY_VALUE_MAX + 1 <= UINT8_MAX, "the length of a key is one byte");

struct gather *gather_new(void)
{
    struct gather *gather = memory_new(sizeof(*gather));
    gather_reset(gather);
    return gather;
}

static void clear(struct gather *gather)
{
    free(gather->keys);
    free(gather->numbers);
    free(gather->lists);
    free(gather->slots);
    free(gather->order);
    free(gather->whole);
    *gather = (struct gather){0};
}

void gather_free(struct gather *gather)
{
    clear(gather);
    free(gather);
}

static void slots_make(struct gather *gather, size_t count)
{
    free(gather->slots);
    gather->slots = memory_new_raw(count * sizeof(gather->slots[0]));
    gather->slots_count = count;
    memset(gather->slots, 0xff, count * sizeof(gather->slots[0]));
}

void gather_reset(struct gather *gather)
{
    clear(gather);
    slots_make(gather, SLOTS_START);
}

size_t gather_bytes(const struct gather *gather)
{
    return gather->keys_length + gather->numbers_length * sizeof(uint32_t) +
           gather->lists_count * (sizeof(struct list) + sizeof(struct order)) + gather->slots_count * sizeof(uint32_t);
}

/* Room for one more piece of `wanted`; half as much again each time. */
static void *grown(void *memory, size_t length, size_t *capacity, size_t wanted, size_t size)
{
    if (length + wanted <= *capacity)
        return memory;
    *capacity = (length + wanted) + (length + wanted) / 2;
    return memory_resize(memory, *capacity * size);
}

static struct text key_of(const struct gather *gather, const struct list *list)
{
    const unsigned char *place = gather->keys + list->key;
    return (struct text){(const char *)place + 1, place[0]};
}

static size_t slot_of(const struct gather *gather, struct text key)
{
    size_t slot = text_hash(key, 0) & (gather->slots_count - 1);
    while (gather->slots[slot] != NONE && !text_equal(key_of(gather, &gather->lists[gather->slots[slot]]), key))
        slot = (slot + 1) & (gather->slots_count - 1);
    return slot;
}

static void slots_grow(struct gather *gather)
{
    slots_make(gather, 2 * gather->slots_count);
    for (size_t i = 0; i < gather->lists_count; i++)
        gather->slots[slot_of(gather, key_of(gather, &gather->lists[i]))] = (uint32_t)i;
}

static void list_begin(struct gather *gather, size_t slot, struct text key, uint32_t number)
{
    gather->keys = grown(gather->keys, gather->keys_length, &gather->keys_capacity, key.length + 1, 1);
    gather->lists = grown(gather->lists, gather->lists_count, &gather->lists_capacity, 1, sizeof(gather->lists[0]));
    struct list *list = &gather->lists[gather->lists_count];
    *list =
        (struct list){.key = (uint32_t)gather->keys_length, .count = 1, .first = number, .head = NONE, .tail = NONE};
    gather->keys[gather->keys_length] = (unsigned char)key.length;
    memcpy(gather->keys + gather->keys_length + 1, key.bytes, key.length);
    gather->keys_length += key.length + 1;
    gather->slots[slot] = (uint32_t)gather->lists_count++;
    if (gather->lists_count * 4 > gather->slots_count * 3)
        slots_grow(gather);
}

static void list_add(struct gather *gather, struct list *list, uint32_t number)
{
    if (list->used == list->room) {
        uint16_t room = list->room ? (list->room < RUN_MAX ? 2 * list->room : RUN_MAX) : RUN_MIN;
        gather->numbers =
            grown(gather->numbers, gather->numbers_length, &gather->numbers_capacity, room + 1u, sizeof(uint32_t));
        uint32_t piece = (uint32_t)gather->numbers_length;
        gather->numbers_length += room + 1u;
        gather->numbers[piece] = NONE;
        if (list->tail == NONE)
            list->head = piece;
        else
            gather->numbers[list->tail] = piece;
        list->tail = piece;
        list->room = room;
        list->used = 0;
    }
    gather->numbers[list->tail + 1 + list->used++] = number;
    list->count++;
}

void gather_add(struct gather *gather, const struct store_entry *entry, uint32_t number)
{
    char bytes[1 + STORE_ENTRY_VALUE_MAX];
    bytes[0] = (char)entry->field;
    if (entry->value.length)
        memcpy(bytes + 1, entry->value.bytes, entry->value.length);
    const struct text key = {bytes, 1 + entry->value.length};
    size_t slot = slot_of(gather, key);
    if (gather->slots[slot] == NONE)
        list_begin(gather, slot, key, number);
    else
        list_add(gather, &gather->lists[gather->slots[slot]], number);
}

static int order_compare(const void *a, const void *b, void *context)
{
    const struct order *left = a, *right = b;
    const struct gather *gather = context;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return text_compare(key_of(gather, &gather->lists[left->list]), key_of(gather, &gather->lists[right->list]));
}

size_t gather_sort(struct gather *gather)
{
    free(gather->order);
    gather->order = memory_new((gather->lists_count + 1) * sizeof(gather->order[0]));
    for (size_t i = 0; i < gather->lists_count; i++) {
        struct text key = key_of(gather, &gather->lists[i]);
        uint64_t begin = 0;
        for (size_t k = 0; k < sizeof(begin); k++)
            begin = begin << 8 | (k < key.length ? (unsigned char)key.bytes[k] : 0);
        gather->order[i] = (struct order){begin, (uint32_t)i};
    }
    qsort_r(gather->order, gather->lists_count, sizeof(gather->order[0]), order_compare, gather);
    return gather->lists_count;
}

static int number_compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

void gather_get(struct gather *gather, size_t nth, struct gathered *gathered_out)
{
    const struct list *list = &gather->lists[gather->order[nth].list];
    gather->whole = grown(gather->whole, 0, &gather->whole_capacity, list->count, sizeof(uint32_t));
    size_t count = 0;
    bool sorted = true;
    gather->whole[count++] = list->first;
    for (uint32_t piece = list->head, room = RUN_MIN; piece != NONE;
         piece = gather->numbers[piece], room = room < RUN_MAX ? 2 * room : RUN_MAX)
        for (uint32_t i = 0; i < room && count < list->count; i++) {
            gather->whole[count] = gather->numbers[piece + 1 + i];
            sorted = sorted && gather->whole[count - 1] < gather->whole[count];
            count++;
        }
    if (!sorted) /* of documents that had their numbers before */
        qsort(gather->whole, count, sizeof(gather->whole[0]), number_compare);
    *gathered_out = (struct gathered){key_of(gather, list), gather->whole, count};
}
