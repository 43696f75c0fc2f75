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
#include "xorshift.h"

#define RULESETS          4000
#define REQUESTS          8 /* of each ruleset */
#define COMMON            TEXT("urn:ietf:params:xml:ns:common-policy")
#define OMA               TEXT("urn:oma:xml:xdm:common-policy")
#define EXTENSIONS        TEXT("urn:oma:xml:xdm:extensions")
#define LIST              TEXT("urn:oma:xml:poc:list-service")
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))
#define LATER             TEXT("urn:oma:xml:xdm:2.1extensions")
#define PERMISSIONS_COUNT 4

static const struct policy_value levels[] = {{TEXT_INIT("low"), 0}, {TEXT_INIT("middle"), 10}, {TEXT_INIT("high"), 30}};

static const struct policy_permission permissions[PERMISSIONS_COUNT] = {
    {TEXT_INIT("join"), TEXT_INIT("urn:names"), TEXT_INIT("join"), TEXT_INIT(""), POLICY_OR, NULL, 0},
    {TEXT_INIT("level"), TEXT_INIT("urn:names"), TEXT_INIT("level"), TEXT_INIT(""), POLICY_MAX, levels, 3},
    {TEXT_INIT("count"), TEXT_INIT("urn:names"), TEXT_INIT("count"), TEXT_INIT(""), POLICY_MAX, NULL, 0},
    {TEXT_INIT("see"), TEXT_INIT("urn:names"), TEXT_INIT("see"), TEXT_INIT(""), POLICY_SET, NULL, 0},
};

static const char *const people[] = {"sip:ann@a.example", "sip:bo@a.example", "sip:cid@b.example",
                                     "sip:di@b.example",  "tel:+15551234",    "sip:fay@xn--bcher-kva.example"};
static const char *const spellings[] = {
    "sip:ann@a.example", "SIPS:bo@A.example;x=y", "sip:%63id@b.example:5060",   "pres:di@b.EXAMPLE.",
    "tel:+1-555-1234",   "mailto:eve@a.example",  "sip:fay@B\u00dccher.example"};
static const char *const domains[] = {"a.example", "B.Example", "%62.example.",        "c.example",
                                      "example",   "",          "b\u00fccher.example", "b%C3%BCcher.example."};
static const char *const days[] = {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "someday"};
static const char *const anchors[] = {"http://x/1", "http://x/2", "http://x/3"};
static const char *const spheres[] = {"work", "home WORK", " Gym\thome ", ""};
static const char *const media[] = {"audio", "video", "pager-mode-message", "audio/full-duplex"};
static const char *const profiles[] = {"home", "work"};
static const char *const countries[] = {"NL", "de", "FR"};
static const char *const regions[] = {"Bayern", "Utrecht"};

/* --- random documents ---------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t draw(uint64_t bound)
{
    return xorshift(&random_state) % bound;
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
    for (uint64_t n = draw(3); n > 0; n--) {
        const char *kind = PICK(media);
        if (strchr(kind, '/'))
            builder_add(out, TEXT("<x:audio><x:full-duplex/></x:audio>"));
        else
            builder_add_format(out, "<x:%s/>", kind);
    }
    builder_add(out, except ? TEXT("</x:all-media-except></x:media-list>") : TEXT("</x:media-list>"));
}

/* Conditions of the second set of OMA extensions. */
static void add_later_condition(struct text_builder *out)
{
    switch (draw(6)) {
    case 0: builder_add_format(out, "<y:upp-list><y:upp upp-id='%s'/></y:upp-list>", PICK(profiles)); break;
    case 1:
        builder_add_format(out, "<y:upp-list><y:all-upp-except><y:upp upp-id='%s'/></y:all-upp-except></y:upp-list>",
                           PICK(profiles));
        break;
    case 2:
        builder_add(out, TEXT("<y:country-region-list>"));
        for (uint64_t n = draw(3); n > 0; n--)
            builder_add_format(out, draw(2) ? "<q:country>%s</q:country>" : "<q:country>%s</q:country><q:A1>%s</q:A1>",
                               PICK(countries), PICK(regions));
        builder_add(out, TEXT("</y:country-region-list>"));
        break;
    case 3: builder_add(out, draw(2) ? TEXT("<y:deferred-messages/>") : TEXT("<y:expired/>")); break;
    case 4:
        builder_add(out, draw(4) ? TEXT("<y:qoe-list><x:premium/></y:qoe-list>") : TEXT("<y:location-list/>"));
        break;
    default:
        builder_add_format(out, "<y:invited-identities><cp:many><cp:except id='%s'/></cp:many></y:invited-identities>",
                           PICK(spellings));
        break;
    }
}

static void add_condition(struct text_builder *out)
{
    switch (draw(14)) {
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
    case 8:
    case 9: add_later_condition(out); break;
    default: add_identity(out); break;
    }
}

