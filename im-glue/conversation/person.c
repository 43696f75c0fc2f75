/* Who has an address: users as they were found before, as long as no user has changed in this process or another. */
#include "conversation_private.h"

enum status person_find(struct conversation *conversation, struct text address, struct arena *arena,
                        struct user *user_out)
{
    return known_users_find(conversation->people, group_users_epoch(conversation->groups), address, arena, user_out);
}

static enum status find(void *conversation, struct text address, struct arena *arena, struct user *user_out)
{
    return person_find(conversation, address, arena, user_out);
}

enum status person_asserted(struct conversation *conversation, const struct text *identities, size_t count,
                            struct arena *arena, struct requester *requester_out)
{
    return requester_of_found(find, conversation, identities, count, arena, requester_out);
}
