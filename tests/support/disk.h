/* Stands between LMDB and the kernel for files named data.mdb: writes down what is written and when it was flushed, and
 * makes chosen calls fail or wait. Defines the calls themselves, so that a program has it in one file only; a library
 * that the program uses then calls these. */
#ifndef SUPPORT_DISK_H
#define SUPPORT_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum disk_call { DISK_WRITE, DISK_WRITE_META, DISK_SYNC, DISK_CALLS }; /* META: written and flushed in one call */
enum disk_kind { DISK_LOG_WRITE, DISK_LOG_WRITE_SYNCED, DISK_LOG_SYNC, DISK_LOG_MARK };

struct disk_record { /* bytes of a write follow */
    uint32_t kind;
    uint32_t length;
    uint64_t offset; /* of a write; the number of a mark */
};

struct disk_fault {
    atomic_uint nth;   /* the first that fails, counted from when it was set; 0: none */
    atomic_uint count; /* how many in a row; 0: all from then on */
    atomic_int error;  /* errno; 0: only wait */
    atomic_uint wait_us;
};

static int disk_log = -1; /* descriptor that gets the records; the writer must not be several threads at once */
static struct disk_fault disk_faults[DISK_CALLS];
static atomic_uint disk_calls[DISK_CALLS];
static void (*disk_look)(void); /* called before each call, if set: may change the faults */

static inline void disk_fail(enum disk_call call, unsigned nth, unsigned count, int error)
{
    atomic_store(&disk_calls[call], 0);
    atomic_store(&disk_faults[call].count, count);
    atomic_store(&disk_faults[call].error, error);
    atomic_store(&disk_faults[call].nth, nth);
}

static inline void disk_heal(void)
{
    for (int i = 0; i < DISK_CALLS; i++) {
        disk_fail((enum disk_call)i, 0, 0, 0);
        atomic_store(&disk_faults[i].wait_us, 0);
    }
}

static bool disk_is_data(int fd)
{
    char link[64], path[512];
    static const char name[] = "/data.mdb";
    int saved = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path));
    errno = saved;
    size_t tail = sizeof(name) - 1;
    return length >= (ssize_t)tail && memcmp(path + length - tail, name, tail) == 0;
}

static void disk_put(const void *bytes, size_t length)
{
    while (length > 0) {
        ssize_t put = syscall(SYS_write, disk_log, bytes, length);
        if (put <= 0)
            _exit(99); /* a record that is not whole proves nothing */
        bytes = (const char *)bytes + put;
        length -= (size_t)put;
    }
}

static inline void disk_mark(uint64_t number)
{
    const struct disk_record record = {DISK_LOG_MARK, 0, number};
    disk_put(&record, sizeof(record));
}

static void disk_sleep_us(unsigned us)
{
    const struct timespec pause = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

#define DISK_HOLD       UINT32_MAX /* as wait_us: until it is another */
#define DISK_HOLD_TRIES 12000      /* two minutes: a test that was killed holds nobody for ever */

static void disk_hold(struct disk_fault *fault)
{
    for (int i = 0; i < DISK_HOLD_TRIES && atomic_load(&fault->wait_us) == DISK_HOLD; i++) {
        disk_sleep_us(10000);
        if (disk_look)
            disk_look();
    }
}

/* 0, or what the call fails with instead of being made. */
static int disk_meets(enum disk_call call)
{
    struct disk_fault *fault = &disk_faults[call];
    if (disk_look)
        disk_look();
    unsigned number = atomic_fetch_add(&disk_calls[call], 1) + 1;
    unsigned wait_us = atomic_load(&fault->wait_us), nth = atomic_load(&fault->nth), count = atomic_load(&fault->count);
    if (wait_us == DISK_HOLD)
        disk_hold(fault);
    else if (wait_us)
        disk_sleep_us(wait_us);
    return nth && number >= nth && (count == 0 || number - nth < count) ? atomic_load(&fault->error) : 0;
}

static bool disk_is_synced(int fd)
{
    return (syscall(SYS_fcntl, fd, F_GETFL) & O_DSYNC) != 0;
}

static int disk_meets_write(int fd)
{
    return disk_meets(disk_is_synced(fd) ? DISK_WRITE_META : DISK_WRITE);
}

static void disk_record_write(int fd, uint64_t offset, const struct iovec *parts, int count, ssize_t written)
{
    if (disk_log < 0 || written <= 0)
        return;
    const struct disk_record record = {disk_is_synced(fd) ? DISK_LOG_WRITE_SYNCED : DISK_LOG_WRITE, (uint32_t)written,
                                       offset};
    size_t left = (size_t)written;
    disk_put(&record, sizeof(record));
    for (int i = 0; i < count && left; i++) {
        size_t length = parts[i].iov_len < left ? parts[i].iov_len : left;
        disk_put(parts[i].iov_base, length);
        left -= length;
    }
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset);
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset);
ssize_t writev(int fd, const struct iovec *parts, int count);
int fdatasync(int fd);
int fsync(int fd);

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    bool data = disk_is_data(fd);
    int error = data ? disk_meets_write(fd) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (data)
        disk_record_write(fd, (uint64_t)offset, &(struct iovec){(void *)bytes, length}, 1, written);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite(fd, bytes, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    bool data = disk_is_data(fd);
    int error = data ? disk_meets_write(fd) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    off_t offset = data ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
    ssize_t written = syscall(SYS_writev, fd, parts, count);
    if (data)
        disk_record_write(fd, (uint64_t)offset, parts, count, written);
    return written;
}

static int disk_sync(int fd, long call)
{
    bool data = disk_is_data(fd);
    int error = data ? disk_meets(DISK_SYNC) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    int result = (int)syscall(call, fd);
    const struct disk_record record = {DISK_LOG_SYNC, 0, 0};
    if (data && disk_log >= 0 && result == 0)
        disk_put(&record, sizeof(record));
    return result;
}

int fdatasync(int fd)
{
    return disk_sync(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return disk_sync(fd, SYS_fsync);
}

#endif
