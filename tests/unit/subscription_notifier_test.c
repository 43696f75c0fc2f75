/* Who subscribes to what, what is refused, and which NOTIFYs leave when. */
#include "event_bench.h"

static struct notifier_refusal refusal;
static char tag[32]; /* ours, of the last dialog */

/* The status of its answer; 200 with seconds in `granted`. */
static int ask_as(const char *who, struct sip_message *request, struct text *granted)
{
    struct notifier_request read;
    struct notifier_watch watch = {TEXT("sip:sea@example.com"), text_of(who), {0}};
    int status = 200;
    assert_true(flow_set_peer(&watch.flow, "192.0.2.1", 5062));
    if (notifier_read(notifier, request, &arena, &read, &refusal) != OK)
        status = refusal.status;
    struct sip_message *response = sip_response_new(request, 200, NULL, random_hex(&arena, 16));
    if (status == 200 && notifier_accept(notifier, request, &read, &watch, response, now_ms, &refusal) != OK)
        status = refusal.status;
    if (status == 200) {
        snprintf(tag, sizeof(tag), "%.*s", TEXT_ARG(sip_to_tag(response)));
        assert_true(sip_header(response, "Expires", 0, &arena, granted));
    }
    sip_message_free(response);
    sip_message_free(request);
    return status;
}

static int ask(const char *fields, const char *to_tag, unsigned cseq)
{
    struct text granted;
    return ask_as("sip:bob@example.com", subscribe(fields, to_tag, cseq), &granted);
}

static struct text field(const struct sip_message *message, const char *name)
{
    struct text value = {0};
    assert_true(sip_header(message, name, 0, &arena, &value));
    return value;
}

/* The next NOTIFY has this state; its subscription. */
static uint64_t expect_notify(const char *state)
{
    struct notice notice;
    assert_true(notifier_next(notifier, now_ms, &notice));
    assert_text(field(notice.message, "Subscription-State"), state);
    assert_text(sip_request_uri(notice.message, &arena), "sip:bob@192.0.2.1:5062");
    assert_text(sip_to_tag(notice.message), "b");
    assert_text(sip_from_tag(notice.message), tag);
    sip_message_free(notice.message);
    return notice.subscription;
}

static void expect_none(void)
{
    struct notice notice;
    assert_false(notifier_next(notifier, now_ms, &notice));
}

static void a_subscriber_is_told_the_state_at_once(void **state)
{
    (void)state;
    struct text granted;
    assert_int_equal(ask_as("sip:bob@example.com", subscribe("Event: weather;id=7\r\n", "", 1), &granted), 200);
    assert_text(granted, "3600");
    struct notice notice;
    assert_true(notifier_next(notifier, now_ms, &notice));
    assert_text(sip_method(notice.message), "NOTIFY");
    assert_text(field(notice.message, "Event"), "weather;id=7");
    assert_text(field(notice.message, "Subscription-State"), "active;expires=3600");
    assert_text(field(notice.message, "CSeq"), "1 NOTIFY");
    assert_text(field(notice.message, "From"), text_format(&arena, "<sip:sea@example.com>;tag=%s", tag).bytes);
    assert_text(notice.resource, "sip:sea@example.com");
    assert_int_equal(notice.version, 0);
    sip_message_free(notice.message);
    expect_none();
}

static void what_is_not_known_is_told_with_what_is(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: presence\r\n", "", 1), 489);
    assert_string_equal(refusal.header, "Allow-Events");
    assert_text(refusal.value, "weather, tides");
    assert_int_equal(ask("", "", 1), 489);
    assert_int_equal(ask("Event: weather\r\nAccept: text/plain\r\n", "", 1), 406);
    assert_int_equal(ask("Event: weather\r\nAccept: text/plain, application/*;q=0.1\r\n", "", 1), 200);
    assert_int_equal(ask("Event: weather\r\nExpires: soon\r\n", "", 1), 400);
    assert_string_equal(refusal.reason, "Bad Expires");
    assert_int_equal(ask("Event: weather\r\nExpires: 59\r\n", "", 1), 423);
    assert_text(refusal.value, "60");
    assert_int_equal(ask("Event: weather\r\n", "beef", 1), 481);
    assert_int_equal(ask("Event: weather\r\n", "no number", 1), 481);
}

