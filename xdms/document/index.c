/* Keeps the promise that an index leads to every document: only one that is known to be complete is said to be ready.
 */
#include "document_index.h"

#include <stdlib.h>

#include "documents.h"

#define PAGE      STORE_PAGE_MAX /* documents of one transaction, if they are small: others come between two */
#define BYTES_MAX (4u << 20)     /* of documents of one transaction */
#define TRIES_MAX 16             /* as DOCUMENT_TRIES_MAX */

static const char *const tree_names[] = {[XCAP_USERS] = "users", [XCAP_GLOBAL] = "global"};

static struct document_key state_key(const struct usage *usage, enum xcap_tree tree)
{
    return (struct document_key){TEXT(DOCUMENT_INDEXES), usage->auid, text_of(tree_names[tree])};
}

enum status document_index_ready(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                 bool *ready_out)
{
    const struct usage_searchable *searchable = usage_searchable(usage, tree);
    const struct document_key key = state_key(usage, tree);
    struct stored found;
    struct arena arena;
    *ready_out = false;
    if (!searchable)
        return OK;
    arena_init(&arena, "index");
    enum status status = store_get(documents->store, &key, &arena, &found);
    *ready_out = status == OK && text_equal(found.bytes, searchable->signature);
    arena_clear(&arena);
    return status == NOT_FOUND ? OK : status;
}

static enum status say_ready(const struct documents *documents, const struct usage *usage, enum xcap_tree tree)
{
    struct commit commit = {
        .key = state_key(usage, tree), .expected = VERSION_ANY, .bytes = usage_searchable(usage, tree)->signature};
    return store_commit(documents->store, &commit, 1);
}

static enum status is_empty(const struct documents *documents, const struct usage *usage, bool *empty_out)
{
    struct key_page page;
    struct arena arena;
    arena_init(&arena, "index");
    enum status status = document_list_all(documents, usage, NULL, 1, &arena, &page);
    *empty_out = status == OK && page.count == 0;
    arena_clear(&arena);
    return status;
}

enum status document_index_open(const struct documents *documents, size_t *missing_out)
{
    const struct usage_set *set = documents_usages(documents);
    enum status status = OK;
    *missing_out = 0;
    for (size_t i = 0; status == OK && i < 2 * usage_count(set); i++) {
        const struct usage *usage = usage_at(set, i / 2);
        enum xcap_tree tree = i % 2 ? XCAP_GLOBAL : XCAP_USERS;
        bool ready = true, empty = false;
        if (!usage_searchable(usage, tree))
            continue;
        status = document_index_ready(documents, usage, tree, &ready);
        if (status != OK || ready)
            continue;
        status = is_empty(documents, usage, &empty);
        if (status == OK && empty)
            status = say_ready(documents, usage, tree);
        *missing_out += !empty;
    }
    return status;
}

static bool is_entry(const struct claim *claim)
{
    return text_find_char(claim->kind, USAGE_INDEX_KIND) < claim->kind.length;
}

static int claim_order(const void *a, const void *b)
{
    const struct claim *left = a, *right = b;
    int order = text_compare(left->kind, right->kind);
    return order ? order : text_compare(left->value, right->value);
}

/* What one document holds and what it should. */
struct look {
    struct stored found;
    struct claim *wanted; /* others as they are, and its entries */
    size_t wanted_count;
    bool right;
};

static enum status look_at(const struct documents *documents, const struct usage *usage, const struct document_key *key,
                           struct arena *arena, struct look *look_out)
{
    const struct usage_claim *entries;
    struct claim *held;
    size_t held_count, others = 0;
    enum status status = store_get_claims(documents->store, key, arena, &look_out->found, &held, &held_count);
    if (status != OK)
        return status;
    enum xcap_tree tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL;
    size_t count = usage_index_entries(usage, tree, look_out->found.bytes, arena, &entries);
    look_out->wanted = arena_array(arena, struct claim, held_count + count);
    for (size_t i = 0; i < held_count; i++)
        if (!is_entry(&held[i]))
            look_out->wanted[others++] = held[i];
    for (size_t i = 0; i < count; i++)
        look_out->wanted[others + i] = (struct claim){entries[i].kind, entries[i].value, true};
    look_out->wanted_count = others + count;
    look_out->right = look_out->wanted_count == held_count;
    if (!look_out->right)
        return OK;
    struct claim *wanted = arena_array(arena, struct claim, held_count);
    for (size_t i = 0; i < held_count; i++)
        wanted[i] = look_out->wanted[i];
    qsort(held, held_count, sizeof(held[0]), claim_order);
    qsort(wanted, held_count, sizeof(wanted[0]), claim_order);
    for (size_t i = 0; i < held_count && look_out->right; i++)
        look_out->right = claim_order(&held[i], &wanted[i]) == 0;
    return OK;
}

static struct commit commit_of(const struct document_key *key, const struct look *look)
{
    return (struct commit){.key = *key,
                           .expected = look->found.version,
                           .claims = look->wanted,
                           .claims_count = look->wanted_count,
                           .claims_only = true};
}

