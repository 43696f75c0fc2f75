/* Messages out of a stream (RFC 3261 §18.3): framing by Content-Length, keep-alive by blank lines (RFC 5626 §3.5.1). A
 * stream whose framing is lost is closed: what follows could be anyone's words in anyone's mouth. */
#include <stdlib.h>

#include "sip_agent_private.h"

#define BUFFER_MIN 1024

/* False: so much is unfinished on all streams together that there is no room for more. */
static bool append(struct sip_agent *agent, struct link *link, struct text bytes)
{
    size_t needed = link->length + bytes.length;
    if (needed > link->capacity) {
        size_t capacity = link->capacity ? link->capacity : BUFFER_MIN;
        while (capacity < needed)
            capacity *= 2;
        if (link->length > 0 && agent->bytes + capacity - link->capacity > agent->settings.bytes_max)
            return false;
        agent->bytes += capacity - link->capacity;
        link->buffer = memory_resize(link->buffer, capacity);
        link->capacity = capacity;
    }
    if (bytes.length > 0)
        memcpy(link->buffer + link->length, bytes.bytes, bytes.length);
    link->length = needed;
    return true;
}

static void lose_framing(struct sip_agent *agent, struct link *link, struct text bytes, const struct flow *flow,
                         int status, const char *reason)
{
    struct sip_message *message;
    struct sip_fault fault;
    sip_message_parse(bytes, &message, &fault);
    if (message && sip_is_request(message)) {
        sip_via_stamp(message, flow_address_text(flow, &agent->scratch), flow_port(flow));
        server_refuse(agent, message, status, reason, flow);
    }
    sip_message_free(message);
    agent_close(agent, flow);
    link->dead = true;
}

/* Most lines are not worth a second look. */
static bool may_be_length(struct text line)
{
    char first = line.length ? line.bytes[0] : '\0';
    return (first | 0x20) == 'c' || (first | 0x20) == 'l' || first == ' ' || first == '\t' || first == '\r';
}

static bool is_length_name(struct text name)
{
    name = text_trim(name);
    return text_equal_nocase(name, TEXT("Content-Length")) || text_equal_nocase(name, TEXT("l"));
}

/* What the lines say so far. */
struct framing {
    bool found;
    uint64_t length;
};

/* NULL, or what is wrong. */
static const char *look_at(struct framing *framing, struct text line)
{
    struct text name, value;
    if (!may_be_length(line) || !text_cut(line, ':', &name, &value) || !is_length_name(name))
        return NULL;
    if (framing->found)
        return "Repeated Content-Length";
    framing->found = true;
    return text_to_u64(text_trim(value), &framing->length) ? NULL : "Bad Content-Length";
}

/* The one Content-Length of a header section; NULL, or what is wrong. A folded one is none: its value is empty. */
static const char *read_length(struct text section, const struct sip_lines *lines, uint64_t *length_out)
{
    struct framing framing = {0};
    struct text line, rest = section;
    const char *fault = NULL;
    size_t begin = 0;
    for (size_t i = 0; lines && i < lines->count && !fault; begin = lines->ends[i++] + 2u)
        fault = look_at(&framing, text_slice(section, begin, lines->ends[i]));
    for (bool more = !lines; more && !fault;) {
        more = text_cut(rest, '\n', &line, &rest);
        fault = look_at(&framing, line);
    }
    *length_out = framing.length;
    return fault || framing.found ? fault : "Missing Content-Length";
}

/* Sets link->whole once the header section is there. */
static void find_end(struct sip_agent *agent, struct link *link, struct text rest, const struct flow *flow)
{
    static const struct text end = TEXT_INIT("\r\n\r\n");
    struct sip_lines lines;
    size_t from = link->scanned < end.length ? 0 : link->scanned - (end.length - 1);
    bool is_plain = link->scanned == 0 && sip_section_lines(rest, &lines);
    size_t at = is_plain ? sip_lines_end(&lines) : from + sip_section_end(text_slice(rest, from, rest.length));
    link->scanned = rest.length;
    if (at > SIP_HEADER_BYTES_MAX) {
        lose_framing(agent, link, rest, flow, 513, "Header section too large");
        return;
    }
    if (at >= rest.length)
        return;
    uint64_t length;
    struct text section = text_slice(rest, 0, at + end.length);
    const char *fault = read_length(section, is_plain ? &lines : NULL, &length);
    if (fault)
        lose_framing(agent, link, section, flow, 400, fault);
    else if (length > agent->settings.body_max)
        lose_framing(agent, link, section, flow, 513, sip_reason(513));
    else
        link->whole = section.length + (size_t)length;
}

