/* Who an HTTP request is taken for: every header that may say so, from peers that may and from peers that may not. The
 * handler is called without a socket, so that peers, certificates and TLS are what each case says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <arpa/inet.h>

#include "assert_text.h"
#include "digest_client.h"
#include "service_fixture.h"

#define HOME    "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define BY_TEL  "/xcap-root/resource-lists/users/tel:+1-555-0100/index"
#define OF_BOB  "/xcap-root/resource-lists/users/sip:bob@example.com/index"
#define LISTS   "application/resource-lists+xml"
#define EMPTY   "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>"
#define TRUSTED "192.0.2.7"
#define STRANGE "203.0.113.66"

static struct fixture *fixture;
static struct trust trust;
static struct guard *guard;
static struct service *service;

static void put_user(const char *name, const char *alias, unsigned roles)
{
    struct user user;
    struct refusal refusal;
    const struct text typed = text_of(alias);
    assert_int_equal(user_make(text_of(name), text_of(name), TEXT(""), TEXT("example.com"), TEXT("realm"), 0,
                               &fixture->arena, &user, &refusal),
                     OK);
    assert_int_equal(user_set_aliases(&user, &typed, alias ? 1 : 0, TEXT("example.com"), &fixture->arena, &refusal),
                     OK);
    user.roles = roles;
    assert_int_equal(user_put(fixture->documents, &user, VERSION_ANY, TEXT("test")), OK);
}

static int begin(void **state)
{
    static const struct text roots[] = {TEXT_INIT("/xcap-root/")};
    const struct guard_settings limits = {3, 100};
    struct text bad;
    (void)state;
    fixture = fixture_open(NULL, "");
    trust = (struct trust){.names = {TEXT("proxy.example.com")}, .names_count = 1};
    assert_true(trust_ranges_parse(TEXT("192.0.2.0/24, 2001:db8:1::/48"), &trust.peers, &bad));
    assert_true(trust_ranges_parse(TEXT("198.51.100.0/24"), &trust.proxies, &bad));
    guard = guard_new(&limits);
    digest_set_guard(fixture->digest, guard);
    const struct service_settings settings = {
        .roots = roots,
        .roots_count = 1,
        .domain = TEXT("example.com"),
        .realm = TEXT("realm"),
        .trust = &trust,
        .basic = true,
        .target_bytes_max = 8192,
        .selector_steps_max = 32,
    };
    service = service_new(&settings, fixture->documents, fixture->digest);
    put_user("alice", "tel:+15550100", 0);
    put_user("bob", NULL, 0);
    put_user("chief", NULL, USAGE_ROLE_BIT(USAGE_OPERATOR));
    put_user("root", NULL, USAGE_ROLE_BIT(USAGE_ADMIN));
    put_user("reader", NULL, USAGE_ROLE_BIT(USAGE_AUDITOR));
    put_user("rls", NULL, USAGE_ROLE_BIT(USAGE_SERVER));
    return 0;
}

static int end(void **state)
{
    (void)state;
    service_free(service);
    guard_free(guard);
    digest_set_guard(fixture->digest, NULL);
    fixture_close(fixture);
    return 0;
}

struct attempt {
    const char *peer; /* default: STRANGE */
    const char *method, *target;
    struct http_header headers[6];
    const char *body;
    bool tls;
    const char *certificate;
};

static struct sockaddr_storage peer_of(const char *written)
{
    struct sockaddr_storage peer = {0};
    if (inet_pton(AF_INET, written, &((struct sockaddr_in *)&peer)->sin_addr) == 1)
        peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, written, &((struct sockaddr_in6 *)&peer)->sin6_addr) == 1)
        peer.ss_family = AF_INET6;
    return peer;
}

