/* What a manifest lets be searched (docs/new-usage.md, <searchable>): which elements of the documents are found, by
 * which of their values, by whom; and the indexes on those values. An index entry is a shared claim of the document, so
 * it is written in the transaction of the document. Entries lead to all documents that may fit and to some that do not:
 * whoever looks reads them again. */
#ifndef USAGE_USAGE_SEARCH_H
#define USAGE_USAGE_SEARCH_H

#include "usage.h"

#define USAGE_STEPS_MAX 8 /* of a path in a manifest; documents are not deeper where it matters */

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

enum usage_index {
    USAGE_INDEX_VALUE,   /* the whole, without regard to case: equal to, begins with */
    USAGE_INDEX_WORDS,   /* what stands between white space */
    USAGE_INDEX_PARTS,   /* words from each of their letters on: contains */
    USAGE_INDEX_ADDRESS, /* as an address of record: equal to */
    USAGE_INDEXES
};

/* Of the largest document: all members of the largest group that a message is handed to, and some. A document with more
 * is found by USAGE_INDEX_ALL whatever is looked for. */
#define USAGE_INDEX_ENTRIES_MAX 6000
#define USAGE_INDEX_VALUE_MAX   96 /* bytes of a value; what follows is not in the index */
#define USAGE_INDEX_PART_MIN    3  /* letters; less would find nearly everything */

struct usage_field {
    struct text name;                 /* of its index entries */
    struct usage_path path;           /* below the element that is found */
    bool anything;                    /* all that is in it, and the element itself */
    unsigned roles;                   /* USAGE_ROLE_BIT: who may see it, or ask for it */
    bool self;                        /* whoever searches may ask for his own address there */
    struct text kinds[USAGE_INDEXES]; /* of claims; empty: no such index */
};

struct usage_searchable {
    struct text name;
    enum xcap_tree tree;
    unsigned roles;            /* who may search */
    struct usage_path element; /* what is found */
    struct usage_path when;    /* no steps: all. Else only elements where the text of this is true… */
    bool if_absent;            /* …or that have none, if this */
    const struct usage_field *fields;
    size_t fields_count;
    bool indexed;          /* some field is */
    struct text kind_all;  /* of documents with too many values */
    struct text signature; /* of all that decides which entries documents have */
};

/* Kinds of index entries have a '/', and those of other claims have none. */
#define USAGE_INDEX_KIND '/'

/* NULL: nothing there can be searched. */
const struct usage_searchable *usage_searchable(const struct usage *usage, enum xcap_tree tree);

/* How a value is spelled in an index. What begins alike is spelled alike at the beginning (not addresses), as far as
 * USAGE_INDEX_VALUE_MAX. */
struct text usage_index_spell(enum usage_index index, struct text value, struct arena *arena);

/* All entries that a document with these bytes has in indexes, none twice. Bytes that are no XML have none. */
size_t usage_index_entries(const struct usage *usage, enum xcap_tree tree, struct text bytes, struct arena *arena,
                           const struct usage_claim **entries_out);

#endif
