/* Puts together what several servers found: from the front of each, as the order of the query says, each once. */
#include "search_merge.h"

#include <stdlib.h>

#include "search_run.h"
#include "uri.h"
#include "xml_tree.h"

#define NAMESPACE TEXT(SEARCH_NAMESPACE)

struct merged {
    struct text made;
    struct text identity; /* what makes it another: the address, or else all of it; empty: not readable */
    struct text keys[SEARCH_KEYS_MAX];
    size_t source, place;
    bool repeated; /* a source before has it, too */
};

struct source {
    struct merged *list;
    size_t count, capacity, taken;
    bool more;
};

struct search_merge {
    struct arena *arena;
    const struct search_query *query; /* NULL: its order is not known */
    struct source *sources;
    size_t sources_count;
};

struct search_merge *search_merge_new(const struct search_query *query, size_t sources, struct arena *arena)
{
    struct search_merge *merge = arena_new(arena, struct search_merge);
    *merge = (struct search_merge){.arena = arena, .query = query, .sources_count = sources};
    merge->sources = arena_array(arena, struct source, sources);
    memset(merge->sources, 0, sources * sizeof(merge->sources[0]));
    return merge;
}

static struct merged *make_room(struct search_merge *merge, struct source *source)
{
    if (source->count == source->capacity) {
        size_t capacity = source->capacity ? 2 * source->capacity : 64;
        struct merged *list = arena_array(merge->arena, struct merged, capacity);
        if (source->count)
            memcpy(list, source->list, source->count * sizeof(list[0]));
        source->list = list;
        source->capacity = capacity;
    }
    return &source->list[source->count];
}

/* Also what cannot be read has its place: its server counts it, too. */
void search_merge_add(struct search_merge *merge, size_t source, struct text made)
{
    const struct xml_element *element;
    struct text uri = {0};
    struct merged *merged = make_room(merge, &merge->sources[source]);
    *merged = (struct merged){.made = made, .source = source, .place = merge->sources[source].count++};
    if (xml_tree_read(made, merge->arena, &element) != OK)
        return;
    merged->identity = made;
    if (xml_attribute(element, TEXT("uri"), &uri) && (uri = uri_canonical(merge->arena, uri)).length)
        merged->identity = uri;
    for (size_t i = 0; merge->query && i < merge->query->keys_count; i++) {
        struct search_subject subject = {made, element, merge->arena, made.length};
        search_key_value(&merge->query->keys[i], &subject, &merged->keys[i]);
    }
}

/* Before a tree is made, which takes many times the bytes that a tag has. */
static bool has_too_many_tags(struct text body)
{
    size_t tags = 0;
    for (size_t i = 0; i < body.length; i++)
        tags += body.bytes[i] == '<';
    return tags > SEARCH_ANSWER_TAGS_MAX;
}

bool search_merge_answer(struct search_merge *merge, size_t source, struct text body)
{
    const struct xml_element *root;
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
        bool copied = search_copy(&subject, NAMESPACE, &made);
        search_merge_add(merge, source, copied ? builder_text(&made) : TEXT(""));
    }
    return true;
}

void search_merge_place(struct search_merge *merge, size_t source, size_t skip, bool more)
{
    struct source *at = &merge->sources[source];
    at->taken = skip < at->count ? skip : at->count;
    at->more = more;
}

static int identity_order(const void *a, const void *b)
{
    const struct merged *left = *(const struct merged *const *)a, *right = *(const struct merged *const *)b;
    int order = text_compare(left->identity, right->identity);
    if (order == 0)
        order = (left->source > right->source) - (left->source < right->source);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

/* Of those that are one, what the first source has stays: all of it, since one source tells different things alone. */
static void mark_repeated(struct search_merge *merge)
{
    size_t count = 0, first = 0;
    for (size_t i = 0; i < merge->sources_count; i++)
        count += merge->sources[i].count;
    struct merged **all = arena_array(merge->arena, struct merged *, count + 1);
    count = 0;
    for (size_t i = 0; i < merge->sources_count; i++)
        for (size_t k = 0; k < merge->sources[i].count; k++)
            all[count++] = &merge->sources[i].list[k];
    qsort(all, count, sizeof(all[0]), identity_order);
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(all[first]->identity, all[i]->identity))
            first = i;
        all[i]->repeated = all[first]->source != all[i]->source || all[i]->identity.length == 0;
    }
}

/* The next of a source that counts; what is passed over is taken, too. NULL: its page is told. */
static const struct merged *front(struct source *source)
{
    while (source->taken < source->count && source->list[source->taken].repeated)
        source->taken++;
    return source->taken < source->count ? &source->list[source->taken] : NULL;
}

/* NULL: there is none, or it is not known yet which. */
static const struct merged *next(struct search_merge *merge)
{
    const struct merged *best = NULL;
    for (size_t i = 0; i < merge->sources_count; i++) {
        const struct merged *one = front(&merge->sources[i]);
        if (!one && merge->sources[i].more)
            return NULL;
        if (one && (!best || (merge->query && search_compare(merge->query, one->keys, best->keys) < 0)))
            best = one;
    }
    return best;
}

size_t search_merge_results(struct search_merge *merge, size_t results_max, const struct text **results_out)
{
    size_t all = 0, count = 0, bytes = 0;
    for (size_t i = 0; i < merge->sources_count; i++)
        all += merge->sources[i].count;
    struct text *results = arena_array(merge->arena, struct text, all + 1);
    *results_out = results;
    mark_repeated(merge);
    for (const struct merged *one; (one = next(merge)) && count < results_max;) {
        if (bytes + one->made.length > SEARCH_BYTES_MAX)
            break;
        results[count++] = one->made;
        bytes += one->made.length;
        merge->sources[one->source].taken++;
    }
    return count;
}

size_t search_merge_taken(const struct search_merge *merge, size_t source)
{
    return merge->sources[source].taken;
}

size_t search_merge_given(const struct search_merge *merge, size_t source)
{
    return merge->sources[source].count;
}
