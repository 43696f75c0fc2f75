/* Arbitrary queries. What is read has the limits of its contract and paths that lie in the query, and makes well-formed
 * elements of any document; what is not is refused with a place. */
#include <assert.h>

#include "search_match.h"

static const struct text document =
    TEXT_INIT("<a xmlns='urn:d' xmlns:p='urn:p&amp;' xmlns:q='urn:q'><b i='1' q:i='&lt;'>x<c>Anna</c> <p:c p:i='2'/><c "
              "xml:lang='en'>"
              "\xC3\x84nna<!-- --><![CDATA[<]]></c></b><p:b><q:c><c xmlns=''>7</c></q:c></p:b><b/></a>");
#define WORK 20000

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

static void evaluate(const struct search_query *query, struct arena *arena)
{
    const struct xml_element *root, *made;
    struct text values[SEARCH_KEYS_MAX] = {0};
    assert(xml_tree_read(document, arena, &root) == OK);
    for (const struct xml_element **record = search_records(&query->path, root, arena); *record; record++) {
        struct search_subject subject = {document, *record, arena, WORK};
        struct text_builder out;
        search_holds(query, &subject);
        for (size_t i = 0; i < query->keys_count; i++)
            search_key_value(&query->keys[i], &subject, &values[i]);
        assert(search_compare(query, values, values) == 0);
        builder_init(&out, arena);
        if (search_make(query, &subject, TEXT("urn:s"), &out)) {
            assert(xml_tree_read(builder_text(&out), arena, &made) == OK);
            assert(xml_is(made, query->made->namespace, query->made->local));
        }
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
        evaluate(&query, &arena);
    } else {
        assert(refusal.kind == REFUSAL_CONFLICT && refusal.phrase.length && utf8_valid(refusal.phrase));
    }
    arena_clear(&arena);
    return 0;
}
