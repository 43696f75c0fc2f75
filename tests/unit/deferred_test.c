/* Messages that wait: bytes kept once for all their recipients and gone with the last, records in the order of
 * delivery and of expiry, sums that need no walk, and one end for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferred.h"
#include "fate.h"
#include "memory_documents.h"
#include "metrics.h"

#define NOW 1767607200000

static uint64_t last_order;

static struct text store_content(const char *bytes)
{
    last_order = deferred_order(last_order, NOW);
    struct text content = deferred_content_name(last_order, &arena);
    struct commit commit = deferred_content_commit(content, text_of(bytes), &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    return content;
}

static struct deferred example(const char *owner, struct text content, enum deferred_priority priority)
{
    last_order = deferred_order(last_order, NOW);
    return (struct deferred){
        .owner = text_of(owner),
        .reference = deferred_reference(last_order, priority, &arena),
        .content = content,
        .message_id = TEXT("m1"),
        .call_id = TEXT("c1"),
        .sender = TEXT("sip:alice@example.com"),
        .group = TEXT("sip:team@example.com"),
        .group_name = TEXT("The team"),
        .subject = TEXT("Lunch"),
        .type = TEXT("text/plain"),
        .size = 100,
        .kind = DEFERRED_PAGER,
        .priority = priority,
        .received_ms = NOW,
        .expires_ms = NOW + 1000,
    };
}

static struct deferred stored_again(const struct deferred *deferred)
{
    struct deferred found;
    assert_int_equal(deferred_get(documents, deferred->owner, deferred->reference, &arena, &found), OK);
    return found;
}

static struct deferred put(struct deferred deferred)
{
    struct commit commit = deferred_commit(&deferred, &arena);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    return stored_again(&deferred);
}

static struct deferred put_for(const char *owner, struct text content)
{
    return put(example(owner, content, DEFERRED_NORMAL));
}

static enum status finish(const struct deferred *deferred, enum deferred_outcome outcome)
{
    struct commit commits[DEFERRED_END_COMMITS];
    size_t count = deferred_end(deferred, outcome, TEXT("why"), NOW + 5, &arena, commits);
    document_internal_commit(documents, commits, count);
    return commits[0].status;
}

static void assert_content(struct text content, enum status status)
{
    struct text bytes;
    const struct deferred deferred = {.content = content};
    assert_int_equal(deferred_message_get(documents, &deferred, &arena, &bytes), status);
}

static void assert_figures(const char *owner, uint64_t count, uint64_t bytes)
{
    struct deferred_figures figures;
    assert_int_equal(deferred_figures(documents, text_of(owner), &figures), OK);
    assert_int_equal(figures.count, count);
    assert_int_equal(figures.bytes, bytes);
}

static void what_was_stored_is_read_back(void **state)
{
    (void)state;
    struct text content = store_content("MESSAGE sip:bob@example.com SIP/2.0"), bytes;
    struct deferred wanted = example("sip:bob@example.com", content, DEFERRED_URGENT);
    wanted.away = wanted.told = true;
    struct deferred found = put(wanted);
    assert_true(text_equal(found.message_id, wanted.message_id));
    assert_true(text_equal(found.sender, wanted.sender));
    assert_true(text_equal(found.group, wanted.group) && text_equal(found.group_name, wanted.group_name));
    assert_true(text_equal(found.subject, wanted.subject));
    assert_true(text_equal(found.type, wanted.type));
    assert_true(found.size == 100 && found.priority == DEFERRED_URGENT && found.away && found.told);
    assert_true(found.received_ms == NOW && found.expires_ms == NOW + 1000);
    assert_int_equal(found.outcome, DEFERRED_WAITING);
    assert_int_equal(deferred_message_get(documents, &found, &arena, &bytes), OK);
    assert_true(text_equal(bytes, TEXT("MESSAGE sip:bob@example.com SIP/2.0")));
}

/* Nobody else gets them: no document of their own. */
static void bytes_for_one_alone_are_in_the_record(void **state)
{
    (void)state;
    struct deferred wanted = example("sip:bob@example.com", (struct text){0}, DEFERRED_NORMAL), found;
    struct commit commits[DEFERRED_END_COMMITS];
    struct text bytes;
    wanted.message = TEXT("MESSAGE sip:bob@example.com SIP/2.0");
    wanted.plain_trace = true;
    found = put(wanted);
    assert_true(found.plain_trace && found.content.length == 0);
    assert_int_equal(deferred_message_get(documents, &found, &arena, &bytes), OK);
    assert_true(text_equal(bytes, wanted.message));
    assert_int_equal(deferred_check(documents, NOW + 1000, NULL, NULL), OK);

    found = put(deferred_tried(&found, TEXT("480"), NOW + 1, &arena));
    assert_false(found.plain_trace); /* it tells of the try, too */
    assert_int_equal(deferred_message_get(documents, &found, &arena, &bytes), OK);
    assert_true(text_equal(bytes, wanted.message));
    assert_int_equal(deferred_end(&found, DEFERRED_DELIVERED, TEXT(""), NOW + 2, &arena, commits), 1);
    assert_int_equal(finish(&found, DEFERRED_DELIVERED), OK);
    assert_figures("", 0, 0);
}

