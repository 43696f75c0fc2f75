/* What OMA adds to common policy: lists, others, anonymous requests, media and services, and which rules come first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy_samples.h"

static void an_external_list_holds_who_its_anchor_holds(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<o:external-list><o:entry anc='http://x/friends'/></o:external-list>", false, true, false},
        {"<o:external-list><o:entry anc='http://x/none'/><o:entry anc=' http://x/colleagues '/></o:external-list>",
         true, false, false},
        {"<o:external-list><q:entry anc='http://x/friends'/></o:external-list>", false, false, false},
        {"<o:external-list><o:entry/></o:external-list>", false, false, false},
        {"<o:external-list/>", false, false, false},
    };
    CHECK_ROWS(rows);
    struct policy_request request = request_from(bo, 1);
    struct policy_decision decision;
    const struct policy *policy =
        compile("<cp:rule id='r'><cp:conditions><o:external-list>"
                "<o:entry anc='http://x/friends'/></o:external-list></cp:conditions></cp:rule>",
                &by_union);
    policy_decide(policy, &request, &decision, NULL);
    assert_int_equal(decision.rules_matched, 0);
}

static void anchors_are_told_once_each(void **state)
{
    (void)state;
    const struct text *anchors;
    const struct policy *policy =
        compile("<cp:rule id='a'><cp:conditions><o:external-list><o:entry anc='http://x/friends'/>"
                "<o:entry anc='http://x/b'/></o:external-list></cp:conditions></cp:rule>"
                "<cp:rule id='b'><cp:conditions><o:external-list><o:entry anc='http://x/friends'/></o:external-list>"
                "<o:other-identity/></cp:conditions></cp:rule>"
                "<cp:rule id='c'><cp:conditions><o:other-identity/></cp:conditions></cp:rule>",
                &by_union);
    assert_int_equal(policy_anchors(policy, &anchors), 2);
    assert_true(text_equal(anchors[0], TEXT("http://x/friends")));
    assert_true(text_equal(anchors[1], TEXT("http://x/b")));
    struct policy_decision decision;
    struct policy_request request = request_from(ann, 1);
    decide(policy, &request, &decision);
    assert_int_equal(decision.rules_matched, 1);
    assert_int_equal(policy_anchors(compile("", &by_union), &anchors), 0);
}

static void other_identity_is_who_no_rule_names(void **state)
{
    (void)state;
    static const char *const rules =
        "<cp:rule "
        "id='other'><cp:conditions><o:other-identity/></cp:conditions><cp:actions><join/></cp:actions></cp:rule>"
        "<cp:rule id='expired'><cp:conditions><cp:identity><cp:one id='sip:ann@example.net'/></cp:identity>"
        "<cp:validity/></cp:conditions></cp:rule>"
        "<cp:rule id='list'><cp:conditions><o:external-list><o:entry anc='http://x/friends'/></o:external-list>"
        "<q:never/></cp:conditions></cp:rule>";
    static const struct text cid[] = {TEXT_INIT("sip:cid@example.org")};
    static const struct text cid_or_ann[] = {TEXT_INIT("sip:cid@example.org"), TEXT_INIT("sip:ann@example.net")};
    const struct policy *policy = compile(rules, &by_union);
    struct {
        struct policy_request request;
        int64_t expected;
    } cases[] = {{request_from(cid, 1), 1},
                 {request_from(ann, 1), 0},
                 {request_from(bo, 1), 0},
                 {request_from(cid_or_ann, 2), 0},
                 {request_from(NULL, 0), 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_decision decision;
        decide(policy, &cases[i].request, &decision);
        assert_int_equal(rank_of(&decision, "join"), cases[i].expected);
    }
}

static void anonymous_requests_match_only_rules_made_for_them_or_for_all(void **state)
{
    (void)state;
    struct policy_request hidden = request_from(ann, 1);
    hidden.anonymous = true;
    struct policy_request nobody = request_from(NULL, 0);
    struct policy_request open = request_from(ann, 1);
    assert_true(matches("<o:anonymous-request/>", &hidden));
    assert_true(matches("<o:anonymous-request/>", &nobody));
    assert_false(matches("<o:anonymous-request/>", &open));
    assert_true(matches("", &hidden));
    assert_false(matches(IDENTITY("<cp:one id='sip:ann@example.net'/>"), &hidden));
    assert_false(matches(IDENTITY("<cp:many/>"), &hidden));
    assert_false(matches("<o:external-list><o:entry anc='http://x/colleagues'/></o:external-list>", &hidden));
    assert_false(matches("<o:other-identity/>", &hidden));
    /* one who is known to us, hides from others, and is let in so by name */
    assert_true(matches(IDENTITY("<cp:one id='sip:ann@example.net'/>") "<o:anonymous-request/>", &hidden));
    assert_false(matches(IDENTITY("<cp:one id='sip:ann@example.net'/>") "<o:anonymous-request/>", &nobody));
    hidden.is_member = true;
    assert_true(matches("<ls:is-list-member/>", &hidden));
}

