/* Made documents that are read in parts: what the query of a whole document asks for, and where the next part is. RFC
 * 4825 §6.4 gives the query a meaning only behind a node selector, so there is room for one here. */
#include "service_own.h"

#define PART_STANDARD STORE_PAGE_MAX /* documents of a part when the query does not say */

/* False: it is not there, or empty. */
static bool parameter(const struct xcap_call *call, const char *name, struct text *raw_out)
{
    struct text path, rest, pair, key;
    for (text_cut(call->request->target, '?', &path, &rest); rest.length;) {
        text_cut(rest, '&', &pair, &rest);
        text_cut(pair, '=', &key, raw_out);
        if (text_equal(key, text_of(name)))
            return raw_out->length > 0;
    }
    return false;
}

/* The query was decoded as a whole before, so its escapes are good and make UTF-8 without zero bytes. */
static bool decoded(const struct xcap_call *call, const char *name, size_t length_max, struct text *value_out)
{
    struct text raw;
    *value_out = (struct text){0};
    return !parameter(call, name, &raw) ||
           (percent_decode(call->request->arena, raw, value_out) && value_out->length <= length_max);
}

enum status xcap_part_asked(const struct xcap_call *call, struct document_part *part_out, bool *asked_out,
                            struct refusal *refusal)
{
    const struct usage_document *row = call->place.row;
    struct text limit;
    uint64_t number = PART_STANDARD;
    *part_out = (struct document_part){0};
    *asked_out = false;
    if (call->selector || row->kind != USAGE_COMPUTED || row->source == USAGE_FROM_USAGES)
        return OK;
    bool limited = parameter(call, "limit", &limit);
    if (limited && (!text_to_u64(limit, &number) || number < 1 || number > STORE_PAGE_MAX))
        return refuse(refusal, REFUSAL_SYNTAX, "In the query, limit is a number from 1 to 1000.");
    if (!decoded(call, "auid", XCAP_AUID_MAX, &part_out->auid) ||
        !decoded(call, "after", XCAP_NAME_MAX, &part_out->after))
        return refuse(refusal, REFUSAL_SYNTAX, "In the query, auid or after is too long.");
    if (row->source == USAGE_FROM_HOME && part_out->after.length && !part_out->auid.length)
        return refuse(refusal, REFUSAL_SYNTAX, "In the query, after needs an auid: the folder that is meant.");
    part_out->limit = (size_t)number;
    *asked_out = limited || part_out->auid.length || part_out->after.length;
    return OK;
}

/* RFC 8288, relative to the request: all but the query stays. */
void xcap_part_link(const struct xcap_call *call, const struct document_part *part, struct text next,
                    struct http_response *response)
{
    struct arena *arena = call->request->arena;
    struct text_builder link;
    if (next.length == 0)
        return;
    builder_init(&link, arena);
    builder_add(&link, TEXT("<?"));
    if (part->auid.length)
        builder_add_format(&link, "auid=%.*s&", TEXT_ARG(percent_encode(arena, part->auid, "")));
    builder_add_format(&link, "after=%.*s&limit=%zu>; rel=\"next\"", TEXT_ARG(percent_encode(arena, next, "/:@")),
                       part->limit);
    http_response_header(response, "Link", builder_text(&link));
}
