/* Records of what became of one message for many: each recipient's fate reads as if it had a record of its own. */
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
#define TEAM  TEXT("sip:team@example.com")

static struct text_builder entries;

static struct fate_fan_out record(struct text message_id, struct text name, int64_t received_ms)
{
    builder_init(&entries, &arena);
    return (struct fate_fan_out){
        .name = name,
        .message_id = message_id,
        .sender = ALICE,
        .call_id = TEXT("a84b4c76e66710"),
        .group = TEAM,
        .received_ms = received_ms,
    };
}

/* Delivered so much later; 0: no more is known. */
static void add(const struct fate_fan_out *fan_out, struct text recipient, int64_t later_ms)
{
    struct fate fate = {.message_id = fan_out->message_id,
                        .sender = fan_out->sender,
                        .recipient = recipient,
                        .group = fan_out->group,
                        .call_id = fan_out->call_id};
    fate = fate_with(&fate, FATE_RECEIVED, fan_out->received_ms, TEXT(""), &arena);
    if (later_ms) {
        fate = fate_with(&fate, FATE_SENT, fan_out->received_ms, TEXT("sip:x@127.0.0.1:5070"), &arena);
        fate =
            fate_with(&fate, FATE_DELIVERED, fan_out->received_ms + later_ms, TEXT("sip:x@127.0.0.1:5070 200"), &arena);
    }
    fate_entry_add(&entries, fan_out, &fate);
}

static enum status put(struct fate_fan_out *fan_out)
{
    fan_out->entries = builder_text(&entries);
    struct commit commit = fate_fan_out_commit(fan_out, &arena);
    enum status status = document_internal_commit(documents, &commit, 1);
    if (status == OK)
        fan_out->version = commit.version;
    return status;
}

static void put_record(struct text message_id, struct text name, int64_t received_ms)
{
    struct fate_fan_out fan_out = record(message_id, name, received_ms);
    add(&fan_out, CAROL, 7);
    add(&fan_out, BOB, 900000);
    assert_int_equal(put(&fan_out), OK);
}

static size_t count_of_user(struct text address)
{
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_user(documents, address, 900, &arena, &fates, &count), OK);
    for (size_t i = 0; i < count; i++)
        assert_true(text_equal(fates[i].sender, address) || text_equal(fates[i].recipient, address));
    return count;
}

static void each_recipient_has_a_fate_of_its_own(void **state)
{
    (void)state;
    struct fate found;
    put_record(TEXT("m1"), TEXT("0001"), 1767225600000);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(text_equal(found.recipient, BOB) && text_equal(found.sender, ALICE) && text_equal(found.group, TEAM));
    assert_true(text_equal(found.message_id, TEXT("m1")) && text_equal(found.call_id, TEXT("a84b4c76e66710")));
    assert_int_equal(found.steps_count, 3);
    assert_int_equal(found.steps[0].kind, FATE_RECEIVED);
    assert_true(found.steps[0].when_ms == 1767225600000);
    assert_int_equal(found.steps[1].kind, FATE_SENT);
    assert_true(text_equal(found.steps[1].detail, TEXT("sip:x@127.0.0.1:5070")));
    assert_int_equal(found.steps[2].kind, FATE_DELIVERED);
    assert_true(found.steps[2].when_ms == 1767226500000);
    assert_int_equal(fate_get(documents, TEXT("m1"), TEXT("sip:dave@example.com"), &arena, &found), NOT_FOUND);
    assert_int_equal(fate_get(documents, TEXT("m2"), BOB, &arena, &found), NOT_FOUND);
    assert_int_equal(fate_get_own(documents, TEXT("m1"), BOB, &arena, &found), NOT_FOUND);
}

