/* From the tree of a manifest to the rows that the rest of the module works with. The manifest's schema has said yes
 * before, so only what a schema cannot say is checked here. Opens no file. */
#include "usage_own.h"

#include <assert.h>

static void read_suspects(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded);
static void read_head(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded);
static enum status read_documents(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                                  struct text *error_out);
static void read_posts(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded);
#define OWNERS (1u << USAGE_OWNER | 1u << USAGE_OPERATOR | 1u << USAGE_ADMIN)

static void read_access(const struct xml_element *manifest, struct usage_loaded *loaded);
static enum status read_claims(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                               struct text *error_out);

struct text usage_row_value(const struct xml_element *element, const char *name)
{
    struct text value = {0};
    xml_attribute(element, text_of(name), &value);
    return text_trim(value);
}

bool usage_row_is(const struct xml_element *element, const char *name)
{
    return text_equal(element->local, text_of(name));
}

size_t usage_rows_count(const struct xml_element *parent, const char *name)
{
    size_t count = 0;
    for (const struct xml_element *child = parent->first_child; child; child = child->next)
        count += usage_row_is(child, name);
    return count;
}

uint64_t usage_row_number(const struct xml_element *element, const char *name, uint64_t if_absent)
{
    uint64_t number = if_absent;
    return text_to_u64(usage_row_value(element, name), &number) ? number : if_absent;
}

enum xcap_tree usage_row_tree(const struct xml_element *element)
{
    return text_equal(usage_row_value(element, "scope"), TEXT("global")) ? XCAP_GLOBAL : XCAP_USERS;
}

enum status usage_manifest_read(const struct xml_element *manifest, struct arena *memory,
                                struct usage_loaded *loaded_out, struct text *error_out)
{
    loaded_out->usage.auid = usage_row_value(manifest, "auid");
    loaded_out->alias_of = usage_row_value(manifest, "of");
    if (loaded_out->alias_of.length)
        return OK;
    read_head(manifest, memory, loaded_out);
    struct text root = usage_row_value(manifest, "root");
    if (!usage_name_resolve(loaded_out, root, false, &loaded_out->root_namespace, &loaded_out->usage.root)) {
        *error_out = text_format(memory, "root '%.*s' has a prefix that is not declared", TEXT_ARG(root));
        return FAILED;
    }
    if (read_documents(manifest, memory, loaded_out, error_out) != OK)
        return FAILED;
    read_posts(manifest, memory, loaded_out);
    read_access(manifest, loaded_out);
    read_suspects(manifest, memory, loaded_out);
    if (read_claims(manifest, memory, loaded_out, error_out) != OK)
        return FAILED;
    struct text kind;
    if (!usage_claims_resolve(loaded_out, &kind)) {
        *error_out =
            text_format(memory, "'%.*s' is no unique value of an attribute that stands at one place", TEXT_ARG(kind));
        return FAILED;
    }
    if (usage_search_read(manifest, memory, loaded_out, error_out) != OK)
        return FAILED;
    return usage_policy_read(manifest, memory, loaded_out, error_out);
}

static void read_head(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded)
{
    struct usage *usage = &loaded->usage;
    usage->mime = usage_row_value(manifest, "mime");
    usage->namespace = usage_row_value(manifest, "namespace");
    usage->also = usage_row_value(manifest, "also");
    usage->bytes_max = USAGE_BYTES_MAX;
    usage->depth_max = USAGE_DEPTH_MAX;
    usage->elements_max = USAGE_ELEMENTS_MAX;
    usage->attributes_max = USAGE_ATTRIBUTES_MAX;
    struct usage_prefix *prefixes = arena_array(memory, struct usage_prefix, usage_rows_count(manifest, "prefix") + 1);
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        if (usage_row_is(row, "prefix")) {
            prefixes[usage->prefixes_count].name = usage_row_value(row, "name");
            prefixes[usage->prefixes_count++].namespace = usage_row_value(row, "namespace");
        } else if (usage_row_is(row, "limit")) {
            usage->bytes_max = usage_row_number(row, "bytes", USAGE_BYTES_MAX);
            usage->depth_max = (unsigned)usage_row_number(row, "depth", USAGE_DEPTH_MAX);
        }
    }
    usage->prefixes = prefixes;
}

