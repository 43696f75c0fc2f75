/* A MESSAGE of the server's own that carries reports about other messages (RFC 5438 §8.3, §12.2): one report, or those
 * of many in one envelope. Who is told what is decided elsewhere. */
#include "conversation_private.h"
#include "mime.h"
#include "reports_private.h"

#define REPORT_HEADERS "Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n"

/* What the envelope encloses, with its headers. */
static struct text enclosed(const struct report_message *letter, struct arena *arena)
{
    struct text boundary = random_hex(arena, 16);
    struct text_builder parts;
    if (letter->count == 1)
        return text_join(arena, TEXT(REPORT_HEADERS), letter->reports[0]);
    builder_init(&parts, arena);
    for (size_t i = 0; i < letter->count; i++)
        mime_add_part(&parts, boundary, text_join(arena, TEXT(REPORT_HEADERS), letter->reports[i]));
    mime_end(&parts, boundary);
    return text_format(arena,
                       "Content-Type: multipart/mixed;boundary=%.*s\r\nContent-Disposition: notification\r\n\r\n%.*s",
                       TEXT_ARG(boundary), TEXT_ARG(builder_text(&parts)));
}

/* RFC 5438 §7.1.2: in the order of the IMDN-Record-Route. */
static struct text route_of(const struct report_message *letter, struct arena *arena)
{
    struct text_builder lines;
    struct text line, rest = letter->route;
    builder_init(&lines, arena);
    for (bool more = rest.length > 0; more;) {
        more = text_cut(rest, '\n', &line, &rest);
        builder_add_format(&lines, "imdn.IMDN-Route: %.*s\r\n", TEXT_ARG(line));
    }
    return builder_text(&lines);
}

static struct text envelope(const struct conversation *conversation, const struct report_message *letter,
                            struct arena *arena)
{
    return text_format(arena,
                       "From: <%.*s>\r\nTo: <%.*s>\r\nDateTime: %.*s\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
                       "imdn.Message-ID: %.*s\r\n%.*s\r\n%.*s",
                       TEXT_ARG(letter->from), TEXT_ARG(letter->to),
                       TEXT_ARG(clock_write_rfc3339(arena, conversation->now.wall_ms)), TEXT_ARG(letter->id),
                       TEXT_ARG(route_of(letter, arena)), TEXT_ARG(enclosed(letter, arena)));
}

/* A message without a Via does not parse; the one here goes before it is sent. */
struct sip_message *message_of_server(const struct conversation *conversation, struct text from, struct text to,
                                      struct text id, struct arena *arena)
{
    const char *host = conversation->settings.agent.host;
    struct sip_message *message = sip_request_new(TEXT("MESSAGE"), to);
    if (!message)
        return NULL;
    sip_header_add(message, "Via",
                   text_format(arena, "SIP/2.0/UDP %s;branch=z9hG4bK%.*s", host, TEXT_ARG(random_hex(arena, 16))));
    sip_header_add(message, "Max-Forwards", TEXT("70"));
    sip_header_add(message, "From",
                   text_format(arena, "<%.*s>;tag=%.*s", TEXT_ARG(from), TEXT_ARG(random_hex(arena, 16))));
    sip_header_add(message, "To", text_format(arena, "<%.*s>", TEXT_ARG(to)));
    sip_header_add(message, "Call-ID", text_format(arena, "%.*s@%s", TEXT_ARG(id), host));
    sip_header_add(message, "CSeq", TEXT("1 MESSAGE"));
    sip_header_add(message, "Date", clock_write_http_date(arena, conversation->now.wall_ms));
    sip_header_add(message, "User-Agent", TEXT(CONVERSATION_PRODUCT));
    return message;
}

struct text report_message_write(const struct conversation *conversation, const struct report_message *letter,
                                 struct arena *arena)
{
    struct sip_message *message = message_of_server(conversation, letter->from, letter->hop, letter->id, arena);
    if (!message)
        return (struct text){0};
    sip_body_set(message, TEXT("message/cpim"), envelope(conversation, letter, arena));
    struct text bytes = sip_message_write(message, arena);
    sip_message_free(message);
    return bytes;
}
