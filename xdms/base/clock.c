/* Reading clocks and writing dates. Month and day names are English whatever the locale is. */
#include "clock.h"

#include <assert.h>
#include <time.h>

#include "arena.h"

#define MS_PER_SECOND    1000
#define SECONDS_PER_DAY  86400
#define HTTP_DATE_LENGTH (sizeof("Mon, 05 Jan 2026 10:00:00 GMT") - 1)
#define SECONDS_MIN      (-62167219200) /* 0000-01-01T00:00:00Z */
#define SECONDS_MAX      253402300799   /* 9999-12-31T23:59:59Z: both formats have four digits for the year */

static int64_t read_clock_ms(clockid_t clock)
{
    struct timespec now;
    int error = clock_gettime(clock, &now);
    assert(error == 0);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

struct instant clock_now(void)
{
    return (struct instant){.monotonic_ms = clock_monotonic_ms(), .wall_ms = clock_wall_ms()};
}

int64_t clock_wall_ms(void)
{
    return read_clock_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return read_clock_ms(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_coarse_ms(void)
{
    return read_clock_ms(CLOCK_MONOTONIC_COARSE);
}

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now;
    int error = clock_gettime(clock, &now);
    assert(error == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t clock_thread_us(void)
{
    return read_clock_us(CLOCK_THREAD_CPUTIME_ID);
}

/* As gmtime_r for years from 0, which takes a lock of the whole process. Counted in days from 1 March of year 0, so
 * that the leap day is the last of its year; 400 years have 146,097 days. */
static struct tm calendar(int64_t seconds)
{
    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    int second_of_day = (int)(seconds - days * SECONDS_PER_DAY);
    int64_t from_march = days + 719468; /* of 1970-01-01 */
    int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
    int day = (int)(from_march - era * 146097);
    int year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int day_of_year = day - (365 * year + year / 4 - year / 100);
    int month = (5 * day_of_year + 2) / 153; /* 0 is March */
    bool next_year = month >= 10;
    return (struct tm){
        .tm_year = (int)(year + era * 400) + next_year - 1900,
        .tm_mon = next_year ? month - 10 : month + 2,
        .tm_mday = day_of_year - (153 * month + 2) / 5 + 1,
        .tm_wday = (int)(((days + 4) % 7 + 7) % 7),
        .tm_hour = second_of_day / 3600,
        .tm_min = second_of_day / 60 % 60,
        .tm_sec = second_of_day % 60,
    };
}

/* Splits into calendar fields and the milliseconds left over; what the formats cannot say becomes the nearest they can.
 */
static struct tm split(int64_t wall_ms, int *milliseconds_out)
{
    time_t seconds = wall_ms / MS_PER_SECOND;
    int milliseconds = (int)(wall_ms % MS_PER_SECOND);
    if (milliseconds < 0) {
        milliseconds += MS_PER_SECOND;
        seconds--;
    }
    if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) {
        milliseconds = seconds < SECONDS_MIN ? 0 : MS_PER_SECOND - 1;
        seconds = seconds < SECONDS_MIN ? SECONDS_MIN : SECONDS_MAX;
    }
    *milliseconds_out = milliseconds;
    return calendar(seconds);
}

/* Decimal digits with leading zeros, as many as fit `size`. */
static char *put_digits(char *out, int value, int size)
{
    for (int i = size - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + size;
}

static char *put(char *out, const char *text)
{
    while (*text)
        *out++ = *text++;
    return out;
}

static char *put_time(char *out, const struct tm *fields)
{
    out = put_digits(out, fields->tm_hour, 2);
    out = put_digits(put(out, ":"), fields->tm_min, 2);
    return put_digits(put(out, ":"), fields->tm_sec, 2);
}

size_t clock_put_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LENGTH])
{
    int milliseconds;
    struct tm fields = split(wall_ms, &milliseconds);
    char *at = put_digits(out, fields.tm_year + 1900, 4);
    at = put_digits(put(at, "-"), fields.tm_mon + 1, 2);
    at = put_digits(put(at, "-"), fields.tm_mday, 2);
    at = put_time(put(at, "T"), &fields);
    at = put_digits(put(at, "."), milliseconds, 3);
    *at = 'Z';
    return CLOCK_RFC3339_LENGTH;
}

struct text clock_write_rfc3339(struct arena *arena, int64_t wall_ms)
{
    char *out = arena_alloc_raw(arena, CLOCK_RFC3339_LENGTH);
    return (struct text){out, clock_put_rfc3339(wall_ms, out)};
}

static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct text clock_write_http_date(struct arena *arena, int64_t wall_ms)
{
    int milliseconds;
    struct tm fields = split(wall_ms, &milliseconds);
    char *out = arena_alloc_raw(arena, HTTP_DATE_LENGTH);
    char *at = put_digits(put(put(out, days[fields.tm_wday]), ", "), fields.tm_mday, 2);
    at = put_digits(put(put(put(at, " "), months[fields.tm_mon]), " "), fields.tm_year + 1900, 4);
    at = put(put_time(put(at, " "), &fields), " GMT");
    return (struct text){out, (size_t)(at - out)};
}

/* Takes exactly `count` digits from the front. */
static bool take_digits(struct text *rest, size_t count, int *value_out)
{
    uint64_t value;
    if (rest->length < count || !text_to_u64(text_slice(*rest, 0, count), &value))
        return false;
    *rest = text_slice(*rest, count, rest->length);
    *value_out = (int)value;
    return true;
}

static bool take_char(struct text *rest, const char *one_of)
{
    if (rest->length == 0 || rest->bytes[0] == '\0' || !strchr(one_of, rest->bytes[0]))
        return false;
    *rest = text_slice(*rest, 1, rest->length);
    return true;
}

static bool set_date(int year, int month, int day, struct tm *fields_out);

static bool take_date(struct text *rest, struct tm *fields_out)
{
    int year, month, day;
    return take_digits(rest, 4, &year) && take_char(rest, "-") && take_digits(rest, 2, &month) &&
           take_char(rest, "-") && take_digits(rest, 2, &day) && set_date(year, month, day, fields_out);
}

/* False if there is no such day. */
static bool set_date(int year, int month, int day, struct tm *fields_out)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return false;
    bool leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > month_days[month - 1] + (month == 2 && leap_year))
        return false;
    fields_out->tm_year = year - 1900;
    fields_out->tm_mon = month - 1;
    fields_out->tm_mday = day;
    return true;
}

