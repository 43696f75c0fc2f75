/* Makes a data folder of a backup, while nobody uses the folder. The copy is made and checked beside what is there and
 * takes its place in one step, so that a restore that is cut short leaves the folder as it was. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_lmdb.h"

#define STAGING       "restore.part"
#define KEPT          "data.mdb.before-restore"
#define DATABASES_MAX 12

struct restore {
    const char *backup, *folder, *staging;
    bool replaces; /* the folder holds a store */
    struct arena *arena;
    struct text *error_out;
};

static enum status copy(const struct restore *restore);
static enum status check(const struct restore *restore, store_problem_fn *problem, void *context);
static enum status begin_anew(const struct restore *restore);
static enum status put_in_place(const struct restore *restore);

static char *path_in(const struct restore *restore, const char *folder, const char *name)
{
    return text_cstring(restore->arena, text_format(restore->arena, "%s/%s", folder, name));
}

static enum status say(const struct restore *restore, enum status status, const char *where, const char *what)
{
    folder_say(restore->arena, restore->error_out, where, what);
    return status;
}

static enum status fail(const struct restore *restore, const char *where, int error)
{
    return say(restore, error == ENOSPC || error == EDQUOT ? FULL : FAILED, where, mdb_strerror(error));
}

static bool same_folder(const char *left, const char *right)
{
    struct stat a, b;
    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void staging_remove(const struct restore *restore)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "store.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_in(restore, restore->staging, names[i]));
    rmdir(restore->staging);
}

/* May the folder be replaced by what is in the backup? */
static enum status look(struct restore *restore, bool replace)
{
    struct folder_content content;
    staging_remove(restore); /* of a restore that was cut short */
    if (!folder_look(restore->folder, &content, restore->arena, restore->error_out))
        return FAILED;
    restore->replaces = content.database;
    if (content.database && !replace)
        return say(restore, CONFLICT, restore->folder, "holds a store already");
    if (content.others && !content.database)
        return say(restore, CONFLICT, restore->folder, "holds files that are not of a store");
    return OK;
}

enum status store_restore(const char *backup, const char *folder, bool replace, store_problem_fn *problem,
                          void *context, struct arena *arena, struct text *error_out)
{
    struct restore restore = {.backup = backup, .folder = folder, .arena = arena, .error_out = error_out};
    restore.staging = path_in(&restore, folder, STAGING);
    *error_out = TEXT("");
    if (access(path_in(&restore, backup, "data.mdb"), R_OK) != 0)
        return say(&restore, NOT_FOUND, backup, "holds no store that can be read");
    if (!folder_make(folder, arena, error_out))
        return FAILED;
    if (same_folder(backup, folder))
        return say(&restore, CONFLICT, folder, "is the backup itself");
    int lock = folder_lock(folder, true, arena, error_out);
    if (lock < 0)
        return CONFLICT;
    enum status status = look(&restore, replace);
    if (status == OK)
        status = copy(&restore);
    if (status == OK)
        status = check(&restore, problem, context);
    if (status == OK)
        status = begin_anew(&restore);
    if (status == OK)
        status = put_in_place(&restore);
    staging_remove(&restore);
    close(lock);
    return status;
}

/* LMDB would let everybody read a copy in a folder that everybody may enter. */
int copy_database(MDB_env *env, const char *folder)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof(path), "%s/data.mdb", folder) >= sizeof(path))
        return ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return errno;
    /* What is read once must not push out what is read often; not every file system can. */
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_DIRECT);
    int error = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
    return close(fd) == 0 || error ? error : errno;
}

/* By LMDB, since a program may be writing into the folder that is the backup. */
static enum status copy(const struct restore *restore)
{
    MDB_env *env = NULL;
    if (mkdir(restore->staging, 0700) != 0)
        return fail(restore, restore->staging, errno);
    int error = mdb_env_create(&env);
    if (!error)
        error = mdb_env_open(env, restore->backup, MDB_RDONLY, FILE_MODE);
    const char *where = error ? restore->backup : restore->folder;
    if (!error)
        error = copy_database(env, restore->staging);
    mdb_env_close(env);
    return error ? fail(restore, where, error) : OK;
}

static enum status check(const struct restore *restore, store_problem_fn *problem, void *context)
{
    struct store *store = store_open_lmdb(restore->staging, restore->arena, restore->error_out);
    if (!store) /* the line speaks of the copy */
        return say(restore, CONFLICT, restore->backup,
                   text_cstring(restore->arena, text_slice(*restore->error_out, strlen(restore->staging) + 2,
                                                           restore->error_out->length)));
    enum status status = store_check(store, problem, context);
    store_close(store);
    if (status == CONFLICT)
        return say(restore, CONFLICT, restore->backup, "is damaged");
    return status == OK ? OK : say(restore, FAILED, restore->folder, "could not be read to its end");
}

