/* Whatever call of the store fails, and whichever time: the answer says so, nothing is acknowledged that did not
 * happen, and the next request is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service_tests.h"

#define LIST     "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define ENTRY    LIST "/~~/resource-lists/list/entry%5b@uri=%22sip:bob@example.com%22%5d"
#define GROUP    "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.com/team"
#define DIR      "/xcap-root/org.openmobilealliance.xcap-directory/users/sip:alice@example.com/directory.xml"
#define INDEX    "/xcap-root/rls-services/global/index"
#define SERVICES "/xcap-root/rls-services/users/sip:alice@example.com/index"
#define LIST_XML                                                                                                       \
    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"friends\"/></resource-lists>"
#define TEAM_XML                                                                                                       \
    "<group xmlns=\"urn:oma:xml:poc:list-service\"><list-service uri=\"sip:team@example.com\"><list/></list-service>"  \
    "</group>"

static struct store *store;
static int begin(void **state)
{
    (void)state;
    store = store_open_faulty(store_open_memory(), NULL, 0);
    return begin_with(store, "", "alice rls");
}

struct request {
    const char *method, *path, *type, *body;
    const char *before; /* what stands there before it, or NULL */
    bool admin;
    long code; /* when nothing fails */
};

static const struct request requests[] = {
    {"GET", LIST, "", NULL, LIST_XML, false, 200},
    {"PUT", LIST, "Content-Type: application/resource-lists+xml", LIST_XML, NULL, false, 201},
    {"PUT", ENTRY, "Content-Type: application/xcap-el+xml", "<entry uri=\"sip:bob@example.com\"/>", LIST_XML, false,
     201},
    {"DELETE", LIST, "", NULL, LIST_XML, false, 200},
    {"PUT", GROUP, "Content-Type: application/vnd.oma.poc.groups+xml", TEAM_XML, NULL, false, 201},
    {"GET", DIR, "", NULL, NULL, false, 200},
    {"GET", INDEX, "", NULL, NULL, false, 200},
    {"GET", "/api/v1/users", "", NULL, NULL, true, 200},
    {"GET", "/api/v1/groups", "", NULL, NULL, true, 200},
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

static struct answer ask(const struct request *request)
{
    return ask_with(&fixture->arena, request->admin ? fixture->admin : fixture->xcap,
                    &(const struct ask){.method = request->method,
                                        .path = request->path,
                                        .user = request->admin                      ? NULL
                                                : strcmp(request->path, INDEX) == 0 ? "rls"
                                                                                    : "alice",
                                        .headers = {request->type[0] ? request->type : NULL},
                                        .body = request->body});
}

static struct text bytes_of(const char *path)
{
    struct answer answer = ASK_XCAP(fixture, "GET", path, "alice");
    return answer.status == 200 ? answer.body : TEXT("");
}

static void make(const struct request *request)
{
    static const char *const paths[] = {LIST, GROUP};
    for (size_t i = 0; i < 2; i++)
        ASK_XCAP(fixture, "DELETE", paths[i], "alice");
    if (request->before)
        assert_int_equal(
            ASK_XCAP(fixture, "PUT", LIST, "alice", {"Content-Type: application/resource-lists+xml"}, request->before)
                .status,
            201);
}

/* True when the call was met. What stands there afterwards is what the answer says. */
static bool meets(const struct request *request, const struct store_fault *fault, long wanted)
{
    make(request);
    const char *path = strstr(request->path, "resource-lists") ? LIST : GROUP;
    struct text before = bytes_of(path);
    store_faulty_set(store, fault, 1);
    struct answer answer = ask(request);
    bool met = store_faulty_set(store, NULL, 0);
    /* What only tells whether a made document still holds: it is made anew. */
    if (fault->call == STORE_CALL_LAST || fault->call == STORE_CALL_CHANGES)
        wanted = request->code;
    if (answer.status != (met ? wanted : request->code))
        fail_msg("%s %s: %ld when call %d fails for the %u. time", request->method, request->path, answer.status,
                 fault->call, fault->nth);
    struct text after = bytes_of(path);
    bool changed = !text_equal(before, after);
    bool writes = strcmp(request->method, "GET") != 0;
    assert_int_equal(changed, writes && (answer.status == request->code || fault->carried_out));
    if (answer.status == wanted && !changed && request->code != wanted)
        assert_int_equal(ask(request).status, request->code); /* the next time it works */
    return met;
}

#define TIMES_MAX 64

static void whatever_fails_is_told_and_changes_nothing(void **state)
{
    (void)state;
    unsigned met = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        for (int call = 0; call < STORE_CALLS; call++)
            for (unsigned nth = 1; nth <= TIMES_MAX; nth++) {
                const struct store_fault fault = {(enum store_call)call, nth, 1, FAILED, false};
                if (!meets(&requests[i], &fault, 500))
                    break;
                met++;
            }
    assert_in_range(met, 25, 10000); /* else the requests do not reach the store any more */
}

/* A commit that fails for good is answered by its own code. */
static void the_answer_is_that_of_the_failure(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        long code;
    } answers[] = {{FAILED, 500}, {FULL, 507}, {CONFLICT, 503}};
    for (size_t i = 0; i < REQUESTS; i++)
        for (size_t k = 0; k < sizeof(answers) / sizeof(answers[0]); k++) {
            const struct store_fault fault = {STORE_CALL_COMMIT, 1, 0, answers[k].status, false};
            if (strcmp(requests[i].method, "GET") != 0)
                assert_true(meets(&requests[i], &fault, answers[k].code));
        }
}

