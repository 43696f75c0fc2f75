/* Reads an Authorization value as clients write it, not only as RFC 7616 §3.4 wants it. Knows nothing of users, keys
 * or nonces. */
#include "digest_parts.h"

#define COUNT_DIGITS_MAX 8 /* RFC 7616 §3.4: nc is 8 hex digits; some clients write fewer */

struct field {
    struct text name;
    struct text *value;
    bool *seen;
};

static bool read_pair(struct text *rest, struct arena *arena, struct text *name_out, struct text *value_out);
static bool store_pair(const struct field *fields, size_t count, struct text name, struct text value);
static bool read_algorithm(struct text algorithm, struct digest_header *header);
static bool read_protection(struct digest_header *header, bool has_cnonce, bool has_count);

enum digest_result digest_header_parse(struct text value, struct arena *arena, struct digest_header *header_out)
{
    struct text scheme, rest;
    value = text_trim(value);
    if (!text_cut(value, ' ', &scheme, &rest))
        return text_equal_nocase(value, TEXT("Digest")) ? DIGEST_BROKEN : DIGEST_MISSING;
    if (!text_equal_nocase(scheme, TEXT("Digest")))
        return DIGEST_MISSING;
    if (value.length > DIGEST_HEADER_MAX)
        return DIGEST_BROKEN;

    struct digest_header header = {0};
    struct text algorithm = {0}, user_hashed = {0};
    enum { USERNAME, REALM, NONCE, URI, RESPONSE, OPAQUE, CNONCE, COUNT, QOP, ALGORITHM, USERHASH, FIELDS };
    bool seen[FIELDS] = {false};
    const struct field fields[FIELDS] = {
        {TEXT("username"), &header.username, &seen[USERNAME]},
        {TEXT("realm"), &header.realm, &seen[REALM]},
        {TEXT("nonce"), &header.nonce, &seen[NONCE]},
        {TEXT("uri"), &header.uri, &seen[URI]},
        {TEXT("response"), &header.response, &seen[RESPONSE]},
        {TEXT("opaque"), &header.opaque, &seen[OPAQUE]},
        {TEXT("cnonce"), &header.cnonce, &seen[CNONCE]},
        {TEXT("nc"), &header.count, &seen[COUNT]},
        {TEXT("qop"), &header.qop, &seen[QOP]},
        {TEXT("algorithm"), &algorithm, &seen[ALGORITHM]},
        {TEXT("userhash"), &user_hashed, &seen[USERHASH]},
    };
    struct text name, content;
    for (rest = text_trim(rest); rest.length;)
        if (!read_pair(&rest, arena, &name, &content) || !store_pair(fields, FIELDS, name, content))
            return DIGEST_BROKEN;
    if (!seen[USERNAME] || !seen[REALM] || !seen[NONCE] || !seen[URI] || !seen[RESPONSE])
        return DIGEST_BROKEN;
    if (!read_algorithm(algorithm, &header) || !read_protection(&header, seen[CNONCE], seen[COUNT]))
        return DIGEST_BROKEN;
    header.has_opaque = seen[OPAQUE];
    header.user_hashed = text_equal_nocase(user_hashed, TEXT("true"));
    header.response = text_lower(arena, header.response);
    *header_out = header;
    return DIGEST_GOOD;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static struct text skip_blanks(struct text text)
{
    size_t at = 0;
    while (at < text.length && is_blank(text.bytes[at]))
        at++;
    return text_slice(text, at, text.length);
}

/* Is the quote at `at` followed by nothing but blanks up to a comma or the end? */
static bool closes(struct text text, size_t at)
{
    do
        at++;
    while (at < text.length && is_blank(text.bytes[at]));
    return at == text.length || text.bytes[at] == ',';
}

/* `rest` begins after the opening quote. XCAP clients put raw quotes into uri="…/list[@name="work"]", so that only a
 * quote at the end of its parameter closes. */
static bool read_quoted(struct text *rest, struct arena *arena, struct text *value_out)
{
    /* as it stands there, in most cases */
    size_t end = text_find_char(*rest, '"');
    while (end < rest->length && !closes(*rest, end))
        end += 1 + text_find_char(text_slice(*rest, end + 1, rest->length), '"');
    struct text as_it_is = text_slice(*rest, 0, end);
    if (end < rest->length && text_find_char(as_it_is, '\\') == end) {
        *value_out = as_it_is;
        *rest = text_slice(*rest, end + 1, rest->length);
        return true;
    }
    struct text_builder value;
    builder_init(&value, arena);
    for (size_t at = 0; at < rest->length; at++) {
        char character = rest->bytes[at];
        if (character == '\\' && at + 1 < rest->length) {
            builder_add_char(&value, rest->bytes[++at]);
            continue;
        }
        if (character == '"' && closes(*rest, at)) {
            *rest = text_slice(*rest, at + 1, rest->length);
            *value_out = builder_text(&value);
            return true;
        }
        builder_add_char(&value, character);
    }
    return false;
}

/* One `name=value` and the commas after it. */
static bool read_pair(struct text *rest, struct arena *arena, struct text *name_out, struct text *value_out)
{
    struct text after;
    if (!text_cut(*rest, '=', name_out, &after))
        return false;
    *name_out = text_trim(*name_out);
    after = skip_blanks(after);
    if (after.length && after.bytes[0] == '"') {
        after = text_slice(after, 1, after.length);
        if (!read_quoted(&after, arena, value_out))
            return false;
    } else {
        size_t end = text_find_char(after, ',');
        *value_out = text_trim(text_slice(after, 0, end));
        after = text_slice(after, end, after.length);
    }
    after = skip_blanks(after);
    while (after.length && after.bytes[0] == ',')
        after = skip_blanks(text_slice(after, 1, after.length));
    *rest = after;
    return name_out->length > 0;
}

/* A name given twice can mean two things to two readers: broken. Unknown names are let through (RFC 7616 §3.4). */
static bool store_pair(const struct field *fields, size_t count, struct text name, struct text value)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].name.length == name.length && text_equal_nocase(name, fields[i].name)) {
            if (*fields[i].seen)
                return false;
            *fields[i].seen = true;
            *fields[i].value = value;
            return true;
        }
    return true;
}

