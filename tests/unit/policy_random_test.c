/* Random rulesets and requests, decided twice: by the compiled policy and by a slow model that walks the document and
 * compares strings, written from the RFC alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "policy.h"
#include "uri.h"

#define RULESETS          4000
#define REQUESTS          8 /* of each ruleset */
#define COMMON            TEXT("urn:ietf:params:xml:ns:common-policy")
#define OMA               TEXT("urn:oma:xml:xdm:common-policy")
#define EXTENSIONS        TEXT("urn:oma:xml:xdm:extensions")
#define LIST              TEXT("urn:oma:xml:poc:list-service")
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))
#define PERMISSIONS_COUNT 3

static const struct policy_value levels[] = {{TEXT_INIT("low"), 0}, {TEXT_INIT("middle"), 10}, {TEXT_INIT("high"), 30}};

static const struct policy_permission permissions[PERMISSIONS_COUNT] = {
    {TEXT_INIT("join"), TEXT_INIT("urn:names"), TEXT_INIT("join"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("level"), TEXT_INIT("urn:names"), TEXT_INIT("level"), TEXT_INIT(""), POLICY_MAX, levels, 3},
    {TEXT_INIT("count"), TEXT_INIT("urn:names"), TEXT_INIT("count"), TEXT_INIT(""), POLICY_MAX, NULL, 0},
};

static const char *const people[] = {"sip:ann@a.example", "sip:bo@a.example", "sip:cid@b.example", "sip:di@b.example",
                                     "tel:+15551234"};
static const char *const spellings[] = {"sip:ann@a.example",  "SIPS:bo@A.example;x=y", "sip:%63id@b.example:5060",
                                        "pres:di@b.EXAMPLE.", "tel:+1-555-1234",       "mailto:eve@a.example"};
static const char *const domains[] = {"a.example", "B.Example", "%62.example.", "c.example", "example", ""};
static const char *const days[] = {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "someday"};
static const char *const anchors[] = {"http://x/1", "http://x/2", "http://x/3"};
static const char *const spheres[] = {"work", "home WORK", " Gym\thome ", ""};
static const char *const media[] = {"audio", "video", "pager-mode-message"};

/* --- random documents ---------------------------------------------------------------------------------------- */

static uint64_t random_state;

/* xorshift64: the same documents on every machine and run. */
static uint64_t draw(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

#define PICK(array) ((array)[draw(COUNT_OF(array))])

static void add_identity(struct text_builder *out)
{
    builder_add(out, TEXT("<cp:identity>"));
    for (uint64_t n = draw(3); n > 0; n--) {
        switch (draw(5)) {
        case 0:
        case 1: builder_add_format(out, "<cp:one id='%s'/>", PICK(spellings)); break;
        case 2: builder_add_format(out, "<cp:many domain='%s'/>", PICK(domains)); break;
        case 3:
            builder_add(out, draw(2) ? TEXT("<cp:many>") : TEXT("<cp:many domain='a.example'>"));
            for (uint64_t i = draw(3); i > 0; i--) {
                if (draw(2))
                    builder_add_format(out, "<cp:except id='%s'/>", PICK(spellings));
                else
                    builder_add_format(out, "<cp:except domain='%s'/>", PICK(domains));
            }
            builder_add(out, draw(8) ? TEXT("</cp:many>") : TEXT("<q:other/></cp:many>"));
            break;
        default: builder_add(out, TEXT("<q:unknown/>")); break;
        }
    }
    builder_add(out, TEXT("</cp:identity>"));
}

static void add_media_list(struct text_builder *out)
{
    bool except = draw(2);
    builder_add(out, except ? TEXT("<x:media-list><x:all-media-except>") : TEXT("<x:media-list>"));
    for (uint64_t n = draw(3); n > 0; n--)
        builder_add_format(out, "<x:%s/>", PICK(media));
    builder_add(out, except ? TEXT("</x:all-media-except></x:media-list>") : TEXT("</x:media-list>"));
}

static void add_condition(struct text_builder *out)
{
    switch (draw(12)) {
    case 0: builder_add_format(out, "<cp:sphere value='%s'/>", PICK(spheres)); break;
    case 1:
        builder_add(out, TEXT("<cp:validity>"));
        for (uint64_t n = draw(3); n > 0; n--)
            builder_add_format(out, "<cp:from>%s</cp:from><cp:until>%s</cp:until>", PICK(days), PICK(days));
        builder_add(out, TEXT("</cp:validity>"));
        break;
    case 2: builder_add(out, TEXT("<o:other-identity/>")); break;
    case 3:
        builder_add(out, TEXT("<o:external-list>"));
        for (uint64_t n = draw(3); n > 0; n--)
            builder_add_format(out, "<o:entry anc='%s'/>", PICK(anchors));
        builder_add(out, TEXT("</o:external-list>"));
        break;
    case 4: builder_add(out, TEXT("<o:anonymous-request/>")); break;
    case 5: add_media_list(out); break;
    case 6: builder_add(out, TEXT("<ls:is-list-member/>")); break;
    case 7: builder_add(out, TEXT("<q:weather/>")); break;
    default: add_identity(out); break;
    }
}

static void add_rule(struct text_builder *out, unsigned number)
{
    static const char *const actions[] = {
        "<n:join>true</n:join>",     "<n:join>0</n:join>",      "<n:join/>",
        "<n:level>middle</n:level>", "<n:level>high</n:level>", "<n:level>x</n:level>",
        "<n:count>-4</n:count>",     "<n:count>9</n:count>",    "<q:join>true</q:join>"};
    builder_add_format(out, "<cp:rule id='r%u'><cp:conditions>", number);
    for (uint64_t n = draw(3); n > 0; n--)
        add_condition(out);
    builder_add(out, TEXT("</cp:conditions><cp:actions>"));
    for (uint64_t n = draw(3); n > 0; n--)
        builder_add(out, text_of(PICK(actions)));
    builder_add(out, TEXT("</cp:actions></cp:rule>"));
}

static struct text make_ruleset(struct arena *arena)
{
    struct text_builder out;
    builder_init(&out, arena);
    builder_add(&out, TEXT("<cp:ruleset xmlns:cp='urn:ietf:params:xml:ns:common-policy' xmlns:n='urn:names'"
                           " xmlns:o='urn:oma:xml:xdm:common-policy' xmlns:x='urn:oma:xml:xdm:extensions'"
                           " xmlns:ls='urn:oma:xml:poc:list-service' xmlns:q='urn:unknown'>"));
    unsigned rules = (unsigned)draw(7);
    for (unsigned i = 0; i < rules; i++)
        add_rule(&out, i);
    builder_add(&out, TEXT("</cp:ruleset>"));
    return builder_text(&out);
}

static bool in_list(void *context, struct text anchor, struct text identity)
{
    (void)context;
    size_t person = 0;
    while (person < COUNT_OF(people) && !text_equal(identity, text_of(people[person])))
        person++;
    return anchor.bytes[anchor.length - 1] == (char)('1' + person);
}

static struct policy_request make_request(struct text identities[2])
{
    struct policy_request request = {.identities = identities, .identities_count = draw(3), .in_list = in_list};
    identities[0] = text_of(PICK(people));
    identities[1] = text_of(PICK(people));
    request.anonymous = draw(4) == 0;
    clock_parse_rfc3339(text_of(days[draw(3)]), &request.wall_ms);
    request.wall_ms -= (int64_t)draw(2);
    request.sphere = draw(2) ? TEXT("Work") : TEXT("");
    request.media = draw(2) ? text_of(PICK(media)) : TEXT("");
    request.is_member = draw(2);
    return request;
}

/* --- the model ----------------------------------------------------------------------------------------------- */

struct model {
    struct arena *arena;
    const struct xml_element *ruleset;
    const struct policy_request *request;
    bool anonymous;
};

static struct text attribute_of(const struct xml_element *element, struct text name)
{
    struct text value = TEXT("");
    xml_attribute(element, name, &value);
    return value;
}

static bool is_person(const struct model *model, struct text id)
{
    struct text canonical = uri_canonical(model->arena, id);
    for (size_t i = 0; i < model->request->identities_count; i++) {
        if (canonical.length && text_equal(canonical, model->request->identities[i]))
            return true;
    }
    return false;
}

static bool is_in_domain(const struct model *model, struct text domain)
{
    struct text decoded;
    if (!percent_decode(model->arena, domain, &decoded))
        return false;
    if (text_ends_with(decoded, TEXT(".")))
        decoded.length--;
    for (size_t i = 0; i < model->request->identities_count; i++) {
        struct text host = uri_domain(model->request->identities[i]);
        if (host.length && text_equal_nocase(decoded, host))
            return true;
    }
    return false;
}

static bool model_many(const struct model *model, const struct xml_element *many)
{
    struct text value;
    bool inside = !xml_attribute(many, TEXT("domain"), &value) || is_in_domain(model, value);
    for (const struct xml_element *child = many->first_child; child; child = child->next) {
        if (!xml_is(child, COMMON, TEXT("except")) || is_person(model, attribute_of(child, TEXT("id"))) ||
            is_in_domain(model, attribute_of(child, TEXT("domain"))))
            return false;
    }
    return inside && model->request->identities_count > 0;
}

static bool model_identity(const struct model *model, const struct xml_element *identity)
{
    for (const struct xml_element *child = identity->first_child; child; child = child->next) {
        if (xml_is(child, COMMON, TEXT("one")) && is_person(model, attribute_of(child, TEXT("id"))))
            return true;
        if (xml_is(child, COMMON, TEXT("many")) && model_many(model, child))
            return true;
    }
    return false;
}

static bool model_external(const struct model *model, const struct xml_element *list)
{
    for (const struct xml_element *entry = list->first_child; entry; entry = entry->next) {
        for (size_t i = 0; i < model->request->identities_count; i++) {
            if (in_list(NULL, attribute_of(entry, TEXT("anc")), model->request->identities[i]))
                return true;
        }
    }
    return false;
}

static bool model_validity(const struct model *model, const struct xml_element *validity)
{
    for (const struct xml_element *from = validity->first_child; from; from = from->next->next) {
        int64_t from_ms, until_ms;
        if (clock_parse_rfc3339(from->text, &from_ms) && clock_parse_rfc3339(from->next->text, &until_ms) &&
            from_ms <= model->request->wall_ms && model->request->wall_ms < until_ms)
            return true;
    }
    return false;
}

static bool model_sphere(const struct model *model, const struct xml_element *sphere)
{
    struct text rest = text_trim(attribute_of(sphere, TEXT("value")));
    while (rest.length > 0) {
        struct text word;
        text_cut(rest, ' ', &word, &rest); /* a tab in an attribute is a space for a parser */
        if (word.length && text_equal_nocase(word, model->request->sphere))
            return true;
    }
    return false;
}

static bool model_media(const struct model *model, const struct xml_element *list)
{
    const struct xml_element *but = xml_child(list, EXTENSIONS, TEXT("all-media-except"));
    const struct xml_element *first = but ? but->first_child : list->first_child;
    if (model->request->media.length == 0)
        return but || first;
    bool listed = false;
    for (const struct xml_element *child = first; child; child = child->next)
        listed = listed || text_equal(child->local, model->request->media);
    return but ? !listed : listed;
}

/* No condition that names people, in any rule, names the requester. */
static bool model_other(const struct model *model)
{
    for (const struct xml_element *rule = model->ruleset->first_child; rule; rule = rule->next) {
        for (const struct xml_element *one = rule->first_child->first_child; one; one = one->next) {
            if ((xml_is(one, COMMON, TEXT("identity")) && model_identity(model, one)) ||
                (xml_is(one, OMA, TEXT("external-list")) && model_external(model, one)))
                return false;
        }
    }
    return model->request->identities_count > 0;
}

static bool model_condition(const struct model *model, const struct xml_element *condition)
{
    if (xml_is(condition, COMMON, TEXT("identity")))
        return model_identity(model, condition);
    if (xml_is(condition, COMMON, TEXT("sphere")))
        return model_sphere(model, condition);
    if (xml_is(condition, COMMON, TEXT("validity")))
        return model_validity(model, condition);
    if (xml_is(condition, OMA, TEXT("external-list")))
        return model_external(model, condition);
    if (xml_is(condition, OMA, TEXT("other-identity")))
        return model_other(model);
    if (xml_is(condition, OMA, TEXT("anonymous-request")))
        return model->anonymous;
    if (xml_is(condition, EXTENSIONS, TEXT("media-list")))
        return model_media(model, condition);
    if (xml_is(condition, LIST, TEXT("is-list-member")))
        return model->request->is_member;
    return false;
}

static bool rule_has(const struct xml_element *rule, struct text namespace, struct text local)
{
    return xml_child(rule->first_child, namespace, local) != NULL;
}

static int model_layer(const struct xml_element *rule)
{
    if (rule_has(rule, OMA, TEXT("anonymous-request")))
        return 4;
    if (rule_has(rule, COMMON, TEXT("identity")))
        return 3;
    if (rule_has(rule, OMA, TEXT("external-list")))
        return 2;
    return rule_has(rule, OMA, TEXT("other-identity"));
}

static bool model_rule(const struct model *model, const struct xml_element *rule)
{
    bool names_people = rule_has(rule, COMMON, TEXT("identity")) || rule_has(rule, OMA, TEXT("external-list")) ||
                        rule_has(rule, OMA, TEXT("other-identity"));
    if (model->anonymous && names_people && !rule_has(rule, OMA, TEXT("anonymous-request")))
        return false;
    for (const struct xml_element *condition = rule->first_child->first_child; condition; condition = condition->next) {
        if (!model_condition(model, condition))
            return false;
    }
    return true;
}

static void model_grant(const struct xml_element *rule, struct policy_decision *decision)
{
    static const struct {
        struct text local, content;
        size_t permission;
        int64_t rank;
    } meanings[] = {{TEXT_INIT("join"), TEXT_INIT("true"), 0, 1},   {TEXT_INIT("join"), TEXT_INIT("0"), 0, 0},
                    {TEXT_INIT("join"), TEXT_INIT(""), 0, 1},       {TEXT_INIT("level"), TEXT_INIT("middle"), 1, 10},
                    {TEXT_INIT("level"), TEXT_INIT("high"), 1, 30}, {TEXT_INIT("count"), TEXT_INIT("-4"), 2, -4},
                    {TEXT_INIT("count"), TEXT_INIT("9"), 2, 9}};
    decision->rules_matched++;
    const struct xml_element *actions = xml_child(rule, COMMON, TEXT("actions"));
    for (const struct xml_element *action = actions->first_child; action; action = action->next) {
        for (size_t i = 0; i < COUNT_OF(meanings); i++) {
            size_t index = meanings[i].permission;
            if (!xml_is(action, TEXT("urn:names"), meanings[i].local) || !text_equal(action->text, meanings[i].content))
                continue;
            if (decision->permissions[index].present && decision->permissions[index].rank >= meanings[i].rank)
                continue;
            decision->permissions[index].present = true;
            decision->permissions[index].rank = meanings[i].rank;
            decision->permissions[index].rule = attribute_of(rule, TEXT("id"));
        }
    }
}

static struct policy_decision model_decide(const struct model *model, enum policy_layering layering)
{
    struct policy_decision decision = {0};
    int layer = 0;
    for (const struct xml_element *rule = model->ruleset->first_child; rule; rule = rule->next) {
        if (model_rule(model, rule) && model_layer(rule) > layer)
            layer = model_layer(rule);
    }
    for (const struct xml_element *rule = model->ruleset->first_child; rule; rule = rule->next) {
        if (model_rule(model, rule) && (layering == POLICY_UNION || model_layer(rule) == layer))
            model_grant(rule, &decision);
    }
    return decision;
}

/* --- the comparison ------------------------------------------------------------------------------------------ */

static void assert_same(const struct policy_decision *found, const struct policy_decision *expected,
                        struct text document)
{
    bool same = found->rules_matched == expected->rules_matched;
    for (size_t i = 0; i < POLICY_PERMISSIONS_MAX; i++)
        same = same && found->permissions[i].present == expected->permissions[i].present &&
               found->permissions[i].rank == expected->permissions[i].rank &&
               text_equal(found->permissions[i].rule, expected->permissions[i].rule);
    if (!same)
        fail_msg("%u rules matched, %u should: %.*s", found->rules_matched, expected->rules_matched,
                 TEXT_ARG(document));
}

static unsigned check_ruleset(struct arena *arena, enum policy_layering layering)
{
    struct policy_vocabulary vocabulary = {permissions, PERMISSIONS_COUNT, layering};
    struct text document = make_ruleset(arena);
    struct model model = {.arena = arena};
    const struct policy *policy;
    unsigned matched = 0;
    assert_int_equal(xml_tree_read(document, arena, &model.ruleset), OK);
    assert_int_equal(policy_compile(model.ruleset, &vocabulary, arena, &policy), OK);
    for (int i = 0; i < REQUESTS; i++) {
        struct text identities[2];
        struct policy_request request = make_request(identities);
        struct policy_decision found;
        model.request = &request;
        model.anonymous = request.anonymous || request.identities_count == 0;
        struct policy_decision expected = model_decide(&model, layering);
        policy_decide(policy, &request, &found);
        assert_same(&found, &expected, document);
        matched += found.rules_matched;
    }
    return matched;
}

static void check_many(enum policy_layering layering)
{
    struct arena arena;
    arena_init(&arena, "test");
    random_state = 0x9E3779B97F4A7C15u;
    unsigned matched = 0;
    for (int i = 0; i < RULESETS; i++) {
        matched += check_ruleset(&arena, layering);
        arena_reset(&arena);
    }
    assert_true(matched > RULESETS * REQUESTS / 4); /* else the documents say too little to test anything */
    arena_clear(&arena);
}

static void random_rulesets_combine_as_in_the_model(void **state)
{
    (void)state;
    check_many(POLICY_UNION);
}

static void random_rulesets_are_layered_as_in_the_model(void **state)
{
    (void)state;
    check_many(POLICY_LAYERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rulesets_combine_as_in_the_model),
        cmocka_unit_test(random_rulesets_are_layered_as_in_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
