/* From permissions to an answer, by the rows of a manifest. It must not know what the kinds of questions mean. */
#include "policy.h"

static bool speaks_of(const struct policy_verdict *verdict, struct text kind)
{
    for (size_t i = 0; i < verdict->kinds_count; i++) {
        if (text_equal(verdict->kinds[i], kind))
            return true;
    }
    return false;
}

bool policy_kind_known(const struct policy_vocabulary *vocabulary, struct text kind)
{
    for (size_t i = 0; i < vocabulary->verdicts_count; i++) {
        if (speaks_of(&vocabulary->verdicts[i], kind))
            return true;
    }
    return false;
}

enum policy_answer policy_answer(const struct policy_vocabulary *vocabulary, const struct policy_decision *decision,
                                 struct text kind, size_t *permission_out)
{
    for (size_t i = 0; i < vocabulary->verdicts_count; i++) {
        const struct policy_verdict *verdict = &vocabulary->verdicts[i];
        int64_t rank = decision->permissions[verdict->permission].rank;
        if (!decision->permissions[verdict->permission].present || !speaks_of(verdict, kind))
            continue;
        if (verdict->any_rank ? rank > 0 : rank == verdict->rank) {
            *permission_out = verdict->permission;
            return verdict->answer;
        }
    }
    return POLICY_NO_ANSWER;
}
