/* Settings: the table, the file with its refusals, and that what is dumped can be read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

struct example {
    char *listen;
    char *root;
    int64_t body_bytes_max;
    int64_t offset;
    bool reuse;
};

static const struct setting rows[] = {
    {"http.listen", SETTING_TEXT, offsetof(struct example, listen), "127.0.0.1:8080", 0, 0, "", "Where to listen."},
    {"limits.body", SETTING_NUMBER, offsetof(struct example, body_bytes_max), "65536", 1, 1048576, "bytes",
     "Largest body."},
    {"http.root", SETTING_TEXT, offsetof(struct example, root), "", 0, 0, "", "Path | of the root."},
    {"limits.offset", SETTING_NUMBER, offsetof(struct example, offset), "-5", -10, 10, "", "May be negative."},
    {"http.reuse", SETTING_SWITCH, offsetof(struct example, reuse), "yes", 0, 0, "", "Keep connections."},
};
static const struct settings_table table = {rows, sizeof(rows) / sizeof(rows[0])};

static struct example example;
static char error[SETTINGS_ERROR_MAX];
static char path[] = "/tmp/base_settings_test.XXXXXX";

static int begin(void **state)
{
    (void)state;
    error[0] = '\0';
    settings_init(&table, &example);
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int end(void **state)
{
    (void)state;
    settings_clear(&table, &example);
    unlink(path);
    return 0;
}

static enum status read_content(const char *content, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    fclose(file);
    return settings_read_file(&table, &example, path, error);
}

static enum status read_text(const char *content)
{
    return read_content(content, strlen(content));
}

/* The error is the file's path and then `rest`; nothing has changed. */
static void assert_refused(const char *content, const char *rest)
{
    assert_int_equal(read_text(content), REFUSED);
    assert_memory_equal(error, path, strlen(path));
    assert_string_equal(error + strlen(path), rest);
    assert_string_equal(example.listen, "127.0.0.1:8080");
    assert_int_equal(example.body_bytes_max, 65536);
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    assert_string_equal(example.listen, "127.0.0.1:8080");
    assert_string_equal(example.root, "");
    assert_int_equal(example.body_bytes_max, 65536);
    assert_int_equal(example.offset, -5);
    assert_true(example.reuse);
}

static void a_value_is_set_by_name(void **state)
{
    (void)state;
    assert_int_equal(settings_set(&table, &example, "http.listen", "[::]:80", error), OK);
    assert_string_equal(example.listen, "[::]:80");
    assert_int_equal(settings_set(&table, &example, "http.listen", example.listen + 4, error), OK);
    assert_string_equal(example.listen, ":80");
    assert_int_equal(settings_set(&table, &example, "limits.offset", "-10", error), OK);
    assert_int_equal(example.offset, -10);
    assert_int_equal(settings_set(&table, &example, "http.reuse", "Off", error), OK);
    assert_false(example.reuse);
}

static void a_wrong_value_says_what_is_wrong_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(settings_set(&table, &example, "http.lisen", "x", error), REFUSED);
    assert_string_equal(error, "unknown setting 'http.lisen'");
    assert_int_equal(settings_set(&table, &example, "limits.body", "0", error), REFUSED);
    assert_string_equal(error, "setting 'limits.body' is 0 and not from 1 to 1048576");
    assert_int_equal(settings_set(&table, &example, "limits.body", "1048577", error), REFUSED);
    assert_int_equal(settings_set(&table, &example, "limits.body", "9223372036854775808", error), REFUSED);
    assert_int_equal(settings_set(&table, &example, "limits.body", "64k", error), REFUSED);
    assert_string_equal(error, "setting 'limits.body' is '64k' and not a whole number");
    assert_int_equal(settings_set(&table, &example, "http.reuse", "maybe", error), REFUSED);
    assert_string_equal(error, "setting 'http.reuse' is 'maybe' and not true or false");
    assert_int_equal(settings_set(&table, &example, "http.root", "a\nb", error), REFUSED);
    assert_int_equal(settings_set(&table, &example, "http.root", "\xFF", error), REFUSED);
    assert_int_equal(example.body_bytes_max, 65536);
    assert_true(example.reuse);
    assert_string_equal(example.root, "");
}

static void a_file_changes_what_it_names(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("# comment\nhttp:\n  listen: \"[::]:80\"\n  root: J\xC3\xBCrgen's\nlimits: {body: 10}\n"), OK);
    assert_string_equal(example.listen, "[::]:80");
    assert_string_equal(example.root, "J\xC3\xBCrgen's");
    assert_int_equal(example.body_bytes_max, 10);
    assert_int_equal(example.offset, -5);
}

