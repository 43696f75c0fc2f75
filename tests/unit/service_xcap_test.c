/* XCAP over HTTP as clients see it: who may do what, codes, headers, and the order of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "service_tests.h"

#define LISTS   "/xcap-root/resource-lists/users/sip:alice@example.com/index"
#define BOBS    "/xcap-root/resource-lists/users/sip:bob@example.com/index"
#define CAPS    "/xcap-root/xcap-caps/global/index"
#define PROFILE "/xcap-root/org.openmobilealliance.user-profile/users/sip:alice@example.com/user-profile"
#define ENTRY   "/~~/resource-lists/list/entry%5b@uri=%22sip:carol@example.com%22%5d"
#define TYPE    "Content-Type: application/resource-lists+xml"
#define ELEMENT "Content-Type: application/xcap-el+xml"
#define BODY                                                                                                           \
    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"friends\">"                          \
    "<entry uri=\"sip:bob@example.com\"/></list></resource-lists>"
#define CAROL "<entry uri=\"sip:carol@example.com\"/>"

static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, "", "alice bob");
}

static struct answer put_lists(void)
{
    struct answer answer = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY);
    assert_true(answer.status == 200 || answer.status == 201);
    return answer;
}

static long status_of(const char *method, const char *path, const char *user)
{
    return ASK_XCAP(fixture, method, path, user).status;
}

static void assert_conflict(struct answer answer, const char *element)
{
    struct xml_document *document;
    struct refusal refusal;
    assert_int_equal(answer.status, 409);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/xcap-error+xml");
    enum status status = xml_parse(answer.body, &XML_LIMITS_STANDARD, &fixture->arena, &document, &refusal);
    assert_int_equal(status, OK);
    xml_document_free(document);
    char tag[64];
    snprintf(tag, sizeof(tag), "<%s", element);
    if (!answer_holds(&answer, tag))
        fail_msg("no %s in %.*s", tag, TEXT_ARG(answer.body));
}

static void strangers_learn_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {LISTS,
                                        BOBS,
                                        "/xcap-root/resource-lists/users/sip:nobody@example.com/index",
                                        "/xcap-root/resource-lists/users/nobody/index",
                                        "/xcap-root/resource-lists/users/sip:alice@example.com/",
                                        "/xcap-root/resource-lists/elsewhere/index",
                                        "/xcap-root/no-such-usage/users/sip:alice@example.com/index",
                                        "/xcap-root/org.openmobilealliance.user-profile/users/sip:alice@example.com/x",
                                        "/xcap-root/resource-lists/users/sip:alice@example.com/index/~~/q:x"};
    static const char *const methods[] = {"GET", "PUT", "DELETE", "POST", "BREW"};
    put_lists();
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t j = 0; j < sizeof(methods) / sizeof(methods[0]); j++)
            if (status_of(methods[j], paths[i], NULL) != 401)
                fail_msg("%s %s", methods[j], paths[i]);
}

static void a_stranger_is_offered_sha256_first(void **state)
{
    (void)state;
    struct answer answer = ASK_XCAP(fixture, "GET", LISTS);
    struct text first = answer_header(&answer, "WWW-Authenticate", 0);
    struct text second = answer_header(&answer, "WWW-Authenticate", 1);
    assert_true(text_starts_with(first, TEXT("Digest ")));
    assert_true(text_find(first, TEXT("algorithm=SHA-256")) < first.length);
    assert_true(text_find(second, TEXT("algorithm=MD5")) < second.length);
    assert_true(answer.body.length > 0);
}

static void a_wrong_password_is_challenged_again(void **state)
{
    (void)state;
    fixture_user(fixture, "carol");
    struct ask ask = {"GET", LISTS, "carol"};
    assert_int_equal(ask_with(&fixture->arena, fixture->xcap, &ask).status, 403);
    ask.user = "nobody";
    assert_int_equal(ask_with(&fixture->arena, fixture->xcap, &ask).status, 401);
}

static void a_broken_authorization_is_a_bad_request(void **state)
{
    (void)state;
    struct answer answer =
        ASK_XCAP(fixture, "GET", LISTS, NULL, {"Authorization: Digest username=\"alice\", realm=\"realm\", nonce"});
    assert_true(answer.status == 400 || answer.status == 401);
}

static void capabilities_are_open_to_anyone(void **state)
{
    (void)state;
    struct answer answer = ASK_XCAP(fixture, "GET", CAPS);
    assert_int_equal(answer.status, 200);
    assert_text(answer_header(&answer, "Content-Type", 0), "application/xcap-caps+xml");
    assert_true(answer_holds(&answer, "resource-lists"));
    assert_true(answer_header(&answer, "ETag", 0).length > 2);
    assert_int_equal(status_of("PUT", CAPS, NULL), 401);
}

static void only_the_owner_gets_in(void **state)
{
    (void)state;
    put_lists();
    assert_int_equal(status_of("GET", LISTS, "bob"), 403);
    assert_int_equal(status_of("PUT", LISTS, "bob"), 403);
    assert_int_equal(status_of("DELETE", LISTS, "bob"), 403);
    /* and is not told whether there is such a user, or could be such a document */
    assert_int_equal(status_of("GET", "/xcap-root/resource-lists/users/sip:nobody@example.com/index", "bob"), 403);
    assert_int_equal(
        status_of("GET", "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.com/a/b", "bob"), 403);
    assert_int_equal(status_of("GET", LISTS, "alice"), 200);
}

