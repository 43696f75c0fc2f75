/* Looks over the tags of untrusted bytes before libxml2 does: an attack that costs the library much is refused after
 * one cheap pass. It does not decide well-formedness, but whatever it lets through, the library sees the same tags. */
#include "xml_validate_library.h"

struct screen {
    struct text bytes;
    size_t at;
    const struct xml_limits *limits;
    bool fragment;
    unsigned depth;
    unsigned elements;
    struct arena *arena;
    struct refusal *refusal;
};

static enum status screen_bytes(struct screen *screen);
static enum status screen_declaration(struct screen *screen);
static enum status screen_markup(struct screen *screen);
static enum status screen_start_tag(struct screen *screen);
static enum status screen_end_tag(struct screen *screen);
static enum status screen_instruction(struct screen *screen);
static enum status screen_section(struct screen *screen, struct text opening, struct text closing);
static enum status screen_refuse(struct screen *screen, const char *element, const char *phrase, size_t at);
static enum status screen_refuse_limit(struct screen *screen, const char *of_what, unsigned limit, size_t at);

enum status xml_screen(struct text bytes, const struct xml_limits *limits, bool fragment, struct arena *arena,
                       struct refusal *refusal)
{
    struct screen screen = {.bytes = bytes, .limits = limits, .fragment = fragment, .arena = arena, .refusal = refusal};
    if (bytes.length > limits->bytes_max)
        return refuse_conflict(refusal, "constraint-failure",
                               text_format(arena, "the document has more than %zu bytes", limits->bytes_max));
    if (screen_bytes(&screen) != OK)
        return REFUSED;
    if (!fragment && screen_declaration(&screen) != OK)
        return REFUSED;
    for (;;) {
        const char *next = memchr(bytes.bytes + screen.at, '<', bytes.length - screen.at);
        if (!next)
            return OK;
        screen.at = (size_t)(next - bytes.bytes);
        if (screen_markup(&screen) != OK)
            return REFUSED;
    }
}

/* Characters first: the library leaves a comment at the first illegal one, and would then see tags that stand inside.
 */
static enum status screen_bytes(struct screen *screen)
{
    struct text bytes = screen->bytes;
    for (size_t i = 0; i < bytes.length && i < 2; i++) {
        if (bytes.bytes[i] == '\0') /* XML 1.0 appendix F: UTF-16 or UTF-32 without a byte order mark */
            return screen_refuse(screen, "not-utf-8", "the document is not UTF-8", 0);
    }
    if (!utf8_valid(bytes))
        return screen_refuse(screen, "not-utf-8", "the document is not UTF-8", 0);
    if (bytes.length == 0)
        return screen_refuse(screen, "not-well-formed", "the document is empty", 0);
    unsigned char doubtful = 0; /* without jumps, so that many bytes are looked at at once */
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.bytes[i];
        unsigned char control = (byte < 0x20) & (byte != '\t') & (byte != '\n') & (byte != '\r');
        doubtful |= (unsigned char)(control | (byte == 0xEF));
    }
    for (size_t i = 0; i < bytes.length && doubtful; i++) {
        unsigned char byte = (unsigned char)bytes.bytes[i];
        bool control = byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
        bool beyond = byte == 0xEF && (unsigned char)bytes.bytes[i + 1] == 0xBF &&
                      (unsigned char)bytes.bytes[i + 2] >= 0xBE; /* U+FFFE, U+FFFF */
        if (control || beyond)
            return screen_refuse(screen, "not-well-formed", "a character that XML does not allow", i);
    }
    return OK;
}

/* Value of a pseudo attribute of the declaration; empty when it is not there. */
static struct text declaration_value(struct text declaration, struct text name)
{
    size_t at = text_find(declaration, name);
    if (at == declaration.length)
        return (struct text){0};
    struct text rest = text_trim(text_slice(declaration, at + name.length, declaration.length));
    if (rest.length == 0 || rest.bytes[0] != '=')
        return (struct text){0};
    rest = text_trim(text_slice(rest, 1, rest.length));
    if (rest.length < 2 || (rest.bytes[0] != '"' && rest.bytes[0] != '\''))
        return (struct text){0};
    struct text value, after;
    text_cut(text_slice(rest, 1, rest.length), rest.bytes[0], &value, &after);
    return value;
}

/* The bytes are UTF-8 here; a declaration that says otherwise would make each reader see another document. */
static enum status screen_declaration(struct screen *screen)
{
    struct text bytes = screen->bytes;
    bool declared = bytes.length > 5 && text_starts_with(bytes, TEXT("<?xml")) && strchr(" \t\r\n", bytes.bytes[5]);
    if (!declared)
        return OK;
    size_t end = text_find(bytes, TEXT("?>"));
    struct text declaration = text_slice(bytes, 5, end);
    struct text version = declaration_value(declaration, TEXT("version"));
    struct text encoding = declaration_value(declaration, TEXT("encoding"));
    if (end == bytes.length || !text_equal(version, TEXT("1.0")))
        return screen_refuse(screen, "not-well-formed", "only XML 1.0 is understood", 0);
    if (encoding.length && !text_equal_nocase(encoding, TEXT("UTF-8")))
        return screen_refuse(screen, "not-utf-8", "the declared encoding is not UTF-8", 0);
    if (text_find_char(declaration, '<') != declaration.length)
        return screen_refuse(screen, "not-well-formed", "'<' inside the XML declaration", 0);
    screen->at = end + 2;
    return OK;
}

