/* xdmctl queue: messages that wait, and what admins do about them. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl.h"

static void print_item(const json_t *item)
{
    const char *subject = ctl_string(item, "subject");
    ctl_print(ctl_string(item, "recipient"));
    fputs("  from ", stdout);
    ctl_print(ctl_string(item, "sender"));
    printf("  since %s  %lld bytes  tries %lld  ", ctl_string(item, "since"),
           (long long)json_integer_value(json_object_get(item, "size")),
           (long long)json_integer_value(json_object_get(item, "tries")));
    ctl_print(ctl_string(item, "why"));
    fputs("  ", stdout);
    ctl_print(ctl_string(item, "reference"));
    if (subject[0]) {
        fputs("  ", stdout);
        ctl_print(subject);
    }
    putchar('\n');
}

/* One line of JSON for each, for programs. */
static void print_json(const json_t *item)
{
    json_dumpf(item, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

static struct text queue_of(struct ctl *ctl, const char *user)
{
    return text_format(&ctl->arena, "users/%.*s/queue", TEXT_ARG(ctl_segment(ctl, user)));
}

enum ctl_exit ctl_queue(struct ctl *ctl, int count, char **arguments)
{
    const char *user = NULL;
    bool as_json = false;
    for (;;) {
        if (ctl_option(&count, &arguments, "--json", NULL))
            as_json = true;
        else if (!ctl_option(&count, &arguments, "--user", &user))
            break;
    }
    if (count)
        return CTL_USAGE;
    char *path = text_keep(user ? queue_of(ctl, user) : TEXT("queue")); /* ctl_each empties the arena */
    enum ctl_exit code = ctl_each(ctl, path, "waiting", as_json ? print_json : print_item);
    free(path);
    return code;
}

/* `one`: what is said of a single message, `many`: of any other number. */
static enum ctl_exit act(struct ctl *ctl, const struct ctl_request *request, const char *member, const char *one,
                         const char *many)
{
    struct ctl_answer answer;
    enum ctl_exit code = ctl_call(ctl, request, &answer);
    if (code != CTL_OK)
        return code;
    json_int_t number = json_integer_value(json_object_get(answer.json, member));
    printf("%lld %s\n", (long long)number, number == 1 ? one : many);
    return CTL_OK;
}

enum ctl_exit ctl_queue_drop(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "DELETE", .may_take_long = true};
    bool all = count == 2 && strcmp(arguments[1], "--all") == 0;
    if (count != 2 || (arguments[1][0] == '-' && !all))
        return CTL_USAGE;
    request.path = queue_of(ctl, arguments[0]);
    if (!all)
        request.path = text_format(&ctl->arena, "%.*s?reference=%.*s", TEXT_ARG(request.path),
                                   TEXT_ARG(ctl_segment(ctl, arguments[1])));
    return act(ctl, &request, "dropped", "dropped", "dropped");
}

enum ctl_exit ctl_queue_retry(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "POST"};
    if (count != 1)
        return CTL_USAGE;
    request.path = text_format(&ctl->arena, "%.*s/retry", TEXT_ARG(queue_of(ctl, arguments[0])));
    return act(ctl, &request, "waiting", "is tried again if its recipient is there",
               "are tried again if their recipient is there");
}
