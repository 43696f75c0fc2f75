/* The domain name system of a replay, and the words about other domains. */
#include "replay_script.h"

/* "A a.example.net 192.0.2.9": the record, if it is of this name. */
static bool read_address(struct world *world, struct text line, struct dns_record *record_out)
{
    struct flow flow = {0};
    if (!flow_set_peer(&flow, text_cstring(&world->arena, script_word(&line)), 0))
        return world_fail(world, "no address"), false;
    record_out->address = flow.peer;
    return true;
}

static uint16_t read_number(struct world *world, struct text *line)
{
    uint64_t number = 0;
    if (!text_to_u64(script_word(line), &number))
        world_fail(world, "a number is missing in a record");
    return (uint16_t)number;
}

static bool read_record(struct world *world, struct text line, const struct dns_question *question,
                        struct dns_record *record_out)
{
    struct text type = script_word(&line), name = script_word(&line);
    struct text wanted = question->type == DNS_ADDRESSES ? TEXT("A") : text_of(dns_type_name(question->type));
    *record_out = (struct dns_record){0};
    if (!text_equal(type, wanted) || !text_equal(name, question->name))
        return false;
    if (question->type == DNS_ADDRESSES)
        return read_address(world, line, record_out);
    if (question->type == DNS_SRV) {
        record_out->priority = read_number(world, &line);
        record_out->weight = read_number(world, &line);
        record_out->port = read_number(world, &line);
    } else {
        record_out->order = read_number(world, &line);
        record_out->preference = read_number(world, &line);
        record_out->flags = script_word(&line);
        record_out->service = script_word(&line);
    }
    record_out->target = script_word(&line);
    return true;
}

/* "unknown NAME": no server answers; "silent NAME": nobody says even that. */
static bool is_marked(struct text line, struct text mark, struct text name)
{
    return text_equal(script_word(&line), mark) && text_equal(script_word(&line), name);
}

static void answer(struct world *world, const struct dns_question *question)
{
    struct dns_record records[DNS_RECORDS_MAX];
    struct dns_answer answer = {.outcome = DNS_NONE, .ttl_s = 60, .records = records};
    struct text line, rest = world->zone;
    while (rest.length) {
        text_cut(rest, '\n', &line, &rest);
        line = text_trim(line);
        if (is_marked(line, TEXT("silent"), question->name))
            return;
        if (is_marked(line, TEXT("unknown"), question->name))
            answer.outcome = DNS_UNKNOWN;
        else if (answer.count < DNS_RECORDS_MAX)
            answer.count += read_record(world, line, question, &records[answer.count]);
    }
    if (answer.count)
        answer.outcome = DNS_FOUND;
    conversation_answered(world->conversation, question->number, &answer, world->now);
}

bool world_answer(struct world *world)
{
    struct dns_question question;
    bool any = false;
    for (; conversation_question(world->conversation, &question); any = true) {
        question.name = text_copy(&world->arena, question.name);
        answer(world, &question);
    }
    return any;
}

void word_dns(struct world *world, struct text line, struct text block)
{
    (void)line;
    world->zone = block;
}

/* "peering out example.net, *.example.org" and so on; im-glue starts again. */
void word_peering(struct world *world, struct text line, struct text block)
{
    struct text what = script_word(&line), value = text_trim(line);
    uint64_t number = 0;
    (void)block;
    struct conversation_peering *peering = &world->peering;
    if (text_equal(what, TEXT("out")))
        peering->domains_out = value;
    else if (text_equal(what, TEXT("in")))
        peering->domains_in = value;
    else if (text_equal(what, TEXT("asserted")))
        peering->domains_asserted = value;
    else if (text_equal(what, TEXT("routes")) && conversation_routes_valid(value, &line))
        peering->routes = value;
    else if (text_equal(what, TEXT("core-routes")) && conversation_core_routes_valid(value, &line))
        world->core_routes = value;
    else if (text_equal(what, TEXT("peers")) && conversation_peers_valid(value, &line))
        peering->peers = value;
    else if (text_equal(what, TEXT("certificates")))
        peering->by_certificate = true;
    else if (text_equal(what, TEXT("in-flight")) && text_to_u64(value, &number))
        peering->in_flight_max = (size_t)number;
    else if (text_equal(what, TEXT("messages")) && text_to_u64(value, &number))
        peering->messages_per_domain = (unsigned)number;
    else
        return world_fail(world, "peering how?");
    world_restart(world);
}

/* "peer gate": where requests to other domains end; "peer gate tls proxy.example.net": over TLS, with that name in
 * its certificate. */
void word_peer(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    struct text transport = script_word(&line);
    (void)block;
    if (transport.length == 0)
        return;
    if (!flow_kind_parse(transport, &actor->flow.kind))
        return world_fail(world, "no transport: %.*s", TEXT_ARG(transport));
    actor->flow.connection = actor->flow.kind == FLOW_UDP ? 0 : ++world->connections;
    actor->listens = true;
    world->peer_name = script_word(&line);
}

/* "back gate sip:bob@example.com": the request that was taken last goes back to where it came from, to this address. */
void word_back(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    struct text uri = script_word(&line), via;
    (void)block;
    if (!actor->answerable)
        return world_fail(world, "nothing to send back");
    struct sip_message *message = sip_message_clone(actor->answerable);
    struct text_builder bytes;
    builder_init(&bytes, &world->arena);
    sip_request_uri_set(message, uri);
    sip_header(message, "Via", 0, &world->arena, &via);
    sip_header_remove(message, "Via");
    sip_header_add(message, "P-Asserted-Identity", TEXT("<sip:alice@example.com>"));
    struct text whole = sip_message_write(message, &world->arena), first, rest;
    text_cut(whole, '\n', &first, &rest);
    builder_add_format(&bytes, "%.*s\nVia: SIP/2.0/UDP %.*s;branch=z9hG4bKback%u\r\nVia: %.*s\r\n%.*s", TEXT_ARG(first),
                       TEXT_ARG(flow_peer_text(&actor->flow, &world->arena)), ++actor->requests, TEXT_ARG(via),
                       TEXT_ARG(rest));
    sip_message_free(message);
    world_input(world, actor, builder_text(&bytes));
}
