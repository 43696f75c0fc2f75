/* The policy query over HTTP: questions in both forms, answers in three, who may ask, what a cache may keep, and
 * explanations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "answer_json.h"
#include "assert_text.h"
#include "service_tests.h"
#include "xml_tree.h"

#define JSON   "Content-Type: application/json"
#define DECIDE "/policy/v1/decide"
#define GROUP_HEAD                                                                                                     \
    "<group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\">"                 \
    "<list-service uri=\"sip:team@example.com\">"
#define RULES_HEAD                                                                                                     \
    "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:poc=\"urn:oma:xml:poc:poc-rules\" "                 \
    "xmlns:oxe=\"urn:oma:xml:xdm:extensions\" xmlns:x21=\"urn:oma:xml:xdm:2.1extensions\">"
#define BLOCK_ALICE                                                                                                    \
    RULES_HEAD "<rule id=\"no-alice\"><conditions><identity><one id=\"sip:alice@example.com\"/></identity>"            \
               "</conditions><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule></ruleset>"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice bob carol");
}

static int begin_with_token(void **state)
{
    (void)state;
    return begin_with(NULL, "secret", "bob");
}

static void put(const char *user, const char *path, const char *type, const char *body)
{
    struct answer answer =
        ASK_XCAP(fixture, .method = "PUT", .path = path, .user = user, .headers = {type}, .body = body);
    if (answer.status != 200 && answer.status != 201)
        fail_msg("%s: %ld %.*s", path, answer.status, TEXT_ARG(answer.body));
}

static void put_rules(const char *user, const char *rules)
{
    struct text path = text_format(
        &fixture->arena, "/xcap-root/org.openmobilealliance.im-rules/users/sip:%s@example.com/im-rules", user);
    put(user, text_cstring(&fixture->arena, path), "Content-Type: application/auth-policy+xml", rules);
}

static void put_team(const char *rest)
{
    put("alice", "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.com/team",
        "Content-Type: application/vnd.oma.poc.groups+xml",
        text_cstring(&fixture->arena, text_format(&fixture->arena, GROUP_HEAD "%s</list-service></group>", rest)));
}

static struct answer get(const char *query, const char *accept)
{
    struct text path = text_format(&fixture->arena, "%s", query);
    struct answer answer =
        ASK_POLICY(fixture, .method = "GET", .path = text_cstring(&fixture->arena, path), .headers = {accept});
    return answer;
}

/* What stands at "a.b.0.c" in the body, written as JSON; strings without quotes; "" when nothing does. */
static const char *member(const struct answer *answer, const char *path)
{
    json_t *json;
    const json_t *at = answer_json(answer, path, &json);
    char *dumped = at && !json_is_string(at) ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *value = dumped ? dumped : json_is_string(at) ? json_string_value(at) : "";
    value = text_cstring(&fixture->arena, text_of(value));
    free(dumped);
    json_decref(json);
    return value;
}

static void assert_member(const struct answer *answer, const char *path, const char *expected)
{
    const char *found = member(answer, path);
    if (strcmp(found, expected) != 0)
        fail_msg("%s is '%s', not '%s': %ld %.*s", path, found, expected, answer->status, TEXT_ARG(answer->body));
}

/* --- users --- */

static void a_user_without_rules_gets_what_the_house_gives(void **state)
{
    (void)state;
    struct answer answer = get(DECIDE "?from=sip:alice@example.com&to=sip:bob@example.com", NULL);
    assert_int_equal(answer.status, 200);
    assert_member(&answer, "type", "user");
    assert_member(&answer, "decision", "allow");
    assert_member(&answer, "reason", "default");
    assert_member(&answer, "rule", "");
    assert_member(&answer, "store", "true");
    assert_member(&answer, "kind", "message");
    assert_member(&answer, "from", "[\"sip:alice@example.com\"]");
    assert_text(answer_header(&answer, "Content-Type", 0), "application/json");
}

static void the_rule_that_decided_is_named(void **state)
{
    (void)state;
    put_rules("bob", BLOCK_ALICE);
    struct answer answer = get(DECIDE "?from=alice&to=bob", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "reason", "rule");
    assert_member(&answer, "rule", "no-alice");
    assert_member(&answer, "permissions", "{\"allow-invite\":\"reject\"}");
    answer = get(DECIDE "?from=carol&to=bob", NULL);
    assert_member(&answer, "decision", "allow");
}

