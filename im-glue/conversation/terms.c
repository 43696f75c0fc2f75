/* What a REGISTER says beside its contacts: the way through proxies (RFC 3327), flows of clients that have several (RFC
 * 5626), addresses of single devices (RFC 5627), and REGISTERs of a trusted server for its users. */
#include "mime.h"
#include "target_private.h"
#include "terms_private.h"
#include "uri.h"

#define PATH_BYTES_MAX     2048  /* some ten proxies; it is stored and sent with each message */
#define INSTANCE_BYTES_MAX 256   /* a URN of 45, or what a client makes up */
#define FLOW_TIMER_S       "840" /* RFC 5626 §4.4.1; a connection that is silent for longer is cut by the transport */

static bool supports(struct request *request, const char *option)
{
    struct text value, one;
    for (size_t i = 0; sip_header(request->message, "Supported", i, &request->arena, &value); i++)
        while (text_next_item(&value, &one))
            if (text_equal_nocase(one, text_of(option)))
                return true;
    return false;
}

static struct text read_path(struct request *request, bool *last_has_flow_out)
{
    struct text_builder path;
    struct text value, ignored;
    struct name_addr hop;
    struct uri uri;
    builder_init(&path, &request->arena);
    *last_has_flow_out = false;
    for (size_t i = 0; sip_header(request->message, "Path", i, &request->arena, &value); i++) {
        if (i)
            builder_add(&path, TEXT(", "));
        builder_add(&path, value);
        *last_has_flow_out = name_addr_parse(value, &hop, NULL) && uri_parse(hop.uri, &uri) &&
                             uri_parameter(uri.parameters, TEXT("ob"), &ignored);
    }
    return builder_text(&path);
}

/* RFC 5626 §6: the first hop of the client must know about its flow; there is none, or it says so in its Path. */
static bool flow_is_known(struct request *request, const struct terms *terms, bool last_has_flow)
{
    struct text via;
    if (terms->path.length)
        return last_has_flow;
    return !sip_header(request->message, "Via", 1, &request->arena, &via);
}

/* That are to be there afterwards, or also those that end. */
static size_t count_flows(struct request *request, bool ending_too)
{
    struct text value, expires, ignored, all = text_trim(request_header(request, "Expires"));
    struct name_addr contact;
    size_t count = 0;
    for (size_t i = 0; sip_header(request->message, "Contact", i, &request->arena, &value); i++) {
        if (!name_addr_parse(value, &contact, NULL) || !uri_parameter(contact.parameters, TEXT("reg-id"), &ignored))
            continue;
        if (!uri_parameter(contact.parameters, TEXT("expires"), &expires))
            expires = all;
        count += ending_too || !text_equal(text_trim(expires), TEXT("0"));
    }
    return count;
}

bool terms_read(struct request *request, struct terms *terms_out)
{
    bool last_has_flow;
    *terms_out = (struct terms){.path = read_path(request, &last_has_flow),
                                .gruu = supports(request, "gruu"),
                                .flows = supports(request, "outbound") && count_flows(request, true)};
    if (terms_out->path.length > PATH_BYTES_MAX)
        return request_answer(request, 400, "Path Too Long"), false;
    if (terms_out->flows && count_flows(request, false) > 1) /* RFC 5626 §6: a flow is where its REGISTER came from */
        return request_answer(request, 400, "More Than One Flow"), false;
    if (!terms_out->flows || flow_is_known(request, terms_out, last_has_flow))
        return true;
    return request_answer(request, 439, NULL), false;
}

/* "<urn:uuid:…>" as the value of +sip.instance. */
static struct text instance_of(struct text parameters)
{
    struct text value;
    if (!uri_parameter(parameters, TEXT("+sip.instance"), &value))
        return (struct text){0};
    value = text_trim(value);
    if (value.length < 3 || value.length > INSTANCE_BYTES_MAX || value.bytes[0] != '<' ||
        value.bytes[value.length - 1] != '>')
        return (struct text){0};
    value = text_slice(value, 1, value.length - 1);
    for (size_t i = 0; i < value.length; i++)
        if (strchr("<>\"\\ ;?", value.bytes[i]))
            return (struct text){0};
    return value;
}

struct device terms_device(const struct terms *terms, struct text parameters)
{
    struct device device = {.instance = instance_of(parameters)};
    struct text value;
    uint64_t number;
    if (terms->flows && device.instance.length && uri_parameter(parameters, TEXT("reg-id"), &value) &&
        text_to_u64(text_trim(value), &number) && number > 0 && number <= INT32_MAX)
        device.reg_id = (uint32_t)number;
    return device;
}

struct text terms_name(const struct device *device, struct text uri, struct arena *arena)
{
    if (device->reg_id == 0)
        return text_copy(arena, uri);
    return text_format(arena, "%.*s;reg-id=%u", TEXT_ARG(device->instance), (unsigned)device->reg_id);
}

