/* Reports that take a recorded way (RFC 5438 §8.2): what was sent to this server because it stands on top of
 * IMDN-Route goes on without that line, to the next of the route or to whom it is for. Nothing else of the envelope
 * changes. */
#include "cpim.h"
#include "domains_private.h"
#include "incoming_private.h"
#include "mime.h"
#include "reports_private.h"
#include "uri.h"

#define IMDN_NAMESPACE TEXT("urn:ietf:params:imdn")

static bool is_route(const struct cpim_header *header)
{
    return text_equal(header->prefix_uri, IMDN_NAMESPACE) && text_equal(header->name, TEXT("IMDN-Route"));
}

static struct text address_in(struct text value, struct arena *arena)
{
    struct name_addr address;
    return name_addr_parse(value, &address, NULL) ? text_copy(arena, address.uri) : (struct text){0};
}

/* What stands before and behind the line of that value. */
static struct text without_line(struct text body, struct text value, struct arena *arena)
{
    size_t at = (size_t)(value.bytes - body.bytes), begin = at, end = at + value.length;
    while (begin > 0 && body.bytes[begin - 1] != '\n')
        begin--;
    end += text_find_char(text_slice(body, end, body.length), '\n') + 1;
    return text_join(arena, text_slice(body, 0, begin), text_slice(body, end, body.length));
}

static bool is_ours(const struct conversation *conversation, struct text canonical)
{
    struct uri uri;
    bool is_of_user = text_find_char(canonical, '@') < canonical.length; /* most are, and cost no more */
    return is_of_user ? exploder_is(conversation, canonical)
                      : uri_parse(canonical, &uri) && domain_is_server(conversation, &uri);
}

/* The envelope of a report, without its codings. */
static bool read_report(struct request *request, struct text *body_out, struct cpim_message *cpim_out)
{
    return cpim_is(request_header(request, "Content-Type")) &&
           content_body(request->message, &request->arena, body_out) == OK && cpim_parse(*body_out, cpim_out) == OK &&
           mime_is(cpim_out->content_type, TEXT("message/imdn+xml"));
}

/* The top of the route if that is us, and where the report goes then. */
static bool find_next(const struct request *request, const struct cpim_message *cpim, struct arena *arena,
                      const struct cpim_header **top_out, struct text *next_out)
{
    *top_out = NULL;
    *next_out = cpim->to;
    for (size_t i = cpim->headers_count; i > 0; i--) {
        const struct cpim_header *header = &cpim->headers[i - 1];
        if (!is_route(header))
            continue;
        *next_out = *top_out ? (*top_out)->value : cpim->to;
        *top_out = header;
    }
    *next_out = address_in(*next_out, arena);
    return *top_out && next_out->length &&
           is_ours(request->conversation, uri_canonical(arena, address_in((*top_out)->value, arena)));
}

static bool take_off(struct request *request)
{
    struct arena *arena = &request->arena;
    struct cpim_message *cpim = arena_new(arena, struct cpim_message);
    const struct cpim_header *top;
    struct text body, next;
    if (!read_report(request, &body, cpim) || !find_next(request, cpim, arena, &top, &next) ||
        sip_request_uri_set(request->message, next) != OK)
        return false;
    sip_header_remove(request->message, "Content-Encoding");
    sip_body_set(request->message, TEXT("message/cpim"), without_line(body, top->value, arena));
    return true;
}

struct text imdn_route_follow(struct request *request)
{
    struct text target = uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    for (int i = 0; i < CPIM_HEADERS_MAX && is_ours(request->conversation, target) && take_off(request); i++)
        target = uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    return target;
}
