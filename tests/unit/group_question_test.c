/* What else than a message may be asked for: sessions and seats in them, people to invite and to remove, and the limits
 * of a group; and who asks from many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "group_bench.h"

#define ENTRY(uri) "<entry uri=\"" uri "\"/>"

static void assert_kind(const char *sender_address, const char *kind, bool may, const char *rule)
{
    struct text identity, decided;
    struct group_sender sender = sender_of(sender_address, &identity);
    struct group_question question = {.kind = text_of(kind)};
    sender.question = &question;
    bool answer = group_may_send(bench.groups, find_team(), &sender, &decided);
    if (answer != may || !text_equal(decided, text_of(rule)))
        fail_msg("%s of %s: %d by '%.*s'", kind, sender_address, answer, TEXT_ARG(decided));
}

static void each_permission_answers_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *element;
    } rows[] = {
        {"message", "join-handling"},
        {"session", "join-handling"},
        {"file", "join-handling"},
        {"initiate", "allow-initiate-conference"},
        {"conference-state", "allow-conference-state"},
        {"invite", "allow-invite-users-dynamically"},
        {"remove", "oxe:allow-expelling"},
        {"anonymity", "allow-anonymity"},
        {"key-participant", "is-key-participant"},
        {"private-message", "oxe:allow-private-message"},
        {"sub-conference", "oxe:allow-subconf"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int yes = 0; yes < 2; yes++) {
            struct text rule = text_format(&bench.arena,
                                           "<cp:rule id=\"r\"><cp:conditions/><cp:actions><%s>%s</%s></cp:actions>"
                                           "</cp:rule>",
                                           rows[i].element, yes ? "true" : "false", rows[i].element);
            put_group_rules(ENTRY(ALICE), text_cstring(&bench.arena, rule));
            assert_kind(ALICE, rows[i].kind, yes, "r");
        }
        put_group_rules(ENTRY(ALICE), "<cp:rule id=\"r\"/>");
        assert_kind(ALICE, rows[i].kind, false, "no-rule");
        assert_true(group_kind_known(bench.groups, text_of(rows[i].kind)));
    }
    assert_kind(ALICE, "telepathy", false, "no-rule");
    assert_false(group_kind_known(bench.groups, TEXT("telepathy")));
}

static struct group_limits limits_of_team(void)
{
    const struct group *team = find_team();
    return group_limits(bench.groups, team);
}

static void limits_are_those_of_the_document(void **state)
{
    (void)state;
    put_group(ENTRY(ALICE) ENTRY(BOB), "<invite-members>true</invite-members>"
                                       "<max-participant-count>12</max-participant-count>"
                                       "<oxe:session-active-policy oxe:must-understand=\"true\">"
                                       "<oxe:max-duration>PT1H</oxe:max-duration>"
                                       "<oxe:min-participant-count>2</oxe:min-participant-count>"
                                       "</oxe:session-active-policy>");
    struct group_limits limits = limits_of_team();
    assert_true(limits.invite_members);
    assert_int_equal(limits.participants_max, 12);
    assert_int_equal(limits.participants_min, 2);
    assert_true(text_equal(limits.duration_max, TEXT("PT1H")));
    assert_int_equal(limits.members, 2);
    put_group(ENTRY(ALICE), "");
    limits = limits_of_team();
    assert_true(!limits.invite_members && limits.participants_max == UINT64_MAX && limits.participants_min == 0);
}

/* The record of a user, with the addresses that lead to him. */
static void put_user(const char *address, const char *alias)
{
    const struct claim claims[] = {{TEXT(DOCUMENT_USER_ADDRESS), text_of(address), false},
                                   {TEXT(DOCUMENT_USER_ADDRESS), text_of(alias), false}};
    struct commit commit = {.key = {TEXT(DOCUMENT_USERS), text_of(address), TEXT("")},
                            .expected = VERSION_ANY,
                            .bytes = TEXT("x"),
                            .claims = claims,
                            .claims_count = alias[0] ? 2 : 1};
    assert_int_equal(document_internal_commit(bench.documents, &commit, 1), OK);
}

static void who_is_listed_by_two_addresses_is_one_member(void **state)
{
    (void)state;
    put_group(ENTRY(ALICE) ENTRY("tel:+15550100") ENTRY(BOB) ENTRY("sip:nobody@example.com"), "");
    assert_int_equal(limits_of_team().members, 4);
    put_user(ALICE, "tel:+15550100"); /* the group stays as it is */
    assert_int_equal(limits_of_team().members, 3);
    assert_int_equal(limits_of_team().members, 3);
    put_user(ALICE, "");
    put_user(BOB, "sip:nobody@example.com");
    assert_int_equal(limits_of_team().members, 3);
    put_user(BOB, "");
    assert_int_equal(limits_of_team().members, 4);
}

