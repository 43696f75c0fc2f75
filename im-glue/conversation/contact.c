/* Contacts of users: their documents in "#bindings", the way to them, and the connections over which they came. */
#include "conversation_private.h"
#include "record.h"

#define SIP_PORT  5060
#define SIPS_PORT 5061

struct commit contact_commit(const struct contact *contact, struct text owner, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "uri", text_of(contact->uri));
    record_add(&record, "call-id", text_of(contact->call_id));
    record_add_number(&record, "cseq", contact->cseq);
    record_add_number(&record, "expires-ms", contact->expires_ms);
    record_add_number(&record, "first-cseq", contact->first_cseq);
    record_add_number(&record, "since-ms", contact->since_ms);
    record_add_number(&record, "renewed", contact->renewed);
    record_add(&record, "source-transport", text_of(flow_kind_name(contact->source.kind)));
    record_add(&record, "source-address", flow_address_text(&contact->source, arena));
    record_add_number(&record, "source-port", flow_port(&contact->source));
    record_add_number(&record, "by-source", contact->by_source);
    record_add(&record, "path", text_of(contact->path));
    record_add(&record, "instance", text_of(contact->instance));
    record_add_number(&record, "reg-id", contact->reg_id);
    record_add_number(&record, "core", contact->core);
    record_add_number(&record, "watched", contact->watched);
    record_add(&record, "features", text_of(contact->features));
    return (struct commit){
        .key = {TEXT(DOCUMENT_BINDINGS), text_copy(arena, owner), text_copy(arena, text_of(contact->name))},
        .expected = VERSION_ANY,
        .bytes = builder_text(&record),
        .who = text_copy(arena, owner),
    };
}

bool contact_read(const struct stored *stored, struct arena *arena, struct contact *contact_out)
{
    struct text record = stored->bytes;
    *contact_out = (struct contact){
        .name = text_cstring(arena, stored->key.name),
        .uri = text_cstring(arena, record_text(record, "uri")),
        .call_id = text_cstring(arena, record_text(record, "call-id")),
        .features = text_cstring(arena, record_text(record, "features")),
        .cseq = (uint32_t)record_number(record, "cseq", 0),
        .expires_ms = record_number(record, "expires-ms", 0),
        .first_cseq = (uint32_t)record_number(record, "first-cseq", 0),
        .since_ms = record_number(record, "since-ms", 0),
        .renewed = record_number(record, "renewed", 0) != 0,
        .path = text_cstring(arena, record_text(record, "path")),
        .instance = text_cstring(arena, record_text(record, "instance")),
        .reg_id = (uint32_t)record_number(record, "reg-id", 0),
        .core = record_number(record, "core", 0) != 0,
        .watched = record_number(record, "watched", 0) != 0,
        .by_source = record_number(record, "by-source", 0) != 0,
        .source.kind = record_number(record, "source-tcp", 0) ? FLOW_TCP : FLOW_UDP, /* as older programs wrote it */
    };
    flow_kind_parse(record_text(record, "source-transport"), &contact_out->source.kind);
    return flow_set_peer(&contact_out->source, text_cstring(arena, record_text(record, "source-address")),
                         (uint16_t)record_number(record, "source-port", 0));
}

void contact_find_way(struct contact *contact)
{
    struct uri uri;
    struct name_addr first;
    struct text transport = {0};
    struct arena arena;
    bool has_path = contact->path[0] && name_addr_parse(text_of(contact->path), &first, NULL);
    contact->way = WAY_NONE;
    if (!uri_parse(has_path ? first.uri : text_of(contact->uri), &uri))
        return;
    struct flow flow = {.kind = contact->source.kind};
    contact->wants_tls = text_equal_nocase(uri.scheme, TEXT("sips"));
    if (uri_parameter(uri.parameters, TEXT("transport"), &transport) && !flow_kind_parse(transport, &flow.kind))
        flow.kind = FLOW_UDP;
    if (contact->wants_tls)
        flow.kind = FLOW_TLS;
    uint16_t port = flow.kind == FLOW_TLS ? SIPS_PORT : SIP_PORT;
    arena_init(&arena, "contact");
    bool numeric = flow_set_peer(&flow, text_cstring(&arena, uri.host), uri.port ? uri.port : port);
    arena_clear(&arena);
    contact->way = numeric ? WAY_NUMERIC : WAY_NAME;
    contact->way_kind = flow.kind;
    memcpy(&contact->way_peer, &flow.peer, sizeof(contact->way_peer));
}

