/* What manifests allow and schemas let through, the latter found out by trying: each element and attribute of each
 * valid example is taken away, repeated, moved, filled with other values and given strangers as neighbours. What is
 * accepted is compared with tests/inventory.txt, so that no schema becomes laxer (or stricter) unseen. "--write" writes
 * that file anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "usage.h"
#include "xml_tree.h"
#include "xml_validate.h"

#define INVENTORY     "tests/inventory.txt"
#define FACTS_MAX     4096
#define TRIES_MAX     4 /* occurrences of one name in one folder that are tried: more tell nothing new */
#define FILE_SIZE_MAX 262144

enum fact_bit {
    OPTIONAL = 1 << 0,
    REPEATED = 1 << 1,
    PLACED = 1 << 2, /* stood behind one of another name */
    MOVED = 1 << 3,  /* and could stand before it */
    LEAF = 1 << 4,
    MIXED = 1 << 5,
    OPEN = 1 << 6, /* to foreign elements */
    OPEN_ATTRIBUTES = 1 << 7,
    ANY_ATTRIBUTES = 1 << 8,
    CHILD = 1 << 9, /* has a parent */
    BEHIND_FOREIGN = 1 << 10,
};

struct fact {
    struct text key;       /* "parent/element" or "element/@attribute" */
    unsigned bits;         /* what was accepted in any place */
    unsigned values;       /* bit: index in `probes` */
    struct text words[64]; /* values of the examples, for those that take no other */
    size_t words_count;
    const char *folder; /* where it was tried last, and how often */
    unsigned tries;
};

struct trial { /* one valid example */
    const char *auid;
    const struct xml_schema *schema;
    const char *file;
    struct text bytes;
    struct text *namespaces; /* that the schema of the usage knows */
    size_t namespaces_count;
};

#define FOREIGN "<f:strange xmlns:f=\"urn:example:strange\"/>"

/* Known, but of a value that it cannot have. */
#define MISUSED           "<o:searchable xmlns:o=\"urn:oma:xml:xdm:extensions\">perhaps</o:searchable>"
#define MISUSED_ATTRIBUTE " known:mustUnderstand=\"perhaps\" xmlns:known=\"urn:ietf:params:xml:ns:pidf\""

static struct arena memory, scratch; /* of all that is found out; of one attempt */
static struct fact facts[FACTS_MAX];
static size_t facts_count;
static bool output; /* else compare */
static struct usage_set *set;

static const struct text probes[] = {TEXT_INIT(""),          TEXT_INIT("?!"),         TEXT_INIT("text"),
                                     TEXT_INIT("two words"), TEXT_INIT("0"),          TEXT_INIT("1"),
                                     TEXT_INIT("-1"),        TEXT_INIT("0.5"),        TEXT_INIT("77"),
                                     TEXT_INIT("true"),      TEXT_INIT("2026-01-05"), TEXT_INIT("2026-01-05T10:00:00Z"),
                                     TEXT_INIT("en"),        TEXT_INIT("PT1M"),       TEXT_INIT("%zz:")};

