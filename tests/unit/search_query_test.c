/* The query language: what is read, and that everything else is refused with the place where it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "search_query.h"
#include "test_arena.h"

#define LOOP "for $u in collection(\"c\")/a/b "
#define MADE " return <r>{$u/@i}</r>"

static struct search_query parsed(const char *written)
{
    struct search_query query;
    struct refusal refusal = {0};
    if (search_query_parse(text_of(written), TEXT("urn:d"), &arena, &query, &refusal) != OK)
        fail_msg("%s: %.*s", written, TEXT_ARG(refusal.phrase));
    return query;
}

static struct text complaint_of(const char *written)
{
    struct search_query query;
    struct refusal refusal = {0};
    if (search_query_parse(text_of(written), TEXT("urn:d"), &arena, &query, &refusal) == OK)
        fail_msg("%s: was read", written);
    assert_int_equal(refusal.kind, REFUSAL_CONFLICT);
    assert_string_equal(refusal.element, "constraint-failure");
    return refusal.phrase;
}

/* The condition as it was understood, in brackets. */
static void show(struct text_builder *out, const struct search_expression *e)
{
    static const char *const names[] = {"or",   "and",    "not",    "compare", "contains", "starts",
                                        "ends", "token",  "exists", "empty",   "true",     "false",
                                        "path", "string", "number", "lower",   "upper",    "string-of"};
    static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">="};
    if (!e)
        return;
    switch (e->kind) {
    case SEARCH_PATH: builder_add(out, search_path_text(&e->path, &arena)); return;
    case SEARCH_STRING: builder_add_format(out, "'%.*s'", TEXT_ARG(e->string)); return;
    case SEARCH_NUMBER: builder_add_format(out, "%g", e->number); return;
    default: break;
    }
    builder_add_format(out, "(%s", e->kind == SEARCH_COMPARE ? operators[e->operator] : names[e->kind]);
    const struct search_expression *both[] = {e->left, e->right};
    for (int i = 0; i < 2; i++)
        if (both[i]) {
            builder_add_char(out, ' ');
            show(out, both[i]);
        }
    builder_add_char(out, ')');
}

static void assert_condition(const char *condition, const char *expected)
{
    struct text written = text_format(&arena, LOOP "where %s" MADE, condition);
    struct search_query query = parsed(text_cstring(&arena, written));
    struct text_builder out;
    builder_init(&out, &arena);
    show(&out, query.where);
    assert_text(builder_text(&out), expected);
}

static void a_template_of_the_standard_is_read(void **state)
{
    (void)state;
    struct search_query query =
        parsed("xquery version \"1.0\";\n"
               "declare default element namespace \"urn:oma:xml:poc:list-service\";\n"
               "for $g in collection(\"org.openmobilealliance.groups/users/\")/group/list-service\n"
               "where (contains($g/display-name, \"hik\"))\n"
               "order by $g/display-name descending, lower-case($g/@uri)\n"
               "return <list-service>{$g/@uri}{$g/display-name}</list-service>");
    assert_text(query.collection, "org.openmobilealliance.groups/users/");
    assert_text(query.variable, "g");
    assert_text(search_path_text(&query.path, &arena), "group/list-service");
    assert_text(query.path.steps[1].namespace, "urn:oma:xml:poc:list-service");
    assert_int_equal(query.where->kind, SEARCH_CONTAINS);
    assert_int_equal(query.keys_count, 2);
    assert_true(query.keys[0].descending);
    assert_false(query.keys[1].descending);
    assert_text(query.made->local, "list-service");
    const struct search_item *item = query.made->first;
    assert_text(search_path_text(&item->path, &arena), "@uri");
    assert_text(search_path_text(&item->next->path, &arena), "display-name");
    assert_null(item->next->next);
}

static void names_without_prefix_are_of_the_documents(void **state)
{
    (void)state;
    struct search_query query = parsed(LOOP MADE);
    assert_text(query.path.steps[0].namespace, "urn:d");
    assert_text(query.made->namespace, "urn:d");
    query = parsed("declare default element namespace ''; declare namespace p = \"urn:p&amp;q\"; for $u in "
                   "collection('c')/a/p:b return <p:r>{$u/p:x/@p:y}{$u/*:z}{$u/p:*}</p:r>");
    assert_text(query.path.steps[0].namespace, "");
    assert_text(query.path.steps[1].namespace, "urn:p&q");
    assert_text(query.made->namespace, "urn:p&q");
    assert_text(query.made->first->path.attribute.namespace, "urn:p&q");
    assert_true(query.made->first->next->path.steps[0].any_namespace);
    assert_true(query.made->first->next->next->path.steps[0].any_local);
}

