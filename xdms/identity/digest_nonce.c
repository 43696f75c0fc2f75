/* Nonces: their making, their age, and which counts of them were used. They carry their own proof, so that any node
 * with the key takes them; only the counts are remembered, here and in this process alone. */
#include <stdlib.h>

#include "digest_parts.h"

#define NONCE_AHEAD_MS 30000 /* clocks of nodes that share a key differ by less */

/* Requests of one nonce that may overtake each other. Over UDP, what was dropped comes again after 0.5, 1.5 and 3.5 s
 * (RFC 3261 timer E), and who sends 500 a second has sent 1,750 others meanwhile. A bit each, all nonces 16 MiB. */
#define COUNT_WINDOW 1984
#define SEEN_WORDS   (COUNT_WINDOW / 64 + 1) /* the word of the highest count is not full */

#define BUCKETS_COUNT (2 * DIGEST_NONCES_MAX)

struct entry {
    struct nonce nonce;
    uint64_t seen[SEEN_WORDS]; /* a ring of the counts up to `highest`, a bit each: it was used (RFC 6479) */
    uint32_t highest;
    uint32_t next; /* of the same bucket; position + 1 */
};

struct nonce_table {
    pthread_mutex_t lock;
    uint64_t seed;
    uint32_t used;         /* entries in use */
    uint32_t oldest;       /* the one to be taken next when all are in use */
    int64_t forgotten_ms;  /* nonces up to this age that are not in the table may have been: their counts are unknown */
    uint32_t *buckets;     /* position of the first entry + 1 */
    struct entry *entries; /* a ring in the order of first use */
};

struct nonce_table *nonce_table_new(void)
{
    struct nonce_table *table = memory_new(sizeof(*table));
    pthread_mutex_init(&table->lock, NULL);
    table->seed = text_hash_seed();
    table->forgotten_ms = INT64_MIN;
    table->buckets = memory_new(BUCKETS_COUNT * sizeof(*table->buckets));
    table->entries = memory_new(DIGEST_NONCES_MAX * sizeof(*table->entries));
    return table;
}

void nonce_table_free(struct nonce_table *table)
{
    if (!table)
        return;
    pthread_mutex_destroy(&table->lock);
    free(table->buckets);
    free(table->entries);
    free(table);
}

static struct text nonce_mac(const struct identity_key *key, struct text realm, struct text id, struct arena *arena)
{
    const struct text parts[] = {TEXT("nonce"), id, realm};
    return identity_mac(key, parts, 3, NONCE_MAC_LENGTH, arena);
}

struct text nonce_make(const struct identity_key *key, struct text realm, int64_t now_ms, struct arena *arena)
{
    struct text id = text_format(arena, "%016llx%.*s", (unsigned long long)now_ms, TEXT_ARG(random_hex(arena, 16)));
    return text_join(arena, id, nonce_mac(key, realm, id, arena));
}

bool nonce_read(const struct identity_key *key, struct text realm, struct text written, struct arena *arena,
                struct nonce *nonce_out)
{
    *nonce_out = (struct nonce){0};
    if (written.length != NONCE_ID_LENGTH + NONCE_MAC_LENGTH)
        return false;
    struct text id = text_slice(written, 0, NONCE_ID_LENGTH);
    struct text mac = text_slice(written, NONCE_ID_LENGTH, written.length);
    uint64_t made_ms;
    if (!secret_equal(mac, nonce_mac(key, realm, id, arena)) || !text_hex_to_u64(text_slice(id, 0, 16), &made_ms))
        return false;
    memcpy(nonce_out->id, id.bytes, NONCE_ID_LENGTH);
    memcpy(nonce_out->mac, mac.bytes, NONCE_MAC_LENGTH);
    nonce_out->made_ms = (int64_t)made_ms;
    return true;
}

bool nonce_fresh(const struct nonce *nonce, int64_t now_ms)
{
    int64_t age_ms = now_ms - nonce->made_ms;
    return age_ms <= DIGEST_NONCE_MS_MAX && age_ms >= -NONCE_AHEAD_MS;
}

static uint32_t *bucket_of(struct nonce_table *table, const char id_bytes[NONCE_ID_LENGTH])
{
    struct text id = {id_bytes, NONCE_ID_LENGTH};
    return &table->buckets[text_hash(id, table->seed) % BUCKETS_COUNT];
}

static struct entry *table_find(struct nonce_table *table, const char id[NONCE_ID_LENGTH])
{
    for (uint32_t at = *bucket_of(table, id); at; at = table->entries[at - 1].next)
        if (memcmp(table->entries[at - 1].nonce.id, id, NONCE_ID_LENGTH) == 0)
            return &table->entries[at - 1];
    return NULL;
}

static void table_forget(struct nonce_table *table, uint32_t position)
{
    struct entry *entry = &table->entries[position];
    uint32_t *link = bucket_of(table, entry->nonce.id);
    while (*link != position + 1)
        link = &table->entries[*link - 1].next;
    *link = entry->next;
    if (entry->nonce.made_ms > table->forgotten_ms)
        table->forgotten_ms = entry->nonce.made_ms;
}

/* NULL when the nonce may have been here before. */
static struct entry *table_add(struct nonce_table *table, const struct nonce *nonce, uint32_t count)
{
    if (nonce->made_ms <= table->forgotten_ms)
        return NULL;
    uint32_t position = table->used;
    if (table->used == DIGEST_NONCES_MAX) {
        position = table->oldest;
        table->oldest = (table->oldest + 1) % DIGEST_NONCES_MAX;
        table_forget(table, position);
    } else {
        table->used++;
    }
    uint32_t *bucket = bucket_of(table, nonce->id);
    table->entries[position] = (struct entry){.nonce = *nonce, .highest = count, .next = *bucket};
    *bucket = position + 1;
    return &table->entries[position];
}

/* Moves the window so that `count` is its highest. */
static void entry_advance(struct entry *entry, uint32_t count)
{
    uint32_t words = count / 64 - entry->highest / 64;
    for (uint32_t i = 0; i < words && i < SEEN_WORDS; i++)
        entry->seen[(count / 64 - i) % SEEN_WORDS] = 0;
    entry->highest = count;
}

/* What was found to be ours once needs no proof again. */
bool nonce_table_find(struct nonce_table *table, struct text written, struct nonce *nonce_out)
{
    if (written.length != NONCE_ID_LENGTH + NONCE_MAC_LENGTH)
        return false;
    pthread_mutex_lock(&table->lock);
    const struct entry *entry = table_find(table, written.bytes);
    if (entry)
        *nonce_out = entry->nonce;
    pthread_mutex_unlock(&table->lock);
    return entry && secret_equal(text_slice(written, NONCE_ID_LENGTH, written.length),
                                 (struct text){nonce_out->mac, NONCE_MAC_LENGTH});
}

bool nonce_table_take(struct nonce_table *table, const struct nonce *nonce, uint32_t count)
{
    bool taken = false;
    pthread_mutex_lock(&table->lock);
    struct entry *entry = table_find(table, nonce->id);
    if (!entry)
        entry = table_add(table, nonce, count);
    if (entry) {
        if (count > entry->highest)
            entry_advance(entry, count);
        uint64_t bit = UINT64_C(1) << count % 64, *seen = &entry->seen[count / 64 % SEEN_WORDS];
        taken = entry->highest - count < COUNT_WINDOW && !(*seen & bit);
        if (taken)
            *seen |= bit;
    }
    pthread_mutex_unlock(&table->lock);
    return taken;
}
