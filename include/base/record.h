/* The bytes of internal documents (users, bindings, stored messages, message fates): named binary fields.
 * Wire form per field: name length (1 byte), name, value length (4 bytes, big-endian), value. Unknown fields are kept
 * by whoever rewrites them with record_copy, so that an older program does not destroy what a newer one wrote. */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include "status.h"
#include "text.h"

#define RECORD_FIELDS_MAX 256 /* a record is small; a longer one is damage */

/* Appends a field: length of the name in one byte, name, length of the value in four (big-endian), value. Numbers are
 * written in decimal. */
void record_add(struct text_builder *record, const char *name, struct text value);
void record_add_number(struct text_builder *record, const char *name, int64_t value);

/* Appends the fields of `old` whose names are not among `known`: what this program does not understand. */
void record_copy(struct text_builder *record, struct text old, const char *const *known, size_t known_count);

/* First field with that name; false if there is none. */
bool record_get(struct text record, const char *name, struct text *value_out);
struct text record_text(struct text record, const char *name); /* empty if absent */

/* All fields in one pass, fastest when `fields` is in the order in which they were added. What is absent stays as it
 * is. False when the record is damaged (record_valid). */
struct record_field {
    struct text name;
    struct text *value;
};
bool record_read(struct text record, const struct record_field *fields, size_t count);

int64_t record_number(struct text record, const char *name, int64_t value_if_absent); /* also when not a number */

/* Value of a field that record_add_number added. */
int64_t record_to_number(struct text value, int64_t value_if_none);

/* Walks all fields: start with *cursor = 0; false at the end or at damage. */
bool record_next(struct text record, size_t *cursor, struct text *name_out, struct text *value_out);

/* True if the whole is fields from first to last byte. */
bool record_valid(struct text record);

#endif
