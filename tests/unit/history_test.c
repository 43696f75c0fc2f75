/* Histories: a message stands in the store once however many keep it, goes with the last of them, and what is over is
 * found without a look at anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "history.h"
#include "memory_documents.h"

#define ALICE TEXT("sip:alice@example.com")
#define BOB   TEXT("sip:bob@example.com")

static const struct text hello = TEXT_INIT("MESSAGE sip:bob@example.com SIP/2.0\r\n\r\nhello");
static const struct text bye = TEXT_INIT("MESSAGE sip:bob@example.com SIP/2.0\r\n\r\nbye");

static struct history_entry example(struct text owner, bool sent, struct text message, int64_t when_ms)
{
    static const struct text recipients[] = {TEXT_INIT("sip:bob@example.com"), TEXT_INIT("sip:carol@example.com")};
    struct history_entry entry = {
        .owner = owner,
        .sent = sent,
        .when_ms = when_ms,
        .until_ms = when_ms + 1000,
        .from = TEXT("\"Alice\" <sip:alice@example.com>"),
        .to = TEXT("<sip:team@example.com>"),
        .group = TEXT("sip:team@example.com"),
        .group_name = TEXT("The team"),
        .subject = TEXT("lunch"),
        .content_type = TEXT("text/plain"),
        .message_id = TEXT("m1"),
        .recipients = recipients,
        .recipients_count = 2,
    };
    history_name(&entry, message, &arena);
    return entry;
}

static struct text put(struct text owner, bool sent, struct text message, int64_t when_ms)
{
    struct history_entry entry = example(owner, sent, message, when_ms);
    struct commit commits[] = {history_commit_message(message, &arena), history_commit(&entry, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
    return entry.reference;
}

static size_t messages(void)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_HISTORY_MESSAGES)};
    struct key_page page;
    assert_int_equal(document_internal_list(documents, &prefix, NULL, 100, &arena, &page), OK);
    return page.count;
}

static size_t entries(struct text owner)
{
    struct history_entry *list;
    size_t count;
    bool more;
    assert_int_equal(history_list(documents, owner, TEXT(""), 100, &arena, &list, &count, &more), OK);
    return count;
}

static void remove_entries(struct text owner, const struct text *references, size_t count)
{
    struct commit *commits = arena_array(&arena, struct commit, HISTORY_REMOVE_COMMITS * count);
    size_t commits_count = history_remove(owner, references, count, owner, &arena, commits);
    assert_int_equal(document_internal_commit(documents, commits, commits_count), OK);
}

static void what_was_kept_is_read_back(void **state)
{
    (void)state;
    struct text reference = put(BOB, false, hello, 1000), message;
    struct history_entry entry;
    assert_int_equal(history_get(documents, BOB, reference, &arena, &entry, &message), OK);
    assert_true(text_equal(message, hello));
    assert_true(text_equal(entry.owner, BOB));
    assert_true(text_equal(entry.from, TEXT("\"Alice\" <sip:alice@example.com>")));
    assert_true(text_equal(entry.subject, TEXT("lunch")));
    assert_true(text_equal(entry.group, TEXT("sip:team@example.com")));
    assert_true(text_equal(entry.group_name, TEXT("The team")));
    assert_false(entry.sent);
    assert_int_equal(entry.when_ms, 1000);
    assert_int_equal(entry.until_ms, 2000);
    assert_int_equal(entry.size, hello.length);
    assert_int_equal(entry.recipients_count, 2);
    assert_true(text_equal(entry.recipients[1], TEXT("sip:carol@example.com")));
}

static void an_entry_is_found_by_its_owner_alone(void **state)
{
    (void)state;
    struct text reference = put(BOB, false, hello, 1000);
    struct history_entry entry;
    assert_int_equal(history_get(documents, ALICE, reference, &arena, &entry, NULL), NOT_FOUND);
    assert_int_equal(history_get(documents, BOB, TEXT(""), &arena, &entry, NULL), NOT_FOUND);
    assert_int_equal(history_get(documents, BOB, TEXT("nonsense"), &arena, &entry, NULL), NOT_FOUND);
}

static void entries_are_listed_in_the_order_of_time_and_by_pages(void **state)
{
    (void)state;
    put(BOB, false, bye, 3000);
    put(BOB, true, hello, 1000);
    put(BOB, false, hello, 2000);
    put(ALICE, true, hello, 1500);
    struct history_entry *list;
    size_t count;
    bool more;
    assert_int_equal(history_list(documents, BOB, TEXT(""), 2, &arena, &list, &count, &more), OK);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_int_equal(list[0].when_ms, 1000);
    assert_int_equal(list[1].when_ms, 2000);
    assert_int_equal(history_list(documents, BOB, list[1].reference, 2, &arena, &list, &count, &more), OK);
    assert_int_equal(count, 1);
    assert_false(more);
    assert_int_equal(list[0].when_ms, 3000);
}

static void a_message_that_several_keep_is_stored_once_and_goes_with_the_last(void **state)
{
    (void)state;
    struct text sent = put(ALICE, true, hello, 1000), received = put(BOB, false, hello, 1000);
    assert_int_equal(messages(), 1);
    remove_entries(ALICE, &sent, 1);
    assert_int_equal(messages(), 1);
    assert_int_equal(entries(ALICE), 0);
    assert_int_equal(entries(BOB), 1);
    remove_entries(BOB, &received, 1);
    assert_int_equal(messages(), 0);
}

static void a_message_to_oneself_has_two_entries_that_may_go_together(void **state)
{
    (void)state;
    struct text both[] = {put(ALICE, true, hello, 1000), put(ALICE, false, hello, 1000)};
    assert_int_equal(entries(ALICE), 2);
    assert_int_equal(messages(), 1);
    remove_entries(ALICE, both, 2);
    assert_int_equal(entries(ALICE), 0);
    assert_int_equal(messages(), 0);
}

static void a_message_that_is_written_twice_is_kept_once(void **state)
{
    (void)state;
    put(BOB, false, hello, 1000);
    put(BOB, false, hello, 1000);
    assert_int_equal(entries(BOB), 1);
}

static void a_message_that_is_kept_anew_meanwhile_stays(void **state)
{
    (void)state;
    struct text reference = put(ALICE, true, hello, 1000);
    struct commit commits[HISTORY_REMOVE_COMMITS];
    size_t count = history_remove(ALICE, &reference, 1, ALICE, &arena, commits);
    put(BOB, false, hello, 5000);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    assert_int_equal(entries(ALICE), 0);
    assert_int_equal(messages(), 1);
}

static void what_is_not_there_is_no_matter(void **state)
{
    (void)state;
    struct text reference = put(BOB, false, hello, 1000);
    const struct text references[] = {TEXT("nonsense"), reference, reference, TEXT("")};
    remove_entries(ALICE, references, 4);
    assert_int_equal(entries(BOB), 1);
    assert_int_equal(messages(), 1);
    remove_entries(BOB, references, 4);
    assert_int_equal(entries(BOB), 0);
    assert_int_equal(messages(), 0);
}

static void an_owner_is_counted_without_reading_messages(void **state)
{
    (void)state;
    put(BOB, false, hello, 1000);
    put(BOB, true, bye, 1000);
    put(ALICE, true, bye, 1000);
    struct history_figures figures;
    assert_int_equal(history_figures(documents, BOB, &figures), OK);
    assert_int_equal(figures.count, 2);
    assert_int_equal(figures.bytes, hello.length + bye.length);
}

static void the_oldest_that_are_too_many_or_too_large_are_found(void **state)
{
    (void)state;
    put(BOB, false, hello, 1000);
    put(BOB, false, bye, 2000);
    put(BOB, true, hello, 3000);
    const struct history_figures excess = {.count = 1, .bytes = hello.length + 1};
    struct text *references;
    size_t count;
    assert_int_equal(history_oldest(documents, BOB, &excess, &arena, &references, &count), OK);
    assert_int_equal(count, 2);
    remove_entries(BOB, references, count);
    assert_int_equal(entries(BOB), 1);
}

static bool expire(int64_t now_ms)
{
    struct commit *commits;
    size_t count;
    bool more;
    assert_int_equal(history_expire(documents, now_ms, &arena, &commits, &count, &more), OK);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    return more;
}

static void what_is_over_goes_and_nothing_else(void **state)
{
    (void)state;
    put(BOB, false, hello, 1000);
    put(ALICE, true, bye, 5000);
    assert_false(expire(1999));
    assert_int_equal(entries(BOB), 1);
    assert_false(expire(2000));
    assert_int_equal(entries(BOB), 0);
    assert_int_equal(entries(ALICE), 1);
    assert_int_equal(messages(), 1);
}

static void a_message_stays_as_long_as_somebody_keeps_it(void **state)
{
    (void)state;
    put(ALICE, true, hello, 90000);
    put(BOB, false, hello, 1000); /* written later, and for a shorter time */
    expire(2000);
    assert_int_equal(entries(BOB), 0);
    assert_int_equal(entries(ALICE), 1);
    assert_int_equal(messages(), 1);
    expire(200000);
    assert_int_equal(messages(), 0);
}

