/* Runs the .case files of tests/cases, whose form is described in the README there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "case_file.h"
#include "xcap_edit.h"
#include "xcap_target.h"
#include <cmocka.h>

#define HOME "/xcap-root/test/users/sip:ann@example.net/index/~~/"

struct xcap_case {
    struct arena *arena;
    const char *file;
    struct text namespace, document; /* hold for all cases that follow */
    struct text title, request, body, expect, gives, contains, ancestor;
    unsigned run, failed;
};

static void complain(struct xcap_case *test, const char *what, struct text seen)
{
    print_error("%s: %.*s\n    %s: %.*s\n", test->file, TEXT_ARG(test->title), what, TEXT_ARG(seen));
    test->failed++;
}

static struct text answer_of(enum status status, bool created, const struct refusal *refusal, struct arena *arena)
{
    if (status == OK)
        return created ? TEXT("201") : TEXT("200");
    if (status == NOT_FOUND)
        return TEXT("404");
    switch (refusal->kind) {
    case REFUSAL_SYNTAX: return TEXT("400");
    case REFUSAL_ABSENT: return TEXT("404");
    case REFUSAL_METHOD: return TEXT("405");
    case REFUSAL_CONFLICT: return text_format(arena, "409 %s", refusal->element);
    default: return text_format(arena, "refusal %d", refusal->kind);
    }
}

static enum status select_node(struct xcap_case *test, struct text node, struct xcap_selector *selector_out,
                               struct refusal *refusal)
{
    static const struct text root = TEXT_INIT("/xcap-root/");
    struct xcap_target target;
    struct text raw = text_join(test->arena, TEXT(HOME), node);
    if (xcap_target_parse(raw, &root, 1, test->arena, &target, refusal) != OK)
        return REFUSED;
    return xcap_selector_parse(target.node, target.query, test->namespace, test->arena, selector_out, refusal);
}

static void check_put_again(struct xcap_case *test, struct text document, const struct xcap_selector *selector)
{
    struct text node, body = text_trim(test->body);
    if (xcap_get(document, selector, test->arena, &node) != OK)
        complain(test, "what was put cannot be read from", document);
    else if (!text_equal(node, body) && (selector->terminal != XCAP_ATTRIBUTE || strchr("\"'", body.bytes[0])))
        complain(test, "what was put reads as", node);
}

static void check_ancestor(struct xcap_case *test, struct text content)
{
    bool none = text_equal(test->ancestor, TEXT("none"));
    struct text expected = text_format(test->arena, "<ancestor>%.*s</ancestor>", TEXT_ARG(test->ancestor));
    if (test->ancestor.length && !text_equal(content, none ? TEXT("") : expected))
        complain(test, "the ancestor is", content);
}

static void run_case(void *context)
{
    struct xcap_case *test = context;
    struct xcap_selector selector;
    struct refusal refusal = {0};
    struct text method, node, result = {0};
    bool created = false;
    test->run++;
    text_cut(test->request, ' ', &method, &node);
    enum status status = select_node(test, node, &selector, &refusal);
    bool put = text_equal(method, TEXT("PUT"));
    if (status == OK && put)
        status = xcap_put(test->document, &selector, test->body, test->arena, &result, &created, &refusal);
    else if (status == OK && text_equal(method, TEXT("DELETE")))
        status = xcap_delete(test->document, &selector, test->arena, &result, &refusal);
    else if (status == OK)
        status = xcap_get(test->document, &selector, test->arena, &result);
    struct text answer = answer_of(status, created, &refusal, test->arena);
    if (!text_equal(answer, test->expect))
        complain(test, "answered", answer);
    else if (status == OK && put)
        check_put_again(test, result, &selector);
    if (status == OK && test->gives.bytes && !text_equal(result, test->gives))
        complain(test, "gave", result);
    if (status == OK && text_find(result, test->contains) == result.length && test->contains.length)
        complain(test, "gave", result);
    check_ancestor(test, refusal.content);
}

static void begin_file(void *context, const char *path)
{
    struct xcap_case *test = context;
    test->file = path;
}

static void every_case_is_answered_as_it_says(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "case");
    struct xcap_case test = {.arena = &arena};
    const struct case_key keys[] = {
        {"namespace", CASE_HOLDS, &test.namespace},
        {"document", CASE_HOLDS, &test.document},
        {"case", CASE_TITLE, &test.title},
        {"request", CASE_ONCE, &test.request},
        {"body", CASE_ONCE, &test.body},
        {"expect", CASE_ONCE, &test.expect},
        {"gives", CASE_ONCE, &test.gives},
        {"contains", CASE_ONCE, &test.contains},
        {"ancestor", CASE_ONCE, &test.ancestor},
    };
    struct case_file file = {keys, sizeof(keys) / sizeof(keys[0]), run_case, &test, &arena, 0};
    assert_true(case_files_run("tests/cases/*.case", &file, begin_file));
    assert_true(test.run > 100);
    if (test.failed || file.unknown)
        fail_msg("%u complaints about %u cases, %u lines not known", test.failed, test.run, file.unknown);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_answered_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
