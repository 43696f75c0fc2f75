/* Manifests and what they promise: names, roles, claims, and the order of checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "usage_folder.h"
#include "xml_validate.h"

static struct usage_set *real; /* the one that the product ships */

static void an_alias_finds_the_usage(void **state)
{
    (void)state;
    const struct usage *rules = usage_find(real, TEXT("org.openmobilealliance.im-rules"));
    assert_non_null(rules);
    assert_ptr_equal(usage_find(real, TEXT("org.openmobilealliance.access-rules")), rules);
    assert_null(usage_find(real, TEXT("org.openmobilealliance.im-rule")));
    assert_null(usage_find(real, TEXT("")));
    assert_null(usage_find(real, TEXT("common")));
}

static void usages_stand_in_byte_order(void **state)
{
    (void)state;
    assert_true(usage_count(real) >= 6);
    for (size_t i = 1; i < usage_count(real); i++)
        assert_true(text_compare(usage_at(real, i - 1)->auid, usage_at(real, i)->auid) < 0);
    assert_null(usage_at(real, usage_count(real)));
}

static void the_manifest_is_read_whole(void **state)
{
    (void)state;
    const struct usage *rules = usage_find(real, TEXT("org.openmobilealliance.im-rules"));
    assert_true(text_equal(rules->mime, TEXT("application/auth-policy+xml")));
    assert_true(text_equal(rules->namespace, TEXT("urn:ietf:params:xml:ns:common-policy")));
    assert_true(text_equal(rules->root, TEXT("ruleset")));
    assert_int_equal(rules->prefixes_count, 3);
    assert_true(text_equal(rules->prefixes[0].name, TEXT("oxe")));
    assert_int_equal(rules->bytes_max, 262144);
    assert_int_equal(rules->depth_max, 32);
    assert_int_equal(rules->vocabulary.layering, POLICY_LAYERS);
    assert_int_equal(rules->vocabulary.permissions_count, 15);
    const struct policy_permission *invite = &rules->vocabulary.permissions[0];
    assert_true(text_equal(invite->namespace, TEXT("urn:oma:xml:poc:poc-rules")));
    assert_true(text_equal(invite->local, TEXT("allow-invite")));
    assert_int_equal(invite->combine, POLICY_MAX);
    assert_int_equal(invite->values_count, 3);
    assert_true(text_equal(invite->values[2].name, TEXT("accept")));
    assert_int_equal(invite->values[2].rank, 20);
    const struct policy_permission *storage = &rules->vocabulary.permissions[2];
    assert_true(text_equal(storage->attribute, TEXT("allow")));
    assert_int_equal(storage->combine, POLICY_OR);
}

static bool has_document(const struct usage *usage, enum xcap_tree tree, const char *name)
{
    return usage_document(usage, tree, text_of(name)) != NULL;
}

static void a_pattern_does_not_cross_a_slash(void **state)
{
    (void)state;
    notes("<document name='index'/><document name='note-*.xml'/><document name='by*/*/x'/>"
          "<document name='*' scope='global'/>");
    struct usage_set *set = loaded();
    const struct usage *usage = usage_find(set, TEXT("notes"));
    assert_true(has_document(usage, XCAP_USERS, "index"));
    assert_false(has_document(usage, XCAP_USERS, "index2"));
    assert_false(has_document(usage, XCAP_USERS, "Index"));
    assert_true(has_document(usage, XCAP_USERS, "note-.xml"));
    assert_true(has_document(usage, XCAP_USERS, "note-a.xml.xml"));
    assert_false(has_document(usage, XCAP_USERS, "note-a/b.xml"));
    assert_false(has_document(usage, XCAP_USERS, "note-a.xm"));
    assert_true(has_document(usage, XCAP_USERS, "by/a/x"));
    assert_true(has_document(usage, XCAP_USERS, "byGroup/a*/x"));
    assert_false(has_document(usage, XCAP_USERS, "by/a/b/x"));
    assert_true(has_document(usage, XCAP_GLOBAL, "anything at all"));
    assert_false(has_document(usage, XCAP_GLOBAL, "a/b"));
    assert_false(has_document(usage, XCAP_GLOBAL, ""));
    usage_set_free(set);
}

