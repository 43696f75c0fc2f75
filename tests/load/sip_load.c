/* Load generator for SIP: registers users, sends MESSAGEs from some of them to others or to groups, answers what is
 * delivered, and counts what became of each message. One thread, so that it takes the same from every server.
 *
 * Says "ready" when all are registered and begins at the next line of its input; prints one line of JSON; takes the
 * registrations back at the line after that. So whoever started it can look at the server between. */
#include "sip_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LATENCY_US_MAX  4000000 /* slower ones count as this */
#define REGISTER_WINDOW 64
#define REGISTER_NS     NS_PER_SECOND /* then a REGISTER is sent again */
#define GIVE_UP_NS      (9 * NS_PER_SECOND)
#define PREPARE_NS      (120 * NS_PER_SECOND)
#define COLLECT_NS      (60 * NS_PER_SECOND)
#define REPEATS_MAX     4 /* RFC 3261 timer E: after 0.5, 1, 2 and 4 s; with GIVE_UP_NS that is enough here */
#define T1_NS           (NS_PER_SECOND / 2)
#define STATUS_MAX      700
#define SEEN_SLOTS      (1u << 23) /* of deliveries; power of two */
#define BURST_MAX       64         /* messages between two looks at what came */

struct sip_load_options sip_load_options = {
    .endpoints = 16, .deliveries = 1, .window = 100, .seconds = 1, .domain = "example.com", .target = "g"};
struct sip_load_user sip_load_users[SIP_LOAD_USERS_MAX];
struct sip_load_message *sip_load_messages;

/* Messages in the order of a repetition, which all come after the same time. */
static struct {
    uint32_t *items;
    int64_t *due_ns;
    size_t first, count;
} repeats[REPEATS_MAX];

static struct {
    uint64_t sent, finished, repeated, deliveries, duplicates, delivered_in_time, answered_in_time;
    uint64_t polite, bare, unanswered, lost, challenges, latencies_count;
    uint64_t statuses[STATUS_MAX];
    uint32_t latencies[LATENCY_US_MAX + 1];
    int64_t begin_ns, end_ns, last_ns; /* last_ns: of the last delivery */
    uint32_t oldest;                   /* message that is not closed */
    unsigned registered, registering;
} counts;

static uint64_t *seen; /* deliveries: message and recipient */

void sip_load_die(const char *what)
{
    fprintf(stderr, "sip_load: %s\n", what);
    exit(EXIT_FAILURE);
}

int64_t sip_load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static void note_latency(int64_t from_ns, int64_t now_ns)
{
    int64_t us = (now_ns - from_ns) / 1000;
    counts.latencies[us > LATENCY_US_MAX ? LATENCY_US_MAX : us]++;
    counts.latencies_count++;
}

static void close_if_done(struct sip_load_message *message)
{
    bool failed = message->status >= 300;
    if (message->closed || !message->status || (!failed && message->deliveries < sip_load_options.deliveries))
        return;
    message->closed = true;
    counts.finished++;
}

static void expect(uint32_t index, unsigned turn, int64_t now_ns)
{
    if (sip_load_options.tcp || turn >= REPEATS_MAX)
        return;
    size_t at = (repeats[turn].first + repeats[turn].count++) % SIP_LOAD_MESSAGES_MAX;
    repeats[turn].items[at] = index;
    repeats[turn].due_ns[at] = now_ns + (T1_NS << turn);
}

static void send_message(uint32_t index, int64_t now_ns)
{
    char packet[SIP_LOAD_PACKET_MAX];
    struct sip_load_message *message = &sip_load_messages[index];
    size_t length = make_message(index, packet);
    wire_send(wire_endpoint(message->sender), packet, length);
    expect(index, message->repeats, now_ns);
}

static void begin_message(int64_t now_ns)
{
    const struct sip_load_options *options = &sip_load_options;
    uint32_t index = (uint32_t)counts.sent++;
    struct sip_load_message *message = &sip_load_messages[index];
    if (counts.sent > SIP_LOAD_MESSAGES_MAX)
        sip_load_die("too many messages");
    *message = (struct sip_load_message){.began_ns = now_ns};
    message->sender = options->senders_first + index % options->senders;
    message->receiver = options->receivers_first + index % options->receivers;
    struct sip_load_user *user = &sip_load_users[message->sender];
    message->count = user->nonce[0] ? ++user->count : 0;
    send_message(index, now_ns);
}

static void repeat_due(int64_t now_ns)
{
    for (unsigned turn = 0; turn < REPEATS_MAX; turn++) {
        while (repeats[turn].count && repeats[turn].due_ns[repeats[turn].first] <= now_ns) {
            uint32_t index = repeats[turn].items[repeats[turn].first];
            repeats[turn].first = (repeats[turn].first + 1) % SIP_LOAD_MESSAGES_MAX;
            repeats[turn].count--;
            struct sip_load_message *message = &sip_load_messages[index];
            if (message->status || message->repeats != turn)
                continue;
            message->repeats++;
            counts.repeated++;
            send_message(index, now_ns);
        }
    }
}

