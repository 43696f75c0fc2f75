/* Messages: what is kept byte by byte, what is refused and with which answer, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "sip_message.h"

#define START  "MESSAGE sip:bob@example.com SIP/2.0\r\n"
#define VIA    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\n"
#define FROM   "From: \"Alice, A.\" <sip:alice@example.com>;tag=f1\r\n"
#define TO     "To: <sip:bob@example.com>\r\n"
#define CALL   "Call-ID: c1@192.0.2.1\r\n"
#define CSEQ   "CSeq: 7 MESSAGE\r\n"
#define COMMON VIA FROM TO CALL CSEQ
#define END    "\r\n"

static struct arena arena;

static int open_module(void **state)
{
    (void)state;
    sip_open();
    arena_init(&arena, "test");
    return 0;
}

static int clear(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct sip_message *parse(const char *bytes)
{
    struct sip_message *message;
    struct sip_fault fault;
    if (sip_message_parse(text_of(bytes), &message, &fault) == OK)
        return message;
    fail_msg("refused: %d %s", fault.code, fault.reason);
    return NULL;
}

static void expect_fault_in(struct text bytes, int code, const char *reason)
{
    struct sip_message *message;
    struct sip_fault fault;
    assert_int_equal(sip_message_parse(bytes, &message, &fault), REFUSED);
    if (code != fault.code || (reason && strcmp(reason, fault.reason) != 0))
        fail_msg("%d %s for %.*s", fault.code, fault.reason, TEXT_ARG(bytes));
    assert_int_equal(code != 0, message != NULL);
    if (message) {
        struct sip_message *answer = sip_response_new(message, code, fault.reason, TEXT("t"));
        assert_true(sip_message_write(answer, &arena).length > 0);
        sip_message_free(answer);
    }
    sip_message_free(message);
}

static void expect_fault(const char *bytes, int code, const char *reason)
{
    expect_fault_in(text_of(bytes), code, reason);
}

static void expect_header(const struct sip_message *message, const char *name, size_t index, const char *expected)
{
    struct text value;
    assert_int_equal(sip_header(message, name, index, &arena, &value), expected != NULL);
    if (expected)
        assert_string_equal(text_cstring(&arena, value), expected);
}

#define expect_text(text, expected) assert_string_equal(text_cstring(&arena, text), expected)

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void the_parts_of_a_request_are_read(void **state)
{
    (void)state;
    struct sip_message *message = parse(START COMMON "Content-Type: text/plain\r\nContent-Length: 5\r\n" END "hello");
    assert_true(sip_is_request(message));
    expect_text(sip_method(message), "MESSAGE");
    expect_text(sip_request_uri(message, &arena), "sip:bob@example.com");
    expect_text(sip_call_id(message, &arena), "c1@192.0.2.1");
    expect_text(sip_branch(message), "z9hG4bKa");
    expect_text(sip_from_tag(message), "f1");
    assert_int_equal(sip_to_tag(message).length, 0);
    assert_int_equal(sip_cseq(message), 7);
    expect_text(sip_body(message), "hello");
    expect_header(message, "from", 0, "\"Alice, A.\" <sip:alice@example.com>;tag=f1");
    expect_header(message, "Content-Length", 0, "5");
    expect_header(message, "Content-Length", 1, NULL);
    expect_header(message, "Subject", 0, NULL);
    sip_message_free(message);
}

static void the_parts_of_a_response_are_read(void **state)
{
    (void)state;
    struct sip_message *message =
        parse("SIP/2.0 200 All \xC3\xBC fine\r\n" VIA FROM "To: <sip:b@x>;Tag=t9\r\n" CALL CSEQ END);
    assert_false(sip_is_request(message));
    assert_int_equal(sip_status(message), 200);
    expect_text(sip_method(message), "MESSAGE");
    expect_text(sip_to_tag(message), "t9");
    sip_message_free(message);
    sip_message_free(parse("SIP/2.0 200 \r\n" COMMON END));
    sip_message_free(parse("SIP/2.0 200\r\n" COMMON END));
}

static void a_body_keeps_every_byte_and_needs_no_type(void **state)
{
    (void)state;
    static const char body[] = "--b\r\n\r\nNUL:\0 and \xff\r\n--b--";
    struct text_builder bytes;
    builder_init(&bytes, &arena);
    builder_add_format(&bytes, START COMMON "Content-Length: %zu\r\n" END, sizeof(body) - 1);
    builder_add(&bytes, (struct text){body, sizeof(body) - 1});
    struct sip_message *message;
    struct sip_fault fault;
    assert_int_equal(sip_message_parse(builder_text(&bytes), &message, &fault), OK);
    assert_true(text_equal(sip_body(message), (struct text){body, sizeof(body) - 1}));
    expect_header(message, "Content-Type", 0, NULL);
    assert_true(text_ends_with(sip_message_write(message, &arena), (struct text){body, sizeof(body) - 1}));
    sip_message_free(message);
}

static void without_a_length_the_body_is_what_follows(void **state)
{
    (void)state;
    struct sip_message *message = parse(START COMMON END "all of it");
    expect_text(sip_body(message), "all of it");
    sip_message_free(message);
}

static void bytes_beyond_the_length_are_padding(void **state)
{
    (void)state;
    struct sip_message *message = parse(START COMMON "l: 2\r\n" END "hi there");
    expect_text(sip_body(message), "hi");
    sip_message_free(message);
}

static void compact_names_are_those_of_the_long_form(void **state)
{
    (void)state;
    struct sip_message *message =
        parse("SUBSCRIBE sip:b@x SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@x>;tag=1\r\nt: <sip:b@x>\r\n"
              "i: 1\r\nCSeq: 1 SUBSCRIBE\r\nm: <sip:a@h>\r\no: presence\r\nu: conference\r\nr: <sip:c@x>\r\n"
              "b: <sip:d@x>\r\ns: hey\r\nk: eventlist\r\nc: text/plain\r\nl: 0\r\nx: 1800\r\na: *;x\r\n" END);
    expect_header(message, "Event", 0, "presence");
    expect_header(message, "o", 0, "presence");
    expect_header(message, "allow-events", 0, "conference");
    expect_header(message, "Refer-To", 0, "<sip:c@x>");
    expect_header(message, "Referred-By", 0, "<sip:d@x>");
    expect_header(message, "Subject", 0, "hey");
    expect_header(message, "Supported", 0, "eventlist");
    expect_header(message, "Session-Expires", 0, "1800");
    expect_header(message, "Accept-Contact", 0, "*;x");
    struct text written = sip_message_write(message, &arena);
    assert_true(text_find(written, TEXT("\r\nEvent: presence\r\n")) < written.length);
    sip_message_free(message);
}

static void lists_are_split_at_commas_outside_quotes_and_brackets(void **state)
{
    (void)state;
    struct sip_message *message = parse(
        START
        "Via: SIP/2.0/TCP a;branch=z9hG4bK1, SIP / 2.0 / UDP b:5070\r\nVia: SIP/2.0/TLS [2001:db8::1]:5061\r\n" FROM TO
            CALL CSEQ "Contact: \"x,\\\"y\" <sip:a,b@h>;+sip.instance=\"<urn:uuid:1>\",<sip:c@h>\r\n"
        "Route: <sip:p1;lr>,\r\n <sip:p2;lr>\r\nAccept: a/b, c/d\r\n" END);
    expect_header(message, "Via", 0, "SIP/2.0/TCP a;branch=z9hG4bK1");
    expect_header(message, "Via", 1, "SIP / 2.0 / UDP b:5070");
    expect_header(message, "Via", 2, "SIP/2.0/TLS [2001:db8::1]:5061");
    expect_header(message, "Via", 3, NULL);
    expect_header(message, "Contact", 0, "\"x,\\\"y\" <sip:a,b@h>;+sip.instance=\"<urn:uuid:1>\"");
    expect_header(message, "Contact", 1, "<sip:c@h>");
    expect_header(message, "Route", 0, "<sip:p1;lr>");
    expect_header(message, "Route", 1, "<sip:p2;lr>");
    expect_header(message, "Accept", 0, "a/b, c/d");
    sip_message_free(message);
}

static void folded_lines_and_odd_white_space_are_one_line(void **state)
{
    (void)state;
    struct sip_message *message =
        parse("\r\n\r\n" START COMMON "Subject  :\tone\r\n\ttwo\r\n  three \r\nEmpty:\r\n" END);
    struct text value;
    assert_true(sip_header(message, "Subject", 0, &arena, &value));
    assert_true(text_starts_with(value, TEXT("one")) && text_ends_with(value, TEXT("three")));
    assert_int_equal(text_find_char(value, '\r'), value.length);
    expect_header(message, "Empty", 0, "");
    sip_message_free(message);
}

static void requests_to_any_scheme_survive(void **state)
{
    (void)state;
    static const char *const uris[] = {"im:bob@example.com",
                                       "tel:+358-555-1234567;phone-context=example.com",
                                       "pres:bob@example.com",
                                       "urn:service:sos",
                                       "sips:%62ob%3B1:pw@example.com:5061;x-obr=1;lr?Subject=a%20b&Priority=urgent",
                                       "SIP:bob@[2001:db8::1]:5060",
                                       "sip:example.com"};
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct text line = text_format(&arena, "MESSAGE %s SIP/2.0\r\n", uris[i]);
        struct sip_message *message =
            parse(text_cstring(&arena, text_join(&arena, line, TEXT(COMMON "Max-Forwards: 70\r\n" END))));
        expect_text(sip_request_uri(message, &arena), uris[i]);
        assert_true(text_starts_with(sip_message_write(message, &arena), line));
        sip_message_free(message);
    }
}

/* --- refusing --------------------------------------------------------------------------------------------------- */

