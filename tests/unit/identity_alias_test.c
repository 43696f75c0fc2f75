/* One person with several addresses: every one leads to him, and none to two people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "record.h"
#include "shipped_usages.h"
#define MEMORY_USAGES shipped_usages()
#include "memory_documents.h"
#include "user.h"

#define DOMAIN TEXT("example.com")
#define ALICE  TEXT("sip:alice@example.com")
#define PHONE  TEXT("tel:+15550100")

static struct user made(const char *name, const char *alias)
{
    struct user user;
    struct refusal refusal = {0};
    const struct text typed = text_of(alias);
    assert_int_equal(user_make(text_of(name), TEXT("secret"), TEXT(""), DOMAIN, DOMAIN, 0, &arena, &user, &refusal),
                     OK);
    assert_int_equal(user_set_aliases(&user, &typed, alias ? 1 : 0, DOMAIN, &arena, &refusal), OK);
    return user;
}

static enum status check(const struct user *user)
{
    struct refusal refusal = {0};
    enum status status = user_check_addresses(documents, user, &arena, &refusal);
    assert_true(status != REFUSED || refusal.phrase.length);
    return status;
}

static void every_address_leads_to_one_user(void **state)
{
    (void)state;
    struct user user = made("alice", "tel:+1-555-0100"), found;
    user.roles = USAGE_ROLE_BIT(USAGE_AUDITOR) | USAGE_ROLE_BIT(USAGE_SERVER);
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    const struct text ways[] = {ALICE, PHONE};
    for (size_t i = 0; i < 2; i++) {
        struct text owner;
        assert_int_equal(user_find(documents, ways[i], &arena, &found), OK);
        assert_true(text_equal(found.address, ALICE));
        assert_int_equal(found.aliases_count, 1);
        assert_true(text_equal(found.aliases[0], PHONE));
        assert_int_equal(found.roles, user.roles);
        assert_true(user_is(&found, ways[i]));
        assert_int_equal(document_owner(documents, ways[i], &arena, &owner), OK);
        assert_true(text_equal(owner, ALICE));
    }
    assert_int_equal(user_find(documents, TEXT("tel:+15550101"), &arena, &found), NOT_FOUND);
    struct text identities[1 + USER_ALIASES_MAX];
    assert_int_equal(user_identities(&user, identities), 2);
    assert_true(text_equal(identities[0], ALICE) && text_equal(identities[1], PHONE));
}

static void an_address_has_one_holder_in_the_whole_server(void **state)
{
    (void)state;
    struct user alice = made("alice", "tel:+15550100"), bob = made("bob", "tel:+15550100");
    struct user phone = made("carol", "sip:dave@example.com"), dave = made("dave", NULL);
    assert_int_equal(user_put(documents, &alice, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(check(&alice), OK);
    assert_int_equal(check(&bob), REFUSED);
    assert_int_equal(user_put(documents, &bob, VERSION_ABSENT, TEXT("admin")), TAKEN);
    /* an alias and an address of record are no different */
    assert_int_equal(user_put(documents, &dave, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(check(&phone), REFUSED);
    assert_int_equal(user_put(documents, &phone, VERSION_ABSENT, TEXT("admin")), TAKEN);
    assert_int_equal(user_delete(documents, ALICE, TEXT("admin")), OK);
    assert_int_equal(check(&bob), OK);
    assert_int_equal(user_put(documents, &bob, VERSION_ABSENT, TEXT("admin")), OK);
}

static void an_alias_given_up_is_free(void **state)
{
    (void)state;
    struct user alice = made("alice", "tel:+15550100"), found;
    assert_int_equal(user_put(documents, &alice, VERSION_ABSENT, TEXT("admin")), OK);
    struct user without = made("alice", NULL);
    assert_int_equal(user_put(documents, &without, VERSION_ANY, TEXT("admin")), OK);
    assert_int_equal(user_find(documents, PHONE, &arena, &found), NOT_FOUND);
    struct user bob = made("bob", "tel:+15550100");
    assert_int_equal(user_put(documents, &bob, VERSION_ABSENT, TEXT("admin")), OK);
}

/* A record as versions before aliases wrote it: without these fields and claims. */
static void an_old_record_is_read_and_guarded_as_well(void **state)
{
    (void)state;
    struct text_builder record;
    builder_init(&record, &arena);
    record_add(&record, "address", ALICE);
    record_add(&record, "name", TEXT("alice"));
    struct commit commit = {
        .key = {TEXT(DOCUMENT_USERS), ALICE, TEXT("")}, .expected = VERSION_ANY, .bytes = builder_text(&record)};
    struct user found;
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(user_find(documents, ALICE, &arena, &found), OK);
    assert_int_equal(found.aliases_count, 0);
    assert_int_equal(found.roles, 0);
    struct user bob = made("bob", "sip:alice@example.com");
    assert_int_equal(check(&bob), REFUSED);
}

static void what_a_newer_program_calls_a_role_gives_nothing_here(void **state)
{
    (void)state;
    struct text_builder record;
    builder_init(&record, &arena);
    record_add(&record, "address", ALICE);
    record_add(&record, "roles", TEXT("owner anyone emperor server"));
    struct commit commit = {
        .key = {TEXT(DOCUMENT_USERS), ALICE, TEXT("")}, .expected = VERSION_ANY, .bytes = builder_text(&record)};
    struct user found;
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(user_get(documents, ALICE, &arena, &found), OK);
    assert_int_equal(found.roles, USAGE_ROLE_BIT(USAGE_SERVER));
}

static void what_is_no_address_is_no_alias(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "http://example.com/", "tel:", "sip:a b@example.com", "a@b@c"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct user user = made("alice", "tel:+15550100");
        struct refusal refusal = {0};
        const struct text typed = text_of(wrong[i]);
        assert_int_equal(user_set_aliases(&user, &typed, 1, DOMAIN, &arena, &refusal), REFUSED);
        assert_int_equal(refusal.kind, REFUSAL_SYNTAX);
        assert_int_equal(user.aliases_count, 1); /* as it was */
    }
}