static void sessions_may_need_the_recipients_word(void **state)
{
    (void)state;
    put_rules("bob", RULES_HEAD "<rule id=\"p\"><actions><poc:allow-invite>pass</poc:allow-invite></actions></rule>"
                                "</ruleset>");
    struct answer answer = get(DECIDE "?from=alice&to=bob&kind=session", NULL);
    assert_member(&answer, "decision", "ask");
    assert_member(&answer, "rule", "p");
    answer = get(DECIDE "?from=alice&to=bob&kind=message", NULL);
    assert_member(&answer, "decision", "allow");
    answer = get(DECIDE "?from=alice&to=bob&kind=telepathy", NULL);
    assert_int_equal(answer.status, 400);
}

static void who_is_not_there_gets_it_later_if_it_may_be_kept(void **state)
{
    (void)state;
    struct answer answer = get(DECIDE "?from=alice&to=bob&reachable=no", NULL);
    assert_member(&answer, "decision", "defer");
    assert_member(&answer, "reason", "unreachable");
    answer = get(DECIDE "?from=alice&to=bob&reachable=no&kind=session", NULL);
    assert_member(&answer, "decision", "reject");
    put_rules("bob", RULES_HEAD "<rule id=\"n\"><actions><oxe:allow-offline-storage oxe:allow=\"false\"/></actions>"
                                "</rule></ruleset>");
    answer = get(DECIDE "?from=alice&to=bob&reachable=no", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "store", "false");
    assert_member(&answer, "storeRule", "n");
}

static void give_number(struct text address, struct text number)
{
    struct user user;
    struct refusal refusal;
    assert_int_equal(user_get(fixture->documents, address, &fixture->arena, &user), OK);
    assert_int_equal(user_set_aliases(&user, &number, 1, TEXT("example.com"), &fixture->arena, &refusal), OK);
    assert_int_equal(user_put(fixture->documents, &user, VERSION_ANY, TEXT("test")), OK);
}

static void whoever_has_the_address_asks_and_is_asked(void **state)
{
    (void)state;
    give_number(TEXT("sip:alice@example.com"), TEXT("tel:+15550100"));
    put_rules("bob", BLOCK_ALICE);
    struct answer answer = get(DECIDE "?from=tel:+1-555-0100&to=bob", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "from", "[\"tel:+15550100\",\"sip:alice@example.com\"]");
    put_rules("alice", RULES_HEAD "<rule id=\"none\"><actions><poc:allow-invite>reject</poc:allow-invite></actions>"
                                  "</rule></ruleset>");
    answer = get(DECIDE "?from=bob&to=tel:%2B15550100", NULL);
    assert_member(&answer, "rule", "none");
}

static void set_messages(const char *address, bool none)
{
    struct user user;
    assert_int_equal(user_get(fixture->documents, text_of(address), &fixture->arena, &user), OK);
    user.no_messages = none;
    assert_int_equal(user_put(fixture->documents, &user, user.version, TEXT("test")), OK);
}

static void an_account_without_messages_is_refused_whatever_rules_say(void **state)
{
    (void)state;
    set_messages("sip:bob@example.com", true);
    static const char *const paths[] = {DECIDE "?from=alice&to=bob", DECIDE "?from=bob&to=alice"};
    for (size_t i = 0; i < 2; i++) {
        struct answer answer = get(paths[i], NULL);
        assert_member(&answer, "decision", "reject");
        assert_member(&answer, "reason", "no-messages");
    }
    set_messages("sip:bob@example.com", false);
    struct answer answer = get(paths[0], NULL);
    assert_member(&answer, "decision", "allow");
}

static void nobody_is_not_a_user_and_other_domains_are_not_ours(void **state)
{
    (void)state;
    struct answer answer = get(DECIDE "?from=alice&to=sip:ghost@example.com", NULL);
    assert_member(&answer, "type", "unknown");
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "reason", "no-such-user");
    answer = get(DECIDE "?from=alice&to=sip:x@elsewhere.example", NULL);
    assert_member(&answer, "decision", "allow");
    assert_member(&answer, "reason", "foreign-domain");
}

