/* Who guesses passwords is slowed down, and who knows his own is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "basic.h"
#include "digest_server.h"

static struct guard *guard;

static int begin_guarded(void **state)
{
    const struct guard_settings settings = {5, 20};
    begin(state);
    guard = guard_new(&settings);
    digest_set_guard(digest, guard);
    return 0;
}

static int end_guarded(void **state)
{
    end(state);
    guard_free(guard);
    return 0;
}

static struct trust_address address_of(const char *written)
{
    struct trust_address address;
    assert_true(trust_address_parse(text_of(written), &address));
    return address;
}

static enum digest_result try_from(const char *where, const char *name, const char *password, int64_t now_ms,
                                   struct digest_answer *answer_out)
{
    struct trust_address address = address_of(where ? where : "0.0.0.0");
    struct digest_client client = client_of(digest, DIGEST_SHA256, now_ms);
    client.username = text_of(name);
    client.password = text_of(password);
    const struct digest_request request = {
        .authorization = client_authorization(&client, &arena),
        .method = client.method,
        .uri = client.uri,
        .address = where ? &address : NULL,
    };
    return digest_check(digest, documents, &request, now_ms, &arena, answer_out);
}

static enum digest_result try(const char *where, const char *name, const char *password, int64_t now_ms)
{
    struct digest_answer answer;
    enum digest_result result = try_from(where, name, password, now_ms, &answer);
    assert_true((result == DIGEST_WAITING) == (answer.wait_ms > 0));
    return result;
}

#define HOME  "198.51.100.1"
#define EVIL  "203.0.113.66"
#define RIGHT "secret"
#define WRONG "guess"

static void guesses_at_one_user_are_slowed_down(void **state)
{
    (void)state;
    struct digest_answer answer;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(try_from(EVIL, "alice", WRONG, NOW, &answer), DIGEST_WRONG);
        assert_int_equal(answer.begins_to_wait, i == 5);
        assert_true(text_equal(answer.claimed, TEXT("sip:alice@example.com")));
    }
    assert_int_equal(try_from(EVIL, "alice", RIGHT, NOW, &answer), DIGEST_WAITING); /* unseen: right or wrong */
    assert_int_equal(answer.wait_ms, GUARD_WINDOW_MS / 5);
    assert_int_equal(answer.user.address.length, 0);
    /* who waits as long as he was told may try once more, and no more */
    assert_int_equal(try(EVIL, "alice", WRONG, NOW + GUARD_WINDOW_MS / 5), DIGEST_WRONG);
    assert_int_equal(try(EVIL, "alice", WRONG, NOW + GUARD_WINDOW_MS / 5), DIGEST_WAITING);
    /* after a quiet minute it is all as before */
    assert_int_equal(try(EVIL, "alice", RIGHT, NOW + 2 * GUARD_WINDOW_MS), DIGEST_GOOD);
}

static void every_spelling_of_a_name_counts_for_one_user(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "alice@example.com", "sip:alice@example.com", "alice@EXAMPLE.com",
                                        "alice"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(EVIL, names[i], WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(EVIL, "alice@example.com", WRONG, NOW), DIGEST_WAITING);
}

static void nobody_is_slowed_down_like_somebody(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(EVIL, "mallory", WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(EVIL, "mallory", WRONG, NOW), DIGEST_WAITING);
}

