/* What every store engine promises about indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "arena.h"
#include "store.h"
#include "store_engines.h"
#include "store_index.h"
#include "word_index.h"

static const struct store_index users = {TEXT_INIT("u"), true}, nobody = {TEXT_INIT("u"), false};

static int begin_indexed(void **state)
{
    rules = RULES;
    if (begin(state) != 0)
        return -1;
    store_indexer_set(store, index_words, &rules);
    return 0;
}

static void begin_both(void)
{
    assert_int_equal(store_index_begin(store, &users, RULES), OK);
    assert_int_equal(store_index_begin(store, &nobody, RULES), OK);
}

static struct store_look_up equal(char field, const char *value)
{
    return (struct store_look_up){
        .kind = STORE_LOOK_UP_ENTRY, .field = field_of(field), .value = text_of(value), .whole = true};
}

static struct store_look_up begins(char field, const char *value)
{
    struct store_look_up look_up = equal(field, value);
    look_up.whole = false;
    return look_up;
}

/* Owner/name of what is found. */
static const char *found_in(const struct store_index *index, struct store_look_up look_up)
{
    struct text_builder names;
    struct document_key *keys;
    size_t count;
    builder_init(&names, &arena);
    enum status status = store_index_find(store, index, RULES, &look_up, 100, &arena, &keys, &count);
    if (status != OK)
        return status_name(status);
    for (size_t i = 0; i < count; i++)
        builder_add_format(&names, "%s%.*s/%.*s", i ? " " : "", TEXT_ARG(keys[i].owner), TEXT_ARG(keys[i].name));
    return text_cstring(&arena, builder_text(&names));
}

static const char *found(struct store_look_up look_up)
{
    return found_in(&users, look_up);
}

static void say(void *problems, struct text line)
{
    print_message("%.*s\n", TEXT_ARG(line));
    ++*(int *)problems;
}

static void assert_sound(void)
{
    int problems = 0;
    assert_int_equal(store_check(store, say, &problems), OK);
    assert_int_equal(store_index_check(store, &users, RULES, say, &problems), OK);
    assert_int_equal(store_index_check(store, &nobody, RULES, say, &problems), OK);
    assert_int_equal(problems, 0);
}

static void entries_lead_to_their_documents(void **state)
{
    (void)state;
    begin_both();
    put(key("u", "carol", "1"), "a:red b:round");
    put(key("u", "bob", "2"), "a:red b:square");
    put(key("u", "bob", "1"), "a:reddish");
    put(key("v", "bob", "1"), "a:red");
    put(key("u", "", "1"), "a:red");
    assert_string_equal(found(equal('a', "red")), "bob/2 carol/1");
    assert_string_equal(found(begins('a', "red")), "bob/1 bob/2 carol/1");
    assert_string_equal(found(begins('b', "")), "bob/2 carol/1");
    assert_string_equal(found(equal('b', "red")), "");
    assert_string_equal(found(equal('c', "red")), "");
    assert_string_equal(found_in(&nobody, equal('a', "red")), "/1");
    assert_sound();
}

static void look_ups_are_joined(void **state)
{
    (void)state;
    begin_both();
    for (int i = 0; i < 40; i++)
        put(key("u", "o", text_cstring(&arena, text_format(&arena, "%02d", i))),
            text_cstring(&arena, text_format(&arena, "a:%s b:%d c:x", i % 2 ? "odd" : "even", i / 4)));
    const struct store_look_up odd = equal('a', "odd"), five = equal('b', "5"), six = equal('b', "6");
    const struct store_look_up joined = {.kind = STORE_LOOK_UP_ALL, .a = &odd, .b = &five};
    const struct store_look_up either = {.kind = STORE_LOOK_UP_ANY, .a = &five, .b = &six};
    const struct store_look_up both = {.kind = STORE_LOOK_UP_ALL, .a = &either, .b = &odd};
    const struct store_look_up everything = equal('c', "x"), none = equal('b', "no");
    const struct store_look_up and_none = {.kind = STORE_LOOK_UP_ALL, .a = &everything, .b = &none};
    const struct store_look_up or_none = {.kind = STORE_LOOK_UP_ANY, .a = &none, .b = &five};
    assert_string_equal(found(joined), "o/21 o/23");
    assert_string_equal(found(either), "o/20 o/21 o/22 o/23 o/24 o/25 o/26 o/27");
    assert_string_equal(found(both), "o/21 o/23 o/25 o/27");
    assert_string_equal(found(and_none), "");
    assert_string_equal(found(or_none), "o/20 o/21 o/22 o/23");
}