static void questions_carry_what_conditions_ask_for(void **state)
{
    (void)state;
    put_rules("bob",
              RULES_HEAD "<rule id=\"w\"><conditions><sphere value=\"work\"/><x21:upp-list><x21:upp upp-id=\"u\"/>"
                         "</x21:upp-list><x21:deferred-messages/><x21:invited-identities>"
                         "<one id=\"sip:carol@example.com\"/></x21:invited-identities></conditions>"
                         "<actions><poc:allow-invite>reject</poc:allow-invite></actions></rule></ruleset>");
    struct answer answer = get(DECIDE "?from=alice&to=bob&sphere=work&profile=u&deferred=true&invited=carol", NULL);
    assert_member(&answer, "rule", "w");
    answer = get(DECIDE "?from=alice&to=bob&sphere=work&profile=u&deferred=false&invited=carol", NULL);
    assert_member(&answer, "reason", "default");
}

static void domains_may_be_written_with_their_letters(void **state)
{
    (void)state;
    put_rules("bob", RULES_HEAD "<rule id=\"b\"><conditions><identity><many domain=\"b\u00fccher.example\"/></identity>"
                                "</conditions><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>"
                                "</ruleset>");
    struct answer answer = get(DECIDE "?from=sip:fay@b%C3%BCcher.example&to=bob", NULL);
    assert_member(&answer, "rule", "b");
    assert_member(&answer, "from", "[\"sip:fay@xn--bcher-kva.example\"]");
    answer = get(DECIDE "?from=sip:fay@xn--bcher-kva.example&to=bob", NULL);
    assert_member(&answer, "rule", "b");
}

/* --- groups --- */

#define TWO_MEMBERS                                                                                                    \
    "<list><entry uri=\"sip:alice@example.com\"/><entry uri=\"sip:bob@example.com\"/>"                                 \
    "<entry uri=\"sip:carol@example.com\"/></list>"
#define MEMBERS_JOIN                                                                                                   \
    "<cp:ruleset><cp:rule id=\"members\"><cp:conditions><is-list-member/></cp:conditions><cp:actions>"                 \
    "<join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>"

static void a_person_with_two_addresses_in_a_group_is_one_member(void **state)
{
    (void)state;
    give_number(TEXT("sip:bob@example.com"), TEXT("tel:+15550100"));
    put_team("<list><entry uri=\"sip:alice@example.com\"/><entry uri=\"sip:bob@example.com\"/>"
             "<entry uri=\"tel:+1-555-0100\"/><entry uri=\"sip:eve@example.net\"/></list>" MEMBERS_JOIN);
    struct answer answer = get(DECIDE "?from=alice&to=team", NULL);
    assert_member(&answer, "limits.members", "3");
    assert_member(&answer, "members.0.uri", "sip:bob@example.com");
    assert_member(&answer, "members.1.uri", "sip:eve@example.net");
    assert_member(&answer, "members.2", "");
    answer = get(DECIDE "?from=alice&to=team&members=no", NULL);
    assert_member(&answer, "limits.members", "3");
}

static void a_group_answers_for_the_sender_and_for_each_member(void **state)
{
    (void)state;
    put_team(TWO_MEMBERS "<max-participant-count>7</max-participant-count>" MEMBERS_JOIN);
    put_rules("bob", BLOCK_ALICE);
    struct answer answer = get(DECIDE "?from=alice&to=team&kind=message", NULL);
    assert_member(&answer, "type", "group");
    assert_member(&answer, "decision", "allow");
    assert_member(&answer, "rule", "members");
    assert_member(&answer, "member", "true");
    assert_member(&answer, "permissions", "{\"join-handling\":true}");
    assert_member(&answer, "limits", "{\"inviteMembers\":false,\"maxParticipants\":7,\"members\":3}");
    assert_member(&answer, "members.0.uri", "sip:bob@example.com");
    assert_member(&answer, "members.0.decision", "reject");
    assert_member(&answer, "members.0.rule", "no-alice");
    assert_member(&answer, "members.1.uri", "sip:carol@example.com");
    assert_member(&answer, "members.1.decision", "allow");
    assert_member(&answer, "members.2", "");
    answer = get(DECIDE "?from=alice&to=team&members=no", NULL);
    assert_member(&answer, "members", "");
    answer = get(DECIDE "?from=sip:eve@example.com&to=team", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "reason", "not-member");
    assert_member(&answer, "members", "");
    answer = get(DECIDE "?from=alice&to=team&anonymous=yes", NULL);
    assert_member(&answer, "reason", "anonymous");
    answer = get(DECIDE "?from=alice&to=team&kind=invite", NULL);
    assert_member(&answer, "reason", "no-rule");
}

