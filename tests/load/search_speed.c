/* What searches among many profiles and groups cost, in process on LMDB: by index, by reading everything, and what the
 * store alone needs for the same look-up and documents. Prints a line of JSON, and one for each round.
 *
 *   search_speed PROFILES GROUPS FOLDER SECONDS ROUNDS SCHEMAS [PROFILES-FILE GROUPS-FILE]
 *
 * SCHEMAS are those with other indexes of profiles, to see what they cost. The files get the documents, one a line: for
 * others to search. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "document_index.h"
#include "search_people.h"
#include "search_run.h"
#include "store.h"
#include "xml_validate.h"

#define PROFILES      "org.openmobilealliance.user-profile"
#define GROUPS        "org.openmobilealliance.groups"
#define LOOP          "for $u in collection(\"" PROFILES "/users/\")/user-profiles/user-profile where "
#define MADE          " return <user-profile>{$u/@uri}{$u/display-name}</user-profile>"
#define AT_ONCE       500 /* documents in one transaction */
#define LATENCIES_MAX 200000
#define SCANS_MAX     5 /* reading everything is the same each time */
#define RESULTS       20

static struct {
    struct arena arena;
    struct usage_set *usages;
    struct store *store;
    struct documents *documents;
    unsigned profiles, groups;
    int64_t us; /* of one measurement */
    uint64_t random;
    bool more; /* of the JSON is to come */
} bench;

static void die(const char *what, struct text why)
{
    fprintf(stderr, "search_speed: %s %.*s\n", what, TEXT_ARG(why));
    exit(EXIT_FAILURE);
}

static unsigned below(unsigned limit)
{
    bench.random = bench.random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(bench.random >> 33) % limit;
}

static void figure(const char *what, const char *name, double value)
{
    printf("%s\"%s_%s\":%.3f", bench.more ? "," : "{", what, name, value);
    bench.more = true;
}

static void end_line(void)
{
    puts("}");
    bench.more = false;
}

/* As a backup, without the pages that are free. */
static uint64_t kept_bytes(const char *folder, const char *name)
{
    struct stat about;
    struct text error = {0};
    const char *copy = text_cstring(&bench.arena, text_format(&bench.arena, "%s-%s", folder, name));
    if (store_backup(bench.store, copy, &bench.arena, &error) != OK)
        die("cannot copy", error);
    const char *path = text_cstring(&bench.arena, text_format(&bench.arena, "%s/data.mdb", copy));
    uint64_t bytes = stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
    unlink(path);
    rmdir(copy);
    return bytes;
}

/* Without entries, as before there was an index. A document in each line of the copy. */
static void fill(const char *auid, unsigned documents, struct text (*make)(unsigned number, struct commit *commit),
                 const char *copy_path)
{
    static struct commit commits[AT_ONCE];
    FILE *copy = copy_path ? fopen(copy_path, "w") : NULL;
    for (unsigned i = 0; i < documents;) {
        size_t count = 0;
        for (; count < AT_ONCE && i < documents; i++) {
            struct commit *commit = &commits[count++];
            *commit = (struct commit){.key = {.usage = text_of(auid)}, .expected = VERSION_ANY};
            commit->bytes = make(i, commit);
            if (copy)
                fprintf(copy, "%.*s\n", TEXT_ARG(commit->bytes));
        }
        if (store_commit(bench.store, commits, count) != OK)
            die("cannot fill", TEXT(""));
        arena_reset(&bench.arena);
    }
    if (copy)
        fclose(copy);
}

static struct text make_profile(unsigned number, struct commit *commit)
{
    commit->key.owner = address_of(number, &bench.arena);
    commit->key.name = TEXT("user-profile");
    return profile_of(number, &bench.arena);
}