static void roles_above_include_those_below(void **state)
{
    (void)state;
    notes("<document name='*'/><access scope='users' read='user' write='server'/>"
          "<access scope='global' read='anyone' write='nobody'/>");
    struct usage_set *set = loaded();
    const struct usage *usage = usage_find(set, TEXT("notes"));
    static const bool expected[][8] = {
        /* anyone, user, owner, server, operator, admin, auditor, nobody */
        {false, true, true, true, true, true, true, false},
        {false, false, false, true, true, true, false, false},
        {true, true, true, true, true, true, true, false},
        {false, false, false, false, false, false, false, false},
    };
    for (enum usage_role role = USAGE_ANYONE; role <= USAGE_NOBODY; role++) {
        assert_int_equal(usage_allows(usage, XCAP_USERS, USAGE_READ, role), expected[0][role]);
        assert_int_equal(usage_allows(usage, XCAP_USERS, USAGE_WRITE, role), expected[1][role]);
        assert_int_equal(usage_allows(usage, XCAP_GLOBAL, USAGE_READ, role), expected[2][role]);
        assert_int_equal(usage_allows(usage, XCAP_GLOBAL, USAGE_WRITE, role), expected[3][role]);
    }
    usage_set_free(set);
}

/* RFC 4825 §5.7 */
static void without_access_rows_the_defaults_hold(void **state)
{
    (void)state;
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_READ, USAGE_OWNER));
    assert_false(usage_allows(lists, XCAP_USERS, USAGE_READ, USAGE_USER));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_READ, USAGE_SERVER));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_WRITE, USAGE_OWNER));
    assert_false(usage_allows(lists, XCAP_USERS, USAGE_WRITE, USAGE_SERVER));
    assert_false(usage_allows(lists, XCAP_USERS, USAGE_DELETE, USAGE_SERVER));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_WRITE, USAGE_OPERATOR));
    assert_true(usage_allows(lists, XCAP_GLOBAL, USAGE_READ, USAGE_USER));
    assert_false(usage_allows(lists, XCAP_GLOBAL, USAGE_READ, USAGE_ANYONE));
    assert_false(usage_allows(lists, XCAP_GLOBAL, USAGE_WRITE, USAGE_SERVER));
    assert_true(usage_allows(lists, XCAP_GLOBAL, USAGE_WRITE, USAGE_OPERATOR));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_WRITE, USAGE_ADMIN));
    assert_true(usage_allows(lists, XCAP_USERS, USAGE_READ, USAGE_AUDITOR));
    assert_false(usage_allows(lists, XCAP_GLOBAL, USAGE_WRITE, USAGE_AUDITOR));
}

/* Whatever its author wrote: nobody else can find out what went wrong. */
static void an_auditor_reads_and_never_writes_in_every_usage(void **state)
{
    (void)state;
    for (size_t i = 0; i < usage_count(real); i++) {
        const struct usage *usage = usage_at(real, i);
        for (int tree = XCAP_USERS; tree <= XCAP_GLOBAL; tree++) {
            assert_true(usage_allows(usage, (enum xcap_tree)tree, USAGE_READ, USAGE_AUDITOR));
            assert_false(usage_allows(usage, (enum xcap_tree)tree, USAGE_WRITE, USAGE_AUDITOR));
            assert_false(usage_allows(usage, (enum xcap_tree)tree, USAGE_DELETE, USAGE_AUDITOR));
        }
    }
}

struct outcome {
    enum status status;
    struct refusal refusal;
    const struct usage_claim *claims;
    size_t claims_count;
};