/* --- many questions, wrong questions --- */

static struct answer post(const char *body)
{
    return ASK_POLICY(fixture, .method = "POST", .path = DECIDE, .headers = {JSON}, .body = body);
}

static void many_questions_are_answered_in_their_order(void **state)
{
    (void)state;
    put_rules("bob", BLOCK_ALICE);
    struct answer answer =
        post("{\"questions\":[{\"from\":\"alice\",\"to\":\"bob\"},"
             "{\"from\":[\"sip:carol@example.com\",\"tel:+15550199\"],\"to\":\"bob\",\"anonymous\":false,"
             "\"time\":\"2026-01-05T10:00:00Z\"},{\"to\":\"carol\"}]}");
    assert_int_equal(answer.status, 200);
    assert_member(&answer, "answers.0.decision", "reject");
    assert_member(&answer, "answers.1.decision", "allow");
    assert_member(&answer, "answers.1.from", "[\"sip:carol@example.com\",\"tel:+15550199\"]");
    assert_member(&answer, "answers.2.from", "[]");
    assert_text(answer_header(&answer, "Cache-Control", 0), "no-store");
    answer = post("{\"from\":\"alice\",\"to\":\"bob\"}");
    assert_member(&answer, "decision", "reject");
}

static void what_is_no_question_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *body, *phrase;
    } rows[] = {
        {"", "no JSON"},
        {"[]", "no JSON object"},
        {"{\"from\":\"alice\"}", "'to' is"},
        {"{\"to\":\"bob\",\"form\":\"alice\"}", "no member 'form'"},
        {"{\"to\":\"bob\",\"from\":5}", "'from' is"},
        {"{\"to\":\"bob\",\"from\":[5]}", "'from' is"},
        {"{\"to\":\"bob\",\"from\":\"not an address\"}", "'from' is"},
        {"{\"to\":\"bob\",\"anonymous\":\"yes\"}", "'anonymous' is true or false"},
        {"{\"to\":\"bob\",\"time\":\"noon\"}", "'time' is"},
        {"{\"to\":\"bob\",\"invited\":[\"a b\"]}", "'invited' is"},
        {"{\"to\":\"bob\",\"to\":\"bob\"}", "no JSON"},
        {"{\"questions\":[]}", "1 to 256"},
        {"{\"questions\":{}}", "1 to 256"},
        {"{\"questions\":[{\"to\":\"bob\"}],\"to\":\"bob\"}", "stands alone"},
        {"{\"questions\":[{\"to\":\"bob\"},{}]}", "Question 1: 'to' is"},
        {"{\"questions\":[\"bob\"]}", "A question is a JSON object"},
        {"{\"to\":\"bob\",\"from\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}", "fewer addresses"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = post(rows[i].body);
        if (answer.status != 400 || !answer_holds(&answer, rows[i].phrase))
            fail_msg("%s: %ld %.*s", rows[i].body, answer.status, TEXT_ARG(answer.body));
    }
    static const char *const queries[] = {"", "?to=bob&colour=red", "?to=bob&anonymous=perhaps", "?to=%25",
                                          "?to=bob&to%00=x"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct text path = text_join(&fixture->arena, TEXT(DECIDE), text_of(queries[i]));
        struct answer answer = get(text_cstring(&fixture->arena, path), NULL);
        if (answer.status != 400)
            fail_msg("%s: %ld %.*s", queries[i], answer.status, TEXT_ARG(answer.body));
    }
}

/* --- forms --- */