/* Digits behind the third are finer than we count. */
static bool take_fraction(struct text *rest, int *milliseconds_out)
{
    *milliseconds_out = 0;
    if (!take_char(rest, "."))
        return true;
    int digit;
    int weight = 100;
    size_t length = rest->length;
    while (take_digits(rest, 1, &digit)) {
        *milliseconds_out += digit * weight;
        weight /= 10;
    }
    return rest->length < length;
}

/* 24:00:00 is the end of the day in xs:dateTime; second 60 is a leap second in RFC 3339. Both carry over. */
static bool take_time(struct text *rest, struct tm *fields_out, int *milliseconds_out)
{
    if (!take_digits(rest, 2, &fields_out->tm_hour) || !take_char(rest, ":") ||
        !take_digits(rest, 2, &fields_out->tm_min) || !take_char(rest, ":") ||
        !take_digits(rest, 2, &fields_out->tm_sec) || !take_fraction(rest, milliseconds_out))
        return false;
    if (fields_out->tm_hour == 24)
        return fields_out->tm_min == 0 && fields_out->tm_sec == 0 && *milliseconds_out == 0;
    return fields_out->tm_hour < 24 && fields_out->tm_min < 60 && fields_out->tm_sec <= 60;
}

static bool take_offset(struct text *rest, int *minutes_out)
{
    *minutes_out = 0;
    if (rest->length == 0 || take_char(rest, "Zz"))
        return true;
    int sign = rest->bytes[0] == '-' ? -1 : 1;
    int hours, minutes;
    if (!take_char(rest, "+-") || !take_digits(rest, 2, &hours) || !take_char(rest, ":") ||
        !take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *minutes_out = sign * (hours * 60 + minutes);
    return true;
}

bool clock_parse_rfc3339(struct text text, int64_t *wall_ms_out)
{
    struct tm fields = {0};
    int milliseconds, offset_minutes;
    if (!take_date(&text, &fields) || !take_char(&text, "Tt") || !take_time(&text, &fields, &milliseconds) ||
        !take_offset(&text, &offset_minutes) || text.length > 0)
        return false;
    int64_t seconds = (int64_t)timegm(&fields) - (int64_t)offset_minutes * 60;
    *wall_ms_out = seconds * MS_PER_SECOND + milliseconds;
    return true;
}

/* Which of `names`, each of three letters, stands in front: its place, or -1. */
static int take_name(struct text *rest, const char (*names)[4], int count)
{
    for (int i = 0; i < count; i++) {
        if (!text_starts_with(*rest, text_of(names[i])))
            continue;
        *rest = text_slice(*rest, 3, rest->length);
        return i;
    }
    return -1;
}

bool clock_parse_http_date(struct text text, int64_t *wall_ms_out)
{
    struct tm fields = {0};
    int year, month, day, milliseconds;
    text = text_trim(text);
    if (take_name(&text, days, 7) < 0 || !take_char(&text, ",") || !take_char(&text, " ") ||
        !take_digits(&text, 2, &day) || !take_char(&text, " "))
        return false;
    month = take_name(&text, months, 12) + 1;
    if (!take_char(&text, " ") || !take_digits(&text, 4, &year) || !take_char(&text, " ") ||
        !set_date(year, month, day, &fields) || !take_time(&text, &fields, &milliseconds) ||
        !text_equal(text, TEXT(" GMT")))
        return false;
    *wall_ms_out = (int64_t)timegm(&fields) * MS_PER_SECOND;
    return true;
}