static void files_and_sections_may_be_empty(void **state)
{
    (void)state;
    assert_int_equal(read_text(""), OK);
    assert_int_equal(read_text("# nothing but a comment\n"), OK);
    assert_int_equal(read_text("---\n"), OK);
    assert_int_equal(read_text("http:\n#  listen: x\nlimits: {}\n"), OK);
    assert_string_equal(example.listen, "127.0.0.1:8080");
}

static void a_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    assert_refused("limits:\n  body: 10\nhttp:\n  listen: x\n  lisen: y\n", ":5: unknown setting 'http.lisen'");
    assert_refused("limits:\n  body: 10\nhtp:\n  listen: x\n", ":3: unknown section 'htp'");
    assert_refused("limits:\n  body: 0\n", ":2: setting 'limits.body' is 0 and not from 1 to 1048576");
    assert_refused("http:\n  listen: x\n  reuse: 2\n", ":3: setting 'http.reuse' is '2' and not true or false");
    assert_refused("limits:\n  body:\n", ":2: setting 'limits.body' is '' and not a whole number");
    assert_refused("http.listen: x\n", ":1: unknown section 'http.listen'");
}

static void duplicates_are_refused(void **state)
{
    (void)state;
    assert_refused("http:\n  listen: x\n  listen: y\n", ":3: second value for setting 'http.listen'");
    assert_refused("http:\n  listen: x\nhttp:\n  root: y\n", ":3: second section 'http'");
    assert_refused("---\nhttp:\n  listen: x\n---\nlimits:\n  body: 1\n", ":4: second document");
}

static void other_shapes_than_sections_of_values_are_refused(void **state)
{
    (void)state;
    assert_refused("http:\n  listen:\n    host: x\n", ":3: a single value is needed for setting 'http.listen'");
    assert_refused("http:\n  listen: [x, y]\n", ":2: a single value is needed for setting 'http.listen'");
    assert_refused("http:\n  listen: &a x\n  root: *a\n", ":3: a single value is needed for setting 'http.root'");
    assert_refused("http:\n  - listen\n", ":2: settings are needed below section 'http'");
    assert_refused("http: x\n", ":1: settings are needed below section 'http'");
    assert_refused("- http\n", ":1: sections are needed at the top");
    assert_refused("just text\n", ":1: sections are needed at the top");
    assert_refused("http:\n  ? [a]\n  : b\n", ":2: a name is needed in section 'http'");
    assert_refused("? {a: b}\n: c\n", ":1: a section's name is needed");
    assert_refused("http:\n  listen: \"a\\0b\"\n", ":2: zero byte in setting 'http.listen'");
    assert_refused("http:\n  \"listen\\0\": b\n", ":2: unknown setting 'http.listen'");
}

static void broken_yaml_is_told_with_its_line(void **state)
{
    (void)state;
    assert_int_equal(read_text("http:\n  listen: \"x\n"), REFUSED);
    assert_non_null(strstr(error, ":3: "));
    assert_int_equal(read_text("http:\n\tlisten: x\n"), REFUSED);
    assert_non_null(strstr(error, ":2: "));
    assert_int_equal(read_text("http:\n  listen: \xFF\n"), REFUSED);
    assert_memory_equal(error, path, strlen(path));
    assert_string_equal(example.listen, "127.0.0.1:8080");
}

static void every_cut_of_a_file_is_read_or_refused(void **state)
{
    (void)state;
    const char *content = "http:\n  listen: \"[::]:80\"\n  reuse: off\nlimits: {body: 10, offset: 3}\n";
    for (size_t length = 0; length <= strlen(content); length++) {
        enum status status = read_content(content, length);
        assert_true(status == OK || status == REFUSED);
    }
    assert_int_equal(example.offset, 3);
}

static void a_file_over_one_megabyte_is_refused(void **state)
{
    (void)state;
    size_t length = 1024 * 1024 + 1;
    char *content = malloc(length);
    assert_non_null(content);
    memset(content, '\n', length);
    assert_int_equal(read_content(content, length - 1), OK);
    assert_int_equal(read_content(content, length), REFUSED);
    free(content);
    assert_non_null(strstr(error, ": larger than 1048576 bytes"));
}

static void an_absent_file_is_not_found_and_a_folder_is_refused(void **state)
{
    (void)state;
    assert_int_equal(settings_read_file(&table, &example, "/nowhere/xdm.yaml", error), NOT_FOUND);
    assert_string_equal(error, "/nowhere/xdm.yaml: No such file or directory");
    assert_int_equal(settings_read_file(&table, &example, "/tmp", error), REFUSED);
    assert_string_equal(error, "/tmp: not a regular file");
}

