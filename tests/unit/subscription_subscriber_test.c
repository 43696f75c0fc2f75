/* What a subscriber asks and when, what it makes of answers and of NOTIFYs. */
#include "event_bench.h"

static struct errand errand;
static struct news news;

static const struct subscriber_order order = {.package = TEXT_INIT("weather"),
                                              .type = TEXT_INIT("application/weather"),
                                              .resource = TEXT_INIT("sip:sea@example.com"),
                                              .route = TEXT_INIT("<sip:core.example.com;lr>"),
                                              .expires_s = 3600};

static struct text field(const struct sip_message *message, const char *name)
{
    struct text value = {0};
    return sip_header(message, name, 0, &arena, &value) ? value : (struct text){0};
}

/* The next SUBSCRIBE asks for so many seconds; the one before is freed. */
static void expect_subscribe(const char *seconds)
{
    sip_message_free(errand.message);
    errand = (struct errand){0};
    assert_true(subscriber_next(subscriber, now_ms, &errand));
    assert_text(field(errand.message, "Expires"), seconds);
}

static void expect_none(void)
{
    struct errand other;
    assert_false(subscriber_next(subscriber, now_ms, &other));
}

static void answer(int status, const char *name, const char *value)
{
    struct sip_message *request = sip_message_clone(errand.message);
    sip_header_add(request, "Via", TEXT("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs"));
    struct sip_message *response = sip_response_new(request, status, NULL, TEXT("n"));
    if (name)
        sip_header_add(response, name, text_of(value));
    subscriber_answered(subscriber, errand.subscription, response, now_ms);
    sip_message_free(response);
    sip_message_free(request);
}

static unsigned notifies;

/* A NOTIFY in the dialog of the last SUBSCRIBE; what it is answered. */
static int notify(const char *from_tag, const char *event, const char *state)
{
    notifies++;
    struct sip_message *request = message_of(text_format(
        &arena,
        "NOTIFY sip:im.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn%u\r\n"
        "From: <sip:sea@example.com>;tag=%s\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: %u NOTIFY\r\n"
        "Contact: <sip:192.0.2.7:5099>\r\nRecord-Route: <sip:edge.example.com;lr>\r\nEvent: %s\r\n"
        "%s%s\r\nContent-Type: application/weather\r\nContent-Length: 4\r\n\r\nrain",
        notifies, from_tag, TEXT_ARG(field(errand.message, "From")), TEXT_ARG(sip_call_id(errand.message, &arena)),
        notifies, event, state[0] ? "Subscription-State: " : "X: ", state));
    int status = subscriber_notified(subscriber, request, &arena, now_ms, &news);
    if (status == 200)
        assert_text(news.body, "rain");
    sip_message_free(request);
    return status;
}

static int test_begin(void **state)
{
    notifies = 0;
    errand = (struct errand){0};
    int result = bench_begin(state);
    assert_true(subscriber_begin(subscriber, &order, now_ms));
    return result;
}

static int test_end(void **state)
{
    sip_message_free(errand.message);
    return bench_end(state);
}

static void a_watch_begins_and_is_renewed_in_its_dialog(void **state)
{
    (void)state;
    expect_subscribe("3600");
    assert_text(sip_request_uri(errand.message, &arena), "sip:sea@example.com");
    assert_text(field(errand.message, "Route"), "<sip:core.example.com;lr>");
    assert_text(field(errand.message, "Event"), "weather");
    assert_text(field(errand.message, "Accept"), "application/weather");
    assert_text(errand.route, "<sip:core.example.com;lr>");
    answer(200, "Expires", "3000");
    assert_int_equal(notify("n", "weather", "active;expires=3000"), 200);
    assert_text(news.resource, "sip:sea@example.com");
    assert_false(news.ended);
    expect_none();
    assert_int_equal(subscriber_deadline(subscriber), 1000 + 2400000);
    now_ms = subscriber_deadline(subscriber);
    expect_subscribe("3600");
    assert_text(sip_request_uri(errand.message, &arena), "sip:192.0.2.7:5099");
    assert_text(field(errand.message, "Route"), "<sip:edge.example.com;lr>");
    assert_text(sip_to_tag(errand.message), "n");
    assert_text(field(errand.message, "CSeq"), "2 SUBSCRIBE");
}

