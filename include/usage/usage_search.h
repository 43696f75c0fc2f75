/* What a manifest lets be searched (docs/new-usage.md, <searchable>): which elements of the documents are found, by
 * which of their values, by whom; and the indexes on those values. Index entries are worked out here and kept by the
 * store. They lead to all documents that may fit and to some that do not: whoever looks reads them again. */
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
 * is found whatever is looked for. */
#define USAGE_INDEX_ENTRIES_MAX 6000
#define USAGE_INDEX_VALUE_MAX   96  /* bytes of a value; what follows is not in the index */
#define USAGE_INDEX_FIELDS_MAX  250 /* of one tree: a byte tells them apart */
#define USAGE_INDEX_PART_MIN    3   /* letters; less would find nearly everything */

struct usage_field {
    struct text name;                     /* of its index entries */
    struct usage_path path;               /* below the element that is found */
    bool anything;                        /* all that is in it, and the element itself */
    unsigned roles;                       /* USAGE_ROLE_BIT: who may see it, or ask for it */
    bool self;                            /* whoever searches may ask for his own address there */
    unsigned char indexes[USAGE_INDEXES]; /* numbers of fields in entries; 0: no such index */
};

struct usage_searchable {
    enum xcap_tree tree;
    unsigned roles;            /* who may search */
    struct usage_path element; /* what is found */
    struct usage_path when;    /* no steps: all. Else only elements where the text of this is true… */
    bool if_absent;            /* …or that have none, if this */
    const struct usage_field *fields;
    size_t fields_count;
    uint64_t signature; /* of all that decides which entries documents have; 0: they have none */
};

/* NULL: nothing there can be searched. */
const struct usage_searchable *usage_searchable(const struct usage *usage, enum xcap_tree tree);

/* How a value is spelled in an index. What begins alike is spelled alike at the beginning, as far as
 * USAGE_INDEX_VALUE_MAX; of addresses there is a hash of eight bytes, since nobody looks for the beginning of one. */
struct text usage_index_spell(enum usage_index index, struct text value, struct arena *arena);

/* One of a document that has too many values: it is found whatever is looked for. */
#define USAGE_ENTRY_ALL 0

struct usage_entry {
    unsigned char index; /* of `indexes`, or USAGE_ENTRY_ALL */
    struct text value;
};

/* All entries that a document with these bytes has, in order and none twice. Bytes that are no XML have none. */
size_t usage_index_entries(const struct usage *usage, enum xcap_tree tree, struct text bytes, struct arena *arena,
                           const struct usage_entry **entries_out);

#endif
