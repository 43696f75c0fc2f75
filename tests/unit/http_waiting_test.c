/* Handlers that wait: resumed from other threads, early, late, after their client has gone, and while the server
 * closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "http_probe.h"

#define CONNECTIONS 64
#define ROUNDS      20 /* requests per connection */

static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    probe = probe_new();
    probe->with_preview = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_stop(probe);
    return 0;
}

struct resumer {
    pthread_t thread;
    atomic_bool stop;
};

static void *resume_all(void *argument)
{
    struct resumer *resumer = argument;
    for (;;) {
        bool stop = atomic_load(&resumer->stop);
        if (!probe_resume_one(probe)) {
            if (stop)
                return NULL;
            usleep(100);
        }
    }
}

static void resumer_start(struct resumer *resumer)
{
    atomic_store(&resumer->stop, false);
    assert_int_equal(pthread_create(&resumer->thread, NULL, resume_all, resumer), 0);
}

static void resumer_stop(struct resumer *resumer)
{
    atomic_store(&resumer->stop, true);
    pthread_join(resumer->thread, NULL);
}

static void a_waiting_handler_is_called_again_when_resumed(void **state)
{
    (void)state;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    probe_await(probe, 1);
    assert_true(probe_resume_one(probe));
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("PUT /wait body")));
    close(fd);
    assert_true(probe_saw(probe, "PUT /wait|PUT /wait|"));
}

static void a_handler_may_wait_again_and_again(void **state)
{
    (void)state;
    probe_open(probe);
    int fd = probe_connect(probe);
    for (int i = 0; i < 3; i++) {
        PROBE_SAY(fd, "GET /wait-twice HTTP/1.1\r\nHost: x\r\n\r\n");
        probe_await(probe, 1);
        assert_true(probe_resume_one(probe));
        probe_await(probe, 1);
        assert_true(probe_resume_one(probe));
        assert_true(probe_status_is(probe_read_response(probe, fd), "200"));
    }
    close(fd);
}

static void a_resume_before_the_handler_returns_is_not_lost(void **state)
{
    (void)state;
    probe_open(probe);
    int fd = probe_connect(probe);
    for (int i = 0; i < 200; i++) {
        PROBE_SAY(fd, "GET /early HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(probe_status_is(probe_read_response(probe, fd), "200"));
    }
    close(fd);
}

static void sixty_four_connections_wait_and_are_resumed_by_one_thread(void **state)
{
    (void)state;
    probe_open(probe);
    struct resumer resumer;
    resumer_start(&resumer);
    int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = probe_connect(probe);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            struct text request = text_format(&probe->arena, "GET /wait/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", round, i);
            assert_true(probe_send(fds[i], request));
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            struct text expected = text_format(&probe->arena, "GET /wait/%d/%d ", round, i);
            assert_true(text_ends_with(probe_read_response(probe, fds[i]), expected));
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    resumer_stop(&resumer);
    assert_int_equal(probe->finished, CONNECTIONS * ROUNDS);
}

static void pipelined_requests_keep_their_order_when_the_first_ones_wait(void **state)
{
    (void)state;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "GET /wait/1 HTTP/1.1\r\nHost: x\r\n\r\nPUT /wait/2 HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: 3\r\n\r\ntwoGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        probe_await(probe, 1);
        assert_true(probe_resume_one(probe));
    }
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("GET /wait/1 ")));
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("PUT /wait/2 two")));
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("GET /3 ")));
    close(fd);
}

