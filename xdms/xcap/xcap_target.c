/* Splits the raw request target into what it names. Only when all cuts are made are the pieces decoded, each once. It
 * knows no application usage and no document. */
#include "xcap_target.h"

struct parser {
    struct arena *arena;
    struct refusal *refusal;
    struct xcap_target *target;
    struct text path;    /* raw, without query */
    size_t begin;        /* of what follows the root */
    size_t document_end; /* where the separator's slash is, or the end */
};

enum { DOCUMENT_TREE = 1, DOCUMENT_XUI = 2 }; /* places of the segments behind the root */

static struct text origin_form(struct text raw);
static bool find_root(struct parser *parser, const struct text *roots, size_t roots_count);
static enum status find_separator(struct parser *parser);
static enum status read_document(struct parser *parser);
static enum status decode(struct parser *parser, struct text raw, struct text *decoded_out);

enum status xcap_target_parse(struct text raw, const struct text *roots, size_t roots_count, struct arena *arena,
                              struct xcap_target *target_out, struct refusal *refusal)
{
    struct parser parser = {.arena = arena, .refusal = refusal, .target = target_out};
    struct text query;
    *target_out = (struct xcap_target){0};
    if (raw.length > XCAP_TARGET_MAX)
        return refuse(refusal, REFUSAL_URI_TOO_LONG, "The request target is too long.");
    text_cut(origin_form(raw), '?', &parser.path, &query);
    if (!find_root(&parser, roots, roots_count))
        return refuse(refusal, REFUSAL_ABSENT, "There is no XCAP root at this path.");
    target_out->rooted = true;
    if (find_separator(&parser) != OK || read_document(&parser) != OK)
        return REFUSED;
    target_out->document_path = text_slice(parser.path, 0, parser.document_end);
    if (target_out->has_node && target_out->name.length == 0)
        return refuse(refusal, REFUSAL_ABSENT, "A directory has no nodes.");
    return decode(&parser, query, &target_out->query);
}

/* RFC 9112 §3.2.2: a server takes the absolute form as well. */
static struct text origin_form(struct text raw)
{
    static const struct text schemes[] = {TEXT_INIT("http://"), TEXT_INIT("https://")};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!text_starts_with_nocase(raw, schemes[i]))
            continue;
        size_t end = schemes[i].length;
        while (end < raw.length && raw.bytes[end] != '/' && raw.bytes[end] != '?')
            end++;
        return text_slice(raw, end, raw.length);
    }
    return raw;
}

static bool find_root(struct parser *parser, const struct text *roots, size_t roots_count)
{
    bool found = false;
    for (size_t i = 0; i < roots_count; i++) {
        struct text root = roots[i];
        if (text_ends_with(root, TEXT("/")))
            root.length--;
        if (!text_starts_with(parser->path, root) || parser->path.length == root.length ||
            parser->path.bytes[root.length] != '/')
            continue;
        if (!found || root.length + 1 > parser->begin)
            parser->begin = root.length + 1;
        found = true;
    }
    return found;
}

static enum status bad_request(struct parser *parser, const char *phrase)
{
    return refuse(parser->refusal, REFUSAL_SYNTAX, phrase);
}

static enum status decode(struct parser *parser, struct text raw, struct text *decoded_out)
{
    if (!percent_decode(parser->arena, raw, decoded_out))
        return bad_request(parser, "The request target holds a broken escape.");
    if (!utf8_valid(*decoded_out))
        return bad_request(parser, "The request target is not UTF-8.");
    if (text_find_char(*decoded_out, '\0') < decoded_out->length)
        return bad_request(parser, "The request target holds a zero byte.");
    return OK;
}

/* Cuts the next segment off *rest; false when there is none. An ending slash leaves an empty last segment. */
static bool next_segment(struct text *rest, struct text *segment_out)
{
    if (!rest->bytes)
        return false;
    if (!text_cut(*rest, '/', segment_out, rest))
        *rest = (struct text){0};
    return true;
}

