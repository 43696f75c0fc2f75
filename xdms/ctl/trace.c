/* xdmctl trace: the story of a message, or of the newest messages of a user, as lines for people. */
#include <stdio.h>

#include "ctl.h"

static enum ctl_exit print_fates(struct ctl_answer *answer);
static void print_fate(const json_t *fate);

/* What is typed is taken for a message id first: an id may look like an address, and a user has no message's name. */
enum ctl_exit ctl_trace(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "GET"};
    struct ctl_answer answer;
    if (count != 1 || !arguments[0][0])
        return CTL_USAGE;
    struct text segment = ctl_segment(ctl, arguments[0]);
    request.path = text_format(&ctl->arena, "messages/%.*s", TEXT_ARG(segment));
    enum ctl_exit code = ctl_ask(ctl, &request, &answer);
    if (code != CTL_OK)
        return code;
    if (answer.status == 200)
        return print_fates(&answer);
    if (answer.status != 404)
        return ctl_refused(&answer);
    request.path = text_format(&ctl->arena, "users/%.*s/messages", TEXT_ARG(segment));
    code = ctl_ask(ctl, &request, &answer);
    if (code != CTL_OK)
        return code;
    if (answer.status == 404)
        return ctl_error("neither a message nor a user of that name");
    return answer.status == 200 ? print_fates(&answer) : ctl_refused(&answer);
}

static enum ctl_exit print_fates(struct ctl_answer *answer)
{
    const json_t *fates = json_object_get(answer->json, "fates");
    const char *message = "";
    for (size_t i = 0; i < json_array_size(fates); i++) {
        const json_t *fate = json_array_get(fates, i);
        const char *id = ctl_string(fate, "messageId");
        if (i == 0 || strcmp(id, message) != 0) {
            printf("%smessage ", i ? "\n" : "");
            ctl_print(id);
            putchar('\n');
        }
        message = id;
        print_fate(fate);
    }
    if (json_array_size(fates) == 0)
        puts("no messages yet");
    return CTL_OK;
}

static void print_fate(const json_t *fate)
{
    const char *group = ctl_string(fate, "group");
    const json_t *steps = json_object_get(fate, "steps");
    fputs("  ", stdout);
    ctl_print(ctl_string(fate, "sender"));
    fputs(" to ", stdout);
    ctl_print(ctl_string(fate, "recipient"));
    if (group[0]) {
        fputs(" through ", stdout);
        ctl_print(group);
    }
    putchar('\n');
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *detail = ctl_string(step, "detail");
        printf("    %s  %-*s", ctl_string(step, "time"), detail[0] ? 11 : 0, ctl_string(step, "step"));
        ctl_print(detail);
        putchar('\n');
    }
}
