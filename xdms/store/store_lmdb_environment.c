/* The LMDB environment of one folder: opens it, again when it broke, lets its map grow, and hands out transactions. */
#include <errno.h>

#include "log.h"
#include "store_lmdb.h"

#define DATABASES_MAX  12   /* nine are used */
#define TRIES_MAX      8    /* to follow a map that another process keeps growing */
#define RENEW_PAUSE_MS 1000 /* between tries to open an environment again that broke: the disk is broken too */

int lmdb_environment_open(struct lmdb_store *store)
{
    const struct lmdb_options *options = &store->options;
    uint64_t map_bytes = options->settings.map_bytes;
    if (map_bytes > options->settings.bytes_max)
        map_bytes = options->settings.bytes_max;
    int error = mdb_env_create(&store->env);
    if (!error)
        error = mdb_env_set_mapsize(store->env, map_bytes);
    if (!error)
        error = mdb_env_set_maxreaders(store->env, options->readers_max);
    if (!error)
        error = mdb_env_set_maxdbs(store->env, DATABASES_MAX);
    if (!error)
        error = mdb_env_open(store->env, store->folder, MDB_NOTLS, FILE_MODE);
    if (error && store->env) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
    return error;
}

void lmdb_environment_close(struct lmdb_store *store)
{
    if (!store->env)
        return;
    for (size_t i = 0; i < READ_TXNS_MAX; i++)
        mdb_txn_abort(atomic_exchange(&store->gate.places[i].parked, NULL));
    atomic_store(&store->seen_txn, 0); /* the next environment may give this number to another transaction */
    mdb_env_close(store->env);
    store->env = NULL;
}

void lmdb_log(const struct lmdb_store *store, const char *what, int error)
{
    log_error("store failed folder=%s call=%s error=%s", store->folder, what,
              error == LMDB_UNCERTAIN ? "it is not known whether it happened" : mdb_strerror(error));
}

static bool is_broken(struct lmdb_store *store)
{
    MDB_txn *txn;
    int error = store->env ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) : MDB_PANIC;
    if (!error)
        mdb_txn_abort(txn);
    return error == MDB_PANIC;
}

/* Inside the gate. LMDB gives an environment up for good when it could not write the page that makes a commit valid.
 * What the file holds then is either the state before or the one after; opened anew, it is what all programs see. */
static int environment_renew(struct lmdb_store *store)
{
    int64_t now_ms = clock_monotonic_ms();
    if (store->renewed_ms && now_ms - store->renewed_ms < RENEW_PAUSE_MS && !store->env)
        return MDB_PANIC;
    store->renewed_ms = now_ms;
    lmdb_environment_close(store);
    int error = lmdb_environment_open(store);
    if (!error)
        error = format_reopen(store);
    if (error) {
        lmdb_environment_close(store);
        return error;
    }
    atomic_store(&store->unsynced, mdb_env_sync(store->env, 1) != 0);
    log_warning("store opened again after a failure folder=%s", store->folder);
    return 0;
}

/* `size` 0: another process opened the folder with a larger map, and uses it. */
static int map_set(struct lmdb_store *store, size_t size)
{
    int error = store->env ? mdb_env_set_mapsize(store->env, size) : MDB_PANIC;
    return error && environment_renew(store) != 0 ? error : 0; /* a map that cannot be had is lost altogether */
}

void lmdb_map_set(struct lmdb_store *store, uint64_t bytes)
{
    lmdb_gate_close(&store->gate);
    map_set(store, bytes);
    lmdb_gate_open(&store->gate);
}

bool lmdb_map_grow(struct lmdb_store *store)
{
    MDB_envinfo about;
    const struct store_settings *settings = &store->options.settings;
    bool grown = false;
    lmdb_gate_close(&store->gate);
    if (!store->tight && store->env && mdb_env_info(store->env, &about) == 0 &&
        about.me_mapsize < settings->bytes_max) {
        size_t wanted = about.me_mapsize * 2;
        if (wanted > settings->bytes_max)
            wanted = settings->bytes_max;
        grown = map_set(store, wanted) == 0;
        log_info("map of the store %s folder=%s bytes=%zu", grown ? "grown" : "cannot grow", store->folder, wanted);
    }
    lmdb_gate_open(&store->gate);
    return grown;
}

/* What a transaction that does not begin needs before the next try. */
static int mend(struct lmdb_store *store, int error)
{
    if (error != MDB_MAP_RESIZED && error != MDB_PANIC)
        return error;
    lmdb_gate_close(&store->gate);
    int left = 0;
    if (error == MDB_MAP_RESIZED)
        left = map_set(store, 0);
    else if (is_broken(store)) /* else another thread was here before */
        left = environment_renew(store);
    lmdb_gate_open(&store->gate);
    return left;
}

bool lmdb_hold(struct lmdb_store *store)
{
    lmdb_gate_enter_other(&store->gate);
    if (store->env)
        return true;
    lmdb_gate_leave_other(&store->gate);
    return false;
}

void lmdb_release(struct lmdb_store *store)
{
    lmdb_gate_leave_other(&store->gate);
}

