/* The only readers of the system's clocks. Protocol code gets the time as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "text.h"

/* Both clocks at one moment, as protocol code gets them. */
struct instant {
    int64_t monotonic_ms;
    int64_t wall_ms;
};

struct instant clock_now(void);
int64_t clock_wall_ms(void);      /* since 1970-01-01T00:00:00Z; may jump */
int64_t clock_monotonic_ms(void); /* never goes back */
int64_t clock_monotonic_us(void); /* for measuring */
int64_t clock_thread_us(void);    /* processor time of this thread so far: what it did, not how long it waited */

/* clock_monotonic_ms, up to 10 ms late and several times cheaper: for deadlines that are moved all the time. */
int64_t clock_monotonic_coarse_ms(void);

/* "2026-01-05T10:00:00.123Z" and "Mon, 05 Jan 2026 10:00:00 GMT" (RFC 3339; RFC 9110 §5.6.7, RFC 3261 §20.17). */
struct text clock_write_rfc3339(struct arena *arena, int64_t wall_ms);
#define CLOCK_RFC3339_LENGTH 24
size_t clock_put_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LENGTH]); /* the same without NUL; the length */
struct text clock_write_http_date(struct arena *arena, int64_t wall_ms);

/* Parses xs:dateTime / RFC 3339 with any offset; a missing offset is read as UTC. */
bool clock_parse_rfc3339(struct text text, int64_t *wall_ms_out);

/* Parses an HTTP date in the form above; the two forms that RFC 9110 §5.6.7 calls obsolete are no dates here. */
bool clock_parse_http_date(struct text text, int64_t *wall_ms_out);

#endif