static struct text *read_words(struct text words, struct arena *memory, size_t *count_out)
{
    struct text *list = arena_array(memory, struct text, words.length / 2 + 1);
    struct text word;
    *count_out = 0;
    for (words = text_trim(words); words.length; words = text_trim(words)) {
        text_cut(words, ' ', &word, &words); /* the schema made one blank of all white space */
        list[(*count_out)++] = text_trim(word);
    }
    return list;
}

static void read_suspects(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded)
{
    struct xml_suspects *suspects = &loaded->suspects;
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        if (!usage_row_is(row, "suspect"))
            continue;
        loaded->has_suspects = true;
        suspects->repeated = read_words(usage_row_value(row, "repeated"), memory, &suspects->repeated_count);
        suspects->present = read_words(usage_row_value(row, "present"), memory, &suspects->present_count);
    }
}

static enum usage_source source_of(struct text name)
{
    static const struct text names[USAGE_SOURCES] = {
        [USAGE_FROM_USAGES] = TEXT_INIT("usages"),     [USAGE_FROM_HOME] = TEXT_INIT("home"),
        [USAGE_FROM_CONTENTS] = TEXT_INIT("contents"), [USAGE_FROM_DEFERRED] = TEXT_INIT("deferred"),
        [USAGE_FROM_HISTORY] = TEXT_INIT("history"),
    };
    for (unsigned i = 0; i < USAGE_SOURCES; i++)
        if (text_equal(names[i], name))
            return (enum usage_source)i;
    return USAGE_FROM_USAGES;
}

/* "history/@history-reference" or "history/history-reference"; the schema has looked at the form. */
static void read_entry(struct text entries, struct usage_document *row)
{
    struct text name;
    text_cut(entries, '/', &row->entry, &name);
    row->entry_name_is_attribute = text_starts_with(name, TEXT("@"));
    row->entry_name = row->entry_name_is_attribute ? text_slice(name, 1, name.length) : name;
}

static bool is_of_one_owner(enum usage_source source)
{
    return source == USAGE_FROM_HOME || USAGE_SOURCE_IS_RECORDS(source);
}

/* What the schema cannot say of a row; NULL: it is good. */
static const char *complaint_about(const struct usage_document *row, struct text from, struct text by)
{
    bool patterned = text_find_char(row->pattern, '*') < row->pattern.length;
    if (row->kind == USAGE_STORED)
        return from.length || by.length ? "has 'from' or 'by' but is not computed" : NULL;
    if (by.length && row->source != USAGE_FROM_CONTENTS)
        return "has 'by' but is not made of contents";
    if (patterned)
        return "is computed: its name must be a single one";
    if (is_of_one_owner(row->source) && row->tree == XCAP_GLOBAL)
        return "is made from a home: its scope must be users";
    if (!is_of_one_owner(row->source) && row->tree == XCAP_USERS)
        return "is the same for all users: its scope must be global";
    if (row->entry.length && !USAGE_SOURCE_IS_RECORDS(row->source))
        return "has 'entries' but is not made of records";
    return NULL;
}

static enum status read_documents(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                                  struct text *error_out)
{
    size_t count = usage_rows_count(manifest, "document");
    struct usage_document *documents = arena_array(memory, struct usage_document, count + 1);
    loaded->computed = arena_array(memory, struct usage_computed, count + 1);
    size_t used = 0;
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        if (!usage_row_is(row, "document"))
            continue;
        loaded->computed[used].file = usage_row_value(row, "computed");
        documents[used].pattern = usage_row_value(row, "name");
        documents[used].tree = usage_row_tree(row);
        documents[used].kind = loaded->computed[used].file.length ? USAGE_COMPUTED : USAGE_STORED;
        documents[used].source = source_of(usage_row_value(row, "from"));
        loaded->computed[used].by = usage_row_value(row, "by");
        read_entry(usage_row_value(row, "entries"), &documents[used]);
        const char *complaint =
            complaint_about(&documents[used], usage_row_value(row, "from"), loaded->computed[used].by);
        if (complaint) {
            *error_out = text_format(memory, "document '%.*s' %s", TEXT_ARG(documents[used].pattern), complaint);
            return FAILED;
        }
        used++;
    }
    if (used == 0 && usage_rows_count(manifest, "post") == 0) {
        *error_out = TEXT("there is neither a document nor a post");
        return FAILED;
    }
    loaded->usage.documents = documents;
    loaded->usage.documents_count = used;
    return OK;
}