/* What goes with a record that nobody changed is written; behind a try, an end or an erasure it is not. */
static void a_look_at_an_unchanged_record_writes_nothing(void **state)
{
    (void)state;
    struct deferred first = put_for("sip:bob@example.com", store_content("x")), tried;
    struct commit look = deferred_unchanged(&first, &arena);
    assert_int_equal(document_internal_commit(documents, &look, 1), OK);
    assert_int_equal(stored_again(&first).version, first.version);
    assert_figures("sip:bob@example.com", 1, 100);
    tried = put(deferred_tried(&first, TEXT("480"), NOW + 1, &arena));
    look = deferred_unchanged(&first, &arena);
    assert_int_equal(document_internal_commit(documents, &look, 1), CONFLICT);
    assert_int_equal(finish(&tried, DEFERRED_DELIVERED), OK);
    look = deferred_unchanged(&tried, &arena);
    assert_int_equal(document_internal_commit(documents, &look, 1), CONFLICT);
}

/* It may not be there yet when its owner deletes the message. */
static void a_plain_trace_is_written_whole_by_the_end(void **state)
{
    (void)state;
    struct deferred waiting = example("sip:bob@example.com", store_content("x"), DEFERRED_NORMAL);
    struct fate trace;
    waiting.plain_trace = waiting.away = true;
    waiting.group = (struct text){0};
    waiting = put(waiting);
    assert_int_equal(deferred_erase(documents, waiting.owner, waiting.reference, waiting.owner, NOW + 5, &arena), OK);
    assert_int_equal(fate_get(documents, waiting.message_id, waiting.owner, &arena, &trace), OK);
    assert_int_equal(trace.steps_count, 3);
    assert_int_equal(trace.steps[0].kind, FATE_RECEIVED);
    assert_int_equal(trace.steps[1].kind, FATE_STORED);
    assert_int_equal(trace.steps[2].kind, FATE_DELETED);
    assert_true(trace.steps[0].when_ms == NOW && trace.steps[2].when_ms == NOW + 5);
    assert_true(text_equal(trace.sender, waiting.sender));
}

static void bytes_are_kept_once_and_go_with_the_last_reference(void **state)
{
    (void)state;
    struct text content = store_content("once");
    struct deferred bob = put_for("sip:bob@example.com", content), carol = put_for("sip:carol@example.com", content);
    assert_int_equal(finish(&bob, DEFERRED_DELIVERED), OK);
    assert_content(content, OK);
    assert_int_equal(finish(&carol, DEFERRED_EXPIRED), OK);
    assert_content(content, NOT_FOUND);
    assert_figures("", 0, 0);
}

