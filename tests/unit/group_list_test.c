/* External lists of groups and rules: followed in every form, to a bounded depth and amount, and followed again when
 * one of them changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "group_bench.h"

#define ENTRY(uri)  "<entry uri=\"" uri "\"/>"
#define HOST        "http://xdm.example.com/xcap-root/"
#define NODE(name)  "/~~/resource-lists/list%5b@name=%22" name "%22%5d"
#define INDEX_OF(x) HOST "resource-lists/users/" x "/index"

static void put_external(const char *anchor)
{
    put_group(join_texts(ENTRY(BOB) "<external anchor=\"", anchor, "\"/>"), "");
}

static void an_anchor_names_a_list_a_document_or_a_list_inside_a_list(void **state)
{
    (void)state;
    put_lists(DAVE,
              "<list name=\"a\">" ENTRY(CAROL) "<list name=\"inner\">" ENTRY(
                  "sip:erin@example.com") "</list></list><list name=\"b\">" ENTRY("sip:frank@example.com") "</list>");
    put_external(INDEX_OF(DAVE) NODE("a"));
    assert_fan_out(ALICE, BOB " " CAROL " sip:erin@example.com", "");
    put_external(INDEX_OF(DAVE) NODE("b"));
    assert_fan_out(ALICE, BOB " sip:frank@example.com", "");
    put_external(INDEX_OF(DAVE));
    assert_fan_out(ALICE, BOB " " CAROL " sip:erin@example.com sip:frank@example.com", "");
    put_external(INDEX_OF(DAVE) NODE("a") "/list%5b@name=%22inner%22%5d");
    assert_fan_out(ALICE, BOB " sip:erin@example.com", "");
    put_external("https://other-name.example:8443/xcap-root/resource-lists/users/dave%40example.com/index" NODE("b"));
    assert_fan_out(ALICE, BOB " sip:frank@example.com", "");
}

static void an_external_may_stand_in_either_namespace(void **state)
{
    (void)state;
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    put_group("<rl:external anchor=\"" INDEX_OF(DAVE) NODE("a") "\"/>", "");
    assert_fan_out(ALICE, CAROL, "");
}

static void prefixed_lists_are_followed(void **state)
{
    (void)state;
    put(LISTS, DAVE, "index",
        "<?xml version=\"1.0\"?>\n<r:resource-lists xmlns:r=\"urn:ietf:params:xml:ns:resource-lists\">"
        "<r:list name=\"a\"><r:entry uri=\"" CAROL "\"/></r:list></r:resource-lists>\n");
    put_external(INDEX_OF(DAVE) NODE("a"));
    assert_fan_out(ALICE, BOB " " CAROL, "");
}

static void lists_refer_to_entries_and_lists_relative_to_the_root_or_absolute(void **state)
{
    (void)state;
    put_lists(CAROL, "<list name=\"hers\">" ENTRY("sip:erin@example.com") ENTRY("sip:frank@example.com") "</list>");
    put_lists(DAVE, "<list name=\"a\"><entry-ref ref=\"resource-lists/users/" CAROL
                    "/index/~~/resource-lists/list%5b1%5d/entry%5b2%5d\"/>"
                    "<external anchor=\"" INDEX_OF(CAROL) NODE("hers") "\"/></list>");
    put_external(INDEX_OF(DAVE) NODE("a"));
    assert_fan_out(ALICE, BOB " sip:frank@example.com sip:erin@example.com", "");
}

static void a_loop_of_lists_ends(void **state)
{
    (void)state;
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "<external anchor=\"" INDEX_OF(DAVE)
                        NODE("b") "\"/></list>"
                                  "<list name=\"b\">" ENTRY(DAVE) "<external anchor=\"" INDEX_OF(DAVE)
                                      NODE("a") "\"/></list>");
    put_external(INDEX_OF(DAVE) NODE("a"));
    assert_fan_out(ALICE, BOB " " CAROL " " DAVE, INDEX_OF(DAVE) NODE("a"));
}

static void lists_are_followed_to_a_depth_and_no_further(void **state)
{
    (void)state;
#define LINK(name, member, next)                                                                                       \
    "<list name=\"" name "\">" ENTRY(member) "<external anchor=\"" INDEX_OF(DAVE) NODE(next) "\"/></list>"
    put_lists(DAVE, LINK("1", "sip:1@example.com", "2") LINK("2", "sip:2@example.com", "3")
                        LINK("3", "sip:3@example.com", "4") LINK("4", "sip:4@example.com", "5") "<list name=\"5\"/>");
    put_external(INDEX_OF(DAVE) NODE("1"));
    assert_fan_out(ALICE, BOB " sip:1@example.com sip:2@example.com sip:3@example.com", INDEX_OF(DAVE) NODE("4"));
}

/* A hundred times a hundred lists: bounded by the number followed, not by what hangs below. */
static void lists_of_lists_do_not_multiply_without_bound(void **state)
{
    (void)state;
    struct text_builder lists;
    builder_init(&lists, &bench.arena);
    for (size_t level = 0; level < 3; level++) {
        builder_add_format(&lists, "<list name=\"level%zu\">", level);
        for (size_t i = 0; i < 100; i++)
            builder_add_format(&lists,
                               "<entry-ref ref=\"resource-lists/users/" DAVE
                               "/index/~~/resource-lists/list%%5b%%40name=%%22level%zu%%22%%5d%%5b%zu%%5d\"/>",
                               level + 1, level * 100 + i);
        builder_add(&lists, TEXT("</list>"));
    }
    put_lists(DAVE, text_cstring(&bench.arena, builder_text(&lists)));
    put_external(INDEX_OF(DAVE));
    struct text identity;
    struct group_sender sender = sender_of(ALICE, &identity);
    const struct text *members, *missing;
    size_t count, missing_count;
    assert_int_equal(
        group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &count, &missing, &missing_count),
        OK);
    assert_string_equal(names_of(members, count), BOB);
    assert_int_equal(missing_count, 64); /* the first few are named */
}

