/* What may be a user: address, name, and of a password the hashes that digest authentication works with, for both names
 * that clients log in by. Writes nothing. */
#include "digest_parts.h"
#include "uri.h"
#include "user.h"

#define DISPLAY_NAME_MAX 256 /* bytes; phones show some twenty characters */

static struct text name_of(struct text address);

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

/* Empty, or so many hex digits, then in lower case. */
static bool take_hash(struct text given, size_t length, struct arena *arena, struct text *hash_out)
{
    *hash_out = text_lower(arena, text_trim(given));
    return hash_out->length == 0 || (hash_out->length == length && identity_is_hash(*hash_out));
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
