/* The folder of an LMDB store: what else is in it, and who may use it at the same time. Knows no database.
 *
 * LMDB keeps the processes of one machine apart and no others. The lock file store.lock keeps out what LMDB cannot see:
 * a restore that goes on, a newer program that migrates, and another machine on a shared disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "store_lmdb.h"

#define FOLDER_MODE   0700 /* documents are personal */
#define LOCK_NAME     "store.lock"
#define LOCK_MS_MAX   5000 /* longer than it takes to open a store; less than a person takes for a hang */
#define LOCK_PAUSE_MS 20
#define MACHINE_MAX   64 /* a boot id has 36 characters */
#define ROLE_BYTE     4096

static const char *const store_files[] = {"data.mdb", "lock.mdb", LOCK_NAME};

bool folder_say(struct arena *arena, struct text *error_out, const char *folder, const char *what)
{
    *error_out = text_format(arena, "%s: %s", folder, what);
    return false;
}

bool folder_make(const char *folder, struct arena *arena, struct text *error_out)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return folder_say(arena, error_out, folder, strerror(errno));
    return true;
}

/* One look at the whole: another process may be making the database at this moment. */
bool folder_look(const char *folder, struct folder_content *content_out, struct arena *arena, struct text *error_out)
{
    static const char *const usual[] = {".", "..", "lock.mdb", LOCK_NAME, "lost+found"};
    DIR *entries = opendir(folder);
    if (!entries)
        return folder_say(arena, error_out, folder, strerror(errno));
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

/* Of a folder that is not there its parent decides. */
static bool could_be_made(const char *folder, struct arena *arena, struct text *error_out)
{
    struct text path = text_of(folder);
    while (path.length > 1 && path.bytes[path.length - 1] == '/')
        path.length--;
    size_t end = path.length;
    while (end > 0 && path.bytes[end - 1] != '/')
        end--;
    const char *parent = end ? text_cstring(arena, text_slice(path, 0, end)) : ".";
    return access(parent, W_OK | X_OK) == 0 || folder_say(arena, error_out, folder, strerror(errno));
}

bool store_folder_good(const char *folder, struct arena *arena, struct text *error_out)
{
    struct folder_content content;
    if (access(folder, F_OK) != 0 && errno == ENOENT)
        return could_be_made(folder, arena, error_out);
    if (!folder_look(folder, &content, arena, error_out))
        return false;
    if (access(folder, R_OK | W_OK | X_OK) != 0)
        return folder_say(arena, error_out, folder, strerror(errno));
    return !content.others || content.database ||
           folder_say(arena, error_out, folder, "holds files that are not of a store");
}

int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return errno;
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* Maps of such files are not the same in two machines, and some of them ignore locks. */
static bool is_remote(int fd)
{
    static const unsigned long remote[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                           V9FS_MAGIC,      CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};
    struct statfs about;
    if (fstatfs(fd, &about) != 0)
        return false;
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        if ((unsigned long)about.f_type == remote[i])
            return true;
    return false;
}

/* Which machine this is, until it starts again: containers of one kernel are one machine. */
static struct text machine(char buffer[MACHINE_MAX])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, buffer, MACHINE_MAX);
    if (fd >= 0)
        close(fd);
    return text_trim((struct text){buffer, length > 0 ? (size_t)length : 0});
}

bool folder_lock_alone(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

bool folder_lock_share(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

/* A lock of another kind on the same file, of a byte behind all content: it belongs to the descriptor, as the others
 * do, and is gone with its process. */
bool folder_lock_role(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ROLE_BYTE, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Whoever finds nobody there writes which machine it is; the others compare. */
static bool same_machine(int fd, bool first)
{
    char here[MACHINE_MAX], there[MACHINE_MAX];
    struct text ours = machine(here);
    if (first)
        return ftruncate(fd, 0) == 0 && pwrite(fd, ours.bytes, ours.length, 0) == (ssize_t)ours.length;
    ssize_t length = pread(fd, there, sizeof(there), 0);
    /* Nothing there yet: the first one is about to write it. */
    return length <= 0 || text_equal(ours, (struct text){there, (size_t)length});
}

/* 0 with *alone_out, or EWOULDBLOCK, or why it cannot be locked. Programs that start at once hold it alone for a
 * moment, one after the other. */
static int lock_take(int fd, bool *alone_out)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    for (int waited_ms = 0;; waited_ms += LOCK_PAUSE_MS) {
        *alone_out = folder_lock_alone(fd);
        if (*alone_out || (errno == EWOULDBLOCK && folder_lock_share(fd)))
            return 0;
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_MS_MAX)
            return errno;
        nanosleep(&pause, NULL);
    }
}

static const char *lock_problem(int fd, bool alone_wanted)
{
    bool alone;
    if (is_remote(fd))
        return "is on a network file system, where programs cannot share it safely";
    int error = lock_take(fd, &alone);
    if (error == EWOULDBLOCK)
        return "is being restored or brought to a new format by another program";
    if (error)
        return strerror(error);
    if (alone_wanted && !alone)
        return "is in use by another program";
    if (!same_machine(fd, alone))
        return alone ? "cannot be written" : "is in use by another machine";
    return NULL;
}

int folder_lock(const char *folder, bool alone, struct arena *arena, struct text *error_out)
{
    char *path = text_cstring(arena, text_format(arena, "%s/" LOCK_NAME, folder));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    const char *problem = fd < 0 ? strerror(errno) : lock_problem(fd, alone);
    if (!problem)
        return fd;
    if (fd >= 0)
        close(fd);
    folder_say(arena, error_out, folder, problem);
    return -1;
}

bool folder_own(const char *folder, struct arena *arena, struct text *error_out)
{
    struct stat about;
    if (geteuid() != 0)
        return true;
    if (stat(folder, &about) != 0)
        return folder_say(arena, error_out, folder, strerror(errno));
    for (size_t i = 0; i < sizeof(store_files) / sizeof(store_files[0]); i++) {
        char *path = text_cstring(arena, text_format(arena, "%s/%s", folder, store_files[i]));
        if (lchown(path, about.st_uid, about.st_gid) != 0 && errno != ENOENT)
            return folder_say(arena, error_out, folder, strerror(errno));
    }
    return true;
}
