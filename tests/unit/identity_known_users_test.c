/* Users that are kept for an epoch of their caller: they are as user_find tells them, without passwords, and are looked
 * for anew as soon as the epoch is another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "known_users.h"
#include "memory_documents.h"

#define DOMAIN TEXT("example.com")
#define ALICE  TEXT("sip:alice@example.com")
#define PHONE  TEXT("tel:+15550100")

static struct known_users *known;

static void put_alice(const char *display_name, const struct text *aliases, size_t count)
{
    struct user user;
    struct refusal refusal = {0};
    assert_int_equal(
        user_make(TEXT("alice"), TEXT("secret"), text_of(display_name), DOMAIN, DOMAIN, 7, &arena, &user, &refusal),
        OK);
    assert_int_equal(user_set_aliases(&user, aliases, count, DOMAIN, &arena, &refusal), OK);
    user.roles = USAGE_ROLE_BIT(USAGE_AUDITOR);
    user.keep_s = 60;
    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("admin")), OK);
}

static void who_is_known_is_the_same_in_all_but_passwords(void **state)
{
    (void)state;
    const struct text aliases[] = {PHONE, TEXT("sip:al@example.com")};
    struct user read, found;
    put_alice("Alice A.", aliases, 2);
    assert_int_equal(user_find(documents, ALICE, &arena, &read), OK);
    for (int round = 0; round < 2; round++) {
        for (int way = 0; way < 2; way++) {
            assert_int_equal(known_users_find(known, 1, way ? PHONE : ALICE, &arena, &found), OK);
            assert_true(text_equal(found.address, ALICE) && text_equal(found.name, TEXT("alice")));
            assert_true(text_equal(found.display_name, TEXT("Alice A.")));
            assert_int_equal(found.aliases_count, 2);
            assert_true(text_equal(found.aliases[0], aliases[0]) && text_equal(found.aliases[1], aliases[1]));
            assert_int_equal(found.roles, read.roles);
            assert_int_equal(found.keep_s, 60);
            assert_int_equal(found.created_ms, 7);
            assert_int_equal(found.version, read.version);
            assert_int_equal(found.realm.length + found.ha1_md5.length + found.ha1_sha256.length, 0);
            assert_int_equal(found.ha1_md5_full.length + found.ha1_sha256_full.length, 0);
        }
    }
}

static void another_epoch_finds_what_has_changed(void **state)
{
    (void)state;
    const struct text phone = PHONE;
    struct user found;
    assert_int_equal(known_users_find(known, 1, ALICE, &arena, &found), NOT_FOUND);
    assert_int_equal(known_users_find(known, 1, PHONE, &arena, &found), NOT_FOUND);
    put_alice("One", &phone, 1);
    assert_int_equal(known_users_find(known, 2, ALICE, &arena, &found), OK);
    assert_true(text_equal(found.display_name, TEXT("One")));
    assert_int_equal(known_users_find(known, 2, PHONE, &arena, &found), OK);
    put_alice("Two", NULL, 0);
    assert_int_equal(known_users_find(known, 3, ALICE, &arena, &found), OK);
    assert_true(text_equal(found.display_name, TEXT("Two")));
    assert_int_equal(known_users_find(known, 3, PHONE, &arena, &found), NOT_FOUND);
    assert_int_equal(user_delete(documents, ALICE, TEXT("admin")), OK);
    assert_int_equal(known_users_find(known, 4, ALICE, &arena, &found), NOT_FOUND);
}

/* Through a store whose reads can be made to fail. */
static void within_an_epoch_nothing_is_read_again(void **state)
{
    (void)state;
    const struct store_fault unreadable = {STORE_CALL_READ, 1, 0, FAILED, false};
    struct store *faulty = store_open_faulty(store, NULL, 0);
    known_users_free(known);
    documents_free(documents);
    store = faulty;
    documents = documents_new(faulty, NULL);
    known = known_users_new(documents);
    struct user found;
    put_alice("", NULL, 0);
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(known_users_find(known, 1, ALICE, &arena, &found), FAILED); /* and that is not kept */
    store_faulty_set(faulty, NULL, 0);
    assert_int_equal(known_users_find(known, 1, ALICE, &arena, &found), OK);
    assert_int_equal(known_users_find(known, 1, PHONE, &arena, &found), NOT_FOUND);
    store_faulty_set(faulty, &unreadable, 1);
    assert_int_equal(known_users_find(known, 1, ALICE, &arena, &found), OK);
    assert_int_equal(known_users_find(known, 1, PHONE, &arena, &found), NOT_FOUND);
    assert_int_equal(known_users_find(known, 2, ALICE, &arena, &found), FAILED);
    store_faulty_set(faulty, NULL, 0);
}

static void more_users_than_are_kept_are_all_found(void **state)
{
    (void)state;
    struct user found;
    put_alice("", NULL, 0);
    for (unsigned i = 0; i < 40000; i++) {
        struct text address = text_format(&arena, "sip:u%u@example.com", i % 20000);
        assert_int_equal(known_users_find(known, 1, address, &arena, &found), NOT_FOUND);
        if (i % 100 == 0)
            assert_int_equal(known_users_find(known, 1, ALICE, &arena, &found), OK);
    }
}

static int begin_known(void **state)
{
    int failed = begin(state);
    known = known_users_new(documents);
    return failed;
}

static int end_known(void **state)
{
    known_users_free(known);
    return end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_known_is_the_same_in_all_but_passwords, begin_known, end_known),
        cmocka_unit_test_setup_teardown(another_epoch_finds_what_has_changed, begin_known, end_known),
        cmocka_unit_test_setup_teardown(within_an_epoch_nothing_is_read_again, begin_known, end_known),
        cmocka_unit_test_setup_teardown(more_users_than_are_kept_are_all_found, begin_known, end_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
