/* IM service settings as clients write them: attributes or elements, whatever root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "imsettings.h"

#define SETTINGS(attributes, inside)                                                                                   \
    TEXT("<s:any xmlns:s=\"urn:oma:xml:im:service-settings\" " attributes ">" inside "</s:any>")

static struct imsettings read_good(struct text document)
{
    struct imsettings settings;
    struct arena arena;
    arena_init(&arena, "test");
    assert_int_equal(imsettings_read(document, &arena, &settings), OK);
    arena_clear(&arena);
    return settings;
}

static void what_is_not_said_is_as_ever(void **state)
{
    (void)state;
    struct imsettings settings = read_good(SETTINGS("service-id='x'", "<s:vis-settings/>"));
    assert_true(settings.active && settings.visible && settings.push);
    assert_false(settings.keep_session || settings.keep_large);
}

static void values_are_attributes_or_elements(void **state)
{
    (void)state;
    struct imsettings settings =
        read_good(SETTINGS("active='0'", "<s:vis-settings><s:vis-status active='false'/></s:vis-settings>"
                                         "<s:deferred-settings><s:offline-delivery><s:active> false </s:active>"
                                         "</s:offline-delivery></s:deferred-settings>"));
    assert_false(settings.active || settings.visible || settings.push);
}

static void history_is_asked_for_by_mode(void **state)
{
    (void)state;
    struct imsettings settings =
        read_good(SETTINGS("", "<s:hist-settings><s:hist-activation type='session-mode' active='true'/>"
                               "<s:hist-activation active='1'><s:type>pager-large-mode</s:type></s:hist-activation>"
                               "<s:hist-activation type='other' active='true'/></s:hist-settings>"));
    assert_true(settings.keep_session && settings.keep_large);
}

static void settings_that_are_written_are_read_back(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    for (unsigned bits = 0; bits < 32; bits++) {
        const struct imsettings wanted = {.active = bits & 1,
                                          .visible = bits & 2,
                                          .push = bits & 4,
                                          .keep_session = bits & 8,
                                          .keep_large = bits & 16};
        struct imsettings read = read_good(imsettings_write(&wanted, &arena));
        assert_true(read.active == wanted.active && read.visible == wanted.visible && read.push == wanted.push);
        assert_true(read.keep_session == wanted.keep_session && read.keep_large == wanted.keep_large);
    }
    arena_clear(&arena);
}

static void what_is_no_such_document_is_refused(void **state)
{
    (void)state;
    const struct text bad[] = {
        TEXT(""),
        TEXT("<any/>"),
        TEXT("<any xmlns='urn:oma:xml:im:service-settings'>"),
        SETTINGS("active='yes'", ""),
        SETTINGS("", "<s:vis-status active=''/>"),
    };
    struct imsettings settings;
    struct arena arena;
    arena_init(&arena, "test");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(imsettings_read(bad[i], &arena, &settings), REFUSED);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_as_ever),
        cmocka_unit_test(values_are_attributes_or_elements),
        cmocka_unit_test(history_is_asked_for_by_mode),
        cmocka_unit_test(settings_that_are_written_are_read_back),
        cmocka_unit_test(what_is_no_such_document_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
