/* Conditions on one element of a document. The kinds of values that can meet were sorted out by the parser. */
#include "search_match.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "search_nodes.h"
#include "unicode.h"

#define NUMBER_MAX 64 /* bytes of a text that is read as a number */

struct texts {
    const struct text *items;
    size_t count;
};

static bool holds(const struct search_expression *expression, struct search_subject *subject);
static struct texts values_of(const struct search_expression *value, struct search_subject *subject, bool argument);

bool search_holds(const struct search_query *query, struct search_subject *subject)
{
    return !query->where || holds(query->where, subject);
}

static struct texts one_text(struct arena *arena, struct text text)
{
    struct text *item = arena_new(arena, struct text);
    *item = text;
    return (struct texts){item, 1};
}

typedef struct text case_fn(struct arena *arena, struct text text);

static struct text same_case(struct arena *arena, struct text text)
{
    (void)arena;
    return text;
}

static struct texts values_in_case(const struct search_expression *value, struct search_subject *subject, case_fn *by)
{
    struct texts inner = values_of(value->left, subject, true);
    struct text *changed = arena_array(subject->arena, struct text, inner.count);
    for (size_t i = 0; i < inner.count; i++) {
        if (by != same_case && !search_spend(subject, search_copy_work(inner.items[i].length)))
            return (struct texts){0};
        changed[i] = by(subject->arena, inner.items[i]);
    }
    return (struct texts){changed, inner.count};
}

/* As the argument of a function, no nodes are an empty text. */
static struct texts values_of(const struct search_expression *value, struct search_subject *subject, bool argument)
{
    struct texts found = {0};
    assert(value);
    switch (value->kind) {
    case SEARCH_STRING: return one_text(subject->arena, value->string);
    case SEARCH_LOWER_CASE: return values_in_case(value, subject, unicode_lower);
    case SEARCH_UPPER_CASE: return values_in_case(value, subject, unicode_upper);
    case SEARCH_STRING_OF: return values_in_case(value, subject, same_case);
    default: break;
    }
    found.count = search_path_values(&value->path, subject, &found.items);
    return argument && found.count == 0 ? one_text(subject->arena, TEXT("")) : found;
}

static bool operator_fits(enum search_operator operator, int order)
{
    switch (operator) {
    case SEARCH_EQUAL: return order == 0;
    case SEARCH_UNEQUAL: return order != 0;
    case SEARCH_LESS: return order < 0;
    case SEARCH_LESS_EQUAL: return order <= 0;
    case SEARCH_MORE: return order > 0;
    case SEARCH_MORE_EQUAL: return order >= 0;
    }
    return false;
}

/* xs:double without its words, which no document of ours has. */
static double number_of(struct text text)
{
    char digits[NUMBER_MAX];
    char *end;
    struct text trimmed = text_trim(text);
    if (trimmed.length == 0 || trimmed.length >= sizeof(digits))
        return NAN;
    for (size_t i = 0; i < trimmed.length; i++)
        if (!strchr("0123456789.eE+-", trimmed.bytes[i]))
            return NAN;
    memcpy(digits, trimmed.bytes, trimmed.length);
    digits[trimmed.length] = '\0';
    double number = strtod(digits, &end);
    return *end ? NAN : number;
}

static bool compare_numbers(enum search_operator operator, double left, double right)
{
    return !isnan(left) && !isnan(right) && operator_fits(operator,(left > right) - (left < right));
}

static bool truth_of(struct text text, bool *truth_out)
{
    struct text trimmed = text_trim(text);
    *truth_out = text_equal(trimmed, TEXT("true")) || text_equal(trimmed, TEXT("1"));
    return *truth_out || text_equal(trimmed, TEXT("false")) || text_equal(trimmed, TEXT("0"));
}

static bool is_condition(const struct search_expression *expression)
{
    return expression->kind < SEARCH_PATH;
}

/* The other side is a path. `left_first`: the condition is the left side. */
static bool compare_truth(const struct search_expression *comparison, struct search_subject *subject, bool left_first)
{
    bool wanted = holds(left_first ? comparison->left : comparison->right, subject);
    struct texts nodes = values_of(left_first ? comparison->right : comparison->left, subject, false);
    for (size_t i = 0; i < nodes.count; i++) {
        bool truth;
        if (truth_of(nodes.items[i], &truth) &&
            operator_fits(comparison->operator, left_first ? wanted - truth : truth - wanted))
            return true;
    }
    return false;
}

static bool compare_to_number(const struct search_expression *comparison, struct search_subject *subject,
                              bool left_first)
{
    double number = (left_first ? comparison->left : comparison->right)->number;
    struct texts nodes = values_of(left_first ? comparison->right : comparison->left, subject, false);
    for (size_t i = 0; i < nodes.count; i++) {
        double value = number_of(nodes.items[i]);
        if (left_first ? compare_numbers(comparison->operator, number, value)
                       : compare_numbers(comparison->operator, value, number))
            return true;
    }
    return false;
}