/* Lives until the end of the test. */
static struct http_response ask(const struct attempt *attempt)
{
    struct sockaddr_storage peer = peer_of(attempt->peer ? attempt->peer : STRANGE);
    const struct text names[] = {text_of(attempt->certificate)};
    struct http_request request = {
        .method = text_of(attempt->method ? attempt->method : "GET"),
        .target = text_of(attempt->target ? attempt->target : HOME),
        .headers = attempt->headers,
        .body = text_of(attempt->body),
        .peer = (struct sockaddr *)&peer,
        .is_tls = attempt->tls,
        .client_names = names,
        .client_names_count = attempt->certificate ? 1 : 0,
        .arena = &fixture->arena,
    };
    struct http_response response = {0};
    while (request.headers_count < 6 && attempt->headers[request.headers_count].name.length)
        request.headers_count++;
    if (service_xcap_preview(service, &request, &response))
        while (service_xcap(service, &request, &response) == HTTP_WAITING)
            continue;
    return response;
}

/* The linker puts this in the place of the server's own, which knows no request without a connection. The store in
 * memory has answered before it is called again. */
void __wrap_http_resume(struct http_request *request);
void __wrap_http_resume(struct http_request *request)
{
    (void)request;
}

#define ASK(...)    ask(&(const struct attempt){__VA_ARGS__})
#define STATUS(...) ASK(__VA_ARGS__).status
#define H(name, value)                                                                                                 \
    {                                                                                                                  \
        TEXT_INIT(name), TEXT_INIT(value)                                                                              \
    }
#define ASSERTED(value)     H("X-3GPP-Asserted-Identity", value)
#define ASSERTED_XUI(value) H("X-XCAP-Asserted-Identity", value)
#define INTENDED(value)     H("X-3GPP-Intended-Identity", value)

static struct text header_of(struct http_response response, const char *name, size_t nth)
{
    for (size_t i = 0; i < response.headers_count; i++)
        if (text_equal_nocase(response.headers[i].name, text_of(name)) && nth-- == 0)
            return response.headers[i].value;
    return TEXT("");
}

static struct http_header basic(const char *credentials)
{
    return (struct http_header){TEXT("Authorization"), text_join(&fixture->arena, TEXT("Basic "),
                                                                 base64_encode(&fixture->arena, text_of(credentials)))};
}

/* A header that answers a fresh challenge. */
static struct http_header digest_of(const char *user, const char *password, const char *method, const char *target)
{
    struct arena *arena = &fixture->arena;
    struct text challenge = digest_challenge(fixture->digest, DIGEST_SHA256, false, clock_wall_ms(), arena);
    const struct digest_client client = {
        .username = text_of(user),
        .password = text_of(password),
        .realm = TEXT("realm"),
        .nonce = challenge_value(challenge, "nonce", arena),
        .method = text_of(method),
        .uri = text_of(target),
        .cnonce = TEXT("abc"),
        .qop = TEXT("auth"),
        .count = 1,
        .sha256 = true,
    };
    return (struct http_header){TEXT("Authorization"), client_authorization(&client, arena)};
}

static int put_as(const char *user, const char *target)
{
    return STATUS(.method = "PUT", .target = target,
                  .headers = {digest_of(user, user, "PUT", target), {TEXT("Content-Type"), TEXT(LISTS)}},
                  .body = EMPTY);
}

static int get_as(const char *user, const char *target)
{
    return STATUS(.target = target, .headers = {digest_of(user, user, "GET", target)});
}

static int delete_as(const char *user, const char *target)
{
    return STATUS(.method = "DELETE", .target = target, .headers = {digest_of(user, user, "DELETE", target)});
}

static void a_trusted_peer_says_who_asks(void **state)
{
    (void)state;
    static const struct http_header good[] = {
        ASSERTED("\"sip:alice@example.com\""),
        ASSERTED("sip:alice@example.com"),
        ASSERTED("<sip:alice@example.com>"),
        ASSERTED("\"tel:+15550100\""),
        ASSERTED("\"sip:bob@example.com\", \"sip:alice@example.com\""),
        ASSERTED_XUI("\"sip:alice@example.com\""),
        ASSERTED_XUI("sip:alice@example.com"),
        ASSERTED_XUI("tel:+1-555-0100"),
        H("x-3gpp-asserted-identity", "sip:alice@example.com"),
    };
    put_as("alice", HOME);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(STATUS(TRUSTED, .headers = {good[i]}), 200);
    assert_int_equal(STATUS(TRUSTED, .headers = {ASSERTED("sip:bob@example.com")}), 403);
    assert_int_equal(STATUS(TRUSTED, .headers = {ASSERTED("sip:eve@elsewhere.example")}), 403);
    assert_int_equal(STATUS(TRUSTED), 401); /* it says nothing, so the client has to */
}

