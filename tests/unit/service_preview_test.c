/* What is answered from the header section alone, before a body is asked for, and what must wait for the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest_client.h"
#include "service_tests.h"

#define LISTS   "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define BODY    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>"
#define TYPE    "Content-Type: application/resource-lists+xml\r\n"
#define ELEMENT "Content-Type: application/xcap-el+xml\r\n"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice bob");
}

/* "Authorization: …" line of a PUT; `body` decides when `qop` is auth-int. */
static struct text authorization(const char *user, const char *uri, const char *qop, const char *body)
{
    struct answer challenge = ASK_XCAP(fixture, "GET", LISTS);
    const struct digest_client client = {
        .username = text_of(user),
        .password = text_of(user),
        .realm = TEXT("realm"),
        .nonce = challenge_value(answer_header(&challenge, "WWW-Authenticate", 0), "nonce", &fixture->arena),
        .method = TEXT("PUT"),
        .uri = text_of(uri),
        .cnonce = TEXT("c"),
        .qop = text_of(qop),
        .body = text_of(body),
        .count = 1,
        .sha256 = true,
    };
    return text_format(&fixture->arena, "Authorization: %.*s\r\n",
                       TEXT_ARG(client_authorization(&client, &fixture->arena)));
}

/* Sends a header section that promises a body, and gives the code of what comes back without one. */
static uint64_t first_code(const char *uri, struct text headers, size_t length)
{
    struct text request = text_format(&fixture->arena,
                                      "PUT %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%.*sContent-Length: "
                                      "%zu\r\n\r\n",
                                      uri, TEXT_ARG(headers), length);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                        .sin_port = htons(http_server_port(fixture->xcap))};
    char buffer[12]; /* "HTTP/1.1 401" */
    uint64_t code = 0;
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, request.bytes, request.length), (ssize_t)request.length);
    assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_WAITALL), sizeof(buffer));
    assert_true(text_to_u64((struct text){buffer + 9, 3}, &code));
    close(fd);
    return code;
}

static uint64_t code_for(const char *user, const char *uri, const char *headers)
{
    struct text line = authorization(user, uri, "auth", "");
    return first_code(uri, text_join(&fixture->arena, line, text_of(headers)), 100);
}

static void a_body_that_is_wanted_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(code_for("alice", LISTS, TYPE), 100);
}

static void a_body_that_would_be_refused_is_not_asked_for(void **state)
{
    (void)state;
    assert_int_equal(first_code(LISTS, TEXT(TYPE), 100), 401);
    assert_int_equal(code_for("bob", LISTS, TYPE), 403);
    assert_int_equal(code_for("alice", "/xcap-root/none/users/sip:alice@example.com/index", TYPE), 404);
    assert_int_equal(code_for("alice", LISTS "/~~/resource-lists/namespace::*", TYPE), 405);
    assert_int_equal(code_for("alice", LISTS, ""), 415);
    assert_int_equal(code_for("alice", LISTS, ELEMENT), 415);
    assert_int_equal(code_for("alice", LISTS, TYPE "Content-Encoding: gzip\r\n"), 415);
    assert_int_equal(first_code(LISTS, TEXT(TYPE), 10u << 20), 413);
    /* a missing parent comes before the type */
    assert_int_equal(code_for("alice", LISTS "/~~/resource-lists/list", TYPE), 409);
    assert_int_equal(code_for("alice", LISTS "/~~/resource-lists/list", ELEMENT), 409);
    assert_int_equal(code_for("alice", LISTS, TYPE "If-Match: *\r\n"), 412);
    assert_int_equal(code_for("alice", LISTS, TYPE "If-None-Match: *\r\n"), 100);
}

static void a_response_over_the_body_waits_for_it(void **state)
{
    (void)state;
    char *headers[] = {text_cstring(&fixture->arena, authorization("alice", LISTS, "auth-int", BODY)),
                       text_cstring(&fixture->arena, authorization("alice", LISTS, "auth-int", "<other/>"))};
    for (size_t i = 0; i < 2; i++)
        headers[i][strlen(headers[i]) - 2] = '\0'; /* as curl wants it */
    struct answer good =
        ASK_XCAP(fixture, "PUT", LISTS, NULL, {headers[0], "Content-Type: application/resource-lists+xml"}, BODY);
    assert_int_equal(good.status, 201);
    struct answer forged =
        ASK_XCAP(fixture, "PUT", LISTS, NULL, {headers[1], "Content-Type: application/resource-lists+xml"}, BODY);
    assert_int_equal(forged.status, 401);
    struct answer again =
        ASK_XCAP(fixture, "PUT", LISTS, NULL, {headers[0], "Content-Type: application/resource-lists+xml"}, BODY);
    assert_int_equal(again.status, 401); /* a replay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_body_that_is_wanted_is_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(a_body_that_would_be_refused_is_not_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(a_response_over_the_body_waits_for_it, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
