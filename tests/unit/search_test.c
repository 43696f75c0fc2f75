/* Searches over documents that were changed by the ordinary road: what an index leads to is what reading everything
 * finds, rebuilt indexes are as those that were kept, and limits end a search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "document_index.h"
#include "search_run.h"
#include "shipped_usages.h"

#define MEMORY_USAGES shipped_usages()
#include "memory_documents.h"

#define PROFILES "org.openmobilealliance.user-profile"
#define GROUPS   "org.openmobilealliance.groups"

static uint64_t random_state;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % limit;
}

static int begin_search(void **state)
{
    size_t missing;
    begin(state);
    random_state = 1;
    return document_index_open(documents, &missing) == OK && missing == 0 ? 0 : -1;
}

static void put_in(const char *auid, enum xcap_tree tree, struct text owner, struct text name, struct text body)
{
    const struct usage *usage = usage_find(documents_usages(documents), text_of(auid));
    struct arena round;
    arena_init(&round, "put");
    struct document_change change = {.documents = documents, .body = body, .content_type_fits = true, .arena = &round};
    change.place = (struct document_place){.usage = usage, .row = usage_document(usage, tree, name), .tree = tree};
    change.place.key = (struct document_key){usage->auid, owner, name};
    document_change_wait(&change);
    if (change.status != OK)
        fail_msg("%.*s: %.*s", TEXT_ARG(body), TEXT_ARG(change.refusal.phrase));
    arena_clear(&round);
}

static void put_profile(unsigned number, const char *rest)
{
    struct text owner = text_format(&arena, "sip:p%03u@example.com", number);
    put_in(PROFILES, XCAP_USERS, owner, TEXT("user-profile"),
           text_format(&arena,
                       "<user-profiles xmlns='urn:oma:xml:xdm:user-profile'><user-profile uri='%.*s'>%s</user-profile>"
                       "</user-profiles>",
                       TEXT_ARG(owner), rest));
}

static const struct text somebody[] = {TEXT_INIT("sip:p001@example.com")};

static struct search_order order_of(const char *target, const char *rest)
{
    const char *path = strstr(target, "groups") ? "group/list-service" : "user-profiles/user-profile";
    return (struct search_order){
        .target = text_of(target),
        .query = text_format(&arena, "for $u in collection(\"%s\")/%s %s", target, path, rest),
        .asker = {somebody, 1, USAGE_ROLE_BIT(USAGE_ANYONE) | USAGE_ROLE_BIT(USAGE_USER), false},
        .limits = SEARCH_LIMITS_STANDARD,
    };
}

/* All results joined; page by page. */
static struct text found_by(struct search_order order, struct search_outcome *outcome_out)
{
    struct text_builder all;
    builder_init(&all, &arena);
    do {
        struct search *search;
        struct refusal refusal = {0};
        enum status status = search_new(documents, &order, &arena, &search, &refusal);
        if (status != OK)
            fail_msg("%.*s: %s %.*s", TEXT_ARG(order.query), status_name(status), TEXT_ARG(refusal.phrase));
        while (search_run(search, 3) == SEARCH_GOES_ON)
            ;
        *outcome_out = *search_outcome(search);
        for (size_t i = 0; i < outcome_out->results_count; i++)
            builder_add(&all, outcome_out->results[i]);
        order.after = outcome_out->next;
        search_free(search);
    } while (outcome_out->status == OK && order.after.length);
    return builder_text(&all);
}

static enum status refused_by(struct search_order order, struct refusal *refusal)
{
    struct search *search;
    *refusal = (struct refusal){0};
    enum status status = search_new(documents, &order, &arena, &search, refusal);
    search_free(search);
    return status;
}

