/* The admin API over HTTP: users, groups, backups, and who is kept out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "answer_json.h"
#include "assert_text.h"
#include "fate.h"
#include "record.h"
#include "service_tests.h"

#define JSON     "Content-Type: application/json"
#define GROUP    "Content-Type: application/vnd.oma.poc.groups+xml"
#define TEAM     "/api/v1/groups/sip:team@example.com"
#define TEAM_XML "<group xmlns=\"urn:oma:xml:poc:list-service\"><list-service uri=\"sip:team@example.com\"/></group>"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice");
}

static int begin_with_token(void **state)
{
    (void)state;
    return begin_with(NULL, "secret", "");
}

/* A member of the JSON object in the body; members of members with a dot. */
static const char *member(struct answer answer, const char *path)
{
    json_t *json;
    const json_t *at = answer_json(&answer, path, &json);
    const char *value = json_string_value(at);
    value = value ? text_cstring(&fixture->arena, text_of(value)) : "";
    json_decref(json);
    return value;
}

static void assert_error(struct answer answer, long status)
{
    assert_int_equal(answer.status, status);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/json");
    assert_true(member(answer, "error")[0]);
}

static void a_user_is_made_read_changed_and_deleted(void **state)
{
    (void)state;
    struct answer made = ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON},
                                   "{\"name\":\"bob\",\"password\":\"b\",\"displayName\":\"Bob B\xc3\xb6\"}");
    assert_int_equal(made.status, 201);
    assert_string_equal(member(made, "address"), "sip:bob@example.com");
    assert_text(answer_header(&made, "Location", 0), "/api/v1/users/sip:bob@example.com");
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON}, "{\"name\":\"bob\",\"password\":\"b\"}"),
                 409);

    struct answer read = ASK_ADMIN(fixture, "GET", "/api/v1/users/bob");
    assert_int_equal(read.status, 200);
    assert_string_equal(member(read, "displayName"), "Bob B\xc3\xb6");
    assert_true(strstr(member(read, "created"), "T") != NULL);
    assert_false(answer_holds(&read, "ha1"));

    /* what is not given stays: the password still works after the name changed */
    assert_int_equal(
        ASK_ADMIN(fixture, "PUT", "/api/v1/users/bob", NULL, {JSON}, "{\"displayName\":\"Robert\"}").status, 200);
    assert_int_equal(ASK_ADMIN(fixture, "PUT", "/api/v1/users/bob", NULL, {JSON}, "{\"password\":\"bob\"}").status,
                     200);
    read = ASK_ADMIN(fixture, "GET", "/api/v1/users/sip:bob@example.com");
    assert_string_equal(member(read, "displayName"), "Robert");
    assert_int_equal(
        ASK_XCAP(fixture, "GET", "/xcap-root/resource-lists/users/sip:bob@example.com/index", "bob").status, 404);

    assert_int_equal(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/bob").status, 204);
    assert_error(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/bob"), 404);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users/bob"), 404);
}

/* Changes of one user: the first makes him and says what is `wanted` of him, the second does not speak of it, so that
 * it stays, the third takes it back. */
static void assert_stays_until_taken_back(const char *const changes[3], struct text wanted)
{
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = ASK_ADMIN(fixture, "PUT", "/api/v1/users/dora", NULL, {JSON}, changes[i]);
        assert_int_equal(answer.status, i == 0 ? 201 : 200);
        assert_int_equal(text_find(answer.body, wanted) < answer.body.length, i < 2);
    }
}

static void a_user_may_have_a_limit_of_his_own_for_what_waits(void **state)
{
    (void)state;
    static const char *const good[] = {"{\"password\":\"d\",\"keepSeconds\":3600}", "{\"displayName\":\"Dora\"}",
                                       "{\"keepSeconds\":null}"};
    static const char *const wrong[] = {"{\"keepSeconds\":-1}", "{\"keepSeconds\":\"1\"}",
                                        "{\"keepSeconds\":99999999999}"};
    assert_stays_until_taken_back(good, TEXT("\"keepSeconds\": 3600"));
    for (size_t i = 0; i < 3; i++)
        assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/users/dora", NULL, {JSON}, wrong[i]), 400);
}

