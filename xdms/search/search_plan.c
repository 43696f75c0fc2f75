/* Which index entries a condition leads to. All documents that fit are behind them; those that do not are sorted out by
 * the condition itself, so entries may be wider than it: without regard to case, cut, a part of a word. */
#include "search_own.h"
#include "unicode.h"

#define PROBE_MIN 16   /* entries that are counted at first, to see which of two leads to fewer documents… */
#define PROBE_MAX 4096 /* …and at most, while neither has an end: a millisecond or two */

static const struct search_plan *plan_look_up(const struct usage_searchable *searchable,
                                              const struct search_expression *test, struct arena *arena);

static const struct search_plan *pair(enum search_plan_kind kind, const struct search_plan *a,
                                      const struct search_plan *b, struct arena *arena)
{
    struct search_plan *plan = arena_new(arena, struct search_plan);
    *plan = (struct search_plan){.kind = kind, .a = a, .b = b};
    return plan;
}

const struct search_plan *search_plan(const struct usage_searchable *searchable,
                                      const struct search_expression *condition, struct arena *arena)
{
    if (!condition)
        return NULL;
    if (condition->kind != SEARCH_OR && condition->kind != SEARCH_AND)
        return plan_look_up(searchable, condition, arena);
    const struct search_plan *a = search_plan(searchable, condition->left, arena);
    const struct search_plan *b = search_plan(searchable, condition->right, arena);
    if (a && b)
        return pair(condition->kind == SEARCH_OR ? SEARCH_PLAN_ANY : SEARCH_PLAN_ALL, a, b, arena);
    return condition->kind == SEARCH_OR ? NULL : a ? a : b;
}

static const struct search_plan *look_up(struct text claim, struct text value, bool whole, struct arena *arena)
{
    struct search_plan *plan = arena_new(arena, struct search_plan);
    *plan = (struct search_plan){.kind = SEARCH_PLAN_LOOKUP, .claim = claim, .value = value, .whole = whole};
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

static const struct search_plan *plan_words(const struct usage_field *field, struct text wanted, bool first_begins,
                                            bool last_ends, struct arena *arena)
{
    struct word word;
    struct text folded = unicode_fold(arena, wanted);
    struct text words = field->kinds[USAGE_INDEX_WORDS], parts = field->kinds[USAGE_INDEX_PARTS];
    if (words.length && longest_word(folded, true, first_begins, last_ends, &word))
        return look_up(words, usage_index_spell(USAGE_INDEX_WORDS, word.text, arena),
                       word.ends && word.text.length <= USAGE_INDEX_VALUE_MAX, arena);
    if (parts.length && longest_word(folded, false, first_begins, last_ends, &word) &&
        letters_in(word.text) >= USAGE_INDEX_PART_MIN)
        return look_up(parts, usage_index_spell(USAGE_INDEX_PARTS, word.text, arena), false, arena);
    return NULL;
}

static const struct search_plan *plan_value(const struct usage_field *field, enum search_kind kind, bool changed,
                                            struct text wanted, struct arena *arena)
{
    struct text values = field->kinds[USAGE_INDEX_VALUE], addresses = field->kinds[USAGE_INDEX_ADDRESS];
    bool equal = kind == SEARCH_COMPARE;
    if ((equal || kind == SEARCH_STARTS_WITH) && values.length) {
        struct text spelled = usage_index_spell(USAGE_INDEX_VALUE, wanted, arena);
        if (equal || spelled.length)
            return look_up(values, spelled, equal, arena);
    }
    if (equal && addresses.length && !changed)
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
static const struct search_plan *plan_look_up(const struct usage_searchable *searchable,
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

/* As far as `most`. */
static enum status count_entries(const struct documents *documents, const struct search_plan *plan, size_t most,
                                 size_t *count_out)
{
    struct key_page page = {0};
    struct text *values = NULL;
    struct arena arena;
    enum status status = OK;
    bool more = true;
    arena_init(&arena, "entries");
    *count_out = 0;
    while (status == OK && more && *count_out < most) {
        struct text after = values && page.count ? values[page.count - 1] : (struct text){0};
        struct document_key *last = page.count ? &page.keys[page.count - 1] : NULL;
        size_t limit = most < STORE_PAGE_MAX ? most : STORE_PAGE_MAX;
        status = document_entries(documents, plan->claim, plan->value, last ? &after : NULL, last, limit, &arena, &page,
                                  &values);
        more = status == OK && page.more;
        for (size_t i = 0; status == OK && i < page.count; i++) {
            if (plan->whole && !text_equal(values[i], plan->value))
                more = false;
            else
                (*count_out)++;
        }
    }
    arena_clear(&arena);
    return status;
}

/* Of a plan without a choice left. */
static enum status count_plan(const struct documents *documents, const struct search_plan *plan, size_t most,
                              size_t *count_out)
{
    size_t more = 0;
    if (plan->kind == SEARCH_PLAN_LOOKUP)
        return count_entries(documents, plan, most, count_out);
    enum status status = count_plan(documents, plan->a, most, count_out);
    if (status == OK && *count_out < most)
        status = count_plan(documents, plan->b, most, &more);
    *count_out += more;
    return status;
}

/* Both are counted a little further each time, so that a short one is not kept waiting by a long one. */
static enum status fewer(const struct documents *documents, const struct search_plan *a, const struct search_plan *b,
                         const struct search_plan **fewer_out)
{
    for (size_t most = PROBE_MIN;; most *= 8) {
        size_t counts[2] = {0};
        enum status status = count_plan(documents, a, most, &counts[0]);
        if (status == OK)
            status = count_plan(documents, b, most, &counts[1]);
        *fewer_out = counts[1] < counts[0] ? b : a;
        if (status != OK || counts[0] < most || counts[1] < most || most >= PROBE_MAX)
            return status;
    }
}

enum status search_plan_choose(const struct documents *documents, const struct search_plan *plan, struct arena *arena,
                               const struct search_plan **chosen_out)
{
    const struct search_plan *a, *b;
    *chosen_out = plan;
    if (plan->kind == SEARCH_PLAN_LOOKUP)
        return OK;
    enum status status = search_plan_choose(documents, plan->a, arena, &a);
    if (status == OK)
        status = search_plan_choose(documents, plan->b, arena, &b);
    if (status == OK && plan->kind == SEARCH_PLAN_ALL)
        return fewer(documents, a, b, chosen_out);
    if (status == OK)
        *chosen_out = pair(SEARCH_PLAN_ANY, a, b, arena);
    return status;
}
