/* The list of recipients in the body of a message to many (RFC 5363 §4): finds it wherever it stands among parts and
 * parts of parts, and takes it out. Other parts keep every byte. */
#include "conversation_private.h"
#include "incoming_private.h"
#include "mime.h"

#define DEPTH_MAX 3 /* multiparts within multiparts that are looked into, as for other content */

static bool is_multipart(struct text type)
{
    return text_starts_with_nocase(text_trim(type), TEXT("multipart/"));
}

size_t list_part_find(struct text type, struct text body, unsigned depth, struct arena *arena,
                      const struct mime_part **list_out)
{
    struct mime_multipart *multipart = arena_new(arena, struct mime_multipart);
    size_t count = 0;
    if (depth == DEPTH_MAX || mime_parse(type, body, multipart) != OK)
        return 0;
    for (size_t i = 0; i < multipart->count; i++) {
        const struct mime_part *part = &multipart->parts[i];
        if (mime_is(part->disposition, TEXT("recipient-list"))) {
            *list_out = part;
            count++;
        } else if (is_multipart(part->type)) {
            count += list_part_find(part->type, part->content, depth + 1, arena, list_out);
        }
    }
    return count;
}

static bool holds(const struct mime_part *part, const struct mime_part *list)
{
    return is_multipart(part->type) && list->bytes.bytes >= part->content.bytes &&
           list->bytes.bytes < part->content.bytes + part->content.length;
}

static struct text part_of(struct text headers, struct text content, struct arena *arena)
{
    return text_format(arena, "%.*s\r\n%.*s", TEXT_ARG(headers), TEXT_ARG(content));
}

/* What is left of a multipart: `only` when that is one part. */
struct rest {
    struct text body;
    size_t count;
    struct text only, only_headers, only_content; /* the whole part, and its halves */
};

static void keep(struct rest *rest, struct text_builder *body, struct text boundary, const struct mime_part *part)
{
    mime_add_part(body, boundary, part->bytes);
    rest->only = part->bytes;
    rest->only_headers = part->headers;
    rest->only_content = part->content;
    rest->count++;
}

static struct rest take_out(struct text type, struct text body, const struct mime_part *list, struct text history,
                            struct arena *arena)
{
    struct mime_multipart *multipart = arena_new(arena, struct mime_multipart);
    struct rest rest = {0};
    struct text_builder left;
    builder_init(&left, arena);
    if (mime_parse(type, body, multipart) != OK)
        return rest;
    for (size_t i = 0; i < multipart->count; i++) {
        struct mime_part part = multipart->parts[i];
        if (part.bytes.bytes == list->bytes.bytes) {
            if (history.length)
                keep(&rest, &left, multipart->boundary, &(struct mime_part){.bytes = history});
            continue;
        }
        if (holds(&part, list)) {
            struct rest inner = take_out(part.type, part.content, list, history, arena);
            if (inner.count == 0)
                continue;
            part.content = inner.count == 1 ? inner.only_content : inner.body;
            part.headers = inner.count == 1 ? inner.only_headers : part.headers;
            part.bytes = inner.count == 1 ? inner.only : part_of(part.headers, inner.body, arena);
        }
        keep(&rest, &left, multipart->boundary, &part);
    }
    mime_end(&left, multipart->boundary);
    rest.body = builder_text(&left);
    return rest;
}

bool list_part_take_out(struct sip_message *message, struct text type, struct text body, const struct mime_part *list,
                        struct text history, struct arena *arena)
{
    struct rest rest = take_out(type, body, list, history, arena);
    size_t contents = rest.count - (history.length > 0);
    if (contents == 0)
        return false;
    if (rest.count > 1 || !content_put(message, rest.only_headers, rest.only_content, arena))
        sip_body_set(message, type, rest.body);
    return true;
}
