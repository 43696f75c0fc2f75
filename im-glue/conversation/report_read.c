/* What a report in a message says, and about which message. */
#include "cpim.h"
#include "incoming_private.h"
#include "mime.h"
#include "reports_private.h"

bool report_find(struct text type, struct text body, struct arena *arena, struct text *document_out)
{
    *document_out = body;
    if (cpim_is(type)) {
        struct cpim_message *cpim = arena_new(arena, struct cpim_message);
        if (cpim_parse(body, cpim) != OK)
            return false;
        type = cpim->content_type;
        *document_out = cpim->content;
    }
    return mime_is(type, TEXT("message/imdn+xml"));
}

bool report_find_original(struct incoming *incoming, struct imdn *imdn_out, struct fate *fate_out)
{
    struct request *request = incoming->request;
    struct text document;
    return report_find(request_header(request, "Content-Type"), incoming->body, &request->arena, &document) &&
           imdn_read(document, &request->arena, imdn_out) == OK && imdn_out->message_id.length <= INCOMING_ID_MAX &&
           fate_get(request->conversation->documents, imdn_out->message_id, request->user, &request->arena, fate_out) ==
               OK;
}

void reports_note(const struct incoming *incoming, struct text sender)
{
    struct request *request = incoming->request;
    struct text document, kind, rest;
    struct imdn imdn;
    if (!report_find(request_header(request, "Content-Type"), incoming->body, &request->arena, &document) ||
        imdn_read(document, &request->arena, &imdn) != OK || imdn.message_id.length > INCOMING_ID_MAX ||
        imdn.status.length == 0)
        return;
    text_cut(imdn.kind, '-', &kind, &rest);
    const struct fate about = {.message_id = imdn.message_id, .sender = sender, .recipient = request->user};
    work_note_report(request->conversation, &about, kind, imdn.status);
}

bool reports_addressee(struct incoming *incoming, struct text group, struct text *address_out)
{
    struct imdn imdn;
    struct fate fate;
    if (!report_find_original(incoming, &imdn, &fate) || !text_equal(fate.group, group))
        return false;
    *address_out = fate.sender;
    return true;
}
