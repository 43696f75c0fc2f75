/* What is left of answered requests: their answers, for who repeats them (RFC 3261 §17.2.2, timer J). All are kept for
 * the same time, so they end in the order in which they came, and lie one behind the other in segments that are given
 * back whole. A million are no more work than ten: nothing is written when one of them ends. */
#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define SEGMENT_BYTES ((size_t)256 << 10)
#define SEGMENT_UNITS (SEGMENT_BYTES / UNIT_BYTES)
#define UNIT_BYTES    16 /* places are multiples of it */
#define RING_MIN      16
#define BUCKETS_MIN   64
#define BUCKETS_FEW   1024 /* 64 KiB: up to here tables grow by four, so that few are begun, from here on by two */
#define SLOTS         7
#define LOAD_PERCENT  70 /* of the slots; beyond, too many buckets overflow */
#define SHRINKING     8  /* that much too large is worth another table */
#define TAG_BITS      16 /* the rest is the place: 4 PiB of answers */

/* Places count units over all segments there have ever been; what lies before `oldest` has ended. */
struct ended_segment {
    size_t size, used; /* of bytes */
    uint64_t last;     /* place of the last entry */
    alignas(UNIT_BYTES) char bytes[];
};

/* A line of the processor's cache. A slot is a place and some bits of the hash; what has ended is free. */
struct bucket {
    alignas(64) uint64_t overflow; /* the last entry that found no slot here */
    uint64_t slots[SLOTS];
};

static_assert(sizeof(struct bucket) == 64, "one line");

/* When a table is full another is begun, and this one goes when all in it have ended. */
struct ended_table {
    struct ended_table *older;
    size_t bucket_count; /* power of two */
    uint64_t last;       /* place of the last entry */
    void *memory;        /* of the buckets, which begin with a line */
    struct bucket *buckets;
};

/* All that end in the same millisecond. */
struct ended_moment {
    int64_t end_ms;
    uint64_t last; /* place of the last entry */
    size_t count;
};

static size_t unit_round(size_t bytes)
{
    return (bytes + UNIT_BYTES - 1) & ~(size_t)(UNIT_BYTES - 1);
}

/* --- segments --------------------------------------------------------------------------------------------------- */

static struct ended_segment **segment_place(const struct ended *ended, uint64_t number)
{
    return &ended->segments[number & (ended->segments_capacity - 1)];
}

static struct ended_entry *entry_at(const struct ended *ended, uint64_t place)
{
    struct ended_segment *segment = *segment_place(ended, place / SEGMENT_UNITS);
    return (struct ended_entry *)(segment->bytes + place % SEGMENT_UNITS * UNIT_BYTES);
}

static void grow_segments(struct ended *ended)
{
    struct ended bigger = *ended;
    bigger.segments_capacity = ended->segments_capacity ? ended->segments_capacity * 2 : RING_MIN;
    bigger.segments = memory_new(bigger.segments_capacity * sizeof(*bigger.segments));
    for (uint64_t number = ended->first_segment; number < ended->end_segment; number++)
        *segment_place(&bigger, number) = *segment_place(ended, number);
    free(ended->segments);
    *ended = bigger;
}

static struct ended_segment *segment_new(struct ended *ended, size_t size)
{
    struct ended_segment *segment;
    if (size <= SEGMENT_BYTES && ended->spares_count > 0)
        segment = ended->spares[--ended->spares_count];
    else
        segment = memory_new_raw(sizeof(*segment) + (size > SEGMENT_BYTES ? size : SEGMENT_BYTES));
    segment->size = size > SEGMENT_BYTES ? size : SEGMENT_BYTES;
    segment->used = 0;
    if (ended->end_segment - ended->first_segment == ended->segments_capacity)
        grow_segments(ended);
    *segment_place(ended, ended->end_segment++) = segment;
    return segment;
}

static void segment_free(struct ended *ended, struct ended_segment *segment)
{
    if (segment->size == SEGMENT_BYTES && ended->spares_count < ENDED_SPARES_MAX)
        ended->spares[ended->spares_count++] = segment;
    else
        free(segment);
}

