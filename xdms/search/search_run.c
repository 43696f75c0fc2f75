/* A search on its way: looks at one document after another, and makes or keeps what is found. What has to be kept
 * between slices is in the search, and all that a document takes goes with it. */
#include "search_run.h"

#include <stdlib.h>

#include "search_own.h"

#define TIME_OVER "has used up its time"

static bool look_at_next(struct search *search);
static bool make_next(struct search *search);

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

/* What was found before it is a page, and the next one begins there: nothing that was found is lost. */
static bool end_before(struct search *search, struct text next, const char *what)
{
    search->outcome.next = next;
    return next.length && search->outcome.results_count ? end(search, OK) : end_at_limit(search, what);
}

enum search_progress search_run(struct search *search, size_t documents)
{
    size_t until = search->outcome.documents + documents;
    bool goes_on = true;
    while (goes_on && search->outcome.documents < until)
        goes_on = search->making ? make_next(search) : look_at_next(search);
    return goes_on ? SEARCH_GOES_ON : SEARCH_ENDED;
}

void search_expire(struct search *search)
{
    search->expired = true;
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
    unsigned roles =
        search->order.asker.roles | (search_is_owner(search, key->owner) ? USAGE_ROLE_BIT(USAGE_OWNER) : 0);
    if (!row || row->kind != USAGE_STORED || (!search->order.asker.everything && !search_roles_do(search, roles)))
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

enum added { ADDED, TOO_LARGE, OUT_OF_WORK, PAGE_IS_FULL };

static enum added add_result(struct search *search, struct search_subject *subject)
{
    struct text_builder made;
    builder_init(&made, &search->document_arena);
    subject->work = search->work;
    bool good = search_make(&search->query, subject, TEXT(SEARCH_NAMESPACE), &made);
    search->work = subject->work;
    if (!good)
        return search->work ? TOO_LARGE : OUT_OF_WORK;
    search->bytes += made.length;
    if (search->bytes > SEARCH_BYTES_MAX)
        return PAGE_IS_FULL;
    search->results[search->outcome.results_count++] = text_copy(search->arena, builder_text(&made));
    return ADDED;
}

static bool end_at_result(struct search *search, enum added added, struct text next)
{
    static const char *const whats[] = {[TOO_LARGE] = "found an element that is too large",
                                        [OUT_OF_WORK] = "takes too long",
                                        [PAGE_IS_FULL] = "found too much for one answer"};
    return end_before(search, added == TOO_LARGE ? TEXT("") : next, whats[added]);
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
    struct search_found *found = &search->found[search->found_count];
    *found = (struct search_found){.record = record, .place = search->found_count++};
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

/* A document that takes all of it alone takes it again. */
static bool end_in_work(struct search *search, const struct document_key *key, size_t record)
{
    bool ordered = search->query.keys_count > 0;
    bool goes_on = !ordered && (search->outcome.documents > 1 || search->outcome.results_count);
    return end_before(search, goes_on ? next_page(search, key, record) : TEXT(""), "takes too long");
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
            return end_in_work(search, key, i);
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
        enum added added = add_result(search, &subject);
        if (added != ADDED)
            return added == OUT_OF_WORK ? end_in_work(search, key, i)
                                        : end_at_result(search, added, next_page(search, key, i));
    }
    return true;
}

static int found_order(const void *a, const void *b, void *query)
{
    const struct search_found *left = a, *right = b;
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
    if (search->expired || search->outcome.documents >= search->order.limits.documents_max) {
        struct text what =
            text_format(search->arena, "has read %zu documents, the most for one request", search->outcome.documents);
        return end_before(search, search->query.keys_count ? TEXT("") : next_page(search, &key, 0),
                          search->expired ? TIME_OVER : text_cstring(search->arena, what));
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
    if (search->expired)
        return end_before(search, text_format(search->arena, "%zu", search->made_at), TIME_OVER);
    const struct search_found *found = &search->found[search->made_at++];
    arena_reset(&search->document_arena);
    enum status status = read_records(search, &found->key, &stored, &records);
    if (status != OK)
        return status == NOT_FOUND || end(search, FAILED);
    size_t record = 0;
    while (record < found->record && records[record])
        record++;
    if (!records[record])
        return true;
    struct search_subject subject = {stored.bytes, records[record], &search->document_arena, search->work};
    bool fits = record_is_open(search, &subject) && search_holds(&search->query, &subject);
    search->work = subject.work;
    if (!fits)
        return true;
    enum added added = add_result(search, &subject);
    return added == ADDED || end_at_result(search, added, text_format(search->arena, "%zu", search->made_at - 1));
}
