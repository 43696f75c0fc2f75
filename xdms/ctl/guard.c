/* A damaged database can end whoever reads it: a part of the file that is not there is a bus error, not an error code.
 * The admin gets a line and an exit code all the same. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"

static char line[512]; /* ready to be written: a handler of signals can do no more */

static void end(int number)
{
    (void)number;
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written;
    _exit(CTL_REFUSED);
}

void ctl_guard(const char *folder)
{
    static const int signals[] = {SIGBUS, SIGSEGV, SIGABRT};
    const struct sigaction action = {.sa_handler = end};
    snprintf(line, sizeof(line), "xdmctl: %.400s: is damaged: a part of it cannot be read\n", folder);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}