static void add_rule(struct text_builder *out, unsigned number)
{
    static const char *const actions[] = {"<n:join>true</n:join>",
                                          "<n:join>0</n:join>",
                                          "<n:join/>",
                                          "<n:level>middle</n:level>",
                                          "<n:level>high</n:level>",
                                          "<n:level>x</n:level>",
                                          "<n:count>-4</n:count>",
                                          "<n:count>9</n:count>",
                                          "<q:join>true</q:join>",
                                          "<n:see>red</n:see>",
                                          "<n:see>red\n blue</n:see>",
                                          "<n:see><q:id>red</q:id></n:see>",
                                          "<n:see/>"};
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
                           " xmlns:ls='urn:oma:xml:poc:list-service' xmlns:y='urn:oma:xml:xdm:2.1extensions'"
                           " xmlns:q='urn:unknown'>"));
    unsigned rules = (unsigned)draw(7);
    for (unsigned i = 0; i < rules; i++)
        add_rule(&out, i);
    builder_add(&out, TEXT("</cp:ruleset>"));
    return builder_text(&out);
}

static bool in_list(struct text anchor, struct text identity)
{
    size_t person = 0;
    while (person < COUNT_OF(people) && !text_equal(identity, text_of(people[person])))
        person++;
    return anchor.bytes[anchor.length - 1] == (char)('1' + person);
}

static const struct policy_lists *make_lists(const struct policy *policy, struct arena *arena)
{
    const struct text *found;
    struct policy_lists *lists = policy_lists_new(arena);
    size_t count = policy_anchors(policy, &found);
    for (size_t i = 0; i < count; i++)
        for (size_t person = 0; person < COUNT_OF(people); person++)
            if (in_list(found[i], text_of(people[person])))
                policy_lists_add(lists, i, text_of(people[person]));
    return lists;
}

static struct policy_request make_request(struct text identities[3])
{
    struct policy_request request = {.identities = identities, .identities_count = draw(3)};
    identities[0] = text_of(PICK(people));
    identities[1] = text_of(PICK(people));
    request.anonymous = draw(4) == 0;
    clock_parse_rfc3339(text_of(days[draw(3)]), &request.wall_ms);
    request.wall_ms -= (int64_t)draw(2);
    request.sphere = draw(2) ? TEXT("Work") : TEXT("");
    request.media = draw(2) ? text_of(PICK(media)) : TEXT("");
    request.is_member = draw(2);
    identities[2] = text_of(PICK(people));
    request.invited = &identities[2];
    request.invited_count = draw(2);
    request.profile = draw(2) ? text_of(PICK(profiles)) : TEXT("");
    request.country = draw(2) ? text_of(PICK(countries)) : TEXT("");
    request.region = draw(2) ? TEXT("BAYERN") : TEXT("");
    request.quality = draw(2) ? TEXT("premium") : TEXT("");
    request.deferred = draw(2);
    request.expired = draw(2);
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
    if (text_ends_with(id, TEXT("cher.example"))) /* the one with letters beyond ASCII */
        canonical = text_of(people[5]);
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
    if (text_ends_with(decoded, TEXT("cher.example")))
        decoded = TEXT("xn--bcher-kva.example");
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
            if (in_list(attribute_of(entry, TEXT("anc")), model->request->identities[i]))
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

/* What is listed covers what is asked: all of a kind covers a part of it. */
static bool model_covers(const struct xml_element *medium, struct text asked, bool exception)
{
    struct text kind, part, known = medium->first_child ? medium->first_child->local : TEXT("");
    text_cut(asked, '/', &kind, &part);
    return text_equal(medium->local, kind) && (exception || known.length == 0 || text_equal(known, part));
}

static bool model_media(const struct model *model, const struct xml_element *list)
{
    const struct xml_element *but = xml_child(list, EXTENSIONS, TEXT("all-media-except"));
    const struct xml_element *first = but ? but->first_child : list->first_child;
    if (model->request->media.length == 0)
        return but || first;
    bool listed = false;
    for (const struct xml_element *child = first; child; child = child->next)
        listed = listed || model_covers(child, model->request->media, but);
    return but ? !listed : listed;
}

static bool model_profile(const struct model *model, const struct xml_element *list)
{
    bool but = text_equal(list->first_child->local, TEXT("all-upp-except"));
    const struct xml_element *one = but ? list->first_child->first_child : list->first_child;
    bool listed = text_equal(attribute_of(one, TEXT("upp-id")), model->request->profile);
    return model->request->profile.length > 0 && listed != but;
}

static bool model_region(const struct model *model, const struct xml_element *list)
{
    const struct policy_request *request = model->request;
    for (const struct xml_element *one = list->first_child; one; one = one->next) {
        if (text_equal(one->local, TEXT("A1")) || !text_equal_nocase(one->text, request->country))
            continue;
        if (!one->next || text_equal(one->next->local, TEXT("country")) ||
            text_equal_nocase(one->next->text, request->region))
            return true;
    }
    return false;
}

static bool model_invited(const struct model *model, const struct xml_element *condition)
{
    struct policy_request others = {.identities = model->request->invited,
                                    .identities_count = model->request->invited_count};
    struct model invited = {.arena = model->arena, .request = &others};
    return model_many(&invited, condition->first_child);
}

static bool model_later(const struct model *model, const struct xml_element *condition)
{
    if (text_equal(condition->local, TEXT("upp-list")))
        return model_profile(model, condition);
    if (text_equal(condition->local, TEXT("country-region-list")))
        return model_region(model, condition);
    if (text_equal(condition->local, TEXT("invited-identities")))
        return model_invited(model, condition);
    if (text_equal(condition->local, TEXT("qoe-list")))
        return model->request->quality.length > 0;
    if (text_equal(condition->local, TEXT("deferred-messages")))
        return model->request->deferred;
    return text_equal(condition->local, TEXT("expired")) && model->request->expired;
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
    return text_equal(condition->namespace, LATER) && model_later(model, condition);
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

/* The colours that a rule lets one see: "red", "blue", and the red of somebody else. */
static unsigned model_colours(const struct xml_element *rule)
{
    const struct xml_element *actions = xml_child(rule, COMMON, TEXT("actions"));
    unsigned colours = 0;
    for (const struct xml_element *action = actions->first_child; action; action = action->next) {
        if (!xml_is(action, TEXT("urn:names"), TEXT("see")))
            continue;
        colours |= 8; /* said, whatever is in it */
        if (action->first_child)
            colours |= 4;
        else
            colours |= (text_find(action->text, TEXT("red")) < action->text.length ? 1u : 0) |
                       (text_find(action->text, TEXT("blue")) < action->text.length ? 2u : 0);
    }
    return colours;
}

static void model_say(const struct xml_element *rule, struct policy_decision *decision, size_t index, int64_t rank)
{
    if (decision->permissions[index].present && decision->permissions[index].rank >= rank)
        return;
    decision->permissions[index].present = true;
    decision->permissions[index].rank = rank;
    decision->permissions[index].rule = attribute_of(rule, TEXT("id"));
}

static void model_grant(const struct xml_element *rule, struct policy_decision *decision, unsigned *colours)
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
            if (xml_is(action, TEXT("urn:names"), meanings[i].local) && text_equal(action->text, meanings[i].content))
                model_say(rule, decision, meanings[i].permission, meanings[i].rank);
        }
    }
    unsigned seen = model_colours(rule);
    if (seen)
        model_say(rule, decision, 3, seen != 8);
    *colours |= seen & 7;
}

