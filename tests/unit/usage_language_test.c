/* What manifests can say beyond names and claims: who may do what apart from others, what is made, what may be posted,
 * and pages for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "usage.h"
#include "xml_validate.h"

static struct arena arena;
static char folder[32];
static struct usage_set *real; /* what the product ships */
static struct usage_set *own;  /* of the running test */

static void file(const char *name, const char *content)
{
    FILE *stream = fopen(text_cstring(&arena, text_format(&arena, "%s/%s", folder, name)), "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static void subfolder(const char *name)
{
    mkdir(text_cstring(&arena, text_format(&arena, "%s/%s", folder, name)), 0700);
}

#define NOTES_XSD                                                                                                      \
    "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:notes' xmlns='urn:notes' "            \
    "elementFormDefault='qualified'><xs:element name='notes'><xs:complexType><xs:sequence><xs:any minOccurs='0' "      \
    "maxOccurs='unbounded' namespace='##any' processContents='lax'/></xs:sequence><xs:attribute name='to'/>"           \
    "</xs:complexType></xs:element><xs:element name='note' type='xs:string'/></xs:schema>"
#define SHEET(rows)                                                                                                    \
    "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' xmlns='urn:notes'>" rows           \
    "</xsl:stylesheet>"
#define COPY SHEET("<xsl:template match='/documents'><notes><xsl:copy-of select='*'/></notes></xsl:template>")

static void notes(const char *rows)
{
    subfolder("notes");
    file("notes/document.xsd", NOTES_XSD);
    file("notes/manifest.xml", text_cstring(&arena, text_format(&arena,
                                                                "<usage auid='notes' mime='application/notes+xml' "
                                                                "namespace='urn:notes' root='notes'>%s</usage>",
                                                                rows)));
}

static const struct usage *loaded(void)
{
    struct text error = {0};
    usage_set_free(own);
    own = NULL;
    if (usage_set_load(folder, &own, &arena, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    return usage_find(own, TEXT("notes"));
}

static void load_fails(const char *what)
{
    struct usage_set *set = NULL;
    struct text error = {0};
    assert_int_equal(usage_set_load(folder, &set, &arena, &error), FAILED);
    assert_int_equal(text_find_char(error, '\n'), error.length);
    if (text_find(error, text_of(what)) == error.length)
        fail_msg("error: %.*s", TEXT_ARG(error));
}

static void allowed(const struct usage *usage, enum usage_operation operation, const char *roles)
{
    static const char letters[] = "auospdr"; /* anyone, user, owner, server, operator, admin, auditor */
    for (int role = USAGE_ANYONE; role < USAGE_NOBODY; role++)
        assert_int_equal(usage_allows(usage, XCAP_USERS, operation, (enum usage_role)role),
                         strchr(roles, letters[role]) != NULL);
    assert_false(usage_allows(usage, XCAP_USERS, operation, USAGE_NOBODY));
}

static void a_server_may_write_what_its_owner_may_delete(void **state)
{
    (void)state;
    notes("<document name='*'/><access read='owner' write='server' delete='owner'/>");
    const struct usage *usage = loaded();
    allowed(usage, USAGE_READ, "ospdr");
    allowed(usage, USAGE_WRITE, "spd");
    allowed(usage, USAGE_DELETE, "ospd");
}

static void who_may_write_may_delete_unless_it_is_said(void **state)
{
    (void)state;
    notes("<document name='*'/><access write='server'/>");
    allowed(loaded(), USAGE_DELETE, "spd");
    notes("<document name='*'/><access read='anyone' write='nobody'/>");
    allowed(loaded(), USAGE_READ, "auospdr");
    allowed(loaded(), USAGE_DELETE, "");
}

static void several_roles_stand_for_just_these(void **state)
{
    (void)state;
    notes("<document name='*'/><access read='user  server' write='owner operator' delete='operator'/>");
    const struct usage *usage = loaded();
    allowed(usage, USAGE_READ, "us");
    allowed(usage, USAGE_WRITE, "op");
    allowed(usage, USAGE_DELETE, "pd");
}

static void an_unknown_role_is_refused(void **state)
{
    (void)state;
    notes("<document name='*'/><access read='owner king'/>");
    load_fails("read");
    notes("<document name='*'/><access read=''/>");
    load_fails("read");
}

static void an_auditor_reads_and_is_given_nothing_to_change(void **state)
{
    (void)state;
    const unsigned auditor = USAGE_ROLE_BIT(USAGE_AUDITOR) | USAGE_ROLE_BIT(USAGE_USER) | USAGE_ROLE_BIT(USAGE_OWNER);
    notes("<document name='*'/><access read='user' write='anyone'/><access scope='global' read='auditor'/>");
    const struct usage *usage = loaded();
    assert_true(usage_permits(usage, XCAP_USERS, USAGE_READ, auditor));
    assert_true(usage_permits(usage, XCAP_GLOBAL, USAGE_READ, auditor));
    assert_false(usage_permits(usage, XCAP_GLOBAL, USAGE_READ, USAGE_ROLE_BIT(USAGE_ADMIN)));
    assert_false(usage_permits(usage, XCAP_USERS, USAGE_WRITE, auditor));
    assert_false(usage_permits(usage, XCAP_USERS, USAGE_DELETE, auditor));
    assert_true(usage_permits(usage, XCAP_USERS, USAGE_WRITE, auditor & ~USAGE_ROLE_BIT(USAGE_AUDITOR)));
    assert_false(usage_permits(usage, XCAP_USERS, USAGE_READ, USAGE_ROLE_BIT(USAGE_NOBODY)));
    static const char *const rows[] = {"<access write='auditor'/>", "<access delete='owner auditor'/>"};
    for (size_t i = 0; i < 2; i++) {
        notes(text_cstring(&arena, text_join(&arena, TEXT("<document name='*'/>"), text_of(rows[i]))));
        load_fails(i ? "delete" : "write");
    }
    notes("<post type='a/b' handler='x' role='auditor'/>");
    load_fails("role");
}

static void posts_are_told_by_type_and_scope(void **state)
{
    (void)state;
    notes("<post type='application/vnd.notes.search+xml' handler='search' scope='global'/>"
          "<post type='application/vnd.notes.move+xml' handler='move' role='owner operator'/>");
    const struct usage *usage = loaded();
    assert_int_equal(usage->documents_count, 0);
    assert_int_equal(usage->posts_count, 2);
    const struct usage_post *search = usage_post_find(usage, XCAP_GLOBAL, TEXT("Application/vnd.notes.SEARCH+xml"));
    assert_ptr_equal(search, &usage->posts[0]);
    assert_true(text_equal(search->handler, TEXT("search")));
    assert_int_equal(search->roles, 1u << USAGE_USER | 1u << USAGE_OWNER | 1u << USAGE_SERVER | 1u << USAGE_OPERATOR |
                                        1u << USAGE_ADMIN);
    assert_null(usage_post_find(usage, XCAP_USERS, TEXT("application/vnd.notes.search+xml")));
    const struct usage_post *move = usage_post_find(usage, XCAP_USERS, TEXT("application/vnd.notes.move+xml"));
    assert_int_equal(move->roles, 1u << USAGE_OWNER | 1u << USAGE_OPERATOR);
    assert_null(usage_document(usage, XCAP_USERS, TEXT("index")));
}

static void the_same_post_twice_is_refused(void **state)
{
    (void)state;
    notes("<post type='a/b' handler='x'/><post type='a/b' handler='y'/>");
    load_fails("manifest.xml, line 1");
}

static void a_usage_of_nothing_is_refused(void **state)
{
    (void)state;
    notes("");
    load_fails("neither a document nor a post");
}

static bool exists(const struct usage *usage, enum xcap_tree tree, const char *name)
{
    return usage_document(usage, tree, text_of(name)) != NULL;
}

static void global_trees_have_sub_directories(void **state)
{
    (void)state;
    notes("<document name='service-config.xml' scope='global'/><document name='*/service-config.xml' scope='global'/>"
          "<document name='byGroupID/*' scope='global'/><document name='profile-*.xml'/>");
    const struct usage *usage = loaded();
    assert_true(exists(usage, XCAP_GLOBAL, "service-config.xml"));
    assert_true(exists(usage, XCAP_GLOBAL, "fire.example/service-config.xml"));
    assert_false(exists(usage, XCAP_GLOBAL, "fire.example/vienna/service-config.xml"));
    assert_false(exists(usage, XCAP_GLOBAL, "service-config.xml/service-config.xml"));
    assert_true(exists(usage, XCAP_GLOBAL, "byGroupID/7"));
    assert_true(exists(usage, XCAP_USERS, "profile-3.xml"));
    assert_false(exists(usage, XCAP_USERS, "service-config.xml"));
}

/* RFC 4825 §6.2 */
static void no_document_has_the_name_of_a_sub_directory(void **state)
{
    (void)state;
    notes("<document name='*'/><document name='icons/*/small'/><document name='*' scope='global'/>");
    const struct usage *usage = loaded();
    assert_false(exists(usage, XCAP_USERS, "icons"));
    assert_true(exists(usage, XCAP_USERS, "icon"));
    assert_true(exists(usage, XCAP_USERS, "icons/a/small"));
    assert_false(exists(usage, XCAP_USERS, "icons/a"));
    assert_true(exists(usage, XCAP_GLOBAL, "icons"));
}

static void what_is_made_must_have_one_name_and_a_place_that_fits(void **state)
{
    (void)state;
    subfolder("notes");
    file("notes/all.xsl", COPY);
    notes("<document name='*' computed='all.xsl' from='home'/>");
    load_fails("document '*' is computed: its name must be a single one");
    notes("<document name='all' computed='all.xsl' from='home' scope='global'/>");
    load_fails("its scope must be users");
    notes("<document name='all' computed='all.xsl' from='contents'/>");
    load_fails("its scope must be global");
    notes("<document name='all' computed='all.xsl'/>");
    load_fails("its scope must be global");
    notes("<document name='all' from='home'/>");
    load_fails("'from' or 'by' but is not computed");
    notes("<document name='all' computed='all.xsl' from='home' by='tag'/>");
    load_fails("'by' but is not made of contents");
    notes("<document name='all' computed='all.xsl' from='contents' scope='global' by='tag'/>");
    load_fails("'tag' is no unique value of an attribute that stands at one place");
    notes("<document name='all' computed='all.xsl' from='home' entries='note/@id'/>");
    load_fails("has 'entries' but is not made of records");
    notes("<document name='all' scope='global' computed='all.xsl' from='history'/>");
    load_fails("its scope must be users");
    notes("<document name='all' computed='all.xsl' from='history' entries='note'/>");
    load_fails("entries");
    notes("<document name='all' computed='all.xsl' from='elsewhere'/>");
    load_fails("from");
}

static void a_sheet_is_tried_before_anybody_asks(void **state)
{
    (void)state;
    notes("<document name='all' computed='all.xsl' from='home'/>");
    file("notes/all.xsl", SHEET("<xsl:template match='/'><other/></xsl:template>"));
    load_fails("all.xsl: makes a document that its usage refuses");
    file("notes/all.xsl", SHEET("<xsl:template match='/'><xsl:message terminate='yes'>x</xsl:message></xsl:template>"));
    load_fails("all.xsl: the sheet fails");
    file("notes/all.xsl", SHEET("<xsl:template"));
    load_fails("all.xsl");
    file("notes/all.xsl", COPY);
    loaded();
}

static void a_listing_becomes_a_document(void **state)
{
    (void)state;
    notes("<document name='all' computed='all.xsl' from='home'/><document name='*'/>");
    file("notes/all.xsl", COPY);
    const struct usage *usage = loaded();
    struct text listing = TEXT("<documents><n:note xmlns:n='urn:notes' a='&lt;'>&amp;</n:note></documents>"), bytes;
    assert_int_equal(usage->documents[0].source, USAGE_FROM_HOME);
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("all"), listing, &arena, &bytes), OK);
    assert_true(text_find(bytes, TEXT("a=\"&lt;\">&amp;</n:note>")) < bytes.length);
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("index"), listing, &arena, &bytes), NOT_FOUND);
}

