/* Keeps documents in sorted arrays until it is closed: for tests and trials. One mutex, no thread of its own. Knows no
 * disk; keeps all change records. */
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "store_engine.h"

/* What one document holds. All text is in the arena, which goes with it. */
struct document {
    struct arena arena;
    struct stored stored;
    struct claim *claims;
    size_t claims_count;
    struct store_entries entries; /* if its index is ready */
};

/* One that is ready. */
struct index {
    struct arena arena;
    struct store_index of;
    uint64_t signature;
};

struct held {
    const struct claim *claim; /* of the document */
    const struct document *document;
};

/* Of a counted claim; kept while it counts anything. */
struct counted {
    struct arena arena;
    struct text kind, value;
    struct tally tally;
};

/* Pointers in the order of a comparison. */
struct sorted {
    void **items;
    size_t count;
    size_t capacity;
    int (*compare)(const void *a, const void *b);
};

struct memory {
    pthread_mutex_t lock; /* for everything */
    struct sorted documents;
    struct sorted held; /* claims of all documents, without the counted ones */
    struct sorted counted;
    uint64_t quiet_count; /* of writes without a change */
    struct sorted indexes;
    struct store_indexer indexer;
    struct change *changes;
    size_t changes_count;
    size_t changes_capacity;
    struct arena change_texts;
};

/* --- sorted arrays -------------------------------------------------------------------------------------------- */