static void xml_and_words_come_when_asked_for(void **state)
{
    (void)state;
    put_rules("bob", BLOCK_ALICE);
    struct answer answer = get(DECIDE "?from=alice&to=bob", "Accept: application/xml");
    assert_text(answer_header(&answer, "Content-Type", 0), "application/xml");
    assert_true(answer_holds(&answer, "<answer xmlns=\"urn:xdms:policy\"><from>sip:alice@example.com</from>"));
    assert_true(answer_holds(&answer, "<decision>reject</decision>"));
    assert_true(answer_holds(&answer, "<permissions><allow-invite>reject</allow-invite></permissions></answer>"));
    const struct xml_element *root;
    assert_int_equal(xml_tree_read(answer.body, &fixture->arena, &root), OK);
    answer = ASK_POLICY(fixture, .method = "POST", .path = DECIDE,
                        .headers = {JSON, "Accept: text/xml;q=0.1, application/*"},
                        .body = "{\"questions\":[{\"to\":\"bob\"},{\"to\":\"carol\"}]}");
    assert_text(answer_header(&answer, "Content-Type", 0), "application/json");
    answer = ASK_POLICY(fixture, .method = "POST", .path = DECIDE, .headers = {JSON, "Accept: application/xml"},
                        .body = "{\"questions\":[{\"to\":\"bob\"},{\"to\":\"carol\"}]}");
    assert_int_equal(xml_tree_read(answer.body, &fixture->arena, &root), OK);
    assert_true(answer_holds(&answer, "<answers xmlns=\"urn:xdms:policy\"><answer>"));
    answer = get(DECIDE "?from=alice&to=bob", "Accept: text/plain, */*;q=0.1");
    assert_text(answer.body, "reject\n");
}

static void what_no_xml_can_hold_becomes_a_question_mark(void **state)
{
    (void)state;
    put_rules("bob", RULES_HEAD "<rule id=\"w\"><conditions><sphere value=\"work\"/></conditions></rule></ruleset>");
    struct answer answer = get("/policy/v1/explain?to=bob&sphere=%01%EF%BF%BFa%3Cb", "Accept: application/xml");
    const struct xml_element *root;
    assert_int_equal(answer.status, 200);
    assert_int_equal(xml_tree_read(answer.body, &fixture->arena, &root), OK);
    assert_true(answer_holds(&answer, "??a&lt;b"));
}

static void a_tag_holds_until_the_answer_changes(void **state)
{
    (void)state;
    const char *const path = DECIDE "?from=alice&to=bob";
    struct answer answer = get(path, NULL);
    struct text tag = answer_header(&answer, "ETag", 0);
    assert_true(tag.length > 2);
    assert_text(answer_header(&answer, "Cache-Control", 0), "private, no-cache");
    assert_text(answer_header(&answer, "Vary", 0), "Accept");
    const char *condition = text_cstring(&fixture->arena, text_join(&fixture->arena, TEXT("If-None-Match: "), tag));
    answer = get(path, condition);
    assert_int_equal(answer.status, 304);
    put_rules("bob", BLOCK_ALICE);
    answer = get(path, condition);
    assert_int_equal(answer.status, 200);
    assert_member(&answer, "decision", "reject");
}

static void a_decision_tells_until_when_it_holds(void **state)
{
    (void)state;
    put_rules("bob", RULES_HEAD "<rule id=\"v\"><conditions><validity><from>2026-01-01T00:00:00Z</from>"
                                "<until>2026-02-01T00:00:00Z</until></validity></conditions>"
                                "<actions><poc:allow-invite>reject</poc:allow-invite></actions></rule></ruleset>");
    struct answer answer = get(DECIDE "?from=alice&to=bob&time=2025-12-31T23:59:59Z", NULL);
    assert_member(&answer, "decision", "allow");
    assert_member(&answer, "until", "2026-01-01T00:00:00.000Z");
    answer = get(DECIDE "?from=alice&to=bob&time=2026-01-01T00:00:00Z", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "until", "2026-02-01T00:00:00.000Z");
    answer = get(DECIDE "?from=alice&to=bob&time=2026-02-01T00:00:00Z", NULL);
    assert_member(&answer, "decision", "allow");
    assert_member(&answer, "until", "");
}

/* --- who may ask --- */

static void pages_of_browsers_may_not_ask(void **state)
{
    (void)state;
    static const char *const headers[] = {"Origin: http://evil.example", "Sec-Fetch-Site: cross-site",
                                          "Sec-Fetch-Site: same-origin"};
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = get(DECIDE "?to=bob", headers[i]);
        assert_int_equal(answer.status, 403);
    }
    struct answer answer = get(DECIDE "?to=bob", "Sec-Fetch-Site: none"); /* typed by a person */
    assert_int_equal(answer.status, 200);
}

