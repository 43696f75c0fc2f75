/* What a MESSAGE holds: whose name stands in it, how it is known, whether it is worth keeping; and the same content in
 * a plainer wrapping for contacts that do not read the first one. Octets of the content are never changed. */
#include "coding.h"
#include "conversation_private.h"
#include "cpim.h"
#include "incoming_private.h"
#include "mime.h"
#include "xml_tree.h"

#define IMDN_NAMESPACE "urn:ietf:params:imdn"
#define DEPTH_MAX      3 /* multiparts within multiparts that are looked into */

static bool check_part(struct incoming *incoming, struct text type, struct text body, unsigned depth);

bool content_check(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct text type = request_header(request, "Content-Type");
    if (sip_body(request->message).length && type.length == 0)
        return request_answer(request, 400, "Missing Content-Type"), false;
    incoming->type = type;
    return content_open(incoming) && check_part(incoming, type, incoming->body, 0);
}

/* --- what it is before its codings --- */

static struct text encoding_of(const struct sip_message *message, struct arena *arena)
{
    struct text_builder all;
    struct text value;
    builder_init(&all, arena);
    for (size_t i = 0; sip_header(message, "Content-Encoding", i, arena, &value); i++) {
        if (i)
            builder_add_char(&all, ',');
        builder_add(&all, value);
    }
    return builder_text(&all);
}

enum status content_body(const struct sip_message *message, struct arena *arena, struct text *body_out)
{
    return coding_take_off(encoding_of(message, arena), sip_body(message), SIP_BODY_MAX, arena, body_out);
}

/* What this server looks into; all else is its reader's. */
static bool is_looked_into(struct text type)
{
    return cpim_is(type) || text_starts_with_nocase(text_trim(type), TEXT("multipart/")) ||
           mime_is(type, TEXT("message/imdn+xml")) || mime_is(type, TEXT(CONTENT_ADVERTISEMENT));
}

bool content_open(struct incoming *incoming)
{
    struct request *request = incoming->request;
    incoming->body = sip_body(request->message);
    if (coding_is_identity(encoding_of(request->message, &request->arena)) ||
        !is_looked_into(request_header(request, "Content-Type")))
        return true;
    switch (content_body(request->message, &request->arena, &incoming->body)) {
    case OK: return sender_charge_copies(request, 1, incoming->body.length);
    case FULL: return request_answer(request, 413, NULL), false;
    default: return request_answer_with(request, 415, NULL, "Accept-Encoding", TEXT(CONTENT_ENCODINGS)), false;
    }
}

/* RFC 3994 §3: who is away does not want to know that somebody was writing. */
static void note_type(struct incoming *incoming, struct text type)
{
    if (mime_is(type, TEXT("application/im-iscomposing+xml")))
        incoming->composing = true;
    if (mime_is(type, TEXT("message/imdn+xml")))
        incoming->report = true;
    if (mime_is(type, TEXT(CONTENT_ADVERTISEMENT)))
        incoming->advertisement = true;
}

/* RFC 5438 §6.4 and §7.1.1.2; who is anonymous cannot be told anything (§14). */
static void note_wanted(struct wanted *wanted, const struct cpim_message *cpim, struct arena *arena)
{
    struct text_builder route;
    builder_init(&route, arena);
    for (size_t i = 0; i < cpim->headers_count; i++)
        if (text_equal(cpim->headers[i].prefix_uri, TEXT(IMDN_NAMESPACE)) &&
            text_equal(cpim->headers[i].name, TEXT("IMDN-Record-Route")))
            builder_add_format(&route, "%s%.*s", route.length ? "\n" : "", TEXT_ARG(cpim->headers[i].value));
    wanted->processing = text_find(cpim->disposition, TEXT("processing")) < cpim->disposition.length;
    wanted->failures = text_find(cpim->disposition, TEXT("negative-delivery")) < cpim->disposition.length;
    wanted->route = builder_text(&route);
}

/* Of the outermost that says it. */
static void note_envelope(struct incoming *incoming, const struct cpim_message *cpim)
{
    if (incoming->subject.length == 0)
        cpim_header(cpim, TEXT(""), TEXT("Subject"), &incoming->subject);
    if (cpim->content_type.length)
        incoming->type = cpim->content_type;
    if (cpim->message_id.length && cpim->message_id.length <= INCOMING_ID_MAX && !incoming->anonymous)
        note_wanted(&incoming->wanted, cpim, &incoming->request->arena);
}