static void every_trusted_way_in_is_as_good(void **state)
{
    (void)state;
    static const char *const peers[] = {"192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:ffff::1"};
    put_as("alice", HOME);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(STATUS(peers[i], .headers = {ASSERTED("sip:alice@example.com")}), 200);
    assert_int_equal(
        STATUS(.headers = {ASSERTED("sip:alice@example.com")}, .tls = true, .certificate = "proxy.example.com"), 200);
}

static void nobody_else_is_believed_whatever_he_writes(void **state)
{
    (void)state;
    static const char *const strangers[] = {STRANGE,       "192.0.3.7",   "::ffff:203.0.113.66", "::ffff:192.0.3.7",
                                            "::192.0.2.7", "2001:db8::1", "64:ff9b::192.0.2.7",  "127.0.0.1",
                                            "198.51.100.1" /* a proxy: trusted for addresses alone */};
    static const struct http_header forged[] = {
        ASSERTED("\"sip:alice@example.com\""),
        ASSERTED_XUI("\"sip:alice@example.com\""),
        INTENDED("\"sip:alice@example.com\""),
        H("P-Asserted-Identity", "<sip:alice@example.com>"),
        H("X-Forwarded-For", TRUSTED),
        H("Forwarded", "for=" TRUSTED),
        H("X-Real-IP", TRUSTED),
        H("X-Forwarded-User", "alice"),
    };
    put_as("alice", HOME);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        for (size_t j = 0; j < sizeof(forged) / sizeof(forged[0]); j++) {
            /* with an assertion besides what might make it credible */
            struct http_response response =
                ASK(strangers[i], .headers = {forged[j], ASSERTED("\"sip:alice@example.com\"")});
            if (response.status != 401)
                fail_msg("%s with %.*s: %d", strangers[i], TEXT_ARG(forged[j].name), response.status);
        }
    assert_int_equal(
        STATUS(.headers = {ASSERTED("sip:alice@example.com")}, .tls = true, .certificate = "proxy.example.co"), 401);
    assert_int_equal(STATUS(.headers = {ASSERTED("sip:alice@example.com")}, .tls = true), 401);
}

static void a_forged_header_changes_nothing_for_who_has_a_password(void **state)
{
    (void)state;
    put_as("alice", HOME);
    assert_int_equal(STATUS(.headers = {digest_of("bob", "bob", "GET", HOME), ASSERTED("sip:alice@example.com"),
                                        ASSERTED_XUI("sip:alice@example.com")}),
                     403);
    assert_int_equal(
        STATUS(.headers = {digest_of("alice", "alice", "GET", HOME), ASSERTED("nonsense\x01"), ASSERTED("twice")}),
        200);
}

static void an_assertion_that_is_not_one_is_refused(void **state)
{
    (void)state;
    static const struct attempt cases[] = {
        {TRUSTED, .headers = {ASSERTED("sip:alice@example.com"), ASSERTED("sip:alice@example.com")}},
        {TRUSTED, .headers = {ASSERTED("sip:bob@example.com"), ASSERTED("sip:alice@example.com")}},
        {TRUSTED, .headers = {ASSERTED_XUI("sip:alice@example.com"), ASSERTED_XUI("sip:bob@example.com")}},
        {TRUSTED, .headers = {ASSERTED("sip:bob@example.com"), ASSERTED_XUI("sip:alice@example.com")}},
        {TRUSTED, .headers = {ASSERTED("")}},
        {TRUSTED, .headers = {ASSERTED("alice")}},
        {TRUSTED, .headers = {ASSERTED("sip:alice@example.com,")}},
        {TRUSTED, .headers = {ASSERTED("\"sip:alice@example.com")}},
        {TRUSTED, .headers = {ASSERTED("sip:alice@example.com\r\nX-Admin: yes")}},
        {TRUSTED, .headers = {ASSERTED("sip:alice@example.com%0d%0a")}},
    };
    put_as("alice", HOME);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) - 1; i++)
        assert_int_equal(ask(&cases[i]).status, 400);
    /* an escape stays one: nobody is called that */
    assert_int_not_equal(ask(&cases[sizeof(cases) / sizeof(cases[0]) - 1]).status, 200);
    /* both headers, one person */
    assert_int_equal(STATUS(TRUSTED, .headers = {ASSERTED("sip:bob@example.com, sip:alice@example.com"),
                                                 ASSERTED_XUI("sip:alice@example.com")}),
                     200);
}

