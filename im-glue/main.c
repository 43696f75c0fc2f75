/* im-glue: reads its settings, opens the node, joins the sockets, the loop and the conversation, stops in order. What
 * is answered to a SIP peer is in conversation/. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation.h"
#include "dns.h"
#include "glue_peering.h"
#include "glue_settings.h"
#include "log.h"
#include "port.h"
#include "transport.h"
#include "uri.h"

struct program {
    struct glue_settings settings;
    struct node node;
    struct groups *groups;
    struct trust_ranges cores;
    struct loop *loop;
    struct transport *transport;
    struct conversation *conversation;
    struct dns *dns;
    struct port *management; /* NULL: none */
    char host[256];
    uint16_t port;
    bool stopping;
};

static bool start_failed(struct text error)
{
    fprintf(stderr, "im-glue: %.*s\n", TEXT_ARG(error));
    return false;
}

/* Each answer may make output, and some answers come at once. */
static bool ask_questions(struct program *program)
{
    struct dns_question question;
    bool any = false;
    for (; conversation_question(program->conversation, &question); any = true)
        dns_ask(program->dns, &question);
    return any;
}

static void send_all(struct program *program)
{
    struct sip_output output;
    while (conversation_output(program->conversation, &output)) {
        if (output.close)
            transport_disconnect(program->transport, output.flow.connection);
        else
            transport_send(program->transport, &output.flow, output.bytes);
    }
}

static void send_outputs(struct program *program)
{
    transport_gather(program->transport);
    do
        send_all(program);
    while (ask_questions(program));
    transport_flush(program->transport);
    if (program->stopping && conversation_pending(program->conversation) == 0)
        loop_stop(program->loop);
}

static void on_input(void *context, const struct flow *flow, struct text bytes)
{
    struct program *program = context;
    conversation_input(program->conversation, flow, bytes, clock_now());
}

static void on_closed(void *context, uint64_t connection)
{
    struct program *program = context;
    conversation_closed(program->conversation, connection, clock_now());
}

static void on_unreachable(void *context, const struct flow *flow)
{
    struct program *program = context;
    conversation_unreachable(program->conversation, flow, clock_now());
}

static bool is_flooded(void *context)
{
    const struct program *program = context;
    return conversation_is_flooded(program->conversation);
}

static void on_answered(void *context, uint64_t number, const struct dns_answer *answer)
{
    struct program *program = context;
    conversation_answered(program->conversation, number, answer, clock_now());
}

/* Runs before each sleep: whatever happened since the last one has its answers sent here. */
static int64_t on_deadline(void *context, int64_t now_ms)
{
    struct program *program = context;
    conversation_tick(program->conversation, clock_now());
    send_outputs(program);
    if (program->management)
        port_tell(program->management, program->conversation, program->transport, now_ms);
    return conversation_deadline(program->conversation);
}

static void on_woken(void *context)
{
    (void)context; /* the deadline call that follows does the work */
}

static void wake(void *context)
{
    struct program *program = context;
    loop_post(program->loop, on_woken, program);
}

static void on_stop(void *context)
{
    struct program *program = context;
    conversation_stop(program->conversation, clock_now());
    log_info("stopping pending=%zu", conversation_pending(program->conversation));
    program->stopping = true;
    if (program->management)
        port_stopping(program->management);
}

/* Nobody else uses the document services here, so those that were go at once. */
static void on_reload(void *context)
{
    struct program *program = context;
    node_reload_tls(&program->node);
    dns_reload(program->dns);
    if (!node_reload(&program->node))
        return;
    groups_begin(program->groups);
    bool retired = node_retire(&program->node);
    assert(retired);
}

static void open_groups(struct program *program)
{
    const struct glue_settings *settings = &program->settings;
    struct group_settings groups = GROUP_SETTINGS_STANDARD(program->node.roots, program->node.roots_count);
    groups.members_may_send = settings->node.members_may_send;
    groups.store_by_default = settings->node.store_by_default;
    groups.accept_by_default = settings->node.accept_by_default;
    groups.accept_anonymous = settings->node.accept_anonymous;
    groups.lists_of_others = settings->node.lists_of_others;
    program->groups = groups_new(program->node.documents, &groups);
}

/* The listeners beside listen.sip; an empty address is none. */
struct further {
    const char *name, *setting, *address;
    enum flow_kind kind;
};

#define FURTHER_COUNT 3

static void list_further(const struct program *program, struct further further_out[FURTHER_COUNT])
{
    const struct glue_settings *settings = &program->settings;
    further_out[0] = (struct further){"sips", "listen.sips", settings->sips, FLOW_TLS};
    further_out[1] = (struct further){"ws", "listen.ws", settings->ws, FLOW_WS};
    further_out[2] = (struct further){"wss", "listen.wss", settings->wss, FLOW_WSS};
}

