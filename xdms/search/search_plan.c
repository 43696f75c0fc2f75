/* Which index entries a condition leads to. All documents that fit are behind them; those that do not are sorted out by
 * the condition itself, so entries may be wider than it: without regard to case, cut, a part of a word. */
#include "search_own.h"
#include "unicode.h"

static const struct store_look_up *plan_look_up(const struct usage_searchable *searchable,
                                                const struct search_expression *test, struct arena *arena);

static const struct store_look_up *pair(int kind, const struct store_look_up *a, const struct store_look_up *b,
                                        struct arena *arena)
{
    struct store_look_up *plan = arena_new(arena, struct store_look_up);
    *plan = (struct store_look_up){.kind = kind, .a = a, .b = b};
    return plan;
}

const struct store_look_up *search_plan(const struct usage_searchable *searchable,
                                        const struct search_expression *condition, struct arena *arena)
{
    if (!condition)
        return NULL;
    if (condition->kind != SEARCH_OR && condition->kind != SEARCH_AND)
        return plan_look_up(searchable, condition, arena);
    const struct store_look_up *a = search_plan(searchable, condition->left, arena);
    const struct store_look_up *b = search_plan(searchable, condition->right, arena);
    if (a && b)
        return pair(condition->kind == SEARCH_OR ? STORE_LOOK_UP_ANY : STORE_LOOK_UP_ALL, a, b, arena);
    return condition->kind == SEARCH_OR ? NULL : a ? a : b;
}

static const struct store_look_up *look_up(unsigned char field, struct text value, bool whole, struct arena *arena)
{
    struct store_look_up *plan = arena_new(arena, struct store_look_up);
    *plan = (struct store_look_up){.kind = STORE_LOOK_UP_ENTRY, .field = field, .value = value, .whole = whole};
    return plan;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* A word of a wanted text, and whether its ends are those of a word in what is looked through. */
struct word {
    struct text text;
    bool begins, ends;
};

/* The longest, of those that begin a word if `begun`. False: there is none. */
static bool longest_word(struct text wanted, bool begun, bool first_begins, bool last_ends, struct word *word_out)
{
    *word_out = (struct word){0};
    for (size_t at = 0; at < wanted.length; at++) {
        size_t begin = at;
        while (at < wanted.length && !is_blank(wanted.bytes[at]))
            at++;
        struct word word = {text_slice(wanted, begin, at), begin > 0 || first_begins, at < wanted.length || last_ends};
        if ((!begun || word.begins) && word.text.length > word_out->text.length)
            *word_out = word;
    }
    return word_out->text.length > 0;
}

static size_t letters_in(struct text text)
{
    size_t letters = 0;
    for (size_t i = 0; i < text.length; i++)
        letters += ((unsigned char)text.bytes[i] & 0xc0) != 0x80;
    return letters;
}

static const struct store_look_up *plan_words(const struct usage_field *field, struct text wanted, bool first_begins,
                                              bool last_ends, struct arena *arena)
{
    struct word word;
    struct text folded = unicode_fold(arena, wanted);
    unsigned char words = field->indexes[USAGE_INDEX_WORDS], parts = field->indexes[USAGE_INDEX_PARTS];
    if (words && longest_word(folded, true, first_begins, last_ends, &word))
        return look_up(words, usage_index_spell(USAGE_INDEX_WORDS, word.text, arena),
                       word.ends && word.text.length <= USAGE_INDEX_VALUE_MAX, arena);
    if (parts && longest_word(folded, false, first_begins, last_ends, &word) &&
        letters_in(word.text) >= USAGE_INDEX_PART_MIN)
        return look_up(parts, usage_index_spell(USAGE_INDEX_PARTS, word.text, arena), false, arena);
    return NULL;
}

static const struct store_look_up *plan_value(const struct usage_field *field, enum search_kind kind, bool changed,
                                              struct text wanted, struct arena *arena)
{
    unsigned char values = field->indexes[USAGE_INDEX_VALUE], addresses = field->indexes[USAGE_INDEX_ADDRESS];
    bool equal = kind == SEARCH_COMPARE;
    if ((equal || kind == SEARCH_STARTS_WITH) && values) {
        struct text spelled = usage_index_spell(USAGE_INDEX_VALUE, wanted, arena);
        if (equal || spelled.length)
            return look_up(values, spelled, equal, arena);
    }
    if (equal && addresses && !changed)
        return look_up(addresses, usage_index_spell(USAGE_INDEX_ADDRESS, wanted, arena), true, arena);
    return plan_words(field, wanted, equal || kind == SEARCH_STARTS_WITH || kind == SEARCH_CONTAINS_TOKEN,
                      equal || kind == SEARCH_ENDS_WITH || kind == SEARCH_CONTAINS_TOKEN, arena);
}

static bool is_test(const struct search_expression *test)
{
    return (test->kind == SEARCH_COMPARE && test->operator== SEARCH_EQUAL) || test->kind == SEARCH_CONTAINS ||
           test->kind == SEARCH_STARTS_WITH || test->kind == SEARCH_ENDS_WITH || test->kind == SEARCH_CONTAINS_TOKEN;
}

/* path = "text", lower-case(path) = "text", contains(path, "text")… As an argument, what is not there is an empty text,
 * and that has no entry. */
static const struct store_look_up *plan_look_up(const struct usage_searchable *searchable,
                                                const struct search_expression *test, struct arena *arena)
{
    if (!is_test(test))
        return NULL;
    const struct search_expression *value = test->left, *wanted = test->right;
    if (test->kind == SEARCH_COMPARE && value->kind == SEARCH_STRING) {
        value = test->right;
        wanted = test->left;
    }
    bool changed =
        value->kind == SEARCH_LOWER_CASE || value->kind == SEARCH_UPPER_CASE || value->kind == SEARCH_STRING_OF;
    const struct search_expression *path = changed ? value->left : value;
    if (path->kind != SEARCH_PATH || wanted->kind != SEARCH_STRING || text_trim(wanted->string).length == 0)
        return NULL;
    const struct usage_field *field = search_field(searchable, &path->path, true);
    return field ? plan_value(field, test->kind, changed, wanted->string, arena) : NULL;
}
