/* Requests to the document service of tests/support/schemas/team, for tests of the one path to the store. */
#ifndef TESTS_TEAM_H
#define TESTS_TEAM_H

#include "document.h"
#include "xml_validate.h"

#define TEAM_ROOT     TEXT("/xcap-root/")
#define TEAM_DOCUMENT "/xcap-root/team/users/sip:alice@example.com/index"
#define TEAM_OTHER    "/xcap-root/team/users/sip:bob@example.com/index"
#define TEAM_MIME     "application/team+xml"
#define TEAM_OPEN     "<team xmlns=\"urn:example:team\">"

struct team {
    struct arena arena;
    struct usage_set *usages;
    struct store *store;
    struct documents *documents;
};

static inline void team_open(struct team *team, struct store *store)
{
    struct text error = {0};
    xml_open();
    arena_init(&team->arena, "team");
    if (usage_set_load("tests/support/schemas", &team->usages, &team->arena, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    team->store = store;
    team->documents = documents_new(store, team->usages);
}

static inline void team_close(struct team *team)
{
    documents_free(team->documents);
    store_close(team->store);
    usage_set_free(team->usages);
    arena_clear(&team->arena);
}

static inline enum status team_place(const struct team *team, const char *uri, bool put, struct arena *arena,
                                     struct document_place *place_out, const struct xcap_selector **selector_out,
                                     struct refusal *refusal)
{
    const struct text roots[] = {TEAM_ROOT};
    struct xcap_target target;
    enum status status = xcap_target_parse(text_of(uri), roots, 1, arena, &target, refusal);
    return status == OK ? document_place(team->documents, &target, put, arena, place_out, selector_out, refusal)
                        : status;
}

/* A PUT with `body`, or a DELETE without; content type right, no conditions. */
static inline struct document_change team_change(const struct team *team, const char *uri, const char *body,
                                                 struct arena *arena)
{
    struct document_change change = {
        .documents = team->documents,
        .deletion = !body,
        .body = text_of(body),
        .content_type_fits = true,
        .who = TEXT("sip:alice@example.com"),
        .root_uri = TEXT("http://xdm.example.com/xcap-root/"),
        .arena = arena,
    };
    struct refusal refusal = {0};
    if (team_place(team, uri, body, arena, &change.place, &change.selector, &refusal) != OK)
        fail_msg("%s: %.*s", uri, TEXT_ARG(refusal.phrase));
    return change;
}

static inline enum status team_run(struct team *team, const char *uri, const char *body)
{
    struct document_change change = team_change(team, uri, body, &team->arena);
    document_change_wait(&change);
    return change.status;
}

static inline struct stored team_read(struct team *team, const char *uri)
{
    struct document_place place;
    const struct xcap_selector *selector;
    struct refusal refusal;
    struct stored found = {0};
    assert_int_equal(team_place(team, uri, false, &team->arena, &place, &selector, &refusal), OK);
    enum status status = document_read(team->documents, &place, &team->arena, &found);
    assert_true(status == OK || status == NOT_FOUND);
    return found;
}

#endif
