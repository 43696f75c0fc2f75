/* Is this request from whom it says? Takes the header apart with digest_header.c, computes what the response must be,
 * and only then looks at the nonce. */
#include "digest.h"
#include "digest_parts.h"
#include "uri.h"

static bool uri_fits(const struct digest_request *request, struct text written, struct arena *arena);
static enum digest_result find_secret(const struct digest *digest, const struct documents *documents,
                                      const struct digest_header *header, struct arena *arena, struct user *user_out,
                                      struct text *secret_out);
static enum digest_result compare(struct digest *digest, const struct documents *documents,
                                  const struct digest_request *request, const struct digest_header *header,
                                  int64_t now_ms, struct arena *arena, struct digest_answer *answer_out,
                                  struct identity_hashing *begun_out);
static void response_begin(const struct digest_header *header, struct text secret, struct identity_hashing *begun_out);
static struct text response_end(const struct digest_header *header, const struct identity_hashing *begun,
                                struct text method, const struct text *body, struct arena *arena);
static struct text authentication_info(const struct digest *digest, const struct digest_header *header,
                                       const struct nonce *nonce, const struct identity_hashing *begun, int64_t now_ms,
                                       struct arena *arena);

enum digest_result digest_check(struct digest *digest, const struct documents *documents,
                                const struct digest_request *request, int64_t now_ms, struct arena *arena,
                                struct digest_answer *answer_out)
{
    *answer_out = (struct digest_answer){0};
    struct digest_header header;
    enum digest_result result = digest_header_parse(request->authorization, arena, &header);
    if (result != DIGEST_GOOD)
        return result;
    if (!text_equal(header.realm, digest->realm) || (header.has_opaque && !text_equal(header.opaque, digest->opaque)))
        return DIGEST_MISSING;
    if (!uri_fits(request, header.uri, arena))
        return DIGEST_BROKEN;

    struct digest_answer answer = {0};
    struct identity_hashing begun;
    result = compare(digest, documents, request, &header, now_ms, arena, &answer, &begun);
    if (result != DIGEST_GOOD) {
        *answer_out = answer;
        return result;
    }
    /* The password is right; what is wrong with the nonce costs the client a round trip, its user nothing. */
    struct nonce nonce;
    bool ours = nonce_table_find(digest->nonces, header.nonce, &nonce) ||
                nonce_read(&digest->key, digest->realm, header.nonce, arena, &nonce);
    if (!ours || !nonce_fresh(&nonce, now_ms))
        return DIGEST_STALE;
    if (header.protection != PROTECT_NOTHING && !nonce_table_take(digest->nonces, &nonce, header.count_value))
        return DIGEST_STALE;
    /* Only now: a response that somebody repeats must not make his address a good one. */
    const struct guard_source source = {answer.user.address, request->address};
    if (digest->guard)
        guard_succeeded(digest->guard, &source, now_ms);
    if (!request->without_info)
        answer.info = authentication_info(digest, &header, &nonce, &begun, now_ms, arena);
    *answer_out = answer;
    return DIGEST_GOOD;
}

struct text digest_claimed(const struct digest *digest, struct text username, const struct user *user,
                           struct arena *arena)
{
    if (user->address.length)
        return user->address;
    struct text address = user_address(username, digest->domain, arena);
    return address.length ? address : username;
}

/* Is the response that of the user's password? DIGEST_GOOD, WRONG, WAITING, FAILED. */
static enum digest_result compare(struct digest *digest, const struct documents *documents,
                                  const struct digest_request *request, const struct digest_header *header,
                                  int64_t now_ms, struct arena *arena, struct digest_answer *answer_out,
                                  struct identity_hashing *begun_out)
{
    struct user user = {0};
    struct text secret;
    enum digest_result result = find_secret(digest, documents, header, arena, &user, &secret);
    if (result == DIGEST_FAILED)
        return result;
    const struct guard_source source = {digest_claimed(digest, header->username, &user, arena), request->address};
    answer_out->wait_ms = digest->guard ? guard_wait_ms(digest->guard, &source, now_ms) : 0;
    if (answer_out->wait_ms) {
        answer_out->claimed = source.user;
        return DIGEST_WAITING;
    }
    response_begin(header, secret, begun_out);
    struct text expected = response_end(header, begun_out, request->method, &request->body, arena);
    bool equal = secret_equal(header->response, expected);
    if (result == DIGEST_GOOD && equal) {
        answer_out->user = user;
        return DIGEST_GOOD;
    }
    answer_out->claimed = source.user;
    answer_out->begins_to_wait = digest->guard && guard_failed(digest->guard, &source, now_ms);
    return DIGEST_WRONG;
}

/* Path and query of an absolute http URI; other text as it is. */
static struct text without_authority(struct text uri)
{
    if (!text_starts_with_nocase(uri, TEXT("http://")) && !text_starts_with_nocase(uri, TEXT("https://")))
        return uri;
    struct text rest = text_slice(uri, text_find(uri, TEXT("://")) + 3, uri.length);
    size_t slash = text_find_char(rest, '/');
    return slash == rest.length ? TEXT("/") : text_slice(rest, slash, rest.length);
}

static bool uri_fits(const struct digest_request *request, struct text written, struct arena *arena)
{
    if (request
            ->sip) { /* proxies change the Request-URI, and some clients write the server's address (RFC 3261 §22.4) */
        struct uri any;
        return uri_parse(written, &any);
    }
    struct text asked = without_authority(request->uri);
    written = without_authority(written);
    if (text_equal(asked, written))
        return true;
    struct text asked_decoded, written_decoded;
    return percent_decode(arena, asked, &asked_decoded) && percent_decode(arena, written, &written_decoded) &&
           text_equal(asked_decoded, written_decoded);
}