static void an_attacker_elsewhere_does_not_lock_out_the_user(void **state)
{
    (void)state;
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
    for (int i = 0; i < 50; i++) { /* from many addresses, so that no single one is stopped */
        const char *where = text_cstring(&arena, text_format(&arena, "203.0.113.%d", i));
        try(where, "alice", WRONG, NOW);
    }
    assert_int_equal(try("203.0.113.200", "alice", RIGHT, NOW), DIGEST_WAITING); /* all together are too many */
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
    assert_int_equal(try(HOME, "alice", WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
}

static void an_attacker_behind_the_same_address_does_not_lock_out_the_user(void **state)
{
    (void)state;
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
    for (int i = 0; i < 30; i++)
        try(HOME, text_cstring(&arena, text_format(&arena, "user%d", i)), WRONG, NOW);
    assert_int_equal(try(HOME, "user99", WRONG, NOW), DIGEST_WAITING);
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
}

static void guesses_at_many_users_from_one_address_are_slowed_down(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(try(EVIL, text_cstring(&arena, text_format(&arena, "user%d", i)), WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(EVIL, "alice", RIGHT, NOW), DIGEST_WAITING);
    assert_int_equal(try("203.0.113.67", "alice", RIGHT, NOW), DIGEST_GOOD);
}

static void a_success_clears_what_the_user_mistyped_and_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(HOME, "alice", WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_GOOD);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(HOME, "alice", WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(HOME, "alice", WRONG, NOW), DIGEST_WAITING);
    /* what she knows helps nobody to guess at others: the count of the address stays */
    for (int i = 0; i < 11; i++) {
        try(HOME, "alice", RIGHT, NOW);
        assert_int_equal(try(HOME, text_cstring(&arena, text_format(&arena, "user%d", i)), WRONG, NOW), DIGEST_WRONG);
    }
    assert_int_equal(try(HOME, "user50", WRONG, NOW), DIGEST_WAITING);
}

static void a_repeated_response_makes_no_address_good(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    struct text overheard = client_authorization(&client, &arena);
    struct trust_address home = address_of(HOME), evil = address_of(EVIL);
    struct digest_answer answer;
    struct digest_request request = {
        .authorization = overheard, .method = client.method, .uri = client.uri, .address = &home};
    assert_int_equal(digest_check(digest, documents, &request, NOW, &arena, &answer), DIGEST_GOOD);
    request.address = &evil;
    assert_int_equal(digest_check(digest, documents, &request, NOW, &arena, &answer), DIGEST_STALE);
    for (int i = 0; i < 50; i++)
        try(text_cstring(&arena, text_format(&arena, "203.0.113.%d", i + 100)), "alice", WRONG, NOW);
    assert_int_equal(try(EVIL, "alice", RIGHT, NOW), DIGEST_WAITING);
}

static void one_customer_of_ipv6_is_one_address(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        const char *where = text_cstring(&arena, text_format(&arena, "2001:db8:1:2::%d", i));
        assert_int_equal(try(where, text_cstring(&arena, text_format(&arena, "user%d", i)), WRONG, NOW), DIGEST_WRONG);
    }
    assert_int_equal(try("2001:db8:1:2:ffff::1", "carol", WRONG, NOW), DIGEST_WAITING);
    assert_int_equal(try("2001:db8:1:3::1", "carol", WRONG, NOW), DIGEST_WRONG);
}

static void an_ipv4_address_and_its_ipv6_form_are_one(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        try(i % 2 ? EVIL : "::ffff:" EVIL, "alice", WRONG, NOW);
    assert_int_equal(try(EVIL, "alice", RIGHT, NOW), DIGEST_WAITING);
    assert_int_equal(try("::ffff:" EVIL, "alice", RIGHT, NOW), DIGEST_WAITING);
}

static void an_address_that_stands_for_many_is_not_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        assert_int_equal(try(NULL, text_cstring(&arena, text_format(&arena, "user%d", i)), WRONG, NOW), DIGEST_WRONG);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(NULL, "alice", WRONG, NOW), DIGEST_WRONG);
    assert_int_equal(try(NULL, "alice", RIGHT, NOW), DIGEST_WAITING);
}

static void a_clock_put_back_locks_nobody_out_for_long(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        try(EVIL, "alice", WRONG, NOW + 86400000);
    struct digest_answer answer;
    assert_int_equal(try_from(EVIL, "alice", RIGHT, NOW, &answer), DIGEST_WAITING);
    assert_true(answer.wait_ms <= GUARD_WINDOW_MS);
}

static void without_limits_nobody_waits(void **state)
{
    (void)state;
    const struct guard_settings settings = {0, 0};
    struct guard *open = guard_new(&settings);
    struct trust_address evil = address_of(EVIL);
    const struct guard_source source = {TEXT("sip:alice@example.com"), &evil};
    for (int i = 0; i < 1000; i++)
        assert_false(guard_failed(open, &source, NOW));
    assert_int_equal(guard_wait_ms(open, &source, NOW), 0);
    guard_free(open);
}

/* Far more sources than there are places: the tables neither grow nor lose the newest. */
static void a_flood_of_sources_finds_its_end(void **state)
{
    (void)state;
    struct trust_address evil = address_of("2001:db8::1");
    for (uint32_t i = 0; i < 3 * GUARD_FAILURES_MAX; i++) {
        memcpy(evil.bytes + 4, &i, 4);
        const struct guard_source source = {TEXT("sip:alice@example.com"), &evil};
        guard_failed(guard, &source, NOW);
        guard_succeeded(guard, &source, NOW);
    }
    for (int i = 0; i < 5; i++)
        try(EVIL, "bob", WRONG, NOW);
    assert_int_equal(try(EVIL, "bob", WRONG, NOW), DIGEST_WAITING);
}

#define THREADS 4
#define ROUNDS  2000

/* Each guesses at a user of its own, and all from one address that is good for somebody else. */
static void *guess(void *number)
{
    struct arena own;
    struct trust_address address = address_of(EVIL);
    arena_init(&own, "guess");
    struct text user = text_format(&own, "sip:user%d@example.com", *(int *)number);
    const struct guard_source mine = {user, &address}, hers = {TEXT("sip:alice@example.com"), &address};
    for (int i = 0; i < ROUNDS; i++) {
        guard_wait_ms(guard, &mine, NOW);
        guard_failed(guard, &mine, NOW);
        guard_succeeded(guard, &hers, NOW);
    }
    arena_clear(&own);
    return NULL;
}

