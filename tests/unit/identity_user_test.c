/* Users: every way to type an address leads to one user, and what cannot be a user is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_documents.h"
#include "record.h"
#include "user.h"

#define DOMAIN TEXT("example.com")
#define REALM  TEXT("im.example.com")

static enum status make(struct text address, struct text password, struct user *user_out)
{
    struct refusal refusal = {0};
    enum status status =
        user_make(address, password, TEXT("Alice"), DOMAIN, REALM, 1767225600000, &arena, user_out, &refusal);
    assert_true(status == OK || (status == REFUSED && refusal.kind == REFUSAL_SYNTAX && refusal.phrase.length));
    return status;
}

static struct user made(struct text address)
{
    struct user user;
    assert_int_equal(make(address, TEXT("secret"), &user), OK);
    return user;
}

static void every_way_to_type_an_address_is_the_same_user(void **state)
{
    (void)state;
    const struct text ways[] = {TEXT("alice"),
                                TEXT("alice@example.com"),
                                TEXT("sip:alice@example.com"),
                                TEXT("SIP:alice@EXAMPLE.com"),
                                TEXT("sips:alice@example.com:5061;transport=tls"),
                                TEXT("im:alice@example.com"),
                                TEXT(" alice ")};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct user user = made(ways[i]);
        assert_true(text_equal(user.address, TEXT("sip:alice@example.com")));
        assert_true(text_equal(user.name, TEXT("alice")));
        assert_true(text_equal(user_address(ways[i], DOMAIN, &arena), user.address));
    }
}

static void what_is_no_user_of_the_domain_is_refused(void **state)
{
    (void)state;
    char overlong[USER_ADDRESS_MAX + 1];
    memset(overlong, 'a', sizeof(overlong));
    const struct text wrong[] = {TEXT(""),
                                 TEXT(" "),
                                 TEXT("@example.com"),
                                 TEXT("sip:example.com"),
                                 TEXT("sip:"),
                                 TEXT("alice@"),
                                 TEXT("alice@other.example"),
                                 TEXT("tel:+4930123456"),
                                 TEXT("mailto:alice@example.com"),
                                 TEXT("al ice"),
                                 TEXT("al\"ice"),
                                 TEXT("alice%00"),
                                 TEXT("alice:secret"),
                                 {overlong, sizeof(overlong)},
                                 {overlong, sizeof(overlong) - 4}};
    struct user user;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(make(wrong[i], TEXT("secret"), &user), REFUSED);
}

static void an_empty_or_overlong_password_is_refused(void **state)
{
    (void)state;
    char password[USER_PASSWORD_MAX + 1];
    memset(password, 'p', sizeof(password));
    struct user user;
    assert_int_equal(make(TEXT("alice"), TEXT(""), &user), REFUSED);
    assert_int_equal(make(TEXT("alice"), (struct text){password, sizeof(password)}, &user), REFUSED);
    assert_int_equal(make(TEXT("alice"), (struct text){password, sizeof(password) - 1}, &user), OK);
}

static void a_display_name_with_controls_is_refused(void **state)
{
    (void)state;
    const struct text wrong[] = {TEXT("a\nb"), TEXT("\xFF")};
    for (size_t i = 0; i < 2; i++) {
        struct user user;
        struct refusal refusal;
        assert_int_equal(user_make(TEXT("alice"), TEXT("secret"), wrong[i], DOMAIN, REALM, 0, &arena, &user, &refusal),
                         REFUSED);
    }
}

/* Values by `printf %s alice:im.example.com:secret | md5sum`, `openssl dgst -sha512-256` and the like. */
static void hashes_are_those_of_both_names(void **state)
{
    (void)state;
    struct user user = made(TEXT("alice"));
    assert_true(text_equal(user.ha1_md5, TEXT("c04d13061c9508d7ac7bf1232f360d8a")));
    assert_true(text_equal(user.ha1_sha256, TEXT("3d7f93d15863d746b6e6ddfa35ae5103a652f0d772fe59dfea248eaa0ca1c88b")));
    assert_true(text_equal(user.ha1_md5_full, TEXT("330804969c871ac23472164047036835")));
    assert_true(
        text_equal(user.ha1_sha256_full, TEXT("b5b76dfae9289923af29ff7b0833a56864f8b32252858a2d2dfebad16e598a64")));
    assert_true(text_equal(user.ha1_sha512, TEXT("ce90f21e56c9145737834bd10e5f018955077ae5cca9a9f720234dfe66fba2fd")));
    assert_true(
        text_equal(user.ha1_sha512_full, TEXT("1b7177f7f5217e361402c55dadc64afae369a365a52584f44ddb192048a7f554")));
}

