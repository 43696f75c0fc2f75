/* Compressed bodies as senders make them, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#include "assert_text.h"
#include "coding.h"

#define MAX 20000

static struct arena arena;

/* `window` as of deflateInit2: 15 zlib, 31 gzip, -15 bare. */
static struct text packed(struct text body, int window)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body.bytes, .avail_in = (uInt)body.length};
    size_t room = compressBound(body.length) + 32;
    char *bytes = arena_alloc(&arena, room);
    stream.next_out = (Bytef *)bytes;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return (struct text){bytes, room - stream.avail_out};
}

static void begin(void)
{
    arena_init(&arena, "test");
}

static void end(void)
{
    arena_clear(&arena);
}

static void each_way_to_compress_is_read(void **state)
{
    static const int windows[] = {15, 31, -15};
    static const struct text names[] = {TEXT_INIT("deflate"), TEXT_INIT(" GZIP "), TEXT_INIT("identity, Deflate")};
    struct text body;
    (void)state;
    begin();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(coding_take_off(names[i], packed(TEXT("From: <sip:a@b>"), windows[i]), MAX, &arena, &body),
                         OK);
        assert_text(body, "From: <sip:a@b>");
    }
    assert_int_equal(coding_take_off(TEXT("gzip, deflate"), packed(packed(TEXT("twice"), 31), 15), MAX, &arena, &body),
                     OK);
    assert_text(body, "twice");
    end();
}

static void what_is_not_encoded_stays_where_it_is(void **state)
{
    struct text plain = TEXT("hello"), body;
    (void)state;
    begin();
    assert_int_equal(coding_take_off(TEXT(""), plain, MAX, &arena, &body), OK);
    assert_ptr_equal(body.bytes, plain.bytes);
    assert_int_equal(coding_take_off(TEXT("Identity"), plain, MAX, &arena, &body), OK);
    assert_ptr_equal(body.bytes, plain.bytes);
    assert_true(coding_is_identity(TEXT(" identity")) && !coding_is_identity(TEXT("br")));
    end();
}

static void what_is_not_known_or_broken_is_refused(void **state)
{
    struct text good, body;
    (void)state;
    begin();
    good = packed(TEXT("hello hello hello hello"), 15);
    assert_int_equal(coding_take_off(TEXT("br"), good, MAX, &arena, &body), REFUSED);
    assert_int_equal(coding_take_off(TEXT("gzip, gzip, gzip"), good, MAX, &arena, &body), REFUSED);
    assert_int_equal(coding_take_off(TEXT("deflate"), TEXT("hello"), MAX, &arena, &body), REFUSED);
    assert_int_equal(coding_take_off(TEXT("deflate"), TEXT(""), MAX, &arena, &body), REFUSED);
    assert_int_equal(coding_take_off(TEXT("deflate"), text_slice(good, 0, good.length - 1), MAX, &arena, &body),
                     REFUSED);
    end();
}

static void what_swells_has_an_end(void **state)
{
    struct text zeros, body;
    (void)state;
    begin();
    zeros = (struct text){arena_alloc(&arena, MAX + 1), MAX + 1};
    assert_int_equal(coding_take_off(TEXT("deflate"), packed(zeros, 15), MAX, &arena, &body), FULL);
    zeros.length = MAX;
    assert_int_equal(coding_take_off(TEXT("deflate"), packed(zeros, 15), MAX, &arena, &body), OK);
    assert_int_equal(body.length, MAX);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_compress_is_read),
        cmocka_unit_test(what_is_not_encoded_stays_where_it_is),
        cmocka_unit_test(what_is_not_known_or_broken_is_refused),
        cmocka_unit_test(what_swells_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
