/* Compares slices in cmocka tests and shows both on a failure. Include after cmocka.h. */
#ifndef SUPPORT_ASSERT_TEXT_H
#define SUPPORT_ASSERT_TEXT_H

#include "text.h"

#define assert_text(actual, expected)                                                                                  \
    do {                                                                                                               \
        struct text actual_text_ = (actual), expected_text_ = text_of(expected);                                       \
        if (!text_equal(actual_text_, expected_text_))                                                                 \
            fail_msg("got '%.*s', not '%.*s'", TEXT_ARG(actual_text_), TEXT_ARG(expected_text_));                      \
    } while (0)

#endif