/* Bytes used up, 0: more must come. */
static size_t take_message(struct sip_agent *agent, struct link *link, struct text rest, const struct flow *flow,
                           int64_t now_ms)
{
    size_t whole = link->whole;
    if (whole == 0) {
        find_end(agent, link, rest, flow);
        whole = link->whole;
    }
    if (link->dead || whole == 0 || rest.length < whole)
        return 0;
    link->whole = link->scanned = 0;
    agent_message(agent, text_slice(rest, 0, whole), flow, now_ms);
    return whole;
}

static size_t take_blank_line(struct sip_agent *agent, struct link *link, const struct flow *flow, bool *answered)
{
    if (++link->blank_lines == 2) {
        link->blank_lines = 0;
        /* One answer for a piece full of them: a flood is not answered by a flood. */
        if (!*answered)
            agent_output(agent, flow, TEXT("\r\n"));
        *answered = true;
    }
    return 2;
}

static void give_up(struct sip_agent *agent, struct link *link, const struct flow *flow)
{
    agent_close(agent, flow);
    link->dead = true;
    link->length = 0;
    link_release(agent, link);
}

/* What is left behind the last whole message. */
static struct text take_all(struct sip_agent *agent, struct link *link, struct text bytes, const struct flow *flow,
                            int64_t now_ms)
{
    bool answered = false;
    size_t at = 0;
    link->busy = true;
    for (size_t used = 1; used > 0 && at < bytes.length && !link->dead; at += used) {
        struct text rest = text_slice(bytes, at, bytes.length);
        if (link->whole == 0 && text_starts_with(rest, TEXT("\r\n"))) {
            used = take_blank_line(agent, link, flow, &answered);
        } else if (text_equal(rest, TEXT("\r"))) {
            used = 0;
        } else {
            link->blank_lines = 0;
            used = take_message(agent, link, rest, flow, now_ms);
        }
    }
    link->busy = false;
    return text_slice(bytes, link->dead ? bytes.length : at, bytes.length);
}

/* Messages that come whole, as nearly all do, are read where they are. */
static void take_rest(struct sip_agent *agent, struct link *link, struct text rest, const struct flow *flow)
{
    if (!append(agent, link, rest))
        return give_up(agent, link, flow);
    link_release(agent, link);
}

/* Nothing is known of the stream, and if its messages come whole, nothing need be. */
static void take_new(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct link passing = {0};
    struct text rest = take_all(agent, &passing, bytes, flow, now_ms);
    if (rest.length == 0 && passing.blank_lines == 0 && !passing.dead)
        return;
    struct link *link = link_take(agent, flow); /* which may be there now for what was sent */
    link->whole = passing.whole;
    link->scanned = passing.scanned;
    link->blank_lines = passing.blank_lines;
    link->dead = passing.dead;
    take_rest(agent, link, rest, flow);
}

void stream_input(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct link *link = link_find(agent, flow);
    if (bytes.length == 0 || (link && link->dead))
        return;
    if (!link)
        return take_new(agent, bytes, flow, now_ms);
    if (link->length == 0)
        return take_rest(agent, link, take_all(agent, link, bytes, flow, now_ms), flow);
    if (!append(agent, link, bytes))
        return give_up(agent, link, flow);
    struct text rest = take_all(agent, link, (struct text){link->buffer, link->length}, flow, now_ms);
    if (rest.length > 0 && rest.length < link->length)
        memmove(link->buffer, rest.bytes, rest.length);
    link->length = rest.length;
    link_release(agent, link);
}
