/* Groups inside groups: who belongs to them, who is reached, and where that ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "group_bench.h"

#define ERIN       "sip:erin@example.com"
#define ENTRY(uri) "<entry uri=\"" uri "\"/>"
#define INNER      "sip:inner@example.com"
#define INMOST     "sip:inmost@example.com"
#define OPEN_TO_ALL                                                                                                    \
    "<cp:ruleset><cp:rule "                                                                                            \
    "id=\"all\"><cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>"
#define CLOSED "<cp:ruleset/>"

static void put_inner(const char *owner, const char *name, const char *uri, const char *list, const char *rest)
{
    put(GROUPS, owner, name,
        text_cstring(&bench.arena, text_format(&bench.arena,
                                               GROUP_HEAD "<list-service uri=\"%s\"><list>%s</list>%s"
                                                          "</list-service></group>",
                                               uri, list, rest)));
}

static void members_of_a_group_inside_take_its_place(void **state)
{
    (void)state;
    put_inner(DAVE, "inner", INNER, ENTRY(CAROL) ENTRY(BOB) ENTRY(INMOST), OPEN_TO_ALL);
    put_inner(ERIN, "inmost", INMOST, ENTRY(ERIN) ENTRY(TEAM), OPEN_TO_ALL); /* and back to the first */
    put_group(ENTRY(ALICE) ENTRY(BOB) ENTRY(INNER) ENTRY(DAVE), "");
    assert_fan_out(ALICE, BOB " " CAROL " " ERIN " " DAVE, "");
}

static void members_of_a_group_inside_are_members(void **state)
{
    (void)state;
    put_inner(DAVE, "inner", INNER, ENTRY(CAROL) ENTRY(INMOST), CLOSED);
    put_inner(ERIN, "inmost", INMOST, ENTRY(ERIN), CLOSED);
    put_group_rules(ENTRY(ALICE) ENTRY(INNER), MEMBERS_RULE);
    assert_may_send(ALICE, true, "members");
    assert_may_send(CAROL, true, "members");
    assert_may_send(ERIN, true, "members");
    assert_may_send(DAVE, false, "not-member");
}

static void a_group_inside_that_does_not_let_the_sender_in_is_not_opened(void **state)
{
    (void)state;
    put_inner(DAVE, "inner", INNER, ENTRY(CAROL) ENTRY(DAVE), "<cp:ruleset>" MEMBERS_RULE "</cp:ruleset>");
    put_group(ENTRY(ALICE) ENTRY(BOB) ENTRY(INNER), "");
    assert_fan_out(ALICE, BOB, INNER);
    assert_fan_out(CAROL, ALICE " " BOB " " DAVE, "");
}

static void an_address_that_becomes_a_group_is_opened_and_one_that_ceases_is_not(void **state)
{
    (void)state;
    put_group(ENTRY(BOB) ENTRY(INNER), "");
    assert_fan_out(ALICE, BOB " " INNER, "");
    put_inner(DAVE, "inner", INNER, ENTRY(CAROL), OPEN_TO_ALL);
    assert_fan_out(ALICE, BOB " " CAROL, "");
    put_inner(DAVE, "inner", INNER, ENTRY(CAROL) ENTRY(ERIN), OPEN_TO_ALL);
    assert_fan_out(ALICE, BOB " " CAROL " " ERIN, "");
    put(GROUPS, DAVE, "inner", NULL);
    assert_fan_out(ALICE, BOB " " INNER, "");
}

static void a_group_that_appears_deeper_is_seen_too(void **state)
{
    (void)state;
    put_inner(DAVE, "inner", INNER, ENTRY(INMOST), OPEN_TO_ALL);
    put_group_rules(ENTRY(INNER), MEMBERS_RULE);
    assert_may_send(ERIN, false, "not-member");
    put_inner(ERIN, "inmost", INMOST, ENTRY(ERIN), OPEN_TO_ALL);
    assert_may_send(ERIN, true, "members");
}

static void groups_deeper_than_allowed_are_named_as_missing(void **state)
{
    (void)state;
    char uri[64], list[96], name[32];
    for (int i = 0; i <= GROUP_DEPTH_MAX + 1; i++) {
        snprintf(uri, sizeof(uri), "sip:level%d@example.com", i);
        snprintf(list, sizeof(list), "<entry uri=\"sip:user%d@example.com\"/><entry uri=\"sip:level%d@example.com\"/>",
                 i, i + 1);
        snprintf(name, sizeof(name), "level%d", i);
        put_inner(DAVE, name, uri, list, OPEN_TO_ALL);
    }
    put_group(ENTRY("sip:level0@example.com"), "");
    assert_fan_out(ALICE, "sip:user0@example.com sip:user1@example.com sip:user2@example.com",
                   "sip:level3@example.com");
}

static void more_groups_inside_than_allowed_are_not_opened(void **state)
{
    (void)state;
    struct text_builder list;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    const struct text *members, *missing;
    size_t count, missing_count;
    builder_init(&list, &bench.arena);
    for (int i = 0; i < GROUP_NESTED_MAX + 10; i++) {
        struct text uri = text_format(&bench.arena, "sip:g%d@example.com", i);
        struct text entry = text_format(&bench.arena, "<entry uri=\"sip:user%d@example.com\"/>", i);
        put_inner(DAVE, text_cstring(&bench.arena, text_format(&bench.arena, "g%d", i)),
                  text_cstring(&bench.arena, uri), text_cstring(&bench.arena, entry), OPEN_TO_ALL);
        builder_add_format(&list, "<entry uri=\"%.*s\"/>", TEXT_ARG(uri));
    }
    put_group(text_cstring(&bench.arena, builder_text(&list)), "");
    assert_int_equal(
        group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &count, &missing, &missing_count),
        OK);
    assert_int_equal(count, GROUP_NESTED_MAX);
    assert_true(missing_count >= 10);
}

static void a_broken_group_inside_is_nobody(void **state)
{
    (void)state;
    put_group(ENTRY(BOB), "");
    put_unchecked(GROUPS, ALICE, "team", "<group"); /* it has the address of the team */
    put_inner(DAVE, "outer", INNER, ENTRY(CAROL) ENTRY(TEAM), OPEN_TO_ALL);
    const struct group *outer;
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    const struct text *members, *missing;
    size_t count, missing_count;
    assert_int_equal(find_status(INNER, &outer), OK);
    assert_int_equal(
        group_fan_out(bench.groups, outer, &sender, &bench.arena, &members, &count, &missing, &missing_count), OK);
    assert_string_equal(names_of(members, count), CAROL);
    assert_string_equal(names_of(missing, missing_count), TEAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_of_a_group_inside_take_its_place, begin, end),
        cmocka_unit_test_setup_teardown(members_of_a_group_inside_are_members, begin, end),
        cmocka_unit_test_setup_teardown(a_group_inside_that_does_not_let_the_sender_in_is_not_opened, begin, end),
        cmocka_unit_test_setup_teardown(an_address_that_becomes_a_group_is_opened_and_one_that_ceases_is_not, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_group_that_appears_deeper_is_seen_too, begin, end),
        cmocka_unit_test_setup_teardown(groups_deeper_than_allowed_are_named_as_missing, begin, end),
        cmocka_unit_test_setup_teardown(more_groups_inside_than_allowed_are_not_opened, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_group_inside_is_nobody, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
