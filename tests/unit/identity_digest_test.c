/* Digest authentication: the RFCs' own examples, what real clients write, and what no attacker gets through with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "digest_server.h"

static enum digest_result check_header(struct text authorization, struct text uri)
{
    const struct digest_request request = {.authorization = authorization, .method = TEXT("GET"), .uri = uri};
    struct digest_answer answer;
    enum digest_result result = digest_check(digest, documents, &request, NOW, &arena, &answer);
    struct text user = answer.user.address;
    assert_true(result == DIGEST_GOOD ? text_equal(user, TEXT("sip:alice@example.com")) : user.length == 0);
    assert_true(result == DIGEST_GOOD || answer.info.length == 0);
    return result;
}

static void a_challenge_offers_what_clients_need(void **state)
{
    (void)state;
    struct text sha = digest_challenge(digest, DIGEST_SHA256, false, NOW, &arena);
    struct text md5 = digest_challenge(digest, DIGEST_MD5, true, NOW, &arena);
    assert_true(text_starts_with(sha, TEXT("Digest realm=\"im.example.com\", nonce=\"")));
    assert_true(text_find(sha, TEXT("algorithm=SHA-256")) < sha.length);
    assert_true(text_find(sha, TEXT("qop=\"auth\"")) < sha.length);
    assert_true(text_find(sha, TEXT("stale")) == sha.length);
    assert_true(text_find(md5, TEXT("algorithm=MD5")) < md5.length);
    assert_true(text_find(md5, TEXT("stale=true")) < md5.length);
    assert_false(text_equal(challenge_value(sha, "nonce", &arena), challenge_value(md5, "nonce", &arena)));
}

static void the_right_password_is_good_in_every_form(void **state)
{
    (void)state;
    const struct text names[] = {TEXT("alice"), TEXT("alice@example.com")};
    const struct text protections[] = {TEXT("auth"), TEXT("auth-int"), TEXT("")};
    for (enum digest_algorithm algorithm = DIGEST_SHA256; algorithm < DIGEST_ALGORITHMS; algorithm++)
        for (size_t name = 0; name < 2; name++)
            for (size_t protection = 0; protection < 3; protection++)
                for (int hashed = 0; hashed < 2; hashed++) {
                    struct digest_client client = client_of(digest, algorithm, NOW);
                    client.username = names[name];
                    client.qop = protections[protection];
                    client.user_hashed = hashed;
                    client.body = TEXT("<a/>");
                    assert_int_equal(check(&client), DIGEST_GOOD);
                }
}

static void a_wrong_password_and_an_unknown_user_are_wrong(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.password = TEXT("Secret");
    assert_int_equal(check(&client), DIGEST_WRONG);
    const struct text names[] = {TEXT("bob"),
                                 TEXT("sip:alice@example.com"),
                                 TEXT("alice@other.example"),
                                 TEXT(""),
                                 TEXT("Alice"),
                                 TEXT("alice@EXAMPLE.com"),
                                 TEXT("alice "),
                                 TEXT("@")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (int hashed = 0; hashed < 2; hashed++) {
            client = fresh_client();
            client.username = names[i];
            client.user_hashed = hashed;
            assert_int_equal(check(&client), DIGEST_WRONG);
        }
}

static void a_hash_that_is_only_the_beginning_of_one_is_nobody(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.user_hashed = true;
    struct text value = client_authorization(&client, &arena);
    struct text hash = challenge_value(value, "username", &arena);
    for (size_t length = 0; length < hash.length; length += 16) {
        struct text cut = text_format(&arena, "Digest username=\"%.*s\"%.*s", (int)length, hash.bytes,
                                      (int)(value.length - (size_t)(hash.bytes + hash.length + 1 - value.bytes)),
                                      hash.bytes + hash.length + 1);
        assert_int_equal(check_header(cut, URI), DIGEST_WRONG);
    }
}

static void a_changed_body_is_wrong_with_auth_int(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.qop = TEXT("auth-int");
    client.body = TEXT("<a/>");
    const struct digest_request request = {client_authorization(&client, &arena), client.method, client.uri,
                                           TEXT("<b/>"), false};
    struct digest_answer answer;
    assert_int_equal(digest_check(digest, documents, &request, NOW, &arena, &answer), DIGEST_WRONG);
}

static void a_changed_method_is_wrong(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    const struct digest_request request = {client_authorization(&client, &arena), TEXT("DELETE"), client.uri, TEXT(""),
                                           false};
    struct digest_answer answer;
    assert_int_equal(digest_check(digest, documents, &request, NOW, &arena, &answer), DIGEST_WRONG);
}

/* The nonces are those of the RFCs: a response that is right then is "stale", one that is wrong is "wrong". */
static void the_examples_of_rfc_7616_and_2617_are_right(void **state)
{
    (void)state;
    static const char rfc7616[] = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
                                  "uri=\"/dir/index.html\", algorithm=%s, "
                                  "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
                                  "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "
                                  "response=\"%s\"";
    const struct {
        struct text header, realm, password;
        enum digest_result result;
    } examples[] = {
        {text_format(&arena, rfc7616, "MD5", "8ca523f5e9506fed4657c9700eebdbec"), TEXT("http-auth@example.org"),
         TEXT("Circle of Life"), DIGEST_STALE},
        {text_format(&arena, rfc7616, "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
         TEXT("http-auth@example.org"), TEXT("Circle of Life"), DIGEST_STALE},
        {text_format(&arena, rfc7616, "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c2"),
         TEXT("http-auth@example.org"), TEXT("Circle of Life"), DIGEST_WRONG},
        {TEXT("Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
              "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, "
              "cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\""),
         TEXT("testrealm@host.com"), TEXT("Circle Of Life"), DIGEST_STALE},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct digest *server = digest_new(examples[i].realm, DOMAIN, key);
        add_user(TEXT("Mufasa"), examples[i].password, examples[i].realm, DOMAIN);
        const struct digest_request request = {
            .authorization = examples[i].header, .method = TEXT("GET"), .uri = TEXT("/dir/index.html")};
        struct digest_answer answer;
        assert_int_equal(digest_check(server, documents, &request, NOW, &arena, &answer), examples[i].result);
        digest_free(server);
    }
}

/* Of builds that did not keep that hash, or imported without it: he logs in by the others until his password is set. */
static void who_has_no_hash_of_an_algorithm_cannot_log_in_by_it(void **state)
{
    (void)state;
    struct user user;
    assert_int_equal(user_get(documents, TEXT("sip:alice@example.com"), &arena, &user), OK);
    user.ha1_sha512 = user.ha1_sha512_full = TEXT("");
    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("test")), OK);
    for (enum digest_algorithm algorithm = DIGEST_SHA256; algorithm < DIGEST_ALGORITHMS; algorithm++) {
        struct digest_client client = client_of(digest, algorithm, NOW);
        assert_int_equal(check(&client), algorithm == DIGEST_SHA512 ? DIGEST_WRONG : DIGEST_GOOD);
    }
}

