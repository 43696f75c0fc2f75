/* From the tree of a list to its references. */
#include "historylist.h"

#include "xml_tree.h"

#define REFERENCE TEXT("history-reference")

static struct text reference_of(const struct xml_element *element)
{
    struct text reference = {0};
    if (xml_attribute(element, REFERENCE, &reference))
        return text_trim(reference);
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        if (text_equal(child->local, REFERENCE))
            return text_trim(child->text);
    return reference;
}

static bool has(const struct text *references, size_t count, struct text reference)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(references[i], reference))
            return true;
    return false;
}

enum status historylist_read(struct text document, struct arena *arena, struct text **references_out, size_t *count_out)
{
    struct text *references = arena_array(arena, struct text, HISTORYLIST_MAX);
    const struct xml_element *root;
    size_t named = 0;
    *references_out = references;
    *count_out = 0;
    if (xml_tree_read(document, arena, &root) != OK)
        return REFUSED;
    for (const struct xml_element *element = root->first_child; element; element = element->next) {
        struct text reference = text_equal(element->local, TEXT("history")) ? reference_of(element) : (struct text){0};
        if (reference.length == 0)
            continue;
        if (named++ == HISTORYLIST_MAX)
            return FULL;
        if (!has(references, *count_out, reference))
            references[(*count_out)++] = reference;
    }
    return OK;
}