/* RFC 4825 §6: the first segment that is "~~", however it is escaped. */
static enum status find_separator(struct parser *parser)
{
    struct text rest = text_slice(parser->path, parser->begin, parser->path.length);
    struct text segment, decoded;
    parser->document_end = parser->path.length;
    while (next_segment(&rest, &segment)) {
        if (segment.length > strlen("%7E%7E") || !percent_decode(parser->arena, segment, &decoded) ||
            !text_equal(decoded, TEXT("~~")))
            continue;
        parser->target->has_node = true;
        parser->document_end = (size_t)(segment.bytes - parser->path.bytes) - 1;
        if (decode(parser, rest, &parser->target->node) != OK)
            return REFUSED;
        return parser->target->node.length ? OK : bad_request(parser, "The node selector is empty.");
    }
    return OK;
}

/* One segment of the document selector, decoded. Control characters are in no name, but would be in logs. */
static enum status read_segment(struct parser *parser, struct text segment, struct text *decoded_out)
{
    if (decode(parser, segment, decoded_out) != OK)
        return REFUSED;
    if (text_equal(*decoded_out, TEXT(".")) || text_equal(*decoded_out, TEXT("..")))
        return bad_request(parser, "The path holds a dot segment.");
    for (size_t i = 0; i < decoded_out->length; i++) {
        if ((unsigned char)decoded_out->bytes[i] < 0x20 || decoded_out->bytes[i] == 0x7f)
            return bad_request(parser, "The path holds a control character.");
    }
    return OK;
}

static enum status add_name(struct parser *parser, struct text segment)
{
    struct text *name = &parser->target->name;
    /* "a%2Fb" and "a/b" would be one key, but two documents to whoever wrote the access rules */
    if (text_find_char(segment, '/') < segment.length)
        return bad_request(parser, "A document name holds an escaped slash.");
    if (name->length)
        segment = text_join(parser->arena, text_join(parser->arena, *name, TEXT("/")), segment);
    *name = segment;
    if (name->length > XCAP_NAME_MAX)
        return refuse(parser->refusal, REFUSAL_URI_TOO_LONG, "The document name is too long.");
    return OK;
}

static enum status take_segment(struct parser *parser, unsigned place, struct text segment)
{
    struct xcap_target *target = parser->target;
    if (place == 0) {
        target->auid = segment;
        if (segment.length > XCAP_AUID_MAX)
            return refuse(parser->refusal, REFUSAL_ABSENT, "There is no such application usage.");
    } else if (place == DOCUMENT_TREE) {
        target->tree = text_equal(segment, TEXT("users")) ? XCAP_USERS : XCAP_GLOBAL;
        if (target->tree == XCAP_GLOBAL && !text_equal(segment, TEXT("global")))
            return refuse(parser->refusal, REFUSAL_ABSENT, "There is no such tree.");
    } else if (place == DOCUMENT_XUI && target->tree == XCAP_USERS) {
        target->xui = segment;
        if (segment.length > XCAP_XUI_MAX)
            return refuse(parser->refusal, REFUSAL_URI_TOO_LONG, "The user identifier is too long.");
    } else {
        return add_name(parser, segment);
    }
    return OK;
}

/* AUID, tree, user, name. A slash may end the path of a directory, but not that of a document. */
static enum status read_document(struct parser *parser)
{
    struct xcap_target *target = parser->target;
    struct text rest = {0};
    if (parser->document_end >= parser->begin) /* else the separator is right behind the root */
        rest = text_slice(parser->path, parser->begin, parser->document_end);
    struct text raw = {0}, segment;
    unsigned place = 0;
    for (; next_segment(&rest, &raw); place++) {
        if (raw.length == 0 && rest.bytes)
            return bad_request(parser, "The path holds an empty segment.");
        if (raw.length == 0)
            break;
        if (read_segment(parser, raw, &segment) != OK || take_segment(parser, place, segment) != OK)
            return REFUSED;
    }
    bool ends_with_slash = place > 0 && raw.length == 0;
    if (place <= DOCUMENT_TREE || (target->tree == XCAP_USERS && target->xui.length == 0))
        return refuse(parser->refusal, REFUSAL_ABSENT, "This path names no document and no directory of a user.");
    if (ends_with_slash && target->name.length)
        return refuse(parser->refusal, REFUSAL_ABSENT, "No document name ends with a slash.");
    return OK;
}
