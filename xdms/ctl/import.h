/* What reads files for an import, and what sends them: lines of POST /api/v1/import, each with where it came from. */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "ctl.h"

enum import_kind { IMPORT_USER, IMPORT_DOCUMENT };

struct import_item {
    enum import_kind kind;
    const char *file; /* as the operator named it */
    size_t line;      /* 0: the whole file */
    struct text json; /* one line without its end */
    struct text row;  /* for the report, when that is a table; empty: the line itself is reported */
};

struct import_run;

/* False: the import has come to its end, because of the server. The item is copied. */
bool import_add(struct import_run *run, const struct import_item *item);

/* What never gets to the server. */
void import_refuse(struct import_run *run, const struct import_item *item, const char *why);

/* The first row of a report that is a table. */
void import_report_columns(struct import_run *run, struct text columns);
void import_progress(struct import_run *run, size_t bytes); /* so many more have been read */

/* Each reads one source to its end. OK, or REFUSED when it cannot be used at all, which has been said. */
enum ctl_exit import_tree(struct ctl *ctl, struct import_run *run, const char *folder);
enum ctl_exit import_table(struct ctl *ctl, struct import_run *run, const char *path, FILE *file);
enum ctl_exit import_lines(struct ctl *ctl, struct import_run *run, const char *path, FILE *file);

/* A string of JSON with its quotes. The text is UTF-8. */
void import_add_string(struct text_builder *line, struct text text);

#endif
