/* An endless stream of commits that anybody can work out again from its seed: what a store must hold after any number
 * of them. Batch j is one call of store_commit; its first document names j. */
#ifndef SUPPORT_STORE_STREAM_H
#define SUPPORT_STORE_STREAM_H

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "store.h"

#define STREAM_KEYS      24    /* documents that come, change and go */
#define STREAM_BATCH_MAX 6     /* commits of one batch, with that of the serial */
#define STREAM_BYTES_MAX 20000 /* most are small; some take several pages */

struct stream {
    const char *usage; /* several streams share a store under different usages */
    uint64_t seed;
};

struct stream_state {
    uint64_t batches;
    uint64_t written[STREAM_KEYS]; /* by which batch; 0: absent */
};

/* A number from 0 to 2^64-1 for each (seed, batch, what): splitmix64. */
static inline uint64_t stream_number(const struct stream *stream, uint64_t batch, uint64_t what)
{
    uint64_t number =
        stream->seed * 0x9E3779B97F4A7C15ull + batch * 0xBF58476D1CE4E5B9ull + what * 0x94D049BB133111EBull;
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9ull;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EBull;
    return number ^ (number >> 31);
}

static inline struct document_key stream_key(const struct stream *stream, unsigned key, struct arena *arena)
{
    return (struct document_key){text_of(stream->usage), TEXT("o"), text_format(arena, "k%u", key)};
}

static inline struct document_key stream_serial_key(const struct stream *stream)
{
    return (struct document_key){text_of(stream->usage), TEXT("o"), TEXT("serial")};
}

static inline struct text stream_bytes(const struct stream *stream, uint64_t batch, unsigned key, struct arena *arena)
{
    uint64_t number = stream_number(stream, batch, 100 + key);
    size_t length = number % 8 ? number % 300 : number % STREAM_BYTES_MAX;
    char *bytes = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i += sizeof(number)) { /* noise: what is packed must not become small */
        uint64_t noise = stream_number(stream, number, i);
        memcpy(bytes + i, &noise, length - i < sizeof(noise) ? length - i : sizeof(noise));
    }
    return (struct text){bytes, length};
}

/* What batch j does to the documents: which, and whether they go. No document twice. */
static inline size_t stream_plan(const struct stream *stream, uint64_t batch, unsigned keys[], bool deletions[])
{
    size_t count = 0, wanted = 1 + stream_number(stream, batch, 0) % (STREAM_BATCH_MAX - 1);
    for (uint64_t what = 1; count < wanted; what++) {
        uint64_t number = stream_number(stream, batch, what);
        unsigned key = (unsigned)(number % STREAM_KEYS);
        bool seen = false;
        for (size_t i = 0; i < count; i++)
            seen = seen || keys[i] == key;
        if (seen)
            continue;
        keys[count] = key;
        deletions[count++] = (number >> 32) % 5 == 0;
    }
    return count;
}

static inline size_t stream_commits(const struct stream *stream, uint64_t batch, struct arena *arena,
                                    struct commit commits[STREAM_BATCH_MAX])
{
    unsigned keys[STREAM_BATCH_MAX];
    bool deletions[STREAM_BATCH_MAX];
    size_t count = stream_plan(stream, batch, keys, deletions);
    commits[0] = (struct commit){.key = stream_serial_key(stream),
                                 .expected = VERSION_ANY,
                                 .bytes = text_format(arena, "%llu", (unsigned long long)batch)};
    for (size_t i = 0; i < count; i++) {
        struct claim *claims = arena_array(arena, struct claim, 2);
        claims[0] = (struct claim){TEXT("uri"), text_format(arena, "%s:%u", stream->usage, keys[i]), false};
        claims[1] = (struct claim){TEXT("of"), text_format(arena, "%llu", (unsigned long long)batch % 7), true};
        commits[i + 1] = (struct commit){.key = stream_key(stream, keys[i], arena),
                                         .expected = VERSION_ANY,
                                         .deletion = deletions[i],
                                         .claims = claims,
                                         .claims_count = deletions[i] ? 0 : 2,
                                         .quiet = stream_number(stream, batch, 50 + i) % 3 == 0,
                                         .who = TEXT("stream")};
        if (!deletions[i])
            commits[i + 1].bytes = stream_bytes(stream, batch, keys[i], arena);
    }
    return count + 1;
}

static inline void stream_apply(const struct stream *stream, struct stream_state *state)
{
    unsigned keys[STREAM_BATCH_MAX];
    bool deletions[STREAM_BATCH_MAX];
    size_t count = stream_plan(stream, ++state->batches, keys, deletions);
    for (size_t i = 0; i < count; i++)
        state->written[keys[i]] = deletions[i] ? 0 : state->batches;
}

/* How many batches a store holds. */
static inline bool stream_serial(const struct stream *stream, struct store *store, struct arena *arena,
                                 uint64_t *batches_out)
{
    struct document_key key = stream_serial_key(stream);
    struct stored found;
    enum status status = store_get(store, &key, arena, &found);
    *batches_out = 0;
    return status == NOT_FOUND || (status == OK && text_to_u64(found.bytes, batches_out));
}

static inline struct text stream_differs(struct arena *arena, const char *what, unsigned key, uint64_t batch)
{
    return text_format(arena, "document %u of batch %llu: %s", key, (unsigned long long)batch, what);
}

/* Empty when the store holds exactly this; else what differs. */
static inline struct text stream_compare(const struct stream *stream, const struct stream_state *state,
                                         struct store *store, struct arena *arena)
{
    for (unsigned i = 0; i < STREAM_KEYS; i++) {
        struct document_key key = stream_key(stream, i, arena), holder;
        struct text claim = text_format(arena, "%s:%u", stream->usage, i);
        struct stored found;
        enum status status = store_get(store, &key, arena, &found);
        enum status claimed = store_find(store, TEXT("uri"), claim, arena, &holder);
        if (status != (state->written[i] ? OK : NOT_FOUND))
            return stream_differs(arena, status_name(status), i, state->written[i]);
        if (claimed != status)
            return stream_differs(arena, "its claim is not as it is", i, state->written[i]);
        if (status == OK && !text_equal(found.bytes, stream_bytes(stream, state->written[i], i, arena)))
            return stream_differs(arena, "has other bytes", i, state->written[i]);
    }
    return TEXT("");
}

/* As many as the environment says, for runs longer than those of every day. */
static inline unsigned stream_rounds(const char *name, unsigned standard)
{
    const char *given = getenv(name);
    uint64_t rounds = standard;
    if (given)
        text_to_u64(text_of(given), &rounds);
    return (unsigned)rounds;
}

#endif
