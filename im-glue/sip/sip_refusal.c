/* 503 for a request that gets no turn, made of its bytes without reading it: that must cost little, or refusing would
 * be what takes the time. What is not written plainly goes the long way (agent_refuse). */
#include "sip_agent_private.h"

#define LINES_MAX 64

/* What an answer takes over from its request (RFC 3261 §8.2.6.2). */
struct outline {
    struct text method, via; /* via: value of the top one */
    struct text_builder lines;
    struct text to;
    bool has_to_tag, has_from, has_call_id, has_cseq;
};

/* "Via", "v": the name before the colon. */
static bool is(struct text name, const char *full, char compact)
{
    return name.length == 1 ? (name.bytes[0] | 0x20) == compact : text_equal_nocase(name, text_of(full));
}

static void add_line(struct outline *outline, const char *name, struct text value)
{
    builder_add(&outline->lines, text_of(name));
    builder_add(&outline->lines, value);
    builder_add(&outline->lines, TEXT("\r\n"));
}

static void take_line(struct outline *outline, struct text name, struct text value, struct text top_via)
{
    if (is(name, "Via", 'v')) {
        add_line(outline, "Via: ", outline->via.length ? value : top_via);
        outline->via = outline->via.length ? outline->via : value;
    } else if (is(name, "From", 'f')) {
        add_line(outline, "From: ", value);
        outline->has_from = true;
    } else if (is(name, "To", 't')) {
        outline->to = value;
        outline->has_to_tag = text_find(value, TEXT(";tag=")) < value.length;
    } else if (is(name, "Call-ID", 'i')) {
        add_line(outline, "Call-ID: ", value);
        outline->has_call_id = true;
    } else if (is(name, "CSeq", '\0')) {
        add_line(outline, "CSeq: ", value);
        outline->has_cseq = true;
    }
}

/* As sip_via_stamp, for a plain one. */
static struct text stamped(struct text via, const struct flow *flow, struct arena *arena)
{
    static const struct text rport = TEXT_INIT(";rport");
    struct text port = text_number(arena, flow_port(flow)), rest = {0};
    size_t at = text_find(via, rport);
    bool wants_port = at < via.length;
    if (wants_port)
        rest = text_slice(via, at + rport.length, via.length);
    return TEXT_CONCAT(arena, text_slice(via, 0, at), rest, TEXT(";received="), flow_address_text(flow, arena),
                       wants_port ? TEXT(";rport=") : TEXT(""), wants_port ? port : TEXT(""));
}

static bool read_outline(struct text bytes, const struct flow *flow, struct arena *arena, struct outline *outline)
{
    struct text line, rest, name, value;
    size_t end = text_find(bytes, TEXT("\r\n\r\n"));
    if (end == bytes.length || !sip_section_is_plain(text_slice(bytes, 0, end)))
        return false;
    bool more = text_cut(text_slice(bytes, 0, end), '\n', &line, &rest);
    struct sip_via via;
    text_cut(line, ' ', &outline->method, &value);
    for (int count = 0; more; count++) {
        more = text_cut(rest, '\n', &line, &rest);
        if (count == LINES_MAX || !text_cut(line, ':', &name, &value) || name.length == 0 || name.bytes[0] == ' ')
            return false;
        value = text_trim(value);
        bool is_top = outline->via.length == 0 && is(name, "Via", 'v');
        /* A parameter that the request came with already must not stand there twice. */
        if (is_top && (!sip_plain_via(value, &via) || text_find(value, TEXT(";received")) < value.length ||
                       text_find(value, TEXT(";rport=")) < value.length))
            return false;
        take_line(outline, name, value, is_top ? stamped(value, flow, arena) : value);
    }
    return outline->via.length && outline->to.length && outline->has_from && outline->has_call_id &&
           outline->has_cseq && sip_token_valid(outline->method);
}

bool refusal_send(struct sip_agent *agent, struct text bytes, const struct flow *flow)
{
    struct arena *scratch = &agent->scratch;
    struct outline outline = {0};
    struct sip_via via;
    builder_init(&outline.lines, scratch);
    if (!read_outline(bytes, flow, scratch, &outline) || !sip_plain_via(outline.via, &via))
        return false;
    if (server_absorb(agent, outline.method, &via))
        return true;
    struct text unused;
    struct flow answer = *flow;
    if (!flow_is_connected(flow) && !sip_parameter(via.parameters, "rport", &unused))
        return false; /* it goes to another port */
    struct text tag = TEXT(";tag=busy");
    builder_add(&outline.lines, TEXT("To: "));
    builder_add(&outline.lines, outline.to);
    builder_add(&outline.lines, outline.has_to_tag ? TEXT("") : tag);
    agent_output(agent, &answer,
                 TEXT_CONCAT(scratch, TEXT("SIP/2.0 503 Service Unavailable\r\n"), builder_text(&outline.lines),
                             TEXT("\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n")));
    agent->turned_away++;
    return true;
}
