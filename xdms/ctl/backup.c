/* xdmctl backup and restore: has the running server copy its data; makes a data folder of such a copy. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"
#include "store.h"

/* The server has another working folder than we. */
static struct text absolute(struct ctl *ctl, const char *folder)
{
    if (folder[0] == '/')
        return text_of(folder);
    char *here = getcwd(NULL, 0);
    struct text path = text_format(&ctl->arena, "%s/%s", here ? here : "", folder);
    free(here);
    return path;
}

enum ctl_exit ctl_backup(struct ctl *ctl, int count, char **arguments)
{
    bool check = ctl_option(&count, &arguments, "--check", NULL);
    if (count != 1 || !arguments[0][0] || arguments[0][0] == '-')
        return CTL_USAGE;
    struct text folder = absolute(ctl, arguments[0]);
    json_t *body = json_pack("{s:o, s:b}", "folder", json_stringn(folder.bytes, folder.length), "check", check);
    char *written = body ? json_dumps(body, 0) : NULL;
    json_decref(body);
    if (!written)
        return ctl_error("the name of the folder must be UTF-8");
    const struct ctl_request request = {.method = "POST",
                                        .path = TEXT("backup"),
                                        .content_type = "application/json",
                                        .body = text_of(written),
                                        .may_take_long = true};
    struct ctl_answer answer;
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    free(written);
    if (code != CTL_OK)
        return code;
    fputs("backup in ", stdout);
    ctl_print(ctl_string(answer.json, "folder"));
    printf(": %lld bytes%s\n", (long long)json_integer_value(json_object_get(answer.json, "bytes")),
           check ? ", checked" : "");
    return CTL_OK;
}

enum ctl_exit ctl_restore(struct ctl *ctl, int count, char **arguments)
{
    const char *folder = NULL;
    bool replace = false;
    struct text error;
    for (;;) {
        if (ctl_option(&count, &arguments, "--replace", NULL))
            replace = true;
        else if (!ctl_option(&count, &arguments, "--data", &folder))
            break;
    }
    if (count != 1 || !folder || arguments[0][0] == '-')
        return CTL_USAGE;
    const char *data = text_cstring(&ctl->arena, text_format(&ctl->arena, "%s/data.mdb", folder));
    bool replaced = access(data, F_OK) == 0;
    ctl_guard(arguments[0]);
    enum status status = store_restore(arguments[0], folder, replace, ctl_print_problem, ctl, &ctl->arena, &error);
    if (status != OK)
        return ctl_error("%.*s", TEXT_ARG(error));
    fputs("restored into ", stdout);
    ctl_print(folder);
    puts(replaced ? "; what was there is in data.mdb.before-restore" : "");
    return CTL_OK;
}
