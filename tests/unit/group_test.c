/* Groups: found by their address, who belongs to them, who may send, who receives, and that a change is in force at the
 * next call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "group_bench.h"

#define ENTRY(uri) "<entry uri=\"" uri "\"/>"
#define THREE      ENTRY(ALICE) ENTRY(BOB) ENTRY(CAROL)

/* --- found ------------------------------------------------------------------------------------------------------ */

static void a_group_is_found_by_any_spelling_of_its_address(void **state)
{
    (void)state;
    put(GROUPS, ALICE, "team",
        GROUP_HEAD "<list-service uri=\" sip:t%65am@EXAMPLE.com;user=group\"><display-name> The team </display-name>"
                   "</list-service></group>");
    static const char *const spellings[] = {TEAM, "SIP:team@Example.COM", "sips:team@example.com:5061",
                                            "sip:t%65%61m@example.com;transport=tcp", "im:team@example.com"};
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        const struct group *group;
        assert_int_equal(find_status(spellings[i], &group), OK);
        assert_true(text_equal(group_uri(group), TEXT(TEAM)));
        assert_true(text_equal(group_display_name(group), TEXT("The team")));
    }
}

static void what_no_document_claims_is_no_group(void **state)
{
    (void)state;
    const struct group *group;
    put_group(THREE, "");
    assert_int_equal(find_status("sip:Team@example.com", &group), NOT_FOUND); /* the user part has its case */
    assert_int_equal(find_status(ALICE, &group), NOT_FOUND);
    assert_int_equal(find_status("nonsense", &group), NOT_FOUND);
    assert_true(text_equal(group_display_name(find_team()), TEXT("")));
}

static void one_document_may_hold_many_groups(void **state)
{
    (void)state;
    put(GROUPS, ALICE, "all",
        GROUP_HEAD "<list-service uri=\"sip:one@example.com\"><list>" ENTRY(
            BOB) "</list></list-service>"
                 "<list-service uri=\"" TEAM "\"><list>" ENTRY(CAROL) "</list></list-service></group>");
    const struct group *group;
    assert_int_equal(find_status("sip:one@example.com", &group), OK);
    assert_fan_out(ALICE, CAROL, "");
}

static void broken_bytes_in_the_store_fail(void **state)
{
    (void)state;
    const struct group *group;
    static const char *const broken[] = {"", "<group", "<group xmlns=\"urn:oma:xml:poc:list-service\"/>",
                                         GROUP_HEAD "<list-service uri=\"sip:x@example.com\"/></group>"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        put_unchecked(GROUPS, ALICE, "team", broken[i]);
        assert_int_equal(find_status(TEAM, &group), FAILED);
    }
    put_group(THREE, "");
    assert_int_equal(find_status(TEAM, &group), OK);
}

/* --- members ---------------------------------------------------------------------------------------------------- */

static void members_stand_in_document_order_and_once_without_the_sender(void **state)
{
    (void)state;
    put_group(ENTRY(CAROL) "<rl:entry uri=\"" BOB "\"/>" ENTRY("sip:carol@EXAMPLE.com") ENTRY(ALICE)
                  ENTRY("tel:+1-201-555-0123") "<rl:entry uri=\"tel:+12015550123\"/>" ENTRY(TEAM),
              "");
    assert_fan_out(ALICE, CAROL " " BOB " tel:+12015550123", "");
    assert_fan_out("SIP:carol@example.com", BOB " " ALICE " tel:+12015550123", "");
    assert_fan_out(DAVE, CAROL " " BOB " " ALICE " tel:+12015550123", "");
}

static void a_group_without_list_has_nobody(void **state)
{
    (void)state;
    put(GROUPS, ALICE, "team", GROUP_HEAD "<list-service uri=\"" TEAM "\"/></group>");
    assert_fan_out(ALICE, "", "");
    assert_may_send(ALICE, false, "not-member");
}

static void a_sender_is_known_by_each_of_his_identities(void **state)
{
    (void)state;
    put_group_rules(THREE, MEMBERS_RULE);
    const struct text identities[] = {TEXT("tel:+12015550123"), TEXT(BOB)};
    struct group_sender sender = {.identities = identities, .identities_count = 2, .wall_ms = bench.wall_ms};
    struct text rule;
    const struct text *members, *missing;
    size_t count, missing_count;
    assert_true(group_may_send(bench.groups, find_team(), &sender, &rule));
    assert_int_equal(
        group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &count, &missing, &missing_count),
        OK);
    assert_string_equal(names_of(members, count), ALICE " " CAROL);
}

