/* Users by the names that they log in by: a client that is there makes many requests, and each brings its name. What is
 * kept is used as it is while nothing in the store has changed; after a change its version decides, so that a new
 * password holds from the next request on, whichever process wrote it. */
#include <pthread.h>
#include <stdlib.h>

#include "digest_parts.h"

#define LOGINS_MAX 4096 /* clients that ask within the same minutes; of some 700 bytes each, 3 MB */
#define LOCKS_MAX  64   /* places share them: threads seldom meet */

struct login {
    const struct documents *documents;
    uint64_t hash;
    uint64_t change; /* the newest one of the store up to which it is known to hold */
    struct user user;
    struct text username, record; /* the texts of `user` lie in the record */
    size_t size;
    char bytes[];
};

struct logins {
    uint64_t seed;
    pthread_mutex_t locks[LOCKS_MAX];
    struct login *places[LOGINS_MAX]; /* by the hash of the name: the later one takes the place */
};

struct logins *logins_new(void)
{
    struct logins *logins = memory_new(sizeof(*logins));
    logins->seed = text_hash_seed();
    for (size_t i = 0; i < LOCKS_MAX; i++)
        pthread_mutex_init(&logins->locks[i], NULL);
    return logins;
}

/* It holds what is as good as a password. */
static void login_free(struct login *login)
{
    if (login)
        explicit_bzero(login, login->size);
    free(login);
}

void logins_free(struct logins *logins)
{
    if (!logins)
        return;
    for (size_t i = 0; i < LOGINS_MAX; i++)
        login_free(logins->places[i]);
    for (size_t i = 0; i < LOCKS_MAX; i++)
        pthread_mutex_destroy(&logins->locks[i]);
    free(logins);
}

static pthread_mutex_t *lock_of(struct logins *logins, uint64_t hash)
{
    return &logins->locks[hash % LOCKS_MAX];
}

static struct login **place_of(struct logins *logins, uint64_t hash)
{
    return &logins->places[hash % LOGINS_MAX];
}

static void move(struct text *text, const char *from, const char *to)
{
    if (text->length)
        text->bytes = to + (text->bytes - from);
}

/* `user` is of a record at `from`; afterwards of the same record at `to`. The aliases are an array in `room`. */
static void user_move(struct user *user, const char *from, const char *to, struct text *room)
{
    struct text *texts[] = {
        &user->address,      &user->realm,           &user->name,       &user->ha1_md5,         &user->ha1_sha256,
        &user->ha1_md5_full, &user->ha1_sha256_full, &user->ha1_sha512, &user->ha1_sha512_full, &user->display_name};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        move(texts[i], from, to);
    for (size_t i = 0; i < user->aliases_count; i++) {
        room[i] = user->aliases[i];
        move(&room[i], from, to);
    }
    user->aliases = room;
}

/* False: it is not kept. */
static bool logins_find(struct logins *logins, const struct documents *documents, struct text username, uint64_t hash,
                        struct arena *arena, struct user *user_out, uint64_t *change_out)
{
    pthread_mutex_lock(lock_of(logins, hash));
    const struct login *login = *place_of(logins, hash);
    bool found = login && login->hash == hash && login->documents == documents && text_equal(login->username, username);
    if (found) {
        *user_out = login->user;
        *change_out = login->change;
        struct text *aliases =
            login->user.aliases_count ? arena_array(arena, struct text, login->user.aliases_count) : NULL;
        user_move(user_out, login->record.bytes, text_copy(arena, login->record).bytes, aliases);
    }
    pthread_mutex_unlock(lock_of(logins, hash));
    return found;
}

/* Found unchanged after that change. */
static void logins_confirm(struct logins *logins, const struct documents *documents, uint64_t hash, uint64_t version,
                           uint64_t change)
{
    pthread_mutex_lock(lock_of(logins, hash));
    struct login *login = *place_of(logins, hash);
    if (login && login->hash == hash && login->documents == documents && login->user.version == version &&
        login->change < change)
        login->change = change;
    pthread_mutex_unlock(lock_of(logins, hash));
}

static void logins_keep(struct logins *logins, const struct documents *documents, struct text username, uint64_t hash,
                        const struct user *user, struct text record, uint64_t change)
{
    size_t aliases_size = user->aliases_count * sizeof(struct text);
    size_t size = sizeof(struct login) + aliases_size + username.length + record.length;
    struct login *login = memory_new_raw(size);
    *login = (struct login){documents, hash, change, *user, .size = size};
    struct text *aliases = (struct text *)(void *)login->bytes; /* first, for its alignment */
    char *end = login->bytes + aliases_size;
    login->username = (struct text){memcpy(end, username.bytes, username.length), username.length};
    end += username.length;
    login->record = (struct text){memcpy(end, record.bytes, record.length), record.length};
    user_move(&login->user, record.bytes, login->record.bytes, aliases);
    pthread_mutex_lock(lock_of(logins, hash));
    struct login **place = place_of(logins, hash);
    struct login *before = *place;
    *place = login;
    pthread_mutex_unlock(lock_of(logins, hash));
    login_free(before);
}

static enum status read_named(const struct documents *documents, struct text username, struct text domain,
                              struct arena *arena, struct user *user_out, struct text *record_out)
{
    struct text address = user_address(username, domain, arena);
    return address.length ? user_get_record(documents, address, arena, user_out, record_out) : NOT_FOUND;
}

enum status logins_get(struct logins *logins, const struct documents *documents, struct text username,
                       struct text domain, struct arena *arena, struct user *user_out)
{
    uint64_t hash = text_hash(username, logins->seed), kept_at;
    uint64_t change = document_newest_change(documents);
    struct text record;
    if (change == STORE_CHANGE_UNKNOWN)
        return read_named(documents, username, domain, arena, user_out, &record);
    if (logins_find(logins, documents, username, hash, arena, user_out, &kept_at)) {
        struct stored head;
        if (kept_at == change)
            return OK;
        enum status status = user_get_head(documents, user_out->address, &head);
        if (status == OK && head.version == user_out->version) {
            logins_confirm(logins, documents, hash, head.version, change);
            return OK;
        }
    }
    enum status status = read_named(documents, username, domain, arena, user_out, &record);
    if (status == OK)
        logins_keep(logins, documents, username, hash, user_out, record, change);
    return status;
}
