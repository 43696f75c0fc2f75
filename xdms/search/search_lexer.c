/* What stands next in a query, and complaints about it. The words of XQuery are no reserved names, so there is no list
 * of tokens: each place knows what may stand there. */
#include "search_parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "xml_scope.h"

#define COMPLAINT_MAX 512 /* bytes: a sentence and a word of the query */
#define SHOWN_MAX     32  /* bytes of the query that a complaint shows */
#define REFERENCE_MAX 12  /* "&#x0010FFFF;" */

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
        if ((unsigned char)next > ' ' && next != '(')
            return next;
        if (next == ' ' || next == '\t' || next == '\n' || next == '\r')
            parser->at++;
        else if (next == '(' && text_starts_with(rest(parser), TEXT("(:")))
            skip_comment(parser);
        else
            return next;
    }
}

bool search_take(struct search_parser *parser, const char *symbol)
{
    if (search_peek(parser) != symbol[0] || !text_starts_with(rest(parser), text_of(symbol)))
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
    if (search_peek(parser) != word[0])
        return false;
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
        size_t run = parser->at;
        while (parser->at < parser->input.length && here(parser) != quote && here(parser) != '&')
            parser->at++;
        builder_add(&string, text_slice(parser->input, run, parser->at));
        if (here(parser) != quote)
            continue;
        parser->at++;
        if (here(parser) != quote) {
            *string_out = builder_text(&string);
            return true;
        }
        parser->at++;
        builder_add_char(&string, quote);
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
