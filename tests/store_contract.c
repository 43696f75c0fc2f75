/* What every store engine promises, run over each of them. A new engine is a new row of `engines`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"
#include "store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct engine {
    const char *name;
    struct store *(*open)(void);
    void (*clean)(void);
};

static char folder[128];
static struct arena arena;
static struct store *store;
static const struct engine *engine;

static struct store *open_lmdb(void)
{
    const char *base = getenv("TMPDIR");
    struct text error;
    snprintf(folder, sizeof(folder), "%s/store_contract_XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    return store_open_lmdb(folder, &arena, &error);
}

static void clean_lmdb(void)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void clean_nothing(void)
{
}

static const struct engine engines[] = {
    {"memory", store_open_memory, clean_nothing},
    {"lmdb", open_lmdb, clean_lmdb},
};

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    store = engine->open();
    return store ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    store_close(store);
    engine->clean();
    arena_clear(&arena);
    return 0;
}

/* --- words of the tests ---------------------------------------------------------------------------------------- */

static struct document_key key(const char *usage, const char *owner, const char *name)
{
    return (struct document_key){text_of(usage), text_of(owner), text_of(name)};
}

static struct claim unique(const char *value)
{
    return (struct claim){TEXT("uri"), text_of(value), false};
}

static struct claim shared(const char *value)
{
    return (struct claim){TEXT("of"), text_of(value), true};
}

static struct commit change(struct document_key where, uint64_t expected, struct text bytes)
{
    return (struct commit){.key = where, .expected = expected, .bytes = bytes, .who = TEXT("sip:admin@x")};
}

static struct commit removal(struct document_key where, uint64_t expected)
{
    return (struct commit){.key = where, .expected = expected, .deletion = true};
}

static struct commit claiming(struct document_key where, const struct claim *claims, size_t count)
{
    struct commit commit = change(where, VERSION_ANY, TEXT("<x/>"));
    commit.claims = claims;
    commit.claims_count = count;
    return commit;
}

/* Commits what must go well; gives its version. */
static uint64_t done(struct commit commit)
{
    assert_int_equal(store_commit(store, &commit, 1), OK);
    assert_int_equal(commit.status, OK);
    return commit.version;
}

static uint64_t put(struct document_key where, const char *bytes)
{
    return done(change(where, VERSION_ANY, text_of(bytes)));
}

static void assert_text(struct text text, struct text wanted)
{
    assert_int_equal(text.length, wanted.length);
    assert_true(text_equal(text, wanted));
}

static void assert_key(struct document_key found, struct document_key wanted)
{
    assert_text(found.usage, wanted.usage);
    assert_text(found.owner, wanted.owner);
    assert_text(found.name, wanted.name);
}

static void assert_bytes(struct document_key where, const char *bytes)
{
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, text_of(bytes));
}

static void assert_absent(struct document_key where)
{
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), NOT_FOUND);
    assert_int_equal(store_head(store, &where, &found), NOT_FOUND);
}

static void assert_holder(const char *value, struct document_key wanted)
{
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("uri"), text_of(value), &arena, &found), OK);
    assert_key(found, wanted);
}

static void assert_free(const char *value)
{
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("uri"), text_of(value), &arena, &found), NOT_FOUND);
}

/* Names of all documents under the prefix, joined by blanks, read in pages of `limit`. */
static const char *names_in_pages(struct document_key prefix, size_t limit)
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

static const char *holders_in_pages(const char *kind, const char *prefix, size_t limit)
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

static const char *repeated(char character, size_t count, const char *tail)
{
    char *string = arena_alloc(&arena, count + strlen(tail) + 1);
    memset(string, character, count);
    memcpy(string + count, tail, strlen(tail));
    return string;
}

static const struct document_key all;

/* --- documents ------------------------------------------------------------------------------------------------ */

static void what_was_put_is_got(void **state)
{
    (void)state;
    struct document_key where = key("resource-lists", "sip:alice@x", "index");
    int64_t before_ms = clock_wall_ms();
    uint64_t version = put(where, "<resource-lists/>");
    struct stored found;
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, TEXT("<resource-lists/>"));
    assert_key(found.key, where);
    assert_int_equal(found.version, version);
    assert_true(found.modified_ms >= before_ms && found.modified_ms <= clock_wall_ms());
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    char bytes[512];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct document_key where = key("u", "o", "binary");
    struct stored found;
    done(change(where, VERSION_ANY, (struct text){bytes, sizeof(bytes)}));
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_text(found.bytes, (struct text){bytes, sizeof(bytes)});
}

static void an_empty_document_is_a_document(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "empty");
    done(change(where, VERSION_ABSENT, (struct text){0}));
    assert_bytes(where, "");
    assert_string_equal(names_in_pages(all, 10), "empty");
}