static bool open_further(struct program *program, const struct further *further)
{
    char host[sizeof(program->host)];
    struct node *node = &program->node;
    struct text error = {0};
    struct transport_listener listener = {.kind = further->kind, .host = host, .clients = node->clients};
    if (!further->address[0])
        return true;
    if (!node->tls && further->kind != FLOW_WS)
        return start_failed(
            text_format(&node->arena, "%s shall speak TLS, but there is no tls.certificate", further->setting));
    if (!address_split(further->address, host, sizeof(host), &listener.port))
        return start_failed(text_format(&node->arena, "%s: not HOST:PORT: %s", further->setting, further->address));
    return transport_listen(program->transport, &listener, &node->arena, &error) || start_failed(error);
}

static bool open_all_further(struct program *program)
{
    struct further further[FURTHER_COUNT];
    list_further(program, further);
    if (program->node.tls)
        transport_use_tls(program->transport, program->node.tls);
    for (size_t i = 0; i < FURTHER_COUNT; i++)
        if (!open_further(program, &further[i]))
            return false;
    return true;
}

static void print_further(const struct program *program)
{
    struct further further[FURTHER_COUNT];
    list_further(program, further);
    for (size_t i = 0; i < FURTHER_COUNT; i++) {
        const char *address = further[i].address, *colon = strrchr(address, ':');
        if (colon)
            printf(" %s=%.*s:%u", further[i].name, (int)(colon - address), address,
                   transport_port_of(program->transport, further[i].kind));
    }
}

static size_t peer_names(void *context, uint64_t connection, struct arena *arena, const struct text **names_out)
{
    const struct program *program = context;
    return transport_peer_names(program->transport, connection, arena, names_out);
}

/* Canonical; a name without a scheme is one of ours. */
static struct text address_of(struct program *program, const char *setting)
{
    struct arena *arena = &program->node.arena;
    if (!setting[0] || strchr(setting, ':'))
        return uri_canonical(arena, text_of(setting));
    return uri_canonical(arena, text_format(arena, "sip:%s@%s", setting, program->settings.node.domain));
}

/* The same for several; false: one is none. */
static bool addresses_of(struct program *program, const char *setting, const char *value, struct text *addresses_out)
{
    struct arena *arena = &program->node.arena;
    struct text rest = text_of(value), one;
    struct text_builder addresses;
    builder_init(&addresses, arena);
    for (bool more = rest.length > 0; more;) {
        more = text_cut(rest, ',', &one, &rest);
        struct text address = address_of(program, text_cstring(arena, text_trim(one)));
        if (address.length == 0)
            return start_failed(text_format(arena, "%s: no address: %.*s", setting, TEXT_ARG(one)));
        builder_add_format(&addresses, "%s%.*s", addresses.length ? "," : "", TEXT_ARG(address));
    }
    *addresses_out = builder_text(&addresses);
    return true;
}

static bool take_cores(struct program *program, struct conversation_settings *settings)
{
    struct text bad;
    settings->cores = &program->cores;
    settings->core_routes = text_of(program->settings.core_routes);
    return trust_ranges_parse(text_of(program->settings.cores), &program->cores, &bad) ||
           start_failed(text_format(&program->node.arena,
                                    "sip.cores: not an address or a range, or one too many: '%.*s'", TEXT_ARG(bad)));
}

static bool take_limits(struct program *program, struct conversation_settings *settings)
{
    const struct glue_settings *from = &program->settings;
    settings->registrations = (struct registration_limits){
        .expires_s_min = (uint32_t)from->expires_s_min,
        .expires_s_max = (uint32_t)from->expires_s_max,
        .expires_s = (uint32_t)from->expires_s,
        .contacts_max = (size_t)from->contacts_max,
    };
    settings->messages_per_user = (unsigned)from->messages_per_user;
    settings->registers_per_user = (unsigned)from->registers_per_user;
    settings->block_politely = from->block_politely;
    settings->answer_ms = from->answer_ms;
    settings->report_life_ms = from->report_life_s * 1000;
    settings->agent.t1_ms = from->t1_ms;
    settings->agent.t2_ms = from->t2_ms;
    settings->agent.t4_ms = from->t4_ms;
    settings->orig_parameter = text_of(from->orig_parameter);
    settings->block_status = (int)from->block_status;
    settings->warning_forbidden = (unsigned)from->warning_forbidden;
    settings->warning_many = (unsigned)from->warning_many;
    if (from->expires_s < from->expires_s_min || from->expires_s > from->expires_s_max)
        return start_failed(TEXT("sip.expires: not between sip.expires-min and sip.expires-max"));
    if (from->t2_ms < from->t1_ms)
        return start_failed(TEXT("sip.t2: shorter than sip.t1"));
    if (from->block_status != 403 && from->block_status != 603)
        return start_failed(TEXT("im.block-status: not 403 or 603"));
    return true;
}

