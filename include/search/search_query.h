/* Queries of the search service (OMA XDM 2.0): the part of XQuery 1.0 that its templates need, read into a tree.
 *
 *   [xquery version "1.0"; declare …;] for $v in collection("…")/path [where …] [order by …] return
 * <element>{…}</element>
 *
 * docs/search.md has the grammar. A parser reads bytes and knows neither documents nor who asks. */
#ifndef SEARCH_SEARCH_QUERY_H
#define SEARCH_SEARCH_QUERY_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define SEARCH_QUERY_MAX       16384 /* bytes: a page of conditions; each is read once per document */
#define SEARCH_DEPTH_MAX       32    /* parentheses, functions and elements inside each other: the parser recurses */
#define SEARCH_EXPRESSIONS_MAX 512   /* nodes of a condition */
#define SEARCH_STEPS_MAX       16    /* of one path */
#define SEARCH_KEYS_MAX        4     /* of order by */
#define SEARCH_PREFIXES_MAX    32    /* declared namespaces */
#define SEARCH_ITEMS_MAX       128   /* elements, texts and paths of the returned element */

struct search_step {
    bool any_namespace, any_local; /* "*", "p:*", "*:name" */
    struct text namespace, local;
};

enum search_terminal { SEARCH_ELEMENT, SEARCH_ATTRIBUTE, SEARCH_TEXT }; /* what the path ends in: text() */

/* From the document for the loop, from the variable for all others. */
struct search_path {
    const struct search_step *steps; /* elements */
    size_t steps_count;
    enum search_terminal terminal;
    struct search_step attribute;
    size_t offset; /* in the query, for complaints */
};

enum search_kind {
    /* conditions */
    SEARCH_OR,
    SEARCH_AND,
    SEARCH_NOT,
    SEARCH_COMPARE,
    SEARCH_CONTAINS,
    SEARCH_STARTS_WITH,
    SEARCH_ENDS_WITH,
    SEARCH_CONTAINS_TOKEN, /* a word between white space, as XPath 3.1 has it */
    SEARCH_EXISTS,
    SEARCH_EMPTY,
    SEARCH_TRUE,
    SEARCH_FALSE,
    /* values */
    SEARCH_PATH,
    SEARCH_STRING, /* a literal */
    SEARCH_NUMBER,
    SEARCH_LOWER_CASE,
    SEARCH_UPPER_CASE,
    SEARCH_STRING_OF /* string(path) */
};

enum search_operator { SEARCH_EQUAL, SEARCH_UNEQUAL, SEARCH_LESS, SEARCH_LESS_EQUAL, SEARCH_MORE, SEARCH_MORE_EQUAL };

struct search_expression {
    enum search_kind kind;
    enum search_operator operator;                /* of SEARCH_COMPARE */
    const struct search_expression *left, *right; /* operands, arguments */
    struct search_path path;                      /* SEARCH_PATH */
    struct text string;                           /* SEARCH_STRING */
    double number;                                /* SEARCH_NUMBER */
    size_t offset;
};

struct search_key { /* of order by */
    const struct search_expression *value;
    bool descending, empty_greatest;
};

enum search_item_kind { SEARCH_ITEM_ELEMENT, SEARCH_ITEM_TEXT, SEARCH_ITEM_PATH };

/* What is made for each that is found, in order. */
struct search_item {
    enum search_item_kind kind;
    struct text namespace, local, prefix; /* of an element */
    struct text text;                     /* ready to be sent: escaped */
    struct search_path path;
    const struct search_item *first, *next; /* inside, and after it */
};

struct search_query {
    struct text variable;
    struct text collection; /* as written */
    size_t collection_offset;
    struct search_path path;
    const struct search_expression *where; /* NULL: all */
    struct search_key keys[SEARCH_KEYS_MAX];
    size_t keys_count;
    const struct search_item *made; /* one element */
};

/* Unprefixed element names are of `namespace` unless the query declares a default. The tree refers to `written` and the
 * arena. REFUSED: 409 constraint-failure whose phrase names the place ("line 2, column 7: …"). */
enum status search_query_parse(struct text written, struct text namespace, struct arena *arena,
                               struct search_query *query_out, struct refusal *refusal);

/* The same complaint about a place, for what those find who know more than the parser. */
enum status search_query_refuse(struct text written, size_t offset, struct text complaint, struct arena *arena,
                                struct refusal *refusal);

/* Calls `visit` for every path of the query but that of the loop, until one returns false; then it does, too. */
typedef bool search_path_fn(void *context, const struct search_path *path, bool returned);
bool search_query_paths(const struct search_query *query, search_path_fn *visit, void *context);

/* "list/entry/@uri", as people write it. */
struct text search_path_text(const struct search_path *path, struct arena *arena);

#endif
