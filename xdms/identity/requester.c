/* Puts together who asks. Knows neither how a password is proved nor which header an assertion stood in. */
#include "requester.h"

static void add(struct requester *requester, struct text address)
{
    if (address.length && !requester_is(requester, address) && requester->identities_count < REQUESTER_IDENTITIES_MAX)
        requester->identities[requester->identities_count++] = address;
}

static void add_all(struct requester *requester, const struct user *user)
{
    struct text identities[1 + USER_ALIASES_MAX];
    size_t count = user_identities(user, identities);
    for (size_t i = 0; i < count; i++)
        add(requester, identities[i]);
}

static void begin(struct requester *requester, struct text address, enum requester_proof proof, unsigned roles)
{
    *requester = (struct requester){.proof = proof, .address = address};
    requester->roles = USAGE_ROLE_BIT(USAGE_ANYONE) | USAGE_ROLE_BIT(USAGE_USER) | roles;
    add(requester, address);
}

void requester_of_nobody(struct requester *requester_out)
{
    *requester_out = (struct requester){.proof = REQUESTER_NOBODY, .roles = USAGE_ROLE_BIT(USAGE_ANYONE)};
}

void requester_of_user(const struct user *user, enum requester_proof proof, struct requester *requester_out)
{
    begin(requester_out, user->address, proof, user->roles);
    requester_out->no_messages = user->no_messages;
    add_all(requester_out, user);
}

enum status requester_of_found(requester_find_fn *find, void *context, const struct text *identities, size_t count,
                               struct arena *arena, struct requester *requester_out)
{
    requester_of_nobody(requester_out);
    for (size_t i = 0; i < count; i++) {
        struct user user;
        enum status status = find(context, identities[i], arena, &user);
        if (status != OK && status != NOT_FOUND)
            return status;
        if (i == 0)
            begin(requester_out, status == OK ? user.address : identities[0], REQUESTER_ASSERTED,
                  status == OK ? user.roles : 0);
        add(requester_out, identities[i]);
        if (status != OK)
            continue;
        requester_out->no_messages = requester_out->no_messages || user.no_messages;
        add_all(requester_out, &user);
    }
    return OK;
}

static enum status find_stored(void *context, struct text address, struct arena *arena, struct user *user_out)
{
    const struct documents *const *documents = context;
    return user_find(*documents, address, arena, user_out);
}

enum status requester_of_assertion(const struct documents *documents, const struct text *identities, size_t count,
                                   struct arena *arena, struct requester *requester_out)
{
    return requester_of_found(find_stored, &documents, identities, count, arena, requester_out);
}

bool requester_is(const struct requester *requester, struct text address)
{
    for (size_t i = 0; i < requester->identities_count; i++)
        if (text_equal(requester->identities[i], address))
            return true;
    return false;
}

enum status requester_act_as(const struct documents *documents, struct text address, struct arena *arena,
                             struct requester *requester)
{
    if (!requester_is(requester, address))
        return NOT_FOUND;
    struct user user;
    enum status status = user_find(documents, address, arena, &user);
    if (status != OK && status != NOT_FOUND)
        return status;
    struct requester before = *requester;
    if (status == OK)
        requester_of_user(&user, before.proof, requester);
    else
        begin(requester, address, before.proof, 0);
    for (size_t i = 0; i < before.identities_count; i++)
        add(requester, before.identities[i]);
    return OK;
}

void requester_grant(struct requester *requester, const struct requester_grant *grants, size_t count)
{
    for (size_t i = 0; i < count && requester->address.length; i++)
        for (size_t j = 0; j < grants[i].count; j++)
            if (text_equal(grants[i].addresses[j], requester->address))
                requester->roles |= USAGE_ROLE_BIT(grants[i].role);
}
