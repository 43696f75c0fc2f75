/* Room for a transaction. A full disk must not keep anybody from deleting, which takes new pages before it frees old
 * ones: so the file is always longer than what is used of it, and when the disk refuses to let it be, writes live on
 * pages that were freed, and the reserve is for deletions. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store_lmdb.h"

#define PAGES_MIN        32 /* of a transaction: one for each level of each database, and some that are split */
#define PAGES_PER_COMMIT 4  /* …and of each commit of it, which has the upper levels in common with the others */
#define STEP_BYTES       (1u << 20) /* the file grows by so much at once */

static_assert(LMDB_RESERVE_BYTES >= 4096 * 2 * PAGES_MIN, "the reserve is for more than one deletion");

/* The file is at least so long, with blocks on the disk; true as well where the file system cannot promise any. */
static bool file_reach(mdb_filehandle_t file, uint64_t bytes)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return true; /* what is wrong comes out when it is written */
    uint64_t length = (uint64_t)about.st_size;
    if (length >= bytes)
        return true;
    if (fallocate(file, 0, about.st_size, (off_t)(bytes - length + STEP_BYTES)) == 0 ||
        fallocate(file, 0, about.st_size, (off_t)(bytes - length)) == 0)
        return true;
    return lmdb_status_of(errno) != FULL;
}

static void be_tight(struct lmdb_store *store, uint64_t used, uint64_t map_bytes)
{
    store->tight = true;
    if (map_bytes > used)
        lmdb_map_set(store, used);
}

static void be_free(struct lmdb_store *store, uint64_t map_bytes)
{
    uint64_t wanted = store->options.settings.map_bytes;
    if (wanted > store->options.settings.bytes_max)
        wanted = store->options.settings.bytes_max;
    store->tight = false;
    if (map_bytes < wanted)
        lmdb_map_set(store, wanted);
}

struct room {
    uint64_t used, map_bytes; /* of the file, and of address space */
    bool grows;               /* the file can be as long as wanted */
};

/* False: there is no environment now. */
static bool look(struct lmdb_store *store, uint64_t pages, uint64_t bytes, struct room *room_out)
{
    MDB_envinfo about;
    MDB_stat stat;
    mdb_filehandle_t file;
    if (!lmdb_hold(store))
        return false;
    bool known = mdb_env_info(store->env, &about) == 0 && mdb_env_stat(store->env, &stat) == 0 &&
                 mdb_env_get_fd(store->env, &file) == 0;
    if (known) {
        room_out->used = (about.me_last_pgno + 1) * stat.ms_psize;
        room_out->map_bytes = about.me_mapsize;
        uint64_t wanted = room_out->used + pages * stat.ms_psize + bytes + LMDB_RESERVE_BYTES;
        room_out->grows = pages == 0 || (wanted <= store->options.settings.bytes_max && file_reach(file, wanted));
    }
    lmdb_release(store);
    return known;
}

bool lmdb_room(struct lmdb_store *store, struct commit *const *commits, size_t count)
{
    struct room room;
    uint64_t bytes = 0, pages = PAGES_MIN;
    bool deletions = true;
    for (size_t i = 0; i < count; i++) {
        pages += PAGES_PER_COMMIT + commits[i]->claims_count;
        bytes += commits[i]->deletion ? 0 : commits[i]->bytes.length;
        deletions = deletions && commits[i]->deletion;
    }
    if ((deletions && !store->tight) || !look(store, deletions ? 0 : pages, bytes, &room))
        return true;
    if (deletions) {
        lmdb_map_set(store, room.used + LMDB_RESERVE_BYTES);
        return true;
    }
    if (!room.grows)
        be_tight(store, room.used, room.map_bytes);
    else if (store->tight)
        be_free(store, room.map_bytes);
    return room.grows;
}
