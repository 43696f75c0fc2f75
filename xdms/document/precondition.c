/* Entity tags and the conditions made of them (RFC 9110 §13.1). Knows no document. */
#include "document.h"

#define TAG_MAX  16 /* hex digits of a version */
#define TAG_GZIP "-gz"

struct tag {
    struct text opaque; /* without its quotes */
    bool weak;
    bool gzip; /* it was the tag of the compressed form; `opaque` is without that */
};

struct seen {
    bool plain, gzip; /* the version's tags that a header names */
};

static bool next_tag(struct text *rest, struct tag *tag_out);

/* The version in hex, as its tag is without quotes. */
static struct text tag_of(uint64_t version, char buffer[TAG_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = TAG_MAX;
    do {
        buffer[--at] = digits[version & 15];
        version >>= 4;
    } while (version);
    return (struct text){buffer + at, TAG_MAX - at};
}

static struct text tag_in_quotes(uint64_t version, struct text suffix, struct arena *arena)
{
    char buffer[TAG_MAX];
    struct text_builder tag;
    builder_init(&tag, arena);
    builder_add_char(&tag, '"');
    builder_add(&tag, tag_of(version, buffer));
    builder_add(&tag, suffix);
    builder_add_char(&tag, '"');
    return builder_text(&tag);
}

struct text document_etag(uint64_t version, struct arena *arena)
{
    return tag_in_quotes(version, TEXT(""), arena);
}

struct text document_etag_gzip(uint64_t version, struct arena *arena)
{
    return tag_in_quotes(version, TEXT(TAG_GZIP), arena);
}

/* `weak_fits`: the weak comparison of RFC 9110 §8.8.3.2. */
static struct seen find_tags(struct text header, uint64_t version, bool weak_fits)
{
    char buffer[TAG_MAX];
    struct text current = tag_of(version, buffer);
    struct seen seen = {0};
    struct tag tag;
    if (version == 0) /* no document, no tag, and nothing for "*" */
        return seen;
    seen.plain = text_equal(text_trim(header), TEXT("*"));
    while (next_tag(&header, &tag)) {
        bool fits = text_equal(tag.opaque, current) && (weak_fits || !tag.weak);
        seen.plain |= fits && !tag.gzip;
        seen.gzip |= fits && tag.gzip;
    }
    return seen;
}

bool document_if_match(struct text header, uint64_t version)
{
    struct seen seen = find_tags(header, version, false);
    return seen.plain || seen.gzip;
}

bool document_if_none_match(struct text header, uint64_t version)
{
    struct seen seen = find_tags(header, version, true);
    return !seen.plain && !seen.gzip;
}

bool document_reader_has(struct text header, uint64_t version, bool gzip, struct arena *arena, struct text *tag_out)
{
    struct seen seen = find_tags(header, version, true);
    gzip = gzip && seen.gzip;
    *tag_out = gzip ? document_etag_gzip(version, arena) : document_etag(version, arena);
    return gzip || seen.plain;
}

bool document_modified_since(const struct stored *found, int64_t since_ms)
{
    return found->modified_ms <= 0 || found->modified_ms / 1000 > since_ms / 1000;
}

/* Tolerates empty list members, blanks, tags without quotes, and a last tag whose quote is not closed. */
static bool next_tag(struct text *rest, struct tag *tag_out)
{
    struct text text = *rest;
    size_t at = 0;
    while (at < text.length && (text.bytes[at] == ',' || text.bytes[at] == ' ' || text.bytes[at] == '\t'))
        at++;
    if (at == text.length)
        return false;
    text = text_slice(text, at, text.length);
    *tag_out = (struct tag){.weak = text_starts_with_nocase(text, TEXT("W/"))};
    if (tag_out->weak)
        text = text_slice(text, 2, text.length);

    bool quoted = text.length && text.bytes[0] == '"';
    if (quoted)
        text = text_slice(text, 1, text.length);
    size_t end = text_find_char(text, quoted ? '"' : ',');
    tag_out->opaque = text_slice(text, 0, end);
    if (!quoted)
        tag_out->opaque = text_trim(tag_out->opaque);
    tag_out->gzip = text_ends_with(tag_out->opaque, TEXT(TAG_GZIP));
    if (tag_out->gzip)
        tag_out->opaque.length -= strlen(TAG_GZIP);
    *rest = text_slice(text, end < text.length ? end + 1 : end, text.length);
    return true;
}
