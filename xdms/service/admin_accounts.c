/* What a JSON body says of a user's aliases, roles and limits, and how they are shown. Knows nothing of passwords. */
#include "service_admin.h"

#define WORDS_MAX 64 /* of one array: many more than can be good, to say so rather than to stop reading */

struct words {
    struct text items[WORDS_MAX];
    size_t count;
    bool given;
};

/* False: the member is there and no array of strings. */
static bool read_words(const json_t *body, const char *name, struct words *words_out)
{
    const json_t *array = json_object_get(body, name);
    *words_out = (struct words){.given = array != NULL};
    if (!array)
        return true;
    if (!json_is_array(array) || json_array_size(array) > WORDS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_string(item))
            return false;
        words_out->items[words_out->count++] = (struct text){json_string_value(item), json_string_length(item)};
    }
    return true;
}

static bool is_removed(const struct words *removed, struct text alias, struct text domain, struct arena *arena)
{
    for (size_t i = 0; i < removed->count; i++)
        if (text_equal(user_address(removed->items[i], domain, arena), alias))
            return true;
    return false;
}

static enum status set_aliases(struct admin_call *call, const json_t *body, struct user *user, struct refusal *refusal)
{
    struct arena *arena = call->request->arena;
    struct text domain = call->service->settings.domain;
    struct words given, added, removed;
    if (!read_words(body, "aliases", &given) || !read_words(body, "addAliases", &added) ||
        !read_words(body, "removeAliases", &removed))
        return refuse(refusal, REFUSAL_SYNTAX, "aliases, addAliases and removeAliases are arrays of strings.");
    if (!given.given && !added.given && !removed.given)
        return OK;
    struct text *wanted = arena_array(arena, struct text, 2 * WORDS_MAX);
    size_t count = 0;
    for (size_t i = 0; i < given.count; i++)
        wanted[count++] = given.items[i];
    for (size_t i = 0; i < user->aliases_count && !given.given; i++)
        if (!is_removed(&removed, user->aliases[i], domain, arena))
            wanted[count++] = user->aliases[i];
    for (size_t i = 0; i < added.count; i++)
        wanted[count++] = added.items[i];
    return user_set_aliases(user, wanted, count, domain, arena, refusal);
}

static enum status set_roles(const json_t *body, struct user *user, struct refusal *refusal)
{
    static const char phrase[] = "roles is an array of server, operator, admin and auditor.";
    struct words given;
    unsigned roles = 0;
    if (!read_words(body, "roles", &given))
        return refuse(refusal, REFUSAL_SYNTAX, phrase);
    for (size_t i = 0; i < given.count; i++) {
        enum usage_role role = usage_role_named(given.items[i]);
        if (role < USAGE_SERVER || role >= USAGE_NOBODY)
            return refuse(refusal, REFUSAL_SYNTAX, phrase);
        roles |= USAGE_ROLE_BIT(role);
    }
    if (given.given)
        user->roles = roles;
    return OK;
}

/* How long messages wait for him; null or 0: as the house says. */
static enum status set_keep(const json_t *body, struct user *user, struct refusal *refusal)
{
    const json_t *seconds = json_object_get(body, "keepSeconds");
    if (!seconds)
        return OK;
    if (!json_is_null(seconds) && (!json_is_integer(seconds) || json_integer_value(seconds) < 0 ||
                                   (uint64_t)json_integer_value(seconds) > USER_KEEP_S_MAX))
        return refuse(refusal, REFUSAL_SYNTAX, "keepSeconds is a number of seconds of up to 100 years, or null.");
    user->keep_s = (uint64_t)json_integer_value(seconds);
    return OK;
}

/* Does he send and get any? */
static enum status set_messages(const json_t *body, struct user *user, struct refusal *refusal)
{
    const json_t *messages = json_object_get(body, "messages");
    if (!messages)
        return OK;
    if (!json_is_boolean(messages))
        return refuse(refusal, REFUSAL_SYNTAX, "messages is true or false.");
    user->no_messages = json_is_false(messages);
    return OK;
}

enum status admin_account_apply(struct admin_call *call, const json_t *body, struct user *user, struct refusal *refusal)
{
    enum status status = set_aliases(call, body, user, refusal);
    if (status == OK)
        status = set_roles(body, user, refusal);
    if (status == OK)
        status = set_messages(body, user, refusal);
    return status == OK ? set_keep(body, user, refusal) : status;
}

void admin_account_show(struct admin_call *call, const struct user *user, json_t *shown)
{
    json_t *aliases = json_array(), *roles = json_array();
    for (size_t i = 0; i < user->aliases_count; i++)
        json_array_append_new(aliases, admin_string(call, user->aliases[i]));
    for (unsigned role = USAGE_SERVER; role < USAGE_NOBODY; role++)
        if (user->roles & USAGE_ROLE_BIT(role))
            json_array_append_new(roles, admin_string(call, usage_role_name((enum usage_role)role)));
    json_object_set_new(shown, "aliases", aliases);
    json_object_set_new(shown, "roles", roles);
    if (user->no_messages)
        json_object_set_new(shown, "messages", json_false());
    if (user->keep_s)
        json_object_set_new(shown, "keepSeconds", json_integer((json_int_t)user->keep_s));
}
