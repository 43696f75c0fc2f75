/* One search from its order to its results. What has to be kept between slices is in the search, and all that a
 * document takes goes with it. */
#include "search_run.h"

#include <stdlib.h>

#include "document_index.h"
#include "search_own.h"
#include "uri.h"

/* One that is found, and not made yet because others may come before it. */
struct found {
    struct document_key key;
    size_t record;
    struct text *keys;
    size_t place; /* among all: keeps equal ones as they were */
};

struct search {
    const struct documents *documents;
    struct arena *arena; /* the caller's */
    struct search_order order;
    const struct usage *usage;
    const struct usage_searchable *searchable;
    struct search_query query;
    struct search_source source;
    bool opened;
    unsigned masks[SEARCH_MASKS_MAX];
    size_t masks_count;
    size_t results_max;
    uint64_t work;             /* left */
    size_t skip;               /* sorted: results of earlier pages; else records of `first` */
    struct document_key first; /* of which the page before had but a part, or nothing; it is not in the source */
    bool has_first;
    struct text *results;
    size_t bytes;        /* of results and keys */
    struct found *found; /* sorted: all, while they are looked for; then those of the page, to be made */
    size_t found_count, found_capacity, made_at;
    bool making;
    struct arena document_arena; /* of one document */
    struct search_outcome outcome;
};

static enum status read_target(struct search *search, struct refusal *refusal);
static enum status check_asker(struct search *search, struct refusal *refusal);
static enum status open_source(struct search *search, struct refusal *refusal);
static bool look_at_next(struct search *search);
static bool make_next(struct search *search);

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

void search_free(struct search *search)
{
    if (!search)
        return;
    if (search->opened)
        search_source_close(&search->source);
    arena_clear(&search->document_arena);
    free(search->found);
}

