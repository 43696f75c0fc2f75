/* Finds the values of a document that are claimed in the whole server, and where they stand, as node selectors for
 * uniqueness-failure (RFC 4825 §11). It asks no store whether somebody else holds them. */
#include <stdlib.h>

#include "uri.h"
#include "usage_own.h"

struct gathering {
    const struct usage_loaded *loaded;
    struct arena *arena;
    struct usage_claim *claims;
    size_t count;
    struct text unreadable; /* field of the first address that is none */
};

static enum status gather(struct gathering *gathering, const struct xml_element *element, struct refusal *refusal);
static struct text field_of(struct gathering *gathering, const struct usage_path *path,
                            const struct xml_element *element);
static struct text in_form(struct arena *arena, enum usage_form form, struct text value);
static enum status refuse_repeated(const struct gathering *gathering, struct refusal *refusal);

enum status usage_claims_read(const struct usage_loaded *loaded, struct text bytes, struct arena *arena,
                              const struct usage_claim **claims_out, size_t *claims_count_out,
                              struct text *unreadable_out, struct refusal *refusal)
{
    *claims_out = NULL;
    *claims_count_out = 0;
    *unreadable_out = (struct text){0};
    if (loaded->claims_count == 0)
        return OK;
    const struct xml_element *root = NULL;
    if (xml_tree_read(bytes, arena, &root) != OK)
        return FAILED; /* libxml2 has read it before us */
    struct gathering gathering = {.loaded = loaded, .arena = arena};
    gathering.claims = arena_array(arena, struct usage_claim, USAGE_CLAIMS_MAX);
    for (const struct xml_element *element = root; element; element = xml_next(element, NULL)) {
        if (gather(&gathering, element, refusal) != OK)
            return REFUSED;
    }
    *claims_out = gathering.claims;
    *claims_count_out = gathering.count;
    *unreadable_out = gathering.unreadable;
    return refuse_repeated(&gathering, refusal);
}

static enum status gather(struct gathering *gathering, const struct xml_element *element, struct refusal *refusal)
{
    const struct usage_loaded *loaded = gathering->loaded;
    for (size_t i = 0; i < loaded->claims_count; i++) {
        const struct usage_claim_row *row = &loaded->claims[i];
        struct text value;
        if (!usage_path_finds(&row->path, element, NULL, &value))
            continue;
        struct usage_claim claim = {
            .kind = row->kind, .shared = row->shared, .apart = row->apart, .apart_count = row->apart_count};
        claim.field = field_of(gathering, &row->path, element);
        claim.value = in_form(gathering->arena, row->form, text_trim(value));
        if (claim.value.length == 0) {
            if (!row->shared && gathering->unreadable.length == 0)
                gathering->unreadable = claim.field;
            continue;
        }
        if (gathering->count == USAGE_CLAIMS_MAX)
            return refuse_conflict(refusal, "constraint-failure", TEXT("too many unique values in one document"));
        gathering->claims[gathering->count++] = claim;
    }
    return OK;
}

bool usage_path_finds(const struct usage_path *path, const struct xml_element *element,
                      const struct xml_element *within, struct text *value_out)
{
    const struct xml_element *at = element;
    for (size_t i = path->steps_count; i > 0; i--) {
        if (!at || !xml_is(at, path->steps[i - 1].namespace, path->steps[i - 1].local))
            return false;
        at = at->parent;
    }
    if (at != within && !path->anywhere)
        return false;
    if (!path->has_attribute) {
        *value_out = element->text;
        return true;
    }
    return path->attribute_namespace.length
               ? xml_attribute_ns(element, path->attribute_namespace, path->attribute, value_out)
               : xml_attribute(element, path->attribute, value_out);
}

/* Position among the siblings of the same name, 0 when it is the only one. */
static size_t position_of(const struct xml_element *element)
{
    if (!element->parent)
        return 0;
    size_t before = 0, all = 0;
    for (const struct xml_element *sibling = element->parent->first_child; sibling; sibling = sibling->next) {
        if (!xml_is(sibling, element->namespace, element->local))
            continue;
        all++;
        if (sibling == element)
            before = all;
    }
    return all > 1 ? before : 0;
}

/* "n1:" for a name outside the default namespace, with its binding added to the query. */
static void add_prefix(struct text_builder *step, struct text_builder *query, const struct usage_loaded *loaded,
                       struct text namespace, bool attribute)
{
    if (namespace.length == 0 || (!attribute && text_equal(namespace, loaded->usage.namespace)))
        return;
    for (size_t i = 0; i < loaded->usage.prefixes_count; i++) {
        const struct usage_prefix *prefix = &loaded->usage.prefixes[i];
        if (!text_equal(prefix->namespace, namespace))
            continue;
        builder_add_format(step, "%.*s:", TEXT_ARG(prefix->name));
        struct text binding = text_format(step->arena, "xmlns(%.*s=%.*s)", TEXT_ARG(prefix->name), TEXT_ARG(namespace));
        if (text_find(builder_text(query), binding) == query->length)
            builder_add(query, binding);
        return;
    }
}

