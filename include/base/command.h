/* The command line that both daemons share: settings file, overrides, and the ways to look at settings. */
#ifndef BASE_COMMAND_H
#define BASE_COMMAND_H

#include "settings.h"

/* A short way to write a setting: "--http HOST:PORT" for listen.http. */
struct command_option {
    const char *option;
    const char *setting;
};

#define COMMAND_OPTIONS_MAX 16 /* shortcuts of one program */

struct command {
    const char *program;
    const char *summary; /* one line for --help */
    const struct settings_table *table;
    const struct command_option *options;
    size_t options_count;
    const char *extra_option; /* one option of the program's own that takes a value, or NULL */
    /* For --check, of what rows cannot tell. False: it has said on standard error what is wrong. NULL: nothing more. */
    bool (*check)(void *target);
};

/* Fills `target` (settings_init first, here): file, then options in order. True: run the program. False: leave with
 * *exit_code_out; what had to be said has been said (--help, --version, --check, --dump-defaults, --dump-effective,
 * --document-settings, errors). `extra_out` gets the value of `extra_option`, or NULL. */
bool command_line(const struct command *command, int argc, char **argv, void *target, const char **extra_out,
                  int *exit_code_out);

#endif