static void list_members_are_told_by_the_caller(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    assert_false(matches("<ls:is-list-member/>", &request));
    request.is_member = true;
    assert_true(matches("<ls:is-list-member/>", &request));
}

static void media_lists_name_media_or_all_but_some(void **state)
{
    (void)state;
    struct policy_request any = request_from(ann, 1);
    struct policy_request pager = any;
    pager.media = TEXT("pager-mode-message");
    static const char *const pager_only = "<x:media-list><x:pager-mode-message/></x:media-list>";
    static const char *const later_media =
        "<x:media-list><x21:standalone-message/><x:audio><x:full-duplex/></x:audio></x:media-list>";
    static const char *const but_pager =
        "<x:media-list><x:all-media-except><x:pager-mode-message/></x:all-media-except></x:media-list>";
    static const char *const but_audio =
        "<x:media-list><x:all-media-except><x:audio/></x:all-media-except></x:media-list>";
    assert_true(matches(pager_only, &any) && matches(pager_only, &pager));
    assert_true(matches(later_media, &any) && !matches(later_media, &pager));
    assert_true(matches(but_pager, &any) && !matches(but_pager, &pager));
    assert_true(matches(but_audio, &pager));
    assert_true(matches("<x:media-list><x:all-media-except/></x:media-list>", &pager));
    assert_false(matches("<x:media-list/>", &any));
    assert_false(matches("<x:media-list><q:pager-mode-message/></x:media-list>", &pager));
    pager.media = TEXT("standalone-message");
    assert_true(matches(later_media, &pager));
}

static void service_lists_name_enablers_or_all_but_some(void **state)
{
    (void)state;
    struct policy_request any = request_from(ann, 1);
    struct policy_request im = any;
    im.service = TEXT("IM");
    static const char *const im_only = "<x:service-list><x:service enabler='IM'/></x:service-list>";
    static const char *const but_im =
        "<x:service-list><x:all-services-except><x:service enabler='IM'/></x:all-services-except></x:service-list>";
    static const char *const but_poc =
        "<x:service-list><x:all-services-except><x:service enabler='PoC'/></x:all-services-except></x:service-list>";
    assert_true(matches(im_only, &any) && matches(im_only, &im));
    assert_true(matches(but_im, &any) && !matches(but_im, &im));
    assert_true(matches(but_poc, &im));
    assert_false(matches("<x:service-list><x:service enabler='PoC'/></x:service-list>", &im));
    assert_false(matches("<x:service-list><x:service/></x:service-list>", &im));
    assert_false(matches("<x:service-list/>", &any));
}

