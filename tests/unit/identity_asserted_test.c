/* Asserted identities in all the forms that peers write them, and who the requester is then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_documents.h"
#include "requester.h"

#define ALICE TEXT("sip:alice@example.com")
#define PHONE TEXT("tel:+15550100")

static void add_user(const char *name, const char *alias, unsigned roles)
{
    struct user user;
    struct refusal refusal;
    const struct text typed = text_of(alias);
    assert_int_equal(user_make(text_of(name), TEXT("secret"), TEXT(""), TEXT("example.com"), TEXT("example.com"), 0,
                               &arena, &user, &refusal),
                     OK);
    assert_int_equal(user_set_aliases(&user, &typed, alias ? 1 : 0, TEXT("example.com"), &arena, &refusal), OK);
    user.roles = roles;
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("test")), OK);
}

static int begin_with_users(void **state)
{
    begin(state);
    add_user("alice", "tel:+15550100", USAGE_ROLE_BIT(USAGE_SERVER));
    add_user("bob", NULL, 0);
    return 0;
}

static struct text parsed(const char *value)
{
    struct text identities[ASSERTED_MAX];
    struct text_builder all;
    size_t count;
    builder_init(&all, &arena);
    if (asserted_parse(text_of(value), &arena, identities, &count) != OK)
        return TEXT("refused");
    for (size_t i = 0; i < count; i++)
        builder_add_format(&all, "%s%.*s", i ? " " : "", TEXT_ARG(identities[i]));
    return builder_text(&all);
}

static void every_way_to_write_an_identity_is_read(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sip:alice@example.com", "sip:alice@example.com"},
        {"\"sip:alice@example.com\"", "sip:alice@example.com"},
        {"<sip:alice@example.com>", "sip:alice@example.com"},
        {"\"<sip:alice@example.com>\"", "sip:alice@example.com"},
        {"\"Alice, A.\" <sip:alice@example.com>", "sip:alice@example.com"},
        {"Alice <sip:alice@example.com>", "sip:alice@example.com"},
        {" SIP:alice@EXAMPLE.com:5060;user=phone ", "sip:alice@example.com"},
        {"alice@example.com", "sip:alice@example.com"},
        {"\"alice@example.com\"", "sip:alice@example.com"},
        {"tel:+1-555-0100", "tel:+15550100"},
        {"\"sip:alice@example.com\", \"tel:+15550100\"", "sip:alice@example.com tel:+15550100"},
        {"sip:alice@example.com,tel:+15550100", "sip:alice@example.com tel:+15550100"},
        {"<sip:alice@example.com> , <tel:+15550100>", "sip:alice@example.com tel:+15550100"},
        {"\"sip:a%2Cb@example.com\",tel:+1", "sip:a%2Cb@example.com tel:+1"},
        {"<sip:a,b@example.com>,tel:+1", "sip:a,b@example.com tel:+1"},
        {"\"sip:alice@example.com\",sip:alice@example.com", "sip:alice@example.com"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!text_equal(parsed(cases[i][0]), text_of(cases[i][1])))
            fail_msg("%s: %.*s", cases[i][0], TEXT_ARG(parsed(cases[i][0])));
}

static void half_an_assertion_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        ",",
        "sip:alice@example.com,",
        ",sip:alice@example.com",
        "sip:alice@example.com sip:bob@example.com",
        "\"sip:alice@example.com",
        "<sip:alice@example.com",
        "sip:alice@example.com>",
        "\"sip:alice@example.com\"\"sip:bob@example.com\"",
        "<sip:alice@example.com><sip:bob@example.com>",
        "sip:alice@example.com\r\nX-Other: yes",
        "sip:alice@example.com\n",
        "sip:alice@example.com\x01",
        "sip:alice@example.com@evil.example",
        "sip:alice%00@example.com",
        "http://example.com/alice",
        "alice",
        "sip:example.com",
        "*",
        "sip:alice@example.com, nonsense",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (!text_equal(parsed(wrong[i]), TEXT("refused")))
            fail_msg("%s: %.*s", wrong[i], TEXT_ARG(parsed(wrong[i])));
    struct text_builder many;
    builder_init(&many, &arena);
    for (int i = 0; i <= ASSERTED_MAX; i++)
        builder_add_format(&many, "%stel:+%d", i ? "," : "", 100 + i);
    assert_true(text_equal(parsed(text_cstring(&arena, builder_text(&many))), TEXT("refused")));
}

static struct requester requester_for(const char *value)
{
    struct text identities[ASSERTED_MAX];
    struct requester requester;
    size_t count;
    assert_int_equal(asserted_parse(text_of(value), &arena, identities, &count), OK);
    assert_int_equal(requester_of_assertion(documents, identities, count, &arena, &requester), OK);
    return requester;
}

static void an_alias_is_asserted_of_its_user(void **state)
{
    (void)state;
    struct requester requester = requester_for("tel:+15550100");
    assert_true(text_equal(requester.address, ALICE));
    assert_int_equal(requester.proof, REQUESTER_ASSERTED);
    assert_int_equal(requester.identities_count, 2);
    assert_true(requester_is(&requester, ALICE) && requester_is(&requester, PHONE));
    assert_int_equal(requester.roles,
                     USAGE_ROLE_BIT(USAGE_ANYONE) | USAGE_ROLE_BIT(USAGE_USER) | USAGE_ROLE_BIT(USAGE_SERVER));
}

static void somebody_unknown_is_who_the_peer_says(void **state)
{
    (void)state;
    struct requester requester = requester_for("sip:eve@elsewhere.example, tel:+4930");
    assert_true(text_equal(requester.address, TEXT("sip:eve@elsewhere.example")));
    assert_int_equal(requester.identities_count, 2);
    assert_int_equal(requester.roles, USAGE_ROLE_BIT(USAGE_ANYONE) | USAGE_ROLE_BIT(USAGE_USER));
}

static void somebody_acts_as_who_he_is_and_as_nobody_else(void **state)
{
    (void)state;
    struct requester requester = requester_for("sip:bob@example.com, tel:+15550100");
    assert_true(text_equal(requester.address, TEXT("sip:bob@example.com")));
    assert_int_equal(requester.roles & USAGE_ROLE_BIT(USAGE_SERVER), 0);
    assert_int_equal(requester_act_as(documents, TEXT("sip:carol@example.com"), &arena, &requester), NOT_FOUND);
    assert_true(text_equal(requester.address, TEXT("sip:bob@example.com")));
    assert_int_equal(requester_act_as(documents, PHONE, &arena, &requester), OK);
    assert_true(text_equal(requester.address, ALICE));
    assert_true(requester.roles & USAGE_ROLE_BIT(USAGE_SERVER));
    assert_true(requester_is(&requester, TEXT("sip:bob@example.com")));
    assert_int_equal(requester.proof, REQUESTER_ASSERTED);
}

static void settings_give_roles_to_a_user_and_not_to_nobody(void **state)
{
    (void)state;
    const struct text chiefs[] = {TEXT("sip:bob@example.com"), TEXT("")};
    const struct requester_grant grants[] = {{USAGE_OPERATOR, chiefs, 2}, {USAGE_AUDITOR, chiefs, 0}};
    struct requester bob = requester_for("sip:bob@example.com"), alice = requester_for("sip:alice@example.com"), nobody;
    requester_of_nobody(&nobody);
    requester_grant(&bob, grants, 2);
    requester_grant(&alice, grants, 2);
    requester_grant(&nobody, grants, 2);
    assert_true(bob.roles & USAGE_ROLE_BIT(USAGE_OPERATOR));
    assert_false(bob.roles & USAGE_ROLE_BIT(USAGE_AUDITOR));
    assert_false(alice.roles & USAGE_ROLE_BIT(USAGE_OPERATOR));
    assert_int_equal(nobody.roles, USAGE_ROLE_BIT(USAGE_ANYONE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_with_users, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_way_to_write_an_identity_is_read),
        TEST(half_an_assertion_is_none),
        TEST(an_alias_is_asserted_of_its_user),
        TEST(somebody_unknown_is_who_the_peer_says),
        TEST(somebody_acts_as_who_he_is_and_as_nobody_else),
        TEST(settings_give_roles_to_a_user_and_not_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
