/* Any document as a ruleset: compiled and asked by several requesters. Layers never match more rules than union does,
 * and nobody matches a policy without rules. */
#include <assert.h>

#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct policy_value levels[] = {{TEXT_INIT("low"), 0}, {TEXT_INIT("high"), 30}};

#define NAMES TEXT_INIT("urn:names")
static const struct policy_permission permissions[] = {
    {TEXT_INIT("join"), NAMES, TEXT_INIT("join"), TEXT_INIT("allow"), POLICY_OR, levels, 2},
    {TEXT_INIT("level"), NAMES, TEXT_INIT("level"), TEXT_INIT(""), POLICY_MAX, levels, 2},
    {TEXT_INIT("count"), NAMES, TEXT_INIT("count"), TEXT_INIT(""), POLICY_MAX, NULL, 0},
};

static bool in_list(void *context, struct text anchor, struct text identity)
{
    (void)context;
    assert(anchor.length > 0 && identity.length > 0);
    return (anchor.bytes[0] ^ identity.bytes[identity.length - 1]) & 1;
}

static void decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out)
{
    policy_decide(policy, request, decision_out);
    for (size_t i = 0; i < POLICY_PERMISSIONS_MAX; i++) {
        assert(decision_out->permissions[i].present ? i < 3 : decision_out->permissions[i].rank == 0);
        assert(!decision_out->permissions[i].present || decision_out->rules_matched > 0);
    }
    assert(!decision_out->permissions[0].present || decision_out->permissions[0].rank <= 1);
}

static void ask(const struct policy *by_union, const struct policy *by_layers)
{
    static const struct text identities[] = {TEXT_INIT("sip:bo@a.example"), TEXT_INIT("tel:+15551234"),
                                             TEXT_INIT("sip:cid@b.example")};
    for (unsigned variant = 0; variant < 32; variant++) {
        struct policy_request request = {
            .identities = &identities[variant & 1],
            .identities_count = variant >> 1 & 3 ? (variant >> 1 & 3) - 1 : 0,
            .anonymous = variant & 8,
            .wall_ms = 1767614400000,
            .sphere = variant & 16 ? TEXT("Work") : TEXT(""),
            .media = variant & 2 ? TEXT("audio") : TEXT(""),
            .service = variant & 4 ? TEXT("IM") : TEXT(""),
            .is_member = variant & 1,
            .in_list = in_list,
        };
        struct policy_decision united, layered;
        decide(by_union, &request, &united);
        decide(by_layers, &request, &layered);
        assert(layered.rules_matched <= united.rules_matched);
        assert((layered.rules_matched == 0) == (united.rules_matched == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct policy_vocabulary vocabularies[] = {{permissions, 3, POLICY_UNION},
                                                            {permissions, 3, POLICY_LAYERS}};
    struct arena arena;
    const struct xml_element *root;
    const struct policy *by_union, *by_layers;
    const struct text *anchors;
    arena_init(&arena, "fuzz");
    if (xml_tree_read((struct text){(const char *)data, size}, &arena, &root) == OK &&
        policy_compile(root, &vocabularies[0], &arena, &by_union) == OK &&
        policy_compile(root, &vocabularies[1], &arena, &by_layers) == OK) {
        size_t count = policy_anchors(by_union, &anchors);
        for (size_t i = 0; i < count; i++)
            assert(anchors[i].length > 0);
        ask(by_union, by_layers);
    }
    arena_clear(&arena);
    return 0;
}
