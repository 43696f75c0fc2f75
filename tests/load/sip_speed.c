/* What one SIP transaction costs while many others are in flight, and what each of them holds in memory. No sockets and
 * a clock of its own: the steady state of a server over UDP, in which for each transaction that begins one ends.
 * sip_speed IN_FLIGHT SECONDS   prints one line of JSON: microseconds of CPU time and bytes for one of each */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sip_agent.h"

#define ABSORBED_MS   32000 /* timer J: that long is an answered request remembered over UDP */
#define IN_FLIGHT_MAX 10000000
#define CONFIRMED_MS  5000 /* timer K: that long a request of ours */
#define BODY          "Let us meet at the station at eight, and bring the map of the island with you, please."

static struct {
    struct arena arena;
    struct sip_agent *agent;
    struct flow peer;
    uint64_t count; /* of requests so far */
    uint64_t answered;
    double now_ms;
    int in_flight;
} bench;

static double cpu_us(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

static void die(const char *what)
{
    fprintf(stderr, "sip_speed: %s\n", what);
    exit(EXIT_FAILURE);
}

static void open_agent_that_queues(size_t queue_max)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.bytes_max = SIZE_MAX / 2;
    settings.queue_max = queue_max;
    sip_agent_free(bench.agent);
    bench.agent = sip_agent_new(&settings);
    bench.count = bench.answered = 0;
    bench.now_ms = 0;
    malloc_trim(0);
}

static void open_agent(void)
{
    open_agent_that_queues(0);
}

static void drop_outputs(void)
{
    for (struct sip_output output; sip_agent_output(bench.agent, &output);)
        if (output.close)
            die("closed");
}

static struct text request_of(uint64_t number)
{
    arena_reset(&bench.arena);
    return text_format(&bench.arena,
                       "MESSAGE sip:bob@example.com SIP/2.0\r\n"
                       "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%016llx;rport\r\nMax-Forwards: 70\r\n"
                       "From: <sip:alice@example.com>;tag=%08llx\r\nTo: <sip:bob@example.com>\r\n"
                       "Call-ID: %016llx@192.0.2.1\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n" BODY,
                       (unsigned long long)number, (unsigned long long)number, (unsigned long long)number,
                       sizeof(BODY) - 1);
}

static void take_request(bool answers)
{
    struct sip_event event;
    sip_agent_input(bench.agent, request_of(bench.count++), &bench.peer, (int64_t)bench.now_ms);
    sip_agent_turn(bench.agent, (int64_t)bench.now_ms);
    if (!sip_agent_event(bench.agent, &event) || event.kind != SIP_EVENT_REQUEST)
        die("no request");
    if (answers)
        sip_agent_respond(bench.agent, event.transaction,
                          sip_response_new(event.message, 200, NULL, TEXT("0123456789abcdef")), (int64_t)bench.now_ms);
    sip_message_free(event.message);
    drop_outputs();
}

/* One begins, one that began ABSORBED_MS ago ends. */
static void answer_one(void)
{
    bench.now_ms += (double)ABSORBED_MS / bench.in_flight;
    sip_agent_tick(bench.agent, (int64_t)bench.now_ms);
    take_request(true);
}

static void absorb_one(void)
{
    uint64_t back = (bench.answered++ * 7919) % ((uint64_t)bench.in_flight / 2 + 1); /* not one that just ended */
    sip_agent_input(bench.agent, request_of(bench.count - 1 - back), &bench.peer, (int64_t)bench.now_ms);
    struct sip_output output;
    if (!sip_agent_output(bench.agent, &output))
        die("not absorbed");
    drop_outputs();
}

/* With a full queue; many that were answered are remembered. */
static void fill_queue(void)
{
    open_agent_that_queues(SIP_QUEUE_MAX);
    for (int i = 0; i < bench.in_flight; i++)
        take_request(true);
    for (int i = 0; i < SIP_QUEUE_MAX; i++)
        sip_agent_input(bench.agent, request_of(bench.count++), &bench.peer, (int64_t)bench.now_ms);
}

