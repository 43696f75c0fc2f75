/* Documents that are made of what the store holds: directories, unions, their versions and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "made_documents.h"
#include "metrics.h"

static struct stored made(const char *auid, const char *owner, const char *name)
{
    struct document_place place = place_of(auid, owner, name);
    struct stored found, head;
    assert_int_equal(place.row->kind, USAGE_COMPUTED);
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(document_read_version(documents, &place, &head), OK);
    assert_int_equal(found.version, head.version);
    must_be_valid(&place, found.bytes);
    return found;
}

static struct stored directory(const char *owner)
{
    return made("org.openmobilealliance.xcap-directory", owner, "directory.xml");
}

static void a_directory_has_a_folder_for_each_usage(void **state)
{
    (void)state;
    struct text empty = directory(ANN).bytes;
    says(empty, "<folder auid=\"resource-lists\"/>", true);
    says(empty, "<folder auid=\"org.openmobilealliance.groups\"/>", true);
    says(empty, "xcap-caps", false);
    says(empty, "<folder auid=\"org.openmobilealliance.xcap-directory\"", false);
    says(empty, "<entry", false);
}

static void a_directory_lists_what_its_owner_has(void **state)
{
    (void)state;
    put("resource-lists", ANN, "index", LISTS);
    put("resource-lists", ANN, "a b<&>\"ü", LISTS);
    put("resource-lists", BOB, "secret", LISTS);
    put("org.openmobilealliance.pres-content", ANN, "oma_status-icon/rcs_status_icon",
        "<content xmlns='urn:oma:xml:prs:pres-content'><data/></content>");
    struct document_place place = place_of("resource-lists", ANN, "index");
    struct stored stored;
    assert_int_equal(document_read(documents, &place, &arena, &stored), OK);
    struct text bytes = directory(ANN).bytes, tag = document_etag(stored.version, &arena);
    const char *entry = text_cstring(
        &arena, text_format(&arena, "resource-lists/users/sip:ann@example.com/index\" etag=\"%.*s\" last-modified=\"20",
                            TEXT_ARG(text_slice(tag, 1, tag.length - 1))));
    says(bytes, entry, true);
    says(bytes, "uri=\"http://xdm.example.com/xcap-root/resource-lists/", true);
    says(bytes, "/a%20b%3C&amp;%3E%22%C3%BC\"", true);
    says(bytes, "/oma_status-icon/rcs_status_icon\"", true);
    says(bytes, "size=\"63\"", true);
    says(bytes, "bob", false);
    assert_int_equal(count_of(bytes, "<entry "), 3);
}

static void a_document_that_the_manifest_does_not_know_is_not_listed(void **state)
{
    (void)state;
    put_raw("org.openmobilealliance.user-profile", TEXT(ANN), TEXT("old-name"), TEXT("<x/>"));
    put_raw("no.such.usage", TEXT(ANN), TEXT("index"), TEXT("<x/>"));
    assert_int_equal(count_of(directory(ANN).bytes, "<entry "), 0);
}

static void the_version_of_a_directory_follows_its_bytes(void **state)
{
    (void)state;
    struct stored before = directory(ANN);
    assert_int_equal(directory(ANN).version, before.version);
    put("resource-lists", BOB, "index", LISTS);
    assert_int_equal(directory(ANN).version, before.version);
    put("resource-lists", ANN, "index", LISTS);
    struct stored one = directory(ANN);
    assert_int_not_equal(one.version, before.version);
    put("resource-lists", ANN, "index",
        "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list/></resource-lists>");
    assert_int_not_equal(directory(ANN).version, one.version);
    struct refusal refusal;
    assert_int_equal(change("resource-lists", ANN, "index", NULL, &refusal), OK);
    assert_int_equal(directory(ANN).version, before.version);
}

static void a_directory_goes_over_many_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * STORE_PAGE_MAX + 5; i++)
        put_raw("resource-lists", TEXT(ANN), text_format(&arena, "list-%05u", i), TEXT("<x/>"));
    struct text bytes = directory(ANN).bytes;
    assert_int_equal(count_of(bytes, "<entry "), 2 * STORE_PAGE_MAX + 5);
    says(bytes, "/list-00000\"", true);
    says(bytes, "/list-02004\"", true);
}

static struct stored global(void)
{
    return made("rls-services", "", "index");
}

static void the_global_index_is_the_union_of_all_users(void **state)
{
    (void)state;
    says(global().bytes, "<service", false);
    put("rls-services", ANN, "index",
        "<?xml version='1.0' encoding='UTF-8'?>\n<!-- mine -->\n" RLS(SERVICE("sip:a@example.com")
                                                                          SERVICE("sip:b@example.com")) "<!-- end -->");
    put("rls-services", BOB, "index",
        "<s:rls-services xmlns:s='urn:ietf:params:xml:ns:rls-services' xmlns='urn:ietf:params:xml:ns:resource-lists'>"
        "<s:service uri='sip:c@example.com'><s:list><entry uri='sip:x@example.com'/></s:list></s:service>"
        "</s:rls-services>");
    struct text bytes = global().bytes;
    says(bytes, "uri=\"sip:a@example.com\"", true);
    says(bytes, "uri=\"sip:b@example.com\"", true);
    says(bytes, "uri=\"sip:c@example.com\"", true);
    says(bytes, "<entry uri=\"sip:x@example.com\"/>", true);
    says(bytes, "mine", false);
    assert_int_equal(count_of(bytes, "<rls-services"), 1);
}

static void the_global_index_is_always_current(void **state)
{
    (void)state;
    uint64_t empty = global().version;
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    uint64_t one = global().version;
    assert_int_not_equal(one, empty);
    struct refusal refusal;
    assert_int_equal(change("rls-services", ANN, "index", NULL, &refusal), OK);
    assert_int_equal(global().version, empty);
}

static int64_t count_made(const char *how)
{
    const char *labels = text_cstring(&arena, text_format(&arena, "how=\"%s\"", how));
    return metric_value(metric_counter("xdms_made_documents_total", labels, ""));
}

static void the_global_index_is_made_anew_only_after_a_change_of_services(void **state)
{
    (void)state;
    put("rls-services", ANN, "index", RLS(SERVICE("sip:a@example.com")));
    struct document_place place = place_of("rls-services", "", "index");
    struct stored first, again;
    assert_int_equal(document_read(documents, &place, &arena, &first), OK);
    int64_t made = count_made("made"), kept = count_made("kept");
    for (unsigned i = 0; i < 3; i++) {
        put("resource-lists", BOB, "index", LISTS);
        assert_int_equal(document_read(documents, &place, &arena, &again), OK);
        assert_true(text_equal(again.bytes, first.bytes) && again.version == first.version);
    }
    assert_int_equal(count_made("made"), made);
    assert_int_equal(count_made("kept"), kept + 3);
    put("rls-services", BOB, "index", RLS(SERVICE("sip:b@example.com")));
    assert_int_equal(document_read(documents, &place, &arena, &again), OK);
    says(again.bytes, "sip:b@example.com", true);
    assert_int_equal(count_made("made"), made + 1);
}

/* Its URIs may stand in what is made. */
static void what_is_kept_is_of_one_root(void **state)
{
    (void)state;
    struct document_place place = place_of("rls-services", "", "index");
    struct stored found;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20; i++) {
            place.root_uri = text_format(&arena, "http://host%u.example.com/xcap-root/", i);
            assert_int_equal(document_read(documents, &place, &arena, &found), OK);
            says(found.bytes, "<rls-services", true);
        }
    }
    int64_t made = count_made("made");
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(count_made("made"), made);
    place.root_uri = TEXT("http://other.example.com/xcap-root/");
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(count_made("made"), made + 1);
}

