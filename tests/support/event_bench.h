/* What tests of event subscriptions share: two packages, requests out of words, a notifier and a subscriber under a
 * clock of the test. */
#ifndef SUPPORT_EVENT_BENCH_H
#define SUPPORT_EVENT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "notifier.h"
#include "subscriber.h"
#include "test_arena.h"

static const struct event_package weather = {"weather", "application/weather", 3600, 60, 7200, 5000};
static const struct event_package tides = {"tides", "text/plain", 600, 60, 600, 1000};
static const struct event_package *const both_packages[] = {&weather, &tides};

static struct notifier *notifier;
static struct subscriber *subscriber;
static int64_t now_ms;

static inline int bench_begin(void **state)
{
    const struct notifier_settings settings = {both_packages, 2, 5, 3};
    const struct subscriber_settings own = {TEXT("sip:im.example.com"), TEXT("im.example.com"), 500, 3};
    sip_open();
    now_ms = 1000;
    notifier = notifier_new(&settings);
    subscriber = subscriber_new(&own);
    return begin(state);
}

static inline int bench_end(void **state)
{
    notifier_free(notifier);
    subscriber_free(subscriber);
    return end(state);
}

static inline struct sip_message *message_of(struct text bytes)
{
    struct sip_message *message;
    struct sip_fault fault = {0};
    if (sip_message_parse(bytes, &message, &fault) != OK)
        fail_msg("%s: %.*s", fault.reason, TEXT_ARG(bytes));
    return message;
}

/* A SUBSCRIBE of bob; `fields` are whole lines, Event among them. */
static inline struct sip_message *subscribe(const char *fields, const char *to_tag, unsigned cseq)
{
    return message_of(
        text_format(&arena,
                    "SUBSCRIBE sip:sea@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx%u\r\n"
                    "From: <sip:bob@example.com>;tag=b\r\nTo: <sip:sea@example.com>%s%s\r\nCall-ID: c\r\n"
                    "CSeq: %u SUBSCRIBE\r\nContact: <sip:bob@192.0.2.1:5062>\r\n%s\r\n",
                    cseq, to_tag[0] ? ";tag=" : "", to_tag, cseq, fields));
}

#endif
