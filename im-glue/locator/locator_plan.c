/* RFC 3263 §4, as far as what is known leads: the whole way is gone anew whenever an answer has come, and everything
 * that is missing on it is asked for at once. */
#include "locator_private.h"
#include "uri.h"

#define SIP_PORT  5060
#define SIPS_PORT 5061

struct plan {
    struct locator *locator;
    const struct search *search;
    struct locator_result *result;
    struct entry *missing; /* the first */
    bool unknown;          /* something that might have led somewhere */
    size_t lookups;
    struct arena arena;
};

/* How to get there, as far as the URI says. */
struct hop {
    struct text host; /* lower case */
    uint16_t port;    /* 0: not said */
    bool secure, has_kind;
    enum flow_kind kind;
};

static uint16_t standard_port(enum flow_kind kind)
{
    return kind == FLOW_TLS ? SIPS_PORT : SIP_PORT;
}

static bool may_use(const struct plan *plan, enum flow_kind kind)
{
    const struct locator_settings *settings = &plan->locator->settings;
    for (size_t i = 0; i < settings->transports_count; i++)
        if (settings->transports[i] == kind)
            return true;
    return false;
}

/* NULL: not known yet; or nothing, or more than is looked up. */
static const struct entry *look_up(struct plan *plan, enum dns_type type, struct text name)
{
    if (name.length == 0 || name.length > DNS_NAME_MAX || plan->lookups == LOCATOR_LOOKUPS_MAX)
        return NULL;
    plan->lookups++;
    struct entry *entry = cache_get(plan->locator, plan->search, type, name, &plan->missing);
    if (entry && entry->outcome == DNS_UNKNOWN)
        plan->unknown = true;
    return entry && entry->outcome == DNS_FOUND ? entry : NULL;
}

/* --- addresses --- */

static void add_target(struct plan *plan, const struct flow *target)
{
    struct locator_result *result = plan->result;
    for (size_t i = 0; i < result->count; i++)
        if (result->targets[i].kind == target->kind &&
            memcmp(&result->targets[i].peer, &target->peer, flow_peer_length(target)) == 0)
            return;
    if (result->count < LOCATOR_TARGETS_MAX)
        result->targets[result->count++] = *target;
}

static void add_family(struct plan *plan, const struct entry *entry, enum flow_kind kind, uint16_t port, int family)
{
    for (size_t i = 0; i < entry->count; i++) {
        struct flow bare = {.kind = kind, .peer = entry->records[i].address}, target = {.kind = kind};
        if (bare.peer.ss_family == family &&
            flow_set_peer(&target, text_cstring(&plan->arena, flow_address_text(&bare, &plan->arena)), port))
            add_target(plan, &target);
    }
}

static void add_host(struct plan *plan, struct text host, enum flow_kind kind, uint16_t port)
{
    struct flow target = {.kind = kind};
    if (flow_set_peer(&target, text_cstring(&plan->arena, host), port))
        return add_target(plan, &target);
    const struct entry *entry = look_up(plan, DNS_ADDRESSES, host);
    if (!entry)
        return;
    if (plan->locator->settings.ipv6)
        add_family(plan, entry, kind, port, AF_INET6);
    add_family(plan, entry, kind, port, AF_INET);
}

/* --- SRV (RFC 2782) --- */

/* One of those of the lowest priority, by chance as their weights say. */
static size_t choose(const struct dns_record *records, const bool *taken, size_t count, uint64_t chance)
{
    size_t best = count, last = count;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && (best == count || records[i].priority < records[best].priority))
            best = i;
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && records[i].priority == records[best].priority)
            sum += records[i].weight;
    uint64_t wanted = chance % (sum + 1), passed = 0;
    for (size_t i = 0; i < count; i++) {
        if (taken[i] || records[i].priority != records[best].priority)
            continue;
        last = i;
        passed += records[i].weight;
        if (passed >= wanted)
            break;
    }
    return last;
}

