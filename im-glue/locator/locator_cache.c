/* What was answered, as long as it is true. Somebody waits for the same question: it is asked once. */
#include "locator_private.h"

static void forget(struct locator *locator, struct entry *entry)
{
    if (entry->asked && locator->asked)
        HASH_DELETE(by_number, locator->asked, entry);
    HASH_DELETE(by_key, locator->entries, entry);
    TAILQ_REMOVE(&locator->used, entry, used);
    arena_clear(&entry->arena);
    free(entry->key);
    free(entry);
}

/* The least recently used that nobody waits for. Those of a search stand behind all others while it is planned. */
static void make_room(struct locator *locator)
{
    struct entry *entry = TAILQ_FIRST(&locator->used), *next;
    for (; entry && HASH_CNT(by_key, locator->entries) >= locator->settings.entries_max; entry = next) {
        next = TAILQ_NEXT(entry, used);
        if (!entry->asked)
            forget(locator, entry);
    }
}

static struct entry *find(struct locator *locator, enum dns_type type, struct text name)
{
    struct entry *entry = NULL;
    struct arena arena;
    arena_init(&arena, "key");
    struct text key = text_format(&arena, "%d %.*s", (int)type, TEXT_ARG(name));
    HASH_FIND(by_key, locator->entries, key.bytes, key.length, entry);
    if (!entry) {
        make_room(locator);
        entry = memory_new(sizeof(*entry));
        entry->type = type;
        entry->key = text_keep(key);
        arena_init(&entry->arena, "entry");
        TAILQ_INIT(&entry->waiting);
        HASH_ADD_KEYPTR(by_key, locator->entries, entry->key, key.length, entry);
        TAILQ_INSERT_TAIL(&locator->used, entry, used);
    }
    arena_clear(&arena);
    return entry;
}

static void ask(struct locator *locator, struct entry *entry)
{
    if (entry->asked)
        return;
    entry->asked = true;
    entry->number = ++locator->last_number;
    HASH_ADD(by_number, locator->asked, number, sizeof(entry->number), entry);
    TAILQ_INSERT_TAIL(&locator->questions, entry, queued);
}

struct entry *cache_get(struct locator *locator, const struct search *search, enum dns_type type, struct text name,
                        struct entry **missing_out)
{
    struct entry *entry = find(locator, type, name);
    TAILQ_REMOVE(&locator->used, entry, used);
    TAILQ_INSERT_TAIL(&locator->used, entry, used);
    if (entry->known && (entry->until_ms > locator->now_ms || entry->known_at_ms >= search->began_ms))
        return entry;
    ask(locator, entry);
    if (!*missing_out)
        *missing_out = entry;
    return NULL;
}

bool locator_question(struct locator *locator, struct dns_question *question_out)
{
    struct entry *entry = TAILQ_FIRST(&locator->questions);
    struct text type, name;
    if (!entry)
        return false;
    TAILQ_REMOVE(&locator->questions, entry, queued);
    arena_reset(&locator->given);
    text_cut(text_of(entry->key), ' ', &type, &name);
    *question_out = (struct dns_question){entry->number, entry->type, text_copy(&locator->given, name)};
    return true;
}

void cache_free(struct locator *locator)
{
    while (locator->entries)
        forget(locator, locator->entries);
}
