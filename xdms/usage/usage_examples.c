/* Runs the examples of a folder: what is under valid/ must be accepted, what is under invalid/ refused as its leading
 * comment says. The author of a usage needs no test code. */
#include "usage_own.h"

/* Who puts the examples: usages that look at the owner can count on it (docs/new-usage.md). */
#define EXAMPLE_OWNER    "sip:ann@example.com"
#define EXAMPLE_ROOT_URI "http://xdm.example.com/xcap-root/"

struct examples {
    const struct usage_loaded *loaded;
    struct text folder; /* of the examples: that of the usage, or of an alias */
    struct arena *arena;
    struct text_builder report;
    size_t count; /* that were tried */
};

static enum status load_target(struct usage_loaded **loaded, struct text parent,
                               const struct xml_schema *manifest_schema, struct arena *arena, struct text *report_out);
static void run_folder(struct examples *examples, const char *kind);
static void run_example(struct examples *examples, const char *kind, struct text name);
static void run_listings(struct examples *examples);
static void check_page(struct examples *examples, const char *where, const struct usage_subject *subject,
                       struct text bytes);
static struct text example_document(const struct usage *usage);
static bool expectation(struct text bytes, struct text *element_out, struct text *phrase_out);
static void check_refusal(struct examples *examples, const char *where, struct text bytes, enum status status,
                          const struct refusal *refusal);
static struct text parent_of(struct arena *arena, struct text folder);

enum status usage_check_folder(const char *folder, struct arena *arena, struct text *report_out)
{
    struct text path = text_of(folder);
    while (path.length > 1 && text_ends_with(path, TEXT("/")))
        path.length--;
    struct xml_schema *manifest_schema = NULL;
    struct usage_loaded *loaded = NULL;
    struct text parent = parent_of(arena, path);
    const char *schema_path = usage_path_join(arena, parent, "manifest.xsd");
    enum status status = xml_schema_load(schema_path, arena, &manifest_schema, report_out);
    if (status == OK)
        status = usage_folder_load(path, manifest_schema, arena, &loaded, report_out);
    if (status == OK && loaded->alias_of.length)
        status = load_target(&loaded, parent, manifest_schema, arena, report_out);
    xml_schema_free(manifest_schema);
    if (status != OK) {
        *report_out = text_format(arena, "%.*s\n", TEXT_ARG(*report_out));
        return status;
    }
    struct examples examples = {.loaded = loaded, .folder = path, .arena = arena};
    builder_init(&examples.report, arena);
    run_folder(&examples, "valid");
    run_folder(&examples, "invalid");
    run_listings(&examples);
    usage_folder_free(loaded);
    bool good = examples.report.length == 0;
    if (good)
        builder_add_format(&examples.report, "%.*s: good, %zu examples hold\n", TEXT_ARG(path), examples.count);
    *report_out = builder_text(&examples.report);
    return good ? OK : REFUSED;
}

/* From an alias to the usage that it names. */
static enum status load_target(struct usage_loaded **loaded, struct text parent,
                               const struct xml_schema *manifest_schema, struct arena *arena, struct text *report_out)
{
    struct text alias = (*loaded)->folder, of = (*loaded)->alias_of;
    struct text folder = text_of(usage_path_join(arena, parent, text_cstring(arena, of)));
    enum status status = usage_folder_load(folder, manifest_schema, arena, loaded, report_out);
    if (status != OK || !(*loaded)->alias_of.length)
        return status;
    *report_out = text_format(arena, "%.*s: '%.*s' is no usage here", TEXT_ARG(alias), TEXT_ARG(of));
    return FAILED;
}

static struct text parent_of(struct arena *arena, struct text folder)
{
    size_t end = folder.length;
    while (end > 0 && folder.bytes[end - 1] != '/')
        end--;
    return end ? text_copy(arena, text_slice(folder, 0, end - 1)) : TEXT(".");
}

static void run_folder(struct examples *examples, const char *kind)
{
    struct arena *arena = examples->arena;
    struct text folder = text_format(arena, "%.*s/examples/%s", TEXT_ARG(examples->folder), kind);
    struct text *names;
    size_t count = 0;
    if (usage_folder_list(text_cstring(arena, folder), arena, &names, &count) != OK || count == 0) {
        builder_add_format(&examples->report, "%.*s: there are no examples\n", TEXT_ARG(folder));
        return;
    }
    for (size_t i = 0; i < count; i++)
        run_example(examples, kind, names[i]);
}

static const char *refusal_name(const struct refusal *refusal)
{
    return refusal->kind == REFUSAL_FORBIDDEN ? "forbidden" : refusal->element;
}

