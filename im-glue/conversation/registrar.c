/* REGISTER (RFC 3261 §10.3): who may bind which contact to an address, for how long. Bindings are on disk before the
 * 200 and survive a restart. */
#include "events_private.h"
#include "kept_private.h"
#include "terms_private.h"
#include "user.h"

#define CORE_EXPIRES_S_MAX 604800 /* servers of a core register for a week, and end it themselves */

/* What one REGISTER changes, applied to memory when it is durable. All texts are in the arena of its work. */
struct registration {
    struct arena *arena;
    struct contact set[CONVERSATION_BINDINGS_MAX];
    size_t set_count;
    struct text removed[CONVERSATION_BINDINGS_MAX * 2]; /* document names: of all bindings, or of those named */
    size_t removed_count;
    size_t bindings;         /* that there will be */
    struct terms terms;      /* its path is in the arena of the request */
    struct text third_party; /* the user whom a trusted server registers; empty: he comes himself */
    struct text features;    /* of his client, as that server tells; in the arena of the request */
    bool watched;            /* and that server is asked what it knows of him */
};

static void drop_expired(const struct conversation *conversation, const struct served *served,
                         struct registration *registration);
static bool take_contacts(struct request *request, struct served *served, struct registration *registration);
static void registration_done(struct conversation *conversation, struct work *work);
static void answer_bindings(struct request *request, const struct registration *registration,
                            const struct served *served);

/* The address of record that To names, canonical; empty when it is none. */
static struct text address_of_record(struct request *request)
{
    struct name_addr to;
    if (!name_addr_parse(request_header(request, "To"), &to, NULL))
        return (struct text){0};
    return uri_canonical(&request->arena, to.uri);
}

static void submit(struct work *work)
{
    struct registration *registration = work->details;
    struct text address = text_of(work->served->address);
    for (size_t i = 0; i < registration->removed_count; i++)
        work_add_deletion(work, DOCUMENT_BINDINGS, address, registration->removed[i]);
    for (size_t i = 0; i < registration->set_count; i++)
        work->commits[work->count++] = contact_commit(&registration->set[i], address, &work->arena);
    work->served->registering++;
    work_submit(work);
}

static void bind_contacts(struct request *request, struct served *served, bool third_party)
{
    struct conversation *conversation = request->conversation;
    struct work *work = work_new(conversation, CONVERSATION_BINDINGS_MAX * 3, registration_done);
    struct registration *registration = arena_new(&work->arena, struct registration);
    registration->arena = &work->arena;
    if (third_party) {
        registration->third_party = text_of(served->address);
        registration->watched = core_is_watched(request);
        registration->features = terms_embedded_features(request);
    }
    drop_expired(conversation, served, registration);
    if (!terms_read(request, &registration->terms) || !take_contacts(request, served, registration)) { /* answered */
        work_drop(work);
        return;
    }
    connection_used(conversation, &request->flow, served);
    work->request = request;
    work->served = served;
    work->details = registration;
    submit(work);
}

void registrar_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    if (request_refuse_extensions(request, "Require", TEXT(REGISTRAR_EXTENSIONS)))
        return;
    struct text address = address_of_record(request);
    struct user user;
    bool third_party = terms_third_party(request, address);
    if (!third_party && !request_authenticate(request, false))
        return;
    if (address.length == 0)
        return request_answer(request, 400, "Bad To");
    if (!third_party && !requester_is(&request->who, address)) {
        bool ours = text_equal(uri_domain(address), conversation->settings.domain);
        return request_answer(request, ours ? 403 : 404, ours ? "Not Your Address" : "Domain Not Served");
    }
    /* Whichever of his addresses is registered, it is he who can be reached. A trusted peer may speak of others, too.
     */
    switch (user_find(conversation->documents, address, &request->arena, &user)) {
    case OK: bind_contacts(request, served_get(conversation, user.address), third_party); break;
    case NOT_FOUND: request_answer(request, 404, "No Such User"); break;
    default: request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
}

static void registration_done(struct conversation *conversation, struct work *work)
{
    struct registration *registration = work->details;
    struct request *request = work->request;
    struct served *served = work->served;
    bool was_here = served_is_here(conversation, served);
    work->request = NULL;
    served->registering--;
    if (work_status(work) != OK)
        return request_answer_with(request, 500, "Bindings Not Stored", "Retry-After", TEXT("5"));
    for (size_t i = 0; i < registration->removed_count; i++) {
        registration_ends(conversation, served, registration->removed[i], "unregistered");
        served_remove_contact(conversation, served, registration->removed[i]);
    }
    for (size_t i = 0; i < registration->set_count; i++) {
        struct contact *contact = &registration->set[i];
        if (!connection_open(conversation, &contact->source)) /* closed meanwhile */
            contact->source.connection = 0;
        served_set_contact(conversation, served, contact);
    }
    answer_bindings(request, registration, served);
    if (registration->watched)
        core_registered(conversation, served, registration->set_count > 0);
    if (registration->set_count || registration->removed_count)
        registration_changed(conversation, served);
    if (registration->set_count)
        queue_registered(conversation, served);
    if (registration->set_count && !was_here)
        summary_came(conversation, served);
}

