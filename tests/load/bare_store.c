/* The limit for writes: libmicrohttpd and LMDB with group commit, and nothing else: no authentication, no XML, no
 * versions. A PUT is queued, one thread puts all that wait into one durable transaction, then answers them; a GET is
 * read from LMDB.  bare_store FOLDER */
#include <lmdb.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)8 << 30)

struct request {
    struct request *next;
    struct MHD_Connection *connection;
    char *url, *body;
    size_t size, room;
    bool queued;
};

static struct {
    MDB_env *env;
    MDB_dbi documents;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct request *first;
    bool closing;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static void die(const char *what, int error)
{
    fprintf(stderr, "bare_store: %s: %s\n", what, mdb_strerror(error));
    exit(EXIT_FAILURE);
}

static void commit(const struct request *batch)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store.env, NULL, 0, &txn);
    for (const struct request *request = batch; request && !error; request = request->next) {
        MDB_val key = {strlen(request->url), request->url};
        MDB_val value = {request->size, request->body};
        error = mdb_put(txn, store.documents, &key, &value, 0);
    }
    if (!error)
        error = mdb_txn_commit(txn);
    if (error)
        die("commit", error);
}

static void *commit_all(void *context)
{
    (void)context;
    for (;;) {
        pthread_mutex_lock(&store.lock);
        while (!store.first && !store.closing)
            pthread_cond_wait(&store.filled, &store.lock);
        struct request *batch = store.first;
        store.first = NULL;
        pthread_mutex_unlock(&store.lock);
        if (!batch)
            return NULL;
        commit(batch);
        for (struct request *next; batch; batch = next) {
            next = batch->next;
            struct MHD_Connection *connection = batch->connection;
            struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
            MHD_add_response_header(response, "ETag", "\"1\"");
            MHD_queue_response(connection, MHD_HTTP_OK, response);
            MHD_destroy_response(response);
            MHD_resume_connection(connection);
        }
    }
}

static enum MHD_Result answer_read(struct MHD_Connection *connection, char *url)
{
    MDB_txn *txn;
    MDB_val key = {strlen(url), url}, value;
    int error = mdb_txn_begin(store.env, NULL, MDB_RDONLY, &txn);
    if (error)
        die("read", error);
    bool found = mdb_get(txn, store.documents, &key, &value) == 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(found ? value.mv_size : 0, found ? value.mv_data : NULL, MHD_RESPMEM_MUST_COPY);
    mdb_txn_abort(txn);
    enum MHD_Result result = MHD_queue_response(connection, found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND, response);
    MHD_destroy_response(response);
    return result;
}

static void keep(struct request *request, const char *bytes, size_t size)
{
    while (request->size + size > request->room) {
        request->room = request->room ? request->room * 2 : 4096;
        request->body = realloc(request->body, request->room);
        if (!request->body)
            abort();
    }
    memcpy(request->body + request->size, bytes, size);
    request->size += size;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct request *request = *state;
    (void)context, (void)version;
    if (!request) {
        *state = request = calloc(1, sizeof(*request));
        request->connection = connection;
        request->url = strdup(url);
        return MHD_YES;
    }
    if (*upload_size) {
        keep(request, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "PUT") != 0)
        return answer_read(connection, request->url);
    if (request->queued)
        return MHD_YES;
    request->queued = true;
    MHD_suspend_connection(connection);
    pthread_mutex_lock(&store.lock);
    request->next = store.first;
    store.first = request;
    pthread_cond_signal(&store.filled);
    pthread_mutex_unlock(&store.lock);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode reason)
{
    struct request *request = *state;
    (void)context, (void)connection, (void)reason;
    if (!request)
        return;
    free(request->url);
    free(request->body);
    free(request);
}

static void open_store(const char *folder)
{
    MDB_txn *txn;
    int error = mdb_env_create(&store.env);
    if (!error)
        error = mdb_env_set_mapsize(store.env, MAP_BYTES);
    if (!error)
        error = mdb_env_open(store.env, folder, MDB_NOTLS, 0600);
    if (!error)
        error = mdb_txn_begin(store.env, NULL, 0, &txn);
    if (!error)
        error = mdb_dbi_open(txn, NULL, 0, &store.documents);
    if (!error)
        error = mdb_txn_commit(txn);
    if (error)
        die(folder, error);
}

int main(int argc, char **argv)
{
    sigset_t stop;
    pthread_t committer;
    int number;
    if (argc != 2)
        return EXIT_FAILURE;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    open_store(argv[1]);
    if (pthread_create(&committer, NULL, commit_all, NULL) != 0)
        return EXIT_FAILURE;
    unsigned threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    struct MHD_OptionItem pool[] = {
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL, MHD_OPTION_ARRAY,
        pool, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
    if (!daemon)
        return EXIT_FAILURE;
    printf("bare_store ready http=127.0.0.1:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&stop, &number);
    MHD_quiesce_daemon(daemon); /* the driver stops it when no request is in progress */
    pthread_mutex_lock(&store.lock);
    store.closing = true;
    pthread_cond_signal(&store.filled);
    pthread_mutex_unlock(&store.lock);
    pthread_join(committer, NULL);
    MHD_stop_daemon(daemon);
    mdb_env_close(store.env);
    return EXIT_SUCCESS;
}
