/* Follows references from one document into another: anchors of external lists, entry-refs. They show nobody what he
 * could not read himself. */
#include "documents.h"
#include "xcap_edit.h"
#include "xcap_target.h"

static struct text absolute(struct text uri, const struct text *roots, size_t roots_count, struct arena *arena);

static bool may_read(const struct document_place *place, struct text reader)
{
    bool own = place->tree == XCAP_USERS && text_equal(place->key.owner, reader);
    return reader.length == 0 || usage_allows(place->usage, place->tree, USAGE_READ, own ? USAGE_OWNER : USAGE_USER);
}

enum status document_follow(const struct documents *documents, struct text uri, const struct text *roots,
                            size_t roots_count, struct text reader, struct arena *arena, struct stored *found_out,
                            struct text *node_out)
{
    struct refusal refusal;
    struct xcap_target target;
    struct document_place place;
    const struct xcap_selector *selector;
    struct text raw = absolute(text_trim(uri), roots, roots_count, arena);
    *found_out = (struct stored){0};
    *node_out = (struct text){0};
    if (raw.length == 0 || xcap_target_parse(raw, roots, roots_count, arena, &target, &refusal) != OK ||
        document_place(documents, &target, false, arena, &place, &selector, &refusal) != OK)
        return NOT_FOUND;
    if (selector && selector->terminal != XCAP_ELEMENT)
        return NOT_FOUND;
    if (place.tree == XCAP_USERS && document_owner(documents, place.key.owner, arena, &place.key.owner) != OK)
        return FAILED;
    /* before it is read: what all users have in common is much to make for nothing */
    if (!may_read(&place, reader))
        return NOT_FOUND;
    enum status status = document_read(documents, &place, arena, found_out);
    if (status != OK) {
        *found_out = (struct stored){.key = place.key};
        return status;
    }
    found_out->key = place.key;
    *node_out = found_out->bytes;
    return selector ? xcap_get(found_out->bytes, selector, arena, node_out) : OK;
}

/* What stands in documents is relative to the root (RFC 4826 §3.2) or a whole URI; empty for another scheme. */
static struct text absolute(struct text uri, const struct text *roots, size_t roots_count, struct arena *arena)
{
    if (uri.length == 0 || roots_count == 0)
        return TEXT("");
    if (uri.bytes[0] == '/' || text_starts_with_nocase(uri, TEXT("http://")) ||
        text_starts_with_nocase(uri, TEXT("https://")))
        return uri;
    size_t colon = text_find_char(uri, ':');
    size_t slash = text_find_char(uri, '/');
    return colon < slash ? TEXT("") : text_join(arena, roots[0], uri);
}
