/* Who is trusted with what, as the settings of xdms say. */
#ifndef XDMS_IDENTITIES_H
#define XDMS_IDENTITIES_H

#include "requester.h"
#include "xdms_settings.h"

#define PRINCIPALS_MAX 64 /* of one role: each is looked at in every request */
#define ROLES_GIVEN    4  /* server, operator, admin, auditor */

struct xdms_identities {
    struct text principals[ROLES_GIVEN][PRINCIPALS_MAX];
    struct requester_grant grants[ROLES_GIVEN]; /* they point into `principals` */
    struct trust trust;                         /* the node's, and proxies */
    struct trust_ranges policy_peers;
};

/* Addresses live in the node's arena, so `identities` may be used until the node is closed, and may not be moved.
 * False: `error_out` has one line, in the same arena, that begins with the name of the setting. */
bool identities_read(struct xdms_identities *identities, const struct xdms_settings *settings, struct node *node,
                     struct text *error_out);

#endif
