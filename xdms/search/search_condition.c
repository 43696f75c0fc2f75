/* Conditions and values of a query. Which kinds of value can be compared is decided here, so that nobody who
 * evaluates a tree meets a pair that cannot. */
#include "search_parser.h"

#include <assert.h>
#include <stdlib.h>

enum value_type { TYPE_NODES, TYPE_TEXT, TYPE_NUMBER, TYPE_CONDITION };

#define NUMBER_MAX 32 /* bytes of a number: more than a double can tell apart */

static bool read_operand(struct search_parser *parser, struct search_expression **out);
static bool read_comparison(struct search_parser *parser, struct search_expression **out);
static bool as_condition(struct search_parser *parser, struct search_expression **inout);
static bool read_function(struct search_parser *parser, size_t at, struct text name, struct search_expression **out);

static struct search_expression *expression_new(struct search_parser *parser, enum search_kind kind, size_t offset)
{
    struct search_expression *expression = arena_new(parser->arena, struct search_expression);
    expression->kind = kind;
    expression->offset = offset;
    if (++parser->expressions > SEARCH_EXPRESSIONS_MAX)
        search_complain(parser, offset, "the condition has more than %d parts", SEARCH_EXPRESSIONS_MAX);
    return expression;
}

static enum value_type type_of(const struct search_expression *expression)
{
    assert(expression);
    switch (expression->kind) {
    case SEARCH_PATH: return TYPE_NODES;
    case SEARCH_STRING:
    case SEARCH_LOWER_CASE:
    case SEARCH_UPPER_CASE:
    case SEARCH_STRING_OF: return TYPE_TEXT;
    case SEARCH_NUMBER: return TYPE_NUMBER;
    default: return TYPE_CONDITION;
    }
}

/* and binds closer than or */
static bool read_chain(struct search_parser *parser, bool is_or, struct search_expression **out)
{
    struct search_expression *left = NULL, *right = NULL;
    if (!(is_or ? read_chain(parser, false, &left) : read_comparison(parser, &left)))
        return false;
    for (;;) {
        search_peek(parser);
        size_t at = parser->at;
        if (!search_take_word(parser, is_or ? "or" : "and"))
            break;
        if (!(is_or ? read_chain(parser, false, &right) : read_comparison(parser, &right)) ||
            !as_condition(parser, &left) || !as_condition(parser, &right))
            return false;
        struct search_expression *both = expression_new(parser, is_or ? SEARCH_OR : SEARCH_AND, at);
        both->left = left;
        both->right = right;
        left = both;
    }
    *out = left;
    return !parser->failed;
}

static bool read_expression(struct search_parser *parser, struct search_expression **out)
{
    bool good = search_deeper(parser) && read_chain(parser, true, out);
    parser->depth--;
    return good;
}

bool search_read_condition(struct search_parser *parser, const struct search_expression **condition_out)
{
    struct search_expression *condition = NULL;
    if (!read_expression(parser, &condition) || !as_condition(parser, &condition))
        return false;
    *condition_out = condition;
    return true;
}

bool search_read_value(struct search_parser *parser, const struct search_expression **value_out)
{
    struct search_expression *value = NULL;
    bool good = search_deeper(parser) && read_operand(parser, &value);
    parser->depth--;
    *value_out = value;
    return good;
}

/* Nodes are true where there are any, a text where it is not empty. */
static bool as_condition(struct search_parser *parser, struct search_expression **inout)
{
    struct search_expression *value = *inout;
    enum value_type type = type_of(value);
    if (type == TYPE_CONDITION)
        return true;
    if (type == TYPE_NUMBER || value->kind == SEARCH_STRING)
        return search_complain(parser, value->offset, "a literal is no condition");
    struct search_expression *condition =
        expression_new(parser, type == TYPE_NODES ? SEARCH_EXISTS : SEARCH_COMPARE, value->offset);
    condition->left = value;
    if (type == TYPE_TEXT) {
        condition->operator= SEARCH_UNEQUAL;
        condition->right = expression_new(parser, SEARCH_STRING, value->offset);
    }
    *inout = condition;
    return !parser->failed;
}

