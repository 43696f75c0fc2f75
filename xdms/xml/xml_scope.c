/* A stack of namespace declarations. It is searched from the innermost outwards. */
#include "xml_scope.h"

#define CAPACITY_START 16 /* enough for every document we know of */

void xml_scope_init(struct xml_scope *scope, struct arena *arena)
{
    *scope = (struct xml_scope){.arena = arena};
}

bool xml_is_declaration(const struct xml_attribute_span *attribute)
{
    return attribute->prefix.length ? text_equal(attribute->prefix, TEXT("xmlns"))
                                    : text_equal(attribute->local, TEXT("xmlns"));
}

static void make_room(struct xml_scope *scope)
{
    if (scope->count < scope->capacity)
        return;
    size_t capacity = scope->capacity ? 2 * scope->capacity : CAPACITY_START;
    struct xml_binding *bindings = arena_array(scope->arena, struct xml_binding, capacity);
    if (scope->count)
        memcpy(bindings, scope->bindings, scope->count * sizeof(*bindings));
    scope->bindings = bindings;
    scope->capacity = capacity;
}

/* The two reserved names cannot be bound otherwise, and a prefix cannot be switched off (Namespaces in XML 1.0 §3, §5).
 */
static bool declaration_allowed(struct text prefix, struct text uri)
{
    bool is_xml = text_equal(prefix, TEXT("xml"));
    if (is_xml != text_equal(uri, TEXT(XML_NAMESPACE)) || text_equal(uri, TEXT(XMLNS_NAMESPACE)))
        return false;
    return !text_equal(prefix, TEXT("xmlns")) && (prefix.length == 0 || uri.length > 0);
}

static bool declared_here(const struct xml_scope *scope, struct text prefix)
{
    for (size_t i = scope->count; i > 0 && scope->bindings[i - 1].level == scope->level; i--) {
        if (text_equal(scope->bindings[i - 1].prefix, prefix))
            return true;
    }
    return false;
}

bool xml_scope_open(struct xml_scope *scope, struct text document, const struct xml_tag *tag)
{
    struct xml_attribute_span attribute;
    size_t cursor = 0;
    scope->level++;
    while (xml_attribute_next(document, tag, &cursor, &attribute)) {
        if (!xml_is_declaration(&attribute))
            continue;
        struct text prefix = attribute.prefix.length ? attribute.local : (struct text){0};
        struct text uri;
        if (scope->count >= XML_BINDINGS_MAX || !xml_unescape(scope->arena, attribute.raw, true, &uri) ||
            !declaration_allowed(prefix, uri) || declared_here(scope, prefix))
            return false;
        make_room(scope);
        scope->bindings[scope->count++] = (struct xml_binding){prefix, uri, scope->level};
    }
    return cursor == tag->attributes.length;
}

void xml_scope_close(struct xml_scope *scope)
{
    while (scope->count && scope->bindings[scope->count - 1].level == scope->level)
        scope->count--;
    scope->level--;
}

bool xml_scope_find(const struct xml_scope *scope, struct text prefix, struct text *uri_out)
{
    for (size_t i = scope->count; i > 0; i--) {
        if (text_equal(scope->bindings[i - 1].prefix, prefix)) {
            *uri_out = scope->bindings[i - 1].uri;
            return true;
        }
    }
    *uri_out = text_equal(prefix, TEXT("xml")) ? TEXT(XML_NAMESPACE) : (struct text){0};
    return prefix.length == 0 || uri_out->length > 0;
}

/* False when a declaration further in uses the same prefix. */
static bool in_force(const struct xml_scope *scope, size_t index)
{
    for (size_t i = index + 1; i < scope->count; i++) {
        if (text_equal(scope->bindings[i].prefix, scope->bindings[index].prefix))
            return false;
    }
    return true;
}

bool xml_scope_prefix(const struct xml_scope *scope, struct text uri, struct text *prefix_out)
{
    if (text_equal(uri, TEXT(XML_NAMESPACE))) {
        *prefix_out = TEXT("xml");
        return true;
    }
    for (size_t i = scope->count; i > 0; i--) {
        const struct xml_binding *binding = &scope->bindings[i - 1];
        if (binding->prefix.length && text_equal(binding->uri, uri) && in_force(scope, i - 1)) {
            *prefix_out = binding->prefix;
            return true;
        }
    }
    return false;
}

struct text xml_scope_declarations(const struct xml_scope *scope, struct arena *arena)
{
    struct text_builder declarations;
    builder_init(&declarations, arena);
    for (size_t i = 0; i < scope->count; i++) {
        const struct xml_binding *binding = &scope->bindings[i];
        if (binding->uri.length == 0 || text_equal(binding->prefix, TEXT("xml")) || !in_force(scope, i))
            continue;
        builder_add(&declarations, binding->prefix.length ? TEXT(" xmlns:") : TEXT(" xmlns"));
        builder_add(&declarations, binding->prefix);
        builder_add(&declarations, TEXT("=\""));
        builder_add(&declarations, xml_escape(arena, binding->uri));
        builder_add_char(&declarations, '"');
    }
    return builder_text(&declarations);
}