static void a_long_list_is_joined_to_a_short_one(void **state)
{
    (void)state;
    static struct commit commits[2000];
    const struct store_look_up rare = equal('a', "rare"), common = equal('c', "x");
    const struct store_look_up both = {.kind = STORE_LOOK_UP_ALL, .a = &common, .b = &rare};
    begin_both();
    for (int i = 0; i < 2000; i++) {
        const char *bytes = i % 700 == 7 ? "a:rare c:x" : i % 700 == 9 ? "a:rare" : "c:x";
        commits[i] =
            change(key("u", "o", text_cstring(&arena, text_format(&arena, "%04d", i))), VERSION_ANY, text_of(bytes));
    }
    assert_int_equal(store_commit(store, commits, COUNT(commits)), OK);
    assert_string_equal(found(both), "o/0007 o/0707 o/1407");
}

static void entries_follow_each_change(void **state)
{
    (void)state;
    begin_both();
    uint64_t version = put(key("u", "o", "x"), "a:one b:two");
    put(key("u", "o", "x"), "a:one b:three");
    assert_string_equal(found(equal('b', "two")), "");
    assert_string_equal(found(equal('b', "three")), "o/x");
    struct commit late = change(key("u", "o", "x"), version, TEXT("a:late"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    assert_string_equal(found(equal('a', "late")), "");
    struct commit several[] = {change(key("u", "o", "x"), VERSION_ANY, TEXT("a:four")),
                               removal(key("u", "o", "x"), VERSION_ANY),
                               change(key("u", "o", "x"), VERSION_ANY, TEXT("a:five")),
                               change(key("u", "o", "y"), VERSION_ANY, TEXT("a:five a:five"))};
    assert_int_equal(store_commit(store, several, COUNT(several)), OK);
    assert_string_equal(found(begins('a', "f")), "o/x o/y");
    done(removal(key("u", "o", "x"), VERSION_ANY));
    assert_string_equal(found(begins('a', "")), "o/y");
    assert_sound();
}

static void a_document_may_be_found_by_everything(void **state)
{
    (void)state;
    begin_both();
    put(key("u", "o", "large"), "*");
    put(key("u", "o", "small"), "a:x");
    assert_string_equal(found(equal('a', "x")), "o/large o/small");
    assert_string_equal(found(equal('b', "y")), "o/large");
    put(key("u", "o", "large"), "b:y");
    assert_string_equal(found(equal('a', "x")), "o/small");
    assert_sound();
}

static void more_than_is_wanted_is_full(void **state)
{
    (void)state;
    struct document_key *keys;
    size_t count;
    const struct store_look_up same = equal('a', "same"), begun = begins('a', "sa");
    begin_both();
    for (int i = 0; i < 10; i++)
        put(key("u", "o", text_cstring(&arena, text_format(&arena, "%d", i))), "a:same");
    assert_int_equal(store_index_find(store, &users, RULES, &same, 10, &arena, &keys, &count), OK);
    assert_int_equal(count, 10);
    assert_int_equal(store_index_find(store, &users, RULES, &same, 9, &arena, &keys, &count), FULL);
    assert_int_equal(count, 9);
    assert_int_equal(store_index_find(store, &users, RULES, &begun, 3, &arena, &keys, &count), FULL);
    assert_int_equal(count, 3);
}

static void assert_ready(bool wanted)
{
    bool ready;
    assert_int_equal(store_index_ready(store, &users, RULES, &ready), OK);
    assert_int_equal(ready, wanted);
}

static void an_index_answers_when_it_is_ready(void **state)
{
    (void)state;
    struct store_index_work work;
    bool ready;
    put(key("u", "o", "x"), "a:one");
    assert_ready(false);
    assert_string_equal(found(equal('a', "one")), status_name(NOT_FOUND));
    assert_int_equal(store_index_begin(store, &users, RULES), CONFLICT);
    assert_int_equal(store_index_begin(store, &nobody, RULES), OK);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_int_equal(work.documents, 1);
    assert_int_equal(work.entries, 1);
    assert_ready(true);
    assert_string_equal(found(equal('a', "one")), "o/x");
    assert_int_equal(store_index_ready(store, &users, RULES + 1, &ready), OK);
    assert_false(ready);
    assert_sound();
}

static void other_rules_make_an_index_useless(void **state)
{
    (void)state;
    struct store_index_work work;
    const volatile bool stop = true;
    begin_both();
    put(key("u", "o", "x"), "a:one");
    rules = RULES + 1; /* another manifest, or a program that knows another */
    put(key("u", "o", "y"), "a:one");
    assert_ready(false);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), CONFLICT);
    rules = RULES;
    assert_ready(false);
    assert_int_equal(store_index_build(store, &users, RULES, &stop, &work), CONFLICT);
    assert_ready(false);
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_string_equal(found(equal('a', "one")), "o/x o/y");
    store_indexer_set(store, NULL, NULL); /* of somebody else */
    put(key("u", "o", "z"), "a:two");
    assert_ready(true);
    store_indexer_set(store, NULL, &rules);
    put(key("u", "o", "z"), "a:one");
    assert_ready(false);
    store_indexer_set(store, index_words, &rules);
    put(key("u", "o", "w"), "a:one");
    done(removal(key("u", "o", "x"), VERSION_ANY));
    assert_int_equal(store_index_build(store, &users, RULES, NULL, &work), OK);
    assert_string_equal(found(equal('a', "one")), "o/w o/y o/z");
    assert_sound();
}

