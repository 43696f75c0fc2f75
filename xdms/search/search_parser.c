/* Reads a query from its prolog to its end; the first that does not fit is complained of. */
#include "search_parser.h"

#include "xml_scope.h"

static bool read_prolog(struct search_parser *parser);
static bool read_loop(struct search_parser *parser);
static bool read_order(struct search_parser *parser);

/* What stands in a query may stand in what is made: it has to be of the characters of XML (XML 1.0 §2.2). */
static bool is_text(struct text written)
{
    for (size_t i = 0; i < written.length; i++)
        if ((unsigned char)written.bytes[i] < 0x20 && !strchr("\t\n\r", written.bytes[i] ? written.bytes[i] : 1))
            return false;
    if (text_find_char(written, '\xEF') == written.length) /* as nearly all */
        return utf8_valid(written);
    return utf8_valid(written) && text_find(written, TEXT("\xEF\xBF\xBE")) == written.length &&
           text_find(written, TEXT("\xEF\xBF\xBF")) == written.length;
}

/* White space would not survive in a declaration. */
static bool read_namespace(struct search_parser *parser, struct text *namespace_out)
{
    search_peek(parser);
    size_t at = parser->at;
    if (!search_read_string(parser, namespace_out))
        return false;
    for (size_t i = 0; i < namespace_out->length; i++)
        if ((unsigned char)namespace_out->bytes[i] <= ' ')
            return search_complain(parser, at, "a namespace has no white space");
    return true;
}

enum status search_query_parse(struct text written, struct text namespace, struct arena *arena,
                               struct search_query *query_out, struct refusal *refusal)
{
    struct search_parser parser = {
        .input = written, .arena = arena, .refusal = refusal, .query = query_out, .namespace = namespace};
    *query_out = (struct search_query){0};
    if (written.length > SEARCH_QUERY_MAX)
        return refuse_conflict(refusal, "constraint-failure", TEXT("The query is longer than 16384 bytes."));
    if (!is_text(written))
        return refuse_conflict(refusal, "constraint-failure",
                               TEXT("The query has characters that XML cannot hold, or is not UTF-8."));
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
        !read_namespace(parser, &declared.namespace) || !search_expect(parser, ";"))
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
                   read_namespace(parser, &parser->namespace) && search_expect(parser, ";");
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
