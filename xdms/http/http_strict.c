/* Refuses request heads that two HTTP implementations could read differently (RFC 9112 §11.2), and those that are
 * malformed. Pure: knows neither the HTTP library nor sockets. */
#include "http_private.h"

struct framing_seen {
    size_t hosts, lengths, encodings;
};

static bool token_valid(struct text text);
static bool target_valid(struct text target);
static bool value_valid(struct text value);
static bool host_valid(struct text value);
static const char *header_refusal(const struct http_header *header, struct framing_seen *seen,
                                  struct http_framing *framing);

const char *http_head_refusal(const struct http_head *head, struct http_framing *framing_out)
{
    struct framing_seen seen = {0};
    *framing_out = (struct http_framing){0};
    if (!token_valid(head->method))
        return "The method is not a token.";
    if (!target_valid(head->target))
        return "The request target has a space or a control character.";
    for (size_t i = 0; i < head->headers_count; i++) {
        const char *refusal = header_refusal(&head->headers[i], &seen, framing_out);
        if (refusal)
            return refusal;
    }
    if (seen.hosts > 1)
        return "There is more than one Host field.";
    if (seen.hosts == 0 && !head->is_1_0)
        return "There is no Host field.";
    if (seen.lengths > 1)
        return "There is more than one Content-Length field.";
    if (seen.encodings > 1)
        return "There is more than one Transfer-Encoding field.";
    if (seen.lengths && seen.encodings)
        return "Content-Length and Transfer-Encoding exclude each other.";
    if (seen.encodings && head->is_1_0) /* RFC 9112 §6.1 */
        return "HTTP/1.0 has no Transfer-Encoding.";
    return NULL;
}

static const char *header_refusal(const struct http_header *header, struct framing_seen *seen,
                                  struct http_framing *framing)
{
    if (!token_valid(header->name)) /* also a space before the colon, RFC 9112 §5.1 */
        return "The name of a header field is not a token.";
    if (!value_valid(header->value))
        return "The value of a header field has a control character.";
    if (text_equal_nocase(header->name, TEXT("Host"))) {
        seen->hosts++;
        return host_valid(text_trim(header->value)) ? NULL : "The Host field is malformed.";
    }
    if (text_equal_nocase(header->name, TEXT("Content-Length"))) {
        seen->lengths++;
        return text_to_u64(header->value, &framing->length) ? NULL : "The Content-Length field is malformed.";
    }
    if (text_equal_nocase(header->name, TEXT("Transfer-Encoding"))) {
        seen->encodings++;
        framing->chunked = true;
        return text_equal_nocase(header->value, TEXT("chunked")) ? NULL : "The transfer coding is not known.";
    }
    if (text_equal_nocase(header->name, TEXT("Expect")))
        framing->expects_continue = text_equal_nocase(text_trim(header->value), TEXT("100-continue"));
    return NULL;
}

/* RFC 9110 §5.6.2 */
static bool token_valid(struct text text)
{
    static const bool is_token[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
        ['%'] = true,         ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true, ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true, ['|'] = true, ['~'] = true,
    };
    for (size_t i = 0; i < text.length; i++)
        if (!is_token[(unsigned char)text.bytes[i]])
            return false;
    return text.length > 0;
}

static bool target_valid(struct text target)
{
    unsigned char bad = target.length == 0;
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.bytes[i];
        bad |= (unsigned char)((c <= ' ') | (c == 0x7f));
    }
    return bad == 0;
}

static bool value_valid(struct text value)
{
    unsigned char bad = 0; /* without jumps and tables, so that many bytes are looked at at once */
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.bytes[i];
        bad |= (unsigned char)(((c < ' ') & (c != '\t')) | (c == 0x7f));
    }
    return bad == 0;
}

/* Empty is allowed (RFC 9112 §3.2); what could not stand before a path or names two hosts is not. */
static bool host_valid(struct text value)
{
    static const bool is_bad[256] = {
        [0 ... ' '] = true, ['/'] = true, ['\\'] = true, ['?'] = true,           ['#'] = true, ['@'] = true,
        [','] = true,       ['<'] = true, ['>'] = true,  ['"'] = true,           ['{'] = true, ['}'] = true,
        ['|'] = true,       ['^'] = true, ['`'] = true,  [0x7f ... 0xff] = true,
    };
    bool bad = false;
    for (size_t i = 0; i < value.length; i++)
        bad |= is_bad[(unsigned char)value.bytes[i]];
    return !bad;
}
