/* Says which values of a document are taken by others, and proposes ones that are free now. */
#include "documents.h"

#define EXISTS_MAX    8  /* values named in one answer: a person mends them one by one */
#define PROPOSALS_MAX 2  /* alternatives to one value */
#define NUMBERS_MAX   50 /* suffixes that are tried: whoever wants a name so common has to think of another */

static enum status claim_state(const struct document_change *change, const struct usage_claim *claim);
static void add_exists(const struct document_change *change, const struct usage_claim *claim,
                       struct text_builder *content);

enum status change_refuse_taken(const struct document_change *change, struct text taken, struct arena *arena,
                                struct refusal *refusal)
{
    struct text_builder content;
    const struct usage_claim *first = NULL;
    size_t count = 0;
    builder_init(&content, arena);
    for (size_t i = 0; i < change->claims_count && count < EXISTS_MAX; i++) {
        const struct usage_claim *claim = &change->claims[i];
        bool known = taken.length && text_equal(claim->value, taken);
        enum status state = claim->shared ? OK : known ? TAKEN : claim_state(change, claim);
        if (state == FAILED)
            return FAILED;
        if (state == OK)
            continue;
        if (!first)
            first = claim;
        add_exists(change, claim, &content);
        count++;
    }
    if (!first)
        return taken.length ? FAILED : OK;
    refuse_conflict(refusal, "uniqueness-failure",
                    text_format(arena, "%.*s is in use by another document.", TEXT_ARG(first->value)));
    refusal->content = builder_text(&content);
    return REFUSED;
}

static bool is_own(const struct document_change *change, const struct document_key *holder)
{
    const struct document_key *key = &change->place.key;
    return text_equal(holder->usage, key->usage) && text_equal(holder->owner, key->owner) &&
           text_equal(holder->name, key->name);
}

/* The answer of a look-up: found is TAKEN, not found is OK, and what cannot be looked up is neither. */
static enum status taken_if(enum status found)
{
    return found == OK ? TAKEN : found == NOT_FOUND ? OK : FAILED;
}

static enum status held_elsewhere(const struct document_change *change, struct text kind, struct text value,
                                  struct arena *arena)
{
    struct document_key holder;
    enum status found = store_find(change->documents->store, kind, value, arena, &holder);
    return found == OK && is_own(change, &holder) ? OK : taken_if(found);
}

/* By the claim of one of his addresses, or by a record of before there were such claims. */
static enum status leads_to_user(struct store *store, struct text value, struct arena *arena)
{
    const struct document_key user = {TEXT(DOCUMENT_USERS), value, TEXT("")};
    struct document_key holder;
    struct stored head;
    enum status found = store_find(store, TEXT(DOCUMENT_USER_ADDRESS), value, arena, &holder);
    if (found == NOT_FOUND && value.length <= STORE_PART_MAX)
        found = store_head(store, &user, &head);
    return taken_if(found);
}

/* An address that leads to something else already (RFC 4826 §4.4.5), as far as this server can know. */
static enum status leads_elsewhere(const struct document_change *change, const struct usage_claim *claim,
                                   struct text value)
{
    struct arena arena;
    enum status status = OK;
    arena_init(&arena, "apart");
    for (size_t i = 0; i < claim->apart_count && status == OK; i++)
        status = text_equal(claim->apart[i], TEXT(USAGE_APART_USER))
                     ? leads_to_user(change->documents->store, value, &arena)
                     : held_elsewhere(change, claim->apart[i], value, &arena);
    arena_clear(&arena);
    return status;
}

/* OK, TAKEN or FAILED. */
static enum status claim_state(const struct document_change *change, const struct usage_claim *claim)
{
    struct arena arena;
    arena_init(&arena, "claim");
    enum status status = held_elsewhere(change, claim->kind, claim->value, &arena);
    arena_clear(&arena);
    return status == OK ? leads_elsewhere(change, claim, claim->value) : status;
}

/* Free in the store, and not wanted elsewhere in the same document. */
static bool is_free(const struct document_change *change, const struct usage_claim *wanted, struct text value,
                    struct arena *arena)
{
    struct document_key holder;
    for (size_t i = 0; i < change->claims_count; i++)
        if (text_equal(change->claims[i].kind, wanted->kind) && text_equal(change->claims[i].value, value))
            return false;
    return value.length <= STORE_VALUE_MAX &&
           store_find(change->documents->store, wanted->kind, value, arena, &holder) == NOT_FOUND &&
           leads_elsewhere(change, wanted, value) == OK;
}

/* "sip:team@example.com" gives "sip:team-2@example.com". */
static struct text with_number(struct text value, unsigned number, struct arena *arena)
{
    size_t at = text_find_char(value, '@');
    struct text front = text_slice(value, 0, at), back = text_slice(value, at, value.length);
    return text_format(arena, "%.*s-%u%.*s", TEXT_ARG(front), number, TEXT_ARG(back));
}

static void add_exists(const struct document_change *change, const struct usage_claim *claim,
                       struct text_builder *content)
{
    unsigned found = 0;
    struct text field = xml_escape(content->arena, claim->field);
    builder_add_format(content, "<exists field=\"%.*s\">", TEXT_ARG(field));
    for (unsigned number = 2; number < 2 + NUMBERS_MAX && found < PROPOSALS_MAX; number++) {
        struct text value = with_number(claim->value, number, content->arena);
        if (!is_free(change, claim, value, content->arena))
            continue;
        builder_add_format(content, "<alt-value>%.*s</alt-value>", TEXT_ARG(xml_escape(content->arena, value)));
        found++;
    }
    builder_add(content, TEXT("</exists>"));
}
