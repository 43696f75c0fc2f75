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
    {TEXT_INIT("see"), NAMES, TEXT_INIT("see"), TEXT_INIT(""), POLICY_SET, NULL, 0},
};
#define PERMISSIONS_COUNT 4

static const struct text identities[] = {TEXT_INIT("sip:bo@a.example"), TEXT_INIT("tel:+15551234"),
                                         TEXT_INIT("sip:cid@b.example")};

static const struct policy_lists *make_lists(const struct policy *policy, struct arena *arena)
{
    const struct text *anchors;
    size_t count = policy_anchors(policy, &anchors);
    struct policy_lists *lists = policy_lists_new(arena);
    for (size_t i = 0; i < count; i++) {
        assert(anchors[i].length > 0);
        for (size_t n = 0; n < 3; n++)
            if ((anchors[i].bytes[0] ^ identities[n].bytes[5]) & 1)
                policy_lists_add(lists, i, identities[n]);
    }
    return lists;
}

static void check_items(const struct policy *policy, const uint64_t *items, const struct policy_decision *decision)
{
    const struct policy_item *known;
    size_t count = policy_items(policy, &known);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        assert(known[i].permission == 3);
        any = any || (items[i / 64] >> i % 64 & 1);
    }
    assert(any == (decision->permissions[3].rank == 1));
}

/* The decision, and that its explanation names as many rules. */
static void decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out)
{
    struct arena arena;
    const struct policy_item *known;
    const struct policy_rule_report *reports;
    unsigned applied = 0;
    arena_init(&arena, "decision");
    uint64_t *items = arena_array(&arena, uint64_t, POLICY_ITEM_WORDS(policy_items(policy, &known)) + 1);
    policy_decide(policy, request, decision_out, items);
    for (size_t i = 0; i < POLICY_PERMISSIONS_MAX; i++) {
        assert(decision_out->permissions[i].present ? i < PERMISSIONS_COUNT : decision_out->permissions[i].rank == 0);
        assert(!decision_out->permissions[i].present || decision_out->rules_matched > 0);
    }
    assert(!decision_out->permissions[0].present || decision_out->permissions[0].rank <= 1);
    check_items(policy, items, decision_out);
    size_t count = policy_explain(policy, request, &arena, &reports);
    for (size_t i = 0; i < count; i++)
        applied += reports[i].fate == POLICY_RULE_APPLIED;
    assert(applied == decision_out->rules_matched);
    assert(policy_next_border(policy, request->wall_ms) > request->wall_ms);
    arena_clear(&arena);
}

static void ask(const struct policy *by_union, const struct policy *by_layers, struct arena *arena)
{
    const struct policy_lists *lists = make_lists(by_union, arena);
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
            .invited = identities,
            .invited_count = variant & 3,
            .profile = variant & 8 ? TEXT("home") : TEXT(""),
            .quality = variant & 4 ? TEXT("basic") : TEXT(""),
            .country = variant & 2 ? TEXT("NL") : TEXT(""),
            .region = variant & 1 ? TEXT("Utrecht") : TEXT(""),
            .deferred = variant & 4,
            .expired = variant & 16,
            .lists = lists,
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
    static const struct policy_vocabulary vocabularies[] = {{permissions, PERMISSIONS_COUNT, POLICY_UNION},
                                                            {permissions, PERMISSIONS_COUNT, POLICY_LAYERS}};
    struct arena arena;
    const struct xml_element *root;
    const struct policy *by_union, *by_layers;
    arena_init(&arena, "fuzz");
    if (xml_tree_read((struct text){(const char *)data, size}, &arena, &root) == OK &&
        policy_compile(root, &vocabularies[0], &arena, &by_union) == OK &&
        policy_compile(root, &vocabularies[1], &arena, &by_layers) == OK)
        ask(by_union, by_layers, &arena);
    arena_clear(&arena);
    return 0;
}
