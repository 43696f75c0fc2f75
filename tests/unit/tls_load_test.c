/* Files: what is wrong with them is said in one line, and a new set takes the place of the old only when it is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "metrics.h"
#include "tls_pair.h"

static struct tls_fixture *fixture;

static int begin(void **state)
{
    (void)state;
    fixture = tls_fixture_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    tls_fixture_free(fixture);
    return 0;
}

static const char *refusal_of(const struct tls_settings *settings)
{
    struct text error = {0};
    struct tls *tls = tls_open(settings, &fixture->arena, &error);
    assert_null(tls);
    assert_false(memchr(error.bytes, '\n', error.length) != NULL);
    return text_cstring(&fixture->arena, error);
}

static const char *in_folder(const char *name, const char *content)
{
    const char *path = text_cstring(&fixture->arena, text_format(&fixture->arena, "%s/%s", fixture->folder, name));
    certificate_file(path, content, strlen(content));
    return path;
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    settings.certificate = "/nowhere/at-all.crt";
    assert_string_equal(refusal_of(&settings),
                        "tls.certificate cannot be read: /nowhere/at-all.crt: No such file or directory");
    settings = tls_settings_of(fixture, &fixture->server);
    settings.key = "";
    assert_string_equal(refusal_of(&settings), "tls.key names no file");
    settings = tls_settings_of(fixture, &fixture->server);
    settings.client_ca = "/nowhere/ca.pem";
    assert_string_equal(refusal_of(&settings),
                        "tls.client-ca cannot be read: /nowhere/ca.pem: No such file or directory");
    settings = tls_settings_of(fixture, &fixture->server);
    settings.key = fixture->folder;
    assert_non_null(strstr(refusal_of(&settings), "tls.key is empty, or no file: "));
}

static void a_file_of_another_kind_is_named(void **state)
{
    (void)state;
    const char *path = in_folder("nonsense", "no PEM at all\n");
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    settings.certificate = path;
    assert_non_null(strstr(refusal_of(&settings), "tls.certificate holds no chain of PEM certificates: "));
    settings = tls_settings_of(fixture, &fixture->server);
    settings.key = path;
    assert_non_null(strstr(refusal_of(&settings), "tls.key holds no PEM private key without a password: "));
    settings = tls_settings_of(fixture, &fixture->server);
    settings.client_ca = path;
    assert_non_null(strstr(refusal_of(&settings), "tls.client-ca holds no PEM certificate: "));
    settings = tls_settings_of(fixture, &fixture->server);
    settings.client_crl = path;
    assert_non_null(strstr(refusal_of(&settings), "tls.client-crl holds no PEM list of revoked certificates: "));
    settings = tls_settings_of(fixture, &fixture->server);
    settings.server_ca = path;
    assert_non_null(strstr(refusal_of(&settings), "tls.server-ca holds no PEM certificate: "));
    unlink(path);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    settings.key = fixture->alice.key_path;
    assert_non_null(strstr(refusal_of(&settings), "tls.key does not belong to tls.certificate: "));
}

static void a_priority_that_is_none_is_refused_where_it_breaks(void **state)
{
    (void)state;
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    settings.priority = "NORMAL:-VERS-ALL:+NONSENSE";
    assert_string_equal(refusal_of(&settings), "tls.priority is not understood from here on: +NONSENSE");
}

static void the_words_for_clients_are_three(void **state)
{
    (void)state;
    enum tls_clients clients = TLS_CLIENTS_REQUIRED;
    assert_true(tls_clients_parse(TEXT("none"), &clients) && clients == TLS_CLIENTS_NONE);
    assert_true(tls_clients_parse(TEXT("optional"), &clients) && clients == TLS_CLIENTS_OPTIONAL);
    assert_true(tls_clients_parse(TEXT("required"), &clients) && clients == TLS_CLIENTS_REQUIRED);
    assert_false(tls_clients_parse(TEXT("yes"), &clients));
    assert_false(tls_clients_parse(TEXT(""), &clients));
}

static struct certificate remake(const char *file, int64_t days)
{
    const struct certificate_order order = {
        .file = file, .common_name = "renewed", .dns = "xcap.example.com", .days_valid = days};
    return certificate_make(fixture->folder, &order, &fixture->authority);
}

static void a_renewed_certificate_is_in_force_after_a_reload(void **state)
{
    (void)state;
    struct text error = {0};
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    struct tls *tls = tls_open_well(fixture, &settings);
    int64_t before_ms = tls_expires_ms(tls);
    struct certificate renewed = remake("server", 400);
    assert_int_equal(tls_expires_ms(tls), before_ms);
    assert_int_equal(tls_reload(tls, &fixture->arena, &error), OK);
    assert_true(tls_expires_ms(tls) > before_ms);
    struct metric *metric = metric_gauge("xdm_tls_certificate_expires_timestamp_seconds", "", "");
    assert_int_equal(metric_value(metric), tls_expires_ms(tls) / 1000);
    tls_free(tls);
    certificate_free(&renewed);
}

static void a_broken_file_leaves_what_was_in_force(void **state)
{
    (void)state;
    struct text error = {0};
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    struct tls *tls = tls_open_well(fixture, &settings);
    int64_t before_ms = tls_expires_ms(tls);
    certificate_file(fixture->server.certificate_path, "half a fi", 9);
    assert_int_equal(tls_reload(tls, &fixture->arena, &error), FAILED);
    assert_true(text_starts_with(error, TEXT("tls.certificate holds no chain of PEM certificates: ")));
    assert_int_equal(tls_expires_ms(tls), before_ms);
    struct tls_settings alice_settings = tls_settings_of(fixture, &fixture->alice);
    struct tls *alice = tls_open_well(fixture, &alice_settings);
    struct tls_ends ends = tls_ends_new(tls, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    assert_true(tls_ends_shake(&ends));
    tls_ends_free(&ends);
    tls_free(alice);
    tls_free(tls);
}

static void an_expired_certificate_is_served_and_said(void **state)
{
    (void)state;
    struct certificate expired = remake("expired", -1);
    struct tls_settings settings = tls_settings_of(fixture, &expired);
    struct tls *tls = tls_open_well(fixture, &settings);
    assert_true(tls_expires_ms(tls) < clock_wall_ms());
    tls_free(tls);
    certificate_free(&expired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_file_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_another_kind_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_key_of_another_certificate_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_priority_that_is_none_is_refused_where_it_breaks, begin, end),
        cmocka_unit_test(the_words_for_clients_are_three),
        cmocka_unit_test_setup_teardown(a_renewed_certificate_is_in_force_after_a_reload, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_file_leaves_what_was_in_force, begin, end),
        cmocka_unit_test_setup_teardown(an_expired_certificate_is_served_and_said, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
