/* Reads xmlns() parts and ignores all else, as RFC 4825 §6.4 wants. */
#include "xcap_bindings.h"

#include "xml_scope.h"

static struct text take_scheme(struct text part);
static bool take_data(struct text text, size_t *length_out);
static struct text unescape(struct text data, struct arena *arena);

struct xcap_binding *xcap_bindings_parse(struct text query, struct arena *arena)
{
    struct xcap_binding *bindings = NULL;
    struct text before, after;
    while (text_cut(query, '(', &before, &after)) {
        size_t length;
        if (!take_data(after, &length))
            break;
        query = text_slice(after, length + 1, after.length);
        struct text prefix, uri;
        if (!text_equal(take_scheme(before), TEXT("xmlns")) ||
            !text_cut(unescape(text_slice(after, 0, length), arena), '=', &prefix, &uri))
            continue;
        prefix = text_trim(prefix);
        if (!xml_name_valid(prefix) || text_equal(prefix, TEXT("xml")) || text_equal(prefix, TEXT("xmlns")))
            continue;
        struct xcap_binding *binding = arena_new(arena, struct xcap_binding);
        *binding = (struct xcap_binding){prefix, text_trim(uri), bindings};
        bindings = binding;
    }
    return bindings;
}

/* The name right before '(': something like "a=1&" in front of it is no XPointer and ignored. */
static struct text take_scheme(struct text part)
{
    size_t begin = part.length;
    while (begin > 0 && !strchr(" \t\r\n&;=,)", part.bytes[begin - 1]))
        begin--;
    return text_slice(part, begin, part.length);
}

/* Length of what stands up to the closing parenthesis; '^' hides the next character from counting. */
static bool take_data(struct text text, size_t *length_out)
{
    size_t open = 1;
    for (size_t i = 0; i < text.length; i++) {
        char character = text.bytes[i];
        if (character == '^') {
            i++;
            continue;
        }
        open += character == '(';
        open -= character == ')';
        if (open == 0) {
            *length_out = i;
            return true;
        }
    }
    return false;
}

/* "^(" "^)" "^^" (XPointer Framework §3.1) */
static struct text unescape(struct text data, struct arena *arena)
{
    struct text_builder plain;
    if (text_find_char(data, '^') == data.length)
        return data;
    builder_init(&plain, arena);
    for (size_t i = 0; i < data.length; i++) {
        bool escaped = data.bytes[i] == '^' && i + 1 < data.length && strchr("()^", data.bytes[i + 1]);
        i += escaped;
        builder_add_char(&plain, data.bytes[i]);
    }
    return builder_text(&plain);
}

bool xcap_bindings_find(const struct xcap_binding *bindings, struct text prefix, struct text *uri_out)
{
    *uri_out = (struct text){0};
    if (text_equal(prefix, TEXT("xml")))
        *uri_out = TEXT(XML_NAMESPACE);
    if (text_equal(prefix, TEXT("xmlns")))
        *uri_out = TEXT(XMLNS_NAMESPACE);
    for (; bindings && uri_out->length == 0; bindings = bindings->earlier) {
        if (!text_equal(bindings->prefix, prefix))
            continue;
        *uri_out = bindings->uri;
        break;
    }
    return uri_out->length > 0;
}
