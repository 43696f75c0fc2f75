/* Opens, shares and copies the LMDB environment of one folder, and hands out its transactions. Knows no documents.
 *
 * A store must not be used after fork(): LMDB's locks and maps belong to the process that opened them. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "store_lmdb.h"

#define FORMAT_NAME   "xdms-store "
#define FOLDER_MODE   0700 /* documents are personal */
#define FILE_MODE     0600
#define DATABASES_MAX 8 /* six are used */
#define RESIZES_MAX   8 /* tries to follow a map that another process keeps growing */

/* Opening an environment twice in a process and closing one drops the locks of both (lmdb.h), so that those that are
 * open are known to the process. */
static struct {
    pthread_mutex_t lock;
    struct lmdb_store *first;
} open_stores = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool environment_open(struct lmdb_store *store, size_t map_bytes, struct arena *arena, struct text *error_out);
static bool databases_open(struct lmdb_store *store, struct arena *arena, struct text *error_out);
static enum status lmdb_backup(void *state, const char *folder, struct arena *arena, struct text *error_out);

/* --- folder --------------------------------------------------------------------------------------------------- */

static bool say(struct arena *arena, struct text *error_out, const char *folder, const char *what)
{
    *error_out = text_format(arena, "%s: %s", folder, what);
    return false;
}

static bool folder_make(const char *folder, struct arena *arena, struct text *error_out)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return say(arena, error_out, folder, strerror(errno));
    return true;
}

struct folder_content {
    bool database;
    bool others; /* neither LMDB nor the file system made them */
};

/* One look at the whole: another process may be making the database at this moment. */
static bool folder_look(const char *folder, struct folder_content *content_out, struct arena *arena,
                        struct text *error_out)
{
    static const char *const usual[] = {".", "..", "lock.mdb", "lost+found"};
    DIR *entries = opendir(folder);
    if (!entries)
        return say(arena, error_out, folder, strerror(errno));
    *content_out = (struct folder_content){0};
    for (const struct dirent *entry; (entry = readdir(entries));) {
        bool database = strcmp(entry->d_name, "data.mdb") == 0;
        bool known = database;
        for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
            known = known || strcmp(entry->d_name, usual[i]) == 0;
        content_out->database = content_out->database || database;
        content_out->others = content_out->others || !known;
    }
    closedir(entries);
    return true;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return errno;
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* --- open and close ------------------------------------------------------------------------------------------- */

static bool registry_add(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    struct stat about;
    if (stat(store->folder, &about) != 0)
        return say(arena, error_out, store->folder, strerror(errno));
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
    return !other || say(arena, error_out, store->folder, "is open already in this process");
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
    if (store->env) {
        for (size_t i = 0; i < store->parked_count; i++)
            mdb_txn_abort(store->parked[i]);
        mdb_env_close(store->env);
    }
    registry_remove(store); /* not before the close: the locks go with it */
    arena_clear(&store->scratch);
    pthread_cond_destroy(&store->released);
    pthread_mutex_destroy(&store->lock);
    free(store->folder);
    free(store);
}

static void lmdb_close(void *state)
{
    struct lmdb_store *store = state;
    queue_free(store->queue);
    assert(store->active == 0);
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
    .list = lmdb_list,
    .holders = lmdb_holders,
    .changes = lmdb_changes,
    .last_change = lmdb_last_change,
    .backup = lmdb_backup,
    .check = lmdb_check,
};

static bool store_start(struct lmdb_store *store, const struct lmdb_options *options, struct arena *arena,
                        struct text *error_out)
{
    if (!environment_open(store, options->map_bytes, arena, error_out))
        return false;
    int dead = 0;
    mdb_reader_check(store->env, &dead);
    store->readers_checked_ms = clock_monotonic_ms();
    if (!databases_open(store, arena, error_out))
        return false;
    int error = sync_path(store->folder, O_DIRECTORY); /* else a new data.mdb may be gone after a power cut */
    if (error)
        return say(arena, error_out, store->folder, strerror(error));
    store->queue = queue_new(lmdb_commit, store);
    return store->queue || say(arena, error_out, store->folder, "no thread for the committer");
}

struct store *store_open_lmdb_with(const char *folder, const struct lmdb_options *options, struct arena *arena,
                                   struct text *error_out)
{
    *error_out = TEXT("");
    if (!folder_make(folder, arena, error_out))
        return NULL;
    struct lmdb_store *store = memory_new(sizeof(*store));
    store->folder = memory_new(strlen(folder) + 1);
    memcpy(store->folder, folder, strlen(folder));
    store->changes_kept = options->changes_kept;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->released, NULL);
    arena_init(&store->scratch, "commit");

