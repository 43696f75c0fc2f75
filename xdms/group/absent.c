/* Addresses that no group has: whatever is sent to a user is asked about first, and the answer holds until some
 * document changes. */
#include "group_private.h"

#define PLACES 4096 /* of some 50 bytes: users who are written to within seconds */

struct absent {
    uint64_t epoch;
    char *address;
    size_t length;
};

static struct absent *place_of_address(const struct groups *groups, struct text address)
{
    return &groups->absent[text_hash(address, text_hash_seed()) % PLACES];
}

bool absent_has(const struct groups *groups, struct text address)
{
    if (!groups->absent)
        return false;
    const struct absent *absent = place_of_address(groups, address);
    return absent->address && absent->epoch == groups->documents_epoch &&
           text_equal((struct text){absent->address, absent->length}, address);
}

void absent_note(struct groups *groups, struct text address)
{
    if (!groups->absent)
        groups->absent = memory_new(PLACES * sizeof(*groups->absent));
    struct absent *absent = place_of_address(groups, address);
    if (!absent->address || !text_equal((struct text){absent->address, absent->length}, address)) {
        free(absent->address);
        absent->address = text_keep(address);
        absent->length = address.length;
    }
    absent->epoch = groups->documents_epoch;
}

void absent_clear(struct groups *groups)
{
    for (size_t i = 0; groups->absent && i < PLACES; i++)
        free(groups->absent[i].address);
    free(groups->absent);
    groups->absent = NULL;
}
