/* Follows the steps of a selector with the tag scanner (RFC 4825 §6.3): one pass over the children of each element on
 * the way, which stops early where a position allows it. It never edits. */
#include "xcap_find.h"

#include <assert.h>

static bool step_attribute_matches(struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step);

void xcap_finder_init(struct xcap_finder *finder, struct text document, struct arena *arena)
{
    *finder = (struct xcap_finder){.document = document, .place = {.is_document = true}};
    xml_scope_init(&finder->scope, arena);
}

bool xcap_find_place(struct xcap_finder *finder, struct text document, const struct xcap_selector *selector,
                     size_t steps_count, struct arena *arena)
{
    xcap_finder_init(finder, document, arena);
    for (; finder->steps_done < steps_count; finder->steps_done++) {
        struct xml_tag tag;
        if (xcap_find_children(finder, &selector->steps[finder->steps_done], &tag) != 1 ||
            !xml_scope_open(&finder->scope, document, &tag))
            return false;
        finder->place = (struct xcap_place){.tag = tag};
    }
    return true;
}

/* Moves the scanner behind the end tag that closes `open` elements; false when the document ends before. */
static bool skip_elements(struct xml_scanner *scanner, size_t open, struct xml_tag *end_tag_out)
{
    while (open && xml_scan_next(scanner, end_tag_out)) {
        open += end_tag_out->kind == XML_START;
        open -= end_tag_out->kind == XML_END;
    }
    return open == 0;
}

size_t xcap_element_end(struct text document, const struct xml_tag *tag)
{
    struct xml_scanner scanner;
    struct xml_tag end_tag = *tag;
    xml_scan_init(&scanner, document);
    scanner.at = tag->end;
    return skip_elements(&scanner, tag->kind == XML_START, &end_tag) ? end_tag.end : document.length;
}

void xcap_children_init(struct xcap_children *children, struct text document, const struct xcap_place *parent)
{
    *children = (struct xcap_children){.parent = parent};
    xml_scan_init(&children->scanner, document);
    if (!parent->is_document) {
        children->scanner.at = parent->tag.end;
        children->over = parent->tag.kind == XML_EMPTY;
        children->content_end = parent->tag.end;
    }
}

bool xcap_children_next(struct xcap_children *children, struct xml_tag *child_out)
{
    if (children->over)
        return false;
    struct xml_tag tag;
    bool there = skip_elements(&children->scanner, children->depth, &tag);
    children->last_end = children->scanner.at;
    children->over = true;
    if (!there || !xml_scan_next(&children->scanner, &tag))
        return false;
    if (tag.kind == XML_END) {
        children->content_end = tag.begin;
        return false;
    }
    children->depth = tag.kind == XML_START;
    /* A document has one root: the rest of it need not be read. */
    children->over = children->parent->is_document;
    *child_out = tag;
    return true;
}

bool xcap_name_matches(struct xcap_finder *finder, const struct xml_tag *tag, struct text namespace, struct text local)
{
    struct text found;
    if (!text_equal(tag->local, local))
        return false;
    if (text_find(tag->attributes, TEXT("xmlns")) == tag->attributes.length) /* it declares nothing */
        return xml_scope_find(&finder->scope, tag->prefix, &found) && text_equal(found, namespace);
    bool matches = xml_scope_open(&finder->scope, finder->document, tag) &&
                   xml_scope_find(&finder->scope, tag->prefix, &found) && text_equal(found, namespace);
    xml_scope_close(&finder->scope);
    return matches;
}

static bool step_name_matches(struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step)
{
    return step->any_name || xcap_name_matches(finder, tag, step->namespace, step->local) ||
           (step->also.length && xcap_name_matches(finder, tag, step->also, step->local));
}

/* True only where the step's attribute is there in so many letters and with another value: most elements of a long
 * list are passed over by that. */
static bool value_differs(const struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step)
{
    struct xml_attribute_span attribute;
    size_t cursor = 0;
    if (!step->has_attribute || step->attribute_namespace.length)
        return false;
    while (xml_attribute_next(finder->document, tag, &cursor, &attribute)) {
        if (attribute.prefix.length || !text_equal(attribute.local, step->attribute_local))
            continue;
        for (size_t i = 0; i < attribute.raw.length; i++) /* references, and white space that is normalised */
            if (attribute.raw.bytes[i] == '&' || (unsigned char)attribute.raw.bytes[i] < ' ')
                return false;
        return !text_equal(attribute.raw, step->attribute_value);
    }
    return false;
}

bool xcap_step_matches(struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step)
{
    return step_name_matches(finder, tag, step) && (!step->has_attribute || step_attribute_matches(finder, tag, step));
}

unsigned xcap_find_children(struct xcap_finder *finder, const struct xcap_step *step, struct xml_tag *found_out)
{
    struct xcap_children children;
    struct xml_tag tag;
    uint32_t position = 0;
    unsigned count = 0;
    xcap_children_init(&children, finder->document, &finder->place);
    while (xcap_children_next(&children, &tag)) {
        if (step->position == 0 && value_differs(finder, &tag, step))
            continue;
        if (!step_name_matches(finder, &tag, step))
            continue;
        position++;
        if (step->position && position < step->position)
            continue;
        if (!step->has_attribute || step_attribute_matches(finder, &tag, step)) {
            if (count++)
                return 2;
            *found_out = tag;
        }
        if (step->position)
            break;
    }
    return count;
}

static bool attribute_is(const struct xml_scope *scope, const struct xml_attribute_span *attribute,
                         struct text namespace, struct text local)
{
    struct text found = {0};
    return text_equal(attribute->local, local) && !xml_is_declaration(attribute) &&
           (attribute->prefix.length == 0 || xml_scope_find(scope, attribute->prefix, &found)) &&
           text_equal(found, namespace);
}

static bool find_attribute(const struct xcap_finder *finder, const struct xml_tag *tag, struct text namespace,
                           struct text local, struct xml_attribute_span *found_out)
{
    size_t cursor = 0;
    while (xml_attribute_next(finder->document, tag, &cursor, found_out)) {
        if (attribute_is(&finder->scope, found_out, namespace, local))
            return true;
    }
    return false;
}

bool xcap_find_attribute(const struct xcap_finder *finder, struct text namespace, struct text local,
                         struct xml_attribute_span *found_out)
{
    assert(!finder->place.is_document);
    return find_attribute(finder, &finder->place.tag, namespace, local, found_out);
}

/* Values are compared as a parser reports them, code point by code point. */
static bool step_attribute_matches(struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step)
{
    struct xml_attribute_span attribute;
    struct text value;
    bool matches = xml_scope_open(&finder->scope, finder->document, tag) &&
                   find_attribute(finder, tag, step->attribute_namespace, step->attribute_local, &attribute) &&
                   xml_unescape(finder->scope.arena, attribute.raw, true, &value) &&
                   text_equal(value, step->attribute_value);
    xml_scope_close(&finder->scope);
    return matches;
}
