/* Says which values of a document are taken by others, and proposes ones that are free now. */
#include "documents.h"

#define EXISTS_MAX    8  /* values named in one answer: a person mends them one by one */
#define PROPOSALS_MAX 2  /* alternatives to one value */
#define NUMBERS_MAX   50 /* suffixes that are tried: whoever wants a name so common has to think of another */

static bool is_taken(const struct document_change *change, const struct usage_claim *claim);
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
        if (claim->shared || (!known && !is_taken(change, claim)))
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

/* By the claim of one of his addresses, or by a record of before there were such claims. */
static bool leads_to_user(struct store *store, struct text value, struct arena *arena)
{
    const struct document_key user = {TEXT(DOCUMENT_USERS), value, TEXT("")};
    struct document_key holder;
    struct stored head;
    return store_find(store, TEXT(DOCUMENT_USER_ADDRESS), value, arena, &holder) == OK ||
           (value.length <= STORE_PART_MAX && store_head(store, &user, &head) == OK);
}

/* An address that leads to something else already (RFC 4826 §4.4.5), as far as this server can know. */
static bool leads_elsewhere(const struct document_change *change, const struct usage_claim *claim, struct text value)
{
    struct store *store = change->documents->store;
    struct document_key holder;
    struct arena arena;
    bool found = false;
    arena_init(&arena, "apart");
    for (size_t i = 0; i < claim->apart_count && !found; i++)
        found = text_equal(claim->apart[i], TEXT(USAGE_APART_USER))
                    ? leads_to_user(store, value, &arena)
                    : store_find(store, claim->apart[i], value, &arena, &holder) == OK && !is_own(change, &holder);
    arena_clear(&arena);
    return found;
}

static bool is_taken(const struct document_change *change, const struct usage_claim *claim)
{
    struct document_key holder;
    struct arena arena;
    arena_init(&arena, "claim");
    bool taken = store_find(change->documents->store, claim->kind, claim->value, &arena, &holder) == OK &&
                 !is_own(change, &holder);
    arena_clear(&arena);
    return taken || leads_elsewhere(change, claim, claim->value);
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
           !leads_elsewhere(change, wanted, value);
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
