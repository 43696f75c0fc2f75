/* Transactions as a store: found by key, by number and by deadline, in constant or logarithmic time. What a transaction
 * does when it is found is in sip_server.c and sip_client.c. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define BUCKETS_MIN 64

/* With its slot, its places in the tables and among the deadlines, and what the heap adds to its pieces. */
#define TRANSACTION_BYTES (memory_size(sizeof(struct transaction)) + 64)

static void heap_add(struct sip_agent *agent, struct transaction *transaction);
static void heap_move(struct sip_agent *agent, struct transaction *transaction);
static void leave(struct sip_agent *agent, struct transaction *transaction);

static struct small_flow flow_pack(const struct flow *flow)
{
    struct small_flow small = {.kind = flow->kind, .connection = flow->connection};
    memcpy(&small.peer, &flow->peer, sizeof(small.peer));
    return small;
}

struct flow flow_unpack(const struct small_flow *small)
{
    struct flow flow = {.kind = small->kind, .connection = small->connection};
    memcpy(&flow.peer, &small->peer, sizeof(small->peer));
    return flow;
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

/* The hash stands for the text: it is never the same for two by chance, and who sends them does not know its key. */
struct text_fingerprint transaction_key(const struct text *parts, size_t count)
{
    char bytes[TRANSACTION_KEY_MAX];
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].length >= sizeof(bytes) - length)
            return (struct text_fingerprint){0};
        if (parts[i].length)
            memcpy(bytes + length, parts[i].bytes, parts[i].length);
        length += parts[i].length;
        bytes[length++] = '\n';
    }
    return text_fingerprint((struct text){bytes, length});
}

bool fingerprint_equal(const struct text_fingerprint *a, const struct text_fingerprint *b)
{
    return a->low == b->low && a->high == b->high;
}

static void key_add(struct sip_agent *agent, struct transaction *transaction)
{
    table_prepare(&agent->keys, offsetof(struct transaction, key_next), offsetof(struct transaction, key.low));
    table_put(&agent->keys, transaction->key.low, transaction, offsetof(struct transaction, key_next));
}

struct transaction *transaction_find(const struct sip_agent *agent, const struct text_fingerprint *key)
{
    void **place = table_place(&agent->keys, key->low);
    struct transaction *walk = place ? *place : NULL;
    while (walk && !fingerprint_equal(&walk->key, key))
        walk = walk->key_next;
    return walk;
}

void merge_add(struct sip_agent *agent, struct transaction *transaction, uint64_t merge_hash)
{
    transaction->merge_hash = merge_hash;
    transaction->in_merge_table = true;
    table_prepare(&agent->merges, offsetof(struct transaction, merge_next), offsetof(struct transaction, merge_hash));
    table_put(&agent->merges, merge_hash, transaction, offsetof(struct transaction, merge_next));
}

bool merge_known(const struct sip_agent *agent, uint64_t merge_hash)
{
    void **place = table_place(&agent->merges, merge_hash);
    struct transaction *walk = place ? *place : NULL;
    while (walk && walk->merge_hash != merge_hash)
        walk = walk->merge_next;
    return walk || ended_merge_known(agent, merge_hash);
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static void number_take(struct sip_agent *agent, struct transaction *transaction)
{
    if (agent->free_slot == 0) {
        if (agent->slot_count == agent->slot_capacity) {
            agent->slot_capacity = agent->slot_capacity ? agent->slot_capacity * 2 : BUCKETS_MIN;
            agent->slots = memory_resize(agent->slots, agent->slot_capacity * sizeof(struct slot));
        }
        agent->slots[agent->slot_count] = (struct slot){.generation = 1};
        agent->free_slot = (uint32_t)++agent->slot_count;
    }
    uint32_t index = agent->free_slot - 1;
    struct slot *slot = &agent->slots[index];
    agent->free_slot = slot->next_free;
    slot->transaction = transaction;
    transaction->number = (uint64_t)slot->generation << 32 | index;
}

static void number_give_back(struct sip_agent *agent, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    struct slot *slot = &agent->slots[index];
    slot->transaction = NULL;
    slot->generation++;
    slot->next_free = agent->free_slot;
    agent->free_slot = index + 1;
}

struct transaction *transaction_numbered(const struct sip_agent *agent, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index >= agent->slot_count || agent->slots[index].generation != (uint32_t)(number >> 32))
        return NULL;
    return agent->slots[index].transaction;
}

/* --- bytes that count ------------------------------------------------------------------------------------------- */

char *agent_keep_bytes(struct sip_agent *agent, struct text bytes)
{
    if (bytes.length == 0)
        return NULL;
    agent->bytes += memory_size(bytes.length);
    return memcpy(memory_take(bytes.length), bytes.bytes, bytes.length);
}