/* RFC 5627 §5.1: the public one is the same as long as the device and the address are, the temporary one another at
 * each REGISTER. */
static void add_gruu(struct text_builder *line, const struct conversation *conversation, const struct contact *contact,
                     struct text address)
{
    struct text temporary = device_temporary(conversation, contact, address, line->arena);
    builder_add_format(line, ";pub-gruu=\"%.*s;gr=%s\";temp-gruu=\"%.*s\"", TEXT_ARG(address), contact->instance,
                       TEXT_ARG(temporary));
}

/* RFC 3840 §6: what it said of itself, so that all who register for him know. */
static void add_features(struct text_builder *line, struct text features)
{
    static const struct text others[] = {TEXT_INIT("expires"),  TEXT_INIT("+sip.instance"), TEXT_INIT("reg-id"),
                                         TEXT_INIT("pub-gruu"), TEXT_INIT("temp-gruu"),     TEXT_INIT("tag")};
    struct text name, value;
    while (uri_parameter_next(&features, &name, &value)) {
        bool other = name.length == 0;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            other = other || text_equal_nocase(name, others[i]);
        if (!other)
            builder_add_format(line, ";%.*s%s%.*s", TEXT_ARG(name), value.length ? "=" : "", TEXT_ARG(value));
    }
}

struct text terms_contact(const struct conversation *conversation, const struct terms *terms,
                          const struct contact *contact, struct text address, int64_t left_s, struct arena *arena)
{
    struct text_builder line;
    struct text instance = text_of(contact->instance);
    builder_init(&line, arena);
    builder_add_format(&line, "<%s>;expires=%lld", contact->uri, (long long)left_s);
    if (instance.length)
        builder_add_format(&line, ";+sip.instance=\"<%.*s>\"", TEXT_ARG(instance));
    add_features(&line, text_of(contact->features));
    if (contact->reg_id)
        builder_add_format(&line, ";reg-id=%u", (unsigned)contact->reg_id);
    if (instance.length && terms->gruu && text_starts_with(address, TEXT("sip:")))
        add_gruu(&line, conversation, contact, address);
    return builder_text(&line);
}

void terms_answer(struct request *request, const struct terms *terms, struct sip_message *response)
{
    struct text service_route = request->conversation->settings.service_route;
    if (terms->path.length)
        sip_header_add(response, "Path", terms->path); /* RFC 3327 §5.3 */
    if (service_route.length)
        sip_header_add(response, "Service-Route", service_route); /* RFC 3608 §6.3 */
    sip_header_add(response, "Supported", TEXT(REGISTRAR_EXTENSIONS));
    if (!terms->flows)
        return;
    sip_header_add(response, "Require", TEXT("outbound"));
    if (flow_is_connected(&request->flow) && terms->path.length == 0)
        sip_header_add(response, "Flow-Timer", TEXT(FLOW_TIMER_S));
}

/* 3GPP TS 24.229 §5.4.1.7: its From is the server's own, its To the user, and it asserts nobody. It comes from the
 * server itself: what that passes on of a client has another Via, and would bind the addresses of others. */
bool terms_third_party(struct request *request, struct text address)
{
    struct name_addr from;
    struct text value;
    if (!request_is_of_core(request) || address.length == 0 ||
        sip_header(request->message, "Via", 1, &request->arena, &value) ||
        sip_header(request->message, "P-Asserted-Identity", 0, &request->arena, &value) ||
        !name_addr_parse(request_header(request, "From"), &from, NULL))
        return false;
    struct text sender = uri_canonical(&request->arena, from.uri);
    return sender.length && !text_equal(sender, address);
}

/* The REGISTER of a client in the body of another, or in a part of it; empty: there is none. */
static struct text embedded(struct request *request)
{
    struct text type = request_header(request, "Content-Type"), body = sip_body(request->message);
    struct mime_multipart multipart;
    if (mime_is(type, TEXT("message/sip")))
        return body;
    if (!text_starts_with_nocase(type, TEXT("multipart/")) || mime_parse(type, body, &multipart) != OK)
        return (struct text){0};
    for (size_t i = 0; i < multipart.count; i++)
        if (mime_is(multipart.parts[i].type, TEXT("message/sip")) &&
            text_starts_with(multipart.parts[i].content, TEXT("REGISTER ")))
            return multipart.parts[i].content;
    return (struct text){0};
}

struct text terms_embedded_features(struct request *request)
{
    struct text bytes = embedded(request), value, features = {0};
    struct sip_message *message = NULL;
    struct sip_fault fault;
    struct name_addr contact;
    if (bytes.length && sip_message_parse(bytes, &message, &fault) == OK && sip_is_request(message) &&
        sip_header(message, "Contact", 0, &request->arena, &value) && name_addr_parse(value, &contact, NULL))
        features = text_copy(&request->arena, contact.parameters);
    sip_message_free(message);
    return features;
}
