/* Made documents that are read in parts: what is left out is told, the rest can be reached, nothing is missing or
 * there twice; and elements of a union that are found without making it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "made_documents.h"

#define DIRECTORY "org.openmobilealliance.xcap-directory"
#define MANY      2345 /* more than two pages of the store, and no multiple of anything */

static struct stored read_part(const struct document_place *place, const struct document_part *part, struct text *next)
{
    struct stored found;
    assert_int_equal(document_read_part(documents, place, part, &arena, &found, next), OK);
    must_be_valid(place, found.bytes);
    return found;
}

static struct stored folder_of(const char *owner, const char *auid, const char *after, size_t max, struct text *next)
{
    const struct document_place place = place_of(DIRECTORY, owner, "directory.xml");
    const struct document_part part = {text_of(auid), text_of(after), max};
    return read_part(&place, &part, next);
}

static struct stored services_behind(const char *after, size_t max, struct text *next)
{
    const struct document_place place = place_of("rls-services", "", "index");
    const struct document_part part = {.after = text_of(after), .limit = max};
    return read_part(&place, &part, next);
}

/* Number behind the n-th "…-" of these bytes, for names such as "list-00017". */
static void note_names(struct text bytes, const char *before, unsigned char *seen)
{
    for (size_t at; (at = text_find(bytes, text_of(before))) < bytes.length;) {
        uint64_t number;
        size_t begin = at + strlen(before);
        assert_true(text_to_u64(text_slice(bytes, begin, begin + 5), &number));
        seen[number]++;
        bytes = text_slice(bytes, begin, bytes.length);
    }
}

static void put_lists(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_raw("resource-lists", TEXT(ANN), text_format(&arena, "list-%05u", i), TEXT("<x/>"));
}

