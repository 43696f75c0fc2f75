/* The four things that are done with nodes. Each edit is tried on the bytes and then looked at again through its own
 * selector: RFC 4825 §8.2.3 and §8.4 define success by what a GET would give afterwards. */
#include "xcap_edit.h"

#include <assert.h>

#include "xcap_find.h"
#include "xcap_insert.h"
#include "xcap_target.h"
#include "xml_tree.h"
#include "xml_validate.h"

static const struct xcap_step *last_step(const struct xcap_selector *selector)
{
    return &selector->steps[selector->steps_count - 1];
}

/* What a selector names: bytes [begin, end) of the document. */
struct selected {
    size_t begin, end;
    struct xml_tag tag;                  /* the element, or the one that has the attribute */
    struct xml_attribute_span attribute; /* XCAP_ATTRIBUTE */
};

static bool select_node(struct text document, const struct xcap_selector *selector, struct arena *arena,
                        struct xcap_finder *finder, struct selected *selected_out);
static enum status refuse_mismatch(const struct xcap_finder *finder, const struct xcap_selector *selector,
                                   struct arena *arena, struct refusal *refusal);
static bool find_parent(struct xcap_finder *finder, struct text document, const struct xcap_selector *selector,
                        struct arena *arena);
static enum status refuse_no_parent(const struct xcap_finder *finder, const struct xcap_selector *selector,
                                    struct arena *arena, struct refusal *refusal);
static enum status put_element(struct xcap_finder *finder, const struct xcap_selector *selector, struct text body,
                               struct arena *arena, struct splice *splice, struct refusal *refusal);
static enum status put_attribute(struct xcap_finder *finder, const struct xcap_selector *selector, struct text body,
                                 struct arena *arena, struct splice *splice, struct refusal *refusal);

enum status xcap_get(struct text document, const struct xcap_selector *selector, struct arena *arena,
                     struct text *node_out)
{
    struct xcap_finder finder;
    struct selected selected;
    if (!select_node(document, selector, arena, &finder, &selected))
        return NOT_FOUND;
    *node_out = text_slice(document, selected.begin, selected.end);
    if (selector->terminal != XCAP_NAMESPACES)
        return OK;
    struct text_builder node;
    builder_init(&node, arena);
    builder_add_char(&node, '<');
    builder_add(&node, selected.tag.name);
    builder_add(&node, xml_scope_declarations(&finder.scope, arena));
    builder_add(&node, TEXT("/>"));
    *node_out = builder_text(&node);
    return OK;
}

static bool select_node(struct text document, const struct xcap_selector *selector, struct arena *arena,
                        struct xcap_finder *finder, struct selected *selected_out)
{
    if (!xcap_find_place(finder, document, selector, selector->steps_count, arena))
        return false;
    struct selected selected = {.tag = finder->place.tag};
    if (selector->terminal == XCAP_ATTRIBUTE) {
        if (!xcap_find_attribute(finder, selector->attribute_namespace, selector->attribute_local, &selected.attribute))
            return false;
        selected.begin = selected.attribute.value_begin - 1;
        selected.end = selected.attribute.value_end + 1;
    } else {
        selected.begin = selected.tag.begin;
        selected.end = xcap_element_end(document, &selected.tag);
    }
    *selected_out = selected;
    return true;
}

/* Bytes of a path segment that stay as they are (RFC 3986 §3.3 pchar). */
#define PCHAR_KEPT "!$&'()*+,;=:@"

/* RFC 4825 §11: the nearest element that exists, as a selector that can be put behind "~~/". */
static struct text write_ancestor(const struct xcap_selector *selector, size_t steps_count, struct arena *arena)
{
    struct text_builder ancestor;
    bool prefixed = false;
    builder_init(&ancestor, arena);
    for (size_t i = 0; i < steps_count; i++) {
        if (i)
            builder_add_char(&ancestor, '/');
        builder_add(&ancestor, percent_encode(arena, selector->steps[i].written, PCHAR_KEPT));
        prefixed |= selector->steps[i].prefixed;
    }
    if (prefixed) {
        builder_add_char(&ancestor, '?');
        builder_add(&ancestor, percent_encode(arena, selector->query, PCHAR_KEPT "/?"));
    }
    return builder_text(&ancestor);
}

enum status xcap_check_parent(struct text document, const struct xcap_selector *selector, struct arena *arena,
                              struct refusal *refusal)
{
    struct xcap_finder finder;
    return find_parent(&finder, document, selector, arena) ? OK : refuse_no_parent(&finder, selector, arena, refusal);
}