static struct text field_of(struct gathering *gathering, const struct usage_path *path,
                            const struct xml_element *element)
{
    const struct xml_element *chain[XML_TREE_DEPTH_MAX];
    size_t depth = 0;
    for (const struct xml_element *at = element; at && depth < XML_TREE_DEPTH_MAX; at = at->parent)
        chain[depth++] = at;
    struct text_builder field, query;
    builder_init(&field, gathering->arena);
    builder_init(&query, gathering->arena);
    while (depth-- > 0) {
        const struct xml_element *at = chain[depth];
        size_t position = position_of(at);
        if (field.length)
            builder_add_char(&field, '/');
        add_prefix(&field, &query, gathering->loaded, at->namespace, false);
        builder_add(&field, at->local);
        if (position)
            builder_add_format(&field, "[%zu]", position);
    }
    if (path->has_attribute) {
        builder_add(&field, TEXT("/@"));
        add_prefix(&field, &query, gathering->loaded, path->attribute_namespace, true);
        builder_add(&field, path->attribute);
    }
    struct text encoded = percent_encode(gathering->arena, builder_text(&field), "/@:");
    if (query.length)
        encoded = text_format(gathering->arena, "%.*s?%.*s", TEXT_ARG(encoded),
                              TEXT_ARG(percent_encode(gathering->arena, builder_text(&query), "()=:")));
    return encoded;
}

static struct text in_form(struct arena *arena, enum usage_form form, struct text value)
{
    switch (form) {
    case USAGE_AS_WRITTEN: break;
    case USAGE_ADDRESS: return uri_canonical(arena, value);
    case USAGE_URI: return uri_canonical_whole(arena, value);
    }
    return value;
}

static int claim_order(const void *a, const void *b)
{
    const struct usage_claim *left = *(const struct usage_claim *const *)a;
    const struct usage_claim *right = *(const struct usage_claim *const *)b;
    int order = text_compare(left->kind, right->kind);
    if (order == 0)
        order = text_compare(left->value, right->value);
    return order ? order : (left > right) - (left < right);
}

/* One document cannot hold the same unique value twice; the later one is named. */
static enum status refuse_repeated(const struct gathering *gathering, struct refusal *refusal)
{
    const struct usage_claim **sorted = arena_array(gathering->arena, const struct usage_claim *, gathering->count + 1);
    for (size_t i = 0; i < gathering->count; i++)
        sorted[i] = &gathering->claims[i];
    qsort(sorted, gathering->count, sizeof(sorted[0]), claim_order);
    for (size_t i = 1; i < gathering->count; i++) {
        const struct usage_claim *first = sorted[i - 1], *second = sorted[i];
        if (second->shared || !text_equal(first->kind, second->kind) || !text_equal(first->value, second->value))
            continue;
        refuse_conflict(refusal, "uniqueness-failure",
                        text_format(gathering->arena, "%.*s is used twice in the document", TEXT_ARG(second->value)));
        refusal->content = text_format(gathering->arena, "<exists field=\"%.*s\"/>",
                                       TEXT_ARG(xml_escape(gathering->arena, second->field)));
        return REFUSED;
    }
    return OK;
}

bool usage_claims_resolve(struct usage_loaded *loaded, struct text *kind_out)
{
    for (size_t i = 0; i < loaded->usage.documents_count; i++) {
        struct usage_computed *computed = &loaded->computed[i];
        for (size_t k = 0; k < loaded->claims_count && !computed->by_row; k++) {
            const struct usage_claim_row *row = &loaded->claims[k];
            bool selectable = !row->shared && !row->path.anywhere && row->path.has_attribute;
            if (computed->by.length && selectable && text_equal(row->kind, computed->by))
                computed->by_row = row;
        }
        *kind_out = computed->by;
        if (computed->by.length && !computed->by_row)
            return false;
    }
    return true;
}

static bool step_is_plain(const struct xcap_step *step, const struct usage_step *wanted)
{
    return !step->any_name && step->position == 0 && step->also.length == 0 &&
           text_equal(step->namespace, wanted->namespace) && text_equal(step->local, wanted->local);
}

/* Positions count elements that come of other documents, and so would a name or an attribute that fits any. */
bool usage_selects_claim(const struct usage *usage, const struct usage_document *row,
                         const struct xcap_selector *selector, struct arena *arena, struct text *kind_out,
                         struct text *value_out)
{
    const struct usage_claim_row *by = usage_loaded(usage)->computed[row - usage->documents].by_row;
    if (!by || selector->steps_count < by->path.steps_count)
        return false;
    size_t last = by->path.steps_count - 1;
    for (size_t i = 0; i <= last; i++)
        if (!step_is_plain(&selector->steps[i], &by->path.steps[i]) || selector->steps[i].has_attribute != (i == last))
            return false;
    const struct xcap_step *step = &selector->steps[last];
    *kind_out = by->kind;
    *value_out = in_form(arena, by->form, text_trim(step->attribute_value));
    return text_equal(step->attribute_namespace, by->path.attribute_namespace) &&
           text_equal(step->attribute_local, by->path.attribute);
}