static void a_notify_may_come_before_the_answer(void **state)
{
    (void)state;
    expect_subscribe("3600");
    assert_int_equal(notify("n", "weather", "active"), 200);
    answer(200, "Expires", "600");
    assert_int_equal(subscriber_deadline(subscriber), 1000 + 300000);
}

static void only_what_was_asked_for_is_taken(void **state)
{
    (void)state;
    expect_subscribe("3600");
    answer(200, "Expires", "600");
    assert_int_equal(notify("n", "tides", "active"), 489);
    assert_int_equal(notify("n", "weather", ""), 400);
    assert_int_equal(notify("n", "weather", "active"), 200);
    assert_int_equal(notify("other", "weather", "active"), 481); /* another branch of a fork */
    notifies = 0;
    assert_int_equal(notify("n", "weather", "active"), 500); /* older than one that was taken */
    subscriber_end(subscriber, order.package, order.resource, now_ms);
    expect_subscribe("0");
    answer(200, "Expires", "0");
    notifies = 10;
    assert_int_equal(notify("n", "weather", "terminated;reason=timeout"), 200);
    assert_true(news.ended);
    assert_int_equal(notify("n", "weather", "active"), 481);
    assert_int_equal(subscriber_count(subscriber), 0);
}

static void without_a_notify_in_time_it_begins_anew(void **state)
{
    (void)state;
    expect_subscribe("3600");
    struct text first = text_copy(&arena, sip_from_tag(errand.message));
    answer(200, "Expires", "3600");
    assert_int_equal(subscriber_deadline(subscriber), 33000);
    now_ms = 33000;
    expect_none();
    assert_int_equal(subscriber_deadline(subscriber), 63000);
    now_ms = 63000;
    expect_subscribe("3600");
    assert_false(text_equal(first, sip_from_tag(errand.message)));
}

/* The second SUBSCRIBE, in the dialog, is on its way. */
static void begin_and_refresh(void)
{
    expect_subscribe("3600");
    answer(200, "Expires", "600");
    assert_int_equal(notify("n", "weather", "active"), 200);
    now_ms = subscriber_deadline(subscriber);
    expect_subscribe("3600");
}

static void a_notifier_that_forgot_is_asked_anew(void **state)
{
    (void)state;
    begin_and_refresh();
    answer(481, NULL, NULL);
    expect_subscribe("3600");
    assert_int_equal(sip_to_tag(errand.message).length, 0);
}

static void a_refresh_that_fails_leaves_what_was_granted(void **state)
{
    (void)state;
    begin_and_refresh();
    subscriber_answered(subscriber, errand.subscription, NULL, now_ms);
    assert_int_equal(notify("n", "weather", "active"), 200);
    assert_int_equal(subscriber_count(subscriber), 1);
}

static void who_wants_longer_times_gets_them(void **state)
{
    (void)state;
    expect_subscribe("3600");
    answer(423, "Min-Expires", "7200");
    expect_subscribe("7200");
}

static void failures_are_answered_with_growing_patience(void **state)
{
    (void)state;
    int64_t last_ms = 0;
    for (unsigned i = 0; i < 12; i++) {
        expect_subscribe("3600");
        answer(403, NULL, NULL);
        int64_t delay_ms = subscriber_deadline(subscriber) - now_ms;
        assert_true(delay_ms > last_ms || delay_ms == 1800000);
        last_ms = delay_ms;
        now_ms = subscriber_deadline(subscriber);
    }
    expect_subscribe("3600");
    answer(503, "Retry-After", "17 (soon)");
    assert_int_equal(subscriber_deadline(subscriber), now_ms + 17000);
}

static void an_end_says_whether_to_come_again(void **state)
{
    (void)state;
    expect_subscribe("3600");
    answer(200, NULL, NULL);
    assert_int_equal(notify("n", "weather", "terminated;reason=deactivated"), 200);
    assert_false(news.ended);
    expect_subscribe("3600");
    assert_int_equal(notify("n", "weather", "active"), 200);
    answer(200, NULL, NULL);
    assert_int_equal(notify("n", "weather", "terminated;reason=probation;retry-after=40"), 200);
    assert_int_equal(subscriber_deadline(subscriber), now_ms + 40000);
    now_ms += 40000;
    expect_subscribe("3600");
    assert_int_equal(notify("n", "weather", "terminated;reason=noresource"), 200);
    assert_true(news.ended);
    assert_text(news.reason, "noresource");
    assert_int_equal(subscriber_count(subscriber), 0);
}