static void an_intended_identity_must_be_ones_own(void **state)
{
    (void)state;
    put_as("alice", HOME);
    struct http_header alice = digest_of("alice", "alice", "GET", HOME);
    assert_int_equal(STATUS(.headers = {alice, INTENDED("\"sip:alice@example.com\"")}), 200);
    alice = digest_of("alice", "alice", "GET", HOME);
    assert_int_equal(STATUS(.headers = {alice, INTENDED("tel:+15550100")}), 200);
    alice = digest_of("alice", "alice", "GET", HOME);
    assert_int_equal(STATUS(.headers = {alice, INTENDED("\"sip:bob@example.com\"")}), 403);
    alice = digest_of("alice", "alice", "GET", HOME);
    assert_int_equal(STATUS(.headers = {alice, INTENDED("nonsense")}), 400);
    alice = digest_of("alice", "alice", "GET", HOME);
    assert_int_equal(STATUS(.headers = {alice, INTENDED("tel:+15550100"), INTENDED("tel:+15550100")}), 400);
    assert_int_equal(STATUS(.headers = {INTENDED("sip:alice@example.com")}), 401); /* it proves nothing */
    /* among those that the peer asserts */
    assert_int_equal(
        STATUS(TRUSTED, .headers = {ASSERTED("sip:bob@example.com, tel:+15550100"), INTENDED("sip:alice@example.com")}),
        200);
    assert_int_equal(STATUS(TRUSTED, .headers = {ASSERTED("sip:bob@example.com"), INTENDED("sip:alice@example.com")}),
                     403);
}

static void any_alias_in_a_target_is_one_home(void **state)
{
    (void)state;
    static const char by_spelling[] = "/xcap-root/resource-lists/users/tel%3A%2B15550100/index";
    assert_int_equal(put_as("alice", BY_TEL), 201);
    assert_int_equal(get_as("alice", HOME), 200);
    assert_int_equal(get_as("alice", by_spelling), 200);
    assert_int_equal(put_as("alice", HOME), 200);
    assert_int_equal(get_as("bob", BY_TEL), 403);
    assert_int_equal(get_as("rls", BY_TEL), 200);
    assert_int_equal(delete_as("alice", by_spelling), 200);
    assert_int_equal(get_as("alice", HOME), 404);
    struct stored stored;
    const struct document_key hidden = {TEXT("resource-lists"), TEXT("tel:+15550100"), TEXT("index")};
    assert_int_equal(store_get(documents_store(fixture->documents), &hidden, &fixture->arena, &stored), NOT_FOUND);
}

static void each_role_may_what_the_manifest_says(void **state)
{
    (void)state;
    static const char profile[] =
        "/xcap-root/org.openmobilealliance.user-profile/users/sip:bob@example.com/user-profile";
    assert_int_equal(put_as("bob", OF_BOB), 201);
    static const struct {
        const char *user;
        int read, write;
    } cases[] = {{"bob", 200, 200},   {"alice", 403, 403}, {"rls", 200, 403},
                 {"chief", 200, 200}, {"root", 200, 200},  {"reader", 200, 403}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(get_as(cases[i].user, OF_BOB), cases[i].read);
        assert_int_equal(put_as(cases[i].user, OF_BOB), cases[i].write);
        assert_int_equal(get_as(cases[i].user, profile), 404); /* open to all who are known */
        if (cases[i].write == 403)
            assert_int_equal(delete_as(cases[i].user, OF_BOB), 403);
    }
}

