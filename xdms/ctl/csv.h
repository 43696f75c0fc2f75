/* Tables as spreadsheets and databases write them (RFC 4180): records of fields, the first one names the columns.
 * Fields are separated by commas, semicolons or tabs, whichever the first record has. */
#ifndef CTL_CSV_H
#define CTL_CSV_H

#include <stdio.h>

#include "arena.h"
#include "text.h"

#define CSV_FIELDS_MAX 32
#define CSV_BYTES_MAX  (1u << 20) /* of one record: more is a quote that does not end */

struct csv {
    FILE *file;
    char separator; /* 0: not known yet */
    size_t line;    /* of the record read last: where it begins, 1… */
    size_t lines;   /* read so far */
};

struct csv_record {
    struct text fields[CSV_FIELDS_MAX]; /* without their quotes */
    size_t count;
};

enum csv_result { CSV_RECORD, CSV_END, CSV_BROKEN /* quotes that do not match, too long, too many fields */ };

/* Empty lines are passed over. After CSV_BROKEN the next record may be read. */
enum csv_result csv_next(struct csv *csv, struct arena *arena, struct csv_record *record_out);

/* Adds a field with the quotes that it needs. */
void csv_add(struct text_builder *record, struct text field, bool first);

#endif
