/* Load generator: N connections, each with one request at a time and digest authentication, for some seconds. Prints
 * one line of JSON: answers, rate, latencies. One thread, so that it takes the same from every server. */
#include "load.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATENCY_US_MAX   2000000 /* slower ones count as this */
#define FAILURES_MAX     1000    /* then something is wrong with the set-up, and the figure would mean nothing */
#define EVENTS_MAX       256
#define ANSWER_WAIT_MS   30000
#define NS_PER_SECOND    1000000000LL
#define PREPARE_ROUNDS   2 /* a 401 and an answer */
#define STATUS_CLASS_MAX 600

enum phase { PREPARE, RUN };

static struct load_options options = {
    .connections = 1,
    .users = 1,
    .documents = 1,
    .seconds = 1,
    .method = "GET",
    .headers = "",
    .realm = "example.com",
    .content_type = "application/octet-stream",
};
static struct load_connection connections[LOAD_CONNECTIONS_MAX];
static uint32_t latencies[LATENCY_US_MAX + 1];
static uint64_t statuses[STATUS_CLASS_MAX];
static uint64_t answers; /* in the time that counts */
static uint64_t all_answers, failures, challenges;
static int64_t measure_from_ns, end_ns;
static int events_fd;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(EXIT_FAILURE);
}

static void fail(const char *what, const struct load_connection *connection)
{
    if (failures++ == 0)
        fprintf(stderr, "load: %s: %.*s\n", what,
                (int)(connection->response_size < 600 ? connection->response_size : 600), connection->response);
    if (failures > FAILURES_MAX)
        die("too many failures");
}

