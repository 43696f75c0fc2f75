/* Takes the settings apart that are more than a number or a switch, and says which one is wrong. */
#include "glue_conversation.h"

#include "glue_peering.h"
#include "uri.h"

/* What is read for whom. */
struct reading {
    const struct glue_settings *from;
    struct node *node;
    struct conversation_settings *to;
    struct text *error_out;
};

static bool refuse_setting(struct reading *reading, const char *setting, const char *what, struct text value)
{
    struct arena *arena = &reading->node->arena;
    *reading->error_out = text_format(arena, "%s: %s", setting, what);
    if (value.length)
        *reading->error_out = text_format(arena, "%.*s: '%.*s'", TEXT_ARG(*reading->error_out), TEXT_ARG(value));
    return false;
}

/* Canonical; a name without a scheme is one of ours. */
static struct text address_of(struct reading *reading, struct text written)
{
    struct arena *arena = &reading->node->arena;
    if (written.length == 0 || text_find_char(written, ':') < written.length)
        return uri_canonical(arena, written);
    return uri_canonical(arena, text_format(arena, "sip:%.*s@%s", TEXT_ARG(written), reading->from->node.domain));
}

/* The same for several; false: one is none. */
static bool take_watchers(struct reading *reading)
{
    struct text rest = text_of(reading->from->registration_watchers), one;
    struct text_builder addresses;
    builder_init(&addresses, &reading->node->arena);
    for (bool more = rest.length > 0; more;) {
        more = text_cut(rest, ',', &one, &rest);
        struct text address = address_of(reading, text_trim(one));
        if (address.length == 0)
            return refuse_setting(reading, "sip.registration-watchers", "no address", one);
        builder_add_format(&addresses, "%s%.*s", addresses.length ? "," : "", TEXT_ARG(address));
    }
    reading->to->registration_watchers = builder_text(&addresses);
    return true;
}

static bool take_addresses(struct reading *reading)
{
    const struct glue_settings *from = reading->from;
    struct conversation_settings *to = reading->to;
    const struct {
        const char *setting, *value;
        struct text *address_out;
    } addresses[] = {
        {"im.exploder", from->exploder, &to->exploder},
        {"im.deferred-address", from->deferred_address, &to->deferred_address},
        {"im.history-address", from->history_address, &to->history_address},
        {"im.delete-address", from->delete_address, &to->delete_address},
    };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        *addresses[i].address_out = address_of(reading, text_of(addresses[i].value));
        if (addresses[i].value[0] && addresses[i].address_out->length == 0)
            return refuse_setting(reading, addresses[i].setting, "no address", text_of(addresses[i].value));
    }
    return true;
}

static bool take_cores(struct reading *reading, struct trust_ranges *cores_out)
{
    struct text bad;
    reading->to->cores = cores_out;
    reading->to->core_routes = text_of(reading->from->core_routes);
    return trust_ranges_parse(text_of(reading->from->cores), cores_out, &bad) ||
           refuse_setting(reading, "sip.cores", "not an address or a range, or one too many", bad);
}

/* Where one wrong item is the whole list. */
static bool are_lists_good(struct reading *reading)
{
    const struct glue_settings *from = reading->from;
    const struct {
        const char *setting, *what, *value;
        bool (*valid)(struct text list, struct text *bad_out);
        size_t most; /* 0: any number */
    } lists[] = {
        {"sip.service-route", "not <sip:host;lr>", from->service_route, conversation_service_route_valid, 0},
        {"im.types-allowed", "not a media type, or its beginning and *", from->types_allowed, conversation_types_valid,
         0},
        {"im.types-refused", "not a media type, or its beginning and *", from->types_refused, conversation_types_valid,
         0},
        {"im.settings-type", "not a media type", from->settings_type, conversation_types_valid, 1},
        {"im.settings-event", "no event package", from->settings_event, conversation_tokens_valid, 1},
        {"im.list-events", "no event package", from->list_events, conversation_tokens_valid,
         CONVERSATION_LIST_EVENTS_MAX},
        {"sip.orig-parameter", "no name of a parameter", from->orig_parameter, conversation_tokens_valid, 1},
        {"sip.host", "no name and no address", from->host, conversation_host_valid, 1},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct text list = text_of(lists[i].value), bad, one;
        size_t count = 0;
        if (!lists[i].valid(list, &bad))
            return refuse_setting(reading, lists[i].setting, lists[i].what, bad);
        for (struct text rest = list; text_next_item(&rest, &one);)
            count++;
        if (lists[i].most && count > lists[i].most)
            return refuse_setting(reading, lists[i].setting, "too many", list);
    }
    return !from->settings_event[0] || from->settings_type[0] ||
           refuse_setting(reading, "im.settings-type", "empty, and there is im.settings-event", TEXT(""));
}

