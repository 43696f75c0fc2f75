/* What several servers found, page by page: nothing is lost, nothing comes out of order, and what is the same comes
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "search_merge.h"
#include "test_arena.h"

#define SERVERS 4
#define PEOPLE  60

/* One server: people in the order of their names, at most `page` of them at a time. */
struct server {
    struct person {
        int name, number;
    } people[PEOPLE];
    size_t count, page;
    bool down;
};

static struct search_query query;

/* The same numbers in each run. */
static uint32_t below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % limit;
}

static void ask(const char *order)
{
    struct refusal refusal = {0};
    struct text written = text_format(&arena,
                                      "declare default element namespace \"urn:d\"; for $u in collection('c')/a/b %s "
                                      "return <r>{$u/@uri}{$u/name}</r>",
                                      order);
    assert_int_equal(search_query_parse(written, TEXT(""), &arena, &query, &refusal), OK);
}

static struct text made(int name, int number)
{
    return text_format(&arena, "<r xmlns=\"\" uri=\"sip:p%d@example.com\"><name xmlns=\"urn:d\">%03d</name></r>",
                       number, name);
}

static int by_name(const void *a, const void *b)
{
    const struct person *left = a, *right = b;
    return left->name != right->name ? left->name - right->name : left->number - right->number;
}

/* The next page of all, from `places` on, which are moved; false: there is none behind it. */
static bool next_page(const struct server *servers, struct search_place *places, bool *ended, size_t most,
                      struct text_builder *told)
{
    struct search_merge *merge = search_merge_new(&query, SERVERS, &arena);
    const struct text *results;
    size_t from[SERVERS], given[SERVERS];
    bool goes_on = false;
    for (size_t i = 0; i < SERVERS; i++) {
        uint64_t at = 0;
        text_to_u64(places[i].after, &at);
        from[i] = (size_t)at;
        size_t left = ended[i] || servers[i].down ? 0 : servers[i].count - from[i];
        given[i] = left < servers[i].page ? left : servers[i].page;
        for (size_t k = 0; k < given[i]; k++)
            search_merge_add(merge, i,
                             made(servers[i].people[from[i] + k].name, servers[i].people[from[i] + k].number));
        search_merge_place(merge, i, places[i].skip, given[i] < left);
    }
    size_t count = search_merge_results(merge, most, &results);
    assert_true(count <= most);
    for (size_t i = 0; i < count; i++)
        builder_add_format(told, "%.*s\n", TEXT_ARG(results[i]));
    for (size_t i = 0; i < SERVERS; i++) {
        size_t taken = search_merge_taken(merge, i);
        if (ended[i] || servers[i].down)
            continue;
        places[i].skip = taken;
        if (taken == given[i]) {
            places[i].skip = 0;
            places[i].after = text_format(&arena, "%zu", from[i] + given[i]);
        }
        ended[i] = taken == given[i] && from[i] + given[i] == servers[i].count;
        goes_on = goes_on || !ended[i];
    }
    return goes_on;
}

static struct text all_pages(const struct server *servers, size_t most)
{
    struct search_place places[SERVERS] = {0};
    bool ended[SERVERS] = {0};
    struct text_builder told;
    size_t pages = 0;
    builder_init(&told, &arena);
    while (next_page(servers, places, ended, most, &told))
        assert_true(++pages < 4 * SERVERS * PEOPLE); /* each takes something, or goes on to another page of a server */
    return builder_text(&told);
}

static size_t times(struct text told, struct text line)
{
    size_t count = 0;
    struct text one;
    while (text_cut(told, '\n', &one, &told))
        count += text_equal(one, line);
    return count;
}

static void assert_ordered(struct text told)
{
    struct text one, before = {0};
    while (text_cut(told, '\n', &one, &told)) {
        struct text name = text_slice(one, one.length - 14, one.length - 11);
        assert_true(before.length == 0 || text_compare(before, name) <= 0);
        before = name;
    }
}

static void fill(struct server *servers, uint64_t *seed, int numbers)
{
    for (size_t i = 0; i < SERVERS; i++) {
        servers[i] = (struct server){.count = below(seed, PEOPLE), .page = 1 + below(seed, 20)};
        for (size_t k = 0; k < servers[i].count; k++) {
            int number = numbers ? (int)k * numbers + (int)below(seed, (uint32_t)numbers) : (int)(i * PEOPLE + k);
            servers[i].people[k] = (struct person){numbers ? number % 50 : (int)below(seed, 50), number};
        }
        qsort(servers[i].people, servers[i].count, sizeof(servers[i].people[0]), by_name);
    }
}

