/* Parses untrusted bytes with libxml2, after the screen, and holds the process-wide state of the library: which files
 * it may open (none, but for schemas and sheets of our own) and where its messages go. It knows no schema and no usage.
 */
#include "xml_scratch.h"
#include "xml_validate_library.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <libexslt/exslt.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlschemastypes.h>
#include <libxslt/extensions.h>
#include <libxslt/xslt.h>
#include <libxslt/xsltutils.h>

/* What the running load of this thread may do; NULL: nothing is being loaded, so nothing may be opened. */
static _Thread_local struct xml_complaint *loading_complaint;

static xmlParserInputPtr loader_local(const char *url, const char *id, xmlParserCtxtPtr context);
static void loading_error(void *context, xmlErrorPtr error);
static void silent_line(void *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void sheet_message(void *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum status parse(struct text bytes, struct arena *arena, xmlDocPtr *tree_out, struct xml_complaint *complaint);
static enum status fragment_shape(xmlDocPtr tree, struct refusal *refusal);
static void note_stranger(struct xml_complaint *complaint, const xmlNode *node);
static struct text plain_words(struct text message);

void xml_open(void)
{
    xml_scratch_open();
    LIBXML_TEST_VERSION
    xmlInitParser();
    xmlSchemaInitTypes();
    xmlSetExternalEntityLoader(loader_local);
    xmlSetStructuredErrorFunc(NULL, loading_error);
    xmlThrDefSetStructuredErrorFunc(NULL, loading_error);
    xmlSetGenericErrorFunc(NULL, silent_line);
    xmlThrDefSetGenericErrorFunc(NULL, silent_line);
    xsltInit();
    xsltSetGenericErrorFunc(NULL, sheet_message);
    /* not dynamic: dyn:evaluate would run text of the document as an expression */
    exsltCommonRegister();
    exsltSetsRegister();
    exsltStrRegister();
    exsltDateRegister();
    exsltFuncRegister();
}

void xml_close(void)
{
    xsltCleanupGlobals();
    xmlSchemaCleanupTypes();
    xmlCleanupParser();
    xml_scratch_close();
}

enum status xml_parse(struct text bytes, const struct xml_limits *limits, struct arena *arena,
                      struct xml_document **document_out, struct refusal *refusal)
{
    struct text mark = TEXT("\xEF\xBB\xBF");
    if (text_starts_with(bytes, mark))
        bytes = text_slice(bytes, mark.length, bytes.length);
    if (text_starts_with(bytes, mark)) /* the library would pass over it too, and the declaration goes unseen */
        return refuse_conflict(refusal, "not-well-formed", TEXT("line 1, column 2: a second byte order mark"));
    if (xml_screen(bytes, limits, false, arena, refusal) != OK)
        return REFUSED;
    struct xml_complaint complaint = {.arena = arena};
    xmlDocPtr tree = NULL;
    if (parse(bytes, arena, &tree, &complaint) != OK)
        return refuse_conflict(refusal, "not-well-formed",
                               text_format(arena, "line %d, column %d: %.*s", complaint.line, complaint.column,
                                           TEXT_ARG(complaint.message)));
    struct xml_document *document = memory_new(sizeof(*document));
    document->tree = tree;
    *document_out = document;
    return OK;
}

void xml_document_free(struct xml_document *document)
{
    if (!document)
        return;
    xmlFreeDoc(document->tree);
    free(document);
}

struct text xml_document_root(const struct xml_document *document, struct text *namespace_out)
{
    xmlNodePtr root = xmlDocGetRootElement(document->tree);
    *namespace_out = text_of(root->ns ? (const char *)root->ns->href : "");
    return text_of((const char *)root->name);
}

enum status xml_check_fragment(struct text fragment, struct text scope, const struct xml_limits *limits,
                               struct arena *arena, struct refusal *refusal)
{
    if (xml_screen(fragment, limits, true, arena, refusal) != OK) {
        if (strcmp(refusal->element, "not-well-formed") == 0)
            refusal->element = "not-xml-frag";
        return REFUSED;
    }
    struct text_builder wrapped;
    builder_init(&wrapped, arena);
    builder_add_format(&wrapped, "<scope %.*s>", TEXT_ARG(scope));
    builder_add(&wrapped, fragment);
    builder_add(&wrapped, TEXT("</scope>"));
    struct xml_complaint complaint = {.arena = arena};
    xmlDocPtr tree = NULL;
    if (parse(builder_text(&wrapped), arena, &tree, &complaint) != OK)
        return refuse_conflict(refusal, "not-xml-frag",
                               text_format(arena, "line %d: %.*s", complaint.line, TEXT_ARG(complaint.message)));
    enum status status = fragment_shape(tree, refusal);
    xmlFreeDoc(tree);
    return status;
}

/* One element and nothing else but white space around it: what follows would be silently lost by the edit. */
static enum status fragment_shape(xmlDocPtr tree, struct refusal *refusal)
{
    unsigned elements = 0;
    for (xmlNodePtr node = xmlDocGetRootElement(tree)->children; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE)
            elements++;
        else if (node->type != XML_TEXT_NODE || !xmlIsBlankNode(node))
            return refuse_conflict(refusal, "not-xml-frag", TEXT("something stands beside the element"));
    }
    if (elements != 1)
        return refuse_conflict(refusal, "not-xml-frag", TEXT("exactly one element is expected"));
    return OK;
}

/* A fresh context per document: a reused one keeps every name that it ever saw. */
static enum status parse(struct text bytes, struct arena *arena, xmlDocPtr *tree_out, struct xml_complaint *complaint)
{
    assert(bytes.length <= INT_MAX);
    xmlParserCtxtPtr context = xmlNewParserCtxt();
    assert(context);
    complaint->arena = arena;
    context->userData = context; /* the SAX2 builder needs it; our own data travels in _private */
    context->_private = complaint;
    context->sax->serror = xml_complaint_take;
    xmlDocPtr tree = xmlCtxtReadMemory(context, bytes.bytes, (int)bytes.length, NULL, NULL,
                                       XML_PARSE_NONET | XML_PARSE_COMPACT | XML_PARSE_IGNORE_ENC);
    bool good = tree && context->wellFormed && context->nsWellFormed && !tree->intSubset && !tree->extSubset &&
                xmlDocGetRootElement(tree);
    xmlFreeParserCtxt(context);
    if (good) {
        *tree_out = tree;
        return OK;
    }
    xmlFreeDoc(tree);
    if (!complaint->message.length)
        complaint->message = TEXT("the document is not well-formed");
    if (complaint->line == 0)
        complaint->line = 1;
    return REFUSED;
}

void xml_complaint_take(void *data, xmlErrorPtr error)
{
    if (error->level < XML_ERR_ERROR)
        return;
    struct xml_complaint *complaint = data;
    if (error->domain == XML_FROM_PARSER || error->domain == XML_FROM_NAMESPACE) {
        xmlParserCtxtPtr context = error->ctxt;
        if (context && context->_private)
            complaint = context->_private;
    }
    if (!complaint || complaint->message.length)
        return;
    complaint->message = xml_message_shape(complaint->arena, text_of(error->message));
    complaint->file = error->file ? text_cstring(complaint->arena, text_of(error->file)) : NULL;
    complaint->line = error->line;
    complaint->column = error->int2;
    if (error->domain == XML_FROM_SCHEMASV)
        note_stranger(complaint, error->node);
}

/* "Element 'list' is not expected, expected is 'list'" helps nobody: the namespace is what is wrong. */
static void note_stranger(struct xml_complaint *complaint, const xmlNode *node)
{
    if (!node || node->type != XML_ELEMENT_NODE || !node->parent || node->parent->type != XML_ELEMENT_NODE)
        return;
    const char *own = node->ns ? (const char *)node->ns->href : "";
    const char *around = node->parent->ns ? (const char *)node->parent->ns->href : "";
    complaint->stranger = strcmp(own, around) != 0;
    if (complaint->stranger)
        complaint->namespace = xml_message_shape(complaint->arena, text_of(own));
}

struct text xml_complaint_line(const struct xml_complaint *complaint, const char *path)
{
    struct text message = complaint->message.length ? complaint->message : TEXT("cannot be read");
    const char *file = complaint->file ? complaint->file : path;
    if (complaint->line > 0)
        return text_format(complaint->arena, "%s, line %d: %.*s", file, complaint->line, TEXT_ARG(message));
    return text_format(complaint->arena, "%s: %.*s", file, TEXT_ARG(message));
}

/* Some messages of the parser name its functions. */
static struct text plain_words(struct text message)
{
    static const struct {
        struct text said, meant;
    } words[] = {
        {TEXT_INIT("xmlParseEntityRef: no name"), TEXT_INIT("'&' stands alone; it is written '&amp;'")},
        {TEXT_INIT("EntityRef: expecting ';'"),
         TEXT_INIT("a reference does not end with ';', or '&' is meant, '&amp;'")},
        {TEXT_INIT("xmlParseCharRef: invalid"), TEXT_INIT("a reference to a character that XML does not allow")},
        {TEXT_INIT("CharRef: invalid"), TEXT_INIT("a reference to a character that XML does not allow")},
        {TEXT_INIT("xmlParseStartTag: invalid element name"), TEXT_INIT("after '<' there is no name of an element")},
        {TEXT_INIT("StartTag: invalid element name"), TEXT_INIT("after '<' there is no name of an element")},
        {TEXT_INIT("AttValue: \" or ' expected"), TEXT_INIT("the value of an attribute stands in quotes")},
        {TEXT_INIT("Specification mandates value for attribute"), TEXT_INIT("an attribute has no value")},
        {TEXT_INIT("xmlParsePI : no target name"), TEXT_INIT("a processing instruction has no name")},
        {TEXT_INIT("attributes construct error"),
         TEXT_INIT("between attributes there is no space, or a name is broken")},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_starts_with(message, words[i].said))
            return words[i].meant;
    return message;
}

struct text xml_message_shape(struct arena *arena, struct text message)
{
    struct text_builder shaped;
    builder_init(&shaped, arena);
    message = plain_words(text_trim(message));
    bool valid = utf8_valid(message); /* the library cuts long names anywhere */
    for (size_t i = 0; i < message.length; i++) {
        unsigned char byte = (unsigned char)message.bytes[i];
        if (shaped.length >= XML_PHRASE_MAX && byte < 0x80) {
            builder_add(&shaped, TEXT("..."));
            break;
        }
        if (byte == '{') { /* {namespace}local */
            struct text rest = text_slice(message, i, message.length);
            size_t end = text_find_char(rest, '}');
            if (end < rest.length && text_find_char(rest, ' ') > end) {
                i += end;
                continue;
            }
        }
        bool plain = byte >= 0x20 && byte != 0x7F && (byte < 0x80 || valid);
        builder_add_char(&shaped, plain ? (char)byte : ' ');
    }
    return builder_text(&shaped);
}

void xml_loading_begin(struct xml_complaint *complaint)
{
    assert(!loading_complaint);
    loading_complaint = complaint;
}

void xml_loading_end(void)
{
    loading_complaint = NULL;
}

void xml_loading_complain(struct text message)
{
    struct xml_complaint *complaint = loading_complaint;
    if (complaint && !complaint->message.length)
        complaint->message = xml_message_shape(complaint->arena, message);
}

/* Denies by default; while our own files are loaded, plain paths only. */
static xmlParserInputPtr loader_local(const char *url, const char *id, xmlParserCtxtPtr context)
{
    (void)id;
    if (!loading_complaint || !url || strstr(url, "://"))
        return NULL;
    return xmlNewInputFromFile(context, url);
}

/* Where the parser speaks that no other file of ours listens to. */
static void loading_error(void *context, xmlErrorPtr error)
{
    (void)context;
    if (loading_complaint)
        xml_complaint_take(loading_complaint, error);
}

static void silent_line(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

static void sheet_message(void *context, const char *format, ...)
{
    (void)context;
    char line[XML_PHRASE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    struct xml_complaint *complaint = loading_complaint;
    if (!complaint)
        return;
    /* it says where in one line and what in the next */
    struct text shaped = xml_message_shape(complaint->arena, text_of(line));
    struct text before = complaint->message;
    if (before.length + shaped.length < XML_PHRASE_MAX)
        complaint->message =
            before.length ? text_format(complaint->arena, "%.*s; %.*s", TEXT_ARG(before), TEXT_ARG(shaped)) : shaped;
}
