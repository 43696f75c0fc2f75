/* P-Asserted-Identity (RFC 3325): whose is believed, and what is asserted to those whom we send to. */
#include "conversation_private.h"
#include "log.h"

bool request_peer_is_trusted(struct request *request)
{
    const struct conversation_settings *settings = &request->conversation->settings;
    const struct text *names = NULL;
    size_t names_count = 0;
    if (!settings->trust)
        return false;
    if (settings->peer_names && request->flow.kind == FLOW_TLS)
        names_count =
            settings->peer_names(settings->peer_names_context, request->flow.connection, &request->arena, &names);
    return trust_believes(settings->trust, (const struct sockaddr *)&request->flow.peer, names, names_count);
}

bool request_is_of_core(struct request *request)
{
    const struct trust_ranges *cores = request->conversation->settings.cores;
    struct trust_address address;
    return cores && trust_address_of((const struct sockaddr *)&request->flow.peer, &address) &&
           trust_ranges_have(cores, &address) && request_peer_is_trusted(request);
}

static bool is_tel(struct text address)
{
    return text_starts_with(address, TEXT("tel:"));
}

/* RFC 3325 §9.1: one, or a SIP address and a number, in one field or two. */
static enum status read_asserted(struct request *request, struct text identities_out[ASSERTED_MAX], size_t *count_out)
{
    struct text_builder all;
    struct text value;
    builder_init(&all, &request->arena);
    for (size_t i = 0; sip_header(request->message, "P-Asserted-Identity", i, &request->arena, &value); i++) {
        if (i)
            builder_add_char(&all, ',');
        builder_add(&all, value);
    }
    *count_out = 0;
    if (all.length == 0)
        return OK;
    if (asserted_parse(builder_text(&all), &request->arena, identities_out, count_out) != OK)
        return REFUSED;
    bool pair = *count_out == 2 && is_tel(identities_out[0]) != is_tel(identities_out[1]);
    return *count_out == 1 || pair ? OK : REFUSED;
}

enum status request_take_assertion(struct request *request)
{
    struct text identities[ASSERTED_MAX];
    size_t count;
    requester_of_nobody(&request->who);
    if (!request_peer_is_trusted(request))
        return OK;
    enum status status = read_asserted(request, identities, &count);
    if (status == OK && count)
        status = person_asserted(request->conversation, identities, count, &request->arena, &request->who);
    request->user = request->who.address;
    return status;
}

/* P-Preferred-Identity is a wish (RFC 3325 §9.2); who wishes to be somebody else is himself all the same. */
static struct text preferred(struct request *request)
{
    struct name_addr wish;
    if (!name_addr_parse(request_header(request, "P-Preferred-Identity"), &wish, NULL))
        return (struct text){0};
    struct text address = uri_canonical(&request->arena, wish.uri);
    if (address.length && requester_is(&request->who, address))
        return address;
    log_info("preferred identity ignored call-id=%.*s user=%.*s wish=%.*s",
             TEXT_ARG(sip_call_id(request->message, &request->arena)), TEXT_ARG(request->user), TEXT_ARG(address));
    return (struct text){0};
}

/* The first of his addresses that is a number or not, the preferred one before all. */
static struct text first_of(const struct requester *who, bool tel, struct text preference)
{
    if (preference.length && is_tel(preference) == tel)
        return preference;
    for (size_t i = 0; i < who->identities_count; i++)
        if (is_tel(who->identities[i]) == tel)
            return who->identities[i];
    return (struct text){0};
}

void request_add_assertion(struct request *request, struct sip_message *message)
{
    struct text preference = preferred(request);
    const struct text both[] = {first_of(&request->who, false, preference), first_of(&request->who, true, preference)};
    for (size_t i = 0; i < 2; i++)
        if (both[i].length)
            sip_header_add(message, "P-Asserted-Identity", TEXT_CONCAT(&request->arena, TEXT("<"), both[i], TEXT(">")));
}

void request_remove_core_headers(struct sip_message *message)
{
    static const char *const of_core[] = {"P-Asserted-Service",
                                          "P-Preferred-Service",
                                          "P-Served-User",
                                          "P-Charging-Vector",
                                          "P-Charging-Function-Addresses",
                                          "P-Visited-Network-ID",
                                          "P-User-Database",
                                          "P-Profile-Key"};
    for (size_t i = 0; i < sizeof(of_core) / sizeof(of_core[0]); i++)
        sip_header_remove(message, of_core[i]);
}

void request_hide_core_headers(struct sip_message *message)
{
    request_remove_core_headers(message);
    sip_header_remove(message, "P-Access-Network-Info"); /* where its sender is (RFC 7315 §4.4.3) */
}
