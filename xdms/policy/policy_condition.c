/* Turns the conditions of a rule into records. What is not understood becomes "never" or matches nobody: a rule may
 * grant less than its author meant, not more (RFC 4745 §7). It must not know what rules grant. */
#include <stdlib.h>

#include "clock.h"
#include "policy_parts.h"
#include "uri.h"

#define NAMESPACE_OMA        TEXT("urn:oma:xml:xdm:common-policy")
#define NAMESPACE_EXTENSIONS TEXT("urn:oma:xml:xdm:extensions")
#define NAMESPACE_2_1        TEXT("urn:oma:xml:xdm:2.1extensions")
#define NAMESPACE_LIST       TEXT("urn:oma:xml:poc:list-service")

typedef void compile_fn(struct policy *policy, const struct xml_element *element, struct arena *arena,
                        struct policy_condition *condition);

static compile_fn compile_nothing, compile_identity, compile_sphere, compile_validity, compile_external_list,
    compile_media_list, compile_service_list;

struct condition_row {
    struct text namespace;
    struct text local;
    enum policy_condition_kind kind;
    compile_fn *compile;
};

static const struct condition_row condition_rows[] = {
    {TEXT_INIT("urn:ietf:params:xml:ns:common-policy"), TEXT_INIT("identity"), POLICY_IDENTITY, compile_identity},
    {TEXT_INIT("urn:ietf:params:xml:ns:common-policy"), TEXT_INIT("sphere"), POLICY_SPHERE, compile_sphere},
    {TEXT_INIT("urn:ietf:params:xml:ns:common-policy"), TEXT_INIT("validity"), POLICY_VALIDITY, compile_validity},
    {TEXT_INIT("urn:oma:xml:xdm:common-policy"), TEXT_INIT("other-identity"), POLICY_OTHER_IDENTITY, compile_nothing},
    {TEXT_INIT("urn:oma:xml:xdm:common-policy"), TEXT_INIT("external-list"), POLICY_EXTERNAL_LIST,
     compile_external_list},
    {TEXT_INIT("urn:oma:xml:xdm:common-policy"), TEXT_INIT("anonymous-request"), POLICY_ANONYMOUS_REQUEST,
     compile_nothing},
    {TEXT_INIT("urn:oma:xml:xdm:extensions"), TEXT_INIT("media-list"), POLICY_MEDIA_LIST, compile_media_list},
    {TEXT_INIT("urn:oma:xml:xdm:extensions"), TEXT_INIT("service-list"), POLICY_SERVICE_LIST, compile_service_list},
    {TEXT_INIT("urn:oma:xml:poc:list-service"), TEXT_INIT("is-list-member"), POLICY_LIST_MEMBER, compile_nothing},
};

void policy_compile_condition(struct policy *policy, const struct xml_element *element, struct arena *arena,
                              struct policy_condition *condition_out)
{
    *condition_out = (struct policy_condition){.kind = POLICY_NEVER};
    for (size_t i = 0; i < sizeof(condition_rows) / sizeof(condition_rows[0]); i++) {
        const struct condition_row *row = &condition_rows[i];
        if (xml_is(element, row->namespace, row->local)) {
            condition_out->kind = row->kind;
            row->compile(policy, element, arena, condition_out);
            return;
        }
    }
}

static void compile_nothing(struct policy *policy, const struct xml_element *element, struct arena *arena,
                            struct policy_condition *condition)
{
    (void)policy;
    (void)element;
    (void)arena;
    (void)condition;
}

static size_t count_children(const struct xml_element *parent)
{
    size_t count = 0;
    for (const struct xml_element *child = parent->first_child; child; child = child->next)
        count++;
    return count;
}

static struct text attribute(const struct xml_element *element, struct text local)
{
    struct text value = {0};
    xml_attribute(element, local, &value);
    return text_trim(value);
}

static uint32_t add_identity(struct policy *policy, const struct xml_element *element, struct arena *arena)
{
    return policy_names_add(&policy->identities, arena, uri_canonical(arena, attribute(element, TEXT("id"))));
}

