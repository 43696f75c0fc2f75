/* What does not load, and the one line that says why: its reader is the author of a document service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "usage_folder.h"

static void a_manifest_that_its_schema_refuses_is_named(void **state)
{
    (void)state;
    notes("\n<document name='*' scope='everywhere'/>");
    load_fails("/notes: manifest.xml, line 2", "scope");
}

static void a_manifest_with_an_unknown_row_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><colour/>");
    load_fails("/notes: manifest.xml, line 1", "'colour'");
}

static void a_manifest_that_is_not_xml_is_named(void **state)
{
    (void)state;
    notes("<document");
    load_fails("/notes: manifest.xml, line 1", "");
}

static void a_folder_without_manifest_is_named(void **state)
{
    (void)state;
    subfolder("empty");
    load_fails("/empty", "no manifest.xml");
}

static void a_folder_of_another_name_than_its_auid_is_named(void **state)
{
    (void)state;
    subfolder("other");
    file("other/document.xsd", NOTES_XSD);
    file("other/manifest.xml", NOTES_HEAD "<document name='*'/></usage>");
    load_fails("/other", "'notes'");
}

static void a_folder_without_schema_is_named(void **state)
{
    (void)state;
    subfolder("notes");
    file("notes/manifest.xml", NOTES_HEAD "<document name='*'/></usage>");
    load_fails("/notes", "document.xsd");
}

static void a_broken_sheet_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    file("notes/constraints.xsl", "<xsl:stylesheet");
    load_fails("/notes", "constraints.xsl");
}

static void a_prefix_without_binding_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><unique kind='k' value='//q:note/@id'/>");
    load_fails("/notes", "//q:note/@id");
}

static void a_claim_that_is_no_path_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><unique kind='k' value='note/@id'/>");
    load_fails("/notes", "'note/@id' is not a path");
}

static void a_permission_with_an_unbound_prefix_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><policy layering='union'><permission name='p' element='q:p' combine='or'/></policy>");
    load_fails("/notes", "permission 'p'");
}

static void a_verdict_without_its_permission_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><policy layering='union'><permission name='p' element='p' combine='or'/>"
          "<verdict kind='message' permission='q' answer='allow'/></policy>");
    load_fails("/notes", "verdict of permission 'q'");
}

static void a_verdict_without_its_value_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><policy layering='union'><permission name='p' element='p' combine='or'/>"
          "<verdict kind='message' permission='p' value='often' answer='allow'/></policy>");
    load_fails("/notes", "verdict of permission 'p'");
}

static void what_cannot_be_searched_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/><searchable element='note'><field path='@id'/></searchable>");
    load_fails("/notes", "searchable: 'note' is not a path");
    file("notes/manifest.xml", NOTES_HEAD "<document name='*'/><searchable element='/notes/note'>"
                                          "<field path='q:note/@id'/></searchable></usage>");
    load_fails("/notes", "searchable: 'q:note/@id' is not a path");
    file("notes/manifest.xml", NOTES_HEAD "<document name='*'/><searchable element='/notes/note'>"
                                          "<field path='@id'/><field path='note/@id'/></searchable></usage>");
    load_fails("/notes", "two fields are named 'id'");
    file("notes/manifest.xml", NOTES_HEAD "<document name='*'/><searchable element='/notes/note'>"
                                          "<field path='@id' index='letters'/></searchable></usage>");
    load_fails("/notes: manifest.xml, line 1", "letters");
}

static void an_alias_of_nothing_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    subfolder("memos");
    file("memos/manifest.xml", "<alias auid='memos' of='nots'/>");
    load_fails("/memos", "'nots' is no usage here");
    file("memos/manifest.xml", "<alias auid='memos' of='memos'/>");
    load_fails("/memos", "'memos' is no usage here");
}

static void an_alias_of_an_alias_is_named(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    subfolder("memos");
    file("memos/manifest.xml", "<alias auid='memos' of='notes'/>");
    subfolder("papers");
    file("papers/manifest.xml", "<alias auid='papers' of='memos'/>");
    load_fails("/papers", "'memos' is no usage here");
    file("papers/manifest.xml", "<alias auid='papers' of='slips'/>");
    subfolder("slips");
    file("slips/manifest.xml", "<alias auid='slips' of='notes'/>");
    load_fails("/papers", "'slips' is no usage here");
}

static void a_computed_document_that_its_schema_refuses_is_named(void **state)
{
    (void)state;
    notes("<document name='all' scope='global' computed='all.xsl'/>");
    file("notes/all.xsl", "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"
                          "<xsl:template match='/'><memo/></xsl:template></xsl:stylesheet>");
    load_fails("/notes/all.xsl", "'notes'");
}

static void a_missing_schemas_folder_is_named(void **state)
{
    (void)state;
    struct usage_set *set;
    struct text error = {0};
    assert_int_equal(usage_set_load("/nonexistent/schemas", &set, &arena, &error), FAILED);
    assert_true(text_find(error, TEXT("/nonexistent/schemas")) < error.length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_manifest_that_its_schema_refuses_is_named),
        in_folder(a_manifest_with_an_unknown_row_is_named),
        in_folder(a_manifest_that_is_not_xml_is_named),
        in_folder(a_folder_without_manifest_is_named),
        in_folder(a_folder_of_another_name_than_its_auid_is_named),
        in_folder(a_folder_without_schema_is_named),
        in_folder(a_broken_sheet_is_named),
        in_folder(a_prefix_without_binding_is_named),
        in_folder(a_claim_that_is_no_path_is_named),
        in_folder(a_permission_with_an_unbound_prefix_is_named),
        in_folder(a_verdict_without_its_permission_is_named),
        in_folder(a_verdict_without_its_value_is_named),
        in_folder(what_cannot_be_searched_is_named),
        in_folder(an_alias_of_nothing_is_named),
        in_folder(an_alias_of_an_alias_is_named),
        in_folder(a_computed_document_that_its_schema_refuses_is_named),
        cmocka_unit_test(a_missing_schemas_folder_is_named),
    };
    return cmocka_run_group_tests(tests, open_xml, close_xml);
}
