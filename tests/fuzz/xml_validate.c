/* Any bytes as a document and as a fragment: no leak, phrases that can be sent, and what libxml2 accepts behind the
 * screen is what our own reader of trees accepts. */
#include "xml_validate.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "xml_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opened;
    if (!opened)
        xml_open();
    opened = true;
    struct text bytes = {(const char *)data, size};
    struct arena arena;
    struct refusal refusal = {0};
    struct xml_document *document = NULL;
    arena_init(&arena, "fuzz");
    if (xml_parse(bytes, &XML_LIMITS_STANDARD, &arena, &document, &refusal) == OK) {
        const struct xml_element *root;
        enum status read = xml_tree_read(bytes, &arena, &root);
        assert(read == OK);
    } else {
        assert(refusal.kind == REFUSAL_CONFLICT && refusal.phrase.length && utf8_valid(refusal.phrase));
    }
    xml_document_free(document);
    struct text scope = TEXT("xmlns:p='urn:p'");
    if (xml_check_fragment(bytes, scope, &XML_LIMITS_STANDARD, &arena, &refusal) != OK)
        assert(refusal.phrase.length && utf8_valid(refusal.phrase));
    arena_clear(&arena);
    return 0;
}