static struct text user_secret(const struct user *user, enum digest_algorithm algorithm, bool full)
{
    switch (algorithm) {
    case DIGEST_MD5: return full ? user->ha1_md5_full : user->ha1_md5;
    case DIGEST_SHA512: return full ? user->ha1_sha512_full : user->ha1_sha512;
    default: return full ? user->ha1_sha256_full : user->ha1_sha256;
    }
}

/* Reads the user whom the header names, and whether by the full name. */
static enum status read_user(const struct digest *digest, const struct documents *documents,
                             const struct digest_header *header, struct arena *arena, struct user *user_out,
                             bool *full_out)
{
    struct text username = header->username;
    if (header->user_hashed) {
        username = text_lower(arena, username);
        enum status status = user_find_hash(documents, username, digest->domain, arena, user_out);
        if (status != OK)
            return status;
        const struct text parts[] = {user_full_name(user_out, arena), digest->realm};
        *full_out = secret_equal(identity_hash(header->algorithm, parts, 2, arena), username);
        return OK;
    }
    return digest_named_user(digest, documents, username, arena, user_out, full_out);
}

enum status digest_named_user(const struct digest *digest, const struct documents *documents, struct text username,
                              struct arena *arena, struct user *user_out, bool *full_out)
{
    *full_out = text_find_char(username, '@') < username.length;
    enum status status = logins_get(digest->logins, documents, username, digest->domain, arena, user_out);
    if (status != OK)
        return status;
    /* "sip:alice@…", "ALICE@…" and the like lead to a user but are no names that a hash is kept of. */
    struct text name = *full_out ? user_full_name(user_out, arena) : user_out->name;
    return text_equal(name, username) ? OK : NOT_FOUND;
}

/* DIGEST_GOOD, or DIGEST_WRONG with a secret that nobody has: making it stands for reading a record that is not there,
 * so that an unknown user costs about what a known one does. */
static enum digest_result find_secret(const struct digest *digest, const struct documents *documents,
                                      const struct digest_header *header, struct arena *arena, struct user *user_out,
                                      struct text *secret_out)
{
    bool full = false;
    enum status status = read_user(digest, documents, header, arena, user_out, &full);
    if (status != OK && status != NOT_FOUND)
        return DIGEST_FAILED;
    if (status == OK && text_equal(user_out->realm, digest->realm)) {
        *secret_out = user_secret(user_out, header->algorithm, full);
        if (secret_out->length)
            return DIGEST_GOOD;
    }
    const struct text parts[] = {TEXT("nobody"), header->username};
    *secret_out = identity_mac(&digest->key, parts, 2, identity_hash_length(header->algorithm), arena);
    return DIGEST_WRONG;
}

/* RFC 7616 §3.4.1: what the answer to this request begins with, and that to the client, too (§3.5). */
static void response_begin(const struct digest_header *header, struct text secret, struct identity_hashing *begun_out)
{
    const struct text parts[] = {secret, header->nonce, header->count, header->cnonce, header->qop};
    identity_hash_begin(begun_out, header->algorithm);
    identity_hash_add(begun_out, parts, header->protection == PROTECT_NOTHING ? 2 : 5); /* 2: RFC 2069 §2.1.2 */
}

/* RFC 7616 §3.4.3; with an empty method and no body that of rspauth. */
static struct text response_end(const struct digest_header *header, const struct identity_hashing *begun,
                                struct text method, const struct text *body, struct arena *arena)
{
    struct text request[3] = {method, header->uri};
    struct identity_hashing hashing = *begun;
    size_t request_count = 2;
    if (header->protection == PROTECT_BODY)
        request[request_count++] = identity_hash(header->algorithm, body, 1, arena);
    struct text request_hash = identity_hash(header->algorithm, request, request_count, arena);
    identity_hash_add(&hashing, &request_hash, 1);
    return identity_hash_end(&hashing, arena);
}

/* With auth-int the answer's body would have to be known: then there is no rspauth, which is optional. */
static struct text authentication_info(const struct digest *digest, const struct digest_header *header,
                                       const struct nonce *nonce, const struct identity_hashing *begun, int64_t now_ms,
                                       struct arena *arena)
{
    struct text_builder info;
    builder_init(&info, arena);
    if (header->protection == PROTECT_REQUEST) {
        struct text answer = response_end(header, begun, TEXT(""), NULL, arena);
        builder_add(&info, TEXT("rspauth=\""));
        builder_add(&info, answer);
        builder_add(&info, TEXT("\", qop=auth, cnonce=\""));
        for (size_t i = 0; i < header->cnonce.length; i++) {
            if (header->cnonce.bytes[i] == '"' || header->cnonce.bytes[i] == '\\')
                builder_add_char(&info, '\\');
            builder_add_char(&info, header->cnonce.bytes[i]);
        }
        builder_add(&info, TEXT("\", nc="));
        builder_add(&info, header->count);
    }
    if (now_ms - nonce->made_ms > DIGEST_NONCE_MS_MAX / 2)
        builder_add_format(&info, "%snextnonce=\"%.*s\"", info.length ? ", " : "",
                           TEXT_ARG(nonce_make(&digest->key, digest->realm, now_ms, arena)));
    return builder_text(&info);
}
