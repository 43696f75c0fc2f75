/* The policy query for people: every rule, which of its conditions held and why, as JSON, as a page or as plain text.
 * The decision in it comes from the same functions as the answer to a server. */
#include <stdlib.h>

#include "clock.h"
#include "service_decide.h"

static const char *fate_name(enum policy_rule_fate fate)
{
    switch (fate) {
    case POLICY_RULE_APPLIED: return "applied";
    case POLICY_RULE_FAILED: return "failed";
    case POLICY_RULE_OUTRANKED: return "outranked";
    }
    return "failed";
}

static json_t *condition_json(struct admin_call *call, const struct policy_condition_report *condition)
{
    return json_pack("{s:o,s:b,s:o}", "name", admin_string(call, condition->name), "held", (int)condition->held, "why",
                     admin_string(call, condition->why));
}

static json_t *rules_json(struct admin_call *call, const struct group_ruling *ruling)
{
    const struct policy_rule_report *reports;
    json_t *rules = json_array();
    if (!ruling->policy)
        return rules;
    size_t count = policy_explain(ruling->policy, &ruling->request, call->request->arena, &reports);
    for (size_t i = 0; i < count; i++) {
        json_t *rule =
            json_pack("{s:o,s:s}", "id", admin_string(call, reports[i].id), "fate", fate_name(reports[i].fate));
        json_t *conditions = json_array();
        if (reports[i].why.length)
            json_object_set_new(rule, "why", admin_string(call, reports[i].why));
        for (size_t c = 0; c < reports[i].conditions_count; c++)
            json_array_append_new(conditions, condition_json(call, &reports[i].conditions[c]));
        json_object_set_new(rule, "conditions", conditions);
        json_array_append_new(rules, rule);
    }
    return rules;
}

static json_t *documents_json(struct admin_call *call, const struct group_ruling *ruling)
{
    json_t *documents = json_array();
    for (const struct group_source *source = ruling->sources; source; source = source->next) {
        json_t *one = json_pack("{s:o,s:o,s:o}", "usage", admin_string(call, source->key.usage), "owner",
                                admin_string(call, source->key.owner), "name", admin_string(call, source->key.name));
        if (source->version)
            json_object_set_new(one, "etag", admin_string(call, document_etag(source->version, call->request->arena)));
        else
            json_object_set_new(one, "absent", json_true());
        json_array_append_new(documents, one);
    }
    return documents;
}

/* Everything that the ruling points to becomes JSON before the next call on `groups` may move it. */
static json_t *explain(struct admin_call *call, struct groups *groups, const struct decide_question *question,
                       int64_t *until_ms_out)
{
    const struct group *group;
    struct group_ruling ruling = {0};
    struct text owner;
    json_t *rules = NULL, *documents = NULL;
    enum decide_target target = decide_find(call, groups, question->to, &group, &owner);
    bool ruled = target == DECIDE_GROUP;
    if (ruled)
        group_ruling_of(groups, group, &question->sender, &ruling);
    else if (target == DECIDE_USER)
        ruled = group_ruling_of_user(groups, owner, &question->sender, &ruling) == OK;
    if (ruled) {
        rules = rules_json(call, &ruling);
        documents = documents_json(call, &ruling);
    }
    json_t *answer = decide_answer(call, groups, question, until_ms_out);
    if (answer) {
        json_object_set_new(answer, "time",
                            admin_string(call, clock_write_rfc3339(call->request->arena, question->sender.wall_ms)));
        json_object_set(answer, "rules", rules);
        json_object_set(answer, "documents", documents);
    }
    json_decref(rules);
    json_decref(documents);
    return answer;
}

/* --- for people --- */

