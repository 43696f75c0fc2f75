/* Lists what the store holds as the XML that sheets read (docs/new-usage.md): a home, or the contents of all users'
 * documents of one name; all of it or a part. A home is told in part when it is too large, contents are not. */
#include "clock.h"
#include "documents.h"
#include "xml_tree.h"

/* Bytes of a whole home. An entry of a directory is no longer than its row here, and folders need some room, too. */
#define HOME_BYTES_MAX (DOCUMENT_LISTING_MAX / 8 * 7)

struct listing {
    const struct documents *documents;
    const struct document_place *place;
    struct text_builder *xml;
    struct text next; /* lies in the arena of `xml` */
};

static enum status list_home(struct listing *listing, const struct document_part *part);
static enum status list_contents(struct listing *listing, const struct document_part *part);
static enum status list_holder(struct listing *listing, const struct document_key *key);

enum status document_listing(const struct documents *documents, const struct document_place *place,
                             const struct document_choice *choice, struct text_builder *xml, struct text *next_out)
{
    struct listing listing = {.documents = documents, .place = place, .xml = xml};
    enum status status;
    if (choice->holder)
        status = list_holder(&listing, choice->holder);
    else if (USAGE_SOURCE_IS_RECORDS(place->row->source))
        status = document_records_list(documents, place, choice->part, xml, &listing.next);
    else if (place->row->source == USAGE_FROM_HOME)
        status = list_home(&listing, choice->part);
    else
        status = list_contents(&listing, choice->part);
    *next_out = listing.next;
    return status;
}

/* --- keys of a usage, one after another --- */

struct walk {
    const struct documents *documents;
    const struct usage *usage;
    const struct text *owner;         /* NULL: whoever */
    const struct document_key *after; /* NULL: from the start */
    struct arena arenas[2];           /* a page, and the one before, which holds where this one begins */
    unsigned turn;
    struct key_page page;
    size_t at; /* in the page */
};

static void walk_begin(struct walk *walk)
{
    arena_init(&walk->arenas[0], "keys");
    arena_init(&walk->arenas[1], "keys");
    walk->page.more = true;
}

/* NOT_FOUND: that was all. A key is there until the next is asked for. */
static enum status walk_next(struct walk *walk, const struct document_key **key_out)
{
    for (walk->at++; walk->at >= walk->page.count; walk->at = 0) {
        if (!walk->page.more)
            return NOT_FOUND;
        if (walk->page.count)
            walk->after = &walk->page.keys[walk->page.count - 1];
        struct arena *arena = &walk->arenas[walk->turn++ % 2];
        arena_reset(arena);
        enum status status = walk->owner ? document_list(walk->documents, walk->usage, *walk->owner, walk->after,
                                                         STORE_PAGE_MAX, arena, &walk->page)
                                         : document_list_all(walk->documents, walk->usage, walk->after, STORE_PAGE_MAX,
                                                             arena, &walk->page);
        if (status != OK)
            return status;
    }
    *key_out = &walk->page.keys[walk->at];
    return OK;
}

static void walk_end(struct walk *walk)
{
    arena_clear(&walk->arenas[0]);
    arena_clear(&walk->arenas[1]);
}

/* --- a home --- */

/* name="…" uri="…" of a document in somebody's home. */
static void add_names(struct text_builder *xml, const struct document_place *place, const struct document_key *key,
                      struct arena *page)
{
    static const char keep[] = "!$&'()*+,;=:@";
    struct text uri = text_format(
        page, "%.*s%.*s/users/%.*s/%.*s", TEXT_ARG(place->root_uri), TEXT_ARG(percent_encode(page, key->usage, keep)),
        TEXT_ARG(percent_encode(page, key->owner, keep)), TEXT_ARG(percent_encode(page, key->name, "/!$&'()*+,;=:@")));
    builder_add_format(xml, " name=\"%.*s\" uri=\"%.*s\"", TEXT_ARG(xml_escape(page, key->name)),
                       TEXT_ARG(xml_escape(page, uri)));
}