/* What is not finished after so long is not waited for. */
static void give_up_old(int64_t now_ns)
{
    for (; counts.oldest < counts.sent; counts.oldest++) {
        struct sip_load_message *message = &sip_load_messages[counts.oldest];
        if (message->closed)
            continue;
        if (now_ns - message->began_ns < GIVE_UP_NS)
            return;
        message->closed = true;
        counts.finished++;
    }
}

static void take_status(uint32_t index, int status, const char *bytes, size_t length, int64_t now_ns)
{
    struct sip_load_message *message = &sip_load_messages[index];
    struct sip_load_user *user = &sip_load_users[message->sender];
    size_t ignored;
    if (message->status || status < 200 || status >= STATUS_MAX)
        return;
    if ((status == 407 || status == 401) && message->turns < 2) {
        counts.challenges++;
        take_challenge(user, bytes, length);
        message->turns++;
        message->repeats = 0;
        message->count = ++user->count;
        return send_message(index, now_ns);
    }
    message->status = (int16_t)status;
    counts.statuses[status]++;
    if (status == 503 && find_line(bytes, length, "Retry-After", &ignored))
        counts.polite++;
    else if (status >= 300)
        counts.bare++;
    else if (now_ns < counts.end_ns)
        counts.answered_in_time++;
    if (status < 300 && sip_load_options.deliveries == 0)
        note_latency(message->began_ns, now_ns);
    close_if_done(message);
}

/* False: the same came before. */
static bool remember(uint32_t index, uint32_t user)
{
    uint64_t key = ((uint64_t)index << 32 | user) + 1, hash = key * 0x9e3779b97f4a7c15u;
    uint64_t slot = hash >> 41;
    while (seen[slot] && seen[slot] != key)
        slot = (slot + 1) & (SEEN_SLOTS - 1);
    bool fresh = !seen[slot];
    seen[slot] = key;
    if (fresh && counts.deliveries > SEEN_SLOTS / 4 * 3)
        sip_load_die("too many deliveries");
    return fresh;
}

static void take_delivery(const char *bytes, size_t length, int64_t now_ns)
{
    const char *mark = memmem(bytes, length, "\r\n\r\n", 4);
    const char *user = memmem(bytes, length < 100 ? length : 100, "sip:u", 5);
    mark = mark ? memchr(mark, '%', (size_t)(bytes + length - mark)) : NULL;
    if (!mark || !user || bytes + length - mark < 19)
        return;
    uint32_t run = (uint32_t)strtoul(mark + 1, NULL, 16), index = (uint32_t)strtoul(mark + 10, NULL, 16);
    bool is_ours = run == sip_load_options.run && index < counts.sent;
    if (!is_ours && !sip_load_options.collect)
        return;
    if (!remember(index, (uint32_t)strtoul(user + 5, NULL, 10))) {
        counts.duplicates++;
        return;
    }
    counts.deliveries++;
    counts.last_ns = now_ns;
    if (now_ns < counts.end_ns)
        counts.delivered_in_time++;
    if (!is_ours)
        return;
    struct sip_load_message *message = &sip_load_messages[index];
    message->deliveries++;
    note_latency(message->began_ns, now_ns);
    close_if_done(message);
}

/* --- registrations ---------------------------------------------------------------------------------------------- */

static void send_register(uint32_t number, unsigned expires, int64_t now_ns)
{
    char packet[SIP_LOAD_PACKET_MAX];
    size_t length = make_register(number, expires, packet);
    sip_load_users[number].sent_ns = now_ns;
    wire_send(wire_endpoint(number), packet, length);
}

static void take_register_status(uint32_t number, int status, const char *bytes, size_t length)
{
    struct sip_load_user *user = &sip_load_users[number];
    if (number >= SIP_LOAD_USERS_MAX || status < 200 || !user->sent_ns)
        return;
    counts.registering--;
    user->sent_ns = 0;
    if (status == 401 || status == 407) {
        take_challenge(user, bytes, length);
    } else if (status < 300) {
        user->registered = true;
        counts.registered++;
    }
}

/* One round of all in the range that are not done; true when nobody is left. */
static bool register_some(unsigned first, unsigned count, unsigned expires, int64_t now_ns)
{
    bool all = true;
    for (uint32_t i = first; i < first + count; i++) {
        struct sip_load_user *user = &sip_load_users[i];
        if (user->registered)
            continue;
        all = false;
        if (user->sent_ns && now_ns - user->sent_ns < REGISTER_NS)
            continue;
        if (!user->sent_ns && counts.registering >= REGISTER_WINDOW)
            break;
        counts.registering += user->sent_ns == 0;
        send_register(i, expires, now_ns);
    }
    return all;
}

