/* xdmctl: the admin API on the command line. Knows nothing of the server but that API and,
 * for check, its data folder. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define ADMIN_STANDARD "127.0.0.1:8081"

struct command {
    const char *group; /* first word */
    const char *verb;  /* second word, or NULL */
    ctl_command_fn *run;
    const char *arguments;
    const char *meaning;
};

static const struct command commands[] = {
    {"user", "add", ctl_user_add, "[--if-absent] [--display-name N] [--alias A]… [--role R]… NAME [PASSWORD]",
     "make a user; the password is read from standard input if it is not given"},
    {"user", "del", ctl_user_del, "NAME", "delete a user and the contacts registered for it; documents stay"},
    {"user", "erase", ctl_user_erase, "--yes NAME",
     "erase all about a user, documents and messages too, and print what there was; it cannot be undone"},
    {"user", "list", ctl_user_list, "", "print all users, their aliases and roles"},
    {"user", "alias", ctl_user_alias, "add|del NAME ADDRESS", "give a user one more address, or take one back"},
    {"user", "role", ctl_user_role, "NAME [server|operator|admin|auditor]…",
     "set what a user may be beside a user; without roles: nothing"},
    {"user", "keep", ctl_user_keep, "NAME [SECONDS]",
     "say how long messages wait for a user at most; without SECONDS: as for all"},
    {"user", "groups", ctl_user_groups, "NAME",
     "print the groups that a user is in, himself or through a list or a group"},
    {"group", "put", ctl_group_put, "[--owner NAME] [--name DOC] FILE",
     "make or replace the group that FILE (- for standard input) describes"},
    {"group", "show", ctl_group_show, "URI", "print the document of a group"},
    {"group", "del", ctl_group_del, "URI", "delete a group"},
    {"group", "list", ctl_group_list, "", "print all groups: URI, owner, document"},
    {"find", NULL, ctl_find, "people|groups WORD… | --target TARGET QUERY",
     "print who has all words in the name shown, or the elements that a query (- for standard input) finds"},
    {"reindex", NULL, ctl_reindex, "[AUID]", "build the indexes of searches anew while the server is in use"},
    {"trace", NULL, ctl_trace, "MESSAGE-ID|USER", "tell what became of a message, or of the newest of a user"},
    {"queue", "drop", ctl_queue_drop, "USER REFERENCE|--all", "drop a message that waits for a user, or all of them"},
    {"queue", "retry", ctl_queue_retry, "USER", "try now to hand over what waits for a user"},
    {"queue", NULL, ctl_queue, "[--user USER] [--json]",
     "print what waits: for whom, from whom, since when, and why it waits"},
    {"import", NULL, ctl_import, "[--if-absent|--replace] [--refused FILE] PATH…",
     "bring in users and documents: folders of XML files, tables of users or of group members, lines of JSON"},
    {"export", NULL, ctl_export, "--data DIR TARGET",
     "write users and documents of a data folder into a new folder (-: as lines of JSON), for import"},
    {"backup", NULL, ctl_backup, "[--check] DIR",
     "copy the data of the running server into a new or empty folder, and with --check read the copy"},
    {"restore", NULL, ctl_restore, "[--replace] --data DIR BACKUP",
     "make a data folder of a backup; the programs that use the folder must be stopped"},
    {"check", NULL, ctl_check, "[--schemas DIR] --data DIR",
     "read a whole data folder and print what contradicts itself, or with --schemas the manifests there"},
};

#define COMMANDS_COUNT (sizeof(commands) / sizeof(commands[0]))

static int run(struct ctl *ctl, int count, char **arguments);
static const struct command *find(int *count, char ***arguments);
static void print_call(FILE *stream, const struct command *command);
static void print_usage(FILE *stream);
static void print_near(FILE *stream, const char *word);

int main(int argc, char **argv)
{
    struct ctl ctl = {
        .admin = getenv("XDM_ADMIN"),
        .token = getenv("XDM_TOKEN"),
        .cacert = getenv("XDM_CACERT"),
        .cert = getenv("XDM_CERT"),
        .key = getenv("XDM_KEY"),
    };
    if (!ctl.admin || !ctl.admin[0])
        ctl.admin = ADMIN_STANDARD;
    arena_init(&ctl.arena, "xdmctl");
    int code = run(&ctl, argc - 1, argv + 1);
    json_decref(ctl.json);
    arena_clear(&ctl.arena);
    if (fflush(stdout) != 0 && code == CTL_OK)
        code = ctl_error("cannot write to standard output");
    return code;
}

