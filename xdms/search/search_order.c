/* One search from its order to its results. What has to be kept between slices is in the search, and all that a
 * document takes goes with it. */
#include "search_run.h"

#include "search_own.h"
#include "uri.h"

static enum status read_target(struct search *search, struct refusal *refusal);
static enum status check_asker(struct search *search, struct refusal *refusal);
static enum status open_source(struct search *search, struct refusal *refusal);

enum status search_new(const struct documents *documents, const struct search_order *order, struct arena *arena,
                       struct search **search_out, struct refusal *refusal)
{
    struct search *search = arena_new(arena, struct search);
    *search = (struct search){.documents = documents, .arena = arena, .order = *order, .work = order->limits.work_max};
    arena_init(&search->document_arena, "document");
    *search_out = search;
    enum status status = read_target(search, refusal);
    if (status == OK)
        status = search_query_parse(order->query, search->usage->namespace, arena, &search->query, refusal);
    if (status == OK)
        status = check_asker(search, refusal);
    if (status == OK)
        status = open_source(search, refusal);
    search->results_max = order->limits.results_max;
    if (order->results_max && order->results_max < search->results_max)
        search->results_max = order->results_max;
    search->results = arena_array(arena, struct text, search->results_max);
    search->outcome.results = search->results;
    return status;
}

static struct text without_slash(struct text path)
{
    while (text_ends_with(path, TEXT("/")))
        path.length--;
    while (text_starts_with(path, TEXT("/")))
        path = text_slice(path, 1, path.length);
    return path;
}

/* "<auid>/users/<xui>/": who owns the home may be named by any address. */
static enum status read_owner(struct search *search, struct text written, struct refusal *refusal)
{
    struct text address = uri_canonical(search->arena, written);
    if (address.length == 0)
        return refuse(refusal, REFUSAL_SYNTAX, "The target names a home by what is no address.");
    return document_owner(search->documents, address, search->arena, &search->source.owner);
}

static enum status read_target(struct search *search, struct refusal *refusal)
{
    struct text auid, tree, owner, rest;
    struct search_source *source = &search->source;
    text_cut(without_slash(search->order.target), '/', &auid, &rest);
    text_cut(rest, '/', &tree, &owner);
    search->usage = usage_find(documents_usages(search->documents), auid);
    if (!search->usage)
        return refuse(refusal, REFUSAL_ABSENT, "The target names a document service that is not known here.");
    source->documents = search->documents;
    source->usage = search->usage;
    source->tree = text_equal(tree, TEXT("global")) ? XCAP_GLOBAL : XCAP_USERS;
    if ((source->tree == XCAP_USERS && !text_equal(tree, TEXT("users"))) ||
        (source->tree == XCAP_GLOBAL && owner.length))
        return refuse(refusal, REFUSAL_SYNTAX, "A target is AUID/users/, AUID/users/USER/ or AUID/global/.");
    search->searchable = usage_searchable(search->usage, source->tree);
    if (!search->searchable)
        return refuse(refusal, REFUSAL_ABSENT, "Nothing can be searched there.");
    return owner.length ? read_owner(search, owner, refusal) : OK;
}

bool search_is_owner(const struct search *search, struct text owner)
{
    for (size_t i = 0; owner.length && i < search->order.asker.identities_count; i++)
        if (text_equal(search->order.asker.identities[i], owner))
            return true;
    return false;
}

bool search_roles_do(const struct search *search, unsigned roles)
{
    for (size_t i = 0; i < search->masks_count; i++)
        if (!(search->masks[i] & roles))
            return false;
    return true;
}

/* Who may only look at what is his own looks there alone. */
static enum status check_asker(struct search *search, struct refusal *refusal)
{
    const struct search_asker *asker = &search->order.asker;
    struct text collection = without_slash(search->query.collection), target = without_slash(search->order.target);
    if (!text_equal(collection, target))
        return search_query_refuse(
            search->order.query, search->query.collection_offset,
            text_format(search->arena, "the collection must be the target, '%.*s'", TEXT_ARG(search->order.target)),
            search->arena, refusal);
    enum status status = search_fields_check(search->searchable, &search->query, &search->order, search->arena,
                                             search->masks, &search->masks_count, refusal);
    if (status != OK || asker->everything || search_roles_do(search, asker->roles))
        return status;
    bool own = search->source.tree == XCAP_USERS && asker->identities_count > 0 &&
               search_roles_do(search, asker->roles | USAGE_ROLE_BIT(USAGE_OWNER)) &&
               (!search->source.owner.bytes || search_is_owner(search, search->source.owner));
    if (!own)
        return refuse(refusal, REFUSAL_FORBIDDEN, "You may not search for this here.");
    search->source.owner = asker->identities[0];
    return OK;
}

static bool decode(struct search *search, struct text raw, struct text *part_out)
{
    return percent_decode(search->arena, raw, part_out) && part_out->length <= STORE_PART_MAX &&
           text_find_char(*part_out, '\0') == part_out->length;
}

/* "owner/name/record" with escapes: go on there; or of what is put in order the number of results before. */
static bool read_after(struct search *search)
{
    struct text after = search->order.after, owner, name, number;
    struct document_key *first = &search->first;
    uint64_t skip = 0;
    if (after.length == 0)
        return true;
    if (search->query.keys_count) {
        bool good = text_to_u64(after, &skip) && skip <= SEARCH_SORTED_MAX;
        search->skip = skip;
        return good;
    }
    first->usage = search->usage->auid;
    search->has_first = text_cut(after, '/', &owner, &after) && text_cut(after, '/', &name, &number) &&
                        text_to_u64(number, &skip) && skip <= USAGE_ELEMENTS_MAX &&
                        decode(search, owner, &first->owner) && decode(search, name, &first->name) &&
                        search_source_has(&search->source, first);
    search->skip = skip;
    return search->has_first;
}

/* OK: its documents are a list. NOT_FOUND: none helps, or there are so many that reading one after another finds a page
 * of them as soon. */
static enum status open_by_index(struct search *search, const struct document_key *after)
{
    struct search_source *source = &search->source;
    const struct store_look_up *plan =
        source->owner.bytes ? NULL : search_plan(search->searchable, search->query.where, search->arena);
    struct document_key *list;
    size_t count;
    if (!plan)
        return NOT_FOUND;
    enum status status = document_index_find(search->documents, search->usage, source->tree, plan,
                                             SEARCH_CANDIDATES_MAX, search->arena, &list, &count);
    if (status == OK)
        search_source_open_list(source, list, count, after);
    return status == FULL ? NOT_FOUND : status;
}

static enum status open_source(struct search *search, struct refusal *refusal)
{
    if (!read_after(search))
        return refuse(refusal, REFUSAL_SYNTAX, "There is no page after that.");
    const struct document_key *after = search->has_first ? &search->first : NULL;
    enum status status = open_by_index(search, after);
    search->outcome.indexed = status == OK || search->source.owner.bytes;
    if (status == NOT_FOUND)
        search_source_open(&search->source, after);
    search->opened = status == OK || status == NOT_FOUND;
    return search->opened ? OK : status;
}
