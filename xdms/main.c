/* xdms: reads its settings, opens the node, serves three ports, loads the document services anew on SIGHUP, stops in
 * order. What the ports answer is in service/. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "log.h"
#include "node.h"
#include "service.h"
#include "user.h"
#include "xml_validate.h"

struct xdms_settings {
    struct node_settings node;
    char *http, *https, *management, *admin;
    char *admin_clients;
    bool admin_tls, management_tls;
    char *root_uri, *servers, *operators, *admins, *auditors, *admin_token;
    char *proxies, *forwarded_header;
    int64_t threads, connections_max, body_bytes_max, header_bytes_max, header_ms_max, body_ms_max, idle_ms_max;
    int64_t gzip_bytes_min, target_bytes_max, selector_steps_max;
    char *policy, *policy_peers, *policy_token;
    int64_t policy_max_age_s;
    bool policy_tls;
    bool basic, trailing_slash, raw_attributes, element_declarations, absent_first;
};

#define ROW(member) offsetof(struct xdms_settings, member)

static const struct setting rows[] = {
    {"listen.http", SETTING_TEXT, ROW(http), "127.0.0.1:8080", 0, 0, "",
     "Address of the XCAP roots, not encrypted; may be empty where there is listen.https."},
    {"listen.https", SETTING_TEXT, ROW(https), "", 0, 0, "", "Address of the XCAP roots over TLS, as 0.0.0.0:8443."},
    {"listen.management", SETTING_TEXT, ROW(management), "127.0.0.1:9091", 0, 0, "",
     "Address of /metrics, /livez and /readyz."},
    {"listen.admin", SETTING_TEXT, ROW(admin), "127.0.0.1:8081", 0, 0, "", "Address of the admin API."},
    {"listen.policy", SETTING_TEXT, ROW(policy), "", 0, 0, "",
     "Address of the policy query, for IM servers; empty: it answers at listen.admin alone."},
    {"xcap.root-uri", SETTING_TEXT, ROW(root_uri), "", 0, 0, "",
     "XCAP root as clients see it; empty: made from listen.https, or else listen.http, and the first of xcap.roots."},
    {"xcap.target-bytes-max", SETTING_NUMBER, ROW(target_bytes_max), "8192", 256, 65536, "bytes",
     "Longest request target, selector and query included; longer is refused with 414."},
    {"xcap.selector-steps-max", SETTING_NUMBER, ROW(selector_steps_max), "32", 1, 200, "",
     "Steps of a node selector; more are refused with 414."},
    {"xcap.trailing-slash", SETTING_SWITCH, ROW(trailing_slash), "no", 0, 0, "",
     "Takes a target that ends with '/' for the one without, as some phones send it; else it names nothing."},
    {"xcap.raw-attributes", SETTING_SWITCH, ROW(raw_attributes), "no", 0, 0, "",
     "Sends values of attributes without their quotes, as some older clients expect."},
    {"xcap.element-declarations", SETTING_SWITCH, ROW(element_declarations), "no", 0, 0, "",
     "Drops an XML declaration in front of an element that is PUT; else it is refused with not-xml-frag."},
    {"xcap.absent-first", SETTING_SWITCH, ROW(absent_first), "no", 0, 0, "",
     "Answers 404 for unknown services and users before it asks who wants to know, as RFC 4825 orders it; else "
     "strangers "
     "are told nothing but 401."},
    {"identity.servers", SETTING_TEXT, ROW(servers), "", 0, 0, "",
     "Users that are servers, separated by commas: they read what document services open to servers."},
    {"identity.operators", SETTING_TEXT, ROW(operators), "", 0, 0, "",
     "Users that act for the operator, separated by commas: they may do what document services leave to operators."},
    {"tls.policy", SETTING_SWITCH, ROW(policy_tls), "no", 0, 0, "", "listen.policy speaks TLS and nothing else."},
    {"tls.admin", SETTING_SWITCH, ROW(admin_tls), "no", 0, 0, "", "listen.admin speaks TLS and nothing else."},
    {"tls.admin-clients", SETTING_TEXT, ROW(admin_clients), "none", 0, 0, "",
     "Certificates of clients at listen.admin, as tls.clients."},
    {"tls.management", SETTING_SWITCH, ROW(management_tls), "no", 0, 0, "",
     "listen.management speaks TLS and nothing else."},
    {"identity.admins", SETTING_TEXT, ROW(admins), "", 0, 0, "",
     "Users that are admins, separated by commas: they may do what document services leave to admins."},
    {"identity.auditors", SETTING_TEXT, ROW(auditors), "", 0, 0, "",
     "Users that are auditors, separated by commas: they read everything and change nothing, not even what is theirs."},
    {"identity.basic", SETTING_SWITCH, ROW(basic), "no", 0, 0, "",
     "Takes passwords by Basic authentication from clients that came over TLS, beside Digest."},
    {"http.proxies", SETTING_TEXT, ROW(proxies), "", 0, 0, "",
     "Addresses and ranges of proxies whose word for the client's address is taken, separated by commas; for logs and "
     "for "
     "slowing down guesses, never for trust."},
    {"http.forwarded-header", SETTING_TEXT, ROW(forwarded_header), "X-Forwarded-For", 0, 0, "",
     "Header in which http.proxies name the client: X-Forwarded-For or Forwarded; the other one is not looked at."},
    {"admin.token", SETTING_TEXT, ROW(admin_token), "", 0, 0, "",
     "Bearer token of the admin API; empty is allowed on loopback addresses only."},
    {"policy.peers", SETTING_TEXT, ROW(policy_peers), "127.0.0.0/8, ::1", 0, 0, "",
     "Addresses and ranges of the IM servers that may ask at listen.policy, separated by commas."},
    {"policy.token", SETTING_TEXT, ROW(policy_token), "", 0, 0, "",
     "Bearer token that listen.policy wants beside; empty: none."},
    {"policy.max-age-s", SETTING_NUMBER, ROW(policy_max_age_s), "0", 0, 86400, "s",
     "Time for which an IM server may use an answer again without asking; 0: a change is in force for the next "
     "question."},
    {"http.threads", SETTING_NUMBER, ROW(threads), "0", 0, 256, "", "Worker threads; 0: one per core."},
    {"http.connections-max", SETTING_NUMBER, ROW(connections_max), "4096", 1, 1000000, "",
     "Open connections; more wait until one closes."},
    {"http.body-bytes-max", SETTING_NUMBER, ROW(body_bytes_max), "1048576", 1024, 8388608, "bytes",
     "Largest request body; larger is refused with 413."},
    {"http.header-bytes-max", SETTING_NUMBER, ROW(header_bytes_max), "20480", 4096, 262144, "bytes",
     "Largest header section; larger is refused with 431, a larger target with 414."},
    {"http.gzip-bytes-min", SETTING_NUMBER, ROW(gzip_bytes_min), "1024", 0, 8388608, "bytes",
     "Smallest document or node that is sent compressed to clients that accept gzip; 0: none is."},
    {"http.header-ms-max", SETTING_NUMBER, ROW(header_ms_max), "10000", 100, 600000, "ms",
     "Time for the header section of a request, from its first byte."},
    {"http.body-ms-max", SETTING_NUMBER, ROW(body_ms_max), "30000", 100, 600000, "ms",
     "Time for the body of a request, from the end of its headers."},
    {"http.idle-ms-max", SETTING_NUMBER, ROW(idle_ms_max), "120000", 100, 3600000, "ms",
     "Time a connection may stay open between requests."},
};

static const struct settings_table table = {rows, sizeof(rows) / sizeof(rows[0]), &node_settings_table, ROW(node)};

static const struct command_option shortcuts[] = {
    {"http", "listen.http"},       {"https", "listen.https"}, {"management", "listen.management"},
    {"admin", "listen.admin"},     {"data", "store.folder"},  {"schemas", "xcap.schemas"},
    {"domain", "identity.domain"},
};

static const struct command command = {
    .program = "xdms",
    .summary = "XML document management server (XCAP).",
    .table = &table,
    .options = shortcuts,
    .options_count = sizeof(shortcuts) / sizeof(shortcuts[0]),
    .extra_option = "check-usage",
};

#define PRINCIPALS_MAX 64         /* of one role: each is looked at in every request */
#define ROLES_GIVEN    4          /* server, operator, admin, auditor */
#define IMPORT_ROOM    (1u << 20) /* bytes of one request of an import beside its longest document */
#define RETIRE_LOOK_MS 200        /* between looks whether the requests that use replaced services have ended */