static int run(struct ctl *ctl, int count, char **arguments)
{
    for (;;) {
        if (ctl_option(&count, &arguments, "--admin", &ctl->admin) ||
            ctl_option(&count, &arguments, "--token", &ctl->token) ||
            ctl_option(&count, &arguments, "--cacert", &ctl->cacert) ||
            ctl_option(&count, &arguments, "--cert", &ctl->cert) || ctl_option(&count, &arguments, "--key", &ctl->key))
            continue;
        break;
    }
    if (count && (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "help") == 0)) {
        print_usage(stdout);
        return CTL_OK;
    }
    if (count && strcmp(arguments[0], "--version") == 0) {
        printf("xdmctl " XDM_VERSION "\n");
        return CTL_OK;
    }
    const struct command *command = find(&count, &arguments);
    if (!command) {
        if (count)
            print_near(stderr, arguments[0]);
        else
            print_usage(stderr);
        return CTL_USAGE;
    }
    enum ctl_exit code = command->run(ctl, count, arguments);
    if (code == CTL_USAGE) {
        fputs("usage: xdmctl [--admin HOST:PORT] [--token T] ", stderr);
        print_call(stderr, command);
    }
    return code;
}

static const struct command *find(int *count, char ***arguments)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        int words = commands[i].verb ? 2 : 1;
        if (*count < words || strcmp((*arguments)[0], commands[i].group) != 0 ||
            (words == 2 && strcmp((*arguments)[1], commands[i].verb) != 0))
            continue;
        *count -= words;
        *arguments += words;
        return &commands[i];
    }
    return NULL;
}

static void print_call(FILE *stream, const struct command *command)
{
    const char *words[] = {command->verb, command->arguments};
    fputs(command->group, stream);
    for (int i = 0; i < 2; i++)
        if (words[i] && words[i][0])
            fprintf(stream, " %s", words[i]);
    fputc('\n', stream);
}

/* What begins with a word that is the first of commands, else that there is none. */
static void print_near(FILE *stream, const char *word)
{
    bool found = false;
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(word, commands[i].group) == 0) {
            fprintf(stream, "%s xdmctl ", found ? "      " : "usage:");
            print_call(stream, &commands[i]);
            found = true;
        }
    if (!found)
        fprintf(stream, "xdmctl: there is no command '%s'; xdmctl help tells of all\n", word);
}

static void print_usage(FILE *stream)
{
    fprintf(stream,
            "usage: xdmctl [--admin HOST:PORT] [--token T] [--cacert FILE] [--cert FILE] [--key FILE] COMMAND\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        fputs("  ", stream);
        print_call(stream, &commands[i]);
        fprintf(stream, "        %s\n", commands[i].meaning);
    }
    fprintf(stream, "\nThe admin API is looked for at XDM_ADMIN, else at " ADMIN_STANDARD
                    "; its token is taken from XDM_TOKEN.\n"
                    "Where it speaks TLS it is https://HOST:PORT; XDM_CACERT names the file of its CA, XDM_CERT and\n"
                    "XDM_KEY those of our own certificate and key.\n"
                    "Exit code: 0 done, 1 refused, 2 wrong usage, 3 server not reached.\n");
}

bool ctl_option(int *count, char ***arguments, const char *name, const char **value_out)
{
    int words = value_out ? 2 : 1;
    if (*count < words || strcmp((*arguments)[0], name) != 0)
        return false;
    if (value_out)
        *value_out = (*arguments)[1];
    *count -= words;
    *arguments += words;
    return true;
}

void ctl_print(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

const char *ctl_clean(struct arena *arena, const char *text)
{
    char *clean = text_cstring(arena, text_of(text));
    for (char *at = clean; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return clean;
}

enum ctl_exit ctl_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("xdmctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CTL_REFUSED;
}
