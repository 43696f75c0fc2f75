/* Command line of the daemons: everything but the names of the shortcuts is the same for both. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OPTION_CONFIG = 256,
    OPTION_SET,
    OPTION_CHECK,
    OPTION_DEFAULTS,
    OPTION_EFFECTIVE,
    OPTION_DOCUMENT,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_EXTRA,
    OPTION_SHORTCUT
};

static const struct option common_options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"set", required_argument, NULL, OPTION_SET},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"dump-defaults", no_argument, NULL, OPTION_DEFAULTS},
    {"dump-effective", no_argument, NULL, OPTION_EFFECTIVE},
    {"document-settings", no_argument, NULL, OPTION_DOCUMENT},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};

enum { COMMON_COUNT = sizeof(common_options) / sizeof(common_options[0]) };

struct outcome {
    bool leave;
    int exit_code;
    int action; /* OPTION_CHECK or OPTION_EFFECTIVE, done when all options have been read */
};

static void print_help(const struct command *command)
{
    printf("usage: %s [OPTIONS]\n%s\n\n", command->program, command->summary);
    for (size_t i = 0; i < command->options_count; i++)
        printf("  --%s VALUE%*s setting %s\n", command->options[i].option,
               (int)(14 - strlen(command->options[i].option)), "", command->options[i].setting);
    if (command->extra_option)
        printf("  --%s VALUE\n", command->extra_option);
    puts("  --config FILE         read settings from a YAML file first\n"
         "  --set NAME=VALUE      any setting\n"
         "  --check               look at the settings and what they name, say what is wrong, leave\n"
         "  --dump-defaults       print all settings with their defaults, as YAML\n"
         "  --dump-effective      print the settings that would be in force\n"
         "  --document-settings   print the reference of all settings, as Markdown\n"
         "  --version");
}

static void refuse_option(const struct command *command, struct outcome *outcome, const char *error)
{
    fprintf(stderr, "%s: %s\n", command->program, error);
    *outcome = (struct outcome){.leave = true, .exit_code = 1};
}

static void set_named(const struct command *command, void *target, char *assignment, struct outcome *outcome)
{
    char error[SETTINGS_ERROR_MAX];
    char *value = strchr(assignment, '=');
    if (!value)
        return refuse_option(command, outcome, "--set needs NAME=VALUE");
    *value++ = '\0';
    if (settings_set(command->table, target, assignment, value, error) != OK)
        refuse_option(command, outcome, error);
}

static void dump_defaults(const struct command *command, void *target, struct outcome *outcome)
{
    settings_clear(command->table, target);
    settings_init(command->table, target);
    settings_dump(command->table, target, stdout);
    outcome->leave = true;
}

static void take_option(const struct command *command, void *target, int option, const char **extra_out,
                        struct outcome *outcome)
{
    char error[SETTINGS_ERROR_MAX];
    switch (option) {
    case OPTION_CONFIG:
        if (settings_read_file(command->table, target, optarg, error) != OK)
            refuse_option(command, outcome, error);
        break;
    case OPTION_SET: set_named(command, target, optarg, outcome); break;
    case OPTION_CHECK:
    case OPTION_EFFECTIVE: outcome->action = option; break;
    case OPTION_DEFAULTS: dump_defaults(command, target, outcome); break;
    case OPTION_DOCUMENT:
        settings_document(command->table, command->program, stdout);
        outcome->leave = true;
        break;
    case OPTION_HELP:
        print_help(command);
        outcome->leave = true;
        break;
    case OPTION_VERSION:
        printf("%s %s\n", command->program, XDM_VERSION);
        outcome->leave = true;
        break;
    case OPTION_EXTRA: *extra_out = optarg; break;
    case '?': *outcome = (struct outcome){.leave = true, .exit_code = 1}; break; /* getopt has said it */
    default: {
        const char *setting = command->options[option - OPTION_SHORTCUT].setting;
        if (settings_set(command->table, target, setting, optarg, error) != OK)
            refuse_option(command, outcome, error);
    }
    }
}

static void finish(const struct command *command, void *target, int argc, char **argv, struct outcome *outcome)
{
    if (!outcome->leave && optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", command->program, argv[optind]);
        *outcome = (struct outcome){.leave = true, .exit_code = 1};
    }
    if (outcome->leave || !outcome->action)
        return;
    outcome->leave = true;
    if (outcome->action == OPTION_EFFECTIVE)
        settings_dump(command->table, target, stdout);
    else if (command->check && !command->check(target))
        outcome->exit_code = 1;
    else
        puts("settings are good");
}

bool command_line(const struct command *command, int argc, char **argv, void *target, const char **extra_out,
                  int *exit_code_out)
{
    struct option options[COMMON_COUNT + COMMAND_OPTIONS_MAX + 2] = {0};
    size_t count = 0;
    for (; count < COMMON_COUNT; count++)
        options[count] = common_options[count];
    for (size_t i = 0; i < command->options_count && i < COMMAND_OPTIONS_MAX; i++)
        options[count++] =
            (struct option){command->options[i].option, required_argument, NULL, OPTION_SHORTCUT + (int)i};
    if (command->extra_option)
        options[count++] = (struct option){command->extra_option, required_argument, NULL, OPTION_EXTRA};

    settings_init(command->table, target);
    *extra_out = NULL;
    struct outcome outcome = {0};
    int option;
    while (!outcome.leave && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(command, target, option, extra_out, &outcome);
    finish(command, target, argc, argv, &outcome);
    if (outcome.leave)
        settings_clear(command->table, target);
    *exit_code_out = outcome.exit_code;
    return !outcome.leave;
}
