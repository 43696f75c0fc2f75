/* What every store engine promises about counted claims, and about deletions that wait for the last holder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "store.h"
#include "store_engines.h"

static struct claim counted(const char *value, uint64_t weight)
{
    return (struct claim){.kind = TEXT("waiting"), .value = text_of(value), .counted = true, .weight = weight};
}

static void assert_tally(const char *value, uint64_t count, uint64_t weight)
{
    struct tally tally;
    assert_int_equal(store_tally(store, TEXT("waiting"), text_of(value), &tally), OK);
    assert_int_equal(tally.count, count);
    assert_int_equal(tally.weight, weight);
}

static void assert_sound(void)
{
    assert_int_equal(store_check(store, NULL, NULL), OK);
}

static void holders_are_counted_and_their_weights_added(void **state)
{
    (void)state;
    const struct claim bob[] = {counted("bob", 100), counted("", 100)};
    const struct claim carol[] = {counted("carol", 7), counted("", 7)};
    assert_tally("bob", 0, 0);
    done(claiming(key("u", "bob", "1"), bob, 2));
    done(claiming(key("u", "bob", "2"), bob, 2));
    done(claiming(key("u", "carol", "1"), carol, 2));
    assert_tally("bob", 2, 200);
    assert_tally("carol", 1, 7);
    assert_tally("", 3, 207);
    assert_sound();
}

static void a_tally_follows_each_change_of_its_holders(void **state)
{
    (void)state;
    const struct claim small[] = {counted("bob", 1)}, large[] = {counted("bob", 50)};
    done(claiming(key("u", "o", "a"), small, 1));
    done(claiming(key("u", "o", "a"), small, 1));
    assert_tally("bob", 1, 1);
    done(claiming(key("u", "o", "a"), large, 1));
    assert_tally("bob", 1, 50);
    done(claiming(key("u", "o", "a"), NULL, 0));
    assert_tally("bob", 0, 0);
    done(claiming(key("u", "o", "a"), large, 1));
    done(removal(key("u", "o", "a"), VERSION_ANY));
    assert_tally("bob", 0, 0);
    assert_sound();
}

static void a_counted_claim_may_be_held_twice(void **state)
{
    (void)state;
    const struct claim twice[] = {counted("bob", 3), counted("bob", 4)};
    done(claiming(key("u", "o", "a"), twice, 2));
    assert_tally("bob", 2, 7);
    done(removal(key("u", "o", "a"), VERSION_ANY));
    assert_tally("bob", 0, 0);
    assert_sound();
}

static void a_counted_claim_is_neither_unique_nor_found(void **state)
{
    (void)state;
    const struct claim claims[] = {{.kind = TEXT("of"), .value = TEXT("m"), .counted = true}};
    struct document_key found;
    done(claiming(key("u", "o", "a"), claims, 1));
    done(claiming(key("u", "o", "b"), claims, 1));
    assert_int_equal(store_find(store, TEXT("of"), TEXT("m"), &arena, &found), NOT_FOUND);
    assert_string_equal(holders_in_pages("of", "", 10), "");
    assert_sound();
}

static void a_failed_write_counts_nothing(void **state)
{
    (void)state;
    const struct claim claims[] = {counted("bob", 5)};
    struct commit commit = claiming(key("u", "o", "a"), claims, 1);
    commit.expected = 77;
    assert_int_equal(store_commit(store, &commit, 1), CONFLICT);
    assert_tally("bob", 0, 0);
    const struct claim both[] = {{.kind = TEXT("of"), .value = TEXT("m"), .shared = true, .counted = true}};
    commit = claiming(key("u", "o", "a"), both, 1);
    assert_int_equal(store_commit(store, &commit, 1), FAILED);
}

static void long_counted_claims_are_told_apart(void **state)
{
    (void)state;
    const struct claim one = counted(repeated('v', 900, "a"), 1), two = counted(repeated('v', 900, "b"), 2);
    done(claiming(key("u", "o", "a"), &one, 1));
    done(claiming(key("u", "o", "b"), &two, 1));
    assert_tally(repeated('v', 900, "a"), 1, 1);
    assert_tally(repeated('v', 900, "b"), 1, 2);
    assert_sound();
}

static void assert_first(const char *wanted)
{
    struct text first;
    assert_int_equal(store_first_tally(store, TEXT("waiting"), &arena, &first), wanted ? OK : NOT_FOUND);
    assert_text(first, wanted ? text_of(wanted) : (struct text){0});
}

static void the_first_value_that_is_held_is_found(void **state)
{
    (void)state;
    const struct claim others[] = {{.kind = TEXT("vaiting"), .value = TEXT("a"), .counted = true},
                                   {.kind = TEXT("waiting2"), .value = TEXT("a"), .counted = true}};
    const struct claim bob[] = {counted("bob", 0)}, carol[] = {counted("carol", 0)}, none[] = {counted("", 0)};
    assert_first(NULL);
    done(claiming(key("u", "o", "others"), others, 2));
    assert_first(NULL);
    done(claiming(key("u", "o", "1"), carol, 1));
    assert_first("carol");
    done(claiming(key("u", "o", "2"), bob, 1));
    done(claiming(key("u", "o", "3"), bob, 1));
    assert_first("bob");
    done(claiming(key("u", "o", "2"), carol, 1));
    assert_first("bob");
    done(removal(key("u", "o", "3"), VERSION_ANY));
    assert_first("carol");
    done(claiming(key("u", "o", "4"), none, 1));
    assert_first("");
    assert_sound();
}

static void what_is_shared_goes_with_its_last_holder(void **state)
{
    (void)state;
    const struct claim claims[] = {counted("content", 0)};
    done(change(key("content", "", "1"), VERSION_ABSENT, TEXT("bytes")));
    done(claiming(key("u", "bob", "1"), claims, 1));
    done(claiming(key("u", "carol", "1"), claims, 1));

    struct commit commits[] = {removal(key("u", "bob", "1"), VERSION_ANY),
                               removal(key("content", "", "1"), VERSION_ANY)};
    commits[1].unless_held = claims;
    assert_int_equal(store_commit(store, commits, 2), OK);
    assert_bytes(key("content", "", "1"), "bytes");
    assert_int_equal(commits[1].version, 0);

    commits[0].key = key("u", "carol", "1");
    assert_int_equal(store_commit(store, commits, 2), OK);
    assert_absent(key("content", "", "1"));
    assert_true(commits[1].version > 0);
    assert_int_equal(store_commit(store, &commits[1], 1), OK); /* gone already */
    assert_sound();
}

