/* Are the users of a data folder those of the domain that is served? */
#include "uri.h"
#include "user.h"

#define PAGE_KEYS 500
#define LOOKS_MAX 10000 /* users that are looked at: of a domain that is served one is among the first */

enum status user_domain_check(const struct documents *documents, struct text domain, struct arena *arena,
                              struct text *other_out)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_USERS)};
    struct document_key last = prefix;
    struct key_page page = {.more = true};
    *other_out = (struct text){0};
    for (size_t seen = 0; page.more && seen < LOOKS_MAX; seen += page.count) {
        enum status status = document_internal_list(documents, &prefix, seen ? &last : NULL, PAGE_KEYS, arena, &page);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.count; i++) {
            if (text_equal_nocase(uri_domain(page.keys[i].owner), domain))
                return OK;
            if (other_out->length == 0)
                *other_out = page.keys[i].owner;
        }
        if (page.count == 0)
            break;
        last = page.keys[page.count - 1];
    }
    return other_out->length ? REFUSED : OK;
}
