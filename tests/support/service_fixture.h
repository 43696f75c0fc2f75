/* A whole service on free loopback ports with a store in memory, and an HTTP client for it. */
#ifndef SERVICE_FIXTURE_H
#define SERVICE_FIXTURE_H

#include <stdio.h>

#include <curl/curl.h>

#include "clock.h"
#include "deferred.h"
#include "history.h"
#include "service.h"
#include "shipped_usages.h"
#include "user.h"

struct fixture {
    struct arena arena;
    struct store *store;
    struct usage_set *usages; /* the shipped ones */
    struct documents *documents;
    struct digest *digest;
    struct service *service;
    struct http_server *xcap, *admin, *management, *policy;
};

static inline void fixture_user(struct fixture *fixture, const char *name)
{
    struct user user;
    struct refusal refusal;
    enum status status = user_make(text_of(name), text_of(name), TEXT(""), TEXT("example.com"), TEXT("realm"),
                                   clock_wall_ms(), &fixture->arena, &user, &refusal);
    assert_int_equal(status, OK);
    assert_int_equal(user_put(fixture->documents, &user, VERSION_ANY, TEXT("test")), OK);
}

static inline struct http_server *fixture_listen(struct fixture *fixture, http_handler_fn *handler,
                                                 http_preview_fn *preview)
{
    struct http_settings settings = HTTP_SETTINGS_STANDARD;
    struct text error;
    settings.threads = 2;
    struct http_server *server =
        http_server_open(&settings, handler, preview, fixture->service, &fixture->arena, &error);
    assert_non_null(server);
    return server;
}

/* `store` is taken over; NULL for one in memory. `token` may be "". Users alice and bob have their names as passwords.
 */
static inline struct fixture *fixture_open(struct store *store, const char *token)
{
    static const struct text roots[] = {TEXT_INIT("/xcap-root/"), TEXT_INIT("/")};
    static const struct text servers[] = {TEXT_INIT("sip:rls@example.com")};
    static const struct text operators[] = {TEXT_INIT("sip:chief@example.com")};
    static const struct requester_grant grants[] = {{USAGE_SERVER, servers, 1}, {USAGE_OPERATOR, operators, 1}};
    static const uint8_t key[32] = "a key for tests";
    struct fixture *fixture = memory_new(sizeof(*fixture));
    curl_global_init(CURL_GLOBAL_ALL);
    arena_init(&fixture->arena, "fixture");
    fixture->store = store ? store : store_open_memory();
    fixture->usages = shipped_usages();
    fixture->documents = documents_new(fixture->store, fixture->usages);
    documents_set_records(fixture->documents, USAGE_FROM_DEFERRED, &deferred_records);
    documents_set_records(fixture->documents, USAGE_FROM_HISTORY, &history_records);
    fixture->digest = digest_new(TEXT("realm"), TEXT("example.com"), key);
    struct service_settings settings = {
        .roots = roots,
        .roots_count = 2,
        .root_uri = TEXT("http://xcap.example.com/xcap-root/"),
        .domain = TEXT("example.com"),
        .realm = TEXT("realm"),
        .admin_token = text_of(token),
        .policy_token = text_of(token),
        .groups = GROUP_SETTINGS_STANDARD(NULL, 0),
        .grants = grants,
        .grants_count = 2,
        .gzip_bytes_min = 512,
        .push = {.count_max = 3},
        .search_us_max = 1, /* over after its first slice */
    };
    struct text bad;
    assert_true(trust_ranges_parse(TEXT("127.0.0.0/8"), &settings.policy_peers, &bad));
    fixture->service = service_new(&settings, fixture->documents, fixture->digest);
    fixture->xcap = fixture_listen(fixture, service_xcap, service_xcap_preview);
    fixture->admin = fixture_listen(fixture, service_admin, service_admin_preview);
    fixture->management = fixture_listen(fixture, service_management, NULL);
    fixture->policy = fixture_listen(fixture, service_policy, service_policy_preview);
    return fixture;
}