static void a_user_may_be_without_messages(void **state)
{
    (void)state;
    static const char *const changes[] = {"{\"password\":\"d\",\"messages\":false}", "{\"displayName\":\"Dora\"}",
                                          "{\"messages\":true}"};
    assert_stays_until_taken_back(changes, TEXT("\"messages\": false"));
    assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/users/dora", NULL, {JSON}, "{\"messages\":\"no\"}"), 400);
}

static void a_user_has_aliases_and_roles(void **state)
{
    (void)state;
    struct answer made =
        ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON},
                  "{\"name\":\"bob\",\"password\":\"b\",\"aliases\":[\"tel:+1-555-0102\"],\"roles\":[\"server\"]}");
    assert_int_equal(made.status, 201);
    assert_string_equal(member(made, "aliases.0"), "tel:+15550102");
    assert_string_equal(member(made, "roles.0"), "server");
    struct answer read = ASK_ADMIN(fixture, "PUT", "/api/v1/users/tel:+15550102", NULL, {JSON},
                                   "{\"addAliases\":[\"sip:robert@example.com\"],\"removeAliases\":[\"tel:+15550102\"],"
                                   "\"roles\":[\"auditor\",\"admin\"]}");
    assert_int_equal(read.status, 200);
    assert_string_equal(member(read, "address"), "sip:bob@example.com");
    assert_string_equal(member(read, "aliases.0"), "sip:robert@example.com");
    assert_string_equal(member(read, "aliases.1"), "");
    assert_string_equal(member(read, "roles.1"), "auditor");
    assert_string_equal(member(ASK_ADMIN(fixture, "GET", "/api/v1/users/robert"), "address"), "sip:bob@example.com");
    /* the password is as it was, and the name of an alias is free for nobody */
    static const char *const refused[] = {"{\"addAliases\":[\"sip:bob@example.com\"]}",
                                          "{\"aliases\":[\"sip:robert@example.com\"]}"};
    for (size_t i = 0; i < 2; i++)
        assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/users/alice", NULL, {JSON}, refused[i]), 409);
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON}, "{\"name\":\"robert\",\"password\":\"r\"}"),
                 409);
    static const char *const wrong[] = {"{\"roles\":[\"owner\"]}", "{\"roles\":\"server\"}", "{\"aliases\":[1]}",
                                        "{\"aliases\":[\"nonsense at all\"]}"};
    for (size_t i = 0; i < 4; i++)
        assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/users/alice", NULL, {JSON}, wrong[i]), 400);
}

static void a_user_can_be_made_only_if_absent(void **state)
{
    (void)state;
    static const char body[] = "{\"password\":\"x\",\"ifAbsent\":true}";
    assert_int_equal(ASK_ADMIN(fixture, "PUT", "/api/v1/users/bob", NULL, {JSON}, body).status, 201);
    assert_int_equal(ASK_ADMIN(fixture, "PUT", "/api/v1/users/bob", NULL, {JSON}, body).status, 200);
    assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/users/bob", NULL, {JSON, "If-None-Match: *"}, body), 412);
    /* alice's password is what it was */
    assert_int_equal(ASK_ADMIN(fixture, "PUT", "/api/v1/users/alice", NULL, {JSON}, body).status, 200);
    assert_int_equal(
        ASK_XCAP(fixture, "GET", "/xcap-root/resource-lists/users/sip:alice@example.com/index", "alice").status, 404);
}

