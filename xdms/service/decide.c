/* The policy query: IM servers ask, before they set up a session or pass on a message, what the documents say. */
#include "service_decide.h"

static enum http_progress refused_at(struct admin_call *call, size_t index, size_t count, enum status status,
                                     const struct refusal *refusal)
{
    if (status != REFUSED || count == 1)
        return admin_refused(call, status, refusal);
    return admin_error(call, 400,
                       text_format(call->request->arena, "Question %zu: %.*s", index, TEXT_ARG(refusal->phrase)));
}

/* Borrowed for as long as one request runs. */
static struct groups *take(struct admin_call *call)
{
    return group_pool_take(call->service->groups, call->generation);
}

static void give(struct admin_call *call, struct groups *groups)
{
    group_pool_give(call->service->groups, groups);
}

static enum status answer_one(struct admin_call *call, struct groups *groups, const struct decide_fields *fields,
                              json_t **answer_out, int64_t *until_ms_out, struct refusal *refusal)
{
    struct decide_question question;
    enum status status = decide_question_make(call, groups, fields, &question, refusal);
    if (status != OK)
        return status;
    *answer_out = decide_answer(call, groups, &question, until_ms_out);
    return *answer_out ? OK : FAILED;
}

enum http_progress decide_get(struct admin_call *call)
{
    struct decide_fields fields;
    struct refusal refusal = {0};
    json_t *answer = NULL;
    int64_t until_ms = INT64_MAX;
    struct groups *groups = take(call);
    enum status status = decide_fields_of_query(call->query, call->request->arena, &fields, &refusal);
    if (status == OK)
        status = answer_one(call, groups, &fields, &answer, &until_ms, &refusal);
    give(call, groups);
    return status == OK ? decide_send(call, answer, "answer", until_ms) : admin_refused(call, status, &refusal);
}

/* The questions of a body: one object, or several in an array "questions". NULL: no such thing. */
static const json_t *question_at(const json_t *body, size_t index, size_t *count_out)
{
    const json_t *many = json_object_get(body, "questions");
    *count_out = many ? json_array_size(many) : 1;
    return many ? json_array_get(many, index) : body;
}

static enum http_progress answer_all(struct admin_call *call, struct groups *groups, const json_t *body, size_t count)
{
    struct refusal refusal = {0};
    bool many = json_object_get(body, "questions") != NULL;
    json_t *answers = json_array();
    for (size_t i = 0; i < count; i++) {
        struct decide_fields fields;
        json_t *answer = NULL;
        int64_t until_ms;
        enum status status =
            decide_fields_of_json(question_at(body, i, &count), call->request->arena, &fields, &refusal);
        if (status == OK)
            status = answer_one(call, groups, &fields, &answer, &until_ms, &refusal);
        if (status != OK) {
            json_decref(answers);
            return refused_at(call, i, many ? count + 1 : 1, status, &refusal);
        }
        json_array_append_new(answers, answer);
    }
    if (many)
        return decide_send(call, json_pack("{s:o}", "answers", answers), "answers", 0);
    json_t *only = json_incref(json_array_get(answers, 0));
    json_decref(answers);
    return decide_send(call, only, "answer", 0);
}

enum http_progress decide_post(struct admin_call *call)
{
    json_t *body;
    size_t count;
    if (!admin_body(call, NULL, &body))
        return HTTP_DONE;
    const json_t *many = json_object_get(body, "questions");
    question_at(body, 0, &count);
    enum http_progress progress;
    if (many && (!json_is_array(many) || json_object_size(body) != 1 || count == 0 || count > DECIDE_QUESTIONS_MAX)) {
        progress = admin_error(call, 400, TEXT("'questions' is an array of 1 to 256 questions, and stands alone."));
    } else {
        struct groups *groups = take(call);
        progress = answer_all(call, groups, body, count);
        give(call, groups);
    }
    json_decref(body);
    return progress;
}
