/* Holds the paths of a query to the fields of a manifest: what may be asked for and seen, and by whom. */
#include "search_own.h"
#include "uri.h"

static bool step_is(const struct search_step *step, const struct usage_step *wanted)
{
    return !step->any_namespace && !step->any_local && text_equal(step->local, wanted->local) &&
           text_equal(step->namespace, wanted->namespace);
}

static bool attribute_is(const struct search_path *path, const struct usage_path *wanted)
{
    return path->terminal == SEARCH_ATTRIBUTE && !path->attribute.any_local && !path->attribute.any_namespace &&
           text_equal(path->attribute.local, wanted->attribute) &&
           text_equal(path->attribute.namespace, wanted->attribute_namespace);
}

/* The path leads to what the field names, or into it. */
static bool covers(const struct usage_field *field, const struct search_path *path, bool exactly)
{
    const struct usage_path *wanted = &field->path;
    if (field->anything)
        return !exactly;
    size_t skipped = wanted->anywhere && exactly && path->steps_count > wanted->steps_count
                         ? path->steps_count - wanted->steps_count
                         : 0;
    if ((wanted->anywhere && !exactly) || path->steps_count < wanted->steps_count)
        return false;
    for (size_t i = 0; i < wanted->steps_count; i++)
        if (!step_is(&path->steps[skipped + i], &wanted->steps[i]))
            return false;
    bool whole = skipped + wanted->steps_count == path->steps_count;
    if (wanted->has_attribute)
        return whole && attribute_is(path, wanted);
    return exactly ? whole && path->terminal == SEARCH_ELEMENT : true;
}

const struct usage_field *search_field(const struct usage_searchable *searchable, const struct search_path *path,
                                       bool exactly)
{
    for (size_t i = 0; i < searchable->fields_count; i++)
        if (covers(&searchable->fields[i], path, exactly))
            return &searchable->fields[i];
    return NULL;
}

struct check {
    const struct usage_searchable *searchable;
    const struct search_query *query;
    const struct search_order *order;
    struct arena *arena;
    struct refusal *refusal;
    unsigned *masks;
    size_t *masks_count;
};

static struct text field_names(const struct usage_searchable *searchable, struct arena *arena)
{
    struct text_builder names;
    builder_init(&names, arena);
    for (size_t i = 0; i < searchable->fields_count; i++) {
        const struct usage_path *path = &searchable->fields[i].path;
        if (path->anywhere)
            continue;
        builder_add(&names, names.length ? TEXT(", ") : TEXT(""));
        for (size_t k = 0; k < path->steps_count; k++)
            builder_add_format(&names, "%s%.*s", k ? "/" : "", TEXT_ARG(path->steps[k].local));
        if (path->has_attribute)
            builder_add_format(&names, "%s@%.*s", path->steps_count ? "/" : "", TEXT_ARG(path->attribute));
    }
    return builder_text(&names);
}

static bool is_own(const struct check *check, struct text address)
{
    const struct search_asker *asker = &check->order->asker;
    struct text canonical = uri_canonical(check->arena, address);
    for (size_t i = 0; canonical.length && i < asker->identities_count; i++)
        if (text_equal(asker->identities[i], canonical))
            return true;
    return false;
}

/* `path = "own address"`, as a condition that has to hold in any case. */
static bool asks_for_self(const struct check *check, const struct search_expression *condition,
                          const struct search_path *path)
{
    if (!condition)
        return false;
    if (condition->kind == SEARCH_AND)
        return asks_for_self(check, condition->left, path) || asks_for_self(check, condition->right, path);
    if (condition->kind != SEARCH_COMPARE || condition->operator!= SEARCH_EQUAL)
        return false;
    const struct search_expression *left = condition->left, *right = condition->right;
    return (&left->path == path && right->kind == SEARCH_STRING && is_own(check, right->string)) ||
           (&right->path == path && left->kind == SEARCH_STRING && is_own(check, left->string));
}

static bool check_path(void *context, const struct search_path *path, bool returned)
{
    struct check *check = context;
    const struct usage_field *field = search_field(check->searchable, path, false);
    if (!field) {
        struct text complaint = text_format(
            check->arena, "'%.*s' cannot be %s here; these can: %.*s", TEXT_ARG(search_path_text(path, check->arena)),
            returned ? "returned" : "asked for", TEXT_ARG(field_names(check->searchable, check->arena)));
        search_query_refuse(check->order->query, path->offset, complaint, check->arena, check->refusal);
        return false;
    }
    if (field->self && asks_for_self(check, check->query->where, path))
        return true;
    for (size_t i = 0; i < *check->masks_count; i++)
        if (check->masks[i] == field->roles)
            return true;
    check->masks[(*check->masks_count)++] = field->roles;
    return true;
}

static bool path_is(const struct search_path *path, const struct usage_path *wanted)
{
    if (path->steps_count != wanted->steps_count || path->terminal != SEARCH_ELEMENT)
        return false;
    for (size_t i = 0; i < path->steps_count; i++)
        if (!step_is(&path->steps[i], &wanted->steps[i]))
            return false;
    return true;
}

static struct text element_name(const struct usage_path *path, struct arena *arena)
{
    struct text_builder name;
    builder_init(&name, arena);
    for (size_t i = 0; i < path->steps_count; i++)
        builder_add_format(&name, "/%.*s", TEXT_ARG(path->steps[i].local));
    return builder_text(&name);
}

enum status search_fields_check(const struct usage_searchable *searchable, const struct search_query *query,
                                const struct search_order *order, struct arena *arena, unsigned *masks,
                                size_t *masks_count, struct refusal *refusal)
{
    struct check check = {searchable, query, order, arena, refusal, masks, masks_count};
    masks[0] = searchable->roles;
    *masks_count = 1;
    if (!path_is(&query->path, &searchable->element)) {
        struct text complaint =
            text_format(arena, "what is found here is %.*s", TEXT_ARG(element_name(&searchable->element, arena)));
        return search_query_refuse(order->query, query->collection_offset, complaint, arena, refusal);
    }
    return search_query_paths(query, check_path, &check) ? OK : REFUSED;
}
