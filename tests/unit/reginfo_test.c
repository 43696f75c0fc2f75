/* Registration information: what is written is valid and read back, what others write is read, what is none is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "reginfo.h"
#include "test_arena.h"
#include "xml_validate.h"

#define BOB "sip:bob@example.com"

static const struct reginfo_contact contacts[] = {
    {.id = TEXT_INIT("c1"),
     .uri = TEXT_INIT("sip:bob@192.0.2.7:5060;x=\"<&"),
     .active = true,
     .event = TEXT_INIT("refreshed"),
     .call_id = TEXT_INIT("88a1@b"),
     .cseq = 3,
     .expires_s = 600,
     .registered_s = 7,
     .features = TEXT_INIT("+g.oma.sip-im;+sip.instance=\"<urn:uuid:bb22;x>\";expires=600;audio;q=0.7"),
     .gruu = TEXT_INIT("sip:bob@example.com;gr=urn:uuid:bb22"),
     .temporary_gruu = TEXT_INIT("sip:tgruu.7hs=@example.com;gr"),
     .first_cseq = 2},
    {.id = TEXT_INIT("c2"), .uri = TEXT_INIT("sip:bob@192.0.2.8"), .event = TEXT_INIT("expired")},
};

static const struct reginfo_registration registrations[] = {
    {TEXT_INIT(BOB), TEXT_INIT("r1"), REGINFO_ACTIVE, contacts, 2},
    {TEXT_INIT("tel:+15550100"), TEXT_INIT("r2"), REGINFO_INIT, NULL, 0},
};

static const struct reginfo both = {4, true, registrations, 2};

static void what_is_written_is_valid(void **state)
{
    (void)state;
    struct xml_schema *schema;
    struct xml_document *document;
    struct text error;
    struct refusal refusal = {0};
    assert_int_equal(xml_schema_load("tests/support/schemas/reginfo.xsd", &arena, &schema, &error), OK);
    struct text written = reginfo_write(&both, &arena);
    assert_int_equal(xml_parse(written, &XML_LIMITS_STANDARD, &arena, &document, &refusal), OK);
    if (xml_schema_check(schema, document, &arena, &refusal) != OK)
        fail_msg("%.*s in %.*s", TEXT_ARG(refusal.phrase), TEXT_ARG(written));
    xml_document_free(document);
    xml_schema_free(schema);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct reginfo read;
    assert_int_equal(reginfo_read(reginfo_write(&both, &arena), &arena, &read), OK);
    assert_int_equal(read.version, 4);
    assert_true(read.full);
    assert_int_equal(read.registrations_count, 2);
    const struct reginfo_registration *bob = &read.registrations[0];
    assert_text(bob->address, BOB);
    assert_int_equal(bob->state, REGINFO_ACTIVE);
    assert_int_equal(read.registrations[1].state, REGINFO_INIT);
    assert_int_equal(bob->contacts_count, 2);
    const struct reginfo_contact *one = &bob->contacts[0];
    assert_text(one->uri, "sip:bob@192.0.2.7:5060;x=\"<&");
    assert_text(one->features, "+g.oma.sip-im;+sip.instance=\"<urn:uuid:bb22;x>\";audio;q=0.7");
    assert_text(one->gruu, "sip:bob@example.com;gr=urn:uuid:bb22");
    assert_text(one->temporary_gruu, "sip:tgruu.7hs=@example.com;gr");
    assert_int_equal(one->first_cseq, 2);
    assert_text(one->call_id, "88a1@b");
    assert_true(one->active && one->cseq == 3 && one->expires_s == 600 && one->registered_s == 7);
    assert_false(bob->contacts[1].active);
    assert_text(bob->contacts[1].event, "expired");
}

#define DOCUMENT(attributes, inside)                                                                                   \
    "<r:reginfo xmlns:r='urn:ietf:params:xml:ns:reginfo' " attributes ">" inside "</r:reginfo>"
#define REGISTRATION(inside) "<r:registration aor='" BOB "' id='a' state='active'>" inside "</r:registration>"

static void documents_of_others_are_read(void **state)
{
    (void)state;
    struct reginfo read;
    assert_int_equal(reginfo_read(text_of(DOCUMENT("version='0' state='partial'",
                                                   "<x xmlns='urn:else'/>" REGISTRATION(
                                                       "<r:contact id='1' state='active' event='created' q='0.5'>"
                                                       "<r:uri> sip:bob@192.0.2.7 </r:uri>"
                                                       "<r:display-name>Bob</r:display-name>"
                                                       "<r:unknown-param name='+g.oma.sip-im'/></r:contact>"))),
                                  &arena, &read),
                     OK);
    assert_false(read.full);
    assert_text(read.registrations[0].contacts[0].uri, "sip:bob@192.0.2.7");
    assert_text(read.registrations[0].contacts[0].features, "+g.oma.sip-im;q=0.5");
}

static void what_is_no_such_document_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "<reginfo version='0' state='full'/>",
        DOCUMENT("state='full'", ""),
        DOCUMENT("version='-1' state='full'", ""),
        DOCUMENT("version='1' state='whole'", ""),
        DOCUMENT("version='1' state='full'", "<r:registration id='a' state='active'/>"),
        DOCUMENT("version='1' state='full'", "<r:registration aor='" BOB "' id='a' state='gone'/>"),
        DOCUMENT("version='1' state='full'", REGISTRATION("<r:contact id='1' state='active' event='created'/>")),
        DOCUMENT("version='1' state='full'",
                 REGISTRATION("<r:contact id='1' state='init' event='created'><r:uri>sip:b@c</r:uri></r:contact>")),
        DOCUMENT("version='1' state='full'",
                 REGISTRATION("<r:contact id='1' state='active' event='created'><r:uri>sip:b@c</r:uri>"
                              "<r:unknown-param name='a;b'/></r:contact>")),
        DOCUMENT("version='1' state='full'",
                 REGISTRATION("<r:contact id='1' state='active' event='created'><r:uri>sip:b@c</r:uri>"
                              "<r:unknown-param name='a'>1&#10;Evil: yes</r:unknown-param></r:contact>")),
    };
    struct reginfo read;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (reginfo_read(text_of(wrong[i]), &arena, &read) != REFUSED)
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_valid, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(documents_of_others_are_read, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_such_document_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
