/* Where several servers are gone on with, as text in a request target. */
#include "search_merge.h"

static bool is_named(const struct search_place *places, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal_nocase(places[i].name, name))
            return true;
    return false;
}

static bool decode(struct arena *arena, struct text written, struct text *value_out)
{
    return percent_decode(arena, written, value_out) && utf8_valid(*value_out) &&
           text_find_char(*value_out, '\0') == value_out->length && value_out->length <= SEARCH_PLACE_BYTES_MAX;
}

static bool read_place(struct text written, struct arena *arena, struct search_place *place_out)
{
    struct text name, skip, after;
    uint64_t number;
    bool whole = text_cut(written, ':', &name, &written) && text_cut(written, ':', &skip, &after);
    if (!whole || !decode(arena, name, &place_out->name) || !decode(arena, after, &place_out->after) ||
        !text_to_u64(skip, &number) || number > SEARCH_PLACE_SKIPS_MAX)
        return false;
    place_out->skip = (size_t)number;
    return place_out->name.length > 0;
}

bool search_places_read(struct text written, struct arena *arena, struct search_place *places, size_t places_max,
                        size_t *count_out)
{
    struct text one;
    bool more = true;
    *count_out = 0;
    while (more) {
        more = text_cut(written, ',', &one, &written);
        struct search_place place;
        if (*count_out == places_max || !read_place(one, arena, &place) || is_named(places, *count_out, place.name))
            return false;
        places[(*count_out)++] = place;
    }
    return true;
}

void search_place_write(struct text_builder *places, const struct search_place *place)
{
    struct arena *arena = places->arena;
    builder_add_format(places, "%s%.*s:%zu:%.*s", places->length ? "," : "",
                       TEXT_ARG(percent_encode(arena, place->name, "")), place->skip,
                       TEXT_ARG(percent_encode(arena, place->after, "")));
}
