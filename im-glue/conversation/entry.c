/* The URI of a list's entry: which device it means ("sip:bob@example.com;gr=…"), and header fields in it
 * ("sip:bob@example.com?Subject=Lunch"): what the sender may say to one of his recipients alone. Who it is from, what
 * it holds and how it gets there is not for a URI to say (RFC 3261 §19.1.5, RFC 5363 §4). */
#include "conversation_private.h"
#include "handout_private.h"
#include "incoming_private.h"

static const char *const taken[] = {"Subject", "In-Reply-To", "Accept-Contact", "Reject-Contact",
                                    "Request-Disposition"};

static const char *name_of(struct text name)
{
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (text_equal_nocase(name, text_of(taken[i])))
            return taken[i];
    return NULL;
}

/* True: one that is taken has been set. */
static bool take(struct sip_message *message, struct text pair, struct arena *arena)
{
    struct text name, value, plain_name, plain_value;
    if (!text_cut(pair, '=', &name, &value) || !percent_decode(arena, name, &plain_name) ||
        !percent_decode(arena, value, &plain_value))
        return false;
    const char *header = name_of(plain_name);
    return header && utf8_valid(plain_value) && sip_header_set(message, header, plain_value) == OK;
}

/* RFC 5627: one of the devices of that user. */
static bool is_device(struct text uri)
{
    struct text device;
    struct uri parts;
    return uri_parse(uri, &parts) && uri_parameter(parts.parameters, TEXT("gr"), &device) && device.length;
}

bool entry_says_more(struct text uri, struct text headers)
{
    return headers.length || is_device(uri);
}

/* Empty: nothing of it is taken, or the message could not be read again with it. */
static struct text apply(const struct incoming *incoming, struct text uri, struct text headers)
{
    struct arena *arena = &incoming->request->arena;
    struct sip_message *message = NULL, *again = NULL;
    struct sip_fault fault;
    struct text bytes = {0}, pair;
    bool any = false;
    if (sip_message_parse(incoming->message, &message, &fault) == OK) {
        any = is_device(uri) && sip_request_uri_set(message, uri) == OK;
        for (bool more = true; more;) {
            more = text_cut(headers, '&', &pair, &headers);
            any = take(message, pair, arena) || any;
        }
        bytes = any ? sip_message_write(message, arena) : bytes;
    }
    if (any && sip_message_parse(bytes, &again, &fault) != OK)
        bytes.length = 0;
    sip_message_free(again);
    sip_message_free(message);
    return bytes;
}

bool entry_adapt(const struct incoming *incoming, struct text entry, struct incoming *own_out)
{
    struct arena *arena = &incoming->request->arena;
    struct text uri, headers;
    text_cut(entry, '?', &uri, &headers);
    struct text bytes = entry.length ? apply(incoming, uri, headers) : (struct text){0};
    struct sip_message *message = NULL;
    struct sip_fault fault;
    if (bytes.length == 0)
        return false;
    *own_out = *incoming;
    own_out->message = bytes;
    own_out->is_own = true;
    own_out->deferrable = incoming->deferrable && !is_device(uri); /* as what is sent to it directly */
    if (sip_message_parse(bytes, &message, &fault) == OK)
        sip_header(message, "Subject", 0, arena, &own_out->subject);
    sip_message_free(message);
    return true;
}