/* The same documents where there is no index. */
static struct documents *copy_without_index(const char *auid, struct store **copy_out)
{
    const struct document_key prefix = {.usage = text_of(auid)};
    struct key_page page;
    *copy_out = store_open_memory();
    assert_int_equal(store_list(store, &prefix, NULL, STORE_PAGE_MAX, &arena, &page), OK);
    assert_false(page.more);
    for (size_t i = 0; i < page.count; i++) {
        struct stored found;
        assert_int_equal(store_get(store, &page.keys[i], &arena, &found), OK);
        struct commit commit = {.key = page.keys[i], .expected = VERSION_ANY, .bytes = found.bytes};
        assert_int_equal(store_commit(*copy_out, &commit, 1), OK);
    }
    return documents_new(*copy_out, documents_usages(documents));
}

static const char *const names[] = {"Anna",   "ANNA",    "anna maria", "Ann",     "Johanna", "Müller",
                                    "MÜLLER", "Mül ler", "Straße",     "STRASSE", "Σίσυφος", "x",
                                    "",       "a&amp;b", "  Anna ",    "Iİı",     "K"};
#define NAMES (sizeof(names) / sizeof(names[0]))

static void fill(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct text_builder rest;
        builder_init(&rest, &arena);
        if (below(8))
            builder_add_format(&rest, "<display-name>%s%s%s</display-name>", names[below(NAMES)], below(2) ? " " : "",
                               below(2) ? names[below(NAMES)] : "");
        if (below(2))
            builder_add_format(&rest, "<name><given-name>%s</given-name></name>", names[below(NAMES)]);
        if (below(2))
            builder_add_format(&rest, "<address><country>%s</country></address>", names[below(NAMES)]);
        if (below(3) == 0)
            builder_add_format(&rest, "<hobbies><hobby>%s</hobby><hobby>%s</hobby></hobbies>", names[below(NAMES)],
                               names[below(NAMES)]);
        if (below(9) == 0)
            builder_add(&rest, TEXT("<searchable xmlns='urn:oma:xml:xdm:extensions'>false</searchable>"));
        put_profile(i, text_cstring(&arena, builder_text(&rest)));
    }
}

static struct text random_test(void)
{
    static const char *const paths[] = {"display-name", "name/given-name", "address/country", "hobbies/hobby", "@uri",
                                        "name"};
    static const char *const tests[][3] = {
        {"", " = ", ""},           {"", " eq ", ""},
        {"contains(", ", ", ")"},  {"starts-with(", ", ", ")"},
        {"ends-with(", ", ", ")"}, {"contains-token(", ", ", ")"},
        {"", " != ", ""},
    };
    static const char *const cases[][2] = {
        {"$u/", ""}, {"lower-case($u/", ")"}, {"upper-case($u/", ")"}, {"string($u/", ")"}};
    static const char *const wanted[] = {"anna",
                                         "Anna",
                                         "ANNA",
                                         "ann",
                                         "nn",
                                         "ohann",
                                         "müller",
                                         "MÜLLER",
                                         "ül",
                                         "ler",
                                         "strasse",
                                         "straße",
                                         "STRASSE",
                                         "ss",
                                         "σίσυφος",
                                         "ΣΊΣΥΦΟΣ",
                                         "",
                                         " ",
                                         "a&amp;b",
                                         "anna m",
                                         "ia anna",
                                         "  Anna",
                                         "na ",
                                         "i̇",
                                         "k",
                                         "sip:p007@example.com",
                                         "SIP:P007@EXAMPLE.COM"};
    const char *const *test = tests[below(7)], *const *in_case = cases[below(4)];
    return text_format(&arena, "%s%s%s%s%s\"%s\"%s", test[0], in_case[0], paths[below(6)], in_case[1], test[1],
                       wanted[below(sizeof(wanted) / sizeof(wanted[0]))], test[2]);
}

static struct text random_condition(unsigned depth)
{
    if (depth == 0 || below(3) == 0)
        return random_test();
    struct text a = random_condition(depth - 1), b = random_condition(depth - 1);
    return text_format(&arena, "%s(%.*s %s %.*s)", below(5) ? "" : "not", TEXT_ARG(a), below(2) ? "and" : "or",
                       TEXT_ARG(b));
}

