/* Arbitrary request targets: what is read stays within the limits, and a selector that is read has steps. */
#include <assert.h>

#include "xcap_selector.h"
#include "xcap_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct text roots[] = {TEXT_INIT("/"), TEXT_INIT("/xcap-root/")};
    struct text raw = {(const char *)data, size};
    struct xcap_target target;
    struct xcap_selector selector;
    struct refusal refusal = {0};
    struct arena arena;
    arena_init(&arena, "fuzz");
    if (xcap_target_parse(raw, roots, 2, &arena, &target, &refusal) == OK) {
        assert(target.auid.length && target.auid.length <= XCAP_AUID_MAX);
        assert(target.xui.length <= XCAP_XUI_MAX && (target.tree == XCAP_USERS) == (target.xui.length > 0));
        assert(target.name.length <= XCAP_NAME_MAX && utf8_valid(target.name) && utf8_valid(target.node));
        assert(target.document_path.length && target.document_path.bytes[0] == '/');
        assert(!target.has_node || (target.name.length && target.node.length));
        refusal = (struct refusal){0};
        if (target.has_node &&
            xcap_selector_parse(target.node, target.query, TEXT("urn:d"), &arena, &selector, &refusal) == OK)
            assert(selector.steps_count > 0 && selector.steps_count <= XCAP_STEPS_MAX);
        else
            assert(!target.has_node || refusal.kind == REFUSAL_SYNTAX || refusal.kind == REFUSAL_ABSENT ||
                   refusal.kind == REFUSAL_URI_TOO_LONG);
    } else {
        assert(refusal.kind == REFUSAL_SYNTAX || refusal.kind == REFUSAL_ABSENT ||
               refusal.kind == REFUSAL_URI_TOO_LONG);
    }
    arena_clear(&arena);
    return 0;
}
