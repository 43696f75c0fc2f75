/* Many writers at once, failing stores, and what monitoring sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <pthread.h>

#include <cmocka.h>

#include "assert_text.h"
#include "service_tests.h"

#define LISTS   "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define BODY    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"friends\"/></resource-lists>"
#define TYPE    "Content-Type: application/resource-lists+xml"
#define WRITERS 8
#define ENTRIES 200 /* of each writer */

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice");
}

struct writer {
    unsigned number;
    unsigned refused;
    pthread_t thread;
};

/* A client that is told to come back (503) does. */
static void *write_entries(void *context)
{
    struct writer *writer = context;
    CURL *session = curl_easy_init();
    struct arena arena;
    arena_init(&arena, "writer");
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct text uri = text_format(&arena, "sip:w%u-%u@example.com", writer->number, i);
        struct text path =
            text_format(&arena, LISTS "/~~/resource-lists/list/entry%%5b@uri=%%22%.*s%%22%%5d", TEXT_ARG(uri));
        struct text body = text_format(&arena, "<entry uri=\"%.*s\"/>", TEXT_ARG(uri));
        const struct ask ask = {
            .method = "PUT",
            .path = text_cstring(&arena, path),
            .user = "alice",
            .headers = {"Content-Type: application/xcap-el+xml"},
            .body = text_cstring(&arena, body),
            .session = session,
        };
        long status;
        do {
            status = ask_with(&arena, fixture->xcap, &ask).status;
        } while (status == 503);
        writer->refused += status != 201;
        arena_reset(&arena);
    }
    arena_clear(&arena);
    curl_easy_cleanup(session);
    return NULL;
}

static size_t count(struct text text, struct text part)
{
    size_t found = 0;
    for (size_t at; (at = text_find(text, part)) < text.length; found++)
        text = text_slice(text, at + part.length, text.length);
    return found;
}

static void no_entry_of_eight_writers_is_lost(void **state)
{
    (void)state;
    struct writer writers[WRITERS] = {0};
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY).status, 201);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_entries, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].refused, 0);
    }
    struct answer answer = ASK_XCAP(fixture, "GET", LISTS, "alice");
    assert_int_equal(count(answer.body, TEXT("<entry uri=\"sip:w")), WRITERS * ENTRIES);
}

static long put_into_failing(enum status status)
{
    begin_with(store_open_failing(store_open_memory(), 2, status), "", "alice"); /* the first write */
    struct answer answer = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY);
    assert_true(answer.status == 201 || answer.body.length > 0);
    struct answer after = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY);
    assert_true(after.status == 201 || answer.status == 201);
    fixture_close(fixture);
    return answer.status;
}

static void a_failing_store_is_answered_with_its_own_code(void **state)
{
    (void)state;
    assert_int_equal(put_into_failing(FAILED), 500);
    assert_int_equal(put_into_failing(FULL), 507);
    assert_int_equal(put_into_failing(CONFLICT), 201); /* one lost race is nothing */
}

static void who_loses_every_race_is_told_to_come_back(void **state)
{
    (void)state;
    struct store *store = store_open_memory();
    for (int i = 0; i < DOCUMENT_TRIES_MAX; i++)
        store = store_open_failing(store, 2, CONFLICT);
    begin_with(store, "", "alice");
    struct answer answer = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY);
    assert_int_equal(answer.status, 503);
    assert_text(answer_header(&answer, "Retry-After", 0), "1");
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY).status, 201);
    fixture_close(fixture);
}

static void monitoring_is_told_the_truth(void **state)
{
    (void)state;
    struct arena *arena = &fixture->arena;
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/livez"}).status, 200);
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/readyz"}).status, 503);
    service_set_ready(fixture->service, true);
    struct answer ready = ask_with(arena, fixture->management, &(struct ask){"GET", "/readyz"});
    assert_int_equal(ready.status, 200);
    assert_text(ready.body, "ok\n");
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/"}).status, 404);
    struct answer posted = ask_with(arena, fixture->management, &(struct ask){"POST", "/metrics", .body = "x"});
    assert_int_equal(posted.status, 405);
    assert_text(answer_header(&posted, "Allow", 0), "GET, HEAD");
}

static uint64_t series(const char *name)
{
    struct answer answer = ask_with(&fixture->arena, fixture->management, &(struct ask){"GET", "/metrics"});
    struct text key = text_format(&fixture->arena, "\n%s ", name), number, rest;
    uint64_t value = UINT64_MAX;
    size_t at = text_find(answer.body, key);
    assert_true(text_starts_with(answer_header(&answer, "Content-Type", 0), TEXT("text/plain; version=0.0.4")));
    if (at < answer.body.length) {
        text_cut(text_slice(answer.body, at + key.length, answer.body.length), '\n', &number, &rest);
        assert_true(text_to_u64(number, &value));
    }
    return value;
}

static void requests_are_counted(void **state)
{
    (void)state;
    static const char *const names[] = {"xdms_http_requests_total{port=\"xcap\",method=\"PUT\",status=\"2xx\"}",
                                        "xdms_http_requests_total{port=\"xcap\",method=\"PUT\",status=\"4xx\"}",
                                        "xdms_http_requests_total{port=\"admin\",method=\"GET\",status=\"2xx\"}",
                                        "xdms_http_requests_total{port=\"xcap\",method=\"other\",status=\"4xx\"}",
                                        "xdms_auth_failures_total{result=\"missing\"}",
                                        "xdms_documents_changed_total{change=\"created\"}"};
    uint64_t before[6];
    for (size_t i = 0; i < 6; i++)
        before[i] = series(names[i]);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY).status, 201); /* after a 401 */
    assert_int_equal(ASK_XCAP(fixture, "BREW", LISTS).status, 401);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users").status, 200);
    static const uint64_t expected[] = {1, 1, 1, 1, 2, 1};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(series(names[i]), before[i] + expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_entry_of_eight_writers_is_lost, begin, end),
        cmocka_unit_test(a_failing_store_is_answered_with_its_own_code),
        cmocka_unit_test(who_loses_every_race_is_told_to_come_back),
        cmocka_unit_test_setup_teardown(monitoring_is_told_the_truth, begin, end),
        cmocka_unit_test_setup_teardown(requests_are_counted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