static void an_index_leads_to_all_that_fit(void **state)
{
    (void)state;
    unsigned indexed = 0, found = 0;
    struct store *copy;
    fill(120);
    struct documents *plain = copy_without_index(PROFILES, &copy);
    for (int i = 0; i < 1500; i++) {
        struct search_outcome by_index, by_reading;
        struct text condition = random_condition(2);
        const char *sorted = below(4) ? "" : "order by $u/display-name descending";
        struct search_order order = order_of(
            PROFILES "/users/", text_cstring(&arena, text_format(&arena, "where %.*s %s return <r>{$u/@uri}</r>",
                                                                 TEXT_ARG(condition), sorted)));
        order.results_max = below(3) ? 0 : 1 + below(7);
        struct text first = found_by(order, &by_index);
        struct documents *indexed_ones = documents;
        documents = plain;
        struct text second = found_by(order, &by_reading);
        documents = indexed_ones;
        if (!text_equal(first, second))
            fail_msg("%.*s:\n%.*s\n%.*s", TEXT_ARG(order.query), TEXT_ARG(first), TEXT_ARG(second));
        assert_false(by_reading.indexed);
        indexed += by_index.indexed;
        found += first.length > 0;
        arena_reset(&arena);
    }
    assert_true(indexed > 300 && found > 300);
    documents_free(plain);
    store_close(copy);
}

static void an_index_reads_what_it_leads_to_alone(void **state)
{
    (void)state;
    struct search_outcome outcome;
    for (unsigned i = 0; i < 50; i++)
        put_profile(i, i == 7 ? "<display-name>Erika Mustermann</display-name>"
                              : "<display-name>Hans Muster</display-name>");
    static const char *const conditions[] = {
        "$u/display-name = 'Erika Mustermann'",
        "contains($u/display-name, 'sterma')",
        "starts-with(lower-case($u/display-name), 'erika m')",
        "contains-token($u/display-name, 'Erika')",
        "$u/@uri = 'sip:p007@example.com'",
        "contains($u/display-name, 'Muster') and contains($u/display-name, 'ika')"};
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        struct text rest = text_format(&arena, "where %s return <r>{$u/@uri}</r>", conditions[i]);
        struct text found = found_by(order_of(PROFILES "/users/", text_cstring(&arena, rest)), &outcome);
        assert_text(found, "<r xmlns=\"urn:oma:xml:xdm:user-profile\" uri=\"sip:p007@example.com\"></r>");
        assert_true(outcome.indexed);
        assert_int_equal(outcome.documents, 1);
    }
}

static void an_index_is_built_anew(void **state)
{
    (void)state;
    struct store_index_work work;
    struct search_outcome outcome;
    const struct usage *usage = usage_find(documents_usages(documents), TEXT(PROFILES));
    size_t missing;
    bool ready;
    fill(250);
    struct search_order order =
        order_of(PROFILES "/users/", "where contains($u/display-name, 'nna') return <r>{$u/@uri}</r>");
    struct text before = found_by(order, &outcome);
    assert_true(outcome.indexed);
    store_indexer_set(store, NULL, documents); /* as a program that knows no manifests */
    fill(1);
    store_indexer_set(store, document_index_entries, documents);
    assert_int_equal(document_index_ready(documents, usage, XCAP_USERS, &ready), OK);
    assert_false(ready);
    random_state = 1; /* the first is as it was, then */
    fill(1);
    assert_text(found_by(order, &outcome), text_cstring(&arena, before));
    assert_false(outcome.indexed);
    assert_int_equal(document_index_open(documents, &missing), OK);
    assert_int_equal(missing, 1);
    uint64_t last = store_last_change(store);
    assert_int_equal(document_index_rebuild(documents, usage, NULL, &work), OK);
    assert_int_equal(work.documents, 250);
    assert_true(work.entries > 250);
    assert_int_equal(store_last_change(store), last); /* no document changed */
    assert_int_equal(document_index_open(documents, &missing), OK);
    assert_int_equal(missing, 0);
    assert_text(found_by(order, &outcome), text_cstring(&arena, before));
    assert_true(outcome.indexed);
}

