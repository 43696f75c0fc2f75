/* Bytes to a message. The header section is cut into lines here, strictly; the library then judges single fields. It
 * never sees the body, a line end or a message whose size is not bounded (it is quadratic there). */
#include "sip_message_private.h"

struct reading {
    struct sip_message *message;
    struct sip_fault fault; /* the first one */
    unsigned seen;          /* fields that came whole: 1 << enum sip_view */
    bool has_length;
    bool printable;  /* the whole section, but for its line ends */
    uint64_t length; /* Content-Length */
};

static void blame(struct reading *reading, int code, const char *reason)
{
    if (reading->fault.reason == NULL)
        reading->fault = (struct sip_fault){code, reason};
}

/* --- start line ------------------------------------------------------------------------------------------------- */

static bool is_version(struct text text)
{
    struct text major, minor;
    uint64_t number;
    return text_starts_with_nocase(text, TEXT("SIP/")) &&
           text_cut(text_slice(text, 4, text.length), '.', &major, &minor) && text_to_u64(major, &number) &&
           text_to_u64(minor, &number);
}

/* "SIP/2.0 200 OK": also without a reason, and then without the space before it. */
static bool read_status_line(struct reading *reading, struct text line)
{
    struct text version, rest, digits, reason;
    uint64_t status;
    text_cut(line, ' ', &version, &rest);
    text_cut(rest, ' ', &digits, &reason);
    if (!text_equal_nocase(version, TEXT("SIP/2.0")) || digits.length != 3 || !text_to_u64(digits, &status))
        return false;
    return sip_start_response(reading->message, (int)status, reason);
}

static bool read_request_line(struct reading *reading, struct text line)
{
    struct text method, rest;
    size_t last = line.length;
    while (last > 0 && line.bytes[last - 1] != ' ')
        last--;
    struct text version = text_slice(line, last, line.length);
    if (!is_version(version) || !text_cut(text_slice(line, 0, last - 1), ' ', &method, &rest) ||
        !sip_token_valid(method))
        return false;
    if (!text_equal_nocase(version, TEXT("SIP/2.0")))
        blame(reading, 505, sip_reason(505));
    if (rest.length > URI_LENGTH_MAX)
        blame(reading, 414, sip_reason(414));
    if (!sip_start_request(reading->message, method, rest))
        blame(reading, 400, "Bad Request-URI");
    return true;
}

