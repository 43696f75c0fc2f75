/* Log lines on standard error, each with one write so that lines of several threads and programs do not mix. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"

static _Atomic(const char *) log_program = "xdm";
static atomic_int log_level = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_level level)
{
    atomic_store(&log_program, program);
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR: return "ERROR";
    case LOG_LEVEL_WARNING: return "WARNING";
    case LOG_LEVEL_INFO: return "INFO";
    case LOG_LEVEL_DEBUG: return "DEBUG";
    }
    return "UNKNOWN";
}

/* Control characters (C0, DEL and, as UTF-8, C1) would forge lines or drive the reader's terminal. Bytes that are not
 * UTF-8 would make a journal store the line as binary. */
static void make_printable(char *line, size_t length)
{
    bool ascii_only = !utf8_valid((struct text){line, length});
    unsigned char previous = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];
        bool c1 = previous == 0xC2 && byte >= 0x80 && byte <= 0x9F;
        if (c1)
            line[i - 1] = '?';
        if (c1 || byte < 0x20 || byte == 0x7F || (byte >= 0x80 && ascii_only))
            line[i] = '?';
        previous = byte;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&log_level))
        return;
    int error = errno;
    struct arena arena;
    arena_init(&arena, "log line");
    struct text now = clock_write_rfc3339(&arena, clock_wall_ms());
    char line[LOG_LINE_MAX];
    size_t room = sizeof(line) - 1; /* for the line feed */
    int head = snprintf(line, room, "%.*s %s %s ", TEXT_ARG(now), level_name(level), atomic_load(&log_program));
    arena_clear(&arena);
    size_t length = head < 0 ? 0 : (size_t)head < room ? (size_t)head : room - 1;
    va_list arguments;
    va_start(arguments, format);
    int body = vsnprintf(line + length, room - length, format, arguments);
    va_end(arguments);
    if (body > 0)
        length = (size_t)body < room - length ? length + (size_t)body : room - 1;
    make_printable(line, length);
    line[length++] = '\n';
    /* When standard error is gone there is nobody to tell. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    errno = error;
}
