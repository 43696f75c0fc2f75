/* Users that the server knows: an address of record and its aliases, what is needed to check a password, never the
 * password, and what else they may do. One person is one user however he is addressed; what he owns stands under his
 * address of record, which never changes. */
#ifndef IDENTITY_USER_H
#define IDENTITY_USER_H

#include "document.h"

#define USER_ADDRESS_MAX  256 /* bytes of a canonical address: fits one key part with room */
#define USER_PASSWORD_MAX 256
#define USER_ALIASES_MAX  7 /* with the address of record as many as POLICY_IDENTITIES_MAX looks at */

struct user {
    struct text address; /* canonical: "sip:alice@example.com" */
    struct text realm;   /* the HA1 values are good for this realm alone */
    struct text name;    /* digest user name: "alice" */
    struct text ha1_md5; /* lower-case hex; of "alice" */
    struct text ha1_sha256;
    struct text ha1_md5_full; /* of "alice@example.com": clients use either as their user name */
    struct text ha1_sha256_full;
    struct text ha1_sha512, ha1_sha512_full; /* of SHA-512-256; empty in what builds before it wrote */
    struct text display_name;
    int64_t created_ms;
    const struct text *aliases; /* canonical further addresses: "tel:+15550100", in the order they were given */
    size_t aliases_count;
    unsigned roles;   /* USAGE_ROLE_BIT of server, operator, admin, auditor: what this account is beside a user */
    bool no_messages; /* neither sends nor gets any */
    uint64_t keep_s;  /* messages for him wait so long at most; 0: as the house says */
    uint64_t version; /* of the record that was read, for user_put */
};

#define USER_KEEP_S_MAX UINT64_C(3155760000) /* 100 years: nobody means more, and sums of it are still times */

/* Makes the record of a new password. `address` as typed: "alice", "alice@example.com", "sip:alice@example.com"
 * (completed with `domain`). REFUSED: not an address, not of `domain`, empty or overlong parts. */
enum status user_make(struct text address, struct text password, struct text display_name, struct text domain,
                      struct text realm, int64_t now_ms, struct arena *arena, struct user *user_out,
                      struct refusal *refusal);

/* What other servers keep of a password, in hex; empty: not known. */
struct user_hashes {
    struct text md5, sha256; /* of "alice", the realm and the password */
    struct text md5_full, sha256_full;
    struct text sha512, sha512_full; /* of SHA-512-256 */
};

/* The same for a password that nobody tells: who has no hash of an algorithm cannot log in by it. REFUSED also: no
 * hash, or one that is none. */
enum status user_make_hashed(struct text address, const struct user_hashes *hashes, struct text display_name,
                             struct text domain, struct text realm, int64_t now_ms, struct arena *arena,
                             struct user *user_out, struct refusal *refusal);

/* Canonical address of what was typed; empty when it is none. */
struct text user_address(struct text typed, struct text domain, struct arena *arena);

/* Gives `user` the password that `other`, of the same address and realm, was made with. */
void user_set_password(struct user *user, const struct user *other);

/* Replaces the aliases. `typed`: any SIP or TEL addresses, completed with `domain`. REFUSED: one is no address, or
 * there are too many; those that are there already or are the user's own are no second ones. */
enum status user_set_aliases(struct user *user, const struct text *typed, size_t count, struct text domain,
                             struct arena *arena, struct refusal *refusal);

/* May the user have these addresses? REFUSED (409): one is that of another user or of a group, or an alias has
 * documents of its own, which would be out of reach. Looked at before user_put, whose claims then decide between two at
 * once. */
enum status user_check_addresses(const struct documents *documents, const struct user *user, struct arena *arena,
                                 struct refusal *refusal);

/* `expected`: VERSION_ABSENT to create only, VERSION_ANY to overwrite, or the version that was read. CONFLICT when it
 * exists already or changed; TAKEN when another user holds one of the addresses. */
enum status user_put(const struct documents *documents, const struct user *user, uint64_t expected, struct text who);

/* What user_put commits, for whoever commits many at once. */
enum status user_commit(const struct documents *documents, const struct user *user, uint64_t expected, struct text who,
                        struct arena *arena, struct commit *commit_out);
enum status user_delete(const struct documents *documents, struct text address, struct text who); /* NOT_FOUND */
enum status user_get(const struct documents *documents, struct text address, struct arena *arena,
                     struct user *user_out);

/* By any address of his, canonical. NOT_FOUND, FAILED. */
enum status user_find(const struct documents *documents, struct text address, struct arena *arena,
                      struct user *user_out);

/* The address of record and then the aliases. */
size_t user_identities(const struct user *user, struct text identities_out[1 + USER_ALIASES_MAX]);
bool user_is(const struct user *user, struct text address); /* is it one of these? */

/* REFUSED: there are users, and none of those that come first is of `domain`; `other_out` is the first. */
enum status user_domain_check(const struct documents *documents, struct text domain, struct arena *arena,
                              struct text *other_out);

/* In byte order of the address, after `after` (empty: from the start). */
enum status user_list(const struct documents *documents, struct text after, size_t limit, struct arena *arena,
                      struct user **users_out, size_t *count_out, bool *more_out);

#endif
