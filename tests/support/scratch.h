/* A folder of a test's own that goes with all that is in it. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_MAX 128

/* False: there is none. */
static inline bool scratch_make(char path[SCRATCH_MAX], const char *name)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, SCRATCH_MAX, "%s/%s_XXXXXX", base ? base : "/tmp", name);
    return mkdtemp(path) != NULL;
}

static inline int scratch_remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline int scratch_remove(const char *path)
{
    return nftw(path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