static struct outcome checked(const struct usage *usage, const char *bytes)
{
    struct usage_subject subject = {TEXT("sip:ann@example.com"), TEXT("index"), TEXT("http://h/xcap-root/")};
    struct outcome outcome = {0};
    outcome.status =
        usage_check(usage, &subject, text_of(bytes), &arena, &outcome.claims, &outcome.claims_count, &outcome.refusal);
    return outcome;
}

static void refused_as(const struct usage *usage, const char *bytes, const char *element)
{
    struct outcome outcome = checked(usage, bytes);
    assert_int_equal(outcome.status, REFUSED);
    assert_int_equal(outcome.refusal.kind, REFUSAL_CONFLICT);
    if (strcmp(outcome.refusal.element, element) != 0)
        fail_msg("%s: %.*s", outcome.refusal.element, TEXT_ARG(outcome.refusal.phrase));
}

#define GROUP(services) "<group xmlns='urn:oma:xml:poc:list-service'>" services "</group>"

static enum status checked_of_several_addresses(const char *auid, const char *bytes)
{
    const struct usage_claim *claims;
    size_t count;
    struct refusal refusal;
    const struct usage_subject subject = {TEXT("sip:ann@example.com"), TEXT("index"), TEXT("http://h/xcap-root/"),
                                          TEXT("tel:+15550100 sip:annie@example.com")};
    const struct usage *usage = usage_find(real, text_of(auid));
    return usage_check(usage, &subject, text_of(bytes), &arena, &claims, &count, &refusal);
}