static void register_all(unsigned first, unsigned count, unsigned expires)
{
    int64_t until_ns = sip_load_now_ns() + PREPARE_NS;
    for (unsigned i = first; i < first + count; i++)
        sip_load_users[i].registered = false;
    while (!register_some(first, count, expires, sip_load_now_ns())) {
        wire_flush();
        wire_poll(1);
        if (sip_load_now_ns() > until_ns)
            sip_load_die("users cannot be registered");
    }
    wire_flush();
}

void packet_take(struct sip_load_endpoint *endpoint, const char *bytes, size_t length)
{
    char answer[SIP_LOAD_PACKET_MAX];
    size_t id_length;
    int64_t now_ns = sip_load_now_ns();
    if (length < 16)
        return;
    if (memcmp(bytes, "SIP/2.0 ", 8) != 0) {
        if (memcmp(bytes, "MESSAGE ", 8) == 0)
            take_delivery(bytes, length, now_ns);
        return wire_send(endpoint, answer, make_answer(bytes, length, answer));
    }
    int status = (int)strtol(bytes + 8, NULL, 10);
    const char *id = find_line(bytes, length, "Call-ID", &id_length);
    if (!id || id_length < 18 || strtoul(id + 1, NULL, 16) != sip_load_options.run)
        return;
    uint32_t index = (uint32_t)strtoul(id + 10, NULL, 16);
    if (*id == 'r')
        take_register_status(index, status, bytes, length);
    else if (index < counts.sent)
        take_status(index, status, bytes, length, now_ns);
}

/* --- the run ---------------------------------------------------------------------------------------------------- */

static void send_some(int64_t now_ns)
{
    const struct sip_load_options *options = &sip_load_options;
    uint64_t due = UINT64_MAX;
    if (options->rate > 0)
        due = (uint64_t)(options->rate * (double)(now_ns - counts.begin_ns) / 1e9);
    for (unsigned i = 0; i < BURST_MAX && counts.sent < due && counts.sent - counts.finished < options->window; i++)
        begin_message(now_ns);
}

static void run(void)
{
    counts.begin_ns = sip_load_now_ns();
    counts.end_ns = counts.begin_ns + (int64_t)(sip_load_options.seconds * 1e9);
    for (int64_t now_ns = counts.begin_ns; now_ns < counts.end_ns || counts.finished < counts.sent;
         now_ns = sip_load_now_ns()) {
        if (now_ns < counts.end_ns)
            send_some(now_ns);
        repeat_due(now_ns);
        give_up_old(now_ns);
        wire_flush();
        wire_poll(sip_load_options.rate > 0 ? 0 : 1);
    }
    wire_flush();
}

/* Registers those for whom messages wait, and takes these. */
static void collect(void)
{
    const struct sip_load_options *options = &sip_load_options;
    counts.begin_ns = counts.last_ns = sip_load_now_ns();
    counts.end_ns = counts.begin_ns + COLLECT_NS;
    for (int64_t now_ns = counts.begin_ns; counts.deliveries < options->collect && now_ns < counts.end_ns;
         now_ns = sip_load_now_ns()) {
        register_some(options->receivers_first, options->receivers, 3600, now_ns);
        wire_flush();
        wire_poll(1);
    }
    wire_flush();
    sip_load_options.seconds = (double)(counts.last_ns - counts.begin_ns) / 1e9;
    counts.lost = options->collect > counts.deliveries ? options->collect - counts.deliveries : 0;
}

static uint64_t percentile(double part)
{
    uint64_t wanted = (uint64_t)((double)counts.latencies_count * part), passed = 0;
    for (uint64_t us = 0; us <= LATENCY_US_MAX; us++) {
        passed += counts.latencies[us];
        if (passed > wanted)
            return us;
    }
    return 0;
}

static void print_number(const char *name, uint64_t number)
{
    printf("\"%s\": %llu, ", name, (unsigned long long)number);
}

