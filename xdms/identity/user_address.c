/* One person, several addresses: which of them lead to whom, and that none leads to two. Knows nothing of passwords. */
#include "digest_parts.h"
#include "user.h"

enum status user_set_aliases(struct user *user, const struct text *typed, size_t count, struct text domain,
                             struct arena *arena, struct refusal *refusal)
{
    struct text *aliases = arena_array(arena, struct text, USER_ALIASES_MAX);
    struct user changed = *user;
    changed.aliases = aliases;
    changed.aliases_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct text address = user_address(typed[i], domain, arena);
        if (address.length == 0 || text_equal(address, TEXT("sip:")))
            return refuse(refusal, REFUSAL_SYNTAX, "An alias is a SIP or TEL address.");
        if (user_is(&changed, address))
            continue;
        if (changed.aliases_count == USER_ALIASES_MAX)
            return refuse(refusal, REFUSAL_SYNTAX, "A user has at most 7 aliases.");
        aliases[changed.aliases_count++] = address;
    }
    *user = changed;
    return OK;
}

size_t user_identities(const struct user *user, struct text identities_out[1 + USER_ALIASES_MAX])
{
    size_t count = 0;
    identities_out[count++] = user->address;
    for (size_t i = 0; i < user->aliases_count; i++)
        identities_out[count++] = user->aliases[i];
    return count;
}

bool user_is(const struct user *user, struct text address)
{
    bool is = text_equal(user->address, address);
    for (size_t i = 0; i < user->aliases_count && !is; i++)
        is = text_equal(user->aliases[i], address);
    return is;
}

size_t user_address_claims(const struct user *user, struct claim claims_out[1 + USER_ALIASES_MAX])
{
    struct text identities[1 + USER_ALIASES_MAX];
    size_t count = user_identities(user, identities);
    for (size_t i = 0; i < count; i++)
        claims_out[i] = (struct claim){.kind = TEXT(DOCUMENT_USER_ADDRESS), .value = identities[i]};
    return count;
}

enum status user_find(const struct documents *documents, struct text address, struct arena *arena,
                      struct user *user_out)
{
    struct text owner;
    enum status status = user_get(documents, address, arena, user_out);
    if (status != NOT_FOUND)
        return status;
    status = document_owner(documents, address, arena, &owner);
    return status != OK ? status : text_equal(owner, address) ? NOT_FOUND : user_get(documents, owner, arena, user_out);
}

static enum status refuse_taken(struct text address, const char *whose, struct arena *arena, struct refusal *refusal)
{
    refuse_conflict(refusal, "uniqueness-failure", text_format(arena, "%.*s is %s.", TEXT_ARG(address), whose));
    return REFUSED;
}

/* An alias leads away from documents that were stored under it before. */
static enum status check_home(const struct documents *documents, struct text alias, struct arena *arena,
                              struct refusal *refusal)
{
    const struct usage_set *usages = documents_usages(documents);
    enum status status = OK;
    for (size_t i = 0; usages && i < usage_count(usages) && status == OK; i++) {
        struct key_page page;
        status = document_list(documents, usage_at(usages, i), alias, NULL, 1, arena, &page);
        if (status == OK && page.count)
            return refuse_taken(alias, "an address with documents of its own; delete or move them first", arena,
                                refusal);
    }
    return status;
}

static enum status check_address(const struct documents *documents, const struct user *user, struct text address,
                                 struct arena *arena, struct refusal *refusal)
{
    struct user other;
    struct stored group;
    enum status status = user_find(documents, address, arena, &other);
    if (status == OK && !text_equal(other.address, user->address))
        return refuse_taken(address, "an address of another user", arena, refusal);
    if (status != NOT_FOUND) /* what the user has already is no question any more */
        return status;
    status = document_find(documents, TEXT("group-uri"), address, arena, &group);
    if (status == OK)
        return refuse_taken(address, "the address of a group", arena, refusal);
    if (status != NOT_FOUND)
        return status;
    return text_equal(address, user->address) ? OK : check_home(documents, address, arena, refusal);
}

enum status user_check_addresses(const struct documents *documents, const struct user *user, struct arena *arena,
                                 struct refusal *refusal)
{
    struct text identities[1 + USER_ALIASES_MAX];
    size_t count = user_identities(user, identities);
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = check_address(documents, user, identities[i], arena, refusal);
    return status;
}
