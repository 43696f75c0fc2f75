/* Redirections (RFC 3261 §8.1.3.4, §16.5): another place for this one message. Where they may lead is no more than what
 * who points there could have said himself: a client may register any contact, a domain may name any host of its own.
 */
#include "delivery_private.h"
#include "domains_private.h"
#include "uri.h"

/* An address of our domain is no place, but somebody else, whose rules nobody has asked. */
static bool may_lead_to(const struct delivery *delivery, const struct uri *uri)
{
    if (!text_starts_with_nocase(uri->scheme, TEXT("sip")) || uri->host.length == 0 ||
        domain_is_ours(delivery->conversation, uri->host))
        return false;
    if (!delivery->recipient->domain)
        return true;
    struct text domain = text_of(delivery->recipient->domain->name);
    return text_equal_nocase(uri->host, domain) || domain_is_below(uri->host, domain);
}

/* RFC 5630 §5.3: who means sips is not led to less. */
static bool keeps_secure(const struct branch *branch, struct text uri)
{
    return !text_starts_with_nocase(branch->contact, TEXT("sips:")) || text_starts_with_nocase(uri, TEXT("sips:"));
}

static bool send_on(const struct branch *from, struct text field)
{
    struct delivery *delivery = from->delivery;
    struct name_addr address;
    struct uri uri;
    if (!name_addr_parse(field, &address, NULL) || !uri_parse(address.uri, &uri) || !may_lead_to(delivery, &uri) ||
        !keeps_secure(from, address.uri))
        return false;
    struct branch *branch = arena_new(&delivery->arena, struct branch);
    branch->delivery = delivery;
    branch->contact = text_copy(&delivery->arena, text_slice(address.uri, 0, text_find_char(address.uri, '?')));
    branch->redirected = true;
    outbound_search(branch, branch->contact);
    return true;
}

bool redirect_follow(struct branch *branch, const struct sip_message *response)
{
    struct delivery *delivery = branch->delivery;
    int status = sip_status(response);
    struct text field, one;
    size_t count = 0;
    if (status < 300 || status >= 400 || !delivery->conversation->settings.follow_redirects || branch->redirected ||
        branch->core || delivery->finished)
        return false;
    for (size_t i = 0; sip_header(response, "Contact", i, &delivery->arena, &field); i++)
        while (count < CONVERSATION_REDIRECTS_MAX && text_next_item(&field, &one))
            count += send_on(branch, one);
    if (count == 0)
        return false;
    delivery_note_failed(branch, status);
    delivery->branches--;
    delivery_settle(delivery);
    return true;
}
