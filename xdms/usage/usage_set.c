/* Loads schemas/ whole or not at all: every folder, every alias, the common page. What is loaded never changes, so
 * threads share it without locks. */
#include <stdlib.h>

#include "usage_own.h"

static enum status load_folders(struct usage_set *set, struct text folder, const struct xml_schema *manifest_schema,
                                struct text *error_out);
static enum status name_all(struct usage_set *set, struct text *error_out);
static enum status load_common(struct usage_set *set, struct text folder, struct text *error_out);

enum status usage_set_load(const char *folder, struct usage_set **set_out, struct arena *arena, struct text *error_out)
{
    struct usage_set *set = memory_new(sizeof(*set));
    arena_init(&set->memory, "usages");
    struct xml_schema *manifest_schema = NULL;
    struct text error = {0};
    const char *schema_path = usage_path_join(&set->memory, text_of(folder), "manifest.xsd");
    enum status status = xml_schema_load(schema_path, &set->memory, &manifest_schema, &error);
    if (status == OK)
        status = load_folders(set, text_of(folder), manifest_schema, &error);
    xml_schema_free(manifest_schema);
    if (status == OK)
        status = name_all(set, &error);
    if (status == OK)
        status = usage_set_compute(set, &error);
    if (status == OK)
        status = load_common(set, text_of(folder), &error);
    if (status == OK) {
        *set_out = set;
        return OK;
    }
    *error_out = text_copy(arena, error);
    usage_set_free(set);
    return status;
}

void usage_set_free(struct usage_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        usage_folder_free(set->usages[i]);
    xml_sheet_free(set->page);
    arena_clear(&set->memory);
    free(set);
}

void usage_set_limit(struct usage_set *set, const struct usage_limits *limits)
{
    for (size_t i = 0; i < set->count; i++) {
        struct usage *usage = &set->usages[i]->usage;
        if (usage->bytes_max > limits->bytes_max)
            usage->bytes_max = limits->bytes_max;
        if (usage->depth_max > limits->depth_max)
            usage->depth_max = limits->depth_max;
        if (usage->elements_max > limits->elements_max)
            usage->elements_max = limits->elements_max;
        if (usage->attributes_max > limits->attributes_max)
            usage->attributes_max = limits->attributes_max;
    }
}

static enum status load_folders(struct usage_set *set, struct text folder, const struct xml_schema *manifest_schema,
                                struct text *error_out)
{
    struct text *names;
    size_t count;
    if (usage_folder_list(text_cstring(&set->memory, folder), &set->memory, &names, &count) != OK) {
        *error_out = text_format(&set->memory, "%.*s: cannot be read", TEXT_ARG(folder));
        return FAILED;
    }
    set->usages = arena_array(&set->memory, struct usage_loaded *, count + 1);
    set->names = arena_array(&set->memory, struct usage_name, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *path = usage_path_join(&set->memory, folder, text_cstring(&set->memory, names[i]));
        bool is_folder = usage_file_exists(usage_path_join(&set->memory, text_of(path), "."));
        if (!is_folder || text_equal(names[i], TEXT(USAGE_FOLDER_COMMON)))
            continue;
        struct usage_loaded *loaded = NULL;
        if (usage_folder_load(text_of(path), manifest_schema, &set->memory, &loaded, error_out) != OK)
            return FAILED;
        set->names[set->names_count++] = (struct usage_name){loaded->usage.auid, loaded};
        if (!loaded->alias_of.length)
            set->usages[set->count++] = loaded;
    }
    return OK;
}

static enum status load_common(struct usage_set *set, struct text folder, struct text *error_out)
{
    const char *page = usage_path_join(&set->memory, folder, USAGE_FOLDER_COMMON "/" USAGE_PAGE);
    return usage_file_exists(page) ? xml_sheet_load(page, &set->memory, &set->page, error_out) : OK;
}

static int name_order(const void *a, const void *b)
{
    return text_compare(((const struct usage_name *)a)->name, ((const struct usage_name *)b)->name);
}

static struct usage_name *find_name(const struct usage_set *set, struct text auid)
{
    struct usage_name key = {.name = auid};
    return set->names_count ? bsearch(&key, set->names, set->names_count, sizeof(key), name_order) : NULL;
}

/* Folders are listed in the order of their names, which are the AUIDs: only what an alias means is to be found. */
static enum status name_all(struct usage_set *set, struct text *error_out)
{
    for (size_t i = 0; i < set->names_count; i++) {
        struct usage_name *alias = &set->names[i];
        struct text of = alias->loaded->alias_of;
        if (!of.length)
            continue;
        struct usage_name *target = find_name(set, of);
        if (!target || !text_equal(target->loaded->usage.auid, of) || target->loaded->alias_of.length) {
            *error_out = text_format(&set->memory, "%.*s: '%.*s' is no usage here", TEXT_ARG(alias->loaded->folder),
                                     TEXT_ARG(of));
            return FAILED;
        }
        struct usage_loaded *usage = target->loaded;
        if (!usage->aliases)
            usage->aliases = arena_array(&set->memory, struct text, set->names_count);
        usage->aliases[usage->aliases_count++] = alias->name;
        alias->loaded = usage;
    }
    return OK;
}

const struct usage *usage_find(const struct usage_set *set, struct text auid)
{
    const struct usage_name *found = find_name(set, auid);
    return found ? &found->loaded->usage : NULL;
}

size_t usage_count(const struct usage_set *set)
{
    return set->count;
}

const struct usage *usage_at(const struct usage_set *set, size_t index)
{
    return index < set->count ? &set->usages[index]->usage : NULL;
}
