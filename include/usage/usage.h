/* Document services as data: schemas/<auid>/ holds a manifest, an XSD, a constraint sheet and examples. A set is loaded
 * whole or not at all and does not change afterwards, so threads share it freely. */
#ifndef USAGE_USAGE_H
#define USAGE_USAGE_H

#include "policy.h"
#include "xcap_selector.h"
#include "xcap_target.h"

struct usage_set;

#define USAGE_ELEMENTS_MAX   50000 /* of a document, and attributes of an element: libxml2 is quadratic in these */
#define USAGE_ATTRIBUTES_MAX 64

struct usage_prefix {
    struct text name, namespace;
};

enum usage_document_kind { USAGE_STORED, USAGE_COMPUTED };

/* What the sheet of a computed document is given (docs/new-usage.md): the list of loaded usages, the list of all that
 * the owner has, the contents of all users' documents of the same name, or records that the programs keep for the
 * owner: messages that wait for him, and his conversation history. */
enum usage_source {
    USAGE_FROM_USAGES,
    USAGE_FROM_HOME,
    USAGE_FROM_CONTENTS,
    USAGE_FROM_DEFERRED,
    USAGE_FROM_HISTORY,
    USAGE_SOURCES
};
#define USAGE_SOURCE_IS_RECORDS(source) ((source) >= USAGE_FROM_DEFERRED)

struct usage_document {  /* one <document> row of the manifest */
    struct text pattern; /* name; '*' stands for any run of characters but '/'; sub-directories exist implicitly */
    enum xcap_tree tree;
    enum usage_document_kind kind; /* computed documents are read-only */
    enum usage_source source;      /* of a computed one */
    /* Of records: which elements below the document element stand for one, and where its name is. Who may delete can
     * delete these. */
    struct text entry, entry_name; /* local names; `entry` empty: nothing can be deleted */
    bool entry_name_is_attribute;
};

/* In this order one role of a manifest includes those after it. An auditor reads and never writes. */
enum usage_role {
    USAGE_ANYONE,
    USAGE_USER,
    USAGE_OWNER,
    USAGE_SERVER,
    USAGE_OPERATOR,
    USAGE_ADMIN,
    USAGE_AUDITOR,
    USAGE_NOBODY
};
#define USAGE_ROLE_BIT(role) (1u << (role))

enum usage_operation { USAGE_READ, USAGE_WRITE, USAGE_DELETE };

struct usage_post { /* one <post> row: what may be sent to this usage beside documents */
    struct text mime;
    struct text handler; /* which part of the server takes it, such as "search" */
    enum xcap_tree tree;
    unsigned roles; /* who may: bit 1 << role */
};

struct usage {
    struct text auid;
    struct text mime;
    struct text namespace; /* default document namespace */
    struct text also;      /* a second one that unprefixed steps of selectors match too, or empty */
    struct text root;      /* local name of the document element */
    const struct usage_prefix *prefixes;
    size_t prefixes_count;
    const struct usage_document *documents;
    size_t documents_count;
    const struct usage_post *posts;
    size_t posts_count;
    size_t bytes_max; /* these four: 409 constraint-failure beyond */
    unsigned depth_max, elements_max, attributes_max;
    struct policy_vocabulary vocabulary; /* empty when the manifest declares no permissions */
};

/* Loads every folder below `folder`. `error_out` gets one line: which folder, what is wrong. */
enum status usage_set_load(const char *folder, struct usage_set **set_out, struct arena *arena, struct text *error_out);
void usage_set_free(struct usage_set *set);

/* Lowers what documents may be, where a manifest allows more. Before the set is shared. */
struct usage_limits {
    size_t bytes_max;
    unsigned depth_max, elements_max, attributes_max; /* as in xml_limits */
};
void usage_set_limit(struct usage_set *set, const struct usage_limits *limits);

/* By AUID or by one of its aliases; NULL if unknown. */
const struct usage *usage_find(const struct usage_set *set, struct text auid);
size_t usage_count(const struct usage_set *set);
const struct usage *usage_at(const struct usage_set *set, size_t index); /* in byte order of the AUID */

/* The manifest's row for a document name. NULL: no such name may exist here, also since it is that of a sub-directory.
 */
const struct usage_document *usage_document(const struct usage *usage, enum xcap_tree tree, struct text name);

/* May a requester in this role do this in this tree? */
bool usage_allows(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, enum usage_role role);

/* The same for a requester in several roles (USAGE_ROLE_BIT): one that may suffices. Who is an auditor, whatever else,
 * writes nothing. */
bool usage_permits(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, unsigned roles);

/* By its name in manifests; USAGE_NOBODY when there is no such role. */
enum usage_role usage_role_named(struct text name);
struct text usage_role_name(enum usage_role role);

/* The row for a body of this type. NULL: it is not taken here. */
const struct usage_post *usage_post_find(const struct usage *usage, enum xcap_tree tree, struct text mime);

/* A value of the document that is unique (or findable) in the whole server. */
struct usage_claim {
    struct text kind;
    struct text value;
    struct text field; /* node selector of the value, percent-encoded: for uniqueness-failure */
    bool shared;
    const struct text *apart; /* further kinds that must not hold it in another document; USAGE_APART_USER: no user */
    size_t apart_count;
};

#define USAGE_APART_USER "user"

struct usage_subject { /* what the sheets may ask about the document: passed as parameters */
    struct text owner; /* canonical XUI, empty in the global tree */
    struct text name;
    struct text root_uri;  /* "http://host/xcap-root/", may be empty */
    struct text addresses; /* further ones of the owner, canonical, separated by blanks */
};

/* All checks of RFC 4825 §8.2.2 to §8.2.5 on a whole document: UTF-8, limits, well-formed, schema, constraints.
 * OK: the claims that it makes. REFUSED: the first refusal in the RFC's order. FAILED: the sheet breaks; the phrase of
 * `refusal` says how, for those who wrote it. */
enum status usage_check(const struct usage *usage, const struct usage_subject *subject, struct text bytes,
                        struct arena *arena, const struct usage_claim **claims_out, size_t *claims_count_out,
                        struct refusal *refusal);

#define USAGE_LISTING_MAX (8u << 20) /* bytes of a listing and of what is made of it: the largest document there is */

/* Bytes of a computed document. `listing` is what its source asks for; USAGE_FROM_USAGES needs none. NOT_FOUND when
 * `name` is not computed, FULL when there is too much to list, FAILED when the sheet breaks. */
enum status usage_compute(const struct usage *usage, enum xcap_tree tree, struct text name, struct text listing,
                          struct arena *arena, struct text *bytes_out);

/* Does the selector name one element of a computed document by a unique value, and does the manifest say (`by`) that
 * the document which holds the value is all that must be read for it? Then which claim leads there. */
bool usage_selects_claim(const struct usage *usage, const struct usage_document *row,
                         const struct xcap_selector *selector, struct arena *arena, struct text *kind_out,
                         struct text *value_out);

/* A document as an HTML page for people, made by page.xsl of the usage or of common/. NOT_FOUND without either; FULL or
 * FAILED when no page can be made of it. */
enum status usage_page(const struct usage_set *set, const struct usage *usage, const struct usage_subject *subject,
                       struct text bytes, struct arena *arena, struct text *page_out);

/* For authors (xdms --check-usage): loads the folder alone and runs its examples. OK when all is as they say: the
 * report is a line that tells so; else one line per problem. */
enum status usage_check_folder(const char *folder, struct arena *arena, struct text *report_out);

#endif