static const struct {
    const char *prefix, *namespace;
} prefixes[] = {
    {"rl", "urn:ietf:params:xml:ns:resource-lists"},
    {"rls", "urn:ietf:params:xml:ns:rls-services"},
    {"cp", "urn:ietf:params:xml:ns:common-policy"},
    {"pr", "urn:ietf:params:xml:ns:pres-rules"},
    {"pidf", "urn:ietf:params:xml:ns:pidf"},
    {"dm", "urn:ietf:params:xml:ns:pidf:data-model"},
    {"rpid", "urn:ietf:params:xml:ns:pidf:rpid"},
    {"caps", "urn:ietf:params:xml:ns:xcap-caps"},
    {"err", "urn:ietf:params:xml:ns:xcap-error"},
    {"ls", "urn:oma:xml:poc:list-service"},
    {"poc", "urn:oma:xml:poc:poc-rules"},
    {"oxe", "urn:oma:xml:xdm:extensions"},
    {"x21", "urn:oma:xml:xdm:2.1extensions"},
    {"search", "urn:oma:xml:xdm:search"},
    {"ocp", "urn:oma:xml:xdm:common-policy"},
    {"oru", "urn:oma:xml:xdm:resource-list:oma-uriusage"},
    {"ora", "urn:oma:xml:xdm:resource-list:oma-appusage"},
    {"op", "urn:oma:xml:prs:pres-rules"},
    {"up", "urn:oma:xml:xdm:user-profile"},
    {"dir", "urn:oma:xml:xdm:xcap-directory"},
    {"hist", "urn:oma:xml:im:history-list"},
    {"pic", "urn:oma:xml:prs:pres-content"},
    {"xml", "http://www.w3.org/XML/1998/namespace"},
};

/* --- what is accepted ------------------------------------------------------------------------------------------- */

/* By the schema: what sheets refuse is shown by examples. */
static bool accepted(const struct trial *trial, struct text bytes)
{
    struct refusal refusal = {0};
    struct xml_document *document = NULL;
    if (xml_parse(bytes, &XML_LIMITS_STANDARD, &scratch, &document, &refusal) != OK)
        fail_msg("%s: this cannot be checked: %.*s", trial->file, TEXT_ARG(bytes));
    bool good = xml_schema_check(trial->schema, document, &scratch, &refusal) == OK;
    xml_document_free(document);
    arena_reset(&scratch);
    return good;
}

static struct text replaced(const struct trial *trial, size_t begin, size_t end, struct text by)
{
    struct text_builder result;
    builder_init(&result, &scratch);
    builder_add(&result, text_slice(trial->bytes, 0, begin));
    builder_add(&result, by);
    builder_add(&result, text_slice(trial->bytes, end, trial->bytes.length));
    return builder_text(&result);
}

static bool accepts(const struct trial *trial, size_t begin, size_t end, struct text by)
{
    return accepted(trial, replaced(trial, begin, end, by));
}

static struct xml_tag start_tag(const struct trial *trial, const struct xml_element *element)
{
    struct xml_scanner scanner;
    struct xml_tag tag = {0};
    xml_scan_init(&scanner, trial->bytes);
    scanner.at = element->begin;
    assert_true(xml_scan_next(&scanner, &tag));
    return tag;
}

/* The content of an element: from and to where. An empty tag is opened in `trial` itself first, so that it has one. */
static bool accepts_content(const struct trial *trial, const struct xml_element *element, bool at_end, bool instead,
                            struct text content)
{
    struct xml_tag tag = start_tag(trial, element);
    if (tag.kind == XML_EMPTY)
        return accepts(trial, tag.end - 2, tag.end,
                       text_format(&scratch, ">%.*s</%.*s>", TEXT_ARG(content), TEXT_ARG(tag.name)));
    size_t end = element->end - tag.name.length - 3;
    if (instead)
        return accepts(trial, tag.end, end, content);
    return at_end ? accepts(trial, end, end, content) : accepts(trial, tag.end, tag.end, content);
}

static bool accepts_attribute(const struct trial *trial, const struct xml_element *element, const char *attribute)
{
    size_t at = element->begin + 1 + start_tag(trial, element).name.length;
    return accepts(trial, at, at, text_of(attribute));
}

/* --- facts ------------------------------------------------------------------------------------------------------ */

static bool is_known(const struct trial *trial, struct text namespace)
{
    for (size_t i = 0; i < trial->namespaces_count; i++)
        if (text_equal(trial->namespaces[i], namespace))
            return true;
    return false;
}