static void put_group(struct text owner, const char *name, unsigned members, bool searchable)
{
    struct text_builder body;
    builder_init(&body, &arena);
    builder_add_format(&body,
                       "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:%s@example.com'>"
                       "<display-name>%s</display-name><list>",
                       name, name);
    for (unsigned i = 0; i < members; i++)
        builder_add_format(&body, "<entry uri='sip:m%u@example.com'/>", i);
    builder_add_format(
        &body, "</list><s:searchable xmlns:s='urn:oma:xml:xdm:extensions'>%s</s:searchable></list-service></group>",
        searchable ? "true" : "false");
    put_in(GROUPS, XCAP_USERS, owner, text_of(name), builder_text(&body));
}

static void a_group_of_too_many_members_is_found_all_the_same(void **state)
{
    (void)state;
    struct search_outcome outcome;
    put_group(somebody[0], "small", 3, true);
    put_group(somebody[0], "large", USAGE_INDEX_ENTRIES_MAX + 1, true);
    put_group(somebody[0], "other", 2, true);
    struct search_order order =
        order_of(GROUPS "/users/", "where $u/list/entry/@uri = 'sip:m2@example.com' return <r>{$u/@uri}</r>");
    order.asker.everything = true;
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:large@example.com\"></r>"
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:small@example.com\"></r>");
    assert_true(outcome.indexed);
}

