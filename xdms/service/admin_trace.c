/* What became of messages, as JSON: by message, and by user. */
#include "clock.h"
#include "deferred.h"
#include "fate.h"
#include "service_admin.h"
#include "user.h"

static enum http_progress answer_fates(struct admin_call *call, const struct fate *fates, size_t count);
static json_t *fate_json(struct admin_call *call, const struct fate *fate);

enum http_progress admin_message_show(struct admin_call *call)
{
    struct fate *fates;
    size_t limit, count;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    enum status status = deferred_fates_of_message(call->service->documents, call->argument, limit,
                                                   call->request->arena, &fates, &count);
    if (status != OK)
        return admin_refused(call, status, NULL);
    if (count == 0)
        return admin_error(call, 404, TEXT("Nothing is known of such a message."));
    return answer_fates(call, fates, count);
}

/* Messages go to and come from addresses that are no users here too: those are found as well. */
enum http_progress admin_user_messages(struct admin_call *call)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct text address = user_address(call->argument, call->service->settings.domain, arena);
    struct fate *fates;
    struct user user;
    size_t limit, count = 0;
    if (!admin_limit(call, &limit))
        return HTTP_DONE;
    if (address.length && document_owner(documents, address, arena, &address) != OK)
        return admin_refused(call, FAILED, NULL);
    enum status status =
        address.length ? deferred_fates_of_user(documents, address, limit, arena, &fates, &count) : NOT_FOUND;
    if (status == OK && count == 0)
        status = user_get(documents, address, arena, &user);
    if (status == NOT_FOUND)
        return admin_error(call, 404, TEXT("There is no such user, and no message of that address."));
    if (status != OK)
        return admin_refused(call, status, NULL);
    return answer_fates(call, fates, count);
}

static enum http_progress answer_fates(struct admin_call *call, const struct fate *fates, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, fate_json(call, &fates[i]));
    return admin_answer(call, 200, json_pack("{s:o}", "fates", list));
}

static json_t *fate_json(struct admin_call *call, const struct fate *fate)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < fate->steps_count; i++) {
        const struct fate_step *step = &fate->steps[i];
        struct text time = clock_write_rfc3339(call->request->arena, step->when_ms);
        json_array_append_new(steps, json_pack("{s:o, s:s, s:o}", "time", admin_string(call, time), "step",
                                               fate_step_name(step->kind), "detail", admin_string(call, step->detail)));
    }
    json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "messageId", admin_string(call, fate->message_id), "sender",
                             admin_string(call, fate->sender), "recipient", admin_string(call, fate->recipient),
                             "callId", admin_string(call, fate->call_id));
    if (fate->group.length)
        json_object_set_new(json, "group", admin_string(call, fate->group));
    json_object_set_new(json, "steps", steps);
    return json;
}