static void refuse_one(void)
{
    struct sip_output output;
    sip_agent_input(bench.agent, request_of(bench.count++), &bench.peer, (int64_t)bench.now_ms);
    if (!sip_agent_output(bench.agent, &output) || !text_starts_with(output.bytes, TEXT("SIP/2.0 503 ")))
        die("not refused");
    drop_outputs();
}

/* A request of ours and its answer; it is remembered for CONFIRMED_MS. */
static void send_one(void)
{
    struct sip_fault fault;
    struct sip_message *request;
    struct sip_output output;
    struct sip_event event;
    bench.now_ms += (double)CONFIRMED_MS / bench.in_flight;
    sip_agent_tick(bench.agent, (int64_t)bench.now_ms);
    if (sip_message_parse(request_of(bench.count++), &request, &fault) != OK)
        die("parse");
    sip_header_remove(request, "Via");
    sip_agent_request(bench.agent, request, &bench.peer, bench.count, (int64_t)bench.now_ms);
    if (!sip_agent_output(bench.agent, &output) || sip_message_parse(output.bytes, &request, &fault) != OK)
        die("not sent");
    struct sip_message *response = sip_response_new(request, 200, NULL, TEXT("peer"));
    sip_agent_input(bench.agent, sip_message_write(response, &bench.arena), &bench.peer, (int64_t)bench.now_ms);
    sip_message_free(response);
    sip_message_free(request);
    if (!sip_agent_event(bench.agent, &event) || event.kind != SIP_EVENT_RESPONSE)
        die("no response");
    sip_message_free(event.message);
    drop_outputs();
}

static void send_and_wait(void)
{
    struct sip_fault fault;
    struct sip_message *request;
    if (sip_message_parse(request_of(bench.count++), &request, &fault) != OK)
        die("parse");
    sip_header_remove(request, "Via");
    sip_agent_request(bench.agent, request, &bench.peer, bench.count, 0);
    drop_outputs();
}

static void take_and_wait(void)
{
    take_request(false);
}

static void take_and_answer(void)
{
    take_request(true);
}

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Fills an agent with in_flight of them at one moment. */
static double bytes_each(void (*one)(void))
{
    open_agent();
    one();
    size_t before = heap_bytes();
    for (int i = 1; i < bench.in_flight; i++)
        one();
    if (sip_agent_transactions(bench.agent) != (size_t)bench.in_flight)
        die("not as many as wanted");
    return (double)(heap_bytes() - before) / bench.in_flight;
}

/* After a whole turn of all that are in flight, so that ends come as often as beginnings. */
static double us_each(void (*one)(void), double seconds)
{
    for (int i = 0; i < bench.in_flight + bench.in_flight / 8; i++)
        one();
    double begin_us = cpu_us(), spent_us = 0;
    uint64_t done = 0;
    for (; spent_us < seconds * 1e6; spent_us = cpu_us() - begin_us)
        for (int i = 0; i < 100; i++, done++)
            one();
    return spent_us / (double)done;
}

int main(int argc, char **argv)
{
    uint64_t in_flight;
    if (argc != 3 || !text_to_u64(text_of(argv[1]), &in_flight) || in_flight < 1 || in_flight > IN_FLIGHT_MAX)
        die("sip_speed IN_FLIGHT SECONDS");
    bench.in_flight = (int)in_flight;
    double seconds = atof(argv[2]);
    sip_open();
    arena_init(&bench.arena, "bench");
    bench.peer = (struct flow){.kind = FLOW_UDP};
    flow_set_peer(&bench.peer, "192.0.2.1", 5060);
    printf("{\"waiting_bytes\": %.0f, ", bytes_each(take_and_wait));
    printf("\"client_bytes\": %.0f, ", bytes_each(send_and_wait));
    printf("\"answered_bytes\": %.0f, ", bytes_each(take_and_answer));
    open_agent();
    printf("\"answer_us\": %.3f, ", us_each(answer_one, seconds));
    double absorb_us = us_each(absorb_one, seconds);
    printf("\"absorb_us\": %.3f, ", absorb_us);
    fill_queue();
    printf("\"refuse_us\": %.3f, ", us_each(refuse_one, seconds));
    open_agent();
    printf("\"send_us\": %.3f}\n", us_each(send_one, seconds));
    sip_agent_free(bench.agent);
    arena_clear(&bench.arena);
    return EXIT_SUCCESS;
}