static bool compare_texts(const struct search_expression *comparison, struct search_subject *subject)
{
    struct texts left = values_of(comparison->left, subject, false);
    struct texts right = values_of(comparison->right, subject, false);
    for (size_t i = 0; i < left.count; i++)
        for (size_t k = 0; k < right.count; k++)
            if (!search_spend(subject, 1))
                return false;
            else if (operator_fits(comparison->operator, text_compare(left.items[i], right.items[k])))
                return true;
    return false;
}

static bool compare(const struct search_expression *comparison, struct search_subject *subject)
{
    const struct search_expression *left = comparison->left, *right = comparison->right;
    assert(left && right);
    if (is_condition(left) && is_condition(right))
        return operator_fits(comparison->operator, holds(left, subject) - holds(right, subject));
    if (is_condition(left) || is_condition(right))
        return compare_truth(comparison, subject, is_condition(left));
    if (left->kind == SEARCH_NUMBER && right->kind == SEARCH_NUMBER)
        return compare_numbers(comparison->operator, left->number, right->number);
    if (left->kind == SEARCH_NUMBER || right->kind == SEARCH_NUMBER)
        return compare_to_number(comparison, subject, left->kind == SEARCH_NUMBER);
    return compare_texts(comparison, subject);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool has_word(struct text text, struct text word)
{
    struct text wanted = text_trim(word);
    for (size_t at = 0; wanted.length && at < text.length; at++) {
        size_t begin = at;
        while (at < text.length && !is_blank(text.bytes[at]))
            at++;
        if (text_equal(text_slice(text, begin, at), wanted))
            return true;
    }
    return false;
}

static bool has_part(enum search_kind kind, struct text text, struct text part)
{
    switch (kind) {
    case SEARCH_CONTAINS: return part.length == 0 || text_find(text, part) < text.length;
    case SEARCH_STARTS_WITH: return text_starts_with(text, part);
    case SEARCH_CONTAINS_TOKEN: return has_word(text, part);
    default: return text_ends_with(text, part);
    }
}

static bool find_part(const struct search_expression *function, struct search_subject *subject)
{
    struct texts whole = values_of(function->left, subject, true);
    struct texts part = values_of(function->right, subject, true);
    for (size_t i = 0; i < whole.count; i++)
        for (size_t k = 0; k < part.count; k++)
            if (!search_spend(subject, whole.items[i].length / 64 + 1))
                return false;
            else if (has_part(function->kind, whole.items[i], part.items[k]))
                return true;
    return false;
}

static bool stop_at(void *context, const struct xml_element *element, const struct xml_attribute *attribute)
{
    const struct search_path *path = context;
    return path->terminal == SEARCH_TEXT && !attribute && element->text.length == 0;
}

static bool holds(const struct search_expression *expression, struct search_subject *subject)
{
    assert(expression);
    const struct search_expression *left = expression->left, *right = expression->right;
    const struct search_path *path = left ? &left->path : NULL; /* of those that want one */
    if (!search_spend(subject, 1))
        return false;
    switch (expression->kind) {
    case SEARCH_OR: return holds(left, subject) || holds(right, subject);
    case SEARCH_AND: return holds(left, subject) && holds(right, subject);
    case SEARCH_NOT: return !holds(left, subject);
    case SEARCH_COMPARE: return compare(expression, subject);
    case SEARCH_CONTAINS:
    case SEARCH_STARTS_WITH:
    case SEARCH_ENDS_WITH:
    case SEARCH_CONTAINS_TOKEN: return find_part(expression, subject);
    case SEARCH_EXISTS: return !search_nodes(path, subject, stop_at, (void *)path);
    case SEARCH_EMPTY: return search_nodes(path, subject, stop_at, (void *)path);
    case SEARCH_TRUE: return true;
    default: return false;
    }
}

bool search_key_value(const struct search_key *key, struct search_subject *subject, struct text *value_out)
{
    struct texts values = values_of(key->value, subject, false);
    *value_out = values.count ? values.items[0] : (struct text){0};
    if (values.count && !value_out->bytes)
        *value_out = TEXT("");
    return values.count > 0;
}

int search_compare(const struct search_query *query, const struct text *a, const struct text *b)
{
    for (size_t i = 0; i < query->keys_count; i++) {
        const struct search_key *key = &query->keys[i];
        int order;
        if (a[i].bytes && b[i].bytes)
            order = text_compare(a[i], b[i]);
        else
            order = (!!a[i].bytes - !!b[i].bytes) * (key->empty_greatest ? -1 : 1);
        if (order)
            return key->descending ? -order : order;
    }
    return 0;
}