/* Without a Contact it is a query. RFC 3261 §10.2.4: all bindings, each with what is left of its time. */
static void answer_bindings(struct request *request, const struct registration *registration,
                            const struct served *served)
{
    struct conversation *conversation = request->conversation;
    const struct terms *terms = &registration->terms;
    struct sip_message *response = request_response(request, 200, NULL);
    for (size_t i = 0; i < served->contacts_count; i++) {
        int64_t left_s = (served->contacts[i].expires_ms - conversation->now.wall_ms + 999) / 1000;
        if (left_s > 0)
            sip_header_add(response, "Contact",
                           terms_contact(conversation, terms, &served->contacts[i], text_of(served->address), left_s,
                                         &request->arena));
    }
    /* RFC 7315 §4.1: what he may call himself */
    for (size_t i = 0; request->who.identities_count > 1 && i < request->who.identities_count; i++)
        sip_header_add(response, "P-Associated-URI",
                       text_format(&request->arena, "<%.*s>", TEXT_ARG(request->who.identities[i])));
    terms_answer(request, terms, response);
    if (registration->third_party.length && registration->set_count) /* 3GPP TS 24.229 §5.4.1.7 */
        sip_header_set(response, "Expires",
                       text_format(&request->arena, "%lld",
                                   (long long)(registration->set[0].expires_ms - conversation->now.wall_ms) / 1000));
    sip_header_set(response, "Date", clock_write_http_date(&request->arena, conversation->now.wall_ms));
    request_send(request, response);
}

/* RFC 3261 §10.3 step 7: parameter, else header, else default. */
static uint64_t expires_of(struct request *request, struct text parameters)
{
    struct text value = {0};
    uint64_t seconds;
    if (uri_parameter(parameters, TEXT("expires"), &value) && text_to_u64(text_trim(value), &seconds))
        return seconds;
    value = request_header(request, "Expires");
    if (value.length && text_to_u64(text_trim(value), &seconds))
        return seconds;
    return request->conversation->settings.registrations.expires_s;
}

static bool is_live(const struct conversation *conversation, const struct contact *contact)
{
    return contact->expires_ms > conversation->now.wall_ms;
}

static void drop_expired(const struct conversation *conversation, const struct served *served,
                         struct registration *registration)
{
    for (size_t i = 0; i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        if (is_live(conversation, contact))
            registration->bindings++;
        else
            registration->removed[registration->removed_count++] =
                text_copy(registration->arena, text_of(contact->name));
    }
}

static const struct contact *known_contact(const struct conversation *conversation, const struct served *served,
                                           struct text name)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (is_live(conversation, &served->contacts[i]) && text_equal(text_of(served->contacts[i].name), name))
            return &served->contacts[i];
    return NULL;
}

/* RFC 3261 §10.3 steps 6 and 7: an older request of the same client must not undo a newer one. */
static bool out_of_order(struct request *request, const struct contact *known)
{
    return known && text_equal(sip_call_id(request->message, &request->arena), text_of(known->call_id)) &&
           sip_cseq(request->message) <= known->cseq;
}

static bool refused(struct request *request, int status, const char *reason)
{
    request_answer(request, status, reason);
    return false;
}

static bool take_all(struct request *request, const struct served *served, struct registration *registration)
{
    struct text expires = text_trim(request_header(request, "Expires")), other;
    if (!text_equal(expires, TEXT("0")) || sip_header(request->message, "Contact", 1, &request->arena, &other))
        return refused(request, 400, "Contact * Needs Expires 0");
    for (size_t i = 0; i < served->contacts_count; i++) {
        const struct contact *contact = &served->contacts[i];
        if (!is_live(request->conversation, contact)) /* among the removed already */
            continue;
        if (out_of_order(request, contact))
            return refused(request, 500, "Out Of Order");
        registration->removed[registration->removed_count++] = text_copy(registration->arena, text_of(contact->name));
    }
    return true;
}

static void remove_contact(struct registration *registration, const struct contact *known)
{
    struct text name = text_of(known->name);
    for (size_t i = 0; i < registration->removed_count; i++)
        if (text_equal(registration->removed[i], name)) /* named twice */
            return;
    registration->removed[registration->removed_count++] = text_copy(registration->arena, name);
    registration->bindings--;
}

/* The place in `set` for this name; NULL when there is no room for one more. */
static struct contact *place_for(const struct request *request, struct registration *registration,
                                 const struct contact *known, struct text name)
{
    size_t most = request->conversation->settings.registrations.contacts_max;
    for (size_t i = 0; i < registration->set_count; i++)
        if (text_equal(text_of(registration->set[i].name), name))
            return &registration->set[i];
    if ((!known && ++registration->bindings > most) || registration->set_count == CONVERSATION_BINDINGS_MAX)
        return NULL;
    return &registration->set[registration->set_count++];
}

