/* REGISTER (RFC 3261 §10.3): who may bind which contact to an address, for how long. Bindings are on disk before the
 * 200 and survive a restart. */
#include "conversation_private.h"

/* What one REGISTER changes, applied to memory when it is durable. */
struct registration {
    struct contact set[CONVERSATION_BINDINGS_MAX];
    size_t set_count;
    struct text removed[CONVERSATION_BINDINGS_MAX * 2]; /* document names: of all bindings, or of those named */
    size_t removed_count;
};

static bool take_contacts(struct request *request, struct served *served, struct registration *registration);
static void registration_done(struct conversation *conversation, struct work *work);
static void answer_bindings(struct request *request, const struct served *served);

static void registration_clear(struct registration *registration)
{
    for (size_t i = 0; i < registration->set_count; i++)
        contact_clear(&registration->set[i]);
}

/* The address of record that To names, canonical; empty when it is none. */
static struct text address_of_record(struct request *request)
{
    struct name_addr to;
    if (!name_addr_parse(request_header(request, "To"), &to, NULL))
        return (struct text){0};
    return uri_canonical(&request->arena, to.uri);
}

void registrar_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct text require = request_header(request, "Require");
    if (require.length)
        return request_answer_with(request, 420, NULL, "Unsupported", require);
    if (!request_authenticate(request, false))
        return;
    struct text address = address_of_record(request);
    if (address.length == 0)
        return request_answer(request, 400, "Bad To");
    if (!text_equal(uri_domain(address), conversation->settings.domain))
        return request_answer(request, 404, "Domain Not Served");
    if (!text_equal(address, request->user))
        return request_answer(request, 403, "Not Your Address");

    struct served *served = served_get(conversation, address);
    struct work *work = work_new(conversation, sizeof(((struct registration *)0)->removed) / sizeof(struct text) * 2,
                                 registration_done);
    struct registration *registration = arena_new(&work->arena, struct registration);
    if (!take_contacts(request, served, registration)) { /* answered */
        registration_clear(registration);
        arena_clear(&work->arena);
        free(work);
        return;
    }
    for (size_t i = 0; i < registration->removed_count; i++) {
        registration->removed[i] = text_copy(&work->arena, registration->removed[i]);
        work_add_deletion(work, DOCUMENT_BINDINGS, address, registration->removed[i]);
    }
    for (size_t i = 0; i < registration->set_count; i++)
        work->commits[work->count++] = contact_commit(&registration->set[i], address, &work->arena);
    work->request = request;
    work->served = served;
    work->details = registration;
    work_submit(work);
}

static void registration_done(struct conversation *conversation, struct work *work)
{
    struct registration *registration = work->details;
    struct request *request = work->request;
    work->request = NULL;
    if (work_status(work) != OK) {
        registration_clear(registration);
        return request_answer_with(request, 500, "Bindings Not Stored", "Retry-After", TEXT("5"));
    }
    for (size_t i = 0; i < registration->removed_count; i++)
        served_remove_contact(work->served, registration->removed[i]);
    for (size_t i = 0; i < registration->set_count; i++)
        served_set_contact(work->served, &registration->set[i]);
    answer_bindings(request, work->served);
    work->served->retries = 0;
    if (registration->set_count)
        queue_flush(conversation, work->served);
}

/* Without a Contact it is a query. RFC 3261 §10.2.4: all bindings, each with what is left of its time. */
static void answer_bindings(struct request *request, const struct served *served)
{
    struct conversation *conversation = request->conversation;
    struct sip_message *response = request_response(request, 200, NULL);
    for (size_t i = 0; i < served->contacts_count; i++) {
        int64_t left_s = (served->contacts[i].expires_ms - conversation->now.wall_ms + 999) / 1000;
        if (left_s > 0)
            sip_header_add(
                response, "Contact",
                text_format(&request->arena, "<%s>;expires=%lld", served->contacts[i].uri, (long long)left_s));
    }
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
    return CONVERSATION_EXPIRES_S;
}

/* A contact on another host than the one its REGISTER came from stands behind a NAT; one that is a name needs DNS; one
 * with a flow of its own (RFC 5626) says so. All three are reached where they registered from. */
static bool send_by_source(struct request *request, const struct uri *uri, struct text parameters)
{
    struct text ignored;
    struct flow host = request->flow;
    if (uri_parameter(uri->parameters, TEXT("ob"), &ignored) || uri_parameter(parameters, TEXT("reg-id"), &ignored))
        return true;
    if (!flow_set_peer(&host, text_cstring(&request->arena, uri->host), 0))
        return true;
    return !text_equal(flow_address_text(&host, &request->arena), flow_address_text(&request->flow, &request->arena));
}

static const struct contact *known_contact(const struct served *served, struct text name)
{
    for (size_t i = 0; i < served->contacts_count; i++)
        if (text_equal(text_of(served->contacts[i].name), name))
            return &served->contacts[i];
    return NULL;
}

/* RFC 3261 §10.3 step 7: an older request of the same client must not undo a newer one. */
static bool out_of_order(struct request *request, const struct contact *known)
{
    return known && text_equal(sip_call_id(request->message, &request->arena), text_of(known->call_id)) &&
           sip_cseq(request->message) <= known->cseq;
}

static bool take_all(struct request *request, const struct served *served, struct registration *registration)
{
    struct text expires = text_trim(request_header(request, "Expires")), other;
    if (!text_equal(expires, TEXT("0")) || sip_header(request->message, "Contact", 1, &request->arena, &other)) {
        request_answer(request, 400, "Contact * Needs Expires 0");
        return false;
    }
    for (size_t i = 0; i < served->contacts_count; i++)
        registration->removed[registration->removed_count++] = text_of(served->contacts[i].name);
    return true;
}

static bool take_contact(struct request *request, const struct served *served, struct text value,
                         struct registration *registration)
{
    struct name_addr address;
    struct uri uri;
    if (!name_addr_parse(value, &address, NULL) || !uri_parse(address.uri, &uri)) {
        request_answer(request, 400, "Bad Contact");
        return false;
    }
    uint64_t seconds = expires_of(request, address.parameters);
    struct text name = address.uri; /* at most URI_LENGTH_MAX bytes, which a key part holds */
    const struct contact *known = known_contact(served, name);
    if (out_of_order(request, known)) {
        request_answer(request, 500, "Out Of Order");
        return false;
    }
    if (seconds == 0) {
        if (known && registration->removed_count < CONVERSATION_BINDINGS_MAX)
            registration->removed[registration->removed_count++] = name;
        return true;
    }
    if (seconds < CONVERSATION_EXPIRES_S_MIN) {
        request_answer_with(request, 423, "Interval Too Brief", "Min-Expires",
                            text_format(&request->arena, "%d", CONVERSATION_EXPIRES_S_MIN));
        return false;
    }
    size_t others = served->contacts_count - (known ? 1 : 0) + registration->set_count;
    if (others >= CONVERSATION_BINDINGS_MAX) {
        request_answer(request, 403, "Too Many Contacts");
        return false;
    }
    seconds = seconds > CONVERSATION_EXPIRES_S_MAX ? CONVERSATION_EXPIRES_S_MAX : seconds;
    registration->set[registration->set_count++] = (struct contact){
        .name = text_keep(name),
        .uri = text_keep(address.uri),
        .call_id = text_keep(sip_call_id(request->message, &request->arena)),
        .cseq = sip_cseq(request->message),
        .expires_ms = request->conversation->now.wall_ms + (int64_t)seconds * 1000,
        .source = request->flow,
        .by_source = send_by_source(request, &uri, address.parameters),
    };
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
