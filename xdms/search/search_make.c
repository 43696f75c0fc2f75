/* The returned element as XML. What is taken from a document keeps its bytes; the namespaces that it stood under are
 * declared where it is put. */
#include "search_match.h"
#include "search_nodes.h"

struct making {
    struct search_subject *subject;
    struct text_builder *out;
    size_t limit;        /* of bytes in `out` */
    struct text outside; /* default namespace where the next thing is put */
    const struct search_item *item;
    bool content; /* the start tag is closed */
};

static bool make_element(struct making *making, const struct search_item *element, const struct search_item *around);

bool search_make(const struct search_query *query, struct search_subject *subject, struct text outside,
                 struct text_builder *out)
{
    struct making making = {.subject = subject, .out = out, .limit = out->length + SEARCH_MADE_MAX, .outside = outside};
    return make_element(&making, query->made, NULL) && out->length <= making.limit && subject->work > 0;
}

static void add_declaration(struct making *making, struct text prefix, struct text namespace)
{
    struct text escaped = xml_escape(making->subject->arena, namespace);
    builder_add(making->out, prefix.length ? TEXT(" xmlns:") : TEXT(" xmlns"));
    builder_add(making->out, prefix);
    builder_add(making->out, TEXT("=\""));
    builder_add(making->out, escaped);
    builder_add_char(making->out, '"');
}

/* A prefix that the tag around does not use. */
static struct text attribute_prefix(const struct making *making, struct text namespace, const struct search_item *tag)
{
    if (text_equal(namespace, TEXT(XML_NAMESPACE)))
        return TEXT("xml");
    unsigned number = 1;
    for (const struct search_item *item = tag->first; item != making->item; item = item->next)
        number++;
    struct text prefix = text_format(making->subject->arena, "a%u", number);
    return text_equal(prefix, tag->prefix) ? text_format(making->subject->arena, "b%u", number) : prefix;
}

struct attribute_place {
    struct making *making;
    const struct search_item *tag;
};

/* The first that is found: an element has an attribute once. */
static bool add_attribute(void *context, const struct xml_element *element, const struct xml_attribute *attribute)
{
    const struct attribute_place *place = context;
    struct making *making = place->making;
    struct text prefix = {0};
    (void)element;
    if (attribute->namespace.length) {
        prefix = attribute_prefix(making, attribute->namespace, place->tag);
        if (!text_equal(prefix, TEXT("xml")))
            add_declaration(making, prefix, attribute->namespace);
    }
    builder_add_char(making->out, ' ');
    builder_add(making->out, prefix);
    if (prefix.length)
        builder_add_char(making->out, ':');
    builder_add(making->out, attribute->local);
    builder_add(making->out, TEXT("=\""));
    /* what a parser made blanks of is blanks now; a reference to a line end would become one */
    struct text value = xml_escape(making->subject->arena, attribute->value);
    for (size_t i = 0; i < value.length; i++) {
        char byte = value.bytes[i];
        if (byte == '\n' || byte == '\t' || byte == '\r')
            builder_add_format(making->out, "&#%d;", byte);
        else
            builder_add_char(making->out, byte);
    }
    builder_add_char(making->out, '"');
    return false;
}

static bool declares(struct text document, const struct xml_tag *tag, struct text prefix)
{
    struct xml_attribute_span attribute;
    size_t cursor = 0;
    while (xml_attribute_next(document, tag, &cursor, &attribute))
        if (xml_is_declaration(&attribute) && text_equal(attribute.prefix.length ? attribute.local : TEXT(""), prefix))
            return true;
    return false;
}

static bool uses(struct text element, struct text prefix)
{
    for (size_t at; (at = text_find(element, prefix)) < element.length;) {
        size_t end = at + prefix.length;
        if (end < element.length && element.bytes[end] == ':')
            return true;
        element = text_slice(element, end, element.length);
    }
    return false;
}