static void very_many_changes_are_not_looked_through(void **state)
{
    (void)state;
    struct document_place place = place_of("rls-services", "", "index");
    struct stored found;
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    int64_t made = count_made("made");
    for (unsigned i = 0; i < 3 * STORE_PAGE_MAX; i++)
        put_raw("resource-lists", TEXT(ANN), TEXT("index"), TEXT(LISTS));
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(count_made("made"), made);
    for (unsigned i = 0; i < 20001; i++)
        put_raw("resource-lists", TEXT(ANN), TEXT("index"), TEXT(LISTS));
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(count_made("made"), made + 1);
}

#define READERS 4
#define ROUNDS  60

struct reader {
    pthread_t thread;
    _Atomic unsigned *written; /* services that are there for sure */
    bool behind;
};

static void *read_again_and_again(void *data)
{
    struct reader *reader = data;
    struct document_place place = {.usage = usage_find(usages, TEXT("rls-services")), .tree = XCAP_GLOBAL};
    place.row = usage_document(place.usage, place.tree, TEXT("index"));
    place.key = (struct document_key){place.usage->auid, TEXT(""), TEXT("index")};
    while (*reader->written < ROUNDS) {
        struct arena memory;
        struct stored found;
        unsigned before = *reader->written;
        arena_init(&memory, "reader");
        enum status status = document_read(documents, &place, &memory, &found);
        reader->behind |= status != OK || count_of(found.bytes, "<service ") < before;
        arena_clear(&memory);
    }
    return NULL;
}

