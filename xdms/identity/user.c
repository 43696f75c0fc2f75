/* Users as internal documents: what is kept of a password is the hashes that digest authentication works with, for
 * both names that clients log in by. Knows no header and no nonce. */
#include "user.h"

#include "digest_parts.h"
#include "record.h"
#include "uri.h"

#define DISPLAY_NAME_MAX 256                     /* bytes; phones show some twenty characters */
#define HOLDERS_MAX      16                      /* domains that a user of the same name and realm is looked for in */
#define HASH_CLAIMS      (2 * DIGEST_ALGORITHMS) /* two names */
#define CLAIMS_MAX       (HASH_CLAIMS + 1 + USER_ALIASES_MAX) /* of one user */

static const char *const known_fields[] = {
    "address", "realm",   "name",  "ha1-md5", "ha1-sha256",  "ha1-md5-full",   "ha1-sha256-full",    "display-name",
    "created", "aliases", "roles", "keep-s",  "no-messages", "ha1-sha512-256", "ha1-sha512-256-full"};
#define KNOWN_FIELDS_COUNT (sizeof(known_fields) / sizeof(known_fields[0]))

static struct text name_of(struct text address);
static struct text record_of(const struct user *user, struct text old, struct arena *arena);
static size_t hash_claims(const struct user *user, struct arena *arena, struct claim claims_out[HASH_CLAIMS]);
static struct text write_words(const struct text *words, size_t count, struct arena *arena);
static struct text write_roles(unsigned roles, struct arena *arena);
static void read_aliases(struct text words, struct arena *arena, struct user *user_out);
static unsigned read_roles(struct text words);

struct text user_address(struct text typed, struct text domain, struct arena *arena)
{
    typed = text_trim(typed);
    size_t colon = text_find_char(typed, ':');
    size_t at = text_find_char(typed, '@');
    struct text written = typed;
    if (typed.length == 0 || typed.length > USER_ADDRESS_MAX)
        return TEXT("");
    if (at == typed.length && colon == typed.length)
        written = TEXT_CONCAT(arena, TEXT("sip:"), typed, TEXT("@"), domain);
    else if (at < colon)
        written = text_join(arena, TEXT("sip:"), typed);
    struct text address = uri_canonical(arena, written);
    return address.length <= USER_ADDRESS_MAX ? address : TEXT("");
}

static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return true;
    return false;
}

/* All but the hashes. */
static enum status begin_user(struct text address, struct text display_name, struct text domain, struct text realm,
                              int64_t now_ms, struct arena *arena, struct user *user_out, struct refusal *refusal)
{
    struct text canonical = user_address(address, domain, arena);
    struct text name = name_of(canonical);
    if (name.length == 0)
        return refuse(refusal, REFUSAL_SYNTAX, "The address of a user is NAME, NAME@DOMAIN or sip:NAME@DOMAIN.");
    if (!text_equal_nocase(uri_domain(canonical), domain))
        return refuse(refusal, REFUSAL_SYNTAX, "The address is not of a domain served here.");
    if (display_name.length > DISPLAY_NAME_MAX || has_control(display_name) || !utf8_valid(display_name))
        return refuse(refusal, REFUSAL_SYNTAX, "A display name is up to 256 bytes of UTF-8 text.");
    *user_out = (struct user){
        .address = canonical,
        .realm = text_copy(arena, realm),
        .name = name,
        .display_name = text_copy(arena, display_name),
        .created_ms = now_ms,
    };
    return OK;
}

