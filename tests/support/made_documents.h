/* All document services over a store in memory, for tests of documents that are made. Include after cmocka.h. */
#ifndef MADE_DOCUMENTS_H
#define MADE_DOCUMENTS_H

#include "document.h"
#include "xml_validate.h"

#define ANN "sip:ann@example.com"
#define BOB "sip:bob@example.com"

static struct arena arena;
static struct usage_set *usages;
static struct store *store;
static struct documents *documents;

static inline struct document_place place_of(const char *auid, const char *owner, const char *name)
{
    struct document_place place = {.usage = usage_find(usages, text_of(auid))};
    assert_non_null(place.usage);
    place.tree = owner[0] ? XCAP_USERS : XCAP_GLOBAL;
    place.row = usage_document(place.usage, place.tree, text_of(name));
    assert_non_null(place.row);
    place.key = (struct document_key){place.usage->auid, text_of(owner), text_of(name)};
    place.root_uri = TEXT("http://xdm.example.com/xcap-root/");
    return place;
}

static inline uint64_t put_raw(const char *auid, struct text owner, struct text name, struct text bytes)
{
    struct commit commit = {
        .key = {text_of(auid), owner, name}, .expected = VERSION_ANY, .bytes = bytes, .who = TEXT("test")};
    assert_int_equal(store_commit(store, &commit, 1), OK);
    return commit.version;
}

static inline enum status change(const char *auid, const char *owner, const char *name, const char *body,
                                 struct refusal *refusal)
{
    struct document_change request = {
        .documents = documents,
        .place = place_of(auid, owner, name),
        .deletion = !body,
        .body = text_of(body ? body : ""),
        .content_type_fits = true,
        .who = text_of(owner),
        .root_uri = TEXT("http://xdm.example.com/xcap-root/"),
        .arena = &arena,
    };
    document_change_wait(&request);
    *refusal = request.refusal;
    return request.status;
}

static inline void put(const char *auid, const char *owner, const char *name, const char *body)
{
    struct refusal refusal;
    if (change(auid, owner, name, body, &refusal) != OK)
        fail_msg("%s: %.*s", auid, TEXT_ARG(refusal.phrase));
}

#define LISTS         "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'/>"
#define RLS(services) "<rls-services xmlns='urn:ietf:params:xml:ns:rls-services'>" services "</rls-services>"
#define SERVICE(uri)  "<service uri='" uri "'><list/></service>"

/* Whatever is made is valid, as far as it is not larger than what its usage lets clients put. */
static inline void must_be_valid(const struct document_place *place, struct text bytes)
{
    const struct usage_subject subject = {place->key.owner, place->key.name, place->root_uri};
    struct refusal refusal = {0};
    const struct usage_claim *claims;
    size_t count;
    if (bytes.length <= place->usage->bytes_max &&
        usage_check(place->usage, &subject, bytes, &arena, &claims, &count, &refusal) == REFUSED)
        fail_msg("%.*s", TEXT_ARG(refusal.phrase));
}

static inline void says(struct text bytes, const char *what, bool expected)
{
    if ((text_find(bytes, text_of(what)) < bytes.length) != expected)
        fail_msg("%s: %.*s", what, TEXT_ARG(bytes));
}

static inline size_t count_of(struct text bytes, const char *what)
{
    size_t count = 0;
    for (size_t at; (at = text_find(bytes, text_of(what))) < bytes.length; count++)
        bytes = text_slice(bytes, at + 1, bytes.length);
    return count;
}

static inline int open_store(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    store = store_open_memory();
    documents = documents_new(store, usages);
    return 0;
}

static inline int close_store(void **state)
{
    (void)state;
    documents_free(documents);
    store_close(store);
    arena_clear(&arena);
    return 0;
}

static inline int open_all(void **state)
{
    (void)state;
    struct text error = {0};
    xml_open();
    arena_init(&arena, "test");
    enum status status = usage_set_load("schemas", &usages, &arena, &error);
    arena_clear(&arena);
    return status == OK ? 0 : -1;
}

static inline int close_all(void **state)
{
    (void)state;
    usage_set_free(usages);
    xml_close();
    return 0;
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

#endif
