/* The Via header field: judging it, reading the top one, and stamping it with where a request really came from. */
#include "sip_message_private.h"

#include <stdlib.h>
#include <strings.h>

#define PARAMETERS_MAX 64 /* of one Via; the library walks them as a list */

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

static bool is_readable(const char *value)
{
    osip_via_t *via;
    osip_via_init(&via);
    bool good = osip_via_parse(via, value) == OSIP_SUCCESS;
    osip_via_free(via);
    return good;
}

bool sip_via_judge(const char *value)
{
    size_t parameters = 0;
    for (const char *at = value; *at; at++)
        parameters += *at == ';';
    /* A comment, of RFC 2543, would be moved by the library. */
    if (parameters > PARAMETERS_MAX || strchr(value, '(') || strncasecmp(value, "SIP", 3) != 0)
        return false;
    struct text sent_by, rest;
    if (text_cut(text_of(value), ';', &sent_by, &rest) && !sip_parameters_valid(rest))
        return false;
    osip_via_t *via;
    osip_via_init(&via);
    bool good = osip_via_parse(via, value) == OSIP_SUCCESS && via->host && via->version && via->protocol &&
                text_equal(text_of(via->version), TEXT("2.0")) && sip_token_valid(text_of(via->protocol)) &&
                host_is_good(text_of(via->host)) && port_is_good(via->port);
    osip_via_free(via);
    return good;
}

struct text sip_via_host(const struct sip_message *message)
{
    return message->via ? text_of(message->via->host) : (struct text){0};
}

uint16_t sip_via_port(const struct sip_message *message)
{
    uint64_t port = 0;
    if (message->via && message->via->port)
        text_to_u64(text_of(message->via->port), &port);
    return (uint16_t)port;
}

bool sip_via_parameter(const struct sip_message *message, const char *name, struct text *value_out)
{
    *value_out = (struct text){0};
    if (!message->via)
        return false;
    osip_list_iterator_t walk;
    const osip_generic_param_t *parameter = osip_list_get_first(&message->via->via_params, &walk);
    for (; parameter; parameter = osip_list_get_next(&walk)) {
        if (!parameter->gname || strcasecmp(parameter->gname, name) != 0)
            continue;
        *value_out = text_of(parameter->gvalue);
        return true;
    }
    return false;
}

void sip_via_stamp(struct sip_message *message, struct text address, uint16_t port)
{
    struct arena arena;
    struct text_builder via;
    struct text rest = text_of(sip_field_value(message, TEXT("Via"), 0)), part, name, value;
    arena_init(&arena, "via");
    builder_init(&via, &arena);
    bool more = text_cut(rest, ';', &part, &rest), wants_port = false;
    builder_add(&via, text_trim(part));
    while (more) {
        size_t end = sip_parameter_end(rest);
        part = text_slice(rest, 0, end);
        more = end < rest.length;
        rest = text_slice(rest, more ? end + 1 : end, rest.length);
        text_cut(part, '=', &name, &value);
        name = text_trim(name);
        if (text_equal_nocase(name, TEXT("rport")))
            wants_port = true;
        else if (!text_equal_nocase(name, TEXT("received")))
            builder_add_format(&via, ";%.*s", TEXT_ARG(text_trim(part)));
    }
    builder_add_format(&via, ";received=%.*s", TEXT_ARG(address));
    if (wants_port)
        builder_add_format(&via, ";rport=%u", (unsigned)port);
    /* Whatever a peer makes of it, what is kept can be read; answers find their way without it. */
    if (is_readable(text_cstring(&arena, builder_text(&via))))
        sip_via_replace_top(message, builder_text(&via));
    arena_clear(&arena);
}
