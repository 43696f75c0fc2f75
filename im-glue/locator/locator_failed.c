/* Targets that did not answer lately: others come before them. */
#include "locator_private.h"

static struct text name_of(const struct flow *target, struct arena *arena)
{
    return text_format(arena, "%s %.*s", flow_kind_name(target->kind), TEXT_ARG(flow_peer_text(target, arena)));
}

static void forget(struct locator *locator, struct failed *failed)
{
    HASH_DEL(locator->failed, failed);
    free(failed->name);
    free(failed);
}

static struct failed *find(const struct locator *locator, struct text name)
{
    struct failed *failed = NULL;
    HASH_FIND(hh, locator->failed, name.bytes, name.length, failed);
    return failed;
}

bool failed_is(const struct locator *locator, const struct flow *target)
{
    struct arena arena;
    if (!locator->failed)
        return false;
    arena_init(&arena, "failed");
    const struct failed *failed = find(locator, name_of(target, &arena));
    arena_clear(&arena);
    return failed && failed->until_ms > locator->now_ms;
}

void locator_mark_failed(struct locator *locator, const struct flow *target, int64_t now_ms)
{
    struct arena arena;
    arena_init(&arena, "failed");
    struct text name = name_of(target, &arena);
    struct failed *failed = find(locator, name);
    locator->now_ms = now_ms;
    if (failed)
        forget(locator, failed);
    struct failed *oldest = locator->failed;
    if (oldest && HASH_COUNT(locator->failed) >= LOCATOR_FAILED_MAX)
        forget(locator, oldest);
    failed = memory_new(sizeof(*failed));
    failed->name = text_keep(name);
    failed->until_ms = now_ms + LOCATOR_FAILED_MS;
    HASH_ADD_KEYPTR(hh, locator->failed, failed->name, name.length, failed);
    arena_clear(&arena);
}

void failed_free(struct locator *locator)
{
    while (locator->failed)
        forget(locator, locator->failed);
}
