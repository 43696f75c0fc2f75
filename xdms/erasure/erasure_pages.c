/* What there is of each kind about a user, a page at a time, as the commits that delete it. */
#include "deferred.h"
#include "erasure_own.h"
#include "fate.h"
#include "history.h"

/* Records of an internal usage that stand under his address. */
static enum status own_page(const struct documents *documents, const char *usage, const struct erasure *erasure,
                            struct arena *arena, struct erasure_page *page)
{
    const struct document_key prefix = {text_of(usage), erasure->address, {0}};
    struct key_page keys = {0};
    enum status status = document_internal_list(documents, &prefix, NULL, ERASURE_PAGE, arena, &keys);
    page->commits = arena_array(arena, struct commit, keys.count + 1);
    for (size_t i = 0; status == OK && i < keys.count; i++)
        page->commits[page->count++] =
            (struct commit){.key = keys.keys[i], .expected = VERSION_ANY, .deletion = true, .who = erasure->who};
    page->items = page->count;
    return status;
}

/* With those that have ended and are still to be told of: a report about the user would be one more trace. And the
 * user's copies of what is being handed out. */
static enum status message_page(const struct documents *documents, const struct erasure *erasure, struct arena *arena,
                                struct erasure_page *page)
{
    const struct document_key prefix = {TEXT(DOCUMENT_DEFERRED), erasure->address, {0}};
    struct key_page keys = {0};
    enum status status = document_internal_list(documents, &prefix, NULL, ERASURE_PAGE, arena, &keys);
    struct commit *others = arena_array(arena, struct commit, keys.count * DEFERRED_END_COMMITS + 1);
    size_t others_count = 0;
    page->commits = arena_array(arena, struct commit, keys.count * DEFERRED_END_COMMITS + 1);
    for (size_t i = 0; status == OK && i < keys.count; i++) {
        struct deferred deferred;
        if (deferred_get(documents, erasure->address, keys.keys[i].name, arena, &deferred) != OK)
            others[others_count++] = /* damaged, or it has just been delivered */
                (struct commit){.key = keys.keys[i], .expected = VERSION_ANY, .deletion = true, .who = erasure->who};
        else if (deferred.outcome == DEFERRED_WAITING)
            page->count += deferred_forget(&deferred, arena, page->commits + page->count);
        else
            others_count += deferred_forget(&deferred, arena, others + others_count);
    }
    page->waiting = page->count;
    for (size_t i = 0; i < others_count; i++)
        page->commits[page->count++] = others[i];
    page->items = status == OK ? keys.count : 0;
    if (status != OK || page->items)
        return status;
    status = deferred_fan_out_removals(documents, erasure->address, ERASURE_PAGE, erasure->who, arena, &page->commits,
                                       &page->count);
    page->items = status == OK ? page->count : 0;
    return status;
}

static enum status history_page(const struct documents *documents, const struct erasure *erasure, struct arena *arena,
                                struct erasure_page *page)
{
    const struct history_figures some = {.count = ERASURE_PAGE};
    struct text *references;
    size_t count = 0;
    enum status status = history_oldest(documents, erasure->address, &some, arena, &references, &count);
    page->commits = arena_array(arena, struct commit, count * HISTORY_REMOVE_COMMITS + 1);
    page->items = status == OK ? count : 0;
    page->count = history_remove(erasure->address, references, page->items, erasure->who, arena, page->commits);
    return status;
}

/* And who watches the user, mostly those same clients, and when the user looked what waits. */
static enum status settings_page(const struct documents *documents, const struct erasure *erasure, struct arena *arena,
                                 struct erasure_page *page)
{
    enum status status = own_page(documents, DOCUMENT_SETTINGS, erasure, arena, page);
    if (status != OK || page->items)
        return status;
    status = own_page(documents, DOCUMENT_SUBSCRIPTIONS, erasure, arena, page);
    if (status != OK || page->items)
        return status;
    return own_page(documents, DOCUMENT_LISTED, erasure, arena, page);
}

static enum status document_page(const struct documents *documents, const struct erasure *erasure, struct arena *arena,
                                 struct erasure_page *page)
{
    enum status status =
        document_removals(documents, erasure->address, ERASURE_PAGE, erasure->who, arena, &page->commits, &page->count);
    page->items = page->count;
    return status;
}

static enum status trace_page(const struct documents *documents, const struct erasure *erasure, struct arena *arena,
                              struct erasure_page *page)
{
    enum status status =
        fate_removals(documents, erasure->address, ERASURE_PAGE, erasure->who, arena, &page->commits, &page->count);
    page->items = page->count;
    return status;
}

enum status erasure_page_of(const struct documents *documents, const struct erasure *erasure, enum erasure_kind kind,
                            struct arena *arena, struct erasure_page *page_out)
{
    switch (kind) {
    case ERASURE_ACCOUNT: return own_page(documents, DOCUMENT_USERS, erasure, arena, page_out);
    case ERASURE_BINDINGS: return own_page(documents, DOCUMENT_BINDINGS, erasure, arena, page_out);
    case ERASURE_SETTINGS: return settings_page(documents, erasure, arena, page_out);
    case ERASURE_DOCUMENTS: return document_page(documents, erasure, arena, page_out);
    case ERASURE_MESSAGES: return message_page(documents, erasure, arena, page_out);
    case ERASURE_REPORTS: return own_page(documents, DOCUMENT_REPORTS, erasure, arena, page_out);
    case ERASURE_HISTORY: return history_page(documents, erasure, arena, page_out);
    case ERASURE_TRACES: return trace_page(documents, erasure, arena, page_out);
    default: return OK;
    }
}
