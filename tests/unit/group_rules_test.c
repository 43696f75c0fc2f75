/* The rules of a recipient: several documents as one ruleset, what they answer, and that a change is in force at the
 * next call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "group_bench.h"

#define NAMES(address) "<conditions><identity><one id=\"" address "\"/></identity></conditions>"
#define INVITE(value)  "<actions><poc:allow-invite>" value "</poc:allow-invite></actions>"
#define GUESTS                                                                                                         \
    "http://xdm.example.com/xcap-root/resource-lists/users/" BOB "/index/~~/resource-lists/"                           \
    "list%5b@name=%22guests%22%5d"

static void without_rules_the_house_decides(void **state)
{
    (void)state;
    assert_decision(ALICE, GROUP_DELIVER, true, "");
    bench_restart(true, false, true);
    assert_decision(ALICE, GROUP_DELIVER, false, "");
    bench_restart(true, true, false);
    assert_decision(ALICE, GROUP_BLOCK, true, "");
    put_rules(BOB, "rules", "<rule id=\"a\">" NAMES(ALICE) INVITE("accept") "</rule>");
    assert_decision(ALICE, GROUP_DELIVER, true, "a");
    assert_decision(CAROL, GROUP_BLOCK, true, "");
}

static void who_is_anonymous_needs_a_rule_or_a_house_that_lets_him_in(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_decision decision;
    sender.anonymous = true;
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_BLOCK);
    assert_int_equal(decision.rule.length, 0);
    sender.anonymous = false;
    sender.identities_count = 0;
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_BLOCK);
    struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    settings.accept_anonymous = true;
    struct groups *others = groups_new(bench.documents, &settings);
    assert_int_equal(group_decide(others, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_DELIVER);
    groups_free(others);
}

static void a_rule_accepts_passes_or_rejects(void **state)
{
    (void)state;
    put_rules(BOB, "rules",
              "<rule id=\"a\">" NAMES(ALICE) INVITE("accept") "</rule><rule id=\"c\">" NAMES(CAROL)
                  INVITE("reject") "</rule><rule id=\"d\">" NAMES(DAVE) INVITE("pass") "</rule>");
    assert_decision(ALICE, GROUP_DELIVER, true, "a");
    assert_decision(CAROL, GROUP_BLOCK, true, "c");
    assert_decision(DAVE, GROUP_DELIVER, true, "d");
    assert_decision("sip:erin@example.com", GROUP_DELIVER, true, "");
}

static void allow_reject_invite_blocks_too(void **state)
{
    (void)state;
    put_rules(
        BOB, "rules",
        "<rule id=\"no\">" NAMES(ALICE) "<actions><oxe:allow-reject-invite>true</oxe:allow-reject-invite>"
                                        "<poc:allow-invite>accept</poc:allow-invite></actions></rule>"
                                        "<rule id=\"yes\">" NAMES(
                                            CAROL) "<actions><oxe:allow-reject-invite>false</oxe:allow-reject-invite>"
                                                   "</actions></rule>");
    assert_decision(ALICE, GROUP_BLOCK, true, "no");
    assert_decision(CAROL, GROUP_DELIVER, true, "");
}

static void rules_of_several_documents_are_one_ruleset(void **state)
{
    (void)state;
    put_rules(BOB, "a-general", "<rule id=\"all\"><conditions/>" INVITE("accept") "</rule>");
    put_rules(BOB, "b-names", "<rule id=\"no-alice\">" NAMES(ALICE) INVITE("reject") "</rule>");
    put_rules(BOB, "c-others",
              "<rule id=\"others\"><conditions><ocp:other-identity/></conditions>" INVITE("pass") "</rule>");
    assert_decision(ALICE, GROUP_BLOCK, true, "no-alice");
    assert_decision(CAROL, GROUP_DELIVER, true, "others");
    put_rules(CAROL, "rules", "<rule id=\"hers\"><conditions/>" INVITE("reject") "</rule>");
    assert_decision(CAROL, GROUP_DELIVER, true, "others");
}

static void storing_is_allowed_or_forbidden_by_each_of_its_names(void **state)
{
    (void)state;
    static const struct {
        const char *action;
        bool may_store;
    } examples[] = {
        {"<oxe:allow-offline-storage oxe:allow=\"false\"/>", false},
        {"<oxe:allow-offline-storage oxe:allow=\"true\"/>", true},
        {"<x21:allow-defer>false</x21:allow-defer>", false},
        {"<x21:allow-defer>true</x21:allow-defer>", true},
        {"<x21:allow-store>false</x21:allow-store>", false},
        {"<x21:allow-store>false</x21:allow-store><x21:allow-defer>true</x21:allow-defer>", true},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        put_rules(BOB, "rules",
                  join_texts("<rule id=\"s\"><conditions/><actions>", examples[i].action, "</actions></rule>"));
        bench_restart(true, !examples[i].may_store, true); /* the rule decides, not the house */
        assert_decision(ALICE, GROUP_DELIVER, examples[i].may_store, "");
    }
}