static void a_document_of_the_greatest_size_is_kept(void **state)
{
    (void)state;
    char *bytes = memory_new(STORE_DOCUMENT_MAX + 1);
    memset(bytes, 'x', STORE_DOCUMENT_MAX);
    struct document_key where = key("u", "o", "large");
    struct stored found;
    done(change(where, VERSION_ANY, (struct text){bytes, STORE_DOCUMENT_MAX}));
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_true(text_equal(found.bytes, (struct text){bytes, STORE_DOCUMENT_MAX}));

    struct commit larger = change(where, VERSION_ANY, (struct text){bytes, STORE_DOCUMENT_MAX + 1});
    assert_int_equal(store_commit(store, &larger, 1), FAILED);
    free(bytes);
}

static void what_was_never_put_is_not_found(void **state)
{
    (void)state;
    put(key("u", "o", "a"), "1");
    assert_absent(key("u", "o", "b"));
    assert_absent(key("u", "", "a"));
    assert_absent(key("u", "o", ""));
    assert_absent(key("", "", ""));
    assert_absent((struct document_key){TEXT("u"), TEXT("o\0a"), TEXT("")});
    assert_absent(key(repeated('u', 5000, ""), "o", "a"));
}

static void empty_parts_are_parts(void **state)
{
    (void)state;
    put(key("u", "", "a"), "global");
    put(key("u", "a", ""), "nameless");
    put(key("u", "", ""), "neither");
    assert_bytes(key("u", "", "a"), "global");
    assert_bytes(key("u", "a", ""), "nameless");
    assert_bytes(key("u", "", ""), "neither");
}

static void a_head_is_version_and_time_without_bytes(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = put(where, "bytes");
    struct stored head;
    struct stored whole;
    assert_int_equal(store_head(store, &where, &head), OK);
    assert_int_equal(store_get(store, &where, &arena, &whole), OK);
    assert_int_equal(head.version, version);
    assert_int_equal(head.modified_ms, whole.modified_ms);
    assert_int_equal(head.bytes.length, 0);
}

