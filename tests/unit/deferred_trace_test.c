/* What is being handed out has a trace, too: its fan-out record says who is to get it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferred.h"
#include "fate.h"
#include "memory_documents.h"

#define ALICE TEXT("sip:alice@example.com")
#define BOB   TEXT("sip:bob@example.com")
#define CAROL TEXT("sip:carol@example.com")
#define TEAM  TEXT("sip:team@example.com")

static const struct deferred_copy copies[] = {
    {TEXT_INIT("sip:bob@example.com"), TEXT_INIT("sip:team@example.com"), false},
    {TEXT_INIT("sip:carol@example.com"), TEXT_INIT("sip:others@example.com"), false},
};

static void hand_out(const char *name, const char *id, int64_t when_ms)
{
    const struct deferred_fan_out record = {.name = text_of(name),
                                            .shared = {.message_id = text_of(id),
                                                       .call_id = TEXT("c1"),
                                                       .sender = ALICE,
                                                       .group = TEAM,
                                                       .message = TEXT("bytes"),
                                                       .received_ms = when_ms},
                                            .copies = copies,
                                            .count = 2};
    struct commit commit = deferred_fan_out_commit(&record, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
}

static void put_trace(const char *name, const char *id, int64_t when_ms)
{
    struct fate_fan_out trace = {
        .name = text_of(name), .message_id = text_of(id), .sender = ALICE, .group = TEAM, .received_ms = when_ms};
    struct text_builder entries;
    builder_init(&entries, &arena);
    for (size_t i = 0; i < 2; i++) {
        struct fate fate = {.recipient = copies[i].owner, .group = copies[i].group};
        fate = fate_with(&fate, FATE_RECEIVED, when_ms, TEXT(""), &arena);
        fate = fate_with(&fate, FATE_DELIVERED, when_ms + 1, TEXT("200"), &arena);
        fate_entry_add(&entries, &trace, &fate);
    }
    trace.entries = builder_text(&entries);
    struct commit commit = fate_fan_out_commit(&trace, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
}

static struct fate *of_message(const char *id, size_t limit, size_t count_wanted)
{
    struct fate *fates;
    size_t count;
    assert_int_equal(deferred_fates_of_message(documents, text_of(id), limit, &arena, &fates, &count), OK);
    assert_int_equal(count, count_wanted);
    return fates;
}

static struct fate *of_user(struct text address, size_t limit, size_t count_wanted)
{
    struct fate *fates;
    size_t count;
    assert_int_equal(deferred_fates_of_user(documents, address, limit, &arena, &fates, &count), OK);
    assert_int_equal(count, count_wanted);
    return fates;
}

static void what_is_handed_out_was_received(void **state)
{
    (void)state;
    hand_out("0001", "m1", 1000);
    const struct fate *fates = of_message("m1", 10, 2);
    assert_true(text_equal(fates[0].recipient, BOB) && text_equal(fates[1].recipient, CAROL));
    assert_true(text_equal(fates[0].sender, ALICE) && text_equal(fates[0].call_id, TEXT("c1")));
    assert_true(text_equal(fates[0].group, TEAM) && text_equal(fates[1].group, TEXT("sip:others@example.com")));
    assert_int_equal(fates[0].steps_count, 1);
    assert_true(fates[0].steps[0].kind == FATE_RECEIVED && fates[0].steps[0].when_ms == 1000);
    of_message("m2", 10, 0);
    of_message("m1", 1, 1);
    of_user(ALICE, 10, 2);
    of_user(TEXT("sip:dave@example.com"), 10, 0);
    assert_true(text_equal(of_user(BOB, 10, 1)[0].recipient, BOB));
}

static void a_trace_knows_more_than_its_record(void **state)
{
    (void)state;
    hand_out("0001", "m1", 1000);
    put_trace("0001", "m1", 1000);
    assert_int_equal(of_message("m1", 10, 2)[0].steps_count, 2);
    assert_int_equal(of_user(BOB, 10, 1)[0].steps_count, 2);
    assert_int_equal(of_message("m1", 1, 1)[0].steps_count, 2);
}

static void of_one_id_the_newest_counts(void **state)
{
    (void)state;
    put_trace("0001", "m1", 1000);
    hand_out("0002", "m1", 2000);
    assert_true(of_message("m1", 10, 2)[0].steps[0].when_ms == 2000);
    const struct fate *fates = of_user(BOB, 10, 2);
    assert_true(fates[0].steps[0].when_ms == 1000 && fates[1].steps[0].when_ms == 2000);
}

static void the_newest_of_a_user_come_last(void **state)
{
    (void)state;
    put_trace("0001", "m1", 1000);
    hand_out("0002", "m2", 2000);
    hand_out("0003", "m3", 3000);
    const struct fate *fates = of_user(BOB, 2, 2);
    assert_true(text_equal(fates[0].message_id, TEXT("m2")) && text_equal(fates[1].message_id, TEXT("m3")));
    fates = of_user(BOB, 10, 3);
    assert_true(text_equal(fates[0].message_id, TEXT("m1")) && text_equal(fates[2].message_id, TEXT("m3")));
}

static void reports_are_told_with_it(void **state)
{
    (void)state;
    hand_out("0001", "m1", 1000);
    const struct fate about = {.message_id = TEXT("m1"), .sender = ALICE, .recipient = BOB};
    struct commit report = fate_report_commit(&about, TEXT("display"), TEXT("displayed"), 1500, &arena);
    assert_int_equal(document_internal_commit(documents, &report, 1), OK);
    const struct fate *fates = of_message("m1", 10, 2);
    assert_int_equal(fates[0].steps_count, 2);
    assert_int_equal(fates[0].steps[1].kind, FATE_DISPLAYED);
}

static void of_a_sender_who_was_erased_nothing_is_told(void **state)
{
    (void)state;
    struct commit *commits;
    size_t count;
    hand_out("0001", "m1", 1000);
    assert_int_equal(deferred_fan_out_removals(documents, ALICE, 10, TEXT("admin"), &arena, &commits, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    of_message("m1", 10, 0);
    of_user(ALICE, 10, 0);
    assert_int_equal(deferred_fan_out_removals(documents, ALICE, 10, TEXT("admin"), &arena, &commits, &count), OK);
    assert_int_equal(count, 0);
}

static void a_damaged_record_hides_no_other(void **state)
{
    (void)state;
    struct commit damaged = {.key = {TEXT(DOCUMENT_FAN_OUTS), TEXT(""), TEXT("0002")}, .bytes = TEXT("no record")};
    hand_out("0001", "m1", 1000);
    assert_int_equal(document_internal_commit(documents, &damaged, 1), OK);
    of_message("m1", 10, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_handed_out_was_received, begin, end),
        cmocka_unit_test_setup_teardown(a_trace_knows_more_than_its_record, begin, end),
        cmocka_unit_test_setup_teardown(of_one_id_the_newest_counts, begin, end),
        cmocka_unit_test_setup_teardown(the_newest_of_a_user_come_last, begin, end),
        cmocka_unit_test_setup_teardown(reports_are_told_with_it, begin, end),
        cmocka_unit_test_setup_teardown(of_a_sender_who_was_erased_nothing_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_record_hides_no_other, begin, end),
    };
    return cmocka_run_group_tests_name("deferred_trace", tests, NULL, NULL);
}
