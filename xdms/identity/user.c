/* Users as internal documents, found by their addresses and by the hashes of their names. Knows no header and no nonce.
 */
#include "user.h"

#include "digest_parts.h"
#include "record.h"
#include "uri.h"

#define HOLDERS_MAX 16                      /* domains that a user of the same name and realm is looked for in */
#define HASH_CLAIMS (2 * DIGEST_ALGORITHMS) /* two names */
#define CLAIMS_MAX  (HASH_CLAIMS + 1 + USER_ALIASES_MAX) /* of one user */

static const char *const known_fields[] = {
    "address", "realm",   "name",  "ha1-md5", "ha1-sha256",  "ha1-md5-full",   "ha1-sha256-full",    "display-name",
    "created", "aliases", "roles", "keep-s",  "no-messages", "ha1-sha512-256", "ha1-sha512-256-full"};
#define KNOWN_FIELDS_COUNT (sizeof(known_fields) / sizeof(known_fields[0]))

static struct text record_of(const struct user *user, struct text old, struct arena *arena);
static size_t hash_claims(const struct user *user, struct arena *arena, struct claim claims_out[HASH_CLAIMS]);
static struct text write_words(const struct text *words, size_t count, struct arena *arena);
static struct text write_roles(unsigned roles, struct arena *arena);
static void read_aliases(struct text words, struct arena *arena, struct user *user_out);
static unsigned read_roles(struct text words);

static struct document_key key_of(struct text address)
{
    return (struct document_key){TEXT(DOCUMENT_USERS), address, TEXT("")};
}

enum status user_put(const struct documents *documents, const struct user *user, uint64_t expected, struct text who)
{
    struct arena arena;
    struct commit commit;
    arena_init(&arena, "user");
    enum status status = user_commit(documents, user, expected, who, &arena, &commit);
    if (status == OK)
        status = document_internal_commit(documents, &commit, 1);
    arena_clear(&arena);
    return status;
}

enum status user_commit(const struct documents *documents, const struct user *user, uint64_t expected, struct text who,
                        struct arena *arena, struct commit *commit_out)
{
    const struct document_key key = key_of(user->address);
    struct stored old = {0};
    enum status status = NOT_FOUND;
    if (expected != VERSION_ABSENT)
        status = document_internal_read(documents, &key, arena, &old);
    if (status != OK && status != NOT_FOUND)
        return status;
    struct claim *claims = arena_array(arena, struct claim, CLAIMS_MAX);
    *commit_out = (struct commit){
        .key = key,
        .expected = expected,
        .bytes = record_of(user, old.bytes, arena),
        .claims = claims,
        .claims_count = hash_claims(user, arena, claims),
        .who = who,
    };
    commit_out->claims_count += user_address_claims(user, claims + commit_out->claims_count);
    return OK;
}

static struct text record_of(const struct user *user, struct text old, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "address", user->address);
    record_add(&record, "realm", user->realm);
    record_add(&record, "name", user->name);
    record_add(&record, "ha1-md5", user->ha1_md5);
    record_add(&record, "ha1-sha256", user->ha1_sha256);
    record_add(&record, "ha1-md5-full", user->ha1_md5_full);
    record_add(&record, "ha1-sha256-full", user->ha1_sha256_full);
    record_add(&record, "ha1-sha512-256", user->ha1_sha512);
    record_add(&record, "ha1-sha512-256-full", user->ha1_sha512_full);
    record_add(&record, "display-name", user->display_name);
    record_add_number(&record, "created", user->created_ms);
    record_add(&record, "aliases", write_words(user->aliases, user->aliases_count, arena));
    record_add(&record, "roles", write_roles(user->roles, arena));
    if (user->keep_s)
        record_add_number(&record, "keep-s", (int64_t)user->keep_s);
    if (user->no_messages)
        record_add_number(&record, "no-messages", 1);
    record_copy(&record, old, known_fields, KNOWN_FIELDS_COUNT);
    return builder_text(&record);
}

/* Shared, not unique: alice of one domain must not keep alice of another out of the same realm. */
static size_t hash_claims(const struct user *user, struct arena *arena, struct claim claims_out[HASH_CLAIMS])
{
    const struct text name[] = {user->name, user->realm};
    const struct text full_name[] = {user_full_name(user, arena), user->realm};
    size_t count = 0;
    for (enum digest_algorithm algorithm = DIGEST_SHA256; algorithm < DIGEST_ALGORITHMS; algorithm++) {
        const struct text values[] = {identity_hash(algorithm, name, 2, arena),
                                      identity_hash(algorithm, full_name, 2, arena)};
        for (size_t i = 0; i < 2; i++)
            claims_out[count++] = (struct claim){.kind = TEXT(USER_HASH_CLAIM), .value = values[i], .shared = true};
    }
    return count;
}

enum status user_delete(const struct documents *documents, struct text address, struct text who)
{
    struct arena arena;
    arena_init(&arena, "user");
    enum status status = CONFLICT;
    /* A deletion of any version would not tell whether there was something to delete. */
    for (unsigned tries = 0; tries < DOCUMENT_TRIES_MAX && status == CONFLICT; tries++) {
        struct commit commit = {.key = key_of(address), .deletion = true, .who = who};
        struct stored old;
        arena_reset(&arena);
        status = document_internal_read(documents, &commit.key, &arena, &old);
        if (status == OK) {
            commit.expected = old.version;
            status = document_internal_commit(documents, &commit, 1);
        }
    }
    arena_clear(&arena);
    return status;
}

