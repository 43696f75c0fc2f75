/* Sets of items, domains with letters beyond ASCII, the later OMA conditions, the moments at which decisions change,
 * explanations, and that a decision takes no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy_samples.h"

static const struct policy *see_rules(void)
{
    return compile("<cp:rule id='a'><cp:conditions>" IDENTITY(
                       "<cp:one id='sip:ann@example.net'/>") "</cp:conditions><cp:actions><see>red "
                                                             "blue</see></cp:actions></cp:rule>"
                                                             "<cp:rule id='b'><cp:actions><see><q:id>red</q:id><q:id> "
                                                             "red </q:id></see></cp:actions></cp:rule>"
                                                             "<cp:rule id='c'><cp:conditions><q:never/></cp:conditions>"
                                                             "<cp:actions><see>green</see></cp:actions></cp:rule>",
                   &by_union);
}

/* The items that are granted, each as "local=value" or "value", in their order. */
static void assert_items(const struct policy *policy, const struct policy_request *request, const char *expected)
{
    const struct policy_item *items;
    struct policy_decision decision;
    struct text_builder found;
    uint64_t bits[2] = {~UINT64_C(0), ~UINT64_C(0)};
    size_t count = policy_items(policy, &items);
    assert_true(count <= 64);
    builder_init(&found, &arena);
    policy_decide(policy, request, &decision, bits);
    for (size_t i = 0; i < count; i++)
        if (bits[0] >> i & 1)
            builder_add_format(&found, "%s%.*s%s%.*s", found.length ? " " : "", TEXT_ARG(items[i].local),
                               items[i].local.length ? "=" : "", TEXT_ARG(items[i].value));
    if (!text_equal(builder_text(&found), text_of(expected)))
        fail_msg("granted '%.*s', not '%s'", TEXT_ARG(builder_text(&found)), expected);
    assert_int_equal(has(&decision, "see"), 1);
}

static void sets_are_united_over_all_rules_that_match(void **state)
{
    (void)state;
    struct policy_request from_ann = request_from(ann, 1), from_bo = request_from(bo, 1);
    assert_items(see_rules(), &from_ann, "red blue id=red");
    assert_items(see_rules(), &from_bo, "id=red");
    const struct policy_item *items;
    assert_int_equal(policy_items(see_rules(), &items), 4);
    assert_true(text_equal(items[2].namespace, TEXT("urn:unknown")));
}

static void a_stronger_layer_takes_back_the_items_of_weaker_ones(void **state)
{
    (void)state;
    const struct policy *policy =
        compile("<cp:rule id='b'><cp:actions><see>red</see></cp:actions></cp:rule>"
                "<cp:rule id='a'><cp:conditions>" IDENTITY(
                    "<cp:one id='sip:ann@example.net'/>") "</cp:conditions>"
                                                          "<cp:actions><see>blue</see></cp:actions></cp:rule>",
                &by_layers);
    struct policy_request from_ann = request_from(ann, 1), from_bo = request_from(bo, 1);
    assert_items(policy, &from_ann, "blue");
    assert_items(policy, &from_bo, "red");
}

static void an_empty_set_is_said_and_holds_nothing(void **state)
{
    (void)state;
    const struct policy *policy = compile("<cp:rule id='a'><cp:actions><see/></cp:actions></cp:rule>", &by_union);
    struct policy_request request = request_from(ann, 1);
    assert_items(policy, &request, "");
    struct policy_decision decision;
    policy_decide(policy, &request, &decision, NULL);
    assert_int_equal(rank_of(&decision, "see"), 0);
}

static void domains_compare_in_their_ascii_form(void **state)
{
    (void)state;
    static const struct text fay[] = {TEXT_INIT("sip:fay@xn--bcher-kva.example")};
    static const char *const same[] = {"b\u00fccher.example", "B\u00dcCHER.Example.", "b%C3%BCcher.example",
                                       "bu\u0308cher.example", "xn--bcher-kva.EXAMPLE"};
    static const char *const others[] = {"bucher.example",   "shop.b\u00fccher.example", "example",
                                         "b\u00fccher",      "b\u00fccher..example",     "b%FCcher.example",
                                         "\u00fc%00.example"};
    struct policy_request request = request_from(fay, 1);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct text many = text_format(&arena, IDENTITY("<cp:many domain='%s'/>"), same[i]);
        if (!matches(text_cstring(&arena, many), &request))
            fail_msg("not the same: %s", same[i]);
        struct text but = text_format(&arena, IDENTITY("<cp:many><cp:except domain='%s'/></cp:many>"), same[i]);
        assert_false(matches(text_cstring(&arena, but), &request));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct text many = text_format(&arena, IDENTITY("<cp:many domain='%s'/>"), others[i]);
        if (matches(text_cstring(&arena, many), &request))
            fail_msg("the same: %s", others[i]);
    }
    assert_true(matches(IDENTITY("<cp:one id='sip:fay@b\u00fccher.example'/>"), &request));
    assert_false(matches(IDENTITY("<cp:one id='sip:f\u00e4y@b\u00fccher.example'/>"), &request));
}

