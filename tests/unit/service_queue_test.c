/* What waits for users over HTTP: their own list by XCAP, the queue and the erasure of a user by the admin API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer_json.h"
#include "assert_text.h"
#include "deferred.h"
#include "fate.h"
#include "history.h"
#include "service_tests.h"

#define LIST "/xcap-root/org.openmobilealliance.deferred-list/users/sip:alice@example.com/deferred-list"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice bob chief");
}

static uint64_t order;

/* One more message that waits, with its trace. */
static struct text defer(struct text owner, const char *subject)
{
    struct arena *arena = &fixture->arena;
    order = deferred_order(order, 1767607200000);
    struct deferred deferred = {
        .owner = owner,
        .reference = deferred_reference(order, DEFERRED_NORMAL, arena),
        .content = deferred_content_name(order, arena),
        .message_id = text_format(arena, "m%llu", (unsigned long long)order),
        .sender = TEXT("sip:bob@example.com"),
        .from = TEXT("\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
        .subject = text_of(subject),
        .size = 5,
        .received_ms = 1767607200000,
        .expires_ms = 4000000000000,
        .away = true,
    };
    struct fate fate = {.message_id = deferred.message_id, .sender = deferred.sender, .recipient = owner};
    fate = fate_with(&fate, FATE_STORED, 1767607200000, TEXT(""), arena);
    struct commit commits[] = {deferred_content_commit(deferred.content, TEXT("hello"), arena),
                               deferred_commit(&deferred, arena), fate_commit(&fate, arena)};
    assert_int_equal(document_internal_commit(fixture->documents, commits, 3), OK);
    return deferred.reference;
}

#define ALICE TEXT("sip:alice@example.com")
#define BOB   TEXT("sip:bob@example.com")

static const char *string_of(struct text text)
{
    return text_cstring(&fixture->arena, text);
}

static const char *element_of(struct text reference)
{
    return string_of(text_format(
        &fixture->arena, LIST "/~~/history-list/history%%5b@history-reference=%%22%.*s%%22%%5d", TEXT_ARG(reference)));
}

static void holds(struct answer answer, const char *part, bool expected)
{
    if (answer_holds(&answer, part) != expected)
        fail_msg("%s: %.*s", part, TEXT_ARG(answer.body));
}

static uint64_t waiting(struct text owner)
{
    struct deferred_figures figures;
    assert_int_equal(deferred_figures(fixture->documents, owner, &figures), OK);
    return figures.count;
}

static size_t stored(const char *usage)
{
    const struct document_key prefix = {.usage = text_of(usage)};
    struct key_page page;
    assert_int_equal(document_internal_list(fixture->documents, &prefix, NULL, 100, &fixture->arena, &page), OK);
    return page.count;
}

static void an_owner_sees_what_waits_as_its_sender_let_him_see(void **state)
{
    (void)state;
    struct text first = defer(ALICE, "lunch");
    defer(ALICE, "dinner");
    defer(BOB, "not for alice");
    struct answer answer = ASK_XCAP(fixture, "GET", LIST, "alice");
    assert_int_equal(answer.status, 200);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/vnd.oma.im.deferred-list+xml");
    holds(answer, string_of(first), true);
    holds(answer, "<subject>lunch</subject>", true);
    holds(answer, "<subject>dinner</subject>", true);
    holds(answer, "not for alice", false);
    holds(answer, "anonymous.invalid", true);
    holds(answer, "sip:bob@example.com", false);
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST, "bob").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "GET", element_of(first), "alice").status, 200);
}

static int64_t listed_ms(void)
{
    int64_t when_ms;
    assert_int_equal(deferred_listed(fixture->documents, ALICE, &fixture->arena, &when_ms), OK);
    return when_ms;
}

/* For who counts new and old messages: by the owner alone, and not at every look. */
static void what_an_owner_has_read_is_known(void **state)
{
    (void)state;
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST, "alice").status, 200);
    assert_int_equal(listed_ms(), 0);
    defer(ALICE, "lunch");
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST, "chief").status, 200);
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST "?limit=1", "alice").status, 200);
    assert_int_equal(ASK_XCAP(fixture, "HEAD", LIST, "alice").status, 200);
    assert_int_equal(listed_ms(), 0);
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST, "alice").status, 200);
    int64_t first_ms = listed_ms();
    assert_true(first_ms > 0);
    assert_int_equal(stored(DOCUMENT_LOOKS), 1);
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST, "alice").status, 200);
    assert_int_equal(listed_ms(), first_ms);
}