static void only_what_may_be_found_is_found(void **state)
{
    (void)state;
    struct search_outcome outcome;
    struct refusal refusal;
    put_group(somebody[0], "mine", 3, true);
    put_group(TEXT("sip:p002@example.com"), "theirs", 3, true);
    put_group(TEXT("sip:p002@example.com"), "hidden", 3, false);
    struct search_order order = order_of(GROUPS "/users/", "return <r>{$u/@uri}</r>");
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:mine@example.com\"></r>"
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:theirs@example.com\"></r>");
    order = order_of(GROUPS "/users/", "where $u/list/entry/@uri = 'sip:m1@example.com' return <r>{$u/@uri}</r>");
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:mine@example.com\"></r>");
    order.asker.roles |= USAGE_ROLE_BIT(USAGE_SERVER);
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:mine@example.com\"></r>"
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:theirs@example.com\"></r>");
    order.asker.roles = USAGE_ROLE_BIT(USAGE_USER);
    const struct text member[] = {TEXT("sip:x@example.com"), TEXT("sip:m1@example.com")};
    order.asker.identities = member;
    order.asker.identities_count = 2;
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:mine@example.com\"></r>"
                "<r xmlns=\"urn:oma:xml:poc:list-service\" uri=\"sip:theirs@example.com\"></r>");
    static const char *const indirect[] = {
        "where $u/list/entry/@uri != 'sip:m1@example.com' return <r/>",
        "where $u/list/entry/@uri = 'sip:m2@example.com' return <r/>",
        "where $u/list/entry/@uri = 'sip:m1@example.com' or $u/@uri = 'x' return <r/>",
        "where not($u/list/entry/@uri = 'sip:m1@example.com') return <r/>",
        "where $u/list/entry/@uri = 'sip:m1@example.com' return <r>{$u/list/entry/@uri}</r>",
        "where $u/list/entry/@uri = 'sip:m1@example.com' and $u/list/entry/@uri = 'sip:m2@example.com' return <r/>",
    };
    for (size_t i = 0; i < sizeof(indirect) / sizeof(indirect[0]); i++) {
        struct search_order other = order_of(GROUPS "/users/", indirect[i]);
        other.asker = order.asker;
        assert_text(found_by(other, &outcome), "");
    }
    order.asker.roles = USAGE_ROLE_BIT(USAGE_ANYONE);
    order.asker.identities_count = 0;
    assert_int_equal(refused_by(order, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_FORBIDDEN);
    order = order_of(GROUPS "/users/sip:p002@example.com/", "return <r>{$u/list}</r>");
    assert_int_equal(refused_by(order, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_FORBIDDEN);
}

static void a_search_that_costs_too_much_is_refused_and_can_go_on(void **state)
{
    (void)state;
    struct search_outcome outcome;
    for (unsigned i = 0; i < 40; i++)
        put_profile(i, i == 30 ? "<gender>male</gender>" : "");
    struct search_order order = order_of(PROFILES "/users/", "where $u/gender = 'male' return <r>{$u/@uri}</r>");
    order.limits.documents_max = 25;
    assert_text(found_by(order, &outcome), "");
    assert_int_equal(outcome.status, REFUSED);
    assert_text(outcome.refusal.phrase,
                "The search has read 25 documents, the most for one request: ask for less. No index helps this query.");
    order.after = outcome.next;
    assert_text(found_by(order, &outcome),
                "<r xmlns=\"urn:oma:xml:xdm:user-profile\" uri=\"sip:p030@example.com\"></r>");
    assert_int_equal(outcome.status, OK);
    order.after = TEXT("");
    order.limits.documents_max = 1000;
    order.limits.work_max = 20;
    found_by(order, &outcome);
    assert_int_equal(outcome.status, REFUSED);
    assert_text(outcome.refusal.phrase, "The search takes too long: ask for less. No index helps this query.");
}

/* Each page has the time for three documents. */
static struct text found_in_time(struct search_order order, struct search_outcome *outcome_out)
{
    struct text_builder all;
    builder_init(&all, &arena);
    do {
        struct search *search;
        struct refusal refusal = {0};
        assert_int_equal(search_new(documents, &order, &arena, &search, &refusal), OK);
        if (search_run(search, 3) == SEARCH_GOES_ON) {
            search_expire(search);
            assert_int_equal(search_run(search, 1000), SEARCH_ENDED);
        }
        *outcome_out = *search_outcome(search);
        assert_true(outcome_out->documents <= 3);
        for (size_t i = 0; i < outcome_out->results_count; i++)
            builder_add(&all, outcome_out->results[i]);
        order.after = outcome_out->next;
        search_free(search);
    } while (order.after.length);
    return builder_text(&all);
}

static void a_search_that_has_used_up_its_time_can_go_on(void **state)
{
    (void)state;
    struct search_outcome outcome;
    for (unsigned i = 0; i < 20; i++)
        put_profile(i, i == 13 ? "<gender>male</gender>" : "");
    struct search_order order = order_of(PROFILES "/users/", "return <r>{$u/@uri}</r>");
    struct text all = found_by(order, &outcome);
    assert_true(text_equal(found_in_time(order, &outcome), all));
    order = order_of(PROFILES "/users/", "where $u/gender = 'male' return <r>{$u/@uri}</r>");
    all = found_by(order, &outcome);
    assert_true(all.length && text_equal(found_in_time(order, &outcome), all));
    assert_int_equal(outcome.status, OK);
    order = order_of(PROFILES "/users/", "order by $u/@uri return <r>{$u/@uri}</r>");
    assert_text(found_in_time(order, &outcome), "");
    assert_int_equal(outcome.status, REFUSED);
    assert_text(outcome.refusal.phrase, "The search has used up its time: ask for less. No index helps this query.");
}

/* Documents, steps and bytes: what was found before the limit is a page, in both orders. */
static void a_limit_after_something_was_found_ends_the_page(void **state)
{
    (void)state;
    enum { LENGTH = 60000 }; /* six times in a returned element: 23 of them are an answer */
    struct search_outcome outcome;
    char *note = arena_alloc(&arena, LENGTH + 1);
    memset(note, 'x', LENGTH);
    note[LENGTH] = '\0';
    for (unsigned i = 0; i < 60; i++)
        put_profile(
            i, text_cstring(&arena, text_format(&arena, "<display-name>%s</display-name>", i % 2 ? note : "short")));
    struct search_order order = order_of(PROFILES "/users/", "return <r>{$u/@uri}</r>");
    struct text all = found_by(order, &outcome);
    order.limits.documents_max = 7;
    assert_true(text_equal(found_by(order, &outcome), all));
    order.limits.documents_max = 1000;
    order.limits.work_max = 20;
    assert_true(text_equal(found_by(order, &outcome), all));
    const char *elements = "<r>{$u/@uri}<a>{$u/display-name}</a><b>{$u/display-name}</b><c>{$u/display-name}</c>"
                           "<d>{$u/display-name}</d><e>{$u/display-name}</e><f>{$u/display-name}</f></r>";
    static const char *const orders[] = {"", "order by $u/@uri descending "};
    for (size_t i = 0; i < 2; i++) {
        struct text rest = text_format(&arena, "%sreturn %s", orders[i], elements);
        struct text found = found_by(order_of(PROFILES "/users/", text_cstring(&arena, rest)), &outcome);
        assert_int_equal(outcome.status, OK);
        size_t results = 0;
        for (size_t at = 0; at + 3 < found.length; at++)
            results += memcmp(found.bytes + at, "<r ", 3) == 0;
        assert_int_equal(results, 60);
    }
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const pages[] = {"x", "a/b/c", "/b/0", "a/b%00/0", "a/b/99999999999", "a%/b/0", "-1"};
    struct refusal refusal;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct search_order order = order_of(PROFILES "/users/", "return <r/>");
        order.after = text_of(pages[i]);
        assert_int_equal(refused_by(order, &refusal), REFUSED);
        assert_int_equal(refusal.kind, REFUSAL_SYNTAX);
        order = order_of(PROFILES "/users/", "order by $u/@uri return <r/>");
        order.after = text_of(pages[i]);
        assert_int_equal(refused_by(order, &refusal), REFUSED);
    }
}