/* No NOTIFY could ever go there. */
static void a_contact_that_is_no_sip_uri_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"<tel:+15550100>", "<im:bob@example.com>", "<sip:bob@[::1>", "*"};
    struct text granted;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sip_message *request = subscribe("Event: weather\r\n", "", 1);
        sip_header_set(request, "Contact", text_of(wrong[i]));
        assert_int_equal(ask_as("sip:bob@example.com", request, &granted), 400);
        assert_string_equal(refusal.reason, "Bad Contact Or Record-Route");
    }
    expect_none();
}

static void a_time_is_shortened_and_never_lengthened(void **state)
{
    (void)state;
    struct text granted;
    assert_int_equal(
        ask_as("sip:bob@example.com", subscribe("Event: weather\r\nExpires: 99999999\r\n", "", 1), &granted), 200);
    assert_text(granted, "7200");
    assert_int_equal(ask_as("sip:bob@example.com", subscribe("Event: weather\r\nExpires: 61\r\n", "", 1), &granted),
                     200);
    assert_text(granted, "61");
}

static void changes_come_no_faster_than_their_package_allows(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    uint64_t number = expect_notify("active;expires=3600");
    notifier_changed(notifier, &weather, TEXT("sip:sea@example.com"));
    notifier_changed(notifier, &weather, TEXT("sip:lake@example.com"));
    notifier_changed(notifier, &tides, TEXT("sip:sea@example.com"));
    expect_none(); /* the first has no answer yet */
    notifier_answered(notifier, number, 200, 0, now_ms);
    expect_none();
    assert_int_equal(notifier_deadline(notifier), 6000);
    notifier_changed(notifier, &weather, TEXT("sip:sea@example.com"));
    now_ms = 6000;
    number = expect_notify("active;expires=3595");
    notifier_answered(notifier, number, 200, 0, now_ms);
    now_ms = 60000;
    expect_none();
}

static void a_subscription_is_renewed_and_ended_by_who_made_it(void **state)
{
    (void)state;
    struct text granted;
    assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    notifier_answered(notifier, expect_notify("active;expires=3600"), 200, 0, now_ms);
    now_ms += 1000000;
    assert_int_equal(ask("Event: weather\r\nExpires: 100\r\n", tag, 2), 200);
    notifier_answered(notifier, expect_notify("active;expires=100"), 200, 0, now_ms);
    assert_int_equal(ask("Event: weather\r\n", tag, 2), 500);
    assert_int_equal(ask("Event: tides\r\n", tag, 3), 403);
    assert_int_equal(ask_as("sip:eve@example.com", subscribe("Event: weather\r\n", tag, 3), &granted), 403);
    assert_int_equal(ask("Event: weather\r\nExpires: 0\r\n", tag, 4), 200);
    expect_notify("terminated;reason=timeout");
    assert_int_equal(notifier_count(notifier), 0);
    assert_int_equal(ask("Event: weather\r\n", tag, 5), 481);
}

static void a_state_is_fetched_once_without_a_subscription(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: weather\r\nExpires: 0\r\n", "", 1), 200);
    expect_notify("terminated;reason=timeout");
    expect_none();
    assert_int_equal(notifier_count(notifier), 0);
}

static void what_is_not_renewed_ends_with_its_time(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: tides\r\nExpires: 60\r\n", "", 1), 200);
    notifier_answered(notifier, expect_notify("active;expires=60"), 200, 0, now_ms);
    assert_true(notifier_watched(notifier, &tides, TEXT("sip:sea@example.com")));
    assert_int_equal(notifier_deadline(notifier), 61000);
    now_ms = 61000;
    expect_notify("terminated;reason=timeout");
    assert_false(notifier_watched(notifier, &tides, TEXT("sip:sea@example.com")));
    assert_int_equal(notifier_deadline(notifier), INT64_MAX);
}

static void the_end_of_what_is_watched_is_told_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    notifier_answered(notifier, expect_notify("active;expires=3600"), 200, 0, now_ms);
    notifier_end(notifier, &weather, TEXT("sip:sea@example.com"), "noresource");
    assert_int_equal(ask("Event: weather\r\n", tag, 2), 481);
    expect_notify("terminated;reason=noresource");
    assert_int_equal(notifier_count(notifier), 0);
}