static bool has_too_many(struct program *program, struct text list, size_t most, const char *setting)
{
    struct text one;
    size_t count = 0;
    for (struct text rest = list; text_next_item(&rest, &one);)
        count++;
    if (count > most)
        start_failed(text_format(&program->node.arena, "%s: more than %zu: %.*s", setting, most, TEXT_ARG(list)));
    return count > most;
}

static bool take_addresses(struct program *program, struct conversation_settings *settings)
{
    const struct {
        const char *setting, *value;
        struct text *address_out;
    } addresses[] = {
        {"im.exploder", program->settings.exploder, &settings->exploder},
        {"im.deferred-address", program->settings.deferred_address, &settings->deferred_address},
        {"im.history-address", program->settings.history_address, &settings->history_address},
        {"im.delete-address", program->settings.delete_address, &settings->delete_address},
    };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        *addresses[i].address_out = address_of(program, addresses[i].value);
        if (addresses[i].value[0] && addresses[i].address_out->length == 0)
            return start_failed(
                text_format(&program->node.arena, "%s: no address: %s", addresses[i].setting, addresses[i].value));
    }
    if (!take_cores(program, settings))
        return false;
    return addresses_of(program, "sip.registration-watchers", program->settings.registration_watchers,
                        &settings->registration_watchers);
}

static struct watcher_limits watchers_of(const struct glue_settings *settings)
{
    return (struct watcher_limits){.all_max = (size_t)settings->watchers_max,
                                   .of_one_max = (size_t)settings->watchers_of_one_max,
                                   .watched_max = (size_t)settings->watched_max};
}

static bool open_sip(struct program *program)
{
    struct text error = {0};
    uint16_t port;
    if (!address_split(program->settings.sip, program->host, sizeof(program->host), &port))
        return start_failed(text_format(&program->node.arena, "listen.sip: not HOST:PORT: %s", program->settings.sip));
    struct transport_handler handler = {on_input, on_closed, on_unreachable, program, is_flooded};
    program->transport = transport_open(program->loop, program->host, port, &handler, &program->node.arena, &error);
    if (!program->transport)
        return start_failed(error);
    program->port = transport_port(program->transport);
    transport_limit_queues(program->transport, (size_t)program->settings.queued_mib_max << 20);
    if (!open_all_further(program))
        return false;
    struct conversation_settings settings = {
        .domain = text_of(program->settings.node.domain),
        .sha256_first = program->settings.sha256_first,
        .md5_clients = text_of(program->settings.md5_clients),
        .waiting_notice = program->settings.waiting_notice,
        .deferral =
            {
                .count_max = (uint64_t)program->settings.node.deferred_messages_max,
                .bytes_max = (uint64_t)program->settings.node.deferred_mib_max << 20,
                .all_bytes_max = (uint64_t)program->settings.node.deferred_all_mib_max << 20,
                .push = {(uint64_t)program->settings.node.deferred_push_messages_max,
                         (uint64_t)program->settings.node.deferred_push_bytes_max},
                .lifetime_ms_max = program->settings.node.deferred_seconds_max * 1000,
                .full_is_413 = program->settings.node.deferred_413,
                .drop_oldest = program->settings.node.deferred_drop_oldest,
                .urgent_first = program->settings.node.deferred_urgent_first,
                .silent_deletions = !program->settings.node.deferred_report_deletions,
            },
        .history_ms = program->settings.history_days * 86400000,
        .history_count_max = (size_t)program->settings.history_messages_max,
        .history_bytes_max = (uint64_t)program->settings.history_mib_max << 20,
        .report_window_ms = program->settings.report_window_s * 1000,
        .types_allowed = text_of(program->settings.types_allowed),
        .types_refused = text_of(program->settings.types_refused),
        .message_bytes_max = (size_t)program->settings.message_bytes_max,
        .settings_event = text_of(program->settings.settings_event),
        .settings_type = text_of(program->settings.settings_type),
        .list_events = text_of(program->settings.list_events),
        .recipients_max = (size_t)program->settings.recipients_max,
        .service_route = text_of(program->settings.service_route),
        .watchers = watchers_of(&program->settings),
        .registrars_watched = text_of(program->settings.registrars_watched),
        .datagram_bytes_max = (size_t)program->settings.datagram_bytes_max,
        .records_ms = CONVERSATION_RECORDS_MS,
        /* half for what the agent keeps, a quarter each for requests and for messages from the store */
        .bytes_max = (size_t)program->settings.memory_mib_max << 18,
        .agent = SIP_AGENT_SETTINGS_STANDARD,
        .trust = &program->node.trust,
        .peer_names = peer_names,
        .peer_names_context = program,
    };
    if (!list_senders_parse(text_of(program->settings.list_senders), &settings.list_senders))
        return start_failed(text_format(&program->node.arena, "im.list-senders: not owner, members or nobody: %s",
                                        program->settings.list_senders));
    const struct glue_means means = {program->node.tls != NULL, transport_speaks_ipv6(program->transport)};
    if (!glue_peering(&program->settings, means, &program->node.arena, &settings.peering, &error))
        return start_failed(error);
    if (!take_addresses(program, &settings) || !take_limits(program, &settings) ||
        has_too_many(program, settings.list_events, CONVERSATION_LIST_EVENTS_MAX, "im.list-events"))
        return false;
    settings.agent.host = program->settings.host[0] ? program->settings.host : program->host;
    settings.agent.port = program->port;
    settings.agent.queue_max = (size_t)program->settings.queue_max;
    settings.agent.bytes_max = (size_t)program->settings.memory_mib_max << 19;
    settings.agent.tls_port = transport_port_of(program->transport, FLOW_TLS);
    program->conversation = conversation_new(&settings, program->node.documents, program->node.digest, program->groups,
                                             wake, program, clock_now());
    return true;
}