static void pages_of_all_hold_each_once_and_in_order(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct server servers[SERVERS];
    ask("order by $u/name");
    for (int round = 0; round < 200; round++) {
        arena_reset(&arena);
        ask("order by $u/name");
        fill(servers, &seed, 0);
        struct text told = all_pages(servers, 1 + below(&seed, 25));
        assert_ordered(told);
        size_t lines = 0;
        for (size_t i = 0; i < told.length; i++)
            lines += told.bytes[i] == '\n';
        for (size_t i = 0; i < SERVERS; i++) {
            lines -= servers[i].count;
            for (size_t k = 0; k < servers[i].count; k++)
                assert_int_equal(times(told, made(servers[i].people[k].name, servers[i].people[k].number)), 1);
        }
        assert_int_equal(lines, 0);
    }
}

/* The same people on several servers, under the same names. */
static void what_several_have_is_never_lost(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct server servers[SERVERS];
    for (int round = 0; round < 200; round++) {
        arena_reset(&arena);
        ask("order by $u/name");
        fill(servers, &seed, 3);
        bool in_one_page = round % 2;
        for (size_t i = 0; i < SERVERS && in_one_page; i++)
            servers[i].page = PEOPLE;
        struct text told = all_pages(servers, in_one_page ? SERVERS * PEOPLE : 1 + below(&seed, 25));
        assert_ordered(told);
        for (size_t i = 0; i < SERVERS; i++)
            for (size_t k = 0; k < servers[i].count; k++) {
                size_t often = times(told, made(servers[i].people[k].name, servers[i].people[k].number));
                assert_true(often >= 1);
                assert_true(!in_one_page || often == 1);
            }
    }
}

static void without_an_order_one_comes_after_the_other(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct server servers[SERVERS];
    ask("");
    fill(servers, &seed, 0);
    struct text told = all_pages(servers, 5), one;
    for (size_t i = 0; i < SERVERS; i++)
        for (size_t k = 0; k < servers[i].count; k++) {
            assert_true(text_cut(told, '\n', &one, &told));
            assert_text(one, text_cstring(&arena, made(servers[i].people[k].name, servers[i].people[k].number)));
        }
}

/* What sorts before the page then comes first on the next one. */
static void who_was_away_goes_on_where_he_was(void **state)
{
    (void)state;
    struct server servers[SERVERS] = {{{{1, 1}, {5, 2}, {7, 5}}, 3, 9, false}, {{{2, 3}, {6, 4}}, 2, 9, true}};
    struct search_place places[SERVERS] = {0};
    bool ended[SERVERS] = {0};
    struct text_builder first, second;
    builder_init(&first, &arena);
    builder_init(&second, &arena);
    ask("order by $u/name");
    assert_true(next_page(servers, places, ended, 2, &first));
    servers[1].down = false;
    assert_false(next_page(servers, places, ended, 9, &second));
    assert_int_equal(times(builder_text(&first), made(1, 1)) + times(builder_text(&first), made(5, 2)), 2);
    assert_true(text_starts_with(builder_text(&second), made(2, 3)));
    assert_int_equal(times(builder_text(&second), made(7, 5)), 1);
}

static void places_are_read_as_they_are_written(void **state)
{
    (void)state;
    const struct search_place written[] = {
        {TEXT("home"), 0, TEXT("sip%3Ab/x/0")}, {TEXT("a,b:c"), 12, TEXT("")}, {TEXT("x"), 1, TEXT("ä&")}};
    struct search_place read[3];
    struct text_builder places;
    size_t count;
    builder_init(&places, &arena);
    for (size_t i = 0; i < 3; i++)
        search_place_write(&places, &written[i]);
    assert_text(builder_text(&places), "home:0:sip%253Ab%2Fx%2F0,a%2Cb%3Ac:12:,x:1:%C3%A4%26");
    assert_true(search_places_read(builder_text(&places), &arena, read, 3, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_equal(read[i].name, written[i].name) && text_equal(read[i].after, written[i].after));
        assert_int_equal(read[i].skip, written[i].skip);
    }
    assert_false(search_places_read(builder_text(&places), &arena, read, 2, &count));
}

static void what_are_no_places_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",          "home",         "home:0",     ":0:",       "home:x:",    "home:-1:", "a:0:,",
        "a:0:,A:1:", "home:100001:", "home:0:%C3", "home:0:%0", "home:0:%00", "%:0:",     "home:99999999999999999999:"};
    struct search_place read[4];
    size_t count;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (search_places_read(text_of(wrong[i]), &arena, read, 4, &count))
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_of_all_hold_each_once_and_in_order, begin, end),
        cmocka_unit_test_setup_teardown(what_several_have_is_never_lost, begin, end),
        cmocka_unit_test_setup_teardown(without_an_order_one_comes_after_the_other, begin, end),
        cmocka_unit_test_setup_teardown(who_was_away_goes_on_where_he_was, begin, end),
        cmocka_unit_test_setup_teardown(places_are_read_as_they_are_written, begin, end),
        cmocka_unit_test_setup_teardown(what_are_no_places_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
