/* xdmctl backup: has the running server copy its data. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"

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
    if (count != 1 || !arguments[0][0] || arguments[0][0] == '-')
        return CTL_USAGE;
    struct text folder = absolute(ctl, arguments[0]);
    json_t *body = json_pack("{s:o}", "folder", json_stringn(folder.bytes, folder.length));
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
    putchar('\n');
    return CTL_OK;
}
