/* The limit for reads: libmicrohttpd answering every request from one fixed buffer, as many threads as cores. No
 * authentication, no documents. With If-None-Match it answers 304.  bare_http BYTES */
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct MHD_Response *whole, *unchanged;

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    static int begun;
    (void)context, (void)url, (void)method, (void)version, (void)upload;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match"))
        return MHD_queue_response(connection, MHD_HTTP_NOT_MODIFIED, unchanged);
    return MHD_queue_response(connection, MHD_HTTP_OK, whole);
}

int main(int argc, char **argv)
{
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 2048;
    char *bytes = malloc(size);
    if (!bytes)
        return EXIT_FAILURE;
    memset(bytes, 'x', size);
    whole = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_PERSISTENT);
    unchanged = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(whole, "ETag", "\"1\"");
    MHD_add_response_header(unchanged, "ETag", "\"1\"");

    sigset_t stop;
    int number;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    unsigned threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    struct MHD_OptionItem pool[] = {
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_ARRAY, pool,
                         MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
    if (!daemon)
        return EXIT_FAILURE;
    printf("bare_http ready http=127.0.0.1:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&stop, &number);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(whole);
    MHD_destroy_response(unchanged);
    free(bytes);
    return EXIT_SUCCESS;
}
