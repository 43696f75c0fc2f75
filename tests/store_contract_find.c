/* What every store engine promises about finding documents: claims, lists and pages of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "store.h"
#include "store_engines.h"

#include <pthread.h>

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

static void of_one_batch_the_last_write_says_what_is_held(void **state)
{
    (void)state;
    const struct claim both[] = {shared("a"), shared("b")}, other[] = {shared("c")};
    done(claiming(key("u", "o", "old"), both, 2));
    struct commit batch[] = {
        claiming(key("u", "o", "old"), other, 1),     claiming(key("u", "o", "new"), both, 2),
        claiming(key("u", "o", "old"), both, 1),      removal(key("u", "o", "new"), VERSION_ANY),
        claiming(key("u", "o", "new"), other, 1),     claiming(key("u", "o", "short"), both, 2),
        removal(key("u", "o", "short"), VERSION_ANY),
    };
    assert_int_equal(store_commit(store, batch, COUNT(batch)), OK);
    assert_string_equal(holders_in_pages("of", "", 10), "a=old c=new");
}

/* More than an engine may keep in memory until the end of a transaction. */
static void a_batch_may_claim_tens_of_thousands_of_values(void **state)
{
    enum { DOCUMENTS = 18, CLAIMS = 4096 };
    (void)state;
    static struct commit batch[2 * DOCUMENTS];
    struct key_page page;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct claim *claims = arena_array(&arena, struct claim, CLAIMS);
        for (size_t k = 0; k < CLAIMS; k++)
            claims[k] = (struct claim){TEXT("of"), text_format(&arena, "%04zu", k), true};
        batch[i] = change(key("u", "o", ""), VERSION_ANY, TEXT("x"));
        batch[i].key.name = text_format(&arena, "%02zu", i);
        batch[i].claims = claims;
        batch[i].claims_count = CLAIMS;
        batch[DOCUMENTS + i] = removal(batch[i].key, VERSION_ANY); /* all but one, when they are written already */
    }
    assert_int_equal(store_commit(store, batch, COUNT(batch) - 1), OK);
    assert_int_equal(store_holders(store, TEXT("of"), TEXT("40"), NULL, NULL, 1000, &arena, &page, NULL), OK);
    assert_int_equal(page.count, 96);
    for (size_t i = 0; i < page.count; i++)
        assert_text(page.keys[i].name, TEXT("17"));
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

/* Any number of claims, named any number of times, before and after. */
static void what_is_held_is_what_was_claimed_last(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    uint32_t random = 7;
    for (int round = 0; round < 300; round++) {
        struct claim claims[12];
        struct text_builder expected;
        bool held[5] = {0};
        size_t count = (random = random * 1664525 + 1013904223) >> 28;
        count = count > 12 ? 12 : count;
        for (size_t i = 0; i < count; i++) {
            unsigned which = ((random = random * 1664525 + 1013904223) >> 16) % 5;
            claims[i] = shared(names[which]);
            held[which] = true;
        }
        struct commit commit = claiming(key("u", "o", "x"), claims, count);
        done(commit);
        builder_init(&expected, &arena);
        for (int i = 0; i < 5; i++)
            if (held[i])
                builder_add_format(&expected, "%s%s=x", expected.length ? " " : "", names[i]);
        assert_string_equal(holders_in_pages("of", "", 10), text_cstring(&arena, builder_text(&expected)));
    }
    assert_int_equal(store_check(store, NULL, NULL), OK);
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

/* --- batches ------------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(random_state >> 33) % limit;
}

/* Few documents and few values, so that they are in each other's way. */
static struct commit random_commit(struct arena *words)
{
    struct commit commit = change(key("u", "o", "a"), VERSION_ANY, TEXT("x"));
    struct claim *claims = arena_array(words, struct claim, 2);
    static const char *const names[] = {"a", "b", "c", "d"}, *const values[] = {"1", "2", "3"};
    commit.key.name = text_of(names[below(4)]);
    commit.expected = below(3) ? VERSION_ANY : below(30);
    commit.deletion = below(4) == 0;
    commit.quiet = below(3) == 0;
    commit.claims_count = commit.deletion ? 0 : below(3);
    commit.claims = claims;
    for (size_t i = 0; i < commit.claims_count; i++)
        claims[i] = below(3) ? unique(values[below(3)]) : shared(values[below(3)]);
    if (below(20) == 0)
        commit.key.usage = TEXT(""); /* beyond the limits */
    return commit;
}

static void each_of_a_batch_gets_what_it_would_get_alone(void **state)
{
    (void)state;
    enum { ROUNDS = 300, BATCH = 12 };
    struct store *alone = store_open_memory();
    unsigned results[UNCERTAIN + 1] = {0};
    random_state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        struct commit batch[BATCH], same[BATCH];
        for (int i = 0; i < BATCH; i++)
            same[i] = batch[i] = random_commit(&arena);
        store_commit(store, batch, BATCH);
        for (int i = 0; i < BATCH; i++) {
            store_commit(alone, &same[i], 1);
            assert_int_equal(batch[i].status, same[i].status);
            assert_int_equal(batch[i].version, same[i].version);
            assert_text(batch[i].taken_value, same[i].taken_value);
            results[batch[i].status]++;
        }
    }
    assert_true(results[OK] > ROUNDS && results[CONFLICT] > ROUNDS / 2 && results[TAKEN] > ROUNDS / 2 &&
                results[FAILED]);
    assert_int_equal(store_last_change(store), store_last_change(alone));
    assert_int_equal(store_check(store, NULL, NULL), OK);
    store_close(alone);
}

