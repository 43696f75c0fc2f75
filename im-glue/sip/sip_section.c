/* The lines of a header section: where they end, and where all of them do. */
#include "sip_message_private.h"

/* A search for the first byte alone is so much faster than one for all four that it may be done for each line. */
size_t sip_section_end(struct text bytes)
{
    static const struct text end = TEXT_INIT("\r\n\r\n");
    for (struct text rest = bytes; rest.length >= end.length;) {
        const char *found = memchr(rest.bytes, '\r', rest.length - end.length + 1);
        if (!found)
            break;
        if (memcmp(found, end.bytes, end.length) == 0)
            return (size_t)(found - bytes.bytes);
        rest = text_slice(rest, (size_t)(found - rest.bytes) + 1, rest.length);
    }
    return bytes.length;
}

#define LANES     16
#define ROUND_MAX 255 /* of what is counted in a byte */

typedef unsigned char lanes __attribute__((vector_size(LANES)));

static size_t count_odd(const char *bytes, size_t length)
{
    size_t odd = 0;
    for (size_t i = 0; i < length; i++)
        odd += (unsigned char)(bytes[i] - 0x20) >= 0x5f;
    return odd;
}

/* Not printable in ASCII; sixteen bytes at a time, since each byte of each message passes here. */
static size_t count_all_odd(struct text text)
{
    size_t odd = 0, at = 0;
    while (text.length - at >= LANES) {
        lanes counts = {0};
        for (size_t round = 0; round < ROUND_MAX && text.length - at >= LANES; round++, at += LANES) {
            lanes some;
            memcpy(&some, text.bytes + at, sizeof(some));
            counts -= (lanes)(some - 0x20 >= 0x5f); /* true is -1 */
        }
        for (size_t i = 0; i < LANES; i++)
            odd += counts[i];
    }
    return odd + count_odd(text.bytes + at, text.length - at);
}

bool sip_section_lines(struct text bytes, struct sip_lines *lines_out)
{
    struct sip_lines *lines = lines_out;
    const size_t most = bytes.length < UINT16_MAX ? bytes.length : UINT16_MAX;
    size_t begin = 0;
    lines->count = 0;
    while (true) {
        const char *feed = begin < most ? memchr(bytes.bytes + begin, '\n', most - begin) : NULL;
        size_t at = feed ? (size_t)(feed - bytes.bytes) : 0;
        if (!feed || at == begin || feed[-1] != '\r')
            return false;
        if (at == begin + 1) /* the blank line */
            break;
        if (lines->count == SIP_LINES_MAX || bytes.bytes[begin] == ' ')
            return false;
        lines->ends[lines->count++] = (uint16_t)(at - 1);
        begin = at + 1;
    }
    /* Odd is the CRLF between two of them, and else nothing. */
    return lines->count > 0 && count_all_odd(text_slice(bytes, 0, sip_lines_end(lines))) == 2 * (lines->count - 1);
}