static bool open_dns(struct program *program)
{
    const struct dns_settings settings = {
        .servers = program->settings.dns_servers,
        .timeout_ms = (int)program->settings.dns_timeout_ms,
        .tries = (int)program->settings.dns_tries,
    };
    struct text error = {0};
    program->dns = dns_open(program->loop, &settings, on_answered, program, &program->node.arena, &error);
    return program->dns || start_failed(error);
}

static bool open_management(struct program *program)
{
    const struct glue_settings *settings = &program->settings;
    struct node *node = &program->node;
    char host[sizeof(program->host)];
    struct port_settings port = {.host = host, .documents = node->documents};
    struct text error = {0};
    if (!settings->management[0])
        return true;
    if (!address_split(settings->management, host, sizeof(host), &port.port))
        return start_failed(text_format(&node->arena, "listen.management: not HOST:PORT: %s", settings->management));
    if (settings->management_tls && !node->tls)
        return start_failed(TEXT("listen.management shall speak TLS, but there is no tls.certificate"));
    port.tls = settings->management_tls ? node->tls : NULL;
    program->management = port_open(&port, &node->arena, &error);
    return program->management || start_failed(error);
}

static void print_management(const struct program *program)
{
    const char *address = program->settings.management, *colon = strrchr(address, ':');
    if (program->management)
        printf(" management=%.*s:%u", (int)(colon - address), address, port_number(program->management));
}

static void serve(struct program *program)
{
    loop_set_deadline(program->loop, on_deadline, program);
    printf("im-glue ready sip=%s:%u", program->host, program->port);
    print_further(program);
    print_management(program);
    printf("\n");
    fflush(stdout);
    log_info("started data=%s domain=%s", program->settings.node.folder, program->settings.node.domain);
    loop_run(program->loop);
}

/* The store first: it calls back for everything that was submitted, so what it calls must still be there. */
static void close_program(struct program *program)
{
    port_close(program->management); /* its threads read the store */
    dns_close(program->dns);
    if (program->transport)
        transport_close(program->transport);
    node_close_store(&program->node);
    if (program->conversation)
        conversation_free(program->conversation);
    if (program->groups)
        groups_free(program->groups);
    node_close(&program->node);
    loop_free(program->loop);
    settings_clear(glue_command.table, &program->settings);
}

int main(int argc, char **argv)
{
    struct program program = {0};
    const char *extra;
    int exit_code;
    if (!command_line(&glue_command, argc, argv, &program.settings, &extra, &exit_code))
        return exit_code;
    struct text error = {0};
    sip_open();
    program.loop = loop_new();
    loop_signal(program.loop, SIGINT, on_stop, &program);
    loop_signal(program.loop, SIGTERM, on_stop, &program);
    loop_signal(program.loop, SIGHUP, on_reload, &program);
    bool started = node_open(&program.node, "im-glue", &program.settings.node, &error) || start_failed(error);
    if (started)
        open_groups(&program);
    started = started && open_dns(&program) && open_sip(&program) && open_management(&program);
    if (started)
        serve(&program);
    close_program(&program);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
