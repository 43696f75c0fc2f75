/* Settings of im-glue: a row of the table, a member, and a line of docs/settings.md each. */
#ifndef GLUE_SETTINGS_H
#define GLUE_SETTINGS_H

#include "command.h"
#include "node.h"

/* What a member means, its unit and its range say the rows of the table. Strings are owned by the settings. */
struct glue_settings {
    struct node_settings node;
    char *sip, *sips, *ws, *wss, *host, *management;
    char *service_route, *registration_watchers, *registrars_watched, *cores, *core_routes;
    int64_t datagram_bytes_max;
    int64_t queued_mib_max, queue_max, memory_mib_max, messages_per_user, registers_per_user;
    bool sha256_first, management_tls;
    bool block_politely, follow_redirects;
    char *md5_clients, *exploder, *types_allowed, *types_refused, *settings_event, *settings_type, *list_events;
    int64_t watchers_max, watchers_of_one_max, watched_max;
    int64_t expires_s_min, expires_s_max, expires_s, contacts_max, answer_ms, t1_ms, t2_ms, t4_ms;
    int64_t block_status, warning_forbidden, warning_many, report_life_s;
    char *list_senders, *orig_parameter;
    char *domains_out, *domains_in, *peers, *domains_asserted, *routes;
    bool by_certificate;
    int64_t in_flight_max, messages_per_domain;
    char *transports, *dns_servers;
    int64_t dns_timeout_ms, dns_tries, dns_ttl_s_max, dns_entries_max;
    int64_t recipients_max, report_window_s, message_bytes_max;
    bool waiting_notice;
    char *deferred_address, *history_address, *delete_address;
    int64_t history_days, history_messages_max, history_mib_max;
};

/* Reads struct glue_settings; its table is to be given to settings_clear. */
extern const struct command glue_command;

#endif