static void walking_the_parts_of_a_directory_meets_each_document_once(void **state)
{
    (void)state;
    unsigned char seen[MANY] = {0};
    struct text next = TEXT("");
    unsigned parts = 0;
    put_lists(MANY);
    put("org.openmobilealliance.groups", ANN, "team",
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:hikers@example.com'/></group>");
    put("resource-lists", BOB, "list-00000", LISTS);
    do {
        struct text after = next;
        struct text bytes = folder_of(ANN, "resource-lists", text_cstring(&arena, after), 100, &next).bytes;
        note_names(bytes, "/list-", seen);
        parts++;
        size_t left = MANY - (parts * 100 < MANY ? parts * 100 : MANY);
        says(bytes, text_cstring(&arena, text_format(&arena, " more-entry-elements=\"%zu\"", left)), left > 0);
        says(bytes, "bob", false);
        says(bytes, "hikers", false);
        assert_int_equal(count_of(bytes, "<folder "), 1);
    } while (next.length);
    assert_int_equal(parts, MANY / 100 + 1);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
}

static void what_stays_is_met_once_while_others_come_and_go(void **state)
{
    (void)state;
    unsigned char seen[MANY] = {0};
    struct text next = TEXT("");
    put_lists(MANY);
    for (unsigned part = 0; part == 0 || next.length; part++) {
        struct text bytes = folder_of(ANN, "resource-lists", text_cstring(&arena, next), 50, &next).bytes;
        note_names(bytes, "/list-", seen);
        /* odd ones go on both sides of where the walk is, and it may have ended at one of them */
        for (unsigned i = part * 48 + 1; i < part * 48 + 60 && i < MANY; i += 2) {
            struct commit gone = {.key = {TEXT("resource-lists"), TEXT(ANN), text_format(&arena, "list-%05u", i)},
                                  .expected = VERSION_ANY,
                                  .deletion = true};
            assert_int_equal(store_commit(store, &gone, 1), OK);
        }
        put_raw("resource-lists", TEXT(ANN), text_format(&arena, "lisa-%05u", part), TEXT("<x/>"));
        put_raw("resource-lists", TEXT(ANN), text_format(&arena, "lists-%05u", part), TEXT("<x/>"));
    }
    for (unsigned i = 0; i < MANY; i++)
        if (i % 2 ? seen[i] > 1 : seen[i] != 1)
            fail_msg("%u was met %u times", i, seen[i]);
}

static void a_directory_that_is_too_large_says_what_is_left_out(void **state)
{
    (void)state;
    char filler[400];
    memset(filler, 'x', sizeof(filler));
    for (unsigned i = 0; i < 9000; i++) /* of 1 KB each in the listing */
        put_raw("resource-lists", TEXT(ANN), text_format(&arena, "%.400s-%05u", filler, i), TEXT("<x/>"));
    put("org.openmobilealliance.groups", ANN, "team",
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:hikers@example.com'/></group>");
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    const struct document_place place = place_of(DIRECTORY, ANN, "directory.xml");
    struct stored found, head;
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_true(found.bytes.length < DOCUMENT_LISTING_MAX);
    size_t entries = count_of(found.bytes, "xxx-");
    assert_in_range(entries, 3000, 8999);
    says(found.bytes, text_cstring(&arena, text_format(&arena, " more-entry-elements=\"%zu\"", 9000 - entries)), true);
    assert_int_equal(count_of(found.bytes, "more-entry-elements"), 1);
    says(found.bytes, "/org.openmobilealliance.groups/users/sip:ann@example.com/team\"", true);
    says(found.bytes, "/rls-services/users/sip:ann@example.com/index\"", true); /* behind the large folder */
    assert_int_equal(document_read_version(documents, &place, &head), OK);
    assert_int_equal(head.version, found.version);
    struct text next;
    const char *last = text_cstring(&arena, text_format(&arena, "%.400s-%05zu", filler, entries - 1));
    struct text rest = folder_of(ANN, "resource-lists", last, 10, &next).bytes;
    says(rest, text_cstring(&arena, text_format(&arena, "-%05zu\"", entries)), true);
}

static void every_folder_of_a_directory_can_be_short(void **state)
{
    (void)state;
    struct text next;
    put_lists(5);
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    struct text bytes = folder_of(ANN, "", "", 2, &next).bytes;
    assert_int_equal(next.length, 0);
    says(bytes, "<folder auid=\"resource-lists\" more-entry-elements=\"3\">", true);
    says(bytes, "<folder auid=\"rls-services\">", true);
    assert_int_equal(count_of(bytes, "<entry "), 3);
    bytes = folder_of(ANN, "resource-lists", "list-00002", 2, &next).bytes;
    says(bytes, "more-entry-elements", false);
    says(bytes, "/list-00003\"", true);
    assert_int_equal(next.length, 0);
    bytes = folder_of(ANN, "resource-lists", "list-00004", 2, &next).bytes;
    says(bytes, "<folder auid=\"resource-lists\"/>", true);
}

static void what_is_not_served_is_no_entry_and_not_counted(void **state)
{
    (void)state;
    struct text next;
    for (unsigned i = 0; i < 3 * STORE_PAGE_MAX; i++)
        put_raw("org.openmobilealliance.user-profile", TEXT(ANN), text_format(&arena, "old-%05u", i), TEXT("<x/>"));
    put_raw("org.openmobilealliance.user-profile", TEXT(ANN), TEXT("user-profile"), TEXT("<x/>"));
    struct text bytes = folder_of(ANN, "org.openmobilealliance.user-profile", "", 1, &next).bytes;
    assert_int_equal(count_of(bytes, "<entry "), 1);
    says(bytes, "more-entry-elements", false);
}

static void the_version_of_a_part_follows_its_bytes(void **state)
{
    (void)state;
    struct text next;
    put_lists(20);
    uint64_t first = folder_of(ANN, "resource-lists", "", 10, &next).version;
    uint64_t second = folder_of(ANN, "resource-lists", "list-00009", 10, &next).version;
    assert_int_not_equal(first, second);
    put_raw("resource-lists", TEXT(ANN), TEXT("list-00015"), TEXT("<y/>"));
    assert_int_equal(folder_of(ANN, "resource-lists", "", 10, &next).version, first);
    assert_int_not_equal(folder_of(ANN, "resource-lists", "list-00009", 10, &next).version, second);
    put_raw("resource-lists", TEXT(ANN), TEXT("list-00020"), TEXT("<x/>"));
    assert_int_not_equal(folder_of(ANN, "resource-lists", "", 10, &next).version, first); /* there is one more behind */
}

static void there_are_parts_of_what_lists_alone(void **state)
{
    (void)state;
    static const char *const none[][4] = {{"xcap-caps", "", "index", ""},
                                          {"resource-lists", ANN, "index", ""},
                                          {DIRECTORY, ANN, "directory.xml", "no.such.usage"},
                                          {DIRECTORY, ANN, "directory.xml", "xcap-caps"}};
    put("resource-lists", ANN, "index", LISTS);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        const struct document_place place = place_of(none[i][0], none[i][1], none[i][2]);
        const struct document_part part = {.auid = text_of(none[i][3]), .limit = 10};
        struct stored found;
        struct text next;
        assert_int_equal(document_read_part(documents, &place, &part, &arena, &found, &next), NOT_FOUND);
    }
}

static void walking_the_parts_of_the_global_index_meets_each_service_once(void **state)
{
    (void)state;
    unsigned char seen[MANY] = {0};
    struct text next = TEXT("");
    unsigned parts = 0;
    for (unsigned i = 0; i < MANY; i++)
        put_raw("rls-services", text_format(&arena, "sip:u%05u@example.com", MANY - 1 - i), TEXT("index"),
                text_format(&arena, RLS(SERVICE("sip:s-%05u@example.com")), i));
    do {
        struct text bytes = services_behind(text_cstring(&arena, next), 100, &next).bytes;
        note_names(bytes, "sip:s-", seen);
        parts++;
    } while (next.length);
    assert_int_equal(parts, MANY / 100 + 1);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(seen[i], 1);
}

static void put_large_services(unsigned count, size_t bytes)
{
    char *filler = arena_array(&arena, char, bytes + 1);
    memset(filler, 'x', bytes);
    for (unsigned i = 0; i < count; i++)
        put_raw("rls-services", text_format(&arena, "sip:u%05u@example.com", i), TEXT("index"),
                text_format(&arena,
                            RLS("<service uri='sip:s-%05u@example.com'><list/><x xmlns='urn:x'>%s</x></service>"), i,
                            filler));
}

static void a_part_of_the_global_index_is_of_moderate_size(void **state)
{
    (void)state;
    unsigned char seen[20] = {0};
    struct text next = TEXT("");
    put_large_services(19, 300000);
    for (unsigned parts = 0; parts == 0 || next.length; parts++) {
        struct text bytes = services_behind(text_cstring(&arena, next), STORE_PAGE_MAX, &next).bytes;
        assert_in_range(bytes.length, 1, DOCUMENT_PART_BYTES_MAX);
        note_names(bytes, "sip:s-", seen);
    }
    for (unsigned i = 0; i < 19; i++)
        assert_int_equal(seen[i], 1);
}

static void a_document_that_is_larger_than_a_part_is_one(void **state)
{
    (void)state;
    struct text next;
    put_large_services(3, 2000000);
    struct text bytes = services_behind("", 10, &next).bytes;
    assert_int_equal(count_of(bytes, "<service "), 1);
    assert_true(text_equal(next, TEXT("sip:u00000@example.com")));
    services_behind("sip:u00001@example.com", 10, &next);
    assert_int_equal(next.length, 0);
}

/* --- one service of the global index --- */

static enum status select_service(const char *node, const char *query, struct text *node_out, uint64_t *version_out)
{
    const struct document_place place = place_of("rls-services", "", "index");
    struct xcap_selector selector;
    struct refusal refusal;
    struct stored found = {0};
    assert_int_equal(
        xcap_selector_parse(text_of(node), text_of(query), place.usage->namespace, &arena, &selector, &refusal), OK);
    enum status status = document_read_node(documents, &place, &selector, &arena, &found, node_out);
    *version_out = found.version;
    return status;
}

#define PREFIXED                                                                                                       \
    "<s:rls-services xmlns:s='urn:ietf:params:xml:ns:rls-services' xmlns='urn:ietf:params:xml:ns:resource-lists'>"     \
    "<s:service uri='sip:c@example.com;a=1' xmlns:p='urn:p' p:x='1'><s:list><entry uri='sip:x@example.com'/></s:list>" \
    "<s:packages><s:package>presence</s:package></s:packages></s:service>"                                             \
    "<s:service uri='sip:d@example.com'><s:list/></s:service></s:rls-services>"

static void a_service_is_the_same_as_in_the_whole_index(void **state)
{
    (void)state;
    static const char *const nodes[] = {
        "rls-services/service[@uri=\"sip:a@example.com\"]",
        "rls-services/service[@uri=\"sip:c@example.com;a=1\"]",
        "rls-services/service[@uri=\"sip:c@example.com;a=1\"]/packages/package[1]",
        "rls-services/service[@uri=\"sip:c@example.com;a=1\"]/@uri",
        "rls-services/service[@uri=\"sip:c@example.com;a=1\"]/namespace::*",
        "s:rls-services/s:service[@uri=\"sip:d@example.com\"]",
    };
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com") SERVICE("sip:b@example.com")));
    put("rls-services", BOB, "index", PREFIXED);
    const struct document_place place = place_of("rls-services", "", "index");
    struct stored whole;
    assert_int_equal(document_read(documents, &place, &arena, &whole), OK);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        struct text node;
        uint64_t version;
        assert_int_equal(select_service(nodes[i], "xmlns(s=urn:ietf:params:xml:ns:rls-services)", &node, &version), OK);
        assert_true(text_find(whole.bytes, node) < whole.bytes.length || strstr(nodes[i], "namespace::"));
        assert_int_not_equal(version, whole.version);
    }
}

