/* One folder of schemas/: its manifest checked and read, its schema and sheet compiled. Each complaint is one line that
 * starts with the folder, since its reader is the author of that folder. */
#include "usage_own.h"

static enum status complain(struct arena *memory, struct text folder, struct text what, struct text *error_out);
static enum status manifest_tree(struct text folder, const struct xml_schema *manifest_schema, struct arena *memory,
                                 const struct xml_element **manifest_out, struct text *error_out);
static enum status compile(struct usage_loaded *loaded, struct arena *memory, struct text *error_out);
static enum status compile_computed(struct usage_loaded *loaded, struct arena *memory, struct text *error_out);
static struct text last_part(struct text path);

enum status usage_folder_load(struct text folder, const struct xml_schema *manifest_schema, struct arena *memory,
                              struct usage_loaded **loaded_out, struct text *error_out)
{
    const struct xml_element *manifest = NULL;
    if (manifest_tree(folder, manifest_schema, memory, &manifest, error_out) != OK)
        return FAILED;
    struct usage_loaded *loaded = arena_new(memory, struct usage_loaded);
    loaded->folder = folder;
    struct text error = {0};
    if (usage_manifest_read(manifest, memory, loaded, &error) != OK)
        return complain(memory, folder, error, error_out);
    if (!text_equal(loaded->usage.auid, last_part(folder)))
        return complain(
            memory, folder,
            text_format(memory, "the folder must have the name of the auid '%.*s'", TEXT_ARG(loaded->usage.auid)),
            error_out);
    if (!loaded->alias_of.length && compile(loaded, memory, &error) != OK) {
        usage_folder_free(loaded);
        return complain(memory, folder, error, error_out);
    }
    *loaded_out = loaded;
    return OK;
}

void usage_folder_free(struct usage_loaded *loaded)
{
    xml_schema_free(loaded->schema);
    xml_sheet_free(loaded->constraints);
    xml_sheet_free(loaded->page);
    for (size_t row = 0; row < loaded->usage.documents_count; row++) {
        xml_sheet_free(loaded->computed[row].sheet);
        loaded->computed[row].sheet = NULL;
    }
    loaded->schema = NULL;
    loaded->constraints = loaded->page = NULL;
}

static enum status complain(struct arena *memory, struct text folder, struct text what, struct text *error_out)
{
    *error_out = text_format(memory, "%.*s: %.*s", TEXT_ARG(folder), TEXT_ARG(what));
    return FAILED;
}

static enum status manifest_tree(struct text folder, const struct xml_schema *manifest_schema, struct arena *memory,
                                 const struct xml_element **manifest_out, struct text *error_out)
{
    struct text bytes;
    struct refusal refusal = {0};
    struct xml_document *document = NULL;
    if (usage_file_read(usage_path_join(memory, folder, "manifest.xml"), memory, &bytes) != OK)
        return complain(memory, folder, TEXT("there is no manifest.xml"), error_out);
    enum status status = xml_parse(bytes, &XML_LIMITS_STANDARD, memory, &document, &refusal);
    if (status == OK)
        status = xml_schema_check(manifest_schema, document, memory, &refusal);
    xml_document_free(document);
    if (status == REFUSED)
        return complain(memory, folder, text_format(memory, "manifest.xml, %.*s", TEXT_ARG(refusal.phrase)), error_out);
    if (status != OK || xml_tree_read(bytes, memory, manifest_out) != OK)
        return complain(memory, folder, TEXT("manifest.xml cannot be read"), error_out);
    return OK;
}

static enum status compile(struct usage_loaded *loaded, struct arena *memory, struct text *error_out)
{
    const char *schema = usage_path_join(memory, loaded->folder, "document.xsd");
    const char *constraints = usage_path_join(memory, loaded->folder, "constraints.xsl");
    const char *page = usage_path_join(memory, loaded->folder, USAGE_PAGE);
    if (xml_schema_load(schema, memory, &loaded->schema, error_out) != OK)
        return FAILED;
    if (usage_file_exists(constraints) && xml_sheet_load(constraints, memory, &loaded->constraints, error_out) != OK)
        return FAILED;
    if (usage_file_exists(page) && xml_sheet_load(page, memory, &loaded->page, error_out) != OK)
        return FAILED;
    return compile_computed(loaded, memory, error_out);
}

static enum status compile_computed(struct usage_loaded *loaded, struct arena *memory, struct text *error_out)
{
    for (size_t row = 0; row < loaded->usage.documents_count; row++) {
        struct usage_computed *computed = &loaded->computed[row];
        if (loaded->usage.documents[row].kind != USAGE_COMPUTED)
            continue;
        const char *path = usage_path_join(memory, loaded->folder, text_cstring(memory, computed->file));
        if (xml_sheet_load(path, memory, &computed->sheet, error_out) != OK)
            return FAILED;
        enum usage_source source = loaded->usage.documents[row].source;
        struct text nothing = source == USAGE_FROM_USAGES       ? TEXT("<usages/>")
                              : USAGE_SOURCE_IS_RECORDS(source) ? TEXT("<records/>")
                                                                : TEXT("<documents/>");
        if (usage_computed_check(loaded, nothing, path, row, memory, error_out) != OK)
            return FAILED;
    }
    return OK;
}

static struct text last_part(struct text path)
{
    while (text_ends_with(path, TEXT("/")))
        path.length--;
    size_t begin = path.length;
    while (begin > 0 && path.bytes[begin - 1] != '/')
        begin--;
    return text_slice(path, begin, path.length);
}
