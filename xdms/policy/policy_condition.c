/* Turns the conditions of a rule into records. What is not understood becomes "never" or matches nobody: a rule may
 * grant less than its author meant, not more (RFC 4745 §7). It must not know what rules grant. */
#include <stdlib.h>

#include "clock.h"
#include "policy_parts.h"

#define NAMESPACE_OMA        TEXT("urn:oma:xml:xdm:common-policy")
#define NAMESPACE_EXTENSIONS TEXT("urn:oma:xml:xdm:extensions")
#define NAMESPACE_2_1        TEXT("urn:oma:xml:xdm:2.1extensions")

typedef void compile_fn(struct policy *policy, const struct xml_element *element, struct arena *arena,
                        struct policy_condition *condition);

static compile_fn compile_nothing, compile_sphere, compile_validity, compile_external_list, compile_media_list,
    compile_service_list, compile_profile_list, compile_quality_list, compile_region_list, compile_flag;

struct condition_row {
    struct text namespace;
    struct text local;
    enum policy_condition_kind kind;
    compile_fn *compile;
};

static const struct condition_row condition_rows[] = {
    {TEXT_INIT("urn:ietf:params:xml:ns:common-policy"), TEXT_INIT("identity"), POLICY_IDENTITY,
     policy_compile_identity},
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
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("upp-list"), POLICY_PROFILE_LIST, compile_profile_list},
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("invited-identities"), POLICY_INVITED,
     policy_compile_identity},
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("qoe-list"), POLICY_QUALITY_LIST, compile_quality_list},
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("country-region-list"), POLICY_REGION_LIST,
     compile_region_list},
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("deferred-messages"), POLICY_DEFERRED, compile_flag},
    {TEXT_INIT("urn:oma:xml:xdm:2.1extensions"), TEXT_INIT("expired"), POLICY_EXPIRED, compile_flag},
};

void policy_compile_condition(struct policy *policy, const struct xml_element *element, struct arena *arena,
                              struct policy_condition *condition_out)
{
    *condition_out = (struct policy_condition){.kind = POLICY_NEVER, .source = element};
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

static uint32_t folded_word(struct policy *policy, struct text word, struct arena *arena)
{
    char folded[POLICY_SPHERE_LENGTH_MAX];
    struct text lower = policy_sphere_fold(text_trim(word), folded);
    uint32_t known = policy_names_find(&policy->words, lower);
    return known ? known : policy_names_add(&policy->words, arena, text_copy(arena, lower));
}

/* RFC 4745 §7.2: words between white space, in any case. */
static void compile_sphere(struct policy *policy, const struct xml_element *element, struct arena *arena,
                           struct policy_condition *condition)
{
    struct text value = attribute(element, TEXT("value"));
    size_t begin = 0;
    for (size_t at = 0; at <= value.length; at++) {
        if (at < value.length && !is_space(value.bytes[at]))
            continue;
        policy_set_add(&condition->words, arena, folded_word(policy, text_slice(value, begin, at), arena));
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

/* A media kind is the name of an element, with what restricts it behind a slash; later versions of the enabler add
 * theirs in their own namespace. An exception for a part excepts all of it: who asks may not say which part is meant.
 */
static uint32_t media_word(struct policy *policy, const struct xml_element *media, bool exception, struct arena *arena)
{
    struct text word = media->local;
    if (media->first_child && !exception) {
        if (media->first_child->next)
            return 0;
        word = text_format(arena, "%.*s/%.*s", TEXT_ARG(word), TEXT_ARG(media->first_child->local));
    }
    return policy_names_add(&policy->words, arena, word);
}

static void add_media(struct policy *policy, const struct xml_element *parent, bool exception, struct arena *arena,
                      struct policy_set *set)
{
    for (const struct xml_element *child = parent->first_child; child; child = child->next) {
        bool known = text_equal(child->namespace, NAMESPACE_EXTENSIONS) || text_equal(child->namespace, NAMESPACE_2_1);
        if (known && !text_equal(child->local, TEXT("all-media-except")))
            policy_set_add(set, arena, media_word(policy, child, exception, arena));
    }
    policy_set_close(set);
}

static void compile_media_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                               struct policy_condition *condition)
{
    struct policy_listing *listing = &condition->listing;
    add_media(policy, element, false, arena, &listing->named);
    const struct xml_element *but = xml_child(element, NAMESPACE_EXTENSIONS, TEXT("all-media-except"));
    listing->all_but_excepted = but;
    if (but)
        add_media(policy, but, true, arena, &listing->excepted);
}

/* How one kind of thing is listed: children that name some by an attribute, or a child that has such children and means
 * all but those. */
struct listing_form {
    struct text namespace, child, name, but;
};

static void add_named(struct policy *policy, const struct xml_element *parent, const struct listing_form *form,
                      struct arena *arena, struct policy_set *set)
{
    const struct xml_element *child = xml_child(parent, form->namespace, form->child);
    for (; child; child = xml_next_same(child))
        policy_set_add(set, arena, policy_names_add(&policy->words, arena, attribute(child, form->name)));
    policy_set_close(set);
}

static void compile_listing(struct policy *policy, const struct xml_element *element, const struct listing_form *form,
                            struct arena *arena, struct policy_listing *listing)
{
    const struct xml_element *but = xml_child(element, form->namespace, form->but);
    add_named(policy, element, form, arena, &listing->named);
    listing->all_but_excepted = but;
    if (but)
        add_named(policy, but, form, arena, &listing->excepted);
}

static void compile_service_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                 struct policy_condition *condition)
{
    const struct listing_form form = {NAMESPACE_EXTENSIONS, TEXT("service"), TEXT("enabler"),
                                      TEXT("all-services-except")};
    compile_listing(policy, element, &form, arena, &condition->listing);
}

static void compile_profile_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                 struct policy_condition *condition)
{
    const struct listing_form form = {NAMESPACE_2_1, TEXT("upp"), TEXT("upp-id"), TEXT("all-upp-except")};
    compile_listing(policy, element, &form, arena, &condition->listing);
}

/* The names of its children: basic, premium and what others add in namespaces of their own. */
static void compile_quality_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                 struct policy_condition *condition)
{
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        policy_set_add(&condition->words, arena, policy_names_add(&policy->words, arena, child->local));
    policy_set_close(&condition->words);
}

/* Civic elements in their order: each <country> begins a place, <A1> after it narrows it to a region. A place that is
 * narrowed in another way is left out. */
static void compile_region_list(struct policy *policy, const struct xml_element *element, struct arena *arena,
                                struct policy_condition *condition)
{
    struct policy_regions *regions = &condition->regions;
    size_t places_max = count_children(element);
    struct policy_region *place = NULL;
    regions->places = places_max ? arena_array(arena, struct policy_region, places_max) : NULL;
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        uint32_t word = folded_word(policy, child->text, arena);
        if (text_equal(child->local, TEXT("country"))) {
            place = &regions->places[regions->count++];
            place->country = child->first_child ? 0 : word;
        } else if (place) {
            bool narrows = text_equal(child->local, TEXT("A1")) && word && !place->region;
            place->region = word;
            place->country = narrows ? place->country : 0;
        }
    }
}

/* What may stand in it is not known here, and may restrict it. */
static void compile_flag(struct policy *policy, const struct xml_element *element, struct arena *arena,
                         struct policy_condition *condition)
{
    (void)policy;
    (void)arena;
    if (element->first_child || text_trim(element->text).length)
        condition->kind = POLICY_NEVER;
}