void agent_drop_bytes(struct sip_agent *agent, char *bytes, size_t length)
{
    if (!bytes)
        return;
    agent->bytes -= memory_size(length);
    memory_give(bytes, length);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

struct transaction *transaction_new(struct sip_agent *agent, enum transaction_role role,
                                    const struct text_fingerprint *key, const struct flow *flow, int64_t now_ms)
{
    struct transaction *transaction = memory_take(sizeof(*transaction));
    *transaction = (struct transaction){
        .role = role, .flow = flow_pack(flow), .born_ms = now_ms, .repeat_at = NEVER, .end_at = NEVER, .key = *key};
    key_add(agent, transaction);
    number_take(agent, transaction);
    heap_add(agent, transaction);
    agent->transaction_count++;
    agent->bytes += TRANSACTION_BYTES;
    if (role == CLIENT_INVITE || role == CLIENT_NON_INVITE)
        link_attach(agent, transaction, flow);
    return transaction;
}

void transaction_free(struct sip_agent *agent, struct transaction *transaction)
{
    leave(agent, transaction);
    table_take_out(&agent->keys, transaction->key.low, transaction, offsetof(struct transaction, key_next));
    if (transaction->in_merge_table)
        table_take_out(&agent->merges, transaction->merge_hash, transaction, offsetof(struct transaction, merge_next));
    if (transaction->link)
        link_detach(agent, transaction);
    number_give_back(agent, transaction->number);
    agent->transaction_count--;
    agent->bytes -= TRANSACTION_BYTES;
    agent_drop_bytes(agent, transaction->bytes, transaction->bytes_length);
    agent_drop_bytes(agent, transaction->template, transaction->template_length);
    memory_give(transaction, sizeof(*transaction));
}

void transaction_keep(struct sip_agent *agent, struct transaction *transaction, struct text bytes)
{
    agent_drop_bytes(agent, transaction->bytes, transaction->bytes_length);
    transaction->bytes = agent_keep_bytes(agent, bytes);
    transaction->bytes_length = bytes.length;
}

void transaction_send(struct sip_agent *agent, const struct transaction *transaction)
{
    struct flow flow = flow_unpack(&transaction->flow);
    agent_output(agent, &flow, (struct text){transaction->bytes, transaction->bytes_length});
}

void transaction_arm(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms, int64_t repeat_ms,
                     int64_t end_ms)
{
    transaction->repeat_ms = repeat_ms;
    transaction->repeat_at = repeat_ms == NEVER ? NEVER : now_ms + repeat_ms;
    transaction->end_at = end_ms == NEVER ? NEVER : now_ms + end_ms;
    leave(agent, transaction);
    bool ends = repeat_ms == NEVER && end_ms == agent->end_ms, ends_soon = repeat_ms == NEVER && !ends;
    if (!ends && !(ends_soon && end_ms == agent->settings.t4_ms)) {
        heap_add(agent, transaction);
        return heap_move(agent, transaction);
    }
    transaction->calm = ends ? CALM_END : CALM_T4;
    TAILQ_INSERT_TAIL(&agent->calm[transaction->calm], transaction, calm_entry);
}

/* Counted from when it was due, so that a late tick does not stretch the schedule, but never twice at once. */
void transaction_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms, int64_t repeat_ms)
{
    transaction->repeat_ms = repeat_ms;
    if (repeat_ms == NEVER) {
        transaction->repeat_at = NEVER;
    } else {
        transaction->repeat_at += repeat_ms;
        if (transaction->repeat_at <= now_ms)
            transaction->repeat_at = now_ms + repeat_ms;
    }
    if (transaction->heap_index == NOT_IN_HEAP) {
        leave(agent, transaction);
        heap_add(agent, transaction);
    }
    heap_move(agent, transaction);
}

/* --- deadlines -------------------------------------------------------------------------------------------------- */

static int64_t due_at(const struct transaction *transaction)
{
    return transaction->repeat_at < transaction->end_at ? transaction->repeat_at : transaction->end_at;
}

struct transaction *transaction_next(const struct sip_agent *agent, int64_t *due_out)
{
    struct transaction *next = agent->heap_count > 0 ? agent->heap[0] : NULL;
    *due_out = next ? due_at(next) : NEVER;
    for (int i = 0; i < CALM_LISTS; i++) {
        struct transaction *first = TAILQ_FIRST(&agent->calm[i]);
        if (!first || (next && first->end_at >= *due_out))
            continue;
        next = first;
        *due_out = first->end_at;
    }
    return next;
}

static void heap_add(struct sip_agent *agent, struct transaction *transaction)
{
    if (agent->heap_count == agent->heap_capacity) {
        agent->heap_capacity = agent->heap_capacity ? agent->heap_capacity * 2 : BUCKETS_MIN;
        agent->heap = memory_resize(agent->heap, agent->heap_capacity * sizeof(struct transaction *));
    }
    transaction->heap_index = agent->heap_count;
    agent->heap[agent->heap_count++] = transaction;
}

static void heap_place(struct sip_agent *agent, struct transaction *transaction, size_t index)
{
    agent->heap[index] = transaction;
    transaction->heap_index = index;
}

static void heap_move(struct sip_agent *agent, struct transaction *transaction)
{
    size_t index = transaction->heap_index;
    int64_t due = due_at(transaction);
    while (index > 0 && due_at(agent->heap[(index - 1) / 2]) > due) {
        heap_place(agent, agent->heap[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < agent->heap_count && due_at(agent->heap[child + 1]) < due_at(agent->heap[child]))
            child++;
        if (child >= agent->heap_count || due_at(agent->heap[child]) >= due)
            break;
        heap_place(agent, agent->heap[child], index);
        index = child;
    }
    heap_place(agent, transaction, index);
}

static void heap_remove(struct sip_agent *agent, struct transaction *transaction)
{
    struct transaction *last = agent->heap[--agent->heap_count];
    if (last == transaction)
        return;
    heap_place(agent, last, transaction->heap_index);
    heap_move(agent, last);
}

static void leave(struct sip_agent *agent, struct transaction *transaction)
{
    if (transaction->heap_index == NOT_IN_HEAP)
        TAILQ_REMOVE(&agent->calm[transaction->calm], transaction, calm_entry);
    else
        heap_remove(agent, transaction);
    transaction->heap_index = NOT_IN_HEAP;
}