static void a_key_beyond_its_limits_fails_and_changes_nothing(void **state)
{
    (void)state;
    struct commit bad[] = {
        change(key("", "o", "a"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", repeated('n', STORE_PART_MAX + 1, "")), VERSION_ANY, TEXT("x")),
        change((struct document_key){TEXT("u"), TEXT("o\0"), TEXT("a")}, VERSION_ANY, TEXT("x")),
        change(key("u", "o", "a"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", "b"), VERSION_ANY, TEXT("x")),
        change(key("u", "o", "fine"), VERSION_ANY, TEXT("x")),
    };
    const struct claim claim = {TEXT("kind"), TEXT("a\0b"), false};
    struct claim *many = arena_array(&arena, struct claim, STORE_CLAIMS_MAX + 1);
    bad[3].claims = &claim;
    bad[3].claims_count = 1;
    bad[4].claims = many;
    bad[4].claims_count = STORE_CLAIMS_MAX + 1;
    assert_int_equal(store_commit(store, bad, COUNT(bad)), FAILED);
    for (size_t i = 0; i + 1 < COUNT(bad); i++)
        assert_int_equal(bad[i].status, FAILED);
    assert_int_equal(bad[COUNT(bad) - 1].status, OK);
    assert_string_equal(names_in_pages(all, 10), "fine");
    assert_int_equal(store_last_change(store), 1);
}

/* --- compare and set ------------------------------------------------------------------------------------------ */

static void a_write_needs_the_expected_version(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t first = put(where, "1");
    uint64_t second = done(change(where, first, TEXT("2")));
    assert_true(second > first);

    struct commit late = change(where, first, TEXT("3"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    assert_int_equal(late.version, second);
    assert_bytes(where, "2");
}

static void absent_means_only_if_there_is_none(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = done(change(where, VERSION_ABSENT, TEXT("1")));
    struct commit again = change(where, VERSION_ABSENT, TEXT("2"));
    assert_int_equal(store_commit(store, &again, 1), CONFLICT);
    assert_int_equal(again.version, version);
    assert_bytes(where, "1");
}

static void a_version_of_a_missing_document_conflicts(void **state)
{
    (void)state;
    struct commit commits[] = {
        change(key("u", "o", "a"), 7, TEXT("1")),
        removal(key("u", "o", "a"), 7),
    };
    assert_int_equal(store_commit(store, commits, 2), CONFLICT);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(commits[i].status, CONFLICT);
        assert_int_equal(commits[i].version, 0);
    }
    assert_int_equal(store_last_change(store), 0);
}

static void any_writes_whatever_is_there(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    put(where, "1");
    put(where, "2");
    assert_bytes(where, "2");
}

static void a_deletion_needs_the_expected_version(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t version = put(where, "1");
    struct commit wrong = removal(where, version + 1);
    struct commit none = removal(where, VERSION_ABSENT);
    assert_int_equal(store_commit(store, &wrong, 1), CONFLICT);
    assert_int_equal(wrong.version, version);
    assert_int_equal(store_commit(store, &none, 1), CONFLICT);
    assert_bytes(where, "1");
    assert_true(done(removal(where, version)) > version);
    assert_absent(where);
}

static void deleting_nothing_is_fine_and_no_change(void **state)
{
    (void)state;
    done(removal(key("u", "o", "a"), VERSION_ANY));
    done(removal(key("u", "o", "a"), VERSION_ABSENT));
    assert_int_equal(store_last_change(store), 0);
}

static void versions_never_repeat_after_deletion(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t first = put(where, "1");
    done(removal(where, first));
    uint64_t second = done(change(where, VERSION_ABSENT, TEXT("1")));
    assert_true(second > first);
    struct commit late = change(where, first, TEXT("2"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
}

static void later_commits_of_a_call_see_earlier_ones(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    struct commit commits[] = {
        change(where, VERSION_ABSENT, TEXT("1")), change(where, 1, TEXT("2")),
        change(where, VERSION_ABSENT, TEXT("3")), removal(where, 2),
        change(where, VERSION_ABSENT, TEXT("4")),
    };
    assert_int_equal(store_commit(store, commits, COUNT(commits)), CONFLICT);
    const enum status wanted[] = {OK, OK, CONFLICT, OK, OK};
    for (size_t i = 0; i < COUNT(commits); i++)
        assert_int_equal(commits[i].status, wanted[i]);
    assert_int_equal(commits[2].version, 2);
    assert_int_equal(commits[4].version, 4);
    assert_bytes(where, "4");
}

static void one_that_fails_never_harms_the_others(void **state)
{
    (void)state;
    const struct claim taken[] = {unique("sip:team@x")};
    const struct claim both[] = {unique("sip:new@x"), unique("sip:team@x"), shared("x")};
    done(claiming(key("u", "o", "holder"), taken, 1));
    struct commit commits[] = {
        change(key("u", "o", "a"), VERSION_ABSENT, TEXT("a")),
        change(key("u", "o", "holder"), 99, TEXT("late")),
        claiming(key("u", "o", "thief"), both, 3),
        change(key("u", "o", "b"), VERSION_ABSENT, TEXT("b")),
    };
    assert_int_equal(store_commit(store, commits, COUNT(commits)), CONFLICT);
    const enum status wanted[] = {OK, CONFLICT, TAKEN, OK};
    for (size_t i = 0; i < COUNT(commits); i++)
        assert_int_equal(commits[i].status, wanted[i]);
    assert_string_equal(names_in_pages(all, 10), "a b holder");
    assert_bytes(key("u", "o", "holder"), "<x/>");
    assert_free("sip:new@x");
    assert_string_equal(holders_in_pages("of", "", 10), "");
    assert_int_equal(store_last_change(store), 3);
}

/* --- claims --------------------------------------------------------------------------------------------------- */

static void a_unique_claim_leads_to_its_document(void **state)
{
    (void)state;
    const struct claim claims[] = {unique("sip:team@x"), unique("sip:crew@x")};
    done(claiming(key("u", "o", "a"), claims, 2));
    assert_holder("sip:team@x", key("u", "o", "a"));
    assert_holder("sip:crew@x", key("u", "o", "a"));
    assert_free("sip:tea");
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("other"), TEXT("sip:team@x"), &arena, &found), NOT_FOUND);
}

static void a_claim_of_another_document_is_taken(void **state)
{
    (void)state;
    const struct claim team[] = {unique("sip:team@x")};
    const struct claim more[] = {unique("sip:free@x"), unique("sip:team@x")};
    done(claiming(key("u", "o", "a"), team, 1));
    struct commit second = claiming(key("u", "p", "a"), more, 2);
    assert_int_equal(store_commit(store, &second, 1), TAKEN);
    assert_ptr_equal(second.taken_value.bytes, more[1].value.bytes);
    assert_absent(key("u", "p", "a"));
    assert_free("sip:free@x");
    assert_holder("sip:team@x", key("u", "o", "a"));
}

static void a_document_may_keep_and_repeat_its_claims(void **state)
{
    (void)state;
    const struct claim claims[] = {unique("sip:team@x"), shared("m"), unique("sip:team@x"), shared("m")};
    done(claiming(key("u", "o", "a"), claims, 4));
    done(claiming(key("u", "o", "a"), claims, 4));
    done(claiming(key("u", "o", "a"), claims, 2));
    assert_holder("sip:team@x", key("u", "o", "a"));
    assert_string_equal(holders_in_pages("of", "", 10), "m=a");
    done(removal(key("u", "o", "a"), VERSION_ANY));
    assert_free("sip:team@x");
    assert_string_equal(holders_in_pages("of", "", 10), "");
}

static void a_write_replaces_the_claims_held_before(void **state)
{
    (void)state;
    const struct claim before[] = {unique("sip:one@x"), unique("sip:two@x"), shared("a"), shared("b")};
    const struct claim after[] = {unique("sip:two@x"), unique("sip:three@x"), shared("b"), shared("c")};
    done(claiming(key("u", "o", "a"), before, 4));
    done(claiming(key("u", "o", "a"), after, 4));
    assert_free("sip:one@x");
    assert_holder("sip:two@x", key("u", "o", "a"));
    assert_holder("sip:three@x", key("u", "o", "a"));
    assert_string_equal(holders_in_pages("of", "", 10), "b=a c=a");
}

static void a_failed_write_keeps_the_old_claims(void **state)
{
    (void)state;
    const struct claim before[] = {unique("sip:one@x"), shared("a")};
    done(claiming(key("u", "o", "a"), before, 2));
    struct commit late = change(key("u", "o", "a"), 99, TEXT("x"));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    assert_holder("sip:one@x", key("u", "o", "a"));
    assert_string_equal(holders_in_pages("of", "", 10), "a=a");
}

static void a_claim_released_earlier_in_a_batch_is_free(void **state)
{
    (void)state;
    const struct claim team[] = {unique("sip:team@x")};
    const struct claim crew[] = {unique("sip:crew@x")};
    done(claiming(key("u", "o", "a"), team, 1));
    done(claiming(key("u", "o", "b"), crew, 1));
    struct commit commits[] = {
        claiming(key("u", "o", "c"), team, 1), /* not yet */
        claiming(key("u", "o", "a"), NULL, 0),    claiming(key("u", "o", "c"), team, 1),
        removal(key("u", "o", "b"), VERSION_ANY), claiming(key("u", "o", "d"), crew, 1),
    };
    assert_int_equal(store_commit(store, commits, COUNT(commits)), TAKEN);
    const enum status wanted[] = {TAKEN, OK, OK, OK, OK};
    for (size_t i = 0; i < COUNT(commits); i++)
        assert_int_equal(commits[i].status, wanted[i]);
    assert_holder("sip:team@x", key("u", "o", "c"));
    assert_holder("sip:crew@x", key("u", "o", "d"));
}

static void a_shared_claim_has_many_holders(void **state)
{
    (void)state;
    const struct claim bob[] = {shared("sip:bob@x"), unique("sip:bob@x")};
    done(claiming(key("m", "", "2"), bob, 1));
    done(claiming(key("m", "", "1"), bob, 2)); /* a unique claim of that value is another thing */
    assert_string_equal(holders_in_pages("of", "sip:bob@x", 10), "sip:bob@x=1 sip:bob@x=2");
    assert_holder("sip:bob@x", key("m", "", "1"));
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("of"), TEXT("sip:bob@x"), &arena, &found), NOT_FOUND);
}

static void holders_are_found_by_the_start_of_the_value(void **state)
{
    (void)state;
    const struct claim first[] = {shared("sip:bob@x 3"), shared("sip:bob@x 1"), shared("sip:bo")};
    const struct claim second[] = {
        shared("sip:bob@x 2"), shared("sip:carol@x"), {TEXT("oft"), TEXT("sip:bob@x"), true}};
    done(claiming(key("m", "o", "a"), first, 3));
    done(claiming(key("m", "o", "b"), second, 3));
    for (size_t limit = 1; limit < 7; limit++) {
        assert_string_equal(holders_in_pages("of", "sip:bob@x", limit), "sip:bob@x 1=a sip:bob@x 2=b sip:bob@x 3=a");
        assert_string_equal(holders_in_pages("of", "", limit),
                            "sip:bo=a sip:bob@x 1=a sip:bob@x 2=b sip:bob@x 3=a sip:carol@x=b");
        assert_string_equal(holders_in_pages("of", "sip:d", limit), "");
    }
}

static void holders_tell_version_and_size(void **state)
{
    (void)state;
    const struct claim claims[] = {shared("v")};
    uint64_t version = done(claiming(key("m", "o", "a"), claims, 1));
    struct key_page page;
    assert_int_equal(store_holders(store, TEXT("of"), TEXT("v"), NULL, NULL, 10, &arena, &page, NULL), OK);
    assert_int_equal(page.count, 1);
    assert_false(page.more);
    assert_key(page.keys[0], key("m", "o", "a"));
    assert_int_equal(page.versions[0], version);
    assert_int_equal(page.sizes[0], 4);
    assert_true(page.modified_ms[0] > 0);
}

static void long_claims_are_told_apart(void **state)
{
    (void)state;
    const struct claim one[] = {{TEXT("uri"), text_of(repeated('v', 2000, "one")), false},
                                {TEXT("of"), text_of(repeated('v', 2000, "one")), true}};
    const struct claim two[] = {{TEXT("uri"), text_of(repeated('v', 2000, "two")), false},
                                {TEXT("of"), text_of(repeated('v', 2000, "two")), true}};
    const char *owner = repeated('o', 700, "");
    done(claiming(key("u", owner, "a"), one, 2));
    done(claiming(key("u", owner, "b"), two, 2));
    struct document_key found;
    assert_int_equal(store_find(store, TEXT("uri"), one[0].value, &arena, &found), OK);
    assert_key(found, key("u", owner, "a"));
    assert_int_equal(store_find(store, TEXT("uri"), text_slice(one[0].value, 0, 1999), &arena, &found), NOT_FOUND);

    struct key_page page;
    struct text *values;
    assert_int_equal(
        store_holders(store, TEXT("of"), text_slice(two[1].value, 0, 2001), NULL, NULL, 10, &arena, &page, &values),
        OK);
    assert_int_equal(page.count, 1);
    assert_text(values[0], two[1].value);
    assert_key(page.keys[0], key("u", owner, "b"));
    assert_int_equal(strlen(holders_in_pages("of", "vvv", 1)), 2003 + 2 + 1 + 2003 + 2);

    done(removal(key("u", owner, "a"), VERSION_ANY));
    assert_int_equal(store_find(store, TEXT("uri"), one[0].value, &arena, &found), NOT_FOUND);
    assert_int_equal(strlen(holders_in_pages("of", "vvv", 1)), 2003 + 2);
}

/* --- lists ---------------------------------------------------------------------------------------------------- */

static void fill(void)
{
    put(key("b", "o", "9"), "x");
    put(key("a", "p", "6"), "x");
    put(key("a", "", "1"), "x");
    put(key("a", "o", ""), "x");
    put(key("a", "o", "4"), "x");
    put(key("a", "o", "40"), "x");
    put(key("a", "o!", "5"), "x");
    put(key("ab", "", "8"), "x");
    put(key("a", "o", "\x01"), "x");
}

static void a_list_is_in_byte_order_of_its_parts(void **state)
{
    (void)state;
    fill();
    for (size_t limit = 1; limit < 12; limit++)
        assert_string_equal(names_in_pages(all, limit), "1  \x01 4 40 5 6 8 9");
}

static void a_list_is_of_the_parts_given(void **state)
{
    (void)state;
    fill();
    for (size_t limit = 1; limit < 8; limit++) {
        assert_string_equal(names_in_pages((struct document_key){.usage = TEXT("a")}, limit), "1  \x01 4 40 5 6");
        assert_string_equal(names_in_pages((struct document_key){TEXT("a"), TEXT("o"), {0}}, limit), " \x01 4 40");
        assert_string_equal(names_in_pages((struct document_key){TEXT("a"), TEXT(""), {0}}, limit), "1");
        assert_string_equal(names_in_pages(key("a", "o", "4"), limit), "4");
        assert_string_equal(names_in_pages((struct document_key){TEXT("a"), {0}, TEXT("5")}, limit), "5");
        assert_string_equal(names_in_pages(key("a", "o", "3"), limit), "");
        assert_string_equal(names_in_pages((struct document_key){.usage = TEXT("c")}, limit), "");
        assert_string_equal(names_in_pages((struct document_key){.owner = TEXT("o")}, limit), " \x01 4 40 9");
    }
}

static void a_page_ends_where_documents_do(void **state)
{
    (void)state;
    fill();
    struct key_page page;
    struct document_key prefix = {.usage = TEXT("a"), .owner = TEXT("o")};
    struct document_key before = key("A", "", "");
    struct document_key gone = key("a", "o", "400");
    assert_int_equal(store_list(store, &prefix, NULL, 4, &arena, &page), OK);
    assert_int_equal(page.count, 4);
    assert_false(page.more);
    assert_int_equal(store_list(store, &prefix, NULL, 3, &arena, &page), OK);
    assert_true(page.more);
    assert_int_equal(store_list(store, &prefix, &before, 4, &arena, &page), OK);
    assert_int_equal(page.count, 4);
    assert_int_equal(store_list(store, &prefix, &gone, 4, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    struct document_key whole = key("a", "o", "4");
    assert_int_equal(store_list(store, &whole, &whole, 4, &arena, &page), OK);
    assert_int_equal(page.count, 0);
}

static void a_list_tells_version_time_and_size(void **state)
{
    (void)state;
    put(key("u", "o", "a"), "12345");
    uint64_t version = put(key("u", "o", "b"), "");
    struct key_page page;
    assert_int_equal(store_list(store, &all, NULL, STORE_PAGE_MAX, &arena, &page), OK);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.sizes[0], 5);
    assert_int_equal(page.sizes[1], 0);
    assert_int_equal(page.versions[1], version);
    assert_true(page.modified_ms[0] > 0 && page.modified_ms[0] <= page.modified_ms[1]);
}

static void an_empty_store_lists_nothing(void **state)
{
    (void)state;
    assert_string_equal(names_in_pages(all, 1), "");
    assert_string_equal(holders_in_pages("of", "", 1), "");
}

static void long_keys_are_told_apart(void **state)
{
    (void)state;
    const char *const one[] = {repeated('u', 1000, "1"), repeated('o', 1000, "1"), repeated('n', 1000, "1")};
    const char *const two[] = {repeated('u', 1000, "2"), repeated('o', 1000, "2"), repeated('n', 1000, "2")};
    for (size_t i = 0; i < 8; i++) {
        struct document_key where = key((i & 4 ? one : two)[0], (i & 2 ? one : two)[1], (i & 1 ? one : two)[2]);
        put(where, text_cstring(&arena, text_format(&arena, "%zu", i)));
    }
    for (size_t i = 0; i < 8; i++) {
        struct document_key where = key((i & 4 ? one : two)[0], (i & 2 ? one : two)[1], (i & 1 ? one : two)[2]);
        assert_bytes(where, text_cstring(&arena, text_format(&arena, "%zu", i)));
        where.name = (struct text){0};
        assert_int_equal(strlen(names_in_pages(where, 1)), 2 * 1001 + 1);
    }
    assert_absent(key(one[0], one[1], repeated('n', 1000, "3")));
}

static void long_names_stand_in_the_list_of_their_owner(void **state)
{
    (void)state;
    const char *owners[] = {"o", repeated('p', 300, ""), repeated('q', 600, "")};
    for (size_t i = 0; i < COUNT(owners); i++) {
        put(key("u", owners[i], "a"), "x");
        put(key("u", owners[i], repeated('b', 1000, "")), "x");
        put(key("u", owners[i], "c"), "x");
        put(key("u", repeated('r', i * 300 + 1, ""), "other"), "x");
    }
    const char *wanted = text_cstring(&arena, text_format(&arena, "a %s c", repeated('b', 1000, "")));
    for (size_t i = 0; i < COUNT(owners); i++)
        for (size_t limit = 1; limit < 5; limit++)
            assert_string_equal(names_in_pages((struct document_key){TEXT("u"), text_of(owners[i]), {0}}, limit),
                                wanted);
}

static void keys_of_every_length_come_back_once(void **state)
{
    (void)state;
    for (size_t length = 1; length <= STORE_PART_MAX; length += length < 540 ? 1 : 97) {
        struct document_key where = key("u", "o", repeated('n', length, ""));
        if (length % 3 == 0)
            where = key("u", repeated('n', length, ""), "n");
        done(change(where, VERSION_ABSENT, TEXT("x")));
        assert_bytes(where, "x");
    }
    struct document_key after;
    struct key_page page = {.more = true};
    uint64_t count = 0;
    for (bool first = true; page.more; first = false) {
        assert_int_equal(store_list(store, &all, first ? NULL : &after, 7, &arena, &page), OK);
        count += page.count;
        after = page.keys[page.count - 1];
    }
    assert_int_equal(count, store_last_change(store));
}

/* A name that looks like what an engine may make of a long one must not lead to it. */
static void no_key_can_be_made_to_look_like_another(void **state)
{
    (void)state;
    /* SHA-256 of 1000 times 'n' */
    const char *hash = "ffab69d9252ce189d759a5eedac0a98e6680d74ca3fdc44bbc407b3a6ae32d9f";
    put(key("u", "o", repeated('n', 1000, "")), "long");
    for (size_t length = 0; length < 512 - 64; length++) {
        struct document_key look = key("u", "o", repeated('n', length, hash));
        assert_absent(look);
    }
}

/* --- changes -------------------------------------------------------------------------------------------------- */

static void changes_are_numbered_in_order_without_gaps(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    put(where, "1");
    put(key("u", "o", "b"), "1");
    put(where, "2");
    struct commit late = change(where, 1, TEXT("x"));
    store_commit(store, &late, 1);
    done(removal(where, VERSION_ANY));
    put(where, "3");
    assert_int_equal(store_last_change(store), 5);

    struct change_page page;
    assert_int_equal(store_changes(store, 0, 100, &arena, &page), OK);
    assert_int_equal(page.count, 5);
    assert_false(page.lost);
    const uint64_t previous[] = {0, 0, 1, 3, 0};
    for (size_t i = 0; i < 5; i++) {
        const struct change *record = &page.changes[i];
        assert_int_equal(record->number, i + 1);
        assert_int_equal(record->previous, previous[i]);
        assert_int_equal(record->deletion, i == 3);
        assert_key(record->key, i == 1 ? key("u", "o", "b") : where);
        assert_text(record->who, i == 3 ? TEXT("") : TEXT("sip:admin@x"));
        assert_true(record->when_ms > 0);
    }
}

static void changes_are_read_from_where_one_stopped(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        put(key("u", "o", "a"), "x");
    struct change_page page;
    uint64_t after = 0;
    do {
        assert_int_equal(store_changes(store, after, 3, &arena, &page), OK);
        assert_false(page.lost);
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.changes[i].number, ++after);
    } while (page.count > 0);
    assert_int_equal(after, 10);
}

static void a_reader_ahead_of_the_store_is_told(void **state)
{
    (void)state;
    struct change_page page;
    assert_int_equal(store_changes(store, 0, 3, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_false(page.lost);
    put(key("u", "o", "a"), "x");
    assert_int_equal(store_changes(store, 2, 3, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_true(page.lost);
    assert_int_equal(store_changes(store, UINT64_MAX, 3, &arena, &page), OK);
    assert_true(page.lost);
}

static void the_version_is_the_number_of_the_change(void **state)
{
    (void)state;
    put(key("u", "o", "a"), "x");
    uint64_t version = put(key("u", "o", "b"), "x");
    struct change_page page;
    assert_int_equal(store_changes(store, version - 1, 1, &arena, &page), OK);
    assert_key(page.changes[0].key, key("u", "o", "b"));
    assert_int_equal(store_last_change(store), version);
}

/* --- threads -------------------------------------------------------------------------------------------------- */

#define THREADS    8
#define PER_THREAD 40

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t counted;
    size_t answered;
};

static void count_answer(void *context)
{
    struct tally *tally = context;
    pthread_mutex_lock(&tally->lock);
    tally->answered++;
    pthread_cond_signal(&tally->counted);
    pthread_mutex_unlock(&tally->lock);
}

static struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .counted = PTHREAD_COND_INITIALIZER};

struct writer {
    pthread_t thread;
    char names[PER_THREAD][16];
    struct commit commits[PER_THREAD];
    size_t seen; /* own documents found while others write */
};

static void *writer_submit(void *context)
{
    struct writer *writer = context;
    struct stored found;
    for (size_t i = 0; i < PER_THREAD; i++)
        store_submit(store, &writer->commits[i], 1, count_answer, &tally);
    struct document_key where = key("t", "first", "");
    for (size_t i = 0; i < PER_THREAD; i++)
        writer->seen += store_head(store, &where, &found) == OK;
    return NULL;
}

static void all_that_was_submitted_is_answered_and_present(void **state)
{
    (void)state;
    struct writer *writers = arena_array(&arena, struct writer, THREADS);
    tally.answered = 0;
    put(key("t", "first", ""), "x");
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t i = 0; i < PER_THREAD; i++) {
            snprintf(writers[t].names[i], sizeof(writers[t].names[i]), "%zu-%zu", t, i);
            writers[t].commits[i] = change(key("t", "o", writers[t].names[i]), VERSION_ABSENT, TEXT("x"));
        }
        assert_int_equal(pthread_create(&writers[t].thread, NULL, writer_submit, &writers[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(writers[t].thread, NULL);
    pthread_mutex_lock(&tally.lock);
    while (tally.answered < THREADS * PER_THREAD)
        pthread_cond_wait(&tally.counted, &tally.lock);
    pthread_mutex_unlock(&tally.lock);

    for (size_t t = 0; t < THREADS; t++) {
        assert_int_equal(writers[t].seen, PER_THREAD);
        for (size_t i = 0; i < PER_THREAD; i++) {
            assert_int_equal(writers[t].commits[i].status, OK);
            assert_bytes(writers[t].commits[i].key, "x");
            assert_true(i == 0 || writers[t].commits[i].version > writers[t].commits[i - 1].version);
        }
    }
    assert_int_equal(store_last_change(store), THREADS * PER_THREAD + 1);
}

struct counter {
    pthread_t thread;
    size_t failures;
};

/* Adds one to a document by compare-and-set, as often as it takes. */
static void *counter_run(void *context)
{
    struct counter *counter = context;
    struct document_key where = key("t", "", "counter");
    for (size_t i = 0; i < PER_THREAD; i++) {
        enum status status = CONFLICT;
        while (status == CONFLICT) {
            struct arena own;
            struct stored found;
            uint64_t value = 0;
            arena_init(&own, "counter");
            status = store_get(store, &where, &own, &found);
            if (status == OK && text_to_u64(found.bytes, &value)) {
                struct text next = text_format(&own, "%llu", (unsigned long long)value + 1);
                struct commit commit = change(where, found.version, next);
                status = store_commit(store, &commit, 1);
            }
            arena_clear(&own);
        }
        counter->failures += status != OK;
    }
    return NULL;
}

static void compare_and_set_loses_no_update(void **state)
{
    (void)state;
    struct counter counters[4] = {0};
    put(key("t", "", "counter"), "0");
    for (size_t i = 0; i < COUNT(counters); i++)
        assert_int_equal(pthread_create(&counters[i].thread, NULL, counter_run, &counters[i]), 0);
    for (size_t i = 0; i < COUNT(counters); i++) {
        pthread_join(counters[i].thread, NULL);
        assert_int_equal(counters[i].failures, 0);
    }
    assert_bytes(key("t", "", "counter"), "160");
}

static void of_many_who_claim_one_gets_it(void **state)
{
    (void)state;
    const struct claim team[] = {unique("sip:team@x")};
    struct commit commits[THREADS];
    tally.answered = 0;
    for (size_t i = 0; i < THREADS; i++) {
        commits[i] = claiming(key("u", "o", repeated('n', i, "")), team, 1);
        store_submit(store, &commits[i], 1, count_answer, &tally);
    }
    pthread_mutex_lock(&tally.lock);
    while (tally.answered < THREADS)
        pthread_cond_wait(&tally.counted, &tally.lock);
    pthread_mutex_unlock(&tally.lock);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(commits[i].status, i == 0 ? OK : TAKEN);
}

static void closing_waits_for_what_was_submitted(void **state)
{
    (void)state;
    struct commit *commits = arena_array(&arena, struct commit, PER_THREAD);
    tally.answered = 0;
    for (size_t i = 0; i < PER_THREAD; i++) {
        commits[i] = change(key("u", "o", repeated('n', i, "")), VERSION_ABSENT, TEXT("x"));
        store_submit(store, &commits[i], 1, count_answer, &tally);
    }
    store_close(store);
    assert_int_equal(tally.answered, PER_THREAD);
    store = NULL; /* closing nothing is fine */
}

static void more_than_the_queue_holds_is_refused(void **state)
{
    (void)state;
    struct commit *commits = memory_new((STORE_QUEUE_MAX + 1) * sizeof(*commits));
    for (size_t i = 0; i <= STORE_QUEUE_MAX; i++)
        commits[i] = change(key("u", "o", "a"), VERSION_ANY, TEXT("x"));
    assert_int_equal(store_commit(store, commits, STORE_QUEUE_MAX + 1), FULL);
    assert_int_equal(commits[0].status, FULL);
    assert_int_equal(store_commit(store, commits, 0), OK);
    free(commits);
    assert_absent(key("u", "o", "a"));
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(what_was_put_is_got),
        PROMISE(any_bytes_come_back),
        PROMISE(an_empty_document_is_a_document),
        PROMISE(a_document_of_the_greatest_size_is_kept),
        PROMISE(what_was_never_put_is_not_found),
        PROMISE(empty_parts_are_parts),
        PROMISE(a_head_is_version_and_time_without_bytes),
        PROMISE(a_key_beyond_its_limits_fails_and_changes_nothing),
        PROMISE(a_write_needs_the_expected_version),
        PROMISE(absent_means_only_if_there_is_none),
        PROMISE(a_version_of_a_missing_document_conflicts),
        PROMISE(any_writes_whatever_is_there),
        PROMISE(a_deletion_needs_the_expected_version),
        PROMISE(deleting_nothing_is_fine_and_no_change),
        PROMISE(versions_never_repeat_after_deletion),
        PROMISE(later_commits_of_a_call_see_earlier_ones),
        PROMISE(one_that_fails_never_harms_the_others),
        PROMISE(a_unique_claim_leads_to_its_document),
        PROMISE(a_claim_of_another_document_is_taken),
        PROMISE(a_document_may_keep_and_repeat_its_claims),
        PROMISE(a_write_replaces_the_claims_held_before),
        PROMISE(a_failed_write_keeps_the_old_claims),
        PROMISE(a_claim_released_earlier_in_a_batch_is_free),
        PROMISE(a_shared_claim_has_many_holders),
        PROMISE(holders_are_found_by_the_start_of_the_value),
        PROMISE(holders_tell_version_and_size),
        PROMISE(long_claims_are_told_apart),
        PROMISE(a_list_is_in_byte_order_of_its_parts),
        PROMISE(a_list_is_of_the_parts_given),
        PROMISE(a_page_ends_where_documents_do),
        PROMISE(a_list_tells_version_time_and_size),
        PROMISE(an_empty_store_lists_nothing),
        PROMISE(long_keys_are_told_apart),
        PROMISE(long_names_stand_in_the_list_of_their_owner),
        PROMISE(keys_of_every_length_come_back_once),
        PROMISE(no_key_can_be_made_to_look_like_another),
        PROMISE(changes_are_numbered_in_order_without_gaps),
        PROMISE(changes_are_read_from_where_one_stopped),
        PROMISE(a_reader_ahead_of_the_store_is_told),
        PROMISE(the_version_is_the_number_of_the_change),
        PROMISE(all_that_was_submitted_is_answered_and_present),
        PROMISE(compare_and_set_loses_no_update),
        PROMISE(of_many_who_claim_one_gets_it),
        PROMISE(closing_waits_for_what_was_submitted),
        PROMISE(more_than_the_queue_holds_is_refused),
    };
    int failed = 0;
    for (size_t i = 0; i < COUNT(engines); i++) {
        engine = &engines[i];
        failed += cmocka_run_group_tests_name(engine->name, promises, NULL, NULL);
    }
    return failed;
}