static const char layered_rules[] =
    "<cp:rule id='rest'><cp:actions><level>high</level></cp:actions></cp:rule>"
    "<cp:rule id='other'><cp:conditions><o:other-identity/></cp:conditions>"
    "<cp:actions><level>middle</level></cp:actions></cp:rule>"
    "<cp:rule id='list'><cp:conditions><o:external-list><o:entry anc='http://x/friends'/>"
    "<o:entry anc='http://x/colleagues'/></o:external-list></cp:conditions>"
    "<cp:actions><level>middle</level></cp:actions></cp:rule>"
    "<cp:rule id='named'><cp:conditions><cp:identity><cp:one id='sip:ann@example.net'/></cp:identity></cp:conditions>"
    "<cp:actions><level>low</level></cp:actions></cp:rule>"
    "<cp:rule id='also-named'><cp:conditions><cp:identity><cp:many domain='example.net'/></cp:identity>"
    "<cp:validity><cp:from>2026-01-05T00:00:00Z</cp:from><cp:until>2026-01-06T00:00:00Z</cp:until></cp:validity>"
    "</cp:conditions><cp:actions><join/></cp:actions></cp:rule>"
    "<cp:rule id='hidden'><cp:conditions><o:anonymous-request/></cp:conditions>"
    "<cp:actions><level>low</level></cp:actions></cp:rule>";

static void the_strongest_layer_decides_alone(void **state)
{
    (void)state;
    static const struct text cid[] = {TEXT_INIT("sip:cid@example.org")};
    struct policy_request hidden = request_from(ann, 1);
    hidden.anonymous = true;
    struct {
        struct policy_request request;
        const char *rule;
        unsigned matched;
    } cases[] = {{request_from(ann, 1), "named", 2},
                 {request_from(bo, 1), "list", 1},
                 {request_from(cid, 1), "other", 1},
                 {request_from(NULL, 0), "hidden", 1},
                 {hidden, "hidden", 1}};
    const struct policy *policy = compile(layered_rules, &by_layers);
    struct policy_decision decision;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        decide(policy, &cases[i].request, &decision);
        assert_rule(&decision, "level", cases[i].rule);
        assert_int_equal(decision.rules_matched, cases[i].matched);
    }
    decide(policy, &cases[0].request, &decision);
    assert_rule(&decision, "join", "also-named");
}

static void rules_without_identity_decide_when_no_layer_does(void **state)
{
    (void)state;
    const struct policy *policy =
        compile("<cp:rule id='members'><cp:conditions><ls:is-list-member/></cp:conditions><cp:actions><join/>"
                "</cp:actions></cp:rule><cp:rule id='ann'><cp:conditions><cp:identity>"
                "<cp:one id='sip:ann@example.net'/></cp:identity></cp:conditions></cp:rule>",
                &by_layers);
    struct policy_request request = request_from(bo, 1);
    struct policy_decision decision;
    request.is_member = true;
    decide(policy, &request, &decision);
    assert_rule(&decision, "join", "members");
    request = request_from(ann, 1);
    request.is_member = true;
    decide(policy, &request, &decision);
    assert_false(has(&decision, "join"));
    assert_int_equal(decision.rules_matched, 1);
}

static void with_union_all_layers_combine(void **state)
{
    (void)state;
    struct policy_request request = request_from(ann, 1);
    struct policy_decision decision;
    decide(compile(layered_rules, &by_union), &request, &decision);
    assert_int_equal(decision.rules_matched, 4);
    assert_rule(&decision, "level", "rest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(an_external_list_holds_who_its_anchor_holds),
        WITH_ARENA(anchors_are_told_once_each),
        WITH_ARENA(other_identity_is_who_no_rule_names),
        WITH_ARENA(anonymous_requests_match_only_rules_made_for_them_or_for_all),
        WITH_ARENA(list_members_are_told_by_the_caller),
        WITH_ARENA(media_lists_name_media_or_all_but_some),
        WITH_ARENA(service_lists_name_enablers_or_all_but_some),
        WITH_ARENA(the_strongest_layer_decides_alone),
        WITH_ARENA(rules_without_identity_decide_when_no_layer_does),
        WITH_ARENA(with_union_all_layers_combine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
