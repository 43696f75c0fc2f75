/* What one decision costs in process: with few rules and with many for others, with long lists, by the compiled policy
 * alone and through the cache of documents on LMDB. One thread. Prints one line of JSON with nanoseconds for one of
 * each.  policy_speed SECONDS FOLDER   (SECONDS for each figure) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "group.h"
#include "store.h"
#include "xml_validate.h"

#define ALICE "sip:alice@example.com"
#define BOB   "sip:bob@example.com"
#define RULES_HEAD                                                                                                     \
    "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:poc=\"urn:oma:xml:poc:poc-rules\" "                 \
    "xmlns:ocp=\"urn:oma:xml:xdm:common-policy\">"
#define LIST "http://xdm.example.com/xcap-root/resource-lists/users/" BOB "/index/~~/resource-lists/list"
#define TURN 1000 /* decisions between looks at the clock */

static struct {
    struct arena arena, scratch;
    struct usage_set *usages;
    struct store *store;
    struct documents *documents;
    struct groups *groups;
    const struct policy *policy;
    struct policy_request request;
    struct group_sender sender;
    unsigned allowed;
} bench;

static void die(const char *what, struct text why)
{
    fprintf(stderr, "policy_speed: %s %.*s\n", what, TEXT_ARG(why));
    exit(EXIT_FAILURE);
}

static const struct text alice = TEXT_INIT(ALICE);
static const struct text root = TEXT_INIT("/xcap-root/");

static void put(const char *auid, const char *name, struct text body)
{
    struct document_change change = {
        .documents = bench.documents, .body = body, .content_type_fits = true, .who = TEXT(BOB), .arena = &bench.arena};
    change.place.usage = usage_find(bench.usages, text_of(auid));
    change.place.row = usage_document(change.place.usage, XCAP_USERS, text_of(name));
    change.place.key = (struct document_key){change.place.usage->auid, TEXT(BOB), text_of(name)};
    document_change_wait(&change);
    if (change.status != OK)
        die(auid, change.refusal.phrase);
}

/* `others` rules for one person each, one for alice, and one for the list if there is one. */
static struct text make_rules(unsigned others, bool list)
{
    struct text_builder out;
    builder_init(&out, &bench.arena);
    builder_add(&out, TEXT(RULES_HEAD));
    for (unsigned i = 0; i < others; i++)
        builder_add_format(&out,
                           "<rule id=\"r%u\"><conditions><identity><one id=\"sip:u%u@example.com\"/></identity>"
                           "</conditions><actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>",
                           i, i);
    if (list)
        builder_add(&out, TEXT("<rule id=\"list\"><conditions><ocp:external-list><ocp:entry anc=\"" LIST "\"/>"
                               "</ocp:external-list></conditions><actions><poc:allow-invite>accept</poc:allow-invite>"
                               "</actions></rule>"));
    else
        builder_add(&out,
                    TEXT("<rule id=\"alice\"><conditions><identity><one id=\"" ALICE "\"/></identity></conditions>"
                         "<actions><poc:allow-invite>accept</poc:allow-invite></actions></rule>"));
    builder_add(&out, TEXT("</ruleset>"));
    return builder_text(&out);
}

static void put_list(unsigned entries)
{
    struct text_builder out;
    builder_init(&out, &bench.arena);
    builder_add(&out, TEXT("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"));
    for (unsigned i = 0; i + 1 < entries; i++)
        builder_add_format(&out, "<entry uri=\"sip:u%u@example.com\"/>", i);
    builder_add(&out, TEXT("<entry uri=\"" ALICE "\"/></list></resource-lists>"));
    put("resource-lists", "index", builder_text(&out));
}

static void decide_alone(void)
{
    struct policy_decision decision;
    policy_decide(bench.policy, &bench.request, &decision, NULL);
    bench.allowed += decision.rules_matched == 1;
}

static void decide_by_documents(void)
{
    struct group_decision decision;
    if (group_decide(bench.groups, TEXT(BOB), &bench.sender, &bench.scratch, &decision) != OK)
        die("decide", TEXT(""));
    bench.allowed += decision.verdict == GROUP_DELIVER && decision.rule.length > 0;
}

static void measure(const char *name, void (*decide)(void), double seconds)
{
    int64_t began = clock_monotonic_us(), end = began + (int64_t)(seconds * 1e6), now = began;
    uint64_t count = 0;
    bench.allowed = 0;
    while (now < end) {
        for (int i = 0; i < TURN; i++)
            decide();
        count += TURN;
        arena_reset(&bench.scratch);
        now = clock_monotonic_us();
    }
    if (bench.allowed == 0)
        die(name, TEXT("decides something else"));
    printf("%s\"%s\": %.1f", bench.sender.wall_ms++ ? ", " : "", name, (double)(now - began) * 1000 / (double)count);
}

static void measure_rules(const char *alone, const char *by_documents, unsigned others, unsigned entries,
                          double seconds)
{
    struct group_ruling ruling;
    if (entries)
        put_list(entries);
    put("org.openmobilealliance.im-rules", "im-rules", make_rules(others, entries > 0));
    if (group_ruling_of_user(bench.groups, TEXT(BOB), &bench.sender, &ruling) != OK || !ruling.policy)
        die("rules", TEXT("are not read"));
    bench.policy = ruling.policy;
    bench.request = ruling.request;
    measure(alone, decide_alone, seconds);
    measure(by_documents, decide_by_documents, seconds);
}

int main(int argc, char **argv)
{
    struct text error = {0};
    struct group_settings settings = GROUP_SETTINGS_STANDARD(&root, 1);
    if (argc != 3)
        die("SECONDS FOLDER", error);
    double seconds = strtod(argv[1], NULL);
    xml_open();
    arena_init(&bench.arena, "bench");
    arena_init(&bench.scratch, "decisions");
    if (usage_set_load("schemas", &bench.usages, &bench.arena, &error) != OK)
        die("usages", error);
    bench.store = store_open_lmdb(argv[2], &bench.arena, &error);
    if (!bench.store)
        die("store", error);
    bench.documents = documents_new(bench.store, bench.usages);
    bench.groups = groups_new(bench.documents, &settings);
    bench.sender = (struct group_sender){.identities = &alice, .identities_count = 1};
    printf("{");
    measure_rules("few", "few_documents", 9, 0, seconds);
    measure_rules("many", "many_documents", 999, 0, seconds);
    measure_rules("list", "list_documents", 999, 10000, seconds);
    printf("}\n");
    groups_free(bench.groups);
    store_close(bench.store);
    documents_free(bench.documents);
    usage_set_free(bench.usages);
    arena_clear(&bench.scratch);
    arena_clear(&bench.arena);
    xml_close();
    return EXIT_SUCCESS;
}
