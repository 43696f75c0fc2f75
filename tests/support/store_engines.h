/* Engines and words of the tests that state what every store engine promises. A new engine is a new row of
 * `engines`. */
#ifndef SUPPORT_STORE_ENGINES_H
#define SUPPORT_STORE_ENGINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena.h"
#include "scratch.h"
#include "store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct engine {
    const char *name;
    struct store *(*open)(void);
    void (*clean)(void);
};

static char folder[SCRATCH_MAX];
static struct arena arena;
static struct store *store;
static const struct engine *engine;

static inline struct store *open_lmdb(void)
{
    struct text error;
    assert_true(scratch_make(folder, "store_contract"));
    return store_open_lmdb(folder, &arena, &error);
}

static inline void clean_lmdb(void)
{
    assert_int_equal(scratch_remove(folder), 0);
}

static inline void clean_nothing(void)
{
}

static const struct engine engines[] = {
    {"memory", store_open_memory, clean_nothing},
    {"lmdb", open_lmdb, clean_lmdb},
};

static inline int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    store = engine->open();
    return store ? 0 : -1;
}

static inline int end(void **state)
{
    (void)state;
    store_close(store);
    engine->clean();
    arena_clear(&arena);
    return 0;
}

/* --- words of the tests ---------------------------------------------------------------------------------------- */

static inline struct document_key key(const char *usage, const char *owner, const char *name)
{
    return (struct document_key){text_of(usage), text_of(owner), text_of(name)};
}

static inline struct claim unique(const char *value)
{
    return (struct claim){TEXT("uri"), text_of(value), false};
}

static inline struct claim shared(const char *value)
{
    return (struct claim){TEXT("of"), text_of(value), true};
}

static inline struct commit change(struct document_key where, uint64_t expected, struct text bytes)
{
    return (struct commit){.key = where, .expected = expected, .bytes = bytes, .who = TEXT("sip:admin@x")};
}

static inline struct commit removal(struct document_key where, uint64_t expected)
{
    return (struct commit){.key = where, .expected = expected, .deletion = true};
}

static inline struct commit claiming(struct document_key where, const struct claim *claims, size_t count)
{
    struct commit commit = change(where, VERSION_ANY, TEXT("<x/>"));
    commit.claims = claims;
    commit.claims_count = count;
    return commit;
}

/* Commits what must go well; gives its version. */
static inline uint64_t done(struct commit commit)
{
    assert_int_equal(store_commit(store, &commit, 1), OK);
    assert_int_equal(commit.status, OK);
    return commit.version;
}

static inline uint64_t put(struct document_key where, const char *bytes)
{
    return done(change(where, VERSION_ANY, text_of(bytes)));
}

static inline void assert_text(struct text text, struct text wanted)
{
    assert_int_equal(text.length, wanted.length);
    assert_true(text_equal(text, wanted));
}

static inline void assert_key(struct document_key found, struct document_key wanted)
{
    assert_text(found.usage, wanted.usage);
    assert_text(found.owner, wanted.owner);
    assert_text(found.name, wanted.name);
}

static inline void assert_bytes(struct document_key where, const char *bytes)
{
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, text_of(bytes));
}

static inline void assert_absent(struct document_key where)
{
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), NOT_FOUND);
    assert_int_equal(store_head(store, &where, &found), NOT_FOUND);
}

static inline void assert_holder(const char *value, struct document_key wanted)
{
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("uri"), text_of(value), &arena, &found), OK);
    assert_key(found, wanted);
}

static inline void assert_free(const char *value)
{
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("uri"), text_of(value), &arena, &found), NOT_FOUND);
}

/* Names of all documents under the prefix, joined by blanks, read in pages of `limit`. */
static inline const char *names_in_pages(struct document_key prefix, size_t limit)
{
    struct text_builder names;
    struct document_key after;
    struct key_page page = {.more = true};
    builder_init(&names, &arena);
    for (bool first = true; page.more; first = false) {
        assert_int_equal(store_list(store, &prefix, first ? NULL : &after, limit, &arena, &page), OK);
        assert_true(page.count <= limit);
        for (size_t i = 0; i < page.count; i++)
            builder_add_format(&names, "%s%.*s", first && i == 0 ? "" : " ", TEXT_ARG(page.keys[i].name));
        if (page.count)
            after = page.keys[page.count - 1];
        assert_true(page.count == limit || !page.more);
    }
    return text_cstring(&arena, builder_text(&names));
}

static inline const char *holders_in_pages(const char *kind, const char *prefix, size_t limit)
{
    struct text_builder lines;
    struct document_key after;
    struct text after_value;
    struct key_page page = {.more = true};
    builder_init(&lines, &arena);
    for (bool first = true; page.more; first = false) {
        struct text *values;
        assert_int_equal(store_holders(store, text_of(kind), text_of(prefix), first ? NULL : &after_value,
                                       first ? NULL : &after, limit, &arena, &page, &values),
                         OK);
        for (size_t i = 0; i < page.count; i++)
            builder_add_format(&lines, "%s%.*s=%.*s", lines.length ? " " : "", TEXT_ARG(values[i]),
                               TEXT_ARG(page.keys[i].name));
        if (page.count) {
            after = page.keys[page.count - 1];
            after_value = values[page.count - 1];
        }
    }
    return text_cstring(&arena, builder_text(&lines));
}

static inline const char *repeated(char character, size_t count, const char *tail)
{
    char *string = arena_alloc(&arena, count + strlen(tail) + 1);
    memset(string, character, count);
    memcpy(string + count, tail, strlen(tail));
    return string;
}

static const struct document_key all;

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* Gives how many were broken. */
static inline int run_with_each_engine(const struct CMUnitTest *promises, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < COUNT(engines); i++) {
        engine = &engines[i];
        failed += _cmocka_run_group_tests(engine->name, promises, count, NULL, NULL);
    }
    return failed;
}

#define RUN_WITH_EACH_ENGINE(promises) run_with_each_engine(promises, COUNT(promises))

#endif