static void an_owner_deletes_a_message_that_waits(void **state)
{
    (void)state;
    struct text first = defer(ALICE, "lunch"), second = defer(ALICE, "dinner");
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(first), "bob").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(first), "alice").status, 200);
    assert_int_equal(waiting(ALICE), 1);
    assert_int_equal(stored(DOCUMENT_CONTENTS), 1);
    assert_int_equal(stored(DOCUMENT_LOOKS), 1);
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_user(fixture->documents, ALICE, 10, &fixture->arena, &fates, &count), OK);
    size_t deleted = 0;
    for (size_t i = 0; i < count; i++)
        deleted += fates[i].steps[fates[i].steps_count - 1].kind == FATE_DELETED;
    assert_int_equal(deleted, 1);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(first), "alice").status, 404);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LIST, "alice").status, 200);
    assert_int_equal(waiting(ALICE), 0);
    assert_int_equal(stored(DOCUMENT_CONTENTS), 0);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(second), "alice").status, 404);
}

static void ten_thousand_that_wait_are_a_list_of_bounded_size(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    struct text first = defer(ALICE, "again"), last = first;
    for (int i = 1; i < MANY; i++)
        last = defer(ALICE, "again");
    struct answer answer = ASK_XCAP(fixture, "GET", LIST, "alice");
    assert_int_equal(answer.status, 200);
    assert_true(answer.body.length < 1u << 20);
    holds(answer, string_of(first), true);
    holds(answer, string_of(last), false);
    assert_int_equal(ASK_XCAP(fixture, "GET", LIST "?limit=10", "alice").status, 200);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LIST, "alice").status, 200);
    assert_int_equal(waiting(ALICE), 0);
}

static json_int_t number(struct answer answer, const char *path)
{
    json_t *json;
    json_int_t value = json_integer_value(answer_json(&answer, path, &json));
    json_decref(json);
    return value;
}

static const char *member(struct answer answer, const char *path)
{
    json_t *json;
    const char *value = json_string_value(answer_json(&answer, path, &json));
    value = string_of(text_of(value ? value : ""));
    json_decref(json);
    return value;
}

static void an_admin_sees_what_waits_for_whom_and_why(void **state)
{
    (void)state;
    defer(ALICE, "one");
    defer(ALICE, "two");
    defer(BOB, "three");
    struct answer answer = ASK_ADMIN(fixture, "GET", "/api/v1/queue?limit=2");
    assert_int_equal(answer.status, 200);
    assert_int_equal(number(answer, "count"), 3);
    assert_int_equal(number(answer, "bytes"), 15);
    holds(answer, "\"recipient\": \"sip:alice@example.com\"", true);
    holds(answer, "\"sender\": \"sip:bob@example.com\"", true);
    holds(answer, "\"why\": \"recipient was away\"", true);
    holds(answer, "\"since\": \"2026-01-05T10:00:00", true);
    holds(answer, "three", false);
    struct text next = text_format(&fixture->arena, "/api/v1/queue?limit=2&after=%s", member(answer, "next"));
    answer = ASK_ADMIN(fixture, "GET", string_of(next));
    holds(answer, "three", true);
    holds(answer, "\"next\"", false);
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/users/alice/queue?limit=1");
    assert_int_equal(number(answer, "count"), 2);
    holds(answer, "one", true);
    next = text_format(&fixture->arena, "/api/v1/users/alice/queue?after=%s", member(answer, "next"));
    answer = ASK_ADMIN(fixture, "GET", string_of(next));
    holds(answer, "two", true);
    holds(answer, "one", false);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/queue?after=nonsense").status, 400);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users/%20/queue").status, 404);
}

