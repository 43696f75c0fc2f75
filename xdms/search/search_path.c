/* Paths of a query: child steps, and perhaps an attribute or text() at the end. */
#include "search_parser.h"

static bool read_step(struct search_parser *parser, bool attribute, struct search_step *step);
static bool read_text_test(struct search_parser *parser, struct search_path *path, bool *found_out);

bool search_read_variable_path(struct search_parser *parser, struct search_path *path_out)
{
    struct text name;
    search_peek(parser);
    size_t at = parser->at;
    if (!search_expect(parser, "$") || !search_read_name(parser, &name))
        return false;
    if (!text_equal(name, parser->query->variable))
        return search_complain(parser, at, "there is no variable $%.*s", TEXT_ARG(search_shown(name)));
    if (!search_read_steps(parser, path_out))
        return false;
    path_out->offset = at;
    return true;
}

bool search_read_steps(struct search_parser *parser, struct search_path *path_out)
{
    struct search_step steps[SEARCH_STEPS_MAX];
    bool ended = false;
    *path_out = (struct search_path){.terminal = SEARCH_ELEMENT};
    while (!ended && search_peek(parser) == '/') {
        size_t at = parser->at++;
        char next = search_peek(parser);
        if (next == '/')
            return search_complain(parser, at, "'//' is not understood here: name all steps");
        if (next == '.')
            return search_complain(parser, parser->at, "'.' and '..' are not understood here");
        if (!read_text_test(parser, path_out, &ended))
            return false;
        if (ended)
            break;
        ended = search_take(parser, "@");
        if (ended) {
            path_out->terminal = SEARCH_ATTRIBUTE;
            if (!read_step(parser, true, &path_out->attribute))
                return false;
        } else {
            if (path_out->steps_count == SEARCH_STEPS_MAX)
                return search_complain(parser, at, "a path of more than %d steps", SEARCH_STEPS_MAX);
            if (!read_step(parser, false, &steps[path_out->steps_count++]))
                return false;
        }
    }
    char next = search_peek(parser);
    if (next == '[')
        return search_complain(parser, parser->at, "predicates are not understood here: use where");
    if (next == '/')
        return search_complain(parser, parser->at, "nothing can follow an attribute or text()");
    struct search_step *kept = arena_array(parser->arena, struct search_step, path_out->steps_count + 1);
    for (size_t i = 0; i < path_out->steps_count; i++)
        kept[i] = steps[i];
    path_out->steps = kept;
    return !parser->failed;
}

static bool read_text_test(struct search_parser *parser, struct search_path *path, bool *found_out)
{
    size_t at = parser->at;
    *found_out = search_take_word(parser, "text") && search_peek(parser) == '(';
    if (!*found_out) {
        parser->at = at;
        return true;
    }
    path->terminal = SEARCH_TEXT;
    return search_expect(parser, "(") && search_expect(parser, ")");
}

static bool read_step(struct search_parser *parser, bool attribute, struct search_step *step)
{
    struct text name;
    *step = (struct search_step){0};
    search_peek(parser);
    size_t at = parser->at;
    if (search_take(parser, "*")) {
        step->any_local = true;
        step->any_namespace = true;
        if (parser->at == parser->input.length || parser->input.bytes[parser->at] != ':')
            return true;
        parser->at++;
        step->any_local = false;
        return search_read_name(parser, &step->local);
    }
    if (!search_read_name(parser, &name))
        return false;
    char next = parser->at < parser->input.length ? parser->input.bytes[parser->at] : '\0';
    if (next == ':' && parser->at + 1 < parser->input.length && parser->input.bytes[parser->at + 1] == ':')
        return search_complain(parser, at, "axes are not understood here: write name or @name");
    if (next == ':') {
        parser->at++;
        step->any_local = parser->at < parser->input.length && parser->input.bytes[parser->at] == '*';
        parser->at += step->any_local;
        return search_namespace_of(parser, at, name, &step->namespace) &&
               (step->any_local || search_read_name(parser, &step->local));
    }
    step->local = name;
    step->namespace = attribute ? TEXT("") : parser->namespace;
    if (search_peek(parser) == '(')
        return search_complain(parser, at, "'%.*s(…)' is not understood as a step", TEXT_ARG(search_shown(name)));
    return true;
}

static void add_step(struct text_builder *out, const struct search_step *step)
{
    if (step->any_local)
        builder_add_char(out, '*');
    else
        builder_add(out, step->local);
}

struct text search_path_text(const struct search_path *path, struct arena *arena)
{
    struct text_builder out;
    builder_init(&out, arena);
    for (size_t i = 0; i < path->steps_count; i++) {
        if (i)
            builder_add_char(&out, '/');
        add_step(&out, &path->steps[i]);
    }
    if (path->terminal != SEARCH_ELEMENT && out.length)
        builder_add_char(&out, '/');
    if (path->terminal == SEARCH_TEXT)
        builder_add(&out, TEXT("text()"));
    if (path->terminal == SEARCH_ATTRIBUTE) {
        builder_add_char(&out, '@');
        add_step(&out, &path->attribute);
    }
    return out.length ? builder_text(&out) : TEXT(".");
}
