/* Document services over HTTP: roles beyond owners, documents that are made, server-written ones, and pages for
 * browsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sched.h>

#include "assert_text.h"
#include "service_tests.h"

#define ROOT      "/xcap-root/"
#define ALICE     "/users/sip:alice@example.com/"
#define LISTS     ROOT "resource-lists" ALICE "index"
#define DIRECTORY ROOT "org.openmobilealliance.xcap-directory" ALICE "directory.xml"
#define GLOBAL    ROOT "rls-services/global/index"
#define SERVICES  ROOT "rls-services" ALICE "index"
#define LOCKED    ROOT "org.openmobilealliance.locked-user-profile" ALICE "locked-user-profile"
#define HISTORY   ROOT "org.openmobilealliance.conv-history" ALICE "conv-history"
#define ICON      ROOT "org.openmobilealliance.pres-content" ALICE "oma_status-icon/rcs_status_icon"
#define PRESENCE  ROOT "pidf-manipulation" ALICE "index"

#define LISTS_TYPE "Content-Type: application/resource-lists+xml"
#define LISTS_BODY "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"a\"/></resource-lists>"
#define RLS_TYPE   "Content-Type: application/rls-services+xml"
#define RLS_BODY                                                                                                       \
    "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\"><service uri=\"sip:team@example.com\"><list/>"        \
    "</service></rls-services>"
#define PROFILE_TYPE "Content-Type: application/vnd.oma.user-profile+xml"
#define PROFILE_BODY                                                                                                   \
    "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\"><user-profile uri=\"sip:alice@example.com\"/>"              \
    "</user-profiles>"
#define HISTORY_TYPE "Content-Type: application/vnd.oma.im.history-list+xml"
#define HISTORY_BODY                                                                                                   \
    "<history-list xmlns=\"urn:oma:xml:im:history-list\"><history history-reference=\"d-1\"/>"                         \
    "<history history-reference=\"d-2\"/></history-list>"
#define BROWSER "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice bob rls chief");
}

static long put(const char *path, const char *user, const char *type, const char *body)
{
    return ASK_XCAP(fixture, "PUT", path, user, {type}, body).status;
}

static struct answer get(const char *path, const char *user)
{
    return ASK_XCAP(fixture, "GET", path, user);
}

static void holds(struct answer answer, const char *part, bool expected)
{
    if (answer_holds(&answer, part) != expected)
        fail_msg("%s: %.*s", part, TEXT_ARG(answer.body));
}

static void a_directory_is_read_and_compared_like_any_document(void **state)
{
    (void)state;
    assert_int_equal(put(LISTS, "alice", LISTS_TYPE, LISTS_BODY), 201);
    struct answer answer = get(DIRECTORY, "alice");
    assert_int_equal(answer.status, 200);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/vnd.oma.xcap-directory+xml");
    holds(answer, "uri=\"http://xcap.example.com/xcap-root/resource-lists/users/sip:alice@example.com/index\"", true);
    struct text tag = answer_header(&answer, "ETag", 0);
    const char *condition =
        text_cstring(&fixture->arena, text_format(&fixture->arena, "If-None-Match: %.*s", TEXT_ARG(tag)));
    assert_int_equal(ASK_XCAP(fixture, "GET", DIRECTORY, "alice", {condition}).status, 304);
    assert_int_equal(ASK_XCAP(fixture, "HEAD", DIRECTORY, "alice").status, 200);
    assert_int_equal(ASK_XCAP(fixture, "GET", DIRECTORY, "alice", {"If-Match: \"x\""}).status, 412);
    assert_int_equal(put(LISTS "2", "alice", LISTS_TYPE, LISTS_BODY), 201);
    assert_int_equal(ASK_XCAP(fixture, "GET", DIRECTORY, "alice", {condition}).status, 200);
}

static void a_node_of_a_directory_can_be_selected(void **state)
{
    (void)state;
    assert_int_equal(put(LISTS, "alice", LISTS_TYPE, LISTS_BODY), 201);
    struct answer folder = get(DIRECTORY "/~~/xcap-directory/folder%5b@auid=%22resource-lists%22%5d", "alice");
    assert_int_equal(folder.status, 200);
    holds(folder, "<folder auid=\"resource-lists\">", true);
    holds(folder, "/index\"", true);
    struct answer whole = get(DIRECTORY, "alice");
    assert_true(text_equal(answer_header(&folder, "ETag", 0), answer_header(&whole, "ETag", 0)));
    struct answer tag = get(DIRECTORY "/~~/xcap-directory/folder%5b@auid=%22resource-lists%22%5d/entry/@etag", "alice");
    struct answer list = get(LISTS, "alice");
    assert_true(text_equal(tag.body, answer_header(&list, "ETag", 0)));
    assert_int_equal(get(DIRECTORY "/~~/xcap-directory/folder%5b@auid=%22none%22%5d", "alice").status, 404);
}

static void a_directory_is_for_its_owner_and_for_servers(void **state)
{
    (void)state;
    assert_int_equal(get(DIRECTORY, NULL).status, 401);
    assert_int_equal(get(DIRECTORY, "bob").status, 403);
    assert_int_equal(get(DIRECTORY, "rls").status, 200);
    struct answer refused =
        ASK_XCAP(fixture, "PUT", DIRECTORY, "alice", {"Content-Type: application/vnd.oma.xcap-directory+xml"}, "<x/>");
    assert_int_equal(refused.status, 405);
    assert_text(answer_header(&refused, "Allow", 0), "GET, HEAD, OPTIONS");
    assert_int_equal(ASK_XCAP(fixture, "DELETE", DIRECTORY, "alice").status, 405);
    assert_int_equal(
        get(ROOT "org.openmobilealliance.xcap-directory/users/sip:nobody@example.com/directory.xml", "rls").status,
        404);
}

static void the_global_index_is_for_servers_alone(void **state)
{
    (void)state;
    assert_int_equal(put(SERVICES, "alice", RLS_TYPE, RLS_BODY), 201);
    assert_int_equal(get(GLOBAL, NULL).status, 401);
    assert_int_equal(get(GLOBAL, "alice").status, 403);
    struct answer answer = get(GLOBAL, "rls");
    assert_int_equal(answer.status, 200);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/rls-services+xml");
    holds(answer, "sip:team@example.com", true);
    assert_int_equal(get(GLOBAL, "chief").status, 200);
    assert_int_equal(get(GLOBAL "/~~/rls-services/service%5b@uri=%22sip:team@example.com%22%5d", "rls").status, 200);
    assert_int_equal(put(GLOBAL, "chief", RLS_TYPE, RLS_BODY), 405);
    struct answer taken =
        ASK_XCAP(fixture, "PUT", ROOT "rls-services/users/sip:bob@example.com/index", "bob", {RLS_TYPE}, RLS_BODY);
    assert_int_equal(taken.status, 409);
    holds(taken, "uniqueness-failure", true);
    holds(taken, "<alt-value>sip:team-2@example.com</alt-value>", true);
}

/* As a client does it that knows nothing but Link (RFC 8288). */
static unsigned walk(const char *path, const char *user, const char *query, const char *each)
{
    unsigned count = 0;
    for (struct text rest = text_of(query); rest.length;) {
        const char *target =
            text_cstring(&fixture->arena, text_format(&fixture->arena, "%s%.*s", path, TEXT_ARG(rest)));
        struct answer answer = get(target, user);
        assert_int_equal(answer.status, 200);
        assert_true(answer_header(&answer, "ETag", 0).length > 0);
        for (size_t at; (at = text_find(answer.body, text_of(each))) < answer.body.length; count++)
            answer.body = text_slice(answer.body, at + 1, answer.body.length);
        struct text link = answer_header(&answer, "Link", 0);
        size_t end = text_find(link, TEXT(">; rel=\"next\""));
        rest = link.length ? text_slice(link, 1, end) : TEXT("");
        assert_true(link.length == 0 || end < link.length);
    }
    return count;
}

