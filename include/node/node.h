/* What every program of a machine stands on: the settings that the programs share, the store, the document services,
 * the documents and the users' digest. A setting that concerns more than one program is added here, once. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "arena.h"
#include "digest.h"
#include "document.h"
#include "settings.h"
#include "tls.h"
#include "trust.h"

#define NODE_ROOTS_MAX 8 /* one XCAP root and its aliases */

struct node_settings {
    char *folder, *schemas;
    char *roots;
    char *domain, *realm;
    char *trusted_peers, *trusted_names;
    int64_t failures_per_user, failures_per_address;
    int64_t document_bytes_max, document_depth_max, document_elements_max, element_attributes_max;
    int64_t map_mib, size_mib_max, changes_max, changes_days_max; /* struct store_settings */
    int64_t deferred_messages_max, deferred_mib_max, deferred_all_mib_max, deferred_seconds_max; /* 0: no limit */
    int64_t deferred_push_messages_max, deferred_push_bytes_max;                                 /* likewise */
    bool deferred_413, deferred_drop_oldest, deferred_urgent_first, deferred_report_deletions;
    char *certificate, *key, *client_ca, *client_crl, *server_ca, *priority, *clients;
    bool sha256, sha512;
    bool verify_servers;
    bool members_may_send, store_by_default, accept_by_default, accept_anonymous, lists_of_others;
    bool debug;
};

/* Rows of struct node_settings: `shared` of a program's own table. */
extern const struct settings_table node_settings_table;

/* Whoever opens it may read the members and changes none. */
struct node {
    const char *program;
    const struct node_settings *settings;
    struct text roots[NODE_ROOTS_MAX]; /* path prefixes, each with '/' at both ends */
    size_t roots_count;
    struct store *store;
    struct usage_set *usages; /* in force */
    struct documents *documents;
    struct digest *digest;
    struct tls *tls; /* NULL without tls.certificate: nothing is encrypted */
    enum tls_clients clients;
    struct guard *guard; /* of the digest */
    struct trust trust;  /* peers and names; proxies are a program's own */
    struct arena arena;  /* until node_close */

    struct usage_set *replaced; /* before, while requests still use it */
};

/* In two halves, the first of which makes nothing: ignores SIGPIPE and SIGXFSZ, opens the log, reads roots, trust,
 * certificates and document services, and looks whether there can be a store. The second opens the store and what
 * stands on it. With `alone` no other program that says so may have the same folder. False: `error_out` has one line
 * that begins with the name of the setting, in the node's arena. To be closed in either case. `settings` outlives the
 * node. */
bool node_read(struct node *node, const char *program, const struct node_settings *settings, struct text *error_out);
bool node_open_store(struct node *node, bool alone, struct text *error_out);

/* Waits for what was submitted to the store and closes it: what the store calls back must still be there. Further calls
 * do nothing. */
void node_close_store(struct node *node);
void node_close(struct node *node);

/* Loads the document services anew, for programs whose requests enter and leave (document.h). False: what was in force
 * stays, and the log says why; or those of the last reload are still in use (node_retire). */
bool node_reload(struct node *node);

/* Reads certificate, key and CAs anew. False: what was in force stays, and the log says why. True also without TLS. */
bool node_reload_tls(struct node *node);

/* Frees the document services that were replaced. False: requests still use them. */
bool node_retire(struct node *node);

#endif