    if (!registry_add(store, arena, error_out) || !store_start(store, options, arena, error_out)) {
        store_free(store);
        return NULL;
    }
    return store_new(&lmdb_engine, store);
}

struct store *store_open_lmdb(const char *folder, struct arena *arena, struct text *error_out)
{
    const struct lmdb_options options = {.map_bytes = MAP_BYTES, .changes_kept = CHANGES_KEPT};
    return store_open_lmdb_with(folder, &options, arena, error_out);
}

static bool environment_open(struct lmdb_store *store, size_t map_bytes, struct arena *arena, struct text *error_out)
{
    struct folder_content content;
    if (!folder_look(store->folder, &content, arena, error_out))
        return false;
    if (content.others && !content.database)
        return say(arena, error_out, store->folder, "holds files that are not of a store");
    int error = mdb_env_create(&store->env);
    if (!error)
        error = mdb_env_set_mapsize(store->env, map_bytes);
    if (!error)
        error = mdb_env_set_maxreaders(store->env, READERS_MAX);
    if (!error)
        error = mdb_env_set_maxdbs(store->env, DATABASES_MAX);
    if (!error)
        error = mdb_env_open(store->env, store->folder, MDB_NOTLS, FILE_MODE);
    return !error || say(arena, error_out, store->folder, mdb_strerror(error));
}

/* Nothing is written into a file that is not ours, or that a newer program writes. */
static bool format_check(struct lmdb_store *store, MDB_txn *txn, struct arena *arena, struct text *error_out)
{
    struct text format;
    int error = lmdb_value(txn, store->meta, META_FORMAT, &format);
    uint64_t number = 0;
    const struct text name = TEXT(FORMAT_NAME);
    if (error)
        return say(arena, error_out, store->folder, "holds a database that is not a store");
    if (!text_starts_with(format, name) || !text_to_u64(text_slice(format, name.length, format.length), &number) ||
        number == 0)
        return say(arena, error_out, store->folder, "holds a store of unknown format");
    if (number > LMDB_FORMAT) {
        *error_out = text_format(arena, "%s: was written by a newer program (format %llu, known up to %d)",
                                 store->folder, (unsigned long long)number, LMDB_FORMAT);
        return false;
    }
    return true;
}

static int format_write(struct lmdb_store *store, MDB_txn *txn)
{
    char format[32];
    snprintf(format, sizeof(format), "%s%d", FORMAT_NAME, LMDB_FORMAT);
    MDB_val key = val_of(META_FORMAT);
    MDB_val value = val_of(text_of(format));
    return mdb_put(txn, store->meta, &key, &value, 0);
}

static bool meta_open(struct lmdb_store *store, MDB_txn *txn, struct arena *arena, struct text *error_out)
{
    MDB_dbi unnamed;
    MDB_stat about;
    int error = mdb_dbi_open(txn, NULL, 0, &unnamed);
    if (!error)
        error = mdb_stat(txn, unnamed, &about);
    bool fresh = !error && about.ms_entries == 0;
    if (!error)
        error = mdb_dbi_open(txn, "meta", fresh ? MDB_CREATE : 0, &store->meta);
    if (error == MDB_NOTFOUND || error == MDB_INCOMPATIBLE)
        return say(arena, error_out, store->folder, "holds a database that is not a store");
    if (!error && fresh)
        error = format_write(store, txn);
    if (error)
        return say(arena, error_out, store->folder, mdb_strerror(error));
    return format_check(store, txn, arena, error_out);
}

static bool databases_open(struct lmdb_store *store, struct arena *arena, struct text *error_out)
{
    const struct {
        const char *name;
        MDB_dbi *database;
    } databases[] = {
        {"heads", &store->heads},   {"documents", &store->documents}, {"claims", &store->claims},
        {"shared", &store->shared}, {"changes", &store->changes},
    };
    MDB_txn *txn;
    int error = lmdb_write_begin(store, &txn);
    if (error)
        return say(arena, error_out, store->folder, mdb_strerror(error));
    if (!meta_open(store, txn, arena, error_out)) {
        lmdb_write_end(store, txn, false);
        return false;
    }
    for (size_t i = 0; !error && i < sizeof(databases) / sizeof(databases[0]); i++)
        error = mdb_dbi_open(txn, databases[i].name, MDB_CREATE, databases[i].database);
    if (error)
        lmdb_write_end(store, txn, false);
    else
        error = lmdb_write_end(store, txn, true); /* databases opened in a transaction that ends otherwise are lost */
    return !error || say(arena, error_out, store->folder, mdb_strerror(error));
}

/* --- transactions --------------------------------------------------------------------------------------------- */