static void made_documents_are_read_in_parts_by_their_links(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1234; i++) {
        struct commit commits[] = {
            {.key = {TEXT("resource-lists"), TEXT("sip:alice@example.com"),
                     text_format(&fixture->arena, "a&b=%%41 \"%u\"", i)},
             .expected = VERSION_ANY,
             .bytes = TEXT("<x/>")},
            {.key = {TEXT("rls-services"), text_format(&fixture->arena, "sip:a&b=c%%20%u@example.com", i),
                     TEXT("index")},
             .expected = VERSION_ANY,
             .bytes = text_format(&fixture->arena,
                                  "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\"><service "
                                  "uri=\"sip:s%u@example.com\"><list/></service></rls-services>",
                                  i)},
        };
        assert_int_equal(store_commit(fixture->store, commits, 2), OK);
    }
    assert_int_equal(walk(DIRECTORY, "alice", "?auid=resource-lists&limit=100", "<entry "), 1234);
    assert_int_equal(walk(GLOBAL, "rls", "?limit=100", "<service "), 1234);
    struct answer first = get(GLOBAL "?limit=7", "rls");
    const char *condition = text_cstring(&fixture->arena, text_format(&fixture->arena, "If-None-Match: %.*s",
                                                                      TEXT_ARG(answer_header(&first, "ETag", 0))));
    assert_int_equal(ASK_XCAP(fixture, "GET", GLOBAL "?limit=7", "rls", {condition}).status, 304);
    assert_int_equal(ASK_XCAP(fixture, "GET", GLOBAL "?limit=8", "rls", {condition}).status, 200);
    assert_int_equal(get(GLOBAL "?limit=7", "alice").status, 403);
}