static void what_users_may_read_of_others_they_may_not_write(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", PROFILE, "bob"), 404);
    assert_int_equal(status_of("PUT", PROFILE, "bob"), 403);
    assert_int_equal(status_of("GET",
                               "/xcap-root/org.openmobilealliance.user-profile/users/sip:nobody@example.com/"
                               "user-profile",
                               "bob"),
                     404);
}

static void who_is_let_in_is_told_what_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/xcap-root/no-such-usage/users/sip:alice@example.com/index", "alice"), 404);
    assert_int_equal(status_of("GET", "/xcap-root/resource-lists/elsewhere/index", "alice"), 404);
    assert_int_equal(status_of("GET", "/xcap-root/resource-lists/users/sip:alice@example.com/", "alice"), 404);
    assert_int_equal(status_of("GET", LISTS "x", "alice"), 404);
    assert_int_equal(status_of("DELETE", LISTS "x", "alice"), 404);
    assert_int_equal(status_of("GET", LISTS "/~~/q:resource-lists", "alice"), 400);
    assert_int_equal(status_of("GET", "/xcap-root/resource-lists/users/sip:alice%zzexample.com/index", NULL), 400);
}

static void a_document_is_created_replaced_and_deleted(void **state)
{
    (void)state;
    struct answer created = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY);
    assert_int_equal(created.status, 201);
    assert_int_equal(created.body.length, 0);
    struct text tag = answer_header(&created, "ETag", 0);
    assert_true(text_starts_with(tag, TEXT("\"")) && text_ends_with(tag, TEXT("\"")));

    struct answer read = ASK_XCAP(fixture, "GET", LISTS, "alice");
    assert_int_equal(read.status, 200);
    assert_text(read.body, BODY);
    assert_true(text_equal(answer_header(&read, "ETag", 0), tag));
    assert_text(answer_header(&read, "Content-Type", 0), "application/resource-lists+xml");
    assert_text(answer_header(&read, "Cache-Control", 0), "private, no-cache");
    assert_true(text_ends_with(answer_header(&read, "Last-Modified", 0), TEXT(" GMT")));

    struct answer head = ASK_XCAP(fixture, "HEAD", LISTS, "alice");
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body.length, 0);
    assert_true(text_equal(answer_header(&head, "ETag", 0), tag));

    struct answer replaced = ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, BODY " ");
    assert_int_equal(replaced.status, 200);
    assert_int_equal(replaced.body.length, 0);
    assert_false(text_equal(answer_header(&replaced, "ETag", 0), tag));

    struct answer deleted = ASK_XCAP(fixture, "DELETE", LISTS, "alice");
    assert_int_equal(deleted.status, 200);
    assert_int_equal(answer_header(&deleted, "ETag", 0).length, 0);
    assert_int_equal(status_of("GET", LISTS, "alice"), 404);
    assert_int_equal(status_of("DELETE", LISTS, "alice"), 404);
}

