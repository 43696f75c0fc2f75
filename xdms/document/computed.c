/* Documents that are made of what the store holds: lists it page by page as the XML that the usage's sheet reads
 * (docs/new-usage.md). Knows no sheet and no document format. */
#include "clock.h"
#include "documents.h"
#include "xml_tree.h"

static enum status list_home(const struct documents *documents, const struct document_place *place,
                             struct text_builder *listing);
static enum status list_contents(const struct documents *documents, const struct document_place *place,
                                 struct text_builder *listing);

enum status document_compute(const struct documents *documents, const struct document_place *place, struct arena *arena,
                             struct text *bytes_out)
{
    struct arena memory;
    struct text_builder listing;
    arena_init(&memory, "listing");
    builder_init(&listing, &memory);
    enum status status = OK;
    switch (place->row->source) {
    case USAGE_FROM_USAGES: break;
    case USAGE_FROM_HOME: status = list_home(documents, place, &listing); break;
    case USAGE_FROM_CONTENTS: status = list_contents(documents, place, &listing); break;
    }
    if (status == OK)
        status = usage_compute(place->usage, place->tree, place->key.name, builder_text(&listing), arena, bytes_out);
    arena_clear(&memory);
    return status;
}

/* name="…" uri="…" of a document in somebody's home. */
static void add_names(struct text_builder *listing, const struct document_place *place, const struct document_key *key,
                      struct arena *page)
{
    static const char keep[] = "!$&'()*+,;=:@";
    struct text uri = text_format(
        page, "%.*s%.*s/users/%.*s/%.*s", TEXT_ARG(place->root_uri), TEXT_ARG(percent_encode(page, key->usage, keep)),
        TEXT_ARG(percent_encode(page, key->owner, keep)), TEXT_ARG(percent_encode(page, key->name, "/!$&'()*+,;=:@")));
    builder_add_format(listing, " name=\"%.*s\" uri=\"%.*s\"", TEXT_ARG(xml_escape(page, key->name)),
                       TEXT_ARG(xml_escape(page, uri)));
}

static void add_entry(struct text_builder *listing, const struct document_place *place, const struct key_page *page,
                      size_t i, struct arena *arena)
{
    struct text tag = document_etag(page->versions[i], arena);
    builder_add(listing, TEXT("<document"));
    add_names(listing, place, &page->keys[i], arena);
    builder_add_format(listing, " etag=\"%.*s\" modified=\"%.*s\" size=\"%zu\"/>",
                       TEXT_ARG(text_slice(tag, 1, tag.length - 1)),
                       TEXT_ARG(clock_write_rfc3339(arena, page->modified_ms[i])), page->sizes[i]);
}

/* Names that the manifest no longer knows cannot be asked for, so they are not told. */
static bool is_served(const struct usage *usage, const struct document_key *key)
{
    const struct usage_document *row = usage_document(usage, key->owner.length ? XCAP_USERS : XCAP_GLOBAL, key->name);
    return row && row->kind == USAGE_STORED;
}

static enum status list_usage(const struct documents *documents, const struct document_place *place,
                              const struct usage *usage, struct text_builder *listing)
{
    struct arena arenas[2]; /* a page, and the one before, which holds where this one begins */
    struct key_page page = {.more = true};
    enum status status = OK;
    arena_init(&arenas[0], "page");
    arena_init(&arenas[1], "page");
    for (unsigned turn = 0; status == OK && page.more; turn++) {
        const struct document_key *after = page.count ? &page.keys[page.count - 1] : NULL;
        struct arena *arena = &arenas[turn % 2];
        arena_reset(arena);
        status = document_list(documents, usage, place->key.owner, after, STORE_PAGE_MAX, arena, &page);
        for (size_t i = 0; status == OK && i < page.count; i++)
            if (is_served(usage, &page.keys[i]))
                add_entry(listing, place, &page, i, arena);
        if (status == OK && listing->length > DOCUMENT_LISTING_MAX)
            status = FULL;
    }
    arena_clear(&arenas[0]);
    arena_clear(&arenas[1]);
    return status;
}

static bool has_home(const struct usage *usage)
{
    for (size_t i = 0; i < usage->documents_count; i++)
        if (usage->documents[i].tree == XCAP_USERS && usage->documents[i].kind == USAGE_STORED)
            return true;
    return false;
}

/* All usages that could hold a document of the owner, also those that hold none. */
static enum status list_home(const struct documents *documents, const struct document_place *place,
                             struct text_builder *listing)
{
    const struct usage_set *usages = documents_usages(documents);
    enum status status = OK;
    builder_add_format(listing, "<documents owner=\"%.*s\">", TEXT_ARG(xml_escape(listing->arena, place->key.owner)));
    for (size_t i = 0; i < usage_count(usages) && status == OK; i++) {
        const struct usage *usage = usage_at(usages, i);
        if (!has_home(usage))
            continue;
        builder_add_format(listing, "<usage auid=\"%.*s\">", TEXT_ARG(xml_escape(listing->arena, usage->auid)));
        status = list_usage(documents, place, usage, listing);
        builder_add(listing, TEXT("</usage>"));
    }
    builder_add(listing, TEXT("</documents>"));
    return status;
}

/* One document, or nothing if it has gone since it was listed. */
static enum status add_content(const struct documents *documents, const struct document_place *place,
                               const struct document_key *key, struct text_builder *listing)
{
    struct arena arena;
    struct stored found;
    const struct xml_element *root;
    arena_init(&arena, "content");
    enum status status = store_get(documents->store, key, &arena, &found);
    if (status == OK && xml_tree_read(found.bytes, &arena, &root) == OK) {
        builder_add_format(listing, "<document owner=\"%.*s\"", TEXT_ARG(xml_escape(&arena, key->owner)));
        add_names(listing, place, key, &arena);
        builder_add_char(listing, '>');
        builder_add(listing, text_slice(found.bytes, root->begin, root->end));
        builder_add(listing, TEXT("</document>"));
    }
    arena_clear(&arena);
    if (status == OK && listing->length > DOCUMENT_LISTING_MAX)
        return FULL;
    return status == NOT_FOUND ? OK : status;
}

/* The documents of all users that have the name of the computed one. */
static enum status list_contents(const struct documents *documents, const struct document_place *place,
                                 struct text_builder *listing)
{
    struct arena arenas[2]; /* a page, and the one before, which holds where this one begins */
    struct key_page page = {.more = true};
    enum status status = OK;
    arena_init(&arenas[0], "page");
    arena_init(&arenas[1], "page");
    builder_add(listing, TEXT("<documents>"));
    for (unsigned turn = 0; status == OK && page.more; turn++) {
        const struct document_key *after = page.count ? &page.keys[page.count - 1] : NULL;
        arena_reset(&arenas[turn % 2]);
        status = document_list_all(documents, place->usage, after, STORE_PAGE_MAX, &arenas[turn % 2], &page);
        for (size_t i = 0; status == OK && i < page.count; i++)
            if (page.keys[i].owner.length && text_equal(page.keys[i].name, place->key.name))
                status = add_content(documents, place, &page.keys[i], listing);
    }
    builder_add(listing, TEXT("</documents>"));
    arena_clear(&arenas[0]);
    arena_clear(&arenas[1]);
    return status;
}