static void the_policy_port_answers_nothing_else(void **state)
{
    (void)state;
    struct answer answer = get("/api/v1/users", NULL);
    assert_int_equal(answer.status, 404);
    answer = ASK_POLICY(fixture, .method = "DELETE", .path = DECIDE);
    assert_int_equal(answer.status, 405);
    assert_text(answer_header(&answer, "Allow", 0), "GET, HEAD, POST");
    answer = ASK_ADMIN(fixture, .method = "GET", .path = DECIDE "?to=bob");
    assert_int_equal(answer.status, 200);
}

static void a_token_is_wanted_where_one_is_set(void **state)
{
    (void)state;
    struct answer answer = get(DECIDE "?to=bob", NULL);
    assert_int_equal(answer.status, 401);
    answer = get(DECIDE "?to=bob", "Authorization: Bearer wrong");
    assert_int_equal(answer.status, 401);
    answer = get(DECIDE "?to=bob", "Authorization: Bearer secret");
    assert_int_equal(answer.status, 200);
}

/* A policy port of its own, with other settings. */
static struct answer get_at(struct service_settings settings, const char *peers, const struct ask *ask)
{
    struct text bad, error;
    settings.domain = TEXT("example.com");
    settings.groups = GROUP_SETTINGS_STANDARD(NULL, 0);
    assert_true(trust_ranges_parse(text_of(peers), &settings.policy_peers, &bad));
    struct service *service = service_new(&settings, fixture->documents, fixture->digest);
    struct http_settings http = HTTP_SETTINGS_STANDARD;
    http.threads = 1;
    struct http_server *server =
        http_server_open(&http, service_policy, service_policy_preview, service, &fixture->arena, &error);
    assert_non_null(server);
    struct answer answer = ask_with(&fixture->arena, server, ask);
    http_server_close(server);
    service_free(service);
    return answer;
}

static void addresses_that_are_not_listed_are_turned_away(void **state)
{
    (void)state;
    static const char *const claims[] = {"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1",
                                         "X-3GPP-Asserted-Identity: \"sip:im@example.com\"", "X-Real-IP: 192.0.2.1"};
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        const struct ask ask = {.method = "GET", .path = DECIDE "?to=bob", .headers = {claims[i]}};
        assert_int_equal(get_at((struct service_settings){0}, "192.0.2.0/24, ::/0", &ask).status, 403);
        assert_int_equal(get_at((struct service_settings){0}, "192.0.2.0/24, ::ffff:127.0.0.0/104", &ask).status, 200);
    }
}

static void a_cache_may_answer_as_long_as_allowed_and_not_past_a_border(void **state)
{
    (void)state;
    const struct service_settings settings = {.policy_max_age_s = 3600};
    const struct ask ask = {.method = "GET", .path = DECIDE "?from=alice&to=bob"};
    struct answer answer = get_at(settings, "127.0.0.1", &ask);
    assert_text(answer_header(&answer, "Cache-Control", 0), "private, max-age=3600");
    struct text soon = clock_write_rfc3339(&fixture->arena, clock_wall_ms() + 600000);
    struct text rules = text_format(&fixture->arena,
                                    RULES_HEAD "<rule id=\"v\"><conditions><validity><from>2026-01-01T00:00:00Z</from>"
                                               "<until>%.*s</until></validity></conditions></rule></ruleset>",
                                    TEXT_ARG(soon));
    put_rules("bob", text_cstring(&fixture->arena, rules));
    answer = get_at(settings, "127.0.0.1", &ask);
    struct text control = answer_header(&answer, "Cache-Control", 0);
    uint64_t seconds;
    assert_true(text_starts_with(control, TEXT("private, max-age=")));
    assert_true(text_to_u64(text_slice(control, 17, control.length), &seconds) && seconds <= 600);
}

/* --- explanations --- */

