/* Documents that are made and not stored: the usage's sheet over a listing of what the store holds. Knows no sheet and
 * no document format. */
#include "documents.h"

#define COMPUTED_BIT (UINT64_C(1) << 63) /* no store gets to so many changes: versions of both kinds never meet */

/* The seed is fixed: an entity tag must be the same in every process and after every start. */
static uint64_t computed_version(struct text bytes)
{
    return (text_hash(bytes, 0) >> 2) | COMPUTED_BIT;
}

enum status document_compute(const struct documents *documents, const struct document_place *place,
                             const struct document_choice *choice, struct arena *arena, struct stored *found_out,
                             struct text *next_out)
{
    struct arena memory;
    struct text_builder listing;
    struct text next = {0};
    arena_init(&memory, "listing");
    builder_init(&listing, &memory);
    *found_out = (struct stored){.key = place->key};
    enum status status = OK;
    if (place->row->source != USAGE_FROM_USAGES)
        status = document_listing(documents, place, choice, &listing, &next);
    if (status == OK)
        status =
            usage_compute(place->usage, place->tree, place->key.name, builder_text(&listing), arena, &found_out->bytes);
    if (status == OK)
        found_out->version = computed_version(found_out->bytes);
    *next_out = text_copy(arena, next);
    arena_clear(&memory);
    return status;
}

enum status document_read_part(const struct documents *documents, const struct document_place *place,
                               const struct document_part *part, struct arena *arena, struct stored *found_out,
                               struct text *next_out)
{
    *next_out = (struct text){0};
    if (place->row->kind != USAGE_COMPUTED || place->row->source == USAGE_FROM_USAGES)
        return NOT_FOUND;
    return document_compute(documents, place, &(struct document_choice){.part = part}, arena, found_out, next_out);
}