static void nodes_have_types_of_their_own_and_one_tag(void **state)
{
    (void)state;
    put_lists();
    struct answer created = ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT}, CAROL);
    assert_int_equal(created.status, 201);
    struct text tag = answer_header(&created, "ETag", 0);

    struct answer element = ASK_XCAP(fixture, "GET", LISTS ENTRY, "alice");
    assert_int_equal(element.status, 200);
    assert_text(element.body, CAROL);
    assert_text(answer_header(&element, "Content-Type", 0), "application/xcap-el+xml");
    assert_true(text_equal(answer_header(&element, "ETag", 0), tag));

    struct answer attribute = ASK_XCAP(fixture, "GET", LISTS ENTRY "/@uri", "alice");
    assert_text(attribute.body, "\"sip:carol@example.com\"");
    assert_text(answer_header(&attribute, "Content-Type", 0), "application/xcap-att+xml");
    assert_true(text_equal(answer_header(&attribute, "ETag", 0), tag));

    struct answer namespaces = ASK_XCAP(fixture, "GET", LISTS ENTRY "/namespace::*", "alice");
    assert_text(answer_header(&namespaces, "Content-Type", 0), "application/xcap-ns+xml");
    assert_true(text_equal(answer_header(&namespaces, "ETag", 0), tag));

    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT}, CAROL).status, 200);
    struct answer deleted = ASK_XCAP(fixture, "DELETE", LISTS ENTRY, "alice");
    assert_int_equal(deleted.status, 200);
    struct text after = answer_header(&deleted, "ETag", 0);
    assert_true(after.length && !text_equal(after, tag));
    assert_int_equal(status_of("GET", LISTS ENTRY, "alice"), 404);
}

static const char *with_tag(const char *name, struct text tag)
{
    return text_cstring(&fixture->arena, text_format(&fixture->arena, "%s: %.*s", name, TEXT_ARG(tag)));
}

static void a_reader_who_has_it_gets_304(void **state)
{
    (void)state;
    struct answer put = put_lists();
    struct text tag = answer_header(&put, "ETag", 0);
    const char *same = with_tag("If-None-Match", tag);
    struct answer answer = ASK_XCAP(fixture, "GET", LISTS, "alice", {same});
    assert_int_equal(answer.status, 304);
    assert_int_equal(answer.body.length, 0);
    assert_true(text_equal(answer_header(&answer, "ETag", 0), tag));
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS "/~~/resource-lists/list", "alice", {same}).status, 304);
    /* a node that is not there is 404 whatever the tag */
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS ENTRY, "alice", {same}).status, 404);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {"If-None-Match: \"other\""}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {"If-Match: \"other\""}).status, 412);
}

static const char *large_lists(void)
{
    struct text_builder body;
    builder_init(&body, &fixture->arena);
    builder_add(&body, TEXT("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list name=\"friends\">"));
    for (int i = 0; i < 100; i++)
        builder_add_format(&body, "<entry uri=\"sip:friend-%d@example.com\"/>", i);
    builder_add(&body, TEXT("</list></resource-lists>"));
    return text_cstring(&fixture->arena, builder_text(&body));
}

static void assert_coded(const struct answer *answer, bool coded)
{
    assert_int_equal(answer->status, 200);
    assert_text(answer_header(answer, "Content-Encoding", 0), coded ? "gzip" : "");
    assert_true(text_ends_with(answer_header(answer, "ETag", 0), TEXT("-gz\"")) == coded);
    assert_true(text_ends_with(answer_header(answer, "Vary", 0), TEXT("Accept-Encoding")));
}

