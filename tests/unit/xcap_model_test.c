/* Thousands of random edits of small documents, each compared byte by byte with a slow model: a tree that is changed by
 * the words of RFC 4825 and written out. Equal bytes mean that nothing outside the edit moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "xcap_edit.h"
#include "xcap_index.h"
#include "xorshift.h"

#define ROUNDS       20000
#define CHILDREN_MAX 12
#define STEPS_MAX    4
#define NEVER        99 /* a position that nothing has */

struct node {
    const char *text; /* not NULL: text, comment, …, else an element */
    int name;         /* index into names */
    int id;           /* value of its attribute, 0: has none */
    char quote;
    bool self_closed; /* written <a/> while it has no children */
    struct node *children[CHILDREN_MAX + 1];
    int count;
};

struct step {
    int kind; /* of names, or -1 for a wildcard */
    int position, id;
};

struct path {
    struct step steps[STEPS_MAX];
    int count;
    bool attribute;
};

/* Two prefixes for one namespace: elements are of a kind, whatever they are called. */
static const struct {
    const char *written, *selector;
    int kind;
} names[] = {{"a", "a", 0}, {"b", "b", 1}, {"p:a", "x:a", 2}, {"q:a", "x:a", 2}, {"t", "t", 3}};

enum { NAME_ROOT = 4, NAMES_OF_CHILDREN = 4, KINDS_OF_CHILDREN = 3 };

static const char *const kind_selectors[] = {"a", "b", "x:a", "t"};
static const char *const texts[] = {"\n ",         "<!-- <a> -->",  "<![CDATA[</t><a>]]>",
                                    "<?x <b/> ?>", "t&amp;&#x3C;>", "'\""};

static struct arena arena;
static uint64_t random_state;

static int dice(int sides)
{
    return (int)(xorshift(&random_state) % (uint64_t)sides);
}

static struct node *random_node(int depth, int name)
{
    struct node *node = arena_new(&arena, struct node);
    node->name = name;
    node->id = dice(3) ? 1 + dice(3) : 0;
    node->quote = dice(2) ? '"' : '\'';
    node->self_closed = dice(2);
    for (int left = depth ? dice(6) : 0; left > 0; left--) {
        struct node *child = dice(3) ? random_node(depth - 1, dice(NAMES_OF_CHILDREN)) : arena_new(&arena, struct node);
        if (child->quote == '\0')
            child->text = texts[dice((int)(sizeof(texts) / sizeof(texts[0])))];
        node->children[node->count++] = child;
    }
    return node;
}

static void write_node(struct text_builder *out, const struct node *node)
{
    if (node->text) {
        builder_add(out, text_of(node->text));
        return;
    }
    builder_add_format(out, "<%s", names[node->name].written);
    if (node->name == NAME_ROOT)
        builder_add(out, TEXT(" xmlns='urn:d' xmlns:p='urn:p' xmlns:q='urn:p'"));
    if (node->id)
        builder_add_format(out, " id=%c%d%c", node->quote, node->id, node->quote);
    if (node->self_closed && node->count == 0) {
        builder_add(out, TEXT("/>"));
        return;
    }
    builder_add_char(out, '>');
    for (int i = 0; i < node->count; i++)
        write_node(out, node->children[i]);
    builder_add_format(out, "</%s>", names[node->name].written);
}

static struct text written(const struct node *node)
{
    struct text_builder out;
    builder_init(&out, &arena);
    write_node(&out, node);
    return builder_text(&out);
}

static struct path random_path(void)
{
    struct path path = {.count = 1 + dice(3), .attribute = dice(4) == 0};
    for (int i = 0; i < path.count; i++) {
        struct step *step = &path.steps[i];
        step->kind = dice(4) ? dice(KINDS_OF_CHILDREN) : -1;
        step->position = dice(2) ? 0 : 1 + dice(4);
        step->id = dice(2) ? 0 : 1 + dice(3);
        if (dice(50) == 0)
            step->position = NEVER;
    }
    if (dice(50))
        path.steps[0] = (struct step){.kind = names[NAME_ROOT].kind};
    return path;
}