static const char *string_in(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static void add_condition(struct text_builder *out, const json_t *condition)
{
    builder_add_format(out, "    %s %s: %s\n", json_is_true(json_object_get(condition, "held")) ? "yes" : "no ",
                       string_in(condition, "name"), string_in(condition, "why"));
}

static void add_rule(struct text_builder *out, const json_t *rule)
{
    const json_t *conditions = json_object_get(rule, "conditions");
    const char *why = string_in(rule, "why");
    builder_add_format(out, "  rule '%s': %s%s%s\n", string_in(rule, "id"), string_in(rule, "fate"), why[0] ? ", " : "",
                       why);
    for (size_t i = 0; i < json_array_size(conditions); i++)
        add_condition(out, json_array_get(conditions, i));
}

static void add_documents(struct text_builder *out, const json_t *documents)
{
    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *one = json_array_get(documents, i);
        const char *etag = string_in(one, "etag");
        builder_add_format(out, "  %s/%s/%s %s\n", string_in(one, "usage"), string_in(one, "owner"),
                           string_in(one, "name"), etag[0] ? etag : "(not there)");
    }
}

static struct text text_of_explanation(const json_t *answer, struct arena *arena)
{
    struct text_builder out;
    const json_t *from = json_object_get(answer, "from"), *rules = json_object_get(answer, "rules");
    const char *rule = string_in(answer, "rule"), *first = json_string_value(json_array_get(from, 0));
    builder_init(&out, arena);
    builder_add_format(&out, "%s from %s to %s at %s: %s, %s", string_in(answer, "kind"),
                       first ? first : "nobody known", string_in(answer, "to"), string_in(answer, "time"),
                       string_in(answer, "decision"), string_in(answer, "reason"));
    builder_add_format(&out, rule[0] ? " '%s'\n" : "%s\n", rule);
    builder_add(&out, json_array_size(rules) ? TEXT("rules\n") : TEXT("no rules\n"));
    for (size_t i = 0; i < json_array_size(rules); i++)
        add_rule(&out, json_array_get(rules, i));
    builder_add(&out, TEXT("documents\n"));
    add_documents(&out, json_object_get(answer, "documents"));
    return builder_text(&out);
}

static struct text page_of(struct text text, struct arena *arena)
{
    struct text_builder out;
    builder_init(&out, arena);
    builder_add(&out, TEXT("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Decision</title>"
                           "</head><body><pre>"));
    builder_add(&out, xml_escape(arena, text));
    builder_add(&out, TEXT("</pre></body></html>\n"));
    return builder_text(&out);
}

static enum http_progress send_page(struct admin_call *call, json_t *answer, bool as_page)
{
    struct arena *arena = call->request->arena;
    struct text text = text_of_explanation(answer, arena);
    json_decref(answer);
    respond_document(call->response, 200,
                     as_page ? TEXT("text/html; charset=utf-8") : TEXT("text/plain; charset=utf-8"),
                     as_page ? page_of(text, arena) : text);
    http_response_header(call->response, "Cache-Control", TEXT("no-store"));
    http_response_header(call->response, "Vary", TEXT("Accept"));
    http_response_header(call->response, "Content-Security-Policy", TEXT("default-src 'none'"));
    return HTTP_DONE;
}

enum http_progress explain_get(struct admin_call *call)
{
    struct decide_fields fields;
    struct decide_question question;
    struct refusal refusal = {0};
    json_t *answer = NULL;
    int64_t until_ms = INT64_MAX;
    struct groups *groups = group_pool_take(call->service->groups, call->generation);
    enum status status = decide_fields_of_query(call->query, call->request->arena, &fields, &refusal);
    if (status == OK)
        status = decide_question_make(call, groups, &fields, &question, &refusal);
    if (status == OK)
        answer = explain(call, groups, &question, &until_ms);
    group_pool_give(call->service->groups, groups);
    if (!answer)
        return admin_refused(call, status == OK ? FAILED : status, &refusal);
    if (decide_accepts(call->request, "text/html"))
        return send_page(call, answer, true);
    if (decide_accepts(call->request, "text/plain"))
        return send_page(call, answer, false);
    return decide_send(call, answer, "explanation", until_ms);
}