static void add_entry(struct text_builder *xml, const struct document_place *place, const struct walk *walk,
                      struct arena *arena)
{
    const struct key_page *page = &walk->page;
    struct text tag = document_etag(page->versions[walk->at], arena);
    builder_add(xml, TEXT("<document"));
    add_names(xml, place, &page->keys[walk->at], arena);
    builder_add_format(xml, " etag=\"%.*s\" modified=\"%.*s\" size=\"%zu\"/>",
                       TEXT_ARG(text_slice(tag, 1, tag.length - 1)),
                       TEXT_ARG(clock_write_rfc3339(arena, page->modified_ms[walk->at])), page->sizes[walk->at]);
}

/* Names that the manifest no longer knows cannot be asked for, so they are not told. */
static bool is_served(const struct usage *usage, const struct document_key *key)
{
    const struct usage_document *row = usage_document(usage, key->owner.length ? XCAP_USERS : XCAP_GLOBAL, key->name);
    return row && row->kind == USAGE_STORED;
}

struct folder {
    size_t entries_max, bytes_max; /* the last entry may go past the bytes */
    struct text_builder entries;
    size_t count, more;
    struct text last; /* name of the last entry */
};

static enum status fill_folder(struct listing *listing, struct walk *walk, struct folder *folder)
{
    const struct document_key *key;
    enum status status;
    while ((status = walk_next(walk, &key)) == OK && folder->more < DOCUMENT_MORE_MAX) {
        if (!is_served(walk->usage, key))
            continue;
        bool fits = folder->count < folder->entries_max && folder->entries.length < folder->bytes_max;
        if (folder->more == 0 && (fits || folder->count == 0)) {
            add_entry(&folder->entries, listing->place, walk, &walk->arenas[(walk->turn - 1) % 2]);
            folder->count++;
            folder->last = text_copy(listing->xml->arena, key->name);
        } else {
            folder->more++;
        }
    }
    return status == NOT_FOUND ? OK : status;
}

static enum status list_folder(struct listing *listing, const struct usage *usage, struct text after,
                               struct folder *folder)
{
    struct text_builder *xml = listing->xml;
    const struct document_key *place = &listing->place->key;
    const struct document_key begin = {usage->auid, place->owner, after};
    struct walk walk = {
        .documents = listing->documents, .usage = usage, .owner = &place->owner, .after = after.length ? &begin : NULL};
    builder_init(&folder->entries, xml->arena);
    walk_begin(&walk);
    enum status status = fill_folder(listing, &walk, folder);
    walk_end(&walk);
    builder_add_format(xml, "<usage auid=\"%.*s\"", TEXT_ARG(xml_escape(xml->arena, usage->auid)));
    if (folder->more)
        builder_add_format(xml, " more=\"%zu\"", folder->more);
    builder_add_char(xml, '>');
    builder_add(xml, builder_text(&folder->entries));
    builder_add(xml, TEXT("</usage>"));
    return status;
}

static bool has_home(const struct usage *usage)
{
    for (size_t i = 0; i < usage->documents_count; i++)
        if (usage->documents[i].tree == XCAP_USERS && usage->documents[i].kind == USAGE_STORED)
            return true;
    return false;
}

/* All usages that could hold a document of the owner, also those that hold none. Each has its share of the room, and
 * the first that need more take what is left: no folder is empty because another is full. */
static enum status list_folders(struct listing *listing, size_t entries_max)
{
    const struct usage_set *usages = documents_usages(listing->documents);
    size_t share = HOME_BYTES_MAX / 2 / (usage_count(usages) + 1), left = HOME_BYTES_MAX / 2;
    enum status status = OK;
    for (size_t i = 0; i < usage_count(usages) && status == OK; i++) {
        struct folder folder = {.entries_max = entries_max, .bytes_max = share + left};
        if (!has_home(usage_at(usages, i)))
            continue;
        status = list_folder(listing, usage_at(usages, i), TEXT(""), &folder);
        size_t taken = folder.entries.length > share ? folder.entries.length - share : 0;
        left -= taken < left ? taken : left;
    }
    return status;
}