static uint64_t chance_of(struct plan *plan)
{
    uint64_t chance = 0;
    text_hex_to_u64(random_hex(&plan->arena, 12), &chance);
    return chance;
}

/* False: the domain says nothing about such a service. */
static bool add_service(struct plan *plan, struct text name, enum flow_kind kind)
{
    const struct entry *entry = look_up(plan, DNS_SRV, name);
    bool taken[DNS_RECORDS_MAX] = {false};
    if (!entry)
        return false;
    for (size_t i = 0; i < entry->count; i++) {
        size_t chosen = choose(entry->records, taken, entry->count, chance_of(plan));
        taken[chosen] = true;
        add_host(plan, entry->records[chosen].target, kind, entry->records[chosen].port);
    }
    return true;
}

static struct text service_name(struct plan *plan, enum flow_kind kind, struct text host)
{
    static const char *const labels[FLOW_KINDS] = {
        [FLOW_UDP] = "_sip._udp", [FLOW_TCP] = "_sip._tcp", [FLOW_TLS] = "_sips._tcp"};
    return text_format(&plan->arena, "%s.%.*s", labels[kind], TEXT_ARG(host));
}

/* --- NAPTR (RFC 3263 §4.1) --- */

static bool kind_of_service(const struct plan *plan, const struct dns_record *record, const struct hop *hop,
                            enum flow_kind *kind_out)
{
    static const struct {
        struct text service;
        enum flow_kind kind;
    } services[] = {
        {TEXT_INIT("SIPS+D2T"), FLOW_TLS}, {TEXT_INIT("SIP+D2T"), FLOW_TCP}, {TEXT_INIT("SIP+D2U"), FLOW_UDP}};
    if (!text_equal_nocase(record->flags, TEXT("s")))
        return false;
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        *kind_out = services[i].kind;
        if (text_equal_nocase(record->service, services[i].service))
            return may_use(plan, *kind_out) && (!hop->secure || *kind_out == FLOW_TLS);
    }
    return false;
}