/* False: this is no SIP at all. */
static bool read_start_line(struct reading *reading, struct text line)
{
    if (text_starts_with_nocase(line, TEXT("SIP/")))
        return read_status_line(reading, line);
    size_t length = line.length;
    while (line.length > 0 && line.bytes[line.length - 1] == ' ')
        line.length--;
    if (line.length < length)
        blame(reading, 400, "Bad start line");
    return read_request_line(reading, line);
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

/* One phrase for each name whose value decides something: reasons are static. */
static const char *reason_for(const struct sip_field_rule *rule, enum sip_field_result result)
{
    static const struct {
        const char *name, *bad, *repeated;
    } reasons[] = {
        {"Via", "Bad Via", NULL},
        {"From", "Bad From", "Repeated From"},
        {"To", "Bad To", "Repeated To"},
        {"Call-ID", "Bad Call-ID", "Repeated Call-ID"},
        {"CSeq", "Bad CSeq", "Repeated CSeq"},
        {"Contact", "Bad Contact", NULL},
        {"Route", "Bad Route", NULL},
        {"Record-Route", "Bad Record-Route", NULL},
        {"Path", "Bad Path", NULL},
        {"Service-Route", "Bad Service-Route", NULL},
        {"Max-Forwards", "Bad Max-Forwards", "Repeated Max-Forwards"},
        {"Content-Type", "Bad Content-Type", "Repeated Content-Type"},
        {"Refer-To", "Bad Refer-To", "Repeated Refer-To"},
    };
    for (size_t i = 0; rule && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (text_equal(text_of(reasons[i].name), rule->name))
            return result == SIP_FIELD_REPEATED ? reasons[i].repeated : reasons[i].bad;
    }
    return result == SIP_FIELD_REPEATED ? "Repeated header field" : "Bad header field";
}

/* Two lengths, a sign or an overflow would let two readers see different messages (RFC 3261 §18.3). */
static void read_length(struct reading *reading, struct text value)
{
    if (reading->has_length)
        blame(reading, 400, "Repeated Content-Length");
    else if (!text_to_u64(value, &reading->length))
        blame(reading, 400, "Bad Content-Length");
    reading->has_length = true;
}

static void read_field(struct reading *reading, struct text line)
{
    struct text name, value;
    if (!text_cut(line, ':', &name, &value)) {
        blame(reading, 400, "Bad header field");
        return;
    }
    while (name.length > 0 && name.bytes[name.length - 1] == ' ')
        name.length--;
    value = text_trim(value);
    const struct sip_name long_name = sip_name_of(name);
    if (text_equal_nocase(long_name.text, TEXT("Content-Length"))) {
        read_length(reading, value);
        return;
    }
    enum sip_field_result result = sip_field_append(reading->message, &long_name, value, reading->printable);
    if (result == SIP_FIELD_ADDED && long_name.rule)
        reading->seen |= 1u << long_name.rule->view;
    if (result == SIP_FIELD_TOO_MANY)
        blame(reading, 513, "Too many header fields");
    else if (result != SIP_FIELD_ADDED)
        blame(reading, 400, reason_for(long_name.rule, result));
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

/* Tabs become spaces and folded lines one line (RFC 3261 §7.3.1); a line end that is not CRLF is a fault, and still
 * ends the line, so that there is something to answer to. Returns the new length. */
static size_t unfold(struct reading *reading, char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\t')
            bytes[i] = ' ';
        bool crlf = bytes[i] == '\r' && i + 1 < length && bytes[i + 1] == '\n';
        if (!crlf && bytes[i] != '\n' && bytes[i] != '\r')
            continue;
        if (!crlf) {
            blame(reading, 400, "Bad line end");
            bytes[i] = '\n';
            continue;
        }
        if (i + 2 < length && (bytes[i + 2] == ' ' || bytes[i + 2] == '\t'))
            bytes[i] = bytes[i + 1] = ' ';
        else
            i++;
    }
    return length;
}

/* What is left of a section, and where its lines end if that is known. */
struct left {
    struct text rest;
    const struct sip_lines *lines; /* NULL: they are to be looked for */
    size_t number, begin;          /* of the next one */
};

static struct text next_line(struct left *left, bool *more_out)
{
    struct text line;
    if (left->lines) {
        size_t end = left->lines->ends[left->number++];
        line = text_slice(left->rest, left->begin, end);
        left->begin = end + 2;
        *more_out = left->number < left->lines->count;
        return line;
    }
    *more_out = text_cut(left->rest, '\n', &line, &left->rest);
    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    return line;
}

/* `section` is the message's own: fields are slices of it. */
static bool read_section(struct reading *reading, char *section, size_t length, const struct sip_lines *lines)
{
    reading->printable = lines != NULL;
    struct left left = {.rest = {section, lines ? length : unfold(reading, section, length)}, .lines = lines};
    bool more, is_sip = read_start_line(reading, next_line(&left, &more));
    size_t fields_max = reading->message->fields_max;
    /* One line more than fields: Content-Length is no field. */
    for (size_t count = 0; is_sip && more && count <= fields_max; count++) {
        struct text line = next_line(&left, &more);
        if (line.length > 0)
            read_field(reading, line);
        else if (more)
            blame(reading, 400, "Bad line end");
        if (more && count == fields_max)
            blame(reading, 513, "Too many header fields");
    }
    return is_sip;
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

/* RFC 3261 §8.1.1. Max-Forwards may be absent, as RFC 2543 had it. */
static void check_required(struct reading *reading)
{
    static const struct {
        enum sip_view view;
        const char *missing;
    } required[] = {{SIP_VIEW_VIA, "Missing Via"},
                    {SIP_VIEW_FROM, "Missing From"},
                    {SIP_VIEW_TO, "Missing To"},
                    {SIP_VIEW_CALL_ID, "Missing Call-ID"}};
    const struct sip_message *message = reading->message;
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!(reading->seen >> required[i].view & 1)) /* or one that has been blamed already */
            blame(reading, 400, required[i].missing);
    struct text method = sip_view(message, SIP_VIEW_CSEQ)->cseq_method;
    if (method.length == 0)
        blame(reading, 400, "Missing CSeq");
    else if (!text_equal(method, sip_method(message)))
        blame(reading, 400, "CSeq names another method");
}

static void take_body(struct reading *reading, struct text body)
{
    if (reading->has_length && reading->length > body.length)
        blame(reading, 400, "Content-Length beyond the end");
    else if (reading->has_length)
        body.length = (size_t)reading->length; /* RFC 3261 §18.3: what follows is padding */
    if (body.length > SIP_BODY_MAX)
        blame(reading, 513, sip_reason(513));
    if (reading->fault.reason || body.length == 0)
        return;
    reading->message->body = text_copy(&reading->message->arena, body);
}

/* False: no SIP at all. */
static bool read_message(struct reading *reading, struct text bytes, size_t section_max)
{
    while (text_starts_with(bytes, TEXT("\r\n"))) /* RFC 3261 §7.5 */
        bytes = text_slice(bytes, 2, bytes.length);
    struct sip_lines lines;
    bool is_plain = sip_section_lines(bytes, &lines) && sip_lines_end(&lines) <= section_max;
    size_t end = is_plain ? sip_lines_end(&lines) : sip_section_end(bytes);
    bool has_end = end < bytes.length;
    struct text section = text_slice(bytes, 0, end);
    if (!has_end)
        blame(reading, 400, "Header section without end");
    if (section.length > section_max) {
        blame(reading, 513, "Header section too large");
        section.length = section_max;
    }
    char *own = arena_alloc_raw(&reading->message->arena, section.length);
    memcpy(own, section.bytes, section.length);
    if (section.length == 0 || !read_section(reading, own, section.length, is_plain ? &lines : NULL))
        return false;
    take_body(reading, has_end ? text_slice(bytes, end + 4, bytes.length) : (struct text){0});
    check_required(reading);
    return true;
}

enum status sip_message_parse(struct text bytes, struct sip_message **message_out, struct sip_fault *fault_out)
{
    struct reading reading = {.message = sip_message_new()};
    bool is_sip = read_message(&reading, bytes, SIP_HEADER_BYTES_MAX);
    *message_out = reading.message;
    *fault_out = reading.fault;
    if (is_sip && !reading.fault.reason)
        return OK;
    if (!is_sip || !sip_is_request(reading.message) || sip_via_host(reading.message).length == 0) {
        /* Without a Via there is no way back; responses are never answered. */
        sip_message_free(reading.message);
        *message_out = NULL;
        *fault_out = (struct sip_fault){0, reading.fault.reason ? reading.fault.reason : "Not SIP"};
    }
    return REFUSED;
}

struct sip_message *sip_message_read_own(struct text bytes)
{
    struct reading reading = {.message = sip_message_new()};
    reading.message->fields_max = 2 * SIP_HEADERS_MAX;
    if (read_message(&reading, bytes, bytes.length))
        return reading.message;
    sip_message_free(reading.message);
    return NULL;
}
