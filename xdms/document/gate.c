/* Lets one change at a time work on a document within this process, first come first served: changes that met at the
 * store would all lose but one, and on a busy list some would lose for ever. Between processes the version decides. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "documents.h"

#define GATE_SLOTS 16384 /* documents share one by chance only: some hundred changes are under way at once */
#define GATE_LOCKS 64

struct slot {
    bool held;
    struct gate_waiter *first, **end;
};

struct document_gates {
    uint64_t seed;
    pthread_mutex_t locks[GATE_LOCKS];
    struct slot slots[GATE_SLOTS];
};

struct document_gates *document_gates_new(void)
{
    struct document_gates *gates = memory_new(sizeof(*gates));
    gates->seed = text_hash_seed();
    for (size_t i = 0; i < GATE_LOCKS; i++)
        pthread_mutex_init(&gates->locks[i], NULL);
    return gates;
}

void document_gates_free(struct document_gates *gates)
{
    for (size_t i = 0; i < GATE_LOCKS; i++)
        pthread_mutex_destroy(&gates->locks[i]);
    free(gates);
}

static size_t slot_of(const struct document_gates *gates, const struct document_key *key)
{
    uint64_t hash = text_hash(key->usage, gates->seed);
    hash = text_hash(key->owner, hash);
    return text_hash(key->name, hash) % GATE_SLOTS;
}

bool gate_enter(struct document_gates *gates, const struct document_key *key, struct gate_waiter *waiter)
{
    size_t index = slot_of(gates, key);
    struct slot *slot = &gates->slots[index];
    pthread_mutex_t *lock = &gates->locks[index % GATE_LOCKS];
    pthread_mutex_lock(lock);
    bool entered = !slot->held;
    if (entered) {
        slot->held = true;
        slot->first = NULL;
        slot->end = &slot->first;
    } else {
        waiter->next = NULL;
        *slot->end = waiter;
        slot->end = &waiter->next;
    }
    pthread_mutex_unlock(lock);
    return entered;
}

void gate_leave(struct document_gates *gates, const struct document_key *key)
{
    size_t index = slot_of(gates, key);
    struct slot *slot = &gates->slots[index];
    pthread_mutex_t *lock = &gates->locks[index % GATE_LOCKS];
    pthread_mutex_lock(lock);
    struct gate_waiter *next = slot->first;
    if (next) {
        slot->first = next->next;
        if (!slot->first)
            slot->end = &slot->first;
    } else {
        slot->held = false;
    }
    pthread_mutex_unlock(lock);
    if (next) /* it holds the slot from here on, and may be gone at once */
        next->entered(next->context);
}

static void post(void *semaphore)
{
    sem_post(semaphore);
}

void gate_enter_wait(struct document_gates *gates, const struct document_key *key)
{
    sem_t turn;
    struct gate_waiter waiter = {.entered = post, .context = &turn};
    sem_init(&turn, 0, 0);
    if (!gate_enter(gates, key, &waiter))
        while (sem_wait(&turn) != 0)
            continue;
    sem_destroy(&turn);
}
