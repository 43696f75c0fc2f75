/* Where finished log lines go: to standard error at once, or gathered for a moment. Seen by the log alone. */
#ifndef BASE_LOG_OUTPUT_H
#define BASE_LOG_OUTPUT_H

#include "text.h"

/* `urgent`: out before this returns, after all that came before. */
void log_output(struct text line, bool urgent);

#endif
