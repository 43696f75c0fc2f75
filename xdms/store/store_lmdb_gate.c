/* Who is inside the environment, and who waits: its map may change, or it be opened anew, while nobody is. Readers
 * share no lock: each takes a place, nearly always the one it had before, with its transaction parked there. Whoever
 * changes the gate says so first and looks at the places then, a reader the other way round, so that one of them sees
 * the other. */
#include <assert.h>

#include "store_lmdb.h"

void lmdb_gate_init(struct lmdb_gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

void lmdb_gate_clear(struct lmdb_gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

/* Threads are spread over the places. */
static unsigned usual_place(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number; /* from 1 on */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) % READ_TXNS_MAX + 1;
    return number - 1;
}

static bool is_taken(struct lmdb_place *place)
{
    return atomic_load(&place->taken);
}

static struct lmdb_place *take_place(struct lmdb_gate *gate)
{
    unsigned usual = usual_place();
    for (unsigned i = 0; i < READ_TXNS_MAX; i++) {
        struct lmdb_place *place = &gate->places[(usual + i) % READ_TXNS_MAX];
        if (!is_taken(place) && !atomic_exchange(&place->taken, true))
            return place;
    }
    return NULL;
}

static size_t places_taken(struct lmdb_gate *gate)
{
    size_t taken = 0;
    for (unsigned i = 0; i < READ_TXNS_MAX; i++)
        taken += is_taken(&gate->places[i]);
    return taken;
}

bool lmdb_gate_empty(struct lmdb_gate *gate)
{
    return gate->others == 0 && places_taken(gate) == 0;
}

/* Under the lock. */
static void wait_for_change(struct lmdb_gate *gate)
{
    pthread_cond_wait(&gate->changed, &gate->lock);
}

static void tell_change(struct lmdb_gate *gate)
{
    if (atomic_load(&gate->waiting) == 0)
        return;
    pthread_mutex_lock(&gate->lock);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

struct lmdb_place *lmdb_gate_enter(struct lmdb_gate *gate)
{
    for (;;) {
        struct lmdb_place *place = take_place(gate);
        if (place && !atomic_load(&gate->closed))
            return place;
        if (place)
            lmdb_gate_leave(gate, place);
        pthread_mutex_lock(&gate->lock);
        atomic_fetch_add(&gate->waiting, 1);
        while (atomic_load(&gate->closed) || places_taken(gate) == READ_TXNS_MAX)
            wait_for_change(gate);
        atomic_fetch_sub(&gate->waiting, 1);
        pthread_mutex_unlock(&gate->lock);
    }
}

void lmdb_gate_leave(struct lmdb_gate *gate, struct lmdb_place *place)
{
    atomic_store(&place->taken, false);
    tell_change(gate);
}

struct lmdb_place *lmdb_gate_place(struct lmdb_gate *gate, const MDB_txn *txn)
{
    unsigned usual = usual_place();
    for (unsigned i = 0; i < READ_TXNS_MAX; i++) {
        struct lmdb_place *place = &gate->places[(usual + i) % READ_TXNS_MAX];
        if (atomic_load_explicit(&place->parked, memory_order_relaxed) == txn)
            return place;
    }
    assert(!"a transaction that is in use has a place");
    return NULL;
}

void lmdb_gate_enter_other(struct lmdb_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_add(&gate->waiting, 1);
    while (atomic_load(&gate->closed))
        wait_for_change(gate);
    atomic_fetch_sub(&gate->waiting, 1);
    gate->others++;
    pthread_mutex_unlock(&gate->lock);
}

void lmdb_gate_leave_other(struct lmdb_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->others--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void lmdb_gate_close(struct lmdb_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    atomic_fetch_add(&gate->waiting, 1);
    while (atomic_load(&gate->closed))
        wait_for_change(gate);
    atomic_store(&gate->closed, true);
    while (!lmdb_gate_empty(gate))
        wait_for_change(gate);
    atomic_fetch_sub(&gate->waiting, 1);
    pthread_mutex_unlock(&gate->lock);
}

void lmdb_gate_open(struct lmdb_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    atomic_store(&gate->closed, false);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}