static void a_user_is_read_back_and_not_with_the_password(void **state)
{
    (void)state;
    struct user user = made(TEXT("alice")), found;
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(user_get(documents, user.address, &arena, &found), OK);
    assert_true(text_equal(found.address, user.address));
    assert_true(text_equal(found.realm, REALM));
    assert_true(text_equal(found.name, TEXT("alice")));
    assert_true(text_equal(found.ha1_md5, user.ha1_md5));
    assert_true(text_equal(found.ha1_sha256, user.ha1_sha256));
    assert_true(text_equal(found.ha1_md5_full, user.ha1_md5_full));
    assert_true(text_equal(found.ha1_sha256_full, user.ha1_sha256_full));
    assert_true(text_equal(found.ha1_sha512, user.ha1_sha512));
    assert_true(text_equal(found.ha1_sha512_full, user.ha1_sha512_full));
    assert_true(text_equal(found.display_name, TEXT("Alice")));
    assert_true(found.created_ms == 1767225600000);

    struct stored stored;
    const struct document_key key = {TEXT(DOCUMENT_USERS), user.address, TEXT("")};
    assert_int_equal(document_internal_read(documents, &key, &arena, &stored), OK);
    assert_true(text_find(stored.bytes, TEXT("secret")) == stored.bytes.length);
}

static void a_user_is_created_once(void **state)
{
    (void)state;
    struct user user = made(TEXT("alice"));
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), CONFLICT);
    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("admin")), OK);
}

static void a_deleted_user_is_gone(void **state)
{
    (void)state;
    struct user user = made(TEXT("alice")), found;
    assert_int_equal(user_delete(documents, user.address, TEXT("admin")), NOT_FOUND);
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(user_delete(documents, user.address, TEXT("admin")), OK);
    assert_int_equal(user_get(documents, user.address, &arena, &found), NOT_FOUND);
    assert_int_equal(user_delete(documents, user.address, TEXT("admin")), NOT_FOUND);
}

static void what_a_newer_program_wrote_survives_a_rewrite(void **state)
{
    (void)state;
    struct user user = made(TEXT("alice"));
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    struct stored stored;
    const struct document_key key = {TEXT(DOCUMENT_USERS), user.address, TEXT("")};
    assert_int_equal(document_internal_read(documents, &key, &arena, &stored), OK);
    struct text_builder record;
    builder_init(&record, &arena);
    builder_add(&record, stored.bytes);
    record_add(&record, "quota", TEXT("17"));
    struct commit commit = {.key = key, .expected = stored.version, .bytes = builder_text(&record)};
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);

    assert_int_equal(user_put(documents, &user, VERSION_ANY, TEXT("admin")), OK);
    assert_int_equal(document_internal_read(documents, &key, &arena, &stored), OK);
    assert_true(text_equal(record_text(stored.bytes, "quota"), TEXT("17")));
}

static void a_damaged_record_is_a_failure_and_no_user(void **state)
{
    (void)state;
    const struct document_key key = {TEXT(DOCUMENT_USERS), TEXT("sip:alice@example.com"), TEXT("")};
    struct commit commit = {.key = key,
                            .expected = VERSION_ANY,
                            .bytes = TEXT("\x07"
                                          "address")};
    struct user user;
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(user_get(documents, key.owner, &arena, &user), FAILED);
}

static void users_are_listed_in_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        struct user user = made(text_format(&arena, "user%02d", i));
        assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    }
    struct text after = TEXT("");
    bool more = true;
    int seen = 0;
    while (more) {
        struct user *users;
        size_t count;
        assert_int_equal(user_list(documents, after, 10, &arena, &users, &count, &more), OK);
        for (size_t i = 0; i < count; i++, seen++)
            assert_true(text_equal(users[i].name, text_format(&arena, "user%02d", seen)));
        after = users[count - 1].address;
    }
    assert_int_equal(seen, 25);
}

