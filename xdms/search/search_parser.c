/* Reads a query from its prolog to its end. The words of XQuery are no reserved names, so there is no list of tokens:
 * each place knows what may stand there, and the first that does not fit is complained of. */
#include "search_parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "xml_scan.h"

#define COMPLAINT_MAX   512 /* bytes: a sentence and a word of the query */
#define SHOWN_MAX       32  /* bytes of the query that a complaint shows */
#define REFERENCE_MAX   12  /* "&#x0010FFFF;" */
#define XML_NAMESPACE   "http://www.w3.org/XML/1998/namespace"
#define XMLNS_NAMESPACE "http://www.w3.org/2000/xmlns/"

static bool read_prolog(struct search_parser *parser);
static bool read_loop(struct search_parser *parser);
static bool read_order(struct search_parser *parser);

enum status search_query_parse(struct text written, struct text namespace, struct arena *arena,
                               struct search_query *query_out, struct refusal *refusal)
{
    struct search_parser parser = {
        .input = written, .arena = arena, .refusal = refusal, .query = query_out, .namespace = namespace};
    *query_out = (struct search_query){0};
    if (written.length > SEARCH_QUERY_MAX)
        return refuse_conflict(refusal, "constraint-failure", TEXT("The query is longer than 16384 bytes."));
    if (!utf8_valid(written) || text_find_char(written, '\0') < written.length)
        return refuse_conflict(refusal, "constraint-failure", TEXT("The query is not UTF-8."));
    if (!read_prolog(&parser) || !read_loop(&parser))
        return REFUSED;
    if (search_take_word(&parser, "where") && !search_read_condition(&parser, &query_out->where))
        return REFUSED;
    if (!read_order(&parser) || !search_expect_word(&parser, "return") || !search_read_made(&parser, &query_out->made))
        return REFUSED;
    if (search_peek(&parser) != '\0')
        search_complain(&parser, parser.at, "nothing may follow the returned element, but here is '%.*s'",
                        TEXT_ARG(search_next(&parser)));
    return parser.failed ? REFUSED : OK;
}

enum status search_query_refuse(struct text written, size_t offset, struct text complaint, struct arena *arena,
                                struct refusal *refusal)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < written.length; i++) {
        bool continues = ((unsigned char)written.bytes[i] & 0xc0) == 0x80;
        bool ends = written.bytes[i] == '\n';
        line += ends;
        column = ends ? 1 : column + !continues;
    }
    return refuse_conflict(refusal, "constraint-failure",
                           text_format(arena, "query, line %zu, column %zu: %.*s", line, column, TEXT_ARG(complaint)));
}

bool search_complain(struct search_parser *parser, size_t offset, const char *format, ...)
{
    char complaint[COMPLAINT_MAX];
    va_list arguments;
    if (parser->failed)
        return false;
    va_start(arguments, format);
    vsnprintf(complaint, sizeof(complaint), format, arguments);
    va_end(arguments);
    parser->failed = true;
    search_query_refuse(parser->input, offset, text_of(complaint), parser->arena, parser->refusal);
    return false;
}

static char here(const struct search_parser *parser)
{
    return parser->at < parser->input.length ? parser->input.bytes[parser->at] : '\0';
}

static struct text rest(const struct search_parser *parser)
{
    return text_slice(parser->input, parser->at, parser->input.length);
}

/* "(: … (: … :) … :)" */
static void skip_comment(struct search_parser *parser)
{
    size_t begin = parser->at;
    unsigned depth = 0;
    do {
        if (text_starts_with(rest(parser), TEXT("(:"))) {
            depth++;
            parser->at += 2;
        } else if (text_starts_with(rest(parser), TEXT(":)"))) {
            depth--;
            parser->at += 2;
        } else if (parser->at < parser->input.length) {
            parser->at++;
        } else {
            search_complain(parser, begin, "the comment has no end");
            return;
        }
    } while (depth);
}

char search_peek(struct search_parser *parser)
{
    for (;;) {
        char next = here(parser);
        if (next == ' ' || next == '\t' || next == '\n' || next == '\r')
            parser->at++;
        else if (text_starts_with(rest(parser), TEXT("(:")))
            skip_comment(parser);
        else
            return next;
    }
}

bool search_take(struct search_parser *parser, const char *symbol)
{
    search_peek(parser);
    if (!text_starts_with(rest(parser), text_of(symbol)))
        return false;
    parser->at += strlen(symbol);
    return true;
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '_' || byte == '.' || (byte & 0x80);
}