/* Names in a URI need DNS, which the flow of the REGISTER does not. A connection that was closed leads nowhere, so that
 * the address is tried again even if it did not work before. */
struct flow contact_flow(const struct contact *contact)
{
    const struct flow *source = &contact->source;
    bool source_gone = flow_is_connected(source) && source->connection == 0;
    bool source_will_do = contact->by_source && !source_gone && (!contact->wants_tls || flow_is_secure(source));
    if (source_will_do || contact->way == WAY_NONE)
        return *source;
    struct flow flow = {.kind = contact->way_kind};
    if (contact->way == WAY_NUMERIC)
        memcpy(&flow.peer, &contact->way_peer, sizeof(contact->way_peer));
    else if (contact->wants_tls) /* a name, and no connection of its own: unreachable rather than in the clear */
        flow = (struct flow){.kind = FLOW_TLS, .peer = source->peer};
    else
        flow = *source;
    return flow;
}

/* The connection that its REGISTER came over is closed, or may not be used for what it wants. A browser takes none. */
static bool needs_connection(const struct contact *contact)
{
    const struct flow *source = &contact->source;
    if (source->kind == FLOW_WS || source->kind == FLOW_WSS)
        return false;
    bool is_closed = flow_is_connected(source) && source->connection == 0;
    return is_closed || (contact->wants_tls && !contact->path[0] && !flow_is_secure(source));
}

struct text contact_unknown_hop(const struct contact *contact)
{
    struct name_addr first;
    if (contact->way != WAY_NAME || !needs_connection(contact))
        return (struct text){0};
    if (!contact->path[0])
        return text_of(contact->uri);
    return name_addr_parse(text_of(contact->path), &first, NULL) ? first.uri : (struct text){0};
}

static bool may_be_connected_to(const struct flow *flow)
{
    return flow->kind == FLOW_UDP || flow->kind == FLOW_TCP;
}

/* A contact on another host than the one its REGISTER came from stands behind a NAT; one that is a name needs DNS; one
 * with a flow of its own (RFC 5626) says so; one that came by TLS has no certificate that we could ask for; a browser
 * takes no connections. All are reached where they registered from. */
bool contact_is_elsewhere(const struct flow *source, const struct uri *uri, struct text parameters, struct arena *arena)
{
    struct text ignored;
    struct flow host = *source;
    if (!may_be_connected_to(source) || uri_parameter(uri->parameters, TEXT("ob"), &ignored) ||
        uri_parameter(parameters, TEXT("reg-id"), &ignored))
        return true;
    if (!flow_set_peer(&host, text_cstring(arena, uri->host), 0))
        return true;
    return !text_equal(flow_address_text(&host, arena), flow_address_text(source, arena));
}

/* --- connections --- */

static struct connection *find(const struct conversation *conversation, uint64_t number)
{
    struct connection *connection = NULL;
    HASH_FIND(hh, conversation->connections, &number, sizeof(number), connection);
    return connection;
}

void connection_used(struct conversation *conversation, const struct flow *flow, struct served *served)
{
    if (!flow_is_connected(flow) || flow->connection == 0)
        return;
    struct connection *connection = find(conversation, flow->connection);
    if (!connection) {
        connection = memory_new(sizeof(*connection));
        connection->number = flow->connection;
        HASH_ADD(hh, conversation->connections, number, sizeof(connection->number), connection);
    }
    for (size_t i = 0; i < connection->count; i++)
        if (connection->users[i] == served)
            return;
    if (connection->count == connection->capacity) {
        connection->capacity = connection->capacity ? connection->capacity * 2 : 1;
        connection->users = memory_resize(connection->users, connection->capacity * sizeof(struct served *));
    }
    connection->users[connection->count++] = served;
}

bool connection_open(const struct conversation *conversation, const struct flow *flow)
{
    return flow_is_connected(flow) && find(conversation, flow->connection) != NULL;
}

static void forget(struct conversation *conversation, struct connection *connection)
{
    HASH_DEL(conversation->connections, connection);
    free(connection->users);
    free(connection);
}

void connection_closed(struct conversation *conversation, uint64_t number)
{
    struct connection *connection = find(conversation, number);
    if (!connection)
        return;
    for (size_t i = 0; i < connection->count; i++) {
        struct served *served = connection->users[i];
        for (size_t j = 0; j < served->contacts_count; j++)
            if (served->contacts[j].source.connection == number)
                served->contacts[j].source.connection = 0;
    }
    forget(conversation, connection);
}

void connection_forget_all(struct conversation *conversation)
{
    while (conversation->connections)
        forget(conversation, conversation->connections);
}
