/* The Via header field: judging it, reading the top one, and stamping it with where a request really came from. */
#include "sip_message_private.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

#define PARAMETERS_MAX 64 /* of one Via; they are walked */

static bool host_is_good(struct text host)
{
    for (size_t i = 0; i < host.length; i++) {
        char character = host.bytes[i];
        bool alphanumeric =
            (character >= '0' && character <= '9') || ((character | 0x20) >= 'a' && (character | 0x20) <= 'z');
        if (!alphanumeric && !(character && strchr(".-_:%", character)))
            return false;
    }
    return host.length > 0;
}

static bool port_is_good(const char *port)
{
    uint64_t number;
    return !port || (text_to_u64(text_of(port), &number) && number > 0 && number <= UINT16_MAX);
}

/* NULL: not readable. */
static osip_via_t *library_read(struct text value)
{
    osip_via_t *via;
    char *string = text_keep(value);
    osip_via_init(&via);
    bool good = osip_via_parse(via, string) == OSIP_SUCCESS;
    free(string);
    if (good)
        return via;
    osip_via_free(via);
    return NULL;
}

bool sip_via_judge(struct text value)
{
    struct sip_via plain;
    struct text sent_by, rest;
    size_t parameters = 0;
    if (sip_plain_via(value, &plain))
        return true;
    for (size_t i = 0; i < value.length; i++)
        parameters += value.bytes[i] == ';';
    /* A comment, of RFC 2543, would be moved by the library. */
    if (parameters > PARAMETERS_MAX || text_find_char(value, '(') < value.length ||
        !text_starts_with_nocase(value, TEXT("SIP")))
        return false;
    if (text_cut(value, ';', &sent_by, &rest) && !sip_parameters_valid(rest))
        return false;
    osip_via_t *via = library_read(value);
    bool good = via && via->host && via->version && via->protocol && text_equal(text_of(via->version), TEXT("2.0")) &&
                sip_token_valid(text_of(via->protocol)) && host_is_good(text_of(via->host)) && port_is_good(via->port);
    osip_via_free(via);
    return good;
}

struct sip_via sip_via_read(struct text value, struct arena *arena)
{
    struct sip_via view = {0};
    struct text sent_by, unused;
    uint64_t port = 0;
    if (sip_plain_via(value, &view))
        return view;
    osip_via_t *via = library_read(value);
    text_cut(value, ';', &sent_by, &view.parameters);
    view.host = via ? text_copy(arena, text_of(via->host)) : (struct text){0};
    if (via && via->port)
        text_to_u64(text_of(via->port), &port);
    view.port = (uint16_t)port;
    sip_parameter(view.parameters, "branch", &view.branch);
    view.wants_port = sip_parameter(view.parameters, "rport", &unused);
    osip_via_free(via);
    return view;
}

struct text sip_via_host(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_VIA)->via.host;
}

uint16_t sip_via_port(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_VIA)->via.port;
}

bool sip_via_wants_port(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_VIA)->via.wants_port;
}

void sip_via_stamp(struct sip_message *message, struct text address, uint16_t port)
{
    struct text_builder via;
    struct text rest, part, name, value;
    sip_field_value(message, "Via", 0, &rest);
    builder_init(&via, &message->arena);
    bool quotes = text_find_char(rest, '"') < rest.length;
    bool more = text_cut(rest, ';', &part, &rest), wants_port = false;
    builder_add(&via, text_trim(part));
    while (more) {
        size_t end = quotes ? sip_parameter_end(rest) : text_find_char(rest, ';');
        part = text_slice(rest, 0, end);
        more = end < rest.length;
        rest = text_slice(rest, more ? end + 1 : end, rest.length);
        text_cut(part, '=', &name, &value);
        name = text_trim(name);
        if (text_equal_nocase(name, TEXT("rport"))) {
            wants_port = true;
        } else if (!text_equal_nocase(name, TEXT("received"))) {
            builder_add_char(&via, ';');
            builder_add(&via, text_trim(part));
        }
    }
    builder_add(&via, TEXT(";received="));
    builder_add(&via, address);
    if (wants_port) {
        builder_add(&via, TEXT(";rport="));
        builder_add_number(&via, port);
    }
    /* Whatever a peer makes of it, what is kept can be read; answers find their way without it. */
    struct sip_via plain = {0};
    osip_via_t *read = NULL;
    if (sip_plain_via(builder_text(&via), &plain))
        sip_via_replace_top(message, builder_text(&via), &plain);
    else if ((read = library_read(builder_text(&via))))
        sip_via_replace_top(message, builder_text(&via), NULL);
    osip_via_free(read);
}
