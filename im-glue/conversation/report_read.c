/* What a report in a message says, and about which message. */
#include "cpim.h"
#include "handout_private.h"
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

/* The newest of that id, as fate_get; its trace may not be on the disk yet. */
static bool find_fate(const struct conversation *conversation, struct text message_id, struct text recipient,
                      struct arena *arena, struct fate *fate_out)
{
    struct fate now;
    enum status status = fate_get(conversation->documents, message_id, recipient, arena, fate_out);
    if ((status != OK && status != NOT_FOUND) || !handout_fate(conversation, message_id, recipient, &now))
        return status == OK;
    if (status == NOT_FOUND || fate_first_ms(&now) >= fate_first_ms(fate_out))
        *fate_out = now;
    return true;
}

bool report_find_original(struct incoming *incoming, struct imdn *imdn_out, struct fate *fate_out)
{
    struct request *request = incoming->request;
    struct text document;
    return report_find(request_header(request, "Content-Type"), incoming->body, &request->arena, &document) &&
           imdn_read(document, &request->arena, imdn_out) == OK && imdn_out->message_id.length <= INCOMING_ID_MAX &&
           find_fate(request->conversation, imdn_out->message_id, request->user, &request->arena, fate_out);
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