static void too_much_to_list_is_answered_507(void **state)
{
    (void)state;
    char *filler = arena_array(&fixture->arena, char, 8000001);
    memset(filler, ' ', 8000000);
    for (int i = 0; i < 2; i++) {
        struct commit commit = {
            .key = {TEXT("rls-services"), i ? TEXT("sip:alice@example.com") : TEXT("sip:bob@example.com"),
                    TEXT("index")},
            .expected = VERSION_ANY,
            .bytes =
                text_format(&fixture->arena,
                            "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\">%s</rls-services>", filler),
        };
        assert_int_equal(store_commit(fixture->store, &commit, 1), OK);
    }
    struct answer full = get(GLOBAL, "rls");
    assert_int_equal(full.status, 507);
    holds(full, "read it in parts", true);
    assert_int_equal(get(GLOBAL "?limit=1", "rls").status, 200);
    assert_int_equal(get(DIRECTORY, "alice").status, 200);
}

static void a_locked_profile_is_written_by_operators(void **state)
{
    (void)state;
    assert_int_equal(put(LOCKED, "alice", PROFILE_TYPE, PROFILE_BODY), 403);
    assert_int_equal(put(LOCKED, "rls", PROFILE_TYPE, PROFILE_BODY), 403);
    assert_int_equal(put(LOCKED, "chief", PROFILE_TYPE, PROFILE_BODY), 201);
    assert_int_equal(get(LOCKED, "alice").status, 200);
    assert_int_equal(get(LOCKED, "bob").status, 200);
    assert_int_equal(get(LOCKED, NULL).status, 401);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LOCKED, "alice").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LOCKED, "chief").status, 200);
}

/* One more entry of alice's history. */
static struct text keep(const char *body, int64_t when_ms)
{
    struct text message = text_format(&fixture->arena, "MESSAGE sip:bob@example.com SIP/2.0\r\n\r\n%s", body);
    struct history_entry entry = {
        .owner = TEXT("sip:alice@example.com"),
        .sent = true,
        .when_ms = when_ms,
        .until_ms = 4000000000000,
        .from = TEXT("sip:alice@example.com"),
        .to = TEXT("\"B\x01\" <sip:bob@example.com>"),
        .subject = TEXT("lunch & more"),
    };
    history_name(&entry, message, &fixture->arena);
    struct commit commits[] = {history_commit_message(message, &fixture->arena),
                               history_commit(&entry, &fixture->arena)};
    assert_int_equal(document_internal_commit(fixture->documents, commits, 2), OK);
    return entry.reference;
}

static const char *element_of(struct text reference)
{
    return text_cstring(&fixture->arena,
                        text_format(&fixture->arena,
                                    HISTORY "/~~/history-list/history%%5b@history-reference=%%22%.*s%%22%%5d",
                                    TEXT_ARG(reference)));
}