/* So that no client chooses what its user has no hash of, unless the house says that all have. */
static void sha512_is_offered_only_where_the_house_says_so(void **state)
{
    (void)state;
    assert_false(digest_offers(digest, DIGEST_SHA512));
    assert_true(digest_offers(digest, DIGEST_SHA256) && digest_offers(digest, DIGEST_MD5));
    digest_offer(digest, DIGEST_SHA512, true);
    assert_true(digest_offers(digest, DIGEST_SHA512));
    digest_offer(digest, DIGEST_MD5, false);
    assert_true(digest_offers(digest, DIGEST_MD5));
    struct text challenge = digest_challenge(digest, DIGEST_SHA512, false, NOW, &arena);
    assert_true(text_find(challenge, TEXT("algorithm=SHA-512-256, ")) < challenge.length);
    assert_true(text_find(challenge, TEXT("userhash=true")) < challenge.length);
}

static void nothing_and_other_schemes_are_missing(void **state)
{
    (void)state;
    const struct text values[] = {TEXT(""), TEXT("   "), TEXT("Basic YWxpY2U6c2VjcmV0"), TEXT("Bearer x"),
                                  TEXT("Digestive biscuits")};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(check_header(values[i], URI), DIGEST_MISSING);
}

static void credentials_of_another_realm_or_opaque_are_missing(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.realm = TEXT("old.example.com");
    assert_int_equal(check(&client), DIGEST_MISSING);
    client = fresh_client();
    client.opaque = TEXT("0123456789abcdef");
    assert_int_equal(check(&client), DIGEST_MISSING);
    client.opaque = TEXT("");
    assert_int_equal(check(&client), DIGEST_GOOD);
}

