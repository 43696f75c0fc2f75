/* Entries that go, because their owner, a limit or their time says so. The message goes with the last of them. */
#include "history_own.h"

#define EXPIRE_MAX 100 /* of one transaction: others need not wait for it */

static struct commit removal_of(const struct document_key *key, struct text who)
{
    return (struct commit){.key = *key, .expected = VERSION_ANY, .deletion = true, .who = who};
}

/* Whoever keeps the message holds the claim, also if he came to it a moment ago. */
static struct commit message_removal(struct text id, struct text who, struct arena *arena)
{
    const struct document_key key = {TEXT(DOCUMENT_HISTORY_MESSAGES), id, TEXT("")};
    struct commit commit = removal_of(&key, who);
    struct claim *held = arena_new(arena, struct claim);
    *held = (struct claim){.kind = TEXT(HISTORY_MESSAGE), .value = id, .counted = true};
    commit.unless_held = held;
    return commit;
}

static size_t add_removal(const struct document_key *key, struct text who, struct arena *arena, struct commit *commits)
{
    struct history_parts parts;
    size_t count = 0;
    commits[count++] = removal_of(key, who);
    if (history_parts_read(key->name, &parts))
        commits[count++] = message_removal(parts.id, who, arena);
    return count;
}

size_t history_remove(struct text owner, const struct text *references, size_t count, struct text who,
                      struct arena *arena, struct commit *commits)
{
    size_t commits_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct document_key key = {TEXT(DOCUMENT_HISTORY), owner, references[i]};
        if (references[i].length && references[i].length <= STORE_PART_MAX)
            commits_count += add_removal(&key, who, arena, commits + commits_count);
    }
    return commits_count;
}

enum status history_oldest(const struct documents *documents, struct text owner, const struct history_figures *excess,
                           struct arena *arena, struct text **references_out, size_t *count_out)
{
    const struct document_key prefix = {TEXT(DOCUMENT_HISTORY), owner, {0}};
    struct key_page page = {0};
    uint64_t bytes = 0;
    enum status status = document_internal_list(documents, &prefix, NULL, HISTORY_REMOVE_MAX, arena, &page);
    *references_out = arena_array(arena, struct text, page.count + 1);
    *count_out = 0;
    for (size_t i = 0; status == OK && i < page.count; i++) {
        struct history_parts parts = {0};
        if (*count_out >= excess->count && bytes >= excess->bytes)
            break;
        history_parts_read(page.keys[i].name, &parts);
        (*references_out)[(*count_out)++] = page.keys[i].name;
        bytes += parts.size;
    }
    return status;
}

enum status history_erase(const struct documents *documents, struct text owner, struct text who)
{
    const struct history_figures page = {.count = HISTORY_REMOVE_MAX};
    enum status status = OK;
    size_t count = 1;
    while (status == OK && count) {
        struct text *references;
        struct arena arena;
        arena_init(&arena, "history");
        status = history_oldest(documents, owner, &page, &arena, &references, &count);
        if (status == OK && count) {
            struct commit *commits = arena_array(&arena, struct commit, count * HISTORY_REMOVE_COMMITS);
            size_t commits_count = history_remove(owner, references, count, who, &arena, commits);
            status = document_internal_commit(documents, commits, commits_count);
        }
        arena_clear(&arena);
    }
    return status;
}

enum status history_expire(const struct documents *documents, int64_t now_ms, struct arena *arena,
                           struct commit **commits_out, size_t *commits_count_out, bool *more_out)
{
    struct text *values = NULL, now = history_time(now_ms, arena);
    struct key_page page = {0};
    size_t found = 0;
    *commits_out = arena_array(arena, struct commit, HISTORY_REMOVE_COMMITS * EXPIRE_MAX);
    *commits_count_out = 0;
    enum status status = document_internal_holders(documents, TEXT(HISTORY_UNTIL), TEXT(""), NULL, NULL, EXPIRE_MAX,
                                                   arena, &page, &values);
    for (; status == OK && found < page.count && text_compare(values[found], now) <= 0; found++)
        *commits_count_out += add_removal(&page.keys[found], TEXT("im-glue"), arena, *commits_out + *commits_count_out);
    *more_out = found == EXPIRE_MAX;
    return status;
}
