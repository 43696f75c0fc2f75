/* Any bytes as a policy query, in the query of a URI and as JSON: read, made a question, answered and sent in each
 * form. An answer always has a decision, and one that was read twice is the same. */
#include <assert.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "log.h"
#include "service.h"
#include "store.h"
#include "user.h"
#include "xml_tree.h"
#include "xml_validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct arena arena;
    struct usage_set *usages;
    struct documents *documents;
    struct digest *digest;
    struct service *service;
} fuzz;

#define RULES                                                                                                          \
    "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:poc=\"urn:oma:xml:poc:poc-rules\">"                 \
    "<rule id=\"r\"><conditions><identity><many domain=\"example.com\"/></identity><sphere value=\"work\"/>"           \
    "</conditions><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule></ruleset>"
#define GROUP                                                                                                          \
    "<group xmlns=\"urn:oma:xml:poc:list-service\"><list-service uri=\"sip:team@example.com\"><list>"                  \
    "<entry uri=\"sip:alice@example.com\"/><entry uri=\"sip:bob@example.com\"/></list></list-service></group>"

static void put(const char *usage, const char *owner, const char *name, const char *bytes)
{
    struct claim claim = {TEXT("group-uri"), TEXT("sip:team@example.com"), false};
    struct commit commit = {
        .key = {text_of(usage), text_of(owner), text_of(name)},
        .expected = VERSION_ANY,
        .bytes = text_of(bytes),
        .claims = &claim,
        .claims_count = bytes[1] == 'g',
        .who = TEXT("fuzz"),
    };
    enum status status = store_commit(documents_store(fuzz.documents), &commit, 1);
    assert(status == OK);
}

static void open_service(void)
{
    static const uint8_t key[32] = "a key";
    static const struct text root = TEXT_INIT("/xcap-root/");
    struct text error, bad;
    struct user user;
    struct refusal refusal;
    log_open("fuzz", LOG_LEVEL_ERROR);
    xml_open();
    arena_init(&fuzz.arena, "fuzz");
    enum status status = usage_set_load("schemas", &fuzz.usages, &fuzz.arena, &error);
    assert(status == OK);
    fuzz.documents = documents_new(store_open_memory(), fuzz.usages);
    fuzz.digest = digest_new(TEXT("realm"), TEXT("example.com"), key);
    struct service_settings settings = {
        .roots = &root, .roots_count = 1, .domain = TEXT("example.com"), .groups = GROUP_SETTINGS_STANDARD(NULL, 0)};
    bool good = trust_ranges_parse(TEXT("127.0.0.0/8"), &settings.policy_peers, &bad);
    assert(good);
    fuzz.service = service_new(&settings, fuzz.documents, fuzz.digest);
    put("org.openmobilealliance.im-rules", "sip:bob@example.com", "im-rules", RULES);
    put("org.openmobilealliance.groups", "sip:alice@example.com", "team", GROUP);
    status = user_make(TEXT("bob"), TEXT("bob"), TEXT(""), TEXT("example.com"), TEXT("realm"), 0, &fuzz.arena, &user,
                       &refusal);
    assert(status == OK);
    status = user_put(fuzz.documents, &user, VERSION_ANY, TEXT("fuzz"));
    assert(status == OK);
}

static struct http_response ask(struct arena *arena, const char *method, struct text target, struct text body,
                                const char *accept)
{
    static const struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr = {0x0100007f}};
    const struct http_header headers[] = {{TEXT("Accept"), text_of(accept)}};
    struct http_request request = {
        .method = text_of(method),
        .target = target,
        .headers = headers,
        .headers_count = 1,
        .body = body,
        .peer = (const struct sockaddr *)&peer,
        .arena = arena,
    };
    struct http_response response = {0};
    enum http_progress progress = service_policy(fuzz.service, &request, &response);
    assert(progress == HTTP_DONE);
    assert(response.status == 200 || response.status == 400 || response.status == 413);
    return response;
}

static void check_json(const struct http_response *response)
{
    json_t *json = json_loadb(response->body.bytes, response->body.length, 0, NULL);
    assert(json_is_object(json));
    if (response->status == 200)
        assert(json_object_get(json, "decision") || json_array_size(json_object_get(json, "answers")) > 0);
    else
        assert(json_object_get(json, "error"));
    json_decref(json);
}

static void check_xml(const struct http_response *response, struct arena *arena)
{
    const struct xml_element *root;
    enum status status = response->status == 200 ? xml_tree_read(response->body, arena, &root) : OK;
    assert(status == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct text bytes = {(const char *)data, size};
    if (!fuzz.service)
        open_service();
    arena_init(&arena, "request");
    bool is_target = true; /* what the HTTP server lets through in a target */
    for (size_t i = 0; i < size; i++)
        is_target = is_target && data[i] > 0x20 && data[i] < 0x7f && data[i] != '#';
    if (is_target) {
        struct text target = text_join(&arena, TEXT("/policy/v1/decide?"), bytes);
        struct text why = text_join(&arena, TEXT("/policy/v1/explain?"), bytes);
        struct http_response response = ask(&arena, "GET", target, TEXT(""), "application/json");
        check_json(&response);
        response = ask(&arena, "GET", why, TEXT(""), "application/json");
        check_json(&response);
        response = ask(&arena, "GET", why, TEXT(""), "application/xml");
        check_xml(&response, &arena);
        ask(&arena, "GET", why, TEXT(""), "text/html");
    }
    struct http_response response = ask(&arena, "POST", TEXT("/policy/v1/decide"), bytes, "application/json");
    check_json(&response);
    response = ask(&arena, "POST", TEXT("/policy/v1/decide"), bytes, "application/xml");
    check_xml(&response, &arena);
    arena_clear(&arena);
    return 0;
}
