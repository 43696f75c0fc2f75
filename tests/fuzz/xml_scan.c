/* Scanner, attributes, references and tree over arbitrary bytes: no read outside, progress with each tag, and the
 * tree's elements are those of the scanner. */
#include <assert.h>

#include "xml_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_tags(struct text input, struct arena *arena)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    size_t elements = 0;
    xml_scan_init(&scanner, input);
    for (size_t before = 0; xml_scan_next(&scanner, &tag); before = tag.end) {
        assert(tag.begin >= before && tag.end > tag.begin && tag.end <= input.length && tag.name.length);
        struct xml_attribute_span span;
        struct text value;
        size_t cursor = 0;
        elements += tag.kind != XML_END;
        while (xml_attribute_next(input, &tag, &cursor, &span)) {
            assert(span.begin > tag.begin && span.end < tag.end && span.value_end + 1 == span.end);
            xml_unescape(arena, span.raw, true, &value);
        }
    }
    return elements;
}

static size_t count_elements(const struct xml_element *root, size_t size)
{
    size_t count = 0;
    for (const struct xml_element *element = root; element; count++) {
        assert(element->begin < element->end && element->end <= size);
        if (element->first_child) {
            element = element->first_child;
            continue;
        }
        while (element && !element->next)
            element = element->parent;
        element = element ? element->next : NULL;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    struct arena arena;
    const struct xml_element *root;
    arena_init(&arena, "fuzz");
    size_t elements = count_tags(input, &arena);
    if (xml_tree_read(input, &arena, &root) == OK)
        assert(count_elements(root, size) == elements);
    arena_clear(&arena);
    return 0;
}