static void users_are_listed_by_pages(void **state)
{
    (void)state;
    fixture_user(fixture, "bob");
    fixture_user(fixture, "carol");
    struct answer first = ASK_ADMIN(fixture, "GET", "/api/v1/users?limit=2");
    assert_string_equal(member(first, "users.1.name"), "bob");
    assert_string_equal(member(first, "next"), "sip:bob@example.com");
    struct answer second = ASK_ADMIN(fixture, "GET", "/api/v1/users?limit=2&after=sip%3Abob@example.com");
    assert_string_equal(member(second, "users.0.name"), "carol");
    assert_string_equal(member(second, "next"), "");
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users?limit=0"), 400);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users?limit=1001"), 400);
}

static void the_contacts_of_a_deleted_user_go_with_him(void **state)
{
    (void)state;
    const struct document_key key = {TEXT(DOCUMENT_BINDINGS), TEXT("sip:alice@example.com"), TEXT("contact")};
    const struct document_key other = {TEXT(DOCUMENT_BINDINGS), TEXT("sip:alice@example.com.org"), TEXT("contact")};
    struct commit commits[] = {{.key = key, .expected = VERSION_ANY, .bytes = TEXT("x")},
                               {.key = other, .expected = VERSION_ANY, .bytes = TEXT("x")}};
    struct stored found;
    assert_int_equal(document_internal_commit(fixture->documents, commits, 2), OK);
    assert_int_equal(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice").status, 204);
    assert_int_equal(document_internal_read(fixture->documents, &key, &fixture->arena, &found), NOT_FOUND);
    assert_int_equal(document_internal_read(fixture->documents, &other, &fixture->arena, &found), OK);
}

static void bad_bodies_are_refused_in_a_sentence(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "\"x\"",
                                         "{\"name\":\"x\"}",
                                         "{\"name\":1,\"password\":\"x\"}",
                                         "{\"name\":\"x\",\"password\":null}",
                                         "{\"name\":\"x\",\"password\":\"\"}",
                                         "{\"name\":\"x\",\"name\":\"y\",\"password\":\"x\"}",
                                         "{\"name\":\"x y\",\"password\":\"x\"}",
                                         "{\"name\":\"x@elsewhere.org\",\"password\":\"x\"}",
                                         "{\"name\":\"x\\u0000\",\"password\":\"x\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct answer answer = ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON}, bodies[i]);
        if (answer.status != 400 || !member(answer, "error")[0])
            fail_msg("%s: %ld", bodies[i], answer.status);
    }
    char *large = memory_new(70000);
    memset(large, ' ', 69999);
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/users", NULL, {JSON}, large), 413);
    free(large);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/page",
                                        "/api/v1",
                                        "/api/v1/",
                                        "/api/v1/users/",
                                        "/api/v1/users/a/b",
                                        "/api/v1/users/a/messages/",
                                        "/api/v1/Users",
                                        "/api/v1/users//messages"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_error(ASK_ADMIN(fixture, "GET", paths[i]), 404);
    struct answer wrong = ASK_ADMIN(fixture, "PATCH", "/api/v1/users/alice");
    assert_error(wrong, 405);
    assert_text(answer_header(&wrong, "Allow", 0), "GET, HEAD, PUT, DELETE");
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/backup"), 405);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users/%zz"), 400);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users/%ff"), 400);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users?after=%00"), 400);
}

/* Not at the policy port, where IM servers ask. */
static void the_page_is_at_the_root_of_the_admin_port(void **state)
{
    (void)state;
    struct answer page = ASK_ADMIN(fixture, "GET", "/");
    assert_int_equal(page.status, 200);
    assert_text(answer_header(&page, "Content-Type", 0), "text/html; charset=utf-8");
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/admin.js?x=1").status, 200);
    assert_error(ASK_ADMIN(fixture, "PUT", "/admin.css"), 405);
    assert_error(ASK_ADMIN(fixture, "GET", "/", NULL, {"Host: xdms.example"}), 403);
}