static enum status screen_markup(struct screen *screen)
{
    struct text rest = text_slice(screen->bytes, screen->at, screen->bytes.length);
    char second = rest.length > 1 ? rest.bytes[1] : '\0';
    if (second == '/')
        return screen_end_tag(screen);
    if (second != '!' && second != '?')
        return screen_start_tag(screen);
    if (text_starts_with(rest, TEXT("<!--")))
        return screen_section(screen, TEXT("<!--"), TEXT("-->"));
    if (text_starts_with(rest, TEXT("<![CDATA[")))
        return screen_section(screen, TEXT("<![CDATA["), TEXT("]]>"));
    if (second == '?')
        return screen_instruction(screen);
    if (text_starts_with(rest, TEXT("<!DOCTYPE")))
        return screen_refuse(screen, screen->fragment ? "not-xml-frag" : "constraint-failure",
                             "a document type declaration (DTD) is not accepted", screen->at);
    return screen_refuse(screen, "not-well-formed", "unknown markup after '<!'", screen->at);
}

static enum status screen_start_tag(struct screen *screen)
{
    static const bool matters[256] = {['<'] = true, ['>'] = true, ['"'] = true, ['\''] = true};
    struct text bytes = screen->bytes;
    unsigned attributes = 0;
    size_t begin = screen->at;
    for (size_t i = begin + 1; i < bytes.length; i++) {
        char byte = bytes.bytes[i];
        if (!matters[(unsigned char)byte])
            continue;
        if (byte == '<')
            return screen_refuse(screen, "not-well-formed", "'<' inside a tag", i);
        if (byte == '"' || byte == '\'') {
            const char *closing = memchr(bytes.bytes + i + 1, byte, bytes.length - i - 1);
            size_t end = closing ? (size_t)(closing - bytes.bytes) : bytes.length;
            if (memchr(bytes.bytes + i, '<', end - i))
                return screen_refuse(screen, "not-well-formed", "'<' inside an attribute value", i);
            if (++attributes > screen->limits->attributes_max)
                return screen_refuse_limit(screen, "attributes on one element", screen->limits->attributes_max, begin);
            i = end;
        } else if (byte == '>') {
            screen->at = i + 1;
            if (++screen->elements > screen->limits->elements_max)
                return screen_refuse_limit(screen, "elements", screen->limits->elements_max, begin);
            if (screen->depth + 1 > screen->limits->depth_max)
                return screen_refuse_limit(screen, "elements inside one another", screen->limits->depth_max, begin);
            if (bytes.bytes[i - 1] != '/')
                screen->depth++;
            return OK;
        }
    }
    return screen_refuse(screen, "not-well-formed", "a tag does not end", begin);
}

static enum status screen_end_tag(struct screen *screen)
{
    struct text rest = text_slice(screen->bytes, screen->at + 1, screen->bytes.length);
    size_t end = text_find_char(rest, '>');
    if (end == rest.length || memchr(rest.bytes, '<', end))
        return screen_refuse(screen, "not-well-formed", "a tag does not end", screen->at);
    if (screen->depth == 0)
        return screen_refuse(screen, "not-well-formed", "an end tag without a start tag", screen->at);
    screen->depth--;
    screen->at += 1 + end + 1;
    return OK;
}

static enum status screen_instruction(struct screen *screen)
{
    size_t begin = screen->at;
    if (screen_section(screen, TEXT("<?"), TEXT("?>")) != OK)
        return REFUSED;
    char first = screen->bytes.bytes[begin + 2];
    bool named = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    /* after a bad target the library goes on inside the instruction: then no tag may stand there */
    if (!named && memchr(screen->bytes.bytes + begin + 1, '<', screen->at - begin - 1))
        return screen_refuse(screen, "not-well-formed", "a processing instruction without a name", begin);
    return OK;
}

static enum status screen_section(struct screen *screen, struct text opening, struct text closing)
{
    struct text rest = text_slice(screen->bytes, screen->at + opening.length, screen->bytes.length);
    size_t length = text_find(rest, closing);
    if (length == rest.length)
        return screen_refuse(
            screen, "not-well-formed",
            text_cstring(screen->arena, text_format(screen->arena, "'%s' does not end", opening.bytes)), screen->at);
    screen->at += opening.length + length + closing.length;
    return OK;
}

static enum status screen_refuse(struct screen *screen, const char *element, const char *phrase, size_t at)
{
    size_t line = 1;
    size_t line_begin = 0;
    for (size_t i = 0; i < at; i++) {
        if (screen->bytes.bytes[i] == '\n') {
            line++;
            line_begin = i + 1;
        }
    }
    bool whole = at == 0 && strcmp(element, "not-utf-8") == 0;
    struct text text = whole
                           ? text_of(phrase)
                           : text_format(screen->arena, "line %zu, column %zu: %s", line, at - line_begin + 1, phrase);
    return refuse_conflict(screen->refusal, element, text);
}

static enum status screen_refuse_limit(struct screen *screen, const char *of_what, unsigned limit, size_t at)
{
    struct text phrase = text_format(screen->arena, "there are more than %u %s", limit, of_what);
    return screen_refuse(screen, "constraint-failure", text_cstring(screen->arena, phrase), at);
}