static void profiles_are_named_or_all_but_some(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    static const char *const home = "<x21:upp-list><x21:upp upp-id='home'/></x21:upp-list>";
    static const char *const but_home =
        "<x21:upp-list><x21:all-upp-except><x21:upp upp-id='home'/></x21:all-upp-except></x21:upp-list>";
    assert_false(matches(home, &request) || matches(but_home, &request)); /* which is active is not known */
    request.profile = TEXT("home");
    assert_true(matches(home, &request) && !matches(but_home, &request));
    request.profile = TEXT("work");
    assert_true(!matches(home, &request) && matches(but_home, &request));
}

static void somebody_invited_is_named(void **state)
{
    (void)state;
    static const struct text invited[] = {TEXT_INIT("sip:di@a.example"), TEXT_INIT("sip:bo@corp.example")};
    struct policy_request request = request_from(ann, 1);
    static const char *const with_bo =
        "<x21:invited-identities><cp:one id='sip:bo@corp.example'/></x21:invited-identities>";
    static const char *const but_bo = "<x21:invited-identities><cp:many><cp:except id='sip:bo@corp.example'/></cp:many>"
                                      "</x21:invited-identities>";
    assert_false(matches(with_bo, &request) || matches(but_bo, &request));
    request.invited = invited;
    request.invited_count = 1;
    assert_true(!matches(with_bo, &request) && matches(but_bo, &request));
    request.invited_count = 2;
    assert_true(matches(with_bo, &request) && matches(but_bo, &request));
}

static void qualities_and_places_are_those_of_the_request(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    static const char *const premium = "<x21:qoe-list><x:premium/></x21:qoe-list>";
    static const char *const places = "<x21:country-region-list><ca:country>DE</ca:country><ca:A1>Bayern</ca:A1>"
                                      "<ca:country>NL</ca:country></x21:country-region-list>";
    static const char *const streets = "<x21:country-region-list><ca:country>NL</ca:country><ca:A6>Main St</ca:A6>"
                                       "</x21:country-region-list>";
    assert_false(matches(premium, &request) || matches(places, &request));
    request.quality = TEXT("premium");
    request.country = TEXT("nl");
    assert_true(matches(premium, &request) && matches(places, &request));
    assert_false(matches(streets, &request)); /* narrower than is known */
    request.region = TEXT("Main St");
    assert_false(matches(streets, &request));
    request.region = TEXT("");
    request.quality = TEXT("basic");
    request.country = TEXT("de");
    assert_false(matches(premium, &request) || matches(places, &request));
    request.region = TEXT("BAYERN");
    assert_true(matches(places, &request));
    assert_false(matches("<x21:location-list/>", &request));
}

static void deferred_and_expired_messages_have_rules_of_their_own(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    assert_false(matches("<x21:deferred-messages/>", &request) || matches("<x21:expired/>", &request));
    request.deferred = true;
    request.expired = true;
    assert_true(matches("<x21:deferred-messages/>", &request) && matches("<x21:expired/>", &request));
    assert_false(matches("<x21:deferred-messages><q:older-than>9</q:older-than></x21:deferred-messages>", &request));
    assert_false(matches("<x21:expired>9</x21:expired>", &request));
}

static void media_cover_their_parts(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    static const char *const full = "<x:media-list><x:audio><x:full-duplex/></x:audio></x:media-list>";
    static const char *const all = "<x:media-list><x:audio/></x:media-list>";
    static const char *const but_full = "<x:media-list><x:all-media-except><x:audio><x:full-duplex/></x:audio>"
                                        "</x:all-media-except></x:media-list>";
    request.media = TEXT("audio/full-duplex");
    assert_true(matches(full, &request) && matches(all, &request) && !matches(but_full, &request));
    request.media = TEXT("audio");
    assert_true(!matches(full, &request) && matches(all, &request) && !matches(but_full, &request));
    request.media = TEXT("video");
    assert_true(!matches(full, &request) && !matches(all, &request) && matches(but_full, &request));
}

#define VALIDITY(from, until)                                                                                          \
    "<cp:validity><cp:from>2026-01-05T" from "Z</cp:from><cp:until>2026-01-05T" until "Z</cp:until></cp:validity>"