static void it_is_found_by_message_and_by_everybody_in_it(void **state)
{
    (void)state;
    struct fate *fates;
    size_t count;
    put_record(TEXT("m1"), TEXT("0001"), 5000);
    assert_int_equal(fate_of_message(documents, TEXT("m1"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 2);
    assert_true(text_equal(fates[0].recipient, BOB) && text_equal(fates[1].recipient, CAROL));
    assert_int_equal(fate_of_message(documents, TEXT("m1"), 1, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(count_of_user(ALICE), 2);
    assert_int_equal(count_of_user(BOB), 1);
    assert_int_equal(count_of_user(CAROL), 1);
    assert_int_equal(count_of_user(TEXT("sip:dave@example.com")), 0);
    struct fate about = {.message_id = TEXT("m1"), .sender = ALICE, .recipient = BOB};
    struct commit report = fate_report_commit(&about, TEXT("display"), TEXT("displayed"), 6000, &arena);
    assert_int_equal(document_internal_commit(documents, &report, 1), OK);
    assert_int_equal(fate_of_user(documents, BOB, 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(fates[0].steps[1].kind, FATE_SENT);
    assert_int_equal(fates[0].steps[2].kind, FATE_DISPLAYED);
    assert_int_equal(fates[0].steps_count, 4);
}

/* As with records for one: an id that is used again leads to what was sent last. */
static void of_one_id_the_newest_counts(void **state)
{
    (void)state;
    struct fate found, *fates;
    size_t count;
    put_record(TEXT("m1"), TEXT("0001"), 1000);
    put_record(TEXT("m1"), TEXT("0002"), 2000);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(found.steps[0].when_ms == 2000);
    struct fate own = {.message_id = TEXT("m1"), .sender = CAROL, .recipient = BOB};
    own = fate_with(&own, FATE_RECEIVED, 1500, TEXT(""), &arena);
    struct commit commit = fate_commit(&own, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(text_equal(found.sender, ALICE));
    assert_int_equal(fate_get_own(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(text_equal(found.sender, CAROL));
    own = fate_with(&(struct fate){.message_id = TEXT("m1"), .sender = CAROL, .recipient = BOB}, FATE_RECEIVED, 2500,
                    TEXT(""), &arena);
    commit = fate_commit(&own, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(text_equal(found.sender, CAROL));
    assert_int_equal(fate_of_message(documents, TEXT("m1"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 2);
}

static void steps_and_groups_are_those_of_the_recipient(void **state)
{
    (void)state;
    struct fate found, other = {.recipient = CAROL, .group = TEXT("sip:friends@example.com")};
    struct fate_fan_out fan_out = record(TEXT("m1"), TEXT("0001"), 5000);
    other = fate_with(&other, FATE_RECEIVED, 5000, TEXT("by the way"), &arena);
    other = fate_with(&other, FATE_FAILED, 4000, TEXT(""), &arena); /* the clock was set */
    add(&fan_out, BOB, 3);
    fate_entry_add(&entries, &fan_out, &other);
    assert_int_equal(put(&fan_out), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), CAROL, &arena, &found), OK);
    assert_true(text_equal(found.group, other.group));
    assert_int_equal(found.steps_count, 3);
    assert_true(text_equal(found.steps[1].detail, TEXT("by the way")));
    assert_true(found.steps[2].kind == FATE_FAILED && found.steps[2].when_ms == 4000);
    assert_int_equal(found.steps[2].detail.length, 0);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), OK);
    assert_true(text_equal(found.group, TEAM));
}

static void who_is_taken_out_is_in_it_no_more(void **state)
{
    (void)state;
    struct fate_fan_out fan_out = record(TEXT("m1"), TEXT("0001"), 5000);
    struct fate found;
    add(&fan_out, BOB, 4);
    add(&fan_out, CAROL, 5);
    struct text rest = fate_entries_without(builder_text(&entries), BOB, &arena);
    builder_init(&entries, &arena);
    builder_add(&entries, rest);
    assert_int_equal(put(&fan_out), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), NOT_FOUND);
    assert_int_equal(fate_get(documents, TEXT("m1"), CAROL, &arena, &found), OK);
    assert_int_equal(found.steps_count, 3);
    struct commit removal = fate_fan_out_removal(&fan_out, &arena);
    assert_int_equal(document_internal_commit(documents, &removal, 1), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), CAROL, &arena, &found), NOT_FOUND);
}

static void damage_is_told(void **state)
{
    (void)state;
    struct fate found;
    struct commit commit = {.key = {TEXT(DOCUMENT_FATES), TEXT("m1"), TEXT(" 0001")}, .bytes = TEXT("no record")};
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(fate_get(documents, TEXT("m1"), BOB, &arena, &found), FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_recipient_has_a_fate_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(it_is_found_by_message_and_by_everybody_in_it, begin, end),
        cmocka_unit_test_setup_teardown(of_one_id_the_newest_counts, begin, end),
        cmocka_unit_test_setup_teardown(steps_and_groups_are_those_of_the_recipient, begin, end),
        cmocka_unit_test_setup_teardown(who_is_taken_out_is_in_it_no_more, begin, end),
        cmocka_unit_test_setup_teardown(damage_is_told, begin, end),
    };
    return cmocka_run_group_tests_name("fate_fan_out", tests, NULL, NULL);
}
