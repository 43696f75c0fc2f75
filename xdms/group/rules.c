/* The rules of one recipient: every document of his im-rules home, compiled as one ruleset, so that a rule that names
 * the sender wins over a general one in whichever document it stands. */
#include "group_private.h"
#include "xml_tree.h"

#define RULE_DOCUMENTS_MAX 32 /* of one user that count; more are not read */

static enum status compile(struct groups *groups, struct text recipient, const struct key_page *page,
                           struct rules **rules_out);
static void decide(const struct groups *groups, const struct rules *rules, const struct group_sender *sender,
                   struct arena *arena, struct group_decision *decision_out);

/* Are the documents still those that it was made of? New and vanished ones show in the list. */
static bool rules_hold(const struct groups *groups, const struct rules *rules, const struct key_page *page)
{
    if (rules->versions_count != page->count)
        return false;
    for (size_t i = 0; i < page->count; i++)
        if (rules->versions[i] != page->versions[i])
            return false;
    return entry_holds(groups, &rules->entry);
}

static enum status rules_find(struct groups *groups, struct text recipient, const struct rules **rules_out)
{
    struct arena arena;
    struct key_page page = {0};
    struct entry *entry = cache_find(&groups->rules_cache, recipient);
    if (entry && entry->checked_at >= groups->changed_at) {
        *rules_out = (struct rules *)entry;
        return OK;
    }
    arena_init(&arena, "rules");
    enum status status =
        document_list(groups->documents, groups->rules_usage, recipient, NULL, RULE_DOCUMENTS_MAX, &arena, &page);
    if (status == OK && entry && !rules_hold(groups, (struct rules *)entry, &page)) {
        cache_remove(&groups->rules_cache, entry);
        entry = NULL;
    }
    struct rules *rules;
    if (status == OK && !entry && (status = compile(groups, recipient, &page, &rules)) == OK) {
        entry = &rules->entry;
        cache_add(&groups->rules_cache, entry);
    }
    arena_clear(&arena);
    if (status != OK)
        return FAILED;
    entry->checked_at = groups->changed_at;
    *rules_out = (struct rules *)entry;
    return OK;
}

enum status group_decide(struct groups *groups, struct text recipient, const struct group_sender *sender,
                         struct arena *arena, struct group_decision *decision_out)
{
    const struct rules *rules;
    groups_refresh(groups);
    bool about_storage = text_equal(question_kind(sender), TEXT("storage"));
    bool anonymous = sender->anonymous || sender->identities_count == 0;
    bool accepted = groups->settings.accept_by_default && (!anonymous || groups->settings.accept_anonymous);
    bool allowed = about_storage ? groups->settings.store_by_default : accepted;
    *decision_out = (struct group_decision){
        .verdict = allowed ? GROUP_DELIVER : GROUP_BLOCK,
        .may_store = groups->settings.store_by_default,
    };
    if (!groups->rules_usage)
        return OK;
    enum status status = rules_find(groups, recipient, &rules);
    if (status == OK && rules->entry.policy)
        decide(groups, rules, sender, arena, decision_out);
    return status;
}

/* One document's rules become the next children of the ruleset. */
static enum status join(struct groups *groups, struct rules *rules, const struct document_key *key,
                        struct xml_element *ruleset, const struct xml_element ***end)
{
    struct arena *arena = &rules->entry.arena;
    struct document_place place;
    struct stored stored;
    const struct xml_element *root;
    enum status status =
        place_of(groups, key, &place) ? document_read(groups->documents, &place, arena, &stored) : NOT_FOUND;
    if (status == NOT_FOUND) /* gone since the list was made: the next use sees it */
        return OK;
    if (status != OK || xml_tree_read(stored.bytes, arena, &root) != OK)
        return FAILED;
    entry_depends(&rules->entry, key, stored.version);
    for (const struct xml_element *rule = root->first_child; rule; rule = rule->next) {
        struct xml_element *copy = arena_new(arena, struct xml_element);
        *copy = *rule;
        copy->parent = ruleset;
        copy->next = NULL;
        **end = copy;
        *end = &copy->next;
    }
    return OK;
}

