/* Where XCAP URIs stand, what may be read there, and where references in documents lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document.h"
#include "team.h"

static struct team team;

static int begin(void **state)
{
    (void)state;
    team_open(&team, store_open_memory());
    return 0;
}

static int end(void **state)
{
    (void)state;
    team_close(&team);
    return 0;
}

static enum status place_of(const char *uri, bool put, struct document_place *place_out, struct refusal *refusal)
{
    const struct xcap_selector *selector;
    *refusal = (struct refusal){0};
    return team_place(&team, uri, put, &team.arena, place_out, &selector, refusal);
}

static void every_spelling_of_an_owner_is_one_place(void **state)
{
    (void)state;
    static const char *const uris[] = {
        "/xcap-root/team/users/sip:alice@example.com/index",
        "/xcap-root/team/users/sip%3Aalice%40EXAMPLE.com/index",
        "/xcap-root/team/users/alice@example.com/index",
        "/xcap-root/team/users/alice%40Example.com/index",
        "/xcap-root/team/users/im:alice@example.com/index",
        "/xcap-root/team/users/sips:alice@example.com:5061/index",
        "/xcap-root/old-team/users/sip:alice@example.com/index",
    };
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct document_place place;
        struct refusal refusal;
        assert_int_equal(place_of(uris[i], false, &place, &refusal), OK);
        assert_true(text_equal(place.key.usage, TEXT("team")));
        assert_true(text_equal(place.key.owner, TEXT("sip:alice@example.com")));
        assert_true(text_equal(place.key.name, TEXT("index")));
    }
}

static void global_documents_have_no_owner(void **state)
{
    (void)state;
    struct document_place place;
    struct refusal refusal;
    assert_int_equal(place_of("/xcap-root/team/global/index", false, &place, &refusal), OK);
    assert_int_equal(place.tree, XCAP_GLOBAL);
    assert_int_equal(place.key.owner.length, 0);
    assert_non_null(place.key.owner.bytes); /* no owner, and not any owner */
}

static void what_cannot_stand_anywhere_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool put;
        enum refusal_kind kind;
    } examples[] = {
        {"/xcap-root/unknown/users/sip:alice@example.com/index", false, REFUSAL_ABSENT},
        {"/xcap-root/%23users/users/sip:alice@example.com/index", false, REFUSAL_ABSENT},
        {"/xcap-root/team/users/alice/index", false, REFUSAL_ABSENT},
        {"/xcap-root/team/users/alice:x@example.com/index", false, REFUSAL_ABSENT},
        {"/xcap-root/team/users/@example.com/index", true, REFUSAL_ABSENT},
        {"/xcap-root/team/global/other", true, REFUSAL_ABSENT},
        {"/xcap-root/team/users/sip:alice@example.com/no/index", false, REFUSAL_ABSENT},
        {"/xcap-root/team/users/sip:alice@example.com/no/index", true, REFUSAL_CONFLICT},
        {"/xcap-root/team/users/sip:alice@example.com/index/~~/team%5B", false, REFUSAL_SYNTAX},
        {"/xcap-root/team/users/sip:alice@example.com/index/~~/x:team", false, REFUSAL_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct document_place place;
        struct refusal refusal;
        if (place_of(examples[i].uri, examples[i].put, &place, &refusal) != REFUSED || refusal.kind != examples[i].kind)
            fail_msg("%s: kind %d", examples[i].uri, refusal.kind);
        assert_true(refusal.kind != REFUSAL_CONFLICT || strcmp(refusal.element, "no-parent") == 0);
    }
}

static void directories_of_the_manifest_are_there(void **state)
{
    (void)state;
    assert_int_equal(team_run(&team, "/xcap-root/team/users/sip:alice@example.com/byGroupID/7", TEAM_OPEN "</team>"),
                     OK);
    assert_true(team_read(&team, "/xcap-root/team/users/sip:alice@example.com/byGroupID/7").version != 0);
}

static void a_computed_document_has_a_version_that_no_stored_one_has(void **state)
{
    (void)state;
    struct document_place place;
    struct refusal refusal;
    struct stored once, again, head;
    assert_int_equal(place_of("/xcap-root/team-index/global/index", false, &place, &refusal), OK);
    assert_int_equal(document_read(team.documents, &place, &team.arena, &once), OK);
    assert_int_equal(document_read(team.documents, &place, &team.arena, &again), OK);
    assert_int_equal(document_read_version(team.documents, &place, &head), OK);
    assert_true(text_find(once.bytes, TEXT("team-index")) < once.bytes.length);
    assert_true(once.version == again.version && once.version == head.version);
    assert_true(once.version >> 62 == 2);
    assert_true(document_if_match(document_etag(once.version, &team.arena), once.version));
}

static void the_version_alone_is_that_of_the_document(void **state)
{
    (void)state;
    struct document_place place;
    struct refusal refusal;
    struct stored head;
    assert_int_equal(place_of(TEAM_DOCUMENT, false, &place, &refusal), OK);
    assert_int_equal(document_read_version(team.documents, &place, &head), NOT_FOUND);
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, TEAM_OPEN "</team>"), OK);
    assert_int_equal(document_read_version(team.documents, &place, &head), OK);
    assert_true(head.version == team_read(&team, TEAM_DOCUMENT).version);
}

