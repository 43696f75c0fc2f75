/* The messages of RFC 4475, written anew from what it says each of them holds: they are files, so that the fuzzer
 * begins with them, too. What the RFC leaves to the element is decided here, and does not change unnoticed. */
#include "sip_bench.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/fuzz/corpus/sip_message/torture_"

enum { PASSED_ON = 1, DROPPED = 0 }; /* else the status of the answer */

struct torture {
    const char *name;
    int expected;
    const char *method; /* PASSED_ON: of the request */
};

static const struct torture tortures[] = {
    /* §3.1.1: valid */
    {"wsinv", PASSED_ON, "INVITE"},
    {"intmeth", 400, NULL}, /* for the control characters in its display name, which people get to see */
    {"intmeth_without_controls", PASSED_ON, "!odd-Method012_*+`.%real'~"},
    {"esc01", PASSED_ON, "INVITE"},
    {"escnull", 400, NULL},               /* escaped zeros as well: they must never be taken for the end of a name */
    {"esc02", PASSED_ON, "RE%47IST%45R"}, /* no REGISTER */
    {"lwsdisp", PASSED_ON, "OPTIONS"},
    {"longreq", PASSED_ON, "INVITE"},
    {"dblreq", PASSED_ON, "REGISTER"}, /* what follows in the datagram is nothing */
    {"semiuri", PASSED_ON, "OPTIONS"},
    {"transports", PASSED_ON, "OPTIONS"},
    {"mpart01", PASSED_ON, "MESSAGE"},
    /* §3.1.2: broken. 400 or lenient where the RFC allows either */
    {"badinv01", DROPPED, NULL}, /* the only Via is what is broken: an answer has no way back */
    {"clerr", 400, NULL},
    {"ncl", 400, NULL},
    {"scalar02", 400, NULL},
    {"scalarlg", DROPPED, NULL},
    {"quotbal", 400, NULL},
    {"ltgtruri", 400, NULL},
    {"lwsruri", 400, NULL},
    {"lwsstart", 400, NULL},
    {"trws", 400, NULL},
    {"escruri", PASSED_ON, "INVITE"}, /* what is after the ? means nothing there */
    {"baddate", PASSED_ON, "INVITE"}, /* Date decides nothing here */
    {"regbadct", 400, NULL},
    {"badaspec", 400, NULL},
    {"baddn", 400, NULL},
    {"badvers", DROPPED, NULL}, /* its Via is of that version, too: there is no way back that we could read */
    {"badvers_via2", 505, NULL},
    {"mismatch01", 400, NULL},
    {"mismatch02", 400, NULL},
    {"bigcode", DROPPED, NULL},
    /* §3.2: like a branch of RFC 2543 */
    {"badbranch", PASSED_ON, "OPTIONS"},
    /* §3.3: what the application decides is taken here; replays show its answers */
    {"insuf", 400, NULL},
    {"unkscm", PASSED_ON, "OPTIONS"},
    {"novelsc", PASSED_ON, "OPTIONS"},
    {"unksm2", PASSED_ON, "REGISTER"},
    {"bext01", PASSED_ON, "OPTIONS"},
    {"invut", PASSED_ON, "INVITE"},
    {"regaut01", PASSED_ON, "REGISTER"},
    {"multi01", 400, NULL},
    {"mcl01", 400, NULL},
    {"bcast", DROPPED, NULL},
    {"zeromf", PASSED_ON, "OPTIONS"},
    {"cparam01", PASSED_ON, "REGISTER"},
    {"cparam02", PASSED_ON, "REGISTER"},
    {"regescrt", PASSED_ON, "REGISTER"},
    {"sdp01", PASSED_ON, "INVITE"},
    /* §3.4 */
    {"inv2543", PASSED_ON, "INVITE"},
};