static void open_connection(struct load_connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("cannot connect");
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(events_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die("epoll");
}

static void reopen(struct load_connection *connection)
{
    close(connection->fd);
    open_connection(connection);
}

/* A full socket buffer is waited for: requests are small, and a server that does not read is the one that is slow. */
static bool send_request(struct load_connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    while (connection->request_sent < connection->request_size) {
        ssize_t sent = send(connection->fd, connection->request + connection->request_sent,
                            connection->request_size - connection->request_sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            event.events = EPOLLIN | EPOLLOUT;
            epoll_ctl(events_fd, EPOLL_CTL_MOD, connection->fd, &event);
            return true;
        }
        if (sent < 0)
            return false;
        connection->request_sent += (size_t)sent;
    }
    return true;
}

static void begin(struct load_connection *connection, enum phase phase)
{
    load_request_make(connection, options.conditional && phase == RUN);
    connection->began_ns = now_ns();
    if (!send_request(connection)) {
        reopen(connection);
        if (!send_request(connection))
            die("a fresh connection takes nothing");
    }
}

static void count(const struct load_connection *connection, const struct load_answer *answer, int64_t now)
{
    all_answers++;
    if (connection->began_ns < measure_from_ns || now > end_ns)
        return;
    int64_t us = (now - connection->began_ns) / 1000;
    latencies[us > LATENCY_US_MAX ? LATENCY_US_MAX : us]++;
    answers++;
    statuses[answer->status > 0 && answer->status < STATUS_CLASS_MAX ? answer->status : 0]++;
}

/* True when the request is answered for good, false when it is sent again with fresh credentials. */
static bool take_answer(struct load_connection *connection, const struct load_answer *answer)
{
    int64_t now = now_ns();
    if (answer->status == 401) {
        challenges++;
        if (!load_challenge_take(connection, answer))
            die("refused without a challenge that fits");
        return false;
    }
    if (answer->status / 100 != 2 && answer->status != 304)
        fail("refused", connection);
    else
        count(connection, answer, now);
    return true;
}

/* Reads what is there. True when an answer is whole. */
static bool receive(struct load_connection *connection, struct load_answer *answer_out)
{
    for (;;) {
        ssize_t got = recv(connection->fd, connection->response + connection->response_size,
                           LOAD_RESPONSE_MAX - connection->response_size - 1, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (got <= 0) {
            fail("closed", connection);
            reopen(connection);
            connection->response_size = 0;
            begin(connection, RUN);
            return false;
        }
        connection->response_size += (size_t)got;
        connection->response[connection->response_size] = '\0';
        if (load_answer_read(connection, answer_out))
            return true;
    }
}

static void on_event(struct load_connection *connection, uint32_t happened)
{
    struct load_answer answer;
    if (happened & EPOLLOUT) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(events_fd, EPOLL_CTL_MOD, connection->fd, &event);
        send_request(connection);
    }
    if (!(happened & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !receive(connection, &answer))
        return;
    if (take_answer(connection, &answer))
        connection->next = (connection->next + 1) % options.documents;
    if (answer.closes)
        reopen(connection);
    begin(connection, RUN);
}

/* One answer for every document of the connection before the time counts: the challenge and the entity tags are known
 * then, and a PUT has made the document. */
static void prepare(struct load_connection *connection)
{
    struct load_answer answer;
    struct timeval patience = {.tv_sec = ANSWER_WAIT_MS / 1000};
    fcntl(connection->fd, F_SETFL, 0);
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (unsigned i = 0, tries = 0; i < options.documents; tries++) {
        if (tries > options.documents + PREPARE_ROUNDS)
            die("no good answer");
        begin(connection, PREPARE);
        if (!receive(connection, &answer))
            die("no answer");
        if (answer.closes)
            reopen(connection), fcntl(connection->fd, F_SETFL, 0);
        if (!take_answer(connection, &answer))
            continue;
        load_tag_take(connection, &answer);
        connection->next = ++i % options.documents;
    }
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
}

static void run(void)
{
    struct epoll_event happened[EVENTS_MAX];
    for (unsigned i = 0; i < options.connections; i++) {
        load_connection_init(&connections[i], &options, i);
        open_connection(&connections[i]);
        prepare(&connections[i]);
    }
    answers = 0;
    memset(statuses, 0, sizeof(statuses));
    memset(latencies, 0, sizeof(latencies));
    measure_from_ns = now_ns() + (int64_t)(options.warmup * 1e9);
    end_ns = measure_from_ns + (int64_t)(options.seconds * 1e9);
    for (unsigned i = 0; i < options.connections; i++)
        begin(&connections[i], RUN);
    while (now_ns() < end_ns) {
        int ready = epoll_wait(events_fd, happened, EVENTS_MAX, 100);
        for (int i = 0; i < ready; i++)
            on_event(happened[i].data.ptr, happened[i].events);
    }
}

static uint64_t percentile(double part)
{
    uint64_t wanted = (uint64_t)((double)answers * part);
    uint64_t seen = 0;
    for (uint64_t us = 0; us <= LATENCY_US_MAX; us++) {
        seen += latencies[us];
        if (seen > wanted)
            return us;
    }
    return LATENCY_US_MAX;
}

static void print(void)
{
    printf("{\"answers\": %llu, \"all_answers\": %llu, \"per_second\": %.1f, \"p50_us\": %llu, \"p99_us\": %llu, ",
           (unsigned long long)answers, (unsigned long long)all_answers,
           options.seconds > 0 ? (double)answers / options.seconds : 0, (unsigned long long)percentile(0.5),
           (unsigned long long)percentile(0.99));
    printf("\"failures\": %llu, \"challenges\": %llu, \"statuses\": {", (unsigned long long)failures,
           (unsigned long long)challenges);
    const char *comma = "";
    for (int status = 0; status < STATUS_CLASS_MAX; status++)
        if (statuses[status]) {
            printf("%s\"%d\": %llu", comma, status, (unsigned long long)statuses[status]);
            comma = ", ";
        }
    printf("}}\n");
}

static void read_body(const char *path)
{
    FILE *file = fopen(path, "rb");
    options.body = malloc(LOAD_REQUEST_MAX);
    if (!file || !options.body)
        die("cannot read the body");
    options.body_size = fread(options.body, 1, LOAD_REQUEST_MAX / 2, file);
    options.serial = memmem(options.body, options.body_size, "00000000", 8);
    fclose(file);
}

static void read_option(char letter, const char *value)
{
    switch (letter) {
    case 'p': options.port = (unsigned)strtoul(value, NULL, 10); break;
    case 'c': options.connections = (unsigned)strtoul(value, NULL, 10); break;
    case 'u': options.users = (unsigned)strtoul(value, NULL, 10); break;
    case 'd': options.documents = (unsigned)strtoul(value, NULL, 10); break;
    case 's': options.seconds = atof(value); break;
    case 'w': options.warmup = atof(value); break;
    case 'm': options.method = value; break;
    case 't': options.target = value; break;
    case 'T': options.content_type = value; break;
    case 'r': options.realm = value; break;
    case 'H': options.headers = value; break;
    case 'b': read_body(value); break;
    default: die("unknown option");
    }
}

int main(int argc, char **argv)
{
    for (int letter; (letter = getopt(argc, argv, "p:c:u:d:s:w:m:t:T:r:H:b:n5")) != -1;) {
        if (letter == 'n')
            options.conditional = true;
        else if (letter == '5')
            options.md5 = true;
        else
            read_option((char)letter, optarg);
    }
    if (!options.target || options.connections == 0 || options.connections > LOAD_CONNECTIONS_MAX ||
        options.documents == 0 || options.documents > LOAD_DOCUMENTS_MAX || options.users == 0)
        die("usage: load -p PORT -t TARGET [-c CONNECTIONS] [-u USERS] [-d DOCUMENTS] [-s SECONDS] [-w SECONDS] "
            "[-m METHOD] [-b FILE] [-T TYPE] [-H LINES] [-r REALM] [-n] [-5]");
    events_fd = epoll_create1(EPOLL_CLOEXEC);
    run();
    print();
    for (unsigned i = 0; i < options.connections; i++)
        load_connection_clear(&connections[i]);
    free(options.body);
    close(events_fd);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
