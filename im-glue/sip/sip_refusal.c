/* 503 for a request that gets no turn, made of its lines without reading it: that must cost little, or refusing would
 * be what takes the time. What is not written plainly goes the long way (agent_refuse). */
#include "sip_agent_private.h"

#define VIAS_MAX  8 /* who comes by more proxies is refused the long way */
#define PARTS_MAX (2 * VIAS_MAX + 24)

/* The lines that an answer takes over (RFC 3261 §8.2.6.2), as they are written. */
struct outline {
    struct text method, from, to, call_id, cseq;
    struct sip_via via;                /* the top one: host, port and branch */
    struct text via_before, via_after; /* the line of the top one without its rport */
    bool wants_port;
    size_t vias_count;
    struct text vias[VIAS_MAX];
};

/* Is it a field of that name, "Via:", or one with a single letter (which the caller knows)? */
static bool is_field(struct text line, struct text name, bool has_compact)
{
    if (line.length <= name.length)
        return has_compact && line.length > 1 && line.bytes[1] == ':';
    if ((line.bytes[1] | 0x20) != (name.bytes[1] | 0x20))
        return has_compact && line.bytes[1] == ':';
    return text_starts_with_nocase(line, name);
}

/* False: a second one of what there is one of, or with odd bytes. */
static bool put(struct text *place, struct text line)
{
    bool first = place->length == 0;
    *place = line;
    return first && sip_text_is_printable(line);
}

/* Fields by their first letter, since most are none of these. */
static bool take_line(struct outline *outline, struct text line)
{
    switch (line.bytes[0] | 0x20) {
    case 'v':
        if (!is_field(line, TEXT("Via:"), true))
            return true;
        if (outline->vias_count == VIAS_MAX || !sip_text_is_printable(line))
            return false;
        outline->vias[outline->vias_count++] = line;
        return true;
    case 'f': return !is_field(line, TEXT("From:"), true) || put(&outline->from, line);
    case 't': return !is_field(line, TEXT("To:"), true) || put(&outline->to, line);
    case 'i': return line.length < 2 || line.bytes[1] != ':' || put(&outline->call_id, line);
    case 'c':
        if (is_field(line, TEXT("Call-ID:"), false))
            return put(&outline->call_id, line);
        return !is_field(line, TEXT("CSeq:"), false) || put(&outline->cseq, line);
    default: /* what belongs to the line before, or a name with blanks before its colon, is not plain */
        return line.bytes[0] != ' ' && line.bytes[0] != '\t';
    }
}

/* Letters, digits and -._ as bits. */
static bool is_plain(char letter)
{
    static const uint64_t bits[2] = {0x03ff600000000000, 0x07fffffe87fffffe};
    unsigned char byte = (unsigned char)letter;
    return byte < 128 && (bits[byte >> 6] >> (byte & 63) & 1);
}

/* ";branch=z9hG4bK1;rport": all of plain letters. */
static bool read_parameters(struct outline *outline, struct text line, size_t at)
{
    while (at < line.length) {
        size_t begin = ++at, name_end = 0;
        for (; at < line.length && line.bytes[at] != ';'; at++) {
            if (line.bytes[at] == '=' && !name_end)
                name_end = at;
            else if (!is_plain(line.bytes[at]))
                return false;
        }
        struct text name = text_slice(line, begin, name_end ? name_end : at);
        if (text_equal_nocase(name, TEXT("branch")) && name_end) {
            outline->via.branch = text_slice(line, name_end + 1, at);
        } else if (text_equal_nocase(name, TEXT("rport"))) {
            if (name_end || outline->wants_port)
                return false;
            outline->wants_port = true;
            outline->via_before = text_slice(line, 0, begin - 1);
            outline->via_after = text_slice(line, at, line.length);
        } else if (name.length == 0 || text_equal_nocase(name, TEXT("received"))) {
            return false;
        }
    }
    return true;
}

