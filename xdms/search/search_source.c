/* Keys of the documents that a search looks at, in the order of (owner, name) whatever they are found by, so that pages
 * follow one another. */
#include "search_own.h"

#define PAGE 100 /* keys that are read at once: a read transaction is over before a document is looked at */

static void set_after(struct search_source *source, const struct document_key *key)
{
    struct arena kept;
    arena_init(&kept, "after");
    source->after =
        (struct document_key){text_copy(&kept, key->usage), text_copy(&kept, key->owner), text_copy(&kept, key->name)};
    arena_clear(&source->after_arena);
    source->after_arena = kept;
    source->has_after = true;
}

void search_source_open(struct search_source *source, const struct document_key *after)
{
    /* behind all of the global tree, whose owner is empty; no name has such bytes */
    const struct document_key users = {source->usage->auid, TEXT(""), TEXT("\xff\xff\xff\xff")};
    arena_init(&source->page_arena, "page");
    arena_init(&source->after_arena, "after");
    if (after)
        set_after(source, after);
    else if (source->tree == XCAP_USERS)
        set_after(source, &users);
}

bool search_source_has(const struct search_source *source, const struct document_key *key)
{
    return text_equal(key->usage, source->usage->auid) && (key->owner.length == 0) == (source->tree == XCAP_GLOBAL) &&
           (!source->owner.bytes || text_equal(key->owner, source->owner));
}

static int key_order(const void *a, const void *b)
{
    const struct document_key *left = a, *right = b;
    int order = text_compare(left->owner, right->owner);
    return order ? order : text_compare(left->name, right->name);
}

static bool is_behind(const struct search_source *source, const struct document_key *key)
{
    return !source->has_after || key_order(key, &source->after) > 0;
}

void search_source_open_list(struct search_source *source, struct document_key *list, size_t count,
                             const struct document_key *after)
{
    search_source_open(source, after);
    source->listed = true;
    source->list = list;
    for (size_t i = 0; i < count; i++)
        if (search_source_has(source, &list[i]) && is_behind(source, &list[i]))
            source->list[source->list_count++] = list[i];
}

static enum status read_page(struct search_source *source)
{
    const struct document_key *after = source->has_after ? &source->after : NULL;
    enum status status;
    arena_reset(&source->page_arena);
    source->page_at = 0;
    if (source->owner.bytes)
        status = document_list(source->documents, source->usage, source->owner, after, PAGE, &source->page_arena,
                               &source->page);
    else
        status = document_list_all(source->documents, source->usage, after, PAGE, &source->page_arena, &source->page);
    if (status != OK)
        return status;
    source->ended = !source->page.more;
    if (source->page.count)
        set_after(source, &source->page.keys[source->page.count - 1]);
    return OK;
}

enum status search_source_next(struct search_source *source, struct document_key *key_out)
{
    if (source->listed) {
        if (source->list_at == source->list_count)
            return NOT_FOUND;
        *key_out = source->list[source->list_at++];
        return OK;
    }
    for (;;) {
        while (source->page_at < source->page.count) {
            const struct document_key *key = &source->page.keys[source->page_at++];
            if (source->tree == XCAP_GLOBAL && key->owner.length) { /* homes come behind it */
                source->ended = true;
                return NOT_FOUND;
            }
            if (search_source_has(source, key)) {
                *key_out = *key;
                return OK;
            }
        }
        if (source->ended)
            return NOT_FOUND;
        enum status status = read_page(source);
        if (status != OK)
            return status;
    }
}

void search_source_close(struct search_source *source)
{
    arena_clear(&source->page_arena);
    arena_clear(&source->after_arena);
}
