/* The short way for documents as they should be, which nearly all are: libxml2 parses and validates in one go without
 * building a tree, and what else is asked of a document is seen in passing. Whatever is not as it should be is left to
 * the long way, which can say what is wrong. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "xml_scratch.h"
#include "xml_validate_library.h"

#define DEPTH_MAX  256 /* the library's own limit */
#define SLOTS_MIN  64
#define KNOWN_MAX  64       /* a power of two; documents use some ten names */
#define ID         SIZE_MAX /* as the name of a value of type xs:ID */
#define LOAD_SHARE 2        /* at most every second slot of the table is taken */

/* An attribute value among the children of one element. */
struct seen {
    uint64_t hash;
    size_t parent;
    size_t name; /* which of the suspects */
    struct text value;
};

/* A name that has been looked up: names are the same pointers throughout a document. */
struct known {
    const xmlChar *local, *namespace;
    xmlHashTablePtr names;
};

struct reading {
    const struct xml_schema *schema;
    const struct xml_suspects *suspects;
    struct arena *arena;
    struct text root_namespace, root;
    bool refused, suspect;
    size_t depth;
    size_t elements;           /* so far: their number is their name */
    size_t parents[DEPTH_MAX]; /* the open ones */
    struct known known[KNOWN_MAX];
    struct seen *seen; /* hash table, grown by doubling */
    size_t seen_slots, seen_count;
};

static bool parse(struct reading *reading, struct text bytes);
static void on_start(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *namespace,
                     int namespaces_count, const xmlChar **namespaces, int attributes_count, int defaulted_count,
                     const xmlChar **attributes);
static void on_end(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *namespace);
static bool declared(struct reading *reading, xmlHashTablePtr names, const xmlChar *local, const xmlChar *namespace);
static bool is_root(const struct reading *reading, const xmlChar *local, const xmlChar *namespace);
static void look_at_attribute(struct reading *reading, const xmlChar *const attribute[5]);
static bool repeated(struct reading *reading, struct seen *one);

bool xml_schema_accepts(const struct xml_schema *schema, struct text bytes, const struct xml_limits *limits,
                        struct text root_namespace, struct text root, const struct xml_suspects *suspects,
                        struct arena *arena, bool *suspect_out)
{
    struct refusal refusal;
    *suspect_out = false;
    if (schema->ids_elsewhere || text_starts_with(bytes, TEXT("\xEF\xBB\xBF")) ||
        xml_screen(bytes, limits, false, arena, &refusal) != OK)
        return false;
    struct reading reading = {
        .schema = schema,
        .suspects = suspects,
        .arena = arena,
        .root_namespace = root_namespace,
        .root = root,
    };
    xml_scratch_begin();
    bool good = parse(&reading, bytes) && !reading.refused;
    xml_scratch_end();
    if (!good)
        return false;
    *suspect_out = reading.suspect;
    return true;
}

/* A fresh context per document: a reused one keeps every name that it ever saw. */
static bool parse(struct reading *reading, struct text bytes)
{
    xmlSAXHandler handler = {
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
    };
    assert(bytes.length <= INT_MAX);
    xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(bytes.bytes, (int)bytes.length);
    xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(reading->schema->compiled);
    assert(parser && valid);
    xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    xmlSAXHandlerPtr own = parser->sax;
    parser->sax = &handler;
    parser->userData = reading;
    xmlSchemaSAXPlugPtr plug = xmlSchemaSAXPlug(valid, &parser->sax, &parser->userData);
    assert(plug);
    xmlParseDocument(parser);
    bool good = parser->wellFormed && parser->nsWellFormed && xmlSchemaIsValid(valid) == 1;
    xmlSchemaSAXUnplug(plug);
    parser->sax = own;
    xmlFreeParserCtxt(parser);
    xmlSchemaFreeValidCtxt(valid);
    return good;
}