static void run_example(struct examples *examples, const char *kind, struct text name)
{
    struct arena *arena = examples->arena;
    const char *where = text_cstring(
        arena, text_format(arena, "%.*s/examples/%s/%.*s", TEXT_ARG(examples->folder), kind, TEXT_ARG(name)));
    struct text bytes;
    examples->count++;
    if (usage_file_read(where, arena, &bytes) != OK) {
        builder_add_format(&examples->report, "%s: cannot be read\n", where);
        return;
    }
    struct usage_subject subject = {TEXT(EXAMPLE_OWNER), example_document(&examples->loaded->usage),
                                    TEXT(EXAMPLE_ROOT_URI)};
    struct refusal refusal = {0};
    const struct usage_claim *claims;
    size_t claims_count;
    enum status status =
        usage_check(&examples->loaded->usage, &subject, bytes, arena, &claims, &claims_count, &refusal);
    if (status == FAILED)
        builder_add_format(&examples->report, "%s: the constraint sheet fails: %.*s\n", where,
                           TEXT_ARG(refusal.phrase));
    else if (strcmp(kind, "invalid") == 0)
        check_refusal(examples, where, bytes, status, &refusal);
    else if (status != OK)
        builder_add_format(&examples->report, "%s: refused: %s: %.*s\n", where, refusal_name(&refusal),
                           TEXT_ARG(refusal.phrase));
    else
        check_page(examples, where, &subject, bytes);
}

static void check_page(struct examples *examples, const char *where, const struct usage_subject *subject,
                       struct text bytes)
{
    const struct usage_loaded *loaded = examples->loaded;
    struct text page;
    if (loaded->page && (usage_page_make(loaded->page, &loaded->usage, subject, bytes, examples->arena, &page) != OK ||
                         page.length == 0))
        builder_add_format(&examples->report, "%s: " USAGE_PAGE " makes no page of it\n", where);
}

/* Optional: what the sheets of computed documents must cope with. */
static void run_listings(struct examples *examples)
{
    struct arena *arena = examples->arena;
    const struct usage_loaded *loaded = examples->loaded;
    struct text folder = text_format(arena, "%.*s/examples/listings", TEXT_ARG(examples->folder)), *names, bytes, error;
    size_t count = 0;
    if (usage_folder_list(text_cstring(arena, folder), arena, &names, &count) != OK)
        return;
    for (size_t i = 0; i < count; i++) {
        const char *where = usage_path_join(arena, folder, text_cstring(arena, names[i]));
        if (usage_file_read(where, arena, &bytes) != OK) {
            builder_add_format(&examples->report, "%s: cannot be read\n", where);
            continue;
        }
        for (size_t row = 0; row < loaded->usage.documents_count; row++)
            if (loaded->usage.documents[row].kind == USAGE_COMPUTED &&
                usage_computed_check(loaded, bytes, where, row, arena, &error) != OK)
                builder_add_format(&examples->report, "%.*s\n", TEXT_ARG(error));
    }
}

/* The first name without '*', or "index". */
static struct text example_document(const struct usage *usage)
{
    for (size_t i = 0; i < usage->documents_count; i++) {
        struct text pattern = usage->documents[i].pattern;
        if (text_find_char(pattern, '*') == pattern.length)
            return pattern;
    }
    return TEXT("index");
}

static void check_refusal(struct examples *examples, const char *where, struct text bytes, enum status status,
                          const struct refusal *refusal)
{
    struct text element, phrase;
    if (!expectation(bytes, &element, &phrase))
        builder_add_format(&examples->report, "%s: does not start with <!-- expect: NAME -->\n", where);
    else if (status == OK)
        builder_add_format(&examples->report, "%s: expected %.*s, but it is accepted\n", where, TEXT_ARG(element));
    else if (!text_equal(element, text_of(refusal_name(refusal))))
        builder_add_format(&examples->report, "%s: expected %.*s, got %s: %.*s\n", where, TEXT_ARG(element),
                           refusal_name(refusal), TEXT_ARG(refusal->phrase));
    else if (phrase.length && text_find(refusal->phrase, phrase) == refusal->phrase.length)
        builder_add_format(&examples->report, "%s: expected a phrase with '%.*s', got '%.*s'\n", where,
                           TEXT_ARG(phrase), TEXT_ARG(refusal->phrase));
}

/* "<!-- expect: constraint-failure -->" or "<!-- expect: constraint-failure; part of the phrase -->". */
static bool expectation(struct text bytes, struct text *element_out, struct text *phrase_out)
{
    struct text opening = TEXT("<!-- expect:");
    size_t begin = text_find(bytes, opening);
    size_t end = text_find(bytes, TEXT("-->"));
    if (begin == bytes.length || end < begin)
        return false;
    struct text element, phrase;
    text_cut(text_slice(bytes, begin + opening.length, end), ';', &element, &phrase);
    *element_out = text_trim(element);
    *phrase_out = text_trim(phrase);
    return element_out->length > 0;
}