static void a_user_of_another_realm_cannot_log_in(void **state)
{
    (void)state;
    add_user(TEXT("carol"), TEXT("secret"), TEXT("elsewhere"), DOMAIN);
    struct digest_client client = fresh_client();
    client.username = TEXT("carol");
    assert_int_equal(check(&client), DIGEST_WRONG);
}

/* Replaces the first `from` of a good header; what was signed does not change. */
static struct text changed(struct text header, const char *from, const char *to)
{
    size_t at = text_find(header, text_of(from));
    assert_true(at < header.length);
    size_t after = at + strlen(from);
    return text_format(&arena, "%.*s%s%.*s", (int)at, header.bytes, to, (int)(header.length - after),
                       header.bytes + after);
}

static void broken_headers_are_broken(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"username=\"alice\", ", ""},
        {"realm=\"im.example.com\", ", ""},
        {"nonce=", "once="},
        {"uri=", "url="},
        {"response=", "respond="},
        {"response=\"", "response=\"0"},
        {"algorithm=SHA-256", "algorithm=SHA-512"},
        {"algorithm=SHA-256", "algorithm=SHA-512-256-sess"},
        {"algorithm=SHA-256", "algorithm=MD5-sess"},
        {"algorithm=SHA-256", "algorithm=MD5"},
        {"qop=auth", "qop=auth-conf"},
        {"qop=auth", "qop=\"auth,auth-int\""},
        {"nc=00000001, ", ""},
        {"nc=00000001", "nc=000000001"},
        {"nc=00000001", "nc=xyz"},
        {"nc=00000001", "nc="},
        {"cnonce=", "anonce="},
        {"cnonce=\"", "cnonce=\"\r\nSet-Cookie: x"},
        {"username=\"alice\"", "username=\"alice\", username=\"bob\""},
        {"username=\"alice\"", "username=\"alice"},
        {"Digest ", "Digest nonsense"},
        {"Digest ", "Digest =x, "},
    };
    struct text good = client_authorization(&(struct digest_client){0}, &arena);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct digest_client client = fresh_client();
        good = client_authorization(&client, &arena);
        if (check_header(changed(good, changes[i][0], changes[i][1]), URI) != DIGEST_BROKEN)
            fail_msg("%s", changes[i][1]);
        assert_int_equal(check_header(good, URI), DIGEST_GOOD);
    }
    assert_int_equal(check_header(TEXT("Digest"), URI), DIGEST_BROKEN);
    assert_int_equal(check_header(TEXT("Digest x"), URI), DIGEST_BROKEN);
}

static void an_overlong_header_is_broken(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    struct text_builder value;
    builder_init(&value, &arena);
    builder_add(&value, client_authorization(&client, &arena));
    builder_add(&value, TEXT(", x=\""));
    while (value.length < DIGEST_HEADER_MAX)
        builder_add(&value, TEXT("xxxxxxxx"));
    builder_add_char(&value, '"');
    assert_int_equal(check_header(builder_text(&value), URI), DIGEST_BROKEN);
}

static void a_header_cut_anywhere_is_never_good(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.opaque = TEXT(""); /* what may be left out comes last otherwise */
    struct text whole = client_authorization(&client, &arena);
    for (size_t length = 0; length < whole.length; length++) {
        /* In memory of its own, so that a sanitizer sees a read behind the end. */
        char *bytes = memory_new(length + 1);
        memcpy(bytes, whole.bytes, length);
        assert_int_not_equal(check_header((struct text){bytes, length}, URI), DIGEST_GOOD);
        free(bytes);
    }
}

