/* Documents that go with their owner: all of one user, whatever their usages say of them. */
#include <assert.h>

#include "documents.h"

enum status document_removals(const struct documents *documents, struct text owner, size_t limit, struct text who,
                              struct arena *arena, struct commit **commits_out, size_t *count_out)
{
    const struct usage_set *usages = documents_usages(documents);
    struct commit *commits = arena_array(arena, struct commit, limit + 1);
    enum status status = OK;
    size_t count = 0;
    assert(owner.length > 0);
    for (size_t i = 0; i < usage_count(usages) && count < limit && status == OK; i++) {
        struct key_page page = {0};
        status = document_list(documents, usage_at(usages, i), owner, NULL, limit - count, arena, &page);
        for (size_t k = 0; status == OK && k < page.count; k++)
            commits[count++] =
                (struct commit){.key = page.keys[k], .expected = VERSION_ANY, .deletion = true, .who = who};
    }
    *commits_out = commits;
    *count_out = count;
    return status;
}

enum status document_erase(const struct documents *documents, struct commit *commits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert(commits[i].deletion || documents_internal(&commits[i].key));
    documents_mark_quiet(commits, count);
    return store_commit(documents->store, commits, count);
}
