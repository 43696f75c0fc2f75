/* xdmctl user: accounts. */
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

#define PASSWORD_LINE_MAX 1024 /* the server takes 256 bytes; a longer line is refused there, not cut here */

static bool read_password(char password_out[PASSWORD_LINE_MAX]);

static json_t *read_options(int *count, char ***arguments, bool *if_absent_out)
{
    json_t *body = json_object(), *aliases = json_array(), *roles = json_array();
    const char *value;
    for (;;) {
        if (ctl_option(count, arguments, "--if-absent", NULL))
            *if_absent_out = true;
        else if (ctl_option(count, arguments, "--display-name", &value))
            json_object_set_new(body, "displayName", json_string(value));
        else if (ctl_option(count, arguments, "--alias", &value))
            json_array_append_new(aliases, json_string(value));
        else if (ctl_option(count, arguments, "--role", &value))
            json_array_append_new(roles, json_string(value));
        else
            break;
    }
    if (*if_absent_out)
        json_object_set_new(body, "ifAbsent", json_true());
    if (json_array_size(aliases))
        json_object_set(body, "aliases", aliases);
    if (json_array_size(roles))
        json_object_set(body, "roles", roles);
    json_decref(aliases);
    json_decref(roles);
    return body;
}

enum ctl_exit ctl_user_add(struct ctl *ctl, int count, char **arguments)
{
    bool if_absent = false;
    json_t *body = read_options(&count, &arguments, &if_absent);
    char line[PASSWORD_LINE_MAX];
    if (count < 1 || count > 2 || arguments[0][0] == '-') {
        json_decref(body);
        return CTL_USAGE;
    }
    if (count == 1 && !read_password(line)) {
        json_decref(body);
        return ctl_error("no password on standard input");
    }
    char *written = NULL;
    json_t *name = json_string(arguments[0]); /* in the path where it may exist already */
    bool named = if_absent ? name != NULL : json_object_set(body, "name", name) == 0;
    json_decref(name);
    if (named && json_object_set_new(body, "password", json_string(count == 2 ? arguments[1] : line)) == 0)
        written = json_dumps(body, 0);
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

/* "--yes": nobody types this by mistake for "del". */
enum ctl_exit ctl_user_erase(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "DELETE", .may_take_long = true};
    struct ctl_answer answer;
    if (!ctl_option(&count, &arguments, "--yes", NULL) || count != 1)
        return CTL_USAGE;
    request.path = text_format(&ctl->arena, "users/%.*s?everything=true", TEXT_ARG(ctl_segment(ctl, arguments[0])));
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    if (code != CTL_OK)
        return code;
    fputs("erased ", stdout);
    ctl_print(ctl_string(answer.json, "address"));
    printf(" record %s\n", ctl_string(answer.json, "id"));
    json_t *counts = json_object_get(answer.json, "erased");
    for (void *at = json_object_iter(counts); at; at = json_object_iter_next(counts, at))
        printf("  %-10s %lld\n", json_object_iter_key(at), (long long)json_integer_value(json_object_iter_value(at)));
    return CTL_OK;
}

static void print_words(const json_t *words, const char *label)
{
    for (size_t i = 0; i < json_array_size(words); i++) {
        printf("  %s", label);
        ctl_print(json_string_value(json_array_get(words, i)));
    }
}

static void print_user(const json_t *user)
{
    const char *address = ctl_string(user, "address"), *display_name = ctl_string(user, "displayName");
    ctl_print(address);
    if (display_name[0])
        printf("%*s", (int)(strlen(address) < 39 ? 40 - strlen(address) : 1), "");
    ctl_print(display_name);
    print_words(json_object_get(user, "aliases"), "also ");
    print_words(json_object_get(user, "roles"), "role ");
    if (json_object_get(user, "keepSeconds"))
        printf("  keep %lld", (long long)json_integer_value(json_object_get(user, "keepSeconds")));
    putchar('\n');
}

/* Takes `body` over. */
static enum ctl_exit change_user(struct ctl *ctl, const char *name, json_t *body)
{
    struct ctl_request request = {.method = "PUT", .content_type = "application/json"};
    struct ctl_answer answer;
    char *written = json_dumps(body, 0);
    json_decref(body);
    if (!written)
        return ctl_error("arguments must be UTF-8");
    request.path = text_format(&ctl->arena, "users/%.*s", TEXT_ARG(ctl_segment(ctl, name)));
    request.body = text_of(written);
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    free(written);
    return code;
}

enum ctl_exit ctl_user_alias(struct ctl *ctl, int count, char **arguments)
{
    bool adds = count == 3 && strcmp(arguments[0], "add") == 0;
    if (count != 3 || (!adds && strcmp(arguments[0], "del") != 0))
        return CTL_USAGE;
    json_t *body = json_object(), *list = json_array();
    json_array_append_new(list, json_string(arguments[2]));
    json_object_set_new(body, adds ? "addAliases" : "removeAliases", list);
    return change_user(ctl, arguments[1], body);
}

enum ctl_exit ctl_user_role(struct ctl *ctl, int count, char **arguments)
{
    if (count < 1 || arguments[0][0] == '-')
        return CTL_USAGE;
    json_t *body = json_object(), *roles = json_array();
    for (int i = 1; i < count; i++)
        json_array_append_new(roles, json_string(arguments[i]));
    json_object_set_new(body, "roles", roles);
    return change_user(ctl, arguments[0], body);
}

enum ctl_exit ctl_user_keep(struct ctl *ctl, int count, char **arguments)
{
    uint64_t seconds = 0;
    if (count < 1 || count > 2 || arguments[0][0] == '-')
        return CTL_USAGE;
    if (count == 2 && (!text_to_u64(text_of(arguments[1]), &seconds) || seconds > INT64_MAX))
        return CTL_USAGE;
    json_t *body = json_object();
    json_object_set_new(body, "keepSeconds", count == 2 ? json_integer((json_int_t)seconds) : json_null());
    return change_user(ctl, arguments[0], body);
}

enum ctl_exit ctl_user_list(struct ctl *ctl, int count, char **arguments)
{
    (void)arguments;
    return count ? CTL_USAGE : ctl_each(ctl, "users", "users", print_user);
}
