/* The <searchable> rows of a manifest. The manifest's schema has said yes before. */
#include "usage_own.h"

#define WANTED         1 /* until it has a number */
#define SIGNATURE_SEED 1 /* never another: signatures are kept on the disk */

static enum status read_row(const struct xml_element *row, struct arena *memory, struct usage_loaded *loaded,
                            struct text *error_out);
static enum status read_field(const struct xml_element *row, struct arena *memory, const struct usage_loaded *loaded,
                              const struct usage_searchable *searchable, struct usage_field *field,
                              struct text *error_out);
static size_t number_indexes(struct usage_field *fields, size_t count);
static uint64_t sign(const struct xml_element *row, struct arena *memory);

enum status usage_search_read(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                              struct text *error_out)
{
    for (const struct xml_element *row = manifest->first_child; row; row = row->next)
        if (usage_row_is(row, "searchable") && read_row(row, memory, loaded, error_out) != OK)
            return FAILED;
    return OK;
}

const struct usage_searchable *usage_searchable(const struct usage *usage, enum xcap_tree tree)
{
    return usage_loaded(usage)->searchable[tree];
}

static bool read_path(const struct usage_loaded *loaded, struct text written, bool from_root, struct arena *memory,
                      struct usage_path *path_out)
{
    struct text whole = from_root ? written : text_join(memory, TEXT("/"), written);
    bool attribute_alone = text_starts_with(whole, TEXT("/@"));
    if (attribute_alone) { /* of the element itself */
        *path_out = (struct usage_path){.has_attribute = true};
        return usage_name_resolve(loaded, text_slice(whole, 2, whole.length), true, &path_out->attribute_namespace,
                                  &path_out->attribute);
    }
    return usage_path_parse(loaded, whole, path_out) && !path_out->anywhere;
}

static enum status complain(struct arena *memory, struct text path, struct text *error_out)
{
    *error_out = text_format(memory, "searchable: '%.*s' is not a path of child steps with prefixes that are declared",
                             TEXT_ARG(path));
    return FAILED;
}

static enum status read_row(const struct xml_element *row, struct arena *memory, struct usage_loaded *loaded,
                            struct text *error_out)
{
    struct usage_searchable *searchable = arena_new(memory, struct usage_searchable);
    struct text element = usage_row_value(row, "element"), when = usage_row_value(row, "when");
    struct usage_field *fields = arena_array(memory, struct usage_field, usage_rows_count(row, "field") + 1);
    searchable->tree = usage_row_tree(row);
    searchable->roles = usage_row_roles(row, "role", loaded->roles[searchable->tree][USAGE_READ]);
    searchable->if_absent = text_equal(usage_row_value(row, "absent"), TEXT("true"));
    searchable->fields = fields;
    if (!read_path(loaded, element, true, memory, &searchable->element) || searchable->element.has_attribute)
        return complain(memory, element, error_out);
    if (when.length && !read_path(loaded, when, false, memory, &searchable->when))
        return complain(memory, when, error_out);
    for (const struct xml_element *field = row->first_child; field; field = field->next)
        if (read_field(field, memory, loaded, searchable, &fields[searchable->fields_count++], error_out) != OK)
            return FAILED;
    size_t indexes = number_indexes(fields, searchable->fields_count);
    if (indexes > USAGE_INDEX_FIELDS_MAX) {
        *error_out = text_format(memory, "searchable: more than %d indexes", USAGE_INDEX_FIELDS_MAX);
        return FAILED;
    }
    searchable->signature = indexes ? sign(row, memory) : 0;
    loaded->searchable[searchable->tree] = searchable;
    return OK;
}

static const struct text index_names[USAGE_INDEXES] = {
    [USAGE_INDEX_VALUE] = TEXT_INIT("value"),
    [USAGE_INDEX_WORDS] = TEXT_INIT("words"),
    [USAGE_INDEX_PARTS] = TEXT_INIT("parts"),
    [USAGE_INDEX_ADDRESS] = TEXT_INIT("address"),
};

static struct text last_name(const struct usage_path *path)
{
    return path->has_attribute ? path->attribute : path->steps[path->steps_count - 1].local;
}

static enum status read_field(const struct xml_element *row, struct arena *memory, const struct usage_loaded *loaded,
                              const struct usage_searchable *searchable, struct usage_field *field,
                              struct text *error_out)
{
    struct text path = usage_row_value(row, "path");
    const struct text *words;
    field->anything = text_equal(path, TEXT("*"));
    field->roles = usage_row_roles(row, "role", searchable->roles);
    if (!field->anything && !read_path(loaded, path, false, memory, &field->path))
        return complain(memory, path, error_out);
    field->self = text_equal(usage_row_value(row, "self"), TEXT("true"));
    field->name = usage_row_value(row, "name");
    if (field->name.length == 0 && !field->anything)
        field->name = last_name(&field->path);
    size_t count = usage_row_words(usage_row_value(row, "index"), memory, &words);
    for (size_t i = 0; i < count && !field->anything; i++)
        for (size_t k = 0; k < USAGE_INDEXES; k++)
            if (text_equal(words[i], index_names[k]))
                field->indexes[k] = WANTED;
    for (size_t i = 0; i < searchable->fields_count; i++)
        if (&searchable->fields[i] != field && field->name.length &&
            text_equal(searchable->fields[i].name, field->name)) {
            *error_out = text_format(memory, "searchable: two fields are named '%.*s': give one another name",
                                     TEXT_ARG(field->name));
            return FAILED;
        }
    return OK;
}

/* Of rows as written: whoever writes the same differently builds the index once more than needed. The number is that of
 * the rules by which entries are made. */
static uint64_t sign(const struct xml_element *row, struct arena *memory)
{
    struct text_builder signature;
    builder_init(&signature, memory);
    builder_add(&signature, TEXT("2 "));
    builder_add(&signature, usage_row_value(row, "element"));
    for (const struct xml_element *field = row->first_child; field; field = field->next)
        if (usage_row_value(field, "index").length)
            builder_add_format(&signature, " %.*s %.*s %.*s;", TEXT_ARG(usage_row_value(field, "path")),
                               TEXT_ARG(usage_row_value(field, "name")), TEXT_ARG(usage_row_value(field, "index")));
    return text_hash(builder_text(&signature), SIGNATURE_SEED) | 1; /* never 0 */
}

/* In the order of the manifest, so that the signature decides them. */
static size_t number_indexes(struct usage_field *fields, size_t count)
{
    size_t number = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < USAGE_INDEXES; k++)
            if (fields[i].indexes[k])
                fields[i].indexes[k] = (unsigned char)++number;
    return number;
}