static void much_that_is_over_goes_by_and_by(void **state)
{
    (void)state;
    enum { ENTRIES = 130 };
    for (int i = 0; i < ENTRIES; i++)
        put(BOB, false, i % 2 ? hello : bye, 1000 + i);
    bool more = true;
    for (int rounds = 0; more; rounds++) {
        assert_in_range(rounds, 0, 4);
        more = expire(100000);
    }
    assert_int_equal(entries(BOB), 0);
    assert_int_equal(messages(), 0);
}

static void a_store_that_fails_is_told(void **state)
{
    (void)state;
    put(BOB, false, hello, 1000);
    const struct store_fault faults[] = {{STORE_CALL_HOLDERS, 1, 0, FAILED, false}};
    store = store_open_faulty(store, faults, 1);
    struct documents *failing = documents_new(store, NULL);
    struct commit *commits;
    size_t count;
    bool more;
    assert_int_equal(history_expire(failing, 5000, &arena, &commits, &count, &more), FAILED);
    documents_free(failing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_kept_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(an_entry_is_found_by_its_owner_alone, begin, end),
        cmocka_unit_test_setup_teardown(entries_are_listed_in_the_order_of_time_and_by_pages, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_several_keep_is_stored_once_and_goes_with_the_last, begin, end),
        cmocka_unit_test_setup_teardown(a_message_to_oneself_has_two_entries_that_may_go_together, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_is_written_twice_is_kept_once, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_is_kept_anew_meanwhile_stays, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_no_matter, begin, end),
        cmocka_unit_test_setup_teardown(an_owner_is_counted_without_reading_messages, begin, end),
        cmocka_unit_test_setup_teardown(the_oldest_that_are_too_many_or_too_large_are_found, begin, end),
        cmocka_unit_test_setup_teardown(what_is_over_goes_and_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(a_message_stays_as_long_as_somebody_keeps_it, begin, end),
        cmocka_unit_test_setup_teardown(much_that_is_over_goes_by_and_by, begin, end),
        cmocka_unit_test_setup_teardown(a_store_that_fails_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
