/* Who was erased: records of before are known as such, what hangs on a look is not written after an erasure, and what
 * is written later leaves out them alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fate.h"
#include "memory_documents.h"

#define ALICE TEXT("sip:alice@example.com")
#define BOB   TEXT("sip:bob@example.com")
#define CAROL TEXT("sip:carol@example.com")

static struct fate trace(struct text id, struct text sender, struct text recipient, int64_t when_ms)
{
    struct fate fate = {.message_id = id, .sender = sender, .recipient = recipient};
    return fate_with(&fate, FATE_RECEIVED, when_ms, TEXT(""), &arena);
}

static void note(struct text address, int64_t when_ms, bool running)
{
    struct commit commits[FATE_ERASURE_COMMITS];
    fate_note_erasure(address, when_ms, running, &arena, commits);
    assert_int_equal(document_internal_commit(documents, commits, FATE_ERASURE_COMMITS), OK);
}

static struct fate_erasures look(void)
{
    struct fate_erasures erasures;
    assert_int_equal(fate_erasures(documents, &arena, &erasures), OK);
    return erasures;
}

static bool is_erased(const struct fate *fate)
{
    const struct fate_erasures erasures = look();
    return fate_is_erased(documents, &erasures, fate, &arena);
}

static void what_began_before_an_erasure_ended_is_of_an_erased(void **state)
{
    (void)state;
    struct fate before = trace(TEXT("m"), ALICE, BOB, 1000), after = trace(TEXT("m"), BOB, ALICE, 3000),
                others = trace(TEXT("m"), CAROL, BOB, 1000);
    assert_false(is_erased(&before));
    note(ALICE, 1500, true);
    assert_true(is_erased(&before) && is_erased(&after));
    assert_false(is_erased(&others));
    note(ALICE, 2000, false);
    assert_true(is_erased(&before));
    assert_false(is_erased(&after) || is_erased(&others));
    note(CAROL, 1700, true); /* that one goes on has no part in the others */
    assert_true(is_erased(&before) && is_erased(&others));
    assert_false(is_erased(&after));
}

static enum status write_with(const struct fate_erasures *erasures, struct commit *commit)
{
    struct commit commits[] = {fate_no_erasure_since(erasures, &arena), *commit};
    commits[1].only_with = &commits[0];
    document_internal_commit(documents, commits, 2);
    *commit = commits[1];
    return commits[0].status;
}

static bool is_there(const struct fate *fate)
{
    struct fate found;
    return fate_get_own(documents, fate->message_id, fate->recipient, &arena, &found) == OK;
}

static void nothing_is_written_after_an_erasure_that_was_not_known(void **state)
{
    (void)state;
    struct fate fate = trace(TEXT("m"), ALICE, BOB, 1000);
    for (int64_t when_ms = 1500; when_ms < 1504; when_ms++) {
        struct fate_erasures erasures = look();
        struct commit commit = fate_commit(&fate, &arena);
        note(CAROL, when_ms, when_ms % 2 == 0); /* also the first of all */
        assert_int_equal(write_with(&erasures, &commit), CONFLICT);
        assert_false(is_there(&fate));
    }
    struct fate_erasures erasures = look();
    struct commit commit = fate_commit(&fate, &arena);
    assert_int_equal(write_with(&erasures, &commit), OK);
    assert_true(is_there(&fate));
    assert_true(look().version == erasures.version); /* a look changes nothing */
}

static void of_what_is_written_later_only_the_erased_are_left_out(void **state)
{
    (void)state;
    struct fate hers = trace(TEXT("1"), ALICE, BOB, 1000), others = trace(TEXT("2"), CAROL, BOB, 1000);
    struct commit commits[] = {
        fate_commit(&hers, &arena),
        fate_commit(&others, &arena),
        fate_report_commit(&hers, TEXT("display"), TEXT("displayed"), 1000, &arena),
    };
    note(ALICE, 1500, true);
    note(ALICE, 1600, false);
    struct fate_erasures erasures = look();
    for (size_t i = 0; i < 3; i++) {
        fate_revise(documents, &erasures, &arena, &commits[i]);
        assert_int_equal(write_with(&erasures, &commits[i]), OK);
        assert_int_equal(commits[i].status, OK);
    }
    struct text status;
    assert_false(is_there(&hers));
    assert_true(is_there(&others));
    assert_int_equal(fate_report_get(documents, &hers, TEXT("display"), &arena, &status), NOT_FOUND);
}

static void a_record_for_many_is_made_anew(void **state)
{
    (void)state;
    struct fate_fan_out many = {.name = TEXT("1"), .message_id = TEXT("m"), .sender = CAROL, .received_ms = 1000};
    struct fate his = trace(TEXT("m"), CAROL, BOB, 1000);
    struct text_builder entries;
    builder_init(&entries, &arena);
    fate_entry_add(&entries, &many, &his);
    many.entries = builder_text(&entries);
    many.version = VERSION_ANY;
    struct fate_erasures erasures = look();
    struct commit commit = fate_fan_out_commit(&many, &arena);
    note(ALICE, 1500, false);
    fate_revise(documents, &erasures, &arena, &commit);
    assert_true(commit.expected == VERSION_ANY);
    note(BOB, 1500, false);
    erasures = look();
    fate_revise(documents, &erasures, &arena, &commit);
    assert_int_equal(write_with(&erasures, &commit), OK);
    assert_int_equal(commit.status, CONFLICT);
}

static size_t steps_of(struct fate fate, struct fate there)
{
    struct fate_erasures erasures = look();
    struct commit commits[] = {fate_commit(&there, &arena), fate_commit(&fate, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 1), OK);
    fate_revise(documents, &erasures, &arena, &commits[1]);
    write_with(&erasures, &commits[1]);
    assert_int_equal(fate_get_own(documents, fate.message_id, fate.recipient, &arena, &there), OK);
    return there.steps_count;
}

static void a_later_record_that_was_written_meanwhile_stays(void **state)
{
    (void)state;
    struct fate fate = trace(TEXT("m"), ALICE, BOB, 1000);
    struct fate sent = fate_with(&fate, FATE_SENT, 1000, TEXT(""), &arena);
    struct fate delivered = fate_with(&sent, FATE_DELIVERED, 1200, TEXT(""), &arena);
    assert_int_equal(steps_of(sent, delivered), 3);
    assert_int_equal(steps_of(fate, sent), 2);
    assert_int_equal(steps_of(delivered, sent), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_began_before_an_erasure_ended_is_of_an_erased, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_written_after_an_erasure_that_was_not_known, begin, end),
        cmocka_unit_test_setup_teardown(of_what_is_written_later_only_the_erased_are_left_out, begin, end),
        cmocka_unit_test_setup_teardown(a_record_for_many_is_made_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_later_record_that_was_written_meanwhile_stays, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