enum status user_get_head(const struct documents *documents, struct text address, struct stored *found_out)
{
    const struct document_key key = key_of(address);
    return document_internal_head(documents, &key, found_out);
}

enum status user_get(const struct documents *documents, struct text address, struct arena *arena, struct user *user_out)
{
    struct text record;
    return user_get_record(documents, address, arena, user_out, &record);
}

enum status user_get_record(const struct documents *documents, struct text address, struct arena *arena,
                            struct user *user_out, struct text *record_out)
{
    const struct document_key key = key_of(address);
    struct stored found;
    enum status status = document_internal_read(documents, &key, arena, &found);
    if (status != OK)
        return status;
    struct user user = {.version = found.version};
    struct text created = {0}, roles = {0}, aliases = {0}, keep = {0}, no_messages = {0};
    const struct record_field fields[] = {
        {TEXT("address"), &user.address},
        {TEXT("realm"), &user.realm},
        {TEXT("name"), &user.name},
        {TEXT("ha1-md5"), &user.ha1_md5},
        {TEXT("ha1-sha256"), &user.ha1_sha256},
        {TEXT("ha1-md5-full"), &user.ha1_md5_full},
        {TEXT("ha1-sha256-full"), &user.ha1_sha256_full},
        {TEXT("ha1-sha512-256"), &user.ha1_sha512},
        {TEXT("ha1-sha512-256-full"), &user.ha1_sha512_full},
        {TEXT("display-name"), &user.display_name},
        {TEXT("created"), &created},
        {TEXT("aliases"), &aliases},
        {TEXT("roles"), &roles},
        {TEXT("keep-s"), &keep},
        {TEXT("no-messages"), &no_messages},
    };
    if (!record_read(found.bytes, fields, sizeof(fields) / sizeof(fields[0])) || !text_equal(user.address, address))
        return FAILED;
    user.created_ms = record_to_number(created, 0);
    user.roles = read_roles(roles);
    user.keep_s = (uint64_t)record_to_number(keep, 0);
    user.no_messages = record_to_number(no_messages, 0) != 0;
    read_aliases(aliases, arena, &user);
    *user_out = user;
    *record_out = found.bytes;
    return OK;
}

/* No address and no name of a role holds a blank. */
static struct text write_words(const struct text *words, size_t count, struct arena *arena)
{
    struct text_builder written;
    builder_init(&written, arena);
    for (size_t i = 0; i < count; i++) {
        if (i)
            builder_add_char(&written, ' ');
        builder_add(&written, words[i]);
    }
    return builder_text(&written);
}

static void read_aliases(struct text words, struct arena *arena, struct user *user_out)
{
    struct text *aliases = words.length ? arena_array(arena, struct text, USER_ALIASES_MAX) : NULL;
    while (words.length && user_out->aliases_count < USER_ALIASES_MAX)
        text_cut(words, ' ', &aliases[user_out->aliases_count++], &words);
    user_out->aliases = aliases;
}

static struct text write_roles(unsigned roles, struct arena *arena)
{
    struct text words[USAGE_NOBODY];
    size_t count = 0;
    for (unsigned role = USAGE_SERVER; role < USAGE_NOBODY; role++)
        if (roles & USAGE_ROLE_BIT(role))
            words[count++] = usage_role_name((enum usage_role)role);
    return write_words(words, count, arena);
}

static unsigned read_roles(struct text words)
{
    unsigned roles = 0;
    struct text word;
    while (words.length) {
        text_cut(words, ' ', &word, &words);
        roles |= USAGE_ROLE_BIT(usage_role_named(word));
    }
    return roles & USER_ROLES; /* a newer program may know more */
}

enum status user_list(const struct documents *documents, struct text after, size_t limit, struct arena *arena,
                      struct user **users_out, size_t *count_out, bool *more_out)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_USERS)};
    const struct document_key last = key_of(after);
    struct key_page page;
    enum status status = document_internal_list(documents, &prefix, after.length ? &last : NULL, limit, arena, &page);
    if (status != OK)
        return status;
    *users_out = arena_array(arena, struct user, page.count);
    *count_out = 0;
    *more_out = page.more;
    for (size_t i = 0; i < page.count; i++) {
        status = user_get(documents, page.keys[i].owner, arena, &(*users_out)[*count_out]);
        if (status == OK)
            ++*count_out;
        else if (status != NOT_FOUND) /* deleted since the page was read */
            return status;
    }
    return OK;
}

enum status user_find_hash(const struct documents *documents, struct text hash, struct text domain, struct arena *arena,
                           struct user *user_out)
{
    struct key_page page;
    struct text *values;
    if (!identity_is_hash(hash))
        return NOT_FOUND;
    enum status status = document_internal_holders(documents, TEXT(USER_HASH_CLAIM), hash, NULL, NULL, HOLDERS_MAX,
                                                   arena, &page, &values);
    if (status != OK)
        return status;
    size_t best = page.count;
    for (size_t i = page.count; i-- > 0;)
        if (text_equal(values[i], hash) &&
            (best == page.count || text_equal_nocase(uri_domain(page.keys[i].owner), domain)))
            best = i;
    return best < page.count ? user_get(documents, page.keys[best].owner, arena, user_out) : NOT_FOUND;
}