static struct text short_name(const struct trial *trial, struct text namespace, struct text local)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (text_equal(text_of(prefixes[i].namespace), namespace))
            return text_format(&memory, "%s:%.*s", prefixes[i].prefix, TEXT_ARG(local));
    if (is_known(trial, namespace))
        fail_msg("%s: the table of prefixes lacks %.*s", trial->file, TEXT_ARG(namespace));
    return namespace.length ? TEXT("*") : local;
}

static struct fact *fact_of(struct text key)
{
    for (size_t i = 0; i < facts_count; i++)
        if (text_equal(facts[i].key, key))
            return &facts[i];
    assert_true(facts_count < FACTS_MAX);
    facts[facts_count].key = key;
    return &facts[facts_count++];
}

static bool enough(struct fact *fact, const struct trial *trial)
{
    fact->tries = fact->folder == trial->auid ? fact->tries + 1 : 1;
    fact->folder = trial->auid;
    return fact->tries > TRIES_MAX;
}

static void note_if(struct fact *fact, bool condition, unsigned bit)
{
    if (condition)
        fact->bits |= bit;
}

static void note_word(struct fact *fact, struct text word)
{
    for (size_t i = 0; i < fact->words_count; i++)
        if (text_equal(fact->words[i], word))
            return;
    if (fact->words_count < sizeof(fact->words) / sizeof(fact->words[0]))
        fact->words[fact->words_count++] = text_copy(&memory, word);
}

/* --- attempts --------------------------------------------------------------------------------------------------- */

static void try_attributes(const struct trial *trial, const struct xml_element *element)
{
    struct xml_tag tag = start_tag(trial, element);
    struct xml_attribute_span span;
    size_t cursor = 0;
    struct text name = short_name(trial, element->namespace, element->local);
    while (xml_attribute_next(trial->bytes, &tag, &cursor, &span)) {
        if (xml_is_declaration(&span))
            continue;
        bool is_xml = text_equal(span.prefix, TEXT("xml"));
        const struct xml_attribute *attribute = element->attributes;
        while (attribute && !(text_equal(attribute->local, span.local) &&
                              (attribute->namespace.length > 0) == (span.prefix.length > 0)))
            attribute = attribute->next;
        assert_non_null(attribute);
        struct text namespace = attribute->namespace.length ? attribute->namespace : element->namespace;
        if (!is_xml && !is_known(trial, namespace))
            continue;
        struct fact *fact = fact_of(text_format(&memory, "%.*s/@%.*s", TEXT_ARG(name),
                                                TEXT_ARG(short_name(trial, attribute->namespace, span.local))));
        note_word(fact, attribute->value);
        if (enough(fact, trial))
            continue;
        fact->bits |= LEAF;
        note_if(fact, accepts(trial, span.begin, span.end, TEXT("")), OPTIONAL);
        for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
            if (accepts(trial, span.value_begin, span.value_end, probes[i]))
                fact->values |= 1u << i;
    }
}

static bool same_name(const struct xml_element *a, const struct xml_element *b)
{
    return text_equal(a->namespace, b->namespace) && text_equal(a->local, b->local);
}

static bool accepts_absence(const struct trial *trial, const struct xml_element *element)
{
    struct text_builder result;
    size_t at = 0;
    builder_init(&result, &scratch);
    for (const struct xml_element *other = element->parent->first_child; other; other = other->next) {
        if (!same_name(other, element))
            continue;
        builder_add(&result, text_slice(trial->bytes, at, other->begin));
        at = other->end;
    }
    builder_add(&result, text_slice(trial->bytes, at, trial->bytes.length));
    return accepted(trial, builder_text(&result));
}

