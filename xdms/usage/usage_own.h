/* What the files of this module share: a usage as loaded, with all that callers need not see. */
#ifndef USAGE_OWN_H
#define USAGE_OWN_H

#include "usage.h"
#include "xml_tree.h"
#include "xml_validate.h"

#define USAGE_STEPS_MAX     8         /* of a claim path; documents are not deeper where it matters */
#define USAGE_CLAIMS_MAX    256       /* of one document: all are written in its transaction */
#define USAGE_FILE_MAX      (4 << 20) /* bytes of a file in schemas/; more is not ours */
#define USAGE_BYTES_MAX     262144    /* of a document, when the manifest sets no limit */
#define USAGE_DEPTH_MAX     32        /* the same for nesting */
#define USAGE_TREES         2
#define USAGE_OPERATIONS    2
#define USAGE_FOLDER_COMMON "common" /* shared schema parts: no usage */

struct usage_step {
    struct text namespace, local;
};

/* "//ls:list-service/@uri" or "/ls:group/ls:list-service": child steps, the first perhaps anywhere. */
struct usage_path {
    bool anywhere;
    struct usage_step steps[USAGE_STEPS_MAX];
    size_t steps_count;
    bool has_attribute; /* else the text of the element */
    struct text attribute_namespace, attribute;
};

struct usage_claim_row {
    struct text kind;
    struct usage_path path;
    bool shared;
    bool canonical; /* the value is an address: compared in its canonical form */
};

struct usage_computed {
    struct text sheet; /* file name of the row's sheet; empty for stored documents */
    struct text bytes;
};

struct usage_loaded {
    struct usage usage; /* first: callers hold a pointer to it */
    struct text folder; /* path */
    struct text root_namespace;
    const struct text *aliases;
    size_t aliases_count;
    enum usage_role roles[USAGE_TREES][USAGE_OPERATIONS];
    const struct usage_claim_row *claims;
    size_t claims_count;
    struct usage_computed *computed; /* one for each of usage.documents */
    struct xml_schema *schema;
    struct xml_sheet *constraints; /* NULL: none */
};

struct usage_name { /* an AUID or an alias */
    struct text name;
    const struct usage_loaded *loaded;
};

struct usage_set {
    struct arena memory;
    struct usage_loaded **usages; /* in byte order of the AUID */
    size_t count;
    struct usage_name *names; /* in byte order */
    size_t names_count;
};

static inline const struct usage_loaded *usage_loaded(const struct usage *usage)
{
    return (const struct usage_loaded *)(const void *)usage;
}

/* Reads manifest.xml of `folder` and compiles what it names. `error_out` is one line that starts with the folder. */
enum status usage_folder_load(struct text folder, const struct xml_schema *manifest_schema, struct arena *memory,
                              struct usage_loaded **loaded_out, struct text *error_out);
void usage_folder_free(struct usage_loaded *loaded);

/* From a manifest that its schema has accepted. `loaded_out` has no schema and no sheets yet. */
enum status usage_manifest_read(const struct xml_element *manifest, struct arena *memory,
                                struct usage_loaded *loaded_out, struct text *error_out);

bool usage_path_parse(const struct usage_loaded *loaded, struct text written, struct usage_path *path_out);

/* "prefix:local" by the prefixes of the manifest; without prefix the default namespace, or none for an attribute. */
bool usage_name_resolve(const struct usage_loaded *loaded, struct text written, bool attribute,
                        struct text *namespace_out, struct text *local_out);

/* All claims of the document in document order. `unreadable_out` is the field of an address that is none, or empty.
 * REFUSED: two of the same value (uniqueness-failure), too many. */
enum status usage_claims_read(const struct usage_loaded *loaded, struct text bytes, struct arena *arena,
                              const struct usage_claim **claims_out, size_t *claims_count_out,
                              struct text *unreadable_out, struct refusal *refusal);

bool usage_file_exists(const char *path);
enum status usage_file_read(const char *path, struct arena *arena, struct text *bytes_out);

/* Names in a folder without those that start with a dot, in byte order. NOT_FOUND when it cannot be read. */
enum status usage_folder_list(const char *path, struct arena *arena, struct text **names_out, size_t *count_out);
const char *usage_path_join(struct arena *arena, struct text folder, const char *name);

#endif