const struct search_outcome *search_outcome(const struct search *search)
{
    return &search->outcome;
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

static bool is_owner(const struct search *search, struct text owner)
{
    for (size_t i = 0; owner.length && i < search->order.asker.identities_count; i++)
        if (text_equal(search->order.asker.identities[i], owner))
            return true;
    return false;
}

static bool roles_do(const struct search *search, unsigned roles)
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
    if (status != OK || asker->everything || roles_do(search, asker->roles))
        return status;
    bool own = search->source.tree == XCAP_USERS && asker->identities_count > 0 &&
               roles_do(search, asker->roles | USAGE_ROLE_BIT(USAGE_OWNER)) &&
               (!search->source.owner.bytes || is_owner(search, search->source.owner));
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

static enum status choose_plan(struct search *search)
{
    struct search_source *source = &search->source;
    bool ready = false;
    const struct search_plan *plan =
        source->owner.bytes ? NULL : search_plan(search->searchable, search->query.where, search->arena);
    search->outcome.indexed = source->owner.bytes != NULL;
    if (!plan)
        return OK;
    enum status status = document_index_ready(search->documents, search->usage, search->source.tree, &ready);
    if (status != OK || !ready)
        return status;
    status = search_plan_choose(search->documents, plan, search->arena, &source->plan);
    search->outcome.indexed = status == OK;
    return status;
}

static enum status open_source(struct search *search, struct refusal *refusal)
{
    if (!read_after(search))
        return refuse(refusal, REFUSAL_SYNTAX, "There is no page after that.");
    const struct document_key *after = search->has_first ? &search->first : NULL;
    enum status status = choose_plan(search);
    if (status != OK)
        return status;
    search->opened = true;
    status = search_source_open(&search->source, search->searchable->kind_all, search->arena, after);
    if (status != FULL)
        return status;
    search_source_close(&search->source);
    search->source =
        (struct search_source){.documents = search->documents, .usage = search->usage, .tree = search->source.tree};
    search->outcome.indexed = false;
    return search_source_open(&search->source, search->searchable->kind_all, search->arena, after);
}

/* --- running -------------------------------------------------------------------------------------------------- */

static bool end(struct search *search, enum status status)
{
    search->outcome.status = status;
    return false;
}

static struct text next_page(struct search *search, const struct document_key *key, size_t records)
{
    return text_format(search->arena, "%.*s/%.*s/%zu", TEXT_ARG(percent_encode(search->arena, key->owner, ":@")),
                       TEXT_ARG(percent_encode(search->arena, key->name, "")), records);
}

static bool end_at_limit(struct search *search, const char *what)
{
    struct text hint = search->outcome.indexed ? TEXT("") : TEXT(" No index helps this query.");
    refuse_conflict(&search->outcome.refusal, "constraint-failure",
                    text_format(search->arena, "The search %s: ask for less.%.*s", what, TEXT_ARG(hint)));
    return end(search, REFUSED);
}

enum search_progress search_run(struct search *search, size_t documents)
{
    size_t until = search->outcome.documents + documents;
    bool goes_on = true;
    while (goes_on && search->outcome.documents < until)
        goes_on = search->making ? make_next(search) : look_at_next(search);
    return goes_on ? SEARCH_GOES_ON : SEARCH_ENDED;
}

static bool record_is_open(const struct search *search, struct search_subject *subject)
{
    const struct usage_searchable *searchable = search->searchable;
    const struct xml_element *at = subject->element;
    if (search->order.asker.everything || searchable->when.steps_count == 0)
        return true;
    for (size_t i = 0; at && i < searchable->when.steps_count; i++)
        at = xml_child(at, searchable->when.steps[i].namespace, searchable->when.steps[i].local);
    struct text value = at ? text_trim(at->text) : (struct text){0};
    return at ? text_equal(value, TEXT("true")) || text_equal(value, TEXT("1")) : searchable->if_absent;
}

/* OK and a tree; NOT_FOUND: gone meanwhile, not served any more, or not for this asker. */
static enum status read_records(struct search *search, const struct document_key *key, struct stored *found_out,
                                const struct xml_element ***records_out)
{
    struct arena *arena = &search->document_arena;
    const struct usage_document *row = usage_document(search->usage, search->source.tree, key->name);
    const struct document_place place = {.usage = search->usage, .row = row, .tree = search->source.tree, .key = *key};
    const struct xml_element *root;
    unsigned roles = search->order.asker.roles | (is_owner(search, key->owner) ? USAGE_ROLE_BIT(USAGE_OWNER) : 0);
    if (!row || row->kind != USAGE_STORED || (!search->order.asker.everything && !roles_do(search, roles)))
        return NOT_FOUND;
    enum status status = document_read(search->documents, &place, arena, found_out);
    search->outcome.documents++;
    if (status != OK)
        return status;
    if (xml_tree_read(found_out->bytes, arena, &root) != OK)
        return NOT_FOUND; /* nothing that was accepted is so */
    *records_out = search_records(&search->query.path, root, arena);
    return OK;
}

static bool add_result(struct search *search, struct search_subject *subject)
{
    struct text_builder made;
    builder_init(&made, &search->document_arena);
    subject->work = search->work;
    bool good = search_make(&search->query, subject, TEXT(SEARCH_NAMESPACE), &made);
    search->work = subject->work;
    if (!good)
        return end_at_limit(search, search->work ? "found an element that is too large" : "takes too long");
    search->bytes += made.length;
    if (search->bytes > SEARCH_BYTES_MAX)
        return end_at_limit(search, "found too much for one answer");
    search->results[search->outcome.results_count++] = text_copy(search->arena, builder_text(&made));
    return true;
}

/* For order by: its keys alone are kept, and it is read again when it is known to be on the page. */
static bool add_found(struct search *search, struct search_subject *subject, const struct document_key *key,
                      size_t record)
{
    if (search->found_count == SEARCH_SORTED_MAX)
        return end_at_limit(search, "finds too many to put them in order");
    if (search->found_count == search->found_capacity) {
        search->found_capacity = search->found_capacity ? 2 * search->found_capacity : 64;
        search->found = memory_resize(search->found, search->found_capacity * sizeof(search->found[0]));
    }
    struct found *found = &search->found[search->found_count];
    *found = (struct found){.record = record, .place = search->found_count++};
    found->key = (struct document_key){search->usage->auid, text_copy(search->arena, key->owner),
                                       text_copy(search->arena, key->name)};
    found->keys = arena_array(search->arena, struct text, search->query.keys_count);
    subject->work = search->work;
    for (size_t i = 0; i < search->query.keys_count; i++) {
        struct text value;
        if (!search_key_value(&search->query.keys[i], subject, &value))
            continue;
        found->keys[i] = value.length ? text_copy(search->arena, value) : TEXT("");
        search->bytes += value.length;
    }
    search->work = subject->work;
    return search->bytes <= SEARCH_BYTES_MAX || end_at_limit(search, "finds too much to put it in order");
}

static bool look_at_records(struct search *search, const struct document_key *key, const struct stored *stored,
                            const struct xml_element **records)
{
    size_t i = 0;
    for (; search->query.keys_count == 0 && search->skip && records[i]; i++)
        search->skip--;
    if (search->query.keys_count == 0)
        search->skip = 0;
    for (; records[i]; i++) {
        struct search_subject subject = {stored->bytes, records[i], &search->document_arena, search->work};
        bool fits = record_is_open(search, &subject) && search_holds(&search->query, &subject);
        search->work = subject.work;
        if (search->work == 0)
            return end_at_limit(search, "takes too long");
        if (!fits)
            continue;
        if (search->query.keys_count) {
            if (!add_found(search, &subject, key, i))
                return false;
            continue;
        }
        if (search->outcome.results_count == search->results_max) {
            search->outcome.next = next_page(search, key, i);
            return end(search, OK);
        }
        if (!add_result(search, &subject))
            return false;
    }
    return true;
}

static int found_order(const void *a, const void *b, void *query)
{
    const struct found *left = a, *right = b;
    int order = search_compare(query, left->keys, right->keys);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static bool begin_making(struct search *search)
{
    if (search->query.keys_count == 0)
        return end(search, OK);
    if (search->found_count)
        qsort_r(search->found, search->found_count, sizeof(search->found[0]), found_order, &search->query);
    search->making = true;
    search->bytes = 0;
    search->made_at = search->skip;
    return true;
}

static bool look_at_next(struct search *search)
{
    struct document_key key;
    struct stored stored;
    const struct xml_element **records = NULL;
    enum status status = search->has_first ? OK : search_source_next(&search->source, &key);
    if (search->has_first)
        key = search->first;
    search->has_first = false;
    if (status == NOT_FOUND)
        return begin_making(search);
    if (status != OK)
        return end(search, FAILED);
    if (search->outcome.documents >= search->order.limits.documents_max) {
        search->outcome.next = search->query.keys_count ? (struct text){0} : next_page(search, &key, 0);
        struct text what =
            text_format(search->arena, "has read %zu documents, the most for one request", search->outcome.documents);
        return end_at_limit(search, text_cstring(search->arena, what));
    }
    arena_reset(&search->document_arena);
    status = read_records(search, &key, &stored, &records);
    if (status == NOT_FOUND)
        return true;
    if (status != OK)
        return end(search, FAILED);
    return look_at_records(search, &key, &stored, records);
}

/* It may have changed since it was found: then it is judged as it is now. */
static bool make_next(struct search *search)
{
    struct stored stored;
    const struct xml_element **records = NULL;
    if (search->made_at >= search->found_count)
        return end(search, OK);
    if (search->outcome.results_count == search->results_max) {
        search->outcome.next = text_format(search->arena, "%zu", search->made_at);
        return end(search, OK);
    }
    const struct found *found = &search->found[search->made_at++];
    arena_reset(&search->document_arena);
    enum status status = read_records(search, &found->key, &stored, &records);
    if (status != OK)
        return status == NOT_FOUND || end(search, FAILED);
    size_t record = 0;
    while (records[record] && record < found->record)
        record++;
    if (!records[record])
        return true;
    struct search_subject subject = {stored.bytes, records[record], &search->document_arena, search->work};
    bool fits = record_is_open(search, &subject) && search_holds(&search->query, &subject);
    search->work = subject.work;
    return !fits || add_result(search, &subject);
}