static void a_handler_whose_client_left_is_still_called_to_its_end(void **state)
{
    (void)state;
    probe->settings.threads = 1;
    probe_open(probe);
    int others[4]; /* with other connections about, the library looks for the end of this one before anything else */
    for (size_t i = 0; i < 4; i++) {
        others[i] = probe_connect(probe);
        PROBE_SAY(others[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(probe_status_is(probe_read_response(probe, others[i]), "200"));
    }
    for (size_t i = 0; i < 20; i++) {
        int fd = probe_connect(probe);
        PROBE_SAY(fd, i % 2 ? "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /wait-twice HTTP/1.1\r\nHost: x\r\n\r\n");
        probe_await(probe, 1);
        struct linger reset = {.l_onoff = i % 4 < 2};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        assert_true(probe_resume_one(probe));
        if (i % 2 == 0) {
            probe_await(probe, 1);
            assert_true(probe_resume_one(probe));
        }
        probe_await_finished(probe, i + 1);
    }
    for (size_t i = 0; i < 4; i++)
        close(others[i]);
}

static void clients_that_leave_while_their_handlers_are_resumed_leave_nothing_behind(void **state)
{
    (void)state;
    probe_open(probe);
    struct resumer resumer;
    resumer_start(&resumer);
    for (size_t i = 0; i < 500; i++) {
        int fd = probe_connect(probe);
        PROBE_SAY(fd, i % 3 ? "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /wait-twice HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i % 2)
            probe_await_finished(probe, 1); /* differing delays */
        close(fd);
    }
    http_server_close(probe->server);
    probe->server = NULL;
    resumer_stop(&resumer);
}

struct closer {
    pthread_t thread;
    atomic_bool closed;
};

static void *close_server(void *argument)
{
    struct closer *closer = argument;
    http_server_close(probe->server);
    atomic_store(&closer->closed, true);
    return NULL;
}

static void closing_waits_for_requests_in_progress(void **state)
{
    (void)state;
    probe_open(probe);
    int waiting = probe_connect(probe), idle = probe_connect(probe), half = probe_connect(probe);
    PROBE_SAY(waiting, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    PROBE_SAY(idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    PROBE_SAY(half, "PUT /half HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    probe_await(probe, 1);
    assert_true(probe_status_is(probe_read_response(probe, idle), "200"));
    assert_true(probe_status_is(probe_read_head(probe, half), "100"));
    struct closer closer = {0};
    assert_int_equal(pthread_create(&closer.thread, NULL, close_server, &closer), 0);
    usleep(50000);
    assert_false(atomic_load(&closer.closed));
    PROBE_SAY(half, "body");
    assert_true(text_ends_with(probe_read_response(probe, half), TEXT("PUT /half body")));
    assert_true(probe_resume_one(probe));
    struct text response = probe_read_to_end(probe, waiting);
    assert_true(text_ends_with(response, TEXT("GET /wait ")));
    assert_true(probe_has(response, "\r\nConnection: close\r\n"));
    pthread_join(closer.thread, NULL);
    probe->server = NULL;
    assert_int_equal(probe_read_to_end(probe, idle).length, 0);
    close(waiting);
    close(idle);
    close(half);
}

static void closing_does_not_wait_for_ever(void **state)
{
    (void)state;
    probe->settings.body_ms_max = 100;
    probe_open(probe);
    int waiting = probe_connect(probe), gone = probe_connect(probe);
    PROBE_SAY(waiting, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    probe_await(probe, 1);
    PROBE_SAY(gone, "GET /wait-twice HTTP/1.1\r\nHost: x\r\n\r\n");
    probe_await(probe, 2);
    close(gone);
    assert_true(probe_resume_one(probe));
    probe_await(probe, 2);
    http_server_close(probe->server);
    probe->server = NULL;
    assert_int_equal(probe_read_to_end(probe, waiting).length, 0);
    close(waiting);
    assert_true(probe_resume_one(probe)); /* too late, and no harm */
    assert_true(probe_resume_one(probe));
}

static void no_connection_is_taken_once_the_server_has_closed(void **state)
{
    (void)state;
    probe_open(probe);
    uint16_t port = http_server_port(probe->server);
    http_server_close(probe->server);
    probe->server = NULL;
    probe->settings.port = port;
    probe_open(probe); /* the port is free again */
    assert_int_equal(http_server_port(probe->server), port);
}

static void a_server_closes_under_load(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        probe_open(probe);
        struct resumer resumer;
        resumer_start(&resumer);
        int fds[16];
        for (size_t i = 0; i < 16; i++) {
            fds[i] = probe_connect(probe);
            for (int j = 0; j < 10; j++)
                PROBE_SAY(fds[i],
                          j % 2 ? "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        http_server_close(probe->server);
        probe->server = NULL;
        resumer_stop(&resumer);
        for (size_t i = 0; i < 16; i++)
            close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_waiting_handler_is_called_again_when_resumed, begin, end),
        cmocka_unit_test_setup_teardown(a_handler_may_wait_again_and_again, begin, end),
        cmocka_unit_test_setup_teardown(a_resume_before_the_handler_returns_is_not_lost, begin, end),
        cmocka_unit_test_setup_teardown(sixty_four_connections_wait_and_are_resumed_by_one_thread, begin, end),
        cmocka_unit_test_setup_teardown(pipelined_requests_keep_their_order_when_the_first_ones_wait, begin, end),
        cmocka_unit_test_setup_teardown(a_handler_whose_client_left_is_still_called_to_its_end, begin, end),
        cmocka_unit_test_setup_teardown(clients_that_leave_while_their_handlers_are_resumed_leave_nothing_behind, begin,
                                        end),
        cmocka_unit_test_setup_teardown(closing_waits_for_requests_in_progress, begin, end),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_ever, begin, end),
        cmocka_unit_test_setup_teardown(no_connection_is_taken_once_the_server_has_closed, begin, end),
        cmocka_unit_test_setup_teardown(a_server_closes_under_load, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