/* A copy behind it, whose identifiers are other ones. */
static bool accepts_again(const struct trial *trial, const struct xml_element *element)
{
    static const struct text identifiers[] = {TEXT_INIT(" id=\""), TEXT_INIT("history-reference=\""),
                                              TEXT_INIT(" xml:id=\"")};
    struct text rest = text_slice(trial->bytes, element->begin, element->end);
    struct text_builder copy;
    builder_init(&copy, &scratch);
    while (rest.length) {
        size_t plain = 1;
        for (size_t i = 0; i < sizeof(identifiers) / sizeof(identifiers[0]); i++)
            if (text_starts_with(rest, identifiers[i]))
                plain = identifiers[i].length;
        builder_add(&copy, text_slice(rest, 0, plain));
        if (plain > 1)
            builder_add_char(&copy, 'z');
        rest = text_slice(rest, plain, rest.length);
    }
    return accepts(trial, element->end, element->end, builder_text(&copy));
}

static void try_place(const struct trial *trial, const struct xml_element *element, struct fact *fact)
{
    const struct xml_element *before = NULL;
    for (const struct xml_element *other = element->parent->first_child; other != element; other = other->next)
        before = other;
    fact->bits |= CHILD;
    note_if(fact, accepts_absence(trial, element), OPTIONAL);
    note_if(fact, accepts_again(trial, element), REPEATED);
    note_if(fact, accepts(trial, element->begin, element->begin, TEXT(FOREIGN)), BEHIND_FOREIGN);
    if (!before || same_name(before, element))
        return;
    struct text swapped = text_join(&scratch, text_slice(trial->bytes, element->begin, element->end),
                                    text_slice(trial->bytes, before->begin, element->begin));
    fact->bits |= PLACED;
    note_if(fact, accepts(trial, before->begin, element->end, swapped), MOVED);
}

static void try_content(const struct trial *trial, const struct xml_element *element, struct fact *fact)
{
    struct text foreign = TEXT(FOREIGN);
    note_if(fact,
            accepts_content(trial, element, false, false, foreign) ||
                accepts_content(trial, element, true, false, foreign),
            OPEN);
    note_if(fact, accepts_attribute(trial, element, " f:strange=\"\" xmlns:f=\"urn:example:strange\""),
            OPEN_ATTRIBUTES);
    note_if(fact, accepts_attribute(trial, element, " strange=\"\""), ANY_ATTRIBUTES);
    if (element->first_child) {
        note_if(fact, accepts_content(trial, element, false, false, TEXT("text")), MIXED);
        return;
    }
    fact->bits |= LEAF;
    note_word(fact, element->text);
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        if (accepts_content(trial, element, false, true, probes[i]))
            fact->values |= 1u << i;
}

/* RFC 4825 §8.2.5: what a known namespace does not have is refused wherever it stands. */
static void refuse_strangers(const struct trial *trial, const struct xml_element *element)
{
    struct text child = text_format(&scratch, "<strange xmlns=\"%.*s\"/>", TEXT_ARG(element->namespace));
    const char *attribute =
        text_cstring(&memory, text_format(&memory, " s:strange=\"\" xmlns:s=\"%.*s\"", TEXT_ARG(element->namespace)));
    struct text name = short_name(trial, element->namespace, element->local);
    child = text_copy(&memory, child);
    if (accepts_content(trial, element, false, false, child) || accepts_content(trial, element, true, false, child))
        fail_msg("%s: %.*s takes an unknown element of its namespace", trial->file, TEXT_ARG(name));
    if (accepts_attribute(trial, element, attribute))
        fail_msg("%s: %.*s takes an unknown attribute of its namespace", trial->file, TEXT_ARG(name));
    if (accepts_content(trial, element, true, false, TEXT(MISUSED)) ||
        accepts_attribute(trial, element, MISUSED_ATTRIBUTE))
        fail_msg("%s: %.*s takes what another namespace does not allow", trial->file, TEXT_ARG(name));
}