static void a_service_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const nodes[] = {
        "rls-services/service[@uri=\"sip:n@example.com\"]",
        "rls-services/service[@uri=\"SIP:a@example.com\"]",
        "rls-services/service[@uri=\"sip:a@EXAMPLE.com\"]",
        "rls-services/service[@uri=\"no address\"]",
        "rls-services/service[@uri=\"\"]",
        "rls-services/service[@uri=\"sip:hikers@example.com\"]",
        "rls-services/service[@uri=\"sip:a@example.com\"]/other",
        "rls-services/list[@uri=\"sip:a@example.com\"]",
        "services/service[@uri=\"sip:a@example.com\"]",
        "rls-services/service[@id=\"sip:a@example.com\"]",
    };
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    put("org.openmobilealliance.groups", ANN, "team",
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:hikers@example.com'/></group>");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        struct text node;
        uint64_t version;
        if (select_service(nodes[i], "", &node, &version) != NOT_FOUND)
            fail_msg("%s", nodes[i]);
    }
}

/* However many there are: nothing is listed for it. */
static void a_service_is_found_without_making_the_index(void **state)
{
    (void)state;
    struct text node;
    uint64_t version;
    put_large_services(12, 1000000);
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    const struct document_place place = place_of("rls-services", "", "index");
    struct stored found;
    assert_int_equal(document_read(documents, &place, &arena, &found), FULL);
    assert_int_equal(select_service("rls-services/service[1]", "", &node, &version), FULL);
    const struct store_fault faults[] = {{STORE_CALL_LIST, 1, 0, FAILED, false},
                                         {STORE_CALL_HOLDERS, 1, 0, FAILED, false}};
    struct store *faulty = store_open_faulty(store, faults, 2);
    struct documents *listless = documents_new(faulty, usages);
    struct documents *before = documents;
    documents = listless;
    assert_int_equal(select_service("rls-services/service[@uri=\"sip:a@example.com\"]", "", &node, &version), OK);
    assert_int_equal(select_service("rls-services/service[@uri=\"sip:n@example.com\"]", "", &node, &version),
                     NOT_FOUND);
    documents_free(listless);
    documents = before;
    store = faulty; /* owns the other */
    documents_free(documents);
    documents = documents_new(store, usages);
}

