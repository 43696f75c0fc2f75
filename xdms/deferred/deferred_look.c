/* What xdms leaves for im-glue to look at: a document for each owner and kind, which im-glue deletes when it has. */
#include "deferred.h"

static const char *const look_names[DEFERRED_LOOKS] = {"changed", "retry", "gone"};

struct commit deferred_look(struct text owner, enum deferred_look look, struct arena *arena)
{
    return (struct commit){
        .key = {TEXT(DOCUMENT_LOOKS), text_copy(arena, owner), text_of(look_names[look])},
        .expected = VERSION_ANY,
        .who = TEXT("xdms"),
    };
}

/* Of a newer program: that something changed. */
static enum deferred_look look_of(struct text name)
{
    for (unsigned i = 0; i < DEFERRED_LOOKS; i++)
        if (text_equal(name, text_of(look_names[i])))
            return (enum deferred_look)i;
    return DEFERRED_LOOK_CHANGED;
}

enum status deferred_looks(const struct documents *documents, size_t limit, struct arena *arena,
                           struct deferred_asked **asked_out, size_t *count_out)
{
    const struct document_key all = {.usage = TEXT(DOCUMENT_LOOKS)};
    struct key_page page = {0};
    enum status status = document_internal_list(documents, &all, NULL, limit, arena, &page);
    *asked_out = arena_array(arena, struct deferred_asked, page.count + 1);
    *count_out = status == OK ? page.count : 0;
    for (size_t i = 0; i < *count_out; i++) {
        struct deferred_asked *asked = &(*asked_out)[i];
        asked->owner = page.keys[i].owner;
        asked->look = look_of(page.keys[i].name);
        asked->done = (struct commit){
            .key = page.keys[i], .expected = page.versions[i], .deletion = true, .who = TEXT("im-glue")};
    }
    return status;
}
