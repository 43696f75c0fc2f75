/* The second file of xdmctl that knows the HTTP library: where http.c asks and waits, this keeps several requests under
 * way. */
#include "pipe.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

#define WAIT_MS          1000
#define ANSWER_MS_MAX    600000 /* a batch may wait for a busy disk; a server that is gone is found by TCP */
#define ANSWER_BYTES_MAX (64u << 20)

struct lane {
    struct ctl_pipe *pipe;
    CURL *curl;
    bool busy;
    struct arena arena; /* of the answer */
    struct text_builder answer;
    char reason[CURL_ERROR_SIZE];
    ctl_pipe_done_fn *done;
    void *context;
};

struct ctl_pipe {
    struct ctl *ctl;
    CURLM *multi;
    struct curl_slist *headers;
    struct lane *lanes;
    size_t count, busy;
};

static void lane_open(struct ctl_pipe *pipe, struct lane *lane, const char *path);
static void pump(struct ctl_pipe *pipe);

struct ctl_pipe *ctl_pipe_open(struct ctl *ctl, const char *path, const char *content_type, size_t at_once)
{
    struct ctl_pipe *pipe = memory_new(sizeof(*pipe));
    pipe->ctl = ctl;
    pipe->multi = curl_multi_init();
    pipe->count = at_once;
    pipe->lanes = memory_new(sizeof(*pipe->lanes) * at_once);
    pipe->headers = ctl_headers(ctl, content_type);
    for (size_t i = 0; i < at_once; i++)
        lane_open(pipe, &pipe->lanes[i], path);
    return pipe;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct lane *lane = context;
    if (lane->answer.length + size * count > ANSWER_BYTES_MAX)
        return 0;
    builder_add(&lane->answer, (struct text){bytes, size * count});
    return size * count;
}

static void lane_open(struct ctl_pipe *pipe, struct lane *lane, const char *path)
{
    lane->pipe = pipe;
    lane->curl = curl_easy_init();
    arena_init(&lane->arena, "answer");
    ctl_address(pipe->ctl, lane->curl, text_of(path));
    curl_easy_setopt(lane->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(lane->curl, CURLOPT_HTTPHEADER, pipe->headers);
    curl_easy_setopt(lane->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(lane->curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS_MAX);
    curl_easy_setopt(lane->curl, CURLOPT_ERRORBUFFER, lane->reason);
    curl_easy_setopt(lane->curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(lane->curl, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(lane->curl, CURLOPT_PRIVATE, lane);
}

void ctl_pipe_send(struct ctl_pipe *pipe, struct text body, ctl_pipe_done_fn *done, void *context)
{
    while (pipe->busy == pipe->count)
        pump(pipe);
    struct lane *lane = pipe->lanes;
    while (lane->busy)
        lane++;
    lane->busy = true;
    pipe->busy++;
    lane->done = done;
    lane->context = context;
    lane->reason[0] = '\0';
    arena_reset(&lane->arena);
    builder_init(&lane->answer, &lane->arena);
    curl_easy_setopt(lane->curl, CURLOPT_POSTFIELDS, body.bytes);
    curl_easy_setopt(lane->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    curl_multi_add_handle(pipe->multi, lane->curl);
    int running;
    curl_multi_perform(pipe->multi, &running);
}

static void lane_end(struct lane *lane, CURLcode code)
{
    long status = 0;
    json_t *json = NULL;
    curl_multi_remove_handle(lane->pipe->multi, lane->curl);
    if (code == CURLE_OK) {
        struct text answer = builder_text(&lane->answer);
        curl_easy_getinfo(lane->curl, CURLINFO_RESPONSE_CODE, &status);
        json = json_loadb(answer.length ? answer.bytes : "", answer.length, 0, NULL);
    } else {
        ctl_error("%s cannot be reached: %s", lane->pipe->ctl->admin,
                  lane->reason[0] ? lane->reason : curl_easy_strerror(code));
    }
    lane->busy = false;
    lane->pipe->busy--;
    lane->done(lane->context, status, json);
    json_decref(json);
}

/* Waits for something to happen, and ends what has come to its end. */
static void pump(struct ctl_pipe *pipe)
{
    int running, left;
    CURLMsg *message;
    curl_multi_perform(pipe->multi, &running);
    while ((message = curl_multi_info_read(pipe->multi, &left))) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        lane_end((struct lane *)(void *)private, code);
    }
    if (pipe->busy == pipe->count || running)
        curl_multi_poll(pipe->multi, NULL, 0, running ? WAIT_MS : 0, NULL);
}

void ctl_pipe_drain(struct ctl_pipe *pipe)
{
    while (pipe->busy)
        pump(pipe);
}

void ctl_pipe_close(struct ctl_pipe *pipe)
{
    assert(pipe->busy == 0);
    for (size_t i = 0; i < pipe->count; i++) {
        curl_easy_cleanup(pipe->lanes[i].curl);
        arena_clear(&pipe->lanes[i].arena);
    }
    curl_multi_cleanup(pipe->multi);
    curl_slist_free_all(pipe->headers);
    free(pipe->lanes);
    free(pipe);
}