static void try_element(const struct trial *trial, const struct xml_element *element)
{
    const struct xml_element *parent = element->parent;
    if (is_known(trial, element->namespace)) {
        struct text above = parent ? short_name(trial, parent->namespace, parent->local) : TEXT("");
        struct text key = text_format(&memory, "%.*s/%.*s", TEXT_ARG(above),
                                      TEXT_ARG(short_name(trial, element->namespace, element->local)));
        struct fact *fact = fact_of(key);
        if (!enough(fact, trial)) {
            refuse_strangers(trial, element);
            try_content(trial, element, fact);
            if (parent)
                try_place(trial, element, fact);
        } else if (!element->first_child) {
            note_word(fact, element->text);
        }
    }
    try_attributes(trial, element);
    for (const struct xml_element *child = element->first_child; child; child = child->next)
        try_element(trial, child);
}

static struct text read_file(const char *path)
{
    static char bytes[FILE_SIZE_MAX];
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    size_t length = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    assert_true(length < sizeof(bytes));
    return text_copy(&memory, (struct text){bytes, length});
}

static void try_example(struct trial *trial)
{
    const struct xml_element *root;
    trial->bytes = read_file(trial->file);
    assert_int_equal(xml_tree_read(trial->bytes, &memory, &root), OK);
    assert_true(accepted(trial, trial->bytes));
    try_element(trial, root);
}

static void try_usage(const struct usage *usage)
{
    struct xml_schema *schema = NULL;
    struct text error = {0};
    glob_t files;
    const char *auid = text_cstring(&memory, usage->auid);
    const char *path = text_cstring(&memory, text_format(&memory, "schemas/%s/document.xsd", auid));
    assert_int_equal(xml_schema_load(path, &memory, &schema, &error), OK);
    struct trial trial = {.auid = auid, .schema = schema};
    trial.namespaces_count = xml_schema_namespaces(schema, &memory, &trial.namespaces);
    path = text_cstring(&memory, text_format(&memory, "schemas/%s/examples/valid/*.xml", auid));
    assert_int_equal(glob(path, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        trial.file = files.gl_pathv[i];
        try_example(&trial);
    }
    globfree(&files);
    xml_schema_free(schema);
}

/* --- the page --------------------------------------------------------------------------------------------------- */

/* Which probes a type takes, in their order. */
static const struct {
    const char *probes, *type;
} types[] = {
    {"+++++++++++++++", "text"},
    {"+--------------", "no text"},
    {"+++++++++++-++-", "URI"},
    {"----++---+-----", "boolean"},
    {"-----------+---", "dateTime"},
    {"----------+----", "date"},
    {"--+------+--++-", "NCName"},
    {"+-+------+--+--", "language or empty"},
    {"----++--+------", "nonNegativeInteger"},
    {"-----+--+------", "positiveInteger"},
    {"----+++-+------", "integer"},
    {"----++-+-------", "decimal from 0 to 1"},
    {"----++--+--+---", "nonNegativeInteger or dateTime"},
    {"----++--+----+-", "nonNegativeInteger or duration"},
    {"---------------", "one of"},
};

static void write_values(struct text_builder *page, const struct fact *fact)
{
    char taken[sizeof(probes) / sizeof(probes[0]) + 1] = "";
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        taken[i] = fact->values >> i & 1 ? '+' : '-';
    const char *type = taken;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(taken, types[i].probes) == 0)
            type = types[i].type;
    builder_add_format(page, ", %s", type);
    for (size_t i = 0; i < fact->words_count && fact->values == 0; i++)
        builder_add_format(page, " %.*s", TEXT_ARG(text_trim(fact->words[i])));
}

static int fact_order(const void *a, const void *b)
{
    return text_compare(((const struct fact *)a)->key, ((const struct fact *)b)->key);
}

