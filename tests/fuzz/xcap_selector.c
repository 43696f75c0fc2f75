/* Arbitrary node selectors. The input is selector, query and default namespace, each but the last ended by a zero byte.
 * What is read has the limits of its contract, and its own steps, written one after another, read the same again. */
#include <assert.h>

#include "xcap_selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text next_part(struct text *rest)
{
    struct text part;
    text_cut(*rest, '\0', &part, rest);
    return part;
}

static void check_step(const struct xcap_step *step, struct text written)
{
    assert(step->written.length && step->written.bytes >= written.bytes &&
           step->written.bytes + step->written.length <= written.bytes + written.length);
    assert(step->any_name || step->local.length);
    assert(!step->has_attribute || step->attribute_local.length);
}

static bool same_step(const struct xcap_step *one, const struct xcap_step *other)
{
    return one->any_name == other->any_name && text_equal(one->namespace, other->namespace) &&
           text_equal(one->local, other->local) && one->position == other->position &&
           one->has_attribute == other->has_attribute &&
           text_equal(one->attribute_namespace, other->attribute_namespace) &&
           text_equal(one->attribute_local, other->attribute_local) &&
           text_equal(one->attribute_value, other->attribute_value) && one->prefixed == other->prefixed &&
           text_equal(one->written, other->written);
}

/* The elements of the selector alone, as phrases and "ancestor" write them. */
static void check_rewritten(const struct xcap_selector *selector, struct text standard_namespace, struct arena *arena)
{
    struct xcap_selector again;
    struct refusal refusal = {0};
    struct text_builder path;
    builder_init(&path, arena);
    for (size_t i = 0; i < selector->steps_count; i++) {
        if (i)
            builder_add_char(&path, '/');
        builder_add(&path, selector->steps[i].written);
    }
    assert(xcap_selector_parse(builder_text(&path), selector->query, standard_namespace, arena, &again, &refusal) ==
           OK);
    assert(again.terminal == XCAP_ELEMENT && again.steps_count == selector->steps_count);
    for (size_t i = 0; i < again.steps_count; i++)
        assert(same_step(&again.steps[i], &selector->steps[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    struct text written = next_part(&rest), query = next_part(&rest), standard_namespace = rest;
    struct xcap_selector selector;
    struct refusal refusal = {0};
    struct arena arena;
    arena_init(&arena, "fuzz");
    if (xcap_selector_parse(written, query, standard_namespace, &arena, &selector, &refusal) == OK) {
        assert(selector.steps_count > 0 && selector.steps_count <= XCAP_STEPS_MAX);
        assert(selector.terminal != XCAP_ATTRIBUTE || selector.attribute_local.length);
        for (size_t i = 0; i < selector.steps_count; i++)
            check_step(&selector.steps[i], written);
        check_rewritten(&selector, standard_namespace, &arena);
    } else {
        assert(refusal.kind == REFUSAL_SYNTAX || refusal.kind == REFUSAL_ABSENT ||
               refusal.kind == REFUSAL_URI_TOO_LONG);
    }
    arena_clear(&arena);
    return 0;
}
