/* Many users and documents in one request: each line takes its own way, and no line harms another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>

#include "answer_json.h"
#include "assert_text.h"
#include "scratch.h"
#include "service_tests.h"

#define IMPORT "/api/v1/import"
#define LIST   "resource-lists/users/sip:alice@example.com/index"
#define EMPTY  "<resource-lists xmlns=\\\"urn:ietf:params:xml:ns:resource-lists\\\"/>"
#define NAMED                                                                                                          \
    "<resource-lists xmlns=\\\"urn:ietf:params:xml:ns:resource-lists\\\"><list name=\\\"a\\\"/></resource-lists>"

#define DOCUMENT(path, body) "{\"document\":\"" path "\",\"body\":\"" body "\"}\n"

static char folder[SCRATCH_MAX]; /* of the one test that needs a disk */

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice");
}

static int end_with_folder(void **state)
{
    end(state);
    return scratch_remove(folder);
}

/* A number of the answer; those of refused lines with a dot: "refused.0.line". */
static long long number(struct answer answer, const char *path)
{
    json_t *json;
    const json_t *at = answer_json(&answer, path, &json);
    long long value = json_is_array(at) ? (long long)json_array_size(at) : json_integer_value(at);
    json_decref(json);
    return value;
}

static struct answer import(const char *existing, const char *body)
{
    struct text path = text_format(&fixture->arena, IMPORT "?existing=%s", existing);
    return ASK_ADMIN(fixture, "POST", text_cstring(&fixture->arena, path), .body = body);
}

static void assert_counts(struct answer answer, long long added, long long replaced, long long unchanged,
                          long long refused)
{
    assert_int_equal(answer.status, 200);
    assert_int_equal(number(answer, "added"), added);
    assert_int_equal(number(answer, "replaced"), replaced);
    assert_int_equal(number(answer, "unchanged"), unchanged);
    assert_int_equal(number(answer, "refused"), refused);
}

static void users_and_their_documents_come_in_one_request(void **state)
{
    (void)state;
    /* the document stands before its owner */
    struct answer answer =
        import("refuse", DOCUMENT("resource-lists/users/sip:bob@example.com/index",
                                  EMPTY) "\n"
                                         "{\"user\":\"bob\",\"password\":\"bob\",\"displayName\":\"Bob\"}");
    assert_counts(answer, 2, 0, 0, 0);
    struct answer read = ASK_XCAP(fixture, "GET", "/xcap-root/resource-lists/users/sip:bob@example.com/index", "bob");
    assert_int_equal(read.status, 200);
    assert_text(read.body, "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>");
}

static void each_line_has_its_own_result(void **state)
{
    (void)state;
    struct answer answer = import(
        "refuse",
        "no json\n"
        "[]\n" DOCUMENT(LIST, EMPTY) DOCUMENT(LIST "/~~/resource-lists", EMPTY)
            DOCUMENT("resource-lists/users/sip:zoe@example.com/index", EMPTY)
                DOCUMENT("unknown/users/sip:alice@example.com/index", EMPTY)
                    DOCUMENT("pres-rules/users/sip:alice@example.com/index",
                             "<a/>") "{\"user\":\"carol\"}\n"
                                     "{\"user\":\"carol\",\"password\":5}\n"
                                     "{\"user\":\"carol\",\"ha1\":\"12\"}\n"
                                     "{\"user\":\"carol\",\"password\":\"c\",\"display-name\":\"C\",\"error\":\"\"}\n"
                                     "{\"user\":\"carol\",\"password\":\"c\"}\n");
    assert_counts(answer, 2, 0, 0, 10);
    static const long long status_of_line[] = {0, 400, 400, 0, 400, 404, 404, 409, 400, 400, 400, 400};
    bool seen[12] = {false};
    for (int i = 0; i < 10; i++) {
        long long line =
            number(answer, text_cstring(&fixture->arena, text_format(&fixture->arena, "refused.%d.line", i)));
        assert_in_range(line, 1, 11);
        assert_false(seen[line]);
        seen[line] = true;
        assert_int_equal(
            number(answer, text_cstring(&fixture->arena, text_format(&fixture->arena, "refused.%d.status", i))),
            status_of_line[line]);
    }
    assert_true(answer_holds(&answer, "\"conflict\": \"schema-validation-error\""));
}

static void what_is_there_is_refused_kept_or_replaced(void **state)
{
    (void)state;
    assert_counts(import("refuse", DOCUMENT(LIST, EMPTY)), 1, 0, 0, 0);
    struct answer answer = import("refuse", DOCUMENT(LIST, NAMED) "{\"user\":\"alice\",\"password\":\"x\"}");
    assert_counts(answer, 0, 0, 0, 2);
    assert_int_equal(number(answer, "refused.0.status"), 412);
    assert_counts(import("keep", DOCUMENT(LIST, NAMED) "{\"user\":\"alice\",\"password\":\"x\"}"), 0, 0, 2, 0);
    assert_text(ASK_XCAP(fixture, "GET", "/xcap-root/" LIST, "alice").body,
                "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>");

    uint64_t before = store_last_change(fixture->store);
    assert_counts(import("replace", DOCUMENT(LIST, EMPTY)), 0, 0, 1, 0);
    assert_true(store_last_change(fixture->store) == before);
    assert_counts(import("replace", DOCUMENT(LIST, NAMED)), 0, 1, 0, 0);
    assert_counts(import("replace", "{\"user\":\"alice\",\"displayName\":\"A.\"}"), 0, 1, 0, 0);
    /* her password is what it was */
    assert_text(ASK_XCAP(fixture, "GET", "/xcap-root/" LIST, "alice").body,
                "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"a\"/></resource-lists>");
    assert_counts(import("replace", "{\"user\":\"alice\",\"password\":\"new\"}"), 0, 1, 0, 0);
    assert_int_equal(ASK_XCAP(fixture, "GET", "/xcap-root/" LIST, "alice").status, 401);
    assert_int_equal(import("sometimes", DOCUMENT(LIST, NAMED)).status, 400);
}