static bool comes_before(const struct dns_record *a, const struct dns_record *b)
{
    return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

/* In their order. False: none of them is for us. */
static bool add_by_naptr(struct plan *plan, const struct hop *hop)
{
    const struct entry *entry = look_up(plan, DNS_NAPTR, hop->host);
    bool taken[DNS_RECORDS_MAX] = {false}, any = false;
    enum flow_kind kind;
    for (size_t i = 0; entry && i < entry->count; i++) {
        size_t best = entry->count;
        for (size_t j = 0; j < entry->count; j++)
            if (!taken[j] && (best == entry->count || comes_before(&entry->records[j], &entry->records[best])))
                best = j;
        taken[best] = true;
        if (!kind_of_service(plan, &entry->records[best], hop, &kind))
            continue;
        any = true;
        add_service(plan, entry->records[best].target, kind);
    }
    return any;
}

/* --- the URI --- */

static enum flow_kind standard_kind(const struct plan *plan, const struct hop *hop)
{
    if (hop->secure)
        return FLOW_TLS;
    return may_use(plan, FLOW_UDP) ? FLOW_UDP : plan->locator->settings.transports[0];
}

static void add_by_srv(struct plan *plan, const struct hop *hop)
{
    const struct locator_settings *settings = &plan->locator->settings;
    bool any = false;
    for (size_t i = 0; i < settings->transports_count; i++) {
        enum flow_kind kind = settings->transports[i];
        if (!hop->secure || kind == FLOW_TLS)
            any = add_service(plan, service_name(plan, kind, hop->host), kind) || any;
    }
    if (any || plan->missing)
        return;
    enum flow_kind kind = standard_kind(plan, hop);
    add_host(plan, hop->host, kind, standard_port(kind));
}

/* RFC 3861 §3: where instant messages to the domain go, before where calls go. False: it does not say. */
static bool add_by_im(struct plan *plan, struct text host)
{
    const struct hop hop = {.host = host};
    return add_service(plan, text_format(&plan->arena, "_im._sip.%.*s", TEXT_ARG(host)), standard_kind(plan, &hop));
}

static bool read_hop(struct plan *plan, struct hop *hop_out, bool *is_im_out)
{
    struct text transport, address;
    struct uri uri;
    if (!uri_parse(text_of(plan->search->uri), &uri))
        return false;
    *is_im_out = text_equal_nocase(uri.scheme, TEXT("im"));
    *hop_out = (struct hop){.host = uri.host, .port = uri.port, .secure = text_equal_nocase(uri.scheme, TEXT("sips"))};
    if (!hop_out->secure && !*is_im_out && !text_equal_nocase(uri.scheme, TEXT("sip")))
        return false;
    if (uri_parameter(uri.parameters, TEXT("maddr"), &address) && address.length)
        hop_out->host = address;
    if (text_ends_with(hop_out->host, TEXT(".")))
        hop_out->host.length--;
    hop_out->host = text_lower(&plan->arena, hop_out->host);
    if (!uri_parameter(uri.parameters, TEXT("transport"), &transport))
        return true;
    hop_out->has_kind = flow_kind_parse(transport, &hop_out->kind);
    if (hop_out->secure && hop_out->kind == FLOW_TCP) /* RFC 3261 §26.2.2 */
        hop_out->kind = FLOW_TLS;
    return hop_out->has_kind && (!hop_out->secure || hop_out->kind == FLOW_TLS);
}

static bool is_numeric(struct plan *plan, struct text host)
{
    struct flow flow = {0};
    return flow_set_peer(&flow, text_cstring(&plan->arena, host), SIP_PORT);
}

static void go(struct plan *plan)
{
    struct hop hop;
    bool is_im;
    if (!read_hop(plan, &hop, &is_im) || plan->locator->settings.transports_count == 0)
        return;
    enum flow_kind kind = hop.has_kind ? hop.kind : standard_kind(plan, &hop);
    if (hop.port || is_numeric(plan, hop.host)) {
        if (may_use(plan, kind))
            add_host(plan, hop.host, kind, hop.port ? hop.port : standard_port(kind));
    } else if (hop.has_kind) {
        if (may_use(plan, kind) && !add_service(plan, service_name(plan, kind, hop.host), kind) && !plan->missing)
            add_host(plan, hop.host, kind, standard_port(kind));
    } else if (!(is_im && (add_by_im(plan, hop.host) || plan->missing)) && !add_by_naptr(plan, &hop) &&
               !plan->missing) {
        add_by_srv(plan, &hop);
    }
}

/* Who failed lately comes after the others. */
static void put_failed_last(const struct locator *locator, struct locator_result *result)
{
    struct flow good[LOCATOR_TARGETS_MAX], failed[LOCATOR_TARGETS_MAX];
    size_t good_count = 0, failed_count = 0;
    for (size_t i = 0; i < result->count; i++) {
        if (failed_is(locator, &result->targets[i]))
            failed[failed_count++] = result->targets[i];
        else
            good[good_count++] = result->targets[i];
    }
    memcpy(result->targets, good, good_count * sizeof(good[0]));
    memcpy(result->targets + good_count, failed, failed_count * sizeof(failed[0]));
}

struct entry *plan_make(struct locator *locator, const struct search *search, struct locator_result *result_out)
{
    struct plan plan = {.locator = locator, .search = search, .result = result_out};
    *result_out = (struct locator_result){0};
    arena_init(&plan.arena, "plan");
    go(&plan);
    arena_clear(&plan.arena);
    put_failed_last(locator, result_out);
    result_out->outcome = result_out->count ? LOCATOR_FOUND : (plan.unknown ? LOCATOR_UNKNOWN : LOCATOR_NOWHERE);
    return plan.missing;
}
