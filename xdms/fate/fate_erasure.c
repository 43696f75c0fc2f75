/* What takes somebody out of the records of messages. */
#include "fate_private.h"

#define FAN_OUTS_REMOVED_MAX 20 /* records for many that one page of an erasure reads: some hundred KB each at most */

enum status fate_removals(const struct documents *documents, struct text address, size_t limit, struct text who,
                          struct arena *arena, struct commit **commits_out, size_t *count_out)
{
    struct text prefix = text_join(arena, fate_key_part(address, arena), TEXT(" "));
    struct key_page page = {0};
    size_t count = 0, read = 0;
    enum status status = document_internal_holders(documents, TEXT(FATE_CLAIM), prefix, NULL, NULL,
                                                   limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX, arena, &page, NULL);
    struct commit *commits = arena_array(arena, struct commit, page.count + 1);
    *commits_out = commits;
    *count_out = 0;
    for (size_t i = 0; status == OK && i < page.count && read < FAN_OUTS_REMOVED_MAX; i++) {
        struct commit removal = {.key = page.keys[i], .expected = VERSION_ANY, .deletion = true, .who = who};
        bool shared = fate_is_fan_out(&page.keys[i]);
        read += shared;
        if (!shared || fate_fan_out_erasure(documents, &page.keys[i], address, who, arena, &removal))
            commits[count++] = removal;
    }
    if (status == OK)
        *count_out = count;
    return status;
}