static void conditions_bind_as_in_xquery(void **state)
{
    (void)state;
    assert_condition("$u/a = 'x' or $u/b != 'y' and not($u/c)", "(or (= a 'x') (and (!= b 'y') (not (exists c))))");
    assert_condition("($u/a or $u/b) and $u/@c", "(and (or (exists a) (exists b)) (exists @c))");
    assert_condition("$u/a < 5 and 6 >= $u/a/b", "(and (< a 5) (>= 6 a/b))");
    assert_condition("$u/a eq 'x' and $u/a lt $u/b", "(and (= a 'x') (< a b))");
    assert_condition("lower-case($u/a) = \"it's\" and upper-case($u/text())",
                     "(and (= (lower a) 'it's') (!= (upper text()) ''))");
    assert_condition("fn:starts-with(lower-case($u/a), 'x') or ends-with($u/a,'y') or fn:exists($u/a) or empty($u/b)",
                     "(or (or (or (starts (lower a) 'x') (ends a 'y')) (exists a)) (empty b))");
    assert_condition("$u/s = true() and contains($u, 'x') = false()",
                     "(and (= s (true)) (= (contains . 'x') (false)))");
    assert_condition("$u/a = -1.5e3 (: a number (: really :) :)", "(= a -1500)");
    assert_condition("$u/a = 'don''t' and $u/b = \"&lt;&#x41;\"", "(and (= a 'don't') (= b '<A'))");
}

static void what_is_returned_may_have_text_and_elements(void **state)
{
    (void)state;
    struct search_query query = parsed(LOOP "return <r> <s>{$u/@i, $u/a} b&lt;{{}} </s>{$u}</r>");
    const struct search_item *inner = query.made->first;
    assert_int_equal(inner->kind, SEARCH_ITEM_ELEMENT);
    assert_int_equal(inner->first->path.terminal, SEARCH_ATTRIBUTE);
    assert_text(inner->first->next->next->text, " b&lt;{} ");
    assert_int_equal(inner->next->path.steps_count, 0);
    assert_null(inner->next->next);
}

static void complaints_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *written, *complaint;
    } cases[] = {
        {"", "query, line 1, column 1: 'for' is expected, but here is 'the end'"},
        {"for $u in collection('c')/a\n  where $u//b" MADE,
         "query, line 2, column 11: '//' is not understood here: name all steps"},
        {LOOP "where $ü = 'x'" MADE, "query, line 1, column 37: there is no variable $ü"},
        {LOOP "where $u/é = 'x' and $u/a[1] = 'y'" MADE,
         "query, line 1, column 56: predicates are not understood here: use where"},
        {LOOP "where matches($u/a, 'x')" MADE,
         "query, line 1, column 37: the function 'matches' is not known here: contains, contains-token, "
         "starts-with, ends-with, lower-case, upper-case, string, not, exists, empty, true and false are"},
        {LOOP "let $x := 1" MADE, "query, line 1, column 31: a query has one variable"},
        {LOOP "where display-name = 'x'" MADE,
         "query, line 1, column 37: 'display-name' is no value: paths begin with $u, texts stand in quotes"},
        {LOOP "where 'x' = 5" MADE,
         "query, line 1, column 41: '=' cannot compare these: a text, a number and a condition are different"},
        {LOOP "where $u/a eq 5" MADE,
         "query, line 1, column 42: 'eq' cannot compare these: a text, a number and a condition are different"},
        {LOOP "where p:a = 'x'" MADE,
         "query, line 1, column 37: 'p' is no value: paths begin with $u, texts stand in quotes"},
        {LOOP "where $u/p:a = 'x'" MADE, "query, line 1, column 40: the prefix 'p' is not declared"},
        {LOOP "where $u/a = 'x" MADE, "query, line 1, column 44: the text has no closing quote"},
        {LOOP "where $u/a = 'x&y'" MADE, "query, line 1, column 46: an '&' begins a reference such as &amp;"},
        {LOOP "where $u/a (: where" MADE, "query, line 1, column 42: the comment has no end"},
        {LOOP "return <r x='1'/>",
         "query, line 1, column 41: attributes cannot be written here: an attribute that is found goes into braces"},
        {LOOP "return <r>{$u/a}{$u/@i}</r>", "query, line 1, column 48: attributes come before all other content"},
        {LOOP "return <r>{$u/@i}{$u/a/@i}</r>", "query, line 1, column 49: the element has this attribute already"},
        {LOOP "return <r>{$u/a}</s>", "query, line 1, column 47: the end tag of 'r' is expected"},
        {LOOP "return $u/a",
         "query, line 1, column 38: an element such as <name>{$u/…}</name> is returned, not '$u/a'"},
        {LOOP MADE "x", "query, line 1, column 53: nothing may follow the returned element, but here is 'x'"},
        {LOOP "order by 'x'" MADE,
         "query, line 1, column 40: what is found is ordered by a path, or by lower-case(path)"},
        {"declare variable $x := 1;", "query, line 1, column 9: only namespaces can be declared, not 'variable'"},
        {LOOP "where 'x'" MADE, "query, line 1, column 37: a literal is no condition"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_text(complaint_of(cases[i].written), cases[i].complaint);
}

static void what_xml_cannot_hold_is_no_query(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x01", "\xff", "\xEF\xBF\xBE", "\x1f"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct text written = text_format(&arena, LOOP "return <r>%s</r>", texts[i]);
        assert_text(complaint_of(text_cstring(&arena, written)),
                    "The query has characters that XML cannot hold, or is not UTF-8.");
    }
    assert_text(complaint_of("declare namespace p = 'a&#10;b';"),
                "query, line 1, column 23: a namespace has no white space");
}