/* --- what the house lets through --- */

static bool matches(struct text type, struct text pattern)
{
    struct text name, parameters, main, star;
    text_cut(type, ';', &name, &parameters);
    name = text_trim(name);
    if (text_cut(pattern, '*', &main, &star))
        return text_starts_with_nocase(name, main);
    return text_equal_nocase(name, pattern);
}

static bool is_listed(struct text type, struct text list)
{
    struct text pattern;
    while (text_next_item(&list, &pattern))
        if (matches(type, pattern))
            return true;
    return false;
}

static bool may_pass(const struct conversation *conversation, struct text type)
{
    static const struct text always =
        TEXT_INIT("message/imdn+xml,application/im-iscomposing+xml,application/resource-lists+xml");
    const struct conversation_settings *settings = &conversation->settings;
    if (type.length == 0)
        type = TEXT("text/plain");
    if (is_listed(type, always))
        return true;
    return (settings->types_allowed.length == 0 || is_listed(type, settings->types_allowed)) &&
           !is_listed(type, settings->types_refused);
}

static void refuse_type(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct text allowed = request->conversation->settings.types_allowed;
    request_answer_with(request, 415, NULL, "Accept", allowed.length ? allowed : TEXT("*/*"));
}

/* What is wrapped deeper than is looked into, or so that its parts cannot be told: anything, where that matters. */
static bool check_unseen(struct incoming *incoming)
{
    const struct conversation_settings *settings = &incoming->request->conversation->settings;
    if (settings->types_allowed.length == 0 && settings->types_refused.length == 0)
        return true;
    refuse_type(incoming);
    return false;
}

static bool check_envelope(struct incoming *incoming, struct text body, unsigned depth)
{
    struct request *request = incoming->request;
    struct cpim_message *cpim = arena_new(&request->arena, struct cpim_message);
    struct name_addr from;
    if (cpim_parse(body, cpim) != OK)
        return request_answer(request, 400, "Malformed CPIM"), false;
    note_type(incoming, cpim->content_type);
    note_envelope(incoming, cpim);
    if (cpim->disposition.length && (incoming->report || incoming->composing)) /* RFC 5438 §6.2: none about these */
        return request_answer(request, 400, "Nothing Is Reported About Reports"), false;
    bool first = text_equal(incoming->message_id, incoming->call_id);
    if (first && cpim->message_id.length && cpim->message_id.length <= INCOMING_ID_MAX)
        incoming->message_id = cpim->message_id;
    /* Who is not named there is the sender; a name that is no address is shown all the same. */
    if (cpim->from.length && (!name_addr_parse(cpim->from, &from, NULL) ||
                              !incoming_is_own(incoming, uri_canonical(&request->arena, from.uri))))
        return request_answer(request, 403, "CPIM From Is Not Your Address"), false;
    return depth == DEPTH_MAX ? check_unseen(incoming)
                              : check_part(incoming, cpim->content_type, cpim->content, depth + 1);
}

static bool check_multipart(struct incoming *incoming, struct text type, struct text body, unsigned depth)
{
    struct mime_multipart *multipart = arena_new(&incoming->request->arena, struct mime_multipart);
    if (depth == DEPTH_MAX || mime_parse(type, body, multipart) != OK)
        return check_unseen(incoming);
    for (size_t i = 0; i < multipart->count; i++)
        if (!check_part(incoming, multipart->parts[i].type, multipart->parts[i].content, depth + 1))
            return false;
    return true;
}

/* What it says is for its reader alone; what it is must be true wherever it arrives. */
static bool check_advertisement(struct incoming *incoming, struct text type, struct text body)
{
    const struct xml_element *root;
    if (!mime_is(type, TEXT(CONTENT_ADVERTISEMENT)) || xml_tree_read(body, &incoming->request->arena, &root) == OK)
        return true;
    return request_answer(incoming->request, 400, "Malformed Group Advertisement"), false;
}

