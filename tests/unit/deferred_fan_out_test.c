/* Fan-out records: what they say is read back, each copy can have a record of its own, and who is erased leaves them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferred.h"
#include "memory_documents.h"

#define NOW   1767225600000
#define BOB   TEXT("sip:bob@example.com")
#define CAROL TEXT("sip:carol@example.com")
#define DAVE  TEXT("sip:dave@example.com")

static const struct deferred_copy copies[] = {
    {TEXT_INIT("sip:bob@example.com"), TEXT_INIT("sip:team@example.com"), false},
    {TEXT_INIT("sip:carol@example.com"), TEXT_INIT("sip:others@example.com"), true},
    {TEXT_INIT("sip:dave@example.com"), TEXT_INIT(""), false},
};

static struct deferred_fan_out example(uint64_t order)
{
    return (struct deferred_fan_out){
        .name = deferred_content_name(order, &arena),
        .shared = {.content = deferred_content_name(order + 1, &arena),
                   .message_id = TEXT("m1"),
                   .call_id = TEXT("c1"),
                   .sender = TEXT("sip:alice@example.com"),
                   .group = TEXT("sip:team@example.com"),
                   .subject = TEXT("lunch"),
                   .size = 5,
                   .priority = DEFERRED_URGENT,
                   .received_ms = NOW,
                   .expires_ms = NOW + 1000000,
                   .told = true},
        .copies = copies,
        .count = 3,
    };
}

static void put(const struct deferred_fan_out *fan_out)
{
    struct commit commits[] = {deferred_content_commit(fan_out->shared.content, TEXT("hello"), &arena),
                               deferred_fan_out_commit(fan_out, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
}

static void note_problem(void *context, struct text line)
{
    struct text *said = context;
    *said = text_format(&arena, "%.*s%.*s\n", TEXT_ARG(*said), TEXT_ARG(line));
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    const struct deferred_fan_out written = example(deferred_order(0, NOW));
    struct deferred_fan_out found;
    put(&written);
    assert_int_equal(deferred_fan_out_get(documents, written.name, &arena, &found), OK);
    assert_true(text_equal(found.name, written.name) && text_equal(found.shared.content, written.shared.content));
    assert_true(text_equal(found.shared.subject, TEXT("lunch")) && found.shared.told && found.shared.size == 5);
    assert_int_equal(found.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_equal(found.copies[i].owner, copies[i].owner));
        assert_true(text_equal(found.copies[i].group, copies[i].group));
        assert_int_equal(found.copies[i].once, copies[i].once);
    }
    assert_int_equal(deferred_fan_out_get(documents, TEXT("other"), &arena, &found), NOT_FOUND);
}

/* Nobody waits because of it, but its bytes stay as long as it does. */
static void it_is_not_counted_and_keeps_its_bytes(void **state)
{
    (void)state;
    const struct deferred_fan_out fan_out = example(deferred_order(0, NOW));
    struct deferred_figures figures;
    struct deferred_fan_out found;
    struct text bytes;
    put(&fan_out);
    assert_int_equal(deferred_figures(documents, TEXT(""), &figures), OK);
    assert_int_equal(figures.count, 0);
    struct commit removal = deferred_content_removal(fan_out.shared.content, &arena), commits[DEFERRED_END_COMMITS];
    assert_int_equal(document_internal_commit(documents, &removal, 1), OK);
    assert_int_equal(deferred_message_get(documents, &fan_out.shared, &arena, &bytes), OK);
    size_t count = deferred_fan_out_end(&fan_out, &arena, commits);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    assert_int_equal(deferred_message_get(documents, &fan_out.shared, &arena, &bytes), NOT_FOUND);
    assert_int_equal(deferred_fan_out_get(documents, fan_out.name, &arena, &found), NOT_FOUND);
}