/* Room for that many bytes behind all others, and the place of it. */
static struct ended_entry *append(struct sip_agent *agent, size_t size, uint64_t *place_out)
{
    struct ended *ended = &agent->ended;
    struct ended_segment *segment =
        ended->end_segment > ended->first_segment ? *segment_place(ended, ended->end_segment - 1) : NULL;
    if (!segment || segment->size - segment->used < size)
        segment = segment_new(ended, size);
    *place_out = segment->last = (ended->end_segment - 1) * SEGMENT_UNITS + segment->used / UNIT_BYTES;
    struct ended_entry *entry = (struct ended_entry *)(segment->bytes + segment->used);
    segment->used += size;
    agent->bytes += size;
    return entry;
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

static uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> (64 - TAG_BITS));
}

static struct bucket *bucket_of(const struct ended_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

/* Of zeroes that the kernel gives when they are touched, so that beginning a large one takes no time. */
static void begin_table(struct sip_agent *agent, size_t bucket_count)
{
    struct ended_table *table = memory_new(sizeof(*table));
    size_t bytes = bucket_count * sizeof(struct bucket);
    table->bucket_count = bucket_count;
    table->memory = memory_new(bytes + alignof(struct bucket));
    table->buckets = (struct bucket *)(((uintptr_t)table->memory + alignof(struct bucket) - 1) &
                                       ~(uintptr_t)(alignof(struct bucket) - 1));
    table->older = agent->ended.tables;
    agent->ended.tables = table;
    agent->bytes += bytes;
}

static void end_tables(struct sip_agent *agent, struct ended_table **from)
{
    while (*from) {
        struct ended_table *table = *from;
        *from = table->older;
        agent->bytes -= table->bucket_count * sizeof(struct bucket);
        free(table->memory);
        free(table);
    }
}

/* Each entry has two slots at most. */
static void fit_table(struct sip_agent *agent)
{
    const struct ended *ended = &agent->ended;
    size_t wanted = 2 * (ended->count + 1) * 100 / (SLOTS * LOAD_PERCENT);
    size_t present = ended->tables ? ended->tables->bucket_count : 0;
    if (present == 0)
        begin_table(agent, BUCKETS_MIN);
    else if (wanted > present)
        begin_table(agent, present * (present < BUCKETS_FEW ? 4 : 2));
    else if (present > BUCKETS_MIN && wanted < present / SHRINKING)
        begin_table(agent, present / 4);
}

static void insert(const struct ended *ended, uint64_t hash, uint64_t place)
{
    struct ended_table *table = ended->tables;
    struct bucket *bucket = bucket_of(table, hash);
    table->last = place;
    for (;;) {
        for (size_t i = 0; i < SLOTS; i++) {
            if (bucket->slots[i] >> TAG_BITS >= ended->oldest)
                continue;
            bucket->slots[i] = place << TAG_BITS | tag_of(hash);
            return;
        }
        bucket->overflow = place;
        if (++bucket == table->buckets + table->bucket_count)
            bucket = table->buckets;
    }
}

void ended_expect(const struct sip_agent *agent, uint64_t hash)
{
    for (const struct ended_table *table = agent->ended.tables; table; table = table->older)
        __builtin_prefetch(bucket_of(table, hash));
}

/* By its key; NULL: by its mark, which is the hash. */
static const struct ended_entry *look_up(const struct ended *ended, uint64_t hash, const struct text_fingerprint *key)
{
    for (const struct ended_table *table = ended->tables; table; table = table->older) {
        const struct bucket *first = bucket_of(table, hash), *bucket = first;
        do {
            for (size_t i = 0; i < SLOTS; i++) {
                uint64_t slot = bucket->slots[i];
                if ((uint16_t)slot != tag_of(hash) || slot >> TAG_BITS < ended->oldest)
                    continue;
                const struct ended_entry *entry = entry_at(ended, slot >> TAG_BITS);
                if (key ? fingerprint_equal(&entry->key, key) : entry->merge_hash == hash)
                    return entry;
            }
            if (bucket->overflow < ended->oldest)
                break;
            if (++bucket == table->buckets + table->bucket_count)
                bucket = table->buckets;
        } while (bucket != first); /* room was made where all overflowed once */
    }
    return NULL;
}

/* --- time ------------------------------------------------------------------------------------------------------- */

static struct ended_moment *moment_at(const struct ended *ended, size_t index)
{
    return &ended->moments[(ended->first_moment + index) & (ended->moments_capacity - 1)];
}

static void grow_moments(struct ended *ended)
{
    struct ended_moment *moments =
        memory_new_raw((ended->moments_capacity ? ended->moments_capacity * 2 : RING_MIN) * sizeof(*moments));
    for (size_t i = 0; i < ended->moments_count; i++)
        moments[i] = *moment_at(ended, i);
    free(ended->moments);
    ended->moments = moments;
    ended->moments_capacity = ended->moments_capacity ? ended->moments_capacity * 2 : RING_MIN;
    ended->first_moment = 0;
}

static void count_moment(struct ended *ended, int64_t end_ms, uint64_t place)
{
    struct ended_moment *last = ended->moments_count ? moment_at(ended, ended->moments_count - 1) : NULL;
    if (!last || last->end_ms < end_ms) {
        if (ended->moments_count == ended->moments_capacity)
            grow_moments(ended);
        last = moment_at(ended, ended->moments_count++);
        *last = (struct ended_moment){.end_ms = end_ms};
    }
    last->last = place;
    last->count++;
    ended->count++;
}

int64_t ended_deadline(const struct sip_agent *agent)
{
    return agent->ended.moments_count ? moment_at(&agent->ended, 0)->end_ms : NEVER;
}

static void give_back(struct sip_agent *agent)
{
    struct ended *ended = &agent->ended;
    while (ended->first_segment < ended->end_segment) {
        struct ended_segment *first = *segment_place(ended, ended->first_segment);
        if (first->last >= ended->oldest)
            break;
        ended->first_segment++;
        agent->bytes -= first->used;
        segment_free(ended, first);
    }
    struct ended_table **table = &ended->tables;
    if (ended->count > 0)
        for (table = &ended->tables->older; *table && (*table)->last >= ended->oldest;)
            table = &(*table)->older;
    end_tables(agent, table);
}

void ended_tick(struct sip_agent *agent, int64_t now_ms)
{
    struct ended *ended = &agent->ended;
    if (ended_deadline(agent) > now_ms)
        return;
    while (ended->moments_count && moment_at(ended, 0)->end_ms <= now_ms) {
        const struct ended_moment *first = moment_at(ended, 0);
        ended->oldest = first->last + 1;
        ended->count -= first->count;
        ended->moments_count--;
        ended->first_moment++;
    }
    give_back(agent);
}

/* --- what the agent asks ---------------------------------------------------------------------------------------- */

/* Places begin behind 0, which is that of an empty slot. */
void ended_init(struct ended *ended)
{
    *ended = (struct ended){.oldest = 1, .first_segment = 1, .end_segment = 1};
}

void ended_add(struct sip_agent *agent, const struct transaction *transaction, struct text answer, int64_t now_ms)
{
    struct ended *ended = &agent->ended;
    uint64_t place;
    assert(transaction->flow.kind == FLOW_UDP && answer.length <= UINT32_MAX);
    struct ended_entry *entry = append(agent, unit_round(sizeof(*entry) + answer.length), &place);
    entry->key = transaction->key;
    entry->merge_hash = transaction->in_merge_table ? transaction->merge_hash : 0;
    entry->peer = transaction->flow.peer;
    entry->length = (uint32_t)answer.length;
    if (answer.length)
        memcpy(entry->bytes, answer.bytes, answer.length);
    fit_table(agent);
    insert(ended, entry->key.low, place);
    if (entry->merge_hash)
        insert(ended, entry->merge_hash, place);
    count_moment(ended, now_ms + agent->end_ms, place);
}

const struct ended_entry *ended_find(const struct sip_agent *agent, const struct text_fingerprint *key)
{
    return look_up(&agent->ended, key->low, key);
}

bool ended_merge_known(const struct sip_agent *agent, uint64_t merge_hash)
{
    return look_up(&agent->ended, merge_hash, NULL) != NULL;
}

void ended_free(struct sip_agent *agent)
{
    struct ended *ended = &agent->ended;
    for (; ended->first_segment < ended->end_segment; ended->first_segment++)
        free(*segment_place(ended, ended->first_segment));
    while (ended->spares_count > 0)
        free(ended->spares[--ended->spares_count]);
    end_tables(agent, &ended->tables);
    free(ended->segments);
    free(ended->moments);
}
