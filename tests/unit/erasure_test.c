/* Erasure: nothing about the user is left, nothing of others is touched, the record says what went, and what was cut
 * short goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferred.h"
#include "erasure.h"
#include "fate.h"
#include "history.h"
#include "metrics.h"
#include "shipped_usages.h"
#define MEMORY_USAGES shipped_usages()
#include "memory_documents.h"

#define ALICE TEXT("sip:alice@example.com")
#define BOB   TEXT("sip:bob@example.com")

static const struct text message = TEXT_INIT("MESSAGE sip:bob@example.com SIP/2.0\r\n\r\nhello");

static void put(const char *usage, struct text owner, const char *name)
{
    struct commit commit = {.key = {text_of(usage), owner, text_of(name)}, .expected = VERSION_ANY, .who = owner};
    assert_int_equal(store_commit(store, &commit, 1), OK);
}

static void put_deferred(struct text owner, uint64_t order, bool told)
{
    struct deferred deferred = {
        .owner = owner,
        .reference = deferred_reference(order, DEFERRED_NORMAL, &arena),
        .content = deferred_content_name(order, &arena),
        .message_id = TEXT("m"),
        .sender = BOB,
        .size = message.length,
        .expires_ms = 4000000000000,
        .told = told,
    };
    struct commit commits[] = {deferred_content_commit(deferred.content, message, &arena),
                               deferred_commit(&deferred, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
}

static void put_history(struct text owner, int64_t when_ms)
{
    struct history_entry entry = {.owner = owner, .when_ms = when_ms, .until_ms = 4000000000000};
    history_name(&entry, message, &arena);
    struct commit commits[] = {history_commit_message(message, &arena), history_commit(&entry, &arena)};
    assert_int_equal(document_internal_commit(documents, commits, 2), OK);
}

static void put_fate(struct text id, struct text sender, struct text recipient)
{
    struct fate fate = {.message_id = id, .sender = sender, .recipient = recipient};
    fate = fate_with(&fate, FATE_RECEIVED, 1000, TEXT(""), &arena);
    struct commit commit = fate_commit(&fate, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
}

static void fill(struct text owner, int many)
{
    put(DOCUMENT_USERS, owner, "");
    put(DOCUMENT_BINDINGS, owner, "contact");
    put(DOCUMENT_SETTINGS, owner, "client");
    put(DOCUMENT_LISTED, owner, "");
    put(DOCUMENT_REPORTS, owner, "1");
    put("resource-lists", owner, "index");
    put("org.openmobilealliance.groups", owner, "team");
    for (int i = 0; i < many; i++) {
        put_deferred(owner, (uint64_t)i, false);
        put_history(owner, 1000 + i);
        put_fate(text_format(&arena, "from %d", i), owner, TEXT("sip:carol@example.com"));
        put_fate(text_format(&arena, "to %d", i), TEXT("sip:carol@example.com"), owner);
    }
}

static size_t count_of(const char *usage, struct text owner)
{
    const struct document_key prefix = {text_of(usage), owner, {0}};
    struct key_page page;
    assert_int_equal(store_list(store, &prefix, NULL, STORE_PAGE_MAX, &arena, &page), OK);
    return page.count;
}

static size_t fates_of(struct text address)
{
    struct fate *fates;
    size_t count;
    assert_int_equal(deferred_fates_of_user(documents, address, 900, &arena, &fates, &count), OK);
    return count;
}

static void nothing_is_left(struct text owner)
{
    static const char *const usages[] = {DOCUMENT_USERS,   DOCUMENT_BINDINGS, DOCUMENT_SETTINGS,
                                         DOCUMENT_REPORTS, DOCUMENT_DEFERRED, DOCUMENT_HISTORY,
                                         DOCUMENT_LISTED,  "resource-lists",  "org.openmobilealliance.groups"};
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
        if (count_of(usages[i], owner))
            fail_msg("%s", usages[i]);
    assert_int_equal(fates_of(owner), 0);
}

static struct erasure erase(struct text address)
{
    struct erasure erasure;
    assert_int_equal(erasure_begin(documents, address, TEXT("admin"), 5000, &arena, &erasure), OK);
    assert_int_equal(erasure_run(documents, &erasure, 6000), OK);
    return erasure;
}

static struct erasure newest(void)
{
    struct erasure *erasures;
    size_t count;
    bool more;
    assert_int_equal(erasure_list(documents, TEXT(""), 10, &arena, &erasures, &count, &more), OK);
    assert_true(count > 0);
    return erasures[0];
}

static void all_about_a_user_goes_and_nothing_of_others(void **state)
{
    (void)state;
    fill(ALICE, 3);
    fill(BOB, 3);
    erase(ALICE);
    nothing_is_left(ALICE);
    assert_int_equal(count_of(DOCUMENT_LOOKS, ALICE), 1); /* im-glue is to forget */
    assert_int_equal(count_of(DOCUMENT_USERS, BOB), 1);
    assert_int_equal(count_of(DOCUMENT_DEFERRED, BOB), 3);
    assert_int_equal(count_of(DOCUMENT_HISTORY, BOB), 3);
    assert_int_equal(count_of("resource-lists", BOB), 1);
    assert_int_equal(count_of(DOCUMENT_HISTORY_MESSAGES, (struct text){0}), 1);
    assert_int_equal(count_of(DOCUMENT_CONTENTS, (struct text){0}), 3);
    erase(BOB);
    assert_int_equal(count_of(DOCUMENT_HISTORY_MESSAGES, (struct text){0}), 0);
    assert_int_equal(count_of(DOCUMENT_CONTENTS, (struct text){0}), 0);
}