static void an_explanation_shows_every_rule_and_why(void **state)
{
    (void)state;
    put_rules("bob", BLOCK_ALICE);
    struct answer answer = get("/policy/v1/explain?from=alice&to=bob", NULL);
    assert_member(&answer, "decision", "reject");
    assert_member(&answer, "rules.0.id", "no-alice");
    assert_member(&answer, "rules.0.fate", "applied");
    assert_member(&answer, "rules.0.conditions.0.name", "identity");
    assert_member(&answer, "rules.0.conditions.0.held", "true");
    assert_member(&answer, "rules.0.conditions.0.why", "it names sip:alice@example.com");
    assert_member(&answer, "documents.0.name", "im-rules");
    assert_true(strlen(member(&answer, "documents.0.etag")) > 2);
    answer = get("/policy/v1/explain?from=carol&to=bob", "Accept: text/plain");
    assert_true(answer_holds(&answer, "message from sip:carol@example.com to sip:bob@example.com at "));
    assert_true(answer_holds(&answer, "rule 'no-alice': failed"));
    assert_true(answer_holds(&answer, "no  identity: it names others"));
    answer = get("/policy/v1/explain?from=%3Cb%3E@example.com&to=bob", "Accept: text/html");
    assert_int_equal(answer.status, 400);
    answer = get("/policy/v1/explain?from=alice&to=bob", "Accept: text/html");
    assert_text(answer_header(&answer, "Content-Type", 0), "text/html; charset=utf-8");
    assert_text(answer_header(&answer, "Content-Security-Policy", 0), "default-src 'none'");
    assert_true(answer_holds(&answer, "<pre>message from sip:alice@example.com"));
}

static void a_group_and_nobody_are_explained_too(void **state)
{
    (void)state;
    put_team(TWO_MEMBERS MEMBERS_JOIN);
    struct answer answer = get("/policy/v1/explain?from=alice&to=team", NULL);
    assert_member(&answer, "rules.0.conditions.0.why", "the requester is a member");
    answer = get("/policy/v1/explain?from=alice&to=ghost", NULL);
    assert_member(&answer, "reason", "no-such-user");
    assert_member(&answer, "rules", "");
    answer = get("/policy/v1/explain?from=alice&to=ghost", "Accept: text/plain");
    assert_true(answer_holds(&answer, "no rules"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_without_rules_gets_what_the_house_gives, begin, end),
        cmocka_unit_test_setup_teardown(the_rule_that_decided_is_named, begin, end),
        cmocka_unit_test_setup_teardown(sessions_may_need_the_recipients_word, begin, end),
        cmocka_unit_test_setup_teardown(who_is_not_there_gets_it_later_if_it_may_be_kept, begin, end),
        cmocka_unit_test_setup_teardown(whoever_has_the_address_asks_and_is_asked, begin, end),
        cmocka_unit_test_setup_teardown(an_account_without_messages_is_refused_whatever_rules_say, begin, end),
        cmocka_unit_test_setup_teardown(nobody_is_not_a_user_and_other_domains_are_not_ours, begin, end),
        cmocka_unit_test_setup_teardown(questions_carry_what_conditions_ask_for, begin, end),
        cmocka_unit_test_setup_teardown(domains_may_be_written_with_their_letters, begin, end),
        cmocka_unit_test_setup_teardown(a_person_with_two_addresses_in_a_group_is_one_member, begin, end),
        cmocka_unit_test_setup_teardown(a_group_answers_for_the_sender_and_for_each_member, begin, end),
        cmocka_unit_test_setup_teardown(many_questions_are_answered_in_their_order, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_question_is_refused_with_a_sentence, begin, end),
        cmocka_unit_test_setup_teardown(xml_and_words_come_when_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(what_no_xml_can_hold_becomes_a_question_mark, begin, end),
        cmocka_unit_test_setup_teardown(a_tag_holds_until_the_answer_changes, begin, end),
        cmocka_unit_test_setup_teardown(a_decision_tells_until_when_it_holds, begin, end),
        cmocka_unit_test_setup_teardown(pages_of_browsers_may_not_ask, begin, end),
        cmocka_unit_test_setup_teardown(the_policy_port_answers_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(a_token_is_wanted_where_one_is_set, begin_with_token, end),
        cmocka_unit_test_setup_teardown(addresses_that_are_not_listed_are_turned_away, begin, end),
        cmocka_unit_test_setup_teardown(a_cache_may_answer_as_long_as_allowed_and_not_past_a_border, begin, end),
        cmocka_unit_test_setup_teardown(an_explanation_shows_every_rule_and_why, begin, end),
        cmocka_unit_test_setup_teardown(a_group_and_nobody_are_explained_too, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