static void put_members(size_t count)
{
    struct text_builder list;
    builder_init(&list, &bench.arena);
    for (size_t i = 0; i < count; i++)
        builder_add_format(&list, "<entry uri=\"sip:%zu@example.com\"/>", i);
    put_group(text_cstring(&bench.arena, builder_text(&list)), "");
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    const struct text *members, *missing;
    size_t count, missing_count;
    put_members(GROUP_MEMBERS_MAX);
    assert_int_equal(
        group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &count, &missing, &missing_count),
        OK);
    assert_int_equal(count, GROUP_MEMBERS_MAX);
    put_members(GROUP_MEMBERS_MAX + 1);
    assert_int_equal(
        group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &count, &missing, &missing_count),
        REFUSED);
}

/* --- who may send ----------------------------------------------------------------------------------------------- */

static void without_rules_the_house_decides(void **state)
{
    (void)state;
    put_group(THREE, "");
    assert_may_send(BOB, true, "no-rule");
    assert_may_send(DAVE, false, "not-member");
    assert_may_send(NULL, false, "not-member");
    bench_restart(false, true, true);
    assert_may_send(BOB, false, "no-rule");
}

static void members_may_send_when_a_rule_says_so(void **state)
{
    (void)state;
    put_group_rules(THREE, MEMBERS_RULE);
    assert_may_send(BOB, true, "members");
    assert_may_send(DAVE, false, "not-member");
    put_group_rules(THREE, "<cp:rule id=\"quiet\"><cp:conditions><is-list-member/></cp:conditions>"
                           "<cp:actions><join-handling>false</join-handling></cp:actions></cp:rule>");
    assert_may_send(BOB, false, "quiet");
    put_group_rules(THREE, "<cp:rule id=\"other\"><cp:conditions><is-list-member/></cp:conditions>"
                           "<cp:actions><allow-conference-state>true</allow-conference-state></cp:actions></cp:rule>");
    assert_may_send(BOB, false, "no-rule");
}

static void rules_name_people_and_all_others(void **state)
{
    (void)state;
    put_group_rules(THREE, "<cp:rule id=\"dave\"><cp:conditions><cp:identity><cp:one id=\"" DAVE "\"/></cp:identity>"
                           "</cp:conditions><cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>");
    assert_may_send(DAVE, true, "dave"); /* though he is no member */
    assert_may_send(BOB, false, "no-rule");
    put_group_rules(THREE, "<cp:rule id=\"not-bob\"><cp:conditions><cp:identity><cp:one id=\"" BOB "\"/></cp:identity>"
                           "</cp:conditions><cp:actions><join-handling>false</join-handling></cp:actions></cp:rule>"
                           "<cp:rule id=\"rest\"><cp:conditions><ocp:other-identity/></cp:conditions>"
                           "<cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>");
    assert_may_send(BOB, false, "not-bob");
    assert_may_send("sip:stranger@elsewhere.example", true, "rest");
}

static void a_rule_holds_within_its_validity(void **state)
{
    (void)state;
    put_group_rules(THREE, "<cp:rule id=\"today\"><cp:conditions><is-list-member/><cp:validity>"
                           "<cp:from>2026-01-05T00:00:00Z</cp:from><cp:until>2026-01-06T00:00:00Z</cp:until>"
                           "</cp:validity></cp:conditions>"
                           "<cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>");
    assert_may_send(BOB, true, "today");
    bench.wall_ms += 86400000;
    assert_may_send(BOB, false, "no-rule");
}

static void a_group_whose_services_leave_messages_out_takes_none(void **state)
{
    (void)state;
#define SERVICE(media)                                                                                                 \
    "<oxe:supported-services><oxe:service enabler=\"oma.im\"><oxe:group-media>" media                                  \
    "</oxe:group-media></oxe:service></oxe:supported-services>"
    put_group(THREE, SERVICE("<oxe:message-session/>"));
    assert_may_send(BOB, false, "supported-services");
    put_group(THREE, SERVICE("<oxe:message-session/><oxe:pager-mode-message/>"));
    assert_may_send(BOB, true, "no-rule");
    put_group(THREE, "<oxe:supported-services><oxe:service enabler=\"oma.im\"/></oxe:supported-services>");
    assert_may_send(BOB, true, "no-rule");
}