static struct text make_group(unsigned number, struct commit *commit)
{
    commit->key.owner = address_of(number * (uint64_t)bench.profiles / bench.groups, &bench.arena);
    commit->key.name = text_format(&bench.arena, "group%06u", number);
    return group_of(number, bench.profiles, &bench.arena);
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

/* `others`: bytes of all that is no index of this; `documents`: of the documents alone. */
static uint64_t build(const char *folder, const char *auid, const char *what, uint64_t others, uint64_t documents)
{
    const struct usage *usage = usage_find(documents_usages(bench.documents), text_of(auid));
    struct store_index_work work;
    int64_t begin_us = clock_monotonic_us();
    if (document_index_rebuild(bench.documents, usage, NULL, &work) != OK)
        die("cannot build", text_of(auid));
    figure(what, "build_s", (double)(clock_monotonic_us() - begin_us) / 1e6);
    uint64_t all = kept_bytes(folder, what);
    figure(what, "index_mb", mb(all - others));
    figure(what, "documents_mb", mb(documents));
    figure(what, "entries", (double)work.entries);
    return all;
}

/* Profiles with the indexes of other manifests. */
static void build_others(const char *folder, const char *schemas, uint64_t others, uint64_t documents)
{
    struct usage_set *before = bench.usages;
    struct text error = {0};
    if (usage_set_load(schemas, &bench.usages, &bench.arena, &error) != OK ||
        !documents_replace(bench.documents, bench.usages) || !documents_retired(bench.documents))
        die("cannot replace", error);
    usage_set_free(before);
    build(folder, PROFILES, "same", others, documents);
}

/* --- queries ---------------------------------------------------------------------------------------------------- */

static struct text lower(struct text text)
{
    return text_lower(&bench.arena, text);
}

static struct text query_of(const char *kind)
{
    struct arena *arena = &bench.arena;
    unsigned number = below(bench.profiles);
    struct person who = person_of(number, arena);
    if (strcmp(kind, "equality") == 0)
        return text_format(arena, LOOP "$u/display-name = \"%.*s %.*s\"" MADE, TEXT_ARG(who.given),
                           TEXT_ARG(who.family));
    if (strcmp(kind, "prefix") == 0)
        return text_format(arena, LOOP "starts-with(lower-case($u/display-name), \"%.*s %.*s\")" MADE,
                           TEXT_ARG(lower(who.given)), 3, lower(who.family).bytes);
    if (strcmp(kind, "part") == 0)
        return text_format(arena, LOOP "contains(lower-case($u/display-name), \"%.*s\")" MADE,
                           (int)who.family.length - 1, who.family.bytes + 1);
    if (strcmp(kind, "two") == 0)
        return text_format(arena, LOOP "$u/address/locality = \"%.*s\" and $u/name/family-name = \"%.*s\"" MADE,
                           TEXT_ARG(who.place), TEXT_ARG(who.family));
    if (strcmp(kind, "member") == 0)
        return text_format(arena,
                           "for $g in collection(\"" GROUPS "/users/\")/group/list-service where $g/list/entry/@uri = "
                           "\"%.*s\" return <list-service>{$g/@uri}{$g/display-name}</list-service>",
                           TEXT_ARG(address_of(number, arena)));
    return text_format(arena, LOOP "$u/display-name = \"Nobody %u\"" MADE, number);
}

static struct text target_of(const char *kind)
{
    return strcmp(kind, "member") == 0 ? TEXT(GROUPS "/users/") : TEXT(PROFILES "/users/");
}

/* Results of one search. Who is in a group is for servers to ask, everything else for everybody. */
static size_t search(const char *kind, struct text query)
{
    struct arena arena;
    struct search_order order = {.target = target_of(kind),
                                 .query = query,
                                 .results_max = RESULTS,
                                 .limits = {UINT32_MAX, UINT64_MAX / 2, RESULTS},
                                 .asker = {.roles = USAGE_ROLE_BIT(USAGE_USER)}};
    struct search *one;
    struct refusal refusal = {0};
    order.asker.everything = strcmp(kind, "member") == 0;
    arena_init(&arena, "search");
    if (search_new(bench.documents, &order, &arena, &one, &refusal) != OK)
        die("refused", refusal.phrase);
    while (search_run(one, SEARCH_SLICE) == SEARCH_GOES_ON)
        ;
    const struct search_outcome *outcome = search_outcome(one);
    if (outcome->status != OK)
        die("failed", outcome->refusal.phrase);
    size_t results = outcome->results_count;
    search_free(one);
    arena_clear(&arena);
    return results;
}

static int64_t latencies[LATENCIES_MAX];

static int latency_order(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void say_rate(const char *kind, const char *how, size_t count, int64_t took_us, size_t results)
{
    char name[64];
    snprintf(name, sizeof(name), "%s_%s", kind, how);
    qsort(latencies, count, sizeof(latencies[0]), latency_order);
    figure(name, "per_second", (double)count * 1e6 / (double)took_us);
    figure(name, "p99_us", (double)latencies[(count * 99 + 99) / 100 - 1]);
    figure(name, "results", (double)results / (double)count);
}

static void measure(const char *kind, bool indexed)
{
    size_t count = 0, results = 0;
    size_t most = indexed ? LATENCIES_MAX : SCANS_MAX;
    int64_t begin_us = clock_monotonic_us(), end_us = begin_us;
    for (; count < most && (count == 0 || end_us - begin_us < bench.us); count++) {
        struct text query = query_of(kind);
        int64_t since_us = clock_monotonic_us();
        results += search(kind, query);
        end_us = clock_monotonic_us();
        latencies[count] = end_us - since_us;
        arena_reset(&bench.arena);
    }
    say_rate(kind, indexed ? "indexed" : "scanned", count, end_us - begin_us, results);
}

static unsigned char index_of(const char *auid, const char *name, enum usage_index index)
{
    const struct usage_searchable *searchable = usage_searchable(usage_find(bench.usages, text_of(auid)), XCAP_USERS);
    for (size_t i = 0; i < searchable->fields_count; i++)
        if (text_equal(searchable->fields[i].name, text_of(name)))
            return searchable->fields[i].indexes[index];
    die("no index", text_of(name));
    return 0;
}

/* What the store alone needs: the look-up, and the documents behind it. */
static size_t look_up(const struct usage *usage, const struct store_look_up *wanted)
{
    struct arena arena;
    struct document_key *keys;
    struct stored found;
    size_t count, results = 0;
    arena_init(&arena, "bare");
    if (document_index_find(bench.documents, usage, XCAP_USERS, wanted, SEARCH_CANDIDATES_MAX, &arena, &keys, &count) !=
        OK)
        die("cannot look up", wanted->value);
    for (size_t i = 0; i < count && i < RESULTS; i++)
        results += store_get(bench.store, &keys[i], &arena, &found) == OK;
    arena_clear(&arena);
    return results;
}

static void measure_bare(const char *kind)
{
    bool member = strcmp(kind, "member") == 0;
    const struct usage *usage = usage_find(bench.usages, text_of(member ? GROUPS : PROFILES));
    struct store_look_up wanted = {.kind = STORE_LOOK_UP_ENTRY, .whole = true};
    size_t count = 0, results = 0;
    int64_t begin_us = clock_monotonic_us(), end_us = begin_us;
    wanted.field =
        member ? index_of(GROUPS, "member", USAGE_INDEX_ADDRESS) : index_of(PROFILES, "dn", USAGE_INDEX_VALUE);
    for (; count < LATENCIES_MAX && end_us - begin_us < bench.us; count++) {
        unsigned number = below(bench.profiles);
        struct person who = person_of(number, &bench.arena);
        wanted.value =
            member ? usage_index_spell(USAGE_INDEX_ADDRESS, address_of(number, &bench.arena), &bench.arena)
                   : text_format(&bench.arena, "%.*s %.*s", TEXT_ARG(lower(who.given)), TEXT_ARG(lower(who.family)));
        int64_t since_us = clock_monotonic_us();
        results += look_up(usage, &wanted);
        end_us = clock_monotonic_us();
        latencies[count] = end_us - since_us;
        arena_reset(&bench.arena);
    }
    say_rate(kind, "bare", count, end_us - begin_us, results);
}

static void open_all(const char *folder)
{
    struct text error = {0};
    mkdir(folder, 0700);
    if (usage_set_load("schemas", &bench.usages, &bench.arena, &error) != OK ||
        !(bench.store = store_open_lmdb(folder, &bench.arena, &error)))
        die("cannot open", error);
    bench.documents = documents_new(bench.store, bench.usages);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"equality", "prefix", "part", "two", "none", "member"};
    if (argc < 7)
        die("search_speed PROFILES GROUPS FOLDER SECONDS ROUNDS SCHEMAS [PROFILES-FILE GROUPS-FILE]", TEXT(""));
    xml_open();
    arena_init(&bench.arena, "bench");
    bench.profiles = (unsigned)strtoul(argv[1], NULL, 10);
    bench.groups = (unsigned)strtoul(argv[2], NULL, 10);
    bench.us = (int64_t)(strtod(argv[4], NULL) * 1e6);
    bench.random = 1;
    open_all(argv[3]);
    fill(PROFILES, bench.profiles, make_profile, argc > 8 ? argv[7] : NULL);
    uint64_t profiles = kept_bytes(argv[3], "profiles");
    fill(GROUPS, bench.groups, make_group, argc > 8 ? argv[8] : NULL);
    uint64_t documents = kept_bytes(argv[3], "groups"), groups = documents - profiles;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(kinds[i], false); /* there is no index yet */
    uint64_t indexed = build(argv[3], PROFILES, "profiles", documents, profiles);
    uint64_t all = build(argv[3], GROUPS, "groups", indexed, groups);
    end_line();
    for (unsigned rounds = (unsigned)strtoul(argv[5], NULL, 10); rounds > 0; rounds--) {
        measure_bare("equality");
        measure_bare("member");
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            measure(kinds[i], true);
        end_line();
    }
    build_others(argv[3], argv[6], documents + all - indexed, profiles);
    end_line();
    documents_free(bench.documents);
    store_close(bench.store);
    usage_set_free(bench.usages);
    arena_clear(&bench.arena);
    xml_close();
    return EXIT_SUCCESS;
}
