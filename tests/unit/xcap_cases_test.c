/* Runs the .case files of tests/cases, whose form is described in the README there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "xcap_edit.h"
#include "xcap_target.h"

#define FILE_MAX 65536
#define HOME     "/xcap-root/test/users/sip:ann@example.net/index/~~/"

struct xcap_case {
    struct arena *arena;
    const char *file;
    struct text namespace, document; /* hold for all cases that follow */
    struct text title, request, body, expect, gives, contains, ancestor;
    bool has_gives;
    unsigned run, failed;
};

static struct text *field_of(struct xcap_case *test, struct text key)
{
    const struct {
        const char *key;
        struct text *field;
    } fields[] = {
        {"namespace", &test->namespace}, {"document", &test->document}, {"case", &test->title},
        {"request", &test->request},     {"body", &test->body},         {"expect", &test->expect},
        {"gives", &test->gives},         {"contains", &test->contains}, {"ancestor", &test->ancestor},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (text_equal(key, text_of(fields[i].key)))
            return fields[i].field;
    }
    return NULL;
}

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

static void run_case(struct xcap_case *test)
{
    struct xcap_selector selector;
    struct refusal refusal = {0};
    struct text method, node, result = {0};
    bool created = false;
    if (test->title.length == 0)
        return;
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
    if (status == OK && test->has_gives && !text_equal(result, test->gives))
        complain(test, "gave", result);
    if (status == OK && text_find(result, test->contains) == result.length && test->contains.length)
        complain(test, "gave", result);
    check_ancestor(test, refusal.content);
}

/* What belongs to one case only. */
static void start_case(struct xcap_case *test)
{
    run_case(test);
    test->title = test->request = test->body = test->expect = test->gives = test->contains = test->ancestor = TEXT("");
    test->has_gives = false;
}

static struct text next_line(struct text *rest)
{
    struct text line;
    text_cut(*rest, '\n', &line, rest);
    return line;
}

static struct text read_block(struct text *rest, struct arena *arena)
{
    struct text_builder block;
    builder_init(&block, arena);
    for (bool first = true; text_starts_with(*rest, TEXT("|")); first = false) {
        struct text line = next_line(rest);
        if (!first)
            builder_add_char(&block, '\n');
        builder_add(&block, text_slice(line, line.length > 1 ? 2 : 1, line.length));
    }
    return builder_text(&block);
}

static void run_file(struct xcap_case *test, struct text content)
{
    while (content.length) {
        struct text line = next_line(&content), key, value;
        if (line.length == 0 || line.bytes[0] == '#')
            continue;
        struct text *field = text_cut(line, ':', &key, &value) ? field_of(test, key) : NULL;
        if (!field) {
            complain(test, "this line has no known key", line);
            continue;
        }
        if (field == &test->title || field == &test->document || field == &test->namespace)
            start_case(test);
        *field = text_trim(value).length ? text_slice(value, 1, value.length) : read_block(&content, test->arena);
        test->has_gives |= field == &test->gives;
    }
    start_case(test);
}

static void every_case_is_answered_as_it_says(void **state)
{
    (void)state;
    glob_t files;
    unsigned run = 0, failed = 0;
    assert_int_equal(glob("tests/cases/*.case", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct arena arena;
        arena_init(&arena, "case");
        char *content = arena_alloc(&arena, FILE_MAX);
        FILE *file = fopen(files.gl_pathv[i], "r");
        assert_non_null(file);
        size_t length = fread(content, 1, FILE_MAX, file);
        fclose(file);
        assert_true(length > 0 && length < FILE_MAX);
        struct xcap_case test = {.arena = &arena, .file = files.gl_pathv[i]};
        run_file(&test, (struct text){content, length});
        run += test.run;
        failed += test.failed;
        arena_clear(&arena);
    }
    globfree(&files);
    assert_true(run > 0);
    if (failed)
        fail_msg("%u complaints about %u cases", failed, run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_answered_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
