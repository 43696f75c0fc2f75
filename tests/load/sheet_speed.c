/* What one profile costs a query that is evaluated on our tree, and the same query written as an XSLT sheet by hand, as
 * a compiler would write it, and run by libxslt. Prints one line of JSON: CPU time of each, taken in turn.
 *
 *   sheet_speed QUERY DOCUMENTS ROUNDS [WAY]   (WAY: that way alone, for callgrind) */
#include <libxml/parser.h>
#include <libxslt/transform.h>
#include <libxslt/xsltutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search_match.h"

#define NAMESPACE "urn:oma:xml:xdm:user-profile"
#define LOOP      "for $u in collection(\"x\")/user-profiles/user-profile where "
#define MADE      " return <user-profile>{$u/@uri}{$u/display-name}</user-profile>"
#define SHEET                                                                                                          \
    "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' xmlns:u='" NAMESPACE "'"           \
    " exclude-result-prefixes='u'><xsl:output omit-xml-declaration='yes'/><xsl:template match='/'>"                    \
    "<xsl:for-each select='/u:user-profiles/u:user-profile["
#define SHEET_MADE                                                                                                     \
    "]'><user-profile xmlns='" NAMESPACE "'><xsl:copy-of select='@uri'/><xsl:copy-of select='u:display-name'/>"
#define SHEET_END "</user-profile></xsl:for-each></xsl:template></xsl:stylesheet>"
#define LOWERED   "translate(u:display-name,\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\",\"abcdefghijklmnopqrstuvwxyz\")"
#define WORK      1000000

static const struct {
    const char *query, *sheet;
} queries[] = {
    {LOOP "$u/@uri = \"sip:user0000042@example.com\"" MADE,
     SHEET "@uri=\"sip:user0000042@example.com\"" SHEET_MADE SHEET_END},
    {LOOP "contains(lower-case($u/display-name), \"rad\") and $u/address/country = \"Norway\"" MADE,
     SHEET "contains(" LOWERED ",\"rad\") and u:address/u:country=\"Norway\"" SHEET_MADE SHEET_END},
    {LOOP "(starts-with($u/name/family-name, \"Ra\") or starts-with($u/name/given-name, \"Ra\")) and "
          "not($u/address/locality = \"Oslo\") return <user-profile>{$u/@uri}{$u/display-name}{$u/name}{$u/address}"
          "</user-profile>",
     SHEET "(starts-with(u:name/u:family-name,\"Ra\") or starts-with(u:name/u:given-name,\"Ra\")) and "
           "not(u:address/u:locality=\"Oslo\")" SHEET_MADE
           "<xsl:copy-of select='u:name'/><xsl:copy-of select='u:address'/>" SHEET_END},
};

enum way { WAY_TREE, WAY_SHEET, WAY_EVALUATE, WAY_TRANSFORM, WAYS };

/* The latter two have the trees already, as if they were kept. */
static const char *const way_names[WAYS] = {"tree", "sheet", "evaluate", "transform"};

static struct {
    struct arena arena;
    struct text *documents;
    const struct xml_element **roots;
    xmlDocPtr *trees;
    size_t count;
    struct search_query query;
    xsltStylesheetPtr sheet;
} bench;

static void die(const char *what)
{
    fprintf(stderr, "sheet_speed: %s\n", what);
    exit(EXIT_FAILURE);
}

static struct text profile_of(unsigned number)
{
    static const char *const names[] = {"Ba", "Den", "Ka", "Lo", "Mi", "Ner", "Po", "Ra", "Sen", "Ti"};
    const char *given = names[number % 10], *family = names[number / 10 % 10];
    return text_format(
        &bench.arena,
        "<user-profiles xmlns=\"" NAMESPACE
        "\"><user-profile uri=\"sip:user%07u@example.com\"><communication-addresses>"
        "<comm-addr>tel:+1555%07u</comm-addr></communication-addresses><display-name>%sden "
        "%slo</display-name><birth-date>"
        "19%02u-0%u-1%u</birth-date><name><given-name>%sden</given-name><family-name>%slo</family-name></name><address>"
        "<country>Norway</country><locality>%sner</locality></address><freetext>Likes to be written to, and to be "
        "found by "
        "those who know the name.</freetext></user-profile></user-profiles>",
        number, number, given, family, number % 90 + 10, number % 9 + 1, number % 10, given, family,
        names[number / 100 % 10]);
}