static bool find_parent(struct xcap_finder *finder, struct text document, const struct xcap_selector *selector,
                        struct arena *arena)
{
    size_t steps_count = selector->steps_count - (selector->terminal == XCAP_ELEMENT);
    return xcap_find_place(finder, document, selector, steps_count, arena);
}

/* `finder` is where the search ended. */
static enum status refuse_no_parent(const struct xcap_finder *finder, const struct xcap_selector *selector,
                                    struct arena *arena, struct refusal *refusal)
{
    struct text phrase = text_format(arena, "There is not exactly one parent: look at step '%.*s'.",
                                     TEXT_ARG(selector->steps[finder->steps_done].written));
    refuse_conflict(refusal, "no-parent", phrase);
    if (finder->steps_done) {
        struct text ancestor = xml_escape(arena, write_ancestor(selector, finder->steps_done, arena));
        refusal->content = text_format(arena, "<ancestor>%.*s</ancestor>", TEXT_ARG(ancestor));
    }
    return REFUSED;
}

static enum status refuse_method(struct refusal *refusal)
{
    refuse(refusal, REFUSAL_METHOD, "Namespace bindings can only be read.");
    refusal->allow = TEXT(XCAP_ALLOW_READ);
    return REFUSED;
}

static struct text apply(struct text document, const struct splice *splice, struct arena *arena)
{
    struct text_builder result;
    builder_init(&result, arena);
    builder_add(&result, text_slice(document, 0, splice->begin));
    builder_add(&result, splice->before);
    builder_add(&result, splice->node);
    builder_add(&result, splice->after);
    builder_add(&result, text_slice(document, splice->end, document.length));
    return builder_text(&result);
}

enum status xcap_put(struct text document, const struct xcap_selector *selector, struct text body, struct arena *arena,
                     struct text *document_out, bool *created_out, struct refusal *refusal)
{
    if (selector->terminal == XCAP_NAMESPACES)
        return refuse_method(refusal);
    struct xcap_finder finder;
    if (!find_parent(&finder, document, selector, arena))
        return refuse_no_parent(&finder, selector, arena, refusal);
    struct text mark = TEXT("\xEF\xBB\xBF");
    if (text_starts_with(body, mark))
        body = text_slice(body, mark.length, body.length);
    if (!utf8_valid(body))
        return refuse_conflict(refusal, "not-utf-8", TEXT("The body is not UTF-8."));
    struct splice splice = {0};
    enum status status = selector->terminal == XCAP_ATTRIBUTE
                             ? put_attribute(&finder, selector, body, arena, &splice, refusal)
                             : put_element(&finder, selector, body, arena, &splice, refusal);
    if (status != OK)
        return status;
    struct text result = apply(document, &splice, arena);
    struct selected selected;
    size_t begin = splice.begin + splice.before.length;
    if (!select_node(result, selector, arena, &finder, &selected) || selected.begin != begin ||
        selected.end != begin + splice.node.length)
        return refuse_mismatch(&finder, selector, arena, refusal);
    *document_out = result;
    *created_out = splice.created;
    return OK;
}

/* RFC 4825 §8.2.3: a GET of the URI would not give back what was put. The step that fails says most. */
static enum status refuse_mismatch(const struct xcap_finder *finder, const struct xcap_selector *selector,
                                   struct arena *arena, struct refusal *refusal)
{
    size_t at = finder->steps_done < selector->steps_count ? finder->steps_done : selector->steps_count - 1;
    const struct xcap_step *step = &selector->steps[at];
    return refuse_conflict(
        refusal, "cannot-insert",
        text_format(arena, "The URI would not select what was put: look at step '%.*s'.", TEXT_ARG(step->written)));
}

/* Why a body is no element: the parser of whole documents says more than the reader of trees. */
static enum status refuse_fragment(struct text document, const struct xcap_selector *selector, struct text fragment,
                                   struct arena *arena, struct refusal *refusal)
{
    struct xcap_finder finder;
    if (fragment.length == 0)
        return refuse_conflict(refusal, "not-xml-frag", TEXT("The body is empty."));
    xcap_find_place(&finder, document, selector, selector->steps_count - 1, arena);
    struct text scope = xml_scope_declarations(&finder.scope, arena);
    if (xml_check_fragment(fragment, scope, &XML_LIMITS_STANDARD, arena, refusal) == REFUSED)
        return REFUSED;
    return refuse_conflict(refusal, "not-xml-frag", TEXT("The body is not one well-formed element."));
}

static struct text or_none(struct text namespace)
{
    return namespace.length ? namespace : TEXT("no namespace");
}