static void documents_name_their_owner_by_any_address(void **state)
{
    (void)state;
#define PRESENCE(entity) "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='" entity "'/>"
#define LIST_OF(user)                                                                                                  \
    "<rls-services xmlns='urn:ietf:params:xml:ns:rls-services'><service uri='sip:l@example.com'>"                      \
    "<resource-list>http://h/xcap-root/resource-lists/users/" user "/index</resource-list></service></rls-services>"
    static const struct {
        const char *auid, *bytes;
        enum status status;
    } cases[] = {
        {"pidf-manipulation", PRESENCE("pres:annie@Example.com"), OK},
        {"pidf-manipulation", PRESENCE("tel:+1-555-0100"), OK},
        {"pidf-manipulation", PRESENCE("tel:+1-555-0101"), REFUSED},
        {"pidf-manipulation", PRESENCE("tel:+15550100 sip:annie@example.com"), REFUSED},
        {"rls-services", LIST_OF("tel:+15550100"), OK},
        {"rls-services", LIST_OF("sip%3Aannie%40example.com"), OK},
        {"rls-services", LIST_OF("sip:an@example.com"), REFUSED},
        {"rls-services", LIST_OF("tel:"), REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (checked_of_several_addresses(cases[i].auid, cases[i].bytes) != cases[i].status)
            fail_msg("%s", cases[i].bytes);
}

static void an_address_is_claimed_in_canonical_form(void **state)
{
    (void)state;
    const struct usage *groups = usage_find(real, TEXT("org.openmobilealliance.groups"));
    struct outcome outcome = checked(groups, GROUP("<list-service uri='SIP:Hikers@CONF.example.com:5060;x=y'/>"));
    assert_int_equal(outcome.status, OK);
    assert_int_equal(outcome.claims_count, 1);
    assert_true(text_equal(outcome.claims[0].kind, TEXT("group-uri")));
    assert_true(text_equal(outcome.claims[0].value, TEXT("sip:Hikers@conf.example.com")));
    assert_true(text_equal(outcome.claims[0].field, TEXT("group/list-service/@uri")));
    assert_false(outcome.claims[0].shared);
}

static void a_byte_order_mark_hides_no_claim(void **state)
{
    (void)state;
    const struct usage *groups = usage_find(real, TEXT("org.openmobilealliance.groups"));
    struct outcome outcome = checked(groups, "\xEF\xBB\xBF" GROUP("<list-service uri='sip:a@example.com'/>"));
    assert_int_equal(outcome.status, OK);
    assert_int_equal(outcome.claims_count, 1);
}

static void claims_of_siblings_have_positions(void **state)
{
    (void)state;
    const struct usage *groups = usage_find(real, TEXT("org.openmobilealliance.groups"));
    struct outcome outcome =
        checked(groups, GROUP("<list-service uri='sip:a@example.com'/><list-service uri='sip:b@example.com'/>"));
    assert_int_equal(outcome.claims_count, 2);
    assert_true(text_equal(outcome.claims[1].field, TEXT("group/list-service%5B2%5D/@uri")));
}

static void a_unique_value_twice_in_a_document_is_refused_with_its_field(void **state)
{
    (void)state;
    const struct usage *groups = usage_find(real, TEXT("org.openmobilealliance.groups"));
    const char *twice = GROUP("<list-service uri='sip:a@example.com'/><list-service uri='sip:a@EXAMPLE.com'/>");
    refused_as(groups, twice, "uniqueness-failure");
    assert_true(
        text_equal(checked(groups, twice).refusal.content, TEXT("<exists field=\"group/list-service%5B2%5D/@uri\"/>")));
}

static void a_sheet_names_the_field_too(void **state)
{
    (void)state;
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
    struct outcome outcome =
        checked(lists, "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='a'/>"
                       "<list name='b'><entry uri='sip:b@h'/><entry uri='sip:b@h'/></list></resource-lists>");
    assert_int_equal(outcome.status, REFUSED);
    assert_string_equal(outcome.refusal.element, "uniqueness-failure");
    const char *content = text_cstring(&arena, outcome.refusal.content);
    assert_non_null(strstr(content, "\"resource-lists/list%5B2%5D/entry%5B2%5D/@uri\""));
}

static void shared_claims_may_repeat_and_be_empty(void **state)
{
    (void)state;
    notes("<prefix name='n' namespace='urn:notes'/><document name='*'/>"
          "<findable kind='tag' value='/notes/n:note/@tag'/>"
          "<findable kind='to' value='//note/@to' canonical='address'/>");
    struct usage_set *set = loaded();
    struct outcome outcome = checked(usage_find(set, TEXT("notes")),
                                     "<notes xmlns='urn:notes'><note tag='x' to='tel:+1-555-0100'/><note tag='x'/>"
                                     "<note tag='' to='nowhere'/></notes>");
    assert_int_equal(outcome.status, OK);
    assert_int_equal(outcome.claims_count, 3);
    assert_true(outcome.claims[0].shared);
    assert_true(text_equal(outcome.claims[0].value, TEXT("x")));
    assert_true(text_equal(outcome.claims[1].value, TEXT("tel:+15550100")));
    assert_true(text_equal(outcome.claims[1].field, TEXT("notes/note%5B1%5D/@to")));
    usage_set_free(set);
}

static void more_claims_than_a_transaction_takes_are_refused(void **state)
{
    (void)state;
    notes("<document name='*'/><findable kind='tag' value='//note/@tag'/>");
    struct usage_set *set = loaded();
    struct text_builder bytes;
    builder_init(&bytes, &arena);
    builder_add(&bytes, TEXT("<notes xmlns='urn:notes'>"));
    for (unsigned i = 0; i < 300; i++)
        builder_add_format(&bytes, "<note tag='%u'/>", i);
    builder_add(&bytes, TEXT("</notes>"));
    refused_as(usage_find(set, TEXT("notes")), text_cstring(&arena, builder_text(&bytes)), "constraint-failure");
    usage_set_free(set);
}

/* RFC 4825 §8.2.5: what is wrong in several ways is refused for the first of them. */
static void checks_come_in_the_order_of_the_rfc(void **state)
{
    (void)state;
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
#define LISTS "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>"
#define WRONG "<list name='a'><entry-ref ref='/x'/></list>"
    refused_as(lists, LISTS WRONG "<list name='a'/><wrong/></resource-list>", "not-well-formed");
    refused_as(lists, LISTS WRONG "<list name='a'/><wrong/></resource-lists>", "schema-validation-error");
    refused_as(lists, LISTS WRONG "<list name='a'/></resource-lists>", "uniqueness-failure");
    refused_as(lists, LISTS WRONG "</resource-lists>", "constraint-failure");
    const struct usage *groups = usage_find(real, TEXT("org.openmobilealliance.groups"));
    refused_as(groups, GROUP("<list-service uri=''/><list-service uri='sip:a@h'/><list-service uri='sip:a@h'/>"),
               "uniqueness-failure");
}

static void limits_come_from_the_manifest(void **state)
{
    (void)state;
    notes("<document name='*'/><limit bytes='60' depth='1'/>");
    struct usage_set *set = loaded();
    const struct usage *usage = usage_find(set, TEXT("notes"));
    assert_int_equal(checked(usage, "<notes xmlns='urn:notes'/>").status, OK);
    refused_as(usage, "<notes xmlns='urn:notes'><note/></notes>", "constraint-failure");
    refused_as(usage, "<notes xmlns='urn:notes'>                                             </notes>",
               "constraint-failure");
    usage_set_free(set);
}

static void limits_of_the_server_lower_those_of_manifests(void **state)
{
    (void)state;
    notes("<document name='*'/><limit bytes='600' depth='3'/>");
    struct usage_set *set = loaded();
    const struct usage *usage = usage_find(set, TEXT("notes"));
    const struct usage_limits larger = {1000, 100, 100000, 100}, lower = {90, 2, 3, 1};
    usage_set_limit(set, &larger);
    assert_int_equal(usage->bytes_max, 600);
    assert_int_equal(usage->depth_max, 3);
    usage_set_limit(set, &lower);
    assert_int_equal(checked(usage, "<notes xmlns='urn:notes'><note/><note/></notes>").status, OK);
    refused_as(usage, "<notes xmlns='urn:notes'><note/><note/><note/></notes>", "constraint-failure");
    refused_as(usage, "<notes xmlns='urn:notes'><note><note/></note></notes>", "constraint-failure");
    refused_as(usage, "<notes xmlns='urn:notes' to='x'/>", "constraint-failure");
    refused_as(usage, "<notes xmlns='urn:notes'>                                                              </notes>",
               "constraint-failure");
    usage_set_free(set);
}

static void a_sheet_that_emits_something_else_is_our_failure(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    file("notes/constraints.xsl", "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"
                                  "<xsl:template match='/'><nonsense/></xsl:template></xsl:stylesheet>");
    struct usage_set *set = loaded();
    assert_int_equal(checked(usage_find(set, TEXT("notes")), "<notes xmlns='urn:notes'/>").status, FAILED);
    usage_set_free(set);
}

static struct text many(const char *before, const char *piece, unsigned times, const char *after)
{
    struct text_builder builder;
    builder_init(&builder, &arena);
    builder_add(&builder, text_of(before));
    for (unsigned i = 0; i < times; i++)
        builder_add(&builder, text_of(piece));
    builder_add(&builder, text_of(after));
    return builder_text(&builder);
}

static void the_largest_lists_can_be_checked(void **state)
{
    (void)state;
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
    struct text bytes = many(LISTS, "<list/>", 37000, "</resource-lists>");
    assert_int_equal(checked(lists, text_cstring(&arena, bytes)).status, OK);
    bytes = many(LISTS "<list>", "<entry uri=''/>", 17000, "</list></resource-lists>");
    refused_as(lists, text_cstring(&arena, bytes), "uniqueness-failure");
}

static void a_document_that_takes_too_much_work_is_refused(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    file("notes/constraints.xsl",
         "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:template match='/'>"
         "<xsl:if test='//*[count(//*[@id = current()/@id]) > 1000000]'><x/></xsl:if></xsl:template></xsl:stylesheet>");
    struct usage_set *set = loaded();
    const struct usage *usage = usage_find(set, TEXT("notes"));
    assert_int_equal(checked(usage, "<notes xmlns='urn:notes'><note/></notes>").status, OK);
    refused_as(usage, text_cstring(&arena, many("<notes xmlns='urn:notes'>", "<note/>", 30000, "</notes>")),
               "constraint-failure");
    usage_set_free(set);
}

static void capabilities_list_usages_aliases_and_namespaces(void **state)
{
    (void)state;
    const struct usage *caps = usage_find(real, TEXT("xcap-caps"));
    struct text bytes;
    assert_int_equal(usage_compute(caps, XCAP_GLOBAL, TEXT("index"), TEXT(""), &arena, &bytes), OK);
    static const char *const expected[] = {
        "<auid>xcap-caps</auid>",
        "<auid>resource-lists</auid>",
        "<auid>org.openmobilealliance.groups</auid>",
        "<auid>org.openmobilealliance.access-rules</auid>",
        "<namespace>urn:ietf:params:xml:ns:xcap-caps</namespace>",
        "<namespace>urn:ietf:params:xml:ns:xcap-error</namespace>",
        "<namespace>urn:oma:xml:poc:list-service</namespace>",
        "<namespace>urn:oma:xml:xdm:extensions</namespace>",
    };
    const char *document = text_cstring(&arena, bytes);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const char *first = strstr(document, expected[i]);
        if (!first)
            fail_msg("%s is missing in %s", expected[i], document);
        assert_null(strstr(first + 1, expected[i]));
    }
    assert_null(strstr(document, "http://www.w3.org/XML"));
    assert_int_equal(checked(caps, document).status, OK);
    assert_int_equal(usage_compute(caps, XCAP_USERS, TEXT("index"), TEXT(""), &arena, &bytes), NOT_FOUND);
    assert_int_equal(usage_compute(caps, XCAP_GLOBAL, TEXT("other"), TEXT(""), &arena, &bytes), NOT_FOUND);
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
    assert_int_equal(usage_compute(lists, XCAP_GLOBAL, TEXT("index"), TEXT(""), &arena, &bytes), NOT_FOUND);
}

/* A folder whose schema takes anything below the document element. */
static void service(const char *auid, const char *head, const char *root, const char *rows)
{
    subfolder(auid);
    file(text_cstring(&arena, text_format(&arena, "%s/document.xsd", auid)),
         text_cstring(&arena, text_format(&arena,
                                          "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' "
                                          "targetNamespace='urn:%s'><xs:element name='%s'/></xs:schema>",
                                          auid, root)));
    file(text_cstring(&arena, text_format(&arena, "%s/manifest.xml", auid)),
         text_cstring(&arena, text_format(&arena, "<usage auid='%s' namespace='urn:%s' root='%s' %s>%s</usage>", auid,
                                          auid, root, head, rows)));
}

/* Search, mission-critical and supplementary services differ from those that are shipped in each of these ways. */
static void services_of_other_standards_can_be_said(void **state)
{
    (void)state;
    service("org.openmobilealliance.search", "mime='application/vnd.oma.search+xml'", "search-set",
            "<post type='application/vnd.oma.search+xml' handler='search' scope='global' role='user'/>");
    service("org.3gpp.mcptt.ue-init-config", "mime='application/vnd.3gpp.mcptt-ue-init-config+xml'", "mcptt-UE-initial",
            "<document name='*' scope='global'/><access scope='global' read='anyone' write='operator'/>");
    service(
        "org.3gpp.mcptt.service-config", "mime='application/vnd.3gpp.mcptt-service-config+xml'", "service-config",
        "<document name='service-config.xml' scope='global'/><document name='*/service-config.xml' scope='global'/>");
    service("org.3gpp.mcptt.user-profile", "mime='application/vnd.3gpp.mcptt-user-profile+xml'", "mcptt-user-profile",
            "<document name='mcptt-user-profile-*.xml'/><access read='owner' write='admin'/>");
    service("simservs.ngn.etsi.org", "mime='application/vnd.etsi.simservs+xml'", "simservs",
            "<document name='simservs.xml'/>");
    struct usage_set *set = loaded();
    const struct usage *search = usage_find(set, TEXT("org.openmobilealliance.search"));
    assert_non_null(usage_post_find(search, XCAP_GLOBAL, TEXT("application/vnd.oma.search+xml")));
    assert_int_equal(search->documents_count, 0);
    const struct usage *initial = usage_find(set, TEXT("org.3gpp.mcptt.ue-init-config"));
    assert_true(usage_allows(initial, XCAP_GLOBAL, USAGE_READ, USAGE_ANYONE));
    assert_false(usage_allows(initial, XCAP_GLOBAL, USAGE_WRITE, USAGE_OWNER));
    const struct usage *config = usage_find(set, TEXT("org.3gpp.mcptt.service-config"));
    assert_true(has_document(config, XCAP_GLOBAL, "service-config.xml"));
    assert_true(has_document(config, XCAP_GLOBAL, "police/service-config.xml"));
    assert_false(has_document(config, XCAP_GLOBAL, "police/other.xml"));
    assert_false(has_document(config, XCAP_USERS, "service-config.xml"));
    const struct usage *profile = usage_find(set, TEXT("org.3gpp.mcptt.user-profile"));
    assert_true(has_document(profile, XCAP_USERS, "mcptt-user-profile-3.xml"));
    assert_false(has_document(profile, XCAP_USERS, "mcptt-user-profile.xml"));
    assert_true(usage_allows(profile, XCAP_USERS, USAGE_WRITE, USAGE_ADMIN));
    assert_false(usage_allows(profile, XCAP_USERS, USAGE_WRITE, USAGE_OWNER));
    assert_true(has_document(usage_find(set, TEXT("simservs.ngn.etsi.org")), XCAP_USERS, "simservs.xml"));
    usage_set_free(set);
}

static void report_says(const char *what)
{
    struct text report = {0};
    const char *path = text_cstring(&arena, text_format(&arena, "%s/notes", folder));
    assert_int_not_equal(usage_check_folder(path, &arena, &report), OK);
    if (!strstr(text_cstring(&arena, report), what))
        fail_msg("report: %.*s", TEXT_ARG(report));
}

static void examples_that_do_not_hold_are_reported(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    report_says("/notes/examples/valid: there are no examples");
    report_says("/notes/examples/invalid: there are no examples");
    subfolder("notes/examples");
    subfolder("notes/examples/valid");
    subfolder("notes/examples/invalid");
    file("notes/examples/valid/good.xml", "<notes xmlns='urn:notes'/>");
    file("notes/examples/invalid/bad.xml", "<!-- expect: schema-validation-error; 'memo' -->\n"
                                           "<notes xmlns='urn:notes'><memo/></notes>");
    struct text report = {0};
    const char *path = text_cstring(&arena, text_format(&arena, "%s/notes/", folder));
    assert_int_equal(usage_check_folder(path, &arena, &report), OK);
    assert_true(text_ends_with(report, TEXT("/notes: good, 2 examples hold\n")));
    file("notes/examples/valid/wrong.xml", "<notes/>");
    report_says("valid/wrong.xml: refused: schema-validation-error");
    file("notes/examples/invalid/silent.xml", "<notes/>");
    report_says("invalid/silent.xml: does not start with <!-- expect");
    file("notes/examples/invalid/accepted.xml", "<!-- expect: not-utf-8 --><notes xmlns='urn:notes'/>");
    report_says("invalid/accepted.xml: expected not-utf-8, but it is accepted");
    file("notes/examples/invalid/other.xml", "<!-- expect: uniqueness-failure --><notes/>");
    report_says("invalid/other.xml: expected uniqueness-failure, got schema-validation-error");
    file("notes/examples/invalid/words.xml", "<!-- expect: schema-validation-error; other words --><notes/>");
    report_says("invalid/words.xml: expected a phrase with 'other words', got");
    file("notes/constraints.xsl", "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>\n"
                                  "<xsl:template match='/'>\n<xsl:if test='nothing()'/>\n"
                                  "</xsl:template></xsl:stylesheet>");
    report_says("valid/good.xml: the constraint sheet fails: line 3, in 'if': an expression uses an unknown function");
}

static void *check_again_and_again(void *data)
{
    unsigned *good = data;
    struct arena memory;
    arena_init(&memory, "thread");
    const struct usage *lists = usage_find(real, TEXT("resource-lists"));
    struct text valid = TEXT("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='a'>"
                             "<entry uri='sip:b@h'/></list></resource-lists>");
    struct text repeated = TEXT("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='a'/>"
                                "<list name='a'/></resource-lists>");
    for (unsigned i = 0; i < 30; i++) {
        struct usage_subject subject = {0};
        const struct usage_claim *claims;
        size_t count;
        struct refusal refusal;
        *good += usage_check(lists, &subject, valid, &memory, &claims, &count, &refusal) == OK;
        *good += usage_check(lists, &subject, repeated, &memory, &claims, &count, &refusal) == REFUSED;
        arena_reset(&memory);
    }
    arena_clear(&memory);
    return NULL;
}

static void threads_share_a_set(void **state)
{
    (void)state;
    pthread_t threads[3];
    unsigned good[3] = {0};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_again_and_again, &good[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 60);
    }
}