static void no_reader_of_the_global_index_is_behind(void **state)
{
    (void)state;
    _Atomic unsigned written = 0;
    struct reader readers[READERS];
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.written = &written};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_again_and_again, &readers[i]), 0);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        put_raw("rls-services", text_format(&arena, "sip:u%u@example.com", i), TEXT("index"),
                text_format(&arena, RLS(SERVICE("sip:s%u@example.com")), i));
        put_raw("resource-lists", TEXT(ANN), TEXT("index"), TEXT(LISTS));
        written = i + 1;
    }
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_false(readers[i].behind);
    }
}

static void the_global_index_goes_over_many_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * STORE_PAGE_MAX + 5; i++)
        put_raw("rls-services", text_format(&arena, "sip:u%05u@example.com", i), TEXT("index"),
                text_format(&arena, RLS(SERVICE("sip:s%u@example.com")), i));
    struct document_place place = place_of("rls-services", "", "index");
    struct stored found;
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
    assert_int_equal(count_of(found.bytes, "<service "), 2 * STORE_PAGE_MAX + 5);
}

static void too_much_to_list_is_full_and_harms_nobody(void **state)
{
    (void)state;
    char *filler = arena_array(&arena, char, 1000001);
    memset(filler, 'x', 1000000);
    struct text large =
        text_format(&arena, RLS("<service uri='sip:s@example.com'><list/><x xmlns='urn:x'>%s</x></service>"), filler);
    for (unsigned i = 0; i < 9; i++)
        put_raw("rls-services", text_format(&arena, "sip:u%u@example.com", i), TEXT("index"), large);
    struct document_place place = place_of("rls-services", "", "index");
    struct stored found;
    assert_int_equal(document_read(documents, &place, &arena, &found), FULL);
    assert_int_equal(document_read_version(documents, &place, &found), FULL);
    says(directory("sip:u0@example.com").bytes, "/rls-services/users/sip:u0@example.com/index", true);
    struct document_key key = {TEXT("rls-services"), TEXT("sip:u8@example.com"), TEXT("index")};
    struct commit commit = {.key = key, .expected = VERSION_ANY, .deletion = true};
    assert_int_equal(store_commit(store, &commit, 1), OK);
    assert_int_equal(document_read(documents, &place, &arena, &found), OK);
}

static void refused_as_taken(const char *owner, const char *body, const char *field)
{
    struct refusal refusal;
    assert_int_equal(change("rls-services", owner, "index", body, &refusal), REFUSED);
    assert_string_equal(refusal.element, "uniqueness-failure");
    says(refusal.content, field, true);
    says(refusal.content, "<alt-value>", true);
}