/* Of what the elements around it declare, as far as it needs that. */
static void add_context(struct making *making, const struct xml_element *element, const struct xml_tag *tag)
{
    const struct xml_element *chain[XML_TREE_DEPTH_MAX];
    struct text document = making->subject->document;
    struct text slice = text_slice(document, element->begin, element->end), uri;
    struct xml_scope scope;
    size_t depth = 0;
    xml_scope_init(&scope, making->subject->arena);
    for (const struct xml_element *at = element->parent; at && depth < XML_TREE_DEPTH_MAX; at = at->parent)
        chain[depth++] = at;
    while (depth-- > 0) {
        struct xml_scanner scanner;
        struct xml_tag outer;
        xml_scan_init(&scanner, text_slice(document, 0, chain[depth]->end));
        scanner.at = chain[depth]->begin;
        if (xml_scan_next(&scanner, &outer))
            xml_scope_open(&scope, document, &outer);
    }
    search_spend(making->subject, scope.count * (slice.length / 256 + 1));
    xml_scope_find(&scope, TEXT(""), &uri);
    if (!declares(document, tag, TEXT("")) && !text_equal(uri, making->outside))
        add_declaration(making, TEXT(""), uri);
    for (size_t i = 0; i < scope.count; i++) {
        struct text prefix = scope.bindings[i].prefix;
        bool shadowed = false;
        for (size_t k = i + 1; k < scope.count; k++)
            shadowed = shadowed || text_equal(scope.bindings[k].prefix, prefix);
        if (prefix.length && !shadowed && !text_equal(prefix, TEXT("xml")) && uses(slice, prefix) &&
            !declares(document, tag, prefix))
            add_declaration(making, prefix, scope.bindings[i].uri);
    }
}

static bool add_node(void *context, const struct xml_element *element, const struct xml_attribute *attribute)
{
    struct making *making = context;
    struct text document = making->subject->document, text;
    struct xml_scanner scanner;
    struct xml_tag tag;
    (void)attribute;
    if (making->item->path.terminal == SEARCH_TEXT) {
        if (search_node_text(&making->item->path, making->subject, element, &text))
            builder_add(making->out, xml_escape(making->subject->arena, text));
        return making->out->length <= making->limit;
    }
    xml_scan_init(&scanner, text_slice(document, 0, element->end));
    scanner.at = element->begin;
    if (!search_spend(making->subject, (element->end - element->begin) / 64 + 1) || !xml_scan_next(&scanner, &tag))
        return false;
    size_t name_end = element->begin + 1 + tag.name.length;
    builder_add(making->out, text_slice(document, element->begin, name_end));
    add_context(making, element, &tag);
    builder_add(making->out, text_slice(document, name_end, element->end));
    return making->out->length <= making->limit;
}

bool search_copy(struct search_subject *subject, struct text outside, struct text_builder *out)
{
    const struct search_item whole = {.kind = SEARCH_ITEM_PATH};
    struct making making = {
        .subject = subject, .out = out, .limit = out->length + SEARCH_MADE_MAX, .outside = outside, .item = &whole};
    return add_node(&making, subject->element, NULL);
}

static void close_start(struct making *making)
{
    if (!making->content)
        builder_add_char(making->out, '>');
    making->content = true;
}

static bool make_item(struct making *making, const struct search_item *tag)
{
    struct attribute_place place = {making, tag};
    const struct search_item *item = making->item;
    switch (item->kind) {
    case SEARCH_ITEM_ELEMENT: close_start(making); return make_element(making, item, tag);
    case SEARCH_ITEM_TEXT:
        close_start(making);
        builder_add(making->out, item->text);
        return true;
    case SEARCH_ITEM_PATH: break;
    }
    if (item->path.terminal == SEARCH_ATTRIBUTE) {
        search_nodes(&item->path, making->subject, add_attribute, &place);
        return true;
    }
    close_start(making);
    return search_nodes(&item->path, making->subject, add_node, making);
}

static void add_name(struct making *making, const struct search_item *element)
{
    builder_add(making->out, element->prefix);
    if (element->prefix.length)
        builder_add_char(making->out, ':');
    builder_add(making->out, element->local);
}

static bool make_element(struct making *making, const struct search_item *element, const struct search_item *around)
{
    struct text outside = making->outside;
    builder_add_char(making->out, '<');
    add_name(making, element);
    if (!around || !text_equal(around->prefix, element->prefix))
        add_declaration(making, element->prefix, element->namespace);
    if (element->prefix.length == 0)
        making->outside = element->namespace;
    making->content = false;
    for (const struct search_item *item = element->first; item; item = item->next) {
        making->item = item;
        if (!make_item(making, element))
            return false;
    }
    close_start(making);
    builder_add(making->out, TEXT("</"));
    add_name(making, element);
    builder_add_char(making->out, '>');
    making->content = true;
    making->outside = outside;
    return making->out->length <= making->limit;
}