static void a_broken_store_fails_the_search(void **state)
{
    (void)state;
    fill(10);
    static const enum store_call calls[] = {STORE_CALL_READ, STORE_CALL_LIST, STORE_CALL_HOLDERS};
    documents_free(documents);
    store = store_open_faulty(store, NULL, 0);
    documents = documents_new(store, shipped_usages());
    for (size_t i = 0; i < 3; i++)
        for (unsigned nth = 1; nth < 4; nth++) {
            const struct store_fault fault = {.call = calls[i], .nth = nth, .count = 1, .status = FAILED};
            const char *rest = i == 2 ? "where contains($u/display-name, 'anna') return <r/>" : "return <r/>";
            struct search_order order = order_of(PROFILES "/users/", rest);
            struct search *search;
            struct refusal refusal = {0};
            store_faulty_set(store, &fault, 1);
            enum status status = search_new(documents, &order, &arena, &search, &refusal);
            while (status == OK && search_run(search, 100) == SEARCH_GOES_ON)
                ;
            if (status == OK)
                status = search_outcome(search)->status;
            search_free(search);
            assert_int_equal(status, store_faulty_set(store, NULL, 0) ? FAILED : OK);
        }
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin_search, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(an_index_leads_to_all_that_fit),
        test(an_index_reads_what_it_leads_to_alone),
        test(an_index_is_built_anew),
        test(a_group_of_too_many_members_is_found_all_the_same),
        test(only_what_may_be_found_is_found),
        test(a_search_that_costs_too_much_is_refused_and_can_go_on),
        test(a_search_that_has_used_up_its_time_can_go_on),
        test(a_limit_after_something_was_found_ends_the_page),
        test(what_is_no_page_is_refused),
        test(a_broken_store_fails_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
