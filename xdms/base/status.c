/* Names of outcomes and the two one-line ways to refuse a peer. */
#include "status.h"

#include <assert.h>

const char *status_name(enum status status)
{
    switch (status) {
    case OK: return "ok";
    case REFUSED: return "refused";
    case NOT_FOUND: return "not_found";
    case CONFLICT: return "conflict";
    case TAKEN: return "taken";
    case FULL: return "full";
    case FAILED: return "failed";
    case UNCERTAIN: return "uncertain";
    }
    return "unknown";
}

enum status refuse(struct refusal *refusal, enum refusal_kind kind, const char *phrase)
{
    assert(kind != REFUSAL_NONE && kind != REFUSAL_CONFLICT);
    *refusal = (struct refusal){.kind = kind, .phrase = text_of(phrase)};
    return REFUSED;
}

enum status refuse_conflict(struct refusal *refusal, const char *element, struct text phrase)
{
    assert(element);
    *refusal = (struct refusal){.kind = REFUSAL_CONFLICT, .element = element, .phrase = phrase};
    return REFUSED;
}