/* Position of the first item that is not before `wanted`. */
static size_t sorted_position(const struct sorted *sorted, const void *wanted)
{
    size_t low = 0;
    size_t high = sorted->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted->compare(sorted->items[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *sorted_find(const struct sorted *sorted, const void *wanted)
{
    size_t position = sorted_position(sorted, wanted);
    if (position < sorted->count && sorted->compare(sorted->items[position], wanted) == 0)
        return sorted->items[position];
    return NULL;
}

static void sorted_add(struct sorted *sorted, void *item)
{
    if (sorted->count == sorted->capacity) {
        sorted->capacity = sorted->capacity ? sorted->capacity * 2 : 16;
        sorted->items = memory_resize(sorted->items, sorted->capacity * sizeof(*sorted->items));
    }
    size_t position = sorted_position(sorted, item);
    memmove(&sorted->items[position + 1], &sorted->items[position],
            (sorted->count - position) * sizeof(*sorted->items));
    sorted->items[position] = item;
    sorted->count++;
}

static void *sorted_remove(struct sorted *sorted, const void *wanted)
{
    void *item = sorted_find(sorted, wanted);
    if (!item)
        return NULL;
    size_t position = sorted_position(sorted, wanted);
    sorted->count--;
    memmove(&sorted->items[position], &sorted->items[position + 1],
            (sorted->count - position) * sizeof(*sorted->items));
    return item;
}

static int document_compare(const void *a, const void *b)
{
    const struct document *first = a;
    const struct document *second = b;
    return key_compare(&first->stored.key, &second->stored.key);
}

/* Unique ones first; then kind, value, and the key of the holder. A unique claim has one holder at most, so that it is
 * found without knowing whose it is. */
static int held_compare(const void *a, const void *b)
{
    const struct held *first = a;
    const struct held *second = b;
    int order = first->claim->shared - second->claim->shared;
    if (order == 0)
        order = text_compare(first->claim->kind, second->claim->kind);
    if (order == 0)
        order = text_compare(first->claim->value, second->claim->value);
    if (order == 0 && first->claim->shared && first->document && second->document)
        order = document_compare(first->document, second->document);
    return order;
}

static struct document *document_find(const struct memory *memory, const struct document_key *key)
{
    const struct document wanted = {.stored.key = *key};
    return sorted_find(&memory->documents, &wanted);
}

static const struct held *unique_find(const struct memory *memory, struct text kind, struct text value)
{
    const struct claim claim = {.kind = kind, .value = value};
    const struct held wanted = {.claim = &claim};
    return sorted_find(&memory->held, &wanted);
}

static int counted_compare(const void *a, const void *b)
{
    const struct counted *first = a;
    const struct counted *second = b;
    int order = text_compare(first->kind, second->kind);
    return order ? order : text_compare(first->value, second->value);
}

static struct counted *counted_find(const struct memory *memory, struct text kind, struct text value)
{
    const struct counted wanted = {.kind = kind, .value = value};
    return sorted_find(&memory->counted, &wanted);
}

static void counted_free(struct counted *counted)
{
    arena_clear(&counted->arena);
    free(counted);
}

static void counted_add(struct memory *memory, const struct claim *claim)
{
    struct counted *counted = counted_find(memory, claim->kind, claim->value);
    if (!counted) {
        counted = memory_new(sizeof(*counted));
        arena_init(&counted->arena, "tally");
        counted->kind = text_copy(&counted->arena, claim->kind);
        counted->value = text_copy(&counted->arena, claim->value);
        sorted_add(&memory->counted, counted);
    }
    counted->tally.count++;
    counted->tally.weight += claim->weight;
}

static void counted_remove(struct memory *memory, const struct claim *claim)
{
    struct counted *counted = counted_find(memory, claim->kind, claim->value);
    counted->tally.weight -= claim->weight;
    if (--counted->tally.count > 0)
        return;
    sorted_remove(&memory->counted, counted);
    counted_free(counted);
}

/* --- commit --------------------------------------------------------------------------------------------------- */

static struct document *document_new(const struct commit *commit, uint64_t version, int64_t now_ms)
{
    struct document *document = memory_new(sizeof(*document));
    struct arena *arena = &document->arena;
    arena_init(arena, "document");
    document->stored.key = key_copy(arena, &commit->key);
    document->stored.bytes = text_copy(arena, commit->bytes);
    document->stored.version = version;
    document->stored.modified_ms = now_ms;
    document->claims_count = commit->claims_count;
    document->claims = arena_array(arena, struct claim, commit->claims_count);
    for (size_t i = 0; i < commit->claims_count; i++) {
        document->claims[i] = commit->claims[i];
        document->claims[i].kind = text_copy(arena, commit->claims[i].kind);
        document->claims[i].value = text_copy(arena, commit->claims[i].value);
    }
    return document;
}

static void document_free(struct document *document)
{
    arena_clear(&document->arena);
    free(document);
}

static void document_add(struct memory *memory, struct document *document)
{
    sorted_add(&memory->documents, document);
    for (size_t i = 0; i < document->claims_count; i++) {
        const struct held held = {&document->claims[i], document};
        if (held.claim->counted) {
            counted_add(memory, held.claim);
            continue;
        }
        if (sorted_find(&memory->held, &held))
            continue; /* named twice by this document */
        struct held *added = memory_new(sizeof(*added));
        *added = held;
        sorted_add(&memory->held, added);
    }
}

static void document_remove(struct memory *memory, struct document *document)
{
    sorted_remove(&memory->documents, document);
    for (size_t i = 0; i < document->claims_count; i++) {
        const struct claim *claim = &document->claims[i];
        if (claim->counted)
            counted_remove(memory, claim);
        else
            free(sorted_remove(&memory->held, &(struct held){claim, document}));
    }
    document_free(document);
}

static void change_add(struct memory *memory, const struct commit *commit, uint64_t previous, int64_t now_ms)
{
    if (memory->changes_count == memory->changes_capacity) {
        memory->changes_capacity = memory->changes_capacity ? memory->changes_capacity * 2 : 64;
        memory->changes = memory_resize(memory->changes, memory->changes_capacity * sizeof(*memory->changes));
    }
    memory->changes[memory->changes_count] = (struct change){
        .number = memory->changes_count + 1,
        .key = key_copy(&memory->change_texts, &commit->key),
        .previous = previous,
        .deletion = commit->deletion,
        .when_ms = now_ms,
        .who = text_copy(&memory->change_texts, commit->who),
    };
    memory->changes_count++;
}

static bool claims_are_free(const struct memory *memory, struct commit *commit, const struct document *old)
{
    for (size_t i = 0; i < commit->claims_count; i++) {
        const struct claim *claim = &commit->claims[i];
        const struct held *held =
            claim->shared || claim->counted ? NULL : unique_find(memory, claim->kind, claim->value);
        if (held && held->document != old) {
            commit->taken_value = claim->value;
            return false;
        }
    }
    return true;
}

/* --- indexes: every document has a list of its entries, and finding looks at all of them -------------------------- */

static int index_compare(const void *a, const void *b)
{
    const struct index *first = a, *second = b;
    int order = text_compare(first->of.usage, second->of.usage);
    return order ? order : first->of.owned - second->of.owned;
}

static struct index *index_find(const struct memory *memory, const struct store_index *of)
{
    const struct index wanted = {.of = *of};
    return sorted_find(&memory->indexes, &wanted);
}

static void index_give_up(struct memory *memory, struct index *index)
{
    sorted_remove(&memory->indexes, index);
    arena_clear(&index->arena);
    free(index);
}

static void index_add(struct memory *memory, const struct store_index *of, uint64_t signature)
{
    struct index *index = index_find(memory, of);
    if (!index) {
        index = memory_new(sizeof(*index));
        arena_init(&index->arena, "index");
        index->of = (struct store_index){text_copy(&index->arena, of->usage), of->owned};
        sorted_add(&memory->indexes, index);
    }
    index->signature = signature;
}

/* False: the indexer has other rules. */
static bool document_index(struct memory *memory, struct document *document, uint64_t signature)
{
    return indexer_ask(&memory->indexer, signature, &document->stored.key, document->stored.bytes, &document->arena,
                       &document->entries);
}

static void document_index_if_ready(struct memory *memory, struct document *document)
{
    const struct store_index of = {document->stored.key.usage, document->stored.key.owner.length > 0};
    struct index *index = index_find(memory, &of);
    if (index && !document_index(memory, document, index->signature))
        index_give_up(memory, index);
}

static enum status commit_one(struct memory *memory, struct commit *commit)
{
    if (!commit_within_limits(commit))
        return FAILED;
    if (commit->only_with && commit->only_with->status != OK)
        return commit->only_with->status;
    struct document *old = document_find(memory, &commit->key);
    uint64_t version = old ? old->stored.version : VERSION_ABSENT;
    if (commit->expected != VERSION_ANY && commit->expected != version) {
        commit->version = version;
        return CONFLICT;
    }
    if (!commit->deletion && !claims_are_free(memory, commit, old))
        return TAKEN;
    const struct claim *kept_by = commit->deletion ? commit->unless_held : NULL;
    if ((commit->deletion && !old) || (kept_by && counted_find(memory, kept_by->kind, kept_by->value)))
        return OK;

    int64_t now_ms = clock_wall_ms();
    if (old)
        document_remove(memory, old);
    if (!commit->quiet)
        change_add(memory, commit, version, now_ms);
    commit->version = commit->quiet ? VERSION_QUIET | ++memory->quiet_count : memory->changes_count;
    if (!commit->deletion) {
        struct document *document = document_new(commit, commit->version, now_ms);
        document_index_if_ready(memory, document);
        document_add(memory, document);
    }
    return OK;
}

static void memory_submit(void *state, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    struct memory *memory = state;
    if (count > STORE_QUEUE_MAX) {
        commits_refuse(commits, count, FULL);
    } else {
        pthread_mutex_lock(&memory->lock);
        commits_refuse(commits, count, FAILED);
        for (size_t i = 0; i < count; i++)
            commits[i].status = commit_one(memory, &commits[i]);
        pthread_mutex_unlock(&memory->lock);
    }
    done(context);
}

/* --- reads ---------------------------------------------------------------------------------------------------- */

static enum status memory_read(void *state, const struct document_key *key, struct arena *arena,
                               struct stored *found_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    const struct document *document = document_find(memory, key);
    if (document) {
        *found_out = document->stored;
        found_out->key = arena ? key_copy(arena, key) : *key;
        found_out->bytes = arena ? text_copy(arena, document->stored.bytes) : (struct text){0};
    }
    pthread_mutex_unlock(&memory->lock);
    return document ? OK : NOT_FOUND;
}

static enum status memory_find(void *state, struct text kind, struct text value, struct arena *arena,
                               struct document_key *key_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    const struct held *held = unique_find(memory, kind, value);
    if (held)
        *key_out = key_copy(arena, &held->document->stored.key);
    pthread_mutex_unlock(&memory->lock);
    return held ? OK : NOT_FOUND;
}

static enum status memory_tally(void *state, struct text kind, struct text value, struct tally *tally_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    const struct counted *counted = counted_find(memory, kind, value);
    if (counted)
        *tally_out = counted->tally;
    pthread_mutex_unlock(&memory->lock);
    return OK;
}

static enum status memory_first_tally(void *state, struct text kind, struct arena *arena, struct text *value_out)
{
    struct memory *memory = state;
    const struct counted wanted = {.kind = kind};
    pthread_mutex_lock(&memory->lock);
    size_t position = sorted_position(&memory->counted, &wanted);
    const struct counted *first = position < memory->counted.count ? memory->counted.items[position] : NULL;
    bool found = first && text_equal(first->kind, kind);
    if (found)
        *value_out = text_copy(arena, first->value);
    pthread_mutex_unlock(&memory->lock);
    return found ? OK : NOT_FOUND;
}

/* False when the page is full. */
static bool page_take(struct key_page *page, const struct stored *stored, size_t limit, struct arena *arena)
{
    page->more = page->count == limit;
    if (page->more)
        return false;
    page_add(page, key_copy(arena, &stored->key), stored->version, stored->modified_ms, stored->bytes.length);
    return true;
}

static enum status memory_list(void *state, const struct document_key *prefix, const struct document_key *after,
                               size_t limit, struct arena *arena, struct key_page *page_out)
{
    struct memory *memory = state;
    bool behind = after && key_compare(after, prefix) >= 0; /* parts not given sort as empty ones: before all */
    const struct document first = {.stored.key = behind ? *after : *prefix};
    pthread_mutex_lock(&memory->lock);
    for (size_t i = sorted_position(&memory->documents, &first); i < memory->documents.count; i++) {
        const struct document *document = memory->documents.items[i];
        if (prefix->usage.bytes && !text_equal(document->stored.key.usage, prefix->usage))
            break;
        if (!key_matches(&document->stored.key, prefix) || (behind && document_compare(document, &first) <= 0))
            continue;
        if (!page_take(page_out, &document->stored, limit, arena))
            break;
    }
    pthread_mutex_unlock(&memory->lock);
    return OK;
}

static enum status memory_holders(void *state, struct text kind, struct text value_prefix,
                                  const struct text *after_value, const struct document_key *after, size_t limit,
                                  struct arena *arena, struct key_page *page_out, struct text **values_out)
{
    struct memory *memory = state;
    const struct claim claim = {.kind = kind, .value = after ? *after_value : value_prefix, .shared = true};
    struct document last = {.claims_count = 0};
    if (after)
        last.stored.key = *after;
    const struct held first = {.claim = &claim, .document = after ? &last : NULL};
    pthread_mutex_lock(&memory->lock);
    for (size_t i = sorted_position(&memory->held, &first); i < memory->held.count; i++) {
        const struct held *held = memory->held.items[i];
        if (!held->claim->shared || !text_equal(held->claim->kind, kind))
            break;
        if (!text_starts_with(held->claim->value, value_prefix) || (after && held_compare(held, &first) <= 0))
            continue;
        if (!page_take(page_out, &held->document->stored, limit, arena))
            break;
        if (values_out)
            (*values_out)[page_out->count - 1] = text_copy(arena, held->claim->value);
    }
    pthread_mutex_unlock(&memory->lock);
    return OK;
}

static enum status memory_changes(void *state, uint64_t after, size_t limit, struct arena *arena,
                                  struct change_page *page_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    page_out->lost = after > memory->changes_count;
    for (uint64_t i = after; i < memory->changes_count && page_out->count < limit; i++) {
        struct change change = memory->changes[i];
        change.key = key_copy(arena, &change.key);
        change.who = text_copy(arena, change.who);
        page_out->changes[page_out->count++] = change;
    }
    pthread_mutex_unlock(&memory->lock);
    return OK;
}

static uint64_t memory_last_change(void *state)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    uint64_t last = memory->changes_count;
    pthread_mutex_unlock(&memory->lock);
    return last;
}

static enum status memory_backup(void *state, const char *folder, struct arena *arena, struct text *error_out)
{
    (void)state;
    *error_out = text_format(arena, "%s: a store in memory has no backup", folder);
    return FAILED;
}

/* What is forgotten at close has nothing to be compared with. */
static enum status memory_check(void *state, store_problem_fn *problem, void *context)
{
    (void)state;
    (void)problem;
    (void)context;
    return OK;
}

static void memory_indexer_set(void *state, store_indexer_fn *indexer, void *context)
{
    struct memory *memory = state;
    indexer_set(&memory->indexer, indexer, context);
}

static bool is_ready(const struct memory *memory, const struct store_index *of, uint64_t signature)
{
    const struct index *index = index_find(memory, of);
    return index && index->signature == signature;
}

static enum status memory_index_ready(void *state, const struct store_index *index, uint64_t signature, bool *ready_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    *ready_out = is_ready(memory, index, signature);
    pthread_mutex_unlock(&memory->lock);
    return OK;
}

static enum status memory_index_begin(void *state, struct store *store, const struct store_index *index,
                                      uint64_t signature)
{
    struct memory *memory = state;
    bool any = false;
    (void)store;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->documents.count && !any; i++)
        any = index_has(index, &((struct document *)memory->documents.items[i])->stored.key);
    if (!any)
        index_add(memory, index, signature);
    pthread_mutex_unlock(&memory->lock);
    return any ? CONFLICT : OK;
}

static enum status memory_index_build(void *state, struct store *store, const struct store_index *index,
                                      uint64_t signature, const volatile bool *stop, struct store_index_work *work_out)
{
    struct memory *memory = state;
    bool good = !stop || !*stop;
    (void)store;
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->documents.count && good; i++) {
        struct document *document = memory->documents.items[i];
        if (!index_has(index, &document->stored.key))
            continue;
        good = document_index(memory, document, signature);
        work_out->documents++;
        work_out->entries += document->entries.count;
    }
    if (good)
        index_add(memory, index, signature);
    pthread_mutex_unlock(&memory->lock);
    return good ? OK : CONFLICT;
}

