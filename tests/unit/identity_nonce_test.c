/* Nonces and their counts: one is good for many requests, each request once, whoever sends it and from whichever
 * thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "digest_server.h"

static void one_nonce_is_good_for_many_requests_on_any_url(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    for (client.count = 1; client.count <= 300; client.count++) {
        client.uri = text_format(&arena, "/x/%u", client.count);
        assert_int_equal(check(&client), DIGEST_GOOD);
    }
}

static void a_replay_is_stale(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    assert_int_equal(check(&client), DIGEST_GOOD);
    assert_int_equal(check(&client), DIGEST_STALE);
    client.count = 2;
    assert_int_equal(check(&client), DIGEST_GOOD);
    client.count = 1;
    assert_int_equal(check(&client), DIGEST_STALE);
}

/* What the network dropped comes again after 0.5, 1.5 and 3.5 s (RFC 3261 timer E), of one who sends 500 a second. */
static void what_was_dropped_is_no_replay_when_it_comes_again(void **state)
{
    (void)state;
    enum { A_SECOND = 500, DROPPED = 7 };
    struct digest_client client = fresh_client();
    for (unsigned count = 1; count < 4 * A_SECOND; count++) {
        if (count % DROPPED) {
            client.count = count;
            assert_int_equal(check(&client), DIGEST_GOOD);
        }
        for (unsigned halves = 1; halves <= 7; halves += halves + 1) {
            client.count = count - halves * A_SECOND / 2;
            bool again = count > halves * A_SECOND / 2 && client.count % (3 * DROPPED) == DROPPED * (halves / 3);
            if (again)
                assert_int_equal(check(&client), DIGEST_GOOD);
            if (count > halves * A_SECOND / 2 && (again || client.count % DROPPED))
                assert_int_equal(check(&client), DIGEST_STALE);
        }
    }
}

enum { WINDOW = 1984 };

/* Beside one who remembers all. */
static void every_count_is_good_once_however_they_leap(void **state)
{
    (void)state;
    enum { COUNTS = 20000, TRIES = 20000 };
    static bool used[COUNTS];
    struct digest_client client = fresh_client();
    unsigned highest = 1, seed = 1, good = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned leap = (seed >> 8) % (i % 512 == 0 ? WINDOW + 200 : 4), behind = (seed >> 16) % (WINDOW + 100);
        client.count = i % 3 == 0 ? highest + leap : highest > behind ? highest - behind : highest;
        if (client.count >= COUNTS)
            break;
        bool fresh = !used[client.count] && (client.count > highest || highest - client.count < WINDOW);
        assert_int_equal(check(&client), fresh ? DIGEST_GOOD : DIGEST_STALE);
        used[client.count] |= fresh;
        good += fresh;
        highest = client.count > highest ? client.count : highest;
    }
    assert_true(good > 1000 && highest > 5 * WINDOW);
}

static void requests_may_overtake_each_other_within_the_window(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    const unsigned far[] = {1, 3000, 3000 + 63, 3000 + 63 + 64, 3000 + 63 + 64 + WINDOW, 100000, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        client.count = far[i];
        assert_int_equal(check(&client), DIGEST_GOOD);
        assert_int_equal(check(&client), DIGEST_STALE);
        if (far[i] < WINDOW)
            continue;
        client.count = far[i] - WINDOW; /* just behind */
        assert_int_equal(check(&client), DIGEST_STALE);
    }
    client = fresh_client();
    for (unsigned i = 0; i < WINDOW; i++) { /* backwards */
        client.count = WINDOW - i;
        assert_int_equal(check(&client), DIGEST_GOOD);
    }
    for (unsigned i = 1; i <= WINDOW; i++) {
        client.count = i;
        assert_int_equal(check(&client), DIGEST_STALE);
    }
}

static void an_old_nonce_is_stale_and_a_wrong_password_stays_wrong(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    assert_int_equal(check_on(digest, &client, NOW + DIGEST_NONCE_MS_MAX + 1, NULL), DIGEST_STALE);
    assert_int_equal(check_on(digest, &client, NOW + DIGEST_NONCE_MS_MAX, NULL), DIGEST_GOOD);
    client = client_of(digest, DIGEST_MD5, NOW + 3600000); /* from a clock far ahead */
    assert_int_equal(check(&client), DIGEST_STALE);
    client.password = TEXT("guess");
    assert_int_equal(check(&client), DIGEST_WRONG);
}

static void a_forged_nonce_is_stale(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    struct text nonce = client.nonce;
    for (size_t i = 0; i < nonce.length; i++) {
        char *bytes = text_cstring(&arena, nonce);
        bytes[i] = bytes[i] == '0' ? '1' : '0';
        client.nonce = (struct text){bytes, nonce.length};
        assert_int_equal(check(&client), DIGEST_STALE);
    }
    const struct text others[] = {TEXT(""), TEXT("x"), text_slice(nonce, 0, nonce.length - 1),
                                  text_join(&arena, nonce, TEXT("0"))};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        client.nonce = others[i];
        assert_int_equal(check(&client), DIGEST_STALE);
    }
}