struct operator_name {
    const char *name;
    enum search_operator operator;
    bool word; /* compares single values as they are */
};

static const struct operator_name operators[] = {
    {"!=", SEARCH_UNEQUAL},     {"<=", SEARCH_LESS_EQUAL},
    {">=", SEARCH_MORE_EQUAL},  {"=", SEARCH_EQUAL},
    {"<", SEARCH_LESS},         {">", SEARCH_MORE},
    {"eq", SEARCH_EQUAL, true}, {"ne", SEARCH_UNEQUAL, true},
    {"lt", SEARCH_LESS, true},  {"le", SEARCH_LESS_EQUAL, true},
    {"gt", SEARCH_MORE, true},  {"ge", SEARCH_MORE_EQUAL, true},
};

static const struct operator_name *take_operator(struct search_parser *parser)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (operators[i].word ? search_take_word(parser, operators[i].name) : search_take(parser, operators[i].name))
            return &operators[i];
    return NULL;
}

static bool is_comparable(const struct operator_name *operator, enum value_type left, enum value_type right)
{
    if (left == TYPE_NODES || right == TYPE_NODES) {
        enum value_type other = left == TYPE_NODES ? right : left;
        return !operator->word || other == TYPE_NODES || other == TYPE_TEXT;
    }
    return left == right;
}

static bool read_comparison(struct search_parser *parser, struct search_expression **out)
{
    struct search_expression *left = NULL, *right = NULL;
    if (!read_operand(parser, &left))
        return false;
    search_peek(parser);
    size_t at = parser->at;
    const struct operator_name *operator= take_operator(parser);
    *out = left;
    if (!operator)
        return !parser->failed;
    if (!read_operand(parser, &right))
        return false;
    if (!is_comparable(operator, type_of(left), type_of(right)))
        return search_complain(
            parser, at, "'%s' cannot compare these: a text, a number and a condition are different", operator->name);
    struct search_expression *comparison = expression_new(parser, SEARCH_COMPARE, at);
    comparison->operator= operator->operator;
    comparison->left = left;
    comparison->right = right;
    *out = comparison;
    return !parser->failed;
}

static bool read_number(struct search_parser *parser, struct search_expression **out)
{
    char digits[NUMBER_MAX + 1];
    size_t length = 0;
    size_t at = parser->at;
    while (parser->at < parser->input.length && strchr("0123456789.eE-", parser->input.bytes[parser->at])) {
        if (length == NUMBER_MAX)
            return search_complain(parser, at, "the number has too many digits");
        digits[length++] = parser->input.bytes[parser->at++];
    }
    digits[length] = '\0';
    char *end;
    *out = expression_new(parser, SEARCH_NUMBER, at);
    (*out)->number = strtod(digits, &end);
    return *end == '\0' || search_complain(parser, at, "'%s' is no number", digits);
}

static bool read_operand(struct search_parser *parser, struct search_expression **out)
{
    char next = search_peek(parser);
    size_t at = parser->at;
    struct text name;
    if (next == '(')
        return search_expect(parser, "(") && read_expression(parser, out) && search_expect(parser, ")");
    if (next == '"' || next == '\'') {
        *out = expression_new(parser, SEARCH_STRING, at);
        return search_read_string(parser, &(*out)->string);
    }
    if ((next >= '0' && next <= '9') || next == '-')
        return read_number(parser, out);
    if (next == '$') {
        *out = expression_new(parser, SEARCH_PATH, at);
        return search_read_variable_path(parser, &(*out)->path);
    }
    if (!search_read_name(parser, &name))
        return false;
    if (text_equal(name, TEXT("fn")) && parser->at < parser->input.length && parser->input.bytes[parser->at] == ':') {
        parser->at++;
        if (!search_read_name(parser, &name))
            return false;
    }
    return read_function(parser, at, name, out);
}

#define ARGUMENTS_MAX 2

enum argument { ARGUMENT_TEXT, ARGUMENT_NODES, ARGUMENT_CONDITION };