static void the_version_of_a_service_follows_its_document(void **state)
{
    (void)state;
    static const char node[] = "rls-services/service[@uri=\"sip:a@example.com\"]";
    struct text bytes;
    uint64_t first, again;
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    assert_int_equal(select_service(node, "", &bytes, &first), OK);
    put("rls-services", BOB, "index", RLS(SERVICE("sip:b@example.com")));
    assert_int_equal(select_service(node, "", &bytes, &again), OK);
    assert_int_equal(first, again);
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com") SERVICE("sip:c@example.com")));
    assert_int_equal(select_service(node, "", &bytes, &again), OK);
    assert_int_not_equal(first, again);
    struct refusal refusal;
    assert_int_equal(change("rls-services", ANN, "index", NULL, &refusal), OK);
    assert_int_equal(select_service(node, "", &bytes, &again), NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(walking_the_parts_of_a_directory_meets_each_document_once),
        IN_STORE(what_stays_is_met_once_while_others_come_and_go),
        IN_STORE(a_directory_that_is_too_large_says_what_is_left_out),
        IN_STORE(every_folder_of_a_directory_can_be_short),
        IN_STORE(what_is_not_served_is_no_entry_and_not_counted),
        IN_STORE(the_version_of_a_part_follows_its_bytes),
        IN_STORE(there_are_parts_of_what_lists_alone),
        IN_STORE(walking_the_parts_of_the_global_index_meets_each_service_once),
        IN_STORE(a_part_of_the_global_index_is_of_moderate_size),
        IN_STORE(a_document_that_is_larger_than_a_part_is_one),
        IN_STORE(a_service_is_the_same_as_in_the_whole_index),
        IN_STORE(a_service_that_is_not_there_is_not_found),
        IN_STORE(a_service_is_found_without_making_the_index),
        IN_STORE(the_version_of_a_service_follows_its_document),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