void lmdb_readers_clean(struct lmdb_store *store)
{
    int dead = 0;
    if (!lmdb_hold(store))
        return;
    mdb_reader_check(store->env, &dead);
    lmdb_release(store);
    if (dead > 0)
        log_warning("reader slots of dead processes freed folder=%s slots=%d", store->folder, dead);
}

/* Nobody may be told, and nothing may be built on, what may be gone after a power cut. */
static int settle(struct lmdb_store *store)
{
    if (!atomic_load(&store->unsynced))
        return 0;
    int64_t now_ms = clock_monotonic_ms(), tried_ms = atomic_load(&store->sync_tried_ms);
    if (now_ms - tried_ms < RENEW_PAUSE_MS || !atomic_compare_exchange_strong(&store->sync_tried_ms, &tried_ms, now_ms))
        return EIO;
    int error = mdb_env_sync(store->env, 1);
    if (!error)
        atomic_store(&store->unsynced, false);
    return error;
}

static int read_start(struct lmdb_store *store, MDB_txn **txn)
{
    int error = store->env ? settle(store) : MDB_PANIC;
    if (error)
        return error;
    if (*txn)
        return mdb_txn_renew(*txn);
    error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn);
    if (error != MDB_READERS_FULL)
        return error;
    int dead = 0;
    mdb_reader_check(store->env, &dead);
    return mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn);
}

int lmdb_read_begin(struct lmdb_store *store, MDB_txn **txn_out)
{
    int error = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        struct lmdb_place *place = lmdb_gate_enter(&store->gate);
        *txn_out = atomic_load_explicit(&place->parked, memory_order_relaxed);
        error = read_start(store, txn_out);
        if (!error) {
            atomic_store_explicit(&place->parked, *txn_out, memory_order_relaxed);
            return 0;
        }
        lmdb_gate_leave(&store->gate, place);
        int left = mend(store, error);
        if (left) {
            error = left;
            break;
        }
    }
    lmdb_log(store, "read", error);
    return error;
}

void lmdb_read_end(struct lmdb_store *store, MDB_txn *txn)
{
    struct lmdb_place *place = lmdb_gate_place(&store->gate, txn);
    mdb_txn_reset(txn);
    lmdb_gate_leave(&store->gate, place);
}

static int write_start(struct lmdb_store *store, MDB_txn **txn)
{
    int error = store->env ? settle(store) : MDB_PANIC;
    return error ? error : mdb_txn_begin(store->env, NULL, 0, txn);
}

int lmdb_write_begin(struct lmdb_store *store, MDB_txn **txn_out)
{
    int error = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        lmdb_gate_enter_other(&store->gate);
        error = write_start(store, txn_out);
        if (!error)
            return 0;
        lmdb_gate_leave_other(&store->gate);
        int left = mend(store, error);
        if (left)
            return left;
    }
    return error;
}

/* After a commit that failed: whether the environment was given up, and if so, which of the two states it is in. */
static int commit_outcome(struct lmdb_store *store, size_t txn_id, int error)
{
    MDB_txn *txn;
    MDB_envinfo about;
    int probe = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (!probe)
        mdb_txn_abort(txn);
    if (probe != MDB_PANIC)
        return error;
    lmdb_gate_leave_other(&store->gate);
    lmdb_gate_close(&store->gate);
    bool known =
        environment_renew(store) == 0 && !atomic_load(&store->unsynced) && mdb_env_info(store->env, &about) == 0;
    lmdb_gate_open(&store->gate);
    lmdb_gate_enter_other(&store->gate);
    /* Another process may have made a transaction of that number since. */
    return known && about.me_last_txnid < txn_id ? error : LMDB_UNCERTAIN;
}

int lmdb_write_end(struct lmdb_store *store, MDB_txn *txn, bool commit)
{
    int error = 0;
    if (commit) {
        size_t txn_id = mdb_txn_id(txn);
        error = mdb_txn_commit(txn);
        if (error)
            error = commit_outcome(store, txn_id, error);
    } else {
        mdb_txn_abort(txn);
    }
    lmdb_gate_leave_other(&store->gate);
    return error;
}

int lmdb_value(MDB_txn *txn, MDB_dbi database, struct text key, struct text *value_out)
{
    MDB_val key_val = val_of(key);
    MDB_val value = {0};
    int error = mdb_get(txn, database, &key_val, &value);
    *value_out = text_of_val(value); /* untouched by an error */
    return error;
}

int lmdb_put(MDB_txn *txn, MDB_dbi database, struct text key, struct text value, unsigned flags)
{
    MDB_val key_val = val_of(key), value_val = val_of(value);
    return mdb_put(txn, database, &key_val, &value_val, flags);
}

static int number_of(struct lmdb_store *store, MDB_txn *txn, struct text name, uint64_t *number_out)
{
    struct text value;
    *number_out = 0;
    int error = lmdb_value(txn, store->unnamed, name, &value);
    if (error == MDB_NOTFOUND)
        return 0;
    return error || number_read(value, number_out) ? error : MDB_CORRUPTED;
}

int lmdb_last(struct lmdb_store *store, MDB_txn *txn, uint64_t *last_out)
{
    return number_of(store, txn, LAST_CHANGE, last_out);
}

int lmdb_last_quiet(struct lmdb_store *store, MDB_txn *txn, uint64_t *last_out)
{
    return number_of(store, txn, LAST_QUIET, last_out);
}
