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

#define ROW(member) offsetof(struct node_settings, member)

static const struct setting rows[] = {
    {"store.folder", SETTING_TEXT, ROW(folder), "/var/lib/xdm", 0, 0, "",
     "Data folder; the programs of one machine share it."},
    {"store.size-mib-max", SETTING_NUMBER, ROW(size_mib_max), "4194304", 4, 16777216, "MiB",
     "Size up to which the data file grows; then writes are refused with 507."},
    {"store.map-mib", SETTING_NUMBER, ROW(map_mib), "65536", 1, 16777216, "MiB",
     "Address space taken for the data file at the start; doubles whenever the data needs more."},
    {"store.changes-max", SETTING_NUMBER, ROW(changes_max), "1000000", 1, 1000000000, "",
     "Change records that are kept; readers that fell further behind read the documents again."},
    {"store.changes-days-max", SETTING_NUMBER, ROW(changes_days_max), "14", 1, 36500, "days",
     "Older change records are dropped."},
    {"xcap.schemas", SETTING_TEXT, ROW(schemas), "/usr/share/xdm/schemas", 0, 0, "",
     "Folder of the document services."},
    {"xcap.roots", SETTING_TEXT, ROW(roots), "/xcap-root/", 0, 0, "",
     "Path prefixes of the XCAP root and its aliases, separated by commas; anchors below them inside documents are "
     "ours."},
    {"xcap.document-bytes-max", SETTING_NUMBER, ROW(document_bytes_max), "1048576", 1024, 8388608, "bytes",
     "Largest document, also after a change of a node; a document service may want less. Larger is refused with 409."},
    {"xcap.document-depth-max", SETTING_NUMBER, ROW(document_depth_max), "64", 1, 200, "",
     "Deepest nesting of elements; a document service may want less. Deeper is refused with 409."},
    {"xcap.document-elements-max", SETTING_NUMBER, ROW(document_elements_max), "50000", 1, 50000, "",
     "Elements of a document; more are refused with 409."},
    {"xcap.element-attributes-max", SETTING_NUMBER, ROW(element_attributes_max), "64", 1, 64, "",
     "Attributes of an element, namespace declarations among them; more are refused with 409."},
    {"identity.domain", SETTING_DOMAIN, ROW(domain), "example.com", 0, 0, "",
     "Domain that is served, and that of user names which are given without one."},
    {"identity.realm", SETTING_REALM, ROW(realm), "example.com", 0, 0, "",
     "Digest realm; stored password hashes are good for one realm alone."},
    {"identity.sha256", SETTING_SWITCH, ROW(sha256), "yes", 0, 0, "",
     "Offers digest authentication with SHA-256 beside MD5. \"no\" is for users whose hashes came from a server that "
     "kept MD5 alone: clients that would rather use SHA-256 could not log in."},
    {"identity.sha512-256", SETTING_SWITCH, ROW(sha512), "no", 0, 0, "",
     "Offers it with SHA-512-256, too. For houses in which all passwords were set since builds keep the hash that this "
     "needs: who has none could not log in with a client that would rather use it."},
    {"identity.trusted-peers", SETTING_TEXT, ROW(trusted_peers), "", 0, 0, "",
     "Addresses and ranges (192.0.2.0/24, 2001:db8::/32) of peers that may say who asks, separated by commas: in "
     "X-3GPP-Asserted-Identity and X-XCAP-Asserted-Identity, in P-Asserted-Identity."},
    {"identity.trusted-names", SETTING_TEXT, ROW(trusted_names), "", 0, 0, "",
     "Names in client certificates of peers that may say who asks, separated by commas."},
    {"identity.failures-per-user", SETTING_NUMBER, ROW(failures_per_user), "10", 0, 60000, "",
     "Wrong passwords a minute for one user, from one address and from all that are new to the user together; 0: any "
     "number."},
    {"identity.failures-per-address", SETTING_NUMBER, ROW(failures_per_address), "60", 0, 60000, "",
     "Wrong passwords a minute from one address, of IPv6 from one /64; 0: any number."},
    {"tls.certificate", SETTING_TEXT, ROW(certificate), "", 0, 0, "",
     "PEM file: our certificate, and after it those that lead to its CA; empty: nothing is encrypted. Read again on "
     "SIGHUP, as all files of this section."},
    {"tls.key", SETTING_TEXT, ROW(key), "", 0, 0, "",
     "PEM file: the private key of tls.certificate, without a password."},
    {"tls.client-ca", SETTING_TEXT, ROW(client_ca), "", 0, 0, "", "PEM file: CAs whose certificates clients may show."},
    {"tls.client-crl", SETTING_TEXT, ROW(client_crl), "", 0, 0, "",
     "PEM file: lists of certificates that the CAs of tls.client-ca have revoked."},
    {"tls.clients", SETTING_TEXT, ROW(clients), "none", 0, 0, "",
     "Certificates of clients at listen.https, listen.sips and listen.wss: none is asked for, optional, or required. "
     "One that is shown must be good."},
    {"tls.server-ca", SETTING_TEXT, ROW(server_ca), "", 0, 0, "",
     "PEM file: CAs of the servers and phones that we connect to; empty: those of the system."},
    {"tls.verify-servers", SETTING_SWITCH, ROW(verify_servers), "yes", 0, 0, "",
     "Connects by TLS only to who shows a certificate of tls.server-ca for the address; else anybody there is "
     "believed."},
    {"tls.priority", SETTING_TEXT, ROW(priority), "", 0, 0, "",
     "Versions and ciphers as GnuTLS writes them; empty: TLS 1.3 and 1.2 with forward secrecy and AEAD."},
    {"policy.members-may-send", SETTING_SWITCH, ROW(members_may_send), "yes", 0, 0, "",
     "A group without rules lets its members send."},
    {"policy.store-by-default", SETTING_SWITCH, ROW(store_by_default), "yes", 0, 0, "",
     "Messages are kept for absent users whose rules say nothing about it."},
    {"policy.accept-by-default", SETTING_SWITCH, ROW(accept_by_default), "yes", 0, 0, "",
     "Messages reach users none of whose rules matches the sender."},
    {"policy.accept-anonymous", SETTING_SWITCH, ROW(accept_anonymous), "no", 0, 0, "",
     "The same from who is anonymous; else these need a rule that lets them in, and are told 433."},
    {"policy.lists-of-others", SETTING_SWITCH, ROW(lists_of_others), "no", 0, 0, "",
     "Groups and rules may refer to lists that their owners cannot read; else these count as empty."},
    {"deferred.messages-per-user", SETTING_NUMBER, ROW(deferred_messages_max), "1000", 0, 100000000, "",
     "Messages that wait for one user; more are refused with 480 and Retry-After; 0: any number."},
    {"deferred.mib-per-user", SETTING_NUMBER, ROW(deferred_mib_max), "50", 0, 1048576, "MiB",
     "Size of the messages that wait for one user, as above."},
    {"deferred.mib-max", SETTING_NUMBER, ROW(deferred_all_mib_max), "0", 0, 1073741824, "MiB",
     "Size of all messages that wait, one to many counted for each of its recipients, as above; 0: the disk alone "
     "bounds it."},
    {"deferred.push-messages-max", SETTING_NUMBER, ROW(deferred_push_messages_max), "0", 0, 100000000, "",
     "While more wait for a user, those that came while he was away are left for him to fetch; fewer are handed over "
     "when he comes; 0: any number is."},
    {"deferred.push-bytes-max", SETTING_NUMBER, ROW(deferred_push_bytes_max), "0", 0, 1048576, "bytes",
     "Larger ones that came while he was away are left for him to fetch; 0: any size is handed over."},
    {"deferred.lifetime", SETTING_NUMBER, ROW(deferred_seconds_max), "604800", 0, 3155760000, "s",
     "Messages wait so long, or as long as their Expires says if that is sooner; 0: as that says alone."},
    {"deferred.full-is-413", SETTING_SWITCH, ROW(deferred_413), "no", 0, 0, "",
     "What is too much for one user or for all is refused with 413 instead of 480."},
    {"deferred.drop-oldest", SETTING_SWITCH, ROW(deferred_drop_oldest), "no", 0, 0, "",
     "What is too much makes the oldest that waits for the same user give way, instead of being refused; who sent that "
     "is told as of an expiry."},
    {"deferred.urgent-first", SETTING_SWITCH, ROW(deferred_urgent_first), "yes", 0, 0, "",
     "Messages of Priority urgent or emergency are delivered before others that wait, and non-urgent ones after them."},
    {"deferred.report-deletions", SETTING_SWITCH, ROW(deferred_report_deletions), "yes", 0, 0, "",
     "Senders who asked to be told of failures are told, too, that a recipient or an admin deleted what waited."},
    {"log.debug", SETTING_SWITCH, ROW(debug), "no", 0, 0, "", "Writes debug lines too."},
};

const struct settings_table node_settings_table = {rows, sizeof(rows) / sizeof(rows[0]), NULL, 0};

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

bool node_open(struct node *node, const char *program, const struct node_settings *settings, struct text *error_out)
{
    return node_read(node, program, settings, error_out) && node_open_store(node, false, error_out);
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
