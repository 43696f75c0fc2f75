/* Runs the .case files of tests/cases/http, whose form is described in tests/cases/README, on a service over HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "case_file.h"
#include "service_fixture.h"

#define LISTS      "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define LISTS_TYPE "Content-Type: application/resource-lists+xml"

struct http_case {
    struct fixture *fixture;
    const char *file;
    struct text document; /* holds for all cases that follow */
    struct text title, request, as, type, header, body, expect, gives, contains, tag, leaves;
    unsigned run, failed;
};

static void complain(struct http_case *test, const char *what, struct text seen)
{
    print_error("%s: %.*s\n    %s: %.*s\n", test->file, TEXT_ARG(test->title), what, TEXT_ARG(seen));
    test->failed++;
}

static const char *replaced(struct http_case *test, struct text text, const char *word, struct text by)
{
    struct arena *arena = &test->fixture->arena;
    size_t at = text_find(text, text_of(word));
    if (at == text.length)
        return text_cstring(arena, text);
    struct text rest = text_slice(text, at + strlen(word), text.length);
    return text_cstring(arena, text_format(arena, "%.*s%.*s%.*s", (int)at, text.bytes, TEXT_ARG(by), TEXT_ARG(rest)));
}

/* The document of the cases as it is before each, and its tag; empty when there is none. */
static struct text reset(struct http_case *test)
{
    struct fixture *fixture = test->fixture;
    ASK_XCAP(fixture, "DELETE", LISTS, "alice");
    if (test->document.length == 0)
        return TEXT("");
    struct answer put =
        ASK_XCAP(fixture, "PUT", LISTS, "alice", {LISTS_TYPE}, text_cstring(&fixture->arena, test->document));
    if (put.status != 201)
        complain(test, "the document is refused", put.body);
    return answer_header(&put, "ETag", 0);
}

static const char *type_header(const struct http_case *test)
{
    static const char *const known[][2] = {{"lists", LISTS_TYPE},
                                           {"element", "Content-Type: application/xcap-el+xml"},
                                           {"attribute", "Content-Type: application/xcap-att+xml"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (text_equal(test->type, text_of(known[i][0])))
            return known[i][1];
    return test->type.length
               ? text_cstring(&test->fixture->arena,
                              text_format(&test->fixture->arena, "Content-Type: %.*s", TEXT_ARG(test->type)))
               : "X-No-Type: 1";
}

static struct answer ask_case(struct http_case *test, struct text tag)
{
    struct arena *arena = &test->fixture->arena;
    struct text method, target;
    text_cut(test->request, ' ', &method, &target);
    struct ask ask = {
        .method = text_cstring(arena, method),
        .path = replaced(test, target, "$lists", TEXT(LISTS)),
        .user = test->as.length == 0                   ? "alice"
                : text_equal(test->as, TEXT("nobody")) ? NULL
                                                       : text_cstring(arena, test->as),
        .headers = {type_header(test)},
        .body = test->body.bytes ? text_cstring(arena, test->body) : NULL,
    };
    struct text rest = test->header, line;
    for (size_t i = 1; i < 5 && rest.length; i++) {
        text_cut(rest, '\n', &line, &rest);
        ask.headers[i] = replaced(test, line, "$tag", tag);
    }
    return ask_with(arena, test->fixture->xcap, &ask);
}

static void check_answer(struct http_case *test, const struct answer *answer)
{
    struct text code, element;
    text_cut(test->expect, ' ', &code, &element);
    struct text status = text_format(&test->fixture->arena, "%ld", answer->status);
    const char *tag =
        text_cstring(&test->fixture->arena, text_format(&test->fixture->arena, "<%.*s", TEXT_ARG(element)));
    if (!text_equal(status, code) || (element.length && !answer_holds(answer, tag)))
        complain(test, "answered",
                 text_format(&test->fixture->arena, "%ld %.*s", answer->status, TEXT_ARG(answer->body)));
    if (test->gives.bytes && !text_equal(text_trim(answer->body), text_trim(test->gives)))
        complain(test, "gave", answer->body);
    if (test->contains.length && text_find(answer->body, test->contains) == answer->body.length &&
        text_find(answer->headers, test->contains) == answer->headers.length)
        complain(test, "gave", text_join(&test->fixture->arena, answer->headers, answer->body));
}

static void check_tag(struct http_case *test, const struct answer *answer, struct text before)
{
    struct text tag = answer_header(answer, "ETag", 0);
    bool same = text_equal(tag, before);
    bool as_said = text_equal(test->tag, TEXT("same"))  ? same
                   : text_equal(test->tag, TEXT("new")) ? tag.length && !same
                                                        : tag.length == 0;
    if (test->tag.length && !as_said)
        complain(test, "the tag is", tag);
}

/* What stands there afterwards; "same": with its tag. Without the key, a refusal leaves the same. */
static void check_left(struct http_case *test, const struct answer *answer, struct text before)
{
    struct answer left = ASK_XCAP(test->fixture, "GET", LISTS, "alice");
    bool none = left.status == 404;
    bool same = none ? before.length == 0
                     : text_equal(left.body, test->document) && text_equal(answer_header(&left, "ETag", 0), before);
    if (text_equal(test->leaves, TEXT("none")) ? !none
        : test->leaves.length                  ? !text_equal(left.body, test->leaves)
                                               : answer->status >= 300 && !same)
        complain(test, "left", left.body);
}

static void run_case(void *context)
{
    struct http_case *test = context;
    struct text before = reset(test);
    test->run++;
    struct answer answer = ask_case(test, before);
    check_answer(test, &answer);
    check_tag(test, &answer, before);
    check_left(test, &answer, before);
}

static void begin_file(void *context, const char *path)
{
    struct http_case *test = context;
    test->file = path;
}

static void every_http_case_is_answered_as_it_says(void **state)
{
    (void)state;
    struct http_case test = {.fixture = fixture_open(NULL, "")};
    fixture_user(test.fixture, "alice");
    fixture_user(test.fixture, "bob");
    const struct case_key keys[] = {
        {"document", CASE_HOLDS, &test.document},
        {"case", CASE_TITLE, &test.title},
        {"request", CASE_ONCE, &test.request},
        {"as", CASE_ONCE, &test.as},
        {"type", CASE_ONCE, &test.type},
        {"header", CASE_ONCE, &test.header},
        {"body", CASE_ONCE, &test.body},
        {"expect", CASE_ONCE, &test.expect},
        {"gives", CASE_ONCE, &test.gives},
        {"contains", CASE_ONCE, &test.contains},
        {"tag", CASE_ONCE, &test.tag},
        {"leaves", CASE_ONCE, &test.leaves},
    };
    struct case_file file = {keys, sizeof(keys) / sizeof(keys[0]), run_case, &test, &test.fixture->arena, 0};
    assert_true(case_files_run("tests/cases/http/*.case", &file, begin_file));
    assert_true(test.run > 50);
    if (test.failed || file.unknown)
        fail_msg("%u complaints about %u cases, %u lines not known", test.failed, test.run, file.unknown);
    fixture_close(test.fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_http_case_is_answered_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