static struct text listing_of(size_t notes_count, size_t length)
{
    struct text_builder listing;
    builder_init(&listing, &arena);
    char *letters = arena_array(&arena, char, length);
    memset(letters, 'x', length);
    builder_add(&listing, TEXT("<documents>"));
    for (size_t i = 0; i < notes_count; i++)
        builder_add_format(&listing, "<note xmlns='urn:notes'>%.*s</note>", (int)length, letters);
    builder_add(&listing, TEXT("</documents>"));
    return builder_text(&listing);
}

static void a_listing_beyond_its_limit_is_full(void **state)
{
    (void)state;
    notes("<document name='all' computed='all.xsl' from='home'/>");
    file("notes/all.xsl", COPY);
    const struct usage *usage = loaded();
    struct text bytes;
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("all"), listing_of(1000, 1000), &arena, &bytes), OK);
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("all"), listing_of(9000, 1000), &arena, &bytes), FULL);
    /* small to read, large to write */
    file("notes/all.xsl", SHEET("<xsl:template match='/documents'><notes><xsl:for-each select='*'><xsl:copy-of "
                                "select='/documents/*'/></xsl:for-each></notes></xsl:template>"));
    usage = loaded();
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("all"), listing_of(10, 1000), &arena, &bytes), OK);
    assert_int_equal(usage_compute(usage, XCAP_USERS, TEXT("all"), listing_of(100, 1000), &arena, &bytes), FULL);
}