static bool read_algorithm(struct text algorithm, struct digest_header *header)
{
    header->algorithm = algorithm.length ? DIGEST_SHA256 : DIGEST_MD5;
    while (header->algorithm < DIGEST_MD5 &&
           !text_equal_nocase(algorithm, text_of(digest_algorithm_names[header->algorithm])))
        header->algorithm++;
    if (algorithm.length && !text_equal_nocase(algorithm, text_of(digest_algorithm_names[header->algorithm])))
        return false;
    return header->response.length == identity_hash_length(header->algorithm);
}

static bool read_protection(struct digest_header *header, bool has_cnonce, bool has_count)
{
    if (header->qop.length == 0) {
        header->protection = PROTECT_NOTHING;
        return true;
    }
    uint64_t count = 0;
    /* It goes back in Authentication-Info, where a line break would be a header of the peer's making. */
    for (size_t i = 0; i < header->cnonce.length; i++)
        if ((unsigned char)header->cnonce.bytes[i] < 0x20 || header->cnonce.bytes[i] == 0x7f)
            return false;
    if (!has_cnonce || !has_count || header->count.length > COUNT_DIGITS_MAX || !text_hex_to_u64(header->count, &count))
        return false;
    header->count_value = (uint32_t)count;
    header->protection = text_equal_nocase(header->qop, TEXT("auth")) ? PROTECT_REQUEST : PROTECT_BODY;
    return header->protection == PROTECT_REQUEST || text_equal_nocase(header->qop, TEXT("auth-int"));
}
