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
    const struct text *members = NULL;
    size_t count = 0, missing = 0;
    struct text owner;
    struct text_builder line;
    enum status status =
        group_service_members(bench.groups, text_of(address), &bench.arena, &owner, &members, &count, &missing);
    assert_int_equal(status, expected);
    if (status != OK)
        return;
    builder_init(&line, &bench.arena);
    for (size_t i = 0; i < count; i++)
        builder_add_format(&line, i ? " %.*s" : "%.*s", TEXT_ARG(members[i]));
    assert_text(builder_text(&line), expected_members);
    assert_text(owner, DAVE);
    assert_int_equal(missing, expected_missing);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
