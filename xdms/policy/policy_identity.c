/* Reads who is meant: cp:identity, its exceptions and its domains (RFC 4745 §7.1). What cannot be understood means
 * nobody. It must not know who asks. */
#include "policy_parts.h"
#include "uri.h"

static struct text attribute(const struct xml_element *element, struct text local)
{
    struct text value = {0};
    xml_attribute(element, local, &value);
    return text_trim(value);
}

static uint32_t add_identity(struct policy *policy, const struct xml_element *element, struct arena *arena)
{
    struct text id = uri_from_iri(arena, attribute(element, TEXT("id")));
    return policy_names_add(&policy->identities, arena, uri_canonical(arena, id));
}

/* Spelled as hosts are in canonical addresses, so that equality is equality of bytes (RFC 4745 §7.1.3). */
static uint32_t add_domain(struct policy *policy, struct text domain, struct arena *arena)
{
    return policy_names_add(&policy->domains, arena, uri_host_ascii(arena, domain));
}

/* Exceptions of a cp:many. False when it holds a child that may restrict it in a way unknown here. */
static bool read_exceptions(struct policy *policy, const struct xml_element *element, struct arena *arena,
                            struct policy_many *many)
{
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        struct text domain;
        if (!xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("except")))
            return false;
        policy_set_add(&many->except_identities, arena, add_identity(policy, child, arena));
        if (xml_attribute(child, TEXT("domain"), &domain))
            policy_set_add(&many->except_domains, arena, add_domain(policy, text_trim(domain), arena));
    }
    policy_set_close(&many->except_identities);
    policy_set_close(&many->except_domains);
    return true;
}

static void compile_many(struct policy *policy, const struct xml_element *element, struct arena *arena,
                         struct policy_identity *identity)
{
    struct policy_many many = {0};
    struct text domain = {0};
    many.any_domain = !xml_attribute(element, TEXT("domain"), &domain);
    many.domain = add_domain(policy, text_trim(domain), arena);
    if (!read_exceptions(policy, element, arena, &many))
        return;
    if (many.except_identities.count || many.except_domains.count)
        identity->manys[identity->manys_count++] = many;
    else if (many.any_domain)
        identity->anybody = true;
    else
        policy_set_add(&identity->domains, arena, many.domain);
}

void policy_compile_identity(struct policy *policy, const struct xml_element *element, struct arena *arena,
                             struct policy_condition *condition)
{
    struct policy_identity *identity = &condition->identity;
    size_t manys_max = 0;
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        manys_max += xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("many")) && child->first_child;
    identity->manys = manys_max ? arena_array(arena, struct policy_many, manys_max) : NULL;
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        if (xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("many")))
            compile_many(policy, child, arena, identity);
        else if (xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("one")) && !child->first_child)
            policy_set_add(&identity->ones, arena, add_identity(policy, child, arena));
    }
    policy_set_close(&identity->ones);
    policy_set_close(&identity->domains);
}
