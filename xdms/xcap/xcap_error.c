/* Writes and reads xcap-error documents (RFC 4825 §11). It does not know when which of them is right. */
#include "xcap_error.h"

#include <assert.h>

#include "xml_tree.h"

#define ERROR_NAMESPACE "urn:ietf:params:xml:ns:xcap-error"

struct form {
    const char *element;
    bool has_phrase;
    bool has_content;           /* the others must be empty, even of white space */
    const char *content_needed; /* what stands in when there is no content, and there must be some */
};

static const struct form forms[] = {
    {"not-well-formed", true, false, ""},
    {"not-utf-8", true, false, ""},
    {"not-xml-frag", true, false, ""},
    {"not-xml-att-value", true, false, ""},
    {"no-parent", true, true, ""},
    {"cannot-insert", true, false, ""},
    {"cannot-delete", true, false, ""},
    {"schema-validation-error", true, false, ""},
    {"uniqueness-failure", true, true, "<exists field=\"\"/>"},
    {"constraint-failure", true, false, ""},
    {"extension", false, true, ""},
};

static struct text legal(struct text text, struct arena *arena);
static struct text write_children(const struct xml_element *parent, struct arena *arena);

static const struct form *form_of(struct text element)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text_equal(element, text_of(forms[i].element)))
            return &forms[i];
    }
    return NULL;
}

struct text xcap_error_write(const struct refusal *refusal, struct arena *arena)
{
    assert(refusal->kind == REFUSAL_CONFLICT);
    const struct form *form = form_of(text_of(refusal->element));
    assert(form);
    struct text content = form->has_content ? refusal->content : (struct text){0};
    if (content.length == 0)
        content = text_of(form->content_needed);
    struct text_builder document;
    builder_init(&document, arena);
    builder_add_format(&document,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xcap-error xmlns=\"" ERROR_NAMESPACE "\"><%s",
                       form->element);
    if (form->has_phrase && refusal->phrase.length) {
        builder_add(&document, TEXT(" phrase=\""));
        builder_add(&document, xml_escape(arena, legal(refusal->phrase, arena)));
        builder_add_char(&document, '"');
    }
    builder_add_char(&document, '>');
    builder_add(&document, content);
    builder_add_format(&document, "</%s></xcap-error>\n", form->element);
    return builder_text(&document);
}

/* Phrases quote what peers sent, which need not be text that XML can carry. */
static struct text legal(struct text text, struct arena *arena)
{
    struct text copy = text_copy(arena, text);
    char *bytes = (char *)copy.bytes;
    bool all_ascii = !utf8_valid(text);
    for (size_t i = 0; i < copy.length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || (all_ascii && byte >= 0x80))
            bytes[i] = '?';
        /* U+FFFE and U+FFFF */
        if (byte == 0xEF && !all_ascii && (unsigned char)bytes[i + 1] == 0xBF && (unsigned char)bytes[i + 2] >= 0xBE)
            memset(bytes + i, '?', 3);
    }
    return copy;
}

enum status xcap_error_read(struct text document, struct arena *arena, struct refusal *refusal)
{
    const struct xml_element *root;
    if (xml_tree_read(document, arena, &root) != OK || !xml_is(root, TEXT(ERROR_NAMESPACE), TEXT("xcap-error")) ||
        !root->first_child || root->first_child->next)
        return FAILED;
    const struct xml_element *element = root->first_child;
    const struct form *form = form_of(element->local);
    if (!form || !text_equal(element->namespace, TEXT(ERROR_NAMESPACE)))
        return FAILED;
    struct text phrase = {0};
    if (form->has_phrase && xml_attribute(element, TEXT("phrase"), &phrase))
        phrase = text_copy(arena, phrase);
    refuse_conflict(refusal, form->element, phrase);
    if (form->has_content)
        refusal->content = write_children(element, arena);
    return OK;
}

static void write_attribute(struct text_builder *content, const struct xml_attribute *attribute, unsigned number)
{
    struct text value = xml_escape(content->arena, attribute->value);
    if (attribute->namespace.length)
        builder_add_format(content, " xmlns:a%u=\"%.*s\" a%u:%.*s=\"%.*s\"", number,
                           TEXT_ARG(xml_escape(content->arena, attribute->namespace)), number,
                           TEXT_ARG(attribute->local), TEXT_ARG(value));
    else
        builder_add_format(content, " %.*s=\"%.*s\"", TEXT_ARG(attribute->local), TEXT_ARG(value));
}

static void write_start(struct text_builder *content, const struct xml_element *element)
{
    unsigned number = 0;
    builder_add_format(content, "<%.*s", TEXT_ARG(element->local));
    if (!text_equal(element->namespace, element->parent->namespace))
        builder_add_format(content, " xmlns=\"%.*s\"", TEXT_ARG(xml_escape(content->arena, element->namespace)));
    for (const struct xml_attribute *attribute = element->attributes; attribute; attribute = attribute->next)
        write_attribute(content, attribute, number++);
    builder_add_char(content, '>');
    /* Elements here hold either elements or text; what stands between elements is white space. */
    if (!element->first_child)
        builder_add(content, xml_escape(content->arena, element->text));
}

/* The children written anew: the sheet's prefixes would be unbound in our document. */
static struct text write_children(const struct xml_element *parent, struct arena *arena)
{
    struct text_builder content;
    builder_init(&content, arena);
    const struct xml_element *element = parent->first_child;
    while (element) {
        write_start(&content, element);
        if (element->first_child) {
            element = element->first_child;
            continue;
        }
        builder_add_format(&content, "</%.*s>", TEXT_ARG(element->local));
        while (!element->next && element->parent != parent) {
            element = element->parent;
            builder_add_format(&content, "</%.*s>", TEXT_ARG(element->local));
        }
        element = element->next;
    }
    return builder_text(&content);
}