static const struct text role_names[USAGE_NOBODY + 1] = {
    [USAGE_ANYONE] = TEXT_INIT("anyone"),     [USAGE_USER] = TEXT_INIT("user"),
    [USAGE_OWNER] = TEXT_INIT("owner"),       [USAGE_SERVER] = TEXT_INIT("server"),
    [USAGE_OPERATOR] = TEXT_INIT("operator"), [USAGE_ADMIN] = TEXT_INIT("admin"),
    [USAGE_AUDITOR] = TEXT_INIT("auditor"),   [USAGE_NOBODY] = TEXT_INIT("nobody"),
};

enum usage_role usage_role_named(struct text name)
{
    for (unsigned i = 0; i < USAGE_NOBODY; i++)
        if (text_equal(role_names[i], name))
            return (enum usage_role)i;
    return USAGE_NOBODY;
}

struct text usage_role_name(enum usage_role role)
{
    return role_names[role];
}

#define ROLES_FROM(role) ((1u << USAGE_NOBODY) - (1u << (role)))

#define CHANGING_ROLES (~USAGE_ROLE_BIT(USAGE_AUDITOR))

/* The schema has no other names. */
unsigned usage_row_roles(const struct xml_element *row, const char *attribute, unsigned if_absent)
{
    struct text rest = usage_row_value(row, attribute), name;
    if (rest.length == 0)
        return if_absent;
    if (!text_cut(rest, ' ', &name, &rest))
        return ROLES_FROM(usage_role_named(name));
    unsigned roles = 1u << usage_role_named(name);
    while (rest.length) {
        text_cut(text_trim(rest), ' ', &name, &rest);
        roles |= 1u << usage_role_named(name);
    }
    return roles & ~(1u << USAGE_NOBODY);
}

static void read_posts(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded)
{
    struct usage_post *posts = arena_array(memory, struct usage_post, usage_rows_count(manifest, "post") + 1);
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        if (!usage_row_is(row, "post"))
            continue;
        posts[loaded->usage.posts_count++] = (struct usage_post){
            .mime = usage_row_value(row, "type"),
            .handler = usage_row_value(row, "handler"),
            .tree = usage_row_tree(row),
            .roles = usage_row_roles(row, "role",
                                     ROLES_FROM(usage_row_tree(row) == XCAP_GLOBAL ? USAGE_USER : USAGE_OWNER)) &
                     CHANGING_ROLES, /* what is posted may change something */
        };
    }
    loaded->usage.posts = posts;
}

static void read_access(const struct xml_element *manifest, struct usage_loaded *loaded)
{
    /* RFC 4825 §5.7: what holds where a usage says nothing; servers read what users wrote, and leave it as it is */
    loaded->roles[XCAP_USERS][USAGE_READ] = ROLES_FROM(USAGE_OWNER);
    loaded->roles[XCAP_USERS][USAGE_WRITE] = OWNERS;
    loaded->roles[XCAP_USERS][USAGE_DELETE] = OWNERS;
    loaded->roles[XCAP_GLOBAL][USAGE_READ] = ROLES_FROM(USAGE_USER);
    loaded->roles[XCAP_GLOBAL][USAGE_WRITE] = ROLES_FROM(USAGE_OPERATOR) & CHANGING_ROLES;
    loaded->roles[XCAP_GLOBAL][USAGE_DELETE] = ROLES_FROM(USAGE_OPERATOR) & CHANGING_ROLES;
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        if (!usage_row_is(row, "access"))
            continue;
        unsigned *roles = loaded->roles[usage_row_tree(row)];
        roles[USAGE_READ] = usage_row_roles(row, "read", roles[USAGE_READ]);
        roles[USAGE_WRITE] = usage_row_roles(row, "write", roles[USAGE_WRITE]) & CHANGING_ROLES;
        roles[USAGE_DELETE] = usage_row_roles(row, "delete", roles[USAGE_WRITE]) & CHANGING_ROLES;
    }
}

