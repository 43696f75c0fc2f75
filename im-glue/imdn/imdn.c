/* The few elements of a report that decide where it goes; the rest is for its reader. What is added to a document is
 * spliced in: every other byte stays. */
#include "imdn.h"

#include "xml_tree.h"

#define IMDN TEXT("urn:ietf:params:xml:ns:imdn")

static const struct text kinds[] = {
    TEXT_INIT("delivery-notification"),
    TEXT_INIT("display-notification"),
    TEXT_INIT("processing-notification"),
};

enum status imdn_read(struct text document, struct arena *arena, struct imdn *imdn_out)
{
    const struct xml_element *root, *id;
    *imdn_out = (struct imdn){0};
    if (xml_tree_read(document, arena, &root) != OK || !xml_is(root, IMDN, TEXT("imdn")) ||
        !(id = xml_child(root, IMDN, TEXT("message-id"))))
        return REFUSED;
    imdn_out->message_id = text_trim(id->text);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct xml_element *notification = xml_child(root, IMDN, kinds[i]);
        const struct xml_element *status = notification ? xml_child(notification, IMDN, TEXT("status")) : NULL;
        if (!notification)
            continue;
        imdn_out->kind = kinds[i];
        if (status && status->first_child)
            imdn_out->status = status->first_child->local;
    }
    return imdn_out->message_id.length && imdn_out->kind.length ? OK : REFUSED;
}

struct text imdn_with_recipient(struct text document, struct text recipient, struct arena *arena)
{
    const struct xml_element *root, *before;
    if (xml_tree_read(document, arena, &root) != OK || xml_child(root, IMDN, TEXT("recipient-uri")))
        return document;
    if (!(before = xml_child(root, IMDN, TEXT("datetime"))) && !(before = xml_child(root, IMDN, TEXT("message-id"))))
        return document;
    struct text uri = xml_escape(arena, recipient);
    return text_format(arena,
                       "%.*s<recipient-uri xmlns=\"%.*s\">%.*s</recipient-uri><original-recipient-uri "
                       "xmlns=\"%.*s\">%.*s</original-recipient-uri>%.*s",
                       (int)before->end, document.bytes, TEXT_ARG(IMDN), TEXT_ARG(uri), TEXT_ARG(IMDN), TEXT_ARG(uri),
                       TEXT_ARG(text_slice(document, before->end, document.length)));
}

struct text imdn_write(const struct imdn *imdn, struct text recipient, struct text when, struct arena *arena)
{
    struct text document =
        text_format(arena,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<imdn xmlns=\"%.*s\"><message-id>%.*s</message-id>"
                    "<datetime>%.*s</datetime><%.*s-notification><status><%.*s/></status></%.*s-notification></imdn>",
                    TEXT_ARG(IMDN), TEXT_ARG(xml_escape(arena, imdn->message_id)), TEXT_ARG(when), TEXT_ARG(imdn->kind),
                    TEXT_ARG(imdn->status), TEXT_ARG(imdn->kind));
    return recipient.length ? imdn_with_recipient(document, recipient, arena) : document;
}
