/* Fates: what was written is found by message and by user, newest kept, oldest first, whatever peers chose as ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fate.h"
#include "memory_documents.h"

static struct fate example(struct text message_id, struct text recipient, int64_t when_ms)
{
    struct fate fate = {
        .message_id = message_id,
        .sender = TEXT("sip:alice@example.com"),
        .recipient = recipient,
        .group = TEXT("sip:team@example.com"),
        .call_id = TEXT("a84b4c76e66710"),
    };
    return fate_with(&fate, FATE_RECEIVED, when_ms, TEXT("from sip:alice@example.com"), &arena);
}

static void put(const struct fate *fate)
{
    struct commit commit = fate_commit(fate, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
}

static void what_became_of_a_message_is_read_back(void **state)
{
    (void)state;
    struct fate fate = example(TEXT("m1"), TEXT("sip:bob@example.com"), 1000), found;
    fate = fate_with(&fate, FATE_SENT, 1010, TEXT("sip:bob@127.0.0.1:5070"), &arena);
    fate = fate_with(&fate, FATE_DELIVERED, 1020, TEXT("200"), &arena);
    put(&fate);
    assert_int_equal(fate_get(documents, TEXT("m1"), TEXT("sip:bob@example.com"), &arena, &found), OK);
    assert_true(text_equal(found.sender, fate.sender));
    assert_true(text_equal(found.group, fate.group));
    assert_true(text_equal(found.call_id, fate.call_id));
    assert_int_equal(found.steps_count, 3);
    assert_string_equal(fate_step_name(found.steps[0].kind), "received");
    assert_int_equal(found.steps[2].kind, FATE_DELIVERED);
    assert_true(found.steps[2].when_ms == 1020);
    assert_true(text_equal(found.steps[1].detail, TEXT("sip:bob@127.0.0.1:5070")));
    assert_int_equal(fate_get(documents, TEXT("m2"), TEXT("sip:bob@example.com"), &arena, &found), NOT_FOUND);
}

static void all_recipients_of_a_message_are_found_oldest_first(void **state)
{
    (void)state;
    struct fate carol = example(TEXT("m"), TEXT("sip:carol@example.com"), 5);
    struct fate bob = example(TEXT("m"), TEXT("sip:bob@example.com"), 9);
    struct fate other = example(TEXT("m-other"), TEXT("sip:bob@example.com"), 1);
    put(&bob);
    put(&carol);
    put(&other);
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_message(documents, TEXT("m"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 2);
    assert_true(text_equal(fates[0].recipient, carol.recipient));
    assert_true(text_equal(fates[1].recipient, bob.recipient));
}

static void reports_are_steps_of_what_they_speak_of(void **state)
{
    (void)state;
    struct fate fate = example(TEXT("m1"), TEXT("sip:bob@example.com"), 1000), *fates;
    struct fate other = fate, unknown = fate;
    struct text said;
    size_t count;
    fate = fate_with(&fate, FATE_DELIVERED, 1020, TEXT("200"), &arena);
    struct commit commits[] = {
        fate_report_commit(&fate, TEXT("display"), TEXT("displayed"), 1030, &arena),
        fate_report_commit(&fate, TEXT("delivery"), TEXT("delivered"), 1010, &arena),
        fate_commit(&fate, &arena), /* the later commit overwrites neither */
    };
    assert_int_equal(document_internal_commit(documents, commits, 3), OK);
    assert_int_equal(fate_of_message(documents, TEXT("m1"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(fates[0].steps_count, 4);
    assert_int_equal(fates[0].steps[1].kind, FATE_REPORTED);
    assert_true(text_equal(fates[0].steps[1].detail, TEXT("delivered")));
    assert_int_equal(fates[0].steps[2].kind, FATE_DELIVERED);
    assert_string_equal(fate_step_name(fates[0].steps[3].kind), "displayed");
    assert_int_equal(fate_of_user(documents, TEXT("sip:bob@example.com"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(fates[0].steps_count, 4);
    assert_int_equal(fate_report_get(documents, &fate, TEXT("display"), &arena, &said), OK);
    assert_true(text_equal(said, TEXT("displayed")));
    assert_int_equal(fate_report_get(documents, &fate, TEXT("processing"), &arena, &said), NOT_FOUND);
    other.sender = TEXT("sip:mallory@example.com");
    assert_int_equal(fate_report_get(documents, &other, TEXT("display"), &arena, &said), NOT_FOUND);
    unknown.recipient = TEXT("sip:carol@example.com");
    assert_int_equal(fate_report_get(documents, &unknown, TEXT("display"), &arena, &said), NOT_FOUND);
}

static void a_user_finds_the_newest_of_many_oldest_first(void **state)
{
    (void)state;
    enum { MESSAGES = 30, WANTED = 7 };
    for (int i = 0; i < MESSAGES; i++) {
        struct fate fate = example(text_format(&arena, "m%d", i), TEXT("sip:bob@example.com"), 1767225600000 + i);
        put(&fate);
    }
    const struct text users[] = {TEXT("sip:alice@example.com"), TEXT("sip:bob@example.com")};
    for (size_t user = 0; user < 2; user++) {
        struct fate *fates;
        size_t count;
        assert_int_equal(fate_of_user(documents, users[user], WANTED, &arena, &fates, &count), OK);
        assert_int_equal(count, WANTED);
        for (int i = 0; i < WANTED; i++)
            assert_true(text_equal(fates[i].message_id, text_format(&arena, "m%d", MESSAGES - WANTED + i)));
    }
}

static void more_than_one_page_is_found(void **state)
{
    (void)state;
    enum { MESSAGES = STORE_PAGE_MAX + 50 };
    for (int i = 0; i < MESSAGES; i++) {
        struct fate fate = example(TEXT("m"), text_format(&arena, "sip:u%d@example.com", i), i);
        put(&fate);
    }
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_message(documents, TEXT("m"), MESSAGES + 10, &arena, &fates, &count), OK);
    assert_int_equal(count, MESSAGES);
    assert_int_equal(fate_of_user(documents, TEXT("sip:alice@example.com"), MESSAGES + 10, &arena, &fates, &count), OK);
    assert_int_equal(count, MESSAGES);
    assert_true(fates[0].steps[0].when_ms == 0 && fates[count - 1].steps[0].when_ms == MESSAGES - 1);
}

static void a_message_to_oneself_is_listed_once(void **state)
{
    (void)state;
    struct fate fate = example(TEXT("note"), TEXT("sip:alice@example.com"), 1);
    put(&fate);
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_user(documents, TEXT("sip:alice@example.com"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
}

static void users_whose_address_begins_alike_are_apart(void **state)
{
    (void)state;
    struct fate fate = example(TEXT("m"), TEXT("sip:bob@example.com.au"), 1);
    put(&fate);
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_user(documents, TEXT("sip:bob@example.com"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 0);
}

static void a_later_step_keeps_its_place_in_the_list(void **state)
{
    (void)state;
    struct fate first = example(TEXT("first"), TEXT("sip:bob@example.com"), 10);
    struct fate second = example(TEXT("second"), TEXT("sip:bob@example.com"), 20);
    put(&first);
    put(&second);
    first = fate_with(&first, FATE_EXPIRED, 1000, TEXT(""), &arena);
    put(&first);
    struct fate *fates;
    size_t count;
    assert_int_equal(fate_of_user(documents, TEXT("sip:bob@example.com"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 2);
    assert_true(text_equal(fates[0].message_id, TEXT("first")));
    assert_int_equal(fates[0].steps_count, 2);
}

static void the_first_steps_and_the_last_survive_too_many(void **state)
{
    (void)state;
    struct fate fate = example(TEXT("m"), TEXT("sip:bob@example.com"), 0), found;
    for (int i = 1; i < 200; i++)
        fate = fate_with(&fate, FATE_FAILED, i, TEXT("480"), &arena);
    put(&fate);
    assert_int_equal(fate_get(documents, TEXT("m"), TEXT("sip:bob@example.com"), &arena, &found), OK);
    assert_int_equal(found.steps_count, FATE_STEPS_MAX);
    assert_int_equal(found.steps[0].kind, FATE_RECEIVED);
    assert_true(found.steps[FATE_STEPS_MAX - 1].when_ms == 199);
    assert_true(found.steps[FATE_STEPS_MAX - 2].when_ms == 198);
    assert_true(found.steps[FATE_STEPS_MAX - 3].when_ms == FATE_STEPS_MAX - 3);
}

static void ids_that_fit_no_key_are_found_all_the_same(void **state)
{
    (void)state;
    char long_id[5000];
    memset(long_id, 'x', sizeof(long_id));
    const struct text ids[] = {
        {long_id, sizeof(long_id)}, {long_id, sizeof(long_id) - 1}, TEXT("a\0b"), TEXT("a\0c"), TEXT("")};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct fate fate = example(ids[i], TEXT("sip:bob@example.com"), (int64_t)i);
        put(&fate);
    }
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct fate found;
        assert_int_equal(fate_get(documents, ids[i], TEXT("sip:bob@example.com"), &arena, &found), OK);
        assert_true(text_equal(found.message_id, ids[i]));
        assert_true(found.steps[0].when_ms == (int64_t)i);
    }
}

static void an_overlong_detail_is_cut_between_characters(void **state)
{
    (void)state;
    char detail[1001];
    for (size_t i = 0; i + 1 < sizeof(detail); i += 2)
        memcpy(detail + i, "\xC3\xA4", 2);
    detail[0] = 'x'; /* shifts the characters so that the limit falls into one */
    detail[1] = 'x';
    detail[2] = 'x';
    memmove(detail + 3, detail + 4, sizeof(detail) - 5);
    struct fate fate = example(TEXT("m"), TEXT("sip:bob@example.com"), 0);
    fate = fate_with(&fate, FATE_FAILED, 1, (struct text){detail, sizeof(detail) - 2}, &arena);
    assert_true(fate.steps[1].detail.length <= 512);
    assert_true(utf8_valid(fate.steps[1].detail));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_became_of_a_message_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(all_recipients_of_a_message_are_found_oldest_first, begin, end),
        cmocka_unit_test_setup_teardown(reports_are_steps_of_what_they_speak_of, begin, end),
        cmocka_unit_test_setup_teardown(a_user_finds_the_newest_of_many_oldest_first, begin, end),
        cmocka_unit_test_setup_teardown(more_than_one_page_is_found, begin, end),
        cmocka_unit_test_setup_teardown(a_message_to_oneself_is_listed_once, begin, end),
        cmocka_unit_test_setup_teardown(users_whose_address_begins_alike_are_apart, begin, end),
        cmocka_unit_test_setup_teardown(a_later_step_keeps_its_place_in_the_list, begin, end),
        cmocka_unit_test_setup_teardown(the_first_steps_and_the_last_survive_too_many, begin, end),
        cmocka_unit_test_setup_teardown(ids_that_fit_no_key_are_found_all_the_same, begin, end),
        cmocka_unit_test_setup_teardown(an_overlong_detail_is_cut_between_characters, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