static void what_cannot_be_followed_is_named_and_found_when_it_appears(void **state)
{
    (void)state;
    put_external(INDEX_OF(DAVE) NODE("a"));
    assert_fan_out(ALICE, BOB, INDEX_OF(DAVE) NODE("a"));
    put_lists(DAVE, "<list name=\"b\">" ENTRY(CAROL) "</list>");
    assert_fan_out(ALICE, BOB, INDEX_OF(DAVE) NODE("a"));
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    assert_fan_out(ALICE, BOB " " CAROL, "");
    put(LISTS, DAVE, "index", NULL);
    assert_fan_out(ALICE, BOB, INDEX_OF(DAVE) NODE("a"));
}

static void anchors_that_lead_nowhere_count_as_empty(void **state)
{
    (void)state;
    static const char *const anchors[] = {
        "http://elsewhere.example/other/resource-lists/users/" DAVE "/index",
        HOST "unknown/users/" DAVE "/index",
        HOST "resource-lists/users/" DAVE "/index/~~/%5b",
        HOST "resource-lists/users/" DAVE "/index" NODE("a") "/@name",
        HOST "resource-lists/users/%00/index",
    };
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
        put_external(anchors[i]);
        assert_fan_out(ALICE, BOB, anchors[i]);
    }
}

static void a_computed_document_is_a_list_without_members(void **state)
{
    (void)state;
    put_external(HOST "xcap-caps/global/index");
    assert_fan_out(ALICE, BOB, "");
    const struct group *before = find_team();
    put_lists(CAROL, "<list name=\"other\"/>");
    assert_ptr_equal(find_team(), before);
}

static void broken_lists_count_as_empty(void **state)
{
    (void)state;
    put_external(INDEX_OF(DAVE));
    put_unchecked(LISTS, DAVE, "index", "<resource-lists><list>");
    assert_fan_out(ALICE, BOB, INDEX_OF(DAVE));
}

static void a_changed_list_is_in_force_at_the_next_call(void **state)
{
    (void)state;
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    put_group_rules(ENTRY(BOB) "<external anchor=\"" INDEX_OF(DAVE) NODE("a") "\"/>", MEMBERS_RULE);
    assert_fan_out(ALICE, BOB " " CAROL, "");
    assert_may_send(CAROL, true, "members");
    put_lists(DAVE, "<list name=\"a\">" ENTRY(DAVE) "</list>");
    assert_fan_out(ALICE, BOB " " DAVE, "");
    assert_may_send(CAROL, false, "not-member");
    assert_may_send(DAVE, true, "members");
}

static void a_rule_of_a_group_asks_an_external_list(void **state)
{
    (void)state;
    put_lists(DAVE, "<list name=\"guests\">" ENTRY(CAROL) "</list>");
    put_group_rules(ENTRY(BOB),
                    "<cp:rule id=\"guests\"><cp:conditions><ocp:external-list><ocp:entry anc=\"" INDEX_OF(DAVE)
                        NODE("guests") "\"/></ocp:external-list></cp:conditions>"
                                       "<cp:actions><join-handling>true</join-handling></cp:actions>"
                                       "</cp:rule>");
    assert_may_send(CAROL, true, "guests");
    assert_may_send(BOB, false, "no-rule");
    assert_fan_out(ALICE, BOB, "");
    put_lists(DAVE, "<list name=\"guests\">" ENTRY(BOB) "</list>");
    assert_may_send(CAROL, false, "not-member");
    assert_may_send(BOB, true, "guests");
}

