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
    size_t place, server;
};

struct search_merge {
    struct arena *arena;
    const struct search_query *query; /* NULL: its order is not known */
    struct merged *list;
    size_t count, capacity;
    size_t server; /* that is being added */
};

struct search_merge *search_merge_new(const struct search_query *query, struct arena *arena)
{
    struct search_merge *merge = arena_new(arena, struct search_merge);
    *merge = (struct search_merge){.arena = arena, .query = query};
    return merge;
}

static void make_room(struct search_merge *merge)
{
    if (merge->count < merge->capacity)
        return;
    size_t capacity = merge->capacity ? 2 * merge->capacity : 64;
    struct merged *list = arena_array(merge->arena, struct merged, capacity);
    if (merge->count)
        memcpy(list, merge->list, merge->count * sizeof(list[0]));
    merge->list = list;
    merge->capacity = capacity;
}

void search_merge_add(struct search_merge *merge, struct text made)
{
    const struct xml_element *element;
    struct text uri = {0};
    if (xml_tree_read(made, merge->arena, &element) != OK)
        return;
    struct merged merged = {.made = made, .identity = made, .place = merge->count, .server = merge->server};
    if (xml_attribute(element, TEXT("uri"), &uri) && (uri = uri_canonical(merge->arena, uri)).length)
        merged.identity = uri;
    for (size_t i = 0; merge->query && i < merge->query->keys_count; i++) {
        struct search_subject subject = {made, element, merge->arena, made.length};
        search_key_value(&merge->query->keys[i], &subject, &merged.keys[i]);
    }
    make_room(merge);
    merge->list[merge->count++] = merged;
}

/* Before a tree is made, which takes many times the bytes that a tag has. */
static bool has_too_many_tags(struct text body)
{
    size_t tags = 0;
    for (size_t i = 0; i < body.length; i++)
        tags += body.bytes[i] == '<';
    return tags > DOMAIN_ANSWER_TAGS_MAX;
}

bool search_merge_answer(struct search_merge *merge, struct text body)
{
    const struct xml_element *root;
    merge->server++;
    if (has_too_many_tags(body) || xml_tree_read(body, merge->arena, &root) != OK ||
        !xml_is(root, NAMESPACE, TEXT("search-set")))
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

static int identity_order(const void *a, const void *b)
{
    const struct merged *left = a, *right = b;
    int order = text_compare(left->identity, right->identity);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static int merged_order(const void *a, const void *b, void *query)
{
    const struct merged *left = a, *right = b;
    int order = query ? search_compare(query, left->keys, right->keys) : 0;
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

/* Of those that are one, what the first server has stays: all of it, since one server tells different things alone. */
static void drop_repeated(struct search_merge *merge)
{
    size_t kept = 0, first = 0;
    qsort(merge->list, merge->count, sizeof(merge->list[0]), identity_order);
    for (size_t i = 0; i < merge->count; i++) {
        const struct merged *next = &merge->list[i];
        if (kept == 0 || !text_equal(merge->list[first].identity, next->identity))
            first = kept;
        if (first == kept || merge->list[first].server == next->server)
            merge->list[kept++] = *next;
    }
    merge->count = kept;
}

size_t search_merge_results(struct search_merge *merge, size_t results_max, const struct text **results_out)
{
    struct text *results = arena_array(merge->arena, struct text, merge->count);
    *results_out = results;
    if (merge->count == 0)
        return 0;
    drop_repeated(merge);
    qsort_r(merge->list, merge->count, sizeof(merge->list[0]), merged_order, (void *)merge->query);
    size_t count = 0, bytes = 0;
    while (count < merge->count && count < results_max && bytes + merge->list[count].made.length <= SEARCH_BYTES_MAX) {
        results[count] = merge->list[count].made;
        bytes += results[count++].length;
    }
    return count;
}
