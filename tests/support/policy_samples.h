/* A vocabulary, three requesters and short ways to ask, for the tests of the policy module. */
#ifndef POLICY_SAMPLES_H
#define POLICY_SAMPLES_H

#include "policy.h"
#include "test_arena.h"

#define NOON 1767614400000 /* 2026-01-05T12:00:00Z */

static const struct policy_value levels[] = {{TEXT_INIT("low"), 0}, {TEXT_INIT("middle"), 10}, {TEXT_INIT("high"), 30}};
static const struct policy_value old_words[] = {{TEXT_INIT("allow"), 7}, {TEXT_INIT("block"), 0}};

#define NAMES TEXT_INIT("urn:names")
static const struct policy_permission permissions[] = {
    {TEXT_INIT("join"), NAMES, TEXT_INIT("join"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("level"), NAMES, TEXT_INIT("level"), TEXT_INIT(""), POLICY_MAX, levels, 3},
    {TEXT_INIT("count"), NAMES, TEXT_INIT("count"), TEXT_INIT(""), POLICY_MAX, NULL, 0},
    {TEXT_INIT("store"), NAMES, TEXT_INIT("store"), TEXT_INIT("allow"), POLICY_OR, NULL, 0},
    {TEXT_INIT("handling"), NAMES, TEXT_INIT("handling"), TEXT_INIT(""), POLICY_OR, old_words, 2},
    {TEXT_INIT("see-x"), NAMES, TEXT_INIT("see-x"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("see-y"), NAMES, TEXT_INIT("see-y"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("see-z"), NAMES, TEXT_INIT("see-z"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("see"), NAMES, TEXT_INIT("see"), TEXT_INIT(""), POLICY_SET, NULL, 0},
};
#define PERMISSIONS_COUNT (sizeof(permissions) / sizeof(permissions[0]))

static const struct policy_vocabulary by_union = {permissions, PERMISSIONS_COUNT, POLICY_UNION};
static const struct policy_vocabulary by_layers = {permissions, PERMISSIONS_COUNT, POLICY_LAYERS};

static const struct text ann[] = {TEXT_INIT("sip:ann@example.net")};
static const struct text bo[] = {TEXT_INIT("sip:bo@corp.example")};
static const struct text two_faces[] = {TEXT_INIT("tel:+15551234"), TEXT_INIT("sip:bo@corp.example")};

/* Friends and colleagues are lists that hold Bo and Ann. */
static inline const struct policy_lists *sample_lists(const struct policy *policy)
{
    const struct text *anchors;
    size_t count = policy_anchors(policy, &anchors);
    struct policy_lists *lists = policy_lists_new(&arena);
    for (size_t i = 0; i < count; i++) {
        if (text_equal(anchors[i], TEXT("http://x/friends")))
            policy_lists_add(lists, i, bo[0]);
        if (text_equal(anchors[i], TEXT("http://x/colleagues")))
            policy_lists_add(lists, i, ann[0]);
    }
    return lists;
}

static inline struct policy_request request_from(const struct text *identities, size_t count)
{
    return (struct policy_request){.identities = identities, .identities_count = count, .wall_ms = NOON};
}

/* With the sample lists behind the anchors of this policy. */
static inline void decide(const struct policy *policy, const struct policy_request *request,
                          struct policy_decision *decision_out)
{
    struct policy_request with_lists = *request;
    with_lists.lists = sample_lists(policy);
    policy_decide(policy, &with_lists, decision_out, NULL);
}

static inline const struct policy *compile_text(struct text rules, const struct policy_vocabulary *vocabulary,
                                                enum status expected)
{
    struct text document = text_format(
        &arena,
        "<cp:ruleset xmlns:cp='urn:ietf:params:xml:ns:common-policy' xmlns='urn:names'"
        " xmlns:o='urn:oma:xml:xdm:common-policy' xmlns:x='urn:oma:xml:xdm:extensions'"
        " xmlns:x21='urn:oma:xml:xdm:2.1extensions'"
        " xmlns:ls='urn:oma:xml:poc:list-service' xmlns:ca='urn:civic' xmlns:q='urn:unknown'>%.*s</cp:ruleset>",
        TEXT_ARG(rules));
    const struct xml_element *root;
    const struct policy *policy = NULL;
    if (xml_tree_read(document, &arena, &root) != OK)
        fail_msg("no tree: %.*s", TEXT_ARG(rules));
    assert_int_equal(policy_compile(root, vocabulary, &arena, &policy), expected);
    return policy;
}

static inline const struct policy *compile(const char *rules, const struct policy_vocabulary *vocabulary)
{
    return compile_text(text_of(rules), vocabulary, OK);
}

static inline bool matches(const char *conditions, const struct policy_request *request)
{
    struct text rule = text_format(&arena,
                                   "<cp:rule id='r'><cp:conditions>%s</cp:conditions>"
                                   "<cp:actions><join>true</join></cp:actions></cp:rule>",
                                   conditions);
    struct policy_decision decision;
    decide(compile_text(rule, &by_union, OK), request, &decision);
    assert_int_equal(decision.rules_matched, decision.permissions[0].rank);
    return decision.rules_matched == 1;
}

struct row {
    const char *conditions;
    bool for_ann, for_bo, for_nobody;
};

static inline void check_rows(const struct row *rows, size_t count)
{
    struct policy_request from_ann = request_from(ann, 1);
    struct policy_request from_bo = request_from(bo, 1);
    struct policy_request from_nobody = request_from(NULL, 0);
    for (size_t i = 0; i < count; i++) {
        if (matches(rows[i].conditions, &from_ann) != rows[i].for_ann)
            fail_msg("wrong for Ann: %s", rows[i].conditions);
        if (matches(rows[i].conditions, &from_bo) != rows[i].for_bo)
            fail_msg("wrong for Bo: %s", rows[i].conditions);
        if (matches(rows[i].conditions, &from_nobody) != rows[i].for_nobody)
            fail_msg("wrong for nobody: %s", rows[i].conditions);
    }
}

#define CHECK_ROWS(rows)   check_rows(rows, sizeof(rows) / sizeof((rows)[0]))
#define IDENTITY(children) "<cp:identity>" children "</cp:identity>"

static inline int64_t rank_of(const struct policy_decision *decision, const char *name)
{
    size_t index = policy_permission_index(&by_union, text_of(name));
    assert_true(index < PERMISSIONS_COUNT);
    return decision->permissions[index].rank;
}

static inline bool has(const struct policy_decision *decision, const char *name)
{
    return decision->permissions[policy_permission_index(&by_union, text_of(name))].present;
}

static inline void assert_rule(const struct policy_decision *decision, const char *name, const char *id)
{
    struct text rule = decision->permissions[policy_permission_index(&by_union, text_of(name))].rule;
    if (!text_equal(rule, text_of(id)))
        fail_msg("%s was decided by '%.*s', not '%s'", name, TEXT_ARG(rule), id);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif
