/* Answers queries for tests/search/judge.mjs: reads lines of JSON {"namespace", "query", "documents": […]} and writes
 * lines {"results": […]} or {"refused": "…"}. What an index would do is not in it. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "search_match.h"

#define FOUND_MAX 10000
#define WORK_MAX  10000000

struct found {
    struct text document;
    const struct xml_element *element;
    struct text keys[SEARCH_KEYS_MAX];
    size_t place; /* makes the order stable */
};

static const struct search_query *sorted_by;

static int found_order(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    int order = search_compare(sorted_by, left->keys, right->keys);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static size_t find_in(const struct search_query *query, struct text document, struct arena *arena, struct found *found,
                      size_t count)
{
    const struct xml_element *root;
    if (xml_tree_read(document, arena, &root) != OK) {
        fprintf(stderr, "a document cannot be read: %.*s\n", TEXT_ARG(document));
        exit(1);
    }
    for (const struct xml_element **record = search_records(&query->path, root, arena); *record; record++) {
        struct search_subject subject = {document, *record, arena, WORK_MAX};
        if (!search_holds(query, &subject) || count == FOUND_MAX)
            continue;
        found[count] = (struct found){.document = document, .element = *record, .place = count};
        for (size_t i = 0; i < query->keys_count; i++)
            search_key_value(&query->keys[i], &subject, &found[count].keys[i]);
        count++;
    }
    return count;
}

static json_t *answer(json_t *asked, struct arena *arena)
{
    struct search_query query;
    struct refusal refusal = {0};
    static struct found found[FOUND_MAX];
    json_t *documents = json_object_get(asked, "documents"), *results = json_array();
    size_t count = 0;
    if (search_query_parse(text_of(json_string_value(json_object_get(asked, "query"))),
                           text_of(json_string_value(json_object_get(asked, "namespace"))), arena, &query,
                           &refusal) != OK)
        return json_pack("{s:s%}", "refused", refusal.phrase.bytes, refusal.phrase.length);
    for (size_t i = 0; i < json_array_size(documents); i++)
        count = find_in(&query, text_of(json_string_value(json_array_get(documents, i))), arena, found, count);
    sorted_by = &query;
    qsort(found, count, sizeof(found[0]), found_order);
    for (size_t i = 0; i < count; i++) {
        struct search_subject subject = {found[i].document, found[i].element, arena, WORK_MAX};
        struct text_builder made;
        builder_init(&made, arena);
        if (!search_make(&query, &subject, TEXT("urn:around"), &made))
            return json_pack("{s:s}", "refused", "too long");
        struct text whole = builder_text(&made);
        json_array_append_new(results, json_stringn(whole.bytes, whole.length));
    }
    return json_pack("{s:o}", "results", results);
}

int main(void)
{
    struct arena arena;
    char *line = NULL;
    size_t size = 0;
    arena_init(&arena, "answer");
    while (getline(&line, &size, stdin) > 0) {
        json_t *asked = json_loads(line, 0, NULL);
        json_t *said = answer(asked, &arena);
        json_dumpf(said, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(said);
        json_decref(asked);
        arena_reset(&arena);
    }
    free(line);
    arena_clear(&arena);
    return 0;
}