struct program {
    struct xdms_settings settings;
    struct node node;
    struct service *service;
    struct http_server *http, *https, *management, *admin, *policy;
    struct text principals[ROLES_GIVEN][PRINCIPALS_MAX];
    struct requester_grant grants[ROLES_GIVEN];
    struct trust trust;
};

static bool start_failed(struct text error)
{
    fprintf(stderr, "xdms: %.*s\n", TEXT_ARG(error));
    return false;
}

static bool read_principals(struct program *program, const char *setting, const char *list, enum usage_role role)
{
    struct requester_grant *grant = &program->grants[role - USAGE_SERVER];
    struct text *addresses = program->principals[role - USAGE_SERVER];
    struct text rest = text_of(list), one;
    *grant = (struct requester_grant){.role = role, .addresses = addresses};
    while (rest.length) {
        text_cut(rest, ',', &one, &rest);
        one = user_address(text_trim(one), text_of(program->settings.node.domain), &program->node.arena);
        if (one.length == 0 || grant->count == PRINCIPALS_MAX)
            return start_failed(
                text_format(&program->node.arena, "%s: not a list of at most %d users", setting, PRINCIPALS_MAX));
        addresses[grant->count++] = one;
    }
    return true;
}

static bool read_proxies(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    struct text bad, header = text_of(settings->forwarded_header);
    program->trust = program->node.trust;
    if (!trust_ranges_parse(text_of(settings->proxies), &program->trust.proxies, &bad))
        return start_failed(text_format(
            &program->node.arena, "http.proxies: not an address or a range, or one too many: '%.*s'", TEXT_ARG(bad)));
    program->trust.forwarded = text_equal_nocase(header, TEXT("Forwarded")) ? TRUST_FORWARDED : TRUST_X_FORWARDED_FOR;
    if (program->trust.forwarded == TRUST_FORWARDED || text_equal_nocase(header, TEXT("X-Forwarded-For")))
        return true;
    return start_failed(TEXT("http.forwarded-header: X-Forwarded-For or Forwarded"));
}