static void a_user_is_made_of_the_hashes_of_another_server(void **state)
{
    (void)state;
    struct user by_password = made(TEXT("alice")), user, read;
    struct refusal refusal;
    const struct user_hashes hashes = {
        .md5 = TEXT("4B3A7D5DA1E0B6E9FC3B9D9C0D7D6E7C"),
        .sha256 = by_password.ha1_sha256,
        .md5_full = by_password.ha1_md5_full,
        .sha512 = by_password.ha1_sha512,
    };
    assert_int_equal(user_make_hashed(TEXT("alice"), &hashes, TEXT("Alice"), DOMAIN, REALM, 5, &arena, &user, &refusal),
                     OK);
    assert_true(text_equal(user.address, by_password.address));
    assert_true(text_equal(user.ha1_md5, TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7c")));
    assert_true(text_equal(user.ha1_sha256, by_password.ha1_sha256));
    assert_true(text_equal(user.ha1_md5_full, by_password.ha1_md5_full));
    assert_int_equal(user.ha1_sha256_full.length, 0);
    assert_true(text_equal(user.ha1_sha512, by_password.ha1_sha512));

    struct commit commit;
    assert_int_equal(user_commit(documents, &user, VERSION_ABSENT, TEXT("test"), &arena, &commit), OK);
    assert_int_equal(document_internal_commit(documents, &commit, 1), OK);
    assert_int_equal(user_get(documents, user.address, &arena, &read), OK);
    assert_true(text_equal(read.ha1_md5, user.ha1_md5));
    assert_int_equal(read.ha1_sha256_full.length, 0);
}

static void users_of_another_domain_alone_are_told(void **state)
{
    (void)state;
    struct text other;
    struct user user = made(TEXT("alice"));
    assert_int_equal(user_domain_check(documents, TEXT("example.net"), &arena, &other), OK);
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(user_domain_check(documents, TEXT("Example.com"), &arena, &other), OK);
    assert_int_equal(user_domain_check(documents, TEXT("example.net"), &arena, &other), REFUSED);
    assert_true(text_equal(other, user.address));
    struct refusal refusal;
    assert_int_equal(
        user_make(TEXT("zoe"), TEXT("secret"), TEXT(""), TEXT("example.net"), REALM, 0, &arena, &user, &refusal), OK);
    assert_int_equal(user_put(documents, &user, VERSION_ABSENT, TEXT("admin")), OK);
    assert_int_equal(user_domain_check(documents, TEXT("example.net"), &arena, &other), OK);
}

static void what_is_no_hash_is_refused(void **state)
{
    (void)state;
    const struct user_hashes bad[] = {
        {0},
        {.md5_full = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7c")},
        {.md5 = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7")},
        {.md5 = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7g")},
        {.sha256 = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7c")},
        {.md5 = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7c"), .sha512 = TEXT("4b3a7d5da1e0b6e9fc3b9d9c0d7d6e7c")},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct user user;
        struct refusal refusal = {0};
        assert_int_equal(user_make_hashed(TEXT("alice"), &bad[i], TEXT(""), DOMAIN, REALM, 5, &arena, &user, &refusal),
                         REFUSED);
        assert_true(refusal.phrase.length > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_way_to_type_an_address_is_the_same_user, begin, end),
        cmocka_unit_test_setup_teardown(a_user_is_made_of_the_hashes_of_another_server, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_hash_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(users_of_another_domain_alone_are_told, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_user_of_the_domain_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_or_overlong_password_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_display_name_with_controls_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(hashes_are_those_of_both_names, begin, end),
        cmocka_unit_test_setup_teardown(a_user_is_read_back_and_not_with_the_password, begin, end),
        cmocka_unit_test_setup_teardown(a_user_is_created_once, begin, end),
        cmocka_unit_test_setup_teardown(a_deleted_user_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(what_a_newer_program_wrote_survives_a_rewrite, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_record_is_a_failure_and_no_user, begin, end),
        cmocka_unit_test_setup_teardown(users_are_listed_in_pages, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
