/* Edits of arbitrary documents. The input is node selector, query, default namespace, body and document, each but the
 * last ended by a zero byte. What is put into a good document can be read again, leaves a good document, and a deletion
 * undoes an insertion up to "<a/>" becoming "<a></a>". */
#include <assert.h>

#include "xcap_edit.h"
#include "xcap_error.h"
#include "xml_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text next_part(struct text *rest)
{
    struct text part;
    text_cut(*rest, '\0', &part, rest);
    return part;
}

/* A byte order mark before the body is not kept. */
static struct text without_mark(struct text body)
{
    struct text mark = TEXT("\xEF\xBB\xBF");
    return text_starts_with(body, mark) ? text_slice(body, mark.length, body.length) : body;
}

static void check_put(struct text document, const struct xcap_selector *selector, struct text body, struct arena *arena)
{
    const struct xml_element *root;
    struct refusal refusal = {0};
    struct text result, node, undone;
    bool created, good = xml_tree_read(document, arena, &root) == OK;
    if (xcap_put(document, selector, body, arena, &result, &created, &refusal) != OK) {
        if (refusal.kind == REFUSAL_CONFLICT)
            assert(xml_tree_read(xcap_error_write(&refusal, arena), arena, &root) == OK);
        return;
    }
    assert(xcap_get(result, selector, arena, &node) == OK);
    if (selector->terminal == XCAP_ELEMENT)
        assert(text_equal(node, text_trim(without_mark(body))));
    /* a body at the limits of the tree may pass them inside the document; the document check is the caller's */
    if (good && result.length < 2000)
        assert(xml_tree_read(result, arena, &root) == OK);
    if (created && xcap_delete(result, selector, arena, &undone, &refusal) == OK)
        assert(undone.length >= document.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    struct text written = next_part(&rest), query = next_part(&rest);
    struct text standard_namespace = next_part(&rest), body = next_part(&rest), document = rest;
    struct xcap_selector selector;
    struct refusal refusal;
    struct arena arena;
    arena_init(&arena, "fuzz");
    if (xcap_selector_parse(written, query, standard_namespace, &arena, &selector, &refusal) == OK) {
        struct text node, result;
        check_put(document, &selector, body, &arena);
        if (xcap_get(document, &selector, &arena, &node) == OK && selector.terminal != XCAP_NAMESPACES)
            assert(node.bytes >= document.bytes && node.bytes + node.length <= document.bytes + document.length);
        if (xcap_delete(document, &selector, &arena, &result, &refusal) == OK)
            assert(result.length < document.length && xcap_get(result, &selector, &arena, &node) == NOT_FOUND);
    }
    arena_clear(&arena);
    return 0;
}
