/* The disk of disk.h for a program that is started with this library before all others (LD_PRELOAD). The file named by
 * XDM_DISK_CONTROL says what fails: a line "CALL NTH COUNT ERRNO WAIT_US" for each call (write, meta, sync); it is read
 * again when it changes. */
#include <stdio.h>
#include <stdlib.h>

#include "disk.h"

static char control[1024]; /* as last read */
static atomic_flag reading = ATOMIC_FLAG_INIT;

static void apply(void)
{
    static const char *const names[DISK_CALLS] = {"write", "meta", "sync"};
    disk_heal();
    for (const char *line = control; *line;) {
        char name[16];
        unsigned nth, count, wait_us;
        int error;
        if (sscanf(line, "%15s %u %u %d %u", name, &nth, &count, &error, &wait_us) == 5)
            for (int i = 0; i < DISK_CALLS; i++)
                if (strcmp(name, names[i]) == 0) {
                    disk_fail((enum disk_call)i, nth, count, error);
                    atomic_store(&disk_faults[i].wait_us, wait_us);
                }
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : line + strlen(line);
    }
}

static void look(void)
{
    char now[sizeof(control)] = {0};
    const char *path = getenv("XDM_DISK_CONTROL");
    int saved = errno;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || atomic_flag_test_and_set(&reading))
        return;
    if (read(fd, now, sizeof(now) - 1) >= 0 && strcmp(now, control) != 0) {
        memcpy(control, now, sizeof(control));
        apply();
    }
    close(fd);
    atomic_flag_clear(&reading);
    errno = saved;
}

__attribute__((constructor)) static void begin(void)
{
    disk_look = look;
}