static struct text written_path(const struct path *path)
{
    struct text_builder out;
    builder_init(&out, &arena);
    for (int i = 0; i < path->count; i++) {
        const struct step *step = &path->steps[i];
        builder_add_format(&out, "%s%s", i ? "/" : "", step->kind < 0 ? "*" : kind_selectors[step->kind]);
        if (step->position)
            builder_add_format(&out, "[%d]", step->position == NEVER ? 0 : step->position);
        if (step->id)
            builder_add_format(&out, "[@id='%d']", step->id);
    }
    if (path->attribute)
        builder_add(&out, TEXT("/@id"));
    return builder_text(&out);
}

/* --- the model ------------------------------------------------------------------------------------------------- */

/* Children that a step matches; the index of the last one found. */
static int matches(const struct node *parent, const struct step *step, int *index_out)
{
    int position = 0, count = 0;
    for (int i = 0; i < parent->count; i++) {
        const struct node *child = parent->children[i];
        if (child->text || (step->kind >= 0 && names[child->name].kind != step->kind))
            continue;
        position++;
        if ((step->position && position != step->position) || (step->id && child->id != step->id))
            continue;
        *index_out = i;
        count++;
    }
    return count;
}

static struct node *walk(struct node *document, const struct path *path, int steps_count)
{
    struct node *node = document;
    for (int i = 0; i < steps_count; i++) {
        int index;
        if (matches(node, &path->steps[i], &index) != 1)
            return NULL;
        node = node->children[index];
    }
    return node;
}

static void insert_child(struct node *parent, int index, struct node *child)
{
    memmove(parent->children + index + 1, parent->children + index,
            (size_t)(parent->count - index) * sizeof(parent->children[0]));
    parent->children[index] = child;
    parent->count++;
}

/* RFC 4825 §8.2.3: index among all children, -1 when it fails. */
static int insertion_index(const struct node *parent, const struct step *step, const struct node *body)
{
    int elements[CHILDREN_MAX], same[CHILDREN_MAX], elements_count = 0, same_count = 0;
    for (int i = 0; i < parent->count; i++) {
        if (parent->children[i]->text)
            continue;
        elements[elements_count++] = i;
        if (names[parent->children[i]->name].kind == names[body->name].kind)
            same[same_count++] = i;
    }
    bool wildcard = step->kind < 0;
    if (same_count == 0 && !wildcard && step->position <= 1)
        return parent->count;
    if (same_count == 0 && wildcard && elements_count == 0 && step->position <= 1)
        return parent->count;
    if (same_count == 0 && wildcard && step->position == 0 && step->id)
        return parent->count;
    if (step->position == 0)
        return same_count && step->id ? same[same_count - 1] + 1 : -1;
    const int *pool = wildcard ? elements : same;
    int pool_count = wildcard ? elements_count : same_count;
    if (step->position > 1)
        return pool_count >= step->position - 1 ? pool[step->position - 2] + 1 : -1;
    return pool_count ? pool[0] : -1;
}

static const char *model_put_element(struct node *document, const struct path *path, struct node *body)
{
    const struct step *step = &path->steps[path->count - 1];
    struct node *parent = walk(document, path, path->count - 1);
    int index;
    if (!parent)
        return "no-parent";
    int count = matches(parent, step, &index);
    if (count > 1)
        return "cannot-insert";
    if (count == 1) {
        parent->children[index] = body;
    } else {
        index = parent == document ? -1 : insertion_index(parent, step, body);
        if (index < 0)
            return "cannot-insert";
        insert_child(parent, index, body);
    }
    if (walk(document, path, path->count) != body)
        return "cannot-insert";
    return count ? "200" : "201";
}

static const char *model_put_attribute(struct node *document, const struct path *path, int value, char quote)
{
    struct node *node = walk(document, path, path->count);
    if (!node)
        return "no-parent";
    bool there = node->id != 0;
    node->id = value;
    node->quote = quote;
    return walk(document, path, path->count) != node ? "cannot-insert" : there ? "200" : "201";
}

