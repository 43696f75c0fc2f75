/* Which contacts of a user a request goes to: those that can be reached, that its sender prefers, and of each device
 * one.
 */
#include "conversation_private.h"
#include "target_private.h"
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
    bool is_closed = !contact->path[0] && flow_is_connected(&contact->source) && contact->source.connection == 0;
    return contact->reg_id && (contact->lost || is_closed);
}

static bool is_usable(const struct conversation *conversation, const struct contact *contact, bool by_tls_only)
{
    if (contact->expires_ms <= conversation->now.wall_ms || flow_is_gone(contact))
        return false;
    if (!by_tls_only)
        return true;
    struct flow flow = contact_flow(contact);
    return flow_is_secure(&flow);
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
    struct text device = {0}, address = sip_request_uri(request, arena);
    struct uri uri;
    if (text_find_char(address, ';') < address.length && uri_parse(address, &uri))
        uri_parameter(uri.parameters, TEXT("gr"), &device);
    return device;
}

/* Its name in a core is the address of the user; the core knows which devices there are. */
static bool is_mark(const struct served *recipient, const struct contact *contact)
{
    return contact->core && strcmp(contact->name, recipient->address) == 0;
}

static bool fits(const struct conversation *conversation, const struct served *recipient, const struct contact *contact,
                 const struct sip_message *request, struct arena *arena)
{
    struct text device = device_of(request, arena);
    return is_usable(conversation, contact, wants_tls(request)) &&
           preference_allows(request, text_of(contact->features), arena) &&
           (device.length == 0 || is_mark(recipient, contact) || text_equal(text_of(contact->instance), device));
}

/* One request goes to a core, whatever it has told of the devices there; and none if it has told of them, and the
 * sender means none of these. */
static bool is_first_in_core(const struct conversation *conversation, const struct served *recipient, size_t index,
                             const struct sip_message *request, struct arena *arena)
{
    const struct contact *contact = &recipient->contacts[index];
    bool mark = is_mark(recipient, contact);
    for (size_t i = 0; i < recipient->contacts_count; i++) {
        const struct contact *other = &recipient->contacts[i];
        if (i == index || !other->core || strcmp(other->path, contact->path) != 0 || is_mark(recipient, other) ||
            other->expires_ms <= conversation->now.wall_ms)
            continue;
        if (mark || (i < index && fits(conversation, recipient, other, request, arena)))
            return false;
    }
    return true;
}

bool target_is(const struct conversation *conversation, const struct served *recipient, size_t index,
               const struct sip_message *request, struct arena *arena)
{
    const struct contact *contact = &recipient->contacts[index];
    if (!fits(conversation, recipient, contact, request, arena))
        return false;
    if (contact->core)
        return is_first_in_core(conversation, recipient, index, request, arena);
    return !contact->reg_id ||
           newest_flow(conversation, recipient, contact, recipient->contacts_count, wants_tls(request)) == contact;
}

struct text target_address(const struct served *recipient, const struct contact *contact,
                           const struct sip_message *request, struct arena *arena)
{
    if (!contact->core)
        return text_copy(arena, text_of(contact->uri));
    if (device_of(request, arena).length)
        return sip_request_uri(request, arena);
    return text_of(recipient->address);
}
