/* Log lines: level, time and program before the message, and nothing in it that could be taken for another line. Where
 * they go is log_output.c's affair. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "clock.h"
#include "log_output.h"

#define NAME_LENGTH_MAX 64 /* of a program */

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

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static struct text level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR: return TEXT("ERROR");
    case LOG_LEVEL_WARNING: return TEXT("WARNING");
    case LOG_LEVEL_INFO: return TEXT("INFO");
    case LOG_LEVEL_DEBUG: return TEXT("DEBUG");
    }
    return TEXT("UNKNOWN");
}

/* Control characters (C0, DEL and, as UTF-8, C1) would forge lines or drive the reader's terminal. Bytes that are not
 * UTF-8 would make a journal store the line as binary. */
static void make_printable(char *line, size_t length)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < length; i++)
        odd |= (unsigned char)((line[i] < 0x20) | (line[i] == 0x7F)); /* those above are negative */
    if (!odd)
        return;
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

static size_t put(char *out, struct text text)
{
    memcpy(out, text.bytes, text.length);
    out[text.length] = ' ';
    return text.length + 1;
}

/* Time, level and program with a space after each. */
static size_t put_head(char line[LOG_LINE_MAX], enum log_level level)
{
    struct text program = text_of(atomic_load(&log_program));
    size_t length = clock_put_rfc3339(clock_wall_ms(), line);
    line[length++] = ' ';
    length += put(line + length, level_name(level));
    if (program.length > NAME_LENGTH_MAX)
        program.length = NAME_LENGTH_MAX;
    return length + put(line + length, program);
}

static void finish(char line[LOG_LINE_MAX], size_t length, enum log_level level)
{
    make_printable(line, length);
    line[length++] = '\n';
    log_output((struct text){line, length}, level <= LOG_LEVEL_WARNING);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_wants(level))
        return;
    int error = errno;
    char line[LOG_LINE_MAX];
    size_t length = put_head(line, level);
    size_t room = sizeof(line) - 1 - length; /* one is for the line feed */
    va_list arguments;
    va_start(arguments, format);
    int body = vsnprintf(line + length, room, format, arguments);
    va_end(arguments);
    if (body > 0)
        length += (size_t)body < room ? (size_t)body : room - 1;
    finish(line, length, level);
    errno = error;
}

void log_text(enum log_level level, struct text message)
{
    if (!log_wants(level))
        return;
    int error = errno;
    char line[LOG_LINE_MAX];
    size_t length = put_head(line, level);
    size_t room = sizeof(line) - 1 - length;
    size_t taken = message.length < room ? message.length : room;
    if (taken)
        memcpy(line + length, message.bytes, taken);
    finish(line, length + taken, level);
    errno = error;
}