static struct text read_torture(const char *name)
{
    static char bytes[65536];
    char path[256];
    snprintf(path, sizeof(path), FOLDER "%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_in_range(length, 1, sizeof(bytes) - 1);
    return (struct text){bytes, length};
}

/* What became of it: PASSED_ON and its message, the status of an answer, or DROPPED. */
static int become(struct sip_message **message_out)
{
    struct sip_event event;
    const char *answered = output();
    uint64_t status = DROPPED;
    *message_out = NULL;
    if (sip_agent_event(agent, &event)) {
        assert_int_equal(event.kind, SIP_EVENT_REQUEST);
        *message_out = event.message;
        return PASSED_ON;
    }
    if (answered)
        assert_true(text_to_u64((struct text){answered + sizeof("SIP/2.0 ") - 1, 3}, &status));
    return (int)status;
}

static void each_message_is_taken_answered_or_dropped(void **state)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(tortures) / sizeof(tortures[0]); i++) {
        const struct torture *torture = &tortures[i];
        struct sip_message *message;
        end(state); /* their branches and calls repeat */
        begin(state);
        input(read_torture(torture->name), &udp, 0);
        int got = become(&message);
        bool right =
            got == torture->expected && (got != PASSED_ON || text_equal(sip_method(message), text_of(torture->method)));
        if (!right)
            print_error("%s: %d, not %d\n", torture->name, got, torture->expected);
        wrong += !right;
        sip_message_free(message);
    }
    assert_int_equal(wrong, 0);
}

static struct sip_message *taken(const char *name)
{
    struct sip_message *message;
    input(read_torture(name), &udp, 0);
    assert_int_equal(become(&message), PASSED_ON);
    return message;
}

static struct text field(const struct sip_message *message, const char *name, size_t index)
{
    struct text value;
    assert_true(sip_header(message, name, index, &arena, &value));
    return value;
}

static void expect_text(struct text found, const char *expected)
{
    assert_string_equal(text_cstring(&arena, found), expected);
}

static void white_space_and_short_names_mean_nothing(void **state)
{
    (void)state;
    struct sip_message *message = taken("wsinv");
    expect_text(sip_to_tag(message), "77zz2n");
    expect_text(sip_from_tag(message), "9s8x");
    assert_int_equal(sip_cseq(message), 9);
    expect_text(field(message, "Subject", 0), "");
    expect_text(sip_branch(message), "39xkdju");
    expect_text(field(message, "Max-Forwards", 0), "0068");
    assert_true(text_starts_with(field(message, "Via", 2), TEXT("SIP")));
    assert_int_equal(sip_body(message).length, 14);
    sip_message_free(message);
}

static void every_byte_of_a_binary_body_arrives(void **state)
{
    (void)state;
    struct sip_message *message = taken("mpart01");
    struct text bytes = read_torture("mpart01");
    struct text body = text_slice(bytes, text_find(bytes, TEXT("\r\n\r\n")) + 4, bytes.length);
    assert_true(text_equal(sip_body(message), body));
    sip_message_free(message);
}

static void escapes_stay_as_they_were_written(void **state)
{
    (void)state;
    struct sip_message *message = taken("esc01");
    expect_text(sip_request_uri(message, &arena), "sip:sips%3Auser%40example.com@example.net");
    sip_message_free(message);
    message = taken("semiuri");
    expect_text(sip_request_uri(message, &arena), "sip:user;par=u%40example.net@example.com");
    sip_message_free(message);
}

static void a_reason_may_be_anything_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
    } responses[] = {{"unreason", 200}, {"noreason", 100}};
    for (size_t i = 0; i < 2; i++) {
        struct sip_message *message;
        struct sip_fault fault;
        assert_int_equal(sip_message_parse(read_torture(responses[i].name), &message, &fault), OK);
        assert_int_equal(sip_status(message), responses[i].status);
        sip_message_free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_message_is_taken_answered_or_dropped, begin, end),
        cmocka_unit_test_setup_teardown(white_space_and_short_names_mean_nothing, begin, end),
        cmocka_unit_test_setup_teardown(every_byte_of_a_binary_body_arrives, begin, end),
        cmocka_unit_test_setup_teardown(escapes_stay_as_they_were_written, begin, end),
        cmocka_unit_test_setup_teardown(a_reason_may_be_anything_or_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