static size_t evaluate(const struct xml_element *root, struct text document, struct arena *arena)
{
    const struct xml_element **records = search_records(&bench.query.path, root, arena);
    size_t found = 0;
    for (size_t i = 0; records[i]; i++) {
        struct search_subject subject = {document, records[i], arena, WORK};
        struct text_builder made;
        if (!search_holds(&bench.query, &subject))
            continue;
        builder_init(&made, arena);
        if (!search_make(&bench.query, &subject, TEXT(""), &made))
            die("too long");
        found += made.length > 0;
    }
    return found;
}

static size_t transform(xmlDocPtr tree)
{
    xmlChar *bytes = NULL;
    int length = 0;
    xmlDocPtr made = xsltApplyStylesheet(bench.sheet, tree, NULL);
    if (!made || xsltSaveResultToString(&bytes, &length, made, bench.sheet) != 0)
        die("no result");
    xmlFreeDoc(made);
    xmlFree(bytes);
    return length > 0;
}

static size_t look_at(enum way way, size_t at, struct arena *arena)
{
    struct text document = bench.documents[at];
    if (way == WAY_EVALUATE)
        return evaluate(bench.roots[at], document, arena);
    if (way == WAY_TRANSFORM)
        return transform(bench.trees[at]);
    if (way == WAY_TREE) {
        const struct xml_element *root;
        if (xml_tree_read(document, arena, &root) != OK)
            die("no tree");
        return evaluate(root, document, arena);
    }
    xmlDocPtr tree =
        xmlReadMemory(document.bytes, (int)document.length, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
    size_t found = transform(tree);
    xmlFreeDoc(tree);
    return found;
}

/* CPU time of this thread alone: others on the machine take no part in it. */
static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static size_t look_at_all(enum way way)
{
    struct arena arena;
    size_t found = 0;
    arena_init(&arena, "document");
    for (size_t i = 0; i < bench.count; i++) {
        arena_reset(&arena);
        found += look_at(way, i, &arena);
    }
    arena_clear(&arena);
    return found;
}

static void prepare(unsigned query, bool with_trees)
{
    struct refusal refusal = {0};
    bench.documents = arena_array(&bench.arena, struct text, bench.count);
    bench.roots = arena_array(&bench.arena, const struct xml_element *, bench.count);
    bench.trees = arena_array(&bench.arena, xmlDocPtr, bench.count);
    for (size_t i = 0; i < bench.count; i++) {
        struct text document = bench.documents[i] = profile_of((unsigned)i);
        if (!with_trees)
            continue;
        if (xml_tree_read(document, &bench.arena, &bench.roots[i]) != OK)
            die("no tree");
        bench.trees[i] =
            xmlReadMemory(document.bytes, (int)document.length, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
    }
    const char *sheet = queries[query].sheet;
    if (search_query_parse(text_of(queries[query].query), TEXT(NAMESPACE), &bench.arena, &bench.query, &refusal) != OK)
        die("the query is refused");
    bench.sheet = xsltParseStylesheetDoc(xmlReadMemory(sheet, (int)strlen(sheet), NULL, NULL, XML_PARSE_NONET));
    if (!bench.sheet)
        die("the sheet is refused");
}

int main(int argc, char **argv)
{
    if (argc < 4)
        die("QUERY DOCUMENTS ROUNDS [WAY]");
    unsigned query = (unsigned)strtoul(argv[1], NULL, 10);
    unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
    double spent[WAYS] = {0};
    size_t found[WAYS] = {0};
    if (query >= sizeof(queries) / sizeof(queries[0]))
        die("there is no such query");
    arena_init(&bench.arena, "bench");
    bench.count = strtoul(argv[2], NULL, 10);
    prepare(query, argc < 5 || strcmp(argv[4], "evaluate") == 0 || strcmp(argv[4], "transform") == 0);
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned way = 0; way < WAYS; way++) {
            if (argc > 4 && strcmp(argv[4], way_names[way]) != 0)
                continue;
            double began_us = cpu_us();
            found[way] = look_at_all((enum way)way);
            spent[way] += cpu_us() - began_us;
        }
    for (unsigned way = 0; argc < 5 && way < WAYS; way++)
        if (found[way] != found[0] || found[way] == 0)
            die("they do not find the same");
    for (unsigned way = 0; way < WAYS; way++)
        printf("%s\"%s_us\":%.3f", way ? "," : "{", way_names[way], spent[way] / rounds / (double)bench.count);
    printf(",\"found\":%zu}\n", found[0]);
    return EXIT_SUCCESS;
}