static bool read_identities(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    return read_principals(program, "identity.servers", settings->servers, USAGE_SERVER) &&
           read_principals(program, "identity.operators", settings->operators, USAGE_OPERATOR) &&
           read_principals(program, "identity.admins", settings->admins, USAGE_ADMIN) &&
           read_principals(program, "identity.auditors", settings->auditors, USAGE_AUDITOR) && read_proxies(program);
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
    if (!address_split(port->address, host, sizeof(host), &settings.port))
        return start_failed(text_format(arena, "%s: not HOST:PORT: %s", port->setting, port->address));
    if (port->is_tls && !program->node.tls)
        return start_failed(text_format(arena, "%s shall speak TLS, but there is no tls.certificate", port->setting));
    settings.host = host;
    settings.tls = port->is_tls ? program->node.tls : NULL;
    settings.clients = port->clients;
    if (port->body_bytes_max)
        settings.body_bytes_max = port->body_bytes_max;
    *server_out = http_server_open(&settings, port->handler, port->preview, program->service, arena, &error);
    return *server_out || start_failed(error);
}

static bool read_admin_clients(const struct program *program, enum tls_clients *clients_out)
{
    const struct xdms_settings *settings = &program->settings;
    if (!tls_clients_parse(text_of(settings->admin_clients), clients_out))
        return start_failed(TEXT("tls.admin-clients is none, optional or required"));
    if (*clients_out != TLS_CLIENTS_NONE && !settings->admin_tls)
        return start_failed(TEXT("tls.admin-clients asks for certificates, but tls.admin is not on"));
    if (*clients_out != TLS_CLIENTS_NONE && !settings->node.client_ca[0])
        return start_failed(TEXT("tls.admin-clients asks for certificates, but tls.client-ca names no CA"));
    if (settings->admin[0] && !settings->admin_token[0] && *clients_out != TLS_CLIENTS_REQUIRED &&
        !address_is_loopback(settings->admin))
        return start_failed(TEXT("admin.token must be set when listen.admin is not a loopback address, unless "
                                 "tls.admin-clients is required"));
    return true;
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

static bool read_policy_peers(struct program *program, struct trust_ranges *peers_out)
{
    struct text bad;
    if (trust_ranges_parse(text_of(program->settings.policy_peers), peers_out, &bad))
        return true;
    return start_failed(
        text_format(&program->node.arena, "policy.peers: not an address or a range: %.*s", TEXT_ARG(bad)));
}

static void open_service(struct program *program, const struct trust_ranges *policy_peers)
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
        .policy_peers = *policy_peers,
        .policy_max_age_s = settings->policy_max_age_s,
        .grants = program->grants,
        .grants_count = ROLES_GIVEN,
        .trust = &program->trust,
        .guard = node->guard,
        .basic = settings->basic,
        .target_bytes_max = (size_t)settings->target_bytes_max,
        .selector_steps_max = (size_t)settings->selector_steps_max,
        .gzip_bytes_min = (size_t)settings->gzip_bytes_min,
        .trailing_slash = settings->trailing_slash,
        .raw_attributes = settings->raw_attributes,
        .element_declarations = settings->element_declarations,
        .absent_first = settings->absent_first,
    };
    service.groups.members_may_send = settings->node.members_may_send;
    service.groups.store_by_default = settings->node.store_by_default;
    service.groups.accept_by_default = settings->node.accept_by_default;
    program->service = service_new(&service, node->documents, node->digest);
}

static bool open_ports(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    enum tls_clients clients = program->node.clients, admin_clients = TLS_CLIENTS_NONE;
    if (!settings->http[0] && !settings->https[0])
        return start_failed(TEXT("listen.http and listen.https are both empty"));
    struct trust_ranges policy_peers;
    if (!read_admin_clients(program, &admin_clients) || !read_policy_peers(program, &policy_peers))
        return false;
    open_service(program, &policy_peers);
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
        .clients = admin_clients,
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
static int wait_for_signal(struct program *program, const sigset_t *signals)
{
    const struct timespec look = {.tv_nsec = RETIRE_LOOK_MS * 1000000L};
    bool reload_wanted = false;
    for (;;) {
        bool retired = node_retire(&program->node);
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
        node_reload(&program->node);
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
    settings_clear(&table, &program->settings);
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
    settings_clear(&table, &program->settings);
    xml_close();
    return status == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    const char *usage_folder;
    int exit_code;
    sigset_t signals;
    struct text error = {0};
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
    bool started = node_open(&program.node, "xdms", &program.settings.node, &error) || start_failed(error);
    started = started && read_identities(&program) && open_ports(&program);
    if (started)
        serve(&program, &signals);
    close_program(&program);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
