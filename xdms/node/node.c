/* Opens in order and closes in reverse what the programs of one machine have in common. Knows no protocol. */
#include "node.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include "deferred.h"
#include "history.h"
#include "log.h"
#include "store.h"
#include "xml_validate.h"

#define DAY_MS 86400000

/* What is compared with targets byte by byte. */
static bool is_root(struct text root)
{
    for (size_t i = 0; i < root.length; i++)
        if (strchr(" \"<>?#", root.bytes[i]))
            return false;
    return text_starts_with(root, TEXT("/")) && text_ends_with(root, TEXT("/"));
}

static bool read_roots(struct node *node, struct text *error_out)
{
    struct text rest = text_of(node->settings->roots), root;
    for (bool more = true; more;) {
        more = text_cut(rest, ',', &root, &rest);
        root = text_trim(root);
        if (node->roots_count == NODE_ROOTS_MAX || !is_root(root)) {
            *error_out = text_format(&node->arena,
                                     "xcap.roots: each root is a path that begins and ends with '/', and there are at "
                                     "most %d",
                                     NODE_ROOTS_MAX);
            return false;
        }
        node->roots[node->roots_count++] = root;
    }
    return true;
}

static void apply_limits(struct usage_set *usages, const struct node_settings *settings)
{
    const struct usage_limits limits = {
        .bytes_max = (size_t)settings->document_bytes_max,
        .depth_max = (unsigned)settings->document_depth_max,
        .elements_max = (unsigned)settings->document_elements_max,
        .attributes_max = (unsigned)settings->element_attributes_max,
    };
    usage_set_limit(usages, &limits);
}

/* What a module says of a folder or file, with the name of the setting before it. */
static bool say_of(struct node *node, const char *setting, struct text *error_out)
{
    *error_out = text_format(&node->arena, "%s: %.*s", setting, TEXT_ARG(*error_out));
    return false;
}

static struct store *open_store(struct node *node, bool alone, struct text *error_out)
{
    const struct node_settings *settings = node->settings;
    const struct store_settings store = {
        .map_bytes = (uint64_t)settings->map_mib << 20,
        .bytes_max = (uint64_t)settings->size_mib_max << 20,
        .changes_max = (uint64_t)settings->changes_max,
        .changes_ms_max = settings->changes_days_max * DAY_MS,
        .alone_as = alone ? node->program : NULL,
    };
    return store_open_lmdb_with(settings->folder, &store, &node->arena, error_out);
}

static bool read_trust(struct node *node, struct text *error_out)
{
    struct text bad, name, rest = text_trim(text_of(node->settings->trusted_names));
    if (!trust_ranges_parse(text_of(node->settings->trusted_peers), &node->trust.peers, &bad)) {
        *error_out = text_format(
            &node->arena, "identity.trusted-peers: not an address or a range, or one too many: '%.*s'", TEXT_ARG(bad));
        return false;
    }
    while (rest.length) {
        text_cut(rest, ',', &name, &rest);
        name = text_trim(name);
        rest = text_trim(rest);
        if (name.length == 0 || node->trust.names_count == TRUST_NAMES_MAX) {
            *error_out =
                text_format(&node->arena, "identity.trusted-names: an empty name, or more than %d", TRUST_NAMES_MAX);
            return false;
        }
        node->trust.names[node->trust.names_count++] = name;
    }
    return true;
}

static bool open_digest(struct node *node, struct text *error_out)
{
    const struct guard_settings limits = {(unsigned)node->settings->failures_per_user,
                                          (unsigned)node->settings->failures_per_address};
    uint8_t key[32];
    if (getrandom(key, sizeof(key), 0) != sizeof(key)) {
        *error_out = TEXT("no random numbers from the kernel");
        return false;
    }
    node->digest = digest_new(text_of(node->settings->realm), text_of(node->settings->domain), key);
    digest_offer(node->digest, DIGEST_SHA256, node->settings->sha256);
    digest_offer(node->digest, DIGEST_SHA512, node->settings->sha512);
    node->guard = guard_new(&limits);
    digest_set_guard(node->digest, node->guard);
    return true;
}

