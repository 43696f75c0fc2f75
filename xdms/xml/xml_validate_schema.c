/* Schemas: compiled once by libxml2 and shared; every check makes its own context. Beside the compiled form stands the
 * list of all names that the schema files declare, for what lax wildcards let pass (RFC 4825 §8.2.5). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <libxml/parser.h>
#include <libxml/uri.h>
#include <libxml/valid.h>

#include "xml_validate_library.h"

#define SCHEMA_FILES_MAX 64 /* of one schema with all it imports; a longer chain is a mistake */

struct survey { /* one reading of the schema files for the names in them */
    struct xml_schema *schema;
    xmlHashTablePtr files_seen;
    unsigned files;
};

static enum status schema_compile(const char *path, struct xml_complaint *complaint, struct xml_schema *schema);
static enum status survey_file(struct survey *survey, const xmlChar *path, const xmlChar *includer);
static enum status survey_references(struct survey *survey, xmlNodePtr root, const xmlChar *path,
                                     const xmlChar *target);
static void survey_declarations(struct survey *survey, xmlNodePtr root, const xmlChar *target);
static enum status check_declared(const struct xml_schema *schema, xmlNodePtr root, struct arena *arena,
                                  struct refusal *refusal);

enum status xml_schema_load(const char *path, struct arena *arena, struct xml_schema **schema_out,
                            struct text *error_out)
{
    struct xml_schema *schema = memory_new(sizeof(*schema));
    schema->elements = xmlHashCreate(64);
    schema->attributes = xmlHashCreate(16);
    schema->namespaces = xmlHashCreate(16);
    schema->ids = xmlHashCreate(16);
    struct xml_complaint complaint = {.arena = arena};
    xml_loading_begin(&complaint);
    enum status status = schema_compile(path, &complaint, schema);
    struct survey survey = {.schema = schema, .files_seen = xmlHashCreate(16)};
    if (status == OK)
        status = survey_file(&survey, BAD_CAST path, NULL);
    xmlHashFree(survey.files_seen, NULL);
    xml_loading_end();
    if (status == OK) {
        *schema_out = schema;
        return OK;
    }
    xml_schema_free(schema);
    *error_out = xml_complaint_line(&complaint, path);
    return FAILED;
}

void xml_schema_free(struct xml_schema *schema)
{
    if (!schema)
        return;
    xmlSchemaFree(schema->compiled);
    xmlHashFree(schema->elements, NULL);
    xmlHashFree(schema->attributes, NULL);
    xmlHashFree(schema->namespaces, NULL);
    xmlHashFree(schema->ids, NULL);
    free(schema);
}

static enum status schema_compile(const char *path, struct xml_complaint *complaint, struct xml_schema *schema)
{
    xmlSchemaParserCtxtPtr context = xmlSchemaNewParserCtxt(path);
    if (!context)
        return FAILED;
    xmlSchemaSetParserStructuredErrors(context, xml_complaint_take, complaint);
    schema->compiled = xmlSchemaParse(context);
    xmlSchemaFreeParserCtxt(context);
    /* an import that cannot be found is only a warning to the library; survey_file makes it an error */
    return schema->compiled && !complaint->message.length ? OK : FAILED;
}

/* `includer`: target namespace of the file that includes this one, which it takes over if it has none of its own. */
static enum status survey_file(struct survey *survey, const xmlChar *path, const xmlChar *includer)
{
    const xmlChar *none = BAD_CAST "";
    if (xmlHashLookup2(survey->files_seen, path, includer ? includer : none))
        return OK;
    if (++survey->files > SCHEMA_FILES_MAX) {
        xml_loading_complain(TEXT("too many schema files"));
        return FAILED;
    }
    xmlHashAddEntry2(survey->files_seen, path, includer ? includer : none, survey);
    xmlDocPtr file = xmlReadFile((const char *)path, NULL, XML_PARSE_NONET);
    xmlNodePtr root = file ? xmlDocGetRootElement(file) : NULL;
    if (!root) {
        xmlFreeDoc(file);
        struct text name = text_of((const char *)path);
        char message[XML_PHRASE_MAX];
        snprintf(message, sizeof(message), "cannot read %.*s", TEXT_ARG(name));
        xml_loading_complain(text_of(message));
        return FAILED;
    }
    xmlChar *own = xmlGetNoNsProp(root, BAD_CAST "targetNamespace");
    const xmlChar *target = own ? own : includer ? includer : none;
    survey_declarations(survey, root, target);
    enum status status = survey_references(survey, root, path, target);
    xmlFree(own);
    xmlFreeDoc(file);
    return status;
}

