/* Documents that are made and not stored: a sheet of the usage over a listing. The list of usages is made here, once;
 * what stands in the store is listed by the caller. Pages for people are made in the same way. */
#include "usage_own.h"

static struct text listing(const struct usage_set *set, struct arena *arena);
static enum status check_document(const struct usage_loaded *loaded, size_t row, struct text bytes, const char *where,
                                  struct arena *arena, struct text *error_out);

enum status usage_set_compute(struct usage_set *set, struct text *error_out)
{
    struct arena *memory = &set->memory;
    struct text usages = listing(set, memory);
    for (size_t i = 0; i < set->count; i++) {
        struct usage_loaded *loaded = set->usages[i];
        for (size_t row = 0; row < loaded->usage.documents_count; row++) {
            const struct usage_document *document = &loaded->usage.documents[row];
            struct usage_computed *computed = &loaded->computed[row];
            if (document->kind != USAGE_COMPUTED || document->source != USAGE_FROM_USAGES)
                continue;
            const char *path = usage_path_join(memory, loaded->folder, text_cstring(memory, computed->file));
            if (usage_sheet_run(computed->sheet, usages, memory, &computed->bytes) != OK) {
                *error_out = text_format(memory, "%s: the sheet fails: %.*s", path, TEXT_ARG(computed->bytes));
                return FAILED;
            }
            if (check_document(loaded, row, computed->bytes, path, memory, error_out) != OK)
                return FAILED;
        }
    }
    return OK;
}

enum status usage_sheet_run(const struct xml_sheet *sheet, struct text listing, struct arena *arena,
                            struct text *bytes_out)
{
    struct xml_document *input = NULL;
    struct refusal refusal;
    if (listing.length > USAGE_LISTING_MAX)
        return FULL;
    /* stored documents are well-formed, so what a listing can be refused for is its size */
    if (xml_parse(listing, &USAGE_LIMITS_LISTING, arena, &input, &refusal) != OK)
        return FULL;
    enum status status = xml_sheet_apply(sheet, input, NULL, 0, arena, bytes_out);
    xml_document_free(input);
    return status == OK && bytes_out->length > USAGE_LISTING_MAX ? FULL : status;
}

/* A computed document must be as valid as one that a client puts. */
static enum status check_document(const struct usage_loaded *loaded, size_t row, struct text bytes, const char *where,
                                  struct arena *arena, struct text *error_out)
{
    struct usage_subject subject = {.name = loaded->usage.documents[row].pattern};
    struct refusal refusal = {0};
    const struct usage_claim *claims;
    size_t claims_count;
    if (usage_check(&loaded->usage, &subject, bytes, arena, &claims, &claims_count, &refusal) == OK)
        return OK;
    *error_out =
        text_format(arena, "%s: makes a document that its usage refuses: %.*s", where, TEXT_ARG(refusal.phrase));
    return REFUSED;
}

enum status usage_computed_check(const struct usage_loaded *loaded, struct text listing, const char *where, size_t row,
                                 struct arena *arena, struct text *error_out)
{
    struct text bytes = {0};
    if (usage_sheet_run(loaded->computed[row].sheet, listing, arena, &bytes) == OK)
        return check_document(loaded, row, bytes, where, arena, error_out);
    *error_out = text_format(arena, "%s: the sheet fails: %.*s", where, TEXT_ARG(bytes));
    return REFUSED;
}

/* What computed sheets see: <usages><usage auid="…"><alias auid="…"/><namespace>…</namespace></usage></usages>. */
static struct text listing(const struct usage_set *set, struct arena *arena)
{
    struct text_builder list;
    builder_init(&list, arena);
    builder_add(&list, TEXT("<usages>"));
    for (size_t i = 0; i < set->count; i++) {
        const struct usage_loaded *loaded = set->usages[i];
        builder_add_format(&list, "<usage auid=\"%.*s\" mime=\"%.*s\">",
                           TEXT_ARG(xml_escape(arena, loaded->usage.auid)),
                           TEXT_ARG(xml_escape(arena, loaded->usage.mime)));
        for (size_t k = 0; k < loaded->aliases_count; k++)
            builder_add_format(&list, "<alias auid=\"%.*s\"/>", TEXT_ARG(xml_escape(arena, loaded->aliases[k])));
        struct text *namespaces;
        size_t count = xml_schema_namespaces(loaded->schema, arena, &namespaces);
        for (size_t k = 0; k < count; k++)
            builder_add_format(&list, "<namespace>%.*s</namespace>", TEXT_ARG(xml_escape(arena, namespaces[k])));
        builder_add(&list, TEXT("</usage>"));
    }
    builder_add(&list, TEXT("</usages>"));
    return builder_text(&list);
}

enum status usage_compute(const struct usage *usage, enum xcap_tree tree, struct text name, struct text listing,
                          struct arena *arena, struct text *bytes_out)
{
    const struct usage_document *row = usage_document(usage, tree, name);
    if (!row || row->kind != USAGE_COMPUTED)
        return NOT_FOUND;
    const struct usage_computed *computed = &usage_loaded(usage)->computed[row - usage->documents];
    if (row->source != USAGE_FROM_USAGES)
        return usage_sheet_run(computed->sheet, listing, arena, bytes_out);
    *bytes_out = text_copy(arena, computed->bytes);
    return OK;
}

enum status usage_page(const struct usage_set *set, const struct usage *usage, const struct usage_subject *subject,
                       struct text bytes, struct arena *arena, struct text *page_out)
{
    const struct usage_loaded *loaded = usage_loaded(usage);
    const struct xml_sheet *sheet = loaded->page ? loaded->page : set->page;
    return sheet ? usage_page_make(sheet, usage, subject, bytes, arena, page_out) : NOT_FOUND;
}

enum status usage_page_make(const struct xml_sheet *sheet, const struct usage *usage,
                            const struct usage_subject *subject, struct text bytes, struct arena *arena,
                            struct text *page_out)
{
    struct xml_document *document = NULL;
    struct refusal refusal;
    if (xml_parse(bytes, &USAGE_LIMITS_LISTING, arena, &document, &refusal) != OK)
        return FAILED;
    const struct xml_parameter parameters[] = {
        {"owner", subject->owner},
        {"name", subject->name},
        {"root-uri", subject->root_uri},
        {"auid", usage->auid},
    };
    enum status status =
        xml_sheet_apply(sheet, document, parameters, sizeof(parameters) / sizeof(parameters[0]), arena, page_out);
    xml_document_free(document);
    return status;
}