/* --- any changes, compared with a look at all documents ----------------------------------------------------------- */

static uint64_t random_state;

static unsigned below(uint64_t *random, unsigned limit)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*random >> 33) % limit;
}

static struct commit random_change(uint64_t *random, struct arena *memory)
{
    struct text_builder bytes;
    struct document_key where = {TEXT("u"), below(random, 5) ? text_format(memory, "o%u", below(random, 4)) : TEXT(""),
                                 text_format(memory, "%u", below(random, 12))};
    bool quiet = below(random, 6) == 0;
    if (below(random, 4) == 0)
        return (struct commit){.key = where, .expected = VERSION_ANY, .deletion = true, .quiet = quiet};
    builder_init(&bytes, memory);
    for (unsigned i = below(random, 6); i > 0; i--)
        builder_add_format(&bytes, "%c:%u ", 'a' + (int)below(random, 3), below(random, 30));
    if (below(random, 40) == 0)
        builder_add(&bytes, TEXT("*"));
    return (struct commit){.key = where, .expected = VERSION_ANY, .bytes = builder_text(&bytes), .quiet = quiet};
}

static bool leads(const struct store_look_up *look_up, const struct store_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entries->list[i].field == 0 ||
            (entries->list[i].field == look_up->field &&
             (look_up->whole ? text_equal(entries->list[i].value, look_up->value)
                             : text_starts_with(entries->list[i].value, look_up->value))))
            return true;
    return false;
}