static void what_is_missing_is_named(void **state)
{
    (void)state;
    expect_fault(START FROM TO CALL CSEQ END, 0, "Missing Via");
    expect_fault(START VIA TO CALL CSEQ END, 400, "Missing From");
    expect_fault(START VIA FROM CALL CSEQ END, 400, "Missing To");
    expect_fault(START VIA FROM TO CSEQ END, 400, "Missing Call-ID");
    expect_fault(START VIA FROM TO CALL END, 400, "Missing CSeq");
    sip_message_free(parse(START COMMON END)); /* no Max-Forwards */
}

static void what_comes_twice_is_refused(void **state)
{
    (void)state;
    expect_fault(START COMMON FROM END, 400, "Repeated From");
    expect_fault(START COMMON "t: <sip:c@x>\r\n" END, 400, "Repeated To");
    expect_fault(START COMMON CALL END, 400, "Repeated Call-ID");
    expect_fault(START COMMON CSEQ END, 400, "Repeated CSeq");
    expect_fault(START COMMON "Max-Forwards: 1\r\nMax-Forwards: 1\r\n" END, 400, "Repeated Max-Forwards");
    expect_fault(START COMMON "Content-Length: 0\r\nl: 0\r\n" END, 400, "Repeated Content-Length");
    expect_fault(START COMMON "Event: a\r\no: b\r\n" END, 400, "Repeated header field");
}