static size_t name_length(const struct search_parser *parser)
{
    size_t end = parser->at;
    while (end < parser->input.length && is_name_byte(parser->input.bytes[end]))
        end++;
    return end - parser->at;
}

bool search_take_word(struct search_parser *parser, const char *word)
{
    search_peek(parser);
    size_t length = name_length(parser);
    if (!text_equal(text_slice(parser->input, parser->at, parser->at + length), text_of(word)))
        return false;
    parser->at += length;
    return true;
}

struct text search_shown(struct text text)
{
    size_t end = text.length < SHOWN_MAX ? text.length : SHOWN_MAX;
    while (end < text.length && end > 0 && ((unsigned char)text.bytes[end] & 0xc0) == 0x80)
        end--; /* no half of a character */
    return text_slice(text, 0, end);
}

struct text search_next(struct search_parser *parser)
{
    search_peek(parser);
    struct text next = rest(parser);
    size_t end = 0;
    while (end < next.length && (unsigned char)next.bytes[end] > ' ')
        end++;
    return end ? search_shown(text_slice(next, 0, end)) : TEXT("the end");
}

bool search_expect(struct search_parser *parser, const char *symbol)
{
    return search_take(parser, symbol) || search_complain(parser, parser->at, "'%s' is expected, but here is '%.*s'",
                                                          symbol, TEXT_ARG(search_next(parser)));
}

bool search_expect_word(struct search_parser *parser, const char *word)
{
    return search_take_word(parser, word) || search_complain(parser, parser->at, "'%s' is expected, but here is '%.*s'",
                                                             word, TEXT_ARG(search_next(parser)));
}

bool search_read_name(struct search_parser *parser, struct text *name_out)
{
    *name_out = text_slice(parser->input, parser->at, parser->at + name_length(parser));
    if (!xml_name_valid(*name_out))
        return search_complain(parser, parser->at, "a name is expected, but here is '%.*s'",
                               TEXT_ARG(search_next(parser)));
    parser->at += name_out->length;
    return true;
}

bool search_read_reference(struct search_parser *parser, struct text_builder *out)
{
    struct text from = rest(parser), character;
    size_t end = text_find_char(text_slice(from, 0, from.length < REFERENCE_MAX ? from.length : REFERENCE_MAX), ';');
    if (end >= REFERENCE_MAX || end >= from.length ||
        !xml_unescape(parser->arena, text_slice(from, 0, end + 1), false, &character))
        return search_complain(parser, parser->at, "an '&' begins a reference such as &amp;");
    builder_add(out, character);
    parser->at += end + 1;
    return true;
}

bool search_read_string(struct search_parser *parser, struct text *string_out)
{
    char quote = search_peek(parser);
    size_t begin = parser->at;
    struct text_builder string;
    if (quote != '"' && quote != '\'')
        return search_complain(parser, begin, "a text in quotes is expected, but here is '%.*s'",
                               TEXT_ARG(search_next(parser)));
    builder_init(&string, parser->arena);
    for (parser->at++; parser->at < parser->input.length;) {
        char next = here(parser);
        if (next == '&') {
            if (!search_read_reference(parser, &string))
                return false;
            continue;
        }
        parser->at++;
        if (next == quote && here(parser) != quote) {
            *string_out = builder_text(&string);
            return true;
        }
        parser->at += next == quote;
        builder_add_char(&string, next);
    }
    return search_complain(parser, begin, "the text has no closing quote");
}

bool search_namespace_of(struct search_parser *parser, size_t offset, struct text prefix, struct text *namespace_out)
{
    for (size_t i = parser->prefixes_count; i-- > 0;)
        if (text_equal(parser->prefixes[i].name, prefix)) {
            *namespace_out = parser->prefixes[i].namespace;
            return true;
        }
    *namespace_out = TEXT(XML_NAMESPACE);
    return text_equal(prefix, TEXT("xml")) ||
           search_complain(parser, offset, "the prefix '%.*s' is not declared", TEXT_ARG(search_shown(prefix)));
}

bool search_deeper(struct search_parser *parser)
{
    return ++parser->depth <= SEARCH_DEPTH_MAX ||
           search_complain(parser, parser->at, "more than %d levels inside each other", SEARCH_DEPTH_MAX);
}

static bool read_version(struct search_parser *parser)
{
    struct text ignored = {0};
    size_t at;
    if (!search_expect_word(parser, "version"))
        return false;
    search_peek(parser);
    at = parser->at;
    if (!search_read_string(parser, &ignored))
        return false;
    if (!text_starts_with(ignored, TEXT("1.")) && !text_starts_with(ignored, TEXT("3.")))
        return search_complain(parser, at, "this version of XQuery is not known");
    if (search_take_word(parser, "encoding") && !search_read_string(parser, &ignored))
        return false;
    return search_expect(parser, ";");
}

