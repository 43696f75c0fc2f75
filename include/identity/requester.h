/* Who asks, whatever the protocol: one user or one asserted person, all addresses of his, what he may do beside that,
 * and how it is known. */
#ifndef IDENTITY_REQUESTER_H
#define IDENTITY_REQUESTER_H

#include "asserted.h"
#include "user.h"

#define REQUESTER_IDENTITIES_MAX (ASSERTED_MAX + 2 * (USER_ALIASES_MAX + 1)) /* asserted, and more of two users */

enum requester_proof {
    REQUESTER_NOBODY,   /* nobody had to say who it is */
    REQUESTER_DIGEST,   /* knows the password */
    REQUESTER_BASIC,    /* has told it over TLS */
    REQUESTER_ASSERTED, /* a trusted peer says so */
};

struct requester {
    enum requester_proof proof;
    struct text address; /* the address of record, or the asserted one when no user has it; empty: nobody */
    struct text identities[REQUESTER_IDENTITIES_MAX]; /* all that are his, the address first */
    size_t identities_count;
    bool no_messages; /* his account is without them */
    unsigned roles;   /* USAGE_ROLE_BIT: anyone; user, when there is an address; and those of the account */
};

/* Texts of the user are not copied. */
void requester_of_nobody(struct requester *requester_out);
void requester_of_user(const struct user *user, enum requester_proof proof, struct requester *requester_out);

/* `identities` as asserted_parse gives them. The first decides who it is: the user who has it, or itself. Those after
 * it are his as well, and so are all addresses of the users who have them, as far as there is room. FAILED: the users
 * cannot be read. */
enum status requester_of_assertion(const struct documents *documents, const struct text *identities, size_t count,
                                   struct arena *arena, struct requester *requester_out);

/* The same with users that the caller finds: as user_find does, realm and hashes are not looked at. */
typedef enum status requester_find_fn(void *context, struct text address, struct arena *arena, struct user *user_out);
enum status requester_of_found(requester_find_fn *find, void *context, const struct text *identities, size_t count,
                               struct arena *arena, struct requester *requester_out);

bool requester_is(const struct requester *requester, struct text address); /* canonical; one of his? */

/* Puts `address`, one of his, in front: the user who has it becomes the requester. NOT_FOUND: it is not his. */
enum status requester_act_as(const struct documents *documents, struct text address, struct arena *arena,
                             struct requester *requester);

/* Roles that settings give to a user of this address of record. */
struct requester_grant {
    enum usage_role role;
    const struct text *addresses;
    size_t count;
};

/* Adds the roles of all grants that name the address; to nobody, none. */
void requester_grant(struct requester *requester, const struct requester_grant *grants, size_t count);

#endif
