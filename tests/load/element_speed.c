/* What one element of a document costs without HTTP and store, beside the scanner alone and beside libxml2's parse and
 * validation of the same bytes. Prints one line of JSON: microseconds of CPU time for one of each.
 * element_speed DOCUMENT SELECTOR BODY SECONDS [ONLY]   (resource-lists; SECONDS for each figure; ONLY one of them) */
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlschemas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "usage.h"
#include "xcap_edit.h"
#include "xcap_index.h"
#include "xml_scan.h"
#include "xml_validate.h"

#define SCHEMA     "schemas/resource-lists/document.xsd"
#define BYTES_MAX  (16u << 20)
#define ROUNDS_MAX 100000000

static struct {
    struct arena arena; /* of one turn */
    struct text document, body, result;
    struct xcap_selector selector;
    struct xcap_index *index;
    struct usage_set *usages;
    xmlSchemaPtr schema;
    struct refusal refusal;
} bench;

static void die(const char *what)
{
    fprintf(stderr, "element_speed: %s %.*s\n", what, TEXT_ARG(bench.refusal.phrase));
    exit(EXIT_FAILURE);
}

static void scan(void)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    xml_scan_init(&scanner, bench.document);
    while (xml_scan_next(&scanner, &tag))
        ;
    if (scanner.damaged)
        die("scan");
}

static void get(void)
{
    struct text node;
    if (xcap_get(bench.document, &bench.selector, &bench.arena, &node) != OK)
        die("get");
}

static void get_again(void)
{
    struct text node;
    if (xcap_index_get(bench.index, bench.document, &bench.selector, &bench.arena, &node) != OK)
        die("get by index");
}

static void edit(void)
{
    bool created;
    if (xcap_put(bench.document, &bench.selector, bench.body, &bench.arena, &bench.result, &created, &bench.refusal) !=
        OK)
        die("edit");
}

static void check(void)
{
    const struct usage *usage = usage_find(bench.usages, TEXT("resource-lists"));
    const struct usage_subject subject = {TEXT("sip:alice@example.com"), TEXT("index"), TEXT("http://localhost/")};
    const struct usage_claim *claims;
    size_t claims_count;
    if (usage_check(usage, &subject, bench.result, &bench.arena, &claims, &claims_count, &bench.refusal) != OK)
        die("check");
}

static void put(void)
{
    edit();
    check();
}

/* The fastest that the library offers: no tree. */
static void parse_and_validate(void)
{
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(bench.schema);
    xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(bench.document.bytes, (int)bench.document.length);
    xmlSAXHandler handler = {.initialized = XML_SAX2_MAGIC};
    xmlSAXHandlerPtr own = parser->sax;
    void *user = NULL;
    parser->sax = &handler;
    xmlSchemaSAXPlugPtr plug = xmlSchemaSAXPlug(valid, &parser->sax, &user);
    parser->userData = user ? user : parser;
    xmlParseDocument(parser);
    bool good = parser->wellFormed && xmlSchemaIsValid(valid) == 1;
    xmlSchemaSAXUnplug(plug);
    parser->sax = own;
    xmlFreeParserCtxt(parser);
    xmlSchemaFreeValidCtxt(valid);
    if (!good)
        die("parse and validation");
}

/* The other way of the library: a tree, then its validation. */
static void tree_and_validate(void)
{
    xmlDocPtr tree = xmlReadMemory(bench.document.bytes, (int)bench.document.length, NULL, NULL, XML_PARSE_NONET);
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(bench.schema);
    if (!tree || xmlSchemaValidateDoc(valid, tree) != 0)
        die("tree and validation");
    xmlSchemaFreeValidCtxt(valid);
    xmlFreeDoc(tree);
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double measure(void (*step)(void), double seconds)
{
    double begin = cpu_us();
    double now = begin;
    unsigned long rounds = 0;
    do {
        step();
        arena_reset(&bench.arena);
        rounds++;
        now = cpu_us();
    } while (now - begin < seconds * 1e6 && rounds < ROUNDS_MAX);
    return (now - begin) / (double)rounds;
}

static struct text read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(BYTES_MAX);
    if (!file || !bytes)
        die(path);
    size_t size = fread(bytes, 1, BYTES_MAX, file);
    fclose(file);
    return (struct text){bytes, size};
}

static void open_all(char **argv, struct arena *arena)
{
    struct text error;
    xml_open();
    if (usage_set_load("schemas", &bench.usages, arena, &error) != OK)
        die("schemas");
    xmlSetExternalEntityLoader(xmlNoNetExternalEntityLoader);
    xmlSchemaParserCtxtPtr context = xmlSchemaNewParserCtxt(SCHEMA);
    bench.schema = xmlSchemaParse(context);
    xmlSchemaFreeParserCtxt(context);
    bench.document = read_file(argv[1]);
    bench.body = read_file(argv[3]);
    bench.index = xcap_index_new(bench.document);
    if (!bench.index)
        die("index");
    const struct usage *usage = usage_find(bench.usages, TEXT("resource-lists"));
    struct text query = {0};
    if (!bench.schema ||
        xcap_selector_parse(text_of(argv[2]), query, usage->namespace, arena, &bench.selector, &bench.refusal) != OK)
        die("selector");
    arena_init(&bench.arena, "turn");
    struct arena kept;
    arena_init(&kept, "result");
    bool created;
    if (xcap_put(bench.document, &bench.selector, bench.body, &kept, &bench.result, &created, &bench.refusal) != OK)
        die("edit");
    char *result = malloc(bench.result.length + 1);
    memcpy(result, bench.result.bytes, bench.result.length);
    bench.result.bytes = result;
    arena_clear(&kept);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*step)(void);
    } steps[] = {
        {"scan_us", scan},   {"get_us", get}, {"index_us", get_again},          {"edit_us", edit},
        {"check_us", check}, {"put_us", put}, {"parse_us", parse_and_validate}, {"tree_us", tree_and_validate},
    };
    struct arena arena;
    if (argc < 5)
        return EXIT_FAILURE;
    arena_init(&arena, "bench");
    open_all(argv, &arena);
    struct text result = bench.result;
    const char *comma = "{";
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (argc > 5 && strcmp(argv[5], steps[i].name) != 0)
            continue;
        bench.result = result;
        if (steps[i].step == parse_and_validate) /* the library alone, with its own memory */
            xmlMemSetup(free, malloc, realloc, strdup);
        printf("%s\"%s\": %.3f", comma, steps[i].name, measure(steps[i].step, strtod(argv[4], NULL)));
        comma = ", ";
    }
    printf("}\n");
    xcap_index_free(bench.index);
    usage_set_free(bench.usages);
    xmlSchemaFree(bench.schema);
    free((void *)bench.document.bytes);
    free((void *)bench.body.bytes);
    free((void *)result.bytes);
    arena_clear(&bench.arena);
    arena_clear(&arena);
    xml_close();
    return EXIT_SUCCESS;
}