static void an_admin_sees_what_is_left_to_be_fetched(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        defer(ALICE, "one");
    defer(BOB, "other");
    struct answer answer = ASK_ADMIN(fixture, "GET", "/api/v1/queue");
    holds(answer, "\"way\": \"message\"", true);
    holds(answer, "\"way\": \"fetch\"", false);
    defer(ALICE, "one too many");
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/users/alice/queue");
    holds(answer, "\"way\": \"fetch\"", true);
    holds(answer, "\"why\": \"so many wait that they are left to be fetched\"", true);
    holds(answer, "\"way\": \"message\"", false);
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/users/bob/queue");
    holds(answer, "\"way\": \"message\"", true);
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/queue");
    holds(answer, "\"way\": \"message\"", true);
    holds(answer, "\"way\": \"fetch\"", true);
}

static void an_admin_drops_messages_and_has_them_tried(void **state)
{
    (void)state;
    struct text one = defer(ALICE, "one");
    defer(ALICE, "two");
    struct text target = text_format(&fixture->arena, "/api/v1/users/alice/queue?reference=%.*s", TEXT_ARG(one));
    assert_int_equal(number(ASK_ADMIN(fixture, "DELETE", string_of(target)), "dropped"), 1);
    assert_int_equal(ASK_ADMIN(fixture, "DELETE", string_of(target)).status, 404);
    assert_int_equal(waiting(ALICE), 1);
    struct answer retry = ASK_ADMIN(fixture, "POST", "/api/v1/users/alice/queue/retry");
    assert_int_equal(retry.status, 202);
    assert_int_equal(number(retry, "waiting"), 1);
    struct deferred_asked *asked;
    size_t count;
    assert_int_equal(deferred_looks(fixture->documents, 10, &fixture->arena, &asked, &count), OK);
    assert_int_equal(count, 2); /* that it changed, and that it is to be tried */
    assert_int_equal(asked[1].look, DEFERRED_LOOK_RETRY);
    assert_int_equal(number(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice/queue"), "dropped"), 1);
    assert_int_equal(waiting(ALICE), 0);
}

/* What is misspelt would be answered as another request: all dropped where one was meant. */
static void a_parameter_that_is_not_known_drops_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "/queue?refrence=x",      "/queue?Reference=x", "/queue?%72eference=x",
        "/queue?reference=x&y=z", "/queue?all",         "/queue?reference=x&reference=y",
        "?everthing=true",        "?%65verything=true", "?everything=true&everything=true"};
    defer(ALICE, "one");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct text target = text_format(&fixture->arena, "/api/v1/users/alice%s", wrong[i]);
        assert_int_equal(ASK_ADMIN(fixture, "DELETE", string_of(target)).status, 400);
    }
    struct answer answer = ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice/queue?refrence=x");
    assert_string_equal(member(answer, "error"), "There is no parameter 'refrence' here, only: reference.");
    answer = ASK_ADMIN(fixture, "DELETE", "/api/v1/groups/sip:team@example.com?x");
    assert_string_equal(member(answer, "error"), "There is no parameter 'x' here.");
    assert_int_equal(waiting(ALICE), 1);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users/alice").status, 200);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/queue?&limit=1&").status, 200);
}

