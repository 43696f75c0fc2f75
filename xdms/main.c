/* xdms: reads its settings, opens the store and the document services, serves three ports, loads the services anew on
 * SIGHUP, stops in order. What the ports answer is in service/. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "command.h"
#include "log.h"
#include "service.h"
#include "user.h"
#include "xml_validate.h"

struct xdms_settings {
    char *http, *management, *admin;
    char *data, *schemas;
    char *roots, *root_uri, *domain, *realm, *servers, *operators, *admin_token;
    int64_t threads, connections_max, body_bytes_max, header_ms_max, body_ms_max, idle_ms_max;
    bool debug;
};

#define ROW(member) offsetof(struct xdms_settings, member)

static const struct setting rows[] = {
    {"listen.http", SETTING_TEXT, ROW(http), "127.0.0.1:8080", 0, 0, "", "Address of the XCAP roots."},
    {"listen.management", SETTING_TEXT, ROW(management), "127.0.0.1:9091", 0, 0, "",
     "Address of /metrics, /livez and /readyz."},
    {"listen.admin", SETTING_TEXT, ROW(admin), "127.0.0.1:8081", 0, 0, "", "Address of the admin API."},
    {"store.folder", SETTING_TEXT, ROW(data), "/var/lib/xdm", 0, 0, "", "Data folder, shared with im-glue."},
    {"xcap.schemas", SETTING_TEXT, ROW(schemas), "/usr/share/xdm/schemas", 0, 0, "",
     "Folder of the document services."},
    {"xcap.roots", SETTING_TEXT, ROW(roots), "/xcap-root/", 0, 0, "",
     "Path prefixes of the XCAP root and its aliases, separated by commas."},
    {"xcap.root-uri", SETTING_TEXT, ROW(root_uri), "", 0, 0, "",
     "XCAP root as clients see it; empty: made from listen.http and the first of xcap.roots."},
    {"identity.domain", SETTING_TEXT, ROW(domain), "example.com", 0, 0, "",
     "Domain of user names that are given without one."},
    {"identity.realm", SETTING_TEXT, ROW(realm), "example.com", 0, 0, "",
     "Digest realm; stored password hashes are good for one realm alone."},
    {"identity.servers", SETTING_TEXT, ROW(servers), "", 0, 0, "",
     "Users that are servers, separated by commas: they read what document services open to servers."},
    {"identity.operators", SETTING_TEXT, ROW(operators), "", 0, 0, "",
     "Users that act for the operator, separated by commas: they may do what document services leave to operators."},
    {"admin.token", SETTING_TEXT, ROW(admin_token), "", 0, 0, "",
     "Bearer token of the admin API; empty is allowed on loopback addresses only."},
    {"http.threads", SETTING_NUMBER, ROW(threads), "0", 0, 256, "", "Worker threads; 0: one per core."},
    {"http.connections-max", SETTING_NUMBER, ROW(connections_max), "4096", 1, 1000000, "",
     "Open connections; more wait until one closes."},
    {"http.body-bytes-max", SETTING_NUMBER, ROW(body_bytes_max), "1048576", 1024, 8388608, "bytes",
     "Largest request body; larger is refused with 413."},
    {"http.header-ms-max", SETTING_NUMBER, ROW(header_ms_max), "10000", 100, 600000, "ms",
     "Time for the header section of a request, from its first byte."},
    {"http.body-ms-max", SETTING_NUMBER, ROW(body_ms_max), "30000", 100, 600000, "ms",
     "Time for the body of a request, from the end of its headers."},
    {"http.idle-ms-max", SETTING_NUMBER, ROW(idle_ms_max), "120000", 100, 3600000, "ms",
     "Time a connection may stay open between requests."},
    {"log.debug", SETTING_SWITCH, ROW(debug), "no", 0, 0, "", "Writes debug lines too."},
};

static const struct settings_table table = {rows, sizeof(rows) / sizeof(rows[0])};

static const struct command_option shortcuts[] = {
    {"http", "listen.http"},  {"management", "listen.management"}, {"admin", "listen.admin"},
    {"data", "store.folder"}, {"schemas", "xcap.schemas"},         {"domain", "identity.domain"},
};

static const struct command command = {
    .program = "xdms",
    .summary = "XML document management server (XCAP).",
    .table = &table,
    .options = shortcuts,
    .options_count = sizeof(shortcuts) / sizeof(shortcuts[0]),
    .extra_option = "check-usage",
};

#define ROOTS_MAX      8   /* one root and its aliases */
#define PRINCIPALS_MAX 64  /* servers, and operators: each is looked at in every request */
#define RETIRE_LOOK_MS 200 /* between looks whether the requests that use replaced services have ended */