static struct http_response put_profile(const char *user, const char *target, const char *uri)
{
    const char *body =
        text_cstring(&fixture->arena, text_format(&fixture->arena,
                                                  "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\">"
                                                  "<user-profile uri=\"%s\"/></user-profiles>",
                                                  uri));
    return ASK(.method = "PUT", .target = target,
               .headers = {digest_of(user, user, "PUT", target),
                           {TEXT("Content-Type"), TEXT("application/vnd.oma.user-profile+xml")}},
               .body = body);
}

/* OMA Shared Profile: the owner writes the one, the operator the other, under whichever address the document has. */
static void a_profile_names_its_owner_by_any_address_of_his(void **state)
{
    (void)state;
#define PROFILES "/xcap-root/org.openmobilealliance.user-profile/users/"
#define LOCKED   "/xcap-root/org.openmobilealliance.locked-user-profile/users/"
    static const struct {
        const char *user, *target, *uri;
        int status;
    } cases[] = {
        {"alice", PROFILES "sip:alice@example.com/user-profile", "sip:alice@example.com", 201},
        {"alice", PROFILES "sip:alice@example.com/user-profile", "tel:+15550100", 200},
        {"alice", PROFILES "tel:+1-555-0100/user-profile", "tel:+1-555-0100", 200},
        {"root", PROFILES "tel:+15550100/user-profile", "tel:+15550100", 200},
        {"alice", PROFILES "tel:+15550100/user-profile", "tel:+15550101", 409},
        {"alice", PROFILES "tel:+15550100/user-profile", "tel:+1555010", 409},
        {"alice", PROFILES "tel:+15550100/user-profile", "tel:", 409},
        {"alice", PROFILES "tel:+15550100/user-profile", "", 409},
        {"alice", PROFILES "tel:+15550100/user-profile", "sip:bob@example.com", 409},
        {"root", PROFILES "sip:alice@example.com/user-profile", "sip:root@example.com", 409},
        {"bob", PROFILES "sip:bob@example.com/user-profile", "tel:+15550100", 409},
        {"bob", PROFILES "sip:alice@example.com/user-profile", "sip:alice@example.com", 403},
        {"rls", PROFILES "sip:alice@example.com/user-profile", "sip:alice@example.com", 403},
        {"alice", LOCKED "tel:+15550100/locked-user-profile", "tel:+15550100", 403},
        {"chief", LOCKED "sip:alice@example.com/locked-user-profile", "tel:+15550100", 201},
        {"chief", LOCKED "sip:alice@example.com/locked-user-profile", "sip:chief@example.com", 409},
        {"root", LOCKED "sip:alice@example.com/locked-user-profile", "sip:alice@example.com", 200},
        {"reader", LOCKED "sip:alice@example.com/locked-user-profile", "sip:alice@example.com", 403},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_response response = put_profile(cases[i].user, cases[i].target, cases[i].uri);
        if (response.status != cases[i].status)
            fail_msg("%s %s %s: %d", cases[i].user, cases[i].target, cases[i].uri, response.status);
        if (response.status == 409)
            assert_true(text_find(response.body, TEXT("<constraint-failure phrase=\"Wrong User Profile URI\">")) <
                        response.body.length);
    }
    assert_int_equal(get_as("bob", PROFILES "tel:+15550100/user-profile"), 200);
    assert_int_equal(get_as("bob", LOCKED "tel:+15550100/locked-user-profile"), 200);
    assert_int_equal(get_as("reader", LOCKED "tel:+15550100/locked-user-profile"), 200);
    assert_int_equal(STATUS(.target = LOCKED "tel:+15550100/locked-user-profile"), 401);
    assert_int_equal(delete_as("alice", LOCKED "tel:+15550100/locked-user-profile"), 403);
    assert_int_equal(delete_as("alice", PROFILES "tel:+15550100/user-profile"), 200);
}

