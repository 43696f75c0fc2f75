/* Counts of failures that run off with time, and addresses that are good for a user. Tables of fixed size, in sets of a
 * few places: what is kept longest gives way last. */
#include "guard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS        4  /* places of one set */
#define LOCKS_COUNT 64 /* sets share them: threads seldom meet */
#define V6_PREFIX   8  /* bytes */

struct slot {
    uint64_t key;     /* 0: free */
    int64_t until_ms; /* a count: when it has run off; a good address: when it is forgotten */
};

struct table {
    struct slot *slots;
    size_t sets;
    pthread_mutex_t locks[LOCKS_COUNT];
};

struct guard {
    struct guard_settings settings;
    uint64_t seed;
    atomic_int_least64_t quiet_ms; /* no count runs longer: nothing to look up */
    struct table failures, good;
};

static void table_init(struct table *table, size_t slots)
{
    table->sets = slots / WAYS;
    table->slots = memory_new(slots * sizeof(*table->slots));
    for (size_t i = 0; i < LOCKS_COUNT; i++)
        pthread_mutex_init(&table->locks[i], NULL);
}

static void table_clear(struct table *table)
{
    for (size_t i = 0; i < LOCKS_COUNT; i++)
        pthread_mutex_destroy(&table->locks[i]);
    free(table->slots);
}

struct guard *guard_new(const struct guard_settings *settings)
{
    struct guard *guard = memory_new(sizeof(*guard));
    guard->settings = *settings;
    guard->seed = text_hash_seed();
    atomic_init(&guard->quiet_ms, INT64_MIN);
    table_init(&guard->failures, GUARD_FAILURES_MAX);
    table_init(&guard->good, GUARD_GOOD_MAX);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    table_clear(&guard->failures);
    table_clear(&guard->good);
    free(guard);
}

/* --- one table --- */

static pthread_mutex_t *lock_of(struct table *table, uint64_t key)
{
    return &table->locks[key % table->sets % LOCKS_COUNT];
}

/* The place of this key or, when it has none, the one to give it. */
static struct slot *slot_of(struct table *table, uint64_t key)
{
    struct slot *set = &table->slots[key % table->sets * WAYS], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].key == 0 || (oldest->key && set[i].until_ms < oldest->until_ms))
            oldest = &set[i];
    }
    return oldest;
}

static int64_t table_read(struct table *table, uint64_t key)
{
    pthread_mutex_lock(lock_of(table, key));
    const struct slot *slot = slot_of(table, key);
    int64_t until_ms = slot->key == key ? slot->until_ms : INT64_MIN;
    pthread_mutex_unlock(lock_of(table, key));
    return until_ms;
}

static void table_write(struct table *table, uint64_t key, int64_t until_ms)
{
    pthread_mutex_lock(lock_of(table, key));
    *slot_of(table, key) = (struct slot){key, until_ms};
    pthread_mutex_unlock(lock_of(table, key));
}

static void table_remove(struct table *table, uint64_t key)
{
    pthread_mutex_lock(lock_of(table, key));
    struct slot *slot = slot_of(table, key);
    if (slot->key == key)
        *slot = (struct slot){0};
    pthread_mutex_unlock(lock_of(table, key));
}

/* --- what is counted --- */

struct keys {
    uint64_t user, address, pair; /* address and pair 0: there is no address */
};

static uint64_t nonzero(uint64_t hash)
{
    return hash ? hash : 1;
}

static struct keys keys_of(const struct guard *guard, const struct guard_source *source)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct keys keys = {.user = nonzero(text_hash(source->user, guard->seed))};
    if (!source->address)
        return keys;
    bool v4 = memcmp(source->address->bytes, mapped, sizeof(mapped)) == 0;
    struct text bytes = {(const char *)source->address->bytes, v4 ? 16 : V6_PREFIX};
    keys.address = nonzero(text_hash(bytes, ~guard->seed));
    keys.pair = nonzero(text_hash(source->user, guard->seed ^ keys.address));
    return keys;
}

