/* Reads the envelope of a message/cpim object (RFC 3862): its own headers, then the MIME headers of what it encloses.
 * It must not know what a message is used for, nor change a byte of it: signatures cover the content. */
#include "cpim.h"

#define CORE_NAMESPACE TEXT("urn:ietf:params:cpim-headers:")
#define IMDN_NAMESPACE TEXT("urn:ietf:params:imdn")

static bool take_line(struct text *rest, struct text *line_out);
static bool take_envelope(struct text *rest);
static bool take_headers(struct text *rest, struct cpim_message *message);
static bool take_content_headers(struct text *rest, struct text *content_type_out);

enum status cpim_parse(struct text body, struct cpim_message *message_out)
{
    struct cpim_message *message = message_out;
    *message = (struct cpim_message){0};
    struct text rest = body;
    if (!take_envelope(&rest) || !take_headers(&rest, message))
        return REFUSED;
    struct text inner = rest;
    if (!take_content_headers(&rest, &message->content_type))
        return REFUSED;
    message->content_headers = text_slice(inner, 0, inner.length - rest.length);
    message->content = rest;
    cpim_header(message, TEXT(""), TEXT("From"), &message->from);
    cpim_header(message, TEXT(""), TEXT("To"), &message->to);
    cpim_header(message, IMDN_NAMESPACE, TEXT("Message-ID"), &message->message_id);
    cpim_header(message, IMDN_NAMESPACE, TEXT("Disposition-Notification"), &message->disposition);
    return OK;
}

bool cpim_header(const struct cpim_message *message, struct text prefix_uri, struct text name, struct text *value_out)
{
    if (text_equal(prefix_uri, CORE_NAMESPACE))
        prefix_uri = TEXT("");
    for (size_t i = 0; i < message->headers_count; i++) {
        const struct cpim_header *header = &message->headers[i];
        if (text_equal(header->name, name) && text_equal(header->prefix_uri, prefix_uri)) {
            *value_out = header->value;
            return true;
        }
    }
    return false;
}

bool cpim_is(struct text content_type)
{
    struct text type, parameters;
    text_cut(content_type, ';', &type, &parameters);
    return text_equal_nocase(text_trim(type), TEXT("message/cpim"));
}

/* A line without its end, which is CRLF or, from careless senders, LF. False when no line end follows. */
static bool take_line(struct text *rest, struct text *line_out)
{
    size_t end = text_find_char(*rest, '\n');
    if (end == rest->length)
        return false;
    size_t length = end > 0 && rest->bytes[end - 1] == '\r' ? end - 1 : end;
    *line_out = text_slice(*rest, 0, length);
    *rest = text_slice(*rest, end + 1, rest->length);
    return true;
}

/* Some senders repeat the outer MIME headers, or their blank line, inside the body (RFC 3862 §2 shows them so). */
static bool take_envelope(struct text *rest)
{
    struct text after = *rest;
    struct text line, name, value;
    if (!take_line(&after, &line))
        return false;
    bool outer = text_cut(line, ':', &name, &value) && text_equal_nocase(name, TEXT("Content-Type")) && cpim_is(value);
    while (outer && line.length > 0) {
        if (!take_line(&after, &line))
            return false;
    }
    if (line.length == 0)
        *rest = after;
    return true;
}

/* Printable, and for names also without white space: values go on into logs and other headers. */
static bool characters_allowed(struct text text, bool spaces)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char character = (unsigned char)text.bytes[i];
        bool space = character == ' ' || character == '\t';
        if (space ? !spaces : character < 0x20 || character == 0x7F)
            return false;
    }
    return true;
}

/* Parameters stand right after the colon and end at the first space outside quotes (RFC 3862 §3.6). */
static size_t parameters_length(struct text text)
{
    bool quoted = false;
    size_t at = 0;
    if (!text_starts_with(text, TEXT(";")))
        return 0;
    for (; at < text.length && (quoted || (text.bytes[at] != ' ' && text.bytes[at] != '\t')); at++) {
        if (quoted && text.bytes[at] == '\\')
            at += at + 1 < text.length;
        else if (text.bytes[at] == '"')
            quoted = !quoted;
    }
    return at;
}

