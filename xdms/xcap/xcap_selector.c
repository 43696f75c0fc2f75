/* Reads node selectors: cuts at slashes outside predicates' quotes, then reads each step by the grammar of RFC 4825
 * §6.3. What breaks a standard step is 400; what is a step of another kind is an extension we do not know, 404. */
#include "xcap_selector.h"

#include "xcap_bindings.h"
#include "xml_scope.h"

#define REFERENCE_MAX 12 /* "&#x0010FFFF;": an '&' further from its semicolon is no reference */

struct parser {
    struct arena *arena;
    struct refusal *refusal;
    const struct xcap_binding *bindings;
    struct text standard_namespace;
    struct xcap_selector *selector;
};

static size_t steps_at_most(struct text node);
static enum status cut_step(struct parser *parser, struct text *rest, struct text *written_out);
static enum status read_part(struct parser *parser, struct text written);
static enum status read_attribute_terminal(struct parser *parser, struct text written);
static enum status read_step(struct parser *parser, struct text written);
static enum status read_predicates(struct parser *parser, struct text predicates, struct xcap_step *step);
static enum status read_attribute_test(struct parser *parser, struct text test, struct xcap_step *step);

enum status xcap_selector_parse(struct text node, struct text query, struct text standard_namespace,
                                struct arena *arena, struct xcap_selector *selector_out, struct refusal *refusal)
{
    struct parser parser = {.arena = arena,
                            .refusal = refusal,
                            .bindings = xcap_bindings_parse(query, arena),
                            .standard_namespace = standard_namespace,
                            .selector = selector_out};
    *selector_out = (struct xcap_selector){.query = query};
    selector_out->steps = arena_array(arena, struct xcap_step, steps_at_most(node));
    struct text written = TEXT("");
    do {
        if (cut_step(&parser, &node, &written) != OK || read_part(&parser, written) != OK)
            return REFUSED;
    } while (node.bytes);
    if (selector_out->steps_count == 0)
        return refuse(refusal, REFUSAL_SYNTAX, "The node selector names no element.");
    return OK;
}

static size_t steps_at_most(struct text node)
{
    size_t count = 1;
    for (size_t i = 0; i < node.length; i++)
        count += node.bytes[i] == '/';
    return count < XCAP_STEPS_MAX ? count : XCAP_STEPS_MAX;
}

static enum status broken(struct parser *parser, const char *phrase)
{
    return refuse(parser->refusal, REFUSAL_SYNTAX, phrase);
}

static enum status unknown(struct parser *parser)
{
    return refuse(parser->refusal, REFUSAL_ABSENT, "The node selector uses an extension that is not known here.");
}

/* A slash in a quoted value ought to be escaped twice, but clients send it as it is. */
static enum status cut_step(struct parser *parser, struct text *rest, struct text *written_out)
{
    struct text text = *rest;
    bool inside = false;
    size_t at = 0;
    for (; at < text.length && (inside || text.bytes[at] != '/'); at++) {
        char character = text.bytes[at];
        if (inside && (character == '"' || character == '\'')) {
            size_t quoted = text_find_char(text_slice(text, at + 1, text.length), character);
            if (at + 1 + quoted == text.length)
                return broken(parser, "A quoted value in the node selector does not end.");
            at += quoted + 1;
        } else if (character == '[' || character == ']') {
            inside = character == '[';
        }
    }
    if (inside)
        return broken(parser, "A bracket in the node selector is not closed.");
    *written_out = text_slice(text, 0, at);
    *rest = at < text.length ? text_slice(text, at + 1, text.length) : (struct text){0};
    return written_out->length ? OK : broken(parser, "The node selector has an empty step.");
}

static enum status read_part(struct parser *parser, struct text written)
{
    struct xcap_selector *selector = parser->selector;
    if (selector->terminal != XCAP_ELEMENT)
        return broken(parser, "The node selector goes on after an attribute or namespace.");
    if (text_equal(written, TEXT("namespace::*"))) {
        selector->terminal = XCAP_NAMESPACES;
        return OK;
    }
    if (text_starts_with(written, TEXT("@")))
        return read_attribute_terminal(parser, written);
    if (selector->steps_count == XCAP_STEPS_MAX)
        return refuse(parser->refusal, REFUSAL_URI_TOO_LONG, "The node selector has too many steps.");
    return read_step(parser, written);
}

/* Expanded name of a QName. Unprefixed names are in `standard` (elements) or nowhere (attributes). */
static enum status read_name(struct parser *parser, struct text name, struct text standard, struct text *namespace_out,
                             struct text *local_out)
{
    struct text prefix;
    *namespace_out = standard;
    *local_out = name;
    if (text_cut(name, ':', &prefix, local_out))
        return xcap_bindings_find(parser->bindings, prefix, namespace_out)
                   ? OK
                   : broken(parser, "A prefix in the node selector is not bound by the query.");
    *local_out = name;
    return OK;
}