static void short_bytes_are_in_it_and_in_the_records_of_copies(void **state)
{
    (void)state;
    struct deferred_fan_out written = example(deferred_order(0, NOW)), found;
    struct commit ends[DEFERRED_END_COMMITS];
    struct text bytes, said = TEXT("");
    written.shared.content = (struct text){0};
    written.shared.message = TEXT("hello");
    struct commit commit = deferred_fan_out_commit(&written, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(deferred_fan_out_get(documents, written.name, &arena, &found), OK);
    assert_int_equal(deferred_message_get(documents, &found.shared, &arena, &bytes), OK);
    assert_true(text_equal(bytes, TEXT("hello")));
    struct deferred own = deferred_of_copy(&found, &found.copies[2], DEFERRED_NORMAL, &arena), read;
    commit = deferred_commit(&own, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    size_t count = deferred_fan_out_end(&found, &arena, ends);
    assert_int_equal(count, 1);
    assert_int_equal(document_internal_commit(documents, ends, count), OK);
    assert_int_equal(deferred_get(documents, DAVE, own.reference, &arena, &read), OK);
    assert_int_equal(deferred_message_get(documents, &read, &arena, &bytes), OK);
    assert_true(text_equal(bytes, TEXT("hello")));
    assert_int_equal(deferred_check(documents, NOW + 5000, note_problem, &said), OK);
}

static void a_copy_gets_a_record_at_the_place_of_its_arrival(void **state)
{
    (void)state;
    uint64_t order = deferred_order(0, NOW), later = deferred_order(order + 1, NOW + 1000);
    const struct deferred_fan_out fan_out = example(order), next = example(later);
    struct deferred_page page;
    struct text bytes;
    put(&fan_out);
    put(&next);
    struct deferred second = deferred_of_copy(&next, &next.copies[1], DEFERRED_NORMAL, &arena);
    struct deferred first = deferred_of_copy(&fan_out, &fan_out.copies[1], DEFERRED_NORMAL, &arena);
    assert_false(deferred_copy_is_there(documents, &first, &arena));
    struct commit commits[] = {deferred_commit(&second, &arena), deferred_commit(&first, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
    assert_int_equal(deferred_list(documents, CAROL, TEXT(""), 10, &arena, &page), OK);
    assert_int_equal(page.count, 2);
    assert_true(text_equal(page.items[0].content, fan_out.shared.content));
    assert_true(text_equal(page.items[1].content, next.shared.content));
    assert_true(page.items[0].once && text_equal(page.items[0].group, TEXT("sip:others@example.com")));
    struct deferred again = deferred_of_copy(&fan_out, &fan_out.copies[1], DEFERRED_NORMAL, &arena);
    assert_false(text_equal(again.reference, first.reference)); /* nobody guesses it */
    assert_true(deferred_copy_is_there(documents, &again, &arena));
    again.owner = BOB;
    assert_false(deferred_copy_is_there(documents, &again, &arena));
    struct commit ends[DEFERRED_END_COMMITS];
    size_t count = deferred_fan_out_end(&fan_out, &arena, ends);
    assert_int_equal(document_internal_commit(documents, ends, count), OK);
    assert_int_equal(deferred_message_get(documents, &fan_out.shared, &arena, &bytes), OK);
}

static void who_is_erased_leaves_all_of_them(void **state)
{
    (void)state;
    const struct deferred_fan_out first = example(deferred_order(0, NOW)), second = example(deferred_order(0, NOW + 9));
    struct deferred_fan_out found;
    struct commit *commits;
    size_t count;
    put(&first);
    put(&second);
    assert_int_equal(deferred_fan_out_removals(documents, BOB, 1, TEXT("admin"), &arena, &commits, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    assert_int_equal(deferred_fan_out_removals(documents, BOB, 10, TEXT("admin"), &arena, &commits, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    assert_int_equal(deferred_fan_out_removals(documents, BOB, 10, TEXT("admin"), &arena, &commits, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(deferred_fan_out_get(documents, second.name, &arena, &found), OK);
    assert_int_equal(found.count, 2);
    assert_true(text_equal(found.copies[0].owner, CAROL) && text_equal(found.copies[1].owner, DAVE));
    assert_int_equal(found.copies[1].group.length, 0);
}

static void a_check_finds_missing_bytes_and_damage(void **state)
{
    (void)state;
    const struct deferred_fan_out fan_out = example(deferred_order(0, NOW));
    struct text said = TEXT("");
    put(&fan_out);
    assert_int_equal(deferred_check(documents, NOW + 5000, note_problem, &said), OK);
    struct commit commits[] = {
        {.key = {TEXT(DOCUMENT_CONTENTS), TEXT(""), fan_out.shared.content}, .expected = VERSION_ANY, .deletion = true},
        {.key = {TEXT(DOCUMENT_FAN_OUTS), TEXT(""), TEXT("damaged")}, .bytes = TEXT("no record")}};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
    assert_int_equal(deferred_check(documents, NOW + 5000, note_problem, &said), CONFLICT);
    assert_true(text_equal(said, text_format(&arena,
                                             "the bytes of a fan-out record are missing: %.*s\n"
                                             "a fan-out record is damaged: damaged\n",
                                             TEXT_ARG(fan_out.name))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(it_is_not_counted_and_keeps_its_bytes, begin, end),
        cmocka_unit_test_setup_teardown(short_bytes_are_in_it_and_in_the_records_of_copies, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_gets_a_record_at_the_place_of_its_arrival, begin, end),
        cmocka_unit_test_setup_teardown(who_is_erased_leaves_all_of_them, begin, end),
        cmocka_unit_test_setup_teardown(a_check_finds_missing_bytes_and_damage, begin, end),
    };
    return cmocka_run_group_tests_name("deferred_fan_out", tests, NULL, NULL);
}
