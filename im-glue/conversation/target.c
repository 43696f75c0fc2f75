/* Which contacts of a user a request goes to: those that can be reached, that its sender prefers, and of each device
 * one.
 */
#include "conversation_private.h"
#include "uri.h"

/* RFC 5630 §5.3: what was sent to a sips address goes the last hop by TLS or not at all. */
static bool wants_tls(const struct sip_message *request)
{
    struct arena arena;
    arena_init(&arena, "target");
    bool wants = text_starts_with_nocase(sip_request_uri(request, &arena), TEXT("sips:"));
    arena_clear(&arena);
    return wants;
}

/* RFC 5626 §5.3: a flow that is gone leads nowhere, and its device has another one or will make it. */
static bool flow_is_gone(const struct contact *contact)
{
    return contact->reg_id && !contact->path[0] && flow_is_connected(&contact->source) &&
           contact->source.connection == 0;
}

static bool is_usable(const struct conversation *conversation, const struct contact *contact, bool by_tls_only)
{
    struct flow flow = contact_flow(contact);
    return contact->expires_ms > conversation->now.wall_ms && !flow_is_gone(contact) &&
           (!by_tls_only || flow_is_secure(&flow));
}

/* Of all flows of one device the newest: they are in the order of their registration. `before` is an index. */
static const struct contact *newest_flow(const struct conversation *conversation, const struct served *recipient,
                                         const struct contact *contact, size_t before, bool by_tls_only)
{
    for (size_t i = before; i-- > 0;) {
        const struct contact *one = &recipient->contacts[i];
        if (one->reg_id && text_equal(text_of(one->instance), text_of(contact->instance)) &&
            is_usable(conversation, one, by_tls_only))
            return one;
    }
    return NULL;
}

const struct contact *target_other_flow(const struct conversation *conversation, const struct served *recipient,
                                        size_t index, const struct sip_message *request)
{
    const struct contact *contact = &recipient->contacts[index];
    return contact->reg_id ? newest_flow(conversation, recipient, contact, index, wants_tls(request)) : NULL;
}

/* RFC 5627 §6: to the device that the Request-URI names, else to all. */
static struct text device_of(const struct sip_message *request, struct arena *arena)
{
    struct text device = {0};
    struct uri uri;
    if (uri_parse(sip_request_uri(request, arena), &uri))
        uri_parameter(uri.parameters, TEXT("gr"), &device);
    return device;
}

bool target_is(const struct conversation *conversation, const struct served *recipient, size_t index,
               const struct sip_message *request, struct arena *arena)
{
    const struct contact *contact = &recipient->contacts[index];
    bool by_tls_only = wants_tls(request);
    struct text device = device_of(request, arena);
    if (!is_usable(conversation, contact, by_tls_only) ||
        !preference_allows(request, text_of(contact->features), arena) ||
        (device.length && !text_equal(text_of(contact->instance), device)))
        return false;
    return !contact->reg_id ||
           newest_flow(conversation, recipient, contact, recipient->contacts_count, by_tls_only) == contact;
}