static enum usage_form form_of(struct text name)
{
    if (text_equal(name, TEXT("address")))
        return USAGE_ADDRESS;
    return text_equal(name, TEXT("uri")) ? USAGE_URI : USAGE_AS_WRITTEN;
}

size_t usage_row_words(struct text list, struct arena *memory, const struct text **words_out)
{
    struct text *words = arena_array(memory, struct text, list.length / 2 + 1);
    size_t count = 0;
    for (struct text word; list.length; list = text_trim(list)) {
        text_cut(list, ' ', &word, &list);
        words[count++] = word;
    }
    *words_out = words;
    return count;
}

static enum status read_claims(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                               struct text *error_out)
{
    size_t count = usage_rows_count(manifest, "unique") + usage_rows_count(manifest, "findable");
    struct usage_claim_row *claims = arena_array(memory, struct usage_claim_row, count + 1);
    loaded->claims = claims;
    for (const struct xml_element *row = manifest->first_child; row; row = row->next) {
        bool shared = usage_row_is(row, "findable");
        if (!shared && !usage_row_is(row, "unique"))
            continue;
        struct usage_claim_row *claim = &claims[loaded->claims_count++];
        struct text written = usage_row_value(row, "value");
        claim->kind = usage_row_value(row, "kind");
        claim->shared = shared;
        claim->form = form_of(usage_row_value(row, "canonical"));
        claim->apart_count = usage_row_words(usage_row_value(row, "apart"), memory, &claim->apart);
        if (!usage_path_parse(loaded, written, &claim->path)) {
            *error_out = text_format(
                memory, "'%.*s' is not a path such as //prefix:element/@attribute, with prefixes that are declared",
                TEXT_ARG(written));
            return FAILED;
        }
    }
    return OK;
}

bool usage_name_resolve(const struct usage_loaded *loaded, struct text written, bool attribute,
                        struct text *namespace_out, struct text *local_out)
{
    struct text prefix, local;
    if (!text_cut(written, ':', &prefix, &local)) {
        *namespace_out = attribute ? TEXT("") : loaded->usage.namespace;
        *local_out = written;
        return written.length > 0;
    }
    *local_out = local;
    for (size_t i = 0; i < loaded->usage.prefixes_count; i++) {
        if (text_equal(loaded->usage.prefixes[i].name, prefix)) {
            *namespace_out = loaded->usage.prefixes[i].namespace;
            return local.length > 0;
        }
    }
    return false;
}

bool usage_path_parse(const struct usage_loaded *loaded, struct text written, struct usage_path *path_out)
{
    *path_out = (struct usage_path){0};
    path_out->anywhere = text_starts_with(written, TEXT("//"));
    if (!text_starts_with(written, TEXT("/")))
        return false;
    struct text rest = text_slice(written, path_out->anywhere ? 2 : 1, written.length);
    while (rest.length && !path_out->has_attribute) {
        struct text step, after;
        text_cut(rest, '/', &step, &after);
        rest = after;
        if (text_starts_with(step, TEXT("@"))) {
            path_out->has_attribute = true;
            if (!usage_name_resolve(loaded, text_slice(step, 1, step.length), true, &path_out->attribute_namespace,
                                    &path_out->attribute))
                return false;
        } else {
            if (path_out->steps_count == USAGE_STEPS_MAX)
                return false;
            struct usage_step *next = &path_out->steps[path_out->steps_count++];
            if (!usage_name_resolve(loaded, step, false, &next->namespace, &next->local))
                return false;
        }
    }
    return rest.length == 0 && path_out->steps_count > 0;
}