static bool leads_to(const struct store_look_up *look_up, const struct store_entries *entries)
{
    if (look_up->kind == STORE_LOOK_UP_ANY)
        return leads_to(look_up->a, entries) || leads_to(look_up->b, entries);
    if (look_up->kind == STORE_LOOK_UP_ALL)
        return leads_to(look_up->a, entries) && leads_to(look_up->b, entries);
    for (size_t i = 0; i < entries->count; i++) {
        const struct store_entry *entry = &entries->list[i];
        if (entry->field == 0 ||
            (entry->field == look_up->field && (look_up->whole ? text_equal(entry->value, look_up->value)
                                                               : text_starts_with(entry->value, look_up->value))))
            return true;
    }
    return false;
}

static enum status memory_index_find(void *state, const struct store_index *index, uint64_t signature,
                                     const struct store_look_up *look_up, size_t most, struct arena *arena,
                                     struct document_key **keys_out, size_t *count_out)
{
    struct memory *memory = state;
    pthread_mutex_lock(&memory->lock);
    enum status status = is_ready(memory, index, signature) ? OK : NOT_FOUND;
    size_t room = memory->documents.count < most ? memory->documents.count : most;
    *keys_out = arena_array(arena, struct document_key, room + 1);
    for (size_t i = 0; i < memory->documents.count && status == OK; i++) {
        const struct document *document = memory->documents.items[i];
        if (!index_has(index, &document->stored.key) || !leads_to(look_up, &document->entries))
            continue;
        if (*count_out == most)
            status = FULL;
        else
            (*keys_out)[(*count_out)++] = key_copy(arena, &document->stored.key);
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static enum status memory_index_check(void *state, const struct store_index *index, uint64_t signature,
                                      store_problem_fn *problem, void *context)
{
    (void)index;
    (void)signature;
    return memory_check(state, problem, context);
}

static const struct store_index_engine memory_index = {
    .indexer_set = memory_indexer_set,
    .ready = memory_index_ready,
    .begin = memory_index_begin,
    .build = memory_index_build,
    .find = memory_index_find,
    .check = memory_index_check,
};

static void memory_close(void *state)
{
    struct memory *memory = state;
    for (size_t i = 0; i < memory->held.count; i++)
        free(memory->held.items[i]);
    for (size_t i = 0; i < memory->counted.count; i++)
        counted_free(memory->counted.items[i]);
    for (size_t i = 0; i < memory->documents.count; i++)
        document_free(memory->documents.items[i]);
    while (memory->indexes.count)
        index_give_up(memory, memory->indexes.items[0]);
    free(memory->indexes.items);
    free(memory->held.items);
    free(memory->counted.items);
    free(memory->documents.items);
    free(memory->changes);
    arena_clear(&memory->change_texts);
    indexer_clear(&memory->indexer);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const struct store_engine memory_engine = {
    .close = memory_close,
    .read = memory_read,
    .submit = memory_submit,
    .find = memory_find,
    .tally = memory_tally,
    .first_tally = memory_first_tally,
    .list = memory_list,
    .holders = memory_holders,
    .changes = memory_changes,
    .last_change = memory_last_change,
    .backup = memory_backup,
    .check = memory_check,
    .index = &memory_index,
};

struct store *store_open_memory(void)
{
    struct memory *memory = memory_new(sizeof(*memory));
    pthread_mutex_init(&memory->lock, NULL);
    memory->documents.compare = document_compare;
    memory->held.compare = held_compare;
    memory->counted.compare = counted_compare;
    memory->indexes.compare = index_compare;
    indexer_init(&memory->indexer);
    arena_init(&memory->change_texts, "changes");
    return store_new(&memory_engine, memory);
}
