/* The table of settings of xdms, and its command line. */
#include "xdms_settings.h"

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
     "strangers are told nothing but 401."},
    {"search.documents-max", SETTING_NUMBER, ROW(search_documents_max), "20000", 100, 100000000, "",
     "Documents that one search may read; one that needs more is refused, and told where it can go on."},
    {"search.results-max", SETTING_NUMBER, ROW(search_results_max), "1000", 1, 10000, "",
     "Results of one page of a search, whatever its max-results."},
    {"search.ms-max", SETTING_NUMBER, ROW(search_ms_max), "30000", 100, 3600000, "ms",
     "Time for a search here, with what it waits for others; what is found until then is a page, and told where it "
     "goes "
     "on."},
    {"search.domains", SETTING_TEXT, ROW(search_domains), "", 0, 0, "",
     "Other servers whose users a search finds with domain=all or their name, as example.org=https://xdm.example.org/"
     "xcap-root, separated by commas; they have to take this server's word for who asks (their search.peers)."},
    {"search.peers", SETTING_TEXT, ROW(search_peers), "", 0, 0, "",
     "Servers that pass on searches of their users to here, as example.net=192.0.2.0/24, example.net=xdm.example.net "
     "(an address, a range, or a name in a client certificate), separated by commas. Each speaks for users of that "
     "domain alone, in searches alone, and finds what everybody may."},
    {"search.domain-ms-max", SETTING_NUMBER, ROW(search_domain_ms_max), "3000", 100, 60000, "ms",
     "Time for the answers of search.domains; who is later is named as missing."},
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
     "for slowing down guesses, never for trust."},
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

const struct command xdms_command = {
    .program = "xdms",
    .summary = "XML document management server (XCAP).",
    .table = &table,
    .options = shortcuts,
    .options_count = sizeof(shortcuts) / sizeof(shortcuts[0]),
    .extra_option = "check-usage",
};
