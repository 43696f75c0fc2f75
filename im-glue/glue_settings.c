/* The table of settings of im-glue, and its command line. */
#include "glue_settings.h"

#include "conversation.h"

#define ROW(member) offsetof(struct glue_settings, member)

static const struct setting rows[] = {
    {"listen.sip", SETTING_TEXT, ROW(sip), "127.0.0.1:5060", 0, 0, "", "Address for SIP over UDP and TCP."},
    {"listen.sips", SETTING_TEXT, ROW(sips), "", 0, 0, "", "Address for SIP over TLS, as 0.0.0.0:5061."},
    {"listen.ws", SETTING_TEXT, ROW(ws), "", 0, 0, "",
     "Address for SIP over WebSocket, not encrypted, for browsers on this machine or behind a proxy that speaks TLS."},
    {"listen.wss", SETTING_TEXT, ROW(wss), "", 0, 0, "", "Address for SIP over WebSocket and TLS, as 0.0.0.0:5443."},
    {"listen.management", SETTING_TEXT, ROW(management), "", 0, 0, "",
     "Address of /metrics, /livez and /readyz, as 127.0.0.1:9092; empty: none."},
    {"tls.management", SETTING_SWITCH, ROW(management_tls), "no", 0, 0, "",
     "listen.management speaks TLS and nothing else."},
    {"sip.service-route", SETTING_TEXT, ROW(service_route), "", 0, 0, "",
     "Service-Route that clients get when they register, as <sip:proxy.example.com;lr>; several are separated by "
     "commas; empty: none."},
    {"sip.registration-watchers", SETTING_TEXT, ROW(registration_watchers), "", 0, 0, "",
     "Addresses that may watch which contacts any user has (event package reg), beside the user himself: users here, "
     "or whom a trusted peer asserts; separated by commas; a name without @ is one of the domain."},
    {"sip.cores", SETTING_TEXT, ROW(cores), "", 0, 0, "",
     "Addresses and ranges of trusted peers (identity.trusted-peers, identity.trusted-names) that are cores: an "
     "S-CSCF, a registrar in front. They may register users here and send messages on their way by Route; not for "
     "proxies that pass on what clients wrote."},
    {"sip.core-routes", SETTING_TEXT, ROW(core_routes), "", 0, 0, "",
     "Cores of users who have no contact here, since no core has registered them, separated by commas, as "
     "example.com=sip:scscf.example.com;lr: what is for them is sent there, and kept if nobody is there either; empty: "
     "they are away."},
    {"sip.registrars-watched", SETTING_TEXT, ROW(registrars_watched), "", 0, 0, "",
     "Servers (an S-CSCF, a registrar in front) that register their users here and are then asked for their devices by "
     "the event package reg: hosts of their From, separated by commas, as scscf.example.com, *.example.org for all "
     "below it, or * for all trusted peers; empty: none."},
    {"sip.registrations-watched-max", SETTING_NUMBER, ROW(watched_max), "200000", 1, 10000000, "",
     "Users whose devices are asked for at once, if sip.memory-mib-max has room for them; of more it is only known "
     "that "
     "they are there."},
    {"sip.subscriptions-max", SETTING_NUMBER, ROW(watchers_max), "100000", 1, 10000000, "",
     "Subscriptions to events of our users, if sip.memory-mib-max has room for them; more are refused with 503 and "
     "Retry-After."},
    {"sip.subscriptions-per-user", SETTING_NUMBER, ROW(watchers_of_one_max), "50", 1, 100000, "",
     "The same for one who watches; more are refused with 480 and Retry-After."},
    {"sip.datagram-bytes-max", SETTING_NUMBER, ROW(datagram_bytes_max), "1300", 400, 65000, "bytes",
     "Larger requests to contacts of UDP go by TCP, and by UDP only if no connection can be made."},
    {"sip.memory-mib-max", SETTING_NUMBER, ROW(memory_mib_max), "1024", 16, 1048576, "MiB",
     "What transactions, requests in progress, subscriptions and messages on their way may hold in memory; new "
     "requests "
     "beyond it are refused with 503 and Retry-After, first those of users who hold much of it."},
    {"sip.messages-per-user", SETTING_NUMBER, ROW(messages_per_user), "0", 0, 1000000, "",
     "Messages that a user may send in a minute; more are refused with 480 and Retry-After; 0: any number."},
    {"sip.registers-per-user", SETTING_NUMBER, ROW(registers_per_user), "0", 0, 1000000, "",
     "REGISTER requests of a user in a minute, as above."},
    {"sip.expires-min", SETTING_NUMBER, ROW(expires_s_min), "60", 1, 86400, "s",
     "Shortest registration; a shorter one is refused with 423."},
    {"sip.expires-max", SETTING_NUMBER, ROW(expires_s_max), "86400", 60, 31536000, "s",
     "Longest registration; a longer one is shortened. Of those that a core makes it is a week."},
    {"sip.expires", SETTING_NUMBER, ROW(expires_s), "3600", 60, 31536000, "s",
     "Registration of who does not say how long."},
    {"sip.contacts-max", SETTING_NUMBER, ROW(contacts_max), "10", 1, CONVERSATION_BINDINGS_MAX, "",
     "Contacts of one user; more are refused with 403."},
    {"sip.answer-ms", SETTING_NUMBER, ROW(answer_ms), "10000", 1000, 30000, "ms",
     "Contacts that are silent for longer are away: what may be kept is, and its sender is told 202."},
    {"sip.follow-redirects", SETTING_SWITCH, ROW(follow_redirects), "no", 0, 0, "",
     "Follows redirections (3xx) once: of a contact to what its user could have registered, of another domain to "
     "places of that domain; else who redirects counts as away."},
    {"sip.t1", SETTING_NUMBER, ROW(t1_ms), "500", 100, 10000, "ms",
     "Time after which a request is sent again over UDP (T1 of RFC 3261); transactions end after 64 times as much."},
    {"sip.t2", SETTING_NUMBER, ROW(t2_ms), "4000", 100, 60000, "ms", "Longest time between two of these (T2)."},
    {"sip.t4", SETTING_NUMBER, ROW(t4_ms), "5000", 100, 60000, "ms", "Time that a message may be on its way (T4)."},
    {"sip.orig-parameter", SETTING_TEXT, ROW(orig_parameter), "orig", 0, 0, "",
     "Parameter of our Route by which a core says that it is the turn of the sender (3GPP TS 24.229)."},
    {"sip.queue-max", SETTING_NUMBER, ROW(queue_max), "2048", 16, 1000000, "",
     "Requests that wait for their turn; of what is more, those of who sent most are refused with 503 and "
     "Retry-After."},
    {"sip.queued-mib-max", SETTING_NUMBER, ROW(queued_mib_max), "256", 8, 1048576, "MiB",
     "What all peers together may leave unread on their connections; a connection that needs more is cut."},
    {"sip.host", SETTING_TEXT, ROW(host), "", 0, 0, "",
     "Name or address in Via, as peers reach us; empty: that of listen.sip, which has to be one."},
    {"sip.sha256-first", SETTING_SWITCH, ROW(sha256_first), "no", 0, 0, "",
     "Offers SHA-256 digest before MD5, and over WebSocket too; many clients in the field give up when the first "
     "challenge is not MD5, and those in browsers when the last is not."},
    {"sip.md5-clients", SETTING_TEXT, ROW(md5_clients), "baresip v0, baresip v1", 0, 0, "",
     "Beginnings of the User-Agent of clients that are offered MD5 digest alone, separated by commas, because they "
     "give up when SHA-256 is offered too; not with sip.sha256-first."},
    {"peering.domains-out", SETTING_TEXT, ROW(domains_out), "", 0, 0, "",
     "Other domains that our users may send to, separated by commas, as example.net, *.example.org, or * for all; "
     "empty: none."},
    {"peering.domains-in", SETTING_TEXT, ROW(domains_in), "*", 0, 0, "",
     "Other domains whose users may send to ours, when somebody vouches for them: a trusted peer "
     "(identity.trusted-peers, identity.trusted-names), or the domain itself as the next two settings say."},
    {"peering.peers", SETTING_TEXT, ROW(peers), "", 0, 0, "",
     "Addresses from which other domains speak for their own users, separated by commas, as example.net=192.0.2.20, "
     "example.org=198.51.100.0/28; for networks in which nobody else can send from these."},
    {"peering.by-certificate", SETTING_SWITCH, ROW(by_certificate), "no", 0, 0, "",
     "A peer whose certificate names a domain speaks for its users (RFC 5922); needs listen.sips, tls.client-ca and "
     "tls.clients."},
    {"peering.domains-asserted", SETTING_TEXT, ROW(domains_asserted), "", 0, 0, "",
     "Other domains that are trusted with P-Asserted-Identity (RFC 3325)."},
    {"peering.routes", SETTING_TEXT, ROW(routes), "", 0, 0, "",
     "Next hops, separated by commas, as example.net=sip:192.0.2.1;transport=tcp, *=sip:sbc.example.com;lr; with lr as "
     "a Route; domains without one by DNS (RFC 3263)."},
    {"peering.in-flight-max", SETTING_NUMBER, ROW(in_flight_max), "200", 1, 100000, "",
     "Messages on their way to one other domain at once; more wait on the disk."},
    {"peering.messages-per-domain", SETTING_NUMBER, ROW(messages_per_domain), "0", 0, 10000000, "",
     "Messages that all users of one other domain may send in a minute; more are refused with 480 and Retry-After; 0: "
     "any number."},
    {"peering.transports", SETTING_TEXT, ROW(transports), "tls, tcp, udp", 0, 0, "",
     "Transports to other domains, in the order tried where their DNS has no NAPTR; tls needs tls.certificate."},
    {"dns.servers", SETTING_TEXT, ROW(dns_servers), "", 0, 0, "",
     "Addresses of DNS servers, separated by commas, as 192.0.2.53, [2001:db8::53]:5353; empty: those of the system."},
    {"dns.timeout", SETTING_NUMBER, ROW(dns_timeout_ms), "2000", 50, 30000, "ms",
     "How long one server is waited for at the first attempt; at later ones twice as long each."},
    {"dns.tries", SETTING_NUMBER, ROW(dns_tries), "2", 1, 10, "", "Attempts at each server."},
    {"dns.ttl-max", SETTING_NUMBER, ROW(dns_ttl_s_max), "86400", 0, 604800, "s",
     "Answers are remembered as long as they say, and no longer than this."},
    {"dns.entries-max", SETTING_NUMBER, ROW(dns_entries_max), "10000", 100, 1000000, "",
     "Answers that are remembered; the least recently used goes first."},
    {"im.exploder", SETTING_TEXT, ROW(exploder), "exploder", 0, 0, "",
     "Address that takes messages with a list of recipients (RFC 5365): a URI, or the user part of one in the domain; "
     "empty: none does."},
    {"im.recipients-max", SETTING_NUMBER, ROW(recipients_max), "500", 1, GROUP_MEMBERS_MAX, "",
     "Recipients of one message with a list: the addresses that it names, each once, and the members of lists and "
     "groups "
     "in it; two addresses of one user are two. More are refused with 403."},
    {"im.list-senders", SETTING_TEXT, ROW(list_senders), "owner", 0, 0, "",
     "Who may send to the address of a list (rls-services): its owner, the members of the list and he, or nobody."},
    {"im.types-allowed", SETTING_TEXT, ROW(types_allowed), "", 0, 0, "",
     "Media types of content that messages may have, separated by commas, as text/*, image/png; others are answered "
     "415; empty: all."},
    {"im.types-refused", SETTING_TEXT, ROW(types_refused), "", 0, 0, "",
     "Media types that messages may not have, whatever is allowed."},
    {"im.block-politely", SETTING_SWITCH, ROW(block_politely), "no", 0, 0, "",
     "Who is blocked by the rules of a recipient is told 200 or 202, as if his message had arrived; else 403."},
    {"im.block-status", SETTING_NUMBER, ROW(block_status), "403", 403, 603, "",
     "What who is blocked is answered where that is not done politely: 403, or 603 (declined, and no more to be "
     "tried)."},
    {"im.warning-forbidden", SETTING_NUMBER, ROW(warning_forbidden), "100", 0, 999, "",
     "Number in the Warning of what rules or the house do not allow; 0: none."},
    {"im.warning-too-many", SETTING_NUMBER, ROW(warning_many), "102", 0, 999, "",
     "The same, of too many recipients or members."},
    {"im.message-bytes-max", SETTING_NUMBER, ROW(message_bytes_max), "1048576", 500, SIP_BODY_MAX, "bytes",
     "Size of a message with all its headers; larger ones are answered 513. RFC 3428 says 1300 where a hop may be "
     "UDP."},
    {"im.settings-event", SETTING_TEXT, ROW(settings_event), "im-service-settings", 0, 0, "",
     "Event package with which clients publish their IM service settings, and watch what all of theirs have published "
     "together; empty: they cannot."},
    {"im.settings-type", SETTING_TEXT, ROW(settings_type), "application/vnd.oma.im.service-settings+xml", 0, 0, "",
     "Media type of these settings."},
    {"im.list-events", SETTING_TEXT, ROW(list_events), "ua-profile, sip-profile", 0, 0, "",
     "Event packages by which users watch the list of what waits for them (deferred-list), separated by commas, at "
     "most "
     "four; empty: none."},
    {"im.deferred-address", SETTING_TEXT, ROW(deferred_address), "deferred", 0, 0, "",
     "Address at which users ask by MESSAGE for messages that wait for them, all or those that a list names: a URI, or "
     "the user part of one in the domain; empty: none."},
    {"im.history-address", SETTING_TEXT, ROW(history_address), "history", 0, 0, "",
     "The same for their conversation histories, the newest or those that a list names."},
    {"im.delete-address", SETTING_TEXT, ROW(delete_address), "delete", 0, 0, "",
     "Address to which users send lists of messages that are to be deleted."},
    {"im.waiting-notice", SETTING_SWITCH, ROW(waiting_notice), "no", 0, 0, "",
     "Users who register and leave what waits to be fetched get a message that says how much it is; for clients that "
     "do not subscribe to message-summary."},
    {"im.history-days", SETTING_NUMBER, ROW(history_days), "90", 0, 36500, "days",
     "Messages stay so long in the conversation histories of users whose clients ask for one; 0: nobody has one."},
    {"im.history-messages-max", SETTING_NUMBER, ROW(history_messages_max), "10000", 1, 1000000, "",
     "Messages in the history of one user; the oldest give way."},
    {"im.history-mib-max", SETTING_NUMBER, ROW(history_mib_max), "200", 1, 1048576, "MiB",
     "Size of the messages in the history of one user; the oldest give way."},
    {"im.report-life", SETTING_NUMBER, ROW(report_life_s), "86400", 60, 31536000, "s",
     "Delivery reports about a message to many are taken so long after it; later ones are dropped."},
    {"im.report-window", SETTING_NUMBER, ROW(report_window_s), "30", 0, 86400, "s",
     "Delivery reports about a message to many are collected so long and handed to its sender as one; 0: each by "
     "itself."},
};

static const struct settings_table table = {rows, sizeof(rows) / sizeof(rows[0]), &node_settings_table, ROW(node)};

static const struct command_option shortcuts[] = {
    {"sip", "listen.sip"},         {"sips", "listen.sips"},
    {"ws", "listen.ws"},           {"wss", "listen.wss"},
    {"data", "store.folder"},      {"schemas", "xcap.schemas"},
    {"domain", "identity.domain"}, {"management", "listen.management"},
};

const struct command glue_command = {
    .program = "im-glue",
    .summary = "SIP messaging agent that decides by the documents of xdms.",
    .table = &table,
    .options = shortcuts,
    .options_count = sizeof(shortcuts) / sizeof(shortcuts[0]),
};
