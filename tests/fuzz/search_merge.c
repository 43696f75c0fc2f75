/* Arbitrary places, and arbitrary answers of other servers. What is read as places is written as it was read; all that
 * an answer holds is well-formed, and pages take it to its end. The first line is places, the rest an answer. */
#include <assert.h>

#include "search_merge.h"

#define PLACES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_places(struct text written, struct arena *arena)
{
    struct search_place places[PLACES_MAX], again[PLACES_MAX];
    struct text_builder out;
    size_t count, again_count;
    if (!search_places_read(written, arena, places, PLACES_MAX, &count))
        return;
    assert(count > 0 && count <= PLACES_MAX);
    builder_init(&out, arena);
    for (size_t i = 0; i < count; i++) {
        assert(places[i].name.length && places[i].after.length <= SEARCH_PLACE_BYTES_MAX);
        assert(places[i].skip <= SEARCH_PLACE_SKIPS_MAX && utf8_valid(places[i].after));
        search_place_write(&out, &places[i]);
    }
    assert(search_places_read(builder_text(&out), arena, again, PLACES_MAX, &again_count) && again_count == count);
    for (size_t i = 0; i < count; i++)
        assert(text_equal(places[i].name, again[i].name) && text_equal(places[i].after, again[i].after) &&
               places[i].skip == again[i].skip);
}

/* Two servers with the same answer, one result at a time. */
static void check_answer(struct text body, struct arena *arena)
{
    size_t skips[2] = {0}, told = 0, given;
    do {
        struct search_merge *merge = search_merge_new(NULL, 2, arena);
        const struct xml_element *root;
        const struct text *results;
        if (!search_merge_answer(merge, 0, body))
            return;
        assert(search_merge_answer(merge, 1, body));
        given = search_merge_given(merge, 0);
        for (size_t i = 0; i < 2; i++)
            search_merge_place(merge, i, skips[i], false);
        size_t count = search_merge_results(merge, 1, &results);
        assert(count <= 1);
        for (size_t i = 0; i < count; i++)
            assert(xml_tree_read(results[i], arena, &root) == OK);
        for (size_t i = 0; i < 2; i++)
            skips[i] = search_merge_taken(merge, i);
        told += count;
        if (count == 0)
            break;
    } while (told < 64);
    assert(told <= given && (told == 64 || (skips[0] == given && skips[1] == given)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct text places, answer;
    arena_init(&arena, "fuzz");
    text_cut((struct text){(const char *)data, size}, '\n', &places, &answer);
    check_places(places, &arena);
    check_answer(answer, &arena);
    arena_clear(&arena);
    return 0;
}