static inline void fixture_close(struct fixture *fixture)
{
    http_server_close(fixture->xcap);
    http_server_close(fixture->admin);
    http_server_close(fixture->management);
    http_server_close(fixture->policy);
    service_free(fixture->service);
    digest_free(fixture->digest);
    store_close(fixture->store);
    documents_free(fixture->documents);
    arena_clear(&fixture->arena);
    free(fixture);
    curl_global_cleanup();
}

struct ask {
    const char *method, *path;
    const char *user;       /* by digest, its name as password; NULL: no credentials */
    const char *headers[6]; /* "Name: value" */
    const char *body;       /* NULL: none */
    CURL *session;          /* kept between requests, so that its nonce is; NULL: a new one */
};

struct answer {
    long status;
    struct text headers; /* of the last response, with its status line */
    struct text body;
};

struct fixture_sink {
    struct text_builder headers, body;
};

static inline size_t fixture_header(char *bytes, size_t size, size_t count, void *context)
{
    struct fixture_sink *sink = context;
    if (text_starts_with((struct text){bytes, count}, TEXT("HTTP/"))) {
        sink->headers.length = 0;
        sink->body.length = 0;
    }
    builder_add(&sink->headers, (struct text){bytes, size * count});
    return size * count;
}

static inline size_t fixture_body(char *bytes, size_t size, size_t count, void *context)
{
    struct fixture_sink *sink = context;
    builder_add(&sink->body, (struct text){bytes, size * count});
    return size * count;
}

/* Thread-safe with an arena of the thread's own. */
static inline struct answer ask_with(struct arena *arena, const struct http_server *server, const struct ask *ask)
{
    struct answer answer = {0};
    struct fixture_sink sink;
    CURL *curl = ask->session ? ask->session : curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type:");
    struct text url = text_format(arena, "http://127.0.0.1:%u%s", http_server_port(server), ask->path);
    builder_init(&sink.headers, arena);
    builder_init(&sink.body, arena);
    curl_easy_setopt(curl, CURLOPT_URL, text_cstring(arena, url));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
    if (strcmp(ask->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (ask->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(ask->body));
    }
    if (ask->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST);
        curl_easy_setopt(curl, CURLOPT_USERNAME, ask->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, ask->user);
    }
    for (size_t i = 0; i < 6 && ask->headers[i]; i++)
        headers = curl_slist_append(headers, ask->headers[i]);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, fixture_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &sink);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fixture_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        fprintf(stderr, "%s %s: %s\n", ask->method, ask->path, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    if (!ask->session)
        curl_easy_cleanup(curl);
    answer.headers = builder_text(&sink.headers);
    answer.body = builder_text(&sink.body);
    return answer;
}

#define ASK_XCAP(fixture, ...)   ask_with(&(fixture)->arena, (fixture)->xcap, &(const struct ask){__VA_ARGS__})
#define ASK_POLICY(fixture, ...) ask_with(&(fixture)->arena, (fixture)->policy, &(const struct ask){__VA_ARGS__})
#define ASK_ADMIN(fixture, ...)  ask_with(&(fixture)->arena, (fixture)->admin, &(const struct ask){__VA_ARGS__})

/* The n-th header of that name (0: the first), empty if there is none. */
static inline struct text answer_header(const struct answer *answer, const char *name, size_t nth)
{
    struct text rest = answer->headers, line, field, value;
    while (rest.length) {
        text_cut(rest, '\n', &line, &rest);
        if (text_cut(line, ':', &field, &value) && text_equal_nocase(field, text_of(name)) && nth-- == 0)
            return text_trim(value);
    }
    return TEXT("");
}

static inline bool answer_holds(const struct answer *answer, const char *part)
{
    return text_find(answer->body, text_of(part)) < answer->body.length;
}

#endif
