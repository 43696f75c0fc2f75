/* What messages that wait cost, by their number: the real procedures of im-glue on LMDB, without sockets. The clients
 * are in the same thread, so that each figure holds their share too. Prints one line of JSON.
 *
 *   deferred_speed MESSAGES FOLDER    (ten messages for each user) */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "conversation.h"
#include "deferred.h"
#include "log.h"
#include "store.h"
#include "user.h"
#include "xml_validate.h"

#define PER_USER      10
#define USERS_AT_ONCE 1000 /* in one transaction */
#define IN_FLIGHT     2000 /* writes that may wait for the disk, as behind many senders */
#define ONES          200  /* users who register alone, while nothing else goes on */
#define LIFETIME_S    86400
#define DATA_MIB      (8u << 10) /* the map of the data file, to begin with: as much as valgrind lets one have */
#define WAIT_MS_MAX   1000
#define CONNECTION    1 /* of the core that all clients stand behind */

static struct {
    struct arena arena, scratch;
    struct usage_set *usages;
    struct store *store;
    struct documents *documents;
    struct digest *digest;
    struct groups *groups;
    struct conversation *conversation;
    struct trust trust;
    struct flow flow;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    bool woken;
    int64_t later_ms; /* what the clock is ahead of the real one */
    size_t accepted, registered, refused, delivered, number;
    bool first; /* nothing was printed yet */
} bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER, .first = true};

static void die(const char *what, struct text why)
{
    fprintf(stderr, "deferred_speed: %s %.*s\n", what, TEXT_ARG(why));
    exit(EXIT_FAILURE);
}

static struct instant now(void)
{
    struct instant instant = clock_now();
    instant.wall_ms += bench.later_ms;
    instant.monotonic_ms += bench.later_ms;
    return instant;
}

static void wake(void *context)
{
    (void)context;
    pthread_mutex_lock(&bench.lock);
    bench.woken = true;
    pthread_cond_signal(&bench.wanted);
    pthread_mutex_unlock(&bench.lock);
}

/* Or until records that nobody waits for are due there. */
static void wait_for_disk(void)
{
    int64_t left_ms = conversation_deadline(bench.conversation) - now().monotonic_ms, until_ns;
    struct timespec until;
    left_ms = left_ms < 1 ? 1 : left_ms > WAIT_MS_MAX ? WAIT_MS_MAX : left_ms;
    clock_gettime(CLOCK_REALTIME, &until);
    until_ns = until.tv_nsec + left_ms * 1000000;
    until.tv_sec += until_ns / 1000000000;
    until.tv_nsec = until_ns % 1000000000;
    pthread_mutex_lock(&bench.lock);
    while (!bench.woken && pthread_cond_timedwait(&bench.wanted, &bench.lock, &until) == 0)
        ;
    bench.woken = false;
    pthread_mutex_unlock(&bench.lock);
}

/* --- the clients ------------------------------------------------------------------------------------------------ */

static void input(struct text bytes)
{
    conversation_input(bench.conversation, &bench.flow, bytes, now());
}

static void take_answer(const struct sip_message *answer)
{
    int status = sip_status(answer);
    if (status >= 300)
        bench.refused++;
    else if (status >= 200 && text_equal(sip_method(answer), TEXT("REGISTER")))
        bench.registered++;
    else if (status >= 200)
        bench.accepted++;
}

/* Requests are answered with 200, by the next input. */
static void take_output(const struct sip_output *output)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    if (output->close || sip_message_parse(output->bytes, &message, &fault) != OK)
        return sip_message_free(message);
    if (sip_is_request(message)) {
        struct sip_message *answer = sip_response_new(message, 200, "OK", TEXT("t"));
        bench.delivered++;
        input(sip_message_write(answer, &bench.scratch));
        sip_message_free(answer);
    } else {
        take_answer(message);
    }
    sip_message_free(message);
}

static void turn(bool *some_out)
{
    struct sip_output output;
    *some_out = false;
    conversation_tick(bench.conversation, now());
    while (conversation_output(bench.conversation, &output)) {
        *some_out = true;
        take_output(&output);
    }
}

/* Until nothing is to be sent; waits for the disk while more than `most` writes are on their way there. */
static void settle(size_t most)
{
    bool some = true;
    while (some || conversation_pending(bench.conversation) > most) {
        turn(&some);
        if (!some && conversation_pending(bench.conversation) > most)
            wait_for_disk();
    }
    arena_reset(&bench.scratch);
}

/* Until so many were handed over; that they have ended may be on its way to the disk still. */
static void settle_delivered(size_t count)
{
    bool some;
    while (bench.delivered < count) {
        turn(&some);
        if (!some && bench.delivered < count)
            wait_for_disk();
    }
    arena_reset(&bench.scratch);
}