static void the_next_border_is_when_a_decision_may_change(void **state)
{
    (void)state;
    const struct policy *policy = compile(
        "<cp:rule id='a'><cp:conditions>" VALIDITY(
            "14:00:00", "15:00:00") "</cp:conditions></cp:rule>"
                                    "<cp:rule id='b'><cp:conditions>" VALIDITY("11:00:00", "12:00:00")
                                        VALIDITY("12:00:00.001", "14:00:00") "<q:never/></cp:conditions></cp:rule>",
        &by_union);
    const int64_t hour = 3600000;
    assert_true(policy_next_border(policy, INT64_MIN) == NOON - hour);
    assert_true(policy_next_border(policy, NOON - hour) == NOON);
    assert_true(policy_next_border(policy, NOON - 1) == NOON);
    assert_true(policy_next_border(policy, NOON) == NOON + 1);
    assert_true(policy_next_border(policy, NOON + 1) == NOON + 2 * hour);
    assert_true(policy_next_border(policy, NOON + 3 * hour) == INT64_MAX);
    assert_true(policy_next_border(compile("", &by_union), NOON) == INT64_MAX);
}

static void an_explanation_tells_of_every_rule_and_condition(void **state)
{
    (void)state;
    const struct policy *policy = compile(
        "<cp:rule id='rest'><cp:actions><join/></cp:actions></cp:rule>"
        "<cp:rule id='bo'><cp:conditions>" IDENTITY(
            "<cp:one id='sip:bo@corp.example'/>") "<q:weather/>"
                                                  "</cp:conditions></cp:rule>"
                                                  "<cp:rule id='friends'><cp:conditions><o:external-list><o:entry "
                                                  "anc='http://x/friends'/>"
                                                  "</o:external-list></cp:conditions></cp:rule>",
        &by_layers);
    const struct policy_rule_report *reports;
    struct policy_request request = request_from(bo, 1);
    request.lists = sample_lists(policy);
    assert_int_equal(policy_explain(policy, &request, &arena, &reports), 3);
    assert_int_equal(reports[0].fate, POLICY_RULE_OUTRANKED);
    assert_int_equal(reports[1].fate, POLICY_RULE_FAILED);
    assert_int_equal(reports[1].conditions_count, 2);
    assert_true(reports[1].conditions[0].held && !reports[1].conditions[1].held);
    assert_true(text_equal(reports[1].conditions[0].why, TEXT("it names sip:bo@corp.example")));
    assert_true(text_equal(reports[1].conditions[1].name, TEXT("weather")));
    assert_int_equal(reports[2].fate, POLICY_RULE_APPLIED);
    assert_true(text_equal(reports[2].conditions[0].why, TEXT("sip:bo@corp.example is in http://x/friends")));
    request.anonymous = true;
    policy_explain(policy, &request, &arena, &reports);
    assert_int_equal(reports[0].fate, POLICY_RULE_APPLIED);
    assert_true(reports[2].why.length > 0);
}

/* The program is linked so that these stand where malloc and its kin are called. */
static unsigned allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations++;
    return __real_realloc(memory, size);
}

static void a_decision_takes_no_memory(void **state)
{
    (void)state;
    struct text_builder rules;
    struct policy_decision decision;
    builder_init(&rules, &arena);
    for (int i = 0; i < 1000; i++)
        builder_add_format(&rules,
                           "<cp:rule id='r%d'><cp:conditions>%s<o:external-list><o:entry anc='http://x/%d'/>"
                           "</o:external-list></cp:conditions><cp:actions><join/><see>%d</see></cp:actions></cp:rule>",
                           i, i % 2 ? IDENTITY("<cp:many><cp:except id='sip:eve@a.example'/></cp:many>") : "", i, i);
    unsigned before = allocations;
    const struct policy *policy = compile_text(builder_text(&rules), &by_layers, OK);
    assert_true(allocations > before); /* else nothing is counted */
    struct policy_lists *lists = policy_lists_new(&arena);
    for (size_t i = 0; i < 1000; i++)
        policy_lists_add(lists, i, i % 3 ? ann[0] : bo[0]);
    uint64_t items[POLICY_ITEM_WORDS(1000)];
    struct policy_request request = request_from(ann, 1);
    request.lists = lists;
    before = allocations;
    policy_decide(policy, &request, &decision, items);
    assert_int_equal(allocations, before);
    assert_int_equal(decision.rules_matched, 333);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(sets_are_united_over_all_rules_that_match),
        WITH_ARENA(a_stronger_layer_takes_back_the_items_of_weaker_ones),
        WITH_ARENA(an_empty_set_is_said_and_holds_nothing),
        WITH_ARENA(domains_compare_in_their_ascii_form),
        WITH_ARENA(profiles_are_named_or_all_but_some),
        WITH_ARENA(somebody_invited_is_named),
        WITH_ARENA(qualities_and_places_are_those_of_the_request),
        WITH_ARENA(deferred_and_expired_messages_have_rules_of_their_own),
        WITH_ARENA(media_cover_their_parts),
        WITH_ARENA(the_next_border_is_when_a_decision_may_change),
        WITH_ARENA(an_explanation_tells_of_every_rule_and_condition),
        WITH_ARENA(a_decision_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
