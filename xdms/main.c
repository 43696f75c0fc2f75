/* xdms: reads its settings, opens the node, serves its ports, loads the document services anew on SIGHUP, stops in
 * order. What the ports answer is in service/. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "document_index.h"
#include "log.h"
#include "service.h"
#include "uri.h"
#include "user.h"
#include "xdms_good.h"
#include "xdms_identities.h"
#include "xml_validate.h"

#define IMPORT_ROOM    (1u << 20) /* bytes of one request of an import beside its longest document */
#define RETIRE_LOOK_MS 200        /* between looks whether the requests that use replaced services have ended */

struct program {
    struct xdms_settings settings;
    struct node node;
    struct service *service;
    struct http_server *http, *https, *management, *admin, *policy;
    struct xdms_identities identities;
    enum tls_clients admin_clients;
    bool reloaded; /* document services, and indexes have not been looked at since */
};

static bool start_failed(struct text error)
{
    fprintf(stderr, "xdms: %.*s\n", TEXT_ARG(error));
    return false;
}

static struct http_settings http_settings_of(const struct xdms_settings *settings)
{
    struct http_settings http = HTTP_SETTINGS_STANDARD;
    http.threads = (unsigned)settings->threads;
    http.connections_max = (unsigned)settings->connections_max;
    http.body_bytes_max = (size_t)settings->body_bytes_max;
    http.header_bytes_max = (size_t)settings->header_bytes_max;
    http.header_ms_max = settings->header_ms_max;
    http.body_ms_max = settings->body_ms_max;
    http.idle_ms_max = settings->idle_ms_max;
    http.server_token = "xdms/" XDM_VERSION;
    return http;
}

/* What answers at one address. */
struct port {
    const char *setting, *address;
    http_handler_fn *handler;
    http_preview_fn *preview;
    bool is_tls;
    enum tls_clients clients;
    size_t body_bytes_max; /* 0: as http.body-bytes-max says */
};

/* True also for an empty address, at which nothing listens. */
static bool open_port(struct program *program, const struct port *port, struct http_server **server_out)
{
    char host[256];
    struct http_settings settings = http_settings_of(&program->settings);
    struct arena *arena = &program->node.arena;
    struct text error = {0};
    if (!port->address[0])
        return true;
    bool good = address_split(port->address, host, sizeof(host), &settings.port);
    assert(good); /* xdms_settings_good */
    settings.host = host;
    settings.tls = port->is_tls ? program->node.tls : NULL;
    settings.clients = port->clients;
    if (port->body_bytes_max)
        settings.body_bytes_max = port->body_bytes_max;
    *server_out = http_server_open(&settings, port->handler, port->preview, program->service, arena, &error);
    return *server_out || start_failed(error);
}

static struct text root_uri_of(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    struct text root_uri = text_of(settings->root_uri);
    bool is_tls = settings->https[0] != '\0';
    if (root_uri.length)
        return root_uri;
    return text_format(&program->node.arena, "http%s://%s%.*s", is_tls ? "s" : "",
                       is_tls ? settings->https : settings->http, TEXT_ARG(program->node.roots[0]));
}

static struct service_search_settings search_settings_of(const struct xdms_settings *settings)
{
    return (struct service_search_settings){
        .domains = text_of(settings->search_domains),
        .peers = text_of(settings->search_peers),
        .domain_ms_max = settings->search_domain_ms_max,
        .server_ca = text_of(settings->node.server_ca),
        .certificate = text_of(settings->node.certificate),
        .key = text_of(settings->node.key),
        .servers_unverified = !settings->node.verify_servers,
    };
}

static bool search_is_good(struct program *program, struct text *error_out)
{
    const struct service_search_settings search = search_settings_of(&program->settings);
    return service_search_good(&search, text_of(program->settings.node.domain), &program->node.arena, error_out);
}