static void print(void)
{
    const struct sip_load_options *options = &sip_load_options;
    uint64_t answered = 0;
    for (uint64_t i = 0; i < counts.sent; i++) {
        const struct sip_load_message *message = &sip_load_messages[i];
        counts.unanswered += message->status == 0;
        counts.lost += message->status && message->status < 300 && message->deliveries < options->deliveries;
        answered += message->status && message->status < 300;
    }
    bool counts_answers = options->deliveries == 0 && !options->collect;
    uint64_t in_time = counts_answers ? counts.answered_in_time : counts.delivered_in_time;
    printf("{\"per_second\": %.1f, ", options->seconds > 0 ? (double)in_time / options->seconds : 0);
    print_number("p50_us", percentile(0.5));
    print_number("p99_us", percentile(0.99));
    print_number("sent", counts.sent);
    print_number("accepted", answered);
    print_number("deliveries", counts.deliveries);
    print_number("done", counts_answers ? answered : counts.deliveries);
    print_number("polite", counts.polite);
    print_number("refused", counts.bare);
    print_number("unanswered", counts.unanswered);
    print_number("lost", counts.lost);
    print_number("repeated", counts.repeated);
    print_number("duplicates", counts.duplicates);
    print_number("challenges", counts.challenges);
    printf("\"statuses\": {");
    const char *comma = "";
    for (int status = 0; status < STATUS_MAX; status++)
        if (counts.statuses[status]) {
            printf("%s\"%d\": %llu", comma, status, (unsigned long long)counts.statuses[status]);
            comma = ", ";
        }
    printf("}}\n");
}

static void wait_for_line(void)
{
    fflush(stdout);
    for (int letter = getchar(); letter != '\n' && letter != EOF;)
        letter = getchar();
}

static void read_range(const char *value, unsigned *first_out, unsigned *count_out)
{
    if (sscanf(value, "%u+%u", first_out, count_out) != 2 || *first_out + *count_out > SIP_LOAD_USERS_MAX)
        sip_load_die("not FIRST+COUNT, or too many");
}

static void read_option(char letter, const char *value)
{
    struct sip_load_options *options = &sip_load_options;
    switch (letter) {
    case 'p': options->port = (unsigned)strtoul(value, NULL, 10); break;
    case 'e': options->endpoints = (unsigned)strtoul(value, NULL, 10); break;
    case 's': read_range(value, &options->senders_first, &options->senders); break;
    case 'r': read_range(value, &options->receivers_first, &options->receivers); break;
    case 'd': options->deliveries = (unsigned)strtoul(value, NULL, 10); break;
    case 'w': options->window = (unsigned)strtoul(value, NULL, 10); break;
    case 'g': options->groups = (unsigned)strtoul(value, NULL, 10); break;
    case 'G': options->target = value; break;
    case 'o': options->rate = atof(value); break;
    case 't': options->seconds = atof(value); break;
    case 'D': options->domain = value; break;
    case 'c': options->collect = (unsigned)strtoul(value, NULL, 10); break;
    default: sip_load_die("unknown option");
    }
}

static void open_tables(void)
{
    sip_load_messages = calloc(SIP_LOAD_MESSAGES_MAX, sizeof(*sip_load_messages));
    seen = calloc(SEEN_SLOTS, sizeof(*seen));
    for (int i = 0; i < REPEATS_MAX; i++) {
        repeats[i].items = calloc(SIP_LOAD_MESSAGES_MAX, sizeof(uint32_t));
        repeats[i].due_ns = calloc(SIP_LOAD_MESSAGES_MAX, sizeof(int64_t));
    }
    if (!sip_load_messages || !seen || !repeats[REPEATS_MAX - 1].due_ns)
        sip_load_die("no memory");
}

int main(int argc, char **argv)
{
    struct sip_load_options *options = &sip_load_options;
    for (int letter; (letter = getopt(argc, argv, "p:e:s:r:d:w:g:G:o:t:D:c:Tan")) != -1;) {
        options->tcp |= letter == 'T';
        options->asserted |= letter == 'a';
        options->away |= letter == 'n';
        if (!strchr("Tan", letter))
            read_option((char)letter, optarg);
    }
    if (!options->port || !options->senders || !options->receivers || !options->endpoints ||
        options->endpoints > SIP_LOAD_ENDPOINTS_MAX)
        sip_load_die("usage: sip_load -p PORT -s FIRST+SENDERS -r FIRST+RECEIVERS [-e ENDPOINTS] [-T] [-a] [-n] "
                     "[-g GROUPS -G NAME] [-d DELIVERIES] [-w WINDOW] [-o PER_SECOND] [-t SECONDS] [-D DOMAIN] "
                     "[-c WAITING]");
    options->run = (uint32_t)(sip_load_now_ns() >> 10) ^ (uint32_t)getpid();
    open_tables();
    for (uint32_t i = 0; i < SIP_LOAD_USERS_MAX; i++)
        user_init(i);
    wire_open();
    register_all(options->senders_first, options->senders, 3600);
    if (!options->away && !options->collect)
        register_all(options->receivers_first, options->receivers, 3600);
    printf("ready\n");
    wait_for_line();
    if (options->collect)
        collect();
    else
        run();
    print();
    wait_for_line();
    register_all(options->senders_first, options->senders, 0);
    if (!options->away)
        register_all(options->receivers_first, options->receivers, 0);
    wire_close();
    return EXIT_SUCCESS;
}
