/* From what an XCAP URI names to where it stands: which usage, whose, may a document of this name exist. Reads nothing
 * from the store. */
#include "documents.h"
#include "uri.h"

static struct text canonical_owner(struct text xui, struct arena *arena);
static enum status refuse_name(const struct xcap_target *target, bool put, struct refusal *refusal);

enum status document_place(const struct documents *documents, const struct xcap_target *target, bool put,
                           struct arena *arena, struct document_place *place_out,
                           const struct xcap_selector **selector_out, struct refusal *refusal)
{
    struct document_place place = {.tree = target->tree};
    *selector_out = NULL;
    *place_out = place;
    place.usage = usage_find(documents_usages(documents), target->auid);
    if (!place.usage)
        return refuse(refusal, REFUSAL_ABSENT, "This server has no such application usage.");
    place.key = (struct document_key){place.usage->auid, TEXT(""), target->name};
    if (place.tree == XCAP_USERS) {
        place.key.owner = canonical_owner(target->xui, arena);
        if (place.key.owner.length == 0)
            return refuse(refusal, REFUSAL_ABSENT, "The XCAP user identifier is not an address.");
    }
    place.row = usage_document(place.usage, place.tree, target->name);
    *place_out = place;
    if (!place.row)
        return refuse_name(target, put, refusal);
    if (!target->has_node)
        return OK;
    struct xcap_selector *selector = arena_new(arena, struct xcap_selector);
    enum status status =
        xcap_selector_parse(target->node, target->query, place.usage->namespace, arena, selector, refusal);
    for (size_t i = 0; i < selector->steps_count && status == OK; i++)
        if (!selector->steps[i].name_prefixed)
            selector->steps[i].also = place.usage->also;
    if (status == OK)
        *selector_out = selector;
    return status;
}

/* Key of an owner: "alice@example.com" is taken for "sip:alice@example.com", as provisioned in many phones. */
static struct text canonical_owner(struct text xui, struct arena *arena)
{
    struct text canonical = uri_canonical(arena, xui);
    size_t at = text_find_char(xui, '@');
    if (canonical.length == 0 && at < xui.length && text_find_char(xui, ':') > at)
        canonical = uri_canonical(arena, text_join(arena, TEXT("sip:"), xui));
    return canonical;
}

/* Sub-directories exist as the manifest names them; others cannot be made (RFC 4825 §6.2). */
static enum status refuse_name(const struct xcap_target *target, bool put, struct refusal *refusal)
{
    if (put && text_find_char(target->name, '/') < target->name.length)
        return refuse_conflict(refusal, "no-parent", TEXT("There is no such directory, and none can be made."));
    return refuse(refusal, REFUSAL_ABSENT, "This application usage has no document of that name.");
}

struct text document_ancestor(const struct document_place *place, struct text root_uri, struct arena *arena)
{
    static const char keep[] = "!$&'()*+,;=:@";
    struct text auid = place->usage->auid, owner = percent_encode(arena, place->key.owner, keep);
    if (root_uri.length == 0)
        return TEXT("");
    struct text directory =
        place->tree == XCAP_GLOBAL
            ? text_format(arena, "%.*s%.*s/global/", TEXT_ARG(root_uri), TEXT_ARG(auid))
            : text_format(arena, "%.*s%.*s/users/%.*s/", TEXT_ARG(root_uri), TEXT_ARG(auid), TEXT_ARG(owner));
    return text_format(arena, "<ancestor>%.*s</ancestor>", TEXT_ARG(xml_escape(arena, directory)));
}