#define SERVICE(uri, content)                                                                                          \
    "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\" xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\">"  \
    "<service uri=\"" uri "\">" content "</service></rls-services>"

static void assert_service(const char *address, enum status expected, const char *expected_members,
                           size_t expected_missing)
{
    struct group_list list;
    struct text owner;
    enum status status = group_service_members(bench.groups, text_of(address), &bench.arena, &owner, &list);
    assert_int_equal(status, expected);
    if (status != OK)
        return;
    assert_string_equal(names_of(list.members, list.count), expected_members);
    assert_text(owner, DAVE);
    assert_int_equal(list.missing_count, expected_missing);
}

static void a_list_with_an_address_is_found_by_it(void **state)
{
    (void)state;
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    put_lists(CAROL, "<list name=\"hers\">" ENTRY(BOB) "</list>");
    put("rls-services", DAVE, "index",
        SERVICE("sip:list@Example.com;b=2;A=1",
                "<list><rl:entry uri=\"" BOB "\"/><rl:external anchor=\"" INDEX_OF(DAVE)
                    NODE("a") "\"/><rl:external anchor=\"" INDEX_OF(CAROL) NODE("hers") "\"/></list>"));
    assert_service("sip:list@example.com;a=1;b=2", OK, BOB " " CAROL, 1);
    assert_service("sip:list@example.com", NOT_FOUND, NULL, 0);
    put("rls-services", DAVE, "index",
        SERVICE("sip:list@example.com", "<resource-list>" INDEX_OF(DAVE) NODE("a") "</resource-list>"));
    assert_service("sip:list@example.com", OK, CAROL, 0);
    assert_service("sip:list@example.com;a=1;b=2", NOT_FOUND, NULL, 0);
}

static void what_others_keep_for_themselves_is_no_list_for_groups_and_rules(void **state)
{
    (void)state;
    const struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    groups_free(bench.groups);
    bench.groups = groups_new(bench.documents, &settings);
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    put_lists(ALICE, "<list name=\"a\">" ENTRY("sip:erin@example.com") "</list>");
    put_group_rules(ENTRY(BOB) "<external anchor=\"" INDEX_OF(DAVE) NODE("a") "\"/><external anchor=\"" INDEX_OF(ALICE)
                        NODE("a") "\"/>",
                    "<cp:rule id=\"guests\"><cp:conditions><ocp:external-list><ocp:entry anc=\"" INDEX_OF(DAVE)
                        NODE("a") "\"/></ocp:external-list></cp:conditions>"
                                  "<cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>");
    assert_fan_out(ALICE, BOB " sip:erin@example.com", INDEX_OF(DAVE) NODE("a") " " INDEX_OF(DAVE) NODE("a"));
    assert_may_send(CAROL, false, "not-member");
    put_rules(BOB, "rules",
              "<rule id=\"friends\"><conditions><ocp:external-list><ocp:entry anc=\"" INDEX_OF(DAVE)
                  NODE("a") "\"/></ocp:external-list></conditions><actions><poc:allow-invite>reject"
                            "</poc:allow-invite></actions></rule>");
    assert_decision(CAROL, GROUP_DELIVER, true, "");
}

/* A group inside is its owner's, and so are the lists that it refers to. */
static void a_group_inside_has_the_lists_of_its_own_owner(void **state)
{
    (void)state;
    const struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    groups_free(bench.groups);
    bench.groups = groups_new(bench.documents, &settings);
    put_lists(DAVE, "<list name=\"a\">" ENTRY(CAROL) "</list>");
    put(GROUPS, DAVE, "inner",
        GROUP_HEAD
        "<list-service uri=\"sip:inner@example.com\"><list>" ENTRY(ALICE) "<external anchor=\"" INDEX_OF(DAVE)
            NODE("a") "\"/></list></list-service></group>");
    put_group(ENTRY("sip:inner@example.com"), "");
    assert_fan_out(ALICE, CAROL, "");
}