static enum status survey_references(struct survey *survey, xmlNodePtr root, const xmlChar *path, const xmlChar *target)
{
    enum status status = OK;
    for (xmlNodePtr node = xmlFirstElementChild(root); node && status == OK; node = xmlNextElementSibling(node)) {
        bool import = xmlStrEqual(node->name, BAD_CAST "import");
        bool include = xmlStrEqual(node->name, BAD_CAST "include") || xmlStrEqual(node->name, BAD_CAST "redefine");
        xmlChar *location = import || include ? xmlGetNoNsProp(node, BAD_CAST "schemaLocation") : NULL;
        if (!location)
            continue;
        xmlChar *full = xmlBuildURI(location, path);
        status = full ? survey_file(survey, full, include ? target : NULL) : FAILED;
        xmlFree(full);
        xmlFree(location);
    }
    return status;
}

static bool qualified(xmlNodePtr node, const char *schema_default)
{
    xmlNodePtr root = xmlDocGetRootElement(node->doc);
    if (node->parent == root)
        return true;
    xmlChar *form = xmlGetNoNsProp(node, BAD_CAST "form");
    if (!form)
        form = xmlGetNoNsProp(root, BAD_CAST schema_default);
    bool result = xmlStrEqual(form, BAD_CAST "qualified");
    xmlFree(form);
    return result;
}

static bool names_id_type(xmlNodePtr node, const char *attribute)
{
    xmlChar *type = xmlGetNoNsProp(node, BAD_CAST attribute);
    const xmlChar *colon = type ? xmlStrchr(type, ':') : NULL;
    bool result = type && xmlStrEqual(colon ? colon + 1 : type, BAD_CAST "ID");
    xmlFree(type);
    return result;
}

/* Validation without a tree does not compare the values of xs:ID, so that somebody else has to. */
static void survey_ids(struct xml_schema *schema, xmlNodePtr node)
{
    bool typed = names_id_type(node, "type");
    xmlChar *name =
        typed && xmlStrEqual(node->name, BAD_CAST "attribute") ? xmlGetNoNsProp(node, BAD_CAST "name") : NULL;
    if (name)
        xmlHashAddEntry(schema->ids, name, schema);
    else if (typed || names_id_type(node, "base") || names_id_type(node, "itemType"))
        schema->ids_elsewhere = true;
    xmlFree(name);
}

/* Every named declaration, global or local, in document order without recursion. */
static void survey_declarations(struct survey *survey, xmlNodePtr root, const xmlChar *target)
{
    xmlNodePtr node = root;
    while (node) {
        if (node->type == XML_ELEMENT_NODE)
            survey_ids(survey->schema, node);
        bool element = xmlStrEqual(node->name, BAD_CAST "element");
        bool attribute = xmlStrEqual(node->name, BAD_CAST "attribute");
        xmlChar *name =
            node->type == XML_ELEMENT_NODE && (element || attribute) ? xmlGetNoNsProp(node, BAD_CAST "name") : NULL;
        if (name && *target && qualified(node, element ? "elementFormDefault" : "attributeFormDefault")) {
            xmlHashTablePtr names = element ? survey->schema->elements : survey->schema->attributes;
            xmlHashAddEntry2(names, name, target, survey->schema);
            xmlHashAddEntry(survey->schema->namespaces, target, survey->schema);
        }
        xmlFree(name);
        if (node->type == XML_ELEMENT_NODE && node->children) {
            node = node->children;
            continue;
        }
        while (node != root && !node->next)
            node = node->parent;
        node = node == root ? NULL : node->next;
    }
}

/* The library's word for a wildcard is that of schemas; who is refused may never have seen one. */
static struct text wildcards_named(struct text message, struct arena *arena)
{
    const struct text wildcard = TEXT("##other*");
    struct text_builder named;
    builder_init(&named, arena);
    for (size_t at; (at = text_find(message, wildcard)) < message.length;) {
        builder_add(&named, text_slice(message, 0, at));
        builder_add(&named, TEXT("an element of another namespace"));
        message = text_slice(message, at + wildcard.length, message.length);
    }
    builder_add(&named, message);
    return builder_text(&named);
}