static void who_does_not_know_the_dialog_hears_no_more(void **state)
{
    (void)state;
    static const int gone[] = {481, 408, 404, 503};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
        notifier_answered(notifier, expect_notify("active;expires=3600"), gone[i], 0, now_ms);
        assert_int_equal(notifier_count(notifier), 0);
    }
}

static void who_is_busy_hears_it_later(void **state)
{
    (void)state;
    assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    notifier_answered(notifier, expect_notify("active;expires=3600"), 503, 20, now_ms);
    expect_none();
    now_ms = 21000;
    notifier_answered(notifier, expect_notify("active;expires=3580"), 500, 0, now_ms);
    assert_int_equal(notifier_deadline(notifier), 81000);
}

static void nobody_has_more_subscriptions_than_allowed(void **state)
{
    (void)state;
    struct text granted;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    assert_int_equal(ask("Event: weather\r\n", "", 1), 480);
    assert_string_equal(refusal.header, "Retry-After");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(ask_as("sip:eve@example.com", subscribe("Event: tides\r\n", "", 1), &granted), 200);
    assert_int_equal(ask_as("sip:carol@example.com", subscribe("Event: tides\r\n", "", 1), &granted), 503);
    assert_int_equal(notifier_count(notifier), 5);
}

static void the_way_back_is_that_of_the_request(void **state)
{
    (void)state;
    struct notice notice;
    assert_int_equal(ask("Event: weather\r\nRecord-Route: <sip:a.example.com;lr>, <sip:b.example.com;lr>\r\n", "", 1),
                     200);
    assert_true(notifier_next(notifier, now_ms, &notice));
    assert_text(field(notice.message, "Route"), "<sip:a.example.com;lr>");
    assert_text(notice.route, "<sip:a.example.com;lr>, <sip:b.example.com;lr>");
    sip_message_free(notice.message);
    assert_int_equal(ask("Event: weather\r\nRecord-Route: <sip:strict.example.com>\r\n", "", 1), 200);
    assert_true(notifier_next(notifier, now_ms, &notice));
    assert_text(sip_request_uri(notice.message, &arena), "sip:strict.example.com");
    assert_text(field(notice.message, "Route"), "<sip:bob@192.0.2.1:5062>");
    sip_message_free(notice.message);
}

/* All that is to be written down; how many records and how many removals. */
static unsigned changes(struct text *record_out)
{
    struct notifier_change change;
    unsigned count = 0;
    while (notifier_change_next(notifier, (struct instant){now_ms, 1000000 + now_ms}, &arena, &change)) {
        assert_text(change.resource, "sip:sea@example.com");
        assert_text(change.name, tag);
        count += change.gone ? 100 : 1;
        if (!change.gone)
            *record_out = change.record;
    }
    return count;
}

static void what_was_written_goes_on_after_a_restart(void **state)
{
    (void)state;
    const struct notifier_settings settings = {both_packages, 2, 5, 3};
    struct text record = {0};
    struct notice notice;
    assert_int_equal(ask("Event: weather;id=7\r\nRecord-Route: <sip:a.example.com;lr>\r\n", "", 1), 200);
    assert_int_equal(changes(&record), 1);
    assert_int_equal(changes(&record), 0);
    notifier_free(notifier);
    notifier = notifier_new(&settings);
    now_ms = 50; /* another boot; ten seconds have passed */
    struct instant now = {now_ms, 1000000 + 11000};
    assert_false(notifier_restore(notifier, TEXT("damage"), now, 70));
    assert_true(notifier_restore(notifier, record, now, 70));
    assert_false(notifier_restore(notifier, record, now, 70));
    assert_int_equal(notifier_deadline(notifier), 70);
    now_ms = 70;
    assert_true(notifier_next(notifier, now_ms, &notice));
    assert_text(field(notice.message, "Subscription-State"), "active;expires=3590");
    assert_text(field(notice.message, "Event"), "weather;id=7");
    assert_text(notice.route, "<sip:a.example.com;lr>");
    assert_text(notice.subscriber, "sip:bob@example.com");
    assert_true(notice.version >= 10);
    sip_message_free(notice.message);
    notifier_answered(notifier, notice.subscription, 200, 0, now_ms);
    assert_int_equal(ask("Event: weather;id=7\r\n", tag, 2), 200);
    assert_int_equal(changes(&record), 1);
    assert_true(notifier_next(notifier, now_ms, &notice));
    sip_message_free(notice.message);
    notifier_answered(notifier, notice.subscription, 481, 0, now_ms);
    assert_int_equal(changes(&record), 100);
    now.wall_ms += 100000000;
    assert_false(notifier_restore(notifier, record, now, 70));
}