static void a_sequence_number_is_judged(void **state)
{
    (void)state;
    expect_fault(START VIA FROM TO CALL "CSeq: 7 INVITE\r\n" END, 400, "CSeq names another method");
    expect_fault(START VIA FROM TO CALL "CSeq: 7 message\r\n" END, 400, "CSeq names another method");
    expect_fault(START VIA FROM TO CALL "CSeq: 2147483648 MESSAGE\r\n" END, 400, "Bad CSeq");
    expect_fault(START VIA FROM TO CALL "CSeq: 36893488147419103232 MESSAGE\r\n" END, 400, "Bad CSeq");
    expect_fault(START VIA FROM TO CALL "CSeq: -1 MESSAGE\r\n" END, 400, "Bad CSeq");
    expect_fault(START VIA FROM TO CALL "CSeq: 1\r\n" END, 400, "Bad CSeq");
    struct sip_message *message = parse(START VIA FROM TO CALL "CSeq: 2147483647   MESSAGE\r\n" END);
    assert_int_equal(sip_cseq(message), 2147483647);
    sip_message_free(message);
}

static void a_length_is_judged(void **state)
{
    (void)state;
    expect_fault(START COMMON "Content-Length: 3\r\n" END "hi", 400, "Content-Length beyond the end");
    expect_fault(START COMMON "Content-Length: -1\r\n" END, 400, "Bad Content-Length");
    expect_fault(START COMMON "Content-Length: +1\r\n" END "a", 400, "Bad Content-Length");
    expect_fault(START COMMON "Content-Length: 99999999999\r\n" END, 400, "Content-Length beyond the end");
    expect_fault(START COMMON "Content-Length: 99999999999999999999999\r\n" END, 400, "Bad Content-Length");
    expect_fault(START COMMON "Content-Length: 1, 1\r\n" END "a", 400, "Bad Content-Length");
    expect_fault(START COMMON "Content-Length:\r\n" END, 400, "Bad Content-Length");
}