static void sessions_keep_to_the_schedule_and_messages_need_none(void **state)
{
    (void)state;
    struct group_ruling ruling;
    struct text identity;
    put_group(ENTRY(ALICE), "<oxe:session-active-policy oxe:must-understand=\"true\"><oxe:schedule><oxe:time-range>"
                            "<oxe:start-time>2026-01-05T11:00:00Z</oxe:start-time>"
                            "<oxe:end-time>2026-01-05T12:00:00Z</oxe:end-time></oxe:time-range></oxe:schedule>"
                            "</oxe:session-active-policy>");
    const int64_t ten = bench.wall_ms, hour = 3600000;
    assert_kind(ALICE, "session", false, "schedule");
    assert_kind(ALICE, "message", true, "no-rule");
    struct group_sender sender = sender_of(ALICE, &identity);
    group_ruling_of(bench.groups, find_team(), &sender, &ruling);
    assert_true(ruling.until_ms == ten + hour);
    bench.wall_ms = ten + hour;
    assert_kind(ALICE, "session", true, "no-rule");
    bench.wall_ms = ten + 2 * hour;
    assert_kind(ALICE, "session", false, "schedule");
    bench.wall_ms = ten;
}

static void what_must_be_understood_and_is_not_keeps_everybody_out(void **state)
{
    (void)state;
    put_group(ENTRY(ALICE), "<oxe:qoe oxe:must-understand=\"true\"><oxe:premium/></oxe:qoe>");
    assert_kind(ALICE, "message", false, "must-understand");
    put_group(ENTRY(ALICE), "<oxe:qoe oxe:must-understand=\"false\"><oxe:premium/></oxe:qoe>");
    assert_kind(ALICE, "message", true, "no-rule");
}

static void put_birthday(const char *usage, const char *name, const char *date)
{
    put(usage, ALICE, name,
        text_cstring(&bench.arena, text_format(&bench.arena,
                                               "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\"><user-profile "
                                               "uri=\"" ALICE "\">%s</user-profile></user-profiles>",
                                               date)));
}

static void own_birthday(const char *date)
{
    put_birthday("org.openmobilealliance.user-profile", "user-profile", date);
}

static void only_who_has_the_age_for_it_is_let_in(void **state)
{
    (void)state;
    struct text identity;
    struct group_ruling ruling;
    put_group(ENTRY(ALICE), "<oxe:age-restrictions oxe:must-understand=\"true\"><oxe:age from=\"18\" until=\"30\"/>"
                            "<oxe:age from=\"60\"/></oxe:age-restrictions>");
    assert_kind(ALICE, "message", false, "age-restrictions"); /* nobody knows how old she is */
    own_birthday("");
    assert_kind(ALICE, "message", false, "age-restrictions");
    own_birthday("<birth-date>2008-01-05</birth-date>"); /* it is her eighteenth birthday */
    assert_kind(ALICE, "message", true, "no-rule");
    own_birthday("<birth-date>2008-01-06Z</birth-date>");
    assert_kind(ALICE, "message", false, "age-restrictions");
    assert_kind(ALICE, "session", false, "age-restrictions");
    struct group_sender sender = sender_of(ALICE, &identity);
    group_ruling_of(bench.groups, find_team(), &sender, &ruling);
    assert_true(ruling.until_ms == bench.wall_ms + (int64_t)14 * 3600000); /* midnight */
    own_birthday("<birth-date>1995-01-05</birth-date>");
    assert_kind(ALICE, "message", false, "age-restrictions");
    own_birthday("<birth-date>1965-12-31</birth-date>");
    assert_kind(ALICE, "message", true, "no-rule");
    own_birthday("<birth-date>2030-01-01</birth-date>"); /* not born yet */
    assert_kind(ALICE, "message", false, "age-restrictions");
    /* The operator knows better. */
    put_birthday("org.openmobilealliance.locked-user-profile", "locked-user-profile",
                 "<birth-date>2000-01-01</birth-date>");
    assert_kind(ALICE, "message", true, "no-rule");
    /* A group that restricts nothing needs to know nothing. */
    own_birthday("");
    put_birthday("org.openmobilealliance.locked-user-profile", "locked-user-profile", "");
    put_group(ENTRY(ALICE), "<oxe:age-restrictions oxe:must-understand=\"true\"/>");
    assert_kind(ALICE, "message", true, "no-rule");
}

