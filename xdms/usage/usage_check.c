/* Is this whole document what its usage allows, in the order that RFC 4825 §8.2.5 gives: form, schema, uniqueness,
 * other constraints. Nearly all documents are found good in one reading without a tree; the others are parsed into one
 * that the schema and the sheet see, and that tells what is wrong. */
#include "usage_own.h"
#include "xcap_error.h"

static enum status check_parsed(const struct usage_loaded *loaded, const struct usage_subject *subject,
                                struct text bytes, const struct xml_document *document, struct arena *arena,
                                const struct usage_claim **claims_out, size_t *claims_count_out,
                                struct refusal *refusal);
static bool is_plain(const struct usage_loaded *loaded, struct text bytes, const struct xml_limits *limits,
                     struct arena *arena);
static enum status check_root(const struct usage_loaded *loaded, const struct xml_document *document,
                              struct arena *arena, struct refusal *refusal);
static enum status check_constraints(const struct usage_loaded *loaded, const struct usage_subject *subject,
                                     const struct xml_document *document, struct arena *arena, struct refusal *refusal);
static bool read_forbidden(struct text output, struct arena *arena, struct refusal *refusal);

enum status usage_check(const struct usage *usage, const struct usage_subject *subject, struct text bytes,
                        struct arena *arena, const struct usage_claim **claims_out, size_t *claims_count_out,
                        struct refusal *refusal)
{
    const struct usage_loaded *loaded = usage_loaded(usage);
    const struct xml_limits limits = {usage->bytes_max, usage->depth_max, usage->elements_max, usage->attributes_max};
    struct xml_document *document = NULL;
    struct text unreadable;
    *claims_out = NULL;
    *claims_count_out = 0;
    if (is_plain(loaded, bytes, &limits, arena) &&
        usage_claims_read(loaded, bytes, arena, claims_out, claims_count_out, &unreadable, refusal) == OK &&
        unreadable.length == 0)
        return OK;
    enum status status = xml_parse(bytes, &limits, arena, &document, refusal);
    if (status != OK)
        return status;
    status = check_parsed(loaded, subject, bytes, document, arena, claims_out, claims_count_out, refusal);
    xml_document_free(document);
    return status;
}

/* Good, and without anything that the sheet would look for. */
static bool is_plain(const struct usage_loaded *loaded, struct text bytes, const struct xml_limits *limits,
                     struct arena *arena)
{
    bool suspect;
    return (!loaded->constraints || loaded->has_suspects) &&
           xml_schema_accepts(loaded->schema, bytes, limits, loaded->root_namespace, loaded->usage.root,
                              &loaded->suspects, arena, &suspect) &&
           !suspect;
}

static enum status check_parsed(const struct usage_loaded *loaded, const struct usage_subject *subject,
                                struct text bytes, const struct xml_document *document, struct arena *arena,
                                const struct usage_claim **claims_out, size_t *claims_count_out,
                                struct refusal *refusal)
{
    struct text unreadable;
    enum status status = check_root(loaded, document, arena, refusal);
    if (status == OK)
        status = xml_schema_check(loaded->schema, document, arena, refusal);
    if (status == OK)
        status = usage_claims_read(loaded, bytes, arena, claims_out, claims_count_out, &unreadable, refusal);
    if (status == OK)
        status = check_constraints(loaded, subject, document, arena, refusal);
    if (status != OK || unreadable.length == 0)
        return status;
    return refuse_conflict(refusal, "constraint-failure",
                           text_format(arena, "%.*s is not a SIP, TEL or IM address", TEXT_ARG(unreadable)));
}

/* A schema takes any of its global elements for a document. */
static enum status check_root(const struct usage_loaded *loaded, const struct xml_document *document,
                              struct arena *arena, struct refusal *refusal)
{
    struct text namespace;
    struct text root = xml_document_root(document, &namespace);
    if (text_equal(root, loaded->usage.root) && text_equal(namespace, loaded->root_namespace))
        return OK;
    struct text phrase = text_format(arena, "the document element must be '%.*s' of namespace %.*s, not '%.*s' of %.*s",
                                     TEXT_ARG(loaded->usage.root), TEXT_ARG(loaded->root_namespace), TEXT_ARG(root),
                                     TEXT_ARG(namespace.length ? namespace : TEXT("no namespace")));
    return refuse_conflict(refusal, "schema-validation-error", phrase);
}

static enum status check_constraints(const struct usage_loaded *loaded, const struct usage_subject *subject,
                                     const struct xml_document *document, struct arena *arena, struct refusal *refusal)
{
    if (!loaded->constraints)
        return OK;
    const struct xml_parameter parameters[] = {
        {"owner", subject->owner},
        {"name", subject->name},
        {"root-uri", subject->root_uri},
        {"addresses", subject->addresses},
    };
    struct text output;
    enum status status = xml_sheet_apply(loaded->constraints, document, parameters,
                                         sizeof(parameters) / sizeof(parameters[0]), arena, &output);
    if (status == FULL)
        return refuse_conflict(refusal, "constraint-failure", TEXT("the document is too large to be checked"));
    if (status != OK) {
        *refusal = (struct refusal){.phrase = output};
        return status;
    }
    if (text_trim(output).length == 0)
        return OK;
    if (read_forbidden(output, arena, refusal))
        return REFUSED;
    status = xcap_error_read(output, arena, refusal);
    return status == OK ? REFUSED : status;
}

/* Some usages want 403 for what is no conflict: a document that speaks of somebody else. */
static bool read_forbidden(struct text output, struct arena *arena, struct refusal *refusal)
{
    const struct xml_element *root = NULL;
    struct text phrase = {0};
    if (xml_tree_read(output, arena, &root) != OK || !xml_is(root, TEXT("urn:xdm:constraints"), TEXT("forbidden")))
        return false;
    xml_attribute(root, TEXT("phrase"), &phrase);
    *refusal = (struct refusal){.kind = REFUSAL_FORBIDDEN, .phrase = text_copy(arena, phrase)};
    return true;
}
