/* The settings that programs share: what each means, its unit and its range. */
#include "node.h"

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