static enum status list_home(struct listing *listing, const struct document_part *part)
{
    struct text_builder *xml = listing->xml;
    enum status status;
    builder_add_format(xml, "<documents owner=\"%.*s\">", TEXT_ARG(xml_escape(xml->arena, listing->place->key.owner)));
    if (part && part->auid.length) {
        const struct usage *usage = usage_find(documents_usages(listing->documents), part->auid);
        struct folder folder = {.entries_max = part->limit, .bytes_max = DOCUMENT_PART_BYTES_MAX};
        if (!usage || !has_home(usage))
            return NOT_FOUND;
        status = list_folder(listing, usage, part->after, &folder);
        listing->next = folder.more ? folder.last : TEXT("");
    } else {
        status = list_folders(listing, part ? part->limit : SIZE_MAX);
    }
    builder_add(xml, TEXT("</documents>"));
    return status;
}

/* --- contents --- */

/* One document, or nothing if it has gone since it was listed. */
static enum status add_content(const struct listing *listing, const struct document_key *key)
{
    struct text_builder *xml = listing->xml;
    struct arena arena;
    struct stored found;
    const struct xml_element *root;
    arena_init(&arena, "content");
    enum status status = store_get(listing->documents->store, key, &arena, &found);
    if (status == OK && xml_tree_read(found.bytes, &arena, &root) == OK) {
        builder_add_format(xml, "<document owner=\"%.*s\"", TEXT_ARG(xml_escape(&arena, key->owner)));
        add_names(xml, listing->place, key, &arena);
        builder_add_char(xml, '>');
        builder_add(xml, text_slice(found.bytes, root->begin, root->end));
        builder_add(xml, TEXT("</document>"));
    }
    arena_clear(&arena);
    if (status == OK && xml->length > DOCUMENT_LISTING_MAX)
        return FULL;
    return status == NOT_FOUND ? OK : status;
}

static bool is_content(const struct document_place *place, const struct document_key *key)
{
    return key->owner.length && text_equal(key->name, place->key.name) && text_equal(key->usage, place->usage->auid);
}

static enum status add_contents(struct listing *listing, struct walk *walk, const struct document_part *part)
{
    const struct document_key *key;
    struct text last = {0};
    enum status status;
    for (size_t count = 0; (status = walk_next(walk, &key)) == OK;) {
        if (!is_content(listing->place, key))
            continue;
        size_t bytes = listing->xml->length + walk->page.sizes[walk->at];
        if (part && count && (count == part->limit || bytes > DOCUMENT_PART_BYTES_MAX)) {
            listing->next = last;
            return OK;
        }
        status = add_content(listing, key);
        if (status != OK)
            return status;
        if (part)
            last = text_copy(listing->xml->arena, key->owner);
        count++;
    }
    return status == NOT_FOUND ? OK : status;
}

/* The documents of all users that have the name of the computed one. */
static enum status list_contents(struct listing *listing, const struct document_part *part)
{
    struct text after = part ? part->after : TEXT("");
    const struct document_key begin = {listing->place->usage->auid, after, listing->place->key.name};
    struct walk walk = {
        .documents = listing->documents, .usage = listing->place->usage, .after = after.length ? &begin : NULL};
    builder_add(listing->xml, TEXT("<documents>"));
    walk_begin(&walk);
    enum status status = add_contents(listing, &walk, part);
    walk_end(&walk);
    builder_add(listing->xml, TEXT("</documents>"));
    return status;
}

/* NOT_FOUND: what holds the claim is none of the documents that the computed one is made of. */
static enum status list_holder(struct listing *listing, const struct document_key *key)
{
    if (!is_content(listing->place, key))
        return NOT_FOUND;
    builder_add(listing->xml, TEXT("<documents>"));
    enum status status = add_content(listing, key);
    builder_add(listing->xml, TEXT("</documents>"));
    return status;
}