/* Rules of all documents become children of one ruleset element, which no document holds. */
static enum status fill(struct groups *groups, struct rules *rules, const struct key_page *page)
{
    struct arena *arena = &rules->entry.arena;
    struct xml_element *ruleset = arena_new(arena, struct xml_element);
    const struct xml_element **end = &ruleset->first_child;
    *ruleset = (struct xml_element){
        .namespace = TEXT("urn:ietf:params:xml:ns:common-policy"),
        .local = TEXT("ruleset"),
    };
    for (size_t i = 0; i < page->count; i++)
        if (join(groups, rules, &page->keys[i], ruleset, &end) != OK)
            return FAILED;
    if (!ruleset->first_child)
        return OK;
    if (policy_compile(ruleset, &groups->rules_usage->vocabulary, arena, &rules->entry.policy) != OK)
        return FAILED;
    entry_resolve_policy_lists(groups, &rules->entry, page->keys[0].owner);
    return OK;
}

static enum status compile(struct groups *groups, struct text recipient, const struct key_page *page,
                           struct rules **rules_out)
{
    struct rules *rules = memory_new(sizeof(*rules));
    entry_init(&rules->entry, recipient);
    rules->versions = arena_array(&rules->entry.arena, uint64_t, page->count + 1);
    rules->versions_count = page->count;
    if (page->count)
        memcpy(rules->versions, page->versions, page->count * sizeof(*rules->versions));
    enum status status = fill(groups, rules, page);
    if (status != OK)
        entry_free(&rules->entry);
    else
        *rules_out = rules;
    return status;
}

static void rule_on(const struct groups *groups, const struct rules *rules, const struct group_sender *sender,
                    struct group_ruling *ruling_out)
{
    const struct policy *policy = rules->entry.policy;
    *ruling_out = (struct group_ruling){
        .policy = policy,
        .vocabulary = &groups->rules_usage->vocabulary,
        .sources = rules->entry.sources,
        .until_ms = policy ? policy_next_border(policy, sender->wall_ms) : INT64_MAX,
    };
    question_request(sender, &ruling_out->request);
    ruling_out->request.lists = rules->entry.lists;
}

enum status group_ruling_of_user(struct groups *groups, struct text recipient, const struct group_sender *sender,
                                 struct group_ruling *ruling_out)
{
    const struct rules *rules;
    groups_refresh(groups);
    if (!groups->rules_usage) {
        static const struct policy_vocabulary nothing;
        *ruling_out = (struct group_ruling){.vocabulary = &nothing, .until_ms = INT64_MAX};
        return OK;
    }
    enum status status = rules_find(groups, recipient, &rules);
    if (status == OK)
        rule_on(groups, rules, sender, ruling_out);
    return status;
}

static enum group_verdict verdict_of(enum policy_answer answer, enum group_verdict if_none)
{
    switch (answer) {
    case POLICY_NO_ANSWER: break;
    case POLICY_REJECT: return GROUP_BLOCK;
    case POLICY_ALLOW: return GROUP_DELIVER;
    case POLICY_ASK: return GROUP_ASK;
    case POLICY_DEFER: return GROUP_DEFER;
    }
    return if_none;
}

static void decide(const struct groups *groups, const struct rules *rules, const struct group_sender *sender,
                   struct arena *arena, struct group_decision *decision_out)
{
    struct policy_decision decision;
    struct group_ruling ruling;
    size_t permission;
    rule_on(groups, rules, sender, &ruling);
    policy_decide(ruling.policy, &ruling.request, &decision, NULL);
    enum policy_answer answer = policy_answer(ruling.vocabulary, &decision, question_kind(sender), &permission);
    decision_out->verdict = verdict_of(answer, decision_out->verdict);
    if (answer != POLICY_NO_ANSWER)
        decision_out->rule = text_copy(arena, decision.permissions[permission].rule);
    answer = policy_answer(ruling.vocabulary, &decision, TEXT("storage"), &permission);
    if (answer == POLICY_NO_ANSWER)
        return;
    decision_out->may_store = answer == POLICY_ALLOW;
    decision_out->store_rule = text_copy(arena, decision.permissions[permission].rule);
}