void lmdb_log(const struct lmdb_store *store, const char *what, int error)
{
    log_error("store failed folder=%s call=%s error=%s", store->folder, what, mdb_strerror(error));
}

/* Another process opened the folder with a larger map and uses it. Ours may change while no transaction is there. */
static int map_follow(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->resizing)
        pthread_cond_wait(&store->released, &store->lock);
    store->resizing = true;
    while (store->active > 0)
        pthread_cond_wait(&store->released, &store->lock);
    int error = mdb_env_set_mapsize(store->env, 0);
    store->resizing = false;
    pthread_cond_broadcast(&store->released);
    pthread_mutex_unlock(&store->lock);
    return error;
}

/* Enters; a parked transaction, or NULL if none is there or none is wanted. */
static MDB_txn *enter(struct lmdb_store *store, bool reading)
{
    MDB_txn *txn = NULL;
    pthread_mutex_lock(&store->lock);
    while (store->resizing || (reading && store->active >= READ_TXNS_MAX))
        pthread_cond_wait(&store->released, &store->lock);
    store->active++;
    if (reading && store->parked_count > 0)
        txn = store->parked[--store->parked_count];
    pthread_mutex_unlock(&store->lock);
    return txn;
}

static void leave(struct lmdb_store *store, MDB_txn *parked)
{
    pthread_mutex_lock(&store->lock);
    store->active--;
    if (parked)
        store->parked[store->parked_count++] = parked;
    if (store->resizing)
        pthread_cond_broadcast(&store->released);
    else
        pthread_cond_signal(&store->released);
    pthread_mutex_unlock(&store->lock);
}

static int read_start(struct lmdb_store *store, MDB_txn **txn)
{
    if (*txn)
        return mdb_txn_renew(*txn);
    int error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn);
    if (error != MDB_READERS_FULL)
        return error;
    int dead = 0;
    mdb_reader_check(store->env, &dead); /* slots of killed processes */
    return mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn);
}

int lmdb_read_begin(struct lmdb_store *store, MDB_txn **txn_out)
{
    int error = MDB_MAP_RESIZED;
    for (int i = 0; i < RESIZES_MAX && error == MDB_MAP_RESIZED; i++) {
        *txn_out = enter(store, true);
        bool renewed = *txn_out;
        error = read_start(store, txn_out);
        if (!error)
            return 0;
        leave(store, renewed ? *txn_out : NULL);
        if (error == MDB_MAP_RESIZED && map_follow(store) != 0)
            break;
    }
    lmdb_log(store, "read", error);
    return error;
}

void lmdb_read_end(struct lmdb_store *store, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    leave(store, txn);
}

int lmdb_write_begin(struct lmdb_store *store, MDB_txn **txn_out)
{
    int error = MDB_MAP_RESIZED;
    for (int i = 0; i < RESIZES_MAX && error == MDB_MAP_RESIZED; i++) {
        enter(store, false);
        error = mdb_txn_begin(store->env, NULL, 0, txn_out);
        if (!error)
            return 0;
        leave(store, NULL);
        if (error == MDB_MAP_RESIZED && map_follow(store) != 0)
            break;
    }
    return error;
}

int lmdb_write_end(struct lmdb_store *store, MDB_txn *txn, bool commit)
{
    int error = 0;
    if (commit)
        error = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    leave(store, NULL);
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

int lmdb_last(struct lmdb_store *store, MDB_txn *txn, uint64_t *last_out)
{
    struct text value;
    *last_out = 0;
    int error = lmdb_value(txn, store->meta, META_LAST, &value);
    if (error == MDB_NOTFOUND)
        return 0;
    return error || number_read(value, last_out) ? error : MDB_CORRUPTED;
}

/* --- backup --------------------------------------------------------------------------------------------------- */

static enum status lmdb_backup(void *state, const char *folder, struct arena *arena, struct text *error_out)
{
    struct lmdb_store *store = state;
    struct folder_content content;
    if (!folder_make(folder, arena, error_out) || !folder_look(folder, &content, arena, error_out))
        return FAILED;
    if (content.database || content.others) {
        say(arena, error_out, folder, "is not empty");
        return CONFLICT;
    }

    enter(store, false); /* LMDB takes a read transaction of its own */
    int error = mdb_env_copy2(store->env, folder, MDB_CP_COMPACT);
    leave(store, NULL);
    char *data = text_cstring(arena, text_format(arena, "%s/data.mdb", folder));
    if (!error)
        error = sync_path(data, 0);
    if (!error)
        error = sync_path(folder, O_DIRECTORY);
    if (!error)
        return OK;
    unlink(data); /* half a copy is worse than none */
    say(arena, error_out, folder, mdb_strerror(error));
    return error == ENOSPC ? FULL : FAILED;
}
