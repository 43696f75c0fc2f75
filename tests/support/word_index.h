/* An indexer for tests. Documents of the usage "u" are words like "a:one b:two", and their entries are these words: a
 * field and a value; "*" is found whatever is looked for. */
#ifndef SUPPORT_WORD_INDEX_H
#define SUPPORT_WORD_INDEX_H

#include <stdlib.h>

#include "arena.h"
#include "store_index.h"

#define WORDS_MAX 64
#define RULES     7

static uint64_t rules = RULES; /* of the indexer: its context */

static inline unsigned char field_of(char letter)
{
    return letter == '*' ? 0 : (unsigned char)(letter - 'a' + 1);
}

static inline int word_order(const void *a, const void *b)
{
    const struct store_entry *left = a, *right = b;
    return left->field != right->field ? left->field - right->field : text_compare(left->value, right->value);
}

static inline void index_words(void *context, const struct document_key *where, struct text bytes, struct arena *memory,
                               struct store_entries *entries_out)
{
    struct store_entry *list = arena_array(memory, struct store_entry, WORDS_MAX);
    size_t count = 0, kept = 0;
    (void)context;
    if (!text_equal(where->usage, TEXT("u")))
        return;
    for (struct text word; bytes.length && count < WORDS_MAX;) {
        text_cut(bytes, ' ', &word, &bytes);
        if (word.length)
            list[count++] = (struct store_entry){field_of(word.bytes[0]),
                                                 text_slice(word, word.length < 2 ? word.length : 2, word.length)};
    }
    if (count)
        qsort(list, count, sizeof(list[0]), word_order);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || word_order(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    *entries_out = (struct store_entries){rules, list, kept};
}

#endif