static struct text repeated(const char *before, const char *part, size_t count, const char *after)
{
    struct text_builder out;
    builder_init(&out, &arena);
    builder_add(&out, text_of(before));
    for (size_t i = 0; i < count; i++)
        builder_add(&out, text_of(part));
    builder_add(&out, text_of(after));
    return builder_text(&out);
}

static void assert_limit(const char *before, const char *part, size_t most, const char *after, const char *complaint)
{
    struct search_query query;
    struct refusal refusal = {0};
    struct text good = repeated(before, part, most, after), bad = repeated(before, part, most + 1, after);
    if (search_query_parse(good, TEXT(""), &arena, &query, &refusal) != OK)
        fail_msg("%zu of '%s': %.*s", most, part, TEXT_ARG(refusal.phrase));
    assert_int_equal(search_query_parse(bad, TEXT(""), &arena, &query, &refusal), REFUSED);
    if (text_find(refusal.phrase, text_of(complaint)) == refusal.phrase.length)
        fail_msg("%.*s", TEXT_ARG(refusal.phrase));
}

static void every_size_has_a_limit(void **state)
{
    (void)state;
    assert_limit("for $u in collection('c')", "/a", SEARCH_STEPS_MAX, MADE, "steps");
    assert_limit(LOOP "where $u/a", " and $u/a", 170, MADE, "parts"); /* three parts for each */
    assert_limit(LOOP "order by $u/a", ",$u/a", SEARCH_KEYS_MAX - 1, MADE, "keys");
    assert_limit(LOOP "return <r>", "{$u/a}", SEARCH_ITEMS_MAX - 1, "</r>", "parts");
    const char *deep_end = text_cstring(&arena, repeated("$u/a", ")", SEARCH_DEPTH_MAX - 1, MADE));
    assert_limit(LOOP "where ", "(", SEARCH_DEPTH_MAX - 1, deep_end, "levels");
    assert_non_null(complaint_of(text_cstring(&arena, repeated(LOOP "where ", "(", SEARCH_DEPTH_MAX, MADE))).bytes);
    assert_non_null(complaint_of(text_cstring(&arena, repeated(LOOP "return ", "<r>", 5000, ""))).bytes);
    assert_text(complaint_of(text_cstring(&arena, repeated(LOOP, " ", SEARCH_QUERY_MAX, MADE))),
                "The query is longer than 16384 bytes.");
}

static bool count_path(void *context, const struct search_path *path, bool returned)
{
    (void)path;
    size_t *counts = context;
    counts[returned]++;
    return true;
}

static void all_paths_are_told(void **state)
{
    (void)state;
    size_t counts[2] = {0};
    struct search_query query = parsed(LOOP "where $u/a = $u/b or not(contains($u/c,'')) order by $u/d return "
                                            "<r>{$u/e}<s>{$u/f,$u/g}</s></r>");
    assert_true(search_query_paths(&query, count_path, counts));
    assert_int_equal(counts[false], 4);
    assert_int_equal(counts[true], 3);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_template_of_the_standard_is_read),
        test(names_without_prefix_are_of_the_documents),
        test(conditions_bind_as_in_xquery),
        test(what_is_returned_may_have_text_and_elements),
        test(complaints_name_the_place),
        test(what_xml_cannot_hold_is_no_query),
        test(every_size_has_a_limit),
        test(all_paths_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
