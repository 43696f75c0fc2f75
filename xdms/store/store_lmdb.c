/* Opens, closes and copies the store of one folder. Knows no documents.
 *
 * A store must not be used after fork(): LMDB's locks and maps belong to the process that opened them. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "store_lmdb_index.h"

/* Opening an environment twice in a process and closing one drops the locks of both (lmdb.h), so that those that are
 * open are known to the process. */
static struct {
    pthread_mutex_t lock;
    struct lmdb_store *first;
} open_stores = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum status lmdb_backup(void *state, const char *folder, struct arena *arena, struct text *error_out);

/* --- open and close ------------------------------------------------------------------------------------------- */

static bool registry_add(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    struct stat about;
    if (stat(store->folder, &about) != 0)
        return folder_say(arena, error_out, store->folder, strerror(errno));
    store->device = about.st_dev;
    store->inode = about.st_ino;

    pthread_mutex_lock(&open_stores.lock);
    const struct lmdb_store *other = open_stores.first;
    while (other && (other->device != store->device || other->inode != store->inode))
        other = other->next;
    if (!other) {
        store->next = open_stores.first;
        open_stores.first = store;
    }
    pthread_mutex_unlock(&open_stores.lock);
    return !other || folder_say(arena, error_out, store->folder, "is open already in this process");
}

static void registry_remove(const struct lmdb_store *store)
{
    pthread_mutex_lock(&open_stores.lock);
    struct lmdb_store **place = &open_stores.first;
    while (*place && *place != store)
        place = &(*place)->next;
    if (*place)
        *place = store->next;
    pthread_mutex_unlock(&open_stores.lock);
}

static void store_free(struct lmdb_store *store)
{
    lmdb_environment_close(store);
    registry_remove(store); /* not before the close: the locks go with it */
    if (store->folder_fd >= 0)
        close(store->folder_fd);
    arena_clear(&store->scratch);
    lmdb_tallies_forget(store);
    lmdb_shared_free(store);
    lmdb_indexing_free(store);
    indexer_clear(&store->indexer);
    arena_clear(&store->counting);
    lmdb_gate_clear(&store->gate);
    pthread_mutex_destroy(&store->seen_lock);
    free(store->folder);
    free(store);
}

static void lmdb_close(void *state)
{
    struct lmdb_store *store = state;
    queue_free(store->queue);
    assert(lmdb_gate_empty(&store->gate));
    store_free(store);
}

static void lmdb_submit(void *state, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    struct lmdb_store *store = state;
    queue_submit(store->queue, commits, count, done, context);
}

static const struct store_engine lmdb_engine = {
    .close = lmdb_close,
    .read = lmdb_read,
    .submit = lmdb_submit,
    .find = lmdb_find,
    .tally = lmdb_tally,
    .first_tally = lmdb_first_tally,
    .list = lmdb_list,
    .holders = lmdb_holders,
    .changes = lmdb_changes,
    .last_change = lmdb_last_change,
    .backup = lmdb_backup,
    .check = lmdb_check,
    .index = &lmdb_index_engine,
};

/* Two processes of one number (of containers) would take each other's reader slots for their own. */
static bool readers_probe(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    MDB_txn *txn;
    int error = lmdb_read_begin(store, &txn);
    if (!error)
        lmdb_read_end(store, txn);
    if (error == EAGAIN || error == EACCES)
        return folder_say(arena, error_out, store->folder,
                          "is in use by another process of the same number: containers that share a data folder "
                          "must share their process numbers too");
    return !error || folder_say(arena, error_out, store->folder, mdb_strerror(error));
}

struct lmdb_store *lmdb_store_of(struct store *store)
{
    return store_state(store, &lmdb_engine);
}

static bool store_start(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    struct folder_content content;
    if (!folder_look(store->folder, &content, arena, error_out))
        return false;
    if (content.others && !content.database)
        return folder_say(arena, error_out, store->folder, "holds files that are not of a store");
    store->folder_fd = folder_lock(store->folder, false, arena, error_out);
    if (store->folder_fd < 0)
        return false;
    const char *role = store->options.settings.alone_as;
    if (role && !folder_lock_role(store->folder_fd))
        return folder_say(arena, error_out, store->folder,
                          text_cstring(arena, text_format(arena, "is in use by another %s", role)));
    int error = lmdb_environment_open(store);
    if (error)
        return folder_say(arena, error_out, store->folder, mdb_strerror(error));
    lmdb_readers_clean(store);
    if (!folder_own(store->folder, arena, error_out) || !format_open(store, arena, error_out) ||
        !readers_probe(store, arena, error_out))
        return false;
    error = sync_path(store->folder, O_DIRECTORY); /* else a new data.mdb may be gone after a power cut */
    if (error)
        return folder_say(arena, error_out, store->folder, strerror(error));
    if (!folder_lock_share(store->folder_fd))
        return folder_say(arena, error_out, store->folder, "was taken by another program");
    store->queue = queue_new(lmdb_commit, store);
    return store->queue || folder_say(arena, error_out, store->folder, "no thread for the committer");
}

struct store *lmdb_open(const char *folder, const struct lmdb_options *options, struct arena *arena,
                        struct text *error_out)
{
    *error_out = TEXT("");
    if (!folder_make(folder, arena, error_out))
        return NULL;
    struct lmdb_store *store = memory_new(sizeof(*store));
    store->folder = text_keep(text_of(folder));
    store->folder_fd = -1;
    store->options = *options;
    lmdb_gate_init(&store->gate);
    pthread_mutex_init(&store->seen_lock, NULL);
    arena_init(&store->scratch, "commit");
    arena_init(&store->counting, "tallies");
    arena_init(&store->sharing.arena, "shared claims");
    store->indexing = lmdb_indexing_new();
    indexer_init(&store->indexer);
    store->gather_max = GATHER_MAX;

    if (!registry_add(store, arena, error_out) || !store_start(store, arena, error_out)) {
        store_free(store);
        return NULL;
    }
    return store_new(&lmdb_engine, store);
}

struct store *store_open_lmdb_with(const char *folder, const struct store_settings *settings, struct arena *arena,
                                   struct text *error_out)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    options.settings = *settings;
    return lmdb_open(folder, &options, arena, error_out);
}

struct store *store_open_lmdb(const char *folder, struct arena *arena, struct text *error_out)
{
    const struct store_settings settings = STORE_SETTINGS_STANDARD;
    return store_open_lmdb_with(folder, &settings, arena, error_out);
}

/* --- backup --------------------------------------------------------------------------------------------------- */

static enum status lmdb_backup(void *state, const char *folder, struct arena *arena, struct text *error_out)
{
    struct lmdb_store *store = state;
    struct folder_content content;
    if (!folder_make(folder, arena, error_out) || !folder_look(folder, &content, arena, error_out))
        return FAILED;
    if (content.database || content.others) {
        folder_say(arena, error_out, folder, "is not empty");
        return CONFLICT;
    }

    int error = MDB_PANIC;
    if (lmdb_hold(store)) { /* LMDB takes a read transaction of its own */
        error = copy_database(store->env, folder);
        lmdb_release(store);
    }
    char *data = text_cstring(arena, text_format(arena, "%s/data.mdb", folder));
    if (!error)
        error = sync_path(data, 0);
    if (!error)
        error = sync_path(folder, O_DIRECTORY);
    if (!error)
        return OK;
    unlink(data); /* half a copy is worse than none */
    folder_say(arena, error_out, folder, mdb_strerror(error));
    return error == ENOSPC ? FULL : FAILED;
}