static void open_service(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    struct node *node = &program->node;
    struct service_settings service = {
        .roots = node->roots,
        .roots_count = node->roots_count,
        .root_uri = root_uri_of(program),
        .domain = text_of(settings->node.domain),
        .realm = text_of(settings->node.realm),
        .admin_token = text_of(settings->admin_token),
        .groups = GROUP_SETTINGS_STANDARD(NULL, 0),
        .policy_token = text_of(settings->policy_token),
        .policy_peers = program->identities.policy_peers,
        .policy_max_age_s = settings->policy_max_age_s,
        .push = {(uint64_t)settings->node.deferred_push_messages_max, (uint64_t)settings->node.deferred_push_bytes_max},
        .grants = program->identities.grants,
        .grants_count = ROLES_GIVEN,
        .trust = &program->identities.trust,
        .guard = node->guard,
        .basic = settings->basic,
        .target_bytes_max = (size_t)settings->target_bytes_max,
        .selector_steps_max = (size_t)settings->selector_steps_max,
        .gzip_bytes_min = (size_t)settings->gzip_bytes_min,
        .search = search_settings_of(settings),
        .search_documents_max = (size_t)settings->search_documents_max,
        .search_results_max = (size_t)settings->search_results_max,
        .search_us_max = settings->search_ms_max * 1000,
        .trailing_slash = settings->trailing_slash,
        .raw_attributes = settings->raw_attributes,
        .element_declarations = settings->element_declarations,
        .absent_first = settings->absent_first,
    };
    service.groups.members_may_send = settings->node.members_may_send;
    service.groups.store_by_default = settings->node.store_by_default;
    service.groups.accept_by_default = settings->node.accept_by_default;
    service.groups.accept_anonymous = settings->node.accept_anonymous;
    service.groups.lists_of_others = settings->node.lists_of_others;
    program->service = service_new(&service, node->documents, node->digest);
}

static bool open_ports(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    enum tls_clients clients = program->node.clients;
    open_service(program);
    const struct port http = {"listen.http", settings->http, service_xcap, service_xcap_preview};
    const struct port https = {"listen.https", settings->https, service_xcap, service_xcap_preview, true, clients};
    const struct port management = {.setting = "listen.management",
                                    .address = settings->management,
                                    .handler = service_management,
                                    .is_tls = settings->management_tls};
    const struct port admin = {
        .setting = "listen.admin",
        .address = settings->admin,
        .handler = service_admin,
        .preview = service_admin_preview,
        .is_tls = settings->admin_tls,
        .clients = program->admin_clients,
        /* escapes make a document longer in a line of JSON */
        .body_bytes_max = 2 * (size_t)settings->body_bytes_max + IMPORT_ROOM,
    };
    const struct port policy = {"listen.policy", settings->policy, service_policy, service_policy_preview,
                                settings->policy_tls};
    return open_port(program, &http, &program->http) && open_port(program, &https, &program->https) &&
           open_port(program, &management, &program->management) && open_port(program, &admin, &program->admin) &&
           open_port(program, &policy, &program->policy);
}

static void print_port(const char *name, const char *address, const struct http_server *server)
{
    const char *colon = strrchr(address, ':');
    if (server)
        printf(" %s=%.*s:%u", name, (int)(colon - address), address, http_server_port(server));
}

/* The next signal to act on. Frees what was replaced as soon as no request uses it; a reload waits until then. */
/* What can be said to be complete at once is; the rest is for the operator to build. */
static void open_indexes(struct program *program)
{
    size_t missing = 0;
    enum status status = document_index_open(program->node.documents, &missing);
    if (status != OK)
        log_error("indexes cannot be read or written reason=%s", status_name(status));
    if (missing)
        log_warning("searches read documents one after another until xdmctl reindex has run indexes=%zu", missing);
}

static int wait_for_signal(struct program *program, const sigset_t *signals)
{
    const struct timespec look = {.tv_nsec = RETIRE_LOOK_MS * 1000000L};
    bool reload_wanted = false;
    for (;;) {
        bool retired = node_retire(&program->node);
        if (retired && program->reloaded) { /* nobody writes by an older manifest any more */
            open_indexes(program);
            program->reloaded = false;
        }
        if (reload_wanted && retired)
            return SIGHUP;
        int number = retired ? sigwaitinfo(signals, NULL) : sigtimedwait(signals, NULL, &look);
        if (number == SIGHUP)
            reload_wanted = true;
        else if (number > 0)
            return number;
    }
}