static const char *model_delete(struct node *document, const struct path *path)
{
    struct node *node = walk(document, path, path->count);
    if (!node || (path->attribute && !node->id))
        return "404";
    if (path->attribute) {
        node->id = 0;
        node = walk(document, path, path->count);
        return node && node->id ? "cannot-delete" : "200";
    }
    if (path->count == 1)
        return "schema-validation-error";
    struct node *parent = walk(document, path, path->count - 1);
    int index = 0;
    while (parent->children[index] != node)
        index++;
    parent->count--;
    parent->self_closed = false;
    memmove(parent->children + index, parent->children + index + 1,
            (size_t)(parent->count - index) * sizeof(parent->children[0]));
    return walk(document, path, path->count) ? "cannot-delete" : "200";
}

/* --- the comparison -------------------------------------------------------------------------------------------- */

static const char *answer_of(enum status status, bool created, const struct refusal *refusal)
{
    if (status == OK)
        return created ? "201" : "200";
    return status == NOT_FOUND ? "404" : refusal->element;
}

static void compare(const struct node *model, const char *expected, const char *answer, struct text before,
                    struct text result, struct text selector)
{
    bool good = strcmp(expected, answer) == 0;
    if (good && expected[0] == '2')
        good = text_equal(result, written(model));
    if (!good)
        fail_msg("document %.*s\nselector %.*s\nanswered %s: %.*s\nmodel    %s: %.*s", TEXT_ARG(before),
                 TEXT_ARG(selector), answer, TEXT_ARG(result), expected, TEXT_ARG(written(model)));
}

static void one_round(void)
{
    struct node outside = {.children = {random_node(3, NAME_ROOT)}, .count = 1, .name = NAME_ROOT};
    struct path path = random_path();
    struct text before = written(outside.children[0]), written_selector = written_path(&path), result = {0}, node;
    struct xcap_selector selector;
    struct refusal refusal = {0};
    bool created = false;
    assert_int_equal(
        xcap_selector_parse(written_selector, TEXT("xmlns(x=urn:p)"), TEXT("urn:d"), &arena, &selector, &refusal), OK);
    const struct node *found = walk(&outside, &path, path.count);
    enum status status = xcap_get(before, &selector, &arena, &node);
    assert_int_equal(status, found && (!path.attribute || found->id) ? OK : NOT_FOUND);
    if (status == OK && !path.attribute)
        assert_true(text_equal(node, written(found)));

    struct xcap_index *index = xcap_index_new(before);
    struct text indexed = {0};
    assert_int_equal(xcap_index_get(index, before, &selector, &arena, &indexed), status);
    assert_true(status != OK || text_equal(indexed, node));
    xcap_index_free(index);

    const char *expected;
    if (dice(3) == 0) {
        status = xcap_delete(before, &selector, &arena, &result, &refusal);
        expected = model_delete(&outside, &path);
    } else if (path.attribute) {
        int value = 1 + dice(3);
        char quote = dice(2) ? '"' : '\'';
        struct text body = text_format(&arena, "%c%d%c", quote, value, quote);
        status = xcap_put(before, &selector, body, &arena, &result, &created, &refusal);
        expected = model_put_attribute(&outside, &path, value, quote);
    } else {
        struct node *body = random_node(1, path.count == 1 && dice(3) ? NAME_ROOT : dice(NAMES_OF_CHILDREN));
        bool bound = path.count > 1 || body->name == NAME_ROOT;
        status = xcap_put(before, &selector, written(body), &arena, &result, &created, &refusal);
        expected = model_put_element(&outside, &path, body);
        if (!bound && refusal.element && strcmp(refusal.element, "not-xml-frag") == 0)
            expected = "not-xml-frag"; /* nothing binds prefixes outside the root */
    }
    compare(outside.count ? outside.children[0] : NULL, expected, answer_of(status, created, &refusal), before, result,
            written_selector);
}

static void random_edits_equal_the_model(void **state)
{
    (void)state;
    arena_init(&arena, "model");
    for (int round = 0; round < ROUNDS; round++) {
        random_state = 0x9E3779B97F4A7C15u * (uint64_t)(round + 1);
        one_round();
        arena_reset(&arena);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_edits_equal_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
