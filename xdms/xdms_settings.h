/* Settings of xdms: a row of the table, a member, and a line of docs/settings.md each. */
#ifndef XDMS_SETTINGS_H
#define XDMS_SETTINGS_H

#include "command.h"
#include "node.h"

/* What a member means, its unit and its range say the rows of the table. Strings are owned by the settings. */
struct xdms_settings {
    struct node_settings node;
    char *search_domains, *search_peers;
    char *http, *https, *management, *admin;
    char *admin_clients;
    bool admin_tls, management_tls;
    char *root_uri, *servers, *operators, *admins, *auditors, *admin_token;
    char *proxies, *forwarded_header;
    int64_t threads, connections_max, body_bytes_max, header_bytes_max, header_ms_max, body_ms_max, idle_ms_max;
    int64_t gzip_bytes_min, target_bytes_max, selector_steps_max, search_documents_max, search_results_max,
        search_ms_max, search_domain_ms_max;
    char *policy, *policy_peers, *policy_token;
    int64_t policy_max_age_s;
    bool policy_tls;
    bool basic, trailing_slash, raw_attributes, element_declarations, absent_first;
};

/* Reads struct xdms_settings; its table is to be given to settings_clear. */
extern const struct command xdms_command;

#endif
