/* Builds the read-only tree from the scanner's tags, one tag after the other and without recursion. It also is the
 * check of form for fragments, so it refuses what is not namespace-well-formed. */
#include "xml_tree.h"

/* One open element. Frames are kept and used again for the next element at the same depth. */
struct frame {
    struct frame *outer, *inner;
    struct xml_element *element;
    struct xml_element *last_child;
    struct text name; /* as written: the end tag must be the same */
    struct text_builder text;
};

struct reader {
    struct text document;
    struct arena *arena;
    struct xml_scope *scope;
    struct frame outside; /* around the root */
    struct frame *top;
    unsigned depth;
};

static bool read_tags(struct reader *reader);
static bool read_gap(struct reader *reader, size_t begin, size_t end);
static bool open_element(struct reader *reader, const struct xml_tag *tag);
static bool close_element(struct reader *reader, const struct xml_tag *tag);
static bool read_attributes(struct reader *reader, const struct xml_tag *tag, struct xml_element *element);

enum status xml_tree_read(struct text document, struct arena *arena, const struct xml_element **root_out)
{
    struct xml_scope scope;
    xml_scope_init(&scope, arena);
    return xml_tree_read_in(document, &scope, arena, root_out);
}

enum status xml_tree_read_in(struct text fragment, struct xml_scope *scope, struct arena *arena,
                             const struct xml_element **root_out)
{
    struct reader reader = {.document = fragment, .arena = arena, .scope = scope};
    reader.top = &reader.outside;
    if (!utf8_valid(fragment) || !read_tags(&reader) || !reader.outside.last_child)
        return REFUSED;
    *root_out = reader.outside.last_child;
    return OK;
}

static bool read_tags(struct reader *reader)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    xml_scan_init(&scanner, reader->document);
    size_t gap = text_starts_with(reader->document, TEXT("\xEF\xBB\xBF")) ? 3 : 0;
    while (xml_scan_next(&scanner, &tag)) {
        if (!read_gap(reader, gap, tag.begin))
            return false;
        gap = tag.end;
        if (tag.kind != XML_END && !open_element(reader, &tag))
            return false;
        if (tag.kind != XML_START && !close_element(reader, &tag))
            return false;
    }
    return !scanner.damaged && reader->top == &reader->outside && read_gap(reader, gap, reader->document.length);
}

static bool add_text(struct reader *reader, struct text raw, bool literal)
{
    struct text text = raw;
    if (reader->top == &reader->outside)
        return !literal && text_trim(raw).length == 0;
    if (!literal && !xml_unescape(reader->arena, raw, false, &text))
        return false;
    struct frame *frame = reader->top;
    if (frame->element->text.length == 0) {
        frame->element->text = text; /* one piece needs no copy */
        return true;
    }
    if (frame->text.length == 0)
        builder_add(&frame->text, frame->element->text);
    builder_add(&frame->text, text);
    frame->element->text = builder_text(&frame->text);
    return true;
}

/* Between two tags: text, comments, processing instructions and CDATA sections. The scanner found their ends already.
 */
static bool read_gap(struct reader *reader, size_t begin, size_t end)
{
    struct text gap = text_slice(reader->document, begin, end);
    while (gap.length) {
        size_t markup = text_find_char(gap, '<');
        if (markup && !add_text(reader, text_slice(gap, 0, markup), false))
            return false;
        gap = text_slice(gap, markup, gap.length);
        bool cdata = text_starts_with(gap, TEXT("<![CDATA["));
        struct text closing = cdata ? TEXT("]]>") : text_starts_with(gap, TEXT("<?")) ? TEXT("?>") : TEXT("-->");
        size_t opening = cdata ? 9 : closing.length == 2 ? 2 : 4;
        if (gap.length < opening)
            return gap.length == 0;
        struct text inside = text_slice(gap, opening, gap.length);
        size_t inside_length = text_find(inside, closing);
        if (cdata && !add_text(reader, text_slice(inside, 0, inside_length), true))
            return false;
        gap = text_slice(inside, inside_length + closing.length, inside.length);
    }
    return true;
}

static struct frame *inner_frame(struct reader *reader)
{
    struct frame *outer = reader->top;
    if (!outer->inner) {
        outer->inner = arena_new(reader->arena, struct frame);
        outer->inner->outer = outer;
    }
    return outer->inner;
}