static void what_subscriptions_hold_is_counted_and_bounded(void **state)
{
    (void)state;
    struct notice notice;
    assert_int_equal(notifier_bytes(notifier), 0);
    assert_int_equal(ask("Event: weather\r\n", "", 1), 200);
    size_t one = notifier_bytes(notifier);
    assert_true(one > sizeof("sip:sea@example.com"));
    assert_int_equal(ask("Event: weather\r\nRecord-Route: <sip:a-long-name-of-a-proxy.example.com;lr>\r\n", "", 2),
                     200);
    assert_true(notifier_bytes(notifier) > 2 * one);
    now_ms += 3601000;
    while (notifier_next(notifier, now_ms, &notice))
        sip_message_free(notice.message);
    assert_int_equal(notifier_count(notifier), 0);
    assert_int_equal(notifier_bytes(notifier), 0);

    notifier_free(notifier);
    notifier = notifier_new(
        &(struct notifier_settings){.packages = both_packages, .packages_count = 2, .bytes_max = one + one / 2});
    assert_int_equal(ask("Event: weather\r\n", "", 3), 200);
    assert_int_equal(ask("Event: weather\r\n", "", 4), 200); /* there was still room */
    assert_int_equal(ask("Event: weather\r\n", "", 5), 503);
    assert_string_equal(refusal.header, "Retry-After");
}

static void random_moments_come_in_order(void **state)
{
    (void)state;
    uint32_t noise = 7;
    for (unsigned i = 0; i < 1000; i++) {
        struct notice notice;
        noise = noise * 1664525 + 1013904223;
        char fields[64];
        snprintf(fields, sizeof(fields), "Event: tides\r\nExpires: %u\r\n", 60 + noise % 500);
        ask(fields, "", 1); /* refused when there are too many */
        now_ms += noise % 200000;
        int64_t last_ms = 0;
        while (notifier_deadline(notifier) <= now_ms) {
            assert_true(notifier_deadline(notifier) >= last_ms || notifier_deadline(notifier) == 0);
            last_ms = notifier_deadline(notifier);
            if (!notifier_next(notifier, now_ms, &notice))
                break;
            sip_message_free(notice.message);
            notifier_answered(notifier, notice.subscription, 200, 0, now_ms);
        }
    }
    now_ms += 1000000;
    for (struct notice notice; notifier_next(notifier, now_ms, &notice);)
        sip_message_free(notice.message);
    assert_int_equal(notifier_count(notifier), 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, bench_begin, bench_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_subscriber_is_told_the_state_at_once),
        ROW(what_is_not_known_is_told_with_what_is),
        ROW(a_contact_that_is_no_sip_uri_is_refused),
        ROW(a_time_is_shortened_and_never_lengthened),
        ROW(changes_come_no_faster_than_their_package_allows),
        ROW(a_subscription_is_renewed_and_ended_by_who_made_it),
        ROW(a_state_is_fetched_once_without_a_subscription),
        ROW(what_is_not_renewed_ends_with_its_time),
        ROW(the_end_of_what_is_watched_is_told_with_its_reason),
        ROW(who_does_not_know_the_dialog_hears_no_more),
        ROW(who_is_busy_hears_it_later),
        ROW(nobody_has_more_subscriptions_than_allowed),
        ROW(the_way_back_is_that_of_the_request),
        ROW(what_was_written_goes_on_after_a_restart),
        ROW(what_subscriptions_hold_is_counted_and_bounded),
        ROW(random_moments_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
