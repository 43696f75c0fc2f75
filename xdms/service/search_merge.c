/* Puts together what several servers found: in the order that the query wants, as far as what it orders by is returned,
 * else one server after another; each once. */
#include <stdlib.h>

#include "service_search.h"
#include "uri.h"
#include "xml_tree.h"

#define NAMESPACE TEXT(SEARCH_NAMESPACE)

struct merged {
    struct text made;
    struct text identity; /* what makes it another: the address, or else all of it */
    struct text keys[SEARCH_KEYS_MAX];
    size_t place;
};

struct search_merge {
    struct arena *arena;
    const struct search_query *query; /* NULL: its order is not known */
    struct merged *list;
    size_t count, most;
};

struct search_merge *search_merge_new(const struct search_query *query, size_t results_max, size_t servers,
                                      struct arena *arena)
{
    struct search_merge *merge = arena_new(arena, struct search_merge);
    *merge = (struct search_merge){.arena = arena, .query = query, .most = results_max * servers};
    merge->list = arena_array(arena, struct merged, merge->most);
    return merge;
}

static bool is_known(const struct search_merge *merge, struct text identity)
{
    for (size_t i = 0; i < merge->count; i++)
        if (text_equal(merge->list[i].identity, identity))
            return true;
    return false;
}

void search_merge_add(struct search_merge *merge, struct text made)
{
    const struct xml_element *element;
    struct text uri = {0};
    if (merge->count == merge->most || xml_tree_read(made, merge->arena, &element) != OK)
        return;
    struct merged merged = {.made = made, .identity = made, .place = merge->count};
    if (xml_attribute(element, TEXT("uri"), &uri) && (uri = uri_canonical(merge->arena, uri)).length)
        merged.identity = uri;
    if (is_known(merge, merged.identity))
        return;
    for (size_t i = 0; merge->query && i < merge->query->keys_count; i++) {
        struct search_subject subject = {made, element, merge->arena, made.length};
        search_key_value(&merge->query->keys[i], &subject, &merged.keys[i]);
    }
    merge->list[merge->count++] = merged;
}

bool search_merge_answer(struct search_merge *merge, struct text body)
{
    const struct xml_element *root;
    if (xml_tree_read(body, merge->arena, &root) != OK || !xml_is(root, NAMESPACE, TEXT("search-set")))
        return false;
    const struct xml_element *response =
        xml_child(xml_child(root, NAMESPACE, TEXT("search")), NAMESPACE, TEXT("response"));
    if (!response)
        return false;
    for (const struct xml_element *found = response->first_child; found; found = found->next) {
        struct search_subject subject = {body, found, merge->arena, SEARCH_BYTES_MAX};
        struct text_builder made;
        builder_init(&made, merge->arena);
        if (search_copy(&subject, NAMESPACE, &made))
            search_merge_add(merge, builder_text(&made));
    }
    return true;
}

static int merged_order(const void *a, const void *b, void *query)
{
    const struct merged *left = a, *right = b;
    int order = query ? search_compare(query, left->keys, right->keys) : 0;
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

size_t search_merge_results(struct search_merge *merge, size_t results_max, const struct text **results_out)
{
    struct text *results = arena_array(merge->arena, struct text, merge->count);
    if (merge->count)
        qsort_r(merge->list, merge->count, sizeof(merge->list[0]), merged_order, (void *)merge->query);
    for (size_t i = 0; i < merge->count; i++)
        results[i] = merge->list[i].made;
    *results_out = results;
    return merge->count < results_max ? merge->count : results_max;
}