static void a_web_page_is_kept_out(void **state)
{
    (void)state;
    static const char *const bad[] = {"Origin: http://evil.example",
                                      "Origin: null",
                                      "Host: evil.example",
                                      "Host: 127.evil.example",
                                      "Host: 127.0.0.1.evil.example:80",
                                      "Host: localhost.evil.example",
                                      "Host: [::1].evil.example",
                                      "Host: 10.0.0.1"};
    static const char *const good[] = {"Host: localhost", "Host: LOCALHOST:8081", "Host: 127.0.0.1",
                                       "Host: 127.1.2.3:1", "Host: [::1]:8081"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users", NULL, {bad[i]}), 403);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users", NULL, {good[i]}).status, 200);
}

static void a_token_is_asked_for_when_there_is_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"Authorization: Bearer secre", "Authorization: Bearer secrett",
                                      "Authorization: Bearer ", "Authorization: secret", "X-Nothing: x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct answer answer = ASK_ADMIN(fixture, "GET", "/api/v1/users", NULL, {bad[i]});
        assert_error(answer, 401);
        assert_true(text_starts_with(answer_header(&answer, "WWW-Authenticate", 0), TEXT("Bearer")));
    }
    assert_error(ASK_ADMIN(fixture, "GET", "/unknown"), 401);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users", NULL, {"Authorization: bearer secret"}).status, 200);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users", NULL,
                               {"Authorization: Bearer secret", "Host: admin.example.com", "Origin: https://x"})
                         .status,
                     200);
}

static void a_group_is_put_shown_listed_and_deleted(void **state)
{
    (void)state;
    struct answer made = ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice", NULL, {GROUP}, TEAM_XML);
    assert_int_equal(made.status, 201);
    assert_string_equal(member(made, "uri"), "sip:team@example.com");
    assert_string_equal(member(made, "owner"), "sip:alice@example.com");
    assert_string_equal(member(made, "name"), "team");
    assert_true(answer_header(&made, "ETag", 0).length > 2);
    /* the owner sees it, and the holder is found without being named */
    assert_int_equal(
        ASK_XCAP(fixture, "GET", "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.com/team", "alice")
            .status,
        200);
    assert_int_equal(ASK_ADMIN(fixture, "PUT", TEAM, NULL, {GROUP}, TEAM_XML "\n").status, 200);

    struct answer shown = ASK_ADMIN(fixture, "GET", TEAM);
    assert_text(shown.body, TEAM_XML "\n");
    assert_text(answer_header(&shown, "Content-Type", 0), "application/vnd.oma.poc.groups+xml");
    struct answer list = ASK_ADMIN(fixture, "GET", "/api/v1/groups");
    assert_string_equal(member(list, "groups.0.uri"), "sip:team@example.com");
    assert_string_equal(member(list, "groups.0.owner"), "sip:alice@example.com");
    assert_string_equal(member(list, "groups.0.name"), "team");

    assert_int_equal(ASK_ADMIN(fixture, "DELETE", TEAM).status, 204);
    assert_error(ASK_ADMIN(fixture, "DELETE", TEAM), 404);
    assert_error(ASK_ADMIN(fixture, "GET", TEAM), 404);
}

static void groups_are_listed_by_pages(void **state)
{
    (void)state;
    for (char name[] = "a"; name[0] < 'd'; name[0]++) {
        struct text path = text_format(&fixture->arena, "/api/v1/groups/sip:%s@example.com?owner=alice", name);
        struct text body = text_format(&fixture->arena,
                                       "<group xmlns=\"urn:oma:xml:poc:list-service\">"
                                       "<list-service uri=\"sip:%s@example.com\"/></group>",
                                       name);
        struct answer made = ASK_ADMIN(fixture, "PUT", text_cstring(&fixture->arena, path), NULL, {GROUP},
                                       text_cstring(&fixture->arena, body));
        assert_int_equal(made.status, 201);
    }
    struct answer first = ASK_ADMIN(fixture, "GET", "/api/v1/groups?limit=2");
    assert_string_equal(member(first, "groups.1.name"), "b");
    struct text next = text_format(&fixture->arena, "/api/v1/groups?limit=2&after=%s", member(first, "next"));
    struct answer second = ASK_ADMIN(fixture, "GET", text_cstring(&fixture->arena, next));
    assert_string_equal(member(second, "groups.0.name"), "c");
    assert_string_equal(member(second, "groups.1.name"), "");
    assert_string_equal(member(second, "next"), "");
}