static enum status read_attribute_terminal(struct parser *parser, struct text written)
{
    struct text name = text_slice(written, 1, written.length);
    if (name.length == 0)
        return broken(parser, "The attribute in the node selector has no name.");
    if (!xml_qname_valid(name))
        return unknown(parser);
    parser->selector->terminal = XCAP_ATTRIBUTE;
    return read_name(parser, name, (struct text){0}, &parser->selector->attribute_namespace,
                     &parser->selector->attribute_local);
}

static enum status read_step(struct parser *parser, struct text written)
{
    size_t name_length = text_find_char(written, '[');
    struct text name = text_slice(written, 0, name_length);
    struct xcap_step *step = &parser->selector->steps[parser->selector->steps_count];
    *step = (struct xcap_step){.written = written, .any_name = text_equal(name, TEXT("*"))};
    if (text_find_char(name, ']') < name.length)
        return broken(parser, "A bracket in the node selector is not opened.");
    if (!step->any_name && !xml_qname_valid(name))
        return unknown(parser);
    if (!step->any_name && read_name(parser, name, parser->standard_namespace, &step->namespace, &step->local) != OK)
        return REFUSED;
    step->prefixed = step->name_prefixed = text_find_char(name, ':') < name.length;
    parser->selector->steps_count++;
    return read_predicates(parser, text_slice(written, name_length, written.length), step);
}

/* Length of "[…]" at the start, quotes respected; 0 if it is none. */
static size_t predicate_length(struct text text)
{
    if (text.length == 0 || text.bytes[0] != '[')
        return 0;
    for (size_t i = 1; i < text.length; i++) {
        if (text.bytes[i] == ']')
            return i + 1;
        if (text.bytes[i] == '"' || text.bytes[i] == '\'')
            i += text_find_char(text_slice(text, i + 1, text.length), text.bytes[i]) + 1;
    }
    return 0;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* [0] and what no document can reach are legal, and match nothing. */
static bool read_position(struct text digits, uint32_t *position_out)
{
    uint64_t value;
    for (size_t i = 0; i < digits.length; i++) {
        if (!is_digit(digits.bytes[i]))
            return false;
    }
    if (!text_to_u64(digits, &value) || value == 0 || value > UINT32_MAX)
        value = UINT32_MAX;
    *position_out = (uint32_t)value;
    return true;
}

static enum status read_predicates(struct parser *parser, struct text predicates, struct xcap_step *step)
{
    while (predicates.length) {
        size_t length = predicate_length(predicates);
        if (length < 3)
            return broken(parser, "A predicate in the node selector is broken.");
        struct text inside = text_slice(predicates, 1, length - 1);
        predicates = text_slice(predicates, length, predicates.length);
        if (is_digit(inside.bytes[0])) {
            if (step->position || step->has_attribute || !read_position(inside, &step->position))
                return broken(parser, "A position in the node selector is broken or not in its place.");
        } else if (inside.bytes[0] == '@') {
            if (read_attribute_test(parser, inside, step) != OK)
                return REFUSED;
        } else if (strchr(" \t\r\n\"'=", inside.bytes[0])) {
            return broken(parser, "A predicate in the node selector is broken.");
        } else {
            return unknown(parser); /* "[last()]", "[name]": XPath, but not RFC 4825 */
        }
    }
    return OK;
}

/* Length of the reference at the start of `text`, 0 if there is none. */
static size_t reference_length(struct text text)
{
    struct text window = text.length > REFERENCE_MAX ? text_slice(text, 0, REFERENCE_MAX) : text;
    size_t semicolon = text_find_char(window, ';');
    return semicolon < window.length ? semicolon + 1 : 0;
}

/* References of XML are expanded; any other '&' stands for itself, as careless clients mean it. */
static struct text expand(struct parser *parser, struct text raw)
{
    struct text_builder value;
    builder_init(&value, parser->arena);
    while (raw.length) {
        size_t plain = text_find_char(raw, '&');
        builder_add(&value, text_slice(raw, 0, plain));
        raw = text_slice(raw, plain, raw.length);
        size_t length = reference_length(raw);
        struct text character = TEXT("&");
        bool known = length && xml_unescape(parser->arena, text_slice(raw, 0, length), true, &character);
        if (raw.length)
            builder_add(&value, known ? character : TEXT("&"));
        raw = text_slice(raw, known ? length : raw.length > 0, raw.length);
    }
    return builder_text(&value);
}

static enum status read_attribute_test(struct parser *parser, struct text test, struct xcap_step *step)
{
    struct text name, value;
    const char *const phrase = "An attribute test in the node selector is broken.";
    if (step->has_attribute || !text_cut(text_slice(test, 1, test.length), '=', &name, &value) ||
        !xml_qname_valid(name))
        return broken(parser, phrase);
    char quote = value.length ? value.bytes[0] : '\0';
    if (value.length < 2 || (quote != '"' && quote != '\'') || value.bytes[value.length - 1] != quote)
        return broken(parser, phrase);
    value = text_slice(value, 1, value.length - 1);
    if (text_find_char(value, quote) < value.length)
        return broken(parser, phrase);
    step->has_attribute = true;
    step->attribute_value = expand(parser, value);
    step->prefixed |= text_find_char(name, ':') < name.length;
    return read_name(parser, name, (struct text){0}, &step->attribute_namespace, &step->attribute_local);
}