static void large_answers_are_compressed_for_who_asks(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool coded;
    } examples[] = {
        {"Accept-Encoding: gzip", true},
        {"Accept-Encoding: deflate, GZIP;q=0.5, br", true},
        {"Accept-Encoding: x-gzip", true},
        {"Accept-Encoding: *", true},
        {"Accept-Encoding: identity;q=0.5, gzip", true},
        {"Accept-Encoding: gzip;q=0", false},
        {"Accept-Encoding: *, gzip;q=0.000", false},
        {"Accept-Encoding: gzip;q=0, *", false},
        {"Accept-Encoding: identity, gzip;q=0.9", false},
        {"Accept-Encoding: br, deflate", false},
        {"Accept-Encoding:", false},
        {"X-Nothing: gzip", false},
    };
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, large_lists()).status, 201);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct answer answer = ASK_XCAP(fixture, "GET", LISTS, "alice", {examples[i].accept});
        assert_coded(&answer, examples[i].coded);
        assert_true(text_starts_with(answer.body, TEXT("\x1f\x8b")) == examples[i].coded);
    }
    struct answer node = ASK_XCAP(fixture, "GET", LISTS "/~~/resource-lists/list", "alice", {"Accept-Encoding: gzip"});
    assert_coded(&node, true);
    struct answer small =
        ASK_XCAP(fixture, "GET", LISTS "/~~/resource-lists/list/@name", "alice", {"Accept-Encoding: gzip"});
    assert_coded(&small, false);
    struct answer get = ASK_XCAP(fixture, "GET", LISTS, "alice", {"Accept-Encoding: gzip"});
    struct answer head = ASK_XCAP(fixture, "HEAD", LISTS, "alice", {"Accept-Encoding: gzip"});
    assert_coded(&head, true);
    assert_true(text_equal(answer_header(&head, "Content-Length", 0), answer_header(&get, "Content-Length", 0)));
}

static void the_tag_of_a_compressed_answer_is_good_in_conditions(void **state)
{
    (void)state;
    const char *gzip = "Accept-Encoding: gzip";
    ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, large_lists());
    struct answer get = ASK_XCAP(fixture, "GET", LISTS, "alice", {gzip});
    struct text tag = answer_header(&get, "ETag", 0);
    const char *none = with_tag("If-None-Match", tag), *same = with_tag("If-Match", tag);
    struct answer unchanged = ASK_XCAP(fixture, "GET", LISTS, "alice", {gzip, none});
    assert_int_equal(unchanged.status, 304);
    assert_true(text_equal(answer_header(&unchanged, "ETag", 0), tag));
    assert_text(answer_header(&unchanged, "Vary", 0), "Accept, Accept-Encoding");
    /* who takes no gzip any more cannot use what it has */
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {none}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, none}, BODY).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {same}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, same}, CAROL).status, 201);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, same}, CAROL).status, 412);
}

static void a_writer_who_has_another_version_gets_412(void **state)
{
    (void)state;
    struct answer put = put_lists();
    const char *same = with_tag("If-Match", answer_header(&put, "ETag", 0));
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, "If-None-Match: *"}, BODY).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, "If-None-Match: *"}, CAROL).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, "If-Match: \"other\""}, BODY).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, same}, CAROL).status, 201);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, same}, CAROL).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LISTS, "alice", {same}).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LISTS, "alice", {"If-Match: *"}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, "If-Match: *"}, BODY).status, 412);
}

static void conditions_on_times_count_where_there_is_none_on_tags(void **state)
{
    (void)state;
    static const char past[] = "Mon, 05 Jan 2026 10:00:00 GMT";
    struct answer put = put_lists();
    struct answer read = ASK_XCAP(fixture, "GET", LISTS, "alice");
    struct text modified = answer_header(&read, "Last-Modified", 0), tag = answer_header(&put, "ETag", 0);
    const char *since = with_tag("If-Modified-Since", modified);
    struct answer unchanged = ASK_XCAP(fixture, "GET", LISTS, "alice", {since});
    assert_int_equal(unchanged.status, 304);
    assert_true(text_equal(answer_header(&unchanged, "ETag", 0), tag));
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS "/~~/resource-lists", "alice", {since}).status, 304);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {since, "If-None-Match: \"other\""}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {with_tag("If-Modified-Since", text_of(past))}).status,
                     200);
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {"If-Modified-Since: yesterday"}).status, 200);
    assert_int_equal(ASK_XCAP(fixture, "GET", CAPS, NULL, {since}).status, 200);

    const char *before = with_tag("If-Unmodified-Since", text_of(past));
    assert_int_equal(ASK_XCAP(fixture, "GET", LISTS, "alice", {before}).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, before}, BODY).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "DELETE", LISTS, "alice", {before}).status, 412);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, before, with_tag("If-Match", tag)}, BODY).status,
                     200);
    read = ASK_XCAP(fixture, "GET", LISTS, "alice");
    const char *same = with_tag("If-Unmodified-Since", answer_header(&read, "Last-Modified", 0));
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, same}, CAROL).status, 201);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS "x", "alice", {TYPE, before}, BODY).status, 201);
}

