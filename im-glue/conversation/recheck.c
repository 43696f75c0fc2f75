/* The rules of a recipient once more when he gets what was kept for him: he may have blocked its sender since. */
#include "kept_private.h"
#include "privacy_private.h"

/* All his addresses, as they were looked at when the message came. */
static size_t identities_of(struct conversation *conversation, struct text sender, struct arena *arena,
                            struct text identities_out[1 + USER_ALIASES_MAX])
{
    struct user user;
    if (person_find(conversation, sender, arena, &user) == OK)
        return user_identities(&user, identities_out);
    identities_out[0] = sender;
    return 1;
}

/* What the server itself says, and what he wants to see again, is not asked about. */
static bool is_asked_about(const struct delivery *delivery)
{
    const struct deferred *deferred = &delivery->deferred;
    return !delivery->recipient->domain && deferred->kind != DEFERRED_REPORT && !deferred->again;
}

enum status recheck_rules(struct delivery *delivery, const struct sip_message *stored, struct text *rule_out)
{
    static const struct group_question kept = {.deferred = true};
    struct conversation *conversation = delivery->conversation;
    struct text identities[1 + USER_ALIASES_MAX];
    struct group_decision decision;
    if (!is_asked_about(delivery))
        return OK;
    const struct group_sender sender = {
        .identities = identities,
        .identities_count = identities_of(conversation, delivery->deferred.sender, &delivery->arena, identities),
        .anonymous = privacy_hides_sender(stored, &delivery->arena),
        .wall_ms = conversation->now.wall_ms,
        .question = &kept,
    };
    if (group_decide(conversation->groups, text_of(delivery->recipient->address), &sender, &delivery->arena,
                     &decision) != OK)
        return FAILED;
    *rule_out = decision.rule;
    bool by_a_rule = decision.rule.length > 0; /* what let it in may hold at some hours alone */
    return decision.verdict == GROUP_BLOCK && by_a_rule ? REFUSED : OK;
}