static void who_hides_needs_the_right_to(void **state)
{
    (void)state;
    struct text identity, rule;
    struct group_sender sender = sender_of(BOB, &identity);
    sender.anonymous = true;
    put_group(THREE, "");
    assert_false(group_may_send(bench.groups, find_team(), &sender, &rule));
    assert_true(text_equal(rule, TEXT("anonymous")));
    put_group_rules(THREE, MEMBERS_RULE);
    assert_false(group_may_send(bench.groups, find_team(), &sender, &rule));
    put_group_rules(THREE, MEMBERS_RULE "<cp:rule id=\"hidden\"><cp:conditions><is-list-member/></cp:conditions>"
                                        "<cp:actions><allow-anonymity>true</allow-anonymity></cp:actions></cp:rule>");
    assert_true(group_may_send(bench.groups, find_team(), &sender, &rule));
    assert_true(text_equal(rule, TEXT("members")));
}

static void more_rules_than_can_be_read_are_not_none(void **state)
{
    (void)state;
    struct text_builder rules;
    builder_init(&rules, &bench.arena);
    for (size_t i = 0; i <= POLICY_RULES_MAX; i++)
        builder_add_format(&rules, "<cp:rule id=\"r%zu\"/>", i);
    put_group_rules(THREE, text_cstring(&bench.arena, builder_text(&rules)));
    const struct group *group;
    assert_int_equal(find_status(TEAM, &group), FAILED);
}

/* --- changes ---------------------------------------------------------------------------------------------------- */

static void a_change_of_the_document_is_in_force_at_the_next_call(void **state)
{
    (void)state;
    put_group(ENTRY(BOB), "");
    assert_fan_out(ALICE, BOB, "");
    put_group(ENTRY(BOB) ENTRY(CAROL), "");
    assert_fan_out(ALICE, BOB " " CAROL, "");
    put_group_rules(ENTRY(CAROL), MEMBERS_RULE);
    assert_fan_out(ALICE, CAROL, "");
    assert_may_send(BOB, false, "not-member");
    assert_may_send(CAROL, true, "members");
}

static void a_deleted_group_is_gone_and_comes_back(void **state)
{
    (void)state;
    const struct group *group;
    put_group(ENTRY(BOB), "");
    assert_fan_out(ALICE, BOB, "");
    put(GROUPS, ALICE, "team", NULL);
    assert_int_equal(find_status(TEAM, &group), NOT_FOUND);
    put_group(ENTRY(CAROL), "");
    assert_fan_out(ALICE, CAROL, "");
}

static void an_address_without_a_group_has_one_as_soon_as_it_is_put(void **state)
{
    (void)state;
    const struct group *group;
    for (int round = 0; round < 3; round++) {
        for (int again = 0; again < 2; again++)
            assert_int_equal(find_status(TEAM, &group), NOT_FOUND);
        put_group(ENTRY(BOB), "");
        assert_int_equal(find_status(TEAM, &group), OK);
        assert_int_equal(find_status("sip:other@example.com", &group), NOT_FOUND);
        put(GROUPS, ALICE, "team", NULL);
    }
}

/* Through a store whose reads can be made to fail. */
static void an_address_without_a_group_is_not_looked_for_again(void **state)
{
    (void)state;
    const struct store_fault unreadable = {STORE_CALL_FIND, 1, 0, FAILED, false};
    const struct group *group;
    struct store *faulty = store_open_faulty(bench.store, NULL, 0);
    documents_free(bench.documents);
    bench.store = faulty;
    bench.documents = documents_new(faulty, bench.usages);
    bench_restart(true, true, true);
    assert_int_equal(find_status(TEAM, &group), NOT_FOUND);
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(find_status(TEAM, &group), NOT_FOUND);
    assert_int_equal(find_status("sip:other@example.com", &group), FAILED); /* which is no answer to be kept */
    store_faulty_set(faulty, NULL, 0);
    assert_int_equal(find_status("sip:other@example.com", &group), NOT_FOUND);
    put_lists(DAVE, "<list name=\"other\"/>");
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(find_status(TEAM, &group), FAILED);
    store_faulty_set(faulty, NULL, 0);
}

static void write_record(const char *usage, const char *owner)
{
    struct commit commit = {.key = {text_of(usage), text_of(owner), TEXT("")},
                            .expected = VERSION_ANY,
                            .bytes = TEXT("x"),
                            .who = TEXT("test")};
    assert_int_equal(document_internal_commit(bench.documents, &commit, 1), OK);
}

static void an_epoch_of_users_ends_when_one_changes(void **state)
{
    (void)state;
    uint64_t epoch = group_users_epoch(bench.groups);
    write_record(DOCUMENT_FATES, BOB);
    put_group(ENTRY(BOB), "");
    assert_int_equal(group_users_epoch(bench.groups), epoch);
    for (int round = 0; round < 3; round++) {
        write_record(DOCUMENT_USERS, BOB);
        uint64_t next = group_users_epoch(bench.groups);
        assert_true(next != epoch);
        assert_int_equal(group_users_epoch(bench.groups), next);
        epoch = next;
    }
}