static void commits_of_one_transaction_count_together(void **state)
{
    (void)state;
    const struct claim content[] = {counted("content", 1)};
    struct commit together[] = {change(key("content", "", "1"), VERSION_ABSENT, TEXT("bytes")),
                                claiming(key("u", "bob", "1"), content, 1),
                                claiming(key("u", "carol", "1"), content, 1),
                                claiming(key("u", "dave", "1"), content, 1),
                                removal(key("u", "carol", "1"), VERSION_ANY),
                                removal(key("content", "", "1"), VERSION_ANY)};
    together[3].expected = 77; /* refused among the others */
    together[5].unless_held = content;
    assert_int_equal(store_commit(store, together, 6), CONFLICT);
    assert_tally("content", 1, 1);
    assert_bytes(key("content", "", "1"), "bytes");

    struct commit last[] = {removal(key("u", "bob", "1"), VERSION_ANY), claiming(key("u", "eve", "1"), content, 1),
                            removal(key("u", "eve", "1"), VERSION_ANY), removal(key("content", "", "1"), VERSION_ANY)};
    last[3].unless_held = content;
    assert_int_equal(store_commit(store, last, 4), OK);
    assert_tally("content", 0, 0);
    assert_absent(key("content", "", "1"));

    struct commit neither[] = {claiming(key("u", "eve", "2"), content, 1), removal(key("u", "eve", "2"), VERSION_ANY)};
    assert_int_equal(store_commit(store, neither, 2), OK); /* counted up and down, and never written */
    assert_tally("content", 0, 0);
    assert_sound();
}

static void a_commit_that_goes_with_another_goes_with_it_alone(void **state)
{
    (void)state;
    uint64_t version = put(key("u", "o", "a"), "1");
    struct commit commits[] = {change(key("u", "o", "a"), version, TEXT("2")),
                               change(key("u", "o", "b"), VERSION_ANY, TEXT("of 2")),
                               change(key("u", "o", "c"), VERSION_ANY, TEXT("anyhow"))};
    commits[1].only_with = &commits[0];
    assert_int_equal(store_commit(store, commits, 3), OK);
    assert_bytes(key("u", "o", "b"), "of 2");

    commits[0].bytes = TEXT("3"); /* of a version that is no more */
    commits[1].bytes = TEXT("of 3");
    commits[2].bytes = TEXT("still");
    assert_int_equal(store_commit(store, commits, 3), CONFLICT);
    assert_int_equal(commits[1].status, CONFLICT);
    assert_int_equal(commits[1].version, 0);
    assert_int_equal(commits[2].status, OK);
    assert_bytes(key("u", "o", "a"), "2");
    assert_bytes(key("u", "o", "b"), "of 2");
    assert_bytes(key("u", "o", "c"), "still");
}

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(holders_are_counted_and_their_weights_added),
        PROMISE(a_tally_follows_each_change_of_its_holders),
        PROMISE(a_counted_claim_may_be_held_twice),
        PROMISE(a_counted_claim_is_neither_unique_nor_found),
        PROMISE(a_failed_write_counts_nothing),
        PROMISE(long_counted_claims_are_told_apart),
        PROMISE(the_first_value_that_is_held_is_found),
        PROMISE(what_is_shared_goes_with_its_last_holder),
        PROMISE(commits_of_one_transaction_count_together),
        PROMISE(a_commit_that_goes_with_another_goes_with_it_alone),
    };
    return RUN_WITH_EACH_ENGINE(promises);
}
