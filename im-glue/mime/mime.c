/* Splits and joins multipart bodies (RFC 2046 §5.1). Liberal about line ends in reading, strict in writing; what stands
 * inside a part is never looked at. */
#include "mime.h"

#include "uri.h"

bool mime_is(struct text value, struct text name)
{
    struct text type, parameters;
    text_cut(value, ';', &type, &parameters);
    return text_equal_nocase(text_trim(type), name);
}

/* RFC 2046 §5.1.1: printable, and no space at the end, where it could not be told from padding. */
static bool boundary_of(struct text content_type, struct text *boundary_out)
{
    struct text type, parameters, boundary;
    text_cut(content_type, ';', &type, &parameters);
    if (!uri_parameter(parameters, TEXT("boundary"), &boundary) || boundary.length == 0 ||
        boundary.length > MIME_BOUNDARY_MAX || boundary.bytes[boundary.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < boundary.length; i++)
        if (boundary.bytes[i] < 0x20 || boundary.bytes[i] == 0x7F)
            return false;
    *boundary_out = boundary;
    return true;
}

/* A line without its end; the last may have none. */
static struct text take_line(struct text *rest)
{
    size_t end = text_find_char(*rest, '\n');
    struct text line = text_slice(*rest, 0, end);
    *rest = text_slice(*rest, end < rest->length ? end + 1 : end, rest->length);
    if (line.length && line.bytes[line.length - 1] == '\r')
        line.length--;
    return line;
}

enum delimiter { NO_DELIMITER, BETWEEN_PARTS, LAST_DELIMITER };

static enum delimiter delimiter_of(struct text line, struct text boundary)
{
    if (line.length < boundary.length + 2 || !text_starts_with(line, TEXT("--")) ||
        !text_equal(text_slice(line, 2, boundary.length + 2), boundary))
        return NO_DELIMITER;
    struct text after = text_slice(line, boundary.length + 2, line.length);
    bool last = text_starts_with(after, TEXT("--"));
    if (last)
        after = text_slice(after, 2, after.length);
    if (text_trim(after).length) /* another boundary that begins like this one */
        return NO_DELIMITER;
    return last ? LAST_DELIMITER : BETWEEN_PARTS;
}

static struct mime_part read_part(struct text bytes)
{
    struct mime_part part = {.bytes = bytes, .headers = {bytes.bytes, 0}, .content = bytes};
    for (struct text rest = bytes; rest.length;) {
        size_t begin = (size_t)(rest.bytes - bytes.bytes);
        if (take_line(&rest).length == 0) {
            part.headers = text_slice(bytes, 0, begin);
            part.content = rest;
            break;
        }
    }
    mime_header(part.headers, TEXT("Content-Type"), &part.type);
    mime_header(part.headers, TEXT("Content-Disposition"), &part.disposition);
    return part;
}

/* The line end before a delimiter belongs to it. */
static struct text without_line_end(struct text part)
{
    if (part.length && part.bytes[part.length - 1] == '\n')
        part.length--;
    if (part.length && part.bytes[part.length - 1] == '\r')
        part.length--;
    return part;
}

enum status mime_parse(struct text content_type, struct text body, struct mime_multipart *multipart_out)
{
    struct mime_multipart *multipart = multipart_out;
    struct text rest = body;
    size_t begin = 0;
    bool inside = false;
    *multipart = (struct mime_multipart){0};
    if (!boundary_of(content_type, &multipart->boundary))
        return REFUSED;
    while (rest.length) {
        size_t at = (size_t)(rest.bytes - body.bytes);
        enum delimiter delimiter = delimiter_of(take_line(&rest), multipart->boundary);
        if (delimiter == NO_DELIMITER)
            continue;
        if (inside) {
            if (multipart->count == MIME_PARTS_MAX)
                return REFUSED;
            multipart->parts[multipart->count++] = read_part(without_line_end(text_slice(body, begin, at)));
        }
        if (delimiter == LAST_DELIMITER)
            return multipart->count ? OK : REFUSED;
        inside = true;
        begin = body.length - rest.length;
    }
    return REFUSED;
}

bool mime_next_header(struct text *headers, struct text *name_out, struct text *value_out)
{
    struct text rest = *headers;
    struct text line = take_line(&rest);
    if (line.length == 0 || !text_cut(line, ':', name_out, value_out))
        return false;
    *name_out = text_trim(*name_out);
    while (rest.length && (rest.bytes[0] == ' ' || rest.bytes[0] == '\t')) {
        line = take_line(&rest);
        value_out->length = (size_t)(line.bytes + line.length - value_out->bytes);
    }
    *value_out = text_trim(*value_out);
    *headers = rest;
    return name_out->length > 0;
}

bool mime_header(struct text headers, struct text name, struct text *value_out)
{
    struct text found, value;
    while (mime_next_header(&headers, &found, &value)) {
        if (text_equal_nocase(found, name)) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

void mime_add_part(struct text_builder *body, struct text boundary, struct text part)
{
    builder_add_format(body, "%s--%.*s\r\n", body->length ? "\r\n" : "", TEXT_ARG(boundary));
    builder_add(body, part);
}

void mime_end(struct text_builder *body, struct text boundary)
{
    builder_add_format(body, "\r\n--%.*s--\r\n", TEXT_ARG(boundary));
}