static void put_groups(void)
{
    for (int i = 0; i < 100; i++) {
        struct text path = text_format(&fixture->arena, "/api/v1/groups/sip:g%02d@example.com?owner=alice", i);
        struct text body = text_format(&fixture->arena,
                                       "<group xmlns=\"urn:oma:xml:poc:list-service\"><list-service "
                                       "uri=\"sip:g%02d@example.com\"/></group>",
                                       i);
        assert_int_equal(ASK_ADMIN(fixture, "PUT", text_cstring(&fixture->arena, path), NULL, {GROUP},
                                   text_cstring(&fixture->arena, body))
                             .status,
                         201);
    }
}

#define FIND_GROUPS                                                                                                    \
    "{\"target\": \"org.openmobilealliance.groups/users/\", \"max\": 1000, \"after\": \"%s\", \"query\": \"for $g "    \
    "in "                                                                                                              \
    "collection('org.openmobilealliance.groups/users/')/group/list-service return <g>{$g/@uri}</g>\"}"

/* The service of these tests has time for the first slice alone. */
static void a_search_that_takes_long_is_answered_in_pages(void **state)
{
    (void)state;
    put_groups();
    struct text asked = text_format(&fixture->arena, FIND_GROUPS, "");
    struct answer first =
        ASK_ADMIN(fixture, "POST", "/api/v1/search", NULL, {JSON}, text_cstring(&fixture->arena, asked));
    assert_true(answer_holds(&first, "sip:g63@example.com") && !answer_holds(&first, "sip:g64@example.com"));
    asked = text_format(&fixture->arena, FIND_GROUPS, member(first, "next"));
    struct answer second =
        ASK_ADMIN(fixture, "POST", "/api/v1/search", NULL, {JSON}, text_cstring(&fixture->arena, asked));
    assert_true(answer_holds(&second, "sip:g64@example.com") && answer_holds(&second, "sip:g99@example.com"));
    assert_true(!answer_holds(&second, "sip:g63@example.com") && !answer_holds(&second, "\"next\""));
}

#define SEARCH "/xcap-root/org.openmobilealliance.search"
#define NOBODY                                                                                                         \
    "<search-set xmlns=\"urn:oma:xml:xdm:search\"><search id=\"1\"><request><query>for $g in "                         \
    "collection('org.openmobilealliance.groups/users/')/group/list-service where $g/display-name = 'x' or true() "     \
    "return &lt;g>{$g/@uri}&lt;/g></query></request></search></search-set>"

/* None of them may be found, so that nothing was found when the time is over; alone, and as one of several servers. */
static void a_search_that_found_nothing_in_its_time_says_where_it_goes_on(void **state)
{
    (void)state;
    static const char *const asked[] = {"", "&places=home:0:"};
    put_groups();
    for (size_t i = 0; i < 2; i++) {
        struct text path, rest, from = TEXT(SEARCH);
        path = text_format(&fixture->arena, SEARCH "?target=org.openmobilealliance.groups/users/%s", asked[i]);
        const char *type = "Content-Type: application/vnd.oma.search+xml";
        struct answer first = ASK_XCAP(fixture, "POST", text_cstring(&fixture->arena, path), "alice", {type}, NOBODY);
        assert_int_equal(first.status, 409);
        assert_true(answer_holds(&first, "has used up its time"));
        struct text link = answer_header(&first, "Link", 0);
        assert_true(text_starts_with(link, TEXT("<?")) &&
                    text_cut(text_slice(link, 1, link.length), '>', &link, &rest));
        path = text_join(&fixture->arena, from, link);
        struct answer second = ASK_XCAP(fixture, "POST", text_cstring(&fixture->arena, path), "alice", {type}, NOBODY);
        assert_int_equal(second.status, 200);
        assert_int_equal(answer_header(&second, "Link", 0).length, 0);
    }
}