static bool read_prefix(struct search_parser *parser)
{
    struct search_prefix declared = {0};
    search_peek(parser);
    size_t at = parser->at;
    if (!search_read_name(parser, &declared.name) || !search_expect(parser, "=") ||
        !search_read_string(parser, &declared.namespace) || !search_expect(parser, ";"))
        return false;
    if (text_equal(declared.name, TEXT("xml")) || text_equal(declared.name, TEXT("xmlns")) ||
        declared.namespace.length == 0 || text_equal(declared.namespace, TEXT(XML_NAMESPACE)) ||
        text_equal(declared.namespace, TEXT(XMLNS_NAMESPACE)))
        return search_complain(parser, at, "this prefix or namespace cannot be declared");
    if (parser->prefixes_count == SEARCH_PREFIXES_MAX)
        return search_complain(parser, at, "more than %d namespaces", SEARCH_PREFIXES_MAX);
    for (size_t i = 0; i < parser->prefixes_count; i++)
        if (text_equal(parser->prefixes[i].name, declared.name))
            return search_complain(parser, at, "the prefix '%.*s' is declared twice",
                                   TEXT_ARG(search_shown(declared.name)));
    parser->prefixes[parser->prefixes_count++] = declared;
    return true;
}

static bool read_prolog(struct search_parser *parser)
{
    if (search_take_word(parser, "xquery") && !read_version(parser))
        return false;
    while (search_take_word(parser, "declare")) {
        bool good;
        if (search_take_word(parser, "namespace"))
            good = read_prefix(parser);
        else if (search_take_word(parser, "default"))
            good = search_expect_word(parser, "element") && search_expect_word(parser, "namespace") &&
                   search_read_string(parser, &parser->namespace) && search_expect(parser, ";");
        else
            good = search_complain(parser, parser->at, "only namespaces can be declared, not '%.*s'",
                                   TEXT_ARG(search_next(parser)));
        if (!good)
            return false;
    }
    return true;
}

static bool read_loop(struct search_parser *parser)
{
    struct search_query *query = parser->query;
    if (!search_expect_word(parser, "for") || !search_expect(parser, "$") ||
        !search_read_name(parser, &query->variable) || !search_expect_word(parser, "in") ||
        !search_expect_word(parser, "collection") || !search_expect(parser, "("))
        return false;
    search_peek(parser);
    query->collection_offset = parser->at;
    if (!search_read_string(parser, &query->collection) || !search_expect(parser, ")"))
        return false;
    search_peek(parser);
    size_t at = parser->at;
    if (!search_read_steps(parser, &query->path))
        return false;
    if (query->path.steps_count == 0 || query->path.terminal != SEARCH_ELEMENT)
        return search_complain(parser, at, "the collection is followed by a path of elements, such as /a/b");
    char next = search_peek(parser);
    at = parser->at;
    if (next == ',' || search_take_word(parser, "let") || search_take_word(parser, "for"))
        return search_complain(parser, at, "a query has one variable");
    return true;
}

static bool read_key(struct search_parser *parser, struct search_key *key)
{
    search_peek(parser);
    size_t at = parser->at;
    if (!search_read_value(parser, &key->value))
        return false;
    if (key->value->kind < SEARCH_PATH || key->value->kind == SEARCH_STRING || key->value->kind == SEARCH_NUMBER)
        return search_complain(parser, at, "what is found is ordered by a path, or by lower-case(path)");
    key->descending = search_take_word(parser, "descending");
    if (!key->descending)
        search_take_word(parser, "ascending");
    if (search_take_word(parser, "empty")) {
        key->empty_greatest = search_take_word(parser, "greatest");
        return key->empty_greatest || search_expect_word(parser, "least");
    }
    return true;
}

static bool read_order(struct search_parser *parser)
{
    struct search_query *query = parser->query;
    search_take_word(parser, "stable");
    if (!search_take_word(parser, "order"))
        return !parser->failed;
    if (!search_expect_word(parser, "by"))
        return false;
    do {
        if (query->keys_count == SEARCH_KEYS_MAX)
            return search_complain(parser, parser->at, "more than %d keys to order by", SEARCH_KEYS_MAX);
        if (!read_key(parser, &query->keys[query->keys_count++]))
            return false;
    } while (search_take(parser, ","));
    return true;
}