/* "Via: SIP/2.0/UDP host:port;parameters" */
static bool read_top_via(struct outline *outline)
{
    static const struct text version = TEXT_INIT("SIP/2.0/");
    struct text line = outline->vias[0];
    size_t at = text_find_char(line, ':') + 1;
    while (at < line.length && line.bytes[at] == ' ')
        at++;
    if (!text_starts_with(text_slice(line, at, line.length), version))
        return false;
    for (at += version.length; at < line.length && is_plain(line.bytes[at]);)
        at++;
    size_t host = ++at;
    if (host >= line.length || line.bytes[host - 1] != ' ')
        return false;
    while (at < line.length && is_plain(line.bytes[at]))
        at++;
    outline->via.host = text_slice(line, host, at);
    if (at < line.length && line.bytes[at] == ':') {
        uint64_t port;
        size_t begin = ++at;
        while (at < line.length && is_plain(line.bytes[at]))
            at++;
        if (!text_to_u64(text_slice(line, begin, at), &port) || port == 0 || port > UINT16_MAX)
            return false;
        outline->via.port = (uint16_t)port;
    }
    outline->via_before = line;
    return outline->via.host.length > 0 && at < line.length && line.bytes[at] == ';' &&
           read_parameters(outline, line, at);
}

static bool read_outline(struct text bytes, struct outline *outline)
{
    const char *at = bytes.bytes, *end = bytes.bytes + bytes.length;
    for (int count = 0; count <= SIP_HEADERS_MAX; count++) {
        const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!stop || stop == at || stop[-1] != '\r')
            return false;
        struct text line = {at, (size_t)(stop - at) - 1};
        if (count == 0)
            outline->method = text_slice(line, 0, text_find_char(line, ' '));
        else if (line.length == 0)
            return outline->vias_count && outline->from.length && outline->to.length && outline->call_id.length &&
                   outline->cseq.length && sip_token_valid(outline->method) && read_top_via(outline);
        else if (!take_line(outline, line))
            return false;
        at = stop + 1;
    }
    return false;
}

struct parts {
    struct text parts[PARTS_MAX];
    size_t count;
};

static void add(struct parts *parts, struct text part)
{
    parts->parts[parts->count++] = part;
}

static void add_line(struct parts *parts, struct text line)
{
    add(parts, line);
    add(parts, TEXT("\r\n"));
}

/* The top one as sip_via_stamp leaves it. */
static void add_stamped(struct parts *parts, const struct outline *outline, const struct flow *flow,
                        struct arena *scratch)
{
    add(parts, outline->via_before);
    add(parts, outline->via_after);
    add(parts, TEXT(";received="));
    add(parts, flow_address_text(flow, scratch));
    if (outline->wants_port) {
        add(parts, TEXT(";rport="));
        add(parts, text_number(scratch, flow_port(flow)));
    }
    add(parts, TEXT("\r\n"));
}

static bool has_tag(struct text to)
{
    struct text part, name, value;
    for (size_t at; (at = text_find_char(to, '>')) < to.length;) /* a name may say anything */
        to = text_slice(to, at + 1, to.length);
    while (to.length) {
        text_cut(to, ';', &part, &to);
        text_cut(part, '=', &name, &value);
        if (text_equal_nocase(text_trim(name), TEXT("tag")))
            return true;
    }
    return false;
}

static void write_refusal(struct sip_agent *agent, const struct outline *outline, const struct flow *flow)
{
    struct text call_id =
        text_trim(text_slice(outline->call_id, text_find_char(outline->call_id, ':') + 1, outline->call_id.length));
    struct parts parts;
    parts.count = 0;
    add(&parts, TEXT("SIP/2.0 503 Service Unavailable\r\n"));
    add_stamped(&parts, outline, flow, &agent->scratch);
    for (size_t i = 1; i < outline->vias_count; i++)
        add_line(&parts, outline->vias[i]);
    add_line(&parts, outline->from);
    add(&parts, outline->to);
    if (!has_tag(outline->to)) {
        add(&parts, TEXT(";tag="));
        add(&parts, agent_stateless_tag(agent, call_id));
    }
    add(&parts, TEXT("\r\n"));
    add_line(&parts, outline->call_id);
    add_line(&parts, outline->cseq);
    add(&parts, TEXT("Retry-After: "));
    add(&parts, agent_retry_after(agent, call_id));
    add(&parts, TEXT("\r\nContent-Length: 0\r\n\r\n"));
    agent_output_parts(agent, flow, parts.parts, parts.count);
}

bool refusal_send(struct sip_agent *agent, struct text bytes, const struct flow *flow)
{
    struct outline outline;
    memset(&outline, 0, offsetof(struct outline, vias));
    if (!read_outline(bytes, &outline))
        return false;
    if (!outline.wants_port && !flow_is_connected(flow))
        return false; /* it goes to another port */
    if (server_absorb(agent, outline.method, &outline.via))
        return true;
    write_refusal(agent, &outline, flow);
    agent->turned_away++;
    return true;
}