static bool open_element(struct reader *reader, const struct xml_tag *tag)
{
    bool second_root = reader->top == &reader->outside && reader->outside.last_child;
    if (second_root || ++reader->depth > XML_TREE_DEPTH_MAX || !xml_qname_valid(tag->name) ||
        !xml_scope_open(reader->scope, reader->document, tag))
        return false;
    struct xml_element *element = arena_new(reader->arena, struct xml_element);
    struct frame *parent = reader->top;
    if (text_equal(tag->prefix, TEXT("xmlns")) || !xml_scope_find(reader->scope, tag->prefix, &element->namespace) ||
        !read_attributes(reader, tag, element))
        return false;
    element->local = tag->local;
    element->parent = parent->element;
    element->begin = tag->begin;
    if (parent->last_child)
        parent->last_child->next = element;
    else if (parent->element)
        parent->element->first_child = element;
    parent->last_child = element;
    struct frame *frame = inner_frame(reader);
    frame->element = element;
    frame->last_child = NULL;
    frame->name = tag->name;
    builder_init(&frame->text, reader->arena);
    reader->top = frame;
    return true;
}

static bool close_element(struct reader *reader, const struct xml_tag *tag)
{
    struct frame *frame = reader->top;
    if (frame == &reader->outside || !text_equal(frame->name, tag->name))
        return false;
    frame->element->end = tag->end;
    reader->top = frame->outer;
    reader->depth--;
    xml_scope_close(reader->scope);
    return true;
}

static bool read_attributes(struct reader *reader, const struct xml_tag *tag, struct xml_element *element)
{
    struct xml_attribute_span span;
    const struct xml_attribute **place = &element->attributes;
    size_t cursor = 0;
    for (unsigned count = 0; xml_attribute_next(reader->document, tag, &cursor, &span); count++) {
        if (count == XML_TREE_ATTRIBUTES_MAX || !xml_qname_valid(span.name))
            return false;
        if (xml_is_declaration(&span))
            continue;
        struct xml_attribute *attribute = arena_new(reader->arena, struct xml_attribute);
        struct text ignored;
        attribute->local = span.local;
        if ((span.prefix.length && !xml_scope_find(reader->scope, span.prefix, &attribute->namespace)) ||
            !xml_unescape(reader->arena, span.raw, true, &attribute->value) ||
            xml_attribute_ns(element, attribute->namespace, attribute->local, &ignored))
            return false;
        *place = attribute;
        place = &attribute->next;
    }
    return true;
}

struct text xml_element_text(struct text document, const struct xml_element *element, struct arena *arena)
{
    struct xml_element all = {0};
    struct frame frame = {.element = &all};
    struct reader reader = {.document = document, .arena = arena, .top = &frame};
    struct xml_scanner scanner;
    struct xml_tag tag;
    if (!element->first_child)
        return element->text;
    builder_init(&frame.text, arena);
    xml_scan_init(&scanner, text_slice(document, 0, element->end));
    scanner.at = element->begin;
    for (size_t gap = element->begin; xml_scan_next(&scanner, &tag); gap = tag.end)
        read_gap(&reader, gap, tag.begin);
    return all.text;
}

const struct xml_element *xml_next(const struct xml_element *element, const struct xml_element *top)
{
    if (element->first_child)
        return element->first_child;
    while (element && element != top && !element->next)
        element = element->parent;
    return element && element != top ? element->next : NULL;
}

bool xml_is(const struct xml_element *element, struct text namespace, struct text local)
{
    return element && text_equal(element->local, local) && text_equal(element->namespace, namespace);
}

static const struct xml_element *first_named(const struct xml_element *element, struct text namespace,
                                             struct text local)
{
    while (element && !xml_is(element, namespace, local))
        element = element->next;
    return element;
}

const struct xml_element *xml_child(const struct xml_element *parent, struct text namespace, struct text local)
{
    return parent ? first_named(parent->first_child, namespace, local) : NULL;
}

const struct xml_element *xml_next_same(const struct xml_element *element)
{
    return first_named(element->next, element->namespace, element->local);
}

bool xml_attribute(const struct xml_element *element, struct text local, struct text *value_out)
{
    return xml_attribute_ns(element, (struct text){0}, local, value_out);
}

bool xml_attribute_ns(const struct xml_element *element, struct text namespace, struct text local,
                      struct text *value_out)
{
    for (const struct xml_attribute *attribute = element->attributes; attribute; attribute = attribute->next) {
        if (text_equal(attribute->local, local) && text_equal(attribute->namespace, namespace)) {
            *value_out = attribute->value;
            return true;
        }
    }
    return false;
}
