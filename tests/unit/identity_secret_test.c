/* Secrets are compared by the function that takes the same time wherever they differ. The linker puts this file between
 * identity and that function, so the calls themselves are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "basic.h"
#include "digest_server.h"

#define CALLS_MAX 16

static size_t lengths[CALLS_MAX], calls;

int __real_nettle_memeql_sec(const void *a, const void *b, size_t n);
int __wrap_nettle_memeql_sec(const void *a, const void *b, size_t n);

int __wrap_nettle_memeql_sec(const void *a, const void *b, size_t n)
{
    if (calls < CALLS_MAX)
        lengths[calls] = n;
    calls++;
    return __real_nettle_memeql_sec(a, b, n);
}

/* Leaves what was compared in `lengths` and `calls`. */
static enum digest_result digest_try(const char *name, const char *password, enum digest_algorithm algorithm)
{
    struct digest_client client = client_of(digest, algorithm, NOW);
    client.username = text_of(name);
    client.password = text_of(password);
    calls = 0;
    return check(&client);
}

static void a_response_is_compared_whole_whoever_is_meant(void **state)
{
    (void)state;
    for (enum digest_algorithm algorithm = DIGEST_SHA256; algorithm < DIGEST_ALGORITHMS; algorithm++) {
        size_t length = algorithm == DIGEST_MD5 ? 32 : 64;
        static const char *const who[][2] = {{"alice", "wrong"}, {"nobody", "wrong"}, {"nobody", "secret"}};
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(digest_try(who[i][0], who[i][1], algorithm), DIGEST_WRONG);
            assert_int_equal(calls, 1);
            assert_int_equal(lengths[0], length);
        }
        assert_int_equal(digest_try("alice", "secret", algorithm), DIGEST_GOOD);
        assert_int_equal(calls, 2); /* and then that of the nonce */
        assert_int_equal(lengths[0], length);
        assert_int_equal(lengths[1], 32);
    }
}

static void a_password_is_compared_whole_whoever_is_meant(void **state)
{
    (void)state;
    static const char *const who[] = {"alice:wrong", "nobody:wrong", "nobody:secret", "alice:secret"};
    for (size_t i = 0; i < 4; i++) {
        struct digest_answer answer;
        struct text value = text_join(&arena, TEXT("Basic "), base64_encode(&arena, text_of(who[i])));
        calls = 0;
        assert_int_equal(basic_check(digest, documents, value, NULL, NOW, &arena, &answer),
                         i == 3 ? DIGEST_GOOD : DIGEST_WRONG);
        assert_int_equal(calls, 1);
        assert_int_equal(lengths[0], 64);
    }
}

static void tokens_are_compared_whole(void **state)
{
    (void)state;
    calls = 0;
    assert_true(secret_equal(TEXT("token"), TEXT("token")));
    assert_false(secret_equal(TEXT("tokes"), TEXT("token")));
    assert_false(secret_equal(TEXT("uoken"), TEXT("token")));
    assert_int_equal(calls, 3);
    assert_false(secret_equal(TEXT("tok"), TEXT("token")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_response_is_compared_whole_whoever_is_meant),
        TEST(a_password_is_compared_whole_whoever_is_meant),
        TEST(tokens_are_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
