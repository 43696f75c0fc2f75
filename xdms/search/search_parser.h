/* What the files of the query parser share: the place where it reads, and how it complains. */
#ifndef SEARCH_PARSER_H
#define SEARCH_PARSER_H

#include "search_query.h"

struct search_prefix {
    struct text name, namespace;
};

struct search_parser {
    struct text input;
    size_t at;
    struct arena *arena;
    struct refusal *refusal;
    struct search_query *query;
    struct text namespace; /* of unprefixed element names */
    struct search_prefix prefixes[SEARCH_PREFIXES_MAX];
    size_t prefixes_count;
    unsigned depth;
    size_t expressions, items;
    bool failed; /* the first complaint stands */
};

/* All readers are false after a complaint. */
bool search_complain(struct search_parser *parser, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* search_parser.c: what stands next, past white space and comments. A take is false and moves nothing if it is not
 * there. */
char search_peek(struct search_parser *parser);
bool search_take(struct search_parser *parser, const char *symbol);
bool search_take_word(struct search_parser *parser, const char *word);
bool search_expect(struct search_parser *parser, const char *symbol);
bool search_expect_word(struct search_parser *parser, const char *word);

/* For complaints: as much as a sentence takes; and so much of what stands next. */
struct text search_shown(struct text text);
struct text search_next(struct search_parser *parser);

bool search_read_name(struct search_parser *parser, struct text *name_out); /* NCName */
bool search_read_string(struct search_parser *parser, struct text *string_out);
bool search_read_reference(struct search_parser *parser, struct text_builder *out); /* "&lt;", at the '&' */
bool search_namespace_of(struct search_parser *parser, size_t offset, struct text prefix, struct text *namespace_out);

bool search_deeper(struct search_parser *parser); /* pairs with depth-- */

/* search_path.c: "/a/b/@c", perhaps nothing. */
bool search_read_steps(struct search_parser *parser, struct search_path *path_out);
bool search_read_variable_path(struct search_parser *parser, struct search_path *path_out);

/* search_condition.c, search_made.c */
bool search_read_condition(struct search_parser *parser, const struct search_expression **condition_out);
bool search_read_value(struct search_parser *parser, const struct search_expression **value_out);
bool search_read_made(struct search_parser *parser, const struct search_item **made_out);

#endif