static void aliases_count_once_and_have_an_end(void **state)
{
    (void)state;
    struct user user = made("alice", NULL);
    struct refusal refusal = {0};
    struct text typed[USER_ALIASES_MAX + 2] = {TEXT("alice"), TEXT("tel:+1(555)0100")};
    for (size_t i = 2; i < USER_ALIASES_MAX + 2; i++)
        typed[i] = text_format(&arena, "tel:+155501%02zu", i - 2);
    /* his own address and a second spelling are no aliases more */
    assert_int_equal(user_set_aliases(&user, typed, USER_ALIASES_MAX + 2, DOMAIN, &arena, &refusal), OK);
    assert_int_equal(user.aliases_count, USER_ALIASES_MAX);
    typed[0] = TEXT("tel:+1999");
    assert_int_equal(user_set_aliases(&user, typed, USER_ALIASES_MAX + 2, DOMAIN, &arena, &refusal), REFUSED);
}

static void put(const char *auid, struct text owner, const char *body)
{
    struct document_change change = {.documents = documents, .content_type_fits = true, .arena = &arena};
    change.body = text_of(body);
    change.place.usage = usage_find(shipped_usages(), text_of(auid));
    change.place.row = usage_document(change.place.usage, XCAP_USERS, TEXT("index"));
    change.place.key = (struct document_key){change.place.usage->auid, owner, TEXT("index")};
    document_change_wait(&change);
    assert_int_equal(change.status, OK);
}

static void an_alias_hides_no_documents(void **state)
{
    (void)state;
    put("resource-lists", PHONE, "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'/>");
    struct user alice = made("alice", "tel:+15550100");
    assert_int_equal(check(&alice), REFUSED);
}

static void a_group_and_a_user_have_no_address_in_common(void **state)
{
    (void)state;
    struct user bob = made("bob", "sip:team@example.com"), alice = made("alice", "sip:crew@example.com");
    struct document_change change = {.documents = documents, .content_type_fits = true, .arena = &arena};
    put("org.openmobilealliance.groups", ALICE,
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:team@example.com'/></group>");
    assert_int_equal(check(&bob), REFUSED);
    assert_int_equal(user_put(documents, &alice, VERSION_ABSENT, TEXT("admin")), OK);
    change.body =
        TEXT("<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:crew@example.com'/></group>");
    change.place.usage = usage_find(shipped_usages(), TEXT("org.openmobilealliance.groups"));
    change.place.row = usage_document(change.place.usage, XCAP_USERS, TEXT("crew"));
    change.place.key = (struct document_key){change.place.usage->auid, ALICE, TEXT("crew")};
    document_change_wait(&change);
    assert_int_equal(change.status, REFUSED);
    assert_string_equal(change.refusal.element, "uniqueness-failure");
}

/* Servers of before let a group have the address of a user; the user's password must be changeable all the same. */
static void what_a_user_has_already_is_not_asked_again(void **state)
{
    (void)state;
    struct user alice = made("alice", NULL);
    put("org.openmobilealliance.groups", TEXT("sip:bob@example.com"),
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:alice@example.com'/></group>");
    assert_int_equal(check(&alice), REFUSED);
    assert_int_equal(user_put(documents, &alice, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(check(&alice), OK);
}

static void a_list_is_followed_under_any_address_of_its_owner(void **state)
{
    (void)state;
    static const struct text root = TEXT_INIT("/xcap-root/");
    struct user alice = made("alice", "tel:+15550100");
    struct stored found;
    struct text node;
    assert_int_equal(user_put(documents, &alice, VERSION_ABSENT, TEXT("admin")), OK);
    put("resource-lists", ALICE, "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'/>");
    assert_int_equal(document_follow(documents, TEXT("resource-lists/users/tel:+15550100/index"), &root, 1, TEXT(""),
                                     &arena, &found, &node),
                     OK);
    assert_true(text_equal(found.key.owner, ALICE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_address_leads_to_one_user),
        TEST(an_address_has_one_holder_in_the_whole_server),
        TEST(an_alias_given_up_is_free),
        TEST(an_old_record_is_read_and_guarded_as_well),
        TEST(what_a_newer_program_calls_a_role_gives_nothing_here),
        TEST(what_is_no_address_is_no_alias),
        TEST(aliases_count_once_and_have_an_end),
        TEST(an_alias_hides_no_documents),
        TEST(a_group_and_a_user_have_no_address_in_common),
        TEST(what_a_user_has_already_is_not_asked_again),
        TEST(a_list_is_followed_under_any_address_of_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
