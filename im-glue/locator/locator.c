/* Searches from their beginning to their result. How a URI leads to questions is in locator_plan.c. */
#include "locator_private.h"

struct locator *locator_new(const struct locator_settings *settings)
{
    struct locator *locator = memory_new(sizeof(*locator));
    locator->settings = *settings;
    if (locator->settings.entries_max < LOCATOR_LOOKUPS_MAX)
        locator->settings.entries_max = LOCATOR_LOOKUPS_MAX;
    TAILQ_INIT(&locator->used);
    TAILQ_INIT(&locator->questions);
    TAILQ_INIT(&locator->searches);
    TAILQ_INIT(&locator->found);
    arena_init(&locator->given, "question");
    return locator;
}

static void search_free(struct locator *locator, struct search *search)
{
    TAILQ_REMOVE(&locator->searches, search, all);
    locator->searches_count--;
    free(search->uri);
    free(search);
}

void locator_free(struct locator *locator)
{
    if (!locator)
        return;
    while (!TAILQ_EMPTY(&locator->searches))
        search_free(locator, TAILQ_FIRST(&locator->searches));
    for (struct found *found; (found = TAILQ_FIRST(&locator->found));) {
        TAILQ_REMOVE(&locator->found, found, all);
        free(found);
    }
    cache_free(locator);
    failed_free(locator);
    arena_clear(&locator->given);
    free(locator);
}

static void stop_waiting(struct search *search)
{
    if (search->waits_for)
        TAILQ_REMOVE(&search->waits_for->waiting, search, waiting);
    search->waits_for = NULL;
}

/* Goes on as far as what is known leads. `last`: what is not known now is not known. */
static void go_on(struct locator *locator, struct search *search, bool last)
{
    struct found *found = memory_new(sizeof(*found));
    stop_waiting(search);
    struct entry *missing = plan_make(locator, search, &found->result);
    if (missing && !last) {
        free(found);
        search->waits_for = missing;
        TAILQ_INSERT_TAIL(&missing->waiting, search, waiting);
        return;
    }
    if (missing && found->result.count == 0)
        found->result.outcome = LOCATOR_UNKNOWN;
    found->result.cookie = search->cookie;
    TAILQ_INSERT_TAIL(&locator->found, found, all);
    search_free(locator, search);
}

void locator_find(struct locator *locator, struct text uri, uint64_t cookie, int64_t now_ms)
{
    struct search *search = memory_new(sizeof(*search));
    locator->now_ms = now_ms;
    search->uri = text_keep(uri);
    search->cookie = cookie;
    search->began_ms = now_ms;
    TAILQ_INSERT_TAIL(&locator->searches, search, all);
    locator->searches_count++;
    go_on(locator, search, false);
}

bool locator_result(struct locator *locator, struct locator_result *result_out)
{
    struct found *found = TAILQ_FIRST(&locator->found);
    if (!found)
        return false;
    TAILQ_REMOVE(&locator->found, found, all);
    *result_out = found->result;
    free(found);
    return true;
}

static void keep(struct locator *locator, struct entry *entry, const struct dns_answer *answer)
{
    struct dns_record *records;
    int64_t ttl_ms = answer->outcome == DNS_UNKNOWN ? LOCATOR_UNKNOWN_MS : answer->ttl_s * 1000;
    arena_clear(&entry->arena);
    records = arena_array(&entry->arena, struct dns_record, answer->count ? answer->count : 1);
    for (size_t i = 0; i < answer->count; i++) {
        records[i] = answer->records[i];
        records[i].target = text_copy(&entry->arena, records[i].target);
        records[i].flags = text_copy(&entry->arena, records[i].flags);
        records[i].service = text_copy(&entry->arena, records[i].service);
        records[i].substitution = (struct text){0};
    }
    entry->records = records;
    entry->count = answer->count;
    entry->outcome = answer->outcome;
    entry->known = true;
    entry->known_at_ms = locator->now_ms;
    entry->until_ms = locator->now_ms + (ttl_ms < locator->settings.ttl_ms_max ? ttl_ms : locator->settings.ttl_ms_max);
}

void locator_answer(struct locator *locator, uint64_t number, const struct dns_answer *answer, int64_t now_ms)
{
    struct entry *entry = NULL;
    struct search_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
    locator->now_ms = now_ms;
    HASH_FIND(by_number, locator->asked, &number, sizeof(number), entry);
    if (!entry)
        return;
    HASH_DELETE(by_number, locator->asked, entry);
    entry->asked = false;
    keep(locator, entry, answer);
    TAILQ_CONCAT(&waiting, &entry->waiting, waiting); /* some of them may wait for it again */
    for (struct search *search; (search = TAILQ_FIRST(&waiting));) {
        TAILQ_REMOVE(&waiting, search, waiting);
        search->waits_for = NULL;
        go_on(locator, search, false);
    }
}

void locator_tick(struct locator *locator, int64_t now_ms)
{
    locator->now_ms = now_ms;
    for (struct search *search; (search = TAILQ_FIRST(&locator->searches));) {
        if (search->began_ms + locator->settings.patience_ms > now_ms)
            break;
        go_on(locator, search, true);
    }
}

int64_t locator_deadline(const struct locator *locator)
{
    const struct search *first = TAILQ_FIRST(&locator->searches);
    if (!TAILQ_EMPTY(&locator->found))
        return locator->now_ms;
    return first ? first->began_ms + locator->settings.patience_ms : INT64_MAX;
}

void locator_figures(const struct locator *locator, struct locator_figures *figures_out)
{
    *figures_out = (struct locator_figures){locator->searches_count, HASH_CNT(by_key, locator->entries)};
}