struct program {
    struct xdms_settings settings;
    struct arena arena;
    struct store *store;
    struct usage_set *usages, *replaced; /* in force, and before while requests still use it */
    struct documents *documents;
    struct digest *digest;
    struct service *service;
    struct http_server *http, *management, *admin;
    struct text roots[ROOTS_MAX], servers[PRINCIPALS_MAX], operators[PRINCIPALS_MAX];
    size_t roots_count, servers_count, operators_count;
};

static bool start_failed(struct text error)
{
    fprintf(stderr, "xdms: %.*s\n", TEXT_ARG(error));
    return false;
}

static bool read_roots(struct program *program)
{
    struct text rest = text_of(program->settings.roots), root;
    for (bool more = true; more;) {
        more = text_cut(rest, ',', &root, &rest);
        root = text_trim(root);
        if (program->roots_count == ROOTS_MAX || !text_starts_with(root, TEXT("/")) || !text_ends_with(root, TEXT("/")))
            return start_failed(TEXT("xcap.roots: each root begins and ends with '/', and there are at most 8"));
        program->roots[program->roots_count++] = root;
    }
    return true;
}

static bool read_principals(struct program *program, const char *setting, const char *list, struct text *addresses,
                            size_t *count_out)
{
    struct text rest = text_of(list), one;
    while (rest.length) {
        text_cut(rest, ',', &one, &rest);
        one = user_address(text_trim(one), text_of(program->settings.domain), &program->arena);
        if (one.length == 0 || *count_out == PRINCIPALS_MAX)
            return start_failed(
                text_format(&program->arena, "%s: not a list of at most %d users", setting, PRINCIPALS_MAX));
        addresses[(*count_out)++] = one;
    }
    return true;
}

static bool read_identities(struct program *program)
{
    return read_principals(program, "identity.servers", program->settings.servers, program->servers,
                           &program->servers_count) &&
           read_principals(program, "identity.operators", program->settings.operators, program->operators,
                           &program->operators_count);
}

static bool open_documents(struct program *program)
{
    struct text error = {0};
    struct arena *arena = &program->arena;
    if (usage_set_load(program->settings.schemas, &program->usages, arena, &error) != OK)
        return start_failed(error);
    program->store = store_open_lmdb(program->settings.data, arena, &error);
    if (!program->store)
        return start_failed(error);
    program->documents = documents_new(program->store, program->usages);
    return true;
}

static struct http_server *open_server(struct program *program, const char *address, http_handler_fn *handler,
                                       http_preview_fn *preview)
{
    char host[256];
    struct http_settings settings = HTTP_SETTINGS_STANDARD;
    struct text error = {0};
    if (!address_split(address, host, sizeof(host), &settings.port)) {
        start_failed(text_format(&program->arena, "not HOST:PORT: %s", address));
        return NULL;
    }
    settings.host = host;
    settings.threads = (unsigned)program->settings.threads;
    settings.connections_max = (unsigned)program->settings.connections_max;
    settings.body_bytes_max = (size_t)program->settings.body_bytes_max;
    settings.header_ms_max = program->settings.header_ms_max;
    settings.body_ms_max = program->settings.body_ms_max;
    settings.idle_ms_max = program->settings.idle_ms_max;
    settings.server_token = "xdms/" XDM_VERSION;
    struct http_server *server =
        http_server_open(&settings, handler, preview, program->service, &program->arena, &error);
    if (!server)
        start_failed(error);
    return server;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0 ||
           strncmp(address, "localhost:", 10) == 0;
}

static bool open_ports(struct program *program)
{
    const struct xdms_settings *settings = &program->settings;
    uint8_t key[32];
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return start_failed(TEXT("no random numbers from the kernel"));
    program->digest = digest_new(text_of(settings->realm), text_of(settings->domain), key);
    if (!settings->admin_token[0] && !is_loopback(settings->admin))
        return start_failed(TEXT("admin.token must be set when listen.admin is not a loopback address"));
    struct text root_uri = text_of(settings->root_uri);
    if (root_uri.length == 0)
        root_uri = text_format(&program->arena, "http://%s%.*s", settings->http, TEXT_ARG(program->roots[0]));
    struct service_settings service = {
        .roots = program->roots,
        .roots_count = program->roots_count,
        .root_uri = root_uri,
        .domain = text_of(settings->domain),
        .realm = text_of(settings->realm),
        .admin_token = text_of(settings->admin_token),
        .servers = program->servers,
        .servers_count = program->servers_count,
        .operators = program->operators,
        .operators_count = program->operators_count,
    };
    program->service = service_new(&service, program->documents, program->digest);
    program->http = open_server(program, settings->http, service_xcap, service_xcap_preview);
    if (program->http)
        program->management = open_server(program, settings->management, service_management, NULL);
    if (program->management)
        program->admin = open_server(program, settings->admin, service_admin, service_admin_preview);
    return program->admin != NULL;
}