static const char *found_by_reading(const struct store_index *index, const struct store_look_up *look_up)
{
    const struct document_key prefix = {.usage = index->usage};
    struct text_builder names;
    struct key_page page;
    builder_init(&names, &arena);
    assert_int_equal(store_list(store, &prefix, NULL, STORE_PAGE_MAX, &arena, &page), OK);
    for (size_t i = 0; i < page.count; i++) {
        struct stored stored;
        struct store_entries entries = {0};
        if ((page.keys[i].owner.length > 0) != index->owned)
            continue;
        assert_int_equal(store_get(store, &page.keys[i], &arena, &stored), OK);
        index_words(NULL, &page.keys[i], stored.bytes, &arena, &entries);
        if (leads(look_up, &entries))
            builder_add_format(&names, "%s%.*s/%.*s", names.length ? " " : "", TEXT_ARG(page.keys[i].owner),
                               TEXT_ARG(page.keys[i].name));
    }
    return text_cstring(&arena, builder_text(&names));
}

static void assert_as_read(void)
{
    for (int field = 'a'; field < 'd'; field++)
        for (int i = 0; i < 30; i += 7) {
            const char *value = text_cstring(&arena, text_format(&arena, "%d", i));
            struct store_look_up look_ups[] = {equal((char)field, value), begins((char)field, value)};
            for (int k = 0; k < 4; k++)
                assert_string_equal(found_in(k / 2 ? &users : &nobody, look_ups[k % 2]),
                                    found_by_reading(k / 2 ? &users : &nobody, &look_ups[k % 2]));
        }
}

static void what_is_found_is_what_is_there(void **state)
{
    (void)state;
    struct store_index_work work;
    random_state = 3;
    begin_both();
    for (int round = 0; round < 60; round++) {
        struct commit commits[20];
        size_t count = 1 + below(&random_state, COUNT(commits));
        for (size_t i = 0; i < count; i++)
            commits[i] = random_change(&random_state, &arena);
        assert_int_equal(store_commit(store, commits, count), OK);
        if (round % 10 == 9)
            assert_int_equal(store_index_build(store, round % 20 == 9 ? &users : &nobody, RULES, NULL, &work), OK);
        assert_as_read();
        arena_reset(&arena);
    }
    assert_sound();
}

static atomic_bool ended;

static void *change_on(void *random)
{
    struct arena memory;
    arena_init(&memory, "writer");
    while (!atomic_load(&ended)) {
        struct commit commits[3];
        for (size_t i = 0; i < COUNT(commits); i++)
            commits[i] = random_change(random, &memory);
        if (store_commit(store, commits, COUNT(commits)) != OK)
            abort();
        arena_reset(&memory);
    }
    arena_clear(&memory);
    return NULL;
}

static void an_index_is_built_while_others_write(void **state)
{
    (void)state;
    struct store_index_work work;
    uint64_t randoms[] = {11, 12};
    pthread_t writers[COUNT(randoms)];
    atomic_store(&ended, false);
    for (size_t i = 0; i < COUNT(randoms); i++)
        assert_int_equal(pthread_create(&writers[i], NULL, change_on, &randoms[i]), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(store_index_build(store, i % 2 ? &users : &nobody, RULES, NULL, &work), OK);
    atomic_store(&ended, true);
    for (size_t i = 0; i < COUNT(randoms); i++)
        pthread_join(writers[i], NULL);
    assert_as_read();
    assert_sound();
}

#undef PROMISE
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, begin_indexed, end)

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(entries_lead_to_their_documents),       PROMISE(look_ups_are_joined),
        PROMISE(a_long_list_is_joined_to_a_short_one),  PROMISE(entries_follow_each_change),
        PROMISE(a_document_may_be_found_by_everything), PROMISE(more_than_is_wanted_is_full),
        PROMISE(an_index_answers_when_it_is_ready),     PROMISE(other_rules_make_an_index_useless),
        PROMISE(what_is_found_is_what_is_there),        PROMISE(an_index_is_built_while_others_write),
    };
    return RUN_WITH_EACH_ENGINE(promises);
}