static void send_message(size_t user)
{
    size_t number = ++bench.number;
    struct text body = text_format(&bench.scratch, "Message %zu: shall we have lunch at noon, or later?", number);
    input(text_format(&bench.scratch,
                      "MESSAGE sip:u%zu@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKm%zu\r\n"
                      "Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=a%zu\r\n"
                      "To: <sip:u%zu@example.com>\r\nCall-ID: m%zu@core.example.com\r\nCSeq: 1 MESSAGE\r\n"
                      "P-Asserted-Identity: <sip:alice@example.com>\r\nExpires: %d\r\nContent-Type: text/plain\r\n"
                      "Content-Length: %zu\r\n\r\n%.*s",
                      user, number, number, user, number, LIFETIME_S, body.length, TEXT_ARG(body)));
}

static void send_register(size_t user, int seconds)
{
    size_t number = ++bench.number;
    input(text_format(&bench.scratch,
                      "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKr%zu\r\n"
                      "Max-Forwards: 70\r\nFrom: <sip:u%zu@example.com>;tag=r%zu\r\nTo: <sip:u%zu@example.com>\r\n"
                      "Call-ID: r%zu@core.example.com\r\nCSeq: %zu REGISTER\r\n"
                      "P-Asserted-Identity: <sip:u%zu@example.com>\r\n"
                      "Contact: <sip:u%zu@192.0.2.1:5060;transport=tcp>;expires=%d\r\nContent-Length: 0\r\n\r\n",
                      number, user, number, user, user, number, user, user, seconds));
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

static void print(const char *name, double value)
{
    printf("%s\"%s\": %.2f", bench.first ? "" : ", ", name, value);
    bench.first = false;
}

static double memory_mb(void)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %ld", &kb) == 1)
            break;
    if (file)
        fclose(file);
    return (double)kb / 1024;
}

/* Of a copy without what the file holds ready for writes to come. */
static double disk_mb(const char *folder)
{
    struct stat about;
    struct text error, copy = text_format(&bench.scratch, "%s-copy", folder);
    char *path = text_cstring(&bench.scratch, text_format(&bench.scratch, "%.*s/data.mdb", TEXT_ARG(copy)));
    char *name = text_cstring(&bench.scratch, copy);
    if (store_backup(bench.store, name, &bench.scratch, &error) != OK || stat(path, &about) != 0)
        die("copy", error);
    unlink(path);
    rmdir(name);
    return (double)about.st_size / 1e6;
}

static double seconds_since(int64_t began_us)
{
    return (double)(clock_monotonic_us() - began_us) / 1e6;
}

/* What a step takes that other work on the machine hardly changes: processor time of all threads, and bytes written. */
struct effort {
    int64_t began_us;
    double cpu_us, written_kb;
};

static double cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return 1e6 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static double written_kb(void)
{
    char line[256];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "wchar: %llu", &bytes) == 1)
            break;
    if (file)
        fclose(file);
    return (double)bytes / 1e3;
}

static struct effort effort_begin(void)
{
    return (struct effort){clock_monotonic_us(), cpu_us(), written_kb()};
}

static void effort_print(const char *step, struct effort effort, uint64_t messages)
{
    print(text_cstring(&bench.scratch, text_format(&bench.scratch, "%s_per_second", step)),
          (double)messages / seconds_since(effort.began_us));
    print(text_cstring(&bench.scratch, text_format(&bench.scratch, "%s_cpu_us", step)),
          (cpu_us() - effort.cpu_us) / (double)messages);
    print(text_cstring(&bench.scratch, text_format(&bench.scratch, "%s_written_kb", step)),
          (written_kb() - effort.written_kb) / (double)messages);
}

static struct deferred_figures waiting(struct text owner)
{
    struct deferred_figures figures;
    if (deferred_figures(bench.documents, owner, &figures) != OK)
        die("figures", owner);
    return figures;
}

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
    if (found != wanted || bench.refused)
        die(what, text_format(&bench.scratch, "are %llu, not %llu; refused %zu", (unsigned long long)found,
                              (unsigned long long)wanted, bench.refused));
}

static void make_users(size_t count)
{
    struct commit *commits = memory_new(USERS_AT_ONCE * sizeof(*commits));
    struct user user;
    struct refusal refusal = {0};
    for (size_t made = 0; made < count + 1;) {
        size_t some = 0;
        for (; some < USERS_AT_ONCE && made < count + 1; some++, made++) {
            struct text name = made < count ? text_format(&bench.scratch, "u%zu", made) : TEXT("alice");
            if (user_make(name, name, name, TEXT("example.com"), TEXT("example.com"), 0, &bench.scratch, &user,
                          &refusal) != OK ||
                user_commit(bench.documents, &user, VERSION_ABSENT, TEXT("bench"), &bench.scratch, &commits[some]) !=
                    OK)
                die("user", name);
        }
        if (document_internal_commit(bench.documents, commits, some) != OK)
            die("users", TEXT("not written"));
        arena_reset(&bench.scratch);
    }
    free(commits);
}

/* The steps are functions of their own in every build, so that callgrind can tell them apart (--dump-before='step_*').
 */
#define STEP __attribute__((noinline)) static