static void another_way_is_another_dialog(void **state)
{
    (void)state;
    expect_subscribe("3600");
    answer(200, NULL, NULL);
    assert_int_equal(notify("n", "weather", "active"), 200);
    assert_true(subscriber_begin(subscriber, &order, now_ms)); /* the same: only a refresh */
    expect_subscribe("3600");
    assert_text(sip_to_tag(errand.message), "n");
    answer(200, NULL, NULL);
    struct subscriber_order moved = order;
    moved.route = TEXT("<sip:other.example.com;lr>");
    assert_true(subscriber_begin(subscriber, &moved, now_ms));
    expect_subscribe("3600");
    assert_int_equal(sip_to_tag(errand.message).length, 0);
    assert_text(field(errand.message, "Route"), "<sip:other.example.com;lr>");
}

static void no_more_is_watched_than_allowed(void **state)
{
    (void)state;
    struct subscriber_order more = order;
    more.resource = TEXT("sip:lake@example.com");
    assert_true(subscriber_begin(subscriber, &more, now_ms));
    more.resource = TEXT("sip:river@example.com");
    assert_true(subscriber_begin(subscriber, &more, now_ms));
    more.resource = TEXT("sip:pond@example.com");
    assert_false(subscriber_begin(subscriber, &more, now_ms));
    subscriber_end(subscriber, TEXT("weather"), TEXT("sip:river@example.com"), now_ms);
    assert_true(subscriber_begin(subscriber, &more, now_ms));
}

static void who_is_not_wanted_any_more_is_told_when_there_is_a_dialog(void **state)
{
    (void)state;
    expect_subscribe("3600");
    subscriber_end(subscriber, order.package, order.resource, now_ms);
    assert_int_equal(notify("n", "weather", "active"), 200);
    answer(200, NULL, NULL);
    expect_subscribe("0");
    answer(200, NULL, NULL);
    now_ms += 32000; /* no last NOTIFY comes */
    expect_none();
    assert_int_equal(subscriber_count(subscriber), 0);
}

static void what_is_watched_is_counted_and_bounded(void **state)
{
    (void)state;
    size_t one = subscriber_bytes(subscriber);
    struct subscriber_order other = order;
    other.resource = TEXT("sip:lake@example.com");
    assert_true(one > 0);
    subscriber_free(subscriber);
    subscriber = subscriber_new(&(struct subscriber_settings){
        .from = TEXT("sip:im.example.com"), .host = TEXT("im.example.com"), .t1_ms = 500, .bytes_max = one});
    assert_int_equal(subscriber_bytes(subscriber), 0);
    assert_true(subscriber_begin(subscriber, &order, now_ms));
    assert_int_equal(subscriber_bytes(subscriber), one);
    assert_true(subscriber_begin(subscriber, &order, now_ms)); /* no other one */
    assert_false(subscriber_begin(subscriber, &other, now_ms));
    subscriber_end(subscriber, order.package, order.resource, now_ms);
    assert_int_equal(subscriber_bytes(subscriber), 0);
    assert_true(subscriber_begin(subscriber, &other, now_ms));
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_watch_begins_and_is_renewed_in_its_dialog),
        ROW(a_notify_may_come_before_the_answer),
        ROW(only_what_was_asked_for_is_taken),
        ROW(without_a_notify_in_time_it_begins_anew),
        ROW(a_notifier_that_forgot_is_asked_anew),
        ROW(a_refresh_that_fails_leaves_what_was_granted),
        ROW(who_wants_longer_times_gets_them),
        ROW(failures_are_answered_with_growing_patience),
        ROW(an_end_says_whether_to_come_again),
        ROW(another_way_is_another_dialog),
        ROW(no_more_is_watched_than_allowed),
        ROW(what_is_watched_is_counted_and_bounded),
        ROW(who_is_not_wanted_any_more_is_told_when_there_is_a_dialog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