static bool take_limits(struct reading *reading)
{
    const struct glue_settings *from = reading->from;
    struct conversation_settings *to = reading->to;
    to->registrations = (struct registration_limits){
        .expires_s_min = (uint32_t)from->expires_s_min,
        .expires_s_max = (uint32_t)from->expires_s_max,
        .expires_s = (uint32_t)from->expires_s,
        .contacts_max = (size_t)from->contacts_max,
    };
    to->agent.t1_ms = from->t1_ms;
    to->agent.t2_ms = from->t2_ms;
    to->agent.t4_ms = from->t4_ms;
    if (from->expires_s_min > from->expires_s_max)
        return refuse_setting(reading, "sip.expires-min", "longer than sip.expires-max", TEXT(""));
    if (from->expires_s < from->expires_s_min || from->expires_s > from->expires_s_max)
        return refuse_setting(reading, "sip.expires", "not between sip.expires-min and sip.expires-max", TEXT(""));
    if (from->t2_ms < from->t1_ms)
        return refuse_setting(reading, "sip.t2", "shorter than sip.t1", TEXT(""));
    if (from->block_status != 403 && from->block_status != 603)
        return refuse_setting(reading, "im.block-status", "not 403 or 603", TEXT(""));
    return list_senders_parse(text_of(from->list_senders), &to->list_senders) ||
           refuse_setting(reading, "im.list-senders", "not owner, members or nobody", text_of(from->list_senders));
}

static struct deferral_settings deferral_of(const struct node_settings *settings)
{
    return (struct deferral_settings){
        .count_max = (uint64_t)settings->deferred_messages_max,
        .bytes_max = (uint64_t)settings->deferred_mib_max << 20,
        .all_bytes_max = (uint64_t)settings->deferred_all_mib_max << 20,
        .push = {(uint64_t)settings->deferred_push_messages_max, (uint64_t)settings->deferred_push_bytes_max},
        .lifetime_ms_max = settings->deferred_seconds_max * 1000,
        .full_is_413 = settings->deferred_413,
        .drop_oldest = settings->deferred_drop_oldest,
        .urgent_first = settings->deferred_urgent_first,
        .silent_deletions = !settings->deferred_report_deletions,
    };
}

/* What is taken as it is. */
static struct conversation_settings plain_of(const struct glue_settings *settings, const struct node *node)
{
    struct conversation_settings plain = {
        .domain = text_of(settings->node.domain),
        .sha256_first = settings->sha256_first,
        .md5_clients = text_of(settings->md5_clients),
        .waiting_notice = settings->waiting_notice,
        .deferral = deferral_of(&settings->node),
        .history_ms = settings->history_days * 86400000,
        .history_count_max = (size_t)settings->history_messages_max,
        .history_bytes_max = (uint64_t)settings->history_mib_max << 20,
        .report_window_ms = settings->report_window_s * 1000,
        .report_life_ms = settings->report_life_s * 1000,
        .types_allowed = text_of(settings->types_allowed),
        .types_refused = text_of(settings->types_refused),
        .message_bytes_max = (size_t)settings->message_bytes_max,
        .settings_event = text_of(settings->settings_event),
        .settings_type = text_of(settings->settings_type),
        .list_events = text_of(settings->list_events),
        .orig_parameter = text_of(settings->orig_parameter),
        .recipients_max = (size_t)settings->recipients_max,
        .service_route = text_of(settings->service_route),
        .watchers = {.all_max = (size_t)settings->watchers_max,
                     .of_one_max = (size_t)settings->watchers_of_one_max,
                     .watched_max = (size_t)settings->watched_max},
        .registrars_watched = text_of(settings->registrars_watched),
        .datagram_bytes_max = (size_t)settings->datagram_bytes_max,
        .records_ms = CONVERSATION_RECORDS_MS,
        .messages_per_user = (unsigned)settings->messages_per_user,
        .registers_per_user = (unsigned)settings->registers_per_user,
        .block_politely = settings->block_politely,
        .follow_redirects = settings->follow_redirects,
        .block_status = (int)settings->block_status,
        .warning_forbidden = (unsigned)settings->warning_forbidden,
        .warning_many = (unsigned)settings->warning_many,
        .answer_ms = settings->answer_ms,
        /* half for what the agent keeps, a quarter each for requests and for messages from the store */
        .bytes_max = (size_t)settings->memory_mib_max << 18,
        .agent = SIP_AGENT_SETTINGS_STANDARD,
        .trust = &node->trust,
    };
    plain.agent.queue_max = (size_t)settings->queue_max;
    plain.agent.bytes_max = (size_t)settings->memory_mib_max << 19;
    return plain;
}

bool glue_conversation(const struct glue_settings *settings, struct node *node, struct trust_ranges *cores_out,
                       struct conversation_settings *conversation_out, struct text *error_out)
{
    struct reading reading = {settings, node, conversation_out, error_out};
    const struct glue_means means = {.tls = node->tls != NULL};
    *conversation_out = plain_of(settings, node);
    return glue_peering(settings, means, &node->arena, &conversation_out->peering, error_out) &&
           take_addresses(&reading) && take_watchers(&reading) && take_cores(&reading, cores_out) &&
           take_limits(&reading) && are_lists_good(&reading);
}