static void urgent_ones_come_first_and_each_kind_in_order(void **state)
{
    (void)state;
    struct text content = store_content("x");
    const enum deferred_priority order[] = {DEFERRED_NOT_URGENT, DEFERRED_NORMAL, DEFERRED_URGENT, DEFERRED_NORMAL,
                                            DEFERRED_URGENT};
    const size_t wanted[] = {2, 4, 1, 3, 0};
    struct deferred made[5];
    struct deferred_page page;
    for (size_t i = 0; i < 5; i++)
        made[i] = put(example("sip:bob@example.com", content, order[i]));
    put_for("sip:bo@example.com", content);
    assert_int_equal(deferred_list(documents, TEXT("sip:bob@example.com"), TEXT(""), 10, &arena, &page), OK);
    assert_int_equal(page.count, 5);
    assert_false(page.more);
    for (size_t i = 0; i < 5; i++)
        assert_true(text_equal(page.items[i].reference, made[wanted[i]].reference));
    struct text after = page.items[1].reference;
    assert_int_equal(deferred_list(documents, TEXT("sip:bob@example.com"), after, 2, &arena, &page), OK);
    assert_true(page.count == 2 && page.more);
    assert_true(text_equal(page.items[0].reference, made[1].reference));
}

static void nobody_guesses_a_reference(void **state)
{
    (void)state;
    struct text one = deferred_reference(7, DEFERRED_NORMAL, &arena);
    assert_true(one.length >= 32);
    assert_false(text_equal(one, deferred_reference(7, DEFERRED_NORMAL, &arena)));
}

static void orders_grow_though_the_clock_stands_or_goes_back(void **state)
{
    (void)state;
    uint64_t first = deferred_order(0, NOW), second = deferred_order(first, NOW),
             third = deferred_order(second, NOW - 9);
    assert_true(first < second && second < third);
    assert_true(deferred_order(third, NOW + 1) > third);
}

static void figures_are_those_of_what_waits(void **state)
{
    (void)state;
    struct text content = store_content("x");
    int64_t since_ms;
    assert_int_equal(deferred_oldest(documents, TEXT(""), &arena, &since_ms), OK);
    struct deferred first = put_for("sip:bob@example.com", content);
    put_for("sip:bob@example.com", content);
    put_for("sip:carol@example.com", content);
    assert_figures("sip:bob@example.com", 2, 200);
    assert_figures("sip:carol@example.com", 1, 100);
    assert_figures("", 3, 300);
    first = deferred_tried(&first, TEXT("480"), NOW + 3, &arena);
    first = put(first);
    assert_true(first.tries == 1 && first.tried_ms == NOW + 3 && text_equal(first.error, TEXT("480")));
    assert_figures("sip:bob@example.com", 2, 200);
    assert_int_equal(finish(&first, DEFERRED_DELIVERED), OK);
    assert_figures("sip:bob@example.com", 1, 100);
    assert_int_equal(deferred_oldest(documents, TEXT("sip:bob@example.com"), &arena, &since_ms), OK);
    assert_true(since_ms == NOW);
    assert_int_equal(deferred_oldest(documents, TEXT("sip:dave@example.com"), &arena, &since_ms), OK);
    assert_true(since_ms == 0);
    assert_int_equal(deferred_oldest(documents, TEXT(""), &arena, &since_ms), OK);
    assert_true(since_ms == NOW);
}