static void one_document_may_stand_in_many_lines(void **state)
{
    (void)state;
    assert_counts(import("keep", DOCUMENT(LIST, EMPTY) DOCUMENT(LIST, NAMED) DOCUMENT(LIST, EMPTY)), 1, 0, 2, 0);
    struct answer answer = import("refuse", "{\"user\":\"carol\",\"password\":\"c\"}\n"
                                            "{\"user\":\"carol\",\"password\":\"d\"}\n");
    assert_counts(answer, 1, 0, 0, 1);
}

static void a_user_logs_in_by_the_hash_of_another_server(void **state)
{
    (void)state;
    struct user dave;
    struct refusal refusal;
    assert_int_equal(user_make(TEXT("dave"), TEXT("dave"), TEXT(""), TEXT("example.com"), TEXT("realm"), 0,
                               &fixture->arena, &dave, &refusal),
                     OK);
    struct text line = text_format(&fixture->arena, "{\"user\":\"dave\",\"ha1\":\"%.*s\",\"ha1Sha256\":\"%.*s\"}",
                                   TEXT_ARG(dave.ha1_md5), TEXT_ARG(dave.ha1_sha256));
    assert_counts(import("refuse", text_cstring(&fixture->arena, line)), 1, 0, 0, 0);
    assert_int_equal(
        ASK_XCAP(fixture, "GET", "/xcap-root/resource-lists/users/sip:dave@example.com/index", "dave").status, 404);
}

struct writer {
    bool backwards;
    struct answer answer;
    struct arena arena;
};

#define CROSSING_LINES 200

/* Requests whose documents wait for each other in opposite orders. */
static void *write_many(void *context)
{
    struct writer *writer = context;
    struct text_builder body;
    arena_init(&writer->arena, "writer");
    builder_init(&body, &writer->arena);
    for (int i = 0; i < CROSSING_LINES; i++)
        builder_add_format(&body,
                           "{\"document\":\"org.openmobilealliance.groups/users/sip:alice@example.com/g%d\",\"body\":"
                           "\"<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:g%d@example.com'/>"
                           "<!--%d--></group>\"}\n",
                           writer->backwards ? CROSSING_LINES - 1 - i : i,
                           writer->backwards ? CROSSING_LINES - 1 - i : i, writer->backwards);
    const struct ask ask = {.method = "POST",
                            .path = IMPORT "?existing=replace",
                            .body = text_cstring(&writer->arena, builder_text(&body))};
    writer->answer = ask_with(&writer->arena, fixture->admin, &ask);
    return NULL;
}

static void requests_that_cross_both_come_to_their_end(void **state)
{
    (void)state;
    struct text error;
    struct arena arena;
    assert_true(scratch_make(folder, "import"));
    arena_init(&arena, "folder");
    fixture_close(fixture);
    struct store *store = store_open_lmdb(folder, &arena, &error);
    assert_non_null(store);
    begin_with(store, "", "alice");
    struct writer writers[4] = {{false}, {true}, {false}, {true}};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(writers[i].answer.status, 200);
        assert_int_equal(number(writers[i].answer, "refused"), 0);
        assert_int_equal(number(writers[i].answer, "added") + number(writers[i].answer, "replaced") +
                             number(writers[i].answer, "unchanged"),
                         CROSSING_LINES);
        arena_clear(&writers[i].arena);
    }
    arena_clear(&arena);
}

static void a_failing_commit_refuses_its_line_alone(void **state)
{
    (void)state;
    fixture_close(fixture);
    begin_with(store_open_failing(store_open_memory(), 3, FULL), "", "alice");
    struct answer answer = import("refuse", DOCUMENT("resource-lists/users/sip:alice@example.com/index",
                                                     EMPTY) "{\"user\":\"bob\",\"password\":\"b\"}\n"
                                                            "{\"user\":\"carol\",\"password\":\"c\"}\n");
    assert_counts(answer, 2, 0, 0, 1);
    assert_int_equal(number(answer, "refused.0.line"), 3);
    assert_int_equal(number(answer, "refused.0.status"), 507);
}

static void too_many_lines_are_refused(void **state)
{
    (void)state;
    char *body = memory_new(10003);
    memset(body, '\n', 10002);
    assert_int_equal(import("refuse", body).status, 413);
    body[10000] = '\0';
    assert_counts(import("refuse", body), 0, 0, 0, 0);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(users_and_their_documents_come_in_one_request, begin, end),
        cmocka_unit_test_setup_teardown(each_line_has_its_own_result, begin, end),
        cmocka_unit_test_setup_teardown(what_is_there_is_refused_kept_or_replaced, begin, end),
        cmocka_unit_test_setup_teardown(one_document_may_stand_in_many_lines, begin, end),
        cmocka_unit_test_setup_teardown(a_user_logs_in_by_the_hash_of_another_server, begin, end),
        cmocka_unit_test_setup_teardown(requests_that_cross_both_come_to_their_end, begin, end_with_folder),
        cmocka_unit_test_setup_teardown(a_failing_commit_refuses_its_line_alone, begin, end),
        cmocka_unit_test_setup_teardown(too_many_lines_are_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