static bool open_tls(struct node *node, struct text *error_out)
{
    const struct node_settings *settings = node->settings;
    const struct tls_settings tls = {
        .certificate = settings->certificate,
        .key = settings->key,
        .client_ca = settings->client_ca,
        .client_crl = settings->client_crl,
        .server_ca = settings->server_ca,
        .priority = settings->priority,
        .servers_unverified = !settings->verify_servers,
    };
    if (!tls_clients_parse(text_of(settings->clients), &node->clients)) {
        *error_out = TEXT("tls.clients is none, optional or required");
        return false;
    }
    if (node->clients != TLS_CLIENTS_NONE && !settings->client_ca[0]) {
        *error_out = TEXT("tls.clients asks for certificates, but tls.client-ca names no CA");
        return false;
    }
    if (!settings->certificate[0] && (settings->key[0] || settings->client_ca[0] || settings->client_crl[0])) {
        *error_out = TEXT("tls.key, tls.client-ca and tls.client-crl are nothing without tls.certificate");
        return false;
    }
    if (settings->server_ca[0] && access(settings->server_ca, R_OK) != 0) {
        *error_out = text_format(&node->arena, "tls.server-ca: %s: %s", settings->server_ca, strerror(errno));
        return false;
    }
    if (!settings->certificate[0])
        return true;
    node->tls = tls_open(&tls, &node->arena, error_out);
    return node->tls != NULL;
}

bool node_read(struct node *node, const char *program, const struct node_settings *settings, struct text *error_out)
{
    *node = (struct node){.settings = settings, .program = program};
    log_open(program, settings->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    /* A peer that is gone, and a file at its limit, are answers of the calls that meet them. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    log_gather();
    xml_open();
    arena_init(&node->arena, "node");
    if (!read_roots(node, error_out) || !read_trust(node, error_out) || !open_tls(node, error_out))
        return false;
    if (usage_set_load(settings->schemas, &node->usages, &node->arena, error_out) != OK)
        return say_of(node, "xcap.schemas", error_out);
    apply_limits(node->usages, settings);
    return store_folder_good(settings->folder, &node->arena, error_out) || say_of(node, "store.folder", error_out);
}

bool node_open_store(struct node *node, bool alone, struct text *error_out)
{
    node->store = open_store(node, alone, error_out);
    if (!node->store)
        return say_of(node, "store.folder", error_out);
    node->documents = documents_new(node->store, node->usages);
    deferred_metrics_open();
    documents_set_records(node->documents, USAGE_FROM_DEFERRED, &deferred_records);
    documents_set_records(node->documents, USAGE_FROM_HISTORY, &history_records);
    return open_digest(node, error_out);
}

void node_close_store(struct node *node)
{
    if (node->store)
        store_close(node->store);
    node->store = NULL;
}

void node_close(struct node *node)
{
    node_close_store(node);
    if (node->digest)
        digest_free(node->digest);
    guard_free(node->guard);
    if (node->documents)
        documents_free(node->documents);
    usage_set_free(node->usages);
    usage_set_free(node->replaced);
    tls_free(node->tls);
    arena_clear(&node->arena);
    xml_close();
}

bool node_reload(struct node *node)
{
    struct arena arena;
    struct text error = {0};
    struct usage_set *usages = NULL;
    if (!node_retire(node))
        return false;
    arena_init(&arena, "reload");
    bool loaded = usage_set_load(node->settings->schemas, &usages, &arena, &error) == OK;
    if (!loaded)
        log_error("document services are as before, the new ones do not load: %.*s", TEXT_ARG(error));
    arena_clear(&arena);
    if (!loaded)
        return false;
    apply_limits(usages, node->settings);
    if (!documents_replace(node->documents, usages)) { /* not so after node_retire, unless two threads reload */
        usage_set_free(usages);
        return false;
    }
    node->replaced = node->usages;
    node->usages = usages;
    log_info("document services loaded anew usages=%zu", usage_count(usages));
    return true;
}

bool node_reload_tls(struct node *node)
{
    struct arena arena;
    struct text error = {0};
    if (!node->tls)
        return true;
    arena_init(&arena, "reload");
    bool loaded = tls_reload(node->tls, &arena, &error) == OK;
    if (!loaded)
        log_error("TLS certificate is as before, the new one does not load: %.*s", TEXT_ARG(error));
    arena_clear(&arena);
    return loaded;
}

bool node_retire(struct node *node)
{
    if (node->replaced && documents_retired(node->documents)) {
        usage_set_free(node->replaced);
        node->replaced = NULL;
    }
    return !node->replaced;
}