static int open_all(void **state)
{
    struct text error;
    open_xml(state);
    if (usage_set_load("schemas", &real, &arena, &error) == OK)
        return 0;
    print_error("%.*s\n", TEXT_ARG(error));
    return -1;
}

static int close_all(void **state)
{
    usage_set_free(real);
    return close_xml(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_finds_the_usage),
        cmocka_unit_test(usages_stand_in_byte_order),
        cmocka_unit_test(the_manifest_is_read_whole),
        in_folder(a_pattern_does_not_cross_a_slash),
        in_folder(roles_above_include_those_below),
        cmocka_unit_test(without_access_rows_the_defaults_hold),
        cmocka_unit_test(an_auditor_reads_and_never_writes_in_every_usage),
        cmocka_unit_test(documents_name_their_owner_by_any_address),
        cmocka_unit_test(an_address_is_claimed_in_canonical_form),
        cmocka_unit_test(a_byte_order_mark_hides_no_claim),
        cmocka_unit_test(claims_of_siblings_have_positions),
        cmocka_unit_test(a_unique_value_twice_in_a_document_is_refused_with_its_field),
        cmocka_unit_test(a_sheet_names_the_field_too),
        in_folder(shared_claims_may_repeat_and_be_empty),
        in_folder(more_claims_than_a_transaction_takes_are_refused),
        cmocka_unit_test(checks_come_in_the_order_of_the_rfc),
        in_folder(limits_come_from_the_manifest),
        in_folder(limits_of_the_server_lower_those_of_manifests),
        in_folder(a_sheet_that_emits_something_else_is_our_failure),
        cmocka_unit_test(the_largest_lists_can_be_checked),
        in_folder(a_document_that_takes_too_much_work_is_refused),
        cmocka_unit_test(capabilities_list_usages_aliases_and_namespaces),
        in_folder(services_of_other_standards_can_be_said),
        in_folder(examples_that_do_not_hold_are_reported),
        cmocka_unit_test(threads_share_a_set),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
