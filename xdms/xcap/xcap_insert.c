/* The insertion rules of RFC 4825 §8.2.3. Whether the result is selected by the URI is checked by xcap_edit.c, so a
 * rule here need only be right when it is. */
#include "xcap_insert.h"

/* What the children of the parent tell about the place of a new one. */
struct siblings {
    size_t count, same_count; /* same: of the new element's name */
    size_t first_begin, same_first_begin;
    size_t same_last_end;
    size_t nth_end; /* of the sibling before the position asked for; 0: too few siblings */
    size_t content_end;
};

static void survey(struct xcap_finder *finder, const struct xcap_step *step, const struct xml_element *element,
                   struct siblings *siblings_out);
static size_t choose(const struct siblings *siblings, const struct xcap_step *step);

bool xcap_insert_element(struct xcap_finder *finder, const struct xcap_step *step, const struct xml_element *element,
                         struct text fragment, struct splice *splice_out)
{
    struct siblings siblings;
    if (finder->place.is_document) /* a second root */
        return false;
    survey(finder, step, element, &siblings);
    size_t place = choose(&siblings, step);
    if (place == 0)
        return false;
    *splice_out = (struct splice){.begin = place, .end = place, .node = fragment, .created = true};
    if (finder->place.tag.kind == XML_EMPTY) {
        struct text_builder end_tag;
        builder_init(&end_tag, finder->scope.arena);
        builder_add(&end_tag, TEXT("</"));
        builder_add(&end_tag, finder->place.tag.name);
        builder_add_char(&end_tag, '>');
        splice_out->begin = finder->place.tag.end - strlen("/>");
        splice_out->before = TEXT(">");
        splice_out->after = builder_text(&end_tag);
    }
    return true;
}

static void survey(struct xcap_finder *finder, const struct xcap_step *step, const struct xml_element *element,
                   struct siblings *siblings_out)
{
    struct siblings siblings = {0};
    struct xcap_children children;
    struct xml_tag tag;
    bool was_same = false;
    xcap_children_init(&children, finder->document, &finder->place);
    for (;;) {
        bool there = xcap_children_next(&children, &tag);
        /* only now is the end of the child before known */
        if (was_same)
            siblings.same_last_end = children.last_end;
        size_t before = step->any_name ? siblings.count : siblings.same_count;
        if ((step->any_name ? siblings.count > 0 : was_same) && before + 1 == step->position)
            siblings.nth_end = children.last_end;
        if (!there)
            break;
        was_same = xcap_name_matches(finder, &tag, element->namespace, element->local);
        if (siblings.count++ == 0)
            siblings.first_begin = tag.begin;
        if (was_same && siblings.same_count++ == 0)
            siblings.same_first_begin = tag.begin;
    }
    siblings.content_end = children.content_end;
    *siblings_out = siblings;
}

/* Offset of the new element, 0 when there is none: no element starts at 0, as its parent does. */
static size_t choose(const struct siblings *siblings, const struct xcap_step *step)
{
    bool first_or_any = step->position <= 1;
    /* plain append */
    if (siblings->same_count == 0 &&
        (step->any_name ? (siblings->count == 0 && first_or_any) || (step->has_attribute && step->position == 0)
                        : first_or_any))
        return siblings->content_end;
    /* "earliest last": behind the siblings of the same name */
    if (step->position == 0)
        return step->has_attribute ? siblings->same_last_end : 0;
    /* "earliest n-th" */
    if (step->position > 1)
        return siblings->nth_end;
    return step->any_name ? siblings->first_begin : siblings->same_first_begin;
}

/* RFC 4825 has no rule for a prefix that the document lacks: adding declarations would change bytes nobody asked for.
 */
static bool attribute_name(const struct xcap_finder *finder, const struct xcap_selector *selector,
                           struct text_builder *name)
{
    struct text namespace = selector->attribute_namespace, prefix;
    if (namespace.length) {
        if (!xml_scope_prefix(&finder->scope, namespace, &prefix))
            return false;
        builder_add(name, prefix);
        builder_add_char(name, ':');
    } else if (text_equal(selector->attribute_local, TEXT("xmlns"))) {
        return false;
    }
    builder_add(name, selector->attribute_local);
    return true;
}

bool xcap_insert_attribute(struct xcap_finder *finder, const struct xcap_selector *selector, struct text value,
                           struct arena *arena, struct splice *splice_out)
{
    const struct xml_tag *tag = &finder->place.tag;
    struct xml_attribute_span attribute;
    struct text_builder before;
    size_t cursor = 0;
    size_t place = tag->begin + 1 + tag->name.length;
    builder_init(&before, arena);
    builder_add_char(&before, ' ');
    if (!attribute_name(finder, selector, &before))
        return false;
    builder_add_char(&before, '=');
    while (xml_attribute_next(finder->document, tag, &cursor, &attribute))
        place = attribute.end;
    *splice_out =
        (struct splice){.begin = place, .end = place, .before = builder_text(&before), .node = value, .created = true};
    return true;
}

/* RFC 4825 §8.2.2: AttValue of XML, with its quotes. */
bool xcap_attribute_value(struct text body, struct arena *arena, struct text *value_out)
{
    struct text trimmed = text_trim(body), ignored;
    if (trimmed.length == 0)
        return false;
    char quote = trimmed.bytes[0];
    if (quote == '"' || quote == '\'') {
        struct text inside = text_slice(trimmed, 1, trimmed.length);
        *value_out = trimmed;
        return text_find_char(inside, quote) + 1 == inside.length &&
               xml_unescape(arena, text_slice(inside, 0, inside.length - 1), true, &ignored);
    }
    struct text_builder value;
    builder_init(&value, arena);
    builder_add_char(&value, '"');
    for (size_t i = 0; i < trimmed.length; i++) {
        if (trimmed.bytes[i] == '"')
            builder_add(&value, TEXT("&quot;"));
        else
            builder_add_char(&value, trimmed.bytes[i]);
    }
    builder_add_char(&value, '"');
    *value_out = builder_text(&value);
    return xml_unescape(arena, trimmed, true, &ignored);
}
