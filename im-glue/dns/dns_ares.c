/* Asks servers through c-ares, whose sockets and timer are in our loop. The one file that knows it. */
#include "dns.h"

#include <sys/types.h> /* its header needs it first */

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"

#define DATAGRAM_BYTES 1232 /* that pass without fragments (RFC 9715 §3.1); longer answers come by TCP */
#define IN_CLASS       1    /* RFC 1035 §3.2.4 */
#define TYPE_SRV       33
#define TYPE_NAPTR     35

struct dns {
    struct loop *loop;
    struct dns_settings settings;
    ares_channel channel;
    dns_answered_fn *answered;
    void *context;
    int timer_fd;
    size_t waiting;
};

/* A question on its way. */
struct waiting {
    struct dns *dns;
    uint64_t number;
    enum dns_type type;
};

/* After each call into the library: it may want to be called at another time. */
static void set_timer(struct dns *dns)
{
    struct timeval until;
    struct itimerspec timer = {0};
    if (ares_timeout(dns->channel, NULL, &until)) {
        timer.it_value = (struct timespec){until.tv_sec, until.tv_usec * 1000};
        if (until.tv_sec == 0 && until.tv_usec == 0)
            timer.it_value.tv_nsec = 1; /* zero would disarm it */
    }
    timerfd_settime(dns->timer_fd, 0, &timer, NULL);
}

static void on_socket(void *context, int fd, unsigned events)
{
    struct dns *dns = context;
    ares_process_fd(dns->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(dns);
}

static void on_timer(void *context, int fd, unsigned events)
{
    struct dns *dns = context;
    uint64_t expirations;
    (void)events;
    if (read(fd, &expirations, sizeof(expirations)) != (ssize_t)sizeof(expirations))
        return;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(dns);
}

static void on_socket_state(void *context, int fd, int readable, int writable)
{
    struct dns *dns = context;
    unsigned events = (readable ? (unsigned)LOOP_READ : 0u) | (writable ? (unsigned)LOOP_WRITE : 0u);
    if (events)
        loop_watch(dns->loop, fd, events, on_socket, dns);
    else
        loop_unwatch(dns->loop, fd);
}

/* The library's list of servers: it must take them before the first question. */
static bool use_servers(ares_channel channel, const char *servers)
{
    struct arena arena;
    arena_init(&arena, "servers");
    struct text_builder list;
    builder_init(&list, &arena);
    for (; *servers; servers++)
        if (*servers != ' ')
            builder_add_char(&list, *servers);
    bool good = ares_set_servers_ports_csv(channel, text_cstring(&arena, builder_text(&list))) == ARES_SUCCESS;
    arena_clear(&arena);
    return good;
}

/* False: `error_out` has one line. */
static bool open_channel(struct dns *dns, ares_channel *channel_out, struct arena *arena, struct text *error_out)
{
    static char lookups[] = "fb"; /* the hosts file, then servers */
    const struct dns_settings *settings = &dns->settings;
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS,
        .timeout = settings->timeout_ms,
        .tries = settings->tries,
        .ednspsz = DATAGRAM_BYTES,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = dns,
    };
    /* No domains: "example" is never "example.our-domain". */
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
                     ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(channel_out, &options, mask);
    if (status != ARES_SUCCESS) {
        *error_out = text_format(arena, "dns: %s", ares_strerror(status));
        return false;
    }
    if (!settings->servers[0] || use_servers(*channel_out, settings->servers))
        return true;
    *error_out = text_format(arena, "dns.servers: no list of addresses: %s", settings->servers);
    ares_destroy(*channel_out);
    return false;
}

struct dns *dns_open(struct loop *loop, const struct dns_settings *settings, dns_answered_fn *answered, void *context,
                     struct arena *arena, struct text *error_out)
{
    struct dns *dns = memory_new(sizeof(*dns));
    *dns = (struct dns){.loop = loop, .settings = *settings, .answered = answered, .context = context};
    dns->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (dns->timer_fd < 0) {
        *error_out = TEXT("dns: no timer");
    } else if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        *error_out = TEXT("dns: no library");
    } else if (open_channel(dns, &dns->channel, arena, error_out)) {
        loop_watch(loop, dns->timer_fd, LOOP_READ, on_timer, dns);
        return dns;
    }
    if (dns->timer_fd >= 0)
        close(dns->timer_fd);
    free(dns);
    return NULL;
}