/* Of one that was changed while the page was looked at. */
static enum status mend(const struct documents *documents, const struct usage *usage, const struct document_key *key)
{
    enum status status = CONFLICT;
    for (int i = 0; status == CONFLICT && i < TRIES_MAX; i++) {
        struct look look;
        struct arena arena;
        arena_init(&arena, "index");
        status = look_at(documents, usage, key, &arena, &look);
        struct commit commit = commit_of(key, &look);
        if (status == OK && !look.right)
            status = store_commit(documents->store, &commit, 1);
        arena_clear(&arena);
    }
    return status == NOT_FOUND ? OK : status;
}

/* What differs is committed at once; a document that changed meanwhile is looked at again. */
static enum status commit_looks(const struct documents *documents, const struct usage *usage, struct commit *commits,
                                size_t count)
{
    enum status status = OK;
    if (count)
        store_commit(documents->store, commits, count);
    for (size_t i = 0; status == OK && i < count; i++) {
        status = commits[i].status;
        if (status == CONFLICT || status == UNCERTAIN)
            status = mend(documents, usage, &commits[i].key);
    }
    return status;
}

static enum status rebuild_page(const struct documents *documents, const struct usage *usage,
                                const struct key_page *page, struct arena *arena, struct document_index_work *work)
{
    struct commit *commits = arena_array(arena, struct commit, page->count + 1);
    enum status status = OK;
    for (size_t i = 0; status == OK && i < page->count;) {
        struct arena batch;
        size_t count = 0, bytes = 0;
        arena_init(&batch, "index");
        for (; status == OK && i < page->count && bytes < BYTES_MAX; i++) {
            struct look look;
            status = look_at(documents, usage, &page->keys[i], &batch, &look);
            if (status == OK && !look.right)
                commits[count++] = commit_of(&page->keys[i], &look);
            if (status == NOT_FOUND)
                status = OK;
            bytes += page->sizes[i];
            work->documents++;
        }
        work->changed += count;
        if (status == OK)
            status = commit_looks(documents, usage, commits, count);
        arena_clear(&batch);
    }
    return status;
}

typedef enum status page_fn(const struct documents *documents, const struct usage *usage, const struct key_page *page,
                            struct arena *arena, void *context);

/* All documents of a usage, page by page. */
static enum status each_page(const struct documents *documents, const struct usage *usage, const volatile bool *stop,
                             page_fn *visit, void *context)
{
    struct arena last, now;
    struct key_page page = {0};
    enum status status = OK;
    bool more = true;
    arena_init(&last, "page");
    for (bool first = true; status == OK && more; first = false) {
        const struct document_key *after = first ? NULL : &page.keys[page.count - 1];
        arena_init(&now, "page");
        status = stop && *stop ? CONFLICT : document_list_all(documents, usage, after, PAGE, &now, &page);
        more = status == OK && page.more && page.count;
        if (status == OK)
            status = visit(documents, usage, &page, &now, context);
        arena_clear(&last);
        last = now;
    }
    arena_clear(&last);
    return status;
}

static enum status visit_to_rebuild(const struct documents *documents, const struct usage *usage,
                                    const struct key_page *page, struct arena *arena, void *work)
{
    return rebuild_page(documents, usage, page, arena, work);
}

enum status document_index_rebuild(const struct documents *documents, const struct usage *usage,
                                   const volatile bool *stop, struct document_index_work *work_out)
{
    *work_out = (struct document_index_work){0};
    enum status status = each_page(documents, usage, stop, visit_to_rebuild, work_out);
    for (int tree = 0; status == OK && tree < 2; tree++)
        if (usage_searchable(usage, (enum xcap_tree)tree))
            status = say_ready(documents, usage, (enum xcap_tree)tree);
    return status;
}

struct checking {
    store_problem_fn *problem;
    void *context;
    bool ready[2];
    size_t problems;
};

static enum status visit_to_check(const struct documents *documents, const struct usage *usage,
                                  const struct key_page *page, struct arena *arena, void *context)
{
    struct checking *checking = context;
    for (size_t i = 0; i < page->count; i++) {
        const struct document_key *key = &page->keys[i];
        struct look look;
        if (!checking->ready[key->owner.length ? XCAP_USERS : XCAP_GLOBAL])
            continue;
        enum status status = look_at(documents, usage, key, arena, &look);
        if (status != OK && status != NOT_FOUND)
            return status;
        if (status == NOT_FOUND || look.right)
            continue;
        checking->problems++;
        checking->problem(checking->context,
                          text_format(arena,
                                      "the index entries of a document are not what its manifest says: %.*s %.*s %.*s",
                                      TEXT_ARG(key->usage), TEXT_ARG(key->owner), TEXT_ARG(key->name)));
    }
    return OK;
}

enum status document_index_check(const struct documents *documents, store_problem_fn *problem, void *context)
{
    const struct usage_set *set = documents_usages(documents);
    struct checking checking = {problem, context, {false, false}, 0};
    enum status status = OK;
    for (size_t i = 0; status == OK && i < usage_count(set); i++) {
        const struct usage *usage = usage_at(set, i);
        for (int tree = 0; status == OK && tree < 2; tree++)
            status = document_index_ready(documents, usage, (enum xcap_tree)tree, &checking.ready[tree]);
        if (status == OK && (checking.ready[0] || checking.ready[1]))
            status = each_page(documents, usage, NULL, visit_to_check, &checking);
    }
    if (status != OK)
        return FAILED;
    return checking.problems ? CONFLICT : OK;
}