static void what_expires_first_is_found_first(void **state)
{
    (void)state;
    struct text content = store_content("x");
    struct deferred_page page;
    int64_t next_ms;
    assert_int_equal(deferred_next_expiry(documents, &arena, &next_ms), OK);
    assert_true(next_ms == INT64_MAX);
    for (int i = 0; i < 5; i++) {
        struct deferred deferred =
            example(i % 2 ? "sip:bob@example.com" : "sip:carol@example.com", content, DEFERRED_NORMAL);
        deferred.expires_ms = NOW + 50 - 10 * i;
        put(deferred);
    }
    assert_int_equal(deferred_next_expiry(documents, &arena, &next_ms), OK);
    assert_true(next_ms == NOW + 10);
    assert_int_equal(deferred_due(documents, NOW + 9, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_int_equal(deferred_due(documents, NOW + 30, NULL, 2, &arena, &page), OK);
    assert_true(page.count == 2 && page.more);
    assert_true(page.items[0].expires_ms == NOW + 10 && page.items[1].expires_ms == NOW + 20);
    struct deferred last = page.items[1];
    assert_int_equal(deferred_due(documents, NOW + 30, &last, 2, &arena, &page), OK);
    assert_true(page.count == 1 && !page.more && page.items[0].expires_ms == NOW + 30);
}

static void an_end_that_is_to_be_told_is_known_until_it_was(void **state)
{
    (void)state;
    struct text content = store_content("x");
    struct deferred told = example("sip:bob@example.com", content, DEFERRED_NORMAL);
    struct commit commits[DEFERRED_END_COMMITS];
    struct deferred_page page;
    told.told = true;
    told = put(told);
    assert_int_equal(finish(&told, DEFERRED_EXPIRED), OK);
    assert_figures("sip:bob@example.com", 0, 0);
    assert_int_equal(deferred_list(documents, told.owner, TEXT(""), 10, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_int_equal(deferred_due(documents, INT64_MAX, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_int_equal(deferred_ended(documents, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.items[0].outcome, DEFERRED_EXPIRED);
    assert_true(page.items[0].ended_ms == NOW + 5 && text_equal(page.items[0].error, TEXT("why")));
    assert_content(content, OK); /* whoever tells may want to look */
    size_t count = deferred_forget(&page.items[0], &arena, commits);
    assert_int_equal(document_internal_commit(documents, commits, count), OK);
    assert_int_equal(deferred_ended(documents, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 0);
    assert_content(content, NOT_FOUND);
}

static void of_two_ends_one_counts(void **state)
{
    (void)state;
    struct deferred told = example("sip:bob@example.com", store_content("x"), DEFERRED_NORMAL);
    struct deferred_page page;
    told.told = true;
    told = put(told);
    assert_int_equal(finish(&told, DEFERRED_DELETED), OK);
    assert_int_equal(finish(&told, DEFERRED_DELIVERED), CONFLICT);
    assert_int_equal(finish(&told, DEFERRED_EXPIRED), CONFLICT);
    assert_int_equal(deferred_ended(documents, NULL, 10, &arena, &page), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.items[0].outcome, DEFERRED_DELETED);
}

static void the_earliest_come_first_whatever_their_priority(void **state)
{
    (void)state;
    const enum deferred_priority order[] = {DEFERRED_NORMAL, DEFERRED_NOT_URGENT, DEFERRED_URGENT, DEFERRED_NORMAL,
                                            DEFERRED_URGENT};
    enum { COUNT = sizeof(order) / sizeof(order[0]) };
    struct text content = store_content("x"), bob = TEXT("sip:bob@example.com");
    struct deferred stored[COUNT];
    struct deferred_page page;
    for (size_t i = 0; i < COUNT; i++)
        stored[i] = put(example("sip:bob@example.com", content, order[i]));
    put_for("sip:carol@example.com", content);
    for (size_t limit = 1; limit <= COUNT; limit++)
        for (size_t from = 0; from < COUNT; from++) {
            uint64_t after = from ? deferred_order_of(stored[from - 1].reference) : 0;
            size_t left = COUNT - from;
            assert_int_equal(deferred_list_earliest(documents, bob, after, limit, &arena, &page), OK);
            assert_int_equal(page.count, limit < left ? limit : left);
            for (size_t i = 0; i < page.count; i++)
                assert_true(text_equal(page.items[i].reference, stored[from + i].reference));
        }
}

static void much_and_large_is_left_for_who_was_away(void **state)
{
    (void)state;
    const struct deferred_push any = {0}, few = {.count_max = 9}, small = {.bytes_max = 1300};
    struct deferred one = {.size = 1300, .away = true}, large = {.size = 1301, .away = true};
    assert_int_equal(deferred_way(&any, &large, 1000000), DEFERRED_BY_MESSAGE);
    assert_int_equal(deferred_way(&few, &one, 9), DEFERRED_BY_MESSAGE);
    assert_int_equal(deferred_way(&few, &one, 10), DEFERRED_LEFT_FOR_MANY);
    assert_int_equal(deferred_way(&small, &one, 10), DEFERRED_BY_MESSAGE);
    assert_int_equal(deferred_way(&small, &large, 1), DEFERRED_LEFT_FOR_SIZE);
    large.kind = DEFERRED_REPORT;
    assert_int_equal(deferred_way(&small, &large, 1), DEFERRED_BY_MESSAGE);
    one.away = false;
    assert_int_equal(deferred_way(&few, &one, 10), DEFERRED_BY_MESSAGE);
}

static int64_t deletions_counted(void)
{
    return metric_value(metric_counter("im_deferred_ended_total", "outcome=\"deleted\"", ""));
}

static void what_is_erased_is_counted_once(void **state)
{
    (void)state;
    struct text bob = TEXT("sip:bob@example.com");
    int64_t before = deletions_counted();
    size_t count;
    struct deferred first = put_for("sip:bob@example.com", store_content("x"));
    put_for("sip:bob@example.com", store_content("y"));
    put_for("sip:bob@example.com", store_content("z"));
    deferred_erase(documents, bob, first.reference, bob, NOW, &arena);
    deferred_erase(documents, bob, first.reference, bob, NOW, &arena);
    assert_int_equal(deletions_counted() - before, 1);
    deferred_erase_all(documents, bob, bob, NOW, &count);
    deferred_erase_all(documents, bob, bob, NOW, &count);
    assert_int_equal(deletions_counted() - before, 3);
}

static void its_owner_erases_one_or_all(void **state)
{
    (void)state;
    struct text bob = TEXT("sip:bob@example.com");
    struct text content = store_content("x");
    struct fate fate = {.message_id = TEXT("m1"), .sender = TEXT("sip:alice@example.com"), .recipient = bob}, found;
    fate = fate_with(&fate, FATE_STORED, NOW, TEXT(""), &arena);
    struct commit commit = fate_commit(&fate, &arena);
    size_t count;
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    struct deferred first = put_for("sip:bob@example.com", content);
    assert_int_equal(deferred_erase(documents, bob, TEXT("1none"), bob, NOW, &arena), NOT_FOUND);
    assert_int_equal(deferred_erase(documents, TEXT("sip:carol@example.com"), first.reference, bob, NOW, &arena),
                     NOT_FOUND);
    assert_int_equal(deferred_erase(documents, bob, first.reference, bob, NOW, &arena), OK);
    assert_int_equal(deferred_erase(documents, bob, first.reference, bob, NOW, &arena), NOT_FOUND);
    assert_content(content, NOT_FOUND);
    assert_int_equal(fate_get(documents, TEXT("m1"), bob, &arena, &found), OK);
    assert_int_equal(found.steps[found.steps_count - 1].kind, FATE_DELETED);

    content = store_content("y");
    for (int i = 0; i < 150; i++) /* more than one page */
        put_for("sip:bob@example.com", content);
    put_for("sip:carol@example.com", content);
    assert_int_equal(deferred_erase_all(documents, bob, bob, NOW, &count), OK);
    assert_int_equal(count, 150);
    assert_figures("sip:bob@example.com", 0, 0);
    assert_figures("", 1, 100);
    assert_content(content, OK);
}

static size_t sweep(int64_t before_ms, size_t limit)
{
    struct text next = TEXT("");
    size_t deleted = 0, rounds = 0;
    do {
        struct commit *commits;
        size_t count;
        assert_int_equal(deferred_orphans(documents, before_ms, next, limit, &arena, &commits, &count, &next), OK);
        if (count)
            assert_int_equal(document_internal_commit(documents, commits, count), OK);
        deleted += count;
    } while (next.length && ++rounds < 10);
    return deleted;
}

static void bytes_that_nothing_refers_to_are_swept(void **state)
{
    (void)state;
    struct text used = store_content("used");
    put_for("sip:bob@example.com", used);
    for (int i = 0; i < 5; i++)
        store_content("left over");
    assert_int_equal(sweep(NOW, 10), 0); /* perhaps their records come now */
    assert_int_equal(sweep(NOW + 1, 2), 5);
    assert_int_equal(sweep(NOW + 1, 2), 0);
    assert_content(used, OK);
}

static void note_problem(void *context, struct text line)
{
    struct text *said = context;
    *said = text_format(&arena, "%.*s%.*s\n", TEXT_ARG(*said), TEXT_ARG(line));
}

static void a_check_finds_what_is_nobodys_and_what_is_missing(void **state)
{
    (void)state;
    struct text said = TEXT("");
    struct text gone = store_content("gone"), left = store_content("left");
    struct deferred good = put_for("sip:bob@example.com", store_content("good"));
    struct deferred bad = put_for("sip:carol@example.com", gone);
    assert_int_equal(deferred_check(documents, NOW, note_problem, &said), OK); /* its record may come now */
    struct commit removal = {
        .key = {TEXT(DOCUMENT_CONTENTS), TEXT(""), gone}, .expected = VERSION_ANY, .deletion = true};
    struct commit damage = {.key = {TEXT(DOCUMENT_DEFERRED), good.owner, TEXT("1damaged")}, .bytes = TEXT("no record")};
    assert_int_equal(document_internal_commit(documents, &removal, 1), OK);
    assert_int_equal(document_internal_commit(documents, &damage, 1), OK);
    assert_int_equal(deferred_check(documents, NOW + 1, note_problem, &said), CONFLICT);
    struct text wanted = text_format(&arena,
                                     "the record of a deferred message is damaged: sip:bob@example.com 1damaged\n"
                                     "the bytes of a deferred message are missing: sip:carol@example.com %.*s\n"
                                     "bytes of a deferred message are nobody's: %.*s\n",
                                     TEXT_ARG(bad.reference), TEXT_ARG(left));
    assert_true(text_equal(said, wanted));
}

static void damage_is_told_and_hides_nothing_else(void **state)
{
    (void)state;
    struct deferred found;
    struct commit commit = {
        .key = {TEXT(DOCUMENT_DEFERRED), TEXT("sip:bob@example.com"), TEXT("1damaged")},
        .bytes = TEXT("no record"),
    };
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(deferred_get(documents, commit.key.owner, commit.key.name, &arena, &found), FAILED);
    struct deferred good = put_for("sip:bob@example.com", store_content("x"));
    struct deferred_page page;
    assert_int_equal(deferred_list(documents, good.owner, TEXT(""), 10, &arena, &page), OK);
    assert_true(page.count == 1 && text_equal(page.items[0].reference, good.reference));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_stored_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(bytes_for_one_alone_are_in_the_record, begin, end),
        cmocka_unit_test_setup_teardown(a_look_at_an_unchanged_record_writes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_plain_trace_is_written_whole_by_the_end, begin, end),
        cmocka_unit_test_setup_teardown(bytes_are_kept_once_and_go_with_the_last_reference, begin, end),
        cmocka_unit_test_setup_teardown(urgent_ones_come_first_and_each_kind_in_order, begin, end),
        cmocka_unit_test_setup_teardown(nobody_guesses_a_reference, begin, end),
        cmocka_unit_test_setup_teardown(orders_grow_though_the_clock_stands_or_goes_back, begin, end),
        cmocka_unit_test_setup_teardown(figures_are_those_of_what_waits, begin, end),
        cmocka_unit_test_setup_teardown(what_expires_first_is_found_first, begin, end),
        cmocka_unit_test_setup_teardown(an_end_that_is_to_be_told_is_known_until_it_was, begin, end),
        cmocka_unit_test_setup_teardown(of_two_ends_one_counts, begin, end),
        cmocka_unit_test_setup_teardown(its_owner_erases_one_or_all, begin, end),
        cmocka_unit_test_setup_teardown(the_earliest_come_first_whatever_their_priority, begin, end),
        cmocka_unit_test_setup_teardown(much_and_large_is_left_for_who_was_away, begin, end),
        cmocka_unit_test_setup_teardown(what_is_erased_is_counted_once, begin, end),
        cmocka_unit_test_setup_teardown(bytes_that_nothing_refers_to_are_swept, begin, end),
        cmocka_unit_test_setup_teardown(a_check_finds_what_is_nobodys_and_what_is_missing, begin, end),
        cmocka_unit_test_setup_teardown(damage_is_told_and_hides_nothing_else, begin, end),
    };
    return cmocka_run_group_tests_name("deferred", tests, NULL, NULL);
}