static void a_service_has_its_address_alone_in_the_whole_server(void **state)
{
    (void)state;
    put("rls-services", ANN, "index", RLS(SERVICE("sip:team@example.com") SERVICE("sip:x@example.com;a=1")));
    put("rls-services", ANN, "index", RLS(SERVICE("sip:team@example.com") SERVICE("sip:x@example.com;a=1")) "\n");
    refused_as_taken(BOB, RLS(SERVICE("sip:n@example.com") SERVICE("SIP:team@EXAMPLE.com:5060")),
                     "\"rls-services/service%5B2%5D/@uri\"");
    put("rls-services", BOB, "index", RLS(SERVICE("sip:x@example.com;a=2")));
}

static void a_service_has_no_address_of_a_user_or_a_group(void **state)
{
    (void)state;
    put_raw(DOCUMENT_USERS, TEXT("sip:carol@example.com"), TEXT(""), TEXT("x"));
    put("org.openmobilealliance.groups", ANN, "team",
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:hikers@example.com'/></group>");
    refused_as_taken(BOB, RLS(SERVICE("sip:Hikers@example.com") SERVICE("sip:hikers@example.com")),
                     "\"rls-services/service%5B2%5D/@uri\"");
    refused_as_taken(BOB, RLS(SERVICE("sip:carol@Example.com")), "\"rls-services/service/@uri\"");
    put("rls-services", BOB, "index", RLS(SERVICE("sip:carol@example.com;pres-list=rcs")));
    put("rls-services", ANN, "index", RLS(SERVICE("sip:runners@example.com")));
    struct refusal refusal;
    assert_int_equal(
        change("org.openmobilealliance.groups", BOB, "team",
               "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:runners@example.com'/></group>",
               &refusal),
        REFUSED);
    assert_string_equal(refusal.element, "uniqueness-failure");
}

static void proposals_are_free_of_users_too(void **state)
{
    (void)state;
    put_raw(DOCUMENT_USERS, TEXT("sip:carol@example.com"), TEXT(""), TEXT("x"));
    put_raw(DOCUMENT_USERS, TEXT("sip:carol-2@example.com"), TEXT(""), TEXT("x"));
    struct refusal refusal;
    assert_int_equal(change("rls-services", BOB, "index", RLS(SERVICE("sip:carol@example.com")), &refusal), REFUSED);
    says(refusal.content, "sip:carol-2@example.com", false);
    says(refusal.content, "<alt-value>sip:carol-3@example.com</alt-value>", true);
}

static void what_is_made_cannot_be_changed(void **state)
{
    (void)state;
    struct refusal refusal;
    assert_int_equal(change("rls-services", "", "index", RLS(""), &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_METHOD);
    assert_int_equal(change("org.openmobilealliance.xcap-directory", ANN, "directory.xml", NULL, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_METHOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_directory_has_a_folder_for_each_usage),
        IN_STORE(a_directory_lists_what_its_owner_has),
        IN_STORE(a_document_that_the_manifest_does_not_know_is_not_listed),
        IN_STORE(the_version_of_a_directory_follows_its_bytes),
        IN_STORE(a_directory_goes_over_many_pages),
        IN_STORE(the_global_index_is_the_union_of_all_users),
        IN_STORE(the_global_index_is_always_current),
        IN_STORE(the_global_index_is_made_anew_only_after_a_change_of_services),
        IN_STORE(what_is_kept_is_of_one_root),
        IN_STORE(very_many_changes_are_not_looked_through),
        IN_STORE(no_reader_of_the_global_index_is_behind),
        IN_STORE(the_global_index_goes_over_many_pages),
        IN_STORE(too_much_to_list_is_full_and_harms_nobody),
        IN_STORE(a_service_has_its_address_alone_in_the_whole_server),
        IN_STORE(a_service_has_no_address_of_a_user_or_a_group),
        IN_STORE(proposals_are_free_of_users_too),
        IN_STORE(what_is_made_cannot_be_changed),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