static void headers_as_real_clients_write_them_are_read(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"Digest ", "digest   "},
        {"username=", "UserName = "},
        {", realm", ",realm"},
        {", realm", " ,\r\n realm"},
        {", realm", ",, realm"},
        {"nc=00000001", "nc=\"00000001\""},
        {"qop=auth", "qop=\"auth\""},
        {"algorithm=SHA-256", "algorithm=\"sha-256\""},
        {"username=\"alice\"", "username=\"a\\lice\""},
        {"username=\"alice\"", "username=alice"},
        {"Digest ", "Digest auth-param=\"a, b=\\\"c\\\"\", "},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct digest_client client = fresh_client();
        struct text header = changed(client_authorization(&client, &arena), changes[i][0], changes[i][1]);
        if (check_header(header, URI) != DIGEST_GOOD)
            fail_msg("%s", changes[i][1]);
    }
}

static void the_algorithm_is_md5_when_none_is_given(void **state)
{
    (void)state;
    struct digest_client client = client_of(digest, DIGEST_MD5, NOW);
    struct text header = changed(client_authorization(&client, &arena), ", algorithm=MD5", "");
    assert_int_equal(check_header(header, URI), DIGEST_GOOD);
}

static void a_response_in_capitals_is_good(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    struct text header = client_authorization(&client, &arena);
    char *bytes = text_cstring(&arena, header);
    size_t at = text_find(header, TEXT("response=\"")) + strlen("response=\"");
    for (size_t i = at; i < at + 64; i++)
        bytes[i] = (char)(bytes[i] >= 'a' ? bytes[i] - 'a' + 'A' : bytes[i]);
    assert_int_equal(check_header((struct text){bytes, header.length}, URI), DIGEST_GOOD);
}

static void uris_with_raw_quotes_and_brackets_are_read(void **state)
{
    (void)state;
    static const char *const uris[] = {
        "/xcap-root/resource-lists/users/sip:alice@example.com/index/~~/resource-lists/list[@name=\"work\"]",
        "/x/~~/list[@name=\"a b\"]/entry[@uri=\"sip:b@example.com\"]/@uri",
        "/x/~~/list[@name=\"\"]",
        "/x/~~/list%5B@name=%22work%22%5D?xmlns(a=urn:x)",
    };
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct digest_client client = fresh_client();
        client.uri = text_of(uris[i]);
        assert_int_equal(check(&client), DIGEST_GOOD);
    }
}

static void the_uri_is_compared_decoded_and_without_host(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    client.uri = TEXT("/x/list%5b@name=%22w%22%5D");
    struct text header = client_authorization(&client, &arena);
    assert_int_equal(check_header(header, TEXT("/x/list[@name=\"w\"]")), DIGEST_GOOD);
    client = fresh_client();
    client.uri = TEXT("http://xdm.example.com:8080/x/index");
    assert_int_equal(check_header(client_authorization(&client, &arena), TEXT("/x/index")), DIGEST_GOOD);
    client = fresh_client();
    client.uri = TEXT("/x/index");
    header = client_authorization(&client, &arena);
    assert_int_equal(check_header(header, TEXT("http://xdm.example.com:8080/x/index")), DIGEST_GOOD);
    const struct text others[] = {TEXT("/x/index2"),    TEXT("/x/"),       TEXT("/x/index?y"),
                                  TEXT("/x/in%2564ex"), TEXT("/x/index%"), TEXT("")};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(check_header(header, others[i]), DIGEST_BROKEN);
}