/* What went to many is in one record: out of it goes what is about the user. */
static void put_fan_out(struct text id, struct text sender, bool on_its_way)
{
    const struct deferred_copy copies[] = {{ALICE, TEXT(""), false}, {BOB, TEXT(""), false}};
    const struct deferred_fan_out record = {
        .name = id,
        .shared = {.content = id, .message_id = id, .sender = sender, .received_ms = 1000},
        .copies = copies,
        .count = 2};
    struct fate_fan_out trace = {.name = id, .message_id = id, .sender = sender, .received_ms = 1000};
    struct text_builder entries;
    builder_init(&entries, &arena);
    for (size_t i = 0; i < 2; i++) {
        struct fate fate = {.recipient = copies[i].owner};
        fate = fate_with(&fate, FATE_RECEIVED, 1000, TEXT(""), &arena);
        fate_entry_add(&entries, &trace, &fate);
    }
    trace.entries = builder_text(&entries);
    struct commit ended[] = {fate_fan_out_commit(&trace, &arena)};
    struct commit begun[] = {deferred_content_commit(id, message, &arena), deferred_fan_out_commit(&record, &arena)};
    assert_int_equal(document_internal_commit(documents, on_its_way ? begun : ended, on_its_way ? 2 : 1), OK);
}

static void out_of_records_for_many_goes_what_is_about_the_user(void **state)
{
    (void)state;
    struct deferred_fan_out record;
    struct fate *fates;
    size_t count;
    fill(ALICE, 0);
    put_fan_out(TEXT("ended"), TEXT("sip:carol@example.com"), false);
    put_fan_out(TEXT("open"), TEXT("sip:carol@example.com"), true);
    put_fan_out(TEXT("hers"), ALICE, true);
    assert_int_equal(fates_of(ALICE), 4);
    const struct erasure erasure = erase(ALICE);
    nothing_is_left(ALICE);
    assert_int_equal(erasure.counts[ERASURE_TRACES], 1);
    assert_int_equal(erasure.counts[ERASURE_MESSAGES], 2);
    assert_int_equal(fates_of(BOB), 2);
    assert_int_equal(deferred_fates_of_message(documents, TEXT("hers"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(deferred_fan_out_get(documents, TEXT("hers"), &arena, &record), OK);
    assert_true(record.untraced && record.count == 1);
    assert_int_equal(deferred_fates_of_message(documents, TEXT("open"), 10, &arena, &fates, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(deferred_fan_out_get(documents, TEXT("open"), &arena, &record), OK);
    assert_false(record.untraced);
    assert_int_equal(record.count, 1);
    assert_true(text_equal(record.copies[0].owner, BOB));
    erase(BOB);
    assert_int_equal(fates_of(BOB), 0);
    assert_int_equal(fates_of(TEXT("sip:carol@example.com")), 0);
}

static void the_record_says_what_went_and_by_whom(void **state)
{
    (void)state;
    fill(ALICE, 3);
    erase(ALICE);
    struct erasure erasure = newest();
    assert_true(text_equal(erasure.address, ALICE));
    assert_true(text_equal(erasure.who, TEXT("admin")));
    assert_int_equal(erasure.began_ms, 5000);
    assert_true(erasure.ended_ms >= 6000); /* and what it took */
    static const uint64_t counts[ERASURE_KINDS] = {
        [ERASURE_ACCOUNT] = 1,  [ERASURE_BINDINGS] = 1, [ERASURE_SETTINGS] = 2, [ERASURE_DOCUMENTS] = 2,
        [ERASURE_MESSAGES] = 3, [ERASURE_REPORTS] = 1,  [ERASURE_HISTORY] = 3,  [ERASURE_TRACES] = 6,
    };
    for (unsigned i = 0; i < ERASURE_KINDS; i++)
        if (erasure.counts[i] != counts[i])
            fail_msg("%s: %llu", erasure_kind_name((enum erasure_kind)i), (unsigned long long)erasure.counts[i]);
}

static void who_is_not_there_has_nothing_to_be_erased(void **state)
{
    (void)state;
    struct erasure erasure = erase(ALICE);
    for (unsigned i = 0; i < ERASURE_KINDS; i++)
        assert_int_equal(erasure.counts[i], 0);
}

static void much_is_erased_by_transactions_of_bounded_size(void **state)
{
    (void)state;
    enum { MANY = 450 };
    fill(ALICE, MANY);
    int64_t before = metric_value(metric_counter("im_deferred_ended_total", "outcome=\"deleted\"", ""));
    struct erasure erasure = erase(ALICE);
    nothing_is_left(ALICE);
    assert_int_equal(metric_value(metric_counter("im_deferred_ended_total", "outcome=\"deleted\"", "")) - before, MANY);
    assert_int_equal(erasure.counts[ERASURE_MESSAGES], MANY);
    assert_int_equal(erasure.counts[ERASURE_TRACES], 2 * MANY);
}

/* Each write may be the last one before a crash. */
static void what_was_cut_short_goes_on_and_is_counted_once(void **state)
{
    (void)state;
    enum { MANY = 450 };
    for (unsigned nth = 1; nth < 20; nth++) {
        struct text address = text_format(&arena, "sip:u%u@example.com", nth);
        fill(address, MANY);
        const struct store_fault fault = {STORE_CALL_COMMIT, nth, 0, FAILED, false};
        store_faulty_set(store, &fault, 1);
        struct erasure erasure;
        enum status status = erasure_begin(documents, address, TEXT("admin"), 5000, &arena, &erasure);
        if (status == OK)
            status = erasure_run(documents, &erasure, 6000);
        store_faulty_set(store, NULL, 0);
        assert_int_equal(erasure_resume(documents, 7000), OK);
        if (nth == 1) {
            assert_int_equal(status, FAILED);
            continue; /* nothing had begun */
        }
        nothing_is_left(address);
        erasure = newest();
        assert_true(erasure.ended_ms > 0);
        assert_int_equal(erasure.counts[ERASURE_MESSAGES], MANY);
        assert_int_equal(erasure.counts[ERASURE_HISTORY], MANY);
        assert_int_equal(erasure.counts[ERASURE_TRACES], 2 * MANY);
        /* the next one is the newest again */
        const struct document_key key = {TEXT(DOCUMENT_ERASURES), TEXT(""), erasure.id};
        struct commit commit = {.key = key, .expected = VERSION_ANY, .deletion = true, .who = TEXT("test")};
        assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    }
}

static void one_that_is_asked_for_again_is_taken_up(void **state)
{
    (void)state;
    struct erasure first, second;
    assert_int_equal(erasure_begin(documents, ALICE, TEXT("admin"), 5000, &arena, &first), OK);
    assert_int_equal(erasure_begin(documents, ALICE, TEXT("admin"), 6000, &arena, &second), OK);
    assert_true(text_equal(first.id, second.id));
    assert_int_equal(erasure_run(documents, &second, 7000), OK);
    assert_int_equal(erasure_begin(documents, ALICE, TEXT("admin"), 8000, &arena, &second), OK);
    assert_false(text_equal(first.id, second.id));
}

/* A report would name the user again. */
static void nothing_is_left_to_be_told(void **state)
{
    (void)state;
    put_deferred(ALICE, 1, true);
    put_deferred(ALICE, 2, true);
    struct deferred_page page;
    size_t count;
    assert_int_equal(deferred_list(documents, ALICE, TEXT(""), 1, &arena, &page), OK);
    assert_int_equal(deferred_erase(documents, ALICE, page.items[0].reference, TEXT("admin"), 4000, &arena), OK);
    struct erasure erasure = erase(ALICE);
    assert_int_equal(erasure.counts[ERASURE_MESSAGES], 2);
    assert_int_equal(deferred_ended(documents, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    count = count_of(DOCUMENT_DEFERRED, ALICE) + count_of(DOCUMENT_CONTENTS, (struct text){0});
    assert_int_equal(count, 0);
}

static void records_are_listed_newest_first_and_by_pages(void **state)
{
    (void)state;
    struct erasure erasure, *erasures;
    size_t count;
    bool more;
    assert_int_equal(erasure_begin(documents, ALICE, TEXT("admin"), 5000, &arena, &erasure), OK);
    assert_int_equal(erasure_begin(documents, BOB, TEXT("admin"), 6000, &arena, &erasure), OK);
    assert_int_equal(erasure_list(documents, TEXT(""), 1, &arena, &erasures, &count, &more), OK);
    assert_true(count == 1 && more);
    assert_true(text_equal(erasures[0].address, BOB));
    assert_int_equal(erasure_list(documents, erasures[0].id, 1, &arena, &erasures, &count, &more), OK);
    assert_true(count == 1 && !more);
    assert_true(text_equal(erasures[0].address, ALICE));
}

static int begin_faulty(void **state)
{
    begin(state);
    documents_free(documents);
    store = store_open_faulty(store, NULL, 0);
    documents = documents_new(store, shipped_usages());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_about_a_user_goes_and_nothing_of_others, begin, end),
        cmocka_unit_test_setup_teardown(out_of_records_for_many_goes_what_is_about_the_user, begin, end),
        cmocka_unit_test_setup_teardown(the_record_says_what_went_and_by_whom, begin, end),
        cmocka_unit_test_setup_teardown(who_is_not_there_has_nothing_to_be_erased, begin, end),
        cmocka_unit_test_setup_teardown(much_is_erased_by_transactions_of_bounded_size, begin, end),
        cmocka_unit_test_setup_teardown(what_was_cut_short_goes_on_and_is_counted_once, begin_faulty, end),
        cmocka_unit_test_setup_teardown(one_that_is_asked_for_again_is_taken_up, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_left_to_be_told, begin, end),
        cmocka_unit_test_setup_teardown(records_are_listed_newest_first_and_by_pages, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
