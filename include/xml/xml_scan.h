/* The tag scanner: walks the tags of a document or fragment at memory speed and knows the byte offsets of everything.
 * It is exact on well-formed, DTD-free UTF-8 and never reads outside its input on anything else. It builds nothing. */
#ifndef XML_XML_SCAN_H
#define XML_XML_SCAN_H

#include "arena.h"
#include "status.h"
#include "text.h"

enum xml_tag_kind { XML_START, XML_END, XML_EMPTY }; /* <a>, </a>, <a/> */

struct xml_tag {
    enum xml_tag_kind kind;
    size_t begin, end;  /* offsets of '<' and of the byte after '>' */
    struct text name;   /* qualified, as written */
    struct text prefix; /* empty when there is none */
    struct text local;
    struct text attributes; /* raw: what stands between name and '>' or '/>' */
};

struct xml_scanner {
    struct text input;
    size_t at;    /* everything before it has been seen */
    bool damaged; /* the input is not what a parser would accept; no more tags follow */
};

void xml_scan_init(struct xml_scanner *scanner, struct text input);

/* Next tag, past text, comments, processing instructions and CDATA; false at the end or at damage. */
bool xml_scan_next(struct xml_scanner *scanner, struct xml_tag *tag_out);

struct xml_attribute_span {
    struct text name, prefix, local;
    struct text raw; /* value as written, without its quotes */
    char quote;
    size_t begin, end;             /* offsets in the document: of the name, and after the closing quote */
    size_t value_begin, value_end; /* of `raw` in the document */
};

/* Walks the attributes of a tag (namespace declarations are among them): start with *cursor = 0. False at the end,
 * where *cursor is tag->attributes.length, and at what is no attribute, where it is less. */
bool xml_attribute_next(struct text document, const struct xml_tag *tag, size_t *cursor,
                        struct xml_attribute_span *out);

/* Value as a parser reports it: references expanded, and for attributes white space normalised (XML 1.0 §3.3.3).
 * False for an unknown entity, an illegal character reference, a bare '<' or an illegal control character. */
bool xml_unescape(struct arena *arena, struct text raw, bool attribute, struct text *value_out);

bool xml_name_valid(struct text name);  /* NCName */
bool xml_qname_valid(struct text name); /* NCName, or NCName ':' NCName */

#endif
