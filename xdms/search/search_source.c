/* Keys of the documents that a search looks at, in the order of (owner, name) whatever they are found by, so that pages
 * follow one another. */
#include <stdlib.h>

#include "search_own.h"

#define PAGE 100 /* keys that are read at once: a read transaction is over before a document is looked at */

static enum status collect(struct search_source *source, const struct search_plan *plan, struct arena *arena);
static void sort_list(struct search_source *source);

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

static bool is_single(const struct search_plan *plan)
{
    return plan && plan->kind == SEARCH_PLAN_LOOKUP && plan->whole;
}

static enum status any_overflow(const struct search_source *source, struct text kind_all, bool *any_out)
{
    struct key_page page;
    struct arena arena;
    arena_init(&arena, "overflow");
    enum status status = document_entries(source->documents, kind_all, TEXT(""), NULL, NULL, 1, &arena, &page, NULL);
    *any_out = status == OK && page.count > 0;
    arena_clear(&arena);
    return status;
}

enum status search_source_open(struct search_source *source, struct text kind_all, struct arena *arena,
                               const struct document_key *after)
{
    /* behind all of the global tree, whose owner is empty; no name has such bytes */
    const struct document_key users = {source->usage->auid, TEXT(""), TEXT("\xff\xff\xff\xff")};
    bool overflow = false;
    arena_init(&source->page_arena, "page");
    arena_init(&source->after_arena, "after");
    if (after)
        set_after(source, after);
    else if (source->tree == XCAP_USERS)
        set_after(source, &users);
    if (!source->plan)
        return OK;
    enum status status = any_overflow(source, kind_all, &overflow);
    if (status != OK || (is_single(source->plan) && !overflow))
        return status;
    const struct search_plan all = {.kind = SEARCH_PLAN_LOOKUP, .claim = kind_all, .value = TEXT(""), .whole = true};
    source->listed = true;
    source->list = arena_array(arena, struct document_key, SEARCH_CANDIDATES_MAX);
    status = collect(source, source->plan, arena);
    if (status == OK && overflow)
        status = collect(source, &all, arena);
    sort_list(source);
    return status;
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

static enum status collect_page(struct search_source *source, const struct search_plan *plan,
                                const struct key_page *page, const struct text *values, struct arena *arena)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct document_key *key = &page->keys[i];
        if (plan->whole && !text_equal(values[i], plan->value))
            return NOT_FOUND;
        if (!search_source_has(source, key) || !is_behind(source, key))
            continue;
        if (source->list_count == SEARCH_CANDIDATES_MAX)
            return FULL;
        source->list[source->list_count++] =
            (struct document_key){source->usage->auid, text_copy(arena, key->owner), text_copy(arena, key->name)};
    }
    return page->more ? OK : NOT_FOUND;
}

/* Prefixes find a document by each of its words that begin so; duplicates go when all is sorted. */
static enum status collect(struct search_source *source, const struct search_plan *plan, struct arena *arena)
{
    struct key_page page = {0};
    struct text *values = NULL, after = {0};
    if (plan->kind != SEARCH_PLAN_LOOKUP) {
        enum status status = collect(source, plan->a, arena);
        return status == OK ? collect(source, plan->b, arena) : status;
    }
    enum status status = OK;
    struct arena last, now;
    arena_init(&last, "entries");
    for (bool first = true; status == OK; first = false) {
        arena_init(&now, "entries");
        after = first ? after : values[page.count - 1];
        struct document_key from = first ? (struct document_key){0} : page.keys[page.count - 1];
        status = document_entries(source->documents, plan->claim, plan->value, first ? NULL : &after,
                                  first ? NULL : &from, STORE_PAGE_MAX, &now, &page, &values);
        if (status == OK)
            status = collect_page(source, plan, &page, values, arena);
        arena_clear(&last);
        last = now;
    }
    arena_clear(&last);
    return status == NOT_FOUND ? OK : status;
}

static void sort_list(struct search_source *source)
{
    size_t kept = 0;
    if (source->list_count)
        qsort(source->list, source->list_count, sizeof(source->list[0]), key_order);
    for (size_t i = 0; i < source->list_count; i++)
        if (kept == 0 || key_order(&source->list[kept - 1], &source->list[i]) != 0)
            source->list[kept++] = source->list[i];
    source->list_count = kept;
}

static enum status read_page(struct search_source *source)
{
    const struct document_key *after = source->has_after ? &source->after : NULL;
    struct text *values = NULL;
    enum status status;
    arena_reset(&source->page_arena);
    source->page_at = 0;
    if (source->plan)
        status = document_entries(source->documents, source->plan->claim, source->plan->value,
                                  after ? &source->plan->value : NULL, after, PAGE, &source->page_arena, &source->page,
                                  &values);
    else if (source->owner.bytes)
        status = document_list(source->documents, source->usage, source->owner, after, PAGE, &source->page_arena,
                               &source->page);
    else
        status = document_list_all(source->documents, source->usage, after, PAGE, &source->page_arena, &source->page);
    if (status != OK)
        return status;
    source->ended = !source->page.more;
    for (size_t i = 0; values && i < source->page.count; i++)
        if (!text_equal(values[i], source->plan->value)) {
            source->page.count = i;
            source->ended = true;
        }
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
            if (source->tree == XCAP_GLOBAL && !source->plan && key->owner.length) { /* homes come behind it */
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