static void nodes_that_share_a_key_take_each_others_nonces(void **state)
{
    (void)state;
    const uint8_t other_key[32] = "not the same";
    struct digest *second = digest_new(REALM, DOMAIN, key);
    struct digest *stranger = digest_new(REALM, DOMAIN, other_key);
    struct digest_client client = client_of(digest, DIGEST_SHA256, NOW);
    assert_int_equal(check_on(second, &client, NOW, NULL), DIGEST_GOOD);
    assert_int_equal(check_on(second, &client, NOW, NULL), DIGEST_STALE);
    /* Its opaque is the same, so that a client is told "stale" and does not ask its user. */
    assert_int_equal(check_on(stranger, &client, NOW, NULL), DIGEST_STALE);
    digest_free(second);
    digest_free(stranger);
}

static void forgotten_nonces_are_stale_and_new_ones_good(void **state)
{
    (void)state;
    struct arena *outer = &arena;
    struct digest_client first = fresh_client(), client = {0};
    assert_int_equal(check_on(digest, &first, NOW, NULL), DIGEST_GOOD);
    first.nonce = text_copy(outer, first.nonce);
    struct arena kept = arena;
    for (int i = 1; i <= DIGEST_NONCES_MAX + 10; i++) {
        arena_init(&arena, "loop");
        client = client_of(digest, DIGEST_MD5, NOW + i);
        assert_int_equal(check_on(digest, &client, NOW + i, NULL), DIGEST_GOOD);
        arena_clear(&arena);
    }
    arena = kept;
    first.count = 2; /* would be good if its counts were known */
    assert_int_equal(check_on(digest, &first, NOW + 1000, NULL), DIGEST_STALE);
    first.count = 1;
    assert_int_equal(check_on(digest, &first, NOW + 1000, NULL), DIGEST_STALE);
    client = client_of(digest, DIGEST_MD5, NOW + DIGEST_NONCES_MAX + 20);
    assert_int_equal(check_on(digest, &client, NOW + DIGEST_NONCES_MAX + 20, NULL), DIGEST_GOOD);
}

static void an_ageing_nonce_brings_the_next_one(void **state)
{
    (void)state;
    struct text info;
    struct digest_client client = fresh_client();
    int64_t later_ms = NOW + DIGEST_NONCE_MS_MAX / 2 + 1;
    assert_int_equal(check_on(digest, &client, later_ms, &info), DIGEST_GOOD);
    struct digest_client next = client;
    next.nonce = challenge_value(info, "nextnonce", &arena);
    assert_true(next.nonce.length > 0);
    assert_int_equal(check_on(digest, &next, later_ms + DIGEST_NONCE_MS_MAX, &info), DIGEST_GOOD);
}

enum { THREADS = 4, ROUNDS = 100 };

struct racer {
    pthread_t thread;
    struct digest_client client;
    unsigned good;
};

/* Each thread sends the same counts of the same nonce. */
static void *race(void *context)
{
    struct racer *racer = context;
    struct arena own;
    arena_init(&own, "racer");
    for (unsigned i = 1; i <= ROUNDS; i++) {
        struct digest_answer answer;
        racer->client.count = i;
        const struct digest_request request = {client_authorization(&racer->client, &own), racer->client.method,
                                               racer->client.uri, TEXT(""), false};
        racer->good += digest_check(digest, documents, &request, NOW, &own, &answer) == DIGEST_GOOD;
        digest_challenge(digest, DIGEST_MD5, false, NOW, &own);
    }
    arena_clear(&own);
    return NULL;
}

static void each_count_is_good_once_whatever_threads_do(void **state)
{
    (void)state;
    struct racer racers[THREADS];
    struct digest_client client = fresh_client();
    unsigned good = 0;
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.client = client};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        good += racers[i].good;
    }
    assert_int_equal(good, ROUNDS);
}

/* What is known already need not prove itself again, but must be what it was. */
static void a_known_nonce_with_another_proof_is_stale(void **state)
{
    (void)state;
    struct digest_client client = fresh_client();
    assert_int_equal(check(&client), DIGEST_GOOD);
    struct text good = client.nonce;
    for (size_t at = 0; at < good.length; at += 3) {
        char *nonce = text_cstring(&arena, good);
        nonce[at] = nonce[at] == '0' ? '1' : '0';
        client.nonce = text_of(nonce);
        client.count++;
        assert_int_equal(check(&client), DIGEST_STALE);
    }
    client.nonce = good;
    assert_int_equal(check(&client), DIGEST_GOOD);
    assert_int_equal(check_on(digest, &client, NOW + DIGEST_NONCE_MS_MAX + 1, NULL), DIGEST_STALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_nonce_is_good_for_many_requests_on_any_url),
        TEST(a_replay_is_stale),
        TEST(what_was_dropped_is_no_replay_when_it_comes_again),
        TEST(every_count_is_good_once_however_they_leap),
        TEST(requests_may_overtake_each_other_within_the_window),
        TEST(an_old_nonce_is_stale_and_a_wrong_password_stays_wrong),
        TEST(a_forged_nonce_is_stale),
        TEST(a_known_nonce_with_another_proof_is_stale),
        TEST(nodes_that_share_a_key_take_each_others_nonces),
        TEST(forgotten_nonces_are_stale_and_new_ones_good),
        TEST(an_ageing_nonce_brings_the_next_one),
        TEST(each_count_is_good_once_whatever_threads_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