static void services_and_their_media_are_those_that_the_group_names(void **state)
{
    (void)state;
    put_group(ENTRY(ALICE), "<oxe:supported-services><oxe:service enabler=\"IM\"><oxe:group-media>"
                            "<oxe:message-session/></oxe:group-media></oxe:service></oxe:supported-services>");
    assert_kind(ALICE, "message", false, "supported-services");
    assert_kind(ALICE, "session", true, "no-rule");
    struct text identity, rule;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_question question = {.kind = TEXT("session"), .service = TEXT("PoC")};
    sender.question = &question;
    assert_false(group_may_send(bench.groups, find_team(), &sender, &rule));
    question.service = TEXT("IM");
    assert_true(group_may_send(bench.groups, find_team(), &sender, &rule));
    put_group(ENTRY(ALICE), "<oxe:supported-services><oxe:all-services-except><oxe:service enabler=\"IM\"/>"
                            "</oxe:all-services-except></oxe:supported-services>");
    assert_false(group_may_send(bench.groups, find_team(), &sender, &rule));
    question.service = TEXT("PoC");
    assert_true(group_may_send(bench.groups, find_team(), &sender, &rule));
}

static void a_session_that_is_passed_on_asks_the_recipient(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_question question = {.kind = TEXT("session")};
    struct group_decision decision;
    sender.question = &question;
    put_rules(BOB, "im-rules", "<rule id=\"p\"><actions><poc:allow-invite>pass</poc:allow-invite></actions></rule>");
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_ASK);
    assert_true(text_equal(decision.rule, TEXT("p")));
    question.kind = TEXT("message");
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_DELIVER);
    put_rules(BOB, "im-rules", "<rule id=\"a\"><actions><poc:allow-invite>accept</poc:allow-invite></actions></rule>");
    question.kind = TEXT("session");
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_DELIVER);
}

static void storage_is_asked_for_by_itself(void **state)
{
    (void)state;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    struct group_question question = {.kind = TEXT("storage")};
    struct group_decision decision;
    sender.question = &question;
    bench_restart(true, false, true);
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_BLOCK);
    put_rules(BOB, "im-rules", "<rule id=\"s\"><actions><x21:allow-defer>true</x21:allow-defer></actions></rule>");
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), &sender, &bench.arena, &decision), OK);
    assert_int_equal(decision.verdict, GROUP_DELIVER);
    assert_true(text_equal(decision.rule, TEXT("s")));
}

/* --- many --- */

#define MANY_RULES   1000
#define MANY_ENTRIES 10000

static struct text many_entries(size_t count)
{
    struct text_builder list;
    builder_init(&list, &bench.arena);
    for (size_t i = 0; i < count; i++)
        builder_add_format(&list, "<entry uri=\"sip:member%zu@example.com\"/>", i);
    return builder_text(&list);
}

static void a_thousand_rules_and_ten_thousand_entries_are_each_found(void **state)
{
    (void)state;
    struct text_builder rules;
    char address[64];
    builder_init(&rules, &bench.arena);
    for (size_t i = 0; i < MANY_RULES; i++)
        builder_add_format(&rules,
                           "<rule id=\"r%zu\"><conditions><identity><one id=\"sip:person%zu@example.com\"/></identity>"
                           "</conditions><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>",
                           i, i);
    builder_add(&rules, TEXT("<rule id=\"list\"><conditions><ocp:external-list><ocp:entry anc=\"http://x/xcap-root/"
                             "resource-lists/users/" BOB "/index/~~/resource-lists/list\"/></ocp:external-list>"
                             "</conditions><actions><poc:allow-invite>accept</poc:allow-invite></actions></rule>"));
    put_lists(BOB, join_texts("<list>", text_cstring(&bench.arena, many_entries(MANY_ENTRIES)), "</list>"));
    put_rules(BOB, "im-rules", text_cstring(&bench.arena, builder_text(&rules)));
    for (size_t i = 0; i < MANY_RULES; i += 111) {
        char rule[16];
        snprintf(address, sizeof(address), "sip:person%zu@example.com", i);
        snprintf(rule, sizeof(rule), "r%zu", i);
        assert_decision(address, GROUP_BLOCK, true, rule);
    }
    for (size_t i = 0; i < MANY_ENTRIES; i += 1111) {
        snprintf(address, sizeof(address), "sip:member%zu@example.com", i);
        assert_decision(address, GROUP_DELIVER, true, "list");
    }
    assert_decision("sip:member10000@example.com", GROUP_DELIVER, true, "");
}