static void the_content_type_must_fit(void **state)
{
    (void)state;
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {0}, BODY).status, 415);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {"Content-Type: text/xml"}, BODY).status, 415);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, "Content-Encoding: gzip"}, BODY).status, 415);
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE "; charset=ISO-8859-1"}, BODY), "not-utf-8");
    assert_int_equal(
        ASK_XCAP(fixture, "PUT", LISTS, "alice",
                 {"Content-Type: Application/Resource-Lists+XML ; x=y;Charset=\"utf-8\"", "Content-Encoding: identity"},
                 BODY)
            .status,
        201);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {TYPE}, CAROL).status, 415);
}

static void refusals_come_in_order(void **state)
{
    (void)state;
    /* no parent, then type, then condition, then body */
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {TYPE}, CAROL), "no-parent");
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT, "If-Match: \"x\""}, CAROL), "no-parent");
    put_lists();
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {"If-Match: \"x\""}, "<").status, 415);
    assert_int_equal(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE, "If-Match: \"x\""}, "<").status, 412);
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, "<"), "not-well-formed");
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS, "alice", {TYPE}, "<a/>"), "schema-validation-error");
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT}, "<entry"), "not-xml-frag");
    assert_conflict(ASK_XCAP(fixture, "PUT", LISTS ENTRY, "alice", {ELEMENT}, "<entry uri=\"sip:x@y\"/>"),
                    "cannot-insert");
    assert_conflict(ASK_XCAP(fixture, "PUT", "/xcap-root/resource-lists/users/sip:alice@example.com/a/b/~~/x", "alice",
                             {ELEMENT}, "<x/>"),
                    "no-parent");
}