static void an_owner_may_let_go_of_history_and_not_write_it(void **state)
{
    (void)state;
    struct text first = keep("hello", 1000), second = keep("bye", 2000);
    const char *element = element_of(first);
    assert_int_equal(put(HISTORY, "alice", HISTORY_TYPE, HISTORY_BODY), 405);
    assert_int_equal(put(HISTORY, "rls", HISTORY_TYPE, HISTORY_BODY), 405);
    assert_int_equal(put(HISTORY, "bob", HISTORY_TYPE, HISTORY_BODY), 403);
    assert_int_equal(get(HISTORY, "alice").status, 200);
    assert_int_equal(get(HISTORY, "bob").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element, "bob").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element, "rls").status, 403);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY, "bob").status, 403);
    struct answer refused = ASK_XCAP(fixture, "PUT", element, "alice", {"Content-Type: application/xcap-el+xml"},
                                     "<history history-reference=\"d-1\"/>");
    assert_int_equal(refused.status, 405);
    assert_true(text_equal(answer_header(&refused, "Allow", 0), TEXT("GET, HEAD, DELETE, OPTIONS")));
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element, "alice").status, 200);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element, "alice").status, 404);
    holds(get(HISTORY, "alice"), text_cstring(&fixture->arena, first), false);
    holds(get(HISTORY, "alice"), text_cstring(&fixture->arena, second), true);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY, "alice").status, 200);
    holds(get(HISTORY, "alice"), "<history ", false);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY, "alice").status, 200);
}

static void a_list_of_messages_has_a_tag_that_tells_its_changes(void **state)
{
    (void)state;
    struct text first = keep("hello", 1000);
    struct answer before = get(HISTORY, "alice");
    struct text tag = text_copy(&fixture->arena, answer_header(&before, "ETag", 0));
    const char *none =
        text_cstring(&fixture->arena, text_format(&fixture->arena, "If-None-Match: %.*s", TEXT_ARG(tag)));
    const char *match = text_cstring(&fixture->arena, text_format(&fixture->arena, "If-Match: %.*s", TEXT_ARG(tag)));
    assert_int_equal(ASK_XCAP(fixture, "GET", HISTORY, "alice", {none}).status, 304);
    struct text second = keep("bye", 2000);
    assert_int_equal(ASK_XCAP(fixture, "GET", HISTORY, "alice", {none}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(first), "alice", {match}).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", element_of(first), "alice", {none}).status, 200);
    struct answer after = ASK_XCAP(fixture, "DELETE", element_of(second), "alice");
    assert_int_equal(after.status, 200);
    struct answer left = get(HISTORY, "alice");
    assert_true(text_equal(answer_header(&after, "ETag", 0), answer_header(&left, "ETag", 0)));
}

static void parts_of_an_entry_are_read_and_not_deleted(void **state)
{
    (void)state;
    struct text reference = keep("hello", 1000);
    const char *subject =
        text_cstring(&fixture->arena, text_format(&fixture->arena, "%s/subject", element_of(reference)));
    const char *attribute =
        text_cstring(&fixture->arena, text_format(&fixture->arena, "%s/@history-reference", element_of(reference)));
    holds(ASK_XCAP(fixture, "GET", subject, "alice"), "lunch &amp; more", true);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", subject, "alice").status, 405);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", attribute, "alice").status, 405);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY "/~~/history-list/history%5b7%5d", "alice").status, 404);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY "/~~/history-list", "alice").status, 405);
    holds(get(HISTORY, "alice"), "<history ", true);
}

static void a_history_is_read_in_parts(void **state)
{
    (void)state;
    const char *first = text_cstring(&fixture->arena, keep("one", 1000));
    const char *second = text_cstring(&fixture->arena, keep("two", 2000));
    struct answer part = get(HISTORY "?limit=1", "alice");
    holds(part, first, true);
    holds(part, second, false);
    struct text link = answer_header(&part, "Link", 0);
    size_t begin = text_find_char(link, '?'), end = text_find_char(link, '>');
    const char *next =
        text_cstring(&fixture->arena, text_join(&fixture->arena, TEXT(HISTORY), text_slice(link, begin, end)));
    part = get(next, "alice");
    holds(part, first, false);
    holds(part, second, true);
    assert_int_equal(answer_header(&part, "Link", 0).length, 0);
    assert_int_equal(get(HISTORY "?limit=1", "bob").status, 403);
}

