/* Arbitrary queries. What is read has the limits of its contract and paths that lie in the query; what is not is
 * refused with a place. */
#include <assert.h>

#include "search_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct look {
    struct text written;
    struct arena *arena;
    size_t paths;
};

static bool look_at(void *context, const struct search_path *path, bool returned)
{
    struct look *look = context;
    assert(path->steps_count <= SEARCH_STEPS_MAX && path->offset < look->written.length);
    assert(look->written.bytes[path->offset] == '$');
    assert(!returned || path->terminal != SEARCH_ATTRIBUTE || !path->attribute.any_local);
    assert(search_path_text(path, look->arena).length > 0);
    look->paths++;
    return true;
}

static void check_items(const struct search_item *item)
{
    for (; item; item = item->next) {
        assert((item->kind == SEARCH_ITEM_ELEMENT) == (item->local.length > 0));
        assert(text_find_char(item->text, '<') == item->text.length);
        check_items(item->first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct search_query query;
    struct refusal refusal = {0};
    arena_init(&arena, "fuzz");
    struct look look = {.written = {(const char *)data, size}, .arena = &arena};
    if (search_query_parse(look.written, TEXT("urn:d"), &arena, &query, &refusal) == OK) {
        assert(query.path.steps_count > 0 && query.keys_count <= SEARCH_KEYS_MAX);
        assert(query.made && query.made->kind == SEARCH_ITEM_ELEMENT && !query.made->next);
        assert(search_query_paths(&query, look_at, &look));
        assert(look.paths <= SEARCH_EXPRESSIONS_MAX + SEARCH_ITEMS_MAX);
        check_items(query.made);
    } else {
        assert(refusal.kind == REFUSAL_CONFLICT && refusal.phrase.length && utf8_valid(refusal.phrase));
    }
    arena_clear(&arena);
    return 0;
}
