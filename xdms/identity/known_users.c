/* Users by any of their addresses, as they were found at an epoch: a look-up that holds costs a hash. Does not know
 * when users change: that is the caller's epoch. */
#include "known_users.h"

#include <stdlib.h>

#define PLACES 16384 /* users who write or are written to within minutes; of some 400 bytes each, 6 MB */

struct known {
    uint64_t epoch;
    enum status status; /* OK or NOT_FOUND */
    struct user user;
    struct text asked, texts; /* texts: those of `user` one after the other, then `asked` */
    char bytes[];
};

struct known_users {
    const struct documents *documents;
    uint64_t seed;
    struct known *places[PLACES]; /* by the hash of the address: the later one takes the place */
};

struct known_users *known_users_new(const struct documents *documents)
{
    struct known_users *known = memory_new(sizeof(*known));
    known->documents = documents;
    known->seed = text_hash_seed();
    return known;
}

void known_users_free(struct known_users *known)
{
    for (size_t i = 0; known && i < PLACES; i++)
        free(known->places[i]);
    free(known);
}

static void forget_passwords(struct user *user)
{
    struct text none = {0};
    user->realm = user->ha1_md5 = user->ha1_sha256 = user->ha1_md5_full = user->ha1_sha256_full = none;
    user->ha1_sha512 = user->ha1_sha512_full = none;
}

static struct text texts_of(const struct user *user, struct arena *arena)
{
    struct text_builder texts;
    builder_init(&texts, arena);
    builder_add(&texts, user->address);
    builder_add(&texts, user->name);
    builder_add(&texts, user->display_name);
    for (size_t i = 0; i < user->aliases_count; i++)
        builder_add(&texts, user->aliases[i]);
    return builder_text(&texts);
}

static void put(struct text *text, const char **at)
{
    text->bytes = *at;
    *at += text->length;
}

/* Texts of `user` are those at `at`, in their order; the aliases are an array in `aliases`. */
static void point_to(struct user *user, const char *at, struct text *aliases)
{
    put(&user->address, &at);
    put(&user->name, &at);
    put(&user->display_name, &at);
    for (size_t i = 0; aliases && i < user->aliases_count; i++) {
        aliases[i] = user->aliases[i];
        put(&aliases[i], &at);
    }
    user->aliases = aliases;
}

static void keep(struct known **place, uint64_t epoch, enum status status, struct text asked, const struct user *found,
                 struct arena *arena)
{
    struct text texts = texts_of(found, arena);
    size_t aliases_size = found->aliases_count * sizeof(struct text);
    struct known *known = memory_new_raw(sizeof(*known) + aliases_size + texts.length + asked.length);
    char *at = known->bytes + aliases_size; /* the aliases first, for their alignment */
    if (texts.length)
        memcpy(at, texts.bytes, texts.length);
    memcpy(at + texts.length, asked.bytes, asked.length);
    *known = (struct known){.epoch = epoch, .status = status, .user = *found};
    known->texts = (struct text){at, texts.length};
    known->asked = (struct text){at + texts.length, asked.length};
    point_to(&known->user, at, (struct text *)(void *)known->bytes);
    free(*place);
    *place = known;
}

static enum status tell(const struct known *known, struct arena *arena, struct user *user_out)
{
    if (known->status != OK)
        return known->status;
    struct text *aliases =
        known->user.aliases_count ? arena_array(arena, struct text, known->user.aliases_count) : NULL;
    *user_out = known->user;
    point_to(user_out, text_copy(arena, known->texts).bytes, aliases);
    return OK;
}

enum status known_users_find(struct known_users *known, uint64_t epoch, struct text address, struct arena *arena,
                             struct user *user_out)
{
    struct known **place = &known->places[text_hash(address, known->seed) % PLACES];
    if (*place && (*place)->epoch == epoch && text_equal((*place)->asked, address))
        return tell(*place, arena, user_out);
    struct user user = {0};
    enum status status = user_find(known->documents, address, arena, &user);
    forget_passwords(&user);
    if ((status == OK || status == NOT_FOUND) && address.length > 0 && address.length <= USER_ADDRESS_MAX)
        keep(place, epoch, status, address, &user, arena);
    if (status == OK)
        *user_out = user;
    return status;
}