static struct usage_subject ann(void)
{
    return (struct usage_subject){TEXT("sip:ann@example.com"), TEXT("index"), TEXT("http://xdm.example.com/x/")};
}

static const struct usage_claim *claim_of(const struct usage *usage, const char *value)
{
    struct usage_subject subject = ann();
    struct refusal refusal = {0};
    const struct usage_claim *claims;
    size_t count;
    struct text bytes = text_format(&arena, "<notes xmlns='urn:notes' to='%s'/>", value);
    if (usage_check(usage, &subject, bytes, &arena, &claims, &count, &refusal) != OK)
        return NULL;
    assert_int_equal(count, 1);
    return claims;
}

static void a_uri_keeps_its_parameters_in_one_order(void **state)
{
    (void)state;
    notes("<document name='*'/><unique kind='to' value='/notes/@to' canonical='uri' apart='group-uri user'/>");
    const struct usage *usage = loaded();
    static const char *const pairs[][2] = {
        {"SIP:Ann@EXAMPLE.com:5070", "sip:Ann@example.com"},
        {"sip:a@h;b=1;A=2;c", "sip:a@h;a=2;b=1;c"},
        {"sip:a@h;c;B=1;a=2?subject=x", "sip:a@h;a=2;b=1;c"},
        {"sip:a@h;pres-list=Rcs", "sip:a@h;pres-list=Rcs"},
        {"tel:+1-555-0100", "tel:+15550100"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const struct usage_claim *claim = claim_of(usage, pairs[i][0]);
        assert_non_null(claim);
        assert_string_equal(text_cstring(&arena, claim->value), pairs[i][1]);
        assert_int_equal(claim->apart_count, 2);
        assert_true(text_equal(claim->apart[0], TEXT("group-uri")));
        assert_true(text_equal(claim->apart[1], TEXT(USAGE_APART_USER)));
    }
    assert_null(claim_of(usage, "http://example.com/"));
}

static void a_sheet_can_forbid(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    file("notes/constraints.xsl", SHEET("<xsl:template match='/'><c:forbidden xmlns:c='urn:xdm:constraints' "
                                        "phrase='not yours'/></xsl:template>"));
    const struct usage *usage = loaded();
    struct usage_subject subject = ann();
    struct refusal refusal = {0};
    const struct usage_claim *claims;
    size_t count;
    assert_int_equal(
        usage_check(usage, &subject, TEXT("<notes xmlns='urn:notes'/>"), &arena, &claims, &count, &refusal), REFUSED);
    assert_int_equal(refusal.kind, REFUSAL_FORBIDDEN);
    assert_null(refusal.element);
    assert_true(text_equal(refusal.phrase, TEXT("not yours")));
}

static void a_picture_has_a_largest_size(void **state)
{
    (void)state;
    const struct usage *content = usage_find(real, TEXT("org.openmobilealliance.pres-content"));
    struct usage_subject subject = ann();
    const struct usage_claim *claims;
    size_t count;
    for (size_t length = 409600; length <= 409604; length += 4) {
        char *data = arena_array(&arena, char, length);
        memset(data, 'A', length);
        struct refusal refusal = {0};
        struct text bytes = text_format(
            &arena, "<content xmlns='urn:oma:xml:prs:pres-content'><data>%.*s</data></content>", (int)length, data);
        enum status status = usage_check(content, &subject, bytes, &arena, &claims, &count, &refusal);
        assert_int_equal(status, length == 409600 ? OK : REFUSED);
        if (status == REFUSED)
            assert_true(text_equal(refusal.phrase, TEXT("Size limit exceeded, maximum allowed size is 307200 bytes")));
    }
}

static struct text page_of(const char *auid, const char *bytes)
{
    struct usage_subject subject = ann();
    struct text page = {0};
    assert_int_equal(usage_page(real, usage_find(real, text_of(auid)), &subject, text_of(bytes), &arena, &page), OK);
    return page;
}

static void says(struct text page, const char *what, bool expected)
{
    if ((text_find(page, text_of(what)) < page.length) != expected)
        fail_msg("%s: %.*s", what, TEXT_ARG(page));
}

static void a_page_shows_what_a_document_says_as_text(void **state)
{
    (void)state;
    struct text page =
        page_of("resource-lists", "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>"
                                  "<list name='&lt;script>alert(1)&lt;/script>'><display-name>"
                                  "<![CDATA[</style><script>alert(2)</script>]]></display-name>"
                                  "<entry uri='javascript:alert(3)'/></list>"
                                  "<script xmlns='http://www.w3.org/1999/xhtml'>alert(4)</script></resource-lists>");
    says(page, "<!DOCTYPE html", true);
    says(page, "<script", false);
    says(page, "</script", false);
    says(page, "href", false);
    says(page, "src=", false);
    says(page, "&lt;script&gt;alert(1)", true);
    says(page, "&lt;script&gt;alert(2)", true);
    says(page, "javascript:alert(3)", true);
    says(page, "sip:ann@example.com", true);
}

static void a_usage_may_have_a_page_of_its_own(void **state)
{
    (void)state;
    struct text page = page_of("org.openmobilealliance.pres-content",
                               "<content xmlns='urn:oma:xml:prs:pres-content'><mime-type>IMAGE/png</mime-type>"
                               "<description>a \"&lt;b> dot</description><data> QUJD \n</data></content>");
    says(page, "src=\"data:image/png;base64,QUJD\"", true);
    says(page, "<b>", false);
}

static void without_a_sheet_there_is_no_page(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    const struct usage *usage = loaded();
    struct usage_subject subject = ann();
    struct text page;
    assert_int_equal(usage_page(own, usage, &subject, TEXT("<notes xmlns='urn:notes'/>"), &arena, &page), NOT_FOUND);
    file("notes/page.xsl", "<xsl:stylesheet");
    load_fails("page.xsl");
}

static void a_page_that_cannot_be_made_is_reported_with_its_example(void **state)
{
    (void)state;
    notes("<document name='*'/>");
    subfolder("notes/examples");
    subfolder("notes/examples/valid");
    subfolder("notes/examples/invalid");
    subfolder("notes/examples/listings");
    file("notes/examples/valid/a.xml", "<notes xmlns='urn:notes'/>");
    file("notes/examples/invalid/a.xml", "<!-- expect: schema-validation-error --><note xmlns='urn:notes'/>");
    file("notes/page.xsl", SHEET("<xsl:template match='/'/>"));
    const char *path = text_cstring(&arena, text_format(&arena, "%s/notes", folder));
    struct text report = {0};
    assert_int_equal(usage_check_folder(path, &arena, &report), REFUSED);
    says(report, "examples/valid/a.xml: page.xsl makes no page of it", true);
    file("notes/page.xsl", SHEET("<xsl:template match='/'><p/></xsl:template>"));
    assert_int_equal(usage_check_folder(path, &arena, &report), OK);

    notes("<document name='all' computed='all.xsl' from='home'/>");
    file("notes/all.xsl", SHEET("<xsl:template match='/documents'><notes><xsl:if test='*'><xsl:attribute "
                                "name='colour'/></xsl:if></notes></xsl:template>"));
    assert_int_equal(usage_check_folder(path, &arena, &report), OK);
    file("notes/examples/listings/one.xml", "<documents><usage auid='a'/></documents>");
    assert_int_equal(usage_check_folder(path, &arena, &report), REFUSED);
    says(report, "examples/listings/one.xml: makes a document that its usage refuses", true);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/language_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    FILE *from = fopen("schemas/manifest.xsd", "r");
    FILE *to = fopen(text_cstring(&arena, text_format(&arena, "%s/manifest.xsd", folder)), "w");
    for (int byte = getc(from); byte != EOF; byte = getc(from))
        putc(byte, to);
    fclose(from);
    return fclose(to);
}

static int close_folder(void **state)
{
    (void)state;
    usage_set_free(own);
    own = NULL;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_all(void **state)
{
    (void)state;
    struct text error = {0};
    xml_open();
    arena_init(&arena, "test");
    return usage_set_load("schemas", &real, &arena, &error) == OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    usage_set_free(real);
    arena_clear(&arena);
    xml_close();
    return 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_server_may_write_what_its_owner_may_delete),
        IN_FOLDER(who_may_write_may_delete_unless_it_is_said),
        IN_FOLDER(several_roles_stand_for_just_these),
        IN_FOLDER(an_unknown_role_is_refused),
        IN_FOLDER(an_auditor_reads_and_is_given_nothing_to_change),
        IN_FOLDER(posts_are_told_by_type_and_scope),
        IN_FOLDER(the_same_post_twice_is_refused),
        IN_FOLDER(a_usage_of_nothing_is_refused),
        IN_FOLDER(global_trees_have_sub_directories),
        IN_FOLDER(no_document_has_the_name_of_a_sub_directory),
        IN_FOLDER(what_is_made_must_have_one_name_and_a_place_that_fits),
        IN_FOLDER(a_sheet_is_tried_before_anybody_asks),
        IN_FOLDER(a_listing_becomes_a_document),
        IN_FOLDER(a_listing_beyond_its_limit_is_full),
        IN_FOLDER(a_uri_keeps_its_parameters_in_one_order),
        IN_FOLDER(a_sheet_can_forbid),
        cmocka_unit_test(a_picture_has_a_largest_size),
        cmocka_unit_test(a_page_shows_what_a_document_says_as_text),
        cmocka_unit_test(a_usage_may_have_a_page_of_its_own),
        IN_FOLDER(without_a_sheet_there_is_no_page),
        IN_FOLDER(a_page_that_cannot_be_made_is_reported_with_its_example),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
