/* Groups over the memory store and the real document services, for the unit tests of the group module. */
#ifndef TESTS_GROUP_BENCH_H
#define TESTS_GROUP_BENCH_H

#include "group.h"
#include "shipped_usages.h"
#include "uri.h"

#define GROUPS "org.openmobilealliance.groups"
#define RULES  "org.openmobilealliance.im-rules"
#define LISTS  "resource-lists"

#define ALICE "sip:alice@example.com"
#define BOB   "sip:bob@example.com"
#define CAROL "sip:carol@example.com"
#define DAVE  "sip:dave@example.com"
#define TEAM  "sip:team@example.com"

#define GROUP_HEAD                                                                                                     \
    "<group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\" "                \
    "xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\" xmlns:ocp=\"urn:oma:xml:xdm:common-policy\" "                   \
    "xmlns:oxe=\"urn:oma:xml:xdm:extensions\">"
#define MEMBERS_RULE                                                                                                   \
    "<cp:rule id=\"members\"><cp:conditions><is-list-member/></cp:conditions>"                                         \
    "<cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>"
#define RULES_HEAD                                                                                                     \
    "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:poc=\"urn:oma:xml:poc:poc-rules\" "                 \
    "xmlns:ocp=\"urn:oma:xml:xdm:common-policy\" xmlns:oxe=\"urn:oma:xml:xdm:extensions\" "                            \
    "xmlns:x21=\"urn:oma:xml:xdm:2.1extensions\">"
#define LISTS_HEAD "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">"

static struct bench {
    struct arena arena;
    struct usage_set *usages; /* the shipped ones */
    struct store *store;
    struct documents *documents;
    struct groups *groups;
    int64_t wall_ms;
} bench;

static const struct text bench_root = TEXT_INIT("/xcap-root/");

static inline void bench_restart(bool members_may_send, bool store_by_default, bool accept_by_default)
{
    struct group_settings settings = GROUP_SETTINGS_STANDARD(&bench_root, 1);
    settings.members_may_send = members_may_send;
    settings.store_by_default = store_by_default;
    settings.accept_by_default = accept_by_default;
    settings.lists_of_others = true;
    if (bench.groups)
        groups_free(bench.groups);
    bench.groups = groups_new(bench.documents, &settings);
}

static inline int begin(void **state)
{
    (void)state;
    bench = (struct bench){.wall_ms = 1767607200000}; /* 2026-01-05T10:00:00Z */
    arena_init(&bench.arena, "bench");
    bench.usages = shipped_usages();
    bench.store = store_open_memory();
    bench.documents = documents_new(bench.store, bench.usages);
    bench_restart(true, true, true);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    groups_free(bench.groups);
    documents_free(bench.documents);
    store_close(bench.store);
    arena_clear(&bench.arena);
    return 0;
}

/* Through all checks of the service; NULL deletes. */
static inline void put(const char *auid, const char *owner, const char *name, const char *body)
{
    struct document_change change = {
        .documents = bench.documents,
        .deletion = !body,
        .body = text_of(body),
        .content_type_fits = true,
        .who = text_of(owner),
        .arena = &bench.arena,
    };
    change.place.usage = usage_find(bench.usages, text_of(auid));
    change.place.row = usage_document(change.place.usage, XCAP_USERS, text_of(name));
    change.place.key = (struct document_key){change.place.usage->auid, text_of(owner), text_of(name)};
    document_change_wait(&change);
    if (change.status != OK)
        fail_msg("%s %s refused: %s %.*s", auid, name, status_name(change.status), TEXT_ARG(change.refusal.phrase));
}

static inline const char *join_texts(const char *a, const char *b, const char *c)
{
    return text_cstring(&bench.arena, text_format(&bench.arena, "%s%s%s", a, b, c));
}

/* A group of alice's: what stands in its list, and behind it. */
static inline void put_group(const char *list, const char *rest)
{
    put(GROUPS, ALICE, "team",
        text_cstring(&bench.arena, text_format(&bench.arena,
                                               GROUP_HEAD "<list-service uri=\"" TEAM "\"><list>%s</list>%s"
                                                          "</list-service></group>",
                                               list, rest)));
}