static void write_fact(struct text_builder *page, const struct fact *fact)
{
    bool attribute = text_find(fact->key, TEXT("/@")) < fact->key.length;
    builder_add_format(page, "%.*s:", TEXT_ARG(fact->key));
    if (attribute || fact->bits & CHILD)
        builder_add(page, fact->bits & OPTIONAL ? TEXT(" may be absent") : TEXT(" must be there"));
    else
        builder_add(page, TEXT(" document element"));
    if (fact->bits & CHILD)
        builder_add(page, fact->bits & REPEATED ? TEXT(", repeats") : TEXT(", once"));
    if (fact->bits & PLACED)
        builder_add(page, fact->bits & MOVED ? TEXT(", in any order") : TEXT(", in its place"));
    if (fact->bits & BEHIND_FOREIGN)
        builder_add(page, TEXT(", also behind foreign elements"));
    if (fact->bits & OPEN)
        builder_add(page, TEXT(", holds foreign elements"));
    if (fact->bits & OPEN_ATTRIBUTES)
        builder_add(page, fact->bits & ANY_ATTRIBUTES ? TEXT(", any attributes") : TEXT(", foreign attributes"));
    if (fact->bits & LEAF)
        write_values(page, fact);
    else
        builder_add(page, fact->bits & MIXED ? TEXT(", text") : TEXT(", no text"));
    builder_add_char(page, '\n');
}

/* Does a fact know this name (an end of its key) or this value? */
static bool found_out(struct text ending, struct text word)
{
    for (size_t i = 0; i < facts_count; i++) {
        if (ending.length && text_ends_with(facts[i].key, ending))
            return true;
        for (size_t k = 0; word.bytes && k < facts[i].words_count; k++)
            if (text_equal(text_trim(facts[i].words[k]), word))
                return true;
    }
    return false;
}

/* What a schema declares and no example uses could be wrong unseen. */
static void find_unused(const char *file, const char *prefix, const struct xml_element *schema_part)
{
    for (const struct xml_element *part = schema_part->first_child; part; part = part->next) {
        struct text name = {0}, word = {0}, abstract, ending = {0};
        bool global = !part->parent->parent;
        xml_attribute(part, TEXT("name"), &name);
        if (name.length && text_equal(part->local, TEXT("element")) &&
            !xml_attribute(part, TEXT("abstract"), &abstract))
            ending = text_format(&memory, "/%s:%.*s", prefix, TEXT_ARG(name));
        if (name.length && text_equal(part->local, TEXT("attribute")))
            ending = global ? text_format(&memory, "@%s:%.*s", prefix, TEXT_ARG(name))
                            : text_format(&memory, "/@%.*s", TEXT_ARG(name));
        if (text_equal(part->local, TEXT("enumeration")))
            xml_attribute(part, TEXT("value"), &word);
        if ((ending.length || word.bytes) && !found_out(ending, word))
            fail_msg("%s: no valid example has %.*s%.*s", file, TEXT_ARG(ending), TEXT_ARG(word));
        find_unused(file, prefix, part);
    }
}

static void everything_declared_stands_in_an_example(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob("schemas/common/*.xsd", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const struct xml_element *schema;
        struct text namespace = {0};
        const char *prefix = NULL;
        assert_int_equal(xml_tree_read(read_file(files.gl_pathv[i]), &memory, &schema), OK);
        xml_attribute(schema, TEXT("targetNamespace"), &namespace);
        for (size_t k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++)
            if (text_equal(text_of(prefixes[k].namespace), namespace))
                prefix = prefixes[k].prefix;
        if (prefix)
            find_unused(files.gl_pathv[i], prefix, schema);
        else
            assert_int_equal(namespace.length, 0);
    }
    globfree(&files);
}

static void write_roles(struct text_builder *page, const struct usage *usage, enum xcap_tree tree)
{
    static const char *const operations[] = {"read", "write", "delete"};
    static const char *const roles[] = {"anyone", "user", "owner", "server", "operator", "admin", "auditor"};
    for (enum usage_operation operation = USAGE_READ; operation <= USAGE_DELETE; operation++) {
        builder_add_format(page, "%.*s: %s %s by", TEXT_ARG(usage->auid), tree == XCAP_USERS ? "users" : "global",
                           operations[operation]);
        for (enum usage_role role = USAGE_ANYONE; role < USAGE_NOBODY; role++)
            if (usage_allows(usage, tree, operation, role))
                builder_add_format(page, " %s", roles[role]);
        builder_add_char(page, '\n');
    }
}