static const struct function {
    struct text name;
    enum search_kind kind;
    size_t arguments;
    enum argument argument;
} functions[] = {
    {TEXT_INIT("contains"), SEARCH_CONTAINS, 2, ARGUMENT_TEXT},
    {TEXT_INIT("starts-with"), SEARCH_STARTS_WITH, 2, ARGUMENT_TEXT},
    {TEXT_INIT("ends-with"), SEARCH_ENDS_WITH, 2, ARGUMENT_TEXT},
    {TEXT_INIT("contains-token"), SEARCH_CONTAINS_TOKEN, 2, ARGUMENT_TEXT},
    {TEXT_INIT("lower-case"), SEARCH_LOWER_CASE, 1, ARGUMENT_TEXT},
    {TEXT_INIT("upper-case"), SEARCH_UPPER_CASE, 1, ARGUMENT_TEXT},
    {TEXT_INIT("string"), SEARCH_STRING_OF, 1, ARGUMENT_TEXT},
    {TEXT_INIT("not"), SEARCH_NOT, 1, ARGUMENT_CONDITION},
    {TEXT_INIT("exists"), SEARCH_EXISTS, 1, ARGUMENT_NODES},
    {TEXT_INIT("empty"), SEARCH_EMPTY, 1, ARGUMENT_NODES},
    {TEXT_INIT("true"), SEARCH_TRUE, 0, ARGUMENT_TEXT},
    {TEXT_INIT("false"), SEARCH_FALSE, 0, ARGUMENT_TEXT},
};

static const struct function *function_named(struct text name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (text_equal(functions[i].name, name))
            return &functions[i];
    return NULL;
}

static bool read_argument(struct search_parser *parser, const struct function *function, struct search_expression **out)
{
    search_peek(parser);
    size_t at = parser->at;
    if (!read_expression(parser, out))
        return false;
    enum value_type type = type_of(*out);
    switch (function->argument) {
    case ARGUMENT_CONDITION: return as_condition(parser, out);
    case ARGUMENT_NODES: return type == TYPE_NODES || search_complain(parser, at, "this function wants a path");
    case ARGUMENT_TEXT: break;
    }
    return type == TYPE_NODES || type == TYPE_TEXT ||
           search_complain(parser, at, "this function wants a path or a text");
}

static bool read_function(struct search_parser *parser, size_t at, struct text name, struct search_expression **out)
{
    const struct function *function = function_named(name);
    struct search_expression *arguments[ARGUMENTS_MAX] = {0};
    if (search_peek(parser) != '(')
        return search_complain(parser, at, "'%.*s' is no value: paths begin with $%.*s, texts stand in quotes",
                               TEXT_ARG(search_shown(name)), TEXT_ARG(search_shown(parser->query->variable)));
    if (!function)
        return search_complain(
            parser, at,
            "the function '%.*s' is not known here: contains, contains-token, starts-with, ends-with, "
            "lower-case, upper-case, string, not, exists, empty, true and false are",
            TEXT_ARG(search_shown(name)));
    if (!search_expect(parser, "("))
        return false;
    for (size_t i = 0; i < function->arguments; i++)
        if ((i && !search_expect(parser, ",")) || !read_argument(parser, function, &arguments[i]))
            return false;
    if (!search_expect(parser, ")"))
        return false;
    *out = expression_new(parser, function->kind, at);
    (*out)->left = arguments[0];
    (*out)->right = arguments[1];
    return !parser->failed;
}

static bool visit_expression(const struct search_expression *expression, search_path_fn *visit, void *context)
{
    if (!expression)
        return true;
    if (expression->kind == SEARCH_PATH)
        return visit(context, &expression->path, false);
    return visit_expression(expression->left, visit, context) && visit_expression(expression->right, visit, context);
}

static bool visit_items(const struct search_item *item, search_path_fn *visit, void *context)
{
    for (; item; item = item->next)
        if ((item->kind == SEARCH_ITEM_PATH && !visit(context, &item->path, true)) ||
            !visit_items(item->first, visit, context))
            return false;
    return true;
}

bool search_query_paths(const struct search_query *query, search_path_fn *visit, void *context)
{
    for (size_t i = 0; i < query->keys_count; i++)
        if (!visit_expression(query->keys[i].value, visit, context))
            return false;
    return visit_expression(query->where, visit, context) && visit_items(query->made, visit, context);
}