enum { WRITERS = 6, WRITES = 30 };

struct failing_writer {
    pthread_t thread;
    struct store *store;
    unsigned number;
    enum status results[WRITES];
};

static void *write_on(void *context)
{
    struct failing_writer *writer = context;
    struct arena words;
    arena_init(&words, "writer");
    for (unsigned i = 0; i < WRITES; i++) {
        struct commit commit = change(key("u", "o", ""), VERSION_ABSENT, TEXT("x"));
        commit.key.name = text_format(&words, "%u-%u", writer->number, i);
        writer->results[i] = store_commit(writer->store, &commit, 1);
    }
    arena_clear(&words);
    return NULL;
}

/* Whichever of many writes at once fails: that one is not there, and all others are. */
static void a_write_that_fails_harms_no_other_that_goes_with_it(void **state)
{
    (void)state;
    static const unsigned nths[] = {1, 17, WRITERS * WRITES / 2, WRITERS * WRITES};
    store_close(store);
    engine->clean();
    for (size_t n = 0; n < COUNT(nths); n++) {
        struct failing_writer writers[WRITERS];
        unsigned failed = 0;
        store = store_open_failing(engine->open(), nths[n], FAILED);
        for (unsigned i = 0; i < WRITERS; i++) {
            writers[i] = (struct failing_writer){.store = store, .number = i};
            assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
        }
        for (unsigned i = 0; i < WRITERS; i++)
            pthread_join(writers[i].thread, NULL);
        for (unsigned i = 0; i < WRITERS * WRITES; i++) {
            struct document_key where = key("u", "o", "");
            struct stored found;
            enum status status = writers[i / WRITES].results[i % WRITES];
            where.name = text_format(&arena, "%u-%u", i / WRITES, i % WRITES);
            failed += status == FAILED;
            assert_int_equal(store_head(store, &where, &found), status == OK ? OK : NOT_FOUND);
        }
        assert_int_equal(failed, 1);
        assert_int_equal(store_last_change(store), WRITERS * WRITES - 1);
        if (n + 1 < COUNT(nths)) {
            store_close(store);
            engine->clean();
        }
    }
}

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(a_unique_claim_leads_to_its_document),
        PROMISE(a_claim_of_another_document_is_taken),
        PROMISE(a_document_may_keep_and_repeat_its_claims),
        PROMISE(a_write_replaces_the_claims_held_before),
        PROMISE(of_one_batch_the_last_write_says_what_is_held),
        PROMISE(a_batch_may_claim_tens_of_thousands_of_values),
        PROMISE(a_failed_write_keeps_the_old_claims),
        PROMISE(a_claim_released_earlier_in_a_batch_is_free),
        PROMISE(what_is_held_is_what_was_claimed_last),
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
        PROMISE(each_of_a_batch_gets_what_it_would_get_alone),
        PROMISE(a_write_that_fails_harms_no_other_that_goes_with_it),
    };
    return RUN_WITH_EACH_ENGINE(promises);
}
