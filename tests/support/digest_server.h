/* A server with one user, alice, and her client: for tests of digest authentication. */
#ifndef TESTS_DIGEST_SERVER_H
#define TESTS_DIGEST_SERVER_H

#include "digest.h"
#include "digest_client.h"
#include "user.h"

#define DOMAIN TEXT("example.com")
#define REALM  TEXT("im.example.com")
#define URI    TEXT("/xcap-root/resource-lists/users/sip:alice@example.com/index")
#define NOW    INT64_C(1767225600000)

static const uint8_t key[32] = "a key that only the tests know!";
static struct arena arena;
static struct store *store;
static struct documents *documents;
static struct digest *digest;

static inline void add_user(struct text address, struct text password, struct text realm, struct text domain)
{
    struct user user;
    struct refusal refusal;
    assert_int_equal(user_make(address, password, TEXT(""), domain, realm, NOW, &arena, &user, &refusal), OK);
    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("admin")), OK);
}

static inline int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    store = store_open_memory();
    documents = documents_new(store, NULL);
    digest = digest_new(REALM, DOMAIN, key);
    add_user(TEXT("alice"), TEXT("secret"), REALM, DOMAIN);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    digest_free(digest);
    documents_free(documents);
    store_close(store);
    arena_clear(&arena);
    return 0;
}

static inline struct digest_client client_of(const struct digest *server, enum digest_algorithm algorithm,
                                             int64_t now_ms)
{
    struct text challenge = digest_challenge(server, algorithm, false, now_ms, &arena);
    return (struct digest_client){
        .username = TEXT("alice"),
        .password = TEXT("secret"),
        .realm = challenge_value(challenge, "realm", &arena),
        .nonce = challenge_value(challenge, "nonce", &arena),
        .opaque = challenge_value(challenge, "opaque", &arena),
        .method = TEXT("GET"),
        .uri = URI,
        .cnonce = TEXT("f2/wE4q74E6zIJEtWaHKaf5wv"),
        .qop = TEXT("auth"),
        .count = 1,
        .sha256 = algorithm == DIGEST_SHA256,
        .sha512 = algorithm == DIGEST_SHA512,
    };
}

static inline struct digest_client fresh_client(void)
{
    return client_of(digest, DIGEST_SHA256, NOW);
}

static inline enum digest_result check_on(struct digest *server, const struct digest_client *client, int64_t now_ms,
                                          struct text *info_out)
{
    const struct digest_request request = {
        .authorization = client_authorization(client, &arena),
        .method = client->method,
        .uri = client->uri,
        .body = client->body,
    };
    struct digest_answer answer;
    enum digest_result result = digest_check(server, documents, &request, now_ms, &arena, &answer);
    if (info_out)
        *info_out = answer.info;
    return result;
}

static inline enum digest_result check(const struct digest_client *client)
{
    return check_on(digest, client, NOW, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