/* Spelled as hosts are in canonical addresses, so that equality is equality of bytes (RFC 4745 §7.1.3). */
static uint32_t add_domain(struct policy *policy, struct text domain, struct arena *arena)
{
    struct text decoded;
    struct uri uri;
    if (!percent_decode(arena, domain, &decoded) || !uri_parse(text_join(arena, TEXT("sip:"), decoded), &uri))
        return 0;
    bool host_only = !uri.user.length && !uri.port && !uri.parameters.length && !uri.headers.length;
    if (!host_only)
        return 0;
    struct text canonical = uri_canonical(arena, text_join(arena, TEXT("sip:"), decoded));
    return policy_names_add(&policy->domains, arena, uri_domain(canonical));
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

/* RFC 4745 §7.1; a child that is unknown adds nobody, and so does one with unknown content. */
static void compile_identity(struct policy *policy, const struct xml_element *element, struct arena *arena,
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

struct text policy_sphere_fold(struct text sphere, char buffer[POLICY_SPHERE_LENGTH_MAX])
{
    if (sphere.length > POLICY_SPHERE_LENGTH_MAX)
        return (struct text){0};
    for (size_t i = 0; i < sphere.length; i++) {
        char character = sphere.bytes[i];
        buffer[i] = character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
    }
    return (struct text){buffer, sphere.length};
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* RFC 4745 §7.2: words between white space, in any case. */
static void compile_sphere(struct policy *policy, const struct xml_element *element, struct arena *arena,
                           struct policy_condition *condition)
{
    char folded[POLICY_SPHERE_LENGTH_MAX];
    struct text value = attribute(element, TEXT("value"));
    size_t begin = 0;
    for (size_t at = 0; at <= value.length; at++) {
        if (at < value.length && !is_space(value.bytes[at]))
            continue;
        struct text word = policy_sphere_fold(text_slice(value, begin, at), folded);
        if (word.length) {
            uint32_t known = policy_names_find(&policy->words, word);
            uint32_t id = known ? known : policy_names_add(&policy->words, arena, text_copy(arena, word));
            policy_set_add(&condition->words, arena, id);
        }
        begin = at + 1;
    }
    policy_set_close(&condition->words);
}

/* RFC 4745 §7.3: pairs of from and until. Half a pair, or an unreadable one, is no time at all. */
static void compile_validity(struct policy *policy, const struct xml_element *element, struct arena *arena,
                             struct policy_condition *condition)
{
    (void)policy;
    struct policy_validity *validity = &condition->validity;
    size_t pairs_max = count_children(element) / 2;
    validity->periods = pairs_max ? arena_array(arena, struct policy_period, pairs_max) : NULL;
    const struct xml_element *from = NULL;
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        struct policy_period period;
        if (xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("until")) && from &&
            clock_parse_rfc3339(text_trim(from->text), &period.from_ms) &&
            clock_parse_rfc3339(text_trim(child->text), &period.until_ms))
            validity->periods[validity->count++] = period;
        from = xml_is(child, POLICY_NAMESPACE_COMMON, TEXT("from")) ? child : NULL;
    }
}

static void compile_external_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                  struct policy_condition *condition)
{
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        if (xml_is(child, NAMESPACE_OMA, TEXT("entry")))
            policy_set_add(&condition->words, arena,
                           policy_names_add(&policy->anchors, arena, attribute(child, TEXT("anc"))));
    }
    policy_set_close(&condition->words);
}

/* A media kind is the name of an element; later versions of the enabler add theirs in their own namespace. */
static void add_media(struct policy *policy, const struct xml_element *parent, struct arena *arena,
                      struct policy_set *set)
{
    for (const struct xml_element *child = parent->first_child; child; child = child->next) {
        bool known = text_equal(child->namespace, NAMESPACE_EXTENSIONS) || text_equal(child->namespace, NAMESPACE_2_1);
        if (known && !text_equal(child->local, TEXT("all-media-except")))
            policy_set_add(set, arena, policy_names_add(&policy->words, arena, child->local));
    }
    policy_set_close(set);
}

static void compile_media_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                               struct policy_condition *condition)
{
    struct policy_listing *listing = &condition->listing;
    add_media(policy, element, arena, &listing->named);
    const struct xml_element *but = xml_child(element, NAMESPACE_EXTENSIONS, TEXT("all-media-except"));
    listing->all_but_excepted = but;
    if (but)
        add_media(policy, but, arena, &listing->excepted);
}

static void add_services(struct policy *policy, const struct xml_element *parent, struct arena *arena,
                         struct policy_set *set)
{
    const struct xml_element *service = xml_child(parent, NAMESPACE_EXTENSIONS, TEXT("service"));
    for (; service; service = xml_next_same(service))
        policy_set_add(set, arena, policy_names_add(&policy->words, arena, attribute(service, TEXT("enabler"))));
    policy_set_close(set);
}

static void compile_service_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                 struct policy_condition *condition)
{
    struct policy_listing *listing = &condition->listing;
    add_services(policy, element, arena, &listing->named);
    const struct xml_element *but = xml_child(element, NAMESPACE_EXTENSIONS, TEXT("all-services-except"));
    listing->all_but_excepted = but;
    if (but)
        add_services(policy, but, arena, &listing->excepted);
}
