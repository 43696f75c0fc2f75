/* One line per event on standard error: time, level, program, then the message ("key=value" pairs after the first
 * words). Control characters in arguments are written as '?', so that a peer cannot forge lines. Thread-safe. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX 2048 /* longer lines are cut: a log line is read by people */

void log_open(const char *program, enum log_level level);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level); /* for lines that cost something to make */

/* From here to the end of the process, lines are gathered for LOG_DELAY_MS and written together by a thread of their
 * own, in the order in which they came. Errors and warnings come out at once, with all that came before them. Nothing
 * gathered is lost at exit(), return from main, abort() or a crash; SIGKILL can take the last LOG_DELAY_MS. When
 * standard error takes no more, callers wait. Without this call each line is written at once; a second one does
 * nothing. */
#define LOG_DELAY_MS 5
void log_gather(void);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_text(enum log_level level, struct text message);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
