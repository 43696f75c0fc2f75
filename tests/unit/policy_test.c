/* Common policy by its letter (RFC 4745): each condition, how permissions combine and are read, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy_samples.h"

static void no_conditions_match_everybody(void **state)
{
    (void)state;
    static const struct row rows[] = {{"", true, true, true}, {"<!-- nothing -->", true, true, true}};
    CHECK_ROWS(rows);
    struct policy_decision decision;
    struct policy_request request = request_from(NULL, 0);
    decide(compile("<cp:rule id='r'><cp:actions><join/></cp:actions></cp:rule>", &by_union), &request, &decision);
    assert_int_equal(rank_of(&decision, "join"), 1);
}

static void all_conditions_must_hold(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {IDENTITY("<cp:one id='sip:ann@example.net'/>") "<ls:is-list-member/>", false, false, false},
        {IDENTITY("<cp:many/>") IDENTITY("<cp:one id='sip:bo@corp.example'/>"), false, true, false},
        {IDENTITY("<cp:one id='sip:ann@example.net'/>") IDENTITY("<cp:one id='sip:bo@corp.example'/>"), false, false,
         false},
    };
    CHECK_ROWS(rows);
    struct policy_decision decision;
    struct policy_request request = request_from(ann, 1);
    decide(compile("<cp:rule id='r'><cp:conditions/><cp:conditions><q:no/></cp:conditions></cp:rule>", &by_union),
           &request, &decision);
    assert_int_equal(decision.rules_matched, 0);
}

static void unknown_conditions_never_match(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<q:weather/>", false, false, false},
        {"<cp:weather/>", false, false, false},
        {"<q:identity><cp:many/></q:identity>", false, false, false},
        {IDENTITY("<cp:many/>") "<q:weather/>", false, false, false},
        {"<o:is-list-member/>", false, false, false},
        {"<x21:deferred-messages/>", false, false, false},
    };
    CHECK_ROWS(rows);
}

static void one_names_one_address_however_it_is_spelled(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {IDENTITY("<cp:one id='sip:ann@example.net'/>"), true, false, false},
        {IDENTITY("<cp:one id=' SIP:%61nn@EXAMPLE.net:5060;transport=tcp '/>"), true, false, false},
        {IDENTITY("<cp:one id='sip:ANN@example.net'/>"), false, false, false},
        {IDENTITY("<cp:one id='sip:ann@sub.example.net'/>"), false, false, false},
        {IDENTITY("<cp:one id='sip:eve@x'/><cp:one id='sip:bo@corp.example'/>"), false, true, false},
        {IDENTITY("<cp:one id='mailto:ann@example.net'/>"), false, false, false},
        {IDENTITY("<cp:one id=''/><cp:one/>"), false, false, false},
        {IDENTITY("<cp:one id='sip:ann@example.net'><q:only-on-sunday/></cp:one>"), false, false, false},
        {IDENTITY("<q:one id='sip:ann@example.net'/>"), false, false, false},
        {IDENTITY("<q:unknown/><cp:one id='sip:ann@example.net'/>"), true, false, false},
        {IDENTITY(""), false, false, false},
    };
    CHECK_ROWS(rows);
}

static void many_names_a_domain_or_everybody_but_exceptions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {IDENTITY("<cp:many/>"), true, true, false},
        {IDENTITY("<cp:many domain='corp.example'/>"), false, true, false},
        {IDENTITY("<cp:many domain='CORP.Ex%61mple'/>"), false, true, false},
        {IDENTITY("<cp:many domain='corp.example.'/>"), false, true, false},
        {IDENTITY("<cp:many domain='example'/>"), false, false, false},
        {IDENTITY("<cp:many domain=''/>"), false, false, false},
        {IDENTITY("<cp:many domain='%zz'/>"), false, false, false},
        {IDENTITY("<cp:many domain='x@corp.example'/>"), false, false, false},
        {IDENTITY("<cp:many domain='corp.example;x'/>"), false, false, false},
        {IDENTITY("<cp:many><cp:except id='sip:bo@Corp.example'/></cp:many>"), true, false, false},
        {IDENTITY("<cp:many><cp:except domain='Corp.example'/></cp:many>"), true, false, false},
        {IDENTITY("<cp:many><cp:except id='sip:eve@x'/><cp:except domain='example.net'/></cp:many>"), false, true,
         false},
        {IDENTITY("<cp:many domain='corp.example'><cp:except id='sip:eve@corp.example'/></cp:many>"), false, true,
         false},
        {IDENTITY("<cp:many domain='corp.example'><cp:except id='sip:bo@corp.example'/></cp:many>"), false, false,
         false},
        {IDENTITY("<cp:many><cp:except/></cp:many>"), true, true, false},
        {IDENTITY("<cp:many><q:except-in-rain/></cp:many>"), false, false, false},
        {IDENTITY("<cp:many><cp:except domain='example.net'/></cp:many><cp:one id='sip:ann@example.net'/>"), true, true,
         false},
    };
    CHECK_ROWS(rows);
}

static void any_of_several_identities_matches_and_any_excepts(void **state)
{
    (void)state;
    struct policy_request request = request_from(two_faces, 2);
    assert_true(matches(IDENTITY("<cp:one id='tel:+1-555-1234'/>"), &request));
    assert_true(matches(IDENTITY("<cp:one id='sip:bo@corp.example'/>"), &request));
    assert_true(matches(IDENTITY("<cp:many domain='corp.example'/>"), &request));
    assert_false(matches(IDENTITY("<cp:one id='sip:+15551234@corp.example'/>"), &request));
    assert_false(
        matches(IDENTITY("<cp:many domain='corp.example'><cp:except id='tel:+15551234'/></cp:many>"), &request));
    assert_false(matches(IDENTITY("<cp:many><cp:except domain='corp.example'/></cp:many>"), &request));
}

static void a_sphere_is_one_of_its_words_in_any_case(void **state)
{
    (void)state;
    struct policy_request request = request_from(NULL, 0);
    assert_false(matches("<cp:sphere value='work'/>", &request));
    assert_false(matches("<cp:sphere value=''/>", &request));
    request.sphere = TEXT("Work");
    assert_true(matches("<cp:sphere value='work'/>", &request));
    assert_true(matches("<cp:sphere value='  home&#9;WORK '/>", &request));
    assert_false(matches("<cp:sphere value='home gym'/>", &request));
    assert_false(matches("<cp:sphere value='working'/>", &request));
    assert_false(matches("<cp:sphere/>", &request));
    static char long_word[4096];
    memset(long_word, 'w', sizeof(long_word) - 1);
    request.sphere = text_of(long_word);
    struct text condition = text_format(&arena, "<cp:sphere value='%s'/>", long_word);
    assert_false(matches(text_cstring(&arena, condition), &request));
}

static void validity_holds_from_its_first_moment_to_before_its_last(void **state)
{
    (void)state;
    static const char *const noon_to_one = "<cp:validity><cp:from>2026-01-05T12:00:00Z</cp:from>"
                                           "<cp:until> 2026-01-05T14:00:00+01:00 </cp:until></cp:validity>";
    struct policy_request request = request_from(NULL, 0);
    request.wall_ms = NOON;
    assert_true(matches(noon_to_one, &request));
    request.wall_ms = NOON - 1;
    assert_false(matches(noon_to_one, &request));
    request.wall_ms = NOON + 3600000 - 1;
    assert_true(matches(noon_to_one, &request));
    request.wall_ms = NOON + 3600000;
    assert_false(matches(noon_to_one, &request));
}

static void validity_takes_any_whole_pair(void **state)
{
    (void)state;
#define FROM(day)  "<cp:from>2026-01-" day "T00:00:00Z</cp:from>"
#define UNTIL(day) "<cp:until>2026-01-" day "T00:00:00Z</cp:until>"
    static const struct row rows[] = {
        {"<cp:validity>" FROM("01") UNTIL("02") FROM("05") UNTIL("06") "</cp:validity>", true, true, true},
        {"<cp:validity>" FROM("01") UNTIL("02") FROM("06") UNTIL("07") "</cp:validity>", false, false, false},
        {"<cp:validity>" FROM("06") UNTIL("01") "</cp:validity>", false, false, false},
        {"<cp:validity>" FROM("01") "</cp:validity>", false, false, false},
        {"<cp:validity>" UNTIL("09") "</cp:validity>", false, false, false},
        {"<cp:validity>" UNTIL("09") FROM("01") "</cp:validity>", false, false, false},
        {"<cp:validity>" FROM("01") "<cp:until>never</cp:until></cp:validity>", false, false, false},
        {"<cp:validity/>", false, false, false},
        {"<cp:validity>" FROM("01") UNTIL("09") "</cp:validity><cp:validity/>", false, false, false},
    };
    CHECK_ROWS(rows);
}

static void the_worked_example_gives_what_the_rfc_says(void **state)
{
    (void)state;
    static const char *const rules =
        "<cp:rule id='a'><cp:conditions><cp:identity><cp:many domain='corp.example'>"
        "<cp:except id='sip:eve@corp.example'/></cp:many></cp:identity></cp:conditions>"
        "<cp:actions><join>true</join><level>middle</level></cp:actions>"
        "<cp:transformations><see-x/></cp:transformations></cp:rule>"
        "<cp:rule id='b'><cp:conditions><cp:identity><cp:one id='sip:bo@corp.example'/></cp:identity>"
        "<cp:sphere value='home gym'/></cp:conditions>"
        "<cp:actions><level>high</level></cp:actions><cp:transformations><see-y/></cp:transformations></cp:rule>"
        "<cp:rule id='c'><cp:actions><level>low</level></cp:actions>"
        "<cp:transformations><see-z/></cp:transformations></cp:rule>"
        "<cp:rule id='d'><cp:conditions><q:weather>rain</q:weather></cp:conditions>"
        "<cp:actions><join>true</join><level>high</level></cp:actions></cp:rule>";
    struct policy_request request = request_from(bo, 1);
    request.sphere = TEXT("work");
    struct policy_decision decision;
    decide(compile(rules, &by_union), &request, &decision);
    assert_int_equal(decision.rules_matched, 2);
    assert_int_equal(rank_of(&decision, "join"), 1);
    assert_int_equal(rank_of(&decision, "level"), 10);
    assert_true(has(&decision, "see-x") && !has(&decision, "see-y") && has(&decision, "see-z"));
    assert_rule(&decision, "join", "a");
    assert_rule(&decision, "level", "a");
    assert_rule(&decision, "see-z", "c");
    assert_rule(&decision, "see-y", "");
}

static void no_matching_rule_grants_nothing(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    struct policy_decision decision;
    decide(compile("", &by_union), &request, &decision);
    assert_int_equal(decision.rules_matched, 0);
    for (size_t i = 0; i < POLICY_PERMISSIONS_MAX; i++)
        assert_false(decision.permissions[i].present || decision.permissions[i].rank);
}

static struct policy_decision decide_actions(const char *actions)
{
    struct text rule = text_format(&arena, "<cp:rule id='r'><cp:actions>%s</cp:actions></cp:rule>", actions);
    struct policy_request request = request_from(NULL, 0);
    struct policy_decision decision;
    decide(compile_text(rule, &by_union, OK), &request, &decision);
    assert_int_equal(decision.rules_matched, 1);
    return decision;
}

static void booleans_are_read_as_the_schema_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *action, *name;
        bool present;
        int64_t rank;
    } rows[] = {
        {"<join>true</join>", "join", true, 1},
        {"<join> \n1\t</join>", "join", true, 1},
        {"<join>false</join>", "join", true, 0},
        {"<join> 0 </join>", "join", true, 0},
        {"<join/>", "join", true, 1},
        {"<join> </join>", "join", true, 1},
        {"<join>TRUE</join>", "join", false, 0},
        {"<join>yes</join>", "join", false, 0},
        {"<join><q:true/></join>", "join", false, 0},
        {"<q:join>true</q:join>", "join", false, 0},
        {"<store>true</store>", "store", true, 1},
        {"<store allow='false'>true</store>", "store", true, 0},
        {"<store x:allow=' 1 '>false</store>", "store", true, 1},
        {"<store allow=''/>", "store", false, 0},
        {"<store other='false'/>", "store", true, 1},
        {"<handling>allow</handling>", "handling", true, 1},
        {"<handling>block</handling>", "handling", true, 0},
        {"<handling>true</handling>", "handling", true, 1},
        {"<join>false</join><join>true</join>", "join", true, 1},
        {"<join>true</join><join>false</join>", "join", true, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct policy_decision decision = decide_actions(rows[i].action);
        if (has(&decision, rows[i].name) != rows[i].present || rank_of(&decision, rows[i].name) != rows[i].rank)
            fail_msg("misread: %s", rows[i].action);
        assert_rule(&decision, rows[i].name, rows[i].present ? "r" : "");
    }
}

static void enumerations_and_numbers_take_the_highest(void **state)
{
    (void)state;
    static const struct {
        const char *action, *name;
        bool present;
        int64_t rank;
    } rows[] = {
        {"<level>low</level>", "level", true, 0},
        {"<level> high </level><level>middle</level>", "level", true, 30},
        {"<level>middle</level><level>high</level>", "level", true, 30},
        {"<level>highest</level>", "level", false, 0},
        {"<level/>", "level", false, 0},
        {"<count>17</count><count>5</count>", "count", true, 17},
        {"<count>-3</count><count>-2</count>", "count", true, -2},
        {"<count>+4</count>", "count", true, 4},
        {"<count>9223372036854775807</count>", "count", true, INT64_MAX},
        {"<count>9223372036854775808</count>", "count", false, 0},
        {"<count>1.5</count>", "count", false, 0},
        {"<count>--1</count>", "count", false, 0},
        {"<count/>", "count", false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct policy_decision decision = decide_actions(rows[i].action);
        if (has(&decision, rows[i].name) != rows[i].present || rank_of(&decision, rows[i].name) != rows[i].rank)
            fail_msg("misread: %s", rows[i].action);
    }
}

static void permissions_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(policy_permission_index(&by_union, TEXT("count")), 2);
    assert_int_equal(policy_permission_index(&by_union, TEXT("nothing")), POLICY_PERMISSIONS_MAX);
}

static void a_thousand_rules_are_decided_by_the_right_one(void **state)
{
    (void)state;
    struct text_builder rules;
    builder_init(&rules, &arena);
    for (int i = 0; i < 1000; i++)
        builder_add_format(&rules,
                           "<cp:rule id='r%d'><cp:conditions><cp:identity><cp:one id='sip:u%d@example.net'/>"
                           "<cp:many domain='d%d.example'/></cp:identity></cp:conditions>"
                           "<cp:actions><count>%d</count></cp:actions></cp:rule>",
                           i, i, i, i);
    const struct policy *policy = compile_text(builder_text(&rules), &by_layers, OK);
    for (int i = 0; i < 2000; i++) {
        struct text identity = i % 2 ? text_format(&arena, "sip:u%d@example.net", i / 2)
                                     : text_format(&arena, "sip:someone@d%d.example", i / 2);
        struct policy_request request = request_from(&identity, 1);
        struct policy_decision decision;
        decide(policy, &request, &decision);
        assert_int_equal(decision.rules_matched, 1);
        assert_int_equal(rank_of(&decision, "count"), i / 2);
    }
    struct policy_request request = request_from(bo, 1);
    struct policy_decision decision;
    decide(policy, &request, &decision);
    assert_int_equal(decision.rules_matched, 0);
}

static void ten_thousand_entries_are_each_found(void **state)
{
    (void)state;
    struct text_builder rules;
    builder_init(&rules, &arena);
    builder_add(&rules, TEXT("<cp:rule id='r'><cp:conditions><cp:identity>"));
    for (int i = 0; i < 10000; i++)
        builder_add_format(&rules, "<cp:one id='sip:u%d@example.net'/>", i * 7919 % 10000);
    builder_add(&rules, TEXT("<cp:many domain='corp.example'>"));
    for (int i = 0; i < 10000; i++)
        builder_add_format(&rules, "<cp:except id='sip:u%d@corp.example'/>", i);
    builder_add(&rules, TEXT("</cp:many></cp:identity></cp:conditions></cp:rule>"));
    const struct policy *policy = compile_text(builder_text(&rules), &by_union, OK);
    for (int i = 0; i < 10100; i++) {
        struct text named = text_format(&arena, "sip:u%d@example.net", i);
        struct text excepted = text_format(&arena, "sip:u%d@corp.example", i);
        struct policy_request request = request_from(&named, 1);
        struct policy_decision decision;
        decide(policy, &request, &decision);
        assert_int_equal(decision.rules_matched, i < 10000);
        request = request_from(&excepted, 1);
        decide(policy, &request, &decision);
        assert_int_equal(decision.rules_matched, i >= 10000);
    }
}

static void more_rules_than_allowed_are_refused(void **state)
{
    (void)state;
    struct text_builder rules;
    builder_init(&rules, &arena);
    for (int i = 0; i < POLICY_RULES_MAX; i++)
        builder_add(&rules, TEXT("<cp:rule/>"));
    compile_text(builder_text(&rules), &by_union, OK);
    builder_add(&rules, TEXT("<cp:rule/>"));
    compile_text(builder_text(&rules), &by_union, REFUSED);
}

static void identities_that_cannot_be_read_are_nobody(void **state)
{
    (void)state;
    static const struct text unreadable[] = {TEXT_INIT(""), TEXT_INIT("")};
    struct policy_request request = request_from(unreadable, 2);
    assert_false(matches(IDENTITY("<cp:many/>"), &request));
    assert_true(matches("<o:anonymous-request/>", &request));
    struct text many[POLICY_IDENTITIES_MAX + 3];
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i] = ann[0];
    request = request_from(many, sizeof(many) / sizeof(many[0]));
    assert_true(matches(IDENTITY("<cp:one id='sip:ann@example.net'/>"), &request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(no_conditions_match_everybody),
        WITH_ARENA(all_conditions_must_hold),
        WITH_ARENA(unknown_conditions_never_match),
        WITH_ARENA(one_names_one_address_however_it_is_spelled),
        WITH_ARENA(many_names_a_domain_or_everybody_but_exceptions),
        WITH_ARENA(any_of_several_identities_matches_and_any_excepts),
        WITH_ARENA(a_sphere_is_one_of_its_words_in_any_case),
        WITH_ARENA(validity_holds_from_its_first_moment_to_before_its_last),
        WITH_ARENA(validity_takes_any_whole_pair),
        WITH_ARENA(the_worked_example_gives_what_the_rfc_says),
        WITH_ARENA(no_matching_rule_grants_nothing),
        WITH_ARENA(booleans_are_read_as_the_schema_writes_them),
        WITH_ARENA(enumerations_and_numbers_take_the_highest),
        WITH_ARENA(permissions_are_found_by_name),
        WITH_ARENA(a_thousand_rules_are_decided_by_the_right_one),
        WITH_ARENA(ten_thousand_entries_are_each_found),
        WITH_ARENA(more_rules_than_allowed_are_refused),
        WITH_ARENA(identities_that_cannot_be_read_are_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
