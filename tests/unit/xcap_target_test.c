/* Request targets as clients write them: what they name, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "test_arena.h"
#include "xcap_target.h"

#define HOME "/xcap-root/resource-lists/users/sip:ann@example.net"

static const struct text roots[] = {TEXT_INIT("/"), TEXT_INIT("/xcap-root/"), TEXT_INIT("/services")};

static enum status parse(const char *raw, struct xcap_target *target_out, struct refusal *refusal)
{
    *refusal = (struct refusal){0};
    return xcap_target_parse(text_of(raw), roots + 1, 2, &arena, target_out, refusal);
}

static struct xcap_target parsed(const char *raw)
{
    struct xcap_target target;
    struct refusal refusal;
    if (parse(raw, &target, &refusal) != OK)
        fail_msg("%s: %.*s", raw, TEXT_ARG(refusal.phrase));
    return target;
}

static void assert_refused(const char *raw, enum refusal_kind kind)
{
    struct xcap_target target;
    struct refusal refusal;
    if (parse(raw, &target, &refusal) != REFUSED)
        fail_msg("%s was taken", raw);
    if (refusal.kind != kind)
        fail_msg("%s: kind %d, not %d (%.*s)", raw, refusal.kind, kind, TEXT_ARG(refusal.phrase));
}

static void a_target_is_split_into_its_parts(void **state)
{
    (void)state;
    struct xcap_target target = parsed(HOME "/index/~~/resource-lists/list%5B@name=%22a%2Fb%22%5D?xmlns(p=urn:x)");
    assert_text(target.auid, "resource-lists");
    assert_int_equal(target.tree, XCAP_USERS);
    assert_text(target.xui, "sip:ann@example.net");
    assert_text(target.name, "index");
    assert_true(target.has_node);
    assert_text(target.node, "resource-lists/list[@name=\"a/b\"]");
    assert_text(target.query, "xmlns(p=urn:x)");
    assert_text(target.document_path, HOME "/index");
}

static void users_are_read_however_they_are_escaped(void **state)
{
    (void)state;
    assert_text(parsed("/xcap-root/a/users/sip%3Aann%40example.net/index").xui, "sip:ann@example.net");
    assert_text(parsed("/xcap-root/a/users/sip:a%2fb@x/index").xui, "sip:a/b@x");
    assert_text(parsed("/xcap-root/a/users/tel:+1234/index").xui, "tel:+1234");
}

static void the_global_tree_has_no_user(void **state)
{
    (void)state;
    struct xcap_target target = parsed("/xcap-root/xcap-caps/global/index");
    assert_int_equal(target.tree, XCAP_GLOBAL);
    assert_text(target.xui, "");
    assert_text(target.name, "index");
    assert_text(parsed("/xcap-root/g/global/byGroupID/sip%3Ateam@x").name, "byGroupID/sip:team@x");
}

static void a_home_directory_has_an_empty_name(void **state)
{
    (void)state;
    assert_text(parsed(HOME "/").name, "");
    assert_text(parsed(HOME).name, "");
    assert_text(parsed(HOME).xui, "sip:ann@example.net");
    assert_text(parsed("/xcap-root/a/global/").name, "");
    assert_text(parsed("/xcap-root/a/global").name, "");
    assert_text(parsed(HOME "/").document_path, HOME "/");
}

static void the_absolute_form_is_accepted(void **state)
{
    (void)state;
    assert_text(parsed("http://xdm.example.net:8080/xcap-root/a/users/u/index?q").name, "index");
    assert_text(parsed("HTTPS://[::1]/services/a/users/u/d/~~/x").document_path, "/services/a/users/u/d");
    assert_refused("http://xdm.example.net", REFUSAL_ABSENT);
}

static void the_longest_root_wins(void **state)
{
    (void)state;
    struct xcap_target target;
    struct refusal refusal;
    assert_int_equal(xcap_target_parse(text_of("/xcap-root/users/users/x/i"), roots, 3, &arena, &target, &refusal), OK);
    assert_text(target.auid, "users");
    assert_int_equal(xcap_target_parse(text_of("/a/users/x/i"), roots, 3, &arena, &target, &refusal), OK);
    assert_text(target.auid, "a");
    assert_refused("/a/users/x/i", REFUSAL_ABSENT);
    assert_refused("/xcap-rooted/a/users/x/i", REFUSAL_ABSENT);
    assert_refused("/servicesa/users/x/i", REFUSAL_ABSENT);
}

static void the_first_separator_wins_however_it_is_escaped(void **state)
{
    (void)state;
    assert_text(parsed(HOME "/index/%7E%7E/a/~~/b").node, "a/~~/b");
    assert_text(parsed(HOME "/index/~%7e/a").node, "a");
    assert_text(parsed(HOME "/index/~~/a%2F~~").document_path, HOME "/index");
    assert_text(parsed(HOME "/index~~").name, "index~~");
    assert_text(parsed(HOME "/~~~/~~/a").name, "~~~");
}

static void everything_is_decoded_exactly_once(void **state)
{
    (void)state;
    assert_text(parsed(HOME "/i/~~/e%5B@a=%22%255B%2522%22%5D").node, "e[@a=\"%5B%22\"]");
    assert_text(parsed(HOME "/i%252Fj").name, "i%2Fj");
    assert_text(parsed(HOME "/i/~~/e[@a='b\"]").node, "e[@a='b\"]");
    assert_text(parsed(HOME "/i/~~/p:e?xmlns%28p=u%25%29").query, "xmlns(p=u%)");
    assert_text(parsed(HOME "/i/~~/e?a?b").query, "a?b");
}

static void paths_that_lead_nowhere_are_404(void **state)
{
    (void)state;
    static const char *const absent[] = {
        "",
        "*",
        "/",
        "/xcap-root",
        "/xcap-root/",
        "/xcap-root/a",
        "/xcap-root/a/",
        "/xcap-root/a/user/x/i",
        "/xcap-root/a/Users/x/i",
        "/xcap-root/a/users",
        "/xcap-root/a/users/",
        HOME "/index/",
        HOME "/a/b/",
        HOME "/~~/x",
        "/xcap-root/~~/x",
        "/xcap-root/a/~~/users/x/i",
        HOME "/index/?q",
        "/xcap-root/a/global/~~/x",
        "xcap-root/a/users/x/i",
        HOME "/i//~~/a",
    };
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_refused(absent[i], REFUSAL_ABSENT);
}

static void broken_targets_are_400(void **state)
{
    (void)state;
    static const char *const broken[] = {
        HOME "/i%",
        HOME "/i%4",
        HOME "/i%zz",
        HOME "/i%00",
        HOME "/i%ff",
        HOME "/i%C0%80",
        HOME "//i",
        HOME "/./i",
        HOME "/../i",
        HOME "/%2e%2E/i",
        HOME "/a//i",
        "/xcap-root//a/users/x/i",
        "/xcap-root/a/users//i",
        HOME "/i/~~",
        HOME "/i/~~/",
        HOME "/i/~~?q",
        HOME "/i/~~/a%",
        HOME "/i/~~/a%00",
        HOME "/i/~~/a%ff",
        HOME "/i?%",
        HOME "/i?%00",
        HOME "/a%2Fb",
        HOME "/a%0Ab",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_refused(broken[i], REFUSAL_SYNTAX);
}

static void assert_limit(const char *before, size_t limit, const char *after, enum refusal_kind kind)
{
    struct text_builder raw;
    struct xcap_target target;
    struct refusal refusal;
    for (size_t length = limit; length <= limit + 1; length++) {
        builder_init(&raw, &arena);
        builder_add(&raw, text_of(before));
        for (size_t i = 0; i < length; i++)
            builder_add_char(&raw, 'x');
        builder_add(&raw, text_of(after));
        enum status status = xcap_target_parse(builder_text(&raw), roots + 1, 1, &arena, &target, &refusal);
        assert_int_equal(status, length == limit ? OK : REFUSED);
    }
    assert_int_equal(refusal.kind, kind);
}

static void key_parts_are_bounded(void **state)
{
    (void)state;
    assert_limit("/xcap-root/", XCAP_AUID_MAX, "/users/u/i", REFUSAL_ABSENT);
    assert_limit("/xcap-root/a/users/", XCAP_XUI_MAX, "/i", REFUSAL_URI_TOO_LONG);
    assert_limit("/xcap-root/a/users/u/", XCAP_NAME_MAX, "", REFUSAL_URI_TOO_LONG);
    assert_limit("/xcap-root/a/users/u/d/", XCAP_NAME_MAX - 2, "", REFUSAL_URI_TOO_LONG);
    assert_limit(HOME "/i/~~/", XCAP_TARGET_MAX - strlen(HOME "/i/~~/"), "", REFUSAL_URI_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_target_is_split_into_its_parts, begin, end),
        cmocka_unit_test_setup_teardown(users_are_read_however_they_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(the_global_tree_has_no_user, begin, end),
        cmocka_unit_test_setup_teardown(a_home_directory_has_an_empty_name, begin, end),
        cmocka_unit_test_setup_teardown(the_absolute_form_is_accepted, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_root_wins, begin, end),
        cmocka_unit_test_setup_teardown(the_first_separator_wins_however_it_is_escaped, begin, end),
        cmocka_unit_test_setup_teardown(everything_is_decoded_exactly_once, begin, end),
        cmocka_unit_test_setup_teardown(paths_that_lead_nowhere_are_404, begin, end),
        cmocka_unit_test_setup_teardown(broken_targets_are_400, begin, end),
        cmocka_unit_test_setup_teardown(key_parts_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