static void on_start(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *namespace,
                     int namespaces_count, const xmlChar **namespaces, int attributes_count, int defaulted_count,
                     const xmlChar **attributes)
{
    struct reading *reading = context;
    (void)prefix, (void)namespaces_count, (void)namespaces, (void)defaulted_count;
    if (reading->depth == 0 && !is_root(reading, local, namespace))
        reading->refused = true;
    if (reading->depth == DEPTH_MAX || !declared(reading, reading->schema->elements, local, namespace)) {
        reading->refused = true;
        return;
    }
    const struct xml_suspects *suspects = reading->suspects;
    struct text name = text_of((const char *)local);
    for (size_t i = 0; i < suspects->present_count && !reading->suspect; i++)
        reading->suspect = text_equal(suspects->present[i], name);
    for (int i = 0; i < attributes_count && !reading->refused; i++)
        look_at_attribute(reading, &attributes[5 * (size_t)i]);
    reading->parents[reading->depth++] = ++reading->elements;
}

static void on_end(void *context, const xmlChar *local, const xmlChar *prefix, const xmlChar *namespace)
{
    struct reading *reading = context;
    (void)local, (void)prefix, (void)namespace;
    if (reading->depth > 0)
        reading->depth--;
}

static bool is_root(const struct reading *reading, const xmlChar *local, const xmlChar *namespace)
{
    return text_equal(reading->root, text_of((const char *)local)) &&
           text_equal(reading->root_namespace, text_of(namespace ? (const char *)namespace : ""));
}

/* Not where the namespace is one of the schema's and the name is not (RFC 4825 §8.2.5). */
static bool declared(struct reading *reading, xmlHashTablePtr names, const xmlChar *local, const xmlChar *namespace)
{
    if (!namespace)
        return true;
    struct known *known = &reading->known[((uintptr_t)local >> 3 ^ (uintptr_t) namespace) % KNOWN_MAX];
    if (known->local == local && known->namespace == namespace && known->names == names)
        return true;
    if (xmlHashLookup(reading->schema->namespaces, namespace) && !xmlHashLookup2(names, local, namespace))
        return false;
    *known = (struct known){local, namespace, names};
    return true;
}

/* `attribute`: local name, prefix, namespace, begin and end of the value. */
static void look_at_attribute(struct reading *reading, const xmlChar *const attribute[5])
{
    const struct xml_suspects *suspects = reading->suspects;
    if (attribute[2] && !declared(reading, reading->schema->attributes, attribute[0], attribute[2]))
        reading->refused = true;
    struct text local = text_of((const char *)attribute[0]);
    struct text value = {(const char *)attribute[3], (size_t)(attribute[4] - attribute[3])};
    if (xmlHashLookup(reading->schema->ids, attribute[0])) {
        struct seen one = {.name = ID, .value = text_trim(value)};
        reading->refused = reading->refused || repeated(reading, &one);
    }
    for (size_t i = 0; i < suspects->repeated_count && !reading->suspect; i++) {
        if (!text_equal(suspects->repeated[i], local))
            continue;
        struct seen one = {
            .parent = reading->depth ? reading->parents[reading->depth - 1] : 0,
            .name = i,
            .value = value,
        };
        reading->suspect = repeated(reading, &one);
    }
}

static struct seen *slot_of(struct seen *seen, size_t slots, const struct seen *one)
{
    size_t at = one->hash & (slots - 1);
    while (seen[at].value.bytes && (seen[at].hash != one->hash || seen[at].parent != one->parent ||
                                    seen[at].name != one->name || !text_equal(seen[at].value, one->value)))
        at = (at + 1) & (slots - 1);
    return &seen[at];
}

static void grow(struct reading *reading)
{
    size_t slots = reading->seen_slots ? 2 * reading->seen_slots : SLOTS_MIN;
    struct seen *grown = arena_array(reading->arena, struct seen, slots);
    for (size_t i = 0; i < reading->seen_slots; i++)
        if (reading->seen[i].value.bytes)
            *slot_of(grown, slots, &reading->seen[i]) = reading->seen[i];
    reading->seen = grown;
    reading->seen_slots = slots;
}

/* The library's values live as long as the callback. */
static bool repeated(struct reading *reading, struct seen *one)
{
    one->hash = text_hash(one->value, (one->parent << 8 | (one->name & 0xff)) + text_hash_seed());
    if (LOAD_SHARE * (reading->seen_count + 1) > reading->seen_slots)
        grow(reading);
    struct seen *slot = slot_of(reading->seen, reading->seen_slots, one);
    if (slot->value.bytes)
        return true;
    *slot = *one;
    slot->value = text_copy(reading->arena, one->value);
    reading->seen_count++;
    return false;
}