static void an_epoch_of_users_ends_when_changes_cannot_be_read(void **state)
{
    (void)state;
    const struct store_fault unreadable = {STORE_CALL_LAST, 1, 0, FAILED, false};
    struct store *faulty = store_open_faulty(bench.store, NULL, 0);
    documents_free(bench.documents);
    bench.store = faulty;
    bench.documents = documents_new(faulty, bench.usages);
    bench_restart(true, true, true);
    uint64_t epoch = group_users_epoch(bench.groups);
    store_faulty_set(faulty, &unreadable, 1);
    assert_true(group_users_epoch(bench.groups) != epoch);
    store_faulty_set(faulty, NULL, 0);
}

static void an_address_moves_to_another_document(void **state)
{
    (void)state;
    put_group(ENTRY(BOB), "");
    assert_fan_out(ALICE, BOB, "");
    put(GROUPS, ALICE, "team", GROUP_HEAD "<list-service uri=\"sip:old@example.com\"/></group>");
    put(GROUPS, CAROL, "hers",
        GROUP_HEAD "<list-service uri=\"" TEAM "\"><list>" ENTRY(DAVE) "</list></list-service></group>");
    assert_fan_out(ALICE, DAVE, "");
}

static void what_changed_elsewhere_keeps_the_group_as_it_is(void **state)
{
    (void)state;
    put_group(ENTRY(BOB), "");
    const struct group *before = find_team();
    put_lists(DAVE, "<list name=\"other\"/>");
    assert_ptr_equal(find_team(), before);
    put_group(ENTRY(CAROL), "");
    assert_fan_out(ALICE, CAROL, "");
}

static void more_groups_than_are_kept_are_all_found(void **state)
{
    (void)state;
    enum { PER_DOCUMENT = 100, DOCUMENTS = GROUP_CACHE_MAX / PER_DOCUMENT + 1 };
    const struct group *group;
    for (size_t document = 0; document < DOCUMENTS; document++) {
        struct text_builder body;
        builder_init(&body, &bench.arena);
        builder_add(&body, TEXT(GROUP_HEAD));
        for (size_t i = 0; i < PER_DOCUMENT; i++)
            builder_add_format(&body, "<list-service uri=\"sip:%zu@example.com\"/>", document * PER_DOCUMENT + i);
        builder_add(&body, TEXT("</group>"));
        put(GROUPS, ALICE, text_cstring(&bench.arena, text_format(&bench.arena, "many%zu", document)),
            text_cstring(&bench.arena, builder_text(&body)));
    }
    for (size_t i = 0; i <= DOCUMENTS * PER_DOCUMENT; i++) {
        size_t number = i % (DOCUMENTS * PER_DOCUMENT); /* the first is asked for again after it went */
        struct text uri = text_format(&bench.arena, "sip:%zu@example.com", number);
        assert_int_equal(group_find(bench.groups, uri, &group), OK);
        assert_true(text_equal(group_uri(group), uri));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_found_by_any_spelling_of_its_address),
        TEST(what_no_document_claims_is_no_group),
        TEST(one_document_may_hold_many_groups),
        TEST(broken_bytes_in_the_store_fail),
        TEST(members_stand_in_document_order_and_once_without_the_sender),
        TEST(a_group_without_list_has_nobody),
        TEST(a_sender_is_known_by_each_of_his_identities),
        TEST(too_many_members_are_refused),
        TEST(without_rules_the_house_decides),
        TEST(members_may_send_when_a_rule_says_so),
        TEST(rules_name_people_and_all_others),
        TEST(a_rule_holds_within_its_validity),
        TEST(a_group_whose_services_leave_messages_out_takes_none),
        TEST(who_hides_needs_the_right_to),
        TEST(more_rules_than_can_be_read_are_not_none),
        TEST(a_change_of_the_document_is_in_force_at_the_next_call),
        TEST(a_deleted_group_is_gone_and_comes_back),
        TEST(an_address_without_a_group_has_one_as_soon_as_it_is_put),
        TEST(an_address_without_a_group_is_not_looked_for_again),
        TEST(an_epoch_of_users_ends_when_one_changes),
        TEST(an_epoch_of_users_ends_when_changes_cannot_be_read),
        TEST(an_address_moves_to_another_document),
        TEST(what_changed_elsewhere_keeps_the_group_as_it_is),
        TEST(more_groups_than_are_kept_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