static inline void put_group_rules(const char *list, const char *rules)
{
    put_group(list, join_texts("<cp:ruleset>", rules, "</cp:ruleset>"));
}

static inline void put_rules(const char *owner, const char *name, const char *rules)
{
    put(RULES, owner, name, join_texts(RULES_HEAD, rules, "</ruleset>"));
}

static inline void put_lists(const char *owner, const char *lists)
{
    put(LISTS, owner, "index", join_texts(LISTS_HEAD, lists, "</resource-lists>"));
}

/* Bytes that no check would have let in. */
static inline void put_unchecked(const char *auid, const char *owner, const char *name, const char *bytes)
{
    struct claim claim = {TEXT("group-uri"), TEXT(TEAM), false};
    struct commit commit = {
        .key = {text_of(auid), text_of(owner), text_of(name)},
        .expected = VERSION_ANY,
        .bytes = text_of(bytes),
        .claims = &claim,
        .claims_count = strcmp(auid, GROUPS) == 0,
        .who = TEXT("test"),
    };
    assert_int_equal(store_commit(bench.store, &commit, 1), OK);
}

/* `address` NULL: nobody known. The identity lives in `identity`. */
static inline struct group_sender sender_of(const char *address, struct text *identity)
{
    *identity = uri_canonical(&bench.arena, text_of(address));
    return (struct group_sender){
        .identities = identity,
        .identities_count = address ? 1 : 0,
        .wall_ms = bench.wall_ms,
    };
}

static inline enum status find_status(const char *address, const struct group **group_out)
{
    return group_find(bench.groups, uri_canonical(&bench.arena, text_of(address)), group_out);
}

static inline const struct group *find_team(void)
{
    const struct group *group = NULL;
    assert_int_equal(find_status(TEAM, &group), OK);
    return group;
}

static inline void assert_may_send(const char *sender_address, bool may, const char *rule)
{
    struct text identity, decided;
    struct group_sender sender = sender_of(sender_address, &identity);
    bool answer = group_may_send(bench.groups, find_team(), &sender, &decided);
    if (answer != may || !text_equal(decided, text_of(rule)))
        fail_msg("%s: %d by '%.*s'", sender_address ? sender_address : "anonymous", answer, TEXT_ARG(decided));
}

static inline const char *names_of(const struct text *texts, size_t count)
{
    struct text all = {0};
    for (size_t i = 0; i < count; i++)
        all = text_format(&bench.arena, "%.*s%s%.*s", TEXT_ARG(all), i ? " " : "", TEXT_ARG(texts[i]));
    return text_cstring(&bench.arena, all);
}

/* Members who get what `sender_address` sends, and lists that could not be followed, each list joined by blanks. */
static inline void assert_fan_out(const char *sender_address, const char *members_wanted, const char *missing_wanted)
{
    struct text identity;
    struct group_sender sender = sender_of(sender_address, &identity);
    const struct text *members, *missing;
    size_t members_count, missing_count;
    assert_int_equal(group_fan_out(bench.groups, find_team(), &sender, &bench.arena, &members, &members_count, &missing,
                                   &missing_count),
                     OK);
    assert_string_equal(names_of(members, members_count), members_wanted);
    assert_string_equal(names_of(missing, missing_count), missing_wanted);
}

static inline struct group_decision decide_for(const struct group_sender *sender)
{
    struct group_decision decision;
    assert_int_equal(group_decide(bench.groups, TEXT(BOB), sender, &bench.arena, &decision), OK);
    return decision;
}

/* What bob's rules say to a sender. */
static inline void assert_decision(const char *sender_address, enum group_verdict verdict, bool may_store,
                                   const char *rule)
{
    struct text identity;
    struct group_sender sender = sender_of(sender_address, &identity);
    struct group_decision decision = decide_for(&sender);
    if (decision.verdict != verdict || decision.may_store != may_store || !text_equal(decision.rule, text_of(rule)))
        fail_msg("%s: verdict %d store %d by '%.*s'", sender_address ? sender_address : "anonymous",
                 (int)decision.verdict, decision.may_store, TEXT_ARG(decision.rule));
}

#endif
