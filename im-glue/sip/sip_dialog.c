/* Dialogs: their beginning on either side, the order of requests in them, the way to the peer (RFC 3261 §12). */
#include <stdlib.h>

#include "sip_dialog.h"

static struct text field(const struct sip_message *message, const char *name, struct arena *arena)
{
    struct text value = {0};
    return sip_header(message, name, 0, arena, &value) ? text_trim(value) : (struct text){0};
}

static void replace(char **text, struct text value)
{
    char *copy = text_keep(value);
    free(*text);
    *text = copy;
}

/* RFC 3261 §12.1.1: in the order in which they stand, on the side that was asked. */
static enum status take_route(struct sip_dialog *dialog, const struct sip_message *request, struct arena *arena)
{
    struct text_builder route;
    struct text value;
    builder_init(&route, arena);
    for (size_t i = 0; sip_header(request, "Record-Route", i, arena, &value); i++) {
        if (i)
            builder_add(&route, TEXT(", "));
        builder_add(&route, value);
    }
    if (route.length > SIP_ROUTE_BYTES_MAX)
        return REFUSED;
    replace(&dialog->route, builder_text(&route));
    return OK;
}

static enum status take_target(struct sip_dialog *dialog, const struct sip_message *request, struct arena *arena)
{
    struct name_addr contact;
    struct uri uri;
    if (!name_addr_parse(field(request, "Contact", arena), &contact, NULL) || !uri_parse(contact.uri, &uri) ||
        (!text_equal_nocase(uri.scheme, TEXT("sip")) && !text_equal_nocase(uri.scheme, TEXT("sips"))))
        return REFUSED;
    /* RFC 3261 §19.1.1: header fields in a URI have no place in a Request-URI. */
    replace(&dialog->target, text_slice(contact.uri, 0, text_find_char(contact.uri, '?')));
    return OK;
}

enum status sip_dialog_answer(struct sip_dialog *dialog_out, const struct sip_message *request,
                              const struct sip_message *response)
{
    struct sip_dialog *dialog = dialog_out;
    struct arena arena;
    *dialog = (struct sip_dialog){0};
    arena_init(&arena, "dialog");
    enum status status = take_target(dialog, request, &arena);
    if (status == OK)
        status = take_route(dialog, request, &arena);
    dialog->call_id = text_keep(sip_call_id(request, &arena));
    dialog->local = text_keep(field(response, "To", &arena));
    dialog->remote = text_keep(field(request, "From", &arena));
    dialog->local_tag = text_keep(sip_to_tag(response));
    dialog->remote_tag = text_keep(sip_from_tag(request));
    dialog->remote_cseq = sip_cseq(request);
    arena_clear(&arena);
    if (status != OK)
        sip_dialog_clear(dialog);
    return status;
}

void sip_dialog_ask(struct sip_dialog *dialog_out, const struct sip_message *request)
{
    struct arena arena;
    arena_init(&arena, "dialog");
    *dialog_out = (struct sip_dialog){
        .call_id = text_keep(sip_call_id(request, &arena)),
        .local = text_keep(field(request, "From", &arena)),
        .remote = text_keep(field(request, "To", &arena)),
        .local_tag = text_keep(sip_from_tag(request)),
        .remote_tag = text_keep((struct text){0}),
        .target = text_keep(sip_request_uri(request, &arena)),
        .route = text_keep((struct text){0}),
        .local_cseq = sip_cseq(request),
    };
    arena_clear(&arena);
}

enum status sip_dialog_confirm(struct sip_dialog *dialog, const struct sip_message *request)
{
    struct arena arena;
    arena_init(&arena, "dialog");
    enum status status = take_target(dialog, request, &arena);
    if (status == OK)
        status = take_route(dialog, request, &arena);
    if (status == OK) {
        replace(&dialog->remote, field(request, "From", &arena));
        replace(&dialog->remote_tag, sip_from_tag(request));
        dialog->remote_cseq = sip_cseq(request);
    }
    arena_clear(&arena);
    return status;
}

void sip_dialog_clear(struct sip_dialog *dialog)
{
    free(dialog->call_id);
    free(dialog->local);
    free(dialog->remote);
    free(dialog->local_tag);
    free(dialog->remote_tag);
    free(dialog->target);
    free(dialog->route);
    *dialog = (struct sip_dialog){0};
}

size_t sip_dialog_bytes(const struct sip_dialog *dialog)
{
    const char *const texts[] = {dialog->call_id,    dialog->local,  dialog->remote, dialog->local_tag,
                                 dialog->remote_tag, dialog->target, dialog->route};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bytes += texts[i] ? strlen(texts[i]) + 1 : 0;
    return bytes;
}

bool sip_dialog_holds(const struct sip_dialog *dialog, const struct sip_message *request)
{
    struct arena arena;
    arena_init(&arena, "dialog");
    bool same = text_equal(sip_call_id(request, &arena), text_of(dialog->call_id));
    arena_clear(&arena);
    return same && text_equal(sip_to_tag(request), text_of(dialog->local_tag)) &&
           (!dialog->remote_tag[0] || text_equal(sip_from_tag(request), text_of(dialog->remote_tag)));
}

int sip_dialog_take(struct sip_dialog *dialog, const struct sip_message *request)
{
    struct text contact;
    struct arena arena;
    enum status status = OK;
    if (sip_cseq(request) <= dialog->remote_cseq) /* RFC 3261 §12.2.2 */
        return 500;
    dialog->remote_cseq = sip_cseq(request);
    arena_init(&arena, "dialog");
    if (sip_header(request, "Contact", 0, &arena, &contact))
        status = take_target(dialog, request, &arena);
    arena_clear(&arena);
    return status == OK ? 0 : 400;
}

/* RFC 3261 §12.2.1.1: a first hop that routes strictly wants to find itself in the Request-URI, and the target last. */
static bool set_way(struct sip_message *message, const struct sip_dialog *dialog, struct arena *arena)
{
    struct text rest, ignored;
    struct name_addr first;
    struct uri uri;
    if (!dialog->route[0])
        return true;
    if (!name_addr_parse(text_of(dialog->route), &first, &rest) || !uri_parse(first.uri, &uri))
        return false;
    if (uri_parameter(uri.parameters, TEXT("lr"), &ignored))
        return sip_header_set(message, "Route", text_of(dialog->route)) == OK;
    rest = text_trim(rest);
    struct text route = text_format(arena, "%.*s%s<%s>", TEXT_ARG(rest), rest.length ? ", " : "", dialog->target);
    return sip_request_uri_set(message, first.uri) == OK && sip_header_set(message, "Route", route) == OK;
}

struct sip_message *sip_dialog_request(struct sip_dialog *dialog, struct text method)
{
    struct sip_message *message = sip_request_new(method, text_of(dialog->target));
    struct arena arena;
    if (!message)
        return NULL;
    arena_init(&arena, "dialog");
    struct text cseq = text_format(&arena, "%u %.*s", (unsigned)++dialog->local_cseq, TEXT_ARG(method));
    bool good = set_way(message, dialog, &arena) && sip_header_set(message, "Max-Forwards", TEXT("70")) == OK &&
                sip_header_set(message, "From", text_of(dialog->local)) == OK &&
                sip_header_set(message, "To", text_of(dialog->remote)) == OK &&
                sip_header_set(message, "Call-ID", text_of(dialog->call_id)) == OK &&
                sip_header_set(message, "CSeq", cseq) == OK;
    arena_clear(&arena);
    if (good)
        return message;
    sip_message_free(message);
    return NULL;
}
