/* The element that a query returns for each that is found: elements, texts, and paths in braces. */
#include "search_parser.h"

struct made {
    struct search_item *element;
    const struct search_item **end; /* where the next item goes */
    bool content;                   /* attributes come too late */
};

static bool read_element(struct search_parser *parser, struct search_item **item_out);
static bool read_content(struct search_parser *parser, struct made *made, bool *closed_out);
static bool read_text(struct search_parser *parser, struct made *made);
static bool read_paths(struct search_parser *parser, struct made *made);
static bool read_end(struct search_parser *parser, const struct search_item *element);

static bool at_mark(const struct search_parser *parser, const char *mark)
{
    return text_starts_with(text_slice(parser->input, parser->at, parser->input.length), text_of(mark));
}

bool search_read_made(struct search_parser *parser, const struct search_item **made_out)
{
    if (search_peek(parser) != '<')
        return search_complain(parser, parser->at, "an element such as <name>{$%.*s/…}</name> is returned, not '%.*s'",
                               TEXT_ARG(search_shown(parser->query->variable)), TEXT_ARG(search_next(parser)));
    struct search_item *made = NULL;
    bool good = read_element(parser, &made);
    *made_out = made;
    return good;
}

static struct search_item *item_new(struct search_parser *parser, enum search_item_kind kind)
{
    struct search_item *item = arena_new(parser->arena, struct search_item);
    item->kind = kind;
    if (++parser->items > SEARCH_ITEMS_MAX)
        search_complain(parser, parser->at, "the returned element has more than %d parts", SEARCH_ITEMS_MAX);
    return item;
}

static void add(struct made *made, const struct search_item *item, const struct search_item **end)
{
    *made->end = item;
    made->end = end;
}

static bool read_qname(struct search_parser *parser, struct search_item *element)
{
    size_t at = parser->at;
    element->namespace = parser->namespace;
    element->prefix = TEXT("");
    if (!search_read_name(parser, &element->local))
        return false;
    if (!at_mark(parser, ":"))
        return true;
    parser->at++;
    element->prefix = element->local;
    return search_namespace_of(parser, at, element->prefix, &element->namespace) &&
           search_read_name(parser, &element->local);
}

static bool read_element(struct search_parser *parser, struct search_item **item_out)
{
    struct search_item *element = item_new(parser, SEARCH_ITEM_ELEMENT);
    struct made made = {.element = element, .end = &element->first};
    bool closed = false;
    parser->at++; /* '<' */
    *item_out = element;
    if (!search_deeper(parser) || !read_qname(parser, element))
        return false;
    if (search_take(parser, "/>")) {
        parser->depth--;
        return !parser->failed;
    }
    if (!at_mark(parser, ">"))
        return search_complain(parser, parser->at,
                               "attributes cannot be written here: an attribute that is found goes into braces");
    parser->at++;
    while (!closed)
        if (!read_content(parser, &made, &closed))
            return false;
    parser->depth--;
    return !parser->failed;
}

static bool read_content(struct search_parser *parser, struct made *made, bool *closed_out)
{
    if (parser->at == parser->input.length)
        return search_complain(parser, parser->at, "the element '%.*s' has no end tag",
                               TEXT_ARG(search_shown(made->element->local)));
    if (at_mark(parser, "</")) {
        *closed_out = true;
        return read_end(parser, made->element);
    }
    if (at_mark(parser, "<!") || at_mark(parser, "<?"))
        return search_complain(parser, parser->at, "only elements, text and braces may stand here");
    if (at_mark(parser, "<")) {
        struct search_item *inner = NULL;
        if (!read_element(parser, &inner))
            return false;
        add(made, inner, &inner->next);
        made->content = true;
        return true;
    }
    if (at_mark(parser, "{") && !at_mark(parser, "{{"))
        return read_paths(parser, made);
    return read_text(parser, made);
}

static bool read_end(struct search_parser *parser, const struct search_item *element)
{
    struct search_item end = {0};
    size_t at = parser->at;
    parser->at += 2; /* "</" */
    if (!read_qname(parser, &end))
        return false;
    if (!text_equal(end.prefix, element->prefix) || !text_equal(end.local, element->local))
        return search_complain(parser, at, "the end tag of '%.*s' is expected", TEXT_ARG(search_shown(element->local)));
    return search_expect(parser, ">");
}

/* White space alone is nothing, as long as nobody wrote it as a reference. */
static bool read_text(struct search_parser *parser, struct made *made)
{
    struct text_builder text;
    bool kept = false;
    builder_init(&text, parser->arena);
    while (parser->at < parser->input.length) {
        char next = parser->input.bytes[parser->at];
        bool doubled = at_mark(parser, "{{") || at_mark(parser, "}}");
        if (next == '<' || (next == '{' && !doubled))
            break;
        if (next == '}' && !doubled)
            return search_complain(parser, parser->at, "a brace without its other half; '}}' stands for '}'");
        if (next == '&') {
            if (!search_read_reference(parser, &text))
                return false;
            kept = true;
            continue;
        }
        builder_add_char(&text, next);
        parser->at += doubled ? 2 : 1;
    }
    if (!kept && text_trim(builder_text(&text)).length == 0)
        return true;
    struct search_item *item = item_new(parser, SEARCH_ITEM_TEXT);
    item->text = xml_escape(parser->arena, builder_text(&text));
    add(made, item, &item->next);
    made->content = true;
    return !parser->failed;
}

static bool is_same_attribute(const struct search_path *a, const struct search_path *b)
{
    return text_equal(a->attribute.local, b->attribute.local) &&
           text_equal(a->attribute.namespace, b->attribute.namespace);
}

static bool check_attribute(struct search_parser *parser, const struct made *made, const struct search_path *path)
{
    if (path->attribute.any_local)
        return search_complain(parser, path->offset, "a returned attribute is named, not '*'");
    if (made->content)
        return search_complain(parser, path->offset, "attributes come before all other content");
    for (const struct search_item *item = made->element->first; item; item = item->next)
        if (is_same_attribute(&item->path, path))
            return search_complain(parser, path->offset, "the element has this attribute already");
    return true;
}

/* "{$v/a, $v/b}" */
static bool read_paths(struct search_parser *parser, struct made *made)
{
    parser->at++; /* '{' */
    do {
        if (search_peek(parser) != '$')
            return search_complain(parser, parser->at, "only paths of $%.*s may stand in braces, not '%.*s'",
                                   TEXT_ARG(search_shown(parser->query->variable)), TEXT_ARG(search_next(parser)));
        struct search_item *item = item_new(parser, SEARCH_ITEM_PATH);
        if (!search_read_variable_path(parser, &item->path))
            return false;
        bool attribute = item->path.terminal == SEARCH_ATTRIBUTE;
        if (attribute && !check_attribute(parser, made, &item->path))
            return false;
        made->content = made->content || !attribute;
        add(made, item, &item->next);
    } while (search_take(parser, ","));
    return search_expect(parser, "}");
}