/* The services of all users are for servers; through a reference, too. */
static void a_reference_shows_nobody_what_he_cannot_read(void **state)
{
    (void)state;
    const struct text anchor = TEXT(HOST "rls-services/global/index");
    struct group_list list;
    put("rls-services", CAROL, "index", SERVICE("sip:hers@example.com", "<list><rl:entry uri=\"" BOB "\"/></list>"));
    put("rls-services", DAVE, "index",
        SERVICE("sip:list@example.com", "<list><rl:external anchor=\"" HOST "rls-services/global/index\"/></list>"));
    assert_service("sip:list@example.com", OK, "", 1);
    assert_int_equal(group_list_members(bench.groups, &anchor, 1, TEXT(DAVE), &bench.arena, &list), OK);
    assert_int_equal(list.count, 0);
    assert_string_equal(names_of(list.missing, list.missing_count), HOST "rls-services/global/index");
}

/* However many a message names, what one costs bounds them all: 32 lists. */
static void the_lists_of_one_message_are_bounded_together(void **state)
{
    (void)state;
    struct text anchors[40];
    struct text_builder lists;
    struct group_list list;
    builder_init(&lists, &bench.arena);
    for (size_t i = 0; i < 40; i++) {
        builder_add_format(&lists, "<list name=\"%zu\"><entry uri=\"sip:%zu@example.com\"/></list>", i, i);
        anchors[i] = text_format(&bench.arena,
                                 HOST "resource-lists/users/" DAVE "/index/~~/resource-lists/list%%5b%zu%%5d", i + 1);
    }
    put_lists(DAVE, text_cstring(&bench.arena, builder_text(&lists)));
    assert_int_equal(group_list_members(bench.groups, anchors, 40, TEXT(DAVE), &bench.arena, &list), OK);
    assert_int_equal(list.count, 32);
    assert_int_equal(list.missing_count, 8);
    assert_true(text_equal(list.missing[0], anchors[32]));
}

static void addresses_beyond_ascii_are_the_same_in_lists_and_groups(void **state)
{
    (void)state;
#define UMLAUT                                                                                                         \
    "sip:j\xc3\xbcrgen@b\xc3\xbc"                                                                                      \
    "cher.example"
#define WRITTEN "sip:j%C3%BCrgen@xn--bcher-kva.example"
    put_lists(DAVE, "<list name=\"a\">" ENTRY(UMLAUT) "</list>");
    put_group(ENTRY(UMLAUT), "");
    assert_fan_out(ALICE, WRITTEN, "");
    put_group("<external anchor=\"" INDEX_OF(DAVE) NODE("a") "\"/>", "");
    assert_fan_out(ALICE, WRITTEN, "");
}

/* The groups that somebody knows are a list like others: groups inside a group. */
static void a_list_of_groups_brings_their_members(void **state)
{
    (void)state;
    put(GROUPS, ALICE, "inner",
        GROUP_HEAD "<list-service uri=\"sip:inner@example.com\"><list>" ENTRY(ALICE)
            ENTRY(CAROL) "</list></list-service></group>");
    put("org.openmobilealliance.group-usage-list", ALICE, "index",
        LISTS_HEAD "<list name=\"mine\">" ENTRY("sip:inner@example.com") "</list></resource-lists>");
    put_external(HOST "org.openmobilealliance.group-usage-list/users/" ALICE "/index" NODE("mine"));
    assert_fan_out(ALICE, BOB " " CAROL, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_anchor_names_a_list_a_document_or_a_list_inside_a_list),
        TEST(an_external_may_stand_in_either_namespace),
        TEST(prefixed_lists_are_followed),
        TEST(lists_refer_to_entries_and_lists_relative_to_the_root_or_absolute),
        TEST(a_loop_of_lists_ends),
        TEST(lists_are_followed_to_a_depth_and_no_further),
        TEST(lists_of_lists_do_not_multiply_without_bound),
        TEST(what_cannot_be_followed_is_named_and_found_when_it_appears),
        TEST(anchors_that_lead_nowhere_count_as_empty),
        TEST(a_computed_document_is_a_list_without_members),
        TEST(broken_lists_count_as_empty),
        TEST(a_changed_list_is_in_force_at_the_next_call),
        TEST(a_rule_of_a_group_asks_an_external_list),
        TEST(a_list_with_an_address_is_found_by_it),
        TEST(what_others_keep_for_themselves_is_no_list_for_groups_and_rules),
        TEST(a_group_inside_has_the_lists_of_its_own_owner),
        TEST(a_reference_shows_nobody_what_he_cannot_read),
        TEST(the_lists_of_one_message_are_bounded_together),
        TEST(addresses_beyond_ascii_are_the_same_in_lists_and_groups),
        TEST(a_list_of_groups_brings_their_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