static void a_group_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_error(ASK_ADMIN(fixture, "PUT", TEAM, NULL, {GROUP}, TEAM_XML), 400);
    assert_error(ASK_ADMIN(fixture, "PUT", TEAM "?owner=nobody", NULL, {GROUP}, TEAM_XML), 400);
    assert_error(ASK_ADMIN(fixture, "PUT", "/api/v1/groups/sip:other@example.com?owner=alice", NULL, {GROUP}, TEAM_XML),
                 400);
    assert_error(ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice", NULL, {JSON}, TEAM_XML), 415);
    struct answer broken = ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice", NULL, {GROUP}, "<group");
    assert_error(broken, 409);
    assert_string_equal(member(broken, "conflict"), "not-well-formed");
    assert_int_equal(ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice", NULL, {GROUP}, TEAM_XML).status, 201);
    struct answer twice = ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice&name=second", NULL, {GROUP}, TEAM_XML);
    assert_error(twice, 409);
    assert_string_equal(member(twice, "conflict"), "uniqueness-failure");
}

static void a_group_gets_no_document_that_no_client_could_name(void **state)
{
    (void)state;
    static const char *const names[] = {"..", ".", "~~", "a/b", "%00", "%ff", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct text path = text_format(&fixture->arena, TEAM "?owner=alice&name=%s", names[i]);
        struct answer answer = ASK_ADMIN(fixture, "PUT", text_cstring(&fixture->arena, path), NULL, {GROUP}, TEAM_XML);
        if (answer.status != 400 && answer.status != 409)
            fail_msg("%s: %ld", names[i], answer.status);
    }
    char name[602] = {0};
    memset(name, 'n', 601);
    struct text path = text_format(&fixture->arena, TEAM "?owner=alice&name=%s", name);
    assert_error(ASK_ADMIN(fixture, "PUT", text_cstring(&fixture->arena, path), NULL, {GROUP}, TEAM_XML), 414);
    assert_int_equal(ASK_ADMIN(fixture, "PUT", TEAM "?owner=alice&name=my%20team", NULL, {GROUP}, TEAM_XML).status,
                     201);
}

static void the_story_of_a_message_is_told(void **state)
{
    (void)state;
    const struct fate_step received = {FATE_RECEIVED, 1767607200123, TEXT("")};
    struct fate fate = {TEXT("m/1@example.com"),
                        TEXT("sip:alice@example.com"),
                        TEXT("sip:bob@elsewhere.org"),
                        TEXT("sip:team@example.com"),
                        TEXT("call"),
                        &received,
                        1};
    fate = fate_with(&fate, FATE_DELIVERED, 1767607200456, TEXT("sip:bob@10.0.0.1 200 \xff"), &fixture->arena);
    struct commit commit = fate_commit(&fate, &fixture->arena);
    assert_int_equal(document_internal_commit(fixture->documents, &commit, 1), OK);

    struct answer answer = ASK_ADMIN(fixture, "GET", "/api/v1/messages/m%2F1@example.com");
    assert_int_equal(answer.status, 200);
    assert_string_equal(member(answer, "fates.0.recipient"), "sip:bob@elsewhere.org");
    assert_string_equal(member(answer, "fates.0.group"), "sip:team@example.com");
    assert_string_equal(member(answer, "fates.0.steps.0.time"), "2026-01-05T10:00:00.123Z");
    assert_string_equal(member(answer, "fates.0.steps.0.step"), "received");
    assert_string_equal(member(answer, "fates.0.steps.1.detail"), "sip:bob@10.0.0.1 200 ?");
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/users/alice/messages?limit=1");
    assert_string_equal(member(answer, "fates.0.messageId"), "m/1@example.com");
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/users/bob@elsewhere.org/messages");
    assert_string_equal(member(answer, "fates.0.messageId"), "m/1@example.com");
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/messages/other"), 404);
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users/nobody/messages"), 404);
    fixture_user(fixture, "dave");
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users/dave/messages").status, 200);
}

static void a_member_that_is_not_known_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"POST", "users", "{\"name\":\"eve\",\"password\":\"e\",\"role\":[\"admin\"]}"},
        {"PUT", "users/alice", "{\"pasword\":\"new\"}"},
        {"POST", "search", "{\"target\":\"resource-lists/users/\",\"query\":\"x\",\"limit\":1}"},
        {"POST", "reindex", "{\"auid\":\"resource-lists\"}"},
        {"POST", "backup", "{\"folder\":\"/tmp/x\",\"chek\":true}"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct text path = text_format(&fixture->arena, "/api/v1/%s", wrong[i][1]);
        struct answer answer =
            ASK_ADMIN(fixture, wrong[i][0], text_cstring(&fixture->arena, path), NULL, {JSON}, wrong[i][2]);
        assert_error(answer, 400);
        assert_true(answer_holds(&answer, "There is no member '"));
    }
    assert_error(ASK_ADMIN(fixture, "GET", "/api/v1/users/eve"), 404);
}