STEP void step_store(size_t messages, size_t users)
{
    struct effort effort = effort_begin();
    for (size_t i = 0; i < messages; i++) {
        send_message(i % users);
        settle(IN_FLIGHT);
    }
    settle(0);
    effort_print("store", effort, messages);
    expect("messages stored", waiting(TEXT("")).count, messages);
    expect("202", bench.accepted, messages);
}

STEP void step_look(void)
{
    enum { LOOKS = 2000 };
    int64_t began_us = clock_monotonic_us(), since_ms;
    for (int i = 0; i < LOOKS; i++) {
        struct text owner = i % 2 ? TEXT("sip:u7@example.com") : TEXT("");
        waiting(owner);
        if (deferred_oldest(bench.documents, owner, &bench.scratch, &since_ms) != OK)
            die("oldest", owner);
        arena_reset(&bench.scratch);
    }
    print("look_us", seconds_since(began_us) * 1e6 / LOOKS);
}

/* From the REGISTER until all that waited has gone, one user after another. */
STEP void step_register_alone(size_t first, size_t count)
{
    size_t before = bench.delivered;
    int64_t began_us = clock_monotonic_us();
    for (size_t user = first; user < first + count; user++) {
        send_register(user, 3600);
        settle_delivered(before + (user - first + 1) * PER_USER);
    }
    print("registration_ms", seconds_since(began_us) * 1e3 / (double)count);
    settle(0);
    expect("messages of who registered", bench.delivered - before, count * PER_USER);
}

STEP void step_deliver(size_t first, size_t count)
{
    size_t before = bench.delivered;
    struct effort effort = effort_begin();
    for (size_t user = first; user < first + count; user++) {
        send_register(user, 3600);
        settle(IN_FLIGHT);
    }
    settle(0);
    effort_print("delivery", effort, count * PER_USER);
    expect("messages delivered", bench.delivered - before, count * PER_USER);
}

STEP void step_expire(void)
{
    uint64_t count = waiting(TEXT("")).count;
    struct effort effort = effort_begin();
    bench.later_ms += LIFETIME_S * 1000ll;
    while (waiting(TEXT("")).count)
        settle(0);
    effort_print("expiry", effort, count);
}

static void open_all(const char *folder)
{
    static const uint8_t key[32] = {7};
    static const struct text root = TEXT_INIT("/xcap-root/");
    struct text error = {0}, bad;
    struct store_settings store = STORE_SETTINGS_STANDARD;
    struct group_settings groups = GROUP_SETTINGS_STANDARD(&root, 1);
    struct conversation_settings settings = {
        .domain = TEXT("example.com"),
        .agent = SIP_AGENT_SETTINGS_STANDARD,
        .deferral = DEFERRAL_SETTINGS_STANDARD,
        .records_ms = CONVERSATION_RECORDS_MS,
        .trust = &bench.trust,
    };
    log_open("deferred_speed", LOG_LEVEL_WARNING);
    xml_open();
    sip_open();
    arena_init(&bench.arena, "bench");
    arena_init(&bench.scratch, "messages");
    store.map_bytes = (uint64_t)DATA_MIB << 20;
    if (usage_set_load("schemas", &bench.usages, &bench.arena, &error) != OK)
        die("usages", error);
    bench.store = store_open_lmdb_with(folder, &store, &bench.arena, &error);
    if (!bench.store)
        die("store", error);
    if (!trust_ranges_parse(TEXT("192.0.2.1"), &bench.trust.peers, &bad))
        die("trust", bad);
    bench.documents = documents_new(bench.store, bench.usages);
    bench.digest = digest_new(TEXT("example.com"), TEXT("example.com"), key);
    bench.groups = groups_new(bench.documents, &groups);
    bench.flow = (struct flow){.kind = FLOW_TCP, .connection = CONNECTION};
    flow_set_peer(&bench.flow, "192.0.2.1", 5060);
    settings.agent.host = "192.0.2.100";
    bench.conversation = conversation_new(&settings, bench.documents, bench.digest, bench.groups, wake, NULL, now());
}

static void close_all(void)
{
    store_close(bench.store);
    conversation_free(bench.conversation);
    groups_free(bench.groups);
    digest_free(bench.digest);
    documents_free(bench.documents);
    usage_set_free(bench.usages);
    arena_clear(&bench.scratch);
    arena_clear(&bench.arena);
    xml_close();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("MESSAGES FOLDER", TEXT(""));
    size_t messages = strtoul(argv[1], NULL, 10), users = messages / PER_USER, ones = users / 4;
    ones = ones < ONES ? ones : ONES;
    open_all(argv[2]);
    make_users(users);
    double before_mb = memory_mb();
    printf("{");
    step_store(users * PER_USER, users);
    print("memory_mb", memory_mb() - before_mb);
    print("disk_mb", disk_mb(argv[2]));
    step_look();
    step_register_alone(0, ones);
    step_deliver(ones, users / 2 - ones);
    step_expire();
    print("memory_after_mb", memory_mb() - before_mb);
    print("disk_after_mb", disk_mb(argv[2]));
    printf("}\n");
    close_all();
    return EXIT_SUCCESS;
}