/* "NS: imdn <urn:ietf:params:imdn>" binds a prefix; without a prefix it sets the namespace of bare names (§3.4). */
static bool read_binding(const struct cpim_header *header, struct text *prefix_out, struct text *uri_out)
{
    struct text prefix, uri, after;
    if (header->prefix_uri.length > 0 || !text_equal(header->name, TEXT("NS")) ||
        !text_cut(header->value, '<', &prefix, &uri) || !text_cut(uri, '>', &uri, &after))
        return false;
    *prefix_out = text_trim(prefix);
    *uri_out = text_trim(uri);
    return true;
}

/* The latest binding of a prefix among the headers so far. */
static bool find_binding(const struct cpim_message *message, struct text prefix, struct text *uri_out)
{
    struct text bound, uri;
    for (size_t i = message->headers_count; i > 0; i--) {
        if (read_binding(&message->headers[i - 1], &bound, &uri) && text_equal(bound, prefix)) {
            *uri_out = text_equal(uri, CORE_NAMESPACE) ? TEXT("") : uri;
            return true;
        }
    }
    return false;
}

/* A name whose prefix nobody bound stays whole: no core header has a dot in it. */
static void resolve_name(const struct cpim_message *message, struct cpim_header *header)
{
    struct text prefix, local;
    if (text_equal(header->name, TEXT("NS")))
        return;
    if (!text_cut(header->name, '.', &prefix, &local) || prefix.length == 0 || local.length == 0) {
        find_binding(message, TEXT(""), &header->prefix_uri);
    } else if (find_binding(message, prefix, &header->prefix_uri)) {
        header->name = local;
    } else if (text_equal(prefix, TEXT("imdn"))) {
        /* Senders that forget the NS line still mean the one thing that "imdn" stands for everywhere. */
        header->prefix_uri = IMDN_NAMESPACE;
        header->name = local;
    }
}

static bool read_header(struct text line, const struct cpim_message *message, struct cpim_header *header_out)
{
    struct cpim_header header = {0};
    struct text value;
    if (!text_cut(line, ':', &header.name, &value) || header.name.length == 0 ||
        !characters_allowed(header.name, false) || !characters_allowed(value, true))
        return false;
    size_t length = parameters_length(value);
    if (length > 0)
        header.parameters = text_slice(value, 1, length);
    header.value = text_trim(text_slice(value, length, value.length));
    resolve_name(message, &header);
    *header_out = header;
    return true;
}

/* Up to the blank line. There is no folding (RFC 3862 §3), and two senders are none (§4.1). */
static bool take_headers(struct text *rest, struct cpim_message *message)
{
    struct text line, sender;
    while (take_line(rest, &line)) {
        struct cpim_header header;
        if (line.length == 0)
            return message->headers_count > 0;
        if (message->headers_count == CPIM_HEADERS_MAX || !read_header(line, message, &header))
            return false;
        bool is_sender = header.prefix_uri.length == 0 && text_equal(header.name, TEXT("From"));
        if (is_sender && cpim_header(message, TEXT(""), TEXT("From"), &sender))
            return false;
        message->headers[message->headers_count++] = header;
    }
    return false;
}

/* Ends at a blank line, or with the body when there is no content. Values may be folded here (RFC 5322 §2.2.3). */
static bool take_content_headers(struct text *rest, struct text *content_type_out)
{
    struct text name, value;
    bool in_type = false;
    bool found = false;
    bool first = true;
    struct text line = {0};
    while (rest->length > 0) {
        if (!take_line(rest, &line)) {
            line = *rest;
            *rest = text_slice(*rest, rest->length, rest->length);
        }
        if (line.length == 0)
            break;
        bool folded = line.bytes[0] == ' ' || line.bytes[0] == '\t';
        if (!characters_allowed(line, true) || (folded ? first : !text_cut(line, ':', &name, &value)))
            return false;
        first = false;
        if (!folded) {
            in_type = !found && text_equal_nocase(text_trim(name), TEXT("Content-Type"));
            if (in_type)
                *content_type_out = value;
            found = found || in_type;
        } else if (in_type) {
            content_type_out->length = (size_t)(line.bytes + line.length - content_type_out->bytes);
        }
    }
    *content_type_out = text_trim(*content_type_out);
    return true;
}