enum status user_make(struct text address, struct text password, struct text display_name, struct text domain,
                      struct text realm, int64_t now_ms, struct arena *arena, struct user *user_out,
                      struct refusal *refusal)
{
    enum status status = begin_user(address, display_name, domain, realm, now_ms, arena, user_out, refusal);
    if (status != OK)
        return status;
    if (password.length == 0 || password.length > USER_PASSWORD_MAX)
        return refuse(refusal, REFUSAL_SYNTAX, "A password has 1 to 256 bytes.");
    const struct text parts[] = {user_out->name, realm, password};
    const struct text full_parts[] = {user_full_name(user_out, arena), realm, password};
    user_out->ha1_md5 = identity_hash(DIGEST_MD5, parts, 3, arena);
    user_out->ha1_sha256 = identity_hash(DIGEST_SHA256, parts, 3, arena);
    user_out->ha1_md5_full = identity_hash(DIGEST_MD5, full_parts, 3, arena);
    user_out->ha1_sha256_full = identity_hash(DIGEST_SHA256, full_parts, 3, arena);
    user_out->ha1_sha512 = identity_hash(DIGEST_SHA512, parts, 3, arena);
    user_out->ha1_sha512_full = identity_hash(DIGEST_SHA512, full_parts, 3, arena);
    return OK;
}

static bool is_hash(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char digit = text.bytes[i];
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
            return false;
    }
    return text.length == MD5_TEXT || text.length == HASH_TEXT_MAX;
}

/* Empty, or so many hex digits, then in lower case. */
static bool take_hash(struct text given, size_t length, struct arena *arena, struct text *hash_out)
{
    *hash_out = text_lower(arena, text_trim(given));
    return hash_out->length == 0 || (hash_out->length == length && is_hash(*hash_out));
}

enum status user_make_hashed(struct text address, const struct user_hashes *hashes, struct text display_name,
                             struct text domain, struct text realm, int64_t now_ms, struct arena *arena,
                             struct user *user_out, struct refusal *refusal)
{
    enum status status = begin_user(address, display_name, domain, realm, now_ms, arena, user_out, refusal);
    if (status != OK)
        return status;
    if (!take_hash(hashes->md5, MD5_TEXT, arena, &user_out->ha1_md5) ||
        !take_hash(hashes->md5_full, MD5_TEXT, arena, &user_out->ha1_md5_full) ||
        !take_hash(hashes->sha256, HASH_TEXT_MAX, arena, &user_out->ha1_sha256) ||
        !take_hash(hashes->sha256_full, HASH_TEXT_MAX, arena, &user_out->ha1_sha256_full) ||
        !take_hash(hashes->sha512, HASH_TEXT_MAX, arena, &user_out->ha1_sha512) ||
        !take_hash(hashes->sha512_full, HASH_TEXT_MAX, arena, &user_out->ha1_sha512_full))
        return refuse(refusal, REFUSAL_SYNTAX,
                      "A password hash is 32 hex digits of MD5, or 64 of SHA-256 or SHA-512-256.");
    if (user_out->ha1_md5.length + user_out->ha1_sha256.length + user_out->ha1_sha512.length == 0)
        return refuse(refusal, REFUSAL_SYNTAX, "A user needs a password, or the hash of one.");
    return OK;
}

void user_set_password(struct user *user, const struct user *other)
{
    user->realm = other->realm;
    user->ha1_md5 = other->ha1_md5;
    user->ha1_sha256 = other->ha1_sha256;
    user->ha1_md5_full = other->ha1_md5_full;
    user->ha1_sha256_full = other->ha1_sha256_full;
    user->ha1_sha512 = other->ha1_sha512;
    user->ha1_sha512_full = other->ha1_sha512_full;
}

/* User part of a canonical address; empty when there is none. */
static struct text name_of(struct text address)
{
    struct text name, host;
    if (!text_starts_with(address, TEXT("sip:")))
        return TEXT("");
    return text_cut(text_slice(address, 4, address.length), '@', &name, &host) ? name : TEXT("");
}

struct text user_full_name(const struct user *user, struct arena *arena)
{
    struct text name = name_of(user->address);
    return TEXT_CONCAT(arena, name, TEXT("@"), uri_domain(user->address));
}

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
    if (!is_hash(hash))
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