static void print_port(const char *name, const char *address, const struct http_server *server)
{
    const char *colon = strrchr(address, ':');
    printf(" %s=%.*s:%u", name, (int)(colon - address), address, http_server_port(server));
}

/* The next signal to act on. Frees what was replaced as soon as no request uses it; a reload waits until then. */
static int wait_for_signal(struct program *program, const sigset_t *signals)
{
    const struct timespec look = {.tv_nsec = RETIRE_LOOK_MS * 1000000L};
    bool reload_wanted = false;
    for (;;) {
        if (program->replaced && documents_retired(program->documents)) {
            usage_set_free(program->replaced);
            program->replaced = NULL;
        }
        if (reload_wanted && !program->replaced)
            return SIGHUP;
        int number = program->replaced ? sigtimedwait(signals, NULL, &look) : sigwaitinfo(signals, NULL);
        if (number == SIGHUP)
            reload_wanted = true;
        else if (number > 0)
            return number;
    }
}

/* A set that does not load leaves the present one in force. */
static void reload(struct program *program)
{
    struct arena arena;
    struct text error = {0};
    struct usage_set *usages;
    arena_init(&arena, "reload");
    if (usage_set_load(program->settings.schemas, &usages, &arena, &error) != OK) {
        log_error("document services are as before, the new ones do not load: %.*s", TEXT_ARG(error));
    } else {
        bool replaced = documents_replace(program->documents, usages);
        assert(replaced); /* wait_for_signal lets no reload begin before the last one is through */
        program->replaced = program->usages;
        program->usages = usages;
        log_info("document services loaded anew usages=%zu", usage_count(usages));
    }
    arena_clear(&arena);
}

static void serve(struct program *program, const sigset_t *signals)
{
    int signal_number;
    service_set_ready(program->service, true);
    printf("xdms ready");
    print_port("http", program->settings.http, program->http);
    print_port("management", program->settings.management, program->management);
    print_port("admin", program->settings.admin, program->admin);
    printf("\n");
    fflush(stdout);
    log_info("started data=%s usages=%zu", program->settings.data, usage_count(program->usages));
    while ((signal_number = wait_for_signal(program, signals)) == SIGHUP)
        reload(program);
    log_info("stopping signal=%d", signal_number);
    service_set_ready(program->service, false);
}

static void close_program(struct program *program)
{
    struct http_server *servers[] = {program->http, program->admin, program->management};
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
        if (servers[i])
            http_server_close(servers[i]);
    if (program->service)
        service_free(program->service);
    if (program->digest)
        digest_free(program->digest);
    if (program->store)
        store_close(program->store);
    if (program->documents)
        documents_free(program->documents);
    usage_set_free(program->usages);
    usage_set_free(program->replaced);
    settings_clear(&table, &program->settings);
    arena_clear(&program->arena);
    xml_close();
}

static int check_usage(struct program *program, const char *folder)
{
    struct arena arena;
    struct text report;
    arena_init(&arena, "check-usage");
    enum status status = usage_check_folder(folder, &arena, &report);
    printf("%.*s", TEXT_ARG(report));
    arena_clear(&arena);
    close_program(program);
    return status == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    const char *usage_folder;
    int exit_code;
    sigset_t signals;
    xml_open();
    if (!command_line(&command, argc, argv, &program.settings, &usage_folder, &exit_code))
        return exit_code;
    if (usage_folder)
        return check_usage(&program, usage_folder);
    log_open("xdms", program.settings.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    arena_init(&program.arena, "program");
    /* Blocked before any thread starts, so that every thread inherits it and sigwait alone sees them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    bool started =
        read_roots(&program) && read_identities(&program) && open_documents(&program) && open_ports(&program);
    if (started)
        serve(&program, &signals);
    close_program(&program);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