void dns_reload(struct dns *dns)
{
    ares_channel channel, before = dns->channel;
    struct arena arena;
    struct text error;
    arena_init(&arena, "reload");
    if (open_channel(dns, &channel, &arena, &error)) {
        dns->channel = channel;
        ares_destroy(before); /* what is not answered yet is not known */
        set_timer(dns);
    } else {
        log_error("%.*s", TEXT_ARG(error));
    }
    arena_clear(&arena);
}

void dns_close(struct dns *dns)
{
    if (!dns)
        return;
    dns->answered = NULL;
    ares_destroy(dns->channel);
    ares_library_cleanup();
    loop_unwatch(dns->loop, dns->timer_fd);
    close(dns->timer_fd);
    free(dns);
}

static void finish(struct waiting *waiting, const struct dns_answer *answer)
{
    struct dns *dns = waiting->dns;
    uint64_t number = waiting->number;
    free(waiting);
    dns->waiting--;
    if (dns->answered)
        dns->answered(dns->context, number, answer);
}

static enum dns_outcome outcome_of(int status)
{
    switch (status) {
    case ARES_SUCCESS: return DNS_FOUND;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: /* a name that cannot be is not there */ return DNS_NONE;
    default: return DNS_UNKNOWN;
    }
}

static void on_bytes(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
    struct waiting *waiting = context;
    struct dns_answer answer = {.outcome = outcome_of(status), .ttl_s = DNS_NONE_TTL_S};
    struct arena arena;
    (void)timeouts;
    arena_init(&arena, "dns");
    if (answer.outcome != DNS_UNKNOWN && bytes && length > 0)
        dns_answer_read(bytes, (size_t)length, waiting->type, &arena, &answer);
    if (answer.outcome == DNS_UNKNOWN)
        log_debug("dns unknown type=%s reason=%s", dns_type_name(waiting->type), ares_strerror(status));
    finish(waiting, &answer);
    arena_clear(&arena);
}

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *result)
{
    struct waiting *waiting = context;
    struct arena arena;
    arena_init(&arena, "dns");
    struct dns_record *records = arena_array(&arena, struct dns_record, DNS_RECORDS_MAX);
    struct dns_answer answer = {.outcome = outcome_of(status), .ttl_s = DNS_NONE_TTL_S, .records = records};
    (void)timeouts;
    const struct ares_addrinfo_node *node = result ? result->nodes : NULL;
    for (; node && answer.count < DNS_RECORDS_MAX; node = node->ai_next) {
        if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
            continue;
        if (answer.count == 0 || node->ai_ttl < answer.ttl_s)
            answer.ttl_s = node->ai_ttl;
        memcpy(&records[answer.count++].address, node->ai_addr, node->ai_addrlen);
    }
    if (answer.outcome == DNS_FOUND && answer.count == 0)
        answer.outcome = DNS_NONE;
    if (result)
        ares_freeaddrinfo(result);
    finish(waiting, &answer);
    arena_clear(&arena);
}

void dns_ask(struct dns *dns, const struct dns_question *question)
{
    const struct dns_answer unknown = {.outcome = DNS_UNKNOWN};
    struct arena arena;
    if (dns->waiting >= DNS_WAITING_MAX || question->name.length > DNS_NAME_MAX)
        return dns->answered(dns->context, question->number, &unknown);
    arena_init(&arena, "question");
    const char *name = text_cstring(&arena, question->name);
    struct waiting *waiting = memory_new(sizeof(*waiting));
    *waiting = (struct waiting){dns, question->number, question->type};
    dns->waiting++;
    if (question->type == DNS_ADDRESSES) {
        const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC};
        ares_getaddrinfo(dns->channel, name, NULL, &hints, on_addresses, waiting);
    } else {
        ares_query(dns->channel, name, IN_CLASS, question->type == DNS_SRV ? TYPE_SRV : TYPE_NAPTR, on_bytes, waiting);
    }
    set_timer(dns);
    arena_clear(&arena);
}
