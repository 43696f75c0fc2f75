/* Sheets (XSLT): compiled once and shared; each run has its own context, may touch neither files nor network, and
 * stops after so many operations. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <libxml/parser.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/variables.h>
#include <libxslt/xsltutils.h>

#include "xml_validate_library.h"

/* The list rules over 37,000 empty lists (256 KB) take 3.5 million, the worst that a document can make of the sheets we
 * ship. A sheet that is quadratic itself stops here after a second or two: merging of node sets is not counted. */
#define SHEET_OPERATIONS_MAX 5000000
#define SHEET_DEPTH_MAX      500 /* of templates calling templates: each level costs C stack */

struct sheet_trouble { /* what the library says of a run: where, and then what */
    char line[XML_PHRASE_MAX];
    size_t length;
    xsltTransformContextPtr run;
};

struct xml_sheet {
    xsltStylesheetPtr compiled;
    xsltSecurityPrefsPtr forbidden;
};

static enum status sheet_compile(const char *path, struct xml_sheet *sheet);
static xsltSecurityPrefsPtr forbid_all(void);
static xsltTransformContextPtr sheet_context(const struct xml_sheet *sheet, const struct xml_document *document,
                                             const struct xml_parameter *parameters, size_t parameters_count,
                                             struct sheet_trouble *trouble);
static void note_message(void *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note_error(void *context, xmlErrorPtr error);

enum status xml_sheet_load(const char *path, struct arena *arena, struct xml_sheet **sheet_out, struct text *error_out)
{
    struct xml_sheet *sheet = memory_new(sizeof(*sheet));
    struct xml_complaint complaint = {.arena = arena};
    xml_loading_begin(&complaint);
    enum status status = sheet_compile(path, sheet);
    xml_loading_end();
    if (status == OK) {
        sheet->forbidden = forbid_all();
        *sheet_out = sheet;
        return OK;
    }
    xml_sheet_free(sheet);
    *error_out = xml_complaint_line(&complaint, path);
    return FAILED;
}

void xml_sheet_free(struct xml_sheet *sheet)
{
    if (!sheet)
        return;
    if (sheet->compiled)
        xsltFreeStylesheet(sheet->compiled);
    if (sheet->forbidden)
        xsltFreeSecurityPrefs(sheet->forbidden);
    free(sheet);
}

static enum status sheet_compile(const char *path, struct xml_sheet *sheet)
{
    xmlDocPtr source = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOCDATA);
    if (!source) {
        xml_loading_complain(TEXT("there is no such file"));
        return FAILED;
    }
    sheet->compiled = xsltParseStylesheetDoc(source);
    if (!sheet->compiled) {
        xmlFreeDoc(source);
        return FAILED;
    }
    if (sheet->compiled->errors) {
        xml_loading_complain(TEXT("the sheet has errors"));
        return FAILED;
    }
    if (sheet->compiled->stripSpaces || sheet->compiled->stripAll) {
        /* it would edit the document that the sheet is given */
        xml_loading_complain(TEXT("xsl:strip-space is not allowed"));
        return FAILED;
    }
    return OK;
}

static xsltSecurityPrefsPtr forbid_all(void)
{
    static const xsltSecurityOption options[] = {XSLT_SECPREF_READ_FILE, XSLT_SECPREF_WRITE_FILE,
                                                 XSLT_SECPREF_CREATE_DIRECTORY, XSLT_SECPREF_READ_NETWORK,
                                                 XSLT_SECPREF_WRITE_NETWORK};
    xsltSecurityPrefsPtr preferences = xsltNewSecurityPrefs();
    assert(preferences);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        xsltSetSecurityPrefs(preferences, options[i], xsltSecurityForbid);
    return preferences;
}

enum status xml_sheet_apply(const struct xml_sheet *sheet, const struct xml_document *document,
                            const struct xml_parameter *parameters, size_t parameters_count, struct arena *arena,
                            struct text *output_out)
{
    struct sheet_trouble trouble = {.length = 0};
    xsltTransformContextPtr context = sheet_context(sheet, document, parameters, parameters_count, &trouble);
    if (!context)
        return FAILED;
    xmlDocPtr result = xsltApplyStylesheetUser(sheet->compiled, document->tree, NULL, NULL, NULL, context);
    bool exhausted = context->opCount >= SHEET_OPERATIONS_MAX || context->xpathCtxt->opCount >= SHEET_OPERATIONS_MAX;
    enum status status = exhausted ? FULL : result && context->state == XSLT_STATE_OK ? OK : FAILED;
    xmlChar *bytes = NULL;
    int length = 0;
    /* a sheet that made nothing would still write an XML declaration */
    if (status == OK && result->children && xsltSaveResultToString(&bytes, &length, result, sheet->compiled) != 0)
        status = FAILED;
    if (status == OK)
        *output_out = text_copy(arena, (struct text){(const char *)bytes, (size_t)length});
    else if (status == FAILED)
        *output_out = xml_message_shape(arena, (struct text){trouble.line, trouble.length});
    xmlFree(bytes);
    xmlFreeDoc(result);
    xsltFreeTransformContext(context);
    return status;
}

static xsltTransformContextPtr sheet_context(const struct xml_sheet *sheet, const struct xml_document *document,
                                             const struct xml_parameter *parameters, size_t parameters_count,
                                             struct sheet_trouble *trouble)
{
    xsltTransformContextPtr context = xsltNewTransformContext(sheet->compiled, document->tree);
    assert(context);
    trouble->run = context;
    xsltSetTransformErrorFunc(context, trouble, note_message);
    context->xpathCtxt->error = note_error;
    context->xpathCtxt->userData = trouble;
    xsltSetCtxtSecurityPrefs(sheet->forbidden, context);
    context->opLimit = SHEET_OPERATIONS_MAX;
    context->xpathCtxt->opLimit = SHEET_OPERATIONS_MAX;
    context->maxTemplateDepth = SHEET_DEPTH_MAX;
    for (size_t i = 0; i < parameters_count; i++) {
        struct text value = parameters[i].value;
        xmlChar *copy = xmlStrndup(BAD_CAST(value.length ? value.bytes : ""), (int)value.length);
        int set = xsltQuoteOneUserParam(context, BAD_CAST parameters[i].name, copy);
        xmlFree(copy);
        if (set != 0) {
            xsltFreeTransformContext(context);
            return NULL;
        }
    }
    return context;
}

static void note_message(void *context, const char *format, ...)
{
    struct sheet_trouble *trouble = context;
    size_t room = sizeof(trouble->line) - trouble->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(trouble->line + trouble->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        trouble->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* Of an error in an expression the library gives the number alone. */
static void note_error(void *context, xmlErrorPtr error)
{
    struct sheet_trouble *trouble = context;
    const xmlNode *at = trouble->run->inst;
    const char *what = "cannot be evaluated";
    switch (error->code) {
    case XML_XPATH_UNKNOWN_FUNC_ERROR: what = "uses an unknown function"; break;
    case XML_XPATH_UNDEF_PREFIX_ERROR: what = "uses a prefix that is not declared"; break;
    case XML_XPATH_UNDEF_VARIABLE_ERROR: what = "uses an unknown variable"; break;
    default: break;
    }
    if (at)
        note_message(trouble, "line %ld, in '%s': ", xmlGetLineNo(at), at->name);
    note_message(trouble, "an expression %s. ", what);
}
