/* Records without bytes, and bytes without records: neither should be there, whatever happened. */
#include "deferred.h"

#include "deferred_own.h"

#define CHECK_PAGE 500

struct check {
    const struct documents *documents;
    store_problem_fn *problem;
    void *context;
    struct arena arena; /* of one page */
    size_t problems;
};

static void say(struct check *check, struct text line)
{
    check->problems++;
    check->problem(check->context, line);
}

/* Programs may be at work: what ends meanwhile is no problem. */
static enum status check_record(struct check *check, const struct document_key *key)
{
    struct arena *arena = &check->arena;
    struct deferred deferred;
    struct text bytes;
    enum status status = deferred_get(check->documents, key->owner, key->name, arena, &deferred);
    if (status == NOT_FOUND)
        return OK;
    if (status == OK)
        status = deferred_message_get(check->documents, &deferred, arena, &bytes);
    else
        say(check, text_format(arena, "the record of a deferred message is damaged: %.*s %.*s", TEXT_ARG(key->owner),
                               TEXT_ARG(key->name)));
    if (status == NOT_FOUND && deferred_get(check->documents, key->owner, key->name, arena, &deferred) == OK)
        say(check, text_format(arena, "the bytes of a deferred message are missing: %.*s %.*s", TEXT_ARG(key->owner),
                               TEXT_ARG(key->name)));
    return OK;
}

static enum status check_fan_out(struct check *check, const struct document_key *key)
{
    struct arena *arena = &check->arena;
    struct deferred_fan_out fan_out;
    struct text bytes;
    enum status status = deferred_fan_out_get(check->documents, key->name, arena, &fan_out);
    if (status == NOT_FOUND)
        return OK;
    if (status != OK)
        say(check, text_format(arena, "a fan-out record is damaged: %.*s", TEXT_ARG(key->name)));
    else if (deferred_message_get(check->documents, &fan_out.shared, arena, &bytes) == NOT_FOUND &&
             deferred_fan_out_get(check->documents, key->name, arena, &fan_out) == OK)
        say(check, text_format(arena, "the bytes of a fan-out record are missing: %.*s", TEXT_ARG(key->name)));
    return OK;
}

typedef enum status check_fn(struct check *check, const struct document_key *key);

static enum status check_records(struct check *check, const char *usage, check_fn *check_one)
{
    const struct document_key all = {.usage = text_of(usage)};
    struct key_page page = {.more = true};
    struct arena pages;
    struct document_key last;
    enum status status = OK;
    arena_init(&pages, "records");
    for (const struct document_key *after = NULL; status == OK && page.more; after = &last) {
        status = document_internal_list(check->documents, &all, after, CHECK_PAGE, &pages, &page);
        for (size_t i = 0; status == OK && i < page.count; i++) {
            status = check_one(check, &page.keys[i]);
            arena_reset(&check->arena);
        }
        if (page.count == 0)
            break;
        last = page.keys[page.count - 1];
    }
    arena_clear(&pages);
    return status;
}

static enum status check_contents(struct check *check, int64_t before_ms)
{
    struct arena pages;
    struct text next = TEXT("");
    enum status status;
    arena_init(&pages, "contents");
    do {
        struct commit *removals;
        size_t count;
        status = deferred_orphans(check->documents, before_ms, next, CHECK_PAGE, &pages, &removals, &count, &next);
        for (size_t i = 0; status == OK && i < count; i++)
            say(check,
                text_format(&pages, "bytes of a deferred message are nobody's: %.*s", TEXT_ARG(removals[i].key.name)));
    } while (status == OK && next.length);
    arena_clear(&pages);
    return status;
}

enum status deferred_check(const struct documents *documents, int64_t before_ms, store_problem_fn *problem,
                           void *context)
{
    struct check check = {.documents = documents, .problem = problem, .context = context};
    arena_init(&check.arena, "check");
    enum status status = check_records(&check, DOCUMENT_DEFERRED, check_record);
    if (status == OK)
        status = check_records(&check, DOCUMENT_FAN_OUTS, check_fan_out);
    if (status == OK)
        status = check_contents(&check, before_ms);
    arena_clear(&check.arena);
    if (status != OK)
        return FAILED;
    return check.problems ? CONFLICT : OK;
}