static void a_long_history_is_listed_from_its_newest_and_deleted_whole(void **state)
{
    (void)state;
    enum { ENTRIES = DOCUMENT_RECORDS_MAX + 530 };
    for (int i = 0; i < ENTRIES; i++)
        keep("again", 1000000 + i);
    struct answer answer = get(HISTORY, "alice");
    size_t count = 0;
    for (struct text rest = answer.body; rest.length; count++) {
        size_t at = text_find(rest, TEXT("<history "));
        if (at == rest.length)
            break;
        rest = text_slice(rest, at + 1, rest.length);
    }
    assert_int_equal(count, DOCUMENT_RECORDS_MAX);
    holds(answer, text_cstring(&fixture->arena, keep("again", 1000000 + ENTRIES - 1)), true);
    holds(answer, text_cstring(&fixture->arena, keep("again", 1000000)), false);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", HISTORY, "alice").status, 200);
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_HISTORY)};
    struct key_page page;
    assert_int_equal(document_internal_list(fixture->documents, &prefix, NULL, 10, &fixture->arena, &page), OK);
    assert_int_equal(page.count, 0);
}

static void presence_of_another_user_is_forbidden(void **state)
{
    (void)state;
    static const char type[] = "Content-Type: application/pidf+xml";
    assert_int_equal(put(PRESENCE, "alice", type,
                         "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:alice@example.com\"/>"),
                     201);
    struct answer refused =
        ASK_XCAP(fixture, "PUT", PRESENCE, "alice", {type},
                 "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:bob@example.com\"/>");
    assert_int_equal(refused.status, 403);
    holds(refused, "must be its owner", true);
}

static void icons_stand_in_a_sub_directory(void **state)
{
    (void)state;
    static const char type[] = "Content-Type: application/vnd.oma.pres-content+xml";
    static const char body[] = "<content xmlns=\"urn:oma:xml:prs:pres-content\"><mime-type>image/png</mime-type>"
                               "<data>QUJD</data></content>";
    assert_int_equal(put(ICON, "alice", type, body), 201);
    assert_int_equal(get(ICON, "bob").status, 200);
    assert_int_equal(put(ROOT "org.openmobilealliance.pres-content" ALICE "elsewhere/icon", "alice", type, body), 409);
    assert_int_equal(put(ROOT "org.openmobilealliance.pres-content" ALICE "oma_status-icon", "alice", type, body), 404);
    struct answer page = ASK_XCAP(fixture, "GET", ICON, "alice", {BROWSER});
    holds(page, "src=\"data:image/png;base64,QUJD\"", true);
}

static void unprefixed_names_are_of_the_usage(void **state)
{
    (void)state;
    static const char type[] = "Content-Type: application/auth-policy+xml";
    static const char body[] = "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\"><rule id=\"a\"/></ruleset>";
    assert_int_equal(put(ROOT "pres-rules" ALICE "index", "alice", type, body), 201);
    assert_int_equal(put(ROOT "org.openmobilealliance.pres-rules" ALICE "pres-rules", "alice", type, body), 201);
    assert_int_equal(get(ROOT "pres-rules" ALICE "index/~~/ruleset", "alice").status, 404);
    assert_int_equal(
        get(ROOT "pres-rules" ALICE "index/~~/c:ruleset?xmlns(c=urn:ietf:params:xml:ns:common-policy)", "alice").status,
        200);
    assert_int_equal(get(ROOT "org.openmobilealliance.pres-rules" ALICE "pres-rules/~~/ruleset/rule", "alice").status,
                     200);
}

static void a_browser_gets_a_page(void **state)
{
    (void)state;
    assert_int_equal(put(LISTS, "alice", LISTS_TYPE,
                         "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><display-name>"
                         "&lt;script>alert(1)&lt;/script></display-name></list></resource-lists>"),
                     201);
    struct answer page = ASK_XCAP(fixture, "GET", LISTS, "alice", {BROWSER});
    assert_int_equal(page.status, 200);
    assert_text(answer_header(&page, "Content-Type", 0), "text/html; charset=utf-8");
    assert_text(answer_header(&page, "Vary", 0), "Accept, Accept-Encoding");
    assert_text(answer_header(&page, "X-Content-Type-Options", 0), "nosniff");
    assert_int_equal(answer_header(&page, "ETag", 0).length, 0);
    struct text policy = answer_header(&page, "Content-Security-Policy", 0);
    assert_true(text_starts_with(policy, TEXT("default-src 'none';")));
    assert_true(text_find(policy, TEXT("script-src")) == policy.length);
    assert_true(text_find(policy, TEXT("sandbox")) < policy.length);
    holds(page, "<script", false);
    holds(page, "&lt;script&gt;", true);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "bob", {BROWSER}).status, 403);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, NULL, {BROWSER}).status, 401);
    struct answer caps = ASK_XCAP(fixture, "GET", ROOT "xcap-caps/global/index", NULL, {BROWSER});
    holds(caps, "<html", true);
}

