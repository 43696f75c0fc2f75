/* Users that were found before: who gets and sends many messages is looked up for each of them. Holds no passwords. */
#ifndef IDENTITY_KNOWN_USERS_H
#define IDENTITY_KNOWN_USERS_H

#include "user.h"

struct known_users;

struct known_users *known_users_new(const struct documents *documents); /* for one thread at a time */
void known_users_free(struct known_users *known);

/* As user_find, but for the realm and the hashes, which are empty. What was found at the same `epoch`, that there is no
 * such user among it, is not looked for again: the caller says another number as soon as a user may have changed. */
enum status known_users_find(struct known_users *known, uint64_t epoch, struct text address, struct arena *arena,
                             struct user *user_out);

#endif
