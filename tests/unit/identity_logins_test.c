/* Users that are kept between requests: a change of one holds from the next request on, and nothing else is read for
 * those who stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "digest_server.h"

static enum digest_result log_in(const char *username, const char *password)
{
    struct digest_client client = fresh_client();
    client.username = text_of(username);
    client.password = text_of(password);
    return check(&client);
}

static void a_new_password_holds_from_the_next_request_on(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "alice@example.com"};
    for (size_t i = 0; i < 2; i++) {
        add_user(TEXT("alice"), TEXT("secret"), REALM, DOMAIN);
        assert_int_equal(log_in(names[i], "secret"), DIGEST_GOOD);
        assert_int_equal(log_in(names[i], "secret"), DIGEST_GOOD);
        add_user(TEXT("alice"), TEXT("other"), REALM, DOMAIN);
        assert_int_equal(log_in(names[i], "secret"), DIGEST_WRONG);
        assert_int_equal(log_in(names[i], "other"), DIGEST_GOOD);
    }
}

static void a_user_is_there_and_gone_at_once(void **state)
{
    (void)state;
    assert_int_equal(log_in("bob", "pass"), DIGEST_WRONG);
    for (int round = 0; round < 3; round++) {
        add_user(TEXT("bob"), TEXT("pass"), REALM, DOMAIN);
        assert_int_equal(log_in("bob", "pass"), DIGEST_GOOD);
        assert_int_equal(user_delete(documents, TEXT("sip:bob@example.com"), TEXT("admin")), OK);
        assert_int_equal(log_in("bob", "pass"), DIGEST_WRONG);
    }
    assert_int_equal(log_in("alice", "secret"), DIGEST_GOOD);
}

/* Through a store whose reads can be made to fail. */
static void who_stays_the_same_is_not_read_again(void **state)
{
    (void)state;
    const struct store_fault unreadable = {STORE_CALL_READ, 1, 0, FAILED, false};
    const struct store_fault unknown[] = {{STORE_CALL_LAST, 1, 0, FAILED, false},
                                          {STORE_CALL_READ, 1, 0, FAILED, false}};
    struct store *faulty = store_open_faulty(store, NULL, 0);
    documents_free(documents);
    documents = documents_new(faulty, NULL);
    store = faulty;
    assert_int_equal(log_in("alice", "secret"), DIGEST_GOOD);
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(log_in("alice", "secret"), DIGEST_GOOD);
    assert_int_equal(log_in("alice", "wrong"), DIGEST_WRONG);
    assert_int_equal(log_in("alice@example.com", "secret"), DIGEST_FAILED); /* another name, never seen */
    store_faulty_set(faulty, unknown, 2); /* nobody can say whether he stays the same */
    assert_int_equal(log_in("alice", "secret"), DIGEST_FAILED);
    store_faulty_set(faulty, NULL, 0);

    /* Changes of others cost one look at the version, and that once. */
    add_user(TEXT("bob"), TEXT("pass"), REALM, DOMAIN);
    assert_int_equal(log_in("alice", "secret"), DIGEST_GOOD);
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(log_in("alice", "secret"), DIGEST_GOOD);
    store_faulty_set(faulty, NULL, 0);
}

static struct user user_of_login(void)
{
    struct digest_client client = fresh_client();
    const struct digest_request request = {
        .authorization = client_authorization(&client, &arena), .method = client.method, .uri = client.uri};
    struct digest_answer answer;
    assert_int_equal(digest_check(digest, documents, &request, NOW, &arena, &answer), DIGEST_GOOD);
    return answer.user;
}

static void a_kept_user_is_the_same_in_all_that_he_has(void **state)
{
    (void)state;
    const struct text aliases[] = {TEXT("tel:+15550100"), TEXT("sip:al@example.com")};
    struct refusal refusal;
    struct user user;
    assert_int_equal(
        user_make(TEXT("alice"), TEXT("secret"), TEXT("Alice A."), DOMAIN, REALM, NOW, &arena, &user, &refusal), OK);
    assert_int_equal(user_set_aliases(&user, aliases, 2, DOMAIN, &arena, &refusal), OK);
    user.roles = USAGE_ROLE_BIT(USAGE_SERVER);
    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("admin")), OK);
    struct user read = user_of_login(), kept = user_of_login();
    const struct text texts[][2] = {{read.address, kept.address},
                                    {read.realm, kept.realm},
                                    {read.name, kept.name},
                                    {read.ha1_md5, kept.ha1_md5},
                                    {read.ha1_sha256, kept.ha1_sha256},
                                    {read.ha1_md5_full, kept.ha1_md5_full},
                                    {read.ha1_sha256_full, kept.ha1_sha256_full},
                                    {read.display_name, kept.display_name}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(texts[i][0].length > 0 && text_equal(texts[i][0], texts[i][1]));
    assert_int_equal(kept.aliases_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(text_equal(kept.aliases[i], aliases[i]));
    assert_int_equal(kept.roles, read.roles);
    assert_int_equal(kept.created_ms, NOW);
    assert_int_equal(kept.version, read.version);
}

static void more_users_than_are_kept_all_log_in(void **state)
{
    (void)state;
    enum { USERS = 6000 };
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < USERS; i++) {
            struct text name = text_format(&arena, "user%u", i);
            if (round == 0)
                add_user(name, name, REALM, DOMAIN);
            const char *word = text_cstring(&arena, name);
            assert_int_equal(log_in(word, word), DIGEST_GOOD);
        }
    assert_int_equal(log_in("user1", "user2"), DIGEST_WRONG);
}

#define THREADS 4
#define ROUNDS  400

struct client_thread {
    pthread_t thread;
    struct digest_client client;
    const _Atomic bool *over;
    bool refused;
};

static void *log_in_again_and_again(void *context)
{
    struct client_thread *one = context;
    while (!*one->over) {
        struct arena own;
        arena_init(&own, "client");
        const struct digest_request request = {.authorization = client_authorization(&one->client, &own),
                                               .method = one->client.method,
                                               .uri = one->client.uri};
        struct digest_answer answer;
        one->refused |= digest_check(digest, documents, &request, NOW, &own, &answer) != DIGEST_GOOD;
        one->client.count++;
        arena_clear(&own);
    }
    return NULL;
}

static void a_user_who_is_written_meanwhile_is_always_whole(void **state)
{
    (void)state;
    _Atomic bool over = false;
    struct client_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct client_thread){.client = fresh_client(), .over = &over};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, log_in_again_and_again, &threads[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++)
        add_user(i % 2 ? TEXT("alice") : TEXT("bob"), TEXT("secret"), REALM, DOMAIN);
    over = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_false(threads[i].refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_password_holds_from_the_next_request_on), TEST(a_user_is_there_and_gone_at_once),
        TEST(who_stays_the_same_is_not_read_again),          TEST(a_kept_user_is_the_same_in_all_that_he_has),
        TEST(more_users_than_are_kept_all_log_in),           TEST(a_user_who_is_written_meanwhile_is_always_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