/* RFC 5628 §5: temporary addresses are good from that REGISTER on. */
static uint32_t first_cseq(struct request *request, const struct contact *known)
{
    bool goes_on = known && text_equal(sip_call_id(request->message, &request->arena), text_of(known->call_id));
    return goes_on && known->first_cseq ? known->first_cseq : sip_cseq(request->message);
}

static bool set_contact(struct request *request, const struct name_addr *address, struct text name,
                        const struct contact *known, uint64_t seconds, struct registration *registration)
{
    struct arena *arena = registration->arena;
    const struct registration_limits *limits = &request->conversation->settings.registrations;
    const struct terms *terms = &registration->terms;
    struct device device = terms_device(terms, address->parameters);
    struct contact *place = place_for(request, registration, known, name);
    struct name_addr hop = *address;
    struct uri uri;
    if (!place)
        return refused(request, 403, "Too Many Contacts");
    if (terms->path.length)
        name_addr_parse(terms->path, &hop, NULL);
    if (!uri_parse(hop.uri, &uri))
        return refused(request, 400, "Bad Path");
    uint64_t seconds_max = registration->third_party.length ? CORE_EXPIRES_S_MAX : limits->expires_s_max;
    seconds = seconds > seconds_max ? seconds_max : seconds;
    *place = (struct contact){
        .name = text_cstring(arena, name), /* at most URI_LENGTH_MAX bytes, which a key part holds */
        .uri = text_cstring(arena, address->uri),
        .path = text_cstring(arena, terms->path),
        .instance = text_cstring(arena, device.instance),
        .reg_id = device.reg_id,
        .call_id = text_cstring(arena, sip_call_id(request->message, &request->arena)),
        .features =
            text_cstring(arena, registration->third_party.length ? registration->features : address->parameters),
        .cseq = sip_cseq(request->message),
        .first_cseq = first_cseq(request, known),
        .expires_ms = request->conversation->now.wall_ms + (int64_t)seconds * 1000,
        .since_ms = known ? known->since_ms : request->conversation->now.wall_ms,
        .renewed = known != NULL,
        .core = registration->third_party.length > 0,
        .watched = registration->watched,
        .source = request->flow,
        /* a proxy is where it says it is */
        .by_source = terms->path.length
                         ? request->flow.kind != FLOW_UDP && request->flow.kind != FLOW_TCP
                         : contact_is_elsewhere(&request->flow, &uri, address->parameters, &request->arena),
    };
    return true;
}

/* RFC 3261 §16.12: a loose router, which finds the user in the Request-URI. */
static struct text with_lr(struct request *request, struct text address, const struct uri *uri)
{
    struct text ignored;
    if (uri_parameter(uri->parameters, TEXT("lr"), &ignored))
        return address;
    return text_format(&request->arena, "%.*s;lr", TEXT_ARG(text_slice(address, 0, text_find_char(address, '?'))));
}

static bool take_contact(struct request *request, const struct served *served, struct text value,
                         struct registration *registration)
{
    struct name_addr address;
    struct uri uri;
    if (!name_addr_parse(value, &address, NULL) || !uri_parse(address.uri, &uri))
        return refused(request, 400, "Bad Contact");
    uint64_t seconds = expires_of(request, address.parameters);
    if (registration->third_party.length) { /* its user is reached through it, under his own address */
        registration->terms.path =
            text_format(&request->arena, "<%.*s>", TEXT_ARG(with_lr(request, address.uri, &uri)));
        address = (struct name_addr){.uri = registration->third_party};
    }
    struct device device = terms_device(&registration->terms, address.parameters);
    struct text name = terms_name(&device, address.uri, registration->arena);
    const struct contact *known = known_contact(request->conversation, served, name);
    if (out_of_order(request, known))
        return refused(request, 500, "Out Of Order");
    uint32_t expires_s_min = request->conversation->settings.registrations.expires_s_min;
    if (seconds >= expires_s_min)
        return set_contact(request, &address, name, known, seconds, registration);
    if (seconds > 0) {
        request_answer_with(request, 423, "Interval Too Brief", "Min-Expires",
                            text_number(&request->arena, expires_s_min));
        return false;
    }
    if (known)
        remove_contact(registration, known);
    return true;
}

static bool take_contacts(struct request *request, struct served *served, struct registration *registration)
{
    struct text value;
    for (size_t i = 0; sip_header(request->message, "Contact", i, &request->arena, &value); i++) {
        bool taken = text_equal(text_trim(value), TEXT("*")) ? take_all(request, served, registration)
                                                             : take_contact(request, served, value, registration);
        if (!taken)
            return false;
    }
    return true;
}
