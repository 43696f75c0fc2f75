/* The entries that a document has in the indexes of its usage. Looks at no store. */
#include <stdlib.h>

#include "unicode.h"
#include "uri.h"
#include "usage_own.h"

#define ENTRIES_START 32 /* a profile has no more */
#define ADDRESS_SEED  1  /* never another: indexes on the disk have hashes of it */

struct entries {
    const struct usage_searchable *searchable;
    struct text document;
    struct arena *arena;
    struct usage_entry *list;
    size_t count, capacity;
    bool overflow;
};

static void add_record(struct entries *entries, const struct xml_element *record);
static int entry_order(const void *a, const void *b);

size_t usage_index_entries(const struct usage *usage, enum xcap_tree tree, struct text bytes, struct arena *arena,
                           const struct usage_entry **entries_out)
{
    struct entries entries = {.searchable = usage_searchable(usage, tree), .document = bytes, .arena = arena};
    const struct xml_element *root = NULL;
    struct text ignored;
    *entries_out = NULL;
    if (!entries.searchable || !entries.searchable->signature || xml_tree_read(bytes, arena, &root) != OK)
        return 0;
    for (const struct xml_element *element = root; element; element = xml_next(element, NULL))
        if (usage_path_finds(&entries.searchable->element, element, NULL, &ignored))
            add_record(&entries, element);
    if (entries.overflow) {
        entries.list[0] = (struct usage_entry){.index = USAGE_ENTRY_ALL, .value = TEXT("")};
        entries.count = 1;
    }
    if (entries.count)
        qsort(entries.list, entries.count, sizeof(entries.list[0]), entry_order);
    size_t kept = 0;
    for (size_t i = 0; i < entries.count; i++)
        if (kept == 0 || entry_order(&entries.list[kept - 1], &entries.list[i]) != 0)
            entries.list[kept++] = entries.list[i];
    *entries_out = entries.list;
    return kept;
}

static int entry_order(const void *a, const void *b)
{
    const struct usage_entry *left = a, *right = b;
    int order = (left->index > right->index) - (left->index < right->index);
    return order ? order : text_compare(left->value, right->value);
}

/* Not within a character: a fold of what was cut is the beginning of the whole fold. */
static struct text cut(struct text text, size_t most)
{
    if (text.length <= most)
        return text;
    size_t end = most;
    while (end > 0 && ((unsigned char)text.bytes[end] & 0xc0) == 0x80)
        end--;
    return text_slice(text, 0, end);
}

struct text usage_index_spell(enum usage_index index, struct text value, struct arena *arena)
{
    /* what is behind a multiple of the limit cannot reach into it: a fold is at most three times as long, or short */
    if (index != USAGE_INDEX_ADDRESS)
        return cut(unicode_fold(arena, cut(text_trim(value), 4 * USAGE_INDEX_VALUE_MAX)), USAGE_INDEX_VALUE_MAX);
    struct text address = uri_canonical(arena, text_trim(value));
    if (address.length == 0)
        address = unicode_fold(arena, text_trim(value));
    uint64_t hash = text_hash(address, ADDRESS_SEED);
    return text_copy(arena, (struct text){(const char *)&hash, sizeof(hash)});
}

static void add(struct entries *entries, unsigned char index, struct text value)
{
    if (entries->count == USAGE_INDEX_ENTRIES_MAX) {
        entries->overflow = true;
        return;
    }
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? 2 * entries->capacity : ENTRIES_START;
        struct usage_entry *list = arena_array(entries->arena, struct usage_entry, capacity);
        if (entries->count)
            memcpy(list, entries->list, entries->count * sizeof(list[0]));
        entries->list = list;
        entries->capacity = capacity;
    }
    entries->list[entries->count++] = (struct usage_entry){index, value};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void add_parts(struct entries *entries, unsigned char index, struct text word)
{
    size_t letters = 0, seen = 0;
    for (size_t i = 0; i < word.length; i++)
        letters += ((unsigned char)word.bytes[i] & 0xc0) != 0x80;
    for (size_t i = 0; i < word.length && seen + USAGE_INDEX_PART_MIN <= letters; i++) {
        if (((unsigned char)word.bytes[i] & 0xc0) == 0x80)
            continue;
        seen++;
        add(entries, index, cut(text_slice(word, i, word.length), USAGE_INDEX_VALUE_MAX));
    }
}

static void add_words(struct entries *entries, const struct usage_field *field, struct text value)
{
    unsigned char words = field->indexes[USAGE_INDEX_WORDS], parts = field->indexes[USAGE_INDEX_PARTS];
    struct text folded = unicode_fold(entries->arena, value);
    for (size_t at = 0; at < folded.length && !entries->overflow;) {
        size_t begin = at;
        while (at < folded.length && !is_blank(folded.bytes[at]))
            at++;
        struct text word = text_slice(folded, begin, at);
        if (word.length && words)
            add(entries, words, cut(word, USAGE_INDEX_VALUE_MAX));
        if (word.length && parts)
            add_parts(entries, parts, word);
        at++;
    }
}

static void add_value(struct entries *entries, const struct usage_field *field, struct text value)
{
    for (int i = 0; i < 2; i++) {
        enum usage_index index = i ? USAGE_INDEX_ADDRESS : USAGE_INDEX_VALUE;
        if (field->indexes[index])
            add(entries, field->indexes[index], usage_index_spell(index, value, entries->arena));
    }
    if (field->indexes[USAGE_INDEX_WORDS] || field->indexes[USAGE_INDEX_PARTS])
        add_words(entries, field, value);
}

static bool is_indexed(const struct usage_field *field)
{
    for (size_t i = 0; i < USAGE_INDEXES; i++)
        if (field->indexes[i])
            return true;
    return false;
}

static void add_field(struct entries *entries, const struct usage_field *field, const struct xml_element *record,
                      const struct xml_element *element)
{
    struct text value;
    if (!is_indexed(field) || !usage_path_finds(&field->path, element, record, &value))
        return;
    if (!field->path.has_attribute)
        value = xml_element_text(entries->document, element, entries->arena);
    add_value(entries, field, value);
}

/* `record` and all that is in it. */
static void add_record(struct entries *entries, const struct xml_element *record)
{
    for (const struct xml_element *element = record; element; element = xml_next(element, record))
        for (size_t i = 0; i < entries->searchable->fields_count; i++)
            add_field(entries, &entries->searchable->fields[i], record, element);
}
