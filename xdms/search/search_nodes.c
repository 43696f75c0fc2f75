/* Nodes of a document by the paths of a query. */
#include "search_nodes.h"

struct walk {
    const struct search_path *path;
    struct search_subject *subject;
    search_node_fn *visit;
    void *context;
};

bool search_spend(struct search_subject *subject, uint64_t work)
{
    subject->work -= work < subject->work ? work : subject->work;
    return subject->work > 0;
}

static bool step_fits(const struct search_step *step, struct text namespace, struct text local)
{
    return (step->any_namespace || text_equal(step->namespace, namespace)) &&
           (step->any_local || text_equal(step->local, local));
}

static bool walk_attributes(const struct walk *walk, const struct xml_element *element)
{
    const struct xml_attribute *attribute = element->attributes;
    for (; attribute; attribute = attribute->next)
        if (!search_spend(walk->subject, 1) ||
            (step_fits(&walk->path->attribute, attribute->namespace, attribute->local) &&
             !walk->visit(walk->context, element, attribute)))
            return false;
    return true;
}

static bool walk_from(const struct walk *walk, const struct xml_element *element, size_t step)
{
    if (step == walk->path->steps_count)
        return walk->path->terminal == SEARCH_ATTRIBUTE ? walk_attributes(walk, element)
                                                        : walk->visit(walk->context, element, NULL);
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        if (!search_spend(walk->subject, 1) ||
            (step_fits(&walk->path->steps[step], child->namespace, child->local) && !walk_from(walk, child, step + 1)))
            return false;
    return true;
}

bool search_nodes(const struct search_path *path, struct search_subject *subject, search_node_fn *visit, void *context)
{
    const struct walk walk = {path, subject, visit, context};
    return walk_from(&walk, subject->element, 0);
}

bool search_node_text(const struct search_path *path, struct search_subject *subject, const struct xml_element *element,
                      struct text *text_out)
{
    if (path->terminal == SEARCH_TEXT) {
        *text_out = element->text;
        return element->text.length > 0;
    }
    if (element->first_child && !search_spend(subject, search_copy_work(element->end - element->begin)))
        return false;
    *text_out = xml_element_text(subject->document, element, subject->arena);
    return true;
}

struct records {
    const struct xml_element **found;
    size_t count, capacity;
    struct arena *arena;
};

static bool add_record(void *context, const struct xml_element *element, const struct xml_attribute *attribute)
{
    struct records *records = context;
    (void)attribute;
    if (records->count + 1 == records->capacity) {
        const struct xml_element **more =
            arena_array(records->arena, const struct xml_element *, 2 * records->capacity);
        memcpy(more, records->found, records->count * sizeof(*more));
        records->found = more;
        records->capacity *= 2;
    }
    records->found[records->count++] = element;
    return true;
}

const struct xml_element **search_records(const struct search_path *path, const struct xml_element *root,
                                          struct arena *arena)
{
    const struct xml_element above = {.first_child = root};
    struct search_subject subject = {.element = &above, .arena = arena, .work = UINT64_MAX};
    struct records records = {arena_array(arena, const struct xml_element *, 4), 0, 4, arena};
    search_nodes(path, &subject, add_record, &records);
    return records.found;
}

struct values {
    struct search_subject *subject;
    const struct search_path *path;
    struct text *found;
    size_t count, capacity;
};

static bool add_value(void *context, const struct xml_element *element, const struct xml_attribute *attribute)
{
    struct values *values = context;
    struct text value;
    if (attribute)
        value = attribute->value;
    else if (!search_node_text(values->path, values->subject, element, &value))
        return values->subject->work > 0;
    if (values->count == values->capacity) {
        size_t capacity = values->capacity ? 4 * values->capacity : 2;
        struct text *more = arena_array(values->subject->arena, struct text, capacity);
        if (values->count)
            memcpy(more, values->found, values->count * sizeof(*more));
        values->found = more;
        values->capacity = capacity;
    }
    values->found[values->count++] = value;
    return true;
}

size_t search_path_values(const struct search_path *path, struct search_subject *subject,
                          const struct text **values_out)
{
    struct values values = {.subject = subject, .path = path};
    search_nodes(path, subject, add_value, &values);
    *values_out = values.found;
    return values.count;
}