enum status xml_schema_check(const struct xml_schema *schema, const struct xml_document *document, struct arena *arena,
                             struct refusal *refusal)
{
    xmlSchemaValidCtxtPtr context = xmlSchemaNewValidCtxt(schema->compiled);
    assert(context);
    struct xml_complaint complaint = {.arena = arena};
    xmlSchemaSetValidStructuredErrors(context, xml_complaint_take, &complaint);
    int result = xmlSchemaValidateDoc(context, document->tree);
    xmlSchemaFreeValidCtxt(context);
    if (result < 0)
        return FAILED;
    if (result == 0)
        return check_declared(schema, xmlDocGetRootElement(document->tree), arena, refusal);
    struct text message =
        complaint.message.length ? wildcards_named(complaint.message, arena) : TEXT("the document is not valid");
    /* "Element 'x': The attribute…" reads better inside a sentence */
    if (text_starts_with(message, TEXT("Element '")))
        message = text_format(arena, "e%.*s", TEXT_ARG(text_slice(message, 1, message.length)));
    if (complaint.stranger)
        message =
            text_format(arena, "%.*s It is in %s%.*s.", TEXT_ARG(message),
                        complaint.namespace.length ? "the namespace " : "no namespace", TEXT_ARG(complaint.namespace));
    return refuse_conflict(refusal, "schema-validation-error",
                           text_format(arena, "line %d: %.*s", complaint.line, TEXT_ARG(message)));
}

static enum status refuse_undeclared(xmlNodePtr element, const char *kind, const xmlChar *name, struct arena *arena,
                                     struct refusal *refusal)
{
    struct text said = text_format(arena, "%s '%s' is not declared in its namespace", kind, (const char *)name);
    return refuse_conflict(
        refusal, "schema-validation-error",
        text_format(arena, "line %ld: %.*s", xmlGetLineNo(element), TEXT_ARG(xml_message_shape(arena, said))));
}

static enum status check_declared(const struct xml_schema *schema, xmlNodePtr root, struct arena *arena,
                                  struct refusal *refusal)
{
    xmlNodePtr node = root;
    while (node) {
        if (node->type == XML_ELEMENT_NODE) {
            if (node->ns && xmlHashLookup(schema->namespaces, node->ns->href) &&
                !xmlHashLookup2(schema->elements, node->name, node->ns->href))
                return refuse_undeclared(node, "element", node->name, arena, refusal);
            for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next) {
                if (attribute->ns && xmlHashLookup(schema->namespaces, attribute->ns->href) &&
                    !xmlHashLookup2(schema->attributes, attribute->name, attribute->ns->href))
                    return refuse_undeclared(node, "attribute", attribute->name, arena, refusal);
            }
            if (node->children) {
                node = node->children;
                continue;
            }
        }
        while (node != root && !node->next)
            node = node->parent;
        node = node == root ? NULL : node->next;
    }
    return OK;
}

struct namespaces {
    struct arena *arena;
    struct text *list;
    size_t count;
};

static void namespace_add(void *payload, void *data, const xmlChar *local, const xmlChar *name, const xmlChar *unused)
{
    (void)payload;
    (void)local;
    (void)unused;
    struct namespaces *namespaces = data;
    struct text text = text_of((const char *)name);
    for (size_t i = 0; i < namespaces->count; i++) {
        if (text_equal(namespaces->list[i], text))
            return;
    }
    namespaces->list[namespaces->count++] = text_copy(namespaces->arena, text);
}

static int namespace_order(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

size_t xml_schema_namespaces(const struct xml_schema *schema, struct arena *arena, struct text **namespaces_out)
{
    struct namespaces namespaces = {.arena = arena};
    namespaces.list = arena_array(arena, struct text, (size_t)xmlHashSize(schema->namespaces) + 1);
    xmlHashScanFull(schema->elements, namespace_add, &namespaces);
    if (namespaces.count)
        qsort(namespaces.list, namespaces.count, sizeof(struct text), namespace_order);
    *namespaces_out = namespaces.list;
    return namespaces.count;
}
