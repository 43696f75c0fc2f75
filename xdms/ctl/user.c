/* xdmctl user: accounts. */
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

#define PASSWORD_LINE_MAX 1024 /* the server takes 256 bytes; a longer line is refused there, not cut here */

static bool read_password(char password_out[PASSWORD_LINE_MAX]);

enum ctl_exit ctl_user_add(struct ctl *ctl, int count, char **arguments)
{
    bool if_absent = false;
    const char *display_name = NULL;
    char line[PASSWORD_LINE_MAX];
    for (;;) {
        if (ctl_option(&count, &arguments, "--if-absent", NULL))
            if_absent = true;
        else if (!ctl_option(&count, &arguments, "--display-name", &display_name))
            break;
    }
    if (count < 1 || count > 2 || arguments[0][0] == '-')
        return CTL_USAGE;
    const char *password = count == 2 ? arguments[1] : line;
    if (count == 1 && !read_password(line))
        return ctl_error("no password on standard input");
    json_t *body = json_pack("{s:s, s:s}", "name", arguments[0], "password", password);
    if (body && display_name)
        json_object_set_new(body, "displayName", json_string(display_name));
    if (body && if_absent)
        json_object_set_new(body, "ifAbsent", json_true());
    char *written = body ? json_dumps(body, 0) : NULL;
    json_decref(body);
    if (!written)
        return ctl_error("name and password must be UTF-8");
    struct ctl_request request = {.method = "POST", .path = TEXT("users"), .content_type = "application/json"};
    if (if_absent) {
        request.method = "PUT";
        request.path = text_format(&ctl->arena, "users/%.*s", TEXT_ARG(ctl_segment(ctl, arguments[0])));
    }
    request.body = text_of(written);
    struct ctl_answer answer;
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    free(written);
    if (code != CTL_OK)
        return code;
    printf("%s ", answer.status == 201 ? "added" : "exists");
    ctl_print(ctl_string(answer.json, "address"));
    putchar('\n');
    return CTL_OK;
}

/* One line; not shown while it is typed. */
static bool read_password(char password_out[PASSWORD_LINE_MAX])
{
    struct termios shown, hidden;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
    if (terminal) {
        fputs("Password: ", stderr);
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
    }
    bool got = fgets(password_out, PASSWORD_LINE_MAX, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &shown);
        fputc('\n', stderr);
    }
    if (got)
        password_out[strcspn(password_out, "\r\n")] = '\0';
    return got && password_out[0];
}

enum ctl_exit ctl_user_del(struct ctl *ctl, int count, char **arguments)
{
    if (count != 1)
        return CTL_USAGE;
    struct ctl_request request = {.method = "DELETE"};
    struct ctl_answer answer;
    request.path = text_format(&ctl->arena, "users/%.*s", TEXT_ARG(ctl_segment(ctl, arguments[0])));
    return ctl_call(ctl, &request, &answer);
}

static void print_user(const json_t *user)
{
    const char *address = ctl_string(user, "address"), *display_name = ctl_string(user, "displayName");
    ctl_print(address);
    if (display_name[0])
        printf("%*s", (int)(strlen(address) < 39 ? 40 - strlen(address) : 1), "");
    ctl_print(display_name);
    putchar('\n');
}

enum ctl_exit ctl_user_list(struct ctl *ctl, int count, char **arguments)
{
    (void)arguments;
    return count ? CTL_USAGE : ctl_each(ctl, "users", "users", print_user);
}