static void documents_of_one_owner_are_listed(void **state)
{
    (void)state;
    const struct usage *usage = usage_find(documents_usages(team.documents), TEXT("team"));
    static const char *const uris[] = {TEAM_DOCUMENT, TEAM_DOCUMENT "2", TEAM_OTHER, "/xcap-root/team/global/index"};
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
        assert_int_equal(team_run(&team, uris[i], TEAM_OPEN "</team>"), OK);
    struct key_page page;
    assert_int_equal(document_list(team.documents, usage, TEXT("sip:alice@example.com"), NULL, 10, &team.arena, &page),
                     OK);
    assert_int_equal(page.count, 2);
    assert_int_equal(document_list(team.documents, usage, (struct text){0}, NULL, 10, &team.arena, &page), OK);
    assert_int_equal(page.count, 1); /* the global tree */
    assert_int_equal(document_list_all(team.documents, usage, NULL, 10, &team.arena, &page), OK);
    assert_int_equal(page.count, 4);
}

static void references_are_followed_in_every_form(void **state)
{
    (void)state;
    static const char body[] = TEAM_OPEN "<m id=\"a b\"/></team>";
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, body), OK);
    static const struct {
        const char *uri, *bytes; /* NULL: not found */
    } examples[] = {
        {"http://xdm.example.com/xcap-root/team/users/sip:alice@example.com/index", body},
        {"https://xdm.example.com:8443/services/team/users/sip:alice@example.com/index", body},
        {"/xcap-root/team/users/sip:alice@example.com/index", body},
        {"team/users/sip:alice@example.com/index", body},
        {" team/users/alice%40example.com/index\n", body},
        {"team/users/sip:alice@example.com/index/~~/team/m%5B@id=%22a%20b%22%5D", "<m id=\"a b\"/>"},
        {"team/users/sip:alice@example.com/index/~~/team/m%5B1%5D", "<m id=\"a b\"/>"},
        {"team/users/sip:alice@example.com/index/~~/team/m%5B2%5D", NULL},
        {"team/users/sip:alice@example.com/index/~~/team/m%5B1%5D/@id", NULL},
        {"team/users/sip:alice@example.com/other", NULL},
        {"team/users/sip:bob@example.com/index", NULL},
        {"http://xdm.example.com/elsewhere/team/users/sip:alice@example.com/index", NULL},
        {"ftp://xdm.example.com/xcap-root/team/users/sip:alice@example.com/index", NULL},
        {"sip:alice@example.com", NULL},
        {"team", NULL},
        {"/", NULL},
        {"", NULL},
        {"%", NULL},
    };
    const struct text roots[] = {TEXT("/xcap-root/"), TEXT("/services/")};
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct stored found;
        struct text bytes;
        enum status status =
            document_follow(team.documents, text_of(examples[i].uri), roots, 2, TEXT(""), &team.arena, &found, &bytes);
        if (status != (examples[i].bytes ? OK : NOT_FOUND))
            fail_msg("%s: %s", examples[i].uri, status_name(status));
        if (examples[i].bytes) {
            assert_true(text_equal(bytes, text_of(examples[i].bytes)));
            assert_true(text_equal(found.key.owner, TEXT("sip:alice@example.com")));
            assert_true(text_equal(found.bytes, text_of(body)));
            assert_true(bytes.bytes >= found.bytes.bytes && bytes.length <= found.bytes.length);
        }
    }
}

static void what_a_reference_hangs_on_is_told_even_when_it_leads_nowhere(void **state)
{
    (void)state;
    static const char body[] = TEAM_OPEN "<m id=\"a\"/></team>";
    assert_int_equal(team_run(&team, TEAM_DOCUMENT, body), OK);
    uint64_t version = team_read(&team, TEAM_DOCUMENT).version;
    const struct text roots[] = {TEXT("/xcap-root/")};
    struct stored found;
    struct text node;
    struct text missing_node = TEXT("team/users/sip:alice@example.com/index/~~/team/m%5B2%5D");
    assert_int_equal(document_follow(team.documents, missing_node, roots, 1, TEXT(""), &team.arena, &found, &node),
                     NOT_FOUND);
    assert_true(text_equal(found.key.owner, TEXT("sip:alice@example.com")));
    assert_int_equal(found.version, version);
    struct text missing_document = TEXT("team/users/bob@example.com/index");
    assert_int_equal(document_follow(team.documents, missing_document, roots, 1, TEXT(""), &team.arena, &found, &node),
                     NOT_FOUND);
    assert_true(text_equal(found.key.owner, TEXT("sip:bob@example.com")));
    assert_int_equal(found.version, 0);
    assert_int_equal(document_follow(team.documents, TEXT("mailto:x"), roots, 1, TEXT(""), &team.arena, &found, &node),
                     NOT_FOUND);
    assert_int_equal(found.key.usage.length, 0);
}

static void internal_documents_are_not_found_by_claims(void **state)
{
    (void)state;
    const struct claim claim = {TEXT("team-uri"), TEXT("sip:x@example.com"), false};
    struct commit commit = {.key = {TEXT(DOCUMENT_BINDINGS), TEXT("sip:x@example.com"), TEXT("")},
                            .expected = VERSION_ANY,
                            .claims = &claim,
                            .claims_count = 1};
    struct stored found;
    assert_int_equal(document_internal_commit(team.documents, &commit, 1), OK);
    assert_int_equal(document_find(team.documents, claim.kind, claim.value, &team.arena, &found), NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_spelling_of_an_owner_is_one_place),
        TEST(global_documents_have_no_owner),
        TEST(what_cannot_stand_anywhere_is_refused),
        TEST(directories_of_the_manifest_are_there),
        TEST(a_computed_document_has_a_version_that_no_stored_one_has),
        TEST(the_version_alone_is_that_of_the_document),
        TEST(documents_of_one_owner_are_listed),
        TEST(references_are_followed_in_every_form),
        TEST(what_a_reference_hangs_on_is_told_even_when_it_leads_nowhere),
        TEST(internal_documents_are_not_found_by_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