/* What is put under another name than the step's could never be selected by it. */
static enum status check_name(const struct xcap_step *step, const struct xml_element *element, struct arena *arena,
                              struct refusal *refusal)
{
    struct text phrase;
    if (step->any_name)
        return OK;
    if (!text_equal(step->local, element->local))
        phrase = text_format(arena, "The URI names an element '%.*s', but the body is a '%.*s'.", TEXT_ARG(step->local),
                             TEXT_ARG(element->local));
    else if (!text_equal(step->namespace, element->namespace) &&
             (step->also.length == 0 || !text_equal(step->also, element->namespace)))
        phrase =
            text_format(arena, "The URI names a '%.*s' of %.*s, but the body is one of %.*s.", TEXT_ARG(step->local),
                        TEXT_ARG(or_none(step->namespace)), TEXT_ARG(or_none(element->namespace)));
    else
        return OK;
    return refuse_conflict(refusal, "cannot-insert", phrase);
}

static enum status put_element(struct xcap_finder *finder, const struct xcap_selector *selector, struct text body,
                               struct arena *arena, struct splice *splice, struct refusal *refusal)
{
    const struct xml_element *element;
    struct xml_tag target;
    struct text fragment = text_trim(body);
    if (xml_tree_read_in(fragment, &finder->scope, arena, &element) != OK)
        return refuse_fragment(finder->document, selector, fragment, arena, refusal);
    if (element->begin != 0 || element->end != fragment.length)
        return refuse_conflict(refusal, "not-xml-frag",
                               TEXT("The body must be one element, without a declaration or comment beside it."));
    if (check_name(last_step(selector), element, arena, refusal) != OK)
        return REFUSED;
    switch (xcap_find_children(finder, last_step(selector), &target)) {
    case 0:
        if (!xcap_insert_element(finder, last_step(selector), element, fragment, splice))
            return refuse_conflict(refusal, "cannot-insert",
                                   TEXT("There is no place for a new element at this position."));
        return OK;
    case 1:
        *splice = (struct splice){.begin = target.begin,
                                  .end = xcap_element_end(finder->document, &target),
                                  .node = fragment,
                                  .created = false};
        return OK;
    default: return refuse_conflict(refusal, "cannot-insert", TEXT("The URI selects several elements."));
    }
}

static enum status put_attribute(struct xcap_finder *finder, const struct xcap_selector *selector, struct text body,
                                 struct arena *arena, struct splice *splice, struct refusal *refusal)
{
    struct xml_attribute_span attribute;
    struct text value;
    if (!xcap_attribute_value(body, arena, &value))
        return refuse_conflict(refusal, "not-xml-att-value",
                               TEXT("The body must be the value of an attribute in quotes, with '<' and '&' as "
                                    "references."));
    if (xcap_find_attribute(finder, selector->attribute_namespace, selector->attribute_local, &attribute)) {
        *splice = (struct splice){.begin = attribute.value_begin - 1, .end = attribute.value_end + 1, .node = value};
        return OK;
    }
    if (!xcap_insert_attribute(finder, selector, value, arena, splice))
        return refuse_conflict(refusal, "cannot-insert",
                               TEXT("No prefix of the attribute's namespace is known where the element stands."));
    return OK;
}

/* An attribute goes with the white space before it, so that putting and deleting it leaves nothing behind. */
static size_t attribute_begin_with_space(const struct selected *selected)
{
    struct text attributes = selected->tag.attributes;
    size_t at = (size_t)(selected->attribute.name.bytes - attributes.bytes);
    size_t begin = selected->attribute.begin;
    while (at > 0 && strchr(" \t\r\n", attributes.bytes[at - 1])) {
        at--;
        begin--;
    }
    return begin;
}

enum status xcap_delete(struct text document, const struct xcap_selector *selector, struct arena *arena,
                        struct text *document_out, struct refusal *refusal)
{
    struct xcap_finder finder;
    struct selected selected;
    if (selector->terminal == XCAP_NAMESPACES)
        return refuse_method(refusal);
    if (!select_node(document, selector, arena, &finder, &selected))
        return NOT_FOUND;
    struct splice splice = {.begin = selected.begin, .end = selected.end};
    if (selector->terminal == XCAP_ATTRIBUTE)
        splice.begin = attribute_begin_with_space(&selected);
    else if (selector->steps_count == 1)
        return refuse_conflict(refusal, "schema-validation-error", TEXT("A document needs its root element."));
    struct text result = apply(document, &splice, arena);
    if (select_node(result, selector, arena, &finder, &selected))
        return refuse_conflict(refusal, "cannot-delete", TEXT("The URI would select another node afterwards."));
    *document_out = result;
    return OK;
}
