/* What setting one row takes apart: the file reader checks all values before it stores any. */
#ifndef BASE_SETTINGS_ROW_H
#define BASE_SETTINGS_ROW_H

#include "settings.h"

/* NULL if there is none. */
const struct setting *settings_row(const struct settings_table *table, struct text name);

enum status settings_check(const struct setting *row, const char *value, char error[SETTINGS_ERROR_MAX]);

/* `value` has passed settings_check. */
void settings_store(const struct setting *row, void *target, const char *value);

/* Writes the line and returns REFUSED. */
enum status settings_error(char error[SETTINGS_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