static int64_t interval_ms(unsigned limit)
{
    return GUARD_WINDOW_MS / limit > 0 ? GUARD_WINDOW_MS / limit : 1;
}

/* Each failure lets its count run for one interval more; as long as another would not fit into the window, it waits. */
static int64_t wait_of(struct guard *guard, uint64_t key, unsigned limit, int64_t now_ms)
{
    if (limit == 0 || key == 0)
        return 0;
    int64_t until_ms = table_read(&guard->failures, key);
    if (until_ms <= now_ms)
        return 0;
    if (until_ms > now_ms + GUARD_WINDOW_MS) /* the clock was put back */
        until_ms = now_ms + GUARD_WINDOW_MS;
    int64_t wait_ms = until_ms - now_ms + interval_ms(limit) - GUARD_WINDOW_MS;
    return wait_ms > 0 ? wait_ms : 0;
}

static void count(struct guard *guard, uint64_t key, unsigned limit, int64_t now_ms)
{
    if (limit == 0 || key == 0)
        return;
    pthread_mutex_lock(lock_of(&guard->failures, key));
    struct slot *slot = slot_of(&guard->failures, key);
    int64_t until_ms = slot->key == key && slot->until_ms > now_ms ? slot->until_ms : now_ms;
    until_ms += interval_ms(limit);
    if (until_ms > now_ms + GUARD_WINDOW_MS)
        until_ms = now_ms + GUARD_WINDOW_MS;
    *slot = (struct slot){key, until_ms};
    pthread_mutex_unlock(lock_of(&guard->failures, key));
    int64_t quiet_ms = atomic_load(&guard->quiet_ms);
    while (quiet_ms < until_ms && !atomic_compare_exchange_weak(&guard->quiet_ms, &quiet_ms, until_ms))
        continue;
}

static bool is_good(struct guard *guard, const struct keys *keys, int64_t now_ms)
{
    return keys->pair && table_read(&guard->good, keys->pair) > now_ms;
}

static int64_t longest_wait(struct guard *guard, const struct keys *keys, int64_t now_ms)
{
    const struct guard_settings *settings = &guard->settings;
    int64_t wait_ms = wait_of(guard, keys->pair, settings->per_user, now_ms);
    if (is_good(guard, keys, now_ms))
        return wait_ms;
    int64_t user_ms = wait_of(guard, keys->user, settings->per_user, now_ms);
    int64_t address_ms = wait_of(guard, keys->address, settings->per_address, now_ms);
    wait_ms = wait_ms > user_ms ? wait_ms : user_ms;
    return wait_ms > address_ms ? wait_ms : address_ms;
}

int64_t guard_wait_ms(struct guard *guard, const struct guard_source *source, int64_t now_ms)
{
    if (atomic_load(&guard->quiet_ms) <= now_ms) /* nearly always */
        return 0;
    struct keys keys = keys_of(guard, source);
    return longest_wait(guard, &keys, now_ms);
}

/* What goes wrong at a good address is no sign of an attack from elsewhere. */
bool guard_failed(struct guard *guard, const struct guard_source *source, int64_t now_ms)
{
    struct keys keys = keys_of(guard, source);
    count(guard, keys.pair, guard->settings.per_user, now_ms);
    count(guard, keys.address, guard->settings.per_address, now_ms);
    if (!is_good(guard, &keys, now_ms))
        count(guard, keys.user, guard->settings.per_user, now_ms);
    return longest_wait(guard, &keys, now_ms) > 0;
}

void guard_succeeded(struct guard *guard, const struct guard_source *source, int64_t now_ms)
{
    struct keys keys = keys_of(guard, source);
    if (!keys.pair)
        return;
    /* Not for each request: a mark is as good for most of its time. */
    if (table_read(&guard->good, keys.pair) < now_ms + GUARD_GOOD_MS / 2)
        table_write(&guard->good, keys.pair, now_ms + GUARD_GOOD_MS);
    if (atomic_load(&guard->quiet_ms) > now_ms)
        table_remove(&guard->failures, keys.pair);
}
