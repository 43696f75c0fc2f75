/* What every store engine promises about quiet writes: documents as all others, of which no change record speaks. */
#include "store_engines.h"

static struct commit quiet(struct commit commit)
{
    commit.quiet = true;
    return commit;
}

static uint64_t put_quiet(struct document_key where, const char *bytes)
{
    return done(quiet(change(where, VERSION_ANY, text_of(bytes))));
}

static void assert_sound(void)
{
    assert_int_equal(store_check(store, NULL, NULL), OK);
}

static void no_change_speaks_of_them(void **state)
{
    (void)state;
    struct change_page page;
    assert_int_equal(put(key("u", "o", "a"), "loud"), 1);
    put_quiet(key("u", "o", "b"), "quiet");
    put_quiet(key("u", "o", "b"), "again");
    done(quiet(removal(key("u", "o", "b"), VERSION_ANY)));
    assert_int_equal(store_last_change(store), 1);
    assert_int_equal(put(key("u", "o", "a"), "loud"), 2);
    assert_int_equal(store_changes(store, 0, 10, &arena, &page), OK);
    assert_int_equal(page.count, 2);
    assert_false(page.lost);
    assert_sound();
}

static void they_are_read_and_listed_as_all_others(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "b");
    struct stored found, head;
    struct key_page page;
    put(key("u", "o", "a"), "loud");
    uint64_t version = put_quiet(where, "quiet");
    put_quiet(key("u", "o", "c"), "");
    assert_bytes(where, "quiet");
    assert_bytes(key("u", "o", "c"), "");
    assert_int_equal(store_get(store, &where, &arena, &found), OK);
    assert_int_equal(store_head(store, &where, &head), OK);
    assert_true(found.version == version && head.version == version);
    assert_true(found.modified_ms > 0 && found.modified_ms == head.modified_ms);
    assert_int_equal(store_list(store, &all, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 3);
    assert_key(page.keys[1], where);
    assert_int_equal(page.sizes[1], 5);
    assert_int_equal(page.sizes[2], 0);
    assert_true(page.versions[1] == version);
    assert_sound();
}

static void their_versions_are_their_own_and_never_repeat(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    uint64_t first = put_quiet(where, "1");
    assert_true(first & VERSION_QUIET);
    assert_false(put(key("u", "o", "b"), "loud") & VERSION_QUIET);
    struct commit late = quiet(change(where, first + 1, TEXT("late")));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    assert_true(late.version == first);
    late = quiet(change(where, VERSION_ABSENT, TEXT("late")));
    assert_int_equal(store_commit(store, &late, 1), CONFLICT);
    uint64_t second = done(quiet(change(where, first, TEXT("2"))));
    assert_true(second > first);
    done(quiet(removal(where, second)));
    assert_absent(where);
    assert_true(put_quiet(where, "3") > second);
    assert_sound();
}

static void a_document_may_be_quiet_and_then_not(void **state)
{
    (void)state;
    struct document_key where = key("u", "o", "a");
    struct change_page page;
    uint64_t before = put(where, "loud");
    uint64_t version = done(quiet(change(where, before, TEXT("quiet"))));
    assert_bytes(where, "quiet");
    assert_sound();
    done(change(where, version, TEXT("loud again")));
    assert_bytes(where, "loud again");
    assert_int_equal(store_changes(store, 1, 10, &arena, &page), OK);
    assert_true(page.count == 1 && page.changes[0].previous == version);
    assert_sound();
    put_quiet(where, "quiet again");
    done(removal(where, VERSION_ANY));
    assert_absent(where);
    assert_int_equal(store_last_change(store), 3);
    assert_sound();
}

static void their_claims_are_those_of_a_document(void **state)
{
    (void)state;
    const struct claim counted = {.kind = TEXT("n"), .value = TEXT("all"), .counted = true, .weight = 5};
    const struct claim before[] = {unique("sip:one@x"), shared("a"), counted};
    const struct claim after[] = {unique("sip:two@x"), shared("b"), counted};
    struct document_key where = key("u", "o", "a");
    struct tally tally;
    done(quiet(claiming(where, before, 3)));
    assert_holder("sip:one@x", where);
    done(quiet(claiming(where, after, 3)));
    assert_free("sip:one@x");
    assert_string_equal(holders_in_pages("of", "", 10), "b=a");
    assert_int_equal(store_tally(store, TEXT("n"), TEXT("all"), &tally), OK);
    assert_true(tally.count == 1 && tally.weight == 5);
    assert_sound();
    done(quiet(removal(where, VERSION_ANY)));
    assert_free("sip:one@x");
    assert_int_equal(store_last_change(store), 0);
    assert_sound();
}

/* Of each length as they are, and as what repeats itself; under keys of each length, too. */
static void their_bytes_have_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 511, 512, 1900, 2000, 2100, 4000, 5000, 20000, 1000000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const char *plain = repeated('x', lengths[i], "");
        char *varied = arena_alloc(&arena, lengths[i] + 1);
        for (size_t at = 0; at < lengths[i]; at++)
            varied[at] = (char)('!' + (at * 7919 + at / 89) % 90);
        struct document_key one = key("u", repeated('o', i * 97, ""), repeated('n', i * 101 + 1, ""));
        struct document_key two = key("u", "varied", repeated('n', i * 101 + 1, ""));
        put_quiet(one, plain);
        put_quiet(two, varied);
        assert_bytes(one, plain);
        assert_bytes(two, varied);
    }
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest promises[] = {
        PROMISE(no_change_speaks_of_them),
        PROMISE(they_are_read_and_listed_as_all_others),
        PROMISE(their_versions_are_their_own_and_never_repeat),
        PROMISE(a_document_may_be_quiet_and_then_not),
        PROMISE(their_claims_are_those_of_a_document),
        PROMISE(their_bytes_have_any_length),
    };
    return RUN_WITH_EACH_ENGINE(promises);
}