static void each_of_ten_thousand_members_is_one(void **state)
{
    (void)state;
    put_group_rules(text_cstring(&bench.arena, many_entries(MANY_ENTRIES)), MEMBERS_RULE);
    assert_may_send("sip:member0@example.com", true, "members");
    assert_may_send("sip:member9999@example.com", true, "members");
    assert_may_send("sip:member10000@example.com", false, "not-member");
    assert_int_equal(limits_of_team().members, MANY_ENTRIES);
}

/* --- a pool ------------------------------------------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS  300

static struct group_pool *pool;
static atomic_uint wrong;

/* Bob's rules go back and forth; whatever one thread sees, it never sees him allowed and rejected by the wrong rule. */
static void *ask_much(void *argument)
{
    (void)argument;
    struct text alice = TEXT(ALICE);
    struct group_sender sender = {&alice, 1, false, 1767607200000, NULL};
    for (int i = 0; i < ROUNDS; i++) {
        struct arena arena;
        struct group_decision decision;
        arena_init(&arena, "thread");
        struct groups *groups = group_pool_take(pool, 1);
        bool good = group_decide(groups, TEXT(BOB), &sender, &arena, &decision) == OK;
        bool allowed = decision.verdict == GROUP_DELIVER && text_equal(decision.rule, TEXT("yes"));
        bool rejected = decision.verdict == GROUP_BLOCK && text_equal(decision.rule, TEXT("no"));
        group_pool_give(pool, groups);
        if (!good || (!allowed && !rejected))
            atomic_fetch_add(&wrong, 1);
        arena_clear(&arena);
    }
    return NULL;
}

static void threads_decide_while_rules_change(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "<rule id=\"yes\"><actions><poc:allow-invite>accept</poc:allow-invite></actions></rule>",
        "<rule id=\"no\"><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>"};
    struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    pthread_t threads[THREADS];
    atomic_store(&wrong, 0);
    put_rules(BOB, "im-rules", rules[0]);
    pool = group_pool_new(bench.documents, &settings);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_much, NULL), 0);
    for (int i = 0; i < 50; i++)
        put_rules(BOB, "im-rules", rules[i % 2]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    group_pool_free(pool);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void what_a_pool_lends_knows_the_usages_of_its_generation(void **state)
{
    (void)state;
    struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    const struct group *group;
    struct usage_set *own;
    struct text error;
    put_group(ENTRY(ALICE), "");
    assert_int_equal(usage_set_load("schemas", &own, &bench.arena, &error), OK);
    assert_true(documents_replace(bench.documents, own));
    assert_true(documents_retired(bench.documents));
    pool = group_pool_new(bench.documents, &settings);
    struct groups *first = group_pool_take(pool, 1), *second = group_pool_take(pool, 1);
    assert_ptr_not_equal(first, second);
    assert_int_equal(group_find(first, TEXT(TEAM), &group), OK);
    group_pool_give(pool, first);
    assert_ptr_equal(group_pool_take(pool, 1), first); /* what was used last is warm */
    group_pool_give(pool, first);
    /* other usages: what was compiled for the old ones is gone, and they may be freed */
    assert_true(documents_replace(bench.documents, bench.usages));
    assert_true(documents_retired(bench.documents));
    assert_ptr_equal(group_pool_take(pool, 2), first);
    usage_set_free(own);
    assert_int_equal(group_find(first, TEXT(TEAM), &group), OK);
    group_pool_give(pool, first);
    group_pool_give(pool, second);
    group_pool_free(pool);
    bench_restart(true, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_permission_answers_its_kind, begin, end),
        cmocka_unit_test_setup_teardown(limits_are_those_of_the_document, begin, end),
        cmocka_unit_test_setup_teardown(who_is_listed_by_two_addresses_is_one_member, begin, end),
        cmocka_unit_test_setup_teardown(sessions_keep_to_the_schedule_and_messages_need_none, begin, end),
        cmocka_unit_test_setup_teardown(only_who_has_the_age_for_it_is_let_in, begin, end),
        cmocka_unit_test_setup_teardown(what_must_be_understood_and_is_not_keeps_everybody_out, begin, end),
        cmocka_unit_test_setup_teardown(services_and_their_media_are_those_that_the_group_names, begin, end),
        cmocka_unit_test_setup_teardown(a_session_that_is_passed_on_asks_the_recipient, begin, end),
        cmocka_unit_test_setup_teardown(storage_is_asked_for_by_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_thousand_rules_and_ten_thousand_entries_are_each_found, begin, end),
        cmocka_unit_test_setup_teardown(each_of_ten_thousand_members_is_one, begin, end),
        cmocka_unit_test_setup_teardown(threads_decide_while_rules_change, begin, end),
        cmocka_unit_test_setup_teardown(what_a_pool_lends_knows_the_usages_of_its_generation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
