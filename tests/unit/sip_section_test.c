/* Lines of a header section: what is looked at once says the same as what looks for each line by itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../im-glue/sip/sip_message_private.h"
#include "xorshift.h"

#define SECTIONS 20000

static uint64_t state = 0x2545f4914f6cdd1d;

static size_t below(size_t limit)
{
    return (size_t)(xorshift(&state) % limit);
}

static bool cut(const char *bytes, struct sip_lines *lines_out)
{
    return sip_section_lines(text_of(bytes), lines_out);
}

static void plain_lines_end_before_their_crlf(void **unused)
{
    (void)unused;
    struct sip_lines lines;
    assert_true(cut("AB\r\nC: d\r\n\r\nbody\r\n", &lines));
    assert_true(lines.count == 2 && lines.ends[0] == 2 && lines.ends[1] == 8 && sip_lines_end(&lines) == 8);
}

static void what_is_not_plain_is_left_to_others(void **unused)
{
    (void)unused;
    static const char *const odd[] = {"",
                                      "\n",
                                      "\r\n\r\n",
                                      "A\r\n",
                                      "A\r\nB: c",
                                      "A\nB: c\r\n\r\n",
                                      "A\r\nB: c\n\r\n",
                                      "A\r\n B: c\r\n\r\n",
                                      "A\r\n\tB: c\r\n\r\n",
                                      "A\r\nB:\tc\r\n\r\n",
                                      "A\r\nB: \xc3\xa4\r\n\r\n",
                                      "A\r\nB: c\r\r\n\r\n",
                                      "A\r\nB\r: c\r\n\r\n",
                                      "A\r\nB: \x7f\r\n\r\n"};
    struct sip_lines lines;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_true(!cut(odd[i], &lines));
    assert_true(!sip_section_lines((struct text){"A\r\nB: \0\r\n\r\n", 12}, &lines));
}

static void more_lines_than_there_is_room_for_are_left_to_others(void **unused)
{
    (void)unused;
    struct text_builder section;
    struct sip_lines lines;
    struct arena arena;
    arena_init(&arena, "test");
    builder_init(&section, &arena);
    for (size_t i = 0; i < SIP_LINES_MAX; i++)
        builder_add(&section, TEXT("A: b\r\n"));
    struct text most = text_join(&arena, builder_text(&section), TEXT("\r\n"));
    assert_true(sip_section_lines(most, &lines) && lines.count == SIP_LINES_MAX);
    assert_true(!sip_section_lines(text_join(&arena, TEXT("A: b\r\n"), most), &lines));
    arena_clear(&arena);
}

static void each_byte_of_a_long_line_is_looked_at(void **unused)
{
    static char bytes[10000];
    struct sip_lines lines;
    (void)unused;
    for (size_t odd = 1; odd < sizeof(bytes) - 4; odd += 97) {
        memset(bytes, 'a', sizeof(bytes));
        memcpy(bytes + sizeof(bytes) - 4, "\r\n\r\n", 4);
        assert_true(sip_section_lines((struct text){bytes, sizeof(bytes)}, &lines));
        bytes[odd] = '\t';
        assert_false(sip_section_lines((struct text){bytes, sizeof(bytes)}, &lines));
    }
}

/* Line ends, and what makes a section odd, at random. */
static struct text some_section(struct arena *arena)
{
    static const char *const parts[] = {"\r\n", "B: c\r\n", "\n", "\r", " ", "\t", "\x80", "long words of it"};
    struct text_builder bytes;
    builder_init(&bytes, arena);
    builder_add(&bytes, TEXT("M"));
    for (size_t i = below(12); i > 0; i--)
        builder_add(&bytes, text_of(parts[below(below(4) ? 2 : sizeof(parts) / sizeof(parts[0]))]));
    return builder_text(&bytes);
}

static void both_ways_agree(void **unused)
{
    struct arena arena;
    size_t plain = 0;
    (void)unused;
    for (int round = 0; round < SECTIONS; round++) {
        struct sip_lines lines;
        struct text line, section, rest;
        arena_init(&arena, "test");
        section = some_section(&arena);
        if (sip_section_lines(section, &lines)) {
            plain++;
            rest = text_slice(section, 0, sip_section_end(section));
            assert_int_equal(sip_lines_end(&lines), rest.length);
            for (size_t i = 0; i < lines.count; i++) {
                bool more = text_cut(rest, '\n', &line, &rest);
                assert_int_equal(more, i + 1 < lines.count);
                assert_int_equal(lines.ends[i], (size_t)(line.bytes - section.bytes) + line.length - more);
            }
        }
        arena_clear(&arena);
    }
    assert_in_range(plain, SECTIONS / 20, SECTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_end_before_their_crlf),
        cmocka_unit_test(what_is_not_plain_is_left_to_others),
        cmocka_unit_test(more_lines_than_there_is_room_for_are_left_to_others),
        cmocka_unit_test(each_byte_of_a_long_line_is_looked_at),
        cmocka_unit_test(both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