/* Who has no account may have messages that wait; who has neither is misspelt. */
static void who_has_neither_account_nor_messages_is_not_found(void **state)
{
    (void)state;
    static const char *const asked[][2] = {{"GET", ""}, {"DELETE", ""}, {"POST", "/retry"}};
    for (size_t i = 0; i < 3; i++) {
        struct text nobody = text_format(&fixture->arena, "/api/v1/users/alcie/queue%s", asked[i][1]);
        struct text bob = text_format(&fixture->arena, "/api/v1/users/bob/queue%s", asked[i][1]);
        assert_int_equal(ASK_ADMIN(fixture, asked[i][0], string_of(nobody)).status, 404);
        assert_int_equal(ASK_ADMIN(fixture, asked[i][0], string_of(bob)).status / 100, 2);
    }
    defer(TEXT("sip:gone@example.com"), "one");
    assert_int_equal(number(ASK_ADMIN(fixture, "GET", "/api/v1/users/gone/queue"), "count"), 1);
    assert_int_equal(number(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/gone/queue"), "dropped"), 1);
}

static void a_user_is_erased_and_the_record_stays(void **state)
{
    (void)state;
    defer(ALICE, "one");
    assert_int_equal(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice?everything=no").status, 400);
    struct answer answer = ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice?everything=true");
    assert_int_equal(answer.status, 200);
    assert_string_equal(member(answer, "address"), "sip:alice@example.com");
    assert_true(text_starts_with(text_of(member(answer, "by")), TEXT("admin at 127.0.0.1:")));
    assert_int_equal(number(answer, "erased.account"), 1);
    assert_int_equal(number(answer, "erased.messages"), 1);
    assert_int_equal(number(answer, "erased.traces"), 1);
    assert_int_equal(waiting(ALICE), 0);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users/alice").status, 404);
    answer = ASK_ADMIN(fixture, "GET", "/api/v1/erasures");
    holds(answer, "sip:alice@example.com", true);
    holds(answer, "\"ended\"", true);
    answer = ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice?everything=true");
    assert_int_equal(number(answer, "erased.account"), 0);
    answer =
        ASK_ADMIN(fixture, "GET", "/api/v1/erasures?limit=1"); /* which is first, if both began in one millisecond? */
    struct text rest = text_format(&fixture->arena, "/api/v1/erasures?after=%s", member(answer, "next"));
    struct answer second = ASK_ADMIN(fixture, "GET", string_of(rest));
    assert_int_equal(number(answer, "erasures.0.erased.account") + number(second, "erasures.0.erased.account"), 1);
    assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/users/bob").status, 200);
}

static void write_history(struct text owner, int entries)
{
    struct arena *arena = &fixture->arena;
    for (int i = 0; i < entries; i++) {
        struct history_entry entry = {.owner = owner, .when_ms = 1767607200000 + i, .until_ms = 4000000000000};
        history_name(&entry, TEXT("hello"), arena);
        struct commit commits[] = {history_commit_message(TEXT("hello"), arena), history_commit(&entry, arena)};
        assert_int_equal(document_internal_commit(fixture->documents, commits, 2), OK);
    }
}

static uint64_t history_count(struct text owner)
{
    struct history_figures figures;
    assert_int_equal(history_figures(fixture->documents, owner, &figures), OK);
    return figures.count;
}

static void an_account_takes_its_history_along(void **state)
{
    (void)state;
    write_history(ALICE, HISTORY_REMOVE_MAX + 1);
    write_history(BOB, 1);
    defer(ALICE, "one");
    assert_int_equal(ASK_ADMIN(fixture, "DELETE", "/api/v1/users/alice").status, 204);
    assert_int_equal(history_count(ALICE), 0);
    assert_int_equal(history_count(BOB), 1);
    assert_int_equal(waiting(ALICE), 1);
}

static void erasures_go_on_only_after_what_a_page_named(void **state)
{
    static const char *const wrong[] = {"", "nonsense", "7fffff", "7ffffe646a1b2c3d0011223344556677Z", "..", "%00"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct text path = text_format(&fixture->arena, "/api/v1/erasures?after=%s", wrong[i]);
        assert_int_equal(ASK_ADMIN(fixture, "GET", string_of(path)).status, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_owner_sees_what_waits_as_its_sender_let_him_see, begin, end),
        cmocka_unit_test_setup_teardown(an_owner_deletes_a_message_that_waits, begin, end),
        cmocka_unit_test_setup_teardown(what_an_owner_has_read_is_known, begin, end),
        cmocka_unit_test_setup_teardown(ten_thousand_that_wait_are_a_list_of_bounded_size, begin, end),
        cmocka_unit_test_setup_teardown(an_admin_sees_what_waits_for_whom_and_why, begin, end),
        cmocka_unit_test_setup_teardown(an_admin_sees_what_is_left_to_be_fetched, begin, end),
        cmocka_unit_test_setup_teardown(an_admin_drops_messages_and_has_them_tried, begin, end),
        cmocka_unit_test_setup_teardown(a_parameter_that_is_not_known_drops_nothing, begin, end),
        cmocka_unit_test_setup_teardown(who_has_neither_account_nor_messages_is_not_found, begin, end),
        cmocka_unit_test_setup_teardown(a_user_is_erased_and_the_record_stays, begin, end),
        cmocka_unit_test_setup_teardown(an_account_takes_its_history_along, begin, end),
        cmocka_unit_test_setup_teardown(erasures_go_on_only_after_what_a_page_named, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