static void programs_get_the_document(void **state)
{
    (void)state;
    static const char *const accepted[] = {
        "Accept: */*",
        "Accept: application/resource-lists+xml",
        "Accept: text/html, application/resource-lists+xml",
        "Accept: text/html;q=0.5, application/*;q=0.6",
        "Accept: text/html;q=0.7, */*;q=0.7",
        "Accept: text/html;q=0",
        "Accept: text/*;q=0.9, application/resource-lists+xml;q=0.9",
        "Accept:",
    };
    static const char *const paged[] = {
        "Accept: text/html",
        "Accept: TEXT/HTML; level=1; Q=0.7, */*;q=0.699",
        "Accept: text/*;q=0.2",
        "Accept: */*;q=0.1,, text/html ;q=1.000",
        "Accept: text/html, application/resource-lists+xml;q=0, */*",
    };
    assert_int_equal(put(LISTS, "alice", LISTS_TYPE, LISTS_BODY), 201);
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        struct answer answer = ASK_XCAP(fixture, "GET", LISTS, "alice", {accepted[i]});
        if (!text_equal(answer.body, TEXT(LISTS_BODY)))
            fail_msg("%s", accepted[i]);
        assert_text(answer_header(&answer, "Vary", 0), "Accept, Accept-Encoding");
    }
    for (size_t i = 0; i < sizeof(paged) / sizeof(paged[0]); i++) {
        struct answer answer = ASK_XCAP(fixture, "GET", LISTS, "alice", {paged[i]});
        if (!answer_holds(&answer, "<html"))
            fail_msg("%s", paged[i]);
    }
    struct answer node = ASK_XCAP(fixture, "GET", LISTS "/~~/resource-lists/list", "alice", {BROWSER});
    assert_true(text_equal(node.body, TEXT("<list name=\"a\"/>")));
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS "-none", "alice", {BROWSER}).status, 404);
}

static struct usage_set *load(void)
{
    struct usage_set *set = NULL;
    struct text error = {0};
    assert_int_equal(usage_set_load("schemas", &set, &fixture->arena, &error), OK);
    return set;
}

static void replace_usages(struct usage_set *next)
{
    assert_true(documents_replace(fixture->documents, next));
    while (!documents_retired(fixture->documents)) /* the answer is out a little before its request has ended */
        sched_yield();
}

static void requests_let_go_of_replaced_usages(void **state)
{
    (void)state;
    struct usage_set *own = NULL; /* in force since the round before; at first there are those of all tests */
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(put(LISTS, "alice", LISTS_TYPE, i % 2 ? LISTS_BODY : LISTS_BODY "\n"), 500);
        assert_int_equal(put(LISTS, "alice", "Content-Type: text/plain", LISTS_BODY), 415);
        assert_int_equal(get(LISTS, "alice").status, 200);
        assert_int_equal(get(LISTS, "bob").status, 403);
        assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/groups").status, 200);
        assert_int_equal(ASK_ADMIN(fixture, "GET", "/api/v1/groups/sip:none@example.com").status, 404);
        struct usage_set *next = load();
        replace_usages(next);
        usage_set_free(own);
        own = next;
    }
    replace_usages(fixture->usages);
    usage_set_free(own);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_directory_is_read_and_compared_like_any_document),
        SERVED(a_node_of_a_directory_can_be_selected),
        SERVED(a_directory_is_for_its_owner_and_for_servers),
        SERVED(the_global_index_is_for_servers_alone),
        SERVED(made_documents_are_read_in_parts_by_their_links),
        SERVED(too_much_to_list_is_answered_507),
        SERVED(a_locked_profile_is_written_by_operators),
        SERVED(an_owner_may_let_go_of_history_and_not_write_it),
        SERVED(a_list_of_messages_has_a_tag_that_tells_its_changes),
        SERVED(parts_of_an_entry_are_read_and_not_deleted),
        SERVED(a_long_history_is_listed_from_its_newest_and_deleted_whole),
        SERVED(a_history_is_read_in_parts),
        SERVED(presence_of_another_user_is_forbidden),
        SERVED(icons_stand_in_a_sub_directory),
        SERVED(unprefixed_names_are_of_the_usage),
        SERVED(a_browser_gets_a_page),
        SERVED(programs_get_the_document),
        SERVED(requests_let_go_of_replaced_usages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