static void what_cannot_be_changed_answers_405(void **state)
{
    (void)state;
    put_lists();
    struct answer post = ASK_XCAP(fixture, "POST", LISTS, "alice", {TYPE}, BODY);
    assert_int_equal(post.status, 405);
    assert_text(answer_header(&post, "Allow", 0), "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_int_equal(status_of("BREW", LISTS, "alice"), 405);

    struct answer namespaces =
        ASK_XCAP(fixture, "PUT", LISTS "/~~/resource-lists/namespace::*", "alice", {"Content-Type: x/y"}, "x");
    assert_int_equal(namespaces.status, 405);
    assert_text(answer_header(&namespaces, "Allow", 0), "GET, HEAD, OPTIONS");
    struct answer caps = ASK_XCAP(fixture, "PUT", CAPS, "alice", {TYPE}, BODY);
    assert_int_equal(caps.status, 405);
    assert_text(answer_header(&caps, "Allow", 0), "GET, HEAD, OPTIONS");
    assert_int_equal(status_of("DELETE", CAPS, "alice"), 405);
}

static void options_says_what_is_allowed(void **state)
{
    (void)state;
    struct answer answer = ASK_XCAP(fixture, "OPTIONS", LISTS, "alice");
    assert_int_equal(answer.status, 200);
    assert_text(answer_header(&answer, "Allow", 0), "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_int_equal(answer.body.length, 0);
    answer = ASK_XCAP(fixture, "OPTIONS", CAPS);
    assert_text(answer_header(&answer, "Allow", 0), "GET, HEAD, OPTIONS");
    answer = ASK_XCAP(fixture, "OPTIONS", LISTS "/~~/resource-lists/namespace::*");
    assert_text(answer_header(&answer, "Allow", 0), "GET, HEAD, OPTIONS");
}

static void options_needs_no_user_and_tells_of_none(void **state)
{
    (void)state;
    put_lists();
    assert_int_equal(status_of("OPTIONS", LISTS, NULL), 200);
    assert_int_equal(status_of("OPTIONS", BOBS, NULL), 200);
    assert_int_equal(status_of("OPTIONS", "/xcap-root/resource-lists/users/sip:nobody@example.com/index", NULL), 200);
    assert_int_equal(status_of("OPTIONS", "/xcap-root/no-such-usage/users/sip:alice@example.com/index", NULL), 404);
    assert_int_equal(status_of("OPTIONS", LISTS "/~~/q:x", NULL), 400);
}

static void both_roots_lead_to_the_same_document(void **state)
{
    (void)state;
    put_lists();
    assert_int_equal(status_of("GET", "/resource-lists/users/sip%3Aalice%40example.com/index", "alice"), 200);
    assert_int_equal(status_of("GET", "/resource-lists/users/sip:alice@example.com/index?unknown(x)", "alice"), 200);
}

static void a_client_is_told_that_the_server_knows_the_password_too(void **state)
{
    (void)state;
    struct answer put = put_lists();
    struct text info = answer_header(&put, "Authentication-Info", 0);
    assert_true(text_find(info, TEXT("rspauth=")) < info.length);
}

static void a_document_of_a_deleted_user_is_closed_to_others(void **state)
{
    (void)state;
    assert_int_equal(ASK_XCAP(fixture, "PUT", PROFILE, "alice", {"Content-Type: application/vnd.oma.user-profile+xml"},
                              "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\">"
                              "<user-profile uri=\"sip:alice@example.com\"/></user-profiles>")
                         .status,
                     201);
    assert_int_equal(status_of("GET", PROFILE, "bob"), 200);
    assert_int_equal(user_delete(fixture->documents, TEXT("sip:alice@example.com"), TEXT("test")), OK);
    assert_int_equal(status_of("GET", PROFILE, "bob"), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strangers_learn_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_stranger_is_offered_sha256_first, begin, end),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_challenged_again, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_authorization_is_a_bad_request, begin, end),
        cmocka_unit_test_setup_teardown(capabilities_are_open_to_anyone, begin, end),
        cmocka_unit_test_setup_teardown(only_the_owner_gets_in, begin, end),
        cmocka_unit_test_setup_teardown(what_users_may_read_of_others_they_may_not_write, begin, end),
        cmocka_unit_test_setup_teardown(who_is_let_in_is_told_what_is_not_there, begin, end),
        cmocka_unit_test_setup_teardown(a_document_is_created_replaced_and_deleted, begin, end),
        cmocka_unit_test_setup_teardown(nodes_have_types_of_their_own_and_one_tag, begin, end),
        cmocka_unit_test_setup_teardown(a_reader_who_has_it_gets_304, begin, end),
        cmocka_unit_test_setup_teardown(large_answers_are_compressed_for_who_asks, begin, end),
        cmocka_unit_test_setup_teardown(the_tag_of_a_compressed_answer_is_good_in_conditions, begin, end),
        cmocka_unit_test_setup_teardown(a_writer_who_has_another_version_gets_412, begin, end),
        cmocka_unit_test_setup_teardown(conditions_on_times_count_where_there_is_none_on_tags, begin, end),
        cmocka_unit_test_setup_teardown(the_content_type_must_fit, begin, end),
        cmocka_unit_test_setup_teardown(refusals_come_in_order, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_changed_answers_405, begin, end),
        cmocka_unit_test_setup_teardown(options_says_what_is_allowed, begin, end),
        cmocka_unit_test_setup_teardown(options_needs_no_user_and_tells_of_none, begin, end),
        cmocka_unit_test_setup_teardown(both_roots_lead_to_the_same_document, begin, end),
        cmocka_unit_test_setup_teardown(a_client_is_told_that_the_server_knows_the_password_too, begin, end),
        cmocka_unit_test_setup_teardown(a_document_of_a_deleted_user_is_closed_to_others, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
