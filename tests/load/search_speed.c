/* What searches among many profiles cost, in process on LMDB: by index, by reading everything, and what the store alone
 * needs for the same look-up and documents. Prints one line of JSON.
 *
 *   search_speed PROFILES FOLDER SECONDS [FILE]   (FILE gets the profiles, one a line: for others to search) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "document_index.h"
#include "search_run.h"
#include "store.h"
#include "xml_validate.h"

#define PROFILES_USAGE "org.openmobilealliance.user-profile"
#define TARGET         PROFILES_USAGE "/users/"
#define LOOP           "for $u in collection(\"" TARGET "\")/user-profiles/user-profile where "
#define MADE           " return <user-profile>{$u/@uri}{$u/display-name}</user-profile>"
#define AT_ONCE        500 /* profiles in one transaction */
#define LATENCIES_MAX  200000
#define SCANS_MAX      5 /* reading everything is the same each time */
#define RESULTS        20
#define GIVEN          1000
#define PLACES         500

static struct {
    struct arena arena;
    struct usage_set *usages;
    struct store *store;
    struct documents *documents;
    unsigned profiles;
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

static void figure(const char *name, double value)
{
    printf("%s\"%s\":%.3f", bench.more ? "," : "{", name, value);
    bench.more = true;
}

/* --- profiles --------------------------------------------------------------------------------------------------- */

static const char *const syllables[] = {"ba",  "den", "ka",  "lo",  "mi",  "ner", "po",  "ra", "sen", "ti",
                                        "vo",  "wil", "zan", "fer", "gu",  "hol", "jen", "ku", "man", "ros",
                                        "ste", "dor", "bel", "cha", "lin", "mar", "nik", "ol", "per", "tur"};
#define SYLLABLES (sizeof(syllables) / sizeof(syllables[0]))

static struct text word(unsigned number, unsigned parts)
{
    struct text_builder out;
    builder_init(&out, &bench.arena);
    for (unsigned i = 0; i < parts; i++, number /= SYLLABLES)
        builder_add(&out, text_of(syllables[number % SYLLABLES]));
    char *bytes = text_cstring(&bench.arena, builder_text(&out));
    bytes[0] = (char)(bytes[0] - 'a' + 'A');
    return text_of(bytes);
}

struct person {
    struct text given, family, place;
};

/* The same for the same number. */
static struct person person_of(unsigned number)
{
    uint64_t mixed = number * 0x9E3779B97F4A7C15u;
    return (struct person){word((unsigned)(mixed >> 40) % GIVEN, 3), word((unsigned)(mixed >> 20) % 27000, 3),
                           word((unsigned)(mixed >> 8) % PLACES, 4)};
}

static struct text profile_of(unsigned number)
{
    struct person who = person_of(number);
    return text_format(
        &bench.arena,
        "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\"><user-profile uri=\"sip:user%07u@example.com\">"
        "<communication-addresses><comm-addr>tel:+1555%07u</comm-addr></communication-addresses><display-name>%.*s "
        "%.*s</display-name><birth-date>19%02u-0%u-1%u</birth-date><name><given-name>%.*s</given-name><family-name>%.*s"
        "</family-name></name><address><country>Norway</country><locality>%.*s</locality></address>"
        "<freetext>Likes to be written to, and to be found by those who know the name.</freetext></user-profile>"
        "</user-profiles>",
        number, number, TEXT_ARG(who.given), TEXT_ARG(who.family), number % 90 + 10, number % 9 + 1, number % 10,
        TEXT_ARG(who.given), TEXT_ARG(who.family), TEXT_ARG(who.place));
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
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
}

/* Without entries, as before there was an index. */
static void fill(FILE *copy)
{
    static struct commit commits[AT_ONCE];
    for (unsigned i = 0; i < bench.profiles;) {
        size_t count = 0;
        for (; count < AT_ONCE && i < bench.profiles; i++) {
            struct text bytes = profile_of(i);
            commits[count++] =
                (struct commit){.key = {TEXT(PROFILES_USAGE), text_format(&bench.arena, "sip:user%07u@example.com", i),
                                        TEXT("user-profile")},
                                .expected = VERSION_ANY,
                                .bytes = bytes};
            if (copy)
                fprintf(copy, "%.*s\n", TEXT_ARG(bytes));
        }
        if (store_commit(bench.store, commits, count) != OK)
            die("cannot fill", TEXT(""));
        arena_reset(&bench.arena);
    }
}

static void build(const char *folder)
{
    const struct usage *usage = usage_find(bench.usages, TEXT(PROFILES_USAGE));
    struct document_index_work work;
    uint64_t before = kept_bytes(folder, "before");
    int64_t begin_us = clock_monotonic_us();
    if (document_index_rebuild(bench.documents, usage, NULL, &work) != OK)
        die("cannot build", TEXT(""));
    figure("build_s", (double)(clock_monotonic_us() - begin_us) / 1e6);
    figure("documents_mb", (double)before / 1e6);
    figure("index_mb", (double)(kept_bytes(folder, "after") - before) / 1e6);
}

/* --- queries ---------------------------------------------------------------------------------------------------- */

static struct text lower(struct text text)
{
    return text_lower(&bench.arena, text);
}

static struct text query_of(const char *kind)
{
    struct person who = person_of(below(bench.profiles));
    if (strcmp(kind, "equality") == 0)
        return text_format(&bench.arena, LOOP "$u/display-name = \"%.*s %.*s\"" MADE, TEXT_ARG(who.given),
                           TEXT_ARG(who.family));
    if (strcmp(kind, "prefix") == 0)
        return text_format(&bench.arena, LOOP "starts-with(lower-case($u/display-name), \"%.*s %.*s\")" MADE,
                           TEXT_ARG(lower(who.given)), 3, lower(who.family).bytes);
    if (strcmp(kind, "part") == 0)
        return text_format(&bench.arena, LOOP "contains(lower-case($u/display-name), \"%.*s\")" MADE,
                           (int)who.family.length - 1, who.family.bytes + 1);
    if (strcmp(kind, "two") == 0)
        return text_format(&bench.arena, LOOP "$u/address/locality = \"%.*s\" and $u/name/family-name = \"%.*s\"" MADE,
                           TEXT_ARG(who.place), TEXT_ARG(who.family));
    return text_format(&bench.arena, LOOP "$u/display-name = \"Nobody %u\"" MADE, below(1000000));
}

static const struct search_order everybody = {.target = TEXT_INIT(TARGET),
                                              .results_max = RESULTS,
                                              .limits = {UINT32_MAX, UINT64_MAX / 2, RESULTS},
                                              .asker = {.roles = USAGE_ROLE_BIT(USAGE_USER)}};

/* Results and documents of one search. */
static size_t search(struct text query, size_t *documents_out)
{
    struct arena arena;
    struct search_order order = everybody;
    struct search *one;
    struct refusal refusal = {0};
    order.query = query;
    arena_init(&arena, "search");
    if (search_new(bench.documents, &order, &arena, &one, &refusal) != OK)
        die("refused", refusal.phrase);
    while (search_run(one, SEARCH_SLICE) == SEARCH_GOES_ON)
        ;
    const struct search_outcome *outcome = search_outcome(one);
    if (outcome->status != OK)
        die("failed", outcome->refusal.phrase);
    size_t results = outcome->results_count;
    *documents_out = outcome->documents;
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
    qsort(latencies, count, sizeof(latencies[0]), latency_order);
    snprintf(name, sizeof(name), "%s_%s_per_second", kind, how);
    figure(name, (double)count * 1e6 / (double)took_us);
    snprintf(name, sizeof(name), "%s_%s_p99_us", kind, how);
    figure(name, (double)latencies[(count * 99 + 99) / 100 - 1]);
    snprintf(name, sizeof(name), "%s_%s_results", kind, how);
    figure(name, (double)results / (double)count);
}

static void measure(const char *kind, bool indexed)
{
    size_t count = 0, results = 0, documents;
    size_t most = indexed ? LATENCIES_MAX : SCANS_MAX;
    int64_t begin_us = clock_monotonic_us(), end_us = begin_us;
    for (; count < most && (count == 0 || end_us - begin_us < bench.us); count++) {
        struct text query = query_of(kind);
        int64_t since_us = clock_monotonic_us();
        results += search(query, &documents);
        end_us = clock_monotonic_us();
        latencies[count] = end_us - since_us;
        arena_reset(&bench.arena);
    }
    say_rate(kind, indexed ? "indexed" : "scanned", count, end_us - begin_us, results);
}

/* The look-up of an equality and the documents behind it, and nothing else. */
static void measure_bare(void)
{
    size_t count = 0, results = 0;
    int64_t begin_us = clock_monotonic_us(), end_us = begin_us;
    for (; count < LATENCIES_MAX && end_us - begin_us < bench.us; count++) {
        struct person who = person_of(below(bench.profiles));
        struct text value =
            text_format(&bench.arena, "%.*s %.*s", TEXT_ARG(lower(who.given)), TEXT_ARG(lower(who.family)));
        struct arena arena;
        struct key_page page;
        struct stored found;
        int64_t since_us = clock_monotonic_us();
        arena_init(&arena, "bare");
        if (store_holders(bench.store, TEXT("up/dn/v"), value, NULL, NULL, RESULTS, &arena, &page, NULL) != OK)
            die("cannot look up", value);
        for (size_t i = 0; i < page.count; i++)
            results += store_get(bench.store, &page.keys[i], &arena, &found) == OK;
        arena_clear(&arena);
        end_us = clock_monotonic_us();
        latencies[count] = end_us - since_us;
        arena_reset(&bench.arena);
    }
    say_rate("equality", "bare", count, end_us - begin_us, results);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"equality", "prefix", "part", "two", "none"};
    struct text error = {0};
    if (argc < 4)
        die("search_speed PROFILES FOLDER SECONDS [FILE]", error);
    xml_open();
    arena_init(&bench.arena, "bench");
    bench.profiles = (unsigned)strtoul(argv[1], NULL, 10);
    bench.us = (int64_t)(strtod(argv[3], NULL) * 1e6);
    bench.random = 1;
    mkdir(argv[2], 0700);
    if (usage_set_load("schemas", &bench.usages, &bench.arena, &error) != OK ||
        !(bench.store = store_open_lmdb(argv[2], &bench.arena, &error)))
        die("cannot open", error);
    bench.documents = documents_new(bench.store, bench.usages);
    FILE *copy = argc > 4 ? fopen(argv[4], "w") : NULL;
    fill(copy);
    if (copy)
        fclose(copy);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(kinds[i], false); /* there is no index yet */
    build(argv[2]);
    measure_bare();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(kinds[i], true);
    puts("}");
    documents_free(bench.documents);
    store_close(bench.store);
    usage_set_free(bench.usages);
    arena_clear(&bench.arena);
    xml_close();
    return EXIT_SUCCESS;
}