static void versions_and_start_lines_are_judged(void **state)
{
    (void)state;
    expect_fault("MESSAGE sip:b@x SIP/3.0\r\n" COMMON END, 505, "Version Not Supported");
    expect_fault("MESSAGE sip:b@x SIP/7\r\n" COMMON END, 0, NULL);
    expect_fault("MESSAGE sip:b@x HTTP/1.1\r\n" COMMON END, 0, "Not SIP");
    expect_fault("GET / HTTP/1.1\r\n\r\n", 0, "Not SIP");
    expect_fault("SIP/3.0 200 OK\r\n" COMMON END, 0, NULL);
    expect_fault("SIP/2.0 99 OK\r\n" COMMON END, 0, NULL);
    expect_fault("SIP/2.0 700 OK\r\n" COMMON END, 0, NULL);
    expect_fault("SIP/2.0 2000 OK\r\n" COMMON END, 0, NULL);
    expect_fault("MES(AGE sip:b@x SIP/2.0\r\n" COMMON END, 0, NULL);
    expect_fault("MESSAGE  sip:b@x SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE sip:b@x  SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE sip:b@x;a b SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE <sip:b@x> SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE bob SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE sip:b@x SIP/2.0 \r\n" COMMON END, 400, "Bad start line");
    expect_fault("MESSAGE soap.beep://x SIP/2.0\r\n" VIA FROM TO CALL END, 400, "Missing CSeq");
    expect_fault("MESSAGE 1x:y SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("", 0, NULL);
    expect_fault("\r\n\r\n", 0, NULL);
    expect_fault("x", 0, NULL);
}

static void a_request_uri_that_is_too_long_has_its_own_code(void **state)
{
    (void)state;
    char user[URI_LENGTH_MAX];
    memset(user, 'a', sizeof(user));
    struct text bytes = text_format(&arena, "MESSAGE sip:%.*s@x SIP/2.0\r\n" COMMON END, (int)sizeof(user), user);
    expect_fault_in(bytes, 414, "Request-URI Too Long");
}

/* The library would read sip:alice%00evil@h as alice. */
static void escapes_that_hide_controls_are_refused(void **state)
{
    (void)state;
    expect_fault("MESSAGE sip:bob%00evil@x SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE sip:b@x;a=%0D%0aVia SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault("MESSAGE sip:b%zz@x SIP/2.0\r\n" COMMON END, 400, "Bad Request-URI");
    expect_fault(START VIA "From: <sip:alice%00evil@h>;tag=1\r\n" TO CALL CSEQ END, 400, "Bad From");
    expect_fault(START VIA FROM "To: <sip:bob@x?Subject=%0d%0aX>\r\n" CALL CSEQ END, 400, "Bad To");
    expect_fault(START COMMON "Contact: <sip:a@h>, <sip:b%0@h>\r\n" END, 400, "Bad Contact");
    sip_message_free(parse(START VIA "From: \"100%00\" <sip:a%20b@h>;tag=1\r\n" TO CALL CSEQ END));
}

static void fields_that_do_not_parse_are_refused(void **state)
{
    (void)state;
    expect_fault(START VIA "From: \"Alice <sip:a@x>;tag=1\r\n" TO CALL CSEQ END, 400, "Bad From");
    expect_fault(START VIA "From: <sip:a@x>, <sip:b@x>\r\n" TO CALL CSEQ END, 400, "Bad From");
    expect_fault(START VIA FROM "To: <>\r\n" CALL CSEQ END, 400, "Bad To");
    expect_fault(START VIA FROM TO "Call-ID: a b\r\n" CSEQ END, 400, "Bad Call-ID");
    expect_fault(START COMMON "Max-Forwards: 256\r\n" END, 400, "Bad Max-Forwards");
    expect_fault(START COMMON "Content-Type: text\r\n" END, 400, "Bad Content-Type");
    expect_fault(START COMMON "Content-Type: text/\r\n" END, 400, "Bad Content-Type");
    expect_fault(START COMMON "Via: SIP/2.0/UDP\r\n" END, 400, "Bad Via");
    expect_fault(START COMMON "Route: not an address\r\n" END, 400, "Bad Route");
    expect_fault(START "Via: SIP/2.0/UDP x;branch=z9hG4\" <sip:a@x>;tag=\r\n" FROM TO CALL CSEQ END, 0, NULL);
    expect_fault(START COMMON "Via: SIP/2.0/UDP x;branch=z9hG4\"a;b\"\r\n" END, 400, "Bad Via");
    expect_fault(START COMMON "Via: SIP/2.0/UDP x;a=\"b\"c\r\n" END, 400, "Bad Via");
    expect_fault(START COMMON "No colon\r\n" END, 400, "Bad header field");
    expect_fault(START COMMON "Bad name: x\r\n" END, 400, "Bad header field");
    expect_fault(START COMMON ": x\r\n" END, 400, "Bad header field");
    expect_fault(START COMMON "Subject: \xff\xfe\r\n" END, 400, "Bad header field");
    expect_fault(START COMMON "Subject: \x01\r\n" END, 400, "Bad header field");
    expect_fault(START "Via: SIP/2.0/UDP bad host:5060\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
    expect_fault(START "Via: SIP/2.0/UDP h:99999\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
    expect_fault(START "Via: SIP/2.0/UDP h;x=\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
    expect_fault(START "Via: SIP/2.0/UDP h;;branch=a\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
    expect_fault(START "Via: SIP/2.0/UDP h;a b=c\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
    expect_fault(START VIA FROM "To: <sip:bob@x>;x=\r\n" CALL CSEQ END, 400, "Bad To");
    expect_fault(START "Via: SIP/1.0/UDP h\r\n" FROM TO CALL CSEQ END, 0, "Bad Via");
}

static void a_zero_byte_is_refused(void **state)
{
    (void)state;
    static const char bytes[] = START COMMON "Subject: a\0b\r\n" END;
    expect_fault_in((struct text){bytes, sizeof(bytes) - 1}, 400, "Bad header field");
    static const char line[] = "MESSAGE sip:b\0@x SIP/2.0\r\n" COMMON END;
    expect_fault_in((struct text){line, sizeof(line) - 1}, 400, "Bad Request-URI");
}

static void line_ends_are_strict(void **state)
{
    (void)state;
    expect_fault(START COMMON "Subject: x\nFoo: y\r\n" END, 400, "Bad line end");
    expect_fault(START COMMON "Subject: x\rFoo: y\r\n" END, 400, "Bad line end");
    expect_fault("MESSAGE sip:b@x SIP/2.0\n" COMMON END, 400, "Bad line end");
    expect_fault(START COMMON, 400, "Header section without end");
}

static void the_header_section_is_bounded(void **state)
{
    (void)state;
    struct text_builder many, large, parameters;
    builder_init(&many, &arena);
    builder_add(&many, TEXT(START COMMON));
    for (int i = 0; i < SIP_HEADERS_MAX; i++)
        builder_add_format(&many, "X-%d: x\r\n", i);
    builder_add(&many, TEXT(END));
    expect_fault_in(builder_text(&many), 513, "Too many header fields");

    builder_init(&large, &arena);
    builder_add(&large, TEXT(START COMMON "Subject: "));
    for (int i = 0; i < SIP_HEADER_BYTES_MAX; i++)
        builder_add_char(&large, 'x');
    builder_add(&large, TEXT("\r\n" END));
    expect_fault_in(builder_text(&large), 513, "Header section too large");

    builder_init(&parameters, &arena);
    builder_add(&parameters, TEXT(START COMMON "Contact: <sip:a@h>"));
    for (int i = 0; i < 1000; i++)
        builder_add(&parameters, TEXT(";a"));
    builder_add(&parameters, TEXT("\r\n" END));
    expect_fault_in(builder_text(&parameters), 400, "Bad Contact");
}

static void a_list_counts_by_its_elements(void **state)
{
    (void)state;
    struct text_builder bytes;
    builder_init(&bytes, &arena);
    builder_add(&bytes, TEXT(START COMMON "Route: <sip:proxy>"));
    for (int i = 0; i < SIP_HEADERS_MAX; i++)
        builder_add(&bytes, TEXT(",<sip:proxy>"));
    builder_add(&bytes, TEXT("\r\n" END));
    expect_fault_in(builder_text(&bytes), 513, "Too many header fields");
}

static void a_message_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char whole[] = START COMMON "Content-Length: 5\r\n" END "hello";
    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        struct sip_message *message;
        struct sip_fault fault;
        char *cut = malloc(length ? length : 1);
        memcpy(cut, whole, length);
        assert_int_equal(sip_message_parse((struct text){cut, length}, &message, &fault), REFUSED);
        sip_message_free(message);
        free(cut);
    }
}

/* --- making ----------------------------------------------------------------------------------------------------- */

static void what_is_written_is_what_was_read(void **state)
{
    (void)state;
    static const char wire[] =
        START VIA "Via: SIP/2.0/TCP other\r\n" FROM TO CALL CSEQ
                  "X-Order: 1\r\nP-Asserted-Identity: <sip:a@x>\r\nRoute: <sip:p;lr>\r\nX-Order: 2\r\n"
                  "Authorization: Digest username=\"a\", userhash=true, qop=auth\r\n"
                  "Content-Type: multipart/mixed;boundary=\"b\"\r\nContent-Length: 2\r\n" END "hi";
    struct sip_message *message = parse(wire);
    expect_text(sip_message_write(message, &arena), wire);
    struct sip_message *clone = sip_message_clone(message);
    sip_message_free(message);
    expect_text(sip_message_write(clone, &arena), wire);
    expect_text(sip_from_tag(clone), "f1");
    sip_message_free(clone);
}

/* Written plainly or not. */
static const char *const kinds[] = {
    START VIA "From: <sip:alice@example.com>;tag=f1\r\nTo: <sip:bob@example.com>;tag=t1\r\n" CALL CSEQ END,
    START "v: SIP/2.0/UDP 192.0.2.1:5060 ; branch = z9hG4bKa\r\nf: \"A\\\"\" <sip:alice@example.com> ; tag = f1\r\n"
          "t: sip:bob@example.com;tag=t1\r\ni: c1@192.0.2.1\r\nCSeq:  7   MESSAGE\r\n" END};

static void expect_identifiers(const struct sip_message *message)
{
    expect_text(sip_from_tag(message), "f1");
    expect_text(sip_to_tag(message), "t1");
    expect_text(sip_branch(message), "z9hG4bKa");
    expect_text(sip_call_id(message, &arena), "c1@192.0.2.1");
    assert_int_equal(sip_cseq(message), 7);
    expect_text(sip_method(message), "MESSAGE");
}

static void a_copy_says_what_its_source_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct sip_message *message = parse(kinds[i]);
        struct sip_message *before = sip_message_clone(message); /* of what nobody has looked at yet */
        expect_identifiers(message);
        struct sip_message *clone = sip_message_clone(message);
        struct text written = sip_message_write(message, &arena);
        sip_message_free(message);
        expect_identifiers(before);
        expect_identifiers(clone);
        expect_text(sip_message_write(clone, &arena), text_cstring(&arena, written));
        sip_message_free(before);
        sip_message_free(clone);
    }
}

static void what_is_changed_in_a_borrowed_message_stays_the_same_in_its_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct sip_message *message = parse(kinds[i]);
        struct text written = sip_message_write(message, &arena);
        struct sip_message *borrowed = sip_message_borrow(message);
        expect_identifiers(borrowed);
        assert_int_equal(sip_header_set(borrowed, "From", TEXT("<sip:c@example.com>;tag=c")), OK);
        assert_int_equal(sip_header_set(borrowed, "Call-ID", TEXT("other")), OK);
        assert_int_equal(sip_header_add(borrowed, "Subject", TEXT("lunch")), OK);
        sip_header_remove(borrowed, "To");
        sip_body_set(borrowed, TEXT("text/plain"), TEXT("hi"));
        expect_text(sip_from_tag(borrowed), "c");
        expect_text(sip_call_id(borrowed, &arena), "other");
        expect_text(sip_to_tag(borrowed), "");
        sip_message_free(borrowed);
        expect_identifiers(message);
        expect_text(sip_message_write(message, &arena), text_cstring(&arena, written));
        sip_message_free(message);
    }
}

static void what_is_set_is_what_is_read(void **state)
{
    (void)state;
    struct sip_message *message = parse(kinds[0]);
    const struct {
        const char *field, *value;
        enum status status;
        const char *from_tag, *call_id;
        uint32_t cseq;
    } steps[] = {
        {"From", "<sip:carol@example.com>;tag=plain", OK, "plain", "c1@192.0.2.1", 7},
        {"From", "\"C, \\\" <\" <sip:carol@example.com>;x=\"1\";tag=odd", OK, "odd", "c1@192.0.2.1", 7},
        {"From", "<sip:carol@example.com>;tag=a\r\nX: y", REFUSED, "odd", "c1@192.0.2.1", 7},
        {"From", "<<sip:carol@example.com>;tag=b", REFUSED, "odd", "c1@192.0.2.1", 7},
        {"f", "<sip:carol@example.com>", OK, "", "c1@192.0.2.1", 7},
        {"Call-ID", "plain@example.com", OK, "", "plain@example.com", 7},
        {"Call-ID", "(odd)", OK, "", "(odd)", 7},
        {"Call-ID", "two words", REFUSED, "", "(odd)", 7},
        {"CSeq", "8 MESSAGE", OK, "", "(odd)", 8},
        {"CSeq", "9 MESSAGE\r\n", REFUSED, "", "(odd)", 8},
        {"CSeq", "many MESSAGE", REFUSED, "", "(odd)", 8},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(sip_header_set(message, steps[i].field, text_of(steps[i].value)), steps[i].status);
        expect_text(sip_from_tag(message), steps[i].from_tag);
        expect_text(sip_call_id(message, &arena), steps[i].call_id);
        assert_int_equal(sip_cseq(message), steps[i].cseq);
    }
    expect_text(sip_message_write(message, &arena),
                START VIA "From: <sip:carol@example.com>\r\nTo: <sip:bob@example.com>;tag=t1\r\nCall-ID: (odd)\r\n"
                          "CSeq: 8 MESSAGE\r\nContent-Length: 0\r\n" END);
    sip_message_free(message);
}

static void a_response_takes_over_what_it_must(void **state)
{
    (void)state;
    struct sip_message *request =
        parse(START VIA "Via: SIP/2.0/TCP other\r\n" FROM TO CALL CSEQ "Record-Route: <sip:p;lr>\r\n" END);
    struct sip_message *response = sip_response_new(request, 200, NULL, TEXT("mine"));
    expect_text(sip_message_write(response, &arena),
                "SIP/2.0 200 OK\r\n" VIA "Via: SIP/2.0/TCP other\r\n" FROM
                "To: <sip:bob@example.com>;tag=mine\r\n" CALL CSEQ "Content-Length: 0\r\n\r\n");
    sip_message_free(response);
    response = sip_response_new(request, 100, "Hold on", TEXT(""));
    assert_int_equal(sip_to_tag(response).length, 0);
    sip_message_free(response);
    response = sip_response_new(request, 404, NULL, TEXT(""));
    assert_true(sip_to_tag(response).length >= 8);
    sip_message_free(response);
    sip_message_free(request);
}

static void a_response_that_opens_a_dialog_keeps_the_route(void **state)
{
    (void)state;
    struct sip_message *request =
        parse("INVITE sip:b@x SIP/2.0\r\n" VIA FROM "To: <sip:b@x>;tag=old\r\n" CALL "CSeq: 1 INVITE\r\n"
              "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n" END);
    struct sip_message *response = sip_response_new(request, 180, NULL, TEXT("mine"));
    expect_header(response, "Record-Route", 1, "<sip:p2;lr>");
    expect_text(sip_to_tag(response), "old");
    sip_message_free(response);
    response = sip_response_new(request, 486, NULL, TEXT("mine"));
    expect_header(response, "Record-Route", 0, NULL);
    sip_message_free(response);
    sip_message_free(request);
}

static void a_request_is_made_field_by_field(void **state)
{
    (void)state;
    struct sip_message *request = sip_request_new(TEXT("MESSAGE"), TEXT("sip:bob@x"));
    assert_int_equal(sip_header_add(request, "f", TEXT("<sip:a@x>;tag=1")), OK);
    assert_int_equal(sip_header_add(request, "To", TEXT("<sip:bob@x>")), OK);
    assert_int_equal(sip_header_add(request, "CSeq", TEXT("1 MESSAGE")), OK);
    assert_int_equal(sip_header_add(request, "Route", TEXT("<sip:p1;lr>, <sip:p2;lr>")), OK);
    sip_body_set(request, TEXT("text/plain"), TEXT("hi"));
    assert_int_equal(sip_request_uri_set(request, TEXT("sip:bob@192.0.2.9:5070")), OK);
    assert_int_equal(sip_request_uri_set(request, TEXT("bob")), REFUSED);
    expect_text(
        sip_message_write(request, &arena),
        "MESSAGE sip:bob@192.0.2.9:5070 SIP/2.0\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:bob@x>\r\nCSeq: 1 MESSAGE\r\n"
        "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    sip_body_set(request, TEXT(""), TEXT(""));
    expect_header(request, "Content-Type", 0, NULL);
    expect_header(request, "Content-Length", 0, "0");
    sip_message_free(request);
    assert_null(sip_request_new(TEXT("ME SSAGE"), TEXT("sip:bob@x")));
    assert_null(sip_request_new(TEXT("MESSAGE"), TEXT("sip:bob%00@x")));
    assert_null(sip_request_new(TEXT("MESSAGE"), TEXT("sip:bob@x\r\nVia: y")));
}

static void values_that_would_break_the_message_are_refused(void **state)
{
    (void)state;
    struct sip_message *request = sip_request_new(TEXT("MESSAGE"), TEXT("sip:bob@x"));
    assert_int_equal(sip_header_add(request, "Subject", TEXT("a\r\nVia: b")), REFUSED);
    assert_int_equal(sip_header_add(request, "Subject", TEXT("a\nb")), REFUSED);
    assert_int_equal(sip_header_add(request, "Subject", (struct text){"a\0b", 3}), REFUSED);
    assert_int_equal(sip_header_add(request, "Bad name", TEXT("x")), REFUSED);
    assert_int_equal(sip_header_add(request, "Contact", TEXT("<sip:a@x>, nonsense")), REFUSED);
    assert_int_equal(sip_header_add(request, "Content-Length", TEXT("5")), REFUSED);
    assert_int_equal(sip_header_add(request, "CSeq", TEXT("1 MESSAGE")), OK);
    assert_int_equal(sip_header_add(request, "CSeq", TEXT("2 MESSAGE")), REFUSED);
    assert_int_equal(sip_header_set(request, "CSeq", TEXT("x")), REFUSED);
    assert_int_equal(sip_cseq(request), 1);
    expect_header(request, "Contact", 0, NULL);
    expect_header(request, "Subject", 0, NULL);
    sip_message_free(request);
}

static void setting_replaces_in_place_and_removing_removes(void **state)
{
    (void)state;
    struct sip_message *request = parse(START COMMON "X-A: 1\r\nX-B: 1\r\nX-A: 2\r\nRoute: <sip:p1>,<sip:p2>\r\n" END);
    assert_int_equal(sip_header_set(request, "x-a", TEXT("3")), OK);
    expect_header(request, "X-A", 0, "3");
    expect_header(request, "X-A", 1, NULL);
    expect_header(request, "Route", 1, "<sip:p2>");
    sip_header_remove(request, "Route");
    sip_header_remove(request, "Route");
    expect_header(request, "Route", 0, NULL);
    assert_int_equal(sip_header_set(request, "Route", TEXT("<sip:q1>,<sip:q2>")), OK);
    expect_header(request, "Route", 1, "<sip:q2>");
    assert_int_equal(sip_header_set(request, "To", TEXT("<sip:z@x>;tag=new")), OK);
    expect_text(sip_to_tag(request), "new");
    sip_header_remove(request, "v");
    assert_int_equal(sip_branch(request).length, 0);
    expect_text(sip_message_write(request, &arena),
                START FROM "To: <sip:z@x>;tag=new\r\n" CALL CSEQ
                           "x-a: 3\r\nX-B: 1\r\nRoute: <sip:q1>\r\nRoute: <sip:q2>\r\nContent-Length: 0\r\n\r\n");
    sip_message_free(request);
}

static void every_reason_is_a_phrase(void **state)
{
    (void)state;
    assert_string_equal(sip_reason(401), "Unauthorized");
    assert_string_equal(sip_reason(513), "Message Too Large");
    assert_string_equal(sip_reason(299), "Unknown");
}

#define SIP_TEST(test) cmocka_unit_test_teardown(test, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIP_TEST(the_parts_of_a_request_are_read),
        SIP_TEST(the_parts_of_a_response_are_read),
        SIP_TEST(a_body_keeps_every_byte_and_needs_no_type),
        SIP_TEST(without_a_length_the_body_is_what_follows),
        SIP_TEST(bytes_beyond_the_length_are_padding),
        SIP_TEST(compact_names_are_those_of_the_long_form),
        SIP_TEST(lists_are_split_at_commas_outside_quotes_and_brackets),
        SIP_TEST(folded_lines_and_odd_white_space_are_one_line),
        SIP_TEST(requests_to_any_scheme_survive),
        SIP_TEST(what_is_missing_is_named),
        SIP_TEST(what_comes_twice_is_refused),
        SIP_TEST(a_sequence_number_is_judged),
        SIP_TEST(a_length_is_judged),
        SIP_TEST(versions_and_start_lines_are_judged),
        SIP_TEST(a_request_uri_that_is_too_long_has_its_own_code),
        SIP_TEST(escapes_that_hide_controls_are_refused),
        SIP_TEST(fields_that_do_not_parse_are_refused),
        SIP_TEST(a_zero_byte_is_refused),
        SIP_TEST(line_ends_are_strict),
        SIP_TEST(the_header_section_is_bounded),
        SIP_TEST(a_list_counts_by_its_elements),
        SIP_TEST(a_message_cut_anywhere_is_refused),
        SIP_TEST(what_is_written_is_what_was_read),
        SIP_TEST(a_copy_says_what_its_source_said),
        SIP_TEST(what_is_changed_in_a_borrowed_message_stays_the_same_in_its_source),
        SIP_TEST(what_is_set_is_what_is_read),
        SIP_TEST(a_response_takes_over_what_it_must),
        SIP_TEST(a_response_that_opens_a_dialog_keeps_the_route),
        SIP_TEST(a_request_is_made_field_by_field),
        SIP_TEST(values_that_would_break_the_message_are_refused),
        SIP_TEST(setting_replaces_in_place_and_removing_removes),
        SIP_TEST(every_reason_is_a_phrase),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
