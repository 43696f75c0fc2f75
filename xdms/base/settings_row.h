/* What setting one row takes apart: the file reader checks all values before it stores any. */
#ifndef BASE_SETTINGS_ROW_H
#define BASE_SETTINGS_ROW_H

#include "settings.h"

/* Rows are counted through the table and those it shares; the offset of each is right for the program's struct. */
size_t settings_count(const struct settings_table *table);
struct setting settings_row(const struct settings_table *table, size_t index);
bool settings_find(const struct settings_table *table, struct text name, size_t *index_out);

enum status settings_check(const struct setting *row, const char *value, char error[SETTINGS_ERROR_MAX]);

/* `value` has passed settings_check. */
void settings_store(const struct setting *row, void *target, const char *value);

/* Writes the line and returns REFUSED. */
enum status settings_error(char error[SETTINGS_ERROR_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