/* The answer of the disk is lost. What can be read back tells; what cannot is said to be uncertain. */
static void a_lost_answer_is_read_back_or_said_to_be_uncertain(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        if (strcmp(requests[i].method, "GET") == 0)
            continue;
        const struct store_fault happened = {STORE_CALL_COMMIT, 1, 1, UNCERTAIN, true};
        assert_true(meets(&requests[i], &happened, requests[i].code));
        const struct store_fault did_not = {STORE_CALL_COMMIT, 1, 1, UNCERTAIN, false};
        assert_true(meets(&requests[i], &did_not, 500));
    }
    const struct request *put = &requests[1];
    make(put);
    /* The reads of a PUT of a whole document: the user (twice, for two requests), the version before, what is there. */
    for (unsigned nth = 1; nth <= 8; nth++) {
        const struct store_fault faults[] = {{STORE_CALL_COMMIT, 1, 1, UNCERTAIN, true},
                                             {STORE_CALL_READ, nth, 0, FAILED, false}};
        make(put);
        store_faulty_set(store, faults, 2);
        struct answer answer = ask(put);
        store_faulty_set(store, NULL, 0);
        if (answer.status != 503)
            continue;
        assert_true(answer_holds(&answer, "not known whether this happened"));
        assert_int_equal(text_equal(bytes_of(LIST), TEXT(LIST_XML)), true);
        return;
    }
    fail_msg("no read back was met");
}

static void put_service(const char *name)
{
    struct text body = text_format(&fixture->arena,
                                   "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\">"
                                   "<service uri=\"sip:%s@example.com\"><list/></service></rls-services>",
                                   name);
    struct answer answer = ASK_XCAP(fixture, "PUT", SERVICES, "alice", {"Content-Type: application/rls-services+xml"},
                                    text_cstring(&fixture->arena, body));
    assert_true(answer.status == 200 || answer.status == 201);
}

static void what_was_made_is_made_anew_while_changes_cannot_be_read(void **state)
{
    (void)state;
    static const enum store_call calls[] = {STORE_CALL_LAST, STORE_CALL_CHANGES};
    for (size_t i = 0; i < 2; i++) {
        const struct store_fault fault = {calls[i], 1, 0, FAILED, false};
        put_service("first");
        struct answer answer = ASK_XCAP(fixture, "GET", INDEX, "rls");
        assert_true(answer_holds(&answer, "sip:first@example.com"));
        store_faulty_set(store, &fault, 1);
        for (int again = 0; again < 2; again++) {
            put_service(again ? "second" : "third");
            answer = ASK_XCAP(fixture, "GET", INDEX, "rls");
            assert_true(answer_holds(&answer, again ? "sip:second@example.com" : "sip:third@example.com"));
        }
        store_faulty_set(store, NULL, 0);
    }
}

static void monitoring_sees_a_store_that_cannot_be_read(void **state)
{
    (void)state;
    struct arena *arena = &fixture->arena;
    service_set_ready(fixture->service, true);
    const struct store_fault fault = {STORE_CALL_LIST, 1, 0, FAILED, false};
    store_faulty_set(store, &fault, 1);
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/readyz"}).status, 503);
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/livez"}).status, 200);
    store_faulty_set(store, NULL, 0);
    assert_int_equal(ask_with(arena, fixture->management, &(struct ask){"GET", "/readyz"}).status, 200);
}

#define FAULT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(whatever_fails_is_told_and_changes_nothing),
        FAULT_TEST(the_answer_is_that_of_the_failure),
        FAULT_TEST(a_lost_answer_is_read_back_or_said_to_be_uncertain),
        FAULT_TEST(what_was_made_is_made_anew_while_changes_cannot_be_read),
        FAULT_TEST(monitoring_sees_a_store_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