static void what_is_dumped_can_be_read_again(void **state)
{
    (void)state;
    assert_int_equal(settings_set(&table, &example, "http.root", "a \"quoted\" \\ # : J\xC3\xBCrgen", error), OK);
    assert_int_equal(settings_set(&table, &example, "limits.offset", "7", error), OK);
    assert_int_equal(settings_set(&table, &example, "http.reuse", "no", error), OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    settings_dump(&table, &example, file);
    fclose(file);
    settings_clear(&table, &example);
    settings_init(&table, &example);
    assert_int_equal(settings_read_file(&table, &example, path, error), OK);
    assert_string_equal(example.root, "a \"quoted\" \\ # : J\xC3\xBCrgen");
    assert_string_equal(example.listen, "127.0.0.1:8080");
    assert_int_equal(example.offset, 7);
    assert_false(example.reuse);
}

static void the_document_has_a_row_for_each_setting(void **state)
{
    (void)state;
    char *document = NULL;
    size_t length;
    FILE *stream = open_memstream(&document, &length);
    assert_non_null(stream);
    settings_document(&table, "xdms", stream);
    fclose(stream);
    assert_string_equal(document, "## Settings of xdms\n\n"
                                  "| setting | default | range | meaning |\n"
                                  "| --- | --- | --- | --- |\n"
                                  "| `http.listen` | `127.0.0.1:8080` | text | Where to listen. |\n"
                                  "| `limits.body` | `65536` | 1 to 1048576 bytes | Largest body. |\n"
                                  "| `http.root` | (empty) | text | Path \\| of the root. |\n"
                                  "| `limits.offset` | `-5` | -10 to 10 | May be negative. |\n"
                                  "| `http.reuse` | `yes` | true, false | Keep connections. |\n");
    free(document);
}

static void an_address_is_a_host_and_a_port(void **state)
{
    (void)state;
    char host[64];
    uint16_t port;
    assert_true(address_split("127.0.0.1:8080", host, sizeof(host), &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 8080);
    assert_true(address_split("[::1]:0", host, sizeof(host), &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
    assert_true(address_split("xdm.example.com:65535", host, sizeof(host), &port));
    assert_string_equal(host, "xdm.example.com");
    assert_int_equal(port, 65535);
}

static void other_forms_of_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",       ":8080",  "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:80a",
        "::1:80", "[::1]",  "[::1:80",   "::1]:80",    "[]:80",           "[host]:80",    "[127.0.0.1]:80",
        "a b:80", "a/b:80", "user@a:80", "[::1]]:80",
    };
    char host[64];
    uint16_t port;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_false(address_split(broken[i], host, sizeof(host), &port));
    assert_false(address_split("12345678:80", host, 8, &port));
    assert_true(address_split("1234567:80", host, 8, &port));
}

static void only_this_machine_reaches_a_loopback_address(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "LocalHost:1"};
    static const char *const others[] = {
        "127.example.com:1", "128.0.0.1:1", "[::]:1",   "0.0.0.0:1", "[::2]:1",
        "localhost.com:1",   "localhost",   "[::11]:1", ":1",        "[::ffff:8.8.8.8]:1"};
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
        assert_true(address_is_loopback(loopback[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(address_is_loopback(others[i]));
}

struct program {
    char *name;
    struct example shared;
    int64_t body_lines_max;
};

static const struct setting program_rows[] = {
    {"program.name", SETTING_TEXT, offsetof(struct program, name), "p", 0, 0, "", "Its name."},
    {"limits.lines", SETTING_NUMBER, offsetof(struct program, body_lines_max), "7", 0, 9, "", "Most lines."},
};
static const struct settings_table program_table = {program_rows, 2, &table, offsetof(struct program, shared)};

static void shared_rows_are_set_read_and_printed_like_a_programs_own(void **state)
{
    (void)state;
    struct program program;
    char *dumped = NULL;
    size_t length = 0;
    settings_init(&program_table, &program);
    assert_string_equal(program.name, "p");
    assert_string_equal(program.shared.listen, "127.0.0.1:8080");
    assert_int_equal(program.body_lines_max, 7);
    assert_int_equal(settings_set(&program_table, &program, "http.listen", "[::]:80", error), OK);
    assert_int_equal(settings_set(&program_table, &program, "limits.bodies", "1", error), REFUSED);
    FILE *file = fopen(path, "wb");
    fputs("limits: {lines: 3, body: 10}\nhttp: {reuse: no}\n", file);
    fclose(file);
    assert_int_equal(settings_read_file(&program_table, &program, path, error), OK);
    assert_string_equal(program.shared.listen, "[::]:80");
    assert_int_equal(program.shared.body_bytes_max, 10);
    assert_false(program.shared.reuse);
    assert_int_equal(program.body_lines_max, 3);

    FILE *stream = open_memstream(&dumped, &length);
    settings_dump(&program_table, &program, stream);
    settings_document(&program_table, "program", stream);
    fclose(stream);
    assert_non_null(strstr(dumped, "limits:\n  # Most lines.\n  lines: 3\n  # Largest body.\n  body: 10\n"));
    assert_non_null(strstr(dumped, "| `limits.lines` | `7` | 0 to 9 | Most lines. |\n"));
    assert_non_null(strstr(dumped, "| `limits.body` | `65536` |"));
    free(dumped);
    settings_clear(&program_table, &program);
}

#define SETTINGS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

struct identity {
    char *domain;
    char *realm;
};

static void domains_and_realms_have_a_form(void **state)
{
    (void)state;
    static const struct setting forms[] = {
        {"identity.domain", SETTING_DOMAIN, offsetof(struct identity, domain), "example.com", 0, 0, "", "Domain."},
        {"identity.realm", SETTING_REALM, offsetof(struct identity, realm), "example.com", 0, 0, "", "Realm."},
    };
    static const struct settings_table identity_table = {forms, 2};
    static const char *const domains[] = {"",     "exa mple", "a@b",      "-x.example",       "x-.example",
                                          "a..b", "a.b.",     "ex<ample", "ex\xC3\xA4mple.de"};
    char label[65], long_domain[256];
    struct identity identity;
    settings_init(&identity_table, &identity);
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", domains[i], error), REFUSED);
    assert_string_equal(error, "setting 'identity.domain' is 'ex\xC3\xA4mple.de' and not a domain name");
    assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", "a-1.Example", error), OK);
    memset(label, 'a', sizeof(label));
    label[64] = '\0';
    assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", label, error), REFUSED);
    assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", label + 1, error), OK);
    for (size_t i = 0; i < sizeof(long_domain); i++)
        long_domain[i] = i % 2 ? '.' : 'a';
    long_domain[255] = '\0'; /* 128 labels, 255 bytes */
    assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", long_domain, error), REFUSED);
    assert_int_equal(settings_set(&identity_table, &identity, "identity.domain", long_domain + 2, error), OK);
    assert_int_equal(settings_set(&identity_table, &identity, "identity.realm", "", error), REFUSED);
    assert_int_equal(settings_set(&identity_table, &identity, "identity.realm", "a\\b", error), REFUSED);
    assert_int_equal(settings_set(&identity_table, &identity, "identity.realm", "a\"b", error), REFUSED);
    assert_string_equal(error, "setting 'identity.realm' is 'a\"b': empty, or with a quote or backslash");
    assert_int_equal(settings_set(&identity_table, &identity, "identity.realm", "Our phones", error), OK);
    settings_clear(&identity_table, &identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(defaults_come_from_the_table),
        SETTINGS_TEST(a_value_is_set_by_name),
        SETTINGS_TEST(a_wrong_value_says_what_is_wrong_and_changes_nothing),
        SETTINGS_TEST(domains_and_realms_have_a_form),
        SETTINGS_TEST(a_file_changes_what_it_names),
        SETTINGS_TEST(files_and_sections_may_be_empty),
        SETTINGS_TEST(a_mistake_is_told_with_its_line),
        SETTINGS_TEST(duplicates_are_refused),
        SETTINGS_TEST(other_shapes_than_sections_of_values_are_refused),
        SETTINGS_TEST(broken_yaml_is_told_with_its_line),
        SETTINGS_TEST(every_cut_of_a_file_is_read_or_refused),
        SETTINGS_TEST(a_file_over_one_megabyte_is_refused),
        SETTINGS_TEST(an_absent_file_is_not_found_and_a_folder_is_refused),
        SETTINGS_TEST(what_is_dumped_can_be_read_again),
        SETTINGS_TEST(the_document_has_a_row_for_each_setting),
        SETTINGS_TEST(an_address_is_a_host_and_a_port),
        SETTINGS_TEST(other_forms_of_addresses_are_refused),
        SETTINGS_TEST(only_this_machine_reaches_a_loopback_address),
        SETTINGS_TEST(shared_rows_are_set_read_and_printed_like_a_programs_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