static void threads_share_the_counts(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    struct trust_address address = address_of(EVIL);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const struct guard_source stranger = {TEXT("sip:carol@example.com"), &address};
    const struct guard_source hers = {TEXT("sip:alice@example.com"), &address};
    assert_true(guard_wait_ms(guard, &stranger, NOW) > 0);
    assert_int_equal(guard_wait_ms(guard, &hers, NOW), 0);
}

static struct text basic(const char *credentials)
{
    return text_join(&arena, TEXT("Basic "), base64_encode(&arena, text_of(credentials)));
}

static enum digest_result check_basic(struct text authorization, struct digest_answer *answer_out)
{
    struct trust_address home = address_of(HOME);
    return basic_check(digest, documents, authorization, &home, NOW, &arena, answer_out);
}

static void a_password_is_good_by_either_name_and_no_other_is(void **state)
{
    (void)state;
    struct digest_answer answer;
    static const char *const good[] = {"alice:secret", "alice@example.com:secret"};
    static const char *const wrong[] = {"alice:",       "alice:Secret", "alice:secret ",
                                        "ALICE:secret", "bob:secret",   "sip:alice@example.com:secret"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check_basic(basic(good[i]), &answer), DIGEST_GOOD);
        assert_true(text_equal(answer.user.address, TEXT("sip:alice@example.com")));
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(check_basic(basic(wrong[i]), &answer), DIGEST_WRONG);
        assert_int_equal(answer.user.address.length, 0);
    }
    assert_int_equal(check_basic(basic(wrong[4]), &answer), DIGEST_WRONG);
    assert_int_equal(check_basic(basic(wrong[5]), &answer), DIGEST_WRONG); /* of "sip", who is nobody */
    add_user(TEXT("carol"), TEXT("with:colon"), REALM, DOMAIN);
    assert_int_equal(check_basic(basic("carol:with:colon"), &answer), DIGEST_GOOD);
    add_user(TEXT("dave"), TEXT("secret"), TEXT("other realm"), DOMAIN);
    assert_int_equal(check_basic(basic("dave:secret"), &answer), DIGEST_WRONG);
}

static void what_is_no_basic_credential_is_told_apart(void **state)
{
    (void)state;
    struct digest_answer answer;
    assert_int_equal(check_basic(TEXT(""), &answer), DIGEST_MISSING);
    assert_int_equal(check_basic(TEXT("Digest username=\"alice\""), &answer), DIGEST_MISSING);
    assert_int_equal(check_basic(TEXT("Basic *"), &answer), DIGEST_BROKEN);
    assert_int_equal(check_basic(basic("alice"), &answer), DIGEST_BROKEN);
    assert_int_equal(check_basic(basic(":secret"), &answer), DIGEST_BROKEN);
}

static void guessing_by_basic_counts_as_well(void **state)
{
    (void)state;
    struct digest_answer answer;
    for (int i = 0; i < 5; i++)
        assert_int_equal(check_basic(basic("alice:guess"), &answer), DIGEST_WRONG);
    assert_true(answer.begins_to_wait);
    assert_int_equal(check_basic(basic("alice:secret"), &answer), DIGEST_WAITING);
    assert_int_equal(try(HOME, "alice", RIGHT, NOW), DIGEST_WAITING);
}

#define GUARDED(name) cmocka_unit_test_setup_teardown(name, begin_guarded, end_guarded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARDED(guesses_at_one_user_are_slowed_down),
        GUARDED(every_spelling_of_a_name_counts_for_one_user),
        GUARDED(nobody_is_slowed_down_like_somebody),
        GUARDED(an_attacker_elsewhere_does_not_lock_out_the_user),
        GUARDED(an_attacker_behind_the_same_address_does_not_lock_out_the_user),
        GUARDED(guesses_at_many_users_from_one_address_are_slowed_down),
        GUARDED(a_success_clears_what_the_user_mistyped_and_no_more),
        GUARDED(a_repeated_response_makes_no_address_good),
        GUARDED(one_customer_of_ipv6_is_one_address),
        GUARDED(an_ipv4_address_and_its_ipv6_form_are_one),
        GUARDED(an_address_that_stands_for_many_is_not_counted),
        GUARDED(a_clock_put_back_locks_nobody_out_for_long),
        GUARDED(without_limits_nobody_waits),
        GUARDED(a_flood_of_sources_finds_its_end),
        GUARDED(threads_share_the_counts),
        GUARDED(a_password_is_good_by_either_name_and_no_other_is),
        GUARDED(what_is_no_basic_credential_is_told_apart),
        GUARDED(guessing_by_basic_counts_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