static void who_hides_is_met_by_rules_for_the_anonymous(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    sender.anonymous = true;
    put_rules(BOB, "rules",
              "<rule id=\"a\">" NAMES(ALICE)
                  INVITE("accept") "</rule>"
                                   "<rule id=\"hidden\"><conditions><ocp:anonymous-request/></conditions>" INVITE(
                                       "reject") "</rule>");
    assert_int_equal(decide_for(&sender).verdict, GROUP_BLOCK);
    assert_decision(NULL, GROUP_BLOCK, true, "hidden");
    assert_decision(ALICE, GROUP_DELIVER, true, "a");
}

static void documents_come_change_and_go(void **state)
{
    (void)state;
    assert_decision(ALICE, GROUP_DELIVER, true, "");
    put_rules(BOB, "rules", "<rule id=\"no\">" NAMES(ALICE) INVITE("reject") "</rule>");
    assert_decision(ALICE, GROUP_BLOCK, true, "no");
    put_rules(BOB, "rules", "<rule id=\"yes\">" NAMES(ALICE) INVITE("accept") "</rule>");
    assert_decision(ALICE, GROUP_DELIVER, true, "yes");
    put_rules(BOB, "more",
              "<rule id=\"both\"><conditions><identity><one id=\"" ALICE
              "\"/></identity></conditions><actions><oxe:allow-reject-invite>true"
              "</oxe:allow-reject-invite></actions></rule>");
    assert_decision(ALICE, GROUP_BLOCK, true, "both");
    put(RULES, BOB, "more", NULL);
    assert_decision(ALICE, GROUP_DELIVER, true, "yes");
    put(RULES, BOB, "rules", NULL);
    assert_decision(ALICE, GROUP_DELIVER, true, "");
}

static void a_changed_list_behind_a_rule_is_in_force_at_the_next_call(void **state)
{
    (void)state;
    put_rules(BOB, "rules",
              "<rule id=\"guests\"><conditions><ocp:external-list><ocp:entry anc=\"" GUESTS
              "\"/></ocp:external-list></conditions>" INVITE("reject") "</rule>");
    assert_decision(ALICE, GROUP_DELIVER, true, "");
    put_lists(BOB, "<list name=\"guests\"><entry uri=\"" ALICE "\"/></list>");
    assert_decision(ALICE, GROUP_BLOCK, true, "guests");
    put_lists(BOB, "<list name=\"guests\"><entry uri=\"" CAROL "\"/></list>");
    assert_decision(ALICE, GROUP_DELIVER, true, "");
    assert_decision(CAROL, GROUP_BLOCK, true, "guests");
    put(LISTS, BOB, "index", NULL);
    assert_decision(CAROL, GROUP_DELIVER, true, "");
}

/* What cannot be read may be the rule that blocks. */
static void broken_rules_fail(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_decision decision;
    put_rules(BOB, "good", "<rule id=\"yes\">" NAMES(ALICE) INVITE("accept") "</rule>");
    put_unchecked(RULES, BOB, "bad", "<ruleset");
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), FAILED);
    put(RULES, BOB, "bad", NULL);
    assert_decision(ALICE, GROUP_DELIVER, true, "yes");
}

static void more_rules_than_can_be_read_are_not_none(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_decision decision;
    struct text_builder rules;
    builder_init(&rules, &bench.arena);
    for (size_t i = 0; i <= POLICY_RULES_MAX; i++)
        builder_add_format(&rules, "<rule id=\"r%zu\"/>", i);
    put_rules(BOB, "rules", text_cstring(&bench.arena, builder_text(&rules)));
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_rules_the_house_decides),
        TEST(a_rule_accepts_passes_or_rejects),
        TEST(who_is_anonymous_needs_a_rule_or_a_house_that_lets_him_in),
        TEST(allow_reject_invite_blocks_too),
        TEST(rules_of_several_documents_are_one_ruleset),
        TEST(storing_is_allowed_or_forbidden_by_each_of_its_names),
        TEST(who_hides_is_met_by_rules_for_the_anonymous),
        TEST(documents_come_change_and_go),
        TEST(a_changed_list_behind_a_rule_is_in_force_at_the_next_call),
        TEST(broken_rules_fail),
        TEST(more_rules_than_can_be_read_are_not_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