static void a_backup_that_fails_says_why(void **state)
{
    (void)state;
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/backup", NULL, {JSON}, "{\"folder\":\"relative\"}"), 400);
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/backup", NULL, {JSON}, "{}"), 400);
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/backup", NULL, {JSON}, "{\"folder\":\"/tmp/x\\u0000y\"}"), 400);
    /* a store in memory has none */
    assert_error(ASK_ADMIN(fixture, "POST", "/api/v1/backup", NULL, {JSON}, "{\"folder\":\"/tmp/x\"}"), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_is_made_read_changed_and_deleted, begin, end),
        cmocka_unit_test_setup_teardown(a_user_may_have_a_limit_of_his_own_for_what_waits, begin, end),
        cmocka_unit_test_setup_teardown(a_user_may_be_without_messages, begin, end),
        cmocka_unit_test_setup_teardown(a_user_has_aliases_and_roles, begin, end),
        cmocka_unit_test_setup_teardown(a_user_can_be_made_only_if_absent, begin, end),
        cmocka_unit_test_setup_teardown(users_are_listed_by_pages, begin, end),
        cmocka_unit_test_setup_teardown(the_contacts_of_a_deleted_user_go_with_him, begin, end),
        cmocka_unit_test_setup_teardown(bad_bodies_are_refused_in_a_sentence, begin, end),
        cmocka_unit_test_setup_teardown(unknown_paths_and_methods_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(the_page_is_at_the_root_of_the_admin_port, begin, end),
        cmocka_unit_test_setup_teardown(a_web_page_is_kept_out, begin, end),
        cmocka_unit_test_setup_teardown(a_token_is_asked_for_when_there_is_one, begin_with_token, end),
        cmocka_unit_test_setup_teardown(a_group_is_put_shown_listed_and_deleted, begin, end),
        cmocka_unit_test_setup_teardown(groups_are_listed_by_pages, begin, end),
        cmocka_unit_test_setup_teardown(a_search_that_takes_long_is_answered_in_pages, begin, end),
        cmocka_unit_test_setup_teardown(a_search_that_found_nothing_in_its_time_says_where_it_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_group_that_does_not_fit_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_group_gets_no_document_that_no_client_could_name, begin, end),
        cmocka_unit_test_setup_teardown(the_story_of_a_message_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_member_that_is_not_known_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_backup_that_fails_says_why, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