static struct policy_decision model_decide(const struct model *model, enum policy_layering layering, unsigned *colours)
{
    struct policy_decision decision = {0};
    int layer = 0;
    for (const struct xml_element *rule = model->ruleset->first_child; rule; rule = rule->next) {
        if (model_rule(model, rule) && model_layer(rule) > layer)
            layer = model_layer(rule);
    }
    for (const struct xml_element *rule = model->ruleset->first_child; rule; rule = rule->next) {
        if (model_rule(model, rule) && (layering == POLICY_UNION || model_layer(rule) == layer))
            model_grant(rule, &decision, colours);
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

static unsigned colours_of(const struct policy *policy, const uint64_t *items)
{
    const struct policy_item *known;
    size_t count = policy_items(policy, &known);
    unsigned colours = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(items[i / 64] >> i % 64 & 1))
            continue;
        assert_int_equal(known[i].permission, 3);
        colours |= known[i].local.length ? 4u : text_equal(known[i].value, TEXT("red")) ? 1u : 2u;
    }
    return colours;
}

/* The explanation names the rules that the decision was made of. */
static void check_explanation(const struct policy *policy, const struct policy_request *request,
                              const struct policy_decision *decision, struct arena *arena, struct text document)
{
    const struct policy_rule_report *reports;
    unsigned applied = 0;
    size_t count = policy_explain(policy, request, arena, &reports);
    for (size_t i = 0; i < count; i++) {
        bool all = true;
        for (size_t c = 0; c < reports[i].conditions_count; c++)
            all = all && reports[i].conditions[c].held;
        assert_true(all || reports[i].fate == POLICY_RULE_FAILED);
        applied += reports[i].fate == POLICY_RULE_APPLIED;
    }
    if (applied != decision->rules_matched)
        fail_msg("%u rules explained, %u decided: %.*s", applied, decision->rules_matched, TEXT_ARG(document));
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
    const struct policy_lists *lists = make_lists(policy, arena);
    for (int i = 0; i < REQUESTS; i++) {
        struct text identities[3];
        struct policy_request request = make_request(identities);
        struct policy_decision found;
        uint64_t items[1] = {~UINT64_C(0)};
        unsigned colours = 0;
        model.request = &request;
        model.anonymous = request.anonymous || request.identities_count == 0;
        struct policy_decision expected = model_decide(&model, layering, &colours);
        request.lists = lists;
        policy_decide(policy, &request, &found, items);
        assert_same(&found, &expected, document);
        assert_int_equal(policy_items(policy, &(const struct policy_item *){NULL}) ? colours_of(policy, items) : 0,
                         colours);
        check_explanation(policy, &request, &found, arena, document);
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