/* What the manifest says, for whoever compares it with the standard. */
static void write_usage(struct text_builder *page, const struct usage *usage)
{
    bool trees[] = {[XCAP_USERS] = false, [XCAP_GLOBAL] = false};
    builder_add_format(page, "%.*s: %.*s, begins with %.*s, selectors mean %.*s, at most %zu bytes, %u deep\n",
                       TEXT_ARG(usage->auid), TEXT_ARG(usage->mime), TEXT_ARG(usage->root), TEXT_ARG(usage->namespace),
                       usage->bytes_max, usage->depth_max);
    for (size_t i = 0; i < usage->documents_count; i++) {
        const struct usage_document *document = &usage->documents[i];
        trees[document->tree] = true;
        builder_add_format(page, "%.*s: %s %.*s%s\n", TEXT_ARG(usage->auid),
                           document->tree == XCAP_USERS ? "users" : "global", TEXT_ARG(document->pattern),
                           document->kind == USAGE_COMPUTED ? ", made" : "");
    }
    for (enum xcap_tree tree = XCAP_USERS; tree <= XCAP_GLOBAL; tree++)
        if (trees[tree])
            write_roles(page, usage, tree);
}

static void complain_of_lines(struct text page, struct text other, const char *what)
{
    struct text line, all = text_format(&memory, "\n%.*s", TEXT_ARG(other));
    while (page.length) {
        text_cut(page, '\n', &line, &page);
        struct text wanted = text_format(&memory, "\n%.*s\n", TEXT_ARG(line));
        if (text_find(all, wanted) == all.length)
            print_error("%s: %.*s\n", what, TEXT_ARG(line));
    }
}

static void services_let_through_what_the_inventory_says(void **state)
{
    (void)state;
    struct text_builder page;
    builder_init(&page, &memory);
    for (size_t i = 0; i < usage_count(set); i++)
        write_usage(&page, usage_at(set, i));
    qsort(facts, facts_count, sizeof(facts[0]), fact_order);
    for (size_t i = 0; i < facts_count; i++)
        write_fact(&page, &facts[i]);
    if (output) {
        FILE *stream = fopen(INVENTORY, "w");
        assert_non_null(stream);
        fwrite(page.bytes, 1, page.length, stream);
        fclose(stream);
    }
    struct text written = read_file(INVENTORY);
    if (text_equal(written, builder_text(&page)))
        return;
    complain_of_lines(written, builder_text(&page), "no longer so");
    complain_of_lines(builder_text(&page), written, "now so");
    fail_msg("schemas/ and " INVENTORY " differ; if that is meant: usages_inventory_test --write, and read the diff");
}

static void strangers_are_refused_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < usage_count(set); i++)
        try_usage(usage_at(set, i));
}

static int open_all(void **state)
{
    (void)state;
    xml_open();
    arena_init(&memory, "inventory");
    arena_init(&scratch, "attempt");
    struct text error = {0};
    if (usage_set_load("schemas", &set, &memory, &error) == OK)
        return 0;
    print_error("%.*s\n", TEXT_ARG(error));
    return -1;
}

static int close_all(void **state)
{
    (void)state;
    usage_set_free(set);
    arena_clear(&memory);
    arena_clear(&scratch);
    xml_close();
    return 0;
}

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_refused_everywhere), /* first: finds out what the others look at */
        cmocka_unit_test(everything_declared_stands_in_an_example),
        cmocka_unit_test(services_let_through_what_the_inventory_says),
    };
    output = argument_count > 1 && strcmp(arguments[1], "--write") == 0;
    return cmocka_run_group_tests(tests, open_all, close_all);
}