static void serve(struct program *program, const sigset_t *signals)
{
    int signal_number;
    open_indexes(program);
    service_set_ready(program->service, true);
    printf("xdms ready");
    print_port("http", program->settings.http, program->http);
    print_port("https", program->settings.https, program->https);
    print_port("management", program->settings.management, program->management);
    print_port("admin", program->settings.admin, program->admin);
    print_port("policy", program->settings.policy, program->policy);
    printf("\n");
    fflush(stdout);
    log_info("started data=%s usages=%zu", program->settings.node.folder, usage_count(program->node.usages));
    while ((signal_number = wait_for_signal(program, signals)) == SIGHUP) {
        node_reload_tls(&program->node);
        program->reloaded = node_reload(&program->node) || program->reloaded;
    }
    log_info("stopping signal=%d", signal_number);
    service_set_ready(program->service, false);
}

static void close_program(struct program *program)
{
    struct http_server *servers[] = {program->http, program->https, program->admin, program->management,
                                     program->policy};
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
        if (servers[i])
            http_server_close(servers[i]);
    if (program->service)
        service_free(program->service);
    node_close(&program->node);
    settings_clear(xdms_command.table, &program->settings);
}

/* Whatever can be wrong with the settings, before anything is made or listened at. */
static bool read_settings(struct program *program)
{
    struct text error = {0};
    if (!node_read(&program->node, "xdms", &program->settings.node, &error) || !search_is_good(program, &error) ||
        !identities_read(&program->identities, &program->settings, &program->node, &error))
        return start_failed(error);
    return xdms_settings_good(&program->settings, program->node.tls != NULL, &program->admin_clients,
                              &program->node.arena, &error) ||
           start_failed(error);
}

/* Not refused as im-glue does: here the first user of a new domain is added. */
static void warn_of_domain(struct program *program)
{
    struct text other, domain = text_of(program->settings.node.domain);
    if (user_domain_check(program->node.documents, domain, &program->node.arena, &other) == REFUSED)
        log_warning("no user is of identity.domain domain=%.*s users-are=%.*s", TEXT_ARG(domain),
                    TEXT_ARG(uri_domain(other)));
}

static bool open_store(struct program *program)
{
    struct text error = {0};
    if (!node_open_store(&program->node, false, &error))
        return start_failed(error);
    warn_of_domain(program);
    return true;
}

/* For --check; the settings stay the caller's. */
static bool check(void *settings)
{
    struct program *program = memory_new(sizeof(*program));
    program->settings = *(struct xdms_settings *)settings;
    bool good = read_settings(program);
    node_close(&program->node);
    free(program);
    return good;
}

/* Not by the file system alone: "." has no name, and a usage has that of its folder. */
static int check_usage(struct program *program, const char *folder)
{
    struct arena arena;
    struct text report;
    char *whole = strcmp(folder, ".") == 0 ? realpath(folder, NULL) : NULL;
    xml_open();
    arena_init(&arena, "check-usage");
    enum status status = usage_check_folder(whole ? whole : folder, &arena, &report);
    free(whole);
    printf("%.*s", TEXT_ARG(report));
    arena_clear(&arena);
    settings_clear(xdms_command.table, &program->settings);
    xml_close();
    return status == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    const char *usage_folder;
    int exit_code;
    sigset_t signals;
    struct command command = xdms_command;
    command.check = check;
    if (!command_line(&command, argc, argv, &program.settings, &usage_folder, &exit_code))
        return exit_code;
    if (usage_folder)
        return check_usage(&program, usage_folder);
    /* Blocked before any thread starts, so that every thread inherits it and sigwait alone sees them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    bool started = read_settings(&program) && open_store(&program) && open_ports(&program);
    if (started)
        serve(&program, &signals);
    close_program(&program);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