struct raw {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi unnamed, meta;
};

/* Opens the databases of `folder` that a restore looks at. */
static int open_raw(const char *folder, unsigned flags, struct raw *raw)
{
    *raw = (struct raw){0};
    int error = mdb_env_create(&raw->env);
    if (!error)
        error = mdb_env_set_maxdbs(raw->env, DATABASES_MAX);
    if (!error)
        error = mdb_env_open(raw->env, folder, flags, FILE_MODE);
    if (!error)
        error = mdb_txn_begin(raw->env, NULL, flags, &raw->txn);
    if (!error)
        error = mdb_dbi_open(raw->txn, NULL, 0, &raw->unnamed);
    if (!error)
        error = mdb_dbi_open(raw->txn, "meta", 0, &raw->meta);
    if (error && raw->txn)
        mdb_txn_abort(raw->txn);
    return error;
}

static uint64_t number_named(MDB_txn *txn, MDB_dbi database, struct text name)
{
    struct text value;
    uint64_t number = 0;
    return lmdb_value(txn, database, name, &value) == 0 && number_read(value, &number) ? number : 0;
}

/* Changes and quiet writes have numbers of their own; both go on at one that is above all of both. */
static uint64_t last_of(const struct raw *raw)
{
    const MDB_dbi places[] = {raw->unnamed, raw->meta}; /* the latter before format 6 */
    const struct text names[] = {LAST_CHANGE, LAST_QUIET};
    uint64_t last = 0;
    for (size_t i = 0; i < 4; i++) {
        uint64_t number = number_named(raw->txn, places[i / 2], names[i % 2]);
        last = number > last ? number : last;
    }
    return last;
}

/* Of the store that gives way, as far as it can be read: it may be what made the restore necessary. */
static uint64_t last_given_out(const struct restore *restore)
{
    struct raw raw = {0};
    uint64_t last = 0;
    if (restore->replaces && open_raw(restore->folder, MDB_RDONLY, &raw) == 0) {
        last = last_of(&raw);
        mdb_txn_abort(raw.txn);
    }
    mdb_env_close(raw.env);
    return last;
}

/* What was written after the backup had versions that clients keep as entity tags. Numbers go on above the microseconds
 * of the clock: no store makes a million changes a second for all its life, so that what it had given out, and what any
 * earlier restore began with, is below. */
static uint64_t number_to_begin_after(const struct restore *restore, uint64_t last)
{
    uint64_t number = (uint64_t)clock_wall_ms() * 1000;
    uint64_t given_out = last_given_out(restore);
    if (number < given_out)
        number = given_out;
    return number < last ? last : number;
}

static int number_put(MDB_txn *txn, MDB_dbi database, struct text key, uint64_t value)
{
    struct number written = number_write(value);
    return lmdb_put(txn, database, key, number_text(&written), 0);
}

/* Change records end with the number that is skipped: whoever reads them has to read the documents again. */
static enum status begin_anew(const struct restore *restore)
{
    struct raw raw;
    MDB_dbi changes;
    int error = open_raw(restore->staging, 0, &raw);
    if (!error) {
        uint64_t number = number_to_begin_after(restore, last_of(&raw));
        error = mdb_dbi_open(raw.txn, "changes", 0, &changes);
        if (!error)
            error = mdb_drop(raw.txn, changes, 0);
        if (!error)
            error = number_put(raw.txn, raw.unnamed, LAST_CHANGE, number);
        if (!error)
            error = number_put(raw.txn, raw.unnamed, LAST_QUIET, number);
        if (!error)
            error = number_put(raw.txn, raw.meta, META_RESTORED, number);
        if (error)
            mdb_txn_abort(raw.txn);
        else
            error = mdb_txn_commit(raw.txn);
    }
    mdb_env_close(raw.env);
    return error ? fail(restore, restore->folder, error) : OK;
}

/* One rename makes it true. What was there stays under another name until the next restore. */
static enum status put_in_place(const struct restore *restore)
{
    const char *data = path_in(restore, restore->folder, "data.mdb");
    const char *kept = path_in(restore, restore->folder, KEPT);
    const char *made = path_in(restore, restore->staging, "data.mdb");
    int error = sync_path(made, 0);
    if (!error && restore->replaces && ((unlink(kept) != 0 && errno != ENOENT) || link(data, kept) != 0))
        error = errno;
    if (!error && rename(made, data) != 0)
        error = errno;
    if (!error)
        error = sync_path(restore->folder, O_DIRECTORY);
    if (error)
        return fail(restore, restore->folder, error);
    unlink(path_in(restore, restore->folder, "lock.mdb")); /* of the readers of what was there */
    return folder_own(restore->folder, restore->arena, restore->error_out) ? OK : FAILED;
}
