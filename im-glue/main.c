/* im-glue: reads its settings, opens the node, joins the sockets, the loop and the conversation, stops in order. What
 * is answered to a SIP peer is in conversation/. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "conversation.h"
#include "dns.h"
#include "glue_conversation.h"
#include "glue_listeners.h"
#include "glue_settings.h"
#include "log.h"
#include "port.h"
#include "transport.h"
#include "user.h"

/* A sixteenth of sip.memory-mib-max is kept for what comes next: copies of a message to many come and go at once. */
#define SPARE_SHIFT 4

struct program {
    struct glue_settings settings;
    struct node node;
    struct groups *groups;
    struct trust_ranges cores;
    struct conversation_settings conversation_settings;
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

static size_t room(void *context)
{
    const struct program *program = context;
    return conversation_room(program->conversation);
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

static size_t peer_names(void *context, uint64_t connection, struct arena *arena, const struct text **names_out)
{
    const struct program *program = context;
    return transport_peer_names(program->transport, connection, arena, names_out);
}

static bool is_every_address(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool open_sip(struct program *program)
{
    struct text error = {0};
    uint16_t port;
    bool good = address_split(program->settings.sip, program->host, sizeof(program->host), &port);
    assert(good); /* glue_listeners_good */
    struct transport_handler handler = {on_input, on_closed, on_unreachable, program, is_flooded, room};
    program->transport = transport_open(program->loop, program->host, port, &handler, &program->node.arena, &error);
    if (!program->transport)
        return start_failed(error);
    program->port = transport_port(program->transport);
    transport_limit_queues(program->transport, (size_t)program->settings.queued_mib_max << 20);
    if (!glue_listeners_open(&program->settings, &program->node, program->transport, &error))
        return start_failed(error);
    struct conversation_settings settings = program->conversation_settings;
    settings.peering.locator.ipv6 = transport_speaks_ipv6(program->transport);
    settings.peer_names = peer_names;
    settings.peer_names_context = program;
    if (!program->settings.host[0] && is_every_address(program->host))
        log_warning("sip.host is empty, and peers read %s in our Via and cannot reach us there", program->host);
    settings.agent.host = program->settings.host[0] ? program->settings.host : program->host;
    settings.agent.port = program->port;
    settings.agent.tls_port = transport_port_of(program->transport, FLOW_TLS);
    memory_spare((size_t)program->settings.memory_mib_max << 20 >> SPARE_SHIFT);
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
    bool good = address_split(settings->management, host, sizeof(host), &port.port);
    assert(good); /* glue_listeners_good */
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
    glue_listeners_print(&program->settings, program->transport);
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

/* Whatever can be wrong with the settings, before anything is made or listened at. */
static bool read_settings(struct program *program)
{
    struct text error = {0};
    if (!node_read(&program->node, "im-glue", &program->settings.node, &error) ||
        !glue_conversation(&program->settings, &program->node, &program->cores, &program->conversation_settings,
                           &error) ||
        !glue_listeners_good(&program->settings, &program->node, &error))
        return start_failed(error);
    return open_dns(program);
}

/* A mistyped domain would refuse all users and let expire what waits for them. */
static bool serves_its_users(struct program *program, struct text *error_out)
{
    struct text other, domain = text_of(program->settings.node.domain);
    struct arena *arena = &program->node.arena;
    enum status status = user_domain_check(program->node.documents, domain, arena, &other);
    if (status == REFUSED)
        *error_out = text_format(arena,
                                 "identity.domain: %.*s, but the users in %s are of other domains, as %.*s; add one of "
                                 "%.*s first (xdmctl user add) if that is meant",
                                 TEXT_ARG(domain), program->settings.node.folder, TEXT_ARG(other), TEXT_ARG(domain));
    else if (status != OK)
        *error_out = text_format(arena, "store.folder: users cannot be read: %s", status_name(status));
    return status == OK;
}

static bool open_store(struct program *program)
{
    struct text error = {0};
    if (!node_open_store(&program->node, true, &error) || !serves_its_users(program, &error))
        return start_failed(error);
    open_groups(program);
    return true;
}

/* For --check; the settings stay the caller's. */
static bool check(void *settings)
{
    struct program program = {.settings = *(struct glue_settings *)settings, .loop = loop_new()};
    bool good = read_settings(&program);
    dns_close(program.dns);
    node_close(&program.node);
    loop_free(program.loop);
    return good;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct command command = glue_command;
    const char *extra;
    int exit_code;
    sip_open();
    command.check = check;
    if (!command_line(&command, argc, argv, &program.settings, &extra, &exit_code))
        return exit_code;
    program.loop = loop_new();
    loop_signal(program.loop, SIGINT, on_stop, &program);
    loop_signal(program.loop, SIGTERM, on_stop, &program);
    loop_signal(program.loop, SIGHUP, on_reload, &program);
    bool started = read_settings(&program) && open_store(&program) && open_sip(&program) && open_management(&program);
    if (started)
        serve(&program);
    close_program(&program);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