static void an_auditor_changes_nothing_not_even_at_home(void **state)
{
    (void)state;
    static const char home[] = "/xcap-root/resource-lists/users/sip:reader@example.com/index";
    static const char global[] = "/xcap-root/org.openmobilealliance.groups/global/byGroupID/g";
    assert_int_equal(put_as("reader", home), 403);
    assert_int_equal(get_as("reader", home), 404);
    assert_int_equal(get_as("reader", global), 404);
    assert_int_equal(delete_as("reader", global), 403);
}

static void basic_is_taken_over_tls_alone(void **state)
{
    (void)state;
    put_as("alice", HOME);
    assert_int_equal(STATUS(.headers = {basic("alice:alice")}, .tls = true), 200);
    assert_int_equal(STATUS(.headers = {basic("alice:wrong")}, .tls = true), 401);
    assert_int_equal(STATUS(.headers = {basic("alice")}, .tls = true), 400);
    struct http_response clear = ASK(.headers = {basic("alice:alice")}), secret = ASK(.tls = true);
    assert_int_equal(clear.status, 401);
    assert_text(header_of(clear, "WWW-Authenticate", 2), "");
    assert_text(header_of(secret, "WWW-Authenticate", 2), "Basic realm=\"realm\", charset=\"UTF-8\"");
    assert_true(text_starts_with(header_of(secret, "WWW-Authenticate", 0), TEXT("Digest ")));
    /* what a proxy says of TLS is no TLS */
    assert_int_equal(STATUS("198.51.100.1", .headers = {basic("alice:alice"), H("X-Forwarded-Proto", "https")}), 401);
}

static void who_fails_too_often_waits_and_is_told_how_long(void **state)
{
    (void)state;
    static const char evil[] = "203.0.113.99";
    put_as("alice", HOME);
    for (int i = 0; i < 3; i++)
        assert_int_equal(STATUS(evil, .headers = {digest_of("alice", "guess", "GET", HOME)}), 401);
    struct http_response response = ASK(evil, .headers = {digest_of("alice", "alice", "GET", HOME)});
    assert_int_equal(response.status, 429);
    uint64_t seconds;
    assert_true(text_to_u64(header_of(response, "Retry-After", 0), &seconds));
    assert_in_range(seconds, 1, 60);
    assert_text(header_of(response, "WWW-Authenticate", 0), "");
    /* all that are new to her wait, and she is not locked out where she is known */
    assert_int_equal(STATUS("203.0.113.9", .headers = {digest_of("alice", "alice", "GET", HOME)}), 429);
    assert_int_equal(get_as("alice", HOME), 200);
}

static void behind_a_listed_proxy_each_client_counts_alone(void **state)
{
    (void)state;
    static const char proxy[] = "198.51.100.1";
    put_as("alice", HOME);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            STATUS(proxy, .headers = {digest_of("bob", "guess", "GET", HOME), H("X-Forwarded-For", "203.0.113.5")}),
            401);
    assert_int_equal(
        STATUS(proxy, .headers = {digest_of("bob", "bob", "GET", HOME), H("X-Forwarded-For", "203.0.113.5")}), 429);
    /* a client that is no proxy chooses no address for itself */
    for (int i = 0; i < 3; i++)
        ASK(.headers = {digest_of("chief", "guess", "GET", HOME), H("X-Forwarded-For", "203.0.113.6")});
    assert_int_equal(STATUS(.headers = {digest_of("chief", "chief", "GET", HOME), H("X-Forwarded-For", "203.0.113.7")}),
                     429);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_trusted_peer_says_who_asks),
        TEST(every_trusted_way_in_is_as_good),
        TEST(nobody_else_is_believed_whatever_he_writes),
        TEST(a_forged_header_changes_nothing_for_who_has_a_password),
        TEST(an_assertion_that_is_not_one_is_refused),
        TEST(an_intended_identity_must_be_ones_own),
        TEST(any_alias_in_a_target_is_one_home),
        TEST(each_role_may_what_the_manifest_says),
        TEST(a_profile_names_its_owner_by_any_address_of_his),
        TEST(an_auditor_changes_nothing_not_even_at_home),
        TEST(basic_is_taken_over_tls_alone),
        TEST(who_fails_too_often_waits_and_is_told_how_long),
        TEST(behind_a_listed_proxy_each_client_counts_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