static void a_sip_uri_need_not_be_the_request_uri(void **state)
{
    (void)state;
    const struct {
        const char *asked, *written;
        enum digest_result result;
    } examples[] = {
        {"sip:bob@example.com", "sip:bob@example.com", DIGEST_GOOD},
        {"sip:bob@192.0.2.1:5060;transport=udp", "sip:example.com", DIGEST_GOOD},
        {"sip:team@example.com", "sips:bob@EXAMPLE.com:5061", DIGEST_GOOD},
        {"sip:192.0.2.1:5070", "sip:192.0.2.1", DIGEST_GOOD},
        {"tel:+49-30-123", "tel:+4930123", DIGEST_GOOD},
        {"sip:bob@example.com", "sip:127.0.0.1:5060", DIGEST_GOOD},
        {"tel:+4930123", "tel:+4930124", DIGEST_GOOD},
        {"sip:bob@example.com", "nonsense", DIGEST_BROKEN},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct digest_client client = fresh_client();
        client.method = TEXT("MESSAGE");
        client.uri = text_of(examples[i].written);
        const struct digest_request request = {client_authorization(&client, &arena), client.method,
                                               text_of(examples[i].asked), TEXT(""), true};
        struct digest_answer answer;
        enum digest_result result = digest_check(digest, documents, &request, NOW, &arena, &answer);
        if (result != examples[i].result)
            fail_msg("%s for %s: %d", examples[i].written, examples[i].asked, result);
    }
}

static void the_server_proves_that_it_knows_the_password(void **state)
{
    (void)state;
    struct text info;
    struct digest_client client = fresh_client();
    assert_int_equal(check_on(digest, &client, NOW, &info), DIGEST_GOOD);
    struct text proof = client_response(&client, TEXT(""), &arena);
    assert_true(text_equal(challenge_value(info, "rspauth", &arena), proof));
    assert_true(text_find(info, TEXT("nc=00000001")) < info.length);
    assert_true(text_equal(challenge_value(info, "cnonce", &arena), client.cnonce));
    assert_true(text_find(info, TEXT("nextnonce")) == info.length);
    client.qop = TEXT("");
    assert_int_equal(check_on(digest, &client, NOW, &info), DIGEST_GOOD);
    assert_int_equal(info.length, 0);
}

static void users_that_cannot_be_read_are_a_failure(void **state)
{
    (void)state;
    const struct document_key user_key = {TEXT(DOCUMENT_USERS), TEXT("sip:alice@example.com"), TEXT("")};
    struct commit commit = {.key = user_key, .expected = VERSION_ANY, .bytes = TEXT("damage")};
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    struct digest_client client = fresh_client();
    assert_int_equal(check(&client), DIGEST_FAILED);
}

static void names_shared_by_two_domains_are_told_apart(void **state)
{
    (void)state;
    add_user(TEXT("alice"), TEXT("other"), REALM, TEXT("a.example"));
    struct digest_client client = fresh_client();
    for (int hashed = 0; hashed < 2; hashed++) {
        client = fresh_client();
        client.user_hashed = hashed;
        assert_int_equal(check(&client), DIGEST_GOOD);
        client = fresh_client();
        client.username = TEXT("alice@a.example");
        client.password = TEXT("other");
        client.user_hashed = hashed;
        assert_int_equal(check(&client), DIGEST_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_challenge_offers_what_clients_need),
        TEST(the_right_password_is_good_in_every_form),
        TEST(a_wrong_password_and_an_unknown_user_are_wrong),
        TEST(a_hash_that_is_only_the_beginning_of_one_is_nobody),
        TEST(a_changed_body_is_wrong_with_auth_int),
        TEST(a_changed_method_is_wrong),
        TEST(the_examples_of_rfc_7616_and_2617_are_right),
        TEST(who_has_no_hash_of_an_algorithm_cannot_log_in_by_it),
        TEST(sha512_is_offered_only_where_the_house_says_so),
        TEST(nothing_and_other_schemes_are_missing),
        TEST(credentials_of_another_realm_or_opaque_are_missing),
        TEST(a_user_of_another_realm_cannot_log_in),
        TEST(broken_headers_are_broken),
        TEST(an_overlong_header_is_broken),
        TEST(a_header_cut_anywhere_is_never_good),
        TEST(headers_as_real_clients_write_them_are_read),
        TEST(the_algorithm_is_md5_when_none_is_given),
        TEST(a_response_in_capitals_is_good),
        TEST(uris_with_raw_quotes_and_brackets_are_read),
        TEST(the_uri_is_compared_decoded_and_without_host),
        TEST(a_sip_uri_need_not_be_the_request_uri),
        TEST(the_server_proves_that_it_knows_the_password),
        TEST(users_that_cannot_be_read_are_a_failure),
        TEST(names_shared_by_two_domains_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
