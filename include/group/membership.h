/* In which groups is somebody? The reverse of a list of members. */
#ifndef GROUP_MEMBERSHIP_H
#define GROUP_MEMBERSHIP_H

#include "group.h"

#define MEMBERSHIPS_MAX 1000 /* groups of one user that are told */
#define EXTERNALS_MAX   5000 /* groups with external lists that are looked into: no index knows who is in those */

struct group_membership {
    struct text uri;         /* as written in the group */
    struct text owner, name; /* of its document */
    struct text through;     /* empty: a member himself; else the group inside that he is in, or "external list" */
};

/* All groups of any of these canonical addresses: members of the group itself, by index; of a group inside, up to
 * GROUP_DEPTH_MAX; of an external list. `complete_out`: there are no more. CONFLICT: the index of groups is not built;
 * FAILED. All in the arena. */
enum status group_memberships(struct groups *groups, const struct text *addresses, size_t addresses_count,
                              struct arena *arena, const struct group_membership **memberships_out, size_t *count_out,
                              bool *complete_out);

#endif