static bool check_part(struct incoming *incoming, struct text type, struct text body, unsigned depth)
{
    note_type(incoming, type);
    if (cpim_is(type))
        return check_envelope(incoming, body, depth);
    if (text_starts_with_nocase(text_trim(type), TEXT("multipart/")))
        return check_multipart(incoming, type, body, depth);
    if (body.length == 0 || may_pass(incoming->request->conversation, type))
        return check_advertisement(incoming, type, body);
    refuse_type(incoming);
    return false;
}

/* --- another wrapping --- */

static const char *const content_headers[] = {"Content-Type", "Content-Disposition", "Content-Encoding",
                                              "Content-Language", "Content-ID"};

#define CONTENT_HEADERS (sizeof(content_headers) / sizeof(content_headers[0]))

/* SIP carries bytes as they are; what is encoded for mail stays in its part. */
static bool is_as_it_is(struct text headers)
{
    struct text encoding = TEXT("binary");
    mime_header(headers, TEXT("Content-Transfer-Encoding"), &encoding);
    return text_equal_nocase(encoding, TEXT("binary")) || text_equal_nocase(encoding, TEXT("8bit")) ||
           text_equal_nocase(encoding, TEXT("7bit"));
}

/* Folded lines as one: a SIP header must not hold line ends. */
static struct text unfold(struct text value, struct arena *arena)
{
    struct text_builder line;
    builder_init(&line, arena);
    for (size_t i = 0; i < value.length; i++)
        if (value.bytes[i] != '\r' && value.bytes[i] != '\n')
            builder_add_char(&line, value.bytes[i]);
    return builder_text(&line);
}

bool content_put(struct sip_message *message, struct text headers, struct text content, struct arena *arena)
{
    struct text type = TEXT("text/plain"), value, kept = text_copy(arena, content);
    if (!is_as_it_is(headers))
        return false;
    mime_header(headers, TEXT("Content-Type"), &type);
    type = unfold(type, arena);
    for (size_t i = 1; i < CONTENT_HEADERS; i++) {
        sip_header_remove(message, content_headers[i]);
        if (mime_header(headers, text_of(content_headers[i]), &value) &&
            sip_header_add(message, content_headers[i], unfold(value, arena)) != OK)
            return false;
    }
    sip_header_remove(message, "MIME-Version");
    sip_body_set(message, type, kept);
    return true;
}

static bool open_envelope(struct sip_message *message, struct arena *arena)
{
    struct cpim_message *cpim = arena_new(arena, struct cpim_message);
    struct text body = text_copy(arena, sip_body(message)); /* it goes when another takes its place */
    struct text disposition = {0};
    if (cpim_parse(body, cpim) != OK)
        return false;
    mime_header(cpim->content_headers, TEXT("Content-Disposition"), &disposition);
    /* A report says nothing without the envelope, and people must not see it. */
    if (mime_is(cpim->content_type, TEXT("message/imdn+xml")) || mime_is(disposition, TEXT("notification")))
        return false;
    return content_put(message, cpim->content_headers, cpim->content, arena);
}

/* The list of who else got it is optional (RFC 5365 §7.3); of several contents none is more than the others. */
static bool open_multipart(struct sip_message *message, struct text type, struct arena *arena)
{
    struct mime_multipart *multipart = arena_new(arena, struct mime_multipart);
    const struct mime_part *only = NULL;
    struct text body = text_copy(arena, sip_body(message));
    if (mime_parse(type, body, multipart) != OK)
        return false;
    for (size_t i = 0; i < multipart->count; i++) {
        if (mime_is(multipart->parts[i].disposition, TEXT("recipient-list-history")))
            continue;
        if (only)
            return false;
        only = &multipart->parts[i];
    }
    return only && content_put(message, only->headers, only->content, arena);
}

/* Few clients decompress. */
static bool take_off_coding(struct sip_message *message, struct text type, struct arena *arena)
{
    struct text body;
    if (content_body(message, arena, &body) != OK)
        return false;
    sip_header_remove(message, "Content-Encoding");
    sip_body_set(message, type, text_copy(arena, body));
    return true;
}

bool content_make_plainer(struct sip_message *message, struct arena *arena)
{
    struct text type;
    if (!sip_header(message, "Content-Type", 0, arena, &type))
        return false;
    if (!coding_is_identity(encoding_of(message, arena)))
        return take_off_coding(message, type, arena);
    if (cpim_is(type))
        return open_envelope(message, arena);
    return mime_is(type, TEXT("multipart/mixed")) && open_multipart(message, type, arena);
}
